//! The summary at the end: figures and checks in two columns, each check with its verdict.

use core::fmt::Write as _;

/// Rows in the order in which they were added.
#[derive(Debug, Default)]
pub struct Summary {
    rows: Vec<(String, String, Option<bool>)>,
}

impl Summary {
    /// A figure: nothing that could fail.
    pub fn figure(&mut self, name: &str, value: impl Into<String>) {
        self.rows.push((name.to_owned(), value.into(), None));
    }

    /// A check.
    pub fn check(&mut self, name: &str, value: impl Into<String>, ok: bool) {
        self.rows.push((name.to_owned(), value.into(), Some(ok)));
    }

    /// Whether every check passed.
    pub fn is_ok(&self) -> bool {
        self.rows.iter().all(|(_, _, ok)| *ok != Some(false))
    }

    /// The names of the checks that failed.
    pub fn failed(&self) -> Vec<&str> {
        self.rows.iter().filter(|(_, _, ok)| *ok == Some(false)).map(|(name, _, _)| name.as_str()).collect()
    }

    /// The table.
    pub fn text(&self) -> String {
        let width = self.rows.iter().map(|(name, _, _)| name.len()).max().unwrap_or(0);
        let mut text = String::new();
        for (name, value, ok) in &self.rows {
            let mark = match ok {
                None => "",
                Some(true) => "ok",
                Some(false) => "FAILED",
            };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{mark:>6}  {name:<width$}  {value}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_check_fails_the_whole() {
        let mut summary = Summary::default();
        summary.figure("p50", "1 ms");
        summary.check("roots", "equal", true);
        assert!(summary.is_ok());
        summary.check("receipts", "1 lost", false);
        assert!(!summary.is_ok());
        assert_eq!(summary.failed(), ["receipts"]);
        assert_eq!(summary.text(), "        p50       1 ms\n    ok  roots     equal\nFAILED  receipts  1 lost\n");
    }
}
