//! Small files that must survive a crash whole: written beside their place, synced, renamed, and the folder synced.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Replaces `path` with `bytes`; `mode` are the permission bits.
///
/// A crash before the rename leaves the old file (and a `.tmp` beside it, overwritten next time); after it, the new one. The folder is
/// synced last, so that the rename itself cannot be lost after this returns.
pub fn write_durably(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let tmp = path.with_extension("tmp");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&tmp)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&tmp, path)?;
    sync_folder_of(path)
}

/// Makes a rename, creation or removal in the folder that holds `path` durable.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Why a key file was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("cannot read key file {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Others may read it.
    #[error("key file {path} is readable by others (mode {mode:o}); run: chmod 600 {path}")]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It does not hold a key.
    #[error("key file {path} must hold one line of 64 lower-case hexadecimal characters")]
    Format {
        /// The file.
        path: PathBuf,
    },
}

/// Reads 32 secret bytes from a file that only its owner may read.
pub fn read_key(path: &Path) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let wrap = |source| KeyFileError::Read { path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(wrap)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Permissions { path: path.to_owned(), mode });
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(wrap)?);
    assent_ledger::hash::hex32(text.trim_end_matches('\n'))
        .map(Zeroizing::new)
        .ok_or_else(|| KeyFileError::Format { path: path.to_owned() })
}

/// Writes 32 secret bytes to a file that only its owner may read.
pub fn write_key(path: &Path, key: &[u8; 32]) -> io::Result<()> {
    let text = Zeroizing::new(format!("{}\n", hex::encode(key)));
    write_durably(path, text.as_bytes(), 0o600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_round_trip_and_open_permissions_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.key");
        write_key(&path, &[7; 32]).unwrap();
        assert_eq!(*read_key(&path).unwrap(), [7; 32]);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(read_key(&path), Err(KeyFileError::Permissions { .. })));
    }
}
