//! A person's answer to a call that waits: given once, whichever nodes hear it.

use assent_client::{Client, v1};
use v1::ApprovalAction;
use v1::approvals_client::ApprovalsClient;

use super::asked::Asked;
use crate::world::{World, ask};

/// Who answers; the bundle knows her as a treasurer.
pub const TREASURER: &str = "alice";

/// Answers, at every running node under one request id: the first one counts, the others repeat it.
pub async fn resolve(world: &mut World, call: &Asked, action: ApprovalAction) {
    let terms = call.answer().terms.as_ref().unwrap();
    let request = v1::ResolveApprovalRequest {
        request_id: Client::request_id().unwrap(),
        approval_id: terms.approval_id.clone(),
        action: action.into(),
        justification: b"looked at it".to_vec().into(),
        ..v1::ResolveApprovalRequest::default()
    };
    let mut rulings = Vec::new();
    for node in world.real.cluster.running() {
        let (channel, token) = (world.connect(node).await, world.token(TREASURER));
        rulings.push(ask!(ApprovalsClient.resolve, channel, token, request.clone()).unwrap());
    }
    let stated = |ruling: &v1::RulingResponse| (ruling.verdict(), ruling.seq, ruling.event_id.clone());
    for (number, ruling) in rulings.iter().enumerate() {
        assert_eq!(ruling.replayed, number > 0, "{rulings:?}");
        assert_eq!(stated(ruling), stated(&rulings[0]), "{rulings:?}");
    }
}
