//! The lint for patterns that are meant to restrict URLs.

/// Whether an argument of this name usually carries a URL or a host.
pub(in crate::bundle) fn is_url_argument(argument: &str) -> bool {
    let lower = argument.rsplit('/').next().unwrap_or(argument).to_ascii_lowercase();
    ["url", "uri", "href", "endpoint", "host", "hostname", "domain", "link", "webhook"]
        .iter()
        .any(|word| lower == *word || lower.ends_with(&format!("_{word}")))
}

/// Whether a pattern that allows URLs leaves the host's end or beginning open, so that it also admits other hosts.
pub(in crate::bundle) fn leaves_host_open(pattern: &str) -> bool {
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
