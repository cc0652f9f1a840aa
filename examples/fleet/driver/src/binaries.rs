//! Where the programs are that the demonstration runs: built into the same folder as itself.

use std::path::{Path, PathBuf};

use crate::error::{DemoError, Result};

/// The three programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The node.
    pub assentd: PathBuf,
    /// The command line.
    pub assent: PathBuf,
    /// The offline verifier.
    pub assent_verify: PathBuf,
}

impl Binaries {
    /// The programs beside the running one. A test binary lies one folder deeper, in `deps`.
    pub fn find() -> Result<Self> {
        let own =
            std::env::current_exe().map_err(|e| DemoError::new(format!("cannot tell where this program lies: {e}")))?;
        let folder = own.parent().unwrap_or(Path::new("."));
        let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
        Self::in_folder(folder)
    }

    /// The programs in a folder; all of them must be there.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        let program = |name: &str| {
            let path = folder.join(name);
            match path.is_file() {
                true => Ok(path),
                false => Err(DemoError::new(format!(
                    "{name} is not in {}; build everything first: make build",
                    folder.display()
                ))),
            }
        };
        Ok(Binaries {
            assentd: program("assentd")?,
            assent: program("assent")?,
            assent_verify: program("assent-verify")?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_the_command_that_builds_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("assentd"), "").unwrap();
        let message = Binaries::in_folder(folder.path()).unwrap_err().to_string();
        assert!(message.starts_with("assent is not in") && message.ends_with("make build"), "{message}");
        for name in ["assent", "assent-verify"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(Binaries::in_folder(folder.path()).unwrap().assent, folder.path().join("assent"));
    }
}
