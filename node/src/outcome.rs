//! The one table of errors: code, what it means for the write, and how it looks on the wire.

use core::fmt;

use assent_kernel::refusal::Refusal;
use assent_proto::v1::{Failure, Write};
use tonic::{Code, Status};

/// Whether the thing that was asked for happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// Nothing was recorded, and the same request would be refused again.
    Refused,
    /// Nothing was recorded; try again.
    NotAccepted,
    /// It may or may not have been recorded: ask for the status, or retry with the same request id only.
    Unknown,
}

impl WriteOutcome {
    /// The word in the metadata `assent-write`.
    pub const fn as_str(self) -> &'static str {
        match self {
            WriteOutcome::Refused => "refused",
            WriteOutcome::NotAccepted => "not-accepted",
            WriteOutcome::Unknown => "outcome-unknown",
        }
    }

    /// The sentence that ends every message.
    const fn sentence(self) -> &'static str {
        match self {
            WriteOutcome::Refused => "nothing was recorded",
            WriteOutcome::NotAccepted => "nothing was recorded, try again",
            WriteOutcome::Unknown => "the outcome is unknown, retry with the same request id only",
        }
    }
}

/// Why a call failed.
#[derive(Clone, Debug)]
pub struct ApiError {
    /// A stable name in capitals.
    pub code: &'static str,
    /// What is wrong and what to do, in words.
    pub message: String,
    /// What happened to the write.
    pub write: WriteOutcome,
    grpc: Code,
    retry_after_ms: u32,
}

impl ApiError {
    const fn new(code: &'static str, grpc: Code, write: WriteOutcome, message: String, retry_after_ms: u32) -> Self {
        ApiError { code, message, write, grpc, retry_after_ms }
    }

    /// No token, or one that nobody registered.
    pub fn unauthenticated(message: &str) -> Self {
        Self::new("UNAUTHENTICATED", Code::Unauthenticated, WriteOutcome::Refused, message.to_owned(), 0)
    }

    /// The caller's role or tenant does not permit it.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new("FORBIDDEN", Code::PermissionDenied, WriteOutcome::Refused, message.into(), 0)
    }

    /// The request has not the right shape.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new("MALFORMED", Code::InvalidArgument, WriteOutcome::Refused, message.into(), 0)
    }

    /// There is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new("NOT_FOUND", Code::NotFound, WriteOutcome::Refused, message.into(), 0)
    }

    /// The queue is full.
    pub fn overloaded() -> Self {
        let message = "the node has as much work as it takes".to_owned();
        Self::new("OVERLOADED", Code::ResourceExhausted, WriteOutcome::NotAccepted, message, 100)
    }

    /// No leader is known.
    pub fn no_leader() -> Self {
        let message = "the cluster has no leader at the moment".to_owned();
        Self::new("NO_LEADER", Code::Unavailable, WriteOutcome::NotAccepted, message, 200)
    }

    /// This node may not serve: its record contradicts the quorum's.
    pub fn fenced(reason: &str) -> Self {
        let message = format!("this node is fenced off ({reason}); ask another node");
        Self::new("FENCED", Code::Unavailable, WriteOutcome::NotAccepted, message, 0)
    }

    /// The node is stopping.
    pub fn stopping() -> Self {
        let message = "this node is stopping; ask another node".to_owned();
        Self::new("STOPPING", Code::Unavailable, WriteOutcome::NotAccepted, message, 100)
    }

    /// This node has no ledger: it has not been created yet, or the node is new to its cluster and another one has it.
    pub fn not_bootstrapped() -> Self {
        let message =
            "this node has no ledger yet; ask another node, or run `assent cluster bootstrap` where none has one";
        Self::new("NOT_BOOTSTRAPPED", Code::Unavailable, WriteOutcome::NotAccepted, message.to_owned(), 200)
    }

    /// The operation does not fit the present state.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new("CONFLICT", Code::FailedPrecondition, WriteOutcome::Refused, message.into(), 0)
    }

    /// It was proposed, and nobody can say what became of it.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self::new("OUTCOME_UNKNOWN", Code::Unavailable, WriteOutcome::Unknown, message.into(), 200)
    }

    /// Something inside is broken; reads only.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new("INTERNAL", Code::Internal, WriteOutcome::Refused, message.into(), 0)
    }

    /// For an answer about one request among several.
    pub fn to_failure(&self, request_id: &str) -> Failure {
        let write = match self.write {
            WriteOutcome::Refused => Write::Refused,
            WriteOutcome::NotAccepted => Write::NotAccepted,
            WriteOutcome::Unknown => Write::OutcomeUnknown,
        };
        Failure {
            request_id: request_id.to_owned(),
            code: self.code.to_owned(),
            message: self.to_string(),
            write: write.into(),
            retry_after_ms: self.retry_after_ms,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.message, self.write.sentence())
    }
}

impl From<&Refusal> for ApiError {
    fn from(refusal: &Refusal) -> Self {
        use WriteOutcome::{NotAccepted, Refused};
        let (grpc, write, retry_after_ms) = match refusal {
            Refusal::Malformed { .. } => (Code::InvalidArgument, Refused, 0),
            Refusal::CredentialNotValid => (Code::Unauthenticated, Refused, 0),
            Refusal::OtherTenant | Refusal::RoleNotPermitted { .. } => (Code::PermissionDenied, Refused, 0),
            Refusal::RequestIdReused => (Code::AlreadyExists, Refused, 0),
            // What only has to wait is told apart from what would be refused again.
            Refusal::SealPending { .. } | Refusal::SpanFull => (Code::Unavailable, NotAccepted, 100),
            _ => (Code::FailedPrecondition, Refused, 0),
        };
        // Every message ends by saying what happened to the write; the kernel's own texts do so, too.
        let text = refusal.to_string();
        let text = text.strip_suffix("; nothing was recorded").unwrap_or(&text);
        Self::new(refusal.name(), grpc, write, text.to_owned(), retry_after_ms)
    }
}

impl From<ApiError> for Status {
    fn from(error: ApiError) -> Self {
        let mut status = Status::new(error.grpc, error.to_string());
        let metadata = status.metadata_mut();
        if let Ok(code) = error.code.parse() {
            metadata.insert("assent-code", code);
        }
        if let Ok(write) = error.write.as_str().parse() {
            metadata.insert("assent-write", write);
        }
        if error.retry_after_ms > 0 {
            metadata.insert("assent-retry-after-ms", error.retry_after_ms.into());
        }
        status
    }
}
