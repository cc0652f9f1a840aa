//! Regular expressions of a bundle: linear time, bounded in size and in work, shared when written twice.
//!
//! A pattern is made deterministic when the bundle is offered, so that looking for it takes one step for each byte of text and builds
//! nothing. What would need too large a table is walked place by place instead, and pays for each place.

mod automaton;
mod lint;
mod syntax;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
mod walk;
mod width;

use std::collections::BTreeMap;

use super::error::{BundleErrorKind, Diagnostics};
use super::fields::text;
use super::limits::{
    PATTERN_BYTES_MAX, PATTERN_TABLE_BYTES_MAX, PATTERN_TABLES_BYTES_MAX, PATTERNS_BYTES_MAX, PATTERNS_MAX,
};
use super::source::Node;

pub(super) use automaton::Pattern;
pub(super) use lint::{is_url_argument, leaves_host_open};
pub(super) use syntax::{PatternError, PatternSize};

/// The patterns compiled so far, by their text.
pub(super) struct Patterns {
    compiled: BTreeMap<String, Pattern>,
    /// Bytes that tables may still take together. A table that got too large counts as one of the largest: trying took as long.
    tables_left: usize,
    /// Bytes that all patterns may still take together.
    bytes_left: usize,
    size: PatternSize,
    most: usize,
    /// How many different ones were compiled, in vain or not.
    tried: usize,
}

impl Default for Patterns {
    fn default() -> Patterns {
        Patterns {
            compiled: BTreeMap::new(),
            tables_left: PATTERN_TABLES_BYTES_MAX,
            bytes_left: PATTERNS_BYTES_MAX,
            size: PatternSize::OFFERED,
            most: PATTERNS_MAX,
            tried: 0,
        }
    }
}

impl Patterns {
    /// Patterns of something that is compiled for one decision: few, and without tables, which take longer to build than one text
    /// takes to be looked through.
    pub(super) fn few(most: usize) -> Patterns {
        Patterns { tables_left: 0, size: PatternSize::ONCE, most, ..Patterns::default() }
    }

    /// How many different ones were compiled, in vain or not.
    pub(super) const fn tried(&self) -> usize {
        self.tried
    }

    /// Compiles the pattern in `node`. It matches anywhere in a text unless it is anchored.
    pub(super) fn compile(&mut self, node: &Node, d: &mut Diagnostics) -> Option<Pattern> {
        let source = text(node, "a pattern", d)?;
        match self.compile_text(source) {
            Ok(pattern) => Some(pattern),
            Err((message, Some(hint))) => {
                d.error_hint(node.at, BundleErrorKind::InvalidValue, message, hint);
                None
            }
            Err((message, None)) => {
                d.error(node.at, BundleErrorKind::TooLarge, message);
                None
            }
        }
    }

    /// Compiles a pattern that is part of a condition; the error says what is wrong with it, and what to do.
    pub(super) fn compile_text(&mut self, source: &str) -> Result<Pattern, (String, Option<&'static str>)> {
        if let Some(pattern) = self.compiled.get(source) {
            return Ok(pattern.clone());
        }
        if source.len() > PATTERN_BYTES_MAX || self.tried >= self.most {
            let most = self.most;
            return Err((
                format!("keep a pattern to {PATTERN_BYTES_MAX} bytes, and to {most} different patterns"),
                None,
            ));
        }
        self.tried = self.tried.saturating_add(1);
        let pattern = Pattern::compile(source, self.size, self.tables_left.min(PATTERN_TABLE_BYTES_MAX))
            .map_err(|error| (error.to_string(), Some(error.hint())))?;
        let Some(left) = self.bytes_left.checked_sub(pattern.bytes()) else {
            return Err((format!("all patterns together compile to more than {PATTERNS_BYTES_MAX} bytes"), None));
        };
        self.bytes_left = left;
        self.tables_left = self.tables_left.saturating_sub(pattern.table_bytes().unwrap_or(PATTERN_TABLE_BYTES_MAX));
        self.compiled.insert(source.to_owned(), pattern.clone());
        Ok(pattern)
    }
}
