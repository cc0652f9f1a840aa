//! Redemptions and completions on the wire.

use assent_kernel::command::{CommandBody, Complete, Completion, ExecutionCommand, Fulfilled, Redeem};
use assent_ledger::hash::Hash;
use assent_ledger::ids::Seq;
use assent_proto::v1;

use super::admin::{Ask, Asked};
use super::{CONTENT_TYPE_DEFAULT, bytes32, context, hash, request_id, text_opt, wrong};
use crate::outcome::ApiError;

/// A redemption of what has this request hash.
pub fn redeem(request: v1::RedeemRequest, request_hash: Hash) -> Asked {
    let redeem = Redeem {
        decision_id: request.decision_id,
        seq: Seq(request.seq),
        request_hash,
        request_salt: bytes32("request_salt", &request.request_salt)?,
        audience: text_opt(request.audience),
    };
    let body = CommandBody::Execution(Box::new(ExecutionCommand::Redeem(redeem)));
    Ok((request_id(&request.request_id)?, body))
}

impl Ask for v1::CompleteRequest {
    fn ask(self) -> Asked {
        let complete = Complete {
            status: completion(self.status())?,
            decision_id: self.decision_id,
            seq: Seq(self.seq),
            duration_ms: self.duration_ms,
            content_type: text_opt(self.content_type).unwrap_or_else(|| CONTENT_TYPE_DEFAULT.to_owned()),
            output: self.output.to_vec(),
            redacted: self.redacted.map(|redacted| redacted.to_vec()),
            taint: context::labels("taint", self.taint)?,
            fulfilled: self.fulfilled.into_iter().map(fulfilled).collect::<Result<_, _>>()?,
            usage: self.usage.map(|usage| context::usage(Some(usage))),
        };
        let body = CommandBody::Execution(Box::new(ExecutionCommand::Complete(complete)));
        Ok((request_id(&self.request_id)?, body))
    }
}

fn fulfilled(item: v1::FulfilledObligation) -> Result<Fulfilled, ApiError> {
    Ok(Fulfilled { proof: hash("fulfilled.proof", &item.proof)?, kind: item.kind })
}

fn completion(status: v1::Completion) -> Result<Completion, ApiError> {
    match status {
        v1::Completion::Success => Ok(Completion::Success),
        v1::Completion::Failure => Ok(Completion::Failure),
        v1::Completion::Unknown => Ok(Completion::Unknown),
        v1::Completion::Unspecified => Err(wrong("status", "is missing", "success, failure or unknown")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "018bcfe5-6800-7909-8909-090909090909";

    #[test]
    fn a_completion_says_how_it_ended() {
        let asked = |status: v1::Completion| {
            let status = status.into();
            v1::CompleteRequest { request_id: ID.to_owned(), status, ..Default::default() }.ask()
        };
        assert!(asked(v1::Completion::Success).is_ok());
        let error = asked(v1::Completion::Unspecified).unwrap_err();
        assert!(error.message.starts_with("status is missing"), "{}", error.message);
    }

    #[test]
    fn a_redemption_needs_its_salt() {
        let request = v1::RedeemRequest { request_id: ID.to_owned(), ..Default::default() };
        assert!(redeem(request, Hash([1; 32])).unwrap_err().message.starts_with("request_salt has 0 bytes"));
    }
}
