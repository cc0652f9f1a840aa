//! Functions with their lengths, and matching brackets.

use super::lex::{Kind, Token};

/// One function with a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name, without the type that it belongs to.
    pub name: String,
    /// The line of `fn`.
    pub line: usize,
    /// Lines from `fn` to the closing brace, both included.
    pub lines: usize,
}

/// All functions that have a body, nested ones included.
pub fn functions(tokens: &[Token<'_>]) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let name = tokens.get(at + 1).filter(|name| token.is("fn") && name.kind == Kind::Word);
        let body = name.and_then(|_| body_start(tokens, at));
        let end = body.and_then(|open| closing(tokens, open)).and_then(|close| tokens.get(close));
        if let (Some(name), Some(end)) = (name, end) {
            found.push(Function { name: name.text.to_owned(), line: token.line, lines: 1 + end.line - token.line });
        }
    }
    found
}

/// The brace that opens the body of the function whose `fn` stands at `at`; `None` for a declaration without one.
fn body_start(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    let mut at = at;
    loop {
        let token = tokens.get(at)?;
        if token.is("{") {
            return Some(at);
        }
        if token.is(";") {
            return None;
        }
        at = if token.is("(") || token.is("[") { closing(tokens, at)? + 1 } else { at + 1 };
    }
}

/// The token that closes the bracket at `open`.
pub fn closing(tokens: &[Token<'_>], open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        if token.is("(") || token.is("[") || token.is("{") {
            depth += 1;
        } else if token.is(")") || token.is("]") || token.is("}") {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some(at);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rust::lex::lex;

    #[test]
    fn lengths_run_from_fn_to_the_closing_brace() {
        let text = "fn a() {}\n\ntrait T {\n    fn none(&self, x: [u8; 4]);\n    fn b(&self) -> u8\n    where\n        Self: Sized,\n    {\n        \
                    let f: fn(u8) = g;\n        fn c() {\n        }\n    }\n}\n";
        let found: Vec<_> = functions(&lex(text).tokens).into_iter().map(|f| (f.name, f.line, f.lines)).collect();
        assert_eq!(found, [("a".to_owned(), 1, 1), ("b".to_owned(), 5, 8), ("c".to_owned(), 10, 2)]);
    }

    #[test]
    fn braces_in_text_do_not_count() {
        let text = "fn a() {\n    let x = \"}\"; // }\n    let y = '}';\n}\n";
        assert_eq!(functions(&lex(text).tokens).first().map(|f| f.lines), Some(4));
    }
}
