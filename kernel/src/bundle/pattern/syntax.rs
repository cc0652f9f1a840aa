//! From a pattern's text to the automaton that it stands for, not yet made deterministic.

use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_syntax::ast::parse::ParserBuilder;
use regex_syntax::ast::{self, Ast};
use regex_syntax::hir::translate::Translator;
use regex_syntax::hir::{Hir, HirKind, Look};

use super::width::Width;

use crate::bundle::limits::{PATTERN_AUTOMATON_BYTES_MAX, PATTERN_ONCE_BYTES_MAX};

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
    /// Reading its classes takes too long.
    #[error("the pattern has too many or too wide classes of characters")]
    TooWide,
}

impl PatternError {
    /// What to do about it.
    pub(in crate::bundle) const fn hint(&self) -> &'static str {
        match self {
            PatternError::Syntax(_) => "look-around and back-references do not exist in linear time",
            PatternError::TooLarge(_) => "use smaller repetition counts",
            PatternError::TooWide => {
                "ignore case (`(?i)`) outside of classes such as [\\w-] only, and use fewer classes"
            }
        }
    }
}

/// How large a pattern may be.
#[derive(Debug, Clone, Copy)]
pub(in crate::bundle) struct PatternSize {
    /// Bytes of its automaton.
    pub(in crate::bundle) bytes: usize,
    /// Named classes of characters.
    pub(in crate::bundle) classes: u64,
    /// Characters of classes within brackets, where case is ignored.
    pub(in crate::bundle) characters: u64,
}

impl PatternSize {
    /// Of a bundle's patterns.
    pub(in crate::bundle) const OFFERED: PatternSize =
        PatternSize { bytes: PATTERN_AUTOMATON_BYTES_MAX, classes: 512, characters: 1 << 21 };
    /// Of what is compiled while a call is decided.
    pub(in crate::bundle) const ONCE: PatternSize =
        PatternSize { bytes: PATTERN_ONCE_BYTES_MAX, classes: 8, characters: 1 << 12 };
}

/// Parses a pattern of such a size at most.
pub(super) fn automaton(source: &str, size: PatternSize) -> Result<NFA, PatternError> {
    let tree = ParserBuilder::new().nest_limit(NEST_MAX).build().parse(source).map_err(|error| syntax(&error))?;
    let Ok(width) = ast::visit(&tree, Width::default());
    if width.classes > size.classes || (ignores_case(source) && width.characters > size.characters) {
        return Err(PatternError::TooWide);
    }
    let parsed = translate(source, &tree)?;
    // Whether there is a match is all that is ever asked: no groups, and no care for where an empty match lies.
    let config =
        thompson::Config::new().nfa_size_limit(Some(size.bytes)).which_captures(WhichCaptures::None).utf8(false);
    thompson::Compiler::new()
        .configure(config)
        .build_from_hir(&plain(parsed))
        .map_err(|_| PatternError::TooLarge(size.bytes))
}

fn translate(source: &str, tree: &Ast) -> Result<Hir, PatternError> {
    Translator::new().translate(source, tree).map_err(|error| syntax(&error))
}

/// The last line of what the parser says; the lines before it show the place.
fn syntax(error: &impl ToString) -> PatternError {
    let all = error.to_string();
    let last = all.lines().last().unwrap_or_default().trim_start_matches("error: ");
    PatternError::Syntax(last.to_owned())
}

/// Whether any part of the pattern could ignore case: `(?` with an `i` before the next `)` or `:`.
fn ignores_case(source: &str) -> bool {
    source.split("(?").skip(1).any(|part| part.split([')', ':']).next().is_some_and(|flags| flags.contains('i')))
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
