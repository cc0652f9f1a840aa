//! What is wrong with a policy's source.

use core::fmt;

use super::limits::ERRORS_MAX;

/// One error in a policy's source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RegoError {
    /// The module's name.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to write instead, when that is known.
    pub hint: Option<String>,
}

impl RegoError {
    pub(super) fn new(file: &str, line: u32, column: u32, message: String) -> RegoError {
        RegoError { file: file.to_owned(), line, column, message, hint: None }
    }

    /// Reads the place and the message out of a text of regorus: `--> file:line:column`, the source line, `error: …`.
    pub(super) fn from_text(text: &str, fallback_file: &str) -> RegoError {
        let message = match text.rsplit_once("error: ") {
            Some((_, message)) => message.trim(),
            None => text.trim(),
        };
        let place = text.split_once("--> ").and_then(|(_, rest)| {
            let (file_line, column) = rest.lines().next()?.rsplit_once(':')?;
            let (file, line) = file_line.rsplit_once(':')?;
            Some((file, line.parse().ok()?, column.trim().parse().ok()?))
        });
        let (file, line, column) = place.unwrap_or((fallback_file, 1, 1));
        RegoError::new(file, line, column, message.to_owned())
    }
}

impl fmt::Display for RegoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hint = self.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        write!(f, "{}:{}:{}: {}{hint}", self.file, self.line, self.column, self.message)
    }
}

impl core::error::Error for RegoError {}

/// The errors found so far, capped.
#[derive(Debug, Default)]
pub(super) struct Collected(Vec<RegoError>);

impl Collected {
    pub(super) fn push(&mut self, error: RegoError) {
        if self.0.len() < ERRORS_MAX {
            self.0.push(error);
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In order of files and places.
    pub(super) fn into_sorted(mut self) -> Vec<RegoError> {
        self.0.sort();
        self.0.dedup();
        self.0
    }
}
