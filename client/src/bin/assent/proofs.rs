//! `assent prove`, `check-proof` and `receipt verify`.

use std::path::PathBuf;

use assent_client::{TlogProof, TlogProofError};
use assent_ledger::checkpoint::{Checkpoint, VerifiedCheckpoint};
use assent_ledger::entry::EntryView;
use assent_ledger::keys::Role;
use assent_ledger::note::Note;
use assent_ledger::receipt::{Receipt as LedgerReceipt, VerifiedReceipt};
use assent_ledger::seal::KeyEndorsed;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::context::Context;
use crate::files;
use crate::keys;
use crate::output::{CliError, fields};

/// An entry to prove.
#[derive(Debug, Args)]
pub struct ProveArgs {
    /// Its position
    #[arg(value_name = "SEQ")]
    seq: u64,
    /// The file to write, as a rule with the ending .tlog-proof
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
}

/// A proof to check.
#[derive(Debug, Args)]
pub struct CheckProofArgs {
    /// The proof
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The leaf's bytes, when the proof does not carry them
    #[arg(long, value_name = "FILE")]
    leaf: Option<PathBuf>,
    /// Check offline with the log key in this list of endorsements (each checked against the root key); cosignatures
    /// are then not counted
    #[arg(long, value_name = "FILE")]
    endorsements: Option<PathBuf>,
}

/// Receipt commands.
#[derive(Debug, Subcommand)]
pub enum Receipt {
    /// Verifies a receipt
    Verify {
        /// The receipt
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Check offline with the receipt key in this list of endorsements (each checked against the root key)
        #[arg(long, value_name = "FILE")]
        endorsements: Option<PathBuf>,
    },
}

pub async fn prove(context: &Context, args: ProveArgs) -> Result<(), CliError> {
    files::refuse_existing([args.out.as_path()])?;
    let (client, _) = context.verifying_client()?;
    let proven = client.prove(args.seq, context.deadline()).await?;
    files::write_public(&args.out, &proven.proof.to_bytes())?;
    let checkpoint = proven.checkpoint.verified.checkpoint();
    let cosigners = proven.checkpoint.cosigned.valid.len();
    let value = json!({
        "seq": args.seq.to_string(), "size": checkpoint.size.to_string(), "root": checkpoint.root.to_string(),
        "cosigners": cosigners, "file": args.out, "leaf_included": proven.leaf.is_some(),
    });
    context.out().emit(&value, || {
        format!(
            "entry {} is in {} at size {} under root {}, cosigned by {cosigners} nodes; proof in {}",
            args.seq,
            checkpoint.origin,
            checkpoint.size,
            checkpoint.root,
            args.out.display()
        )
    })
}

pub async fn check_proof(context: &Context, args: CheckProofArgs) -> Result<(), CliError> {
    let wrap = |e: TlogProofError| CliError::Failed(format!("NOT VALID: {}: {e}", args.file.display()));
    let proof = TlogProof::parse(&files::read(&args.file)?).map_err(wrap)?;
    let leaf = args.leaf.as_deref().map(files::read).transpose()?;
    let (checkpoint, cosigners) = match &args.endorsements {
        Some(list) => (offline_checkpoint(context, list, &proof.checkpoint)?, None),
        None => {
            let (client, trust) = context.verifying_client()?;
            let checked = trust.checkpoint(&client, &proof.checkpoint).await?;
            let count = checked.cosigned.valid.len();
            (checked.verified, Some(count))
        }
    };
    let leaf = proof.verify(&checkpoint, leaf.as_deref()).map_err(wrap)?;
    let view = EntryView::parse(&leaf).map_err(|e| CliError::Failed(format!("NOT VALID: the leaf: {e}")))?;
    if view.seq != proof.index || view.origin != checkpoint.origin().as_str() {
        return Err(CliError::Failed(
            "NOT VALID: the leaf states another position or ledger than its proof".to_owned(),
        ));
    }
    let value = json!({
        "valid": true, "seq": proof.index.to_string(), "origin": checkpoint.origin().as_str(),
        "size": checkpoint.size().to_string(), "root": checkpoint.root().to_string(), "cosigners": cosigners,
        "type": view.kind, "time": view.time.to_string(),
    });
    context.out().emit(&value, || {
        let cosigned = cosigners.map_or("cosignatures not counted".to_owned(), |n| format!("cosigned by {n} nodes"));
        format!(
            "VALID: entry {} ({}, {}) is in {} at size {}, {cosigned}",
            proof.index,
            view.kind,
            view.time,
            checkpoint.origin(),
            checkpoint.size()
        )
    })
}

/// Verifies a checkpoint with the log key that a list endorses for its size.
fn offline_checkpoint(context: &Context, list: &std::path::Path, note: &[u8]) -> Result<VerifiedCheckpoint, CliError> {
    let (origin, root) = context.pinned()?;
    let not_valid = |e: &dyn std::fmt::Display| CliError::Failed(format!("NOT VALID: the checkpoint: {e}"));
    let parsed = Note::parse(note).map_err(|e| not_valid(&e))?;
    let size = Checkpoint::parse(parsed.text()).map_err(|e| not_valid(&e))?.size;
    let endorsed = keys::read_endorsements(list, &origin, &root)?;
    let holds = |e: &&KeyEndorsed| e.from_size <= size && e.to_size.is_none_or(|to| size <= to);
    let mut last = CliError::Failed(format!("NOT VALID: no log key is endorsed for size {size} in {}", list.display()));
    for body in endorsed.iter().filter(|e| e.role == Role::Log).filter(holds) {
        match VerifiedCheckpoint::verify(note, &origin, &body.public_key) {
            Ok(verified) => return Ok(verified),
            Err(error) => last = not_valid(&error),
        }
    }
    Err(last)
}

pub async fn receipt(context: &Context, command: Receipt) -> Result<(), CliError> {
    let Receipt::Verify { file, endorsements } = command;
    let bytes = files::read(&file)?;
    let verified = match endorsements {
        Some(list) => offline_receipt(context, &list, &bytes)?,
        None => {
            let (client, trust) = context.verifying_client()?;
            trust.receipt(&client, bytes.trim_ascii_end()).await?
        }
    };
    let view = EntryView::parse(verified.leaf()).map_err(|e| CliError::Failed(e.to_string()))?;
    let value = json!({
        "valid": true, "seq": verified.seq().to_string(), "time": verified.time().to_string(),
        "node": verified.node().to_string(), "leaf_hash": verified.leaf_hash().to_string(),
        "origin": verified.origin().as_str(), "type": view.kind, "tenant": view.tenant,
    });
    context.out().emit(&value, || {
        fields(&[
            ("receipt", "VALID".to_owned()),
            ("ledger", verified.origin().to_string()),
            ("entry", verified.seq().to_string()),
            ("time", verified.time().to_string()),
            ("type", view.kind.to_owned()),
            ("tenant", view.tenant.to_owned()),
            ("signed by", format!("node {}", verified.node())),
            ("leaf hash", verified.leaf_hash().to_string()),
        ])
    })
}

/// Verifies a receipt with the receipt key of its name that a list endorses for its size.
fn offline_receipt(context: &Context, list: &std::path::Path, bytes: &[u8]) -> Result<VerifiedReceipt, CliError> {
    let (origin, root) = context.pinned()?;
    let not_valid = |e: &dyn std::fmt::Display| CliError::Failed(format!("NOT VALID: {e}"));
    let receipt = LedgerReceipt::parse(bytes.trim_ascii_end()).map_err(|e| not_valid(&e))?;
    let size = receipt.first_seq.0.saturating_add(receipt.count);
    let endorsed = keys::read_endorsements(list, &origin, &root)?;
    let key = endorsed.iter().find(|e| {
        let holds = e.from_size.0 <= size && e.to_size.is_none_or(|to| size <= to.0);
        e.role == Role::Receipt && e.key_name == receipt.key_name && holds
    });
    let Some((key, node)) = key.and_then(|key| Some((key, key.node?))) else {
        return Err(not_valid(&format!("no receipt key {} is endorsed for size {size}", receipt.key_name)));
    };
    receipt.verify(&origin, node, &key.public_key).map_err(|e| not_valid(&e))
}
