//! From what was found about a call to the entry that says so.

use assent_ledger::hash::{Hash, sha256};
use assent_ledger::ids::TenantId;

use super::{Asked, Judged, obligations};
use crate::codec::Writer;
use crate::command::{CallContext, Evaluate};
use crate::event::{
    ACCUMULATE_ROLE, CONTEXT_ROLE, Event, INPUT_ROLE, PayloadIntent, PolicyDecision, REPLACEMENT_ROLE, ShownRules,
};
use crate::limits::RULES_SHOWN_MAX;
use crate::stamp::{Purpose, Stamp};
use crate::verdict::Verdict;

/// The decision's event.
pub(super) fn decision(stamp: &Stamp, asked: &Asked<'_>, judged: Judged) -> Event {
    let Asked { caller, evaluate, .. } = asked;
    let subject = asked.subject().map(str::to_owned);
    let effective = judged.effective();
    let mut payloads = payloads(evaluate);
    let Judged { run_id, bundle, schema, outcome, mut effects, observe, replacement, counts, accumulate, .. } = judged;
    let salt: [u8; 32] = stamp.derive(Purpose::RequestSalt, 0);
    let commit = |evaluate: &Evaluate, schema: Option<&Hash>| {
        sha256(&[&salt, &request_hash(&caller.tenant, subject.as_deref(), evaluate, schema).0])
    };
    if run_id.is_some() {
        effects.counts = counts;
    }
    effects.approved_by = asked.approved_by.map(|given| given.approval.to_owned());
    effects.chain = evaluate.context.on_behalf_of.clone();
    effects.span_id = evaluate.context.span_id.clone();
    effects.cooperative = evaluate.context.cooperative;
    // Where depth is limited, the parent is the one that the kernel knows.
    effects.parent = effects.parent.or_else(|| evaluate.context.parent_decision.clone());
    if let Some(replacement) = replacement {
        effects.replacement = Some(commit(&replacement.evaluate, replacement.schema.as_ref()));
        if replacement.evaluate.tool != evaluate.tool {
            effects.replacement_schema = replacement.schema;
            effects.replacement_tool = Some(replacement.evaluate.tool);
        }
        let content_type = replacement.evaluate.content_type;
        payloads.push(PayloadIntent { role: REPLACEMENT_ROLE, content_type, bytes: replacement.evaluate.inputs });
    }
    if let Some(bytes) = accumulate {
        let content_type = "application/vnd.assent.accumulate".to_owned();
        payloads.push(PayloadIntent { role: ACCUMULATE_ROLE, content_type, bytes });
    }
    payloads.extend(obligations::detail(&effects.obligations, &outcome));
    let total = u32::try_from(outcome.rules.len()).unwrap_or(u32::MAX);
    let shown = outcome.rules.iter().take(RULES_SHOWN_MAX).map(|id| id.to_string()).collect();
    let ratio = u64::from(outcome.contract_passed) * 1_000 / u64::from(outcome.contract_total.max(1));
    let body = PolicyDecision {
        agent: evaluate.agent.clone(),
        asked_run_id: evaluate.run_id.clone().filter(|asked| run_id.as_ref() != Some(asked)),
        asked_subject: evaluate.subject.clone().filter(|asked| subject.as_ref() != Some(asked)),
        attested: caller.attested && caller.subject.is_some(),
        bundle,
        codes: outcome.codes,
        effective,
        effects,
        environment: evaluate.environment.clone(),
        observe,
        pass_ratio_milli: u32::try_from(ratio).ok().filter(|_| outcome.contract_total > 0),
        request_commitment: commit(evaluate, schema.as_ref()),
        request_id: asked.request_id,
        rules: (total > 0).then_some(ShownRules { shown, total }),
        subject: subject.clone(),
        tool: evaluate.tool.clone(),
        tool_schema: schema,
        verdict: outcome.verdict,
    };
    Event {
        tenant: caller.tenant.clone(),
        actor: subject.or_else(|| Some(format!("credential:{}", caller.credential))),
        run_id,
        trace_id: evaluate.trace_id.clone(),
        body: body.into(),
        payloads,
    }
}

/// Which counters of the run a decision moves by itself. A call that was asked for before counts once.
pub(super) fn counts(asked: &Asked<'_>, judged: &Judged) -> Vec<&'static str> {
    let mut counts = Vec::with_capacity(4);
    counts.extend(asked.again.is_none().then_some("calls"));
    counts.push(match judged.effective() {
        Verdict::Deny => "denied",
        Verdict::Escalate => "escalated",
        Verdict::Compute => "computed",
        Verdict::Allow => "allowed",
    });
    if judged.is_strike() {
        counts.push("strikes");
    }
    // Writes count where they may happen, attempts to read and to send in any case.
    let may_run = judged.effective() > Verdict::Escalate;
    counts.extend(judged.seen.iter().filter(|name| **name != "writes" || may_run));
    counts
}

/// The arguments, and what else the caller said if it said anything.
fn payloads(evaluate: &Evaluate) -> Vec<PayloadIntent> {
    let content_type = evaluate.content_type.clone();
    let mut payloads = vec![PayloadIntent { role: INPUT_ROLE, content_type, bytes: evaluate.inputs.clone() }];
    if *evaluate.context != CallContext::default() {
        let content_type = "application/vnd.assent.call-context".to_owned();
        payloads.push(PayloadIntent { role: CONTEXT_ROLE, content_type, bytes: evaluate.context.encode() });
    }
    payloads
}

/// Digest of what was asked: tenant, environment, subject, delegation chain, tool, the tool's schema hash (nothing when it is
/// unknown), content type and exact bytes, each after its length in 32 bits; the chain is its subjects in the same way after their
/// number. A subject that is not known counts as empty.
pub fn request_hash(tenant: &TenantId, subject: Option<&str>, evaluate: &Evaluate, schema: Option<&Hash>) -> Hash {
    let mut chain = Writer::new();
    chain.count(evaluate.context.on_behalf_of.len());
    evaluate.context.on_behalf_of.iter().for_each(|subject| chain.text(subject));
    let mut asked = Writer::new();
    asked.fixed(b"assent request/2\n");
    asked.text(tenant.as_str());
    asked.text(&evaluate.environment);
    asked.text(subject.unwrap_or_default());
    asked.bytes(&chain.finish());
    asked.text(&evaluate.tool);
    asked.bytes(schema.map_or(&[], |hash| hash.as_bytes()));
    asked.text(&evaluate.content_type);
    asked.count(evaluate.inputs.len());
    sha256(&[&asked.finish(), &evaluate.inputs])
}
