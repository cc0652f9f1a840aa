//! A pattern together with the text that everything it matches begins with, so that most texts are told apart without searching.

use regex::Regex;

/// A pattern of a condition.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    regex: Regex,
    start: Box<str>,
}

impl Pattern {
    pub(super) fn new(regex: Regex) -> Pattern {
        let start = literal_start(regex.as_str()).into();
        Pattern { regex, start }
    }

    /// The pattern as written.
    pub(super) fn as_str(&self) -> &str {
        self.regex.as_str()
    }

    /// Whether the pattern matches somewhere in the text.
    pub(super) fn is_match(&self, text: &str) -> bool {
        text.starts_with(&*self.start) && self.regex.is_match(text)
    }
}

/// The characters after `^` that stand for themselves. Empty for what is not anchored, offers alternatives or sets flags, and whenever it
/// takes more than a glance to tell.
fn literal_start(pattern: &str) -> &str {
    let Some(anchored) = pattern.strip_prefix('^').filter(|rest| !rest.contains('|') && !rest.contains("(?")) else {
        return "";
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'/' | b':' | b'@');
    let length = anchored.bytes().take_while(|b| plain(*b)).count();
    let (literal, rest) = anchored.split_at_checked(length).unwrap_or_default();
    // The last character may be there not at all.
    let open = rest.starts_with(['?', '*', '{']);
    literal.get(..length.saturating_sub(usize::from(open))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_start_is_what_stands_for_itself() {
        for (pattern, start) in [
            ("^forbidden-1-[a-z]+$", "forbidden-1-"),
            ("^https://api", "https://api"),
            ("^ab?c", "a"),
            ("^ab*", "a"),
            ("^ab{0,2}", "a"),
            ("^ab+", "ab"),
            ("^a\\.b", "a"),
            ("^äb", ""),
            ("^", ""),
            ("^?a", ""),
            ("^^a", ""),
            ("ab", ""),
            ("^a|b", ""),
            ("^ab(c|d)", ""),
            ("^(?i)ab", ""),
            ("^ab(?:c)?", ""),
            ("(?i)^ab", ""),
        ] {
            assert_eq!(literal_start(pattern), start, "{pattern}");
        }
    }

    #[test]
    fn the_start_changes_no_answer() {
        let texts =
            ["", "a", "b", "ab", "abc", "ac", "aab", "abb", "xab", "a.b", "äb", "AB", "\nab", "a\nb", "é", "^ab"];
        let patterns = [
            "^ab",
            "^ab?",
            "^ab?c",
            "^ab*",
            "^ab+",
            "^ab{0,2}c?",
            "^a|b",
            "^a\\.b",
            "^äb",
            "(?i)^ab",
            "^(?i)ab",
            "(?m)^ab",
            "^^ab",
            "^$",
            "^",
            "a",
            "^a$",
            "^[ab]c",
            "^(a)b",
            "^ab(c|d)?",
            "^a\\Wb",
            "^?ab",
            "^a{0}b",
        ];
        for pattern in patterns {
            let regex = Regex::new(pattern).unwrap();
            for text in texts {
                assert_eq!(Pattern::new(regex.clone()).is_match(text), regex.is_match(text), "{pattern} {text}");
            }
        }
    }
}
