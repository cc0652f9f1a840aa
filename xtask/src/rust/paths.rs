//! Paths that code names, `use` trees expanded: `use std::{fs, io::{self, Read}}` names `std::fs`, `std::io`, `std::io::Read`.

use super::functions::closing;
use super::lex::{Kind, Token};

/// One path, segment by segment; a glob is the segment `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path<'a> {
    /// Its segments.
    pub segments: Vec<&'a str>,
    /// Index of the token that it starts with, or of its leaf in a `use` tree.
    pub token: usize,
    /// The line of that token.
    pub line: usize,
}

/// All paths in order; single words are not paths.
pub fn paths<'a>(tokens: &[Token<'a>]) -> Vec<Path<'a>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if token.is("use") {
            let end =
                (at..tokens.len()).find(|end| tokens.get(*end).is_some_and(|t| t.is(";"))).unwrap_or(tokens.len());
            use_tree(tokens, at + 1, end, &[], &mut found);
            at = end;
        } else if token.kind == Kind::Word {
            let (segments, next) = chain(tokens, at);
            if segments.len() > 1 {
                found.push(Path { segments, token: at, line: token.line });
            }
            at = next;
        } else {
            at += 1;
        }
    }
    found
}

fn is_separator(tokens: &[Token<'_>], at: usize) -> bool {
    [at, at + 1].iter().all(|at| tokens.get(*at).is_some_and(|token| token.is(":")))
}

/// The words from `at` on that `::` joins, and where they end.
fn chain<'a>(tokens: &[Token<'a>], at: usize) -> (Vec<&'a str>, usize) {
    let mut segments = Vec::new();
    let mut at = at;
    while let Some(token) = tokens.get(at).filter(|token| token.kind == Kind::Word || token.is("*")) {
        segments.push(token.text);
        at += 1;
        if !is_separator(tokens, at) || !tokens.get(at + 2).is_some_and(|t| t.kind == Kind::Word || t.is("*")) {
            break;
        }
        at += 2;
    }
    (segments, at)
}

/// Expands the comma-separated trees in `at..end` below `prefix`.
fn use_tree<'a>(tokens: &[Token<'a>], at: usize, end: usize, prefix: &[&'a str], found: &mut Vec<Path<'a>>) {
    let mut at = at;
    while at < end {
        let Some(token) = tokens.get(at) else { return };
        if token.is("{") {
            let close = closing(tokens, at).unwrap_or(end);
            use_tree(tokens, at + 1, close, prefix, found);
            at = close + 1;
            continue;
        }
        if token.kind != Kind::Word && !token.is("*") {
            at += 1;
            continue;
        }
        let (segments, next) = chain(tokens, at);
        let mut full = [prefix, &segments].concat();
        if is_separator(tokens, next) && tokens.get(next + 2).is_some_and(|token| token.is("{")) {
            let close = closing(tokens, next + 2).unwrap_or(end);
            use_tree(tokens, next + 3, close, &full, found);
            at = close + 1;
            continue;
        }
        full.retain(|segment| *segment != "self" || full_is_only_self(&segments, prefix));
        found.push(Path { segments: full, token: at, line: token.line });
        // `as name` follows or does not; either way the next tree starts behind a comma.
        at = (next..end).find(|at| tokens.get(*at).is_some_and(|token| token.is(","))).unwrap_or(end);
    }
}

/// `use self::x` keeps its first segment; `{self, …}` names its prefix.
fn full_is_only_self(segments: &[&str], prefix: &[&str]) -> bool {
    prefix.is_empty() || segments.len() > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rust::lex::lex;

    fn names(text: &str) -> Vec<String> {
        paths(&lex(text).tokens).iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn use_trees_are_expanded() {
        assert_eq!(
            names("use std::{fs, io::{self, Read as R}, env::*}; use core::fmt as f;"),
            ["std::fs", "std::io", "std::io::Read", "std::env::*", "core::fmt"]
        );
        assert_eq!(names("pub use self::a::b; use {std::fs, x};"), ["self::a::b", "std::fs", "x"]);
        assert_eq!(names("use ::std::net;"), ["std::net"]);
    }

    #[test]
    fn paths_in_expressions_are_found() {
        assert_eq!(names("let a = std::fs::read(b)?; c.d(); Vec::<u8>::new()"), ["std::fs::read"]);
        assert_eq!(names("// std::fs\n\"std::env\""), Vec::<String>::new());
    }
}
