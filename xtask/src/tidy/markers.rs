//! No leftover markers: `todo!`, `unimplemented!` and `dbg!` in code, and the words that announce unfinished work in
//! comments and documents.

use crate::finding::Finding;
use crate::repo::Repo;
use crate::rust::lex::lex;

const MACROS: [&str; 3] = ["todo", "unimplemented", "dbg"];
const WORDS: [&str; 4] = ["TODO", "FIXME", "XXX", "HACK"];
const ADVICE: &str = "finish it, or take it out";

/// Looks at Rust code and comments, at Markdown outside of code, and at all lines of other sources.
pub fn check(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in repo.ending(&[".rs"]) {
        let lexed = lex(text);
        for pair in lexed.tokens.windows(2) {
            if let [name, bang] = pair
                && bang.is("!")
                && MACROS.iter().any(|known| name.is(known))
            {
                findings.push(Finding::new(path, name.line, format!("leftover marker `{}!`", name.text), ADVICE));
            }
        }
        for comment in &lexed.comments {
            find_words(path, comment.line, comment.text, &mut findings);
        }
    }
    for (path, text) in repo.ending(&[".md"]) {
        find_words(path, 1, &super::links::without_code(text), &mut findings);
    }
    for (path, text) in
        repo.ending(&[".py", ".sh", ".proto", ".toml", ".yaml", ".yml", ".ts", ".js", "Makefile", ".ci/run"])
    {
        find_words(path, 1, text, &mut findings);
    }
    findings
}

fn find_words(path: &str, first_line: usize, text: &str, findings: &mut Vec<Finding>) {
    for (at, line) in text.lines().enumerate() {
        let words = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        for word in words.filter(|word| WORDS.contains(word)) {
            findings.push(Finding::new(path, first_line + at, format!("leftover marker `{word}`"), ADVICE));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(path: &str, text: &str) -> Vec<(usize, String)> {
        check(&Repo::of(&[(path, text)]))
            .into_iter()
            .map(|f| (f.line, f.what.replace("leftover marker ", "")))
            .collect()
    }

    #[test]
    fn macros_and_words_are_found_in_rust() {
        let text = "fn a() {\n    todo!()\n}\n// FIXME b\n/* c\n HACK d */\nfn e() { unimplemented!(); dbg!(1); } // XXX: TODO\n";
        let expected = [
            (2, "`todo!`"),
            (7, "`unimplemented!`"),
            (7, "`dbg!`"),
            (4, "`FIXME`"),
            (6, "`HACK`"),
            (7, "`XXX`"),
            (7, "`TODO`"),
        ];
        assert_eq!(places("a.rs", text), expected.map(|(line, what)| (line, what.to_owned())));
    }

    #[test]
    fn strings_and_other_names_are_no_markers() {
        assert_eq!(places("a.rs", "const A: &str = \"FIXME todo!()\"; fn todo() {} let XXXL = 1; // hack, TODOS"), []);
    }

    #[test]
    fn other_sources_are_looked_at_too() {
        assert_eq!(places("a.py", "x = 1  # FIXME\n"), [(1, "`FIXME`".to_owned())]);
        assert_eq!(places("a.md", "Say `TODO` never.\n\n```\nFIXME\n```\nHACK\n"), [(6, "`HACK`".to_owned())]);
        assert_eq!(places("data.jsonl", "\"FIXME\"\n"), []);
    }
}
