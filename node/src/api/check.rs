//! Check: what a call would come to now. Nothing is recorded, nothing is charged, and no token comes of it.

use assent_kernel::command::{Caller, RequestId};
use assent_kernel::decide::Decision;
use assent_kernel::event::{Event, EventBody, PolicyDecision};
use assent_kernel::machine::decide_guarded;
use assent_proto::v1::{CheckResponse, EvaluateRequest};

use super::convert::evaluate::{command, reason, verdict};
use super::{Api, errors};
use crate::outcome::ApiError;
use crate::random;

impl Api {
    /// Decides a call on what is applied here, and keeps nothing of it. Any node answers; one that is behind answers as of its size.
    pub(super) fn check(&self, mut request: EvaluateRequest, caller: Caller) -> Result<CheckResponse, ApiError> {
        let stamp = self.node.stamp();
        // A fresh id: what an earlier request came to is not the question.
        request.request_id = RequestId::new(stamp.time.0 / 1000, random::bytes()).to_string();
        let command = command(request, caller, stamp)?;
        let size = self.node.store().progress().borrow().size.0;
        let decided = decide_guarded(self.node.store().view().as_ref(), &command).map_err(|e| errors::refused(&e))?;
        let Decision::Events(events) = &decided else { return Err(ApiError::internal("a check was no decision")) };
        let found = events.iter().rev().find_map(decision);
        let found = found.ok_or_else(|| ApiError::internal("a check made no decision"))?;
        Ok(response(found, size))
    }
}

fn decision(event: &Event) -> Option<&PolicyDecision> {
    match &event.body {
        EventBody::Decision(decision) => Some(decision),
        _ => None,
    }
}

fn response(decision: &PolicyDecision, size: u64) -> CheckResponse {
    CheckResponse {
        verdict: verdict(decision.verdict).into(),
        effective: verdict(decision.effective).into(),
        codes: decision.codes.iter().map(reason).collect(),
        bundle_hash: decision.bundle.map(|hash| hash.0.to_vec()).unwrap_or_default().into(),
        rules: decision.rules.as_ref().map(|rules| rules.shown.clone()).unwrap_or_default(),
        rules_total: decision.rules.as_ref().map_or(0, |rules| rules.total),
        size,
    }
}
