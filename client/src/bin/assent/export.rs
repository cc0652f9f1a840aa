//! `assent export`: a copy of the ledger in a folder, checked against a co-signed checkpoint.
//!
//! `entries.jsonl` has one line per entry, the leaf's bytes verbatim (they contain no newline), or an empty line where
//! the caller may only see the hash. `leaves` has the leaf hashes, 32 bytes each. `checkpoint` is the signed note. An
//! interrupted export goes on where it stopped: an entry counts once its hash is in `leaves`, which is written after
//! its line.
//!
//! With `--payloads`, `payloads` gets the opened payloads that the caller may read: lines of `<commitment> <salt> <bytes>` in
//! hexadecimal, each checked against its commitment. It is made anew by every export, since a payload may have been erased
//! since the last one. `assent-verify replay` reads such a folder.

mod payloads;

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use assent_client::v1;
use assent_ledger::checkpoint::Checkpoint;
use assent_ledger::hash::{Hash, leaf_hash};
use assent_ledger::tree::Frontier;
use clap::Args;
use serde_json::json;

use crate::context::Context;
use crate::output::CliError;

/// Entries between two flushes.
const FLUSH_ENTRIES: u64 = 4096;

/// Where to.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The folder; made when it is not there
    #[arg(value_name = "DIR")]
    out: PathBuf,
    /// Export the opened payloads too, as far as the credential may read them
    #[arg(long)]
    payloads: bool,
    /// Of the payloads, only this tenant's and the ledger's own
    #[arg(long, value_name = "TENANT", requires = "payloads")]
    tenant: Option<String>,
}

/// The two files that grow, and what is in them.
struct Copy {
    lines: BufWriter<File>,
    leaves: File,
    /// Hashes that are not in the file yet: they must not get there before their lines.
    pending: Vec<u8>,
    count: u64,
    frontier: Frontier,
    /// Root at the checkpoint's size, once it has been passed.
    root: Option<Hash>,
}

pub async fn run(context: &Context, args: ExportArgs) -> Result<(), CliError> {
    let (client, trust) = context.verifying_client()?;
    let note = client.checkpoint(context.deadline()).await?.note;
    let checked = trust.checkpoint(&client, &note).await?;
    let checkpoint = checked.verified.checkpoint();
    std::fs::create_dir_all(&args.out).map_err(|e| failed(&args.out, &e))?;
    let mut copy = Copy::open(&args.out, checkpoint)?;
    let resumed = copy.count;
    let request = v1::EntriesRequest { from_seq: copy.count, ..Default::default() };
    let mut entries = client.entries(request, context.deadline()).await?;
    while let Some(record) = entries.next().await? {
        copy.add(&record, checkpoint, &args.out)?;
    }
    copy.flush(&args.out)?;
    match copy.root {
        Some(root) if root == checkpoint.root => {}
        Some(root) => {
            let text = format!(
                "NOT VALID: the entries give root {root} at size {}, signed is {}",
                checkpoint.size, checkpoint.root
            );
            return Err(CliError::Failed(text));
        }
        None => {
            let text = format!(
                "the node gave {} entries, fewer than the checkpoint's {}; run it again",
                copy.count, checkpoint.size
            );
            return Err(CliError::Failed(text));
        }
    }
    let path = args.out.join("checkpoint");
    let tmp = args.out.join("checkpoint.tmp");
    std::fs::write(&tmp, &note).and_then(|()| std::fs::rename(&tmp, &path)).map_err(|e| failed(&path, &e))?;
    let opened = match args.payloads {
        true => Some(payloads::export(context, &client, &args.out, args.tenant.as_deref()).await?),
        false => None,
    };
    let value = json!({
        "entries": copy.count.to_string(), "new": (copy.count - resumed).to_string(),
        "size": checkpoint.size.to_string(), "root": checkpoint.root.to_string(), "folder": args.out,
        "payloads": opened.as_ref().map(|opened| opened.written.to_string()),
        "payloads_gone": opened.as_ref().map(|opened| opened.gone.to_string()),
    });
    context.out().emit(&value, || {
        let new = copy.count - resumed;
        let opened = opened.as_ref().map_or(String::new(), |opened| {
            format!("; {} payloads opened, {} not to be had", opened.written, opened.gone)
        });
        format!(
            "{} entries ({new} new) in {}; root {} verified at size {}{opened}",
            copy.count,
            args.out.display(),
            checkpoint.root,
            checkpoint.size
        )
    })
}

impl Copy {
    /// Opens or resumes a copy: the hashes that are complete count, lines beyond them are cut off.
    fn open(folder: &Path, checkpoint: &Checkpoint) -> Result<Self, CliError> {
        let open = |name: &str| {
            let path = folder.join(name);
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
            file.map_err(|e| failed(&path, &e))
        };
        let (lines, leaves) = (open("entries.jsonl")?, open("leaves")?);
        let mut frontier = Frontier::new();
        let (mut count, mut root) = (0u64, None);
        let mut hashes = BufReader::new(&leaves);
        let mut hash = [0u8; 32];
        while hashes.read_exact(&mut hash).is_ok() {
            frontier.append(Hash(hash));
            count += 1;
            if count == checkpoint.size.0 {
                root = Some(frontier.root());
            }
        }
        let end = end_of_line(&lines, count).map_err(|e| failed(&folder.join("entries.jsonl"), &e))?;
        let Some(end) = end else {
            let text =
                format!("{} has fewer lines than leaves has hashes; export into an empty folder", folder.display());
            return Err(CliError::Failed(text));
        };
        seek_to(&lines, end).map_err(|e| failed(&folder.join("entries.jsonl"), &e))?;
        seek_to(&leaves, count * 32).map_err(|e| failed(&folder.join("leaves"), &e))?;
        Ok(Copy { lines: BufWriter::new(lines), leaves, pending: Vec::new(), count, frontier, root })
    }

    fn add(&mut self, record: &v1::EntryRecord, checkpoint: &Checkpoint, folder: &Path) -> Result<(), CliError> {
        if record.seq != self.count {
            let text = format!(
                "entry {} came where {} was due; export with the credential of an auditor, who sees every entry",
                record.seq, self.count
            );
            return Err(CliError::Failed(text));
        }
        let hash =
            if record.leaf.is_empty() {
                Hash(
                    record.leaf_hash.as_ref().try_into().map_err(|_| {
                        CliError::Failed(format!("entry {} came with neither leaf nor hash", record.seq))
                    })?,
                )
            } else {
                leaf_hash(&record.leaf)
            };
        let written = self.lines.write_all(&record.leaf).and_then(|()| self.lines.write_all(b"\n"));
        written.map_err(|e| failed(folder, &e))?;
        self.pending.extend_from_slice(hash.as_bytes());
        self.frontier.append(hash);
        self.count += 1;
        if self.count == checkpoint.size.0 {
            self.root = Some(self.frontier.root());
        }
        if self.count.is_multiple_of(FLUSH_ENTRIES) { self.flush(folder) } else { Ok(()) }
    }

    /// Lines first: a crash in between leaves lines without hashes, which the next start cuts off.
    fn flush(&mut self, folder: &Path) -> Result<(), CliError> {
        self.lines.flush().and_then(|()| self.lines.get_ref().sync_data()).map_err(|e| failed(folder, &e))?;
        self.leaves.write_all(&self.pending).and_then(|()| self.leaves.sync_data()).map_err(|e| failed(folder, &e))?;
        self.pending.clear();
        Ok(())
    }
}

/// The offset behind line number `count`; `None` when there are fewer.
fn end_of_line(file: &File, count: u64) -> std::io::Result<Option<u64>> {
    let mut reader = BufReader::new(file);
    let (mut offset, mut line) = (0u64, Vec::new());
    for _ in 0..count {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Ok(None);
        }
        offset += u64::try_from(read).unwrap_or(u64::MAX);
    }
    Ok(Some(offset))
}

fn seek_to(mut file: &File, offset: u64) -> std::io::Result<()> {
    file.set_len(offset)?;
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(offset)).map(drop)
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> CliError {
    CliError::Failed(format!("{}: {error}", path.display()))
}
