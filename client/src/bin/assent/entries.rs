//! `assent entries` and `assent show`: reading the ledger.

use assent_client::v1;
use assent_ledger::entry::EntryView;
use assent_ledger::hash::leaf_hash;
use assent_ledger::json::Value as LedgerValue;
use clap::Args;
use serde_json::{Value, json};

use crate::context::Context;
use crate::output::{CliError, fields};

/// Which entries.
#[derive(Debug, Args)]
pub struct EntriesArgs {
    /// First position
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    from: u64,
    /// At most this many [default: all that there are]
    #[arg(long, value_name = "N", default_value_t = 0)]
    limit: u64,
    /// Only this tenant's; - for the system's
    #[arg(long, default_value = "", hide_default_value = true)]
    tenant: String,
    /// Only this run's
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    run: String,
    /// Only this type, such as dare.policy.decision
    #[arg(long = "type", value_name = "TYPE", default_value = "", hide_default_value = true)]
    kind: String,
    /// Only decisions with this verdict
    #[arg(long, value_enum)]
    verdict: Option<VerdictArg>,
    /// Only decisions about this tool
    #[arg(long, value_name = "TOOL", default_value = "", hide_default_value = true)]
    tool: String,
    /// Only entries from this time on, such as 2026-01-02T03:04:05.000000Z
    #[arg(long, value_name = "TIME", default_value = "", hide_default_value = true)]
    since: String,
    /// Only entries before this time
    #[arg(long, value_name = "TIME", default_value = "", hide_default_value = true)]
    until: String,
    /// Go on with new entries as they come
    #[arg(long)]
    follow: bool,
}

/// Verdicts.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum VerdictArg {
    /// Denied
    Deny,
    /// A person has to decide
    Escalate,
    /// Replaced
    Compute,
    /// Allowed
    Allow,
}

impl VerdictArg {
    const fn wire(self) -> v1::Verdict {
        match self {
            VerdictArg::Deny => v1::Verdict::Deny,
            VerdictArg::Escalate => v1::Verdict::Escalate,
            VerdictArg::Compute => v1::Verdict::Compute,
            VerdictArg::Allow => v1::Verdict::Allow,
        }
    }
}

/// One entry.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Its position
    #[arg(value_name = "SEQ")]
    seq: u64,
}

pub async fn list(context: &Context, args: EntriesArgs) -> Result<(), CliError> {
    let client = context.client()?;
    let request = v1::EntriesRequest {
        from_seq: args.from,
        limit: args.limit,
        tenant: args.tenant,
        run_id: args.run,
        r#type: args.kind,
        follow: args.follow,
        verdict: args.verdict.map_or(v1::Verdict::Unspecified, VerdictArg::wire).into(),
        tool: args.tool,
        from_time: args.since,
        until_time: args.until,
    };
    let mut entries = client.entries(request, context.deadline()).await?;
    if !context.out().is_json() {
        context.out().line(&row(["SEQ", "TIME", "TENANT", "TYPE", "VERDICT", "TOOL OR ACTOR"]))?;
    }
    while let Some(record) = entries.next().await? {
        let value = to_json(&record)?;
        let text = if record.leaf.is_empty() { hidden(&record) } else { line(&record.leaf)? };
        context.out().emit(&value, || text)?;
    }
    Ok(())
}

pub async fn show(context: &Context, args: ShowArgs) -> Result<(), CliError> {
    let client = context.client()?;
    let request = v1::EntriesRequest { from_seq: args.seq, limit: 1, ..Default::default() };
    let mut entries = client.entries(request, context.deadline()).await?;
    let record = entries.next().await?.filter(|record| record.seq == args.seq);
    let Some(record) = record else {
        return Err(CliError::Failed(format!("there is no entry {} that you may see", args.seq)));
    };
    let value = to_json(&record)?;
    if record.leaf.is_empty() {
        return context.out().emit(&value, || hidden(&record));
    }
    let text = full(&record.leaf)?;
    context.out().emit(&value, || text)
}

/// The record as JSON; the leaf stands in it as the object that it is, and its bytes are canonical already.
pub fn to_json(record: &v1::EntryRecord) -> Result<Value, CliError> {
    if record.leaf.is_empty() {
        return Ok(json!({"seq": record.seq.to_string(), "leaf_hash": hex::encode(&record.leaf_hash)}));
    }
    let hash = leaf_hash(&record.leaf).to_string();
    let leaf: Value = serde_json::from_slice(&record.leaf).map_err(|e| malformed(record.seq, &e.to_string()))?;
    Ok(json!({"seq": record.seq.to_string(), "leaf_hash": hash, "leaf": leaf}))
}

fn malformed(seq: u64, what: &str) -> CliError {
    CliError::Failed(format!("entry {seq} is malformed: {what}"))
}

fn hidden(record: &v1::EntryRecord) -> String {
    let hash = hex::encode(&record.leaf_hash);
    format!("{:>8}  {hash}  (another tenant's: only the hash is shown)", record.seq)
}

fn row(cells: [&str; 6]) -> String {
    let [seq, time, tenant, kind, verdict, what] = cells;
    format!("{seq:>8}  {time:<27}  {tenant:<16}  {kind:<28}  {verdict:<8}  {what}").trim_end().to_owned()
}

fn line(leaf: &[u8]) -> Result<String, CliError> {
    let view = EntryView::parse(leaf).map_err(|e| CliError::Failed(format!("an entry is malformed: {e}")))?;
    let body = view.body_value().map_err(|e| malformed(view.seq.0, &e.to_string()))?;
    let text = |field: &str| body.get(field).and_then(LedgerValue::as_str).unwrap_or_default().to_owned();
    let tool = text("tool");
    let what = if tool.is_empty() { view.actor.as_deref().unwrap_or_default().to_owned() } else { tool };
    let (seq, time) = (view.seq.to_string(), view.time.to_string());
    Ok(row([&seq, &time, view.tenant, view.kind, &text("verdict"), &what]))
}

fn full(leaf: &[u8]) -> Result<String, CliError> {
    let view = EntryView::parse(leaf).map_err(|e| CliError::Failed(format!("the entry is malformed: {e}")))?;
    let mut pairs = vec![
        ("seq", view.seq.to_string()),
        ("time", view.time.to_string()),
        ("type", view.kind.to_owned()),
        ("tenant", format!("{} (number {} of its entries)", view.tenant, view.tseq)),
        ("event", view.event_id.to_string()),
    ];
    let optional = [("run", &view.run_id), ("trace", &view.trace_id), ("actor", &view.actor)];
    pairs.extend(optional.into_iter().filter_map(|(name, text)| text.as_ref().map(|text| (name, text.to_string()))));
    pairs.extend([
        ("prev", view.prev.to_string()),
        ("tprev", view.tprev.to_string()),
        ("leaf hash", leaf_hash(leaf).to_string()),
    ]);
    for payload in view.payloads() {
        let text =
            format!("{} {} ({}, {} bytes)", payload.role, payload.commitment, payload.content_type, payload.length);
        pairs.push(("payload", text));
    }
    let body: Value = serde_json::from_str(view.body).map_err(|e| malformed(view.seq.0, &e.to_string()))?;
    Ok(format!("{}body {body:#}", fields(&pairs)))
}
