//! Keys and records round-trip, and each kind of key has bytes of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use assent_ledger::ids::{Seq, TenantId, Time};
use proptest::prelude::*;

use super::keys::*;
use super::*;
use crate::command::{RequestId, Role};
use crate::event::{Obligation, Reservation};
use crate::reason::ReasonCode;
use crate::verdict::Verdict;

fn hashes() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash)
}

fn tenants() -> impl Strategy<Value = TenantId> {
    "[a-z0-9._-]{1,64}".prop_map(|name| TenantId::new(name).unwrap())
}

fn texts() -> impl Strategy<Value = String> {
    "[A-Za-z0-9._:/@#-]{1,128}"
}

fn keys() -> impl Strategy<Value = StateKey> {
    prop_oneof![
        Just(StateKey::Ledger),
        Just(StateKey::Progress),
        Just(StateKey::Keyring),
        Just(StateKey::RequestWindow),
        tenants().prop_map(StateKey::Tenant),
        (tenants(), texts()).prop_map(|(t, s)| StateKey::Principal(t, s)),
        hashes().prop_map(StateKey::Credential),
        (tenants(), texts()).prop_map(|(t, s)| StateKey::CredentialName(t, s)),
        (tenants(), texts()).prop_map(|(t, s)| StateKey::Run(t, s)),
        (tenants(), texts()).prop_map(|(t, s)| StateKey::ImplicitRun(t, s)),
        (tenants(), texts()).prop_map(|(t, s)| StateKey::ActiveBundle(t, s)),
        (tenants(), hashes()).prop_map(|(t, h)| StateKey::OfferedBundle(t, h)),
        hashes().prop_map(StateKey::Bundle),
        (tenants(), texts()).prop_map(|(t, s)| StateKey::KillSwitch(t, s)),
        (tenants(), texts()).prop_map(|(t, s)| StateKey::Accumulator(t, s)),
        (tenants(), texts()).prop_map(|(t, s)| StateKey::RunCounts(t, s)),
        (tenants(), texts()).prop_map(|(t, s)| StateKey::SubjectState(t, s)),
        (tenants(), texts()).prop_map(|(t, s)| StateKey::Memory(t, s)),
        (tenants(), texts()).prop_map(|(t, s)| StateKey::RuntimeRules(t, s)),
        (tenants(), texts()).prop_map(|(t, s)| StateKey::MessageNonce(t, s)),
        (tenants(), texts()).prop_map(|(t, s)| StateKey::AgentKey(t, s)),
        (tenants(), hashes()).prop_map(|(t, h)| StateKey::ErasedPayload(t, h)),
        tenants().prop_map(StateKey::TenantSettings),
        tenants().prop_map(StateKey::Environments),
        any::<u64>().prop_map(StateKey::RequestBucket),
        any::<u64>().prop_map(StateKey::ExpiryBucket),
        any::<u64>().prop_map(StateKey::Outstanding),
        (tenants(), texts()).prop_map(|(t, s)| StateKey::Budget(t, s)),
        (tenants(), texts()).prop_map(|(t, s)| StateKey::Rate(t, s)),
        (any::<u64>(), any::<u32>()).prop_map(|(m, n)| StateKey::Expiry(m, n)),
        (tenants(), hashes()).prop_map(|(t, h)| StateKey::EffectKey(t, h)),
        Just(StateKey::ExpiryCursor),
        (tenants(), texts()).prop_map(|(t, s)| StateKey::Lease(t, s)),
        (tenants(), texts()).prop_map(|(t, s)| StateKey::LeaseIndex(t, s)),
        (tenants(), texts()).prop_map(|(t, s)| StateKey::Approval(t, s)),
        (tenants(), texts()).prop_map(|(t, s)| StateKey::PendingCall(t, s)),
        (tenants(), texts()).prop_map(|(t, s)| StateKey::DecisionStatus(t, s)),
        (tenants(), texts()).prop_map(|(t, s)| StateKey::Signal(t, s)),
        (tenants(), texts()).prop_map(|(t, s)| StateKey::Adjustment(t, s)),
        (tenants(), texts()).prop_map(|(t, s)| StateKey::Nesting(t, s)),
        (any::<u64>(), tenants(), texts(), any::<u64>(), any::<[u8; 10]>()).prop_map(
            |(bucket, tenant, principal, millis, random)| {
                let id = RequestId::new(millis >> 16, random);
                StateKey::Request { bucket, tenant, principal, id }
            }
        ),
    ]
}

proptest! {
    #[test]
    fn keys_round_trip_and_differ(a in keys(), b in keys(), noise in proptest::collection::vec(any::<u8>(), 0..120)) {
        prop_assert_eq!(StateKey::decode(&a.encode()).unwrap(), a.clone());
        prop_assert_eq!(a == b, a.encode() == b.encode());
        if let StateKey::Request { bucket, .. } = &a {
            prop_assert!(a.encode().starts_with(&StateKey::request_prefix(*bucket)));
        }
        if let Ok(key) = StateKey::decode(&noise) {
            prop_assert_eq!(key.encode(), noise.clone());
        }
        let _ = Record::decode(&a, &noise);
    }

    #[test]
    fn records_round_trip(n: u64, m: u32, flag: bool, hash in hashes(), text in texts(), tenant in tenants()) {
        let id = RequestId::new(n >> 16, [7; 10]);
        let request = request(n, m, flag, hash, &text);
        let subject = flag.then(|| text.clone());
        let cosigned = flag.then_some(CosignedRecord { size: n.wrapping_add(1).into_size(), checkpoint: hash, manifest: hash });
        let name = |t: &TenantId| (t.clone(), text.clone());
        let ((t1, s1), (t2, s2), (t3, s3)) = (name(&tenant), name(&tenant), name(&tenant));
        let credential =
            CredentialRecord { tenant: tenant.clone(), name: text.clone(), role: Role::Agent, subject, revoked: flag };
        let progress = ProgressRecord { time: Time(n), span_entries: n, cosigned, ..ProgressRecord::default() };
        let rows = [
            (StateKey::Progress, Record::Progress(progress)),
            (StateKey::Credential(hash), Record::Credential(credential)),
            (StateKey::Run(t1, s1), Record::Run(RunRecord::new(text.clone(), flag, Time(n)))),
            (StateKey::ImplicitRun(t2, s2), Record::ImplicitRun(ImplicitRunRecord { run_id: text.clone(), last: Time(n) })),
            (StateKey::Principal(t3, s3), Record::Principal(PrincipalRecord { owner: None, disabled: flag })),
            (StateKey::Tenant(tenant.clone()), Record::Tenant(TenantRecord { blind: hash.0, opaque: hash, disabled: flag, created: Time(n) })),
            (StateKey::Bundle(hash), Record::Bundle(BundleRecord { source: text.clone().into_bytes() })),
            (StateKey::RequestBucket(n), Record::RequestBucket(RequestBucketRecord { count: n, digest: hash })),
            (StateKey::RequestWindow, Record::RequestWindow(RequestWindowRecord { oldest: n, newest: n, count: n })),
            (StateKey::Request { bucket: n, tenant, principal: text, id }, Record::Request(request)),
        ];
        for (key, record) in rows.into_iter().chain(control_rows(n, flag, hash)).chain(execution_rows(n, m, flag, hash)) {
            prop_assert_eq!(Record::decode(&key, &record.encode()).unwrap(), record);
        }
    }
}

fn request(n: u64, m: u32, flag: bool, hash: Hash, text: &str) -> RequestRecord {
    let decided = DecidedRecord {
        decision_id: text.to_owned(),
        run_id: flag.then(|| text.to_owned()),
        verdict: Verdict::Deny,
        codes: vec![ReasonCode::RuleDenied, ReasonCode::PolicyError],
        request_salt: hash.0,
        terms: Box::new(DecisionTerms {
            observe: flag,
            token_expires: flag.then_some(Time(n)),
            audience: flag.then(|| text.to_owned()),
            constraints: vec![(text.to_owned(), text.to_owned())],
            replacement: flag.then_some(hash),
            ..DecisionTerms::nothing(Verdict::Allow)
        }),
    };
    let ruled = RuledRecord {
        seq: Seq(n),
        event_id: text.to_owned(),
        verdict: Verdict::Allow,
        codes: vec![ReasonCode::Redeemed],
        details: vec![(text.to_owned(), text.to_owned())],
    };
    RequestRecord {
        content: hash,
        first_seq: Seq(n),
        count: m % 60,
        order: n,
        decided: flag.then_some(decided),
        ruled: (!flag).then_some(ruled),
    }
}

fn execution_rows(n: u64, m: u32, flag: bool, hash: Hash) -> Vec<(StateKey, Record)> {
    let (tenant, text) = (TenantId::new("ab").unwrap(), "some:name".to_owned());
    let outstanding = OutstandingRecord {
        tenant: tenant.clone(),
        decision_id: text.clone(),
        run_id: text.clone(),
        subject: text.clone(),
        chain: vec![text.clone()],
        environment: text.clone(),
        tool: text.clone(),
        commitment: hash,
        expires: Time(n),
        audience: flag.then(|| text.clone()),
        reserved: vec![Reservation { budget: text.clone(), amount: n }],
        leases: if flag { vec![text.clone(), text.clone()] } else { Vec::new() },
        effect: flag.then_some(hash),
        obligations: vec![Obligation {
            kind: text.clone(),
            required: flag,
            params: vec![(text.clone(), text.clone())],
        }],
        output_labels: Vec::new(),
        mode: RunMode::Restricted,
        depth: m,
        children: m,
        redeemed: flag.then(|| RedeemedRecord { redeemer: text.clone(), seq: Seq(n), time: Time(n) }),
    };
    vec![
        (StateKey::Outstanding(n), Record::Outstanding(outstanding)),
        (
            StateKey::Budget(tenant.clone(), text.clone()),
            Record::Budget(BudgetRecord { window: n, reserved: n, spent: n }),
        ),
        (StateKey::Rate(tenant.clone(), text.clone()), Record::Rate(RateRecord { credit: n, at: Time(n) })),
        (StateKey::ExpiryBucket(n), Record::ExpiryBucket(ExpiryBucketRecord { rows: m })),
        (StateKey::Expiry(n, m), Record::Expiry(ExpiryRecord { item: StateKey::EffectKey(tenant.clone(), hash) })),
        (
            StateKey::EffectKey(tenant.clone(), hash),
            Record::EffectKey(EffectKeyRecord { seq: Seq(n), expires: Time(n) }),
        ),
        (
            StateKey::ExpiryCursor,
            Record::ExpiryCursor(ExpiryCursorRecord { minute: n, row: m, newest: n, pending: n, tokens: Seq(n) }),
        ),
    ]
}

fn control_rows(n: u64, flag: bool, hash: Hash) -> Vec<(StateKey, Record)> {
    let tenant = || TenantId::new("ab").unwrap();
    let switch = KillSwitchRecord { engaged: flag, engaged_at: Seq(n), changed: Time(n) };
    let settings = crate::command::TenantSettings { observe: flag, require_attested: !flag };
    let key = AgentKeyRecord { public_key: hash.0, registered: Time(n), retired: flag.then_some(Time(n)) };
    let entry = MemoryRecord::Entry(MemoryEntry {
        subject: "s".into(),
        run_id: "r".into(),
        seq: Seq(n),
        event_id: "e".into(),
        value: hash,
        content_type: "text/plain".into(),
        external: flag,
        expires: Time(n),
        classification: crate::bundle::Sensitivity::Secret,
        version: 7,
        taint: Vec::new(),
    });
    let query = MemoryRecord::Query(MemoryQuery {
        subject: "s".into(),
        environment: "e".into(),
        namespace: "n".into(),
        clearance: crate::bundle::Sensitivity::None,
        expires: Time(n),
    });
    let mark = MemoryRecord::Quarantine(Time(n));
    let runtime = RuntimeRulesRecord { bundle: hash, hash, source: b"rules: []".to_vec() };
    let nonce = MessageNonceRecord { seq: Seq(n), expires: Time(n) };
    let erased = ErasedPayloadRecord { entry: Seq(n), erased: Time(n) };
    let distinct = std::collections::BTreeSet::from([hash]);
    let added = AccumulatorRecord { count: n, sum: "0.5".into(), distinct, expires: Time(n) };
    let mut counts = RunCountsRecord::default();
    let spent = BudgetRecord { window: n, reserved: n, spent: n };
    for environment in ["prod", "test"] {
        let budget = Counted::Budget(crate::charge::Unit::Tokens, crate::charge::Period::Day, spent);
        counts.entry(environment, "b", budget).unwrap();
        counts.entry(environment, "b", Counted::Calls(n)).unwrap();
        counts.entry(environment, "d", Counted::Distinct(vec![value_digest(&hash)])).unwrap();
    }
    vec![
        (StateKey::Accumulator(tenant(), "day|e|1|s|k".into()), Record::Accumulator(added)),
        (StateKey::RunCounts(tenant(), "r".into()), Record::RunCounts(counts)),
        (StateKey::KillSwitch(tenant(), "tool:x".into()), Record::KillSwitch(switch)),
        (StateKey::TenantSettings(tenant()), Record::TenantSettings(TenantSettingsRecord { settings })),
        (StateKey::Environments(tenant()), Record::Environments(EnvironmentsRecord { names: vec!["prod".into()] })),
        (StateKey::ErasedPayload(tenant(), hash), Record::ErasedPayload(erased)),
        (StateKey::Memory(tenant(), MemoryKey::Entry("e", "n", "k").text()), Record::Memory(entry)),
        (StateKey::RuntimeRules(tenant(), "prod".into()), Record::RuntimeRules(runtime)),
        (StateKey::Memory(tenant(), MemoryKey::Query("q").text()), Record::Memory(query)),
        (StateKey::Memory(tenant(), MemoryKey::Quarantine("e", "n", "k").text()), Record::Memory(mark)),
        (StateKey::AgentKey(tenant(), pair_text("s", "k")), Record::AgentKey(key)),
        (StateKey::MessageNonce(tenant(), pair_text("s", "n")), Record::MessageNonce(nonce)),
    ]
}

trait IntoSize {
    fn into_size(self) -> assent_ledger::ids::TreeSize;
}

impl IntoSize for u64 {
    fn into_size(self) -> assent_ledger::ids::TreeSize {
        assent_ledger::ids::TreeSize(self)
    }
}

#[test]
fn the_numbers_of_keys_are_frozen() {
    let tenant = || TenantId::new("ab").unwrap();
    assert_eq!(StateKey::Ledger.encode(), [1]);
    assert_eq!(StateKey::Principal(tenant(), "x".into()).encode(), [11, 2, b'a', b'b', b'x']);
    assert_eq!(StateKey::Run(tenant(), "x".into()).encode(), [14, 2, b'a', b'b', b'x']);
    assert_eq!(StateKey::RequestBucket(1).encode(), [20, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(StateKey::request_prefix(1), [21, 0, 0, 0, 0, 0, 0, 0, 1]);
}

#[test]
fn a_rolled_back_command_leaves_the_overlay_as_it_was() {
    let base = MemoryState::new();
    let mut overlay = Overlay::new(&base);
    let put = |overlay: &mut Overlay<'_, MemoryState>, n: u64| {
        let bundle = Record::ActiveBundle(ActiveBundleRecord { bundle: Hash([n as u8; 32]) });
        overlay.put(StateKey::RequestBucket(n), bundle);
    };
    put(&mut overlay, 1);
    overlay.savepoint();
    put(&mut overlay, 1);
    put(&mut overlay, 2);
    overlay.delete(StateKey::RequestBucket(1));
    overlay.drop_requests(5);
    overlay.rollback();
    assert!(overlay.get(&StateKey::RequestBucket(1)).is_some());
    assert!(overlay.get(&StateKey::RequestBucket(2)).is_none());
    let (changes, dropped) = overlay.into_changes();
    assert_eq!((changes.len(), dropped.len()), (1, 0));
}

fn approval(id: &str, texts: &[String]) -> ApprovalRecord {
    ApprovalRecord {
        status: ApprovalStatus::Void,
        decision: id.to_owned(),
        subject: id.to_owned(),
        chain: texts.to_vec(),
        run_id: None,
        environment: id.to_owned(),
        tool: id.to_owned(),
        policy: Hash([6; 32]),
        roles: texts.to_vec(),
        required: 2,
        fields: texts.to_vec(),
        expires: Time(7),
        votes: vec![Vote { approver: id.to_owned(), roles: texts.to_vec(), credential: "key-1".into(), seq: Seq(8) }],
        conditions: texts.to_vec(),
    }
}

fn granted(name: &str) -> Vec<(StateKey, Record)> {
    let (tenant, id, texts) = (TenantId::new("acme").unwrap(), name.to_owned(), vec![name.to_owned()]);
    let lease = |constraints| LeaseRecord {
        holder: id.clone(),
        run_id: Some(id.clone()),
        environment: id.clone(),
        class: id.clone(),
        actions: texts.clone(),
        constraints,
        calls_left: 3,
        expires: Time(4),
        granted: Seq(3),
        revoked: true,
        parent: Some(id.clone()),
        chain: texts.clone(),
    };
    let decided = DecidedRecord {
        decision_id: id.clone(),
        run_id: None,
        verdict: Verdict::Allow,
        codes: vec![ReasonCode::Approved],
        request_salt: [5; 32],
        terms: Box::new(DecisionTerms::nothing(Verdict::Allow)),
    };
    let call = PendingCall {
        evaluate: crate::command::Evaluate {
            environment: id.clone(),
            run_id: None,
            trace_id: None,
            agent: crate::command::Agent::default(),
            subject: None,
            tool: id.clone(),
            content_type: id.clone(),
            inputs: vec![1, 2],
            context: Box::default(),
        },
        attested: true,
        request_id: RequestId::new(1, [7; 10]),
        modified: Some(vec![3]),
        latches: vec![("read_then_send".into(), 1), ("principal:across".into(), 2)],
        rates: vec!["prod|r|tenant|1/1/1".into()],
        payloads: vec![Hash([7; 32]), Hash([8; 32])],
    };
    let replaced = Some(ReplacedDecision { seq: Seq(8), decided });
    let lease_key = || StateKey::Lease(tenant.clone(), id.clone());
    vec![
        (lease_key(), Record::Lease(lease(LeaseConstraints::None))),
        (lease_key(), Record::Lease(lease(LeaseConstraints::Json(vec![b'{', b'}'])))),
        (lease_key(), Record::Lease(lease(LeaseConstraints::Unknown))),
        (
            StateKey::LeaseIndex(tenant.clone(), id.clone()),
            Record::LeaseIndex(LeaseIndexRecord { leases: texts.clone(), approvals: texts.clone() }),
        ),
        (StateKey::Approval(tenant.clone(), id.clone()), Record::Approval(approval(&id, &texts))),
        (StateKey::PendingCall(tenant.clone(), id.clone()), Record::PendingCall(call)),
        (
            StateKey::DecisionStatus(tenant.clone(), id.clone()),
            Record::DecisionStatus(DecisionStatusRecord { approval: id.clone(), replaced }),
        ),
    ]
}

#[test]
fn leases_and_approvals_round_trip() {
    for (key, record) in granted("x") {
        let bytes = record.encode();
        assert_eq!(Record::decode(&key, &bytes).unwrap(), record);
        for end in 0..bytes.len() {
            assert!(Record::decode(&key, &bytes[..end]).is_err(), "{key:?} cut at {end}");
        }
    }
    for status in ApprovalStatus::ALL {
        assert_eq!(ApprovalStatus::from_number(status.number()), Some(status));
        assert_eq!(ApprovalStatus::from_name(status.name()), Some(status));
    }
}
