//! Memory of a scenario.

use std::collections::BTreeMap;

use assent_kernel::bundle::Sensitivity;
use assent_kernel::command::{
    CommandBody, MemoryAct, MemoryCommand, MemoryQuarantine, MemoryRead, MemoryRelease, MemoryTarget, MemoryWrite,
    RetrievedItem,
};
use assent_ledger::ids::TenantId;

use super::labels;
use crate::scenario::answer::Answer;
use crate::scenario::model::{
    ItemSpec, MemoryKeyStep, MemoryMarkStep, MemoryQueryStep, MemoryReleaseStep, MemoryWriteStep, Scenario,
};

fn act(scenario: &Scenario, namespace: &str, run: Option<&String>) -> MemoryAct {
    MemoryAct {
        environment: scenario.environment.clone(),
        namespace: namespace.to_owned(),
        subject: None,
        run_id: run.cloned(),
        trace_id: None,
    }
}

/// The command of a `memory_write` step.
pub(super) fn write(scenario: &Scenario, step: &MemoryWriteStep) -> Result<CommandBody, String> {
    let write = MemoryWrite {
        act: act(scenario, &step.namespace, step.run.as_ref()),
        key: step.key.clone(),
        content_type: "text/plain".to_owned(),
        value: step.value.clone().into_bytes(),
        external: false,
        ttl_seconds: step.ttl_seconds,
        labels: labels(&step.taint)?,
        classification: classification(step.classification.as_ref())?.unwrap_or_default(),
    };
    Ok(CommandBody::Memory(Box::new(MemoryCommand::Write(Box::new(write)))))
}

fn classification(name: Option<&String>) -> Result<Option<Sensitivity>, String> {
    let known = |name: &String| Sensitivity::from_name(name).ok_or_else(|| format!("`{name}` is no classification"));
    name.map(known).transpose()
}

/// The command of a `memory_read` step.
pub(super) fn read(scenario: &Scenario, step: &MemoryKeyStep) -> Result<CommandBody, String> {
    let read = MemoryRead {
        act: act(scenario, &step.namespace, step.run.as_ref()),
        target: MemoryTarget::Key(step.key.clone()),
        clearance: classification(step.clearance.as_ref())?,
    };
    Ok(CommandBody::Memory(Box::new(MemoryCommand::Read(Box::new(read)))))
}

/// The command of a `memory_query` step.
pub(super) fn query(scenario: &Scenario, step: &MemoryQueryStep) -> Result<CommandBody, String> {
    let read = MemoryRead {
        act: act(scenario, &step.namespace, step.run.as_ref()),
        target: MemoryTarget::Query { content_type: "text/plain".to_owned(), query: step.query.clone().into_bytes() },
        clearance: classification(step.clearance.as_ref())?,
    };
    Ok(CommandBody::Memory(Box::new(MemoryCommand::Read(Box::new(read)))))
}

/// The command of a `memory_release` step.
pub(super) fn release(
    scenario: &Scenario,
    step: &MemoryReleaseStep,
    saved: &BTreeMap<String, Answer>,
) -> Result<CommandBody, String> {
    let item = |item: &ItemSpec| {
        Ok(RetrievedItem {
            id: item.id.clone(),
            labels: labels(&item.taint)?,
            classification: classification(item.classification.as_ref())?.unwrap_or_default(),
        })
    };
    let query = saved.get(&step.query).and_then(|answer| answer.id.clone());
    let release = MemoryRelease {
        act: act(scenario, &step.namespace, step.run.as_ref()),
        query: query.ok_or_else(|| format!("no query was saved as `{}`", step.query))?,
        items: step.items.iter().map(item).collect::<Result<_, String>>()?,
    };
    Ok(CommandBody::Memory(Box::new(MemoryCommand::Release(Box::new(release)))))
}

/// The command of a `memory_quarantine` step.
pub(super) fn quarantine(scenario: &Scenario, tenant: &TenantId, step: &MemoryMarkStep) -> CommandBody {
    CommandBody::Memory(Box::new(MemoryCommand::Quarantine(MemoryQuarantine {
        tenant: tenant.clone(),
        environment: scenario.environment.clone(),
        namespace: step.namespace.clone(),
        key: step.key.clone(),
        quarantined: step.quarantined,
        justification: b"scenario".to_vec(),
    })))
}

/// The command of a `memory_forget` step.
pub(super) fn forget(scenario: &Scenario, step: &MemoryKeyStep) -> CommandBody {
    let act = act(scenario, &step.namespace, step.run.as_ref());
    CommandBody::Memory(Box::new(MemoryCommand::Forget { act, key: step.key.clone() }))
}
