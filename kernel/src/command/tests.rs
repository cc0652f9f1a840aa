//! Commands round-trip, their bytes are frozen, and any other bytes are refused without harm.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use assent_ledger::ids::{Time, TreeSize};
use assent_ledger::seal::SealReason;
use proptest::prelude::*;

use super::*;

fn caller() -> Caller {
    Caller {
        tenant: TenantId::new("acme").unwrap(),
        subject: Some("s".into()),
        attested: true,
        role: Role::Agent,
        credential: "k".into(),
    }
}

fn command(body: CommandBody) -> Command {
    let request_id = RequestId::new(0x0123_4567_89ab, [0xff; 10]);
    Command { request_id, stamp: Stamp { time: Time(7), seed: [9; 32] }, caller: caller(), body }
}

fn evaluate(tool: &str, inputs: &[u8]) -> Evaluate {
    Evaluate {
        environment: "prod".into(),
        run_id: Some("r".into()),
        trace_id: None,
        agent: Agent { name: Some("n".into()), ..Agent::default() },
        subject: None,
        tool: tool.into(),
        content_type: "application/json".into(),
        inputs: inputs.to_vec(),
        context: Box::default(),
    }
}

#[test]
fn the_bytes_are_frozen() {
    let seal = command(CommandBody::Seal { reason: SealReason::Idle, expected_start: TreeSize(5) });
    let mut expected = vec![2];
    expected.extend([0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0x7f, 0xff, 0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    expected.extend([0, 0, 0, 0, 0, 0, 0, 7]);
    expected.extend([9; 32]);
    expected.extend(b"\0\0\0\x04acme\x01\0\0\0\x01s\x01\x03\0\0\0\x01k");
    expected.extend(b"\x0e\x03\0\0\0\0\0\0\0\x05");
    assert_eq!(seal.encode(), expected);
    let batch = Batch { commands: vec![seal] };
    let mut framed = vec![1, 0, 0, 0, 1];
    framed.extend(u32::try_from(expected.len()).unwrap().to_be_bytes());
    framed.extend(expected);
    assert_eq!(batch.encode(), framed);
    assert_eq!(Batch::decode(&framed).unwrap(), batch);
    let call = command(CommandBody::Evaluate(Box::new(evaluate("t", b"{}"))));
    let mut body =
        b"\x0b\0\0\0\x04prod\x01\0\0\0\x01r\0\0\x01\0\0\0\x01n\0\0\0\0\0\x01t\0\0\0\x10application/json\0\0\0\x02{}"
            .to_vec();
    // A context that says nothing.
    body.extend([0; 47]);
    assert!(call.encode().ends_with(&body));
}

#[test]
fn request_ids_have_one_text() {
    let id = RequestId::new(0x0123_4567_89ab, [0xff; 10]);
    assert_eq!(id.to_string(), "01234567-89ab-7fff-bfff-ffffffffffff");
    assert_eq!(id.to_string().parse(), Ok(id));
    assert_eq!(id.time(), Time(0x0123_4567_89ab * 1_000));
    for text in [
        "",
        "01234567-89AB-7fff-bfff-ffffffffffff",
        "01234567-89ab-4fff-bfff-ffffffffffff",
        "0123456789ab7fffbfffffffffffffffffff",
        "01234567-89ab-7fff-cfff-ffffffffffff",
    ] {
        assert_eq!(text.parse::<RequestId>(), Err(RequestIdError), "{text}");
    }
}

#[test]
fn the_content_is_who_asks_for_what() {
    let a = command(CommandBody::Evaluate(Box::new(evaluate("t", b"{}"))));
    let mut later = a.clone();
    later.stamp = Stamp { time: Time(99), seed: [0; 32] };
    assert_eq!(a.content_hash(), later.content_hash());
    let mut other = a.clone();
    other.body = CommandBody::Evaluate(Box::new(evaluate("t", b"{ }")));
    assert_ne!(a.content_hash(), other.content_hash());
    let mut who = a.clone();
    who.caller.subject = None;
    assert_ne!(a.content_hash(), who.content_hash());
    let mut rotated = a.clone();
    rotated.caller.credential = "another".into();
    assert_eq!(a.content_hash(), rotated.content_hash(), "a credential was replaced between two attempts");
    let mut stated = a.clone();
    stated.caller.attested = !a.caller.attested;
    assert_ne!(a.content_hash(), stated.content_hash(), "who states a subject is not told what it was answered");
    assert_eq!((a.principal().as_str(), who.principal().as_str()), ("subject:s", "credential:k"));
}

fn terms() -> GrantTerms {
    GrantTerms {
        environment: "prod".into(),
        run_id: Some("r".into()),
        class: "http".into(),
        actions: vec!["get".into()],
        constraints: b"{}".to_vec(),
        calls: 3,
        seconds: 60,
        justification: b"because".to_vec(),
    }
}

#[test]
fn commands_about_capabilities_and_approvals_round_trip() {
    let answer = |action| {
        let (conditions, justification) = (vec!["max_amount:5".into()], b"fine".to_vec());
        CommandBody::Approval(Box::new(ApprovalCommand { approval: "a".into(), action, conditions, justification }))
    };
    let grant = |grant| CommandBody::Grant(Box::new(grant));
    for (tag, body) in [
        (21, grant(GrantCommand::Request { subject: Some("s".into()), terms: terms() })),
        (22, grant(GrantCommand::Delegate { subject: None, lease: Some("l".into()), to: "t".into(), terms: terms() })),
        (
            23,
            grant(GrantCommand::Revoke {
                tenant: TenantId::new("acme").unwrap(),
                subject: None,
                lease: "l".into(),
                justification: Vec::new(),
            }),
        ),
        (24, answer(ApprovalAction::Approve)),
        (24, answer(ApprovalAction::Deny)),
        (24, answer(ApprovalAction::Modify(b"{}".to_vec()))),
        (24, answer(ApprovalAction::RequestMoreInfo)),
    ] {
        let whole = command(body);
        let bytes = whole.encode();
        assert_eq!(Command::decode(&bytes).unwrap(), whole);
        let header = command(CommandBody::Tick).encode().len() - 1;
        assert_eq!(bytes[header], tag);
        for end in 0..bytes.len() {
            assert!(Command::decode(&bytes[..end]).is_err());
        }
        assert!(!format!("{whole:?}").contains("because"), "reasons are not for logs");
        crate::admit::check(&whole).unwrap();
    }
}

proptest! {
    #[test]
    fn calls_round_trip(tool in ".{0,40}", inputs in proptest::collection::vec(any::<u8>(), 0..200)) {
        let call = command(CommandBody::Evaluate(Box::new(evaluate(&tool, &inputs))));
        prop_assert_eq!(Command::decode(&call.encode()).unwrap(), call);
    }

    #[test]
    fn any_bytes_are_safe(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Command::decode(&bytes);
        let versioned = [&[COMMAND_VERSION], bytes.as_slice()].concat();
        if let Ok(command) = Command::decode(&versioned) {
            prop_assert_eq!(command.encode(), versioned);
        }
    }
}

#[test]
fn offered_sources_are_found_without_reading_the_rest() {
    let offer = |source: &[u8]| {
        let offered = OfferedSource { tenant: TenantId::new("acme").unwrap(), source: source.to_vec() };
        command(CommandBody::OfferBundle(offered))
    };
    let shared = Command { caller: Caller { subject: None, ..caller() }, ..offer(b"two") };
    let call = command(CommandBody::Evaluate(Box::new(evaluate("t", b"{}"))));
    let bytes = Batch { commands: vec![call.clone(), offer(b"one"), call, shared] }.encode();
    assert_eq!(offered_sources(&bytes), [b"one", b"two"]);
    // Whatever is no batch offers nothing.
    for end in 0..bytes.len() {
        assert!(offered_sources(&bytes[..end]).is_empty(), "{end}");
    }
}
