//! What `assent export` wrote: leaves, their hashes and a checkpoint. The client verified the checkpoint's signatures when it wrote them; here
//! the entries are held against the hashes, and the hashes against the checkpoint.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use assent_ledger::checkpoint::Checkpoint;
use assent_ledger::hash::{Hash, leaf_hash};
use assent_ledger::note::Note;
use assent_ledger::tree::Frontier;

use super::ReplayError;

/// Checks an export; says what it is.
pub fn check(dir: &Path) -> Result<String, ReplayError> {
    let open = |name: &str| {
        let path = dir.join(name);
        let opened = File::open(&path);
        opened
            .map(|file| (path.clone(), BufReader::with_capacity(1 << 18, file)))
            .map_err(|source| ReplayError::Io { path, source })
    };
    let checkpoint = read_checkpoint(&dir.join("checkpoint"))?;
    let ((path, mut lines), (hashes_path, mut hashes)) = (open("entries.jsonl")?, open("leaves")?);
    let mut frontier = Frontier::new();
    let (mut root, mut line, mut count) = (None, Vec::new(), 0u64);
    loop {
        line.clear();
        let read =
            lines.read_until(b'\n', &mut line).map_err(|source| ReplayError::Io { path: path.clone(), source })?;
        let mut hash = [0u8; 32];
        let got = hashes.read_exact(&mut hash);
        if read == 0 {
            break;
        }
        got.map_err(|source| ReplayError::Io { path: hashes_path.clone(), source })?;
        let leaf = line.strip_suffix(b"\n").unwrap_or(&line);
        if !leaf.is_empty() && leaf_hash(leaf) != Hash(hash) {
            return Err(malformed(&path, format!("line {} is not the entry whose hash was exported", count + 1)));
        }
        frontier.append(Hash(hash));
        count += 1;
        if count == checkpoint.size.0 {
            root = Some(frontier.root());
        }
    }
    if root != Some(checkpoint.root) {
        return Err(malformed(dir, "the exported hashes do not give the root of the exported checkpoint".to_owned()));
    }
    Ok(format!(
        "the export agrees with its checkpoint of {} at size {}, whose signatures were not checked here",
        checkpoint.origin, checkpoint.size
    ))
}

fn read_checkpoint(path: &Path) -> Result<Checkpoint, ReplayError> {
    let bytes = crate::layout::read_capped(path, 1 << 20);
    let bytes = bytes.map_err(|source| ReplayError::Io { path: path.to_path_buf(), source })?;
    let bytes = bytes.ok_or_else(|| malformed(path, "longer than a checkpoint can be".to_owned()))?;
    let note = Note::parse(&bytes).map_err(|error| malformed(path, error.to_string()))?;
    Checkpoint::parse(note.text()).map_err(|error| malformed(path, error.to_string()))
}

fn malformed(path: &Path, reason: String) -> ReplayError {
    ReplayError::Malformed { path: PathBuf::from(path), reason }
}
