//! YAML source to a tree of positioned nodes: no aliases, no tags, no duplicate keys, bounded.

use std::collections::BTreeSet;

use serde_saphyr::granit_parser::{Event, Marker, Parser, ScalarStyle};

use super::error::{BundleErrorKind, Diagnostics, Position};
use super::limits::{DEPTH_MAX, NODES_MAX, SOURCE_BYTES_MAX};
use crate::value::{Number, Value};

/// One node of the source.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) kind: NodeKind,
}

#[derive(Debug, Clone)]
pub(super) enum NodeKind {
    /// A scalar; `plain` when it was written without quotes and so may be a number, a boolean or null.
    Scalar { text: String, plain: bool },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in source order; every key is a scalar and occurs once.
    Map(Vec<(Key, Node)>),
}

/// A mapping's key.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) at: Position,
    pub(super) text: String,
}

impl Node {
    pub(super) fn type_name(&self) -> &'static str {
        match &self.kind {
            NodeKind::Scalar { .. } => match self.scalar_value() {
                Some(value) => value.type_name(),
                None => "scalar",
            },
            NodeKind::List(_) => "list",
            NodeKind::Map(_) => "mapping",
        }
    }

    /// The place of a character of a scalar's text. Exact for texts on one line that are written without escapes; in a block
    /// of several lines the line is exact.
    pub(super) fn position_within(&self, offset: usize) -> Position {
        let NodeKind::Scalar { text, plain } = &self.kind else { return self.at };
        let bounded = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        if !text.contains('\n') {
            let quote = u32::from(!plain);
            return Position {
                line: self.at.line,
                column: self.at.column.saturating_add(quote).saturating_add(bounded(offset)),
            };
        }
        let before = text.chars().take(offset);
        let lines = before.filter(|c| *c == '\n').count();
        Position { line: self.at.line.saturating_add(bounded(lines)), column: 1 }
    }

    /// The scalar as a typed value by YAML 1.2's core schema, restricted to JSON's numbers; `None` for anything else,
    /// such as `.inf`, `0x10` or a number that cannot be compared exactly.
    pub(super) fn scalar_value(&self) -> Option<Value> {
        let NodeKind::Scalar { text, plain } = &self.kind else { return None };
        if !plain {
            return Some(Value::String(text.clone()));
        }
        match text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => return Some(Value::Null),
            "true" | "True" | "TRUE" => return Some(Value::Bool(true)),
            "false" | "False" | "FALSE" => return Some(Value::Bool(false)),
            _ => {}
        }
        if let Ok(number) = Number::parse(text) {
            return Some(Value::Number(number));
        }
        if looks_numeric(text) { None } else { Some(Value::String(text.clone())) }
    }
}

/// Whether YAML's core schema (or an older YAML) would read a number here although JSON has no such number.
fn looks_numeric(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    if matches!(lower.as_str(), ".inf" | ".nan") {
        return true;
    }
    let radix = |prefix: &str, digits: &[u8]| {
        lower.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| digits.contains(&b)))
    };
    let decimal = unsigned.bytes().any(|b| b.is_ascii_digit())
        && unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-' | b'_'))
        && unsigned.bytes().filter(|b| *b == b'.').count() <= 1
        && unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && !unsigned
            .bytes()
            .skip(1)
            .enumerate()
            .any(|(i, b)| matches!(b, b'+' | b'-') && !matches!(unsigned.as_bytes().get(i), Some(b'e' | b'E')));
    decimal || radix("0x", b"0123456789abcdef") || radix("0o", b"01234567")
}

fn position(mark: Marker) -> Position {
    let bounded = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Position { line: bounded(mark.line()), column: bounded(mark.col().saturating_add(1)) }
}

/// Parses the source's single document; `None` when an error was reported.
pub(super) fn parse(source: &[u8], diagnostics: &mut Diagnostics) -> Option<Node> {
    let start = Position { line: 1, column: 1 };
    if source.len() > SOURCE_BYTES_MAX {
        let message = format!("the bundle has {} bytes, keep it to {SOURCE_BYTES_MAX}", source.len());
        diagnostics.error(start, BundleErrorKind::TooLarge, message);
        return None;
    }
    let text = match core::str::from_utf8(source) {
        Ok(text) => text,
        Err(error) => {
            let before = source.get(..error.valid_up_to()).unwrap_or_default();
            diagnostics.error(byte_position(before), BundleErrorKind::Syntax, "the bundle is not UTF-8 from here on");
            return None;
        }
    };
    let mut builder = Builder { frames: Vec::new(), root: None, nodes: 0 };
    for next in Parser::new_from_str(text) {
        let step = match next {
            Ok((event, span)) => builder.event(event, position(span.start)),
            Err(error) => Err((position(*error.marker()), BundleErrorKind::Syntax, error.info())),
        };
        if let Err((at, kind, message)) = step {
            diagnostics.error(at, kind, message);
            return None;
        }
    }
    if builder.root.is_none() {
        diagnostics.error(
            start,
            BundleErrorKind::Syntax,
            "the bundle is empty, write at least name, version and rules",
        );
    }
    builder.root
}

fn byte_position(before: &[u8]) -> Position {
    let lines = before.iter().filter(|b| **b == b'\n').count();
    let last = before.rsplit(|b| *b == b'\n').next().unwrap_or_default();
    let column = core::str::from_utf8(last).map_or(last.len(), |text| text.chars().count());
    let bounded = |n: usize| u32::try_from(n.saturating_add(1)).unwrap_or(u32::MAX);
    Position { line: bounded(lines), column: bounded(column) }
}

type Fault = (Position, BundleErrorKind, String);

enum Frame {
    List(Position, Vec<Node>),
    Map { at: Position, members: Vec<(Key, Node)>, seen: BTreeSet<String>, pending: Option<Key> },
}

struct Builder {
    frames: Vec<Frame>,
    root: Option<Node>,
    nodes: usize,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, at: Position) -> Result<(), Fault> {
        let syntax = |message: &str| Err((at, BundleErrorKind::Syntax, message.to_owned()));
        match event {
            Event::Alias(_) => syntax("aliases are not part of a bundle, write the value out"),
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, _, Some(_))
            | Event::MappingStart(_, _, Some(_)) => syntax("tags are not part of a bundle, remove it"),
            Event::Scalar(_, _, anchor, _) | Event::SequenceStart(_, anchor, _) | Event::MappingStart(_, anchor, _)
                if anchor != 0 =>
            {
                syntax("anchors are not part of a bundle, remove it")
            }
            Event::DocumentStart(..) if self.root.is_some() => syntax("a bundle is one document, remove the second"),
            Event::Scalar(text, style, _, _) => self.scalar(at, text.into_owned(), matches!(style, ScalarStyle::Plain)),
            Event::SequenceStart(..) => self.open(at, Frame::List(at, Vec::new())),
            Event::MappingStart(..) => {
                self.open(at, Frame::Map { at, members: Vec::new(), seen: BTreeSet::new(), pending: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            _ => Ok(()),
        }
    }

    fn open(&mut self, at: Position, frame: Frame) -> Result<(), Fault> {
        if matches!(self.frames.last(), Some(Frame::Map { pending: None, .. })) {
            return Err((at, BundleErrorKind::Syntax, "a key must be a plain or quoted text".to_owned()));
        }
        if self.frames.len() >= DEPTH_MAX {
            return Err((at, BundleErrorKind::TooLarge, format!("nest lists and mappings at most {DEPTH_MAX} deep")));
        }
        self.frames.push(frame);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        match self.frames.pop() {
            Some(Frame::List(at, items)) => self.place(Node { at, kind: NodeKind::List(items) }),
            Some(Frame::Map { at, members, .. }) => self.place(Node { at, kind: NodeKind::Map(members) }),
            None => Ok(()),
        }
    }

    fn scalar(&mut self, at: Position, text: String, plain: bool) -> Result<(), Fault> {
        if let Some(Frame::Map { seen, pending: pending @ None, .. }) = self.frames.last_mut() {
            if !seen.insert(text.clone()) {
                return Err((
                    at,
                    BundleErrorKind::Duplicate,
                    format!("the key `{text}` is written twice in this mapping"),
                ));
            }
            *pending = Some(Key { at, text });
            return Ok(());
        }
        self.place(Node { at, kind: NodeKind::Scalar { text, plain } })
    }

    fn place(&mut self, node: Node) -> Result<(), Fault> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err((node.at, BundleErrorKind::TooLarge, format!("keep the bundle to {NODES_MAX} values")));
        }
        match self.frames.last_mut() {
            Some(Frame::List(_, items)) => items.push(node),
            Some(Frame::Map { members, pending, .. }) => {
                if let Some(key) = pending.take() {
                    members.push((key, node));
                }
            }
            None => self.root = Some(node),
        }
        Ok(())
    }
}
