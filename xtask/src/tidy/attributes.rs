//! A lint is never switched off without a reason: `#[allow(…)]` and `#[expect(…)]` carry `reason = "…"`.

use crate::finding::Finding;
use crate::repo::Repo;
use crate::rust::attributes::attributes;
use crate::rust::functions::closing;
use crate::rust::lex::{Kind, Token, lex};

/// Looks at all attributes, `cfg_attr` included.
pub fn check(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in repo.ending(&[".rs"]) {
        let lexed = lex(text);
        for attribute in attributes(&lexed.tokens) {
            let tokens = lexed.tokens.get(attribute.tokens).unwrap_or_default();
            for token in without_reason(tokens) {
                let what = format!("`{}` without a reason", token.text);
                findings.push(Finding::new(path, token.line, what, "add `reason = \"…\"`, or mend the code"));
            }
        }
    }
    findings
}

fn without_reason<'a>(tokens: &'a [Token<'a>]) -> impl Iterator<Item = &'a Token<'a>> {
    tokens.iter().enumerate().filter_map(|(at, token)| {
        let opens = tokens.get(at + 1).is_some_and(|next| next.is("("));
        if !opens || !(token.is("allow") || token.is("expect")) {
            return None;
        }
        let inside = tokens.get(at + 1..closing(tokens, at + 1)?)?;
        let given = inside.windows(3).any(|w| {
            matches!(w, [reason, equals, text] if reason.is("reason") && equals.is("=")
                && text.kind == Kind::Text && text.text.len() > 2)
        });
        (!given).then_some(token)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        check(&Repo::of(&[("a.rs", text)])).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_lint_is_switched_off_only_with_a_reason() {
        assert_eq!(
            lines("#[allow(dead_code)]\n#![allow(x::y, z)]\n#[cfg_attr(a, allow(b))]\n#[expect(c)]\n"),
            [1, 2, 3, 4]
        );
        assert_eq!(lines("#[allow(a, reason = \"\")]\n"), [1]);
        assert_eq!(
            lines("#[allow(a, reason = \"b\")]\n#![expect(\n    c,\n    reason = \"d\"\n)]\n"),
            Vec::<usize>::new()
        );
    }

    #[test]
    fn calls_and_comments_are_no_attributes() {
        assert_eq!(
            lines("// #[allow(a)]\nfn b() { c.expect(d); }\nconst E: &str = \"#[allow(f)]\";"),
            Vec::<usize>::new()
        );
    }
}
