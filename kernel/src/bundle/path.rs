//! Paths compared lexically: absolute, without anything that a reader further down could take for something else.

use super::limits::PATH_BYTES_MAX;

/// A directory a bundle lists, as its normal segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directory(Vec<Box<str>>);

impl Directory {
    /// Reads a listed directory: absolute; a trailing `/`, `/*` or `/**` says nothing more.
    pub(super) fn parse(text: &str) -> Option<Directory> {
        let plain = text.strip_suffix("/**").or_else(|| text.strip_suffix("/*")).unwrap_or(text);
        if plain.contains('*') || !text.starts_with('/') {
            return None;
        }
        let absolute = if plain.is_empty() { "/" } else { plain };
        Some(Directory(segments(absolute)?.into_iter().map(Into::into).collect()))
    }

    /// Whether a path (as segments) is this directory or lies beneath it.
    pub(super) fn holds(&self, path: &[&str]) -> bool {
        path.len() >= self.0.len() && self.0.iter().zip(path).all(|(a, b)| **a == **b)
    }
}

/// The normal segments of an absolute path, `.` and empty ones dropped and `..` resolved lexically. `None` for anything
/// unusual: relative paths, `..` above the root, NUL and other control characters, backslashes, percent-encoded dots,
/// slashes and NULs.
pub(super) fn segments(path: &str) -> Option<Vec<&str>> {
    let odd = |b: u8| b < b' ' || b == 0x7f || b == b'\\';
    if path.len() > PATH_BYTES_MAX || !path.starts_with('/') || path.bytes().any(odd) || has_encoded_step(path) {
        return None;
    }
    let mut out = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                out.pop()?;
            }
            _ => out.push(segment),
        }
    }
    Some(out)
}

/// `%2e`, `%2f`, `%5c` or `%00` in any case: a reader that decodes once more would walk elsewhere.
fn has_encoded_step(path: &str) -> bool {
    path.as_bytes().windows(3).any(|w| match w {
        [b'%', high, low] => {
            matches!((high, low.to_ascii_lowercase()), (b'2', b'e' | b'f') | (b'5', b'c') | (b'0', b'0'))
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn within(dir: &str, path: &str) -> Option<bool> {
        Some(Directory::parse(dir).unwrap().holds(&segments(path)?))
    }

    #[test]
    fn beneath_means_by_whole_segments() {
        for path in [
            "/data",
            "/data/",
            "/data/a/b",
            "//data///a",
            "/data/./a",
            "/data/x/../a",
            "/x/../data/a",
            "/data/..a",
            "/data/...",
        ] {
            assert_eq!(within("/data", path), Some(true), "{path}");
            assert_eq!(within("/data/**", path), Some(true), "{path}");
            assert_eq!(within("/", path), Some(true), "{path}");
        }
        for path in ["/", "/database", "/data/../etc/passwd", "/DATA/a", "/etc/data", "/data/../data2", "/ data/a"] {
            assert_eq!(within("/data/", path), Some(false), "{path}");
        }
    }

    #[test]
    fn odd_paths_are_neither_within_nor_without() {
        for path in [
            "",
            "data/a",
            "./data",
            "../data",
            "~/data",
            "/..",
            "/data/../../etc",
            "/data/\0/a",
            "/data\\..\\etc",
            "C:\\data",
            "/data/%2e%2e/etc",
            "/data/%2E./etc",
            "/data%2f..",
            "/data/%5c",
            "/data/%00",
            "/data/\n",
            "file:///data",
        ] {
            assert_eq!(within("/data", path), None, "{path:?}");
        }
        for dir in ["", "data", "./data/**", "/data/*/x", "/da*ta", "/../x"] {
            assert_eq!(Directory::parse(dir), None, "{dir:?}");
        }
    }
}
