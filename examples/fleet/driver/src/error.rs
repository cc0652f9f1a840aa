//! The one error of the demonstration: a sentence that says what failed and where to look.

use core::fmt;
use std::path::Path;

/// Why a step failed. The text is for people: it names the file or the log that tells more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoError(String);

/// What the steps of the demonstration give.
pub type Result<T> = core::result::Result<T, DemoError>;

impl DemoError {
    /// An error with this text.
    pub fn new(text: impl Into<String>) -> Self {
        DemoError(text.into())
    }

    /// An error about a file or folder.
    pub fn at(path: &Path, cause: impl fmt::Display) -> Self {
        DemoError(format!("{}: {cause}", path.display()))
    }

    /// The same error, with what was being done in front of it.
    #[must_use]
    pub fn during(self, what: impl fmt::Display) -> Self {
        DemoError(format!("{what}: {}", self.0))
    }
}

impl fmt::Display for DemoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DemoError {}

impl From<assent_client::ClientError> for DemoError {
    fn from(error: assent_client::ClientError) -> Self {
        DemoError(error.to_string())
    }
}
