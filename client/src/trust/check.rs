//! Does the leaf on the record say what the answer says, and is it about what was asked?

use assent_ledger::entry::EntryView;
use assent_ledger::json::Value;
use assent_ledger::receipt::VerifiedReceipt;

use super::TrustError;
use crate::v1;

/// The entry type of decisions.
const DECISION_KIND: &str = "dare.policy.decision";
/// The number of the reason `APPROVAL_EXPIRED`.
const APPROVAL_EXPIRED: u32 = 191;
/// The number of the reason `SUBJECT_MISMATCH`.
const SUBJECT_MISMATCH: u64 = 120;
/// Entry types that end a call's wait for people without deciding it anew. They deny it, and name its decision.
const ENDED_KINDS: [&str; 3] = ["dare.hitl.decision", "assent.approval.expired", "assent.approval.void"];

/// The answer's fields against the leaf: position, decision id, request id, verdict, what is enforced, codes, run and tenant.
pub(crate) fn check_response(
    receipt: &VerifiedReceipt,
    response: &v1::EvaluateResponse,
    tenant: Option<&str>,
) -> Result<(), TrustError> {
    let view = EntryView::parse(receipt.leaf())?;
    let body = view.body_value()?;
    same("seq", &view.seq.to_string(), &response.seq.to_string())?;
    if ENDED_KINDS.contains(&view.kind) {
        return check_ended(&view, &body, response, tenant);
    }
    same("type", view.kind, DECISION_KIND)?;
    same("decision id", &view.event_id, &response.decision_id)?;
    same("request id", text(&body, "request_id"), &response.request_id)?;
    if !has_run_out(&body, response) {
        same("verdict", text(&body, "verdict"), verdict_name(response.verdict()))?;
        if let Some(terms) = &response.terms {
            same("effective verdict", text(&body, "effective"), verdict_name(terms.effective()))?;
        }
        same("codes", &recorded_codes(&body), &stated_codes(response))?;
    }
    if !response.run_id.is_empty() {
        same("run id", view.run_id.as_deref().unwrap_or_default(), &response.run_id)?;
    }
    if let Some(tenant) = tenant {
        same("tenant", view.tenant, tenant)?;
    }
    Ok(())
}

/// Whether the answer denies a call that waited for people too long. The entry that says so comes with the next tick; until then the
/// answer rests on the one that made the call wait. Nobody acts on a deny, so that nothing is believed here that could be acted upon.
fn has_run_out(body: &Value, response: &v1::EvaluateResponse) -> bool {
    let terms = response.terms.as_ref();
    text(body, "verdict") == "escalate"
        && response.verdict() == v1::Verdict::Deny
        && terms.is_none_or(|terms| terms.effective() == v1::Verdict::Deny)
        && response.codes.iter().map(|code| code.number).eq([APPROVAL_EXPIRED])
}

/// The answer to a retry of a call that waited for people and was not decided anew: nothing but a deny rests on such an entry.
fn check_ended(
    view: &EntryView<'_>,
    body: &Value,
    response: &v1::EvaluateResponse,
    tenant: Option<&str>,
) -> Result<(), TrustError> {
    same("decision id", text(body, "decision"), &response.decision_id)?;
    same("verdict", "deny", verdict_name(response.verdict()))?;
    if let Some(terms) = &response.terms {
        same("effective verdict", "deny", verdict_name(terms.effective()))?;
    }
    if body.get("codes").is_some() {
        same("verdict", text(body, "verdict"), "deny")?;
        same("codes", &recorded_codes(body), &stated_codes(response))?;
    }
    if !response.run_id.is_empty() {
        same("run id", view.run_id.as_deref().unwrap_or_default(), &response.run_id)?;
    }
    match tenant {
        Some(tenant) => same("tenant", view.tenant, tenant),
        None => Ok(()),
    }
}

/// The request's fields against the leaf: tool, environment, and, where the request names them, run, trace and subject;
/// for the inputs their length and content type (their bytes are committed under a salt).
pub(crate) fn check_request(receipt: &VerifiedReceipt, request: &v1::EvaluateRequest) -> Result<(), TrustError> {
    let view = EntryView::parse(receipt.leaf())?;
    let body = view.body_value()?;
    if ENDED_KINDS.contains(&view.kind) {
        // It names the call's decision and not its request, and no bytes of the call.
        if !request.run_id.is_empty() {
            same("run id", view.run_id.as_deref().unwrap_or_default(), &request.run_id)?;
        }
        let stated = request.subject.as_str();
        return if stated.is_empty() { Ok(()) } else { same("subject", text(&body, "subject"), stated) };
    }
    same("request id", text(&body, "request_id"), &request.request_id)?;
    same("tool", text(&body, "tool"), &request.tool)?;
    same("environment", text(&body, "environment"), &request.environment)?;
    // A call that is denied before its run is looked at, such as a stranger's, has no run on the record.
    let stopped_early = view.run_id.is_none() && text(&body, "verdict") == "deny";
    if !request.run_id.is_empty() && !stopped_early {
        same("run id", view.run_id.as_deref().unwrap_or_default(), &request.run_id)?;
    }
    if !request.trace_id.is_empty() {
        same("trace id", view.trace_id.as_deref().unwrap_or_default(), &request.trace_id)?;
    }
    // A call that asserts another subject than its credential's is on the record as that of the credential's, and denied for it.
    let assertion_denied = stopped_early && codes(&body).any(|code| code == SUBJECT_MISMATCH);
    if !request.subject.is_empty() && !assertion_denied {
        same("subject", text(&body, "subject"), &request.subject)?;
    }
    Ok(())
}

fn codes(body: &Value) -> impl Iterator<Item = u64> {
    body.get("codes").and_then(Value::as_list).unwrap_or_default().iter().filter_map(Value::as_int)
}

fn same(field: &'static str, recorded: &str, stated: &str) -> Result<(), TrustError> {
    if recorded == stated {
        return Ok(());
    }
    Err(TrustError::Disagrees { field, recorded: recorded.to_owned(), stated: stated.to_owned() })
}

fn text<'a>(body: &'a Value, field: &str) -> &'a str {
    body.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// A verdict's name in leaves; that of an unspecified one matches nothing.
pub(crate) const fn verdict_name(verdict: v1::Verdict) -> &'static str {
    match verdict {
        v1::Verdict::Allow => "allow",
        v1::Verdict::Deny => "deny",
        v1::Verdict::Escalate => "escalate",
        v1::Verdict::Compute => "compute",
        v1::Verdict::Unspecified => "unspecified",
    }
}

fn recorded_codes(body: &Value) -> String {
    let codes = body.get("codes").and_then(Value::as_list).unwrap_or_default();
    let numbers: Vec<String> =
        codes.iter().map(|code| code.as_int().map_or("?".to_owned(), |n| n.to_string())).collect();
    numbers.join(" ")
}

fn stated_codes(response: &v1::EvaluateResponse) -> String {
    let numbers: Vec<String> = response.codes.iter().map(|code| code.number.to_string()).collect();
    numbers.join(" ")
}
