//! Functions of at most 70 lines; files of at most 500 lines, with the ratchet up to 800, never more.

use super::ratchet::{self, Measure};
use crate::finding::Finding;
use crate::repo::Repo;
use crate::rust::functions::functions;
use crate::rust::lex::lex;

/// Lines of a function, from `fn` to its closing brace.
pub const FUNCTION_LINES_MAX: usize = 70;
/// Lines of a file beyond which the ratchet must name it.
pub const FILE_LINES_REVIEW: usize = 500;
/// Lines of a file that the ratchet cannot excuse either.
pub const FILE_LINES_MAX: usize = 800;

/// Where the present exceptions stand.
pub const RATCHET: &str = "xtask/ratchet.txt";

/// Measures all sources and compares what is too long with the ratchet.
pub fn check(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut measures = Vec::new();
    for (path, text) in repo.ending(&[".rs", ".py", ".sh", ".proto", ".ts", ".js"]) {
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            let what = format!("the file has {lines} lines, more than {FILE_LINES_MAX}");
            findings.push(Finding::new(path, 1, what, "split it; the ratchet does not excuse this"));
        } else if lines > FILE_LINES_REVIEW {
            measures.push(Measure::file(path, lines));
        }
    }
    for (path, text) in repo.ending(&[".rs"]) {
        let long = functions(&lex(text).tokens).into_iter().filter(|function| function.lines > FUNCTION_LINES_MAX);
        measures.extend(long.map(|function| Measure::function(path, &function)));
    }
    let list = repo.texts.get(RATCHET).map_or("", String::as_str);
    findings.extend(ratchet::compare(RATCHET, list, &measures));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(lines: usize) -> String {
        "// x\n".repeat(lines)
    }

    fn function(lines: usize) -> String {
        format!("fn a() {{\n{}}}\n", "    b();\n".repeat(lines - 2))
    }

    fn whats(path: &str, text: &str, list: &str) -> Vec<String> {
        check(&Repo::of(&[(path, text), (RATCHET, list)])).into_iter().map(|finding| finding.to_string()).collect()
    }

    #[test]
    fn the_limits_themselves_pass() {
        assert_eq!(whats("a.rs", &file(FILE_LINES_REVIEW), ""), Vec::<String>::new());
        assert_eq!(whats("a.rs", &function(FUNCTION_LINES_MAX), ""), Vec::<String>::new());
    }

    #[test]
    fn one_line_more_is_found() {
        for ending in ["rs", "py", "sh"] {
            let found = whats(&format!("a.{ending}"), &file(FILE_LINES_REVIEW + 1), "");
            assert!(found.iter().any(|f| f.contains("501 lines")), "{found:?}");
        }
        let found = whats("a.rs", &function(FUNCTION_LINES_MAX + 1), "");
        assert!(found.iter().any(|f| f.starts_with("a.rs:1: ") && f.contains("71 lines")), "{found:?}");
    }

    #[test]
    fn the_ratchet_excuses_up_to_the_hard_limit() {
        assert_eq!(whats("a.rs", &file(FILE_LINES_MAX), "file a.rs 800\n"), Vec::<String>::new());
        assert_eq!(whats("a.rs", &function(90), "fn a.rs::a 90\n"), Vec::<String>::new());
        let found = whats("a.rs", &file(FILE_LINES_MAX + 1), "file a.rs 801\n");
        assert!(found.iter().any(|f| f.contains("more than 800")), "{found:?}");
    }
}
