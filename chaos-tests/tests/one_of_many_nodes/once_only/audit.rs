//! What is on the record in the end: one decision a request, the same ledger on every node, and an archive that verifies with every receipt
//! that was ever given.

use assent_fleet_demo::verify::verify;
use assent_ledger::json::Value;

use super::record::{TenantRecord, assert_same_ledgers};
use super::{APPROVED, REFUSED, Story};

/// Looks at everything; stops the nodes.
pub async fn of(mut story: Story) {
    let record = TenantRecord::read(&mut story.world).await;
    one_decision_a_request(&story, &record);
    one_answer_of_people(&story, &record);
    one_redemption(&story, &record);

    let real = &mut story.world.real;
    let size = real.cluster.wait_converged(1).await.unwrap()[0].1.size;
    real.cluster.wait_anchored(size).await.unwrap();
    real.cluster.stop_all().await.unwrap();
    assert_same_ledgers(real, size);
    receipts_verify_offline(&story).await;
}

/// What people have agreed to is decided anew, by a decision that names the one in whose place it stands; everything else was decided once.
fn one_decision_a_request(story: &Story, record: &TenantRecord) {
    for (name, call) in &story.calls {
        let replaced = |body: &&Value| body.get("effects").and_then(|effects| effects.get("replaces")).is_some();
        let decided = record.bodies("dare.policy.decision", "request_id", &call.request.request_id);
        let (anew, first): (Vec<&Value>, Vec<&Value>) = decided.partition(replaced);
        assert_eq!((first.len(), anew.len()), (1, usize::from(*name == APPROVED)), "{name}");
    }
}

fn one_answer_of_people(story: &Story, record: &TenantRecord) {
    for (action, name) in [("approve", APPROVED), ("deny", REFUSED)] {
        assert_eq!(record.bodies("dare.hitl.decision", "action", action).count(), 1, "{name}");
        let asked_for = record.bodies("assent.approval.requested", "tool", &story.calls[name].request.tool);
        assert_eq!(asked_for.count(), 2, "one for each call that waited");
    }
}

fn one_redemption(story: &Story, record: &TenantRecord) {
    let decision = &story.calls[APPROVED].answer().decision_id;
    let asked: Vec<&Value> = record.bodies("dare.tool.request", "decision_id", decision).collect();
    let allowed = asked.iter().filter(|body| body.get("verdict").and_then(Value::as_str) == Some("allow"));
    assert_eq!(allowed.count(), 1);
    assert!(asked.len() > 1, "the others are on the record, too");
}

async fn receipts_verify_offline(story: &Story) {
    let cluster = &story.world.real.cluster;
    let receipts: Vec<&[u8]> = story.calls.values().flat_map(|call| call.receipts()).map(AsRef::as_ref).collect();
    std::fs::write(cluster.dir().join("receipts"), [receipts.join(&b'\n'), b"\n".to_vec()].concat()).unwrap();
    let args = ["worm", "--root-key", "keys/root.pub", "--receipt", "receipts"];
    let report = verify(cluster.commands(), &args).await.unwrap();
    let counted = &report.coverage.receipts;
    println!("{}; {} of {} receipts confirmed", report.headline, counted.confirmed, counted.given);
    assert_eq!(report.exit_code, 0, "{:?}", report.findings);
    let all = receipts.len().to_string();
    assert_eq!((&counted.given, &counted.confirmed), (&all, &all));
}
