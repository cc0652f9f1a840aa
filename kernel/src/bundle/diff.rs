//! What changes between two bundles, by meaning and not by lines: layout, comments, order of keys and spelling of names
//! do not count.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use super::compile::compile;
use super::error::{BundleError, Diagnostics};
use super::opa;
use super::source::{self, Node, NodeKind};
use crate::value::Value;

/// What happened to one item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It says something else, under these keys.
    Changed {
        /// The keys, sorted.
        keys: Vec<String>,
    },
    /// It says the same and is asked at another place.
    Moved,
}

/// One difference between two bundles.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The section: `tools`, `principals`, `capabilities`, `contract`, `rules`, `orchestration`, `files` for the modules and the data of an archive,
    /// or `bundle` for single settings.
    pub section: &'static str,
    /// The item: its name, subject, id or key.
    pub item: String,
    /// What happened.
    pub kind: ChangeKind,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change { section, item, kind } = self;
        match kind {
            ChangeKind::Added => write!(f, "{section}: added {item}"),
            ChangeKind::Removed => write!(f, "{section}: removed {item}"),
            ChangeKind::Changed { keys } if keys.is_empty() => write!(f, "{section}: changed {item}"),
            ChangeKind::Changed { keys } => write!(f, "{section}: changed {item} ({})", keys.join(", ")),
            ChangeKind::Moved => write!(f, "{section}: moved {item}"),
        }
    }
}

/// The differences from one bundle's source to another's, by section and item.
///
/// # Errors
/// The errors of the first source that does not compile.
pub fn diff(old: &[u8], new: &[u8]) -> Result<Vec<Change>, Vec<BundleError>> {
    let (old, new) = (Parts::read(old)?, Parts::read(new)?);
    let mut changes = Vec::new();
    for (section, before) in &old.sections {
        let after = new.sections.get(section).cloned().unwrap_or_default();
        compare(section, before, &after, &mut changes);
    }
    for rule in moved(&old.order, &new.order) {
        changes.push(Change { section: "rules", item: rule.to_owned(), kind: ChangeKind::Moved });
    }
    changes.sort();
    Ok(changes)
}

/// An item's keys with what they say.
type Item = BTreeMap<String, Vec<u8>>;

/// A bundle's items by section, and its rules in the order they are asked.
struct Parts {
    sections: BTreeMap<&'static str, BTreeMap<String, Item>>,
    order: Vec<String>,
}

/// The sections whose items have names, with the key of the name.
const NAMED: [(&str, &str); 5] =
    [("tools", "name"), ("principals", "subject"), ("contract", "id"), ("rules", "id"), ("orchestration", "id")];

impl Parts {
    fn read(source: &[u8]) -> Result<Parts, Vec<BundleError>> {
        let bundle = compile(source)?;
        let mut d = Diagnostics::default();
        let opened = opa::open(source)?;
        let root = source::parse(&opened.yaml, &mut d).ok_or(d.errors)?;
        let mut sections: BTreeMap<&'static str, BTreeMap<String, Item>> =
            NAMED.iter().map(|(section, _)| (*section, BTreeMap::new())).collect();
        let mut capabilities = BTreeMap::new();
        let mut settings = BTreeMap::new();
        for (key, node) in members(&root) {
            let Some((section, name)) = NAMED.iter().find(|(section, _)| *section == key) else {
                settings.insert(key.to_owned(), Item::from([(String::new(), bytes(node, true))]));
                continue;
            };
            for node in items(node) {
                let mut item: Item =
                    members(node).map(|(key, node)| (snake(key), bytes(node, !USER_KEYS.contains(&key)))).collect();
                let name = members(node).find(|(key, _)| key == name).map(|(_, node)| shown(node)).unwrap_or_default();
                if *section == "principals" {
                    item.remove("capabilities");
                    read_capabilities(&name, node, &mut capabilities);
                }
                if let Some(items) = sections.get_mut(section) {
                    items.insert(name, item);
                }
            }
        }
        let text = |text: &str| Item::from([(String::new(), text.as_bytes().to_vec())]);
        let mut files: BTreeMap<String, Item> =
            opened.files.modules.iter().map(|(name, source)| (name.clone(), text(source))).collect();
        if let Some(data) = opened.files.data {
            let bytes = Value::Object(data).canonical_bytes();
            files.insert("data".to_owned(), Item::from([(String::new(), bytes)]));
        }
        sections.insert("files", files);
        sections.insert("capabilities", capabilities);
        sections.insert("bundle", settings);
        let order = bundle.rules.iter().map(|rule| rule.id.to_string()).collect();
        Ok(Parts { sections, order })
    }
}

/// Keys whose mappings have names of the author's own, which are not spelt in two ways.
const USER_KEYS: [&str; 5] = ["parameters", "inputs", "schema", "set", "params"];

/// Capabilities have no names: they are told apart by subject, class and actions, and by their place among equal ones.
fn read_capabilities(subject: &str, principal: &Node, out: &mut BTreeMap<String, Item>) {
    let list = members(principal).find(|(key, _)| *key == "capabilities").map_or(&[][..], |(_, node)| items(node));
    for node in list {
        let of = |wanted: &[&str]| members(node).find(|(key, _)| wanted.contains(key)).map(|(_, node)| shown(node));
        let class = of(&["class", "toolClass"]).unwrap_or_default();
        let name = format!("{subject}: {class} [{}]", of(&["actions"]).unwrap_or_default());
        let item: Item = members(node).map(|(key, node)| (snake(key), bytes(node, true))).collect();
        let free = (2..).map(|n| format!("{name} #{n}"));
        let name = core::iter::once(name.clone()).chain(free).find(|name| !out.contains_key(name));
        out.extend(name.map(|name| (name, item)));
    }
}

fn compare(
    section: &'static str,
    before: &BTreeMap<String, Item>,
    after: &BTreeMap<String, Item>,
    changes: &mut Vec<Change>,
) {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        let kind = match (before.get(name), after.get(name)) {
            (None, Some(_)) => ChangeKind::Added,
            (Some(_), None) => ChangeKind::Removed,
            (Some(old), Some(new)) if old != new => {
                let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
                let differ = keys.into_iter().filter(|key| old.get(*key) != new.get(*key) && !key.is_empty());
                ChangeKind::Changed { keys: differ.cloned().collect() }
            }
            _ => continue,
        };
        changes.push(Change { section, item: name.clone(), kind });
    }
}

/// The rules of both bundles that are asked at another place: all but a longest row of those that kept their order.
fn moved<'a>(old: &'a [String], new: &'a [String]) -> Vec<&'a str> {
    let places: BTreeMap<&String, usize> = old.iter().zip(0..).collect();
    let common: Vec<(usize, &String)> = new.iter().filter_map(|id| Some((*places.get(id)?, id))).collect();
    // Patience sorting: `ends[n]` is the least place at which a row of n + 1 rules can end, with the rule before it.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::new();
    let place = |index: &usize| common.get(*index).map_or(0, |(place, _)| *place);
    for (index, (at, _)) in common.iter().enumerate() {
        let length = ends.partition_point(|end| place(end) < *at);
        before.push(length.checked_sub(1).and_then(|shorter| ends.get(shorter).copied()));
        match ends.get_mut(length) {
            Some(end) => *end = index,
            None => ends.push(index),
        }
    }
    let mut kept = BTreeSet::new();
    let mut next = ends.last().copied();
    while let Some(index) = next {
        kept.insert(index);
        next = before.get(index).copied().flatten();
    }
    common.iter().enumerate().filter(|(index, _)| !kept.contains(index)).map(|(_, (_, id))| id.as_str()).collect()
}

fn members(node: &Node) -> impl Iterator<Item = (&str, &Node)> {
    let members = match &node.kind {
        NodeKind::Map(members) => members.as_slice(),
        _ => &[],
    };
    members.iter().map(|(key, node)| (key.text.as_str(), node))
}

fn items(node: &Node) -> &[Node] {
    match &node.kind {
        NodeKind::List(items) => items,
        _ => &[],
    }
}

/// A scalar's text, or the texts of a list.
fn shown(node: &Node) -> String {
    match &node.kind {
        NodeKind::Scalar { text, .. } => text.clone(),
        NodeKind::List(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        NodeKind::Map(_) => String::new(),
    }
}

/// `toolClass` and `tool_class` are one key.
fn snake(key: &str) -> String {
    let mut out = String::with_capacity(key.len() + 2);
    for c in key.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// What a node says: numbers by value, mappings in order of their keys.
fn bytes(node: &Node, own_keys: bool) -> Vec<u8> {
    let mut out = Vec::new();
    write(node, own_keys, &mut out);
    out
}

fn write(node: &Node, own_keys: bool, out: &mut Vec<u8>) {
    let sized = |tag: u8, length: usize, out: &mut Vec<u8>| {
        out.push(tag);
        out.extend_from_slice(&u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
    };
    match &node.kind {
        NodeKind::Scalar { text, .. } => {
            let value = node.scalar_value().unwrap_or_else(|| Value::String(text.clone()));
            let bytes = value.canonical_bytes();
            sized(0, bytes.len(), out);
            out.extend_from_slice(&bytes);
        }
        NodeKind::List(items) => {
            sized(1, items.len(), out);
            items.iter().for_each(|item| write(item, own_keys, out));
        }
        NodeKind::Map(members) => {
            let key = |text: &str| if own_keys { snake(text) } else { text.to_owned() };
            let sorted: BTreeMap<String, (&str, &Node)> =
                members.iter().map(|(k, node)| (key(&k.text), (k.text.as_str(), node))).collect();
            sized(2, sorted.len(), out);
            for (name, (written, node)) in sorted {
                sized(3, name.len(), out);
                out.extend_from_slice(name.as_bytes());
                write(node, own_keys && !USER_KEYS.contains(&written), out);
            }
        }
    }
}
