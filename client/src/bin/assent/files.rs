//! Files: secrets that only their owner may read, never overwritten; public files, never overwritten by accident.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use assent_ledger::keys::{PublicKey, SecretKey};
use zeroize::Zeroizing;

use crate::output::CliError;

/// Writes a new file that only its owner may read, and syncs it. An existing file is an error.
pub fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    create(path, bytes, 0o600)
}

/// Writes a new file that everybody may read, and syncs it. An existing file is an error.
pub fn write_public(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    create(path, bytes, 0o644)
}

fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<(), CliError> {
    let open = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut file = match open {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(CliError::Failed(format!("{} exists already and is not overwritten", path.display())));
        }
        Err(error) => return Err(CliError::Failed(format!("cannot create {}: {error}", path.display()))),
    };
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|e| CliError::Failed(format!("cannot write {}: {e}", path.display())))
}

/// Refuses when any of the files exists, before the first of them is written.
pub fn refuse_existing<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<(), CliError> {
    match paths.into_iter().find(|path| path.exists()) {
        Some(path) => Err(CliError::Failed(format!("{} exists already; nothing was written", path.display()))),
        None => Ok(()),
    }
}

/// Reads a file that need not be secret.
pub fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    fs::read(path).map_err(|e| CliError::Usage(format!("cannot read {}: {e}", path.display())))
}

/// Reads a file that only its owner may read.
pub fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let wrap = |e: std::io::Error| CliError::Usage(format!("cannot read {}: {e}", path.display()));
    let mode = fs::metadata(path).map_err(wrap)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let path = path.display();
        return Err(CliError::Usage(format!("{path} is readable by others (mode {mode:o}); run: chmod 600 {path}")));
    }
    fs::read(path).map(Zeroizing::new).map_err(wrap)
}

/// Reads a signing key: one line of 64 lower-case hexadecimal characters.
pub fn read_signing_key(path: &Path) -> Result<SecretKey, CliError> {
    let bytes = read_secret(path)?;
    let text = core::str::from_utf8(&bytes).unwrap_or_default();
    let seed = assent_ledger::hash::hex32(text.trim_end_matches('\n')).map(Zeroizing::new);
    let seed = seed.ok_or_else(|| {
        CliError::Usage(format!("{} must hold one line of 64 lower-case hexadecimal characters", path.display()))
    })?;
    Ok(SecretKey::from_seed(&seed))
}

/// Takes a public key from text: the hexadecimal itself, or the path of a `.pub` file that holds it.
pub fn public_key(text: &str, folder: &Path) -> Result<PublicKey, CliError> {
    if let Ok(key) = text.parse() {
        return Ok(key);
    }
    let path = folder.join(text);
    let bytes = read(&path)?;
    let line = String::from_utf8_lossy(&bytes);
    line.trim_end_matches('\n').parse().map_err(|e| CliError::Usage(format!("{}: {e}", path.display())))
}

/// Thirty-two fresh random bytes.
pub fn random() -> Result<Zeroizing<[u8; 32]>, CliError> {
    let mut bytes = Zeroizing::new([0u8; 32]);
    getrandom::fill(bytes.as_mut_slice())
        .map_err(|e| CliError::Failed(format!("the operating system gives no randomness: {e}")))?;
    Ok(bytes)
}

/// A key file's line: lower-case hexadecimal and a newline.
pub fn hex_line(bytes: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    let text = Zeroizing::new(hex::encode(bytes));
    let mut line = Zeroizing::new(Vec::with_capacity(text.len() + 1));
    line.extend_from_slice(text.as_bytes());
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_private_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.key");
        write_secret(&path, &hex_line(&[7; 32])).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_signing_key(&path).unwrap().public(), SecretKey::from_seed(&[7; 32]).public());
        assert!(write_secret(&path, b"other").is_err());
        assert!(refuse_existing([path.as_path()]).is_err());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read_signing_key(&path).is_err());
    }
}
