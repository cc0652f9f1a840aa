//! What the commands print: tables for people, one JSON value per line for machines, errors on standard error.

use std::io::{self, Write};
use std::process::ExitCode;

use assent_client::ClientError;
use serde_json::{Value, json};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The call to the cluster failed; its text says whether anything was recorded.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The command line or the configuration makes no sense.
    #[error("{0}; nothing was sent")]
    Usage(String),
    /// Something local failed after the command line was understood.
    #[error("{0}")]
    Failed(String),
    /// Whoever read the output has gone, as in `| head`: nothing is left to say.
    #[error("the reader of the output has gone")]
    OutputClosed,
}

/// What a shell reports of a program that SIGPIPE ended.
const EXIT_OUTPUT_CLOSED: u8 = 141;

/// Prints an error and gives its exit code: 2 for wrong usage, 141 without a word when the output's reader has gone, 1 for
/// everything else.
pub fn report(error: &CliError, as_json: bool) -> ExitCode {
    if matches!(error, CliError::OutputClosed) {
        return ExitCode::from(EXIT_OUTPUT_CLOSED);
    }
    let recorded = match error {
        CliError::Client(error) if error.may_be_recorded() => "maybe",
        _ => "no",
    };
    let text = if as_json {
        json!({"error": error.to_string(), "recorded": recorded}).to_string()
    } else {
        format!("assent: {error}")
    };
    let _ = writeln!(io::stderr(), "{text}");
    match error {
        CliError::Usage(_) => ExitCode::from(2),
        _ => ExitCode::from(1),
    }
}

/// Writes a warning for people to standard error, in either mode.
pub fn warn(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Where a command's results go.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    json: bool,
}

impl Out {
    /// Tables or JSON.
    pub const fn new(json: bool) -> Self {
        Out { json }
    }

    /// Whether results are written as JSON.
    pub const fn is_json(self) -> bool {
        self.json
    }

    /// Writes one result: the value for machines, the text for people.
    pub fn emit(self, value: &Value, text: impl FnOnce() -> String) -> Result<(), CliError> {
        if self.json { self.line(&value.to_string()) } else { self.line(text().trim_end_matches('\n')) }
    }

    /// Writes one line as it is.
    pub fn line(self, text: &str) -> Result<(), CliError> {
        writeln!(io::stdout(), "{text}").map_err(|e| match e.kind() {
            io::ErrorKind::BrokenPipe => CliError::OutputClosed,
            _ => CliError::Failed(format!("cannot write the output: {e}")),
        })
    }
}

/// Lays out rows under a heading in aligned columns; the last column is not padded.
pub fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(heading.get(column).map(|h| h.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let mut text = String::new();
    let mut row = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (cell, width) in cells.zip(&widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    };
    row(&mut heading.iter().copied());
    for cells in rows {
        row(&mut cells.iter().map(String::as_str));
    }
    text
}

/// Field names and values, one per line.
pub fn fields(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    pairs.iter().map(|(name, value)| format!("{name:<width$}  {value}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let text = table(&["a", "long"], &[vec!["wide cell".to_owned(), "x".to_owned()], vec!["y".to_owned()]]);
        assert_eq!(text, "a          long\nwide cell  x\ny\n");
    }
}
