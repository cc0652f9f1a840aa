//! The entries of a record in the order of their sequence numbers: span by span from an archive, line by line from an export.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use assent_kernel::event::EventBody;
use assent_kernel::replay::Recorded;
use assent_ledger::archive::{BundleReader, SpanName, SpanObject};

use super::payloads::Payloads;
use super::{ReplayError, Task};
use crate::layout::{self, LedgerDir};

/// An iterator over entries. It puts the payloads of the spans that it comes by into `payloads`.
pub struct Entries<'a> {
    source: Source,
    tenant: Option<&'a str>,
    payloads: &'a Payloads,
    queue: VecDeque<Recorded>,
}

enum Source {
    Archive { ledger: LedgerDir, names: std::vec::IntoIter<SpanName> },
    Export { path: PathBuf, lines: BufReader<File> },
}

impl<'a> Entries<'a> {
    /// Opens a record. It is read once before, for what was erased: that is known only at the end of it.
    pub fn open(task: &'a Task, payloads: &'a Payloads) -> Result<Entries<'a>, ReplayError> {
        let first = Entries::start(task, payloads)?;
        for recorded in first {
            if let Some(EventBody::PayloadErased(body)) = recorded?.body {
                payloads.erased(body.commitment);
            }
        }
        Entries::start(task, payloads)
    }

    fn start(task: &'a Task, payloads: &'a Payloads) -> Result<Entries<'a>, ReplayError> {
        let source = match &task.verify {
            Some(options) => {
                let found = layout::find_ledger(&task.dir, options.origin.as_ref())?;
                let ledger = found.ok_or_else(|| ReplayError::Malformed {
                    path: task.dir.clone(),
                    reason: "the directory holds no such ledger".to_owned(),
                })?;
                let (names, _) = layout::list_spans(&ledger)?;
                Source::Archive { ledger, names: names.into_iter() }
            }
            None => {
                let path = task.dir.join("entries.jsonl");
                let file = File::open(&path).map_err(|source| ReplayError::Io { path: path.clone(), source })?;
                Source::Export { path, lines: BufReader::with_capacity(1 << 18, file) }
            }
        };
        Ok(Entries { source, tenant: task.tenant.as_deref(), payloads, queue: VecDeque::new() })
    }

    /// Reads on until there is an entry or nothing is left.
    fn fill(&mut self) -> Result<(), ReplayError> {
        while self.queue.is_empty() {
            match &mut self.source {
                Source::Archive { ledger, names } => {
                    let Some(name) = names.next() else { return Ok(()) };
                    let mut entries = read_span(ledger, name, self.payloads)?;
                    entries.sort_by_key(|recorded| recorded.entry.seq);
                    self.queue.extend(entries);
                }
                Source::Export { path, lines } => {
                    let mut line = Vec::new();
                    let failed = |source| ReplayError::Io { path: path.clone(), source };
                    if lines.read_until(b'\n', &mut line).map_err(failed)? == 0 {
                        return Ok(());
                    }
                    let leaf = line.strip_suffix(b"\n").unwrap_or(&line);
                    // An entry that the exporter could not see is an empty line.
                    if !leaf.is_empty() {
                        self.queue.push_back(Recorded::read(leaf)?);
                    }
                }
            }
            let tenant = self.tenant;
            self.queue.retain(|recorded| {
                let of = &recorded.entry.tenant;
                tenant.is_none_or(|tenant| of.is_system() || of.as_str() == tenant)
            });
        }
        Ok(())
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Recorded, ReplayError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Err(error) = self.fill() {
            return Some(Err(error));
        }
        self.queue.pop_front().map(Ok)
    }
}

/// All entries of a span, and its payloads as far as there are keys.
fn read_span(ledger: &LedgerDir, name: SpanName, payloads: &Payloads) -> Result<Vec<Recorded>, ReplayError> {
    let span = layout::open_span(ledger, name)?;
    let (mut entries, mut opened) = (Vec::new(), BTreeMap::new());
    for (id, object) in layout::tenant_bundles(&span) {
        read_bundle(&span.path(&object), &mut entries)?;
        let sealed = SpanObject::TenantPayloads(id);
        if payloads.has_keys() && span.has(&sealed) {
            payloads.open_object(&span.path(&sealed), &mut opened)?;
        }
    }
    payloads.keep(span.end() - span.start(), opened);
    Ok(entries)
}

fn read_bundle(path: &Path, into: &mut Vec<Recorded>) -> Result<(), ReplayError> {
    let file = File::open(path).map_err(|source| ReplayError::Io { path: path.to_path_buf(), source })?;
    let mut reader = BundleReader::new(BufReader::with_capacity(1 << 18, file));
    let malformed =
        |error: &dyn std::fmt::Display| ReplayError::Malformed { path: path.to_path_buf(), reason: error.to_string() };
    while let Some(leaf) = reader.next_leaf().map_err(|error| malformed(&error))? {
        into.push(Recorded::read(leaf)?);
    }
    Ok(())
}
