//! From a pattern's text to the automaton that it stands for, not yet made deterministic.

use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind, Look};

/// Deepest nesting of a pattern's groups.
const NEST_MAX: u32 = 64;

/// Why a pattern is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::bundle) enum PatternError {
    /// It does not parse.
    #[error("the pattern does not compile: {0}")]
    Syntax(String),
    /// It stands for too large an automaton.
    #[error("the pattern compiles to more than {0} bytes")]
    TooLarge(usize),
}

impl PatternError {
    /// What to do about it.
    pub(in crate::bundle) const fn hint(&self) -> &'static str {
        match self {
            PatternError::Syntax(_) => "look-around and back-references do not exist in linear time",
            PatternError::TooLarge(_) => "use smaller repetition counts",
        }
    }
}

/// Parses a pattern; its automaton takes `bytes_max` at most.
pub(super) fn automaton(source: &str, bytes_max: usize) -> Result<NFA, PatternError> {
    let parsed = ParserBuilder::new().nest_limit(NEST_MAX).build().parse(source).map_err(|error| {
        let all = error.to_string();
        let last = all.lines().last().unwrap_or_default().trim_start_matches("error: ");
        PatternError::Syntax(last.to_owned())
    })?;
    // Whether there is a match is all that is ever asked: no groups, and no care for where an empty match lies.
    let config =
        thompson::Config::new().nfa_size_limit(Some(bytes_max)).which_captures(WhichCaptures::None).utf8(false);
    thompson::Compiler::new()
        .configure(config)
        .build_from_hir(&plain(parsed))
        .map_err(|_| PatternError::TooLarge(bytes_max))
}

/// The expression without groups, and with word boundaries between ASCII letters, digits and `_` on one side and everything else on
/// the other, as RE2 and ECMAScript have them: those of Unicode cannot be told from the next byte alone.
///
/// Recurses as deep as the parser let the pattern nest.
fn plain(expression: Hir) -> Hir {
    match expression.into_kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) => Hir::literal(literal.0),
        HirKind::Class(class) => Hir::class(class),
        HirKind::Look(look) => Hir::look(of_ascii(look)),
        HirKind::Capture(group) => plain(*group.sub),
        HirKind::Concat(parts) => Hir::concat(parts.into_iter().map(plain).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.into_iter().map(plain).collect()),
        HirKind::Repetition(mut repetition) => {
            repetition.sub = Box::new(plain(*repetition.sub));
            Hir::repetition(repetition)
        }
    }
}

const fn of_ascii(look: Look) -> Look {
    match look {
        Look::WordUnicode => Look::WordAscii,
        Look::WordUnicodeNegate => Look::WordAsciiNegate,
        Look::WordStartUnicode => Look::WordStartAscii,
        Look::WordEndUnicode => Look::WordEndAscii,
        Look::WordStartHalfUnicode => Look::WordStartHalfAscii,
        Look::WordEndHalfUnicode => Look::WordEndHalfAscii,
        other => other,
    }
}
