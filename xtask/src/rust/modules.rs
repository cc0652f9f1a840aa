//! Which files a crate's module declarations reach.

use std::collections::BTreeMap;

use super::attributes::attributes;
use super::functions::closing;
use super::lex::{Kind, Token, lex};
use crate::repo::{folder_of, resolve};

/// How a file is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// Only through declarations under `#[cfg(test)]`.
    pub test_only: bool,
}

/// A file that another one declares or includes.
struct Child {
    /// Where it may lie; the first that exists is it.
    candidates: Vec<String>,
    test_only: bool,
}

/// All files that the given roots reach, the roots included.
pub fn reach(texts: &BTreeMap<String, String>, roots: &[String]) -> BTreeMap<String, Reached> {
    let mut reached: BTreeMap<String, Reached> = BTreeMap::new();
    let mut open: Vec<(String, bool, bool)> = roots.iter().map(|root| (root.clone(), true, false)).collect();
    while let Some((path, is_root, test_only)) = open.pop() {
        let Some(text) = texts.get(&path) else { continue };
        if reached.get(&path).is_some_and(|known| !known.test_only || test_only) {
            continue;
        }
        reached.insert(path.clone(), Reached { test_only });
        for child in children(&path, is_root, text) {
            if let Some(found) = child.candidates.into_iter().find(|candidate| texts.contains_key(candidate)) {
                open.push((found, false, test_only || child.test_only));
            }
        }
    }
    reached
}

/// What one file declares: `mod name;` (inline modules and `#[path]` followed) and `include!("…")`.
fn children(path: &str, is_root: bool, text: &str) -> Vec<Child> {
    let lexed = lex(text);
    let tokens = &lexed.tokens;
    let attributes = attributes(tokens);
    let test_ranges: Vec<_> = attributes.iter().filter(|a| a.is_test_only(tokens)).map(|a| a.governs(tokens)).collect();
    let own_folder = folder_of(path);
    let stem = path.trim_end_matches(".rs").rsplit('/').next().unwrap_or_default();
    let module_folder =
        if is_root || stem == "mod" { own_folder.to_owned() } else { path.trim_end_matches(".rs").to_owned() };

    let mut found = Vec::new();
    let mut inline: Vec<(String, usize)> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        inline.retain(|(_, close)| at < *close);
        let names: Vec<&str> = inline.iter().map(|(name, _)| name.as_str()).collect();
        let inner = [module_folder.as_str()].into_iter().chain(names).collect::<Vec<_>>().join("/");
        let mut candidates = Vec::new();
        if let Some(included) = included(tokens, at) {
            candidates.extend(resolve(own_folder, included));
        } else if let Some(name) = tokens.get(at + 1).filter(|name| token.is("mod") && name.kind == Kind::Word) {
            let name_text = name.text.trim_start_matches("r#");
            match tokens.get(at + 2) {
                Some(next) if next.is("{") => {
                    inline.push((name_text.to_owned(), closing(tokens, at + 2).unwrap_or(tokens.len())));
                    continue;
                }
                Some(next) if next.is(";") => {}
                _ => continue,
            }
            let folder = if inline.is_empty() { own_folder } else { inner.as_str() };
            let governing = attributes.iter().filter(|a| !a.inner && a.governs(tokens).contains(&at));
            let explicit = governing.filter_map(|a| path_attribute(tokens.get(a.tokens.clone())?)).next_back();
            match explicit {
                Some(explicit) => candidates.extend(resolve(folder, explicit)),
                None => candidates.extend(
                    [format!("{name_text}.rs"), format!("{name_text}/mod.rs")]
                        .iter()
                        .filter_map(|n| resolve(&inner, n)),
                ),
            }
        }
        if !candidates.is_empty() {
            found.push(Child { candidates, test_only: test_ranges.iter().any(|range| range.contains(&at)) });
        }
    }
    found
}

/// The file in `include!("file")` at `at`.
fn included<'a>(tokens: &[Token<'a>], at: usize) -> Option<&'a str> {
    let [word, bang, open, file, ..] = tokens.get(at..)? else { return None };
    let text = if word.is("include") && bang.is("!") && open.is("(") { *file } else { return None };
    (text.kind == Kind::Text).then(|| text.text.trim_matches('"'))
}

/// The file in `#[path = "file"]`.
fn path_attribute<'a>(tokens: &[Token<'a>]) -> Option<&'a str> {
    let [_, _, word, equals, file, _] = tokens else { return None };
    (word.is("path") && equals.is("=") && file.kind == Kind::Text).then(|| file.text.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::Repo;

    fn reached(files: &[(&str, &str)], root: &str) -> Vec<(String, bool)> {
        let reached = reach(&Repo::of(files).texts, &[root.to_owned()]);
        reached.into_iter().map(|(path, how)| (path, how.test_only)).collect()
    }

    fn paths(files: &[(&str, &str)], root: &str) -> Vec<String> {
        reached(files, root).into_iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn declarations_are_followed_in_all_layouts() {
        let files = [
            (
                "p/src/lib.rs",
                "mod a; pub mod b; mod i { mod j; } #[path = \"odd/name.rs\"] mod c; include!(\"inc.rs\");",
            ),
            ("p/src/a.rs", "mod x;"),
            ("p/src/a/x.rs", ""),
            ("p/src/b/mod.rs", "mod y;"),
            ("p/src/b/y.rs", ""),
            ("p/src/i/j.rs", ""),
            ("p/src/odd/name.rs", ""),
            ("p/src/inc.rs", ""),
            ("p/src/x.rs", "unreached"),
            ("p/src/y.rs", "unreached"),
        ];
        let expected: Vec<String> = files
            .iter()
            .map(|(path, _)| (*path).to_owned())
            .filter(|p| !p.ends_with("src/x.rs") && !p.ends_with("src/y.rs"))
            .collect();
        let mut expected = expected;
        expected.sort();
        assert_eq!(paths(&files, "p/src/lib.rs"), expected);
    }

    #[test]
    fn a_declaration_in_a_comment_reaches_nothing() {
        let files = [("a/lib.rs", "// mod b;\nconst X: &str = \"mod b;\";"), ("a/b.rs", "")];
        assert_eq!(paths(&files, "a/lib.rs"), ["a/lib.rs"]);
    }

    #[test]
    fn a_root_of_any_name_looks_beside_itself() {
        let files = [("a/tests/main.rs", "mod b;"), ("a/tests/b.rs", ""), ("a/x.rs", "mod b;"), ("a/b.rs", "")];
        assert_eq!(paths(&files, "a/tests/main.rs"), ["a/tests/b.rs", "a/tests/main.rs"]);
        assert_eq!(paths(&files, "a/x.rs"), ["a/b.rs", "a/x.rs"]);
    }

    #[test]
    fn files_for_tests_are_told_apart() {
        let files = [
            ("a/lib.rs", "#[cfg(test)]\nmod tests;\n#[cfg(not(test))] mod b;"),
            ("a/tests.rs", "mod deep;"),
            ("a/tests/deep.rs", ""),
            ("a/b.rs", ""),
        ];
        let test_only: Vec<bool> = reached(&files, "a/lib.rs").into_iter().map(|(_, test_only)| test_only).collect();
        assert_eq!(test_only, [false, false, true, true]); // b, lib, tests, tests/deep
    }
}
