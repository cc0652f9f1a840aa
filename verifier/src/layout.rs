//! The archive's directory: which ledgers, spans and objects are there. Lists names and lengths; never follows symbolic links.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use assent_ledger::archive::{SpanName, SpanObject, ledger_prefix};
use assent_ledger::ids::Origin;

use crate::VerifyError;

/// One ledger's directory.
#[derive(Debug, Clone)]
pub struct LedgerDir {
    /// How findings call it.
    pub prefix: String,
    /// The `spans` directory.
    pub spans: PathBuf,
}

/// One span's directory and what lies in it.
#[derive(Debug, Clone)]
pub struct SpanDir {
    /// First entry and checkpoint size, as the directory's name states them.
    pub name: SpanName,
    /// The directory.
    pub dir: PathBuf,
    /// Path for findings.
    pub shown: String,
    /// The objects that are there.
    pub present: Vec<SpanObject>,
    /// What is there and has no name of an object.
    pub unknown: Vec<String>,
}

impl SpanDir {
    /// The path of an object for findings.
    pub fn shown(&self, object: &SpanObject) -> String {
        format!("{}/{object}", self.shown)
    }

    /// The path of an object on disk.
    pub fn path(&self, object: &SpanObject) -> PathBuf {
        self.dir.join(object.to_string())
    }

    /// Whether the object is there.
    pub fn has(&self, object: &SpanObject) -> bool {
        self.present.binary_search(object).is_ok()
    }

    /// First entry.
    pub const fn start(&self) -> u64 {
        self.name.start.0
    }

    /// Entry after the last.
    pub const fn end(&self) -> u64 {
        self.name.end.0
    }
}

/// Chooses the ledger: the one of `origin`, or the only one that there is. `None` when there is none.
pub fn find_ledger(dir: &Path, origin: Option<&Origin>) -> Result<Option<LedgerDir>, VerifyError> {
    let failed = |source| VerifyError::Io { path: dir.to_path_buf(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let spans = entry.path().join("spans");
        let Ok(prefix) = entry.file_name().into_string() else { continue };
        if fs::symlink_metadata(&spans).is_ok_and(|m| m.is_dir()) {
            found.push(LedgerDir { prefix, spans });
        }
    }
    found.sort_by(|a, b| a.prefix.cmp(&b.prefix));
    if let Some(origin) = origin {
        let prefix = ledger_prefix(origin);
        return Ok(found.into_iter().find(|l| l.prefix == prefix));
    }
    if found.len() > 1 {
        let names = found.iter().map(|l| l.prefix.as_str()).collect::<Vec<_>>().join(", ");
        return Err(VerifyError::SeveralLedgers { names });
    }
    Ok(found.pop())
}

/// The names of the span directories in ascending order, and what else lies beside them.
pub fn list_spans(ledger: &LedgerDir) -> Result<(Vec<SpanName>, Vec<String>), VerifyError> {
    let failed = |source| VerifyError::Io { path: ledger.spans.clone(), source };
    let (mut names, mut unknown) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(&ledger.spans).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let text = entry.file_name().to_string_lossy().into_owned();
        match text.parse::<SpanName>() {
            Ok(name) if entry.file_type().is_ok_and(|t| t.is_dir()) => names.push(name),
            _ => unknown.push(text),
        }
    }
    names.sort_unstable();
    unknown.sort_unstable();
    Ok((names, unknown))
}

/// Lists one span's objects.
pub fn open_span(ledger: &LedgerDir, name: SpanName) -> Result<SpanDir, VerifyError> {
    let dir = ledger.spans.join(name.to_string());
    let shown = format!("{}/spans/{name}", ledger.prefix);
    let mut span = SpanDir { name, dir: dir.clone(), shown, present: Vec::new(), unknown: Vec::new() };
    collect(&dir, "", 0, &mut span)?;
    span.present.sort_unstable();
    span.unknown.sort_unstable();
    Ok(span)
}

/// Objects lie at most two directories deep: `tenants/<id>/<object>`.
fn collect(dir: &Path, prefix: &str, depth: u8, span: &mut SpanDir) -> Result<(), VerifyError> {
    let failed = |source| VerifyError::Io { path: dir.to_path_buf(), source };
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() && depth < 2 {
            collect(&entry.path(), &format!("{path}/"), depth + 1, span)?;
            continue;
        }
        match path.parse::<SpanObject>() {
            Ok(object) if kind.is_file() => span.present.push(object),
            _ => span.unknown.push(path),
        }
    }
    Ok(())
}

/// Reads a file of at most `max` bytes; `Ok(None)` when it is longer.
pub fn read_capped(path: &Path, max: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= max).then_some(bytes))
}

/// Tenants that have a bundle in the span, by opaque id.
pub fn tenant_bundles(span: &SpanDir) -> BTreeMap<assent_ledger::hash::Hash, SpanObject> {
    let bundle = |o: &SpanObject| match o {
        SpanObject::TenantBundle(id) => Some((*id, *o)),
        _ => None,
    };
    span.present.iter().filter_map(bundle).collect()
}
