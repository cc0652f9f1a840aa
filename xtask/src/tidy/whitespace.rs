//! No white space at the end of a line, carriage returns included. Data keeps its own bytes.

use crate::finding::Finding;
use crate::repo::Repo;

/// Files whose bytes belong to somebody else, or to a tool.
const DATA: [&str; 6] = [".json", ".jsonl", ".snap", ".svg", ".lock", ".pem"];

/// Looks at every text file that is not data.
pub fn check(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in &repo.texts {
        if path.starts_with("testdata/") || DATA.iter().any(|ending| path.ends_with(ending)) {
            continue;
        }
        for (at, line) in text.split('\n').enumerate().filter(|(_, line)| line.ends_with(char::is_whitespace)) {
            let what = if line.ends_with('\r') { "a carriage return" } else { "white space" };
            findings.push(Finding::new(path, at + 1, format!("{what} at the end of the line"), "take it out"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_clean_lines_pass() {
        let bad = Repo::of(&[("a.rs", "a \nb\t\nc\r\nd"), ("testdata/b.txt", "a \n"), ("c.json", "1 \n")]);
        assert_eq!(check(&bad).iter().map(|f| f.line).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(check(&Repo::of(&[("a.rs", "a\n\n  b\n")])), []);
    }
}
