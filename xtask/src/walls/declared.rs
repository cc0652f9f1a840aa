//! Which crate may declare which: the picture in ARCHITECTURE.md as a table. What is not drawn is forbidden.

use crate::cargo::{Dependency, Kind, Package};
use crate::finding::Finding;
use crate::repo::Repo;

/// What one folder may declare.
struct Row {
    folder: &'static str,
    /// Folders of this repository that it may depend on.
    may: &'static [&'static str],
    /// Folders that it may depend on behind a feature only.
    may_optionally: &'static [&'static str],
}

const DEMO: &str = "examples/fleet/driver";
const EVERYTHING: &[&str] = &["ledger", "kernel", "proto", "node", "client", "verifier", "chaos-tests", DEMO];

const fn row(folder: &'static str, may: &'static [&'static str]) -> Row {
    Row { folder, may, may_optionally: &[] }
}

const TABLE: &[Row] = &[
    row("ledger", &[]),
    row("kernel", &["ledger"]),
    row("proto", &[]),
    row("node", &["kernel", "ledger", "proto"]),
    Row { folder: "client", may: &["proto", "ledger"], may_optionally: &["kernel"] },
    Row { folder: "verifier", may: &["ledger"], may_optionally: &["kernel"] },
    row("chaos-tests", &["node", "client", "kernel", "ledger", "proto", DEMO]),
    row("benches", EVERYTHING),
    row("examples/", &["client", "ledger"]),
    row("xtask", &[]),
];

/// Only `node` names consensus and storage.
const NODE_ONLY: [&str; 4] = ["openraft", "rocksdb", "librocksdb-sys", "raft-engine"];

/// The fault tests put a simulated network between real nodes and run openraft's own suite: they are never shipped.
const TESTS_OF_CONSENSUS: (&str, &str) = ("chaos-tests", "openraft");

/// Development dependencies are exempt, but these crates must not reach the shell even in their tests.
const TESTS_WITHOUT_NODE: [&str; 3] = ["ledger", "kernel", "verifier"];

/// Compares what the members of the workspace declare with the table (a package that stands alone is in no product build); `repo` supplies the manifests for line numbers.
pub fn check(packages: &[Package], repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages.iter().filter(|package| package.member) {
        let path = format!("{}/Cargo.toml", package.folder);
        let manifest = repo.texts.get(&path).map_or("", String::as_str);
        let Some(row) = TABLE.iter().find(|row| covers(row.folder, &package.folder)) else {
            let what = format!("the architecture does not draw a crate in {}", package.folder);
            findings.push(Finding::new(&path, 1, what, "draw it in ARCHITECTURE.md and xtask/src/walls/declared.rs"));
            continue;
        };
        for dependency in &package.dependencies {
            if let Some(what) = judge(row, dependency) {
                let line = line_of(manifest, &dependency.name);
                findings.push(Finding::new(&path, line, what, "take it out, or move the code to where it may be used"));
            }
        }
    }
    findings
}

fn covers(row: &str, folder: &str) -> bool {
    row == folder || (row.ends_with('/') && folder.starts_with(row))
}

fn judge(row: &Row, dependency: &Dependency) -> Option<String> {
    let name = &dependency.name;
    let folder = row.folder.trim_end_matches('/');
    if NODE_ONLY.contains(&name.as_str()) && folder != "node" && (folder, name.as_str()) != TESTS_OF_CONSENSUS {
        return Some(format!("only node may name {name}"));
    }
    let dev = dependency.kind == Kind::Dev;
    let Some(target) = dependency.folder.as_deref() else {
        return (folder == "xtask").then(|| format!("xtask uses the standard library only, not {name}"));
    };
    let allowed = row.may.contains(&target)
        || (dependency.optional && row.may_optionally.contains(&target))
        || (dev && !(TESTS_WITHOUT_NODE.contains(&folder) && target == "node"));
    match (allowed, row.may_optionally.contains(&target)) {
        (true, _) => None,
        (false, true) => Some(format!("{folder} may depend on {target} behind a feature only")),
        (false, false) if dev => Some(format!("the tests of {folder} must not depend on {target}")),
        (false, false) => Some(format!("{folder} must not depend on {target}")),
    }
}

/// The line of the manifest that declares `name`, or the first.
fn line_of(manifest: &str, name: &str) -> usize {
    let declares = |line: &str| {
        let rest = line.trim_start().strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with([' ', '.', '=', '"']))
    };
    manifest.lines().position(declares).map_or(1, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(folder: &str, name: &str, kind: Kind, optional: bool, target: Option<&str>) -> Vec<String> {
        let dependency = Dependency { name: name.to_owned(), kind, optional, folder: target.map(str::to_owned) };
        let package = Package {
            name: "p".to_owned(),
            member: true,
            folder: folder.to_owned(),
            target_roots: Vec::new(),
            dependencies: vec![dependency],
        };
        check(&[package], &Repo::default()).into_iter().map(|finding| finding.what).collect()
    }

    fn passes(folder: &str, target: &str, kind: Kind) -> bool {
        whats(folder, &format!("assent-{target}"), kind, false, Some(target)).is_empty()
    }

    /// The whole picture, both ways: each pair of crates is allowed exactly when it is drawn.
    #[test]
    fn what_is_drawn_passes_and_nothing_else() {
        let all = [
            "ledger",
            "kernel",
            "proto",
            "node",
            "client",
            "verifier",
            "chaos-tests",
            "benches",
            "examples/a",
            "xtask",
        ];
        let drawn = [
            ("kernel", "ledger"),
            ("node", "kernel"),
            ("node", "ledger"),
            ("node", "proto"),
            ("client", "proto"),
            ("client", "ledger"),
            ("verifier", "ledger"),
            ("chaos-tests", "node"),
            ("chaos-tests", "client"),
            ("chaos-tests", "kernel"),
            ("chaos-tests", "ledger"),
            ("chaos-tests", "proto"),
            ("examples/a", "client"),
            ("examples/a", "ledger"),
        ];
        for from in all.iter().filter(|from| **from != "benches") {
            for to in all {
                assert_eq!(passes(from, to, Kind::Normal), drawn.contains(&(from, to)), "{from} -> {to}");
                assert_eq!(passes(from, to, Kind::Build), drawn.contains(&(from, to)), "{from} -> {to} (build)");
            }
        }
        assert!(EVERYTHING.iter().all(|to| passes("benches", to, Kind::Normal)));
        assert!(!passes("benches", "xtask", Kind::Normal));
    }

    #[test]
    fn the_verifier_reaches_the_kernel_behind_a_feature_only() {
        assert!(whats("verifier", "assent-kernel", Kind::Normal, true, Some("kernel")).is_empty());
        assert!(!whats("verifier", "assent-kernel", Kind::Normal, false, Some("kernel")).is_empty());
        assert!(!whats("verifier", "assent-node", Kind::Normal, true, Some("node")).is_empty());
    }

    #[test]
    fn tests_are_exempt_but_for_the_shell() {
        assert!(passes("client", "node", Kind::Dev));
        assert!(passes("ledger", "verifier", Kind::Dev));
        for folder in ["ledger", "kernel", "verifier"] {
            assert!(!passes(folder, "node", Kind::Dev), "{folder}");
        }
    }

    #[test]
    fn consensus_and_storage_are_named_by_node_only() {
        for name in ["openraft", "rocksdb"] {
            assert!(whats("node", name, Kind::Normal, false, None).is_empty());
            for folder in ["client", "chaos-tests", "benches", "ledger", "examples/a"] {
                if (folder, name) == TESTS_OF_CONSENSUS {
                    continue;
                }
                for kind in [Kind::Normal, Kind::Dev, Kind::Build] {
                    assert!(!whats(folder, name, kind, false, None).is_empty(), "{folder} names {name}");
                }
            }
        }
    }

    #[test]
    fn xtask_has_no_dependencies_and_unknown_crates_are_refused() {
        assert!(!whats("xtask", "serde", Kind::Normal, false, None).is_empty());
        assert!(!whats("common", "serde", Kind::Normal, false, None).is_empty());
        assert!(whats("proto", "serde", Kind::Normal, false, None).is_empty());
    }

    #[test]
    fn a_package_that_stands_alone_cannot_be_reached_either() {
        assert!(!passes("node", "benches/raft-log-choice", Kind::Normal));
        assert!(!whats("client", "x", Kind::Build, false, Some("fuzz")).is_empty());
    }

    #[test]
    fn findings_name_the_line_of_the_manifest() {
        let manifest = "[dependencies]\nassent-ledger-x = \"1\"\nassent-node.workspace = true\n";
        assert_eq!(line_of(manifest, "assent-node"), 3);
        assert_eq!(line_of(manifest, "assent-ledger"), 1);
    }
}
