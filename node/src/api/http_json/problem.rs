//! Errors as JSON: the one table of errors, in the shape that HTTP callers see.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tonic::{Code, Status};

use super::write::string;
use crate::api::errors::{CODE_KEY, RETRY_KEY, WRITE_KEY};
use crate::outcome::{ApiError, WriteOutcome};

/// What is answered instead of what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: String,
    message: String,
    write: String,
    retry_after_ms: u32,
}

impl Problem {
    /// Refused at the door, under a code of HTTP's own.
    pub fn at_door(status: StatusCode, code: &str, message: impl std::fmt::Display) -> Self {
        let write = WriteOutcome::Refused.as_str().to_owned();
        let message = format!("{message}; nothing was recorded");
        Problem { status, code: code.to_owned(), message, write, retry_after_ms: 0 }
    }

    /// Too much is under way at the door.
    pub fn overloaded() -> Self {
        Problem::from(ApiError::overloaded())
    }

    /// The body of the answer, on one line.
    pub fn json(&self) -> String {
        let mut out = String::from("{\"code\":");
        string(&self.code, &mut out);
        out.push_str(",\"message\":");
        string(&self.message, &mut out);
        out.push_str(",\"write\":");
        string(&self.write, &mut out);
        out.push_str(&format!(",\"retry_after_ms\":{}}}", self.retry_after_ms));
        out
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        Problem::from(&Status::from(error))
    }
}

impl From<&Status> for Problem {
    fn from(status: &Status) -> Self {
        let text = |key| status.metadata().get(key).and_then(|value| value.to_str().ok());
        // A status that nobody of ours wrote says nothing about the write.
        let write = text(WRITE_KEY).unwrap_or(WriteOutcome::Unknown.as_str()).to_owned();
        let code = text(CODE_KEY).unwrap_or("OUTCOME_UNKNOWN").to_owned();
        let retry_after_ms = text(RETRY_KEY).and_then(|value| value.parse().ok()).unwrap_or(0);
        let too_large = code == "TOO_LARGE";
        let status_code = if too_large { StatusCode::PAYLOAD_TOO_LARGE } else { http_status(status.code()) };
        Problem { status: status_code, code, message: status.message().to_owned(), write, retry_after_ms }
    }
}

/// HTTP's status for a status of gRPC.
const fn http_status(code: Code) -> StatusCode {
    match code {
        Code::InvalidArgument => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::FailedPrecondition | Code::Aborted => StatusCode::CONFLICT,
        Code::OutOfRange => StatusCode::PAYLOAD_TOO_LARGE,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = format!("{}\n", self.json());
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.retry_after_ms > 0 {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after_ms.div_ceil(1000)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_the_table_keeps_code_message_and_write() {
        for (error, status, write) in [
            (ApiError::malformed("m"), 400, "refused"),
            (ApiError::unauthenticated("m"), 401, "refused"),
            (ApiError::forbidden("m"), 403, "refused"),
            (ApiError::not_found("m"), 404, "refused"),
            (ApiError::conflict("m"), 409, "refused"),
            (ApiError::overloaded(), 429, "not-accepted"),
            (ApiError::no_leader(), 503, "not-accepted"),
            (ApiError::unknown("m"), 503, "outcome-unknown"),
            (ApiError::internal("m"), 500, "refused"),
        ] {
            let code = error.code;
            let problem = Problem::from(error);
            let value: serde_json::Value = serde_json::from_str(&problem.json()).unwrap();
            assert_eq!((value["code"].as_str(), value["write"].as_str()), (Some(code), Some(write)));
            let retry = value["retry_after_ms"].as_u64().unwrap();
            let response = problem.into_response();
            assert_eq!(response.status().as_u16(), status, "{code}");
            assert_eq!(response.headers().contains_key("retry-after"), retry > 0, "{code}");
        }
        assert_eq!(Problem::overloaded().into_response().headers().get("retry-after").unwrap(), "1");
    }

    #[test]
    fn a_status_that_nobody_of_ours_wrote_leaves_the_outcome_unknown() {
        let problem = Problem::from(&Status::internal("h2 broke"));
        assert_eq!((problem.write.as_str(), problem.status.as_u16()), ("outcome-unknown", 500));
    }
}
