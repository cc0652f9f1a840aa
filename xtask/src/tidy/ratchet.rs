//! The ratchet: a list of what is too long today, with its present length. An entry may only shrink and disappear.
//!
//! A line is `file <path> <lines>` or `fn <path>::<name> <lines>`; `#` starts a comment.

use std::collections::BTreeMap;

use super::size::{FILE_LINES_REVIEW, FUNCTION_LINES_MAX};
use crate::finding::Finding;
use crate::rust::functions::Function;

/// Something that is longer than its limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    /// Its name in the list, such as `fn a/b.rs::c`.
    pub key: String,
    /// Its file.
    pub path: String,
    /// Where it starts.
    pub line: usize,
    /// Its length in lines.
    pub lines: usize,
    /// The limit that it exceeds.
    pub limit: usize,
}

impl Measure {
    /// A file that is too long.
    pub fn file(path: &str, lines: usize) -> Measure {
        Measure { key: format!("file {path}"), path: path.to_owned(), line: 1, lines, limit: FILE_LINES_REVIEW }
    }

    /// A function that is too long.
    pub fn function(path: &str, function: &Function) -> Measure {
        let key = format!("fn {path}::{}", function.name);
        Measure { key, path: path.to_owned(), line: function.line, lines: function.lines, limit: FUNCTION_LINES_MAX }
    }
}

/// Compares what is too long with the list at `list_path`. Of several functions with one name in one file the longest counts.
pub fn compare(list_path: &str, list: &str, measures: &[Measure]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut listed: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (at, line) in list.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let parsed = line.rsplit_once(' ').and_then(|(key, count)| Some((key.trim(), count.parse::<usize>().ok()?)));
        match parsed {
            _ if line.is_empty() => {}
            Some((key, count)) if !listed.contains_key(key) => drop(listed.insert(key.to_owned(), (count, at + 1))),
            _ => {
                let advice = "write `file <path> <lines>` or `fn <path>::<name> <lines>`, each once";
                findings.push(Finding::new(list_path, at + 1, "the line cannot be read or repeats another", advice));
            }
        }
    }
    let mut longest: BTreeMap<&str, &Measure> = BTreeMap::new();
    for measure in measures {
        let known = longest.entry(&measure.key).or_insert(measure);
        if measure.lines > known.lines {
            *known = measure;
        }
    }
    for (key, measure) in &longest {
        findings.extend(judge(list_path, measure, listed.get(*key).copied()));
    }
    for (key, (_, line)) in listed.iter().filter(|(key, _)| !longest.contains_key(key.as_str())) {
        findings.push(Finding::new(list_path, *line, format!("`{key}` is within its limit"), "delete this line"));
    }
    findings
}

fn judge(list_path: &str, measure: &Measure, listed: Option<(usize, usize)>) -> Option<Finding> {
    let Measure { key, path, line, lines, limit } = measure;
    match listed {
        None => {
            let what = format!("`{key}` has {lines} lines, more than {limit}");
            Some(Finding::new(path, *line, what, "split it"))
        }
        Some((count, _)) if *lines > count => {
            let what = format!("`{key}` grew from {count} to {lines} lines");
            Some(Finding::new(path, *line, what, "split it; the ratchet only goes down"))
        }
        Some((count, at)) if *lines < count => {
            let what = format!("`{key}` shrank from {count} to {lines} lines");
            Some(Finding::new(list_path, at, what, format!("lower the count to {lines}")))
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(list: &str, lines: &[usize]) -> Vec<String> {
        let function = |lines: &usize| Function { name: "f".to_owned(), line: 5, lines: *lines };
        let measures: Vec<_> = lines.iter().map(|lines| Measure::function("a.rs", &function(lines))).collect();
        compare("list", list, &measures).into_iter().map(|finding| finding.to_string()).collect()
    }

    #[test]
    fn what_is_listed_with_its_length_passes() {
        assert_eq!(found("# a comment\n\nfn a.rs::f 80\n", &[80]), Vec::<String>::new());
        assert_eq!(found("fn a.rs::f 80\n", &[72, 80, 75]), Vec::<String>::new());
        assert_eq!(found("", &[]), Vec::<String>::new());
    }

    #[test]
    fn growth_is_refused_and_shrinking_is_kept() {
        assert_eq!(found("", &[80]), ["a.rs:5: `fn a.rs::f` has 80 lines, more than 70; split it"]);
        assert!(
            found("fn a.rs::f 80\n", &[81])
                .iter()
                .all(|f| f.starts_with("a.rs:5: ") && f.contains("grew from 80 to 81"))
        );
        assert!(
            found("fn a.rs::f 80\n", &[79])
                .iter()
                .all(|f| f.starts_with("list:1: ") && f.contains("lower the count to 79"))
        );
        assert_eq!(found("fn a.rs::f 80\n", &[]), ["list:1: `fn a.rs::f` is within its limit; delete this line"]);
        for list in ["fn a.rs::f 80\n", ""] {
            assert_eq!(found(list, &[81]).len(), 1);
        }
        assert_eq!(found("fn a.rs::f 80\n", &[79]).len(), 1);
    }

    #[test]
    fn a_list_that_cannot_be_read_is_a_finding() {
        for list in ["fn a.rs::f\n", "fn a.rs::f many\n", "fn a.rs::f 80\nfn a.rs::f 90\n"] {
            assert!(found(list, &[80]).iter().any(|f| f.contains("cannot be read")), "{list}");
        }
    }
}
