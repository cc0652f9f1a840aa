//! Tick: what ends becomes an entry, a bounded number at once; with nothing due, nothing is recorded.

use std::collections::BTreeSet;

use super::Context;
use crate::event::{Event, ExpirySwept};
use crate::expiry::Walk;
use crate::limits::{TICK_EVENTS_MAX, TICK_ITEMS_MAX};
use crate::refusal::Refusal;
use crate::state::{StateKey, StateRead};

/// Walks over what is due.
pub(super) fn tick<S: StateRead>(ctx: &Context<'_, S>) -> Result<Vec<Event>, Refusal> {
    let mut events = Vec::new();
    let mut seen = BTreeSet::new();
    let mut walk = Walk::until(ctx.state, ctx.now);
    let mut items = 0;
    while items < TICK_ITEMS_MAX && events.len() < TICK_EVENTS_MAX {
        let Some(step) = walk.step(ctx.state) else { break };
        items += 1;
        // A record that was scheduled twice ends once.
        if let Some(item) = step.item.filter(|item| seen.insert(item.clone())) {
            events.extend(expired(ctx, &item));
        }
    }
    if items == 0 && !walk.is_long() {
        return Err(Refusal::NothingDue);
    }
    let cursor = walk.cursor;
    let swept = ExpirySwept { minute: cursor.minute, row: cursor.row, tokens: cursor.tokens };
    events.push(ctx.event(&assent_ledger::ids::TenantId::system(), swept));
    Ok(events)
}

/// The entry that a record's end makes; nothing when it ends silently, was renewed, or is gone already.
fn expired<S: StateRead>(_ctx: &Context<'_, S>, _item: &StateKey) -> Option<Event> {
    None
}
