//! Invariant: what may happen once happens once, whichever nodes are asked and however close together. The same lease, token, nonce, effect
//! or request is brought to all three nodes of a real cluster at the same time: exactly one of them gets it, the others hear why not.
//! What is brought again much later, when leaders, processes and disks have changed, is the business of `once_only`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod once_only;
mod world;

use assent_client::{Client, v1};
use futures::future::join_all;
use v1::execution_client::ExecutionClient;
use v1::ledger_client::LedgerClient;
use v1::messages_client::MessagesClient;
use world::{World, ask};

/// How often each is tried, each time in a tenant of its own.
const ROUNDS: usize = 4;
/// Askers at each node.
const AT_EACH: usize = 2;

/// Verdict and codes of an answer.
type Said = (v1::Verdict, Vec<String>);

fn names(codes: &[v1::ReasonCode]) -> Vec<String> {
    codes.iter().map(|code| code.name.clone()).collect()
}

/// One was allowed, and all others were denied for this reason.
fn exactly_one(what: &str, said: &[Said], why: &str) {
    let allowed = said.iter().filter(|(verdict, _)| *verdict == v1::Verdict::Allow).count();
    assert_eq!(allowed, 1, "{what}: {said:?}");
    let refused = |(verdict, codes): &&Said| *verdict == v1::Verdict::Deny && codes.iter().any(|code| code == why);
    assert_eq!(said.iter().filter(refused).count(), said.len() - 1, "{what}: {said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_happen_once_happens_once_over_all_nodes() {
    let mut world = World::create("one-of-many", |_| ()).await;
    for round in 0..ROUNDS {
        // Leadership wanders: from round to round another node is the one that decides.
        if round > 0 {
            world.move_leadership().await;
        }
        world.settle(&format!("round-{round}")).await;
        one_lease(&world).await;
        one_token(&world).await;
        one_nonce(&world).await;
        one_effect(&world).await;
        one_request(&world).await;
    }
    println!("{ROUNDS} rounds with {} askers each", 3 * AT_EACH);
}

/// Asks all nodes at the same time, each several times; `make` makes the n-th request.
async fn evaluate_everywhere(
    world: &World,
    who: &str,
    make: impl Fn(usize) -> v1::EvaluateRequest,
) -> Vec<v1::EvaluateResponse> {
    let asked = world.nodes(AT_EACH).enumerate().map(|(number, channel)| {
        let request = make(number);
        async move { ask!(LedgerClient.evaluate, channel, world.token(who), request).unwrap() }
    });
    join_all(asked).await
}

fn said(answers: &[v1::EvaluateResponse]) -> Vec<Said> {
    answers.iter().map(|answer| (answer.verdict(), names(&answer.codes))).collect()
}

async fn one_lease(world: &World) {
    for (calls, run) in [(1, "lease"), (3, "leases")] {
        world.lease("worker", run, calls).await;
        let list = |_| world.call("shell.exec", run, r#"{"command":"ls /srv/work"}"#);
        let said = said(&evaluate_everywhere(world, "worker", list).await);
        let allowed = said.iter().filter(|(verdict, _)| *verdict == v1::Verdict::Allow).count();
        assert_eq!(allowed, calls as usize, "a lease of {calls} calls: {said:?}");
        let denied = said.iter().filter(|(verdict, _)| *verdict == v1::Verdict::Deny).count();
        assert_eq!(denied, said.len() - allowed, "{said:?}");
        assert!(said.iter().any(|(_, codes)| codes == &["LEASE_EXHAUSTED"]), "{said:?}");
    }
}

async fn one_token(world: &World) {
    let call = world.call("file.read", "token", r#"{"path":"/srv/work/a.md"}"#);
    let first = world.nodes(1).next().unwrap();
    let decision = ask!(LedgerClient.evaluate, first, world.token("payer"), call.clone()).unwrap();
    assert_eq!(decision.verdict(), v1::Verdict::Allow, "{decision:?}");
    let asked = world.nodes(AT_EACH).map(|channel| {
        let request = v1::RedeemRequest {
            request_id: Client::request_id().unwrap(),
            decision_id: decision.decision_id.clone(),
            seq: decision.seq,
            call: Some(call.clone()),
            request_salt: decision.request_salt.clone(),
            ..v1::RedeemRequest::default()
        };
        async move { ask!(ExecutionClient.redeem, channel, world.token("payer"), request).unwrap() }
    });
    let said: Vec<Said> = join_all(asked).await.iter().map(|ruling| (ruling.verdict(), names(&ruling.codes))).collect();
    exactly_one("a token", &said, "ALREADY_REDEEMED");
}

async fn one_nonce(world: &World) {
    let same = world.message("researcher", "payer", "one-nonce-for-all-of-them");
    let others = (0..3 * AT_EACH).map(|n| world.message("researcher", "payer", &format!("a-nonce-of-its-own-{n}")));
    for (what, messages) in [("a nonce", vec![same; 3 * AT_EACH]), ("fresh nonces", others.collect())] {
        let asked = world.nodes(AT_EACH).zip(messages).map(|(channel, mut message)| {
            message.request_id = Client::request_id().unwrap();
            async move { ask!(MessagesClient.record, channel, world.token("researcher"), message).unwrap() }
        });
        let said: Vec<Said> =
            join_all(asked).await.iter().map(|ruling| (ruling.verdict(), names(&ruling.codes))).collect();
        match what {
            "a nonce" => exactly_one(what, &said, "NONCE_REPLAYED"),
            _ => assert!(said.iter().all(|(verdict, _)| *verdict == v1::Verdict::Allow), "{what}: {said:?}"),
        }
    }
}

async fn one_effect(world: &World) {
    let pay = |_| {
        let mut call =
            world.call("payments.transfer", "effect", r#"{"account":"DE1","amount_cents":5,"currency":"EUR"}"#);
        call.context.get_or_insert_default().tool_idempotency_key = "invoice-7".to_owned();
        call
    };
    exactly_one("an effect", &said(&evaluate_everywhere(world, "payer", pay).await), "EFFECT_REPEATED");
}

async fn one_request(world: &World) {
    let same = world.call("file.read", "request", r#"{"path":"/srv/work/b.md"}"#);
    let answers = evaluate_everywhere(world, "payer", |_| same.clone()).await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.decision_id == answers[0].decision_id), "{answers:?}");
    assert!(answers.iter().all(|answer| answer.request_salt == answers[0].request_salt), "{answers:?}");
}
