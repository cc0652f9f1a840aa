//! Memory of a scenario.

use assent_kernel::bundle::Sensitivity;
use assent_kernel::command::{CommandBody, MemoryAct, MemoryCommand, MemoryRead, MemoryTarget, MemoryWrite};

use super::labels;
use crate::scenario::model::{MemoryKeyStep, MemoryWriteStep, Scenario};

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
    let classification = step.classification.as_deref().unwrap_or(Sensitivity::None.name());
    let write = MemoryWrite {
        act: act(scenario, &step.namespace, step.run.as_ref()),
        key: step.key.clone(),
        content_type: "text/plain".to_owned(),
        value: step.value.clone().into_bytes(),
        external: false,
        ttl_seconds: step.ttl_seconds,
        labels: labels(&step.taint)?,
        classification: Sensitivity::from_name(classification)
            .ok_or_else(|| format!("`{classification}` is no classification"))?,
    };
    Ok(CommandBody::Memory(Box::new(MemoryCommand::Write(Box::new(write)))))
}

/// The command of a `memory_read` step.
pub(super) fn read(scenario: &Scenario, step: &MemoryKeyStep) -> CommandBody {
    let read = MemoryRead {
        act: act(scenario, &step.namespace, step.run.as_ref()),
        target: MemoryTarget::Key(step.key.clone()),
        clearance: None,
    };
    CommandBody::Memory(Box::new(MemoryCommand::Read(Box::new(read))))
}

/// The command of a `memory_forget` step.
pub(super) fn forget(scenario: &Scenario, step: &MemoryKeyStep) -> CommandBody {
    let act = act(scenario, &step.namespace, step.run.as_ref());
    CommandBody::Memory(Box::new(MemoryCommand::Forget { act, key: step.key.clone() }))
}
