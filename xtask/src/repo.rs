//! The repository's files: what git tracks or would track, with the texts of those that are text.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// All files of a working tree; paths are relative to its root and use `/`.
#[derive(Debug, Clone, Default)]
pub struct Repo {
    /// Texts by path; files that are not UTF-8 or hold a NUL byte are missing here.
    pub texts: BTreeMap<String, String>,
    /// Every path, folders included.
    pub paths: BTreeSet<String>,
}

/// The root of the workspace: cargo says where this package lies; outside cargo it is the current folder.
pub fn root() -> Result<PathBuf, String> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let root = package.as_deref().and_then(Path::parent).map(Path::to_path_buf);
    let root = root.or_else(|| std::env::current_dir().ok()).ok_or("no current folder; run it in the repository")?;
    if root.join("Cargo.toml").is_file() {
        Ok(root)
    } else {
        Err(format!("{} has no Cargo.toml; run it in the repository", root.display()))
    }
}

impl Repo {
    /// Reads the working tree: tracked files and untracked ones that are not ignored.
    pub fn open(root: &Path) -> Result<Repo, String> {
        let listing = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .map_err(|error| format!("cannot run git: {error}; install git"))?;
        if !listing.status.success() {
            return Err(format!("git ls-files: {}", String::from_utf8_lossy(&listing.stderr).trim()));
        }
        let mut repo = Repo::default();
        for path in String::from_utf8_lossy(&listing.stdout).split('\0').filter(|path| !path.is_empty()) {
            // A deleted file that is still in the index is no file.
            let Ok(bytes) = std::fs::read(root.join(path)) else { continue };
            repo.insert(path, &bytes);
        }
        Ok(repo)
    }

    /// A repository of the given files, for tests.
    pub fn of(files: &[(&str, &str)]) -> Repo {
        let mut repo = Repo::default();
        for (path, text) in files {
            repo.insert(path, text.as_bytes());
        }
        repo
    }

    fn insert(&mut self, path: &str, bytes: &[u8]) {
        let mut folder = path;
        while let Some((parent, _)) = folder.rsplit_once('/') {
            self.paths.insert(parent.to_owned());
            folder = parent;
        }
        self.paths.insert(path.to_owned());
        if let Ok(text) = core::str::from_utf8(bytes)
            && !text.contains('\0')
        {
            self.texts.insert(path.to_owned(), text.to_owned());
        }
    }

    /// Paths and texts of the files whose name ends in one of `endings`.
    pub fn ending<'a>(&'a self, endings: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        let texts = self.texts.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        texts.filter(|(path, _)| endings.iter().any(|ending| path.ends_with(ending)))
    }
}

/// Resolves `relative` against the folder `folder` (both with `/`); `None` when it leaves the root.
pub fn resolve(folder: &str, relative: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    let from = if relative.starts_with('/') { "" } else { folder };
    for part in from.split('/').chain(relative.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The folder that a path lies in; empty for the root.
pub fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_count_as_paths_and_binary_files_have_no_text() {
        let repo = Repo::of(&[("a/b/c.rs", "x"), ("d.bin", "\0")]);
        assert!(["a", "a/b", "a/b/c.rs", "d.bin"].iter().all(|path| repo.paths.contains(*path)));
        assert_eq!(repo.texts.len(), 1);
        assert_eq!(repo.ending(&[".rs"]).count(), 1);
        assert_eq!(repo.ending(&[".py"]).count(), 0);
    }

    #[test]
    fn relative_paths_resolve_inside_the_root_only() {
        assert_eq!(resolve("docs/adr", "../formats/a.md").as_deref(), Some("docs/formats/a.md"));
        assert_eq!(resolve("docs", "./a.md").as_deref(), Some("docs/a.md"));
        assert_eq!(resolve("docs", "/README.md").as_deref(), Some("README.md"));
        assert_eq!(resolve("docs", "../../elsewhere"), None);
    }
}
