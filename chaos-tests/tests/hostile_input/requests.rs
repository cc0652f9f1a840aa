//! Shapes and arguments: what is refused at the door, and what becomes one committed deny.

use super::*;

pub(super) async fn requests_at_the_door(world: &mut World) {
    let auth = [token("acme/agent")];
    let used = good();
    evaluate(&world.channels[0], &auth, &used).await.unwrap();
    let mut cases: Vec<(String, v1::EvaluateRequest, Code, &str, &str)> = Vec::new();
    let fresh = Client::request_id().unwrap();
    let id = |request_id: &str| v1::EvaluateRequest { request_id: request_id.to_owned(), ..good() };
    let v4 = format!("{}4{}", &fresh[..14], &fresh[15..]);
    for wrong in ["", "no-uuid", &fresh.to_uppercase(), &v4, &fresh.replace('-', ""), &format!("{fresh} ")] {
        cases.push((format!("id {wrong:?}"), id(wrong), Code::InvalidArgument, "MALFORMED", "request_id "));
    }
    let failed = Code::FailedPrecondition;
    cases.push(("an old id".into(), id(&id_at(-25 * 3600)), failed, "REQUEST_ID_TOO_OLD", "draw a new id"));
    cases.push(("a future id".into(), id(&id_at(600)), failed, "REQUEST_ID_IN_FUTURE", "clock"));
    let reused = v1::EvaluateRequest { inputs: b"{}".to_vec().into(), ..used };
    cases.push(("a reused id".into(), reused, Code::AlreadyExists, "REQUEST_ID_REUSED", "another request"));
    let long = "x".repeat(129);
    for wrong in ["two words", "line\nbreak", "bell\u{7}", "nul\0", "läuft", "quo\"te", &long] {
        let text = || wrong.to_owned();
        let mut push = |field: &'static str, request| {
            cases.push((format!("{field} {wrong:?}"), request, Code::InvalidArgument, "MALFORMED", field));
        };
        push("tool ", v1::EvaluateRequest { tool: text(), ..good() });
        push("environment ", v1::EvaluateRequest { environment: text(), ..good() });
        push("run_id ", v1::EvaluateRequest { run_id: text(), ..good() });
        push("content_type ", v1::EvaluateRequest { content_type: text(), ..good() });
    }
    let malformed = |case: &str, request, field| (case.to_owned(), request, Code::InvalidArgument, "MALFORMED", field);
    cases.push(malformed("no tool", v1::EvaluateRequest { tool: String::new(), ..good() }, "tool "));
    cases.push(malformed(
        "no environment",
        v1::EvaluateRequest { environment: String::new(), ..good() },
        "environment ",
    ));
    let large = v1::EvaluateRequest { inputs: vec![b' '; (1 << 20) + 1].into(), ..good() };
    cases.push(malformed("large inputs", large, "inputs has 1048577 bytes"));
    let before = world.size().await;
    for channel in &world.channels {
        for (case, request, grpc, code, word) in &cases {
            refused(case, evaluate(channel, &auth, request).await, *grpc, code, &[word]);
        }
    }
    assert_eq!(world.size().await, before, "a refusal at the door grew the ledger");
    world.alive("malformed requests").await;
}

pub(super) async fn many_and_streams(world: &mut World) {
    let auth = [token("acme/agent")];
    let malformed = || v1::EvaluateRequest { tool: "two words".into(), ..good() };
    for channel in world.channels.clone() {
        let before = world.size().await;
        for (count, case) in [(0, "an empty list"), (1025, "a long list")] {
            let message = v1::EvaluateManyRequest { requests: vec![good(); count] };
            let answer = ask!(LedgerClient.evaluate_many, channel, &auth, message);
            refused(case, answer, Code::InvalidArgument, "MALFORMED", &["requests has", "1 to 1024"]);
        }
        assert_eq!(world.size().await, before);
        let requests = vec![good(), malformed(), good()];
        let answer = ask!(LedgerClient.evaluate_many, channel, &auth, v1::EvaluateManyRequest { requests });
        one_of_three_failed("a list", answer.unwrap().results);
        let requests = futures::stream::iter([good(), malformed(), good()]);
        let answers = LedgerClient::new(channel.clone()).evaluate_stream(with(&auth, requests)).await.unwrap();
        let answers: Vec<_> = answers.into_inner().map(Result::unwrap).collect().await;
        one_of_three_failed("a stream", answers);
        assert_eq!(world.size().await, before + 4, "four were decided");
    }
    world.alive("lists and streams").await;
}

fn one_of_three_failed(case: &str, results: Vec<v1::EvaluateResult>) {
    use v1::evaluate_result::Result::{Decision, Failure};
    let results: Vec<_> = results.into_iter().map(|r| r.result.unwrap()).collect();
    let [Decision(first), Failure(second), Decision(third)] = results.as_slice() else {
        panic!("{case}: {results:?}");
    };
    assert_eq!((first.verdict(), third.verdict()), (v1::Verdict::Allow, v1::Verdict::Allow), "{case}");
    assert_eq!((second.code.as_str(), second.write()), ("MALFORMED", v1::Write::Refused), "{case}");
    assert!(second.message.contains("tool is") && second.message.contains("nothing was recorded"), "{second:?}");
}

/// Messages that no service ever sees: the transport's own refusals say, too, that nothing was recorded.
pub(super) async fn broken_messages(world: &mut World) {
    const EVALUATE: &str = "/assent.v1.Ledger/Evaluate";
    let before = world.size().await;
    let bare = token("acme/agent").replace("Bearer ", "");
    let cases: [(&str, &str, Vec<u8>, Code, &str); 6] = [
        ("text that is not UTF-8", EVALUATE, vec![0x0a, 1, 0xff], Code::Internal, "MALFORMED"),
        ("a number for a text", EVALUATE, vec![0x08, 5], Code::Internal, "MALFORMED"),
        ("a field cut short", EVALUATE, vec![0x0a, 0x7f, b'a'], Code::Internal, "MALFORMED"),
        ("random bytes", EVALUATE, vec![0xff; 64], Code::Internal, "MALFORMED"),
        ("a message beyond the limit", EVALUATE, vec![0; (16 << 20) + 1], Code::OutOfRange, "TOO_LARGE"),
        ("no such method", "/assent.v1.Ledger/Allow", vec![], Code::Unimplemented, "UNIMPLEMENTED"),
    ];
    for index in 0..2 {
        let port = world.cluster.nodes()[index].ports.client;
        let client = RawClient::connect(&world.cluster.keys_dir(), port).await.unwrap();
        for (case, method, bytes, grpc, code) in &cases {
            let status = client.send(method, &bare, bytes.clone()).await.expect_err(case);
            let got = (status.code(), meta(&status, "assent-code"), meta(&status, "assent-write"));
            assert_eq!(got, (*grpc, (*code).to_owned(), "refused".to_owned()), "{case}: {status:?}");
        }
    }
    assert_eq!(world.size().await, before);
    world.alive("broken messages").await;
}

/// An authenticated agent that asks wrongly gets one committed deny, and its run and tenant go on.
pub(super) async fn committed_denies(world: &mut World) {
    let inputs = |bytes: &[u8]| v1::EvaluateRequest { inputs: bytes.to_vec().into(), ..good() };
    let deep = [b"{\"to\":".to_vec(), vec![b'['; 40], vec![b']'; 40], b"}".to_vec()].concat();
    let subject = |text: &str| v1::EvaluateRequest { subject: text.into(), ..good() };
    let cases: Vec<(&str, v1::EvaluateRequest, &str)> = vec![
        ("an unknown tool", v1::EvaluateRequest { tool: "mail.erase".into(), ..good() }, "UNKNOWN_TOOL"),
        ("a wrong type", inputs(br#"{"to":5}"#), "ARGUMENTS_INVALID"),
        ("a fraction for an integer", inputs(br#"{"to":"a@example.com","count":1.5}"#), "ARGUMENTS_INVALID"),
        ("out of range", inputs(br#"{"to":"a@example.com","count":11}"#), "ARGUMENTS_INVALID"),
        ("an unknown argument", inputs(br#"{"to":"a@example.com","bcc":"x"}"#), "ARGUMENTS_INVALID"),
        ("a missing argument", inputs(br#"{"count":1}"#), "ARGUMENTS_INVALID"),
        ("a null", inputs(br#"{"to":null}"#), "ARGUMENTS_INVALID"),
        ("duplicate keys", inputs(br#"{"to":"a@example.com","to":"a@example.com"}"#), "INPUTS_NOT_JSON"),
        ("an escaped duplicate", inputs(br#"{"to":"a@example.com","\u0074o":"x"}"#), "INPUTS_NOT_JSON"),
        ("no JSON", inputs(b"to: a@example.com"), "INPUTS_NOT_JSON"),
        ("nothing", inputs(b""), "INPUTS_NOT_JSON"),
        ("a list", inputs(br#"["a@example.com"]"#), "INPUTS_NOT_JSON"),
        ("two objects", inputs(br#"{"to":"a@example.com"}{}"#), "INPUTS_NOT_JSON"),
        ("a trailing comma", inputs(br#"{"to":"a@example.com",}"#), "INPUTS_NOT_JSON"),
        ("a byte order mark", inputs(b"\xef\xbb\xbf{\"to\":\"a@example.com\"}"), "INPUTS_NOT_JSON"),
        ("invalid UTF-8", inputs(b"{\"to\":\"\xff@example.com\"}"), "INPUTS_NOT_JSON"),
        ("a lone surrogate", inputs(br#"{"to":"\ud800@example.com"}"#), "INPUTS_NOT_JSON"),
        ("too deep", inputs(&deep), "INPUTS_NOT_JSON"),
        ("an unknown principal", subject("agent-2"), "PRINCIPAL_UNKNOWN"),
        ("another tenant's principal", subject("only-borealis"), "PRINCIPAL_UNKNOWN"),
        ("no principal", subject(""), "PRINCIPAL_UNKNOWN"),
        (
            "an environment without policy",
            v1::EvaluateRequest { environment: "test".into(), ..good() },
            "NO_ACTIVE_BUNDLE",
        ),
        ("another agent's run", subject("only-acme"), "RUN_NOT_OWNED"),
        ("what the policy does not allow", inputs(br#"{"to":"a@example.com.evil"}"#), "NO_MATCHING_RULE"),
    ];
    let auth = [token("acme/agent")];
    let mut last = world.size().await;
    for channel in world.channels.clone() {
        for (case, request, code) in &cases {
            let request = v1::EvaluateRequest { request_id: Client::request_id().unwrap(), ..request.clone() };
            let decision = evaluate(&channel, &auth, &request).await.expect(case);
            let codes: Vec<&str> = decision.codes.iter().map(|c| c.name.as_str()).collect();
            assert_eq!((decision.verdict(), codes), (v1::Verdict::Deny, vec![*code]), "{case}");
            assert_eq!(decision.seq, last, "{case}: exactly one entry");
            let leaf = Receipt::parse(&decision.receipt).unwrap().leaf;
            let recorded = format!(r#""codes":[{}]"#, decision.codes[0].number);
            assert!(leaf.contains(r#""verdict":"deny""#) && leaf.contains(&recorded), "{case}: {leaf}");
            last += 1;
        }
    }
    assert_eq!(world.size().await, last);
    world.alive("wrong arguments").await;
}
