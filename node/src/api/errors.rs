//! What a call can end in besides the table of errors: refusals by the kernel, failures after a commit, answers of the leader.

use assent_kernel::refusal::Refusal;
use assent_proto::v1::{Failure, Write};
use axum::http::HeaderValue;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use crate::outcome::{ApiError, WriteOutcome};

/// Metadata key of an error's name.
pub const CODE_KEY: &str = "assent-code";
/// Metadata key of what happened to the write.
pub const WRITE_KEY: &str = "assent-write";
/// Metadata key of how long to wait before trying again, in milliseconds.
pub const RETRY_KEY: &str = "assent-retry-after-ms";

/// The kernel refused a command: its name and its words.
pub fn refused(refusal: &Refusal) -> ApiError {
    ApiError::from(refusal)
}

/// Something failed after the command was committed, so that its caller must not take it for undone.
pub fn after_commit(mut error: ApiError) -> ApiError {
    error.write = WriteOutcome::Unknown;
    error
}

/// A command was not settled in time.
pub fn timed_out() -> ApiError {
    ApiError::unknown("the command was not settled in time")
}

/// A reading call was not answered in time.
pub fn read_timed_out() -> ApiError {
    with_message(ApiError::no_leader(), "the leader could not confirm its leadership in time")
}

/// The leader's address does not answer, so that nothing was sent to it.
pub fn leader_unreachable() -> ApiError {
    with_message(ApiError::no_leader(), "the leader cannot be reached from this node")
}

/// The store cannot give what was asked for.
pub fn storage(error: impl std::fmt::Display) -> ApiError {
    ApiError::internal(format!("store: {error}"))
}

/// The same error in other words.
pub fn with_message(mut error: ApiError, message: impl Into<String>) -> ApiError {
    error.message = message.into();
    error
}

/// Why a call failed: for this node's own reasons, or for the leader's.
#[derive(Debug)]
pub enum CallError {
    /// This node's own.
    Own(ApiError),
    /// What the leader answered, passed on.
    Leader(Box<Status>),
}

impl CallError {
    /// The error's name, for metrics.
    pub fn code(&self) -> &str {
        match self {
            CallError::Own(error) => error.code,
            // What the leader refused, the leader counts under its own name.
            CallError::Leader(_) => "FORWARDED",
        }
    }

    /// Whether only a leader was missing, so that the call may be tried again.
    pub fn is_no_leader(&self) -> bool {
        match self {
            CallError::Own(error) => error.code == "NO_LEADER",
            CallError::Leader(status) => status.metadata().get(CODE_KEY).is_some_and(|code| code == "NO_LEADER"),
        }
    }

    /// For an answer about one request among several.
    pub fn to_failure(&self, request_id: &str) -> Failure {
        match self {
            CallError::Own(error) => error.to_failure(request_id),
            CallError::Leader(status) => failure_of(status, request_id),
        }
    }
}

impl From<ApiError> for CallError {
    fn from(error: ApiError) -> Self {
        CallError::Own(error)
    }
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        CallError::Leader(Box::new(status))
    }
}

impl From<CallError> for Status {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Own(error) => error.into(),
            CallError::Leader(status) => *status,
        }
    }
}

/// A leader's status as it goes on to the caller: code, words and Assent's own metadata; nothing of the transport in between.
///
/// `None` when the status carries no `assent-write`: then the leader did not write it.
pub fn passed_on(status: &Status) -> Option<Status> {
    status.metadata().get(WRITE_KEY)?;
    let mut metadata = MetadataMap::new();
    for key in [CODE_KEY, WRITE_KEY, RETRY_KEY] {
        if let Some(value) = status.metadata().get(key) {
            metadata.insert(key, value.clone());
        }
    }
    Some(Status::with_metadata(status.code(), status.message(), metadata))
}

/// Says of a call that no service ever saw that nothing was recorded: its message could not be decoded, or nobody serves its name.
///
/// The services' own failures all carry `assent-write`, and come before any message of an answer: a failure in the header without it is
/// the transport's.
pub async fn undecoded(mut response: axum::response::Response) -> axum::response::Response {
    let headers = response.headers();
    let code = headers.get("grpc-status").and_then(|code| code.to_str().ok()?.parse::<i32>().ok());
    let Some(code) = code.filter(|code| *code != 0 && !headers.contains_key(WRITE_KEY)) else { return response };
    let name = match Code::from(code) {
        Code::OutOfRange | Code::ResourceExhausted => "TOO_LARGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        _ => "MALFORMED",
    };
    let headers = response.headers_mut();
    headers.insert(CODE_KEY, HeaderValue::from_static(name));
    headers.insert(WRITE_KEY, HeaderValue::from_static(WriteOutcome::Refused.as_str()));
    response
}

fn failure_of(status: &Status, request_id: &str) -> Failure {
    let text = |key| status.metadata().get(key).and_then(|v| v.to_str().ok());
    let write = match text(WRITE_KEY) {
        Some("refused") => Write::Refused,
        Some("not-accepted") => Write::NotAccepted,
        _ => Write::OutcomeUnknown,
    };
    Failure {
        request_id: request_id.to_owned(),
        code: text(CODE_KEY).unwrap_or("OUTCOME_UNKNOWN").to_owned(),
        message: status.message().to_owned(),
        write: write.into(),
        retry_after_ms: text(RETRY_KEY).and_then(|v| v.parse().ok()).unwrap_or(0),
    }
}

/// Whether a status was made by the transport because no connection came up: then nothing was sent.
pub fn never_sent(status: &Status) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(status);
    while let Some(error) = cause {
        if error.is::<tonic::ConnectError>() {
            return status.code() == Code::Unavailable;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_keep_their_name_and_say_once_that_nothing_was_recorded() {
        for (refusal, code) in [
            (Refusal::OtherTenant, Code::PermissionDenied),
            (Refusal::CredentialNotValid, Code::Unauthenticated),
            (Refusal::RequestIdReused, Code::AlreadyExists),
            (Refusal::Malformed { field: "tool", expected: "a name" }, Code::InvalidArgument),
            (Refusal::TenantUnknown, Code::FailedPrecondition),
        ] {
            let status = Status::from(refused(&refusal));
            assert_eq!(status.code(), code, "{refusal}");
            assert_eq!(status.message().matches("nothing was recorded").count(), 1, "{}", status.message());
            assert_eq!(status.metadata().get(CODE_KEY).unwrap(), refusal.name());
            assert_eq!(status.metadata().get(WRITE_KEY).unwrap(), "refused");
        }
    }

    #[test]
    fn a_leaders_status_is_passed_on_without_the_transports_metadata() {
        let mut status = Status::from(ApiError::overloaded());
        status.metadata_mut().insert("date", "today".parse().unwrap());
        let on = passed_on(&status).unwrap();
        assert_eq!((on.code(), on.message()), (status.code(), status.message()));
        assert!(on.metadata().get("date").is_none());
        let failure = CallError::from(on).to_failure("id");
        assert_eq!((failure.code.as_str(), failure.write, failure.retry_after_ms), ("OVERLOADED", 2, 100));
    }

    #[test]
    fn a_status_that_nobody_wrote_leaves_the_outcome_unknown() {
        let status = Status::unavailable("connection reset");
        assert!(passed_on(&status).is_none());
        assert!(!never_sent(&status));
        assert_eq!(failure_of(&status, "id").write, i32::from(Write::OutcomeUnknown));
        let refused = Status::from_error(Box::new(tonic::ConnectError("refused".into())));
        assert!(never_sent(&refused));
    }

    #[tokio::test]
    async fn what_no_service_saw_is_refused_and_what_one_said_stays() {
        for (status, write, code) in [
            (Status::internal("failed to decode"), "refused", "MALFORMED"),
            (Status::out_of_range("too large"), "refused", "TOO_LARGE"),
            (Status::unimplemented(""), "refused", "UNIMPLEMENTED"),
            (Status::from(ApiError::unknown("lost")), "outcome-unknown", "OUTCOME_UNKNOWN"),
        ] {
            let response = undecoded(status.into_http()).await;
            assert_eq!(response.headers().get(WRITE_KEY).unwrap(), write);
            assert_eq!(response.headers().get(CODE_KEY).unwrap(), code);
        }
        assert!(undecoded(axum::response::Response::default()).await.headers().is_empty());
    }

    #[test]
    fn what_fails_after_a_commit_is_never_called_refused() {
        let error = after_commit(ApiError::internal("receipt: no key"));
        assert_eq!(error.write, WriteOutcome::Unknown);
        assert!(error.to_string().contains("same request id"), "{error}");
    }
}
