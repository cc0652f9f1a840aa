//! Retries keep their request id; the three kinds of failure are told apart; the client follows the leader.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use assent_client::{ClientError, Deadline, v1};
use tonic::Code;

use crate::double::{Double, Pki, State, Step};

pub fn request(tool: &str) -> v1::EvaluateRequest {
    v1::EvaluateRequest { tool: tool.to_owned(), environment: "prod".to_owned(), ..Default::default() }
}

pub fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

pub async fn one(script: impl IntoIterator<Item = Step>) -> (Pki, Double) {
    let pki = Pki::new();
    let state = State { script: script.into_iter().collect(), cosigned: true, ..State::default() };
    let double = Double::start(&pki, Arc::new(Mutex::new(state)), false).await;
    (pki, double)
}

const BUSY: Step = Step::Fail(Code::ResourceExhausted, Some("not-accepted"), "OVERLOADED");
const REFUSED: Step = Step::Fail(Code::FailedPrecondition, Some("refused"), "DUPLICATE_ID");

#[tokio::test]
async fn retries_carry_one_request_id_and_record_once() {
    let (pki, double) = one([BUSY, Step::RecordAndFail, Step::RecordAndHang, BUSY]).await;
    let decision = pki.client(&[&double.address]).evaluate(request("mail"), soon()).await.unwrap();
    assert!(decision.is_allowed() && decision.response.replayed);
    let state = double.state.lock().unwrap();
    assert_eq!(state.seen.len(), 5);
    assert!(state.seen.iter().all(|id| *id == state.seen[0]), "one id for all attempts");
    assert_eq!(state.recorded.len(), 1);
    assert!(state.tokens.iter().all(|token| token == "Bearer secret-token"));
}

#[tokio::test]
async fn refused_is_final_and_says_so() {
    let (pki, double) = one([REFUSED]).await;
    let error = pki.client(&[&double.address]).evaluate(request("mail"), soon()).await.unwrap_err();
    assert!(matches!(&error, ClientError::Refused { code, .. } if code == "DUPLICATE_ID"), "{error}");
    assert!(!error.may_be_recorded());
    assert_eq!(double.state.lock().unwrap().seen.len(), 1);
}

#[tokio::test]
async fn not_accepted_until_the_deadline_records_nothing() {
    let (pki, double) = one(vec![BUSY; 10_000]).await;
    let deadline = Deadline::after(Duration::from_secs(2));
    let error = pki.client(&[&double.address]).evaluate(request("mail"), deadline).await.unwrap_err();
    assert!(matches!(&error, ClientError::NotAccepted { attempts, .. } if *attempts > 1), "{error}");
    assert!(double.state.lock().unwrap().recorded.is_empty());
}

#[tokio::test]
async fn one_unknown_attempt_makes_the_outcome_unknown() {
    for last in [BUSY, REFUSED] {
        let mut script = vec![Step::RecordAndFail];
        script.extend(vec![last; 10_000]);
        let (pki, double) = one(script).await;
        let mut asked = request("mail");
        asked.request_id = assent_client::Client::request_id().unwrap();
        let id = asked.request_id.clone();
        let deadline = Deadline::after(Duration::from_millis(300));
        let error = pki.client(&[&double.address]).evaluate(asked, deadline).await.unwrap_err();
        assert!(matches!(&error, ClientError::OutcomeUnknown { request_id, .. } if *request_id == id), "{error}");
        assert!(error.may_be_recorded());
    }
}

#[tokio::test]
async fn nobody_there_is_not_accepted() {
    let (pki, double) = one([]).await;
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let deadline = Deadline::after(Duration::from_millis(200));
    let error = pki.client(&[&port]).evaluate(request("mail"), deadline).await.unwrap_err();
    assert!(matches!(&error, ClientError::NotAccepted { code, .. } if code == "UNREACHABLE"), "{error}");
    assert!(double.state.lock().unwrap().seen.is_empty());
}

#[tokio::test]
async fn a_stranger_to_the_authority_reaches_nobody() {
    let (_, double) = one([]).await;
    let deadline = Deadline::after(Duration::from_millis(500));
    let error = Pki::new().client(&[&double.address]).evaluate(request("mail"), deadline).await.unwrap_err();
    assert!(matches!(error, ClientError::NotAccepted { .. }), "{error}");
    assert!(double.state.lock().unwrap().seen.is_empty());
}

#[tokio::test]
async fn a_failing_node_is_left_for_another() {
    let (pki, good) = one([]).await;
    let bad = Double::start(&pki, Arc::default(), true).await;
    let client = pki.client(&[&bad.address, &good.address]);
    for _ in 0..3 {
        assert!(client.evaluate(request("mail"), soon()).await.unwrap().is_allowed());
    }
    assert_eq!(bad.state.lock().unwrap().seen.len(), 1, "left after its first failure");
}

#[tokio::test]
async fn a_fenced_node_is_left_and_a_busy_one_is_not() {
    let pki = Pki::new();
    for (name, expected) in [("FENCED", 1), ("OVERLOADED", 3)] {
        let script = vec![Step::Fail(Code::Unavailable, Some("not-accepted"), name); 2];
        let state = State { script: script.into(), ..State::default() };
        let first = Double::start(&pki, Arc::new(Mutex::new(state)), false).await;
        let second = Double::start(&pki, Arc::default(), false).await;
        let client = pki.client(&[&first.address, &second.address]);
        client.evaluate(request("mail"), soon()).await.unwrap();
        assert_eq!(first.state.lock().unwrap().seen.len(), expected, "{name}");
    }
}

#[tokio::test]
async fn the_leader_is_preferred_and_a_wrong_hint_survived() {
    let (pki, leader) = one([]).await;
    let follower = Double::start(&pki, Arc::default(), false).await;
    follower.state.lock().unwrap().leader = Some(leader.address.clone());
    leader.state.lock().unwrap().leader = Some(leader.address.clone());
    let client = pki.client(&[&follower.address]);
    client.evaluate(request("mail"), soon()).await.unwrap();
    assert_eq!(leader.state.lock().unwrap().seen.len(), 1);
    assert!(follower.state.lock().unwrap().seen.is_empty());

    // The follower names a leader that nobody can reach: the client stays with the follower.
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    follower.state.lock().unwrap().leader = Some(gone);
    pki.client(&[&follower.address]).evaluate(request("mail"), soon()).await.unwrap();
    assert_eq!(follower.state.lock().unwrap().seen.len(), 1);
}

#[tokio::test]
async fn calls_without_an_id_are_not_repeated_in_doubt() {
    let (pki, double) = one([]).await;
    let error = pki.client(&[&double.address]).add_learner(v1::MemberInfo::default(), soon()).await.unwrap_err();
    assert!(matches!(&error, ClientError::OutcomeUnknown { request_id, .. } if request_id == "-"), "{error}");
    assert_eq!(double.state.lock().unwrap().seen.len(), 1);
}

#[tokio::test]
async fn many_sends_only_what_is_open_again() {
    let (pki, double) = one([Step::RecordAndFail, REFUSED, BUSY]).await;
    let requests: Vec<_> = (0..4).map(|n| request(if n == 3 { "forbidden" } else { "mail" })).collect();
    let results = pki.trusting(&[&double.address]).evaluate_many(requests, soon()).await.unwrap();
    assert_eq!(results.len(), 4);
    assert!(results[0].as_ref().unwrap().response.replayed);
    assert!(matches!(results[1], Err(ClientError::Refused { .. })));
    assert!(results[2].as_ref().unwrap().is_allowed());
    assert!(!results[3].as_ref().unwrap().is_allowed());
    let state = double.state.lock().unwrap();
    assert_eq!(state.seen.len(), 6, "the first round of four, then the two that were open");
    assert_eq!(state.seen[4..], [state.seen[0].clone(), state.seen[2].clone()]);
}

#[tokio::test]
async fn a_stream_answers_in_order_and_reports_what_it_lost() {
    let (pki, double) = one([REFUSED]).await;
    let client = pki.trusting(&[&double.address]);
    let requests = futures::stream::iter(["a", "b", "forbidden"].map(request));
    let mut decisions = client.evaluate_stream(requests, soon()).await.unwrap();
    let mut got = Vec::new();
    while let Some((asked, result)) = decisions.next().await {
        got.push((asked.tool, result.map(|d| d.is_allowed()).map_err(|e| e.may_be_recorded())));
    }
    let expected = [("a", Err(false)), ("b", Ok(true)), ("forbidden", Ok(false))];
    assert_eq!(got, expected.map(|(tool, result)| (tool.to_owned(), result)));

    // The stream ends under two requests: neither is passed off as done or as refused.
    double.state.lock().unwrap().script.push_back(Step::Fail(Code::Aborted, None, ""));
    let requests = futures::stream::iter(["a", "b"].map(request));
    let mut decisions = client.evaluate_stream(requests, soon()).await.unwrap();
    let mut lost = 0;
    while let Some((_, result)) = decisions.next().await {
        assert!(matches!(result, Err(ClientError::OutcomeUnknown { .. })));
        lost += 1;
    }
    assert!((1..=2).contains(&lost), "{lost}");
}
