//! Attributes, and the items that they govern.

use std::ops::Range;

use super::functions::closing;
use super::lex::{Kind, Token};

/// One attribute: `#[…]` or `#![…]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its tokens, from `#` to `]`.
    pub tokens: Range<usize>,
    /// Written with `!`: it governs what surrounds it.
    pub inner: bool,
}

/// All attributes in order.
pub fn attributes(tokens: &[Token<'_>]) -> Vec<Attribute> {
    let is = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token.is(text));
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        let inner = is(at + 1, "!");
        let open = at + 1 + usize::from(inner);
        if is(at, "#")
            && is(open, "[")
            && let Some(close) = closing(tokens, open)
        {
            found.push(Attribute { tokens: at..close + 1, inner });
        }
    }
    found
}

impl Attribute {
    /// Its words, such as `cfg`, `test`.
    pub fn words<'a>(&self, tokens: &[Token<'a>]) -> Vec<&'a str> {
        let own = tokens.get(self.tokens.clone()).unwrap_or_default();
        own.iter().filter(|token| token.kind == Kind::Word).map(|token| token.text).collect()
    }

    /// The tokens that it governs: the item after it, or, for an inner one, all that follows (it stands at the top).
    pub fn governs(&self, tokens: &[Token<'_>]) -> Range<usize> {
        let end = if self.inner { tokens.len() } else { item_end(tokens, self.tokens.end) };
        self.tokens.start..end
    }

    /// Whether it keeps what it governs out of every build but the tests.
    pub fn is_test_only(&self, tokens: &[Token<'_>]) -> bool {
        match self.words(tokens).as_slice() {
            ["cfg", "test"] => true,
            ["cfg", "all", rest @ ..] => rest.contains(&"test") && !rest.contains(&"not") && !rest.contains(&"any"),
            _ => false,
        }
    }
}

/// What an item starts with; in such a one a comma belongs to generics or bounds, elsewhere it ends a field or a variant.
const ITEM_WORDS: [&str; 13] =
    ["fn", "impl", "struct", "enum", "union", "trait", "mod", "use", "const", "static", "type", "extern", "let"];

/// One past the last token of the item, field or statement that starts at `start`; attributes before it are skipped.
fn item_end(tokens: &[Token<'_>], start: usize) -> usize {
    let is = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token.is(text));
    let mut at = start;
    let mut is_item = None;
    while let Some(token) = tokens.get(at) {
        if token.is("#") && is(at + 1, "[") {
            at = closing(tokens, at + 1).map_or(tokens.len(), |close| close + 1);
        } else if token.is(";") || (token.is(",") && is_item != Some(true)) {
            return at + 1;
        } else if token.is("}") || token.is(")") || token.is("]") {
            return at;
        } else if token.is("(") || token.is("[") || token.is("{") {
            let Some(close) = closing(tokens, at) else { return tokens.len() };
            let ends = token.is("{") && !is(close + 1, ";") && !is(close + 1, ".");
            at = close + 1;
            if ends {
                return at;
            }
        } else {
            if token.is(":") {
                is_item = is_item.or(Some(false));
            } else if ITEM_WORDS.contains(&token.text) {
                is_item = is_item.or(Some(true));
            }
            at += 1;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::rust::lex::lex;

    fn governed(text: &str) -> String {
        let lexed = lex(text);
        let attribute = attributes(&lexed.tokens).first().cloned().unwrap();
        let range = attribute.tokens.end..attribute.governs(&lexed.tokens).end;
        lexed.tokens[range].iter().map(|token| token.text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn an_attribute_governs_one_item() {
        assert_eq!(governed("#[x] use a::{b, c}; use d;"), "use a : : { b , c } ;");
        assert_eq!(governed("#[x] #[y(z)] mod t { fn a() {} } fn b() {}"), "# [ y ( z ) ] mod t { fn a ( ) { } }");
        assert_eq!(governed("#[x] fn a(b: u8, c: u8) -> u8 { b } fn d() {}"), "fn a ( b : u8 , c : u8 ) - > u8 { b }");
        assert_eq!(governed("#[x] fn a<T, U>() {} fn b() {}"), "fn a < T , U > ( ) { }");
        assert_eq!(governed("struct S { #[x] a: u8, b: u8 }"), "a : u8 ,");
        assert_eq!(governed("#[x] mod t; mod u;"), "mod t ;");
        assert_eq!(governed("#![x] mod t; mod u;"), "mod t ; mod u ;");
    }

    #[test]
    fn test_only_means_never_in_a_product_build() {
        for (text, expected) in [
            ("#[cfg(test)] fn a() {}", true),
            ("#[cfg(all(test, unix))] fn a() {}", true),
            ("#[cfg(not(test))] fn a() {}", false),
            ("#[cfg(all(not(test), unix))] fn a() {}", false),
            ("#[cfg(any(test, feature = \"x\"))] fn a() {}", false),
            ("#[test] fn a() {}", false),
        ] {
            let lexed = lex(text);
            let attribute = attributes(&lexed.tokens).first().cloned().unwrap();
            assert_eq!(attribute.is_test_only(&lexed.tokens), expected, "{text}");
        }
    }
}
