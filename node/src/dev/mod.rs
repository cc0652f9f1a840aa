//! `assentd --dev`: one voter on a laptop, with keys and certificates of its own, ready in a second. The same code as in production,
//! with one member; only the ceremony is done by the machine itself.

mod files;
mod pki;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use assent_kernel::command::{Caller, Command, CommandBody, Genesis, RequestId, Role as CallerRole};
use assent_kernel::limits::KERNEL_VERSION;
use assent_kernel::machine::Answer;
use assent_ledger::endorse::{GenesisParameters, Grant, endorse, sign_genesis};
use assent_ledger::hash::sha256;
use assent_ledger::ids::{Origin, TenantId, TreeSize};
use assent_ledger::keys::{Role, SecretKey};
use assent_ledger::seal::KeyEndorsed;

use crate::clock::{Clock, SystemClock};
use crate::identity::{IdentityError, NodeIdentity};
use crate::node::{Node, StartError};
use crate::raft::types::Member;
use crate::{random, serve, store};
use files::DevFiles;

const ORIGIN: &str = "assent.local/dev";

fn failed(error: impl core::fmt::Display) -> StartError {
    StartError(error.to_string())
}

/// Makes what is missing below `data`, runs the node, and says how to talk to it.
pub async fn run(data: PathBuf, port: u16) -> Result<(), StartError> {
    let node = start(&data, port, Arc::new(SystemClock)).await?;
    announce(&DevFiles::prepare(&data).map_err(failed)?, port);
    serve::serve(node).await
}

/// Makes what is missing below `data` (among it `client.toml`, an operator's configuration of a client) and starts the node with a ledger;
/// serves nothing yet.
pub async fn start(data: &Path, port: u16, clock: Arc<dyn Clock>) -> Result<Arc<Node>, StartError> {
    let files = DevFiles::prepare(data).map_err(failed)?;
    let config = files.config(ORIGIN, port).map_err(failed)?;
    match NodeIdentity::create(&config.data_dir) {
        Ok(_) | Err(IdentityError::Exists(_)) => {}
        Err(error) => return Err(failed(error)),
    }
    let node = Node::start_with_clock(config, clock).await?;
    bootstrap(&node, &files).await?;
    Ok(node)
}

/// Creates the ledger when there is none yet.
///
/// A crash between the initialisation of Raft and the genesis leaves a cluster without a ledger; the next start goes on with the genesis.
async fn bootstrap(node: &Arc<Node>, files: &DevFiles) -> Result<(), StartError> {
    if store::is_created(&node.store().view()) {
        return Ok(());
    }
    if !node.raft().is_initialized().await.map_err(failed)? {
        let member = Member {
            name: node.config().name.clone(),
            peer_address: node.config().peer_address().to_owned(),
            client_address: node.config().client_address().to_owned(),
        };
        node.raft().initialize(BTreeMap::from([(node.id().0, member)])).await.map_err(failed)?;
    }
    let wait = node.raft().wait(Some(Duration::from_secs(10)));
    wait.current_leader(node.id().0, "the only voter leads").await.map_err(failed)?;
    let stamp = node.stamp();
    let command = Command {
        request_id: RequestId::new(stamp.time.0 / 1000, random::bytes()),
        stamp,
        caller: Caller {
            tenant: TenantId::system(),
            subject: None,
            attested: false,
            role: CallerRole::Operator,
            credential: "bootstrap".to_owned(),
        },
        body: CommandBody::Genesis(Box::new(genesis(node, files)?)),
    };
    match node.batcher().submit(command).await.map_err(failed)?.answer {
        Answer::Refused(refusal) => Err(failed(refusal)),
        _ => Ok(()),
    }
}

fn genesis(node: &Node, files: &DevFiles) -> Result<Genesis, StartError> {
    let origin = Origin::new(ORIGIN).map_err(failed)?;
    let root = SecretKey::from_seed(&*files.root_key().map_err(failed)?);
    let identity = NodeIdentity::load(&node.config().data_dir).map_err(failed)?;
    let grant = |role, node| Grant { role, node, from_size: TreeSize(0), to_size: None };
    let sign = |key: &SecretKey, grant| endorse(&origin, &root, key.public(), grant).map_err(failed);
    let endorsements: Vec<KeyEndorsed> = vec![
        sign(&node.log_key(), grant(Role::Log, None))?,
        sign(&identity.cosigner, grant(Role::Cosigner, Some(node.id())))?,
        sign(&identity.receipt, grant(Role::Receipt, Some(node.id())))?,
    ];
    let token = files.operator_token().map_err(failed)?;
    let parameters = GenesisParameters {
        origin: origin.clone(),
        kernel_version: KERNEL_VERSION,
        quorum: 1,
        seal_entries: 1000,
        seal_seconds: 10,
        interval_max_seconds: 600,
    };
    Ok(Genesis {
        created: sign_genesis(&root, parameters),
        endorsements,
        operator: "operator".to_owned(),
        operator_token_hash: sha256(&[token.as_bytes()]),
    })
}

fn announce(files: &DevFiles, port: u16) {
    let client = files.client_config();
    println!("assent development node: one voter, ledger {ORIGIN}");
    println!("  clients   https://127.0.0.1:{port}");
    println!("  HTTP/JSON https://127.0.0.1:{}/v1/openapi.json", port.saturating_add(3));
    println!("  health    http://127.0.0.1:{}/health/ready", port.saturating_add(2));
    println!("  anchors   {}", shown(&files.anchors()));
    println!("Talk to it:");
    println!("  export ASSENT_CONFIG={}", shown(&client));
    println!("  assent cluster info");
    println!("Stop it with Ctrl-C; the data stays and the next start goes on with it.");
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
