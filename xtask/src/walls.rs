//! `cargo xtask walls`: the architecture's dependency walls as a test.

pub mod declared;
pub mod source;
pub mod tree;

use std::collections::BTreeMap;
use std::path::Path;

use crate::cargo::{self, Package};
use crate::finding::Finding;
use crate::repo::Repo;

/// Checks declared dependencies, resolved trees and sources of the repository at `root`.
pub fn run(root: &Path) -> Result<Vec<Finding>, String> {
    let repo = Repo::open(root)?;
    let packages = cargo::packages(root, &repo)?;
    let mut trees = BTreeMap::new();
    for guarded in tree::GUARDED {
        if let Some(package) = packages.iter().find(|package| package.folder == guarded.folder) {
            trees.insert(guarded.folder, cargo::normal_tree(root, &package.name)?);
        }
    }
    Ok(check(&repo, &packages, &trees))
}

/// All walls; `trees` holds what cargo printed for the guarded crates, by folder.
pub fn check(repo: &Repo, packages: &[Package], trees: &BTreeMap<&str, String>) -> Vec<Finding> {
    let mut findings = declared::check(packages, repo);
    for guarded in tree::GUARDED {
        let Some(package) = packages.iter().find(|package| package.folder == guarded.folder) else {
            let manifest = format!("{}/Cargo.toml", guarded.folder);
            findings.push(Finding::new(&manifest, 1, "the guarded crate is missing", "keep the wall's table in step"));
            continue;
        };
        findings.extend(tree::check(guarded, trees.get(guarded.folder).map_or("", String::as_str)));
        findings.extend(source::check(guarded.folder, repo, &package.target_roots));
    }
    findings.sort();
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo::{Dependency, Kind};

    fn packages() -> Vec<Package> {
        let package = |folder: &str| Package {
            name: format!("assent-{folder}"),
            member: true,
            folder: folder.to_owned(),
            target_roots: vec![format!("{folder}/src/lib.rs")],
            dependencies: Vec::new(),
        };
        ["ledger", "kernel", "verifier"].map(package).to_vec()
    }

    fn trees(extra: &str) -> BTreeMap<&'static str, String> {
        ["ledger", "kernel", "verifier"].map(|folder| (folder, format!("0assent-{folder} v1\n{extra}"))).into()
    }

    #[test]
    fn standing_walls_have_no_findings() {
        assert_eq!(check(&Repo::default(), &packages(), &trees("1sha2 v1\n")), []);
    }

    /// A wall that is not checked any more fails this test.
    #[test]
    fn every_wall_is_checked_for_every_guarded_crate() {
        assert_eq!(check(&Repo::default(), &packages(), &trees("1tokio v1\n")).len(), 3);
        assert_eq!(check(&Repo::default(), &packages(), &BTreeMap::new()).len(), 3);
        assert_eq!(check(&Repo::default(), &[], &trees("")).len(), 3);

        let text = "use std::net::TcpStream;";
        let repo = Repo::of(&[("ledger/src/lib.rs", text), ("kernel/src/lib.rs", text), ("verifier/src/lib.rs", text)]);
        let mut found: Vec<_> = check(&repo, &packages(), &trees("")).into_iter().map(|finding| finding.path).collect();
        found.dedup();
        assert_eq!(found, ["kernel/src/lib.rs", "ledger/src/lib.rs", "verifier/src/lib.rs"]);

        let node = Some("node".to_owned());
        let dependency =
            Dependency { name: "assent-node".to_owned(), kind: Kind::Normal, optional: false, folder: node };
        let mut packages = packages();
        packages.iter_mut().for_each(|package| package.dependencies.push(dependency.clone()));
        assert_eq!(check(&Repo::default(), &packages, &trees("")).len(), 3);
    }
}
