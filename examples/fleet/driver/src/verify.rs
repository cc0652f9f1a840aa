//! Running the offline verifier and reading its verdict.

use serde::Deserialize;

use crate::commands::{Commands, Program};
use crate::error::{DemoError, Result};

/// What the verifier says, as far as it is looked at here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Verification {
    /// `VALID`, `INVALID`, `INCOMPLETE`, …
    pub verdict: String,
    /// One line.
    pub headline: String,
    /// What was verified.
    pub coverage: Coverage,
    /// What was found, the decisive finding first.
    pub findings: Vec<Finding>,
    /// The process's exit code; 0 only for `VALID`.
    pub exit_code: i32,
}

/// What was verified.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Coverage {
    /// Entries, as decimal text.
    pub size: String,
    /// Spans, as decimal text.
    pub spans: String,
    /// What was done with receipts.
    pub receipts: Receipts,
}

/// What was done with receipts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Receipts {
    /// How many were given, as decimal text.
    pub given: String,
    /// How many are in the archive with a good signature, as decimal text.
    pub confirmed: String,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Finding {
    /// Its stable name.
    pub kind: String,
    /// The first entry that it affects, as decimal text.
    pub seq: String,
    /// Where its position is not exact: it lies before this, as decimal text.
    pub before: Option<String>,
    /// What was seen.
    pub detail: String,
}

impl Verification {
    /// Whether the decisive finding is of this kind at this entry, or in an interval that holds it.
    pub fn names(&self, kind: &str, seq: u64) -> bool {
        let Some(finding) = self.findings.first() else { return false };
        let from = finding.seq.parse::<u64>().ok();
        let hit = match &finding.before {
            Some(before) => {
                from.is_some_and(|from| from <= seq) && before.parse().is_ok_and(|before: u64| seq < before)
            }
            None => from == Some(seq),
        };
        finding.kind == kind && hit && self.exit_code != 0
    }
}

/// Runs `assent-verify` in the commands' folder. Verdicts other than `VALID` are no errors here; a verifier that gives none is.
pub async fn verify(commands: &Commands, args: &[&str]) -> Result<Verification> {
    let args = [args, &["--json"]].concat();
    let output = commands.output(Program::AssentVerify, &args).await?;
    let wrong = |what: String| DemoError::new(format!("assent-verify {what}: {}", output.err.trim_end()));
    let verification: Verification =
        serde_json::from_str(&output.out).map_err(|e| wrong(format!("gave no verdict ({e})")))?;
    match output.code {
        Some(code) if code == verification.exit_code => Ok(verification),
        code => Err(wrong(format!("ended with {code:?} and wrote exit code {}", verification.exit_code))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const EDITED: &str = r#"{"@v":"assent/verification/1","coverage":{"anchors":[],"receipts":{"confirmed":"0","given":"3"},
        "size":"17","spans":"2","tenants":[]},"exit_code":10,"findings":[{"detail":"d","kind":"leaf-edited","next":"n",
        "seq":"20","verdict":"INVALID"}],"headline":"INVALID leaf-edited at entry 20","verdict":"INVALID"}"#;

    #[test]
    fn the_decisive_finding_is_held_against_kind_and_place() {
        let mut report: Verification = serde_json::from_str(EDITED).unwrap();
        assert!(report.names("leaf-edited", 20));
        assert!(!report.names("leaf-edited", 21) && !report.names("tail-cut", 20));
        report.findings.first_mut().unwrap().before = Some("30".to_owned());
        assert!(
            report.names("leaf-edited", 29) && !report.names("leaf-edited", 30) && !report.names("leaf-edited", 19)
        );
        report.findings.clear();
        assert!(!report.names("leaf-edited", 20));
    }
}
