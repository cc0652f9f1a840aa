//! What a call says besides tool and arguments (DARE's request envelope). None of it is trusted: it may only tighten.

use crate::codec::{CodecError, Reader, Writer};
use crate::limits::{CHAIN_MAX, CLAIMS_MAX, LABELS_MAX, NAME_BYTES_MAX, SUBJECT_BYTES_MAX};
use crate::taint::{TaintLabel, read_labels, write_labels};
use assent_ledger::hash::Hash;

/// The envelope around a call. Everything is optional; the default says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallContext {
    /// The caller's span.
    pub span_id: Option<String>,
    /// The decision in whose execution this call was made.
    pub parent_decision: Option<String>,
    /// On whose behalf, from the nearest to the origin; each step must be a recorded delegation.
    pub on_behalf_of: Vec<String>,
    /// Labels of the data in the arguments.
    pub taint: Vec<TaintLabel>,
    /// DARE's `source_labels`, such as `user_input`.
    pub source_labels: Vec<String>,
    /// What the caller believes its risk to be, in thousandths; only counts when it is higher than what is known.
    pub risk_score_milli: Option<u32>,
    /// What the caller may still spend, as it says; may only tighten.
    pub budgets: CallerBudgets,
    /// What the call will use, for reservations; a tool's declared cost is the least.
    pub usage: Usage,
    /// An approval that the caller holds for this very call.
    pub approval_id: Option<String>,
    /// Category, risk tier and hashes as the caller believes them; a mismatch denies.
    pub claimed: ClaimedTool,
    /// The same effect twice is denied.
    pub idempotency_key: Option<String>,
    /// Digests of what the agent consists of, by name (`image_digest`, `config_hash`, …).
    pub claims: Vec<(String, Hash)>,
    /// Obligations that the enforcement point can fulfil; `None` when it did not say.
    pub fulfils: Option<Vec<String>>,
    /// Whether the agent enforces in its own process.
    pub cooperative: bool,
}

/// DARE's `context.budgets`: what remains, as the caller says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallerBudgets {
    /// Tokens.
    pub tokens_remaining: Option<u64>,
    /// Calls.
    pub tool_calls_remaining: Option<u64>,
    /// Millionths of a US dollar.
    pub cost_micro_usd_remaining: Option<u64>,
}

/// What something uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens.
    pub tokens: u64,
    /// Millionths of a US dollar.
    pub cost_micro_usd: u64,
}

/// What the caller believes the tool and its policy to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClaimedTool {
    /// The category.
    pub category: Option<String>,
    /// The risk tier.
    pub risk_tier: Option<String>,
    /// Hash of the active bundle.
    pub policy_bundle: Option<Hash>,
    /// Hash of the prompt bundle; only recorded.
    pub prompt_bundle: Option<Hash>,
    /// Digest of the tool's declaration as its server lists it; compared with the bundle's pin.
    pub tool_schema: Option<Hash>,
}

impl CallContext {
    /// The context's bytes, as commands and payloads of role `context` carry it.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::versioned(VERSION);
        self.write(&mut w);
        w.finish()
    }

    /// Reads a context strictly; any bytes are safe.
    pub fn decode(bytes: &[u8]) -> Result<CallContext, CodecError> {
        let mut r = Reader::versioned(bytes, "a call's context", VERSION)?;
        let context = CallContext::read(&mut r)?;
        r.finish()?;
        Ok(context)
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.text_opt(self.span_id.as_deref());
        w.text_opt(self.parent_decision.as_deref());
        write_texts(&self.on_behalf_of, w);
        write_labels(&self.taint, w);
        write_texts(&self.source_labels, w);
        w.option(self.risk_score_milli, Writer::u32);
        w.option(self.budgets.tokens_remaining, Writer::u64);
        w.option(self.budgets.tool_calls_remaining, Writer::u64);
        w.option(self.budgets.cost_micro_usd_remaining, Writer::u64);
        w.u64(self.usage.tokens);
        w.u64(self.usage.cost_micro_usd);
        w.text_opt(self.approval_id.as_deref());
        w.text_opt(self.claimed.category.as_deref());
        w.text_opt(self.claimed.risk_tier.as_deref());
        for hash in [&self.claimed.policy_bundle, &self.claimed.prompt_bundle, &self.claimed.tool_schema] {
            w.option(hash.as_ref(), |w, hash| w.fixed(&hash.0));
        }
        w.text_opt(self.idempotency_key.as_deref());
        w.count(self.claims.len());
        for (name, digest) in &self.claims {
            w.text(name);
            w.fixed(&digest.0);
        }
        w.option(self.fulfils.as_deref(), |w, types| write_texts(types, w));
        w.bool(self.cooperative);
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<CallContext, CodecError> {
        let name = |r: &mut Reader<'_>, what| r.text_opt(what, NAME_BYTES_MAX);
        Ok(CallContext {
            span_id: name(r, "the span")?,
            parent_decision: name(r, "the parent decision")?,
            on_behalf_of: read_texts(r, "the delegation chain", CHAIN_MAX, SUBJECT_BYTES_MAX)?,
            taint: read_labels(r)?,
            source_labels: read_texts(r, "the source labels", LABELS_MAX, NAME_BYTES_MAX)?,
            risk_score_milli: r.option("the risk score", |r| r.u32("the risk score"))?,
            budgets: CallerBudgets {
                tokens_remaining: r.option("the tokens", |r| r.u64("the tokens"))?,
                tool_calls_remaining: r.option("the calls", |r| r.u64("the calls"))?,
                cost_micro_usd_remaining: r.option("the cost", |r| r.u64("the cost"))?,
            },
            usage: Usage { tokens: r.u64("the usage")?, cost_micro_usd: r.u64("the usage")? },
            approval_id: name(r, "the approval")?,
            claimed: ClaimedTool {
                category: name(r, "the category")?,
                risk_tier: name(r, "the risk tier")?,
                policy_bundle: r.option("the policy bundle", |r| r.hash("the policy bundle"))?,
                prompt_bundle: r.option("the prompt bundle", |r| r.hash("the prompt bundle"))?,
                tool_schema: r.option("the tool schema", |r| r.hash("the tool schema"))?,
            },
            idempotency_key: name(r, "the idempotency key")?,
            claims: read_claims(r)?,
            fulfils: r.option("the obligations", |r| read_texts(r, "the obligations", LABELS_MAX, NAME_BYTES_MAX))?,
            cooperative: r.bool("cooperative")?,
        })
    }
}

const VERSION: u8 = 1;

fn read_claims(r: &mut Reader<'_>) -> Result<Vec<(String, Hash)>, CodecError> {
    let count = r.count("the claims", CLAIMS_MAX)?;
    (0..count).map(|_| Ok((r.text("a claim", NAME_BYTES_MAX)?, r.hash("a claim")?))).collect()
}

pub(super) fn write_texts(texts: &[String], w: &mut Writer) {
    w.count(texts.len());
    texts.iter().for_each(|text| w.text(text));
}

pub(super) fn read_texts(
    r: &mut Reader<'_>,
    what: &'static str,
    count_max: usize,
    bytes_max: usize,
) -> Result<Vec<String>, CodecError> {
    let count = r.count(what, count_max)?;
    (0..count).map(|_| r.text(what, bytes_max)).collect()
}
