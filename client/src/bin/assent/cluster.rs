//! `assent cluster`: creating the ledger, looking at the nodes, changing the membership.

use std::path::PathBuf;

use assent_client::v1;
use assent_ledger::endorse::Keyring;
use assent_ledger::hash::sha256;
use assent_ledger::ids::{NodeId, Origin};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::context::Context;
use crate::identity::NodeIdentity;
use crate::keys;
use crate::output::{CliError, table};

/// Cluster commands.
#[derive(Debug, Subcommand)]
pub enum Cluster {
    /// Creates the ledger: once, before anything else, on one of the nodes
    Bootstrap(BootstrapArgs),
    /// Shows the nodes
    Info(InfoArgs),
    /// Adds a node that follows without a vote
    AddLearner {
        /// Identity file of the node
        #[arg(value_name = "IDENTITY")]
        identity: PathBuf,
    },
    /// Sets the voters: all of them, by node id
    Voters {
        /// Node ids, 16 hexadecimal digits each
        #[arg(value_name = "ID", required = true)]
        ids: Vec<NodeId>,
    },
    /// Hands leadership to a node
    Transfer {
        /// Node id [default: the follower that is furthest]
        #[arg(value_name = "ID")]
        id: Option<NodeId>,
    },
}

/// A new ledger.
#[derive(Debug, Args)]
pub struct BootstrapArgs {
    /// Identity files of the founding nodes (from assentd init)
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    identities: Vec<PathBuf>,
    /// List of endorsements for the log key and the nodes' keys
    #[arg(long, value_name = "FILE")]
    endorsements: PathBuf,
    /// The ledger's parameters, signed by the root key (from assent keys genesis)
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,
    /// The ledger's origin [default: the configuration's, whose root key must then be the genesis's too]
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
    /// Name of the first operator credential; its token is the configuration's token_file
    #[arg(long, value_name = "NAME", default_value = "operator")]
    operator_name: String,
}

/// What to show.
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// Ask every node for its own tree, not only the one that answers
    #[arg(long)]
    all: bool,
}

pub async fn run(context: &Context, command: Cluster) -> Result<(), CliError> {
    match command {
        Cluster::Bootstrap(args) => bootstrap(context, &args).await,
        Cluster::Info(args) => info(context, &args).await,
        Cluster::AddLearner { identity } => {
            let member = NodeIdentity::read(&identity)?.member(false);
            let answer = context.client()?.add_learner(member, context.deadline()).await?;
            membership(context, answer)
        }
        Cluster::Voters { ids } => {
            let voters = ids.iter().map(NodeId::to_string).collect();
            let answer = context.client()?.change_members(voters, context.deadline()).await?;
            membership(context, answer)
        }
        Cluster::Transfer { id } => {
            let id = id.map(|id| id.to_string()).unwrap_or_default();
            let answer = context.client()?.transfer_leader(id, context.deadline()).await?;
            membership(context, answer)
        }
    }
}

fn membership(context: &Context, answer: v1::MembershipResponse) -> Result<(), CliError> {
    let value = json!({"log_index": answer.log_index.to_string()});
    context.out().emit(&value, || format!("done at Raft log index {}", answer.log_index))
}

async fn bootstrap(context: &Context, args: &BootstrapArgs) -> Result<(), CliError> {
    let created = keys::read_genesis(&args.genesis)?;
    let (origin, root) = match &args.origin {
        Some(text) => (Origin::new(text.as_str()).map_err(|e| CliError::Usage(e.to_string()))?, created.root_key),
        None => context.pinned()?,
    };
    let genesis = keys::canonical_genesis(&created)?;
    Keyring::new(origin.clone(), root)
        .create(created)
        .map_err(|e| CliError::Usage(format!("{}: {e}", args.genesis.display())))?;
    let nodes = args.identities.iter().map(|f| NodeIdentity::read(f)).collect::<Result<Vec<_>, _>>()?;
    let endorsements = keys::endorsements_for(&args.endorsements, &origin, &root, &nodes)?;
    let token = context.token()?;
    let request = v1::BootstrapRequest {
        request_id: context.request_id(),
        origin: origin.to_string(),
        members: nodes.iter().map(|node| node.member(true)).collect(),
        genesis: genesis.into(),
        endorsements: endorsements.into_iter().map(Into::into).collect(),
        operator_name: args.operator_name.clone(),
        operator_token_hash: sha256(&[token.as_bytes()]).as_bytes().to_vec().into(),
    };
    let answer = context.client()?.bootstrap(request, context.deadline()).await?;
    let value = json!({
        "origin": origin.as_str(), "first_seq": answer.first_seq.to_string(), "entries": answer.entries,
        "replayed": answer.replayed,
    });
    context
        .out()
        .emit(&value, || format!("ledger {origin} created with {} entries by {} nodes", answer.entries, nodes.len()))
}

async fn info(context: &Context, args: &InfoArgs) -> Result<(), CliError> {
    let client = context.client()?;
    let first = client.cluster_info(context.deadline()).await?;
    let mut infos = vec![first.clone()];
    let mut unreachable = Vec::new();
    if args.all {
        for member in first.members.iter().filter(|m| m.node_id != first.node_id) {
            match client.cluster_info_of(&member.client_address, context.deadline()).await {
                Ok(info) => infos.push(info),
                Err(error) => unreachable.push((member.node_id.clone(), error.to_string())),
            }
        }
    }
    let furthest = infos.iter().map(|info| info.applied_index).max().unwrap_or(0);
    let rows: Vec<Vec<String>> = first
        .members
        .iter()
        .map(|member| {
            let info = infos.iter().find(|info| info.node_id == member.node_id);
            member_row(member, info, &first.leader_id, furthest)
        })
        .collect();
    let value = json!({
        "origin": first.origin, "leader": first.leader_id, "term": first.term.to_string(),
        "nodes": infos.iter().map(|i| info_json(i, &first)).collect::<Vec<_>>(),
        "unreachable": unreachable.iter().map(|(id, why)| json!({"node": id, "error": why})).collect::<Vec<_>>(),
    });
    context.out().emit(&value, || {
        let leader = if first.leader_id.is_empty() { "none known" } else { &first.leader_id };
        let mut text = format!("ledger {}, term {}, leader {leader}\n", first.origin, first.term);
        let heading =
            ["NODE", "NAME", "ROLE", "ADDRESS", "SIZE", "SEALED", "COSIGNED", "LAG", "ROOT", "DIGEST", "STATE"];
        text.push_str(&table(&heading, &rows));
        for (id, why) in &unreachable {
            text.push_str(&format!("{id}: {why}\n"));
        }
        text
    })
}

fn role(member: &v1::MemberInfo, leader: &str) -> &'static str {
    match (member.node_id == leader, member.voter) {
        (true, _) => "leader",
        (false, true) => "voter",
        (false, false) => "learner",
    }
}

fn member_row(
    member: &v1::MemberInfo,
    info: Option<&v1::ClusterInfoResponse>,
    leader: &str,
    furthest: u64,
) -> Vec<String> {
    let mut row = vec![
        member.node_id.clone(),
        member.name.clone(),
        role(member, leader).to_owned(),
        member.client_address.clone(),
    ];
    match info {
        Some(info) => {
            let state = if info.fenced { format!("FENCED: {}", info.fence_reason) } else { info.server_state.clone() };
            row.extend([
                info.size.to_string(),
                info.last_sealed_size.to_string(),
                info.last_cosigned_size.to_string(),
                furthest.saturating_sub(info.applied_index).to_string(),
                short(&info.root),
                short(&info.state_digest),
                state,
            ]);
        }
        None => row.extend(["-", "-", "-", "-", "-", "-", "-"].map(str::to_owned)),
    }
    row
}

fn info_json(info: &v1::ClusterInfoResponse, first: &v1::ClusterInfoResponse) -> serde_json::Value {
    let member = first.members.iter().find(|m| m.node_id == info.node_id);
    json!({
        "node": info.node_id,
        "name": member.map(|m| m.name.as_str()),
        "client_address": member.map(|m| m.client_address.as_str()),
        "role": member.map(|m| role(m, &first.leader_id)),
        "size": info.size.to_string(),
        "root": hex::encode(&info.root),
        "state_digest": hex::encode(&info.state_digest),
        "applied_index": info.applied_index.to_string(),
        "committed_index": info.committed_index.to_string(),
        "last_log_index": info.last_log_index.to_string(),
        "last_sealed_size": info.last_sealed_size.to_string(),
        "last_cosigned_size": info.last_cosigned_size.to_string(),
        "last_anchored_size": info.last_anchored_size.to_string(),
        "fenced": info.fenced,
        "fence_reason": info.fence_reason,
        "kernel_version": info.kernel_version,
        "server_state": info.server_state,
    })
}

/// The first sixteen digits of a digest: enough to compare by eye.
fn short(bytes: &[u8]) -> String {
    hex::encode(bytes.get(..8).unwrap_or(bytes))
}
