//! Committed JSON parses, with no key twice: vectors and workloads are read by verifiers in other languages.

use crate::finding::Finding;
use crate::json;
use crate::repo::Repo;

/// Looks at `.json` files and at each line of `.jsonl` files.
pub fn check(repo: &Repo) -> Vec<Finding> {
    let advice = "make it again with the tool that writes it";
    let mut findings = Vec::new();
    for (path, text) in repo.ending(&[".json"]) {
        if let Err(error) = json::parse(text) {
            findings.push(Finding::new(path, error.line, format!("no JSON: {}", error.what), advice));
        }
    }
    for (path, text) in repo.ending(&[".jsonl"]) {
        for (at, line) in text.lines().enumerate() {
            if let Err(error) = json::parse(line) {
                findings.push(Finding::new(path, at + 1, format!("no JSON: {}", error.what), advice));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_json_is_found_with_its_line() {
        let repo = Repo::of(&[
            ("a.json", "{\n \"a\": 1,\n \"a\": 2\n}\n"),
            ("b.jsonl", "{}\n{\n"),
            ("c.json", "[]\n"),
            ("d.jsonl", "1\n2\n"),
        ]);
        let found: Vec<_> = check(&repo).into_iter().map(|finding| (finding.path, finding.line)).collect();
        assert_eq!(found, [("a.json".to_owned(), 3), ("b.jsonl".to_owned(), 2)]);
    }
}
