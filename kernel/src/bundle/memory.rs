//! Memory of a bundle: namespaces, who may read and write them, how long entries last, and what becomes of tainted ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::capability::SubjectPattern;
use super::error::{BundleErrorKind, Diagnostics};
use super::fields::{Fields, count, list, name, one_of, one_or_many};
use super::limits::{MEMORY_SPACES_MAX, MEMORY_SUBJECTS_MAX, MEMORY_TTL_SECONDS_DEFAULT, MEMORY_TTL_SECONDS_MAX};
use super::sensitivity::Sensitivity;
use super::source::Node;
use super::tool::read_labels;
use crate::taint::TaintLabel;

/// Namespaces by name.
pub(super) type MemorySpaces = BTreeMap<Arc<str>, MemorySpace>;

/// What becomes of an entry that is written with an untrusted taint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TaintedWrite {
    /// It is kept and nobody can read it until an admin has released it.
    #[default]
    Quarantine,
    /// It is not kept.
    Deny,
    /// It is kept, and readers take its labels on.
    Label,
}

/// A namespace of memory. The default admits nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemorySpace {
    readers: Vec<SubjectPattern>,
    writers: Vec<SubjectPattern>,
    /// Longest life of an entry, in seconds; entries that ask for more get this.
    pub ttl_seconds_max: u64,
    /// Labels that every reader takes on; `None` when the bundle does not say, which counts as retrieved from the namespace.
    pub labels: Option<Vec<TaintLabel>>,
    /// The highest classification of what may be kept and released here.
    pub classification_max: Sensitivity,
    /// What becomes of tainted writes.
    pub on_tainted_write: TaintedWrite,
}

impl Default for MemorySpace {
    fn default() -> Self {
        MemorySpace {
            readers: Vec::new(),
            writers: Vec::new(),
            ttl_seconds_max: MEMORY_TTL_SECONDS_DEFAULT,
            labels: None,
            classification_max: Sensitivity::Internal,
            on_tainted_write: TaintedWrite::default(),
        }
    }
}

impl MemorySpace {
    /// Whether the subject may read and query.
    pub fn admits_reader(&self, subject: &str) -> bool {
        self.readers.iter().any(|pattern| pattern.matches(subject))
    }

    /// Whether the subject may write and forget.
    pub fn admits_writer(&self, subject: &str) -> bool {
        self.writers.iter().any(|pattern| pattern.matches(subject))
    }

    fn read(node: &Node, d: &mut Diagnostics) -> Option<(Arc<str>, MemorySpace)> {
        const KNOWN: [&str; 7] =
            ["namespace", "readers", "writers", "ttl_seconds_max", "labels", "classification_max", "on_tainted_write"];
        let fields = Fields::open(node, "a memory namespace", &KNOWN, &[], d)?;
        let namespace = fields.required("namespace", d).and_then(|node| name(node, "namespace", d));
        let subjects = |key: &str, d: &mut Diagnostics| -> Vec<SubjectPattern> {
            let items = fields.get(key).map_or(&[][..], |node| one_or_many(node, key, MEMORY_SUBJECTS_MAX, d));
            items.iter().filter_map(|item| SubjectPattern::read(item, d)).collect()
        };
        let mut space =
            MemorySpace { readers: subjects("readers", d), writers: subjects("writers", d), ..MemorySpace::default() };
        if let Some(node) = fields.get("ttl_seconds_max") {
            space.ttl_seconds_max = count(node, "ttl_seconds_max", MEMORY_TTL_SECONDS_MAX, d)?;
        }
        space.labels = fields.get("labels").map(|node| read_labels(node, "labels", d));
        if let Some(node) = fields.get("classification_max") {
            let names = Sensitivity::ALL.map(Sensitivity::name);
            space.classification_max = Sensitivity::from_name(one_of(node, "classification_max", &names, d)?)?;
        }
        space.on_tainted_write = match fields.get("on_tainted_write") {
            None => TaintedWrite::default(),
            Some(node) => match one_of(node, "on_tainted_write", &["quarantine", "deny", "label"], d)? {
                "deny" => TaintedWrite::Deny,
                "label" => TaintedWrite::Label,
                _ => TaintedWrite::Quarantine,
            },
        };
        Some((namespace?, space))
    }
}

/// Reads the section `memory`.
pub(super) fn read(node: &Node, d: &mut Diagnostics) -> MemorySpaces {
    let mut spaces = MemorySpaces::new();
    for item in list(node, "memory", MEMORY_SPACES_MAX, d) {
        let Some((namespace, space)) = MemorySpace::read(item, d) else { continue };
        if spaces.insert(namespace.clone(), space).is_some() {
            let message = format!("the namespace `{namespace}` is declared twice");
            d.error(item.at, BundleErrorKind::Duplicate, message);
        }
    }
    spaces
}
