//! Endorsing, retiring, showing and submitting keys.

use std::path::{Path, PathBuf};

use assent_client::v1;
use assent_ledger::endorse::{Grant, endorse as sign_endorsement, retire as sign_retirement, verify_endorsement};
use assent_ledger::ids::{NodeId, Origin, TreeSize};
use assent_ledger::json;
use assent_ledger::keys::{PublicKey, Role};
use assent_ledger::seal::{KeyEndorsed, KeyRetired};
use clap::Args;
use serde_json::Value;
use serde_json::json;

use super::{genesis, warn_root};
use crate::context::Context;
use crate::files;
use crate::identity::NodeIdentity;
use crate::output::{CliError, table};

/// Endorsements.
#[derive(Debug, Args)]
pub struct EndorseArgs {
    /// The root key's file
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    /// The ledger's origin
    #[arg(long, value_name = "ORIGIN")]
    origin: String,
    /// The public log key to endorse: hexadecimal or a .pub file
    #[arg(long, value_name = "PUB")]
    log: Option<String>,
    /// Identity file of a node (from assentd init) whose keys to endorse; may be repeated
    #[arg(long = "node", value_name = "FILE")]
    nodes: Vec<PathBuf>,
    /// First checkpoint size at which the keys hold; 0 for a new ledger. Receipt keys always hold from 0
    #[arg(long, value_name = "SIZE")]
    from: u64,
    /// Last checkpoint size at which the keys hold [default: open]
    #[arg(long, value_name = "SIZE")]
    to: Option<u64>,
    /// The list to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// A retirement.
#[derive(Debug, Args)]
pub struct RetireArgs {
    /// The root key's file
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    /// The ledger's origin
    #[arg(long, value_name = "ORIGIN")]
    origin: String,
    /// The key's role: log, cosigner or receipt
    #[arg(long)]
    role: Role,
    /// The key's node id; none for the log key
    #[arg(long = "node", value_name = "ID")]
    node: Option<NodeId>,
    /// The public key: hexadecimal or a .pub file
    #[arg(long, value_name = "PUB")]
    public_key: String,
    /// Last checkpoint size at which the key still holds
    #[arg(long, value_name = "SIZE")]
    to: u64,
    /// The list to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// A file to show.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Key file, .pub file, identity file, genesis or list
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// A list to submit.
#[derive(Debug, Args)]
pub struct SubmitArgs {
    /// List of endorsements and retirements
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// An item of a list: what the root key said about a key.
#[derive(Debug, Clone)]
pub enum Statement {
    /// It holds a role.
    Endorsed(KeyEndorsed),
    /// Its interval ends.
    Retired(KeyRetired),
}

impl Statement {
    /// The canonical body that goes on the ledger.
    pub fn canonical(&self) -> Result<Vec<u8>, CliError> {
        let value = match self {
            Statement::Endorsed(body) => body.to_value(),
            Statement::Retired(body) => body.to_value(),
        };
        value.to_bytes().map_err(|e| CliError::Failed(e.to_string()))
    }

    fn row(&self) -> Vec<String> {
        let (what, role, name, key, from, to) = match self {
            Statement::Endorsed(b) => (
                "endorsed",
                b.role,
                &b.key_name,
                b.public_key,
                b.from_size.to_string(),
                b.to_size.map(|n| n.to_string()),
            ),
            Statement::Retired(b) => {
                ("retired", b.role, &b.key_name, b.public_key, "-".to_owned(), Some(b.to_size.to_string()))
            }
        };
        let to = to.unwrap_or_else(|| "open".to_owned());
        vec![what.to_owned(), role.to_string(), from, to, key.to_string(), name.clone()]
    }
}

pub fn endorse(context: &Context, args: &EndorseArgs) -> Result<(), CliError> {
    let origin = origin(&args.origin)?;
    let root = files::read_signing_key(&args.root)?;
    let mut wanted: Vec<(PublicKey, Role, Option<NodeId>)> = Vec::new();
    if let Some(log) = &args.log {
        wanted.push((files::public_key(log, Path::new("."))?, Role::Log, None));
    }
    for file in &args.nodes {
        let identity = NodeIdentity::read(file)?;
        wanted.push((identity.cosigner, Role::Cosigner, Some(identity.node)));
        wanted.push((identity.receipt, Role::Receipt, Some(identity.node)));
    }
    if wanted.is_empty() {
        return Err(CliError::Usage("nothing to endorse; give --log or --node".to_owned()));
    }
    let mut statements = Vec::new();
    for (key, role, node) in wanted {
        // A node repeats answers about entries that are older than itself: callers must be able to verify these receipts, too.
        let from = if role == Role::Receipt { 0 } else { args.from };
        let grant = Grant { role, node, from_size: TreeSize(from), to_size: args.to.map(TreeSize) };
        let body = sign_endorsement(&origin, &root, key, grant).map_err(|e| CliError::Usage(e.to_string()))?;
        statements.push(Statement::Endorsed(body));
    }
    warn_root(&args.root);
    write_list(context, &args.out, &statements)
}

pub fn retire(context: &Context, args: &RetireArgs) -> Result<(), CliError> {
    let origin = origin(&args.origin)?;
    let root = files::read_signing_key(&args.root)?;
    let key = files::public_key(&args.public_key, Path::new("."))?;
    let name = args.role.key_name(&origin, args.node).ok_or_else(|| {
        CliError::Usage("give --node for cosigner and receipt keys, and none for the log key".to_owned())
    })?;
    let body = sign_retirement(&origin, &root, args.role, &name, key, TreeSize(args.to));
    warn_root(&args.root);
    write_list(context, &args.out, &[Statement::Retired(body)])
}

/// Reads a list: a JSON array of canonical bodies.
pub fn read_list(path: &Path) -> Result<Vec<Statement>, CliError> {
    let bytes = files::read(path)?;
    let bad = |what: String| CliError::Usage(format!("{}: {what}", path.display()));
    let text = bytes.trim_ascii_end();
    let value = json::parse(text).map_err(|e| bad(e.to_string()))?;
    let items = value.as_list().ok_or_else(|| bad("expected a list of endorsements".to_owned()))?;
    items
        .iter()
        .map(|item| match item.get("algorithm") {
            Some(_) => KeyEndorsed::from_value(item).map(Statement::Endorsed),
            None => KeyRetired::from_value(item).map(Statement::Retired),
        })
        .collect::<Result<_, _>>()
        .map_err(|e| bad(e.to_string()))
}

/// The endorsements of a list, each checked against the root key; anything else in it is an error.
pub fn read_endorsements(path: &Path, origin: &Origin, root: &PublicKey) -> Result<Vec<KeyEndorsed>, CliError> {
    let bad = |what: String| CliError::Usage(format!("{}: {what}", path.display()));
    let mut out = Vec::new();
    for statement in read_list(path)? {
        let Statement::Endorsed(body) = statement else {
            return Err(bad("expected endorsements only".to_owned()));
        };
        verify_endorsement(origin, root, &body).map_err(|e| bad(format!("{}: {e}", body.key_name)))?;
        out.push(body);
    }
    Ok(out)
}

fn write_list(context: &Context, path: &Path, statements: &[Statement]) -> Result<(), CliError> {
    let mut bytes = b"[".to_vec();
    for (position, statement) in statements.iter().enumerate() {
        if position > 0 {
            bytes.push(b',');
        }
        bytes.extend_from_slice(&statement.canonical()?);
    }
    bytes.extend_from_slice(b"]\n");
    files::write_public(path, &bytes)?;
    print(context, statements)
}

fn print(context: &Context, statements: &[Statement]) -> Result<(), CliError> {
    let rows: Vec<Vec<String>> = statements.iter().map(Statement::row).collect();
    let items: Vec<Value> = statements
        .iter()
        .map(|s| Ok(serde_json::from_slice(&s.canonical()?).unwrap_or(Value::Null)))
        .collect::<Result<_, CliError>>()?;
    context.out().emit(&Value::Array(items), || table(&["WHAT", "ROLE", "FROM", "TO", "PUBLIC KEY", "NAME"], &rows))
}

pub fn show(context: &Context, args: &ShowArgs) -> Result<(), CliError> {
    let bytes = zeroize::Zeroizing::new(files::read(&args.file)?);
    match bytes.first() {
        Some(b'[') => print(context, &read_list(&args.file)?),
        Some(b'{') if genesis::is_genesis(&bytes) => genesis::print(context, &genesis::read_genesis(&args.file)?),
        Some(b'{') => {
            let identity = NodeIdentity::read(&args.file)?;
            let value = json!({
                "node": identity.node.to_string(), "name": identity.name,
                "cosigner": identity.cosigner.to_string(), "receipt": identity.receipt.to_string(),
                "client_address": identity.client_address, "peer_address": identity.peer_address,
            });
            let rows = vec![
                vec!["cosigner".to_owned(), identity.cosigner.to_string(), identity.node.to_string()],
                vec!["receipt".to_owned(), identity.receipt.to_string(), identity.node.to_string()],
            ];
            context.out().emit(&value, || table(&["ROLE", "PUBLIC KEY", "NODE"], &rows))
        }
        _ => {
            let is_public = args.file.extension().is_some_and(|e| e == "pub");
            let key = if is_public {
                files::public_key(&args.file.display().to_string(), Path::new(""))?
            } else {
                files::read_signing_key(&args.file)?.public()
            };
            context.out().emit(&json!({"public": key.to_string()}), || format!("public key  {key}"))
        }
    }
}

pub async fn submit(context: &Context, args: &SubmitArgs) -> Result<(), CliError> {
    let statements = read_list(&args.file)?;
    if statements.len() > 1 {
        context.must_be_fresh("each statement of the list is a command of its own")?;
    }
    let client = context.client()?;
    for statement in &statements {
        let body = statement.canonical()?.into();
        let answer = match statement {
            Statement::Endorsed(_) => {
                let request = v1::EndorseKeyRequest { request_id: context.request_id(), endorsement: body };
                client.endorse_key(request, context.deadline()).await?
            }
            Statement::Retired(_) => {
                let request = v1::RetireKeyRequest { request_id: context.request_id(), retirement: body };
                client.retire_key(request, context.deadline()).await?
            }
        };
        let row = statement.row().join("  ");
        let value = json!({"seq": answer.first_seq.to_string(), "replayed": answer.replayed});
        context.out().emit(&value, || format!("entry {}  {row}", answer.first_seq))?;
    }
    Ok(())
}

/// A ledger's name from the command line.
pub fn origin(text: &str) -> Result<Origin, CliError> {
    Origin::new(text).map_err(|e| CliError::Usage(e.to_string()))
}
