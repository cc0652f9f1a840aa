//! Records of the state on the wire; `None` for those that a list's filters leave out.

use assent_kernel::command::{KillTarget, SignalScope};
use assent_kernel::state::Record;
use assent_kernel::state::keys::OutstandingRecord;
use assent_ledger::ids::{Seq, Time};
use assent_proto::v1;
use assent_proto::v1::ListRequest;

fn wanted(filter: &str, value: &str) -> bool {
    filter.is_empty() || filter == value
}

/// A run.
pub fn run(request: &ListRequest, run_id: String, record: Record) -> Option<v1::RunInfo> {
    let Record::Run(run) = record else { return None };
    if !wanted(&request.subject, &run.subject) || !wanted(&request.status, run.mode.name()) {
        return None;
    }
    let counters = run.counters.iter().filter(|(_, value)| *value > 0);
    let taint = run.taint.iter().map(|(source, origin, touch)| v1::TaintCount {
        source: source.name().to_owned(),
        origin: origin.to_owned(),
        count: touch.count,
    });
    Some(v1::RunInfo {
        run_id,
        mode: run.mode.name().to_owned(),
        implicit: run.implicit,
        opened: run.opened.to_string(),
        counters: counters.map(|(name, value)| v1::Counter { name: name.to_owned(), value }).collect(),
        taint: taint.collect(),
        open_intents: run.open_intents,
        generation: run.generation,
        shadow_mode: run.shadow.mode.name().to_owned(),
        shadow_strikes: run.shadow.strikes,
        subject: run.subject,
    })
}

/// The bundle of an environment.
pub fn active_bundle(_: &ListRequest, environment: String, record: Record) -> Option<v1::ActiveBundleInfo> {
    let Record::ActiveBundle(active) = record else { return None };
    Some(v1::ActiveBundleInfo { environment, bundle_hash: active.bundle.0.to_vec().into() })
}

/// An approval.
pub fn approval(request: &ListRequest, approval_id: String, record: Record) -> Option<v1::ApprovalInfo> {
    let Record::Approval(approval) = record else { return None };
    if !wanted(&request.subject, &approval.subject) || !wanted(&request.status, approval.status.name()) {
        return None;
    }
    Some(v1::ApprovalInfo {
        approval_id,
        status: approval.status.name().to_owned(),
        decision_id: approval.decision,
        subject: approval.subject,
        on_behalf_of: approval.chain,
        run_id: approval.run_id.unwrap_or_default(),
        environment: approval.environment,
        tool: approval.tool,
        roles: approval.roles,
        required: approval.required,
        fields: approval.fields,
        expires: approval.expires.to_string(),
        agreed: approval.votes.into_iter().map(|vote| vote.approver).collect(),
        conditions: approval.conditions,
    })
}

/// A lease.
pub fn lease(request: &ListRequest, lease_id: String, record: Record) -> Option<v1::LeaseInfo> {
    let Record::Lease(lease) = record else { return None };
    if !wanted(&request.subject, &lease.holder) {
        return None;
    }
    Some(v1::LeaseInfo {
        lease_id,
        holder: lease.holder,
        run_id: lease.run_id.unwrap_or_default(),
        environment: lease.environment,
        class: lease.class,
        actions: lease.actions,
        calls_left: lease.calls_left,
        expires: lease.expires.to_string(),
        revoked: lease.revoked,
        parent: lease.parent.unwrap_or_default(),
    })
}

/// An outstanding decision.
pub fn intent(request: &ListRequest, seq: Seq, record: OutstandingRecord) -> Option<v1::IntentInfo> {
    let status = if record.redeemed.is_some() { "redeemed" } else { "waiting" };
    if !wanted(&request.subject, &record.subject) || !wanted(&request.status, status) {
        return None;
    }
    Some(v1::IntentInfo {
        seq: seq.0,
        decision_id: record.decision_id,
        run_id: record.run_id,
        subject: record.subject,
        environment: record.environment,
        tool: record.tool,
        status: status.to_owned(),
        expires: record.expires.to_string(),
        redeemer: record.redeemed.map(|redeemed| redeemed.redeemer).unwrap_or_default(),
    })
}

/// A principal.
pub fn principal(_: &ListRequest, subject: String, record: Record) -> Option<v1::PrincipalInfo> {
    let Record::Principal(principal) = record else { return None };
    Some(v1::PrincipalInfo { subject, owner: principal.owner.unwrap_or_default(), disabled: principal.disabled })
}

/// A kill switch.
pub fn kill_switch(_: &ListRequest, key: String, record: Record) -> Option<v1::KillSwitchInfo> {
    let Record::KillSwitch(switch) = record else { return None };
    let (kind, name) = key.split_once(':')?;
    let target = KillTarget::from_parts(kind, name)?;
    Some(v1::KillSwitchInfo {
        target: target.kind().to_owned(),
        name: target.name().to_owned(),
        engaged: switch.engaged,
        changed: switch.changed.to_string(),
    })
}

/// What was reported about something and still holds; `None` when none of it does.
pub fn signal(now: Time, key: &str, record: Record) -> Option<v1::SignalInfo> {
    let Record::Signal(record) = record else { return None };
    let (kind, name) = key.split_once(':')?;
    let scope = SignalScope::from_parts(kind, name)?;
    let values = [
        ("risk_milli", record.risk_milli),
        ("queue_depth", record.queue_depth),
        ("budget_use_milli", record.budget_use_milli),
    ];
    let held = values.into_iter().filter_map(|(signal, known)| {
        let known = known.filter(|known| known.expires > now)?;
        Some(v1::SignalValue { signal: signal.to_owned(), number: known.value, expires: known.expires.to_string() })
    });
    let values: Vec<v1::SignalValue> = held.collect();
    let (scope, name) = (scope.kind().to_owned(), scope.name().to_owned());
    (!values.is_empty()).then_some(v1::SignalInfo { scope, name, values })
}

#[cfg(test)]
mod tests {
    use super::*;
    use assent_kernel::command::Signals;
    use assent_kernel::state::keys::{RunRecord, SignalRecord};

    #[test]
    fn signals_are_listed_for_as_long_as_they_hold() {
        let mut record = SignalRecord::default();
        record.report(&Signals { risk_milli: Some(900), ..Signals::default() }, Time(10));
        record.report(&Signals { queue_depth: Some(7), ..Signals::default() }, Time(20));
        let at = |now| signal(Time(now), "run:r:1", Record::Signal(record));
        let listed = at(9).unwrap();
        assert_eq!((listed.scope.as_str(), listed.name.as_str(), listed.values.len()), ("run", "r:1", 2));
        let listed = at(10).unwrap().values;
        assert_eq!((listed[0].signal.as_str(), listed[0].number, listed.len()), ("queue_depth", 7, 1));
        assert_eq!(at(20), None);
    }

    #[test]
    fn filters_leave_out_what_they_do_not_name() {
        let record = || Record::Run(RunRecord::new("agent-1".to_owned(), false, Time(0)));
        let request = |subject: &str, status: &str| ListRequest {
            subject: subject.to_owned(),
            status: status.to_owned(),
            ..ListRequest::default()
        };
        for (subject, status, there) in
            [("", "", true), ("agent-1", "normal", true), ("agent-2", "", false), ("", "quarantined", false)]
        {
            let run = run(&request(subject, status), "r".to_owned(), record());
            assert_eq!(run.is_some(), there, "{subject} {status}");
        }
    }
}
