//! The envelope around a call. Lengths and alphabets are the kernel's to check (`admitted`); here fields become the kernel's types.

use assent_kernel::command::{CallContext, CallerBudgets, ClaimedTool, Usage};
use assent_kernel::taint::{TaintLabel, TaintSource};
use assent_proto::v1;

use super::{hash, hash_opt, text_opt, wrong};
use crate::outcome::ApiError;

/// How sure a label is whose sender does not say.
const CONFIDENCE_DEFAULT_MILLI: u16 = 1000;

/// The envelope of a request.
pub fn context(context: v1::CallContext) -> Result<CallContext, ApiError> {
    let budgets = context.budgets.unwrap_or_default();
    let claimed = context.claimed.unwrap_or_default();
    let claims =
        context.claims.into_iter().map(|claim| Ok((claim.name, hash("context.claims.digest", &claim.digest)?)));
    Ok(CallContext {
        span_id: text_opt(context.span_id),
        parent_decision: text_opt(context.parent_decision),
        on_behalf_of: context.on_behalf_of,
        taint: labels("context.taint", context.taint)?,
        source_labels: context.source_labels,
        risk_score_milli: context.orm_risk_score_milli,
        budgets: CallerBudgets {
            tokens_remaining: budgets.tokens_remaining,
            tool_calls_remaining: budgets.tool_calls_remaining,
            cost_micro_usd_remaining: budgets.cost_micro_usd_remaining,
        },
        usage: usage(context.usage),
        approval_id: text_opt(context.approval_id),
        claimed: ClaimedTool {
            category: text_opt(claimed.category),
            risk_tier: text_opt(claimed.risk_tier),
            policy_bundle: hash_opt("context.claimed.policy_bundle_hash", &claimed.policy_bundle_hash)?,
            prompt_bundle: hash_opt("context.claimed.prompt_bundle_hash", &claimed.prompt_bundle_hash)?,
            tool_schema: hash_opt("context.claimed.tool_schema_hash", &claimed.tool_schema_hash)?,
        },
        idempotency_key: text_opt(context.tool_idempotency_key),
        claims: claims.collect::<Result<_, ApiError>>()?,
        fulfils: context.fulfils.map(|fulfils| fulfils.types),
        cooperative: context.cooperative,
    })
}

/// What something uses; nothing when it does not say.
pub fn usage(usage: Option<v1::Usage>) -> Usage {
    let usage = usage.unwrap_or_default();
    Usage { tokens: usage.tokens, cost_micro_usd: usage.cost_micro_usd }
}

/// Taint labels.
pub fn labels(field: &str, labels: Vec<v1::TaintLabel>) -> Result<Vec<TaintLabel>, ApiError> {
    labels.into_iter().map(|one| label(field, one)).collect()
}

fn label(field: &str, label: v1::TaintLabel) -> Result<TaintLabel, ApiError> {
    let confidence = label.confidence_milli.map_or(Ok(CONFIDENCE_DEFAULT_MILLI), u16::try_from);
    let wrong_confidence = |_| wrong(&format!("{field}.confidence_milli"), "is out of range", "0 to 1000");
    Ok(TaintLabel {
        source: source(&format!("{field}.source"), &label.source)?,
        origin: label.origin,
        confidence_milli: confidence.map_err(wrong_confidence)?,
        propagated_from: text_opt(label.propagated_from),
    })
}

fn source(field: &str, name: &str) -> Result<TaintSource, ApiError> {
    TaintSource::from_name(name).ok_or_else(|| {
        let names: Vec<&str> = TaintSource::ALL.iter().map(|source| source.name()).collect();
        wrong(field, format_args!("is {}", super::shown(name)), format_args!("one of: {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web(confidence_milli: Option<u32>) -> v1::TaintLabel {
        let (source, origin) = ("web".to_owned(), "example.com".to_owned());
        v1::TaintLabel { source, origin, confidence_milli, propagated_from: String::new() }
    }

    #[test]
    fn an_envelope_that_says_nothing_is_the_kernels_default() {
        assert_eq!(context(v1::CallContext::default()).unwrap(), CallContext::default());
    }

    #[test]
    fn labels_are_sure_unless_they_say_otherwise() {
        let read = labels("taint", vec![web(None), web(Some(250)), web(Some(0))]).unwrap();
        let sure: Vec<u16> = read.iter().map(|label| label.confidence_milli).collect();
        assert_eq!(sure, [1000, 250, 0]);
        assert!(read.iter().all(|label| label.source == TaintSource::Web && label.propagated_from.is_none()));
    }

    #[test]
    fn what_is_not_known_is_named() {
        let stranger = v1::TaintLabel { source: "moon".to_owned(), ..web(None) };
        let error = labels("context.taint", vec![stranger]).unwrap_err();
        assert!(
            error.message.starts_with("context.taint.source is \"moon\"; it must be one of: web"),
            "{}",
            error.message
        );
        assert!(labels("taint", vec![web(Some(70_000))]).unwrap_err().message.contains("confidence_milli"));
        let claimed = v1::ClaimedTool { policy_bundle_hash: vec![1; 31].into(), ..v1::ClaimedTool::default() };
        let error = context(v1::CallContext { claimed: Some(claimed), ..v1::CallContext::default() }).unwrap_err();
        assert!(error.message.starts_with("context.claimed.policy_bundle_hash has 31 bytes"), "{}", error.message);
    }
}
