//! A compiled pattern: a deterministic automaton where it is small enough, else one that is walked place by place.

use core::fmt;
use std::sync::Arc;

use regex_automata::Input;
use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson::NFA;

use super::syntax::{self, PatternError, PatternSize};
use super::walk;
use crate::bundle::limits::PATTERN_INPUT_BYTES_MAX;
use crate::bundle::work::Work;

// Limits are in bytes of the library's own structures: replicas must agree on them.
const _: () = assert!(usize::BITS == 64);

/// A regular expression. It matches anywhere in a text unless it is anchored. Cheap to clone.
///
/// What it costs depends on the pattern and the text alone, not on what was looked for before: nothing is built while matching.
#[derive(Clone)]
pub(in crate::bundle) struct Pattern {
    source: Arc<str>,
    form: Form,
}

#[derive(Clone)]
enum Form {
    /// One step a byte.
    Table(Arc<dense::DFA<Vec<u32>>>),
    /// Several places at once.
    Places(NFA),
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.source).finish()
    }
}

impl Pattern {
    /// Compiles a pattern of at most this size, with a table of at most `table_bytes_max` and without one where it would be larger.
    pub(in crate::bundle) fn compile(
        source: &str,
        size: PatternSize,
        table_bytes_max: usize,
    ) -> Result<Pattern, PatternError> {
        let nfa = syntax::automaton(source, size)?;
        let form = match table(&nfa, table_bytes_max) {
            Some(table) => Form::Table(Arc::new(table)),
            None => Form::Places(nfa),
        };
        Ok(Pattern { source: source.into(), form })
    }

    /// Bytes of the table; nothing when there is none.
    pub(super) fn table_bytes(&self) -> Option<usize> {
        match &self.form {
            Form::Table(table) => Some(table.memory_usage()),
            Form::Places(_) => None,
        }
    }

    /// Bytes of what is kept to look for it.
    pub(super) fn bytes(&self) -> usize {
        match &self.form {
            Form::Table(table) => table.memory_usage(),
            Form::Places(nfa) => nfa.memory_usage(),
        }
    }

    /// The pattern as it was written.
    pub(in crate::bundle) fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether there is a match in the text; `None` when the text is too long or the work could not be paid for, after which the
    /// call is denied.
    pub(in crate::bundle) fn finds(&self, text: &str, work: &Work) -> Option<bool> {
        if text.len() > PATTERN_INPUT_BYTES_MAX {
            return None;
        }
        self.finds_paying(text, |units| work.spend_pattern(units))
    }

    /// The same for any length of text, with units that somebody else counts.
    pub(in crate::bundle) fn finds_paying(&self, text: &str, mut pay: impl FnMut(usize) -> bool) -> Option<bool> {
        /// What looking for a pattern costs besides the text's bytes.
        const OVERHEAD_UNITS: usize = 16;
        match &self.form {
            Form::Table(table) => {
                if !pay(text.len().saturating_add(OVERHEAD_UNITS)) {
                    return None;
                }
                // Without bytes that make it give up the automaton always answers.
                table.try_search_fwd(&Input::new(text).earliest(true)).ok().map(|found| found.is_some())
            }
            Form::Places(nfa) => {
                if !pay(OVERHEAD_UNITS) {
                    return None;
                }
                walk::finds(nfa, text.as_bytes(), &mut pay).ok()
            }
        }
    }
}

/// The automaton made deterministic, if both it and what it takes to get there stay within the bound.
fn table(nfa: &NFA, bytes_max: usize) -> Option<dense::DFA<Vec<u32>>> {
    if bytes_max == 0 {
        return None;
    }
    let config = dense::Config::new()
        .start_kind(StartKind::Unanchored)
        .dfa_size_limit(Some(bytes_max))
        .determinize_size_limit(Some(bytes_max));
    dense::Builder::new().configure(config).build_from_nfa(nfa).ok()
}
