//! Regular expressions of a bundle: linear time, bounded in size, shared when written twice; and the lint for URL patterns.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

use super::error::{BundleErrorKind, Diagnostics};
use super::fields::text;
use super::limits::{PATTERN_BYTES_MAX, PATTERN_CACHE_BYTES_MAX, PATTERN_COMPILED_BYTES_MAX, PATTERNS_MAX};
use super::source::Node;

/// Deepest nesting of a pattern's groups.
const PATTERN_NEST_MAX: u32 = 64;

/// The patterns compiled so far, by their text.
#[derive(Default)]
pub(super) struct Patterns {
    compiled: BTreeMap<String, Regex>,
}

impl Patterns {
    /// Compiles the pattern in `node`. It matches anywhere in a text unless it is anchored.
    pub(super) fn compile(&mut self, node: &Node, d: &mut Diagnostics) -> Option<Regex> {
        let source = text(node, "a pattern", d)?;
        if source.len() > PATTERN_BYTES_MAX || self.is_full(source) {
            d.error(node.at, BundleErrorKind::TooLarge, too_large());
            return None;
        }
        match self.compile_new(source) {
            Ok(regex) => Some(regex),
            Err(error) => {
                let (message, hint) = explain(&error);
                d.error_hint(node.at, BundleErrorKind::InvalidValue, message, hint);
                None
            }
        }
    }

    /// Compiles a pattern that is part of a condition; the error says what is wrong with it.
    pub(super) fn compile_text(&mut self, source: &str) -> Result<Regex, String> {
        if source.len() > PATTERN_BYTES_MAX || self.is_full(source) {
            return Err(too_large());
        }
        self.compile_new(source).map_err(|error| explain(&error).0)
    }

    fn is_full(&self, source: &str) -> bool {
        self.compiled.len() >= PATTERNS_MAX && !self.compiled.contains_key(source)
    }

    fn compile_new(&mut self, source: &str) -> Result<Regex, regex::Error> {
        if let Some(regex) = self.compiled.get(source) {
            return Ok(regex.clone());
        }
        let regex = RegexBuilder::new(source)
            .size_limit(PATTERN_COMPILED_BYTES_MAX)
            .dfa_size_limit(PATTERN_CACHE_BYTES_MAX)
            .nest_limit(PATTERN_NEST_MAX)
            .build()?;
        self.compiled.insert(source.to_owned(), regex.clone());
        Ok(regex)
    }
}

fn too_large() -> String {
    format!("keep a pattern to {PATTERN_BYTES_MAX} bytes and a bundle to {PATTERNS_MAX} patterns")
}

fn explain(error: &regex::Error) -> (String, &'static str) {
    match error {
        regex::Error::CompiledTooBig(limit) => {
            (format!("the pattern compiles to more than {limit} bytes"), "use smaller repetition counts")
        }
        other => {
            let all = other.to_string();
            let last = all.lines().last().unwrap_or_default().trim_start_matches("error: ");
            (
                format!("the pattern does not compile: {last}"),
                "look-around and back-references do not exist in linear time",
            )
        }
    }
}

/// Whether an argument of this name usually carries a URL or a host.
pub(super) fn is_url_argument(argument: &str) -> bool {
    let lower = argument.rsplit('/').next().unwrap_or(argument).to_ascii_lowercase();
    ["url", "uri", "href", "endpoint", "host", "hostname", "domain", "link", "webhook"]
        .iter()
        .any(|word| lower == *word || lower.ends_with(&format!("_{word}")))
}

/// Whether a pattern that allows URLs leaves the host's end or beginning open, so that it also admits other hosts.
pub(super) fn leaves_host_open(pattern: &str) -> bool {
    let body = pattern.strip_prefix("(?i)").unwrap_or(pattern);
    let Some(anchored) = body.strip_prefix('^').or_else(|| body.strip_prefix("\\A")) else { return true };
    let after_scheme = anchored.split_once("://").or_else(|| anchored.split_once(":\\/\\/"));
    let Some((_, host_on)) = after_scheme else { return !ends_anchored(body) };
    // A bare scheme such as `^https://` restricts no host and so does not pretend to.
    !host_on.is_empty() && !host_on.contains('/') && !ends_anchored(body)
}

fn ends_anchored(pattern: &str) -> bool {
    pattern.ends_with("\\z") || (pattern.ends_with('$') && !pattern.ends_with("\\$"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lint_sees_open_hosts() {
        for open in [
            r"api\.github\.com",
            r"^https://api\.github\.com",
            r"^https://(a\.example|b\.example)",
            r"https://a\.example/",
        ] {
            assert!(leaves_host_open(open), "{open}");
        }
        for closed in
            [r"^https://api\.github\.com/", r"^https://a\.example$", r"^https://", r"(?i)^https:\/\/a\.example\/x"]
        {
            assert!(!leaves_host_open(closed), "{closed}");
        }
        assert!(is_url_argument("url") && is_url_argument("/target/callback_url") && !is_url_argument("curl"));
    }
}
