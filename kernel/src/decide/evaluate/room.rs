//! Whether a run has room for what a call would have counted in it. Bundles are refused that could need more than there is; but a run may act in
//! several environments, and may outlive bundles whose counts still bind.

use super::{Asked, Judged, against};
use crate::accumulator::Scope;
use crate::bundle::{Accumulate, Per, is_of_baseline};
use crate::charge::{Period, Unit, run_of_key};
use crate::counting;
use crate::decide::Context;
use crate::limits::RUN_COUNTS_BYTES_MAX;
use crate::reason::ReasonCode;
use crate::state::keys::{CountedKind, RunCountsRecord, ValueDigest};
use crate::state::{Record, StateKey, StateRead};
use crate::verdict::Verdict;

/// What cannot be counted must not run: nothing would ever hold it up. A tenant that only observes may let go of what its own policy counts,
/// not of what the operator's baseline does.
pub(super) fn enforce<S: StateRead>(ctx: &Context<'_, S>, asked: &Asked<'_>, subject: &str, judged: &mut Judged) {
    if let Err(code) = check(ctx, asked, subject, judged) {
        judged.soft &= !judged.outcome.accumulate.iter().any(|item| item.per == Per::Run && is_of_baseline(&item.key));
        against(&mut judged.outcome, code);
    }
}

fn check<S: StateRead>(
    ctx: &Context<'_, S>,
    asked: &Asked<'_>,
    subject: &str,
    judged: &Judged,
) -> Result<(), ReasonCode> {
    let Some(run_id) = judged.run_id.as_deref() else { return Ok(()) };
    let sums = || judged.outcome.accumulate.iter().filter(|item| item.per == Per::Run);
    let is_allowed = judged.observe || judged.outcome.verdict != Verdict::Deny;
    if !is_allowed || (!judged.new_in_run && sums().next().is_none()) {
        return Ok(());
    }
    let (tenant, environment) = (&asked.caller.tenant, asked.evaluate.environment.as_str());
    let record = ctx.state.get(&StateKey::RunCounts(tenant.clone(), run_id.to_owned()));
    let nothing = RunCountsRecord::default();
    let counts = match record.as_deref() {
        Some(Record::RunCounts(counts)) => counts,
        _ => &nothing,
    };
    let most =
        RunCountsRecord::empty_bytes(environment.len()) + charged_bytes(judged) + sums().map(sum_bytes).sum::<usize>();
    if counts.bytes().saturating_add(most) <= RUN_COUNTS_BYTES_MAX {
        return Ok(());
    }
    // It is close: what `evolve` would do is tried.
    let scope = Scope { tenant, environment, run_id, subject, now: ctx.now };
    let texts: Vec<_> = sums().map(|item| (scope.text(&item.key, item.per), &item.add)).collect();
    let mut counts = counts.clone();
    let room = counting::take(&mut counts, &judged.effects.rates, ctx.now)
        & counting::reserve(&mut counts, &judged.effects.reserved)
        & counting::add(&mut counts, texts.iter().map(|(text, add)| (text.as_str(), *add)));
    if room { Ok(()) } else { Err(ReasonCode::PolicyBudget) }
}

/// More bytes than the charges of a call can add, if all of them are new.
fn charged_bytes(judged: &Judged) -> usize {
    let rates = judged.effects.rates.iter().filter(|text| run_of_key(text).is_some());
    let budgets =
        judged.effects.reserved.iter().filter_map(|charge| run_of_key(&charge.budget).map(|_| &charge.budget));
    // A text is longer than the name that is kept of it. Every budget takes as much as this one.
    let budget = CountedKind::Budget(Unit::Calls, Period::Run);
    rates.map(|text| CountedKind::Rate.item_bytes(text.len())).sum::<usize>()
        + budgets.map(|text| budget.item_bytes(text.len())).sum::<usize>()
}

/// Most bytes that one addition adds.
fn sum_bytes(item: &Accumulate) -> usize {
    CountedKind::Sum.item_bytes(item.key.len()) + size_of::<ValueDigest>()
}
