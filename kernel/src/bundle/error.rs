//! What can be wrong with a bundle's source, and what is merely suspicious.

use core::fmt;

/// A place in the source: both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// The kind of a bundle error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum BundleErrorKind {
    /// The source is not YAML, or uses more of YAML than a bundle may.
    Syntax = 1,
    /// A key no section knows.
    UnknownKey = 2,
    /// A key that must be there is not.
    MissingKey = 3,
    /// A list where a text belongs, and the like.
    WrongType = 4,
    /// A value outside what its key accepts.
    InvalidValue = 5,
    /// A name that is declared twice.
    Duplicate = 6,
    /// Something this kernel version does not enforce, and therefore does not accept.
    Unavailable = 7,
    /// A cap is exceeded.
    TooLarge = 8,
    /// A reference to a name nothing declares.
    UnknownName = 9,
}

/// One error in a bundle's source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleError {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What kind of error.
    pub kind: BundleErrorKind,
    /// What is wrong.
    pub message: String,
    /// What to write instead, when that can be guessed.
    pub hint: Option<String>,
}

impl BundleError {
    /// The error's one-line text under the file name the caller knows: `path:line:column: message (hint)`.
    pub fn in_file(&self, path: &str) -> String {
        let hint = self.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{path}:{}:{}: {}{hint}", self.line, self.column, self.message)
    }
}

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_file("bundle.yaml"))
    }
}

impl core::error::Error for BundleError {}

/// What a lint found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum LintKind {
    /// A pattern over a URL that also admits hosts it was not written for.
    UnanchoredPattern = 1,
    /// A rule or capability that no declared tool can meet.
    MatchesNoTool = 2,
    /// A capability constraint over an argument a covered tool does not declare: it never covers that tool.
    ConstraintWithoutArgument = 3,
    /// A deny rule over an argument a tool does not require: calls without it are denied.
    DenyOnAbsentArgument = 4,
    /// A rule that an earlier unconditional one always precedes.
    Unreachable = 5,
    /// A rule or predicate over an argument a tool does not declare: it can never hold there.
    UndeclaredArgument = 6,
}

/// Something in a bundle that loads but probably does not mean what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lint {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What was found.
    pub kind: LintKind,
    /// What it means and what to write instead.
    pub message: String,
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bundle.yaml:{}:{}: warning: {}", self.line, self.column, self.message)
    }
}

/// Collects errors and lints while a source is read.
#[derive(Debug, Default)]
pub(super) struct Diagnostics {
    pub(super) errors: Vec<BundleError>,
    pub(super) lints: Vec<Lint>,
}

impl Diagnostics {
    pub(super) fn error(&mut self, at: Position, kind: BundleErrorKind, message: impl Into<String>) {
        self.push(at, kind, message.into(), None);
    }

    pub(super) fn error_hint(&mut self, at: Position, kind: BundleErrorKind, message: impl Into<String>, hint: &str) {
        self.push(at, kind, message.into(), Some(hint.to_owned()));
    }

    pub(super) fn unavailable(&mut self, at: Position, what: &str, instead: &str) {
        let message = format!("{what} is not available in this kernel version");
        self.push(at, BundleErrorKind::Unavailable, message, Some(instead.to_owned()));
    }

    pub(super) fn lint(&mut self, at: Position, kind: LintKind, message: String) {
        if self.lints.len() < super::limits::ERRORS_MAX {
            self.lints.push(Lint { line: at.line, column: at.column, kind, message });
        }
    }

    fn push(&mut self, at: Position, kind: BundleErrorKind, message: String, hint: Option<String>) {
        if self.errors.len() < super::limits::ERRORS_MAX {
            self.errors.push(BundleError { line: at.line, column: at.column, kind, message, hint });
        }
    }
}

/// `did you mean …` for the nearest of the known names, when one is near enough to be a slip of the pen.
pub(super) fn nearest_hint<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let allowed = (written.chars().count() / 3).clamp(1, 3);
    let candidates = known.into_iter().map(|name| (edit_distance(written, name), name));
    let (distance, name) = candidates.min()?;
    (distance <= allowed).then(|| format!("did you mean `{name}`?"))
}

/// Levenshtein distance that ignores case, hyphens and underscores; names too long to be compared are far apart.
fn edit_distance(a: &str, b: &str) -> usize {
    let letters = |text: &str| -> Vec<char> {
        text.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).take(65).collect()
    };
    let (a, b) = (letters(a), letters(b));
    if a.len() > 64 || b.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (y, above) in b.iter().zip(row.iter().skip(1)) {
            left = (left + 1).min(above + 1).min(diagonal + usize::from(x != y));
            next.push(left);
            diagonal = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_name_the_nearest_key_only_when_it_is_near() {
        assert_eq!(nearest_hint("rulez", ["rules", "tools"]).as_deref(), Some("did you mean `rules`?"));
        assert_eq!(nearest_hint("risk-tier", ["risk_tier", "name"]).as_deref(), Some("did you mean `risk_tier`?"));
        assert_eq!(nearest_hint("capabilites", ["capabilities"]).as_deref(), Some("did you mean `capabilities`?"));
        assert_eq!(nearest_hint("zzz", ["rules", "tools"]), None);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
    }
}
