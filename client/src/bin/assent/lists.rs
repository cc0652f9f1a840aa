//! Lists of what holds now: runs, approvals, leases, principals, kill switches, signals, active bundles.

use assent_client::{Client, ClientError, v1};
use clap::Args;
use serde_json::{Value, json};

use crate::context::Context;
use crate::output::{CliError, table};

/// Records asked for at once.
const PAGE: u32 = 500;

/// What is listed.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The tenant [default: the credential's]
    #[arg(long, default_value = "", hide_default_value = true)]
    tenant: String,
    /// Only of this subject
    #[arg(long, default_value = "", hide_default_value = true)]
    subject: String,
    /// Only in this state, such as pending or quarantined
    #[arg(long, value_name = "STATE", default_value = "", hide_default_value = true)]
    status: String,
}

/// One row for people, and the same for machines.
struct Row {
    cells: Vec<String>,
    value: Value,
}

/// Asks page by page and shows everything.
async fn show<A, F>(
    context: &Context,
    args: ListArgs,
    heading: &[&str],
    page: impl Fn(Client, v1::ListRequest) -> F,
    rows: impl Fn(A) -> (Vec<Row>, String),
) -> Result<(), CliError>
where
    F: Future<Output = Result<A, ClientError>>,
{
    let client = context.client()?;
    let ListArgs { tenant, subject, status } = args;
    let mut request = v1::ListRequest { tenant, subject, status, limit: PAGE, after: String::new() };
    let mut cells = Vec::new();
    loop {
        let (more, next) = rows(page(client.clone(), request.clone()).await?);
        for row in more {
            if context.out().is_json() {
                context.out().line(&row.value.to_string())?;
            } else {
                cells.push(row.cells);
            }
        }
        if next.is_empty() {
            break;
        }
        request.after = next;
    }
    match (context.out().is_json(), cells.is_empty()) {
        (true, _) => Ok(()),
        (false, true) => context.out().line("none"),
        (false, false) => context.out().line(table(heading, &cells).trim_end()),
    }
}

/// Runs.
pub async fn runs(context: &Context, args: ListArgs) -> Result<(), CliError> {
    let deadline = context.deadline();
    let page = |client: Client, request| async move { client.runs(request, deadline).await };
    let row = |run: v1::RunInfo| {
        let counters = run.counters.iter().map(|c| format!("{}={}", c.name, c.value)).collect::<Vec<_>>().join(" ");
        let taint = run.taint.iter().map(|t| format!("{}:{}", t.source, t.origin)).collect::<Vec<_>>().join(" ");
        let value = json!({
            "run_id": run.run_id, "subject": run.subject, "mode": run.mode, "implicit": run.implicit, "opened": run.opened,
            "counters": run.counters.iter().map(|c| (c.name.clone(), json!(c.value))).collect::<serde_json::Map<_, _>>(),
            "taint": run.taint.iter().map(|t| json!({"source": t.source, "origin": t.origin, "count": t.count})).collect::<Vec<_>>(),
            "open_intents": run.open_intents, "generation": run.generation,
            "shadow_mode": run.shadow_mode, "shadow_strikes": run.shadow_strikes,
        });
        Row { cells: vec![run.run_id, run.subject, run.mode, run.open_intents.to_string(), counters, taint], value }
    };
    let heading = ["RUN", "SUBJECT", "MODE", "OPEN", "COUNTERS", "TAINT"];
    let rows = |page: v1::RunsResponse| (page.runs.into_iter().map(row).collect(), page.next_after);
    show(context, args, &heading, page, rows).await
}

/// Approvals.
pub async fn approvals(context: &Context, args: ListArgs) -> Result<(), CliError> {
    let deadline = context.deadline();
    let page = |client: Client, request| async move { client.approvals(request, deadline).await };
    let row = |approval: v1::ApprovalInfo| {
        let value = json!({
            "approval_id": approval.approval_id, "status": approval.status, "decision_id": approval.decision_id,
            "subject": approval.subject, "on_behalf_of": approval.on_behalf_of, "run_id": approval.run_id,
            "environment": approval.environment, "tool": approval.tool, "roles": approval.roles,
            "required": approval.required, "fields": approval.fields, "expires": approval.expires,
            "agreed": approval.agreed, "conditions": approval.conditions,
        });
        let votes = format!("{} of {}", approval.agreed.len(), approval.required);
        let cells = vec![
            approval.approval_id,
            approval.status,
            approval.tool,
            approval.subject,
            votes,
            approval.roles.join(" "),
            approval.expires,
        ];
        Row { cells, value }
    };
    let heading = ["APPROVAL", "STATUS", "TOOL", "SUBJECT", "AGREED", "ROLES", "EXPIRES"];
    let rows = |page: v1::ApprovalsResponse| (page.approvals.into_iter().map(row).collect(), page.next_after);
    show(context, args, &heading, page, rows).await
}

/// Leases.
pub async fn leases(context: &Context, args: ListArgs) -> Result<(), CliError> {
    let deadline = context.deadline();
    let page = |client: Client, request| async move { client.leases(request, deadline).await };
    let row = |lease: v1::LeaseInfo| {
        let value = json!({
            "lease_id": lease.lease_id, "holder": lease.holder, "run_id": lease.run_id, "environment": lease.environment,
            "class": lease.class, "actions": lease.actions, "calls_left": lease.calls_left, "expires": lease.expires,
            "revoked": lease.revoked, "parent": lease.parent,
        });
        let left = if lease.revoked { "revoked".to_owned() } else { lease.calls_left.to_string() };
        let what = format!("{}: {}", lease.class, lease.actions.join(" "));
        Row { cells: vec![lease.lease_id, lease.holder, what, left, lease.expires], value }
    };
    let heading = ["LEASE", "HOLDER", "CAPABILITY", "CALLS LEFT", "EXPIRES"];
    let rows = |page: v1::LeasesResponse| (page.leases.into_iter().map(row).collect(), page.next_after);
    show(context, args, &heading, page, rows).await
}

/// Outstanding decisions.
pub async fn intents(context: &Context, args: ListArgs) -> Result<(), CliError> {
    let deadline = context.deadline();
    let page = |client: Client, request| async move { client.intents(request, deadline).await };
    let row = |one: v1::IntentInfo| {
        let value = json!({
            "seq": one.seq.to_string(), "decision_id": one.decision_id, "run_id": one.run_id, "subject": one.subject,
            "environment": one.environment, "tool": one.tool, "status": one.status, "expires": one.expires,
            "redeemer": one.redeemer,
        });
        let cells = vec![one.seq.to_string(), one.decision_id, one.status, one.tool, one.subject, one.redeemer];
        Row { cells, value }
    };
    let heading = ["SEQ", "DECISION", "STATUS", "TOOL", "SUBJECT", "REDEEMED BY"];
    let rows = |page: v1::IntentsResponse| (page.intents.into_iter().map(row).collect(), page.next_after);
    show(context, args, &heading, page, rows).await
}

/// Principals.
pub async fn principals(context: &Context, args: ListArgs) -> Result<(), CliError> {
    let deadline = context.deadline();
    let page = |client: Client, request| async move { client.principals(request, deadline).await };
    let row = |one: v1::PrincipalInfo| {
        let value = json!({"subject": one.subject, "owner": one.owner, "disabled": one.disabled});
        let state = if one.disabled { "disabled" } else { "enabled" };
        Row { cells: vec![one.subject, state.to_owned(), one.owner], value }
    };
    let rows = |page: v1::PrincipalsResponse| (page.principals.into_iter().map(row).collect(), page.next_after);
    show(context, args, &["PRINCIPAL", "STATE", "OWNER"], page, rows).await
}

/// Kill switches.
pub async fn kill_switches(context: &Context, args: ListArgs) -> Result<(), CliError> {
    let deadline = context.deadline();
    let page = |client: Client, request| async move { client.kill_switches(request, deadline).await };
    let row = |one: v1::KillSwitchInfo| {
        let value = json!({"target": one.target, "name": one.name, "engaged": one.engaged, "changed": one.changed});
        let state = if one.engaged { "engaged" } else { "released" };
        Row { cells: vec![one.target, one.name, state.to_owned(), one.changed], value }
    };
    let rows = |page: v1::KillSwitchesResponse| (page.switches.into_iter().map(row).collect(), page.next_after);
    show(context, args, &["TARGET", "NAME", "STATE", "SINCE"], page, rows).await
}

/// Active bundles.
pub async fn active_bundles(context: &Context, args: ListArgs) -> Result<(), CliError> {
    let deadline = context.deadline();
    let page = |client: Client, request| async move { client.active_bundles(request, deadline).await };
    let row = |one: v1::ActiveBundleInfo| {
        let hash = hex::encode(&one.bundle_hash);
        Row { value: json!({"environment": one.environment, "bundle": hash}), cells: vec![one.environment, hash] }
    };
    let rows = |page: v1::ActiveBundlesResponse| (page.bundles.into_iter().map(row).collect(), page.next_after);
    show(context, args, &["ENVIRONMENT", "BUNDLE"], page, rows).await
}

/// Signals that still hold.
pub async fn signals(context: &Context, args: ListArgs) -> Result<(), CliError> {
    let deadline = context.deadline();
    let page = |client: Client, request| async move { client.signals(request, deadline).await };
    let row = |one: v1::SignalInfo| {
        let value = |v: &v1::SignalValue| json!({"signal": v.signal, "value": v.number, "expires": v.expires});
        let values: Vec<Value> = one.values.iter().map(value).collect();
        let shown: Vec<String> = one.values.iter().map(|v| format!("{}={}", v.signal, v.number)).collect();
        let until = one.values.iter().map(|v| v.expires.as_str()).max().unwrap_or_default().to_owned();
        let value = json!({"scope": one.scope, "name": one.name, "signals": values});
        Row { cells: vec![one.scope, one.name, shown.join(" "), until], value }
    };
    let rows = |page: v1::SignalsResponse| (page.signals.into_iter().map(row).collect(), page.next_after);
    show(context, args, &["ABOUT", "NAME", "SIGNALS", "UNTIL"], page, rows).await
}
