//! The one redemption of a decision: repeated it says the same, and no other one succeeds, wherever it is asked for.

use assent_client::{Client, v1};
use v1::execution_client::ExecutionClient;

use super::asked::Asked;
use crate::names;
use crate::world::{World, ask};

/// The redemption that succeeded.
pub struct Redemption {
    request: v1::RedeemRequest,
    ruling: v1::RulingResponse,
}

impl Redemption {
    /// Redeems what was allowed, at one node.
    pub async fn first(world: &World, node: usize, call: &Asked) -> Redemption {
        let answer = call.answer();
        let request = v1::RedeemRequest {
            request_id: Client::request_id().unwrap(),
            decision_id: answer.decision_id.clone(),
            seq: answer.seq,
            call: Some(call.request.clone()),
            request_salt: answer.request_salt.clone(),
            ..v1::RedeemRequest::default()
        };
        let ruling = redeem(world, node, request.clone()).await;
        assert_eq!((ruling.verdict(), names(&ruling.codes)), (v1::Verdict::Allow, vec!["REDEEMED".to_owned()]));
        assert!(!ruling.replayed, "{ruling:?}");
        Redemption { request, ruling }
    }

    /// Every running node is asked for it once more, and then for another one.
    pub async fn again(&self, world: &mut World) {
        for node in world.real.cluster.running() {
            let same = redeem(world, node, self.request.clone()).await;
            assert!(same.replayed, "{same:?}");
            let stated = |ruling: &v1::RulingResponse| (ruling.verdict(), ruling.seq, ruling.event_id.clone());
            assert_eq!(stated(&same), stated(&self.ruling));
            let request_id = Client::request_id().unwrap();
            let another = redeem(world, node, v1::RedeemRequest { request_id, ..self.request.clone() }).await;
            let refused = (v1::Verdict::Deny, vec!["ALREADY_REDEEMED".to_owned()]);
            assert_eq!((another.verdict(), names(&another.codes)), refused, "at node {node}");
        }
    }
}

async fn redeem(world: &World, node: usize, request: v1::RedeemRequest) -> v1::RulingResponse {
    ask!(ExecutionClient.redeem, world.connect(node).await, world.token("payer"), request).unwrap()
}
