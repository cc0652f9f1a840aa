//! A look at a module's tokens before regorus sees it: calls to built-ins that are not allowed, numbers that lose digits.
//!
//! The scan names file, line and column even for rules that the entry point never reaches.

use super::builtins::{Standing, standing};
use super::convert;
use super::limits::{COLUMNS_MAX, FILE_BYTES_MAX, MODULE_BYTES_MAX, NESTING_MAX, WEIGHT_MAX};
use super::{Collected, RegoError};

/// Reports what is wrong with one module's text.
pub(super) fn scan(file: &str, source: &str, errors: &mut Collected) {
    if file.is_empty() || file.len() > FILE_BYTES_MAX || file.chars().any(char::is_control) {
        errors.push(RegoError::new("rego", 1, 1, format!("name the module with 1 to {FILE_BYTES_MAX} plain bytes")));
    }
    if source.len() > MODULE_BYTES_MAX {
        let message = format!("the module has {} bytes, keep it to {MODULE_BYTES_MAX}", source.len());
        errors.push(RegoError::new(file, 1, 1, message));
        return;
    }
    let long = source.lines().zip(1u32..).find(|(line, _)| line.chars().count() > COLUMNS_MAX);
    if let Some((_, line)) = long {
        errors.push(RegoError::new(file, line, 1, format!("keep lines to {COLUMNS_MAX} characters")));
        return;
    }
    Scanner { chars: source.chars().collect(), at: 0, line: 1, column: 1, file, errors, depth: 0, weight: 0 }.run();
}

struct Scanner<'a> {
    chars: Vec<char>,
    at: usize,
    line: u32,
    column: u32,
    file: &'a str,
    errors: &'a mut Collected,
    /// Open brackets and braces.
    depth: u32,
    /// Tokens so far, each doubled for every bracket or brace around it.
    weight: u64,
}

impl Scanner<'_> {
    fn run(&mut self) {
        while let Some(c) = self.peek() {
            if !self.weigh(c) {
                return;
            }
            match c {
                '#' => self.skip_while(|c| c != '\n'),
                '`' => {
                    self.next();
                    self.skip_while(|c| c != '`');
                    self.next();
                }
                '"' => self.string(),
                c if c.is_alphabetic() || c == '_' => self.path(),
                c if c.is_ascii_digit() => self.number(),
                _ => {
                    self.next();
                }
            }
        }
    }

    /// regorus reads the inside of a bracket or a brace twice, so nesting doubles the work of parsing.
    fn weigh(&mut self, c: char) -> bool {
        match c {
            '[' | '{' => self.depth = self.depth.saturating_add(1),
            ']' | '}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        let token = 1u64.checked_shl(self.depth).unwrap_or(u64::MAX);
        self.weight = self.weight.saturating_add(if c.is_whitespace() { 0 } else { token });
        let fits = self.depth <= NESTING_MAX && self.weight <= WEIGHT_MAX;
        if !fits {
            let message = "brackets and braces are nested too deep, or too much lies in nested ones";
            let hint = Some(format!("nest at most {NESTING_MAX} deep, and move large tables into the data"));
            let error = RegoError::new(self.file, self.line, self.column, message.to_owned());
            self.errors.push(RegoError { hint, ..error });
        }
        fits
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        if c == '\n' {
            self.line = self.line.saturating_add(1);
            self.column = 1;
        } else {
            self.column = self.column.saturating_add(1);
        }
        Some(c)
    }

    fn skip_while(&mut self, keep: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&keep) {
            self.next();
        }
    }

    fn string(&mut self) {
        self.next();
        while let Some(c) = self.next() {
            match c {
                '\\' => {
                    self.next();
                }
                '"' | '\n' => return,
                _ => {}
            }
        }
    }

    /// A dotted path; when a parenthesis follows, it is a call.
    fn path(&mut self) {
        let (line, column) = (self.line, self.column);
        let mut path = String::new();
        while let Some(c) = self.peek() {
            if !(c.is_alphanumeric() || c == '_' || c == '.') {
                break;
            }
            path.push(c);
            self.next();
        }
        if path == "with" {
            let message = "the `with` keyword is not available: the input and the data of a decision are fixed";
            self.errors.push(RegoError::new(self.file, line, column, message.to_owned()));
        }
        if self.peek() != Some('(') {
            return;
        }
        if let Standing::Refused(hint) = standing(&path) {
            let message = format!("the built-in `{path}` is not available to policies");
            self.errors.push(RegoError { hint: Some(hint), ..RegoError::new(self.file, line, column, message) });
        }
    }

    fn number(&mut self) {
        let (line, column) = (self.line, self.column);
        let mut text = String::new();
        while let Some(c) = self.peek() {
            let sign = matches!(c, '+' | '-') && text.ends_with(['e', 'E']);
            if !(c.is_ascii_alphanumeric() || c == '.' || c == '_' || sign) {
                break;
            }
            text.push(c);
            self.next();
        }
        if convert::number_text(&text).is_none() {
            let message = format!("the number {text} cannot be held exactly, or is not written as JSON does");
            let hint = Some("use an integer, or a decimal of at most 15 digits".to_owned());
            self.errors.push(RegoError { hint, ..RegoError::new(self.file, line, column, message) });
        }
    }
}
