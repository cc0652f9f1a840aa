//! What the resolved trees of the guarded crates must not contain, at any depth and with all features on.

use crate::finding::Finding;

/// A crate whose tree is guarded.
#[derive(Debug, Clone, Copy)]
pub struct Guarded {
    /// Its folder.
    pub folder: &'static str,
    /// Decides inside Raft's apply: neither clocks nor randomness either.
    pub pure: bool,
}

/// The guarded crates.
pub const GUARDED: [Guarded; 3] = [
    Guarded { folder: "ledger", pure: true },
    Guarded { folder: "kernel", pure: true },
    Guarded { folder: "verifier", pure: false },
];

/// Runtimes, network, TLS, storage, consensus. Each name stands for its family: `tokio` also for `tokio-util`.
const SHELL: [&str; 52] = [
    "tokio",
    "async-std",
    "async-io",
    "async-executor",
    "async-global-executor",
    "smol",
    "futures-executor",
    "glommio",
    "monoio",
    "mio",
    "polling",
    "io-uring",
    "socket2",
    "hyper",
    "h2",
    "h3",
    "quinn",
    "tonic",
    "axum",
    "tower",
    "actix",
    "warp",
    "reqwest",
    "ureq",
    "curl",
    "isahc",
    "attohttpc",
    "rustls",
    "native-tls",
    "openssl",
    "aws-lc",
    "rmcp",
    "rocksdb",
    "librocksdb-sys",
    "raft",
    "raft-engine",
    "raft-log",
    "openraft",
    "sled",
    "redb",
    "fjall",
    "rusqlite",
    "libsqlite3-sys",
    "heed",
    "lmdb",
    "object_store",
    "opendal",
    "etcd-client",
    "turmoil",
    "tracing-opentelemetry",
    "opentelemetry",
    "memmap2",
];

/// Randomness and clocks.
const IMPURE: [&str; 10] =
    ["rand", "getrandom", "fastrand", "oorandom", "uuid", "time", "chrono", "jiff", "humantime", "ahash"];

/// Checks what `cargo tree --prefix depth` printed for a guarded crate.
pub fn check(guarded: Guarded, tree: &str) -> Vec<Finding> {
    let manifest = format!("{}/Cargo.toml", guarded.folder);
    let mut findings: Vec<Finding> = Vec::new();
    let mut stack: Vec<&str> = Vec::new();
    for line in tree.lines() {
        let Some((depth, name)) = parse_line(line) else { continue };
        stack.truncate(depth);
        stack.push(name);
        let shell = SHELL.iter().any(|family| belongs(name, family));
        let impure = guarded.pure && IMPURE.iter().any(|family| belongs(name, family));
        if depth > 0 && (shell || impure) {
            let kind = if shell { "runtime, network, storage or consensus" } else { "randomness or clock" };
            let what = format!("{kind} crate in the tree: {}", stack.join(" -> "));
            findings.push(Finding::new(&manifest, 1, what, "choose another crate or other features"));
        }
    }
    if stack.is_empty() {
        findings.push(Finding::new(&manifest, 1, "cargo printed no tree", "see what `cargo tree` says"));
    }
    findings.dedup();
    findings
}

/// Depth and name of a line such as `2mio v1.0.0 (*)`. A name never starts with a digit.
fn parse_line(line: &str) -> Option<(usize, &str)> {
    let digits = line.find(|c: char| !c.is_ascii_digit())?;
    let (depth, rest) = line.split_at_checked(digits)?;
    Some((depth.parse().ok()?, rest.split_whitespace().next()?))
}

fn belongs(name: &str, family: &str) -> bool {
    name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PURE: Guarded = Guarded { folder: "kernel", pure: true };
    const VERIFIER: Guarded = Guarded { folder: "verifier", pure: false };

    fn whats(guarded: Guarded, tree: &str) -> Vec<String> {
        check(guarded, tree).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn a_clean_tree_passes() {
        let tree = "0assent-kernel v0.1.0 (/r/kernel)\n1sha2 v0.11.0\n2digest v0.11.0\n1runtime-less v1.0.0\n1timely v1.0.0 (*)\n";
        assert_eq!(whats(PURE, tree), Vec::<String>::new());
    }

    #[test]
    fn every_forbidden_crate_is_found_at_any_depth_with_its_way() {
        for name in SHELL {
            for guarded in [PURE, VERIFIER] {
                let found = whats(guarded, &format!("0a v1\n1b v1\n2c v1\n1d v1\n2{name} v1 (*)\n"));
                assert_eq!(found.len(), 1, "{name}");
                assert!(found.iter().all(|what| what.ends_with(&format!("a -> d -> {name}"))), "{found:?}");
            }
        }
        for name in ["tokio-util", "hyper-util", "aws-lc-rs", "rustls-pki-types", "openraft-rt"] {
            assert_eq!(whats(VERIFIER, &format!("0a v1\n1{name} v1\n")).len(), 1, "{name}");
        }
    }

    #[test]
    fn randomness_and_clocks_are_refused_to_the_pure_crates() {
        for name in ["rand", "rand_core", "getrandom", "time", "time-core", "chrono"] {
            assert_eq!(whats(PURE, &format!("0a v1\n1{name} v1\n")).len(), 1, "{name}");
            assert_eq!(whats(VERIFIER, &format!("0a v1\n1{name} v1\n")).len(), 0, "{name}");
        }
    }

    #[test]
    fn no_tree_is_a_finding() {
        assert_eq!(whats(PURE, ""), ["cargo printed no tree"]);
    }
}
