//! How a call fails, and whether anything was recorded.

use std::time::Duration;

use assent_ledger::hash::HashParseError;
use tonic::{Code, Status};

use crate::trust::TrustError;
use crate::v1;

/// Why a call failed. Every variant says whether the write happened.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The configuration cannot be used; nothing was sent.
    #[error("the client cannot be set up: {0}; nothing was sent")]
    Config(String),
    /// The operating system gives no randomness; nothing was sent.
    #[error("the operating system gives no randomness: {0}; nothing was sent")]
    Randomness(String),
    /// Nothing was recorded, and asking again in the same way will be refused again.
    #[error("refused ({code}): {message}; nothing was recorded")]
    Refused {
        /// A name from the table of errors, or the gRPC code's.
        code: String,
        /// What to do, in words.
        message: String,
    },
    /// Nothing was recorded within the deadline.
    #[error("not accepted after {attempts} attempts ({code}): {message}; nothing was recorded, try again")]
    NotAccepted {
        /// A name from the table of errors, or the client's own `UNREACHABLE`.
        code: String,
        /// The last attempt's failure.
        message: String,
        /// How many attempts were made.
        attempts: u32,
    },
    /// Something may have been recorded.
    #[error(
        "outcome unknown after {attempts} attempts ({code}): {message}; it may be recorded, \
         retry with request id {request_id} only"
    )]
    OutcomeUnknown {
        /// The id to retry with, or to ask `status` about; `-` for calls that have none.
        request_id: String,
        /// A name from the table of errors, or the client's own `TIMEOUT` or `CONNECTION_LOST`.
        code: String,
        /// The last attempt's failure.
        message: String,
        /// How many attempts were made.
        attempts: u32,
    },
    /// A call that records nothing got no answer within the deadline.
    #[error("no answer after {attempts} attempts ({code}): {message}; this call records nothing, try again")]
    Unavailable {
        /// A name from the table of errors, or the client's own.
        code: String,
        /// The last attempt's failure.
        message: String,
        /// How many attempts were made.
        attempts: u32,
    },
    /// The answer is not proven; it must not be acted upon. It may be recorded.
    #[error("the answer is not proven and must not be acted upon: {0}")]
    Untrusted(#[from] Box<TrustError>),
    /// The answer lacks something that the protocol promises; it must not be acted upon. It may be recorded.
    #[error("the node's answer breaks the protocol: {0}")]
    Protocol(String),
}

impl From<TrustError> for ClientError {
    fn from(error: TrustError) -> Self {
        ClientError::Untrusted(Box::new(error))
    }
}

impl From<HashParseError> for ClientError {
    fn from(error: HashParseError) -> Self {
        ClientError::Protocol(error.to_string())
    }
}

impl ClientError {
    /// Whether anything may be on the record because of the call, as far as the client can know.
    pub const fn may_be_recorded(&self) -> bool {
        matches!(self, ClientError::OutcomeUnknown { .. } | ClientError::Untrusted(_) | ClientError::Protocol(_))
    }
}

/// What one attempt left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing, for good.
    Refused,
    /// Nothing, this time.
    NotAccepted,
    /// Nobody knows.
    Unknown,
}

/// One failed attempt.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) effect: Effect,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) retry_after: Duration,
    /// Whether the node itself answered: then the connection is good.
    pub(crate) answered: bool,
}

impl Failure {
    /// No connection came up, so nothing was sent.
    pub(crate) fn unreachable(message: String) -> Self {
        let code = "UNREACHABLE".to_owned();
        Failure { effect: Effect::NotAccepted, code, message, retry_after: Duration::ZERO, answered: false }
    }

    /// No answer came in time.
    pub(crate) fn timeout() -> Self {
        let message = "no answer in time".to_owned();
        let (effect, code) = (Effect::Unknown, "TIMEOUT".to_owned());
        Failure { effect, code, message, retry_after: Duration::ZERO, answered: false }
    }

    /// Reads a gRPC status with its `assent-write` and `assent-code`; without them only codes that the node gives
    /// before it does anything count as refused.
    pub(crate) fn from_status(status: &Status) -> Self {
        let text = |key: &str| status.metadata().get(key).and_then(|v| v.to_str().ok());
        let stated = text("assent-write").and_then(|write| match write {
            "refused" => Some(Effect::Refused),
            "not-accepted" => Some(Effect::NotAccepted),
            "outcome-unknown" => Some(Effect::Unknown),
            _ => None,
        });
        let effect = stated.unwrap_or(match status.code() {
            Code::InvalidArgument
            | Code::Unauthenticated
            | Code::PermissionDenied
            | Code::Unimplemented
            | Code::NotFound
            | Code::OutOfRange
            | Code::FailedPrecondition
            | Code::AlreadyExists => Effect::Refused,
            _ => Effect::Unknown,
        });
        let lost = stated.is_none() && effect == Effect::Unknown;
        let fallback = if lost && status.code() == Code::Unavailable {
            "CONNECTION_LOST".to_owned()
        } else {
            format!("GRPC_{:?}", status.code()).to_ascii_uppercase()
        };
        let code = text("assent-code").map_or(fallback, str::to_owned);
        let retry_after = text("assent-retry-after-ms").and_then(|ms| ms.parse().ok()).map(Duration::from_millis);
        Failure {
            effect,
            code,
            message: describe(status),
            retry_after: retry_after.unwrap_or_default(),
            answered: stated.is_some() || effect == Effect::Refused,
        }
    }

    /// Reads one item's failure in an answer to several requests. An item that does not say what was recorded is
    /// unknown.
    pub(crate) fn from_item(item: &v1::Failure) -> Self {
        let effect = match item.write() {
            v1::Write::Refused => Effect::Refused,
            v1::Write::NotAccepted => Effect::NotAccepted,
            v1::Write::OutcomeUnknown | v1::Write::Unspecified => Effect::Unknown,
        };
        Failure {
            effect,
            code: item.code.clone(),
            message: item.message.clone(),
            retry_after: Duration::from_millis(u64::from(item.retry_after_ms)),
            answered: true,
        }
    }
}

/// The status's message with the transport's own cause, which tonic keeps apart.
fn describe(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

/// What a call is to the record: decides what its failures mean and whether it may be sent again.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// Records nothing.
    Read,
    /// Recorded under this request id at most once, however often it is sent.
    Write(String),
    /// Has an effect and no request id: sent again only when nothing can have happened.
    Once,
}

/// Everything that the attempts so far amount to.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) attempts: u32,
    pub(crate) maybe_recorded: bool,
}

impl History {
    pub(crate) fn note(&mut self, failure: &Failure) {
        self.attempts = self.attempts.saturating_add(1);
        self.maybe_recorded |= failure.effect == Effect::Unknown;
    }

    /// The error to give up with. A refusal after an attempt whose outcome is unknown says nothing about that earlier
    /// attempt.
    pub(crate) fn give_up(&self, kind: &Kind, last: Failure) -> ClientError {
        let Failure { effect, code, message, .. } = last;
        let attempts = self.attempts;
        match kind {
            Kind::Read if effect == Effect::Refused => ClientError::Refused { code, message },
            Kind::Read => ClientError::Unavailable { code, message, attempts },
            Kind::Write(_) | Kind::Once if self.maybe_recorded => {
                let request_id = if let Kind::Write(id) = kind { id.clone() } else { "-".to_owned() };
                ClientError::OutcomeUnknown { request_id, code, message, attempts }
            }
            _ if effect == Effect::Refused => ClientError::Refused { code, message },
            _ => ClientError::NotAccepted { code, message, attempts },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn status(code: Code, write: Option<&str>) -> Status {
        let mut status = Status::new(code, "words");
        if let Some(write) = write {
            status.metadata_mut().insert("assent-write", write.parse().unwrap());
            status.metadata_mut().insert("assent-code", "SOME_CODE".parse().unwrap());
        }
        status
    }

    #[test]
    fn metadata_says_what_was_recorded() {
        let cases =
            [("refused", Effect::Refused), ("not-accepted", Effect::NotAccepted), ("outcome-unknown", Effect::Unknown)];
        for (text, effect) in cases {
            let failure = Failure::from_status(&status(Code::Unavailable, Some(text)));
            assert_eq!((failure.effect, failure.code.as_str()), (effect, "SOME_CODE"));
            assert!(failure.answered);
        }
    }

    #[test]
    fn without_metadata_doubt_is_unknown() {
        for code in [Code::Unavailable, Code::Internal, Code::DeadlineExceeded, Code::Unknown, Code::Cancelled] {
            assert_eq!(Failure::from_status(&status(code, None)).effect, Effect::Unknown, "{code:?}");
        }
        assert_eq!(Failure::from_status(&status(Code::PermissionDenied, None)).effect, Effect::Refused);
        assert_eq!(Failure::from_status(&status(Code::Aborted, Some("nonsense"))).effect, Effect::Unknown);
    }

    #[test]
    fn a_refusal_after_an_unknown_attempt_stays_unknown() {
        let mut history = History::default();
        history.note(&Failure::timeout());
        let refused = Failure::from_status(&status(Code::FailedPrecondition, Some("refused")));
        history.note(&refused);
        let error = history.give_up(&Kind::Write("id".to_owned()), refused);
        assert!(matches!(error, ClientError::OutcomeUnknown { attempts: 2, .. }));
        assert!(error.may_be_recorded());
    }
}
