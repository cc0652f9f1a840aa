//! Bodies have one JSON form each and are read back strictly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use assent_ledger::hash::Hash;
use assent_ledger::ids::{NodeId, Seq, Time};
use assent_ledger::json::parse;

use super::*;
use crate::bundle::Knob;
use crate::command::{
    Agent, Completion, Fulfilled, KillTarget, RequestId, Role, SignalScope, Signals, TenantSettings, Usage,
};
use crate::reason::ReasonCode;
use crate::state::keys::RunMode;
use crate::taint::{TaintLabel, TaintSource};
use crate::verdict::Verdict;

fn bodies() -> Vec<EventBody> {
    let hash = Hash([3; 32]);
    let named = NamedTenant { tenant: TenantId::new("acme").unwrap(), blind: [4; 32] };
    let first: Vec<EventBody> = vec![
        TenantCreated { opaque: hash, named: None }.into(),
        TenantCreated { opaque: hash, named: Some(named) }.into(),
        PrincipalRegistered { subject: "s".into(), owner: Some("o".into()) }.into(),
        PrincipalDisabled { subject: "s".into() }.into(),
        CredentialRegistered { name: "n".into(), role: Role::TenantAdmin, subject: None, token_hash: hash }.into(),
        CredentialRevoked { name: "n".into(), token_hash: hash }.into(),
        BundleOffered { bundle: hash }.into(),
        BundleActivated { environment: "prod".into(), bundle: hash, previous: Some(hash) }.into(),
        RunOpened { subject: "s".into(), implicit: true, parent: None }.into(),
        RunOpened {
            subject: "s".into(),
            implicit: false,
            parent: Some(ParentRun { run_id: "p".into(), generation: 2 }),
        }
        .into(),
        RunClosed { subject: "s".into(), reason: RunCloseReason::Idle }.into(),
        decision().into(),
    ];
    first.into_iter().chain(granted()).chain(controlled()).collect()
}

fn granted() -> Vec<EventBody> {
    vec![
        CapabilityGranted { ruled: ruled(Verdict::Allow) }.into(),
        CapabilityGranted { ruled: ruled(Verdict::Deny) }.into(),
        CapabilityDelegated {
            chain: vec!["s".into(), "s0".into()],
            from: Some("l-0".into()),
            ruled: ruled(Verdict::Allow),
            to: "s2".into(),
        }
        .into(),
        CapabilityRevoked { lease: "l".into(), subject: "s".into() }.into(),
        CapabilityExpired { lease: "l".into(), subject: "s".into() }.into(),
        requested().into(),
        hitl().into(),
        ApprovalExpired { approval: "a".into(), decision: "d".into(), subject: "s".into() }.into(),
        ApprovalVoid { approval: "a".into(), decision: "d".into(), reason: VoidReason::Policy, subject: "s".into() }
            .into(),
        RunModeChanged {
            counters: vec![("calls", 9), ("strikes", 5)],
            decision: Some("d".into()),
            from: RunMode::Normal,
            rule: Some("r".into()),
            shadow: true,
            steps: vec!["sensitive_read:true".into(), "egress:true".into()],
            subject: "s".into(),
            to: RunMode::Quarantined,
            trigger: ModeTrigger::Behaviour,
        }
        .into(),
        TaintAttached { labels: effects().taint, subject: "s".into() }.into(),
        RunStep { kind: StepKind::Retrieval, labels: effects().taint, source: Some("m".into()), subject: "s".into() }
            .into(),
    ]
}

fn controlled() -> Vec<EventBody> {
    let hash = Hash([3; 32]);
    vec![
        KillSwitchSet { engaged: true, target: KillTarget::Tenant }.into(),
        KillSwitchSet { engaged: false, target: KillTarget::Tool("t".into()) }.into(),
        TenantConfigured { settings: TenantSettings { observe: true, require_attested: false } }.into(),
        TenantDisabled { disabled: true }.into(),
        RuntimeRulesSet { bundle: hash, environment: "prod".into(), rules: 3, runtime: hash }.into(),
        message().into(),
        memory().into(),
        AgentKeyRegistered { key_id: "k".into(), public_key: key(), subject: "s".into() }.into(),
        AgentKeyRotated {
            key_id: "k2".into(),
            previous: "k".into(),
            public_key: key(),
            signature: [7; 64],
            subject: "s".into(),
        }
        .into(),
        PrincipalEnabled { subject: "s".into() }.into(),
        SignalReported {
            expires: Time(5),
            scope: SignalScope::Subject("s".into()),
            signals: Signals { risk_milli: Some(1_000), queue_depth: Some(0), budget_use_milli: Some(2_000) },
        }
        .into(),
        SignalReported {
            expires: Time(5),
            scope: SignalScope::Tenant,
            signals: Signals { queue_depth: Some(u32::MAX), ..Signals::default() },
        }
        .into(),
        adjusted(&["r"]).into(),
        OrchestrationAdjusted { approval: false, values: Vec::new(), ..adjusted(&[]) }.into(),
        PayloadErased { commitment: hash, entry: Seq(u64::MAX) }.into(),
        KernelActivated { previous: 1, supports: vec![NodeId(1), NodeId(2)], version: 2 }.into(),
        tool_request().into(),
        tool_response().into(),
        TokenExpired { tokens: vec![ExpiredToken { decision: Seq(4), decision_id: "d".into() }] }.into(),
        ExpirySwept { minute: 7, row: 1, tokens: Seq(9) }.into(),
    ]
}

fn adjusted(rules: &[&str]) -> OrchestrationAdjusted {
    OrchestrationAdjusted {
        approval: true,
        bundle: Hash([3; 32]),
        rules: rules.iter().map(|&rule| rule.into()).collect(),
        signals: Signals { risk_milli: Some(700), ..Signals::default() },
        subject: "s".into(),
        values: vec![(Knob::Strikes, 2), (Knob::Rates, 500)],
    }
}

#[test]
fn an_adjustment_is_the_same_while_rules_and_values_are() {
    let one = adjusted(&["a", "b"]);
    let signals = Signals { queue_depth: Some(9), ..Signals::default() };
    assert_eq!(OrchestrationAdjusted { signals, ..one.clone() }.digest(), one.digest());
    for other in [
        adjusted(&["b", "a"]),
        adjusted(&["ab"]),
        OrchestrationAdjusted { approval: false, ..one.clone() },
        OrchestrationAdjusted { bundle: Hash([4; 32]), ..one.clone() },
        OrchestrationAdjusted { values: vec![(Knob::Strikes, 2)], ..one.clone() },
    ] {
        assert_ne!(other.digest(), one.digest());
    }
}

fn tool_request() -> ToolRequest {
    ToolRequest {
        audience: Some("gw".into()),
        codes: vec![ReasonCode::Redeemed],
        decision: Seq(4),
        decision_id: "d".into(),
        redeemer: "key-1".into(),
        tool: Some("t".into()),
        verdict: Verdict::Allow,
    }
}

fn tool_response() -> ToolResponse {
    ToolResponse {
        codes: vec![ReasonCode::ObligationUnsupported, ReasonCode::Redeemed],
        decision: Seq(4),
        decision_id: "d".into(),
        duration_ms: u64::MAX,
        fulfilled: vec![Fulfilled { kind: "redact".into(), proof: Hash([3; 32]) }],
        missing: vec!["sign_action".into()],
        redeemer: "key-1".into(),
        status: Completion::Unknown,
        taint: Vec::new(),
        tool: None,
        usage: Some(Usage { tokens: 5, cost_micro_usd: 6 }),
        verdict: Verdict::Allow,
    }
}

fn key() -> assent_ledger::keys::PublicKey {
    assent_ledger::keys::SecretKey::from_seed(&[3; 32]).public()
}

fn memory() -> MemoryAccess {
    let label = effects().taint.remove(0);
    MemoryAccess {
        asked: MemoryAsked {
            clearance: Some(crate::bundle::Sensitivity::Secret),
            labels: vec![label.clone()],
            run_id: Some("other".into()),
            subject: Some("t".into()),
            ttl_seconds: Some(u64::MAX),
        },
        attested: false,
        bundle: Some(Hash([3; 32])),
        classification: Some(crate::bundle::Sensitivity::Internal),
        codes: vec![ReasonCode::MemoryAcl],
        effective: Verdict::Allow,
        environment: "prod".into(),
        expires: Some(Time(9)),
        external: true,
        key: Some("k".into()),
        labels: vec![label.clone()],
        latches: vec![("r".into(), 1)],
        namespace: "n".into(),
        op: MemoryOp::Release,
        quarantined: true,
        query: Some("q".into()),
        released: vec![0, 7],
        request_id: RequestId::new(1, [0; 10]),
        subject: Some("s".into()),
        taint: vec![label],
        value: Some(MemoryValue { commitment: Hash([4; 32]), entry: Some(Seq(u64::MAX)), version: 2 }),
        verdict: Verdict::Deny,
        withheld: vec![(1, ReasonCode::MemoryQuarantined)],
    }
}

fn message() -> AgentMessageChecked {
    let label = effects().taint.remove(0);
    AgentMessageChecked {
        attested: true,
        capabilities: vec!["delegate_task".into()],
        codes: vec![ReasonCode::MessageAccepted],
        expires_at: Time(7),
        generation: 2,
        given: vec![label.clone()],
        key_id: "k".into(),
        nonce: "n".repeat(16),
        protocol: "1.0".into(),
        recipient: "r".into(),
        recipient_run: Some("run".into()),
        request_id: RequestId::new(1, [0; 10]),
        sender: "s".into(),
        sender_instance: None,
        taint: vec![label],
        verdict: Verdict::Allow,
    }
}

fn ruled(verdict: Verdict) -> GrantRuled {
    let allowed = verdict == Verdict::Allow;
    GrantRuled {
        actions: vec!["get".into()],
        asked_run_id: (!allowed).then(|| "other".into()),
        asked_subject: (!allowed).then(|| "s".into()),
        bound: allowed,
        bundle: allowed.then_some(Hash([2; 32])),
        calls: 3,
        class: "http".into(),
        codes: vec![if allowed { ReasonCode::CapabilityGranted } else { ReasonCode::LeaseTainted }],
        constrained: allowed,
        environment: "prod".into(),
        expires: allowed.then_some(Time(9)),
        latches: vec![("r".into(), 2)],
        lease: allowed.then(|| "l".into()),
        observe: !allowed,
        seconds: 60,
        subject: allowed.then(|| "s".into()),
        verdict,
    }
}

fn requested() -> ApprovalRequested {
    ApprovalRequested {
        approval: "a".into(),
        chain: vec!["s0".into()],
        decision: Some("d".into()),
        environment: "prod".into(),
        expires: Time(7),
        fields: vec!["amount".into()],
        policy: Hash([1; 32]),
        request_commitment: Hash([2; 32]),
        required: 2,
        roles: vec!["treasury".into()],
        subject: "s".into(),
        tool: "t".into(),
    }
}

fn hitl() -> HitlDecision {
    HitlDecision {
        action: "approve",
        approval: "a".into(),
        approver: "alice".into(),
        codes: vec![ReasonCode::Approved],
        conditions: vec!["max_amount:5".into()],
        counted: true,
        credential: "key-alice".into(),
        decision: "d".into(),
        required: 2,
        roles: vec!["treasury".into()],
        status: crate::state::keys::ApprovalStatus::Used,
        subject: "s".into(),
        tool: "t".into(),
        verdict: Verdict::Allow,
        votes: 2,
    }
}

fn effects() -> Effects {
    let label = TaintLabel {
        source: TaintSource::Web,
        origin: "example.com".into(),
        confidence_milli: 900,
        propagated_from: Some("d-1".into()),
    };
    Effects {
        adjusted: Some("o-1".into()),
        approval: Some("a-1".into()),
        approved_by: Some("a-2".into()),
        audience: Some("gw".into()),
        baseline: Some(Hash([7; 32])),
        constraints: vec![("max_amount".into(), "5".into())],
        chain: vec!["s2".into()],
        cooperative: true,
        counts: vec!["calls", "denied"],
        depth: 3,
        effect_key: Some("k".into()),
        latches: vec![("b-1".into(), 1), ("b-2".into(), 0)],
        lease: Some("l".into()),
        mode: RunMode::Restricted,
        obligations: vec![Obligation {
            kind: "redact".into(),
            required: true,
            params: vec![("fields".into(), "email".into())],
        }],
        output_labels: vec![label.clone()],
        parent: Some("d-0".into()),
        rates: vec!["r-1".into()],
        rego_units: 12,
        replacement: Some(Hash([8; 32])),
        replacement_schema: Some(Hash([8; 32])),
        replacement_tool: Some("t2".into()),
        replaces: Some("d-9".into()),
        reserved: vec![Reservation { budget: "b".into(), amount: u64::MAX }],
        runtime: Some(Hash([9; 32])),
        shadow: vec![ShadowVote { rule: "x".into(), verdict: Verdict::Escalate }],
        span_id: Some("sp".into()),
        taint: vec![label],
        token_expires: Some(Time(5)),
    }
}

fn decision() -> PolicyDecision {
    PolicyDecision {
        agent: Agent { name: Some("a".into()), ..Agent::default() },
        asked_run_id: Some("run-9".into()),
        asked_subject: Some("other".into()),
        attested: true,
        bundle: Some(Hash([5; 32])),
        codes: vec![ReasonCode::ContractViolated, ReasonCode::RuleDenied],
        effective: Verdict::Deny,
        effects: effects(),
        environment: "prod".into(),
        observe: false,
        pass_ratio_milli: Some(500),
        request_commitment: Hash([6; 32]),
        request_id: RequestId::new(1, [0; 10]),
        rules: Some(ShownRules { shown: vec!["r".into()], total: 3 }),
        subject: Some("s".into()),
        tool: "t".into(),
        tool_schema: Some(Hash([5; 32])),
        verdict: Verdict::Deny,
    }
}

#[test]
fn bodies_round_trip_and_refuse_what_they_do_not_know() {
    for body in bodies() {
        let value = body.to_value();
        let bytes = value.to_bytes().unwrap();
        assert_eq!(EventBody::from_value(body.kind(), &parse(&bytes).unwrap()).unwrap().unwrap(), body);
        let more = value.clone().with("zzz", true);
        assert!(matches!(EventBody::from_value(body.kind(), &more), Some(Err(BodyError::Unknown { .. }))));
        assert!(EventBody::KINDS.contains(&body.kind()));
        let empty = Value::empty_map();
        assert!(matches!(EventBody::from_value(body.kind(), &empty), Some(Err(BodyError::Missing { .. }))));
    }
    assert_eq!(EventBody::from_value("nobody.knows", &Value::empty_map()), None);
}

#[test]
fn the_decisions_json_is_frozen() {
    let plain = PolicyDecision { asked_run_id: None, asked_subject: None, effects: Effects::default(), ..decision() };
    let text = String::from_utf8(plain.to_value().to_bytes().unwrap()).unwrap();
    let (five, six) = ("05".repeat(32), "06".repeat(32));
    assert_eq!(
        text,
        format!(
            r#"{{"agent":{{"name":"a"}},"attested":true,"bundle":"{five}","codes":[300,310],"effective":"deny","environment":"prod","observe":false,"pass_ratio_milli":500,"request_commitment":"{six}","request_id":"00000000-0001-7000-8000-000000000000","rules":{{"shown":["r"],"total":3}},"subject":"s","tool":"t","tool_schema":"{five}","verdict":"deny"}}"#
        )
    );
}

#[test]
fn decisions_with_impossible_reasons_are_refused() {
    for (field, value) in [
        ("codes", Value::list(Vec::<u32>::new())),
        ("codes", Value::list([310u32, 300])),
        ("codes", Value::list([1u32])),
        ("pass_ratio_milli", Value::from(1_001u32)),
        ("agent", Value::empty_map()),
        ("verdict", Value::from("maybe")),
    ] {
        let odd = decision().to_value().with(field, value);
        assert!(PolicyDecision::from_value(&odd).is_err(), "{field}");
    }
}

#[test]
fn the_effects_json_is_frozen() {
    let text = String::from_utf8(decision().to_value().get("effects").unwrap().to_bytes().unwrap()).unwrap();
    let (seven, eight, nine) = ("07".repeat(32), "08".repeat(32), "09".repeat(32));
    assert_eq!(
        text,
        format!(
            r#"{{"adjusted":"o-1","approval":"a-1","approved_by":"a-2","audience":"gw","baseline":"{seven}","chain":["s2"],"constraints":[{{"name":"max_amount","value":"5"}}],"cooperative":true,"counts":["calls","denied"],"depth":3,"effect_key":"k","latches":[{{"rule":"b-1","step":1}},{{"rule":"b-2","step":0}}],"lease":"l","mode":"restricted","obligations":[{{"params":[{{"name":"fields","value":"email"}}],"required":true,"type":"redact"}}],"output_labels":[{{"confidence_milli":900,"from":"d-1","origin":"example.com","source":"web"}}],"parent":"d-0","rates":["r-1"],"rego_units":"12","replacement":"{eight}","replacement_schema":"{eight}","replacement_tool":"t2","replaces":"d-9","reserved":[{{"amount":"18446744073709551615","budget":"b"}}],"runtime":"{nine}","shadow":[{{"rule":"x","verdict":"escalate"}}],"span_id":"sp","taint":[{{"confidence_milli":900,"from":"d-1","origin":"example.com","source":"web"}}],"token_expires":"5"}}"#
        )
    );
}
