//! `cargo xtask tidy`: style as a test. One check a file; sizes have a ratchet.

pub mod attributes;
pub mod dead;
pub mod header;
pub mod links;
pub mod markers;
pub mod ratchet;
pub mod size;
pub mod vectors;
pub mod whitespace;

use std::path::Path;

use crate::cargo::{self, Package};
use crate::finding::Finding;
use crate::repo::Repo;

/// Checks the repository at `root`; findings are sorted by place.
pub fn run(root: &Path) -> Result<Vec<Finding>, String> {
    let repo = Repo::open(root)?;
    let packages = cargo::packages(root, &repo)?;
    Ok(check(&repo, &packages))
}

/// All checks over one repository.
pub fn check(repo: &Repo, packages: &[Package]) -> Vec<Finding> {
    let roots: Vec<String> = packages.iter().flat_map(|package| package.target_roots.clone()).collect();
    let mut findings = dead::check(repo, &roots);
    findings.extend(size::check(repo));
    findings.extend(header::check(repo));
    findings.extend(markers::check(repo));
    findings.extend(attributes::check(repo));
    findings.extend(links::check(repo));
    findings.extend(whitespace::check(repo));
    findings.extend(vectors::check(repo));
    findings.sort();
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each bad sample is found by the whole run: a check that is not called any more fails this test.
    #[test]
    fn every_check_takes_part() {
        let long_file = format!("//! a\n{}", "// b\n".repeat(600));
        for (path, text, word) in [
            ("a.rs", "//! a\n", "no module"),
            ("root.rs", long_file.as_str(), "lines"),
            ("root.rs", "fn a() {}\n", "//!"),
            ("root.rs", "//! a\n// FIXME: b\n", "marker"),
            ("root.rs", "//! a\n#[allow(dead_code)]\nfn b() {}\n", "reason"),
            ("a.md", "[b](c.md)\n", "c.md"),
            ("a.md", "b \n", "white space"),
            ("testdata/vectors/a.json", "{\n", "JSON"),
        ] {
            let package = Package {
                name: "p".to_owned(),
                member: true,
                folder: String::new(),
                target_roots: vec!["root.rs".to_owned()],
                dependencies: Vec::new(),
            };
            let findings = check(&Repo::of(&[(path, text)]), &[package]);
            assert!(findings.iter().any(|f| f.path == path && f.to_string().contains(word)), "{word}: {findings:?}");
        }
    }

    #[test]
    fn a_tidy_repository_has_no_findings() {
        let files =
            [("src/lib.rs", "//! A crate.\nmod a;\n"), ("src/a.rs", "//! A part.\n"), ("README.md", "[a](src/a.rs)\n")];
        let package = Package {
            name: "p".to_owned(),
            member: true,
            folder: String::new(),
            target_roots: vec!["src/lib.rs".to_owned()],
            dependencies: Vec::new(),
        };
        assert_eq!(check(&Repo::of(&files), &[package]), []);
    }
}
