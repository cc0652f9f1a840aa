//! Which codes come with which status of HTTP, for the document.

use assent_kernel::refusal::Refusal;
use serde_json::{Map, Value, json};

use super::routes::{Answer, Route, Verb};

/// Codes of the node's own, and of the refusals that do not mean 409: status, its response's name, when it comes, codes.
const STATUSES: &[(u16, &str, &str, &[&str])] = &[
    (
        400,
        "Malformed",
        "The request has not the right shape; the message names the field and what it must be.",
        &["MALFORMED"],
    ),
    (401, "Unauthenticated", "No token, or none that is registered.", &["UNAUTHENTICATED", "CREDENTIAL_NOT_VALID"]),
    (403, "Forbidden", "The caller's role or tenant may not.", &["FORBIDDEN", "ROLE_NOT_PERMITTED", "OTHER_TENANT"]),
    (404, "NotFound", "There is no such thing, or no such path.", &["NOT_FOUND", "NO_SUCH_PATH"]),
    (405, "OtherMethod", "The path takes another method; `allow` names it.", &["METHOD_NOT_ALLOWED"]),
    (408, "TooSlow", "The body did not arrive in time.", &["BODY_TOO_SLOW"]),
    (409, "Refused", "The present state does not admit it.", &["CONFLICT"]),
    (413, "TooLarge", "The body is longer than it may be.", &["TOO_LARGE"]),
    (415, "OtherMediaType", "The body comes with another media type.", &["UNSUPPORTED_MEDIA_TYPE"]),
    (429, "Overloaded", "The node has as much work as it takes.", &["OVERLOADED"]),
    (500, "Broken", "Something within the node is broken.", &["INTERNAL"]),
    (
        503,
        "Unavailable",
        "Not now, or not here; `write` says whether it may have been recorded.",
        &["NO_LEADER", "NOT_BOOTSTRAPPED", "FENCED", "STOPPING", "OUTCOME_UNKNOWN", "SEAL_PENDING", "SPAN_FULL"],
    ),
];

/// Statuses of requests that have no body.
const WITHOUT_BODY: &[u16] = &[400, 401, 403, 404, 409, 500, 503];
/// Statuses of requests with a body.
const WITH_BODY: &[u16] = &[400, 401, 403, 404, 408, 409, 413, 415, 429, 500, 503];

/// The codes of a status; the kernel's refusals mean 409 unless they are listed elsewhere.
fn codes_of(status: u16, own: &[&'static str]) -> Vec<&'static str> {
    let mut codes = own.to_vec();
    if status == 409 {
        let listed = |name: &str| STATUSES.iter().any(|(_, _, _, codes)| codes.contains(&name));
        codes.extend(Refusal::ALL.iter().map(|(_, name)| *name).filter(|name| !listed(name)));
    }
    codes
}

/// The responses, each with its codes.
pub fn responses() -> Map<String, Value> {
    let written = STATUSES.iter().map(|(status, name, when, own)| {
        let codes: Vec<String> = codes_of(*status, own).into_iter().map(|code| format!("`{code}`")).collect();
        ((*name).to_owned(), response(&format!("{when} Codes: {}.", codes.join(", "))))
    });
    let mut all: Map<String, Value> = written.collect();
    let about = "Anything else. Codes may be added; a code that is not known says what its status and `write` say.";
    all.insert("Problem".to_owned(), response(about));
    all
}

fn response(about: &str) -> Value {
    json!({
        "description": about,
        "headers": {"Retry-After": {"description": "Seconds to wait before trying again.", "schema": {"type": "integer"}}},
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}})
}

/// What a route may answer besides what was asked for.
pub fn of_route(route: &Route) -> Map<String, Value> {
    let statuses = if route.verb == Verb::Post { WITH_BODY } else { WITHOUT_BODY };
    let named = STATUSES.iter().filter(|(status, ..)| statuses.contains(status));
    let mut all: Map<String, Value> = named.map(|(status, name, ..)| (status.to_string(), reference(name))).collect();
    if route.answer == Answer::Lines {
        // Lines are read as they come: what is wrong with one of them is said in its place.
        all.remove("408");
    }
    all.insert("default".to_owned(), reference("Problem"));
    all
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/responses/{name}")})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::http_json::problem::Problem;
    use crate::outcome::ApiError;
    use assent_kernel::command::Role;
    use axum::response::IntoResponse;

    fn documented(code: &str) -> Vec<u16> {
        let listed = STATUSES.iter().filter(|(status, _, _, own)| codes_of(*status, own).contains(&code));
        listed.map(|(status, ..)| *status).collect()
    }

    #[test]
    fn every_error_of_the_table_comes_with_the_status_that_the_document_says() {
        let own = [
            ApiError::malformed("m"),
            ApiError::unauthenticated("m"),
            ApiError::forbidden("m"),
            ApiError::not_found("m"),
            ApiError::conflict("m"),
            ApiError::not_bootstrapped(),
            ApiError::overloaded(),
            ApiError::no_leader(),
            ApiError::fenced("m"),
            ApiError::stopping(),
            ApiError::unknown("m"),
            ApiError::internal("m"),
        ];
        let refusals = [
            Refusal::Malformed { field: "f", expected: "e" },
            Refusal::CredentialNotValid,
            Refusal::OtherTenant,
            Refusal::RoleNotPermitted { role: Role::Agent, command: "c" },
            Refusal::RequestIdReused,
            Refusal::SpanFull,
            Refusal::SealPending { sealed: assent_ledger::ids::TreeSize(1) },
            Refusal::RunQuarantined,
            Refusal::Unchanged,
        ];
        for error in own.into_iter().chain(refusals.iter().map(ApiError::from)) {
            let code = error.code;
            let status = Problem::from(error).into_response().status().as_u16();
            assert_eq!(documented(code), [status], "{code}");
        }
    }

    #[test]
    fn every_refusal_is_documented_once() {
        for (_, name) in Refusal::ALL {
            assert_eq!(documented(name).len(), 1, "{name}");
        }
    }
}
