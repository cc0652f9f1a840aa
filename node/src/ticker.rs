//! The ticker: on the leader, has what has ended recorded. The kernel never trusts it to be in time: it compares times itself.

use std::sync::Arc;
use std::time::Duration;

use assent_kernel::command::{Caller, Command, CommandBody, RequestId, Role};
use assent_kernel::decide::decide;
use assent_kernel::machine::Answer;
use assent_ledger::ids::TenantId;

use crate::node::Node;
use crate::random;

/// How often the leader looks whether something has ended.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs until the node stops.
pub async fn run(node: Arc<Node>) {
    loop {
        let more = node.is_leader() && !node.fence().is_up() && !node.stopping() && tick(&node).await;
        if more {
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = node.stopped() => return,
        }
    }
}

/// Proposes a tick if it would record something now; says whether it did, for there may be more.
///
/// A crash after it was proposed leaves a tick that is committed or not: the next leader walks on from where the record says.
pub async fn tick(node: &Node) -> bool {
    let command = command(node);
    let due = {
        let view = node.store().view();
        view.ledger().is_some() && decide(view.as_ref(), &command).is_ok()
    };
    if !due {
        return false;
    }
    match node.batcher().submit(command).await {
        Ok(settled) => !matches!(settled.answer, Answer::Refused(_)),
        Err(error) => {
            tracing::info!(%error, "what has ended is recorded later");
            false
        }
    }
}

fn command(node: &Node) -> Command {
    let stamp = node.stamp();
    let caller = Caller {
        tenant: TenantId::system(),
        subject: None,
        attested: true,
        role: Role::Node,
        credential: format!("node/{}", node.id()),
    };
    let request_id = RequestId::new(stamp.time.0 / 1000, random::bytes());
    Command { request_id, stamp, caller, body: CommandBody::Tick }
}
