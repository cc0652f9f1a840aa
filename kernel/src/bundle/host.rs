//! Hosts of URLs: read strictly, so that no reader further down can see another host than the one that was checked.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::limits::URL_BYTES_MAX;

/// A URL's host. Names keep their case and lose one trailing dot; compare them without regard to case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Host<'a> {
    Name(&'a str),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

/// The schemes of URLs whose host is where a request goes. Of `file://api.example.com/etc/passwd`, which reads a local file, and of
/// whatever a tool makes of other schemes, the host says nothing.
const SCHEMES: [&str; 4] = ["http", "https", "ws", "wss"];

/// The host of `scheme://host[:port][/…]`; `None` for anything unusual: other schemes, user information, backslashes, white space and
/// control characters, percent-encoded or non-ASCII hosts, shortened, hexadecimal or octal IPv4 addresses, zone ids.
pub(super) fn url_host(url: &str) -> Option<Host<'_>> {
    if url.len() > URL_BYTES_MAX || url.bytes().any(|b| b <= b' ' || b == 0x7f || b == b'\\') {
        return None;
    }
    let (scheme, rest) = url.split_once("://")?;
    if !SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next()?;
    let (host, port) = split_port(authority)?;
    let port_ok = port.is_none_or(|p| {
        !p.is_empty() && p.len() <= 5 && p.bytes().all(|b| b.is_ascii_digit()) && p.parse::<u16>().is_ok()
    });
    if port_ok { host_text(host) } else { None }
}

fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    if authority.starts_with('[') {
        let end = authority.find(']')?;
        let (host, after) = authority.split_at_checked(end + 1)?;
        return match after {
            "" => Some((host, None)),
            _ => Some((host, Some(after.strip_prefix(':')?))),
        };
    }
    match authority.split_once(':') {
        Some((host, port)) => Some((host, Some(port))),
        None => Some((authority, None)),
    }
}

/// Reads a host without port: a DNS name, a dotted IPv4 address, or an IPv6 address in brackets.
pub(super) fn host_text(host: &str) -> Option<Host<'_>> {
    if let Some(inner) = host.strip_prefix('[') {
        return inner.strip_suffix(']')?.parse().ok().map(Host::V6);
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    if name.is_empty() || name.len() > 253 {
        return None;
    }
    let label_ok = |label: &str| {
        let edge = |b: Option<&u8>| b.is_some_and(|b| *b != b'-');
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            && edge(label.as_bytes().first())
            && edge(label.as_bytes().last())
    };
    if !name.split('.').all(label_ok) {
        return None;
    }
    // A last label that begins with a digit makes other readers see an IPv4 address in one of its many spellings.
    let last = name.rsplit('.').next()?;
    if last.starts_with(|c: char| c.is_ascii_digit()) {
        return name.parse().ok().map(Host::V4);
    }
    Some(Host::Name(name))
}

/// A host a bundle lists: exact, or `*.` before a name for all names below it (the name itself not included).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HostPattern {
    Name(Box<str>),
    Below(Box<str>),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl HostPattern {
    /// Reads a listed host; `None` when it is not a host alone.
    pub(super) fn parse(text: &str) -> Option<HostPattern> {
        if let Some(domain) = text.strip_prefix("*.") {
            return match host_text(domain)? {
                Host::Name(name) => Some(HostPattern::Below(name.to_ascii_lowercase().into())),
                Host::V4(_) | Host::V6(_) => None,
            };
        }
        if let Ok(address) = text.parse() {
            return Some(HostPattern::V6(address));
        }
        Some(match host_text(text)? {
            Host::Name(name) => HostPattern::Name(name.to_ascii_lowercase().into()),
            Host::V4(address) => HostPattern::V4(address),
            Host::V6(address) => HostPattern::V6(address),
        })
    }

    pub(super) fn matches(&self, host: Host<'_>) -> bool {
        match (self, host) {
            (HostPattern::Name(wanted), Host::Name(name)) => wanted.eq_ignore_ascii_case(name),
            (HostPattern::Below(domain), Host::Name(name)) => {
                let split = name.len().checked_sub(domain.len()).filter(|split| *split >= 2);
                split
                    .and_then(|split| name.split_at_checked(split))
                    .is_some_and(|(below, rest)| below.ends_with('.') && rest.eq_ignore_ascii_case(domain))
            }
            (HostPattern::V4(wanted), Host::V4(address)) => *wanted == address,
            (HostPattern::V6(wanted), Host::V6(address)) => *wanted == address,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn ordinary_urls_have_their_host() {
        for (url, host) in [
            ("https://api.github.com/repos", "api.github.com"),
            ("https://API.GitHub.com", "api.github.com"),
            ("https://api.github.com.:443/x", "api.github.com"),
            ("http://10.0.0.1:80", "10.0.0.1"),
            ("http://[2001:DB8::1]:80/", "2001:db8::1"),
            ("http://[::1]", "::1"),
            ("https://api.github.com?x=http://evil.example", "api.github.com"),
            ("https://api.github.com#@evil.example", "api.github.com"),
            ("https://xn--bcher-kva.example/", "xn--bcher-kva.example"),
            ("WSS://code.example", "code.example"),
        ] {
            assert!(HostPattern::parse(host).unwrap().matches(url_host(url).unwrap()), "{url}");
        }
    }

    #[test]
    fn another_host_is_another_host() {
        let github = HostPattern::parse("api.github.com").unwrap();
        for url in [
            "https://api.github.com.evil.com/",
            "https://evil-api.github.com/",
            "https://evil.com/api.github.com",
            "https://evil.com?api.github.com",
            "https://evil.com#api.github.com",
            "https://github.com/",
        ] {
            assert!(!github.matches(url_host(url).unwrap()), "{url}");
        }
    }

    #[test]
    fn odd_urls_have_none() {
        for url in [
            "",
            "api.github.com",
            "//api.github.com",
            "https:/api.github.com",
            "https:api.github.com",
            "://api.github.com",
            "https://",
            "https:///path",
            "https://user@api.github.com",
            "https://user:pw@api.github.com",
            "https://api.github.com@evil.com",
            "https://evil.com\\@api.github.com",
            "https://api.github.com\\.evil.com",
            "https://api%2egithub.com",
            "https://api.github.com%00.evil.com",
            "https://api.github.com:",
            "https://h:99999",
            "https://h:80:80",
            "https://h:-1",
            " https://api.github.com",
            "https://api.github.com ",
            "https://api.git\thub.com",
            "https://api.github.com\n",
            "https://api.github.com\0",
            "https://api..github.com",
            "https://.api.github.com",
            "https://api.github.com..",
            "https://api.github.c\u{f6}m",
            "https://api\u{3002}github.com",
            "https://127.1",
            "https://2130706433",
            "https://0x7f000001",
            "https://0x7f.0.0.1",
            "https://0177.0.0.1",
            "https://1.2.3.4.5",
            "https://256.0.0.1",
            "https://[::1",
            "https://::1",
            "https://[::1]x",
            "https://[fe80::1%25eth0]",
            "https://[127.0.0.1]",
            "1https://api.github.com",
            "file://api.github.com/etc/passwd",
            "svn+ssh://api.github.com",
            "jar:https://api.github.com",
            "gopher://api.github.com",
            "ht tps://api.github.com",
            "https://-a.com",
            "https://a-.com",
            "https://*.github.com",
        ] {
            assert_eq!(url_host(url), None, "{url:?}");
        }
        assert_eq!(url_host(&format!("https://a.example/{}", "x".repeat(URL_BYTES_MAX))), None);
    }

    #[test]
    fn wildcards_cover_names_below_only() {
        let below = HostPattern::parse("*.example.com").unwrap();
        let matches = |url| url_host(url).is_some_and(|host| below.matches(host));
        assert!(matches("https://a.example.com") && matches("https://A.B.Example.COM."));
        assert!(
            !matches("https://example.com") && !matches("https://badexample.com") && !matches("https://.example.com")
        );
        for text in
            ["", "*", "*.", "*.1.2.3.4", "https://a.example", "a.example/x", "a.example:80", "a b", "*.*.example"]
        {
            assert_eq!(HostPattern::parse(text), None, "{text:?}");
        }
    }
}
