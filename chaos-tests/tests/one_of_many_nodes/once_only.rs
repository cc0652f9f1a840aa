//! Invariant: a request is decided once. Its retry, under the same id, gets the same answer to the byte and records nothing, through
//! whichever node it comes and whatever has happened since: the leader was killed, stopped or changed, all nodes were killed, a node has its
//! state from a snapshot alone. A call that waited for people gets their answer in the same way; what they allowed is redeemed once.

mod asked;
mod audit;
mod people;
mod record;
mod redemption;
mod upheaval;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use assent_client::{Client, v1};
use tokio::time::timeout;
use v1::{ApprovalAction, Verdict};

use crate::names;
use crate::world::World;
use asked::Asked;
use record::TenantRecord;
use redemption::Redemption;

/// Longest time for everything.
const STORY_MAX: Duration = Duration::from_secs(240);
/// How often a node is made the leader again when it lost leadership before it had answered.
const LEADS_TRIES: usize = 5;

const ALLOWED: &str = "allowed";
const DENIED: &str = "denied";
const APPROVED: &str = "escalated, then approved";
const REFUSED: &str = "escalated, then refused";

/// The cluster, the caller and its calls.
struct Story {
    world: World,
    payer: Client,
    calls: BTreeMap<&'static str, Asked>,
    redemption: Option<Redemption>,
    began: Instant,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_once_is_the_answer_for_good() {
    timeout(STORY_MAX, story()).await.expect("the story is bounded in time");
}

async fn story() {
    let mut story = Story::begin().await;
    story.retried("at once").await;
    upheaval::kill_the_leader(&mut story.world.real).await;
    story.retried("after SIGKILL of the leader").await;
    upheaval::back(&mut story.world.real).await;

    let newcomer = story.follower().await;
    story.known_by_snapshot_alone(newcomer).await;
    story.retried_through(newcomer, "through a node that came by snapshot").await;
    upheaval::restart_all(&mut story.world.real).await;
    story.retried_through(newcomer, "the same after SIGKILL of all nodes").await;

    let away = story.follower().await;
    story.answered_by_people_without(away).await;
    story.retried_through(away, "through a node that has people's answers by snapshot").await;

    story.redeemed_at(away).await;
    story.retried("after the redemption").await;
    upheaval::stop_the_leader(&mut story.world.real).await;
    story.retried("after SIGTERM to the leader").await;
    upheaval::back(&mut story.world.real).await;
    upheaval::restart_all(&mut story.world.real).await;
    story.retried("after another SIGKILL of all nodes").await;
    let newcomer = story.follower().await;
    story.known_by_snapshot_alone(newcomer).await;
    story.retried_through(newcomer, "through another node that came by snapshot").await;

    audit::of(story).await;
}

impl Story {
    /// Four calls, asked for the first time.
    async fn begin() -> Story {
        let mut world = World::create("once-only", |spec| {
            spec.snapshot_entries = Some(upheaval::SNAPSHOT_ENTRIES);
            spec.keep_entries = Some(upheaval::KEEP_ENTRIES);
        })
        .await;
        world.settle("once-only").await;
        world.register(people::TREASURER, "approver").await;
        let payer = world.client("payer");
        let pay = |account: &str| format!(r#"{{"account":"{account}","amount_cents":250000,"currency":"EUR"}}"#);
        let calls = [
            (ALLOWED, "file.read", r#"{"path":"/srv/work/a.md"}"#.to_owned(), Verdict::Allow),
            (DENIED, "file.read", r#"{"path":"/etc/shadow"}"#.to_owned(), Verdict::Deny),
            (APPROVED, "payments.transfer", pay("DE1"), Verdict::Escalate),
            (REFUSED, "payments.transfer", pay("DE2"), Verdict::Escalate),
        ];
        let mut story = Story { world, payer, calls: BTreeMap::new(), redemption: None, began: Instant::now() };
        // Each in a run of its own: a denial counts against the run.
        for (run, (name, tool, inputs, verdict)) in calls.into_iter().enumerate() {
            let request = story.world.call(tool, &format!("run-{run}"), &inputs);
            let other_inputs = if tool == "file.read" { r#"{"path":"/srv/work/b.md"}"# } else { "{}" };
            let asked = Asked::first(&story.payer, request, other_inputs).await;
            assert_eq!(asked.answer().verdict(), verdict, "{name}: {:?}", asked.answer());
            story.calls.insert(name, asked);
        }
        story
    }

    /// A node that does not lead, the first one if possible: it is the one that the command line asks first, also when it has lost its
    /// ledger.
    async fn follower(&mut self) -> usize {
        let leader = self.world.real.cluster.leader().await.unwrap();
        usize::from(leader == 0)
    }

    /// All calls are asked again at all running nodes: the same answers, and no entry more. Gives who answered.
    async fn retried(&mut self, when: &str) -> Vec<String> {
        println!("{:>5.1} s: {when}", self.began.elapsed().as_secs_f64());
        if let Some(redemption) = &self.redemption {
            redemption.again(&mut self.world).await;
        }
        let before = TenantRecord::read(&mut self.world).await.len();
        let mut signers = Vec::new();
        for call in self.calls.values_mut() {
            let signed = call.again(&mut self.world, &self.payer).await;
            signers.extend(signed.iter().map(ToString::to_string));
            call.other_arguments_are_refused(&mut self.world).await;
        }
        let after = TenantRecord::read(&mut self.world).await;
        assert_eq!(after.since(before), Vec::<String>::new(), "{when}: retries were recorded");
        signers
    }

    /// The same while this node decides, every time.
    async fn retried_through(&mut self, node: usize, when: &str) {
        let id = self.world.real.cluster.node(node).unwrap().id.to_string();
        for _ in 0..LEADS_TRIES {
            self.world.real.make_leader(node).await;
            if self.retried(when).await.iter().all(|signer| *signer == id) {
                return;
            }
        }
        panic!("{when}: node {id} did not lead for as long as the retries took");
    }

    /// A node loses its disk; what it knows afterwards of the calls is from the snapshot, for no log has them any more.
    async fn known_by_snapshot_alone(&mut self, node: usize) {
        let real = &mut self.world.real;
        let index = upheaval::past_a_snapshot(real).await;
        upheaval::wipe_and_rejoin(real, node, index).await;
    }

    /// People answer while a node is away, which gets their answers from a snapshot; leadership changes before it is back.
    async fn answered_by_people_without(&mut self, away: usize) {
        self.world.real.kill_at_once(&[away]);
        people::resolve(&mut self.world, &self.calls[APPROVED], ApprovalAction::Approve).await;
        people::resolve(&mut self.world, &self.calls[REFUSED], ApprovalAction::Deny).await;
        let (asked, answered) = self.learn(APPROVED).await;
        assert_eq!((asked.verdict(), answered.verdict()), (Verdict::Escalate, Verdict::Allow), "{answered:?}");
        assert!(asked.decision_id != answered.decision_id && asked.seq < answered.seq, "decided anew: {answered:?}");
        let expires = |answer: &v1::EvaluateResponse| answer.terms.as_ref().unwrap().token_expires.clone();
        assert!(expires(&asked).is_empty() && !expires(&answered).is_empty(), "now there is a token: {answered:?}");
        let (asked, answered) = self.learn(REFUSED).await;
        assert_eq!((asked.verdict(), answered.verdict()), (Verdict::Escalate, Verdict::Deny), "{answered:?}");
        assert_eq!(names(&answered.codes), ["APPROVAL_DENIED"]);
        assert_eq!(asked.decision_id, answered.decision_id);
        assert!(expires(&answered).is_empty(), "{answered:?}");
        self.retried("after people answered").await;

        let real = &mut self.world.real;
        let index = upheaval::past_a_snapshot(real).await;
        // A leader keeps what it tries to send to a node that is away; its successor has forgotten it.
        let leader = real.cluster.leader().await.unwrap();
        let successor = (0..3).find(|node| *node != leader && *node != away).unwrap();
        self.retried_through(successor, "through another leader").await;
        upheaval::catch_up(&mut self.world.real, away, index).await;
    }

    /// What the caller was told before and is told now.
    async fn learn(&mut self, name: &'static str) -> (v1::EvaluateResponse, v1::EvaluateResponse) {
        let call = self.calls.get_mut(name).unwrap();
        let before = call.answer().clone();
        (before, call.learn(&self.payer).await)
    }

    async fn redeemed_at(&mut self, node: usize) {
        self.redemption = Some(Redemption::first(&self.world, node, &self.calls[APPROVED]).await);
    }
}
