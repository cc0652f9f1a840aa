//! Accesses to memory as commands again.

use super::bytes;
use super::execution::stand_in;
use crate::bundle::Sensitivity;
use crate::codec::Reader;
use crate::command::{
    CommandBody, MemoryAct, MemoryCommand, MemoryQuarantine, MemoryRead, MemoryRelease, MemoryTarget, MemoryWrite,
    RetrievedItem, read_items,
};
use crate::event::{ITEMS_ROLE, JUSTIFICATION_ROLE, MemoryAccess, MemoryOp, QUERY_ROLE, VALUE_ROLE};
use crate::replay::finding::Why;
use crate::replay::recorded::{Payloads, Recorded};

/// The access that an entry records; `implicit` says that a run was opened for it. No decision reads a value or a query: one that is
/// gone is as good as any other of its length. What a query has found is read.
pub(super) fn access(
    recorded: &Recorded,
    body: &MemoryAccess,
    implicit: bool,
    payloads: &impl Payloads,
) -> Result<CommandBody, Why> {
    let key = || body.key.clone().unwrap_or_default();
    let act = act(recorded, body, implicit);
    let clearance = body.asked.clearance;
    let command = match body.op {
        MemoryOp::Write => MemoryCommand::Write(Box::new(MemoryWrite {
            act,
            key: key(),
            content_type: content_type(recorded),
            value: stand_in(recorded, VALUE_ROLE, payloads).unwrap_or_default(),
            external: body.external,
            ttl_seconds: body.asked.ttl_seconds,
            labels: body.asked.labels.clone(),
            classification: body.classification.unwrap_or(Sensitivity::None),
        })),
        MemoryOp::Read => {
            MemoryCommand::Read(Box::new(MemoryRead { act, target: MemoryTarget::Key(key()), clearance }))
        }
        MemoryOp::Query => {
            let query = stand_in(recorded, QUERY_ROLE, payloads).unwrap_or_default();
            let target = MemoryTarget::Query { content_type: content_type(recorded), query };
            MemoryCommand::Read(Box::new(MemoryRead { act, target, clearance }))
        }
        MemoryOp::Release => {
            let items = items(&bytes(recorded, ITEMS_ROLE, payloads)?)?;
            let query = body.query.clone().unwrap_or_default();
            MemoryCommand::Release(Box::new(MemoryRelease { act, query, items }))
        }
        MemoryOp::Forget => MemoryCommand::Forget { act, key: key() },
        MemoryOp::Quarantine | MemoryOp::Restore => MemoryCommand::Quarantine(MemoryQuarantine {
            tenant: recorded.entry.tenant.clone(),
            environment: act.environment,
            namespace: act.namespace,
            key: key(),
            quarantined: body.op == MemoryOp::Quarantine,
            justification: stand_in(recorded, JUSTIFICATION_ROLE, payloads).unwrap_or_default(),
        }),
    };
    Ok(CommandBody::Memory(Box::new(command)))
}

/// Who acted where. A run that no entry before it opened was there, or the access named it; the subject of a credential that has
/// none was stated.
fn act(recorded: &Recorded, body: &MemoryAccess, implicit: bool) -> MemoryAct {
    let entry = &recorded.entry;
    let stated = entry.actor.as_deref().is_some_and(|actor| actor.starts_with("credential:"));
    MemoryAct {
        environment: body.environment.clone(),
        namespace: body.namespace.clone(),
        subject: body.asked.subject.clone().or_else(|| body.subject.clone().filter(|_| stated)),
        run_id: body.asked.run_id.clone().or_else(|| entry.run_id.clone().filter(|_| !implicit)),
        trace_id: entry.trace_id.clone(),
    }
}

fn content_type(recorded: &Recorded) -> String {
    recorded.entry.payloads.first().map(|payload| payload.content_type.clone()).unwrap_or_default()
}

fn items(bytes: &[u8]) -> Result<Vec<RetrievedItem>, Why> {
    let unreadable = |_| Why::PayloadMissing { role: ITEMS_ROLE };
    let mut r = Reader::versioned(bytes, "the items", 1).map_err(unreadable)?;
    let items = read_items(&mut r).map_err(unreadable)?;
    r.finish().map_err(unreadable)?;
    Ok(items)
}
