//! The second decision about an external store: which of the items that a query has found may be used.

use super::checks::Checks;
use super::{MemoryAccess, PayloadIntent, ReasonCode, Sensitivity, StateRead, few, from};
use crate::codec::Writer;
use crate::command::{MemoryRelease, RetrievedItem, write_items};
use crate::event::ITEMS_ROLE;
use crate::taint::TaintLabel;

/// The items as a payload: their ids may say something about what was found.
pub(super) fn payload(asked: &MemoryRelease) -> PayloadIntent {
    let mut w = Writer::versioned(1);
    write_items(&asked.items, &mut w);
    super::payload(ITEMS_ROLE, "application/vnd.assent.memory-items", &w.finish())
}

/// Releases what is neither quarantined nor classified too high. With nothing to use, it is a deny.
pub(super) fn release<S: StateRead>(
    checks: &mut Checks<'_, '_, S>,
    asked: &MemoryRelease,
    body: &mut MemoryAccess,
) -> Result<(), ReasonCode> {
    checks.actor.admits(true)?;
    checks.reader()?;
    let clearance = checks.query(&asked.query)?;
    let mut labels: Vec<TaintLabel> = Vec::new();
    let mut highest = Sensitivity::None;
    for (place, item) in (0u32..).zip(&asked.items) {
        match usable(checks, item, clearance) {
            Ok(()) => {
                body.released.push(place);
                highest = highest.max(item.classification);
                labels.extend(item.labels.iter().cloned().map(|label| from(label, &checks.id)));
            }
            Err(code) => body.withheld.push((place, code)),
        }
    }
    body.classification = Some(highest);
    if let (true, Some(code)) = (body.released.is_empty(), body.withheld.iter().map(|(_, code)| *code).min()) {
        return Err(code);
    }
    if !body.released.is_empty() {
        labels.extend(checks.labels_of_space(&checks.id));
    }
    body.taint = few(labels.into_iter().chain(checks.actor.inbox.iter().cloned()));
    Ok(())
}

fn usable<S: StateRead>(
    checks: &mut Checks<'_, '_, S>,
    item: &RetrievedItem,
    clearance: Sensitivity,
) -> Result<(), ReasonCode> {
    checks.not_quarantined(&item.id)?;
    if item.classification > clearance { checks.object(ReasonCode::MemoryClassification) } else { Ok(()) }
}
