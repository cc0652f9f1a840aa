//! Tick: what ends becomes an entry, a bounded number at once; with nothing due, nothing is recorded.

use std::collections::{BTreeMap, BTreeSet};

use assent_ledger::ids::{Seq, TenantId};

use super::{Context, approvals, grants, progress};
use crate::event::{Event, ExpiredToken, ExpirySwept, TokenExpired};
use crate::expiry::Walk;
use crate::limits::{
    TICK_EVENTS_MAX, TICK_ITEMS_MAX, TICK_POSITIONS_MAX, TICK_TENANTS_MAX, TICK_TOKENS_MAX, TOKENS_PER_ENTRY_MAX,
};
use crate::refusal::Refusal;
use crate::state::{Record, StateKey, StateRead};

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
    let tokens = Tokens::due(ctx, walk.cursor.tokens);
    if items == 0 && !walk.is_long() && !tokens.is_worth_an_entry() {
        return Err(Refusal::NothingDue);
    }
    let next = tokens.next;
    events.extend(tokens.into_events(ctx));
    let swept = ExpirySwept { minute: walk.cursor.minute, row: walk.cursor.row, tokens: next };
    events.push(ctx.event(&TenantId::system(), swept));
    Ok(events)
}

/// The entry that a record's end makes; nothing when it ends silently, was renewed, or is gone already.
fn expired<S: StateRead>(ctx: &Context<'_, S>, item: &StateKey) -> Option<Event> {
    match item {
        StateKey::Lease(..) => grants::expired(ctx, item),
        StateKey::Approval(..) => approvals::expired(ctx, item),
        _ => None,
    }
}

/// Decisions that nobody redeemed in time. They lie in the order of their positions, and so, but for terms that an approver has
/// shortened, in the order of their ends: the walk stops at the first that can still be redeemed.
struct Tokens {
    expired: BTreeMap<TenantId, Vec<ExpiredToken>>,
    next: Seq,
    walked: u64,
}

impl Tokens {
    fn due<S: StateRead>(ctx: &Context<'_, S>, from: Seq) -> Tokens {
        let end = progress(ctx.state).size.0;
        let mut tokens = Tokens { expired: BTreeMap::new(), next: from, walked: 0 };
        let mut count = 0;
        while tokens.next.0 < end && tokens.walked < TICK_POSITIONS_MAX && count < TICK_TOKENS_MAX {
            if let Some(Record::Outstanding(found)) = ctx.state.get(&StateKey::Outstanding(tokens.next.0)).as_deref()
                && found.redeemed.is_none()
            {
                let crowded = tokens.expired.len() >= TICK_TENANTS_MAX && !tokens.expired.contains_key(&found.tenant);
                if found.expires > ctx.now || crowded {
                    break;
                }
                let token = ExpiredToken { decision: tokens.next, decision_id: found.decision_id.clone() };
                tokens.expired.entry(found.tenant.clone()).or_default().push(token);
                count += 1;
            }
            tokens.next = Seq(tokens.next.0 + 1);
            tokens.walked += 1;
        }
        tokens
    }

    /// A long walk is worth an entry even if it has found nothing: otherwise every later one would repeat it.
    fn is_worth_an_entry(&self) -> bool {
        !self.expired.is_empty() || self.walked >= TICK_POSITIONS_MAX
    }

    fn into_events<S: StateRead>(self, ctx: &Context<'_, S>) -> Vec<Event> {
        let mut events = Vec::new();
        for (tenant, tokens) in self.expired {
            for chunk in tokens.chunks(TOKENS_PER_ENTRY_MAX) {
                events.push(ctx.event(&tenant, TokenExpired { tokens: chunk.to_vec() }));
            }
        }
        events
    }
}
