//! `regex.match`: patterns that the policy writes out are compiled with it, others when they are met, which costs more.

use std::collections::{BTreeMap, BTreeSet};

use regorus::Value as Rego;

use super::fuel::{Exhausted, Fuel};
use crate::bundle::limits::PATTERN_BYTES_MAX;
use crate::bundle::pattern::{Pattern, PatternError, PatternSize, Patterns};

/// The patterns of a policy, by their text. Those that do not compile are not among them.
#[derive(Debug, Default)]
pub(super) struct Written(BTreeMap<String, Pattern>);

impl Written {
    /// Compiles all that compile; what does not is met again when it is looked for.
    pub(super) fn compile(sources: BTreeSet<String>) -> Written {
        let mut patterns = Patterns::default();
        let compiled = sources.into_iter().filter_map(|source| Some((patterns.compile_text(&source).ok()?, source)));
        Written(compiled.map(|(pattern, source)| (source, pattern)).collect())
    }

    /// Whether there is a match in the text. Undefined when one of the two is no text or the pattern is none, as in OPA.
    ///
    /// # Errors
    /// The budget is spent, or the pattern is too large to be compiled here.
    pub(super) fn matches(&self, pattern: &Rego, text: &Rego, fuel: &mut Fuel) -> Result<Rego, Exhausted> {
        let (Rego::String(source), Rego::String(text)) = (pattern, text) else { return Ok(Rego::Undefined) };
        if let Some(known) = self.0.get(source.as_ref()) {
            return find(known, text, fuel);
        }
        if source.len() > PATTERN_BYTES_MAX {
            return Err(Exhausted);
        }
        fuel.compile_pattern(source)?;
        match Pattern::compile(source, PatternSize::ONCE, 0) {
            Ok(pattern) => find(&pattern, text, fuel),
            Err(PatternError::Syntax(_)) => Ok(Rego::Undefined),
            Err(PatternError::TooLarge(_) | PatternError::TooWide) => Err(Exhausted),
        }
    }
}

fn find(pattern: &Pattern, text: &str, fuel: &mut Fuel) -> Result<Rego, Exhausted> {
    let found = pattern.finds_paying(text, |units| fuel.match_pattern(units).is_ok());
    found.map(Rego::Bool).ok_or(Exhausted)
}
