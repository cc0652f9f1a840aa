//! What cargo knows: packages with their targets and declared dependencies, and resolved trees.

use std::path::Path;
use std::process::Command;

use crate::json::{self, Json};
use crate::repo::Repo;

/// One package of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// A member of the workspace; otherwise it stands alone (fuzz targets, measurements of what was not chosen).
    pub member: bool,
    /// Its folder from the root; empty for a package at the root.
    pub folder: String,
    /// Root source files of its targets (libraries, binaries, tests, benches, examples, build scripts), from the root.
    pub target_roots: Vec<String>,
    /// Its declared dependencies.
    pub dependencies: Vec<Dependency>,
}

/// One declared dependency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// The package's name, not its local alias.
    pub name: String,
    /// Where it counts.
    pub kind: Kind,
    /// Behind a feature.
    pub optional: bool,
    /// The folder, when it is a package of this repository.
    pub folder: Option<String>,
}

/// Where a dependency counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In the package itself.
    Normal,
    /// In its build script.
    Build,
    /// In its tests, benches and examples.
    Dev,
}

/// All packages: those of the workspace, and those whose `Cargo.toml` lies outside of it (such as fuzz targets).
pub fn packages(root: &Path, repo: &Repo) -> Result<Vec<Package>, String> {
    let mut packages = metadata(root, "Cargo.toml", true)?;
    for (manifest, _) in repo.ending(&["/Cargo.toml"]) {
        let folder = manifest.trim_end_matches("/Cargo.toml");
        if !packages.iter().any(|package| package.folder == folder) {
            packages.extend(metadata(root, manifest, false)?);
        }
    }
    Ok(packages)
}

fn metadata(root: &Path, manifest: &str, member: bool) -> Result<Vec<Package>, String> {
    let text = cargo(root, &["metadata", "--no-deps", "--format-version", "1", "--manifest-path", manifest])?;
    parse_metadata(&text, &root.to_string_lossy(), member)
}

/// The resolved dependencies of a package, build and development ones left out, all features on: one line each, its depth
/// directly before its name.
pub fn normal_tree(root: &Path, package: &str) -> Result<String, String> {
    cargo(root, &["tree", "--package", package, "--edges", "normal", "--all-features", "--prefix", "depth", "--locked"])
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<String, String> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(program).args(arguments).current_dir(root).output();
    let output = output.map_err(|error| format!("cannot run cargo: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let command = arguments.first().copied().unwrap_or_default();
        Err(format!("cargo {command}: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}

/// Reads what `cargo metadata --no-deps` prints; `root` is the repository's absolute path, `member` whether it is the workspace's.
pub fn parse_metadata(text: &str, root: &str, member: bool) -> Result<Vec<Package>, String> {
    let metadata = json::parse(text).map_err(|error| format!("cargo metadata: {error}"))?;
    let packages = metadata.get("packages").ok_or("cargo metadata names no packages")?;
    packages.items().iter().map(|package| parse_package(package, root, member)).collect()
}

fn parse_package(package: &Json, root: &str, member: bool) -> Result<Package, String> {
    let inside = |path: &str| path.strip_prefix(root).map(|path| path.trim_matches('/').to_owned());
    let text = |key: &str| package.get(key).and_then(Json::text).ok_or(format!("a package without {key}"));
    let manifest = inside(text("manifest_path")?).ok_or("a package outside the repository")?;
    let targets = package.get("targets").map_or(&[] as &[Json], Json::items);
    let roots = targets.iter().filter_map(|target| inside(target.get("src_path")?.text()?));
    let dependencies = package.get("dependencies").map_or(&[] as &[Json], Json::items);
    let dependencies = dependencies.iter().filter_map(|dependency| {
        Some(Dependency {
            name: dependency.get("name")?.text()?.to_owned(),
            kind: match dependency.get("kind").and_then(Json::text) {
                Some("dev") => Kind::Dev,
                Some("build") => Kind::Build,
                _ => Kind::Normal,
            },
            optional: dependency.get("optional") == Some(&Json::Bool(true)),
            folder: dependency.get("path").and_then(Json::text).and_then(inside),
        })
    });
    Ok(Package {
        name: text("name")?.to_owned(),
        member,
        folder: crate::repo::folder_of(&manifest).to_owned(),
        target_roots: roots.collect(),
        dependencies: dependencies.collect(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn packages_are_read_from_metadata() {
        let text = r#"{"packages":[{"name":"p","manifest_path":"/r/x/p/Cargo.toml",
            "targets":[{"src_path":"/r/x/p/src/lib.rs"},{"src_path":"/r/x/p/build.rs"}],
            "dependencies":[{"name":"a","kind":null,"optional":false,"path":"/r/a"},
                            {"name":"b","kind":"dev","optional":false},{"name":"c","kind":"build","optional":true}]}]}"#;
        let packages = parse_metadata(text, "/r", true).unwrap();
        let package = packages.first().unwrap();
        assert_eq!((package.name.as_str(), package.folder.as_str()), ("p", "x/p"));
        assert_eq!(package.target_roots, ["x/p/src/lib.rs", "x/p/build.rs"]);
        let dependency = |name: &str, kind, optional, folder: Option<&str>| Dependency {
            name: name.to_owned(),
            kind,
            optional,
            folder: folder.map(str::to_owned),
        };
        let expected = [
            dependency("a", Kind::Normal, false, Some("a")),
            dependency("b", Kind::Dev, false, None),
            dependency("c", Kind::Build, true, None),
        ];
        assert_eq!(package.dependencies, expected);
        assert!(parse_metadata("{}", "/r", true).is_err());
    }
}
