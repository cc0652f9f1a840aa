//! A condition's text as tokens.

use super::Fault;
use crate::value::Number;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    Text(String),
    Number(Number),
    Sign(&'static str),
    End,
}

/// The signs, longer ones first.
const SIGNS: [&str; 22] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "+", "-", "*", "(", ")", "[", "]", ".", ",", "?", ":", "/", "%",
];

/// The tokens with their places, in characters from the start; the last one is the end.
pub(super) fn tokens(source: &str) -> Result<Vec<(usize, Token)>, Fault> {
    let chars: Vec<char> = source.chars().collect();
    let mut out = Vec::new();
    let mut at = 0;
    loop {
        while chars.get(at).is_some_and(|c| c.is_whitespace()) {
            at += 1;
        }
        let start = at;
        let Some(first) = chars.get(at).copied() else {
            out.push((start, Token::End));
            return Ok(out);
        };
        let raw = matches!((first, chars.get(at + 1)), ('r' | 'R', Some('"' | '\'')));
        let token = if first == '"' || first == '\'' || raw {
            text(&chars, &mut at, raw)?
        } else if first.is_ascii_digit() {
            number(&chars, &mut at)?
        } else if first.is_ascii_alphabetic() || first == '_' {
            let more = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
            Token::Name(take_while(&chars, &mut at, more))
        } else {
            sign(&chars, &mut at)?
        };
        out.push((start, token));
    }
}

fn take_while(chars: &[char], at: &mut usize, more: impl Fn(&char) -> bool) -> String {
    let rest = chars.get(*at..).unwrap_or_default();
    let taken: String = rest.iter().take_while(|c| more(c)).collect();
    *at += taken.chars().count();
    taken
}

fn sign(chars: &[char], at: &mut usize) -> Result<Token, Fault> {
    let rest = chars.get(*at..).unwrap_or_default();
    let found =
        SIGNS.iter().find(|sign| sign.chars().count() <= rest.len() && sign.chars().zip(rest).all(|(a, b)| a == *b));
    let Some(sign) = found else {
        let shown: String = rest.iter().take(1).collect();
        return Err(Fault::new(*at, format!("`{shown}` means nothing in a condition"), "quote texts with \" or '"));
    };
    *at += sign.len();
    Ok(Token::Sign(sign))
}

fn number(chars: &[char], at: &mut usize) -> Result<Token, Fault> {
    let start = *at;
    let mut written = take_while(chars, at, char::is_ascii_digit);
    if chars.get(*at) == Some(&'.') && chars.get(*at + 1).is_some_and(char::is_ascii_digit) {
        *at += 1;
        written.push('.');
        written.push_str(&take_while(chars, at, char::is_ascii_digit));
    }
    if chars.get(*at).is_some_and(|c| c.is_ascii_alphanumeric() || *c == '_') {
        return Err(Fault::new(start, "this is no decimal number", "write it as 12 or 12.5"));
    }
    let number = Number::parse(&written);
    number.map(Token::Number).map_err(|error| Fault::new(start, error.to_string(), "write it as 12 or 12.5"))
}

fn text(chars: &[char], at: &mut usize, raw: bool) -> Result<Token, Fault> {
    let start = *at;
    *at += usize::from(raw);
    let quote = chars.get(*at).copied();
    *at += 1;
    let mut out = String::new();
    loop {
        let Some(c) = chars.get(*at).copied() else {
            return Err(Fault::new(start, "this text has no end", "close it with the quotation mark it began with"));
        };
        *at += 1;
        if Some(c) == quote {
            return Ok(Token::Text(out));
        }
        out.push(if c == '\\' && !raw { escape(chars, at)? } else { c });
    }
}

fn escape(chars: &[char], at: &mut usize) -> Result<char, Fault> {
    let start = at.saturating_sub(1);
    let c = chars.get(*at).copied();
    *at += 1;
    let escaped = match c {
        Some(c @ ('\\' | '"' | '\'' | '/')) => Some(c),
        Some('n') => Some('\n'),
        Some('r') => Some('\r'),
        Some('t') => Some('\t'),
        Some('u') => {
            let digits: String = chars.get(*at..).unwrap_or_default().iter().take(4).collect();
            *at += 4;
            let whole = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
            u32::from_str_radix(&digits, 16).ok().filter(|_| whole).and_then(char::from_u32)
        }
        _ => None,
    };
    let hint = "use \\\\ \\\" \\' \\/ \\n \\r \\t or \\u with four digits, or put r before the text";
    escaped.ok_or_else(|| Fault::new(start, "no such escape", hint))
}
