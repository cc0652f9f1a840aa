//! Tokens and comments of Rust source, so that no check mistakes a string or a comment for code.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An identifier or keyword.
    Word,
    /// One character of punctuation.
    Punct,
    /// A string literal of any kind, with quotes and prefix.
    Text,
    /// A number, a character literal or a lifetime.
    Other,
}

/// One token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its text as it stands.
    pub text: &'a str,
    /// The line on which it starts, from 1.
    pub line: usize,
}

/// One comment, delimiters included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comment<'a> {
    /// Its text as it stands; a block comment may span lines.
    pub text: &'a str,
    /// The line on which it starts, from 1.
    pub line: usize,
}

/// A file in pieces.
#[derive(Debug, Clone, Default)]
pub struct Lexed<'a> {
    /// Tokens in order.
    pub tokens: Vec<Token<'a>>,
    /// Comments in order.
    pub comments: Vec<Comment<'a>>,
}

impl Token<'_> {
    /// Whether this is the punctuation or the word `text`.
    pub fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Punct) && self.text == text
    }

    /// The contents of a plain string literal, if it is one without escapes that matter.
    pub fn string(&self) -> Option<&str> {
        if self.kind != Kind::Text {
            return None;
        }
        let text = self.text.trim_start_matches(['r', 'b', 'c']).trim_matches('#');
        text.strip_prefix('"')?.strip_suffix('"')
    }
}

/// Splits source into tokens and comments. Total: broken source yields some tokens, never an error.
pub fn lex(text: &str) -> Lexed<'_> {
    let mut lexer = Lexer { text, at: 0, line: 1, out: Lexed::default() };
    while lexer.at < text.len() {
        lexer.step();
    }
    lexer.out
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    out: Lexed<'a>,
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn step(&mut self) {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return self.at = self.text.len() };
        if first.is_whitespace() {
            self.take(first.len_utf8());
        } else if rest.starts_with("//") {
            self.comment(rest.find('\n').unwrap_or(rest.len()));
        } else if rest.starts_with("/*") {
            self.comment(block_comment_length(rest));
        } else if let Some(length) = string_length(rest) {
            self.token(Kind::Text, length);
        } else if first == '\'' {
            self.token(Kind::Other, quote_length(rest));
        } else if is_word(first) {
            let raw = usize::from(rest.starts_with("r#")) * 2;
            let length = raw + word_length(rest.get(raw..).unwrap_or_default());
            self.token(if first.is_numeric() { Kind::Other } else { Kind::Word }, length);
        } else {
            self.token(Kind::Punct, first.len_utf8());
        }
    }

    /// Moves on by `length` bytes, or by the rest if that is shorter.
    fn take(&mut self, length: usize) -> (&'a str, usize) {
        let line = self.line;
        let rest = self.rest();
        let piece = rest.get(..length).unwrap_or(rest);
        self.line += piece.bytes().filter(|b| *b == b'\n').count();
        self.at += piece.len();
        (piece, line)
    }

    fn token(&mut self, kind: Kind, length: usize) {
        let (text, line) = self.take(length);
        self.out.tokens.push(Token { kind, text, line });
    }

    fn comment(&mut self, length: usize) {
        let (text, line) = self.take(length);
        self.out.comments.push(Comment { text, line });
    }
}

fn word_length(text: &str) -> usize {
    text.find(|c: char| !is_word(c)).unwrap_or(text.len())
}

/// Block comments nest.
fn block_comment_length(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0usize);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of the string literal that `text` starts with, prefix included.
fn string_length(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r", "b", "c", ""].into_iter().find(|prefix| {
        let rest = text.strip_prefix(prefix);
        let opened = if prefix.ends_with('r') { rest.map(|rest| rest.trim_start_matches('#')) } else { rest };
        opened.is_some_and(|rest| rest.starts_with('"'))
    })?;
    let rest = text.get(prefix.len()..)?;
    if prefix.ends_with('r') {
        let hashes = rest.find('"')?;
        let close = format!("\"{}", "#".repeat(hashes));
        let end = rest.get(hashes + 1..)?.find(&close).map_or(rest.len(), |end| hashes + 1 + end + close.len());
        return Some(prefix.len() + end);
    }
    Some(prefix.len() + 1 + escaped_length(rest.get(1..)?, '"'))
}

/// Up to and including the first `close` that no backslash stands before.
fn escaped_length(text: &str, close: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == close {
            return at + 1;
        }
    }
    text.len()
}

/// A character literal or a lifetime.
fn quote_length(text: &str) -> usize {
    let rest = text.get(1..).unwrap_or_default();
    let mut chars = rest.chars();
    match (chars.next(), chars.next()) {
        (Some('\\'), _) => 1 + escaped_length(rest, '\''),
        (Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 1 + word_length(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let lexed = lex(text);
        let words = lexed.tokens.iter().filter(|token| token.kind == Kind::Word);
        words.map(|token| token.text.to_owned()).collect()
    }

    #[test]
    fn strings_comments_and_characters_are_no_words() {
        assert_eq!(words("a \"b\\\"c\" d // e\n f /* g /* h */ i */ j"), ["a", "d", "f", "j"]);
        assert_eq!(words("r#\"b \" c\"# d br\"e\" f b\"g\" h c\"i\" k"), ["d", "f", "h", "k"]);
        assert_eq!(words("'a' b '\\'' c '\"' d &'static e '{' f b'x' g"), ["b", "c", "d", "e", "f", "b", "g"]);
        assert_eq!(words("r#type = r\"x\" 12_u8 0x1f"), ["r#type"]);
    }

    #[test]
    fn lines_are_counted_across_everything() {
        let lexed = lex("a\n\"x\ny\" b /* 1\n2 */ c\n// d\ne");
        let lines: Vec<_> = lexed.tokens.iter().map(|token| (token.text, token.line)).collect();
        assert_eq!(lines, [("a", 1), ("\"x\ny\"", 2), ("b", 3), ("c", 4), ("e", 6)]);
        assert_eq!(lexed.comments.iter().map(|comment| comment.line).collect::<Vec<_>>(), [3, 5]);
    }

    #[test]
    fn broken_source_ends() {
        for text in ["\"abc", "/* a", "r#\"x", "'", "b'", "'\\", "\\"] {
            let lexed = lex(text);
            assert!(lexed.tokens.len() + lexed.comments.len() <= 2, "{text}");
        }
    }

    #[test]
    fn string_contents_are_readable() {
        let lexed = lex("\"a.rs\" r#\"b\"# c");
        let strings: Vec<_> = lexed.tokens.iter().map(Token::string).collect();
        assert_eq!(strings, [Some("a.rs"), Some("b"), None]);
    }
}
