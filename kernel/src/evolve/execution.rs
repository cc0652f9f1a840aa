//! What an allowed call sets aside until its outcome is known, and what becomes of it: redeemed, completed, or never used.

use assent_ledger::ids::{TenantId, Time};

use super::budgets::Charged;
use super::{EntryFacts, budgets, grants};
use crate::charge::rego_rate_key;
use crate::command::Completion;
use crate::decide::digest_of_effect;
use crate::event::{Event, PolicyDecision, TokenExpired, ToolRequest, ToolResponse};
use crate::expiry;
use crate::limits::EFFECT_KEY_MICROS;
use crate::state::keys::{EffectKeyRecord, OutstandingRecord, RedeemedRecord, RunRecord};
use crate::state::{Record, StateKey, StateWrite};
use crate::taint::{TaintLabel, TaintSource};
use crate::verdict::Verdict;

/// Takes what a decision sets aside into the state.
pub(super) fn decided(state: &mut impl StateWrite, at: &EntryFacts, event: &Event, body: &PolicyDecision) {
    let (tenant, effects) = (&event.tenant, &body.effects);
    let may_run = effects.token_expires.is_some() && event.run_id.is_some() && body.subject.is_some();
    let reserved = if may_run { effects.reserved.as_slice() } else { &[] };
    let charged = Charged { tenant, run_id: event.run_id.as_deref() };
    budgets::charge(state, at, charged, &effects.rates, reserved);
    if effects.rego_units > 0 {
        budgets::take(state, tenant, &rego_rate_key(), at.time, effects.rego_units);
    }
    let (Some(expires), Some(run_id), Some(subject)) = (effects.token_expires, &event.run_id, &body.subject) else {
        return;
    };
    // In observe mode the original runs, whatever was computed.
    let replaced = body.effective == Verdict::Compute;
    let tool = effects.replacement_tool.as_ref().filter(|_| replaced).unwrap_or(&body.tool);
    let effect = effects.effect_key.as_ref().map(|key| digest_of_effect(&body.environment, tool, key));
    if let Some(effect) = effect {
        let expires = Time(at.time.0.saturating_add(EFFECT_KEY_MICROS));
        let item = StateKey::EffectKey(tenant.clone(), effect);
        state.put(item.clone(), Record::EffectKey(EffectKeyRecord { seq: at.seq, expires }));
        expiry::schedule(state, expires, item);
    }
    let record = OutstandingRecord {
        tenant: tenant.clone(),
        decision_id: at.event_id.clone(),
        run_id: run_id.clone(),
        subject: subject.clone(),
        chain: effects.chain.clone(),
        environment: body.environment.clone(),
        tool: tool.clone(),
        commitment: effects.replacement.filter(|_| replaced).unwrap_or(body.request_commitment),
        expires,
        audience: effects.audience.clone(),
        reserved: effects.reserved.clone(),
        leases: grants::chain_of(state, tenant, effects.lease.as_deref()),
        effect,
        obligations: effects.obligations.clone(),
        output_labels: effects.output_labels.clone(),
        mode: effects.mode,
        depth: effects.depth,
        children: 0,
        redeemed: None,
    };
    state.put(StateKey::Outstanding(at.seq.0), Record::Outstanding(record));
}

/// A decision is redeemed. The run takes on what the tool's output may bring before anybody has seen it: the labels that the bundle
/// gives it, and in any case that it is some tool's output.
pub(super) fn requested(state: &mut impl StateWrite, at: &EntryFacts, tenant: &TenantId, body: &ToolRequest) {
    let Some(mut record) = outstanding(state, body.decision.0).filter(|_| body.verdict == Verdict::Allow) else {
        return;
    };
    let made = TaintLabel {
        source: TaintSource::ToolOutput,
        origin: record.tool.clone(),
        confidence_milli: 1_000,
        propagated_from: Some(record.decision_id.clone()),
    };
    change_run(state, tenant, &record.run_id, |run| {
        record.output_labels.iter().chain([&made]).for_each(|label| run.taint.join(label, at.time));
        run.open_intents = run.open_intents.saturating_add(1);
        run.counters.add_one("redeemed");
    });
    record.redeemed = Some(RedeemedRecord { redeemer: body.redeemer.clone(), seq: at.seq, time: at.time });
    state.put(StateKey::Outstanding(body.decision.0), Record::Outstanding(record));
}

/// The outcome is known: what was set aside is settled. Labels of the output are added; those that the run took on stay.
pub(super) fn responded(state: &mut impl StateWrite, at: &EntryFacts, tenant: &TenantId, body: &ToolResponse) {
    let Some(record) = outstanding(state, body.decision.0).filter(|_| body.verdict == Verdict::Allow) else { return };
    // Where nobody knows what was used, what was set aside counts as used.
    budgets::settle(state, charged(tenant, &record), &record.reserved, |reservation, charge| {
        body.usage.map_or(reservation.amount, |usage| charge.unit.of(usage))
    });
    change_run(state, tenant, &record.run_id, |run| {
        body.taint.iter().for_each(|label| run.taint.join(label, at.time));
        run.open_intents = run.open_intents.saturating_sub(1);
        run.counters.add_one("completed");
        if body.status == Completion::Failure {
            run.counters.add_one("failed");
        }
    });
    state.delete(StateKey::Outstanding(body.decision.0));
}

/// Nobody redeemed these in time: what was set aside is given back, and the effect may be tried again, since it did not happen.
pub(super) fn expired(state: &mut impl StateWrite, tenant: &TenantId, body: &TokenExpired) {
    for token in &body.tokens {
        let Some(record) = outstanding(state, token.decision.0).filter(|record| record.redeemed.is_none()) else {
            continue;
        };
        budgets::settle(state, charged(tenant, &record), &record.reserved, |_, _| 0);
        grants::give_back(state, tenant, &record.leases);
        if let Some(effect) = record.effect {
            let key = StateKey::EffectKey(tenant.clone(), effect);
            let own =
                matches!(state.get(&key).as_deref(), Some(Record::EffectKey(known)) if known.seq == token.decision);
            if own {
                state.delete(key);
            }
        }
        state.delete(StateKey::Outstanding(token.decision.0));
    }
}

fn charged<'a>(tenant: &'a TenantId, record: &'a OutstandingRecord) -> Charged<'a> {
    Charged { tenant, run_id: Some(&record.run_id) }
}

fn outstanding(state: &impl StateWrite, seq: u64) -> Option<OutstandingRecord> {
    match state.get(&StateKey::Outstanding(seq)).as_deref() {
        Some(Record::Outstanding(record)) => Some(record.clone()),
        _ => None,
    }
}

fn change_run(state: &mut impl StateWrite, tenant: &TenantId, run_id: &str, change: impl FnOnce(&mut RunRecord)) {
    let key = StateKey::Run(tenant.clone(), run_id.to_owned());
    if let Some(Record::Run(known)) = state.get(&key).as_deref() {
        let mut run = known.clone();
        change(&mut run);
        state.put(key, Record::Run(run));
    }
}
