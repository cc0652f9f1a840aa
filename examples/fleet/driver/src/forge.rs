//! Dishonest hands on *copies* of the anchored data: one byte of one record changed, or the newest span taken away.

use std::fs;
use std::path::{Path, PathBuf};

use assent_ledger::archive::SpanName;
use assent_ledger::entry::EntryView;

use crate::check::DECISION_KIND;
use crate::error::{DemoError, Result};

/// Bytes in front of each leaf of a bundle: its length.
const LENGTH_BYTES: usize = 2;
/// What stands before a decision's tool in its leaf.
const TOOL_KEY: &[u8] = b"\"tool\":\"";

/// What was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forged {
    /// The record.
    pub seq: u64,
    /// The file, relative to the copy.
    pub file: PathBuf,
    /// The tool that the record named.
    pub before: String,
    /// The tool that it names now.
    pub after: String,
}

/// Copies a folder with everything in it.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(|e| DemoError::at(to, e))?;
    for entry in fs::read_dir(from).map_err(|e| DemoError::at(from, e))? {
        let entry = entry.map_err(|e| DemoError::at(from, e))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(|e| DemoError::at(&source, e))?;
        if kind.is_dir() {
            copy(&source, &target)?;
        } else if kind.is_file() {
            fs::copy(&source, &target).map_err(|e| DemoError::at(&source, e))?;
        }
    }
    Ok(())
}

/// Changes one byte of one recorded decision, in the middle of the archive: the first letter of its tool.
pub fn change_one_record(archive: &Path) -> Result<Forged> {
    let spans = spans(archive)?;
    let middle = spans.len() / 2;
    // From the middle on, then from the start: any span with a decision will do.
    for (_, span) in spans.iter().skip(middle).chain(spans.iter().take(middle)) {
        for file in bundles(span)? {
            let mut bytes = fs::read(&file).map_err(|e| DemoError::at(&file, e))?;
            if let Some((seq, before, after)) = change_decision(&mut bytes) {
                fs::write(&file, &bytes).map_err(|e| DemoError::at(&file, e))?;
                let file = file.strip_prefix(archive).unwrap_or(&file).to_owned();
                return Ok(Forged { seq, file, before, after });
            }
        }
    }
    Err(DemoError::at(archive, "no recorded decision to forge"))
}

/// Deletes the newest span; gives its name.
pub fn cut_tail(archive: &Path) -> Result<SpanName> {
    let (name, folder) = spans(archive)?.pop().ok_or_else(|| DemoError::at(archive, "no span to delete"))?;
    fs::remove_dir_all(&folder).map_err(|e| DemoError::at(&folder, e))?;
    Ok(name)
}

/// Every span of the archive's one ledger, in order.
pub fn spans(archive: &Path) -> Result<Vec<(SpanName, PathBuf)>> {
    let mut found = Vec::new();
    for ledger in folders(archive)? {
        let spans = ledger.join("spans");
        if !spans.is_dir() {
            continue;
        }
        for folder in folders(&spans)? {
            let name = folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
            found.extend(name.map(|name: SpanName| (name, folder.clone())));
        }
    }
    found.sort_by_key(|(name, _)| *name);
    Ok(found)
}

/// The tenants' bundles of a span, in order.
fn bundles(span: &Path) -> Result<Vec<PathBuf>> {
    let tenants = span.join("tenants");
    if !tenants.is_dir() {
        return Ok(Vec::new());
    }
    Ok(folders(&tenants)?.into_iter().map(|folder| folder.join("bundle")).filter(|file| file.is_file()).collect())
}

fn folders(parent: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(parent).map_err(|e| DemoError::at(parent, e))? {
        let path = entry.map_err(|e| DemoError::at(parent, e))?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

/// Changes the first letter of the tool of the decision in the middle of a bundle. Gives the record's position, and the tool before and
/// after; `None`, and nothing is changed, when the bundle holds no decision.
fn change_decision(bundle: &mut [u8]) -> Option<(u64, String, String)> {
    let mut found = Vec::new();
    let mut start = 0usize;
    while let Some(length) = bundle.get(start..start + LENGTH_BYTES) {
        let length = usize::from(u16::from_be_bytes(length.try_into().ok()?));
        let first = start + LENGTH_BYTES;
        let leaf = bundle.get(first..first + length)?;
        let view = EntryView::parse(leaf).ok()?;
        if view.kind == DECISION_KIND
            && let Some(at) = leaf.windows(TOOL_KEY.len()).position(|window| window == TOOL_KEY)
        {
            found.push((view.seq.0, first + at + TOOL_KEY.len()));
        }
        start = first + length;
    }
    let (seq, at) = *found.get(found.len() / 2)?;
    let before = until_quote(bundle, at);
    let byte = bundle.get_mut(at)?;
    *byte = if *byte == b'x' { b'y' } else { b'x' };
    Some((seq, before, until_quote(bundle, at)))
}

fn until_quote(bytes: &[u8], from: usize) -> String {
    let text = bytes.get(from..).unwrap_or_default().split(|b| *b == b'"').next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests;
