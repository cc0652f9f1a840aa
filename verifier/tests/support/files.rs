//! Changing an archive's files as an attacker would.

#![allow(dead_code, reason = "not every test binary attacks files")]

use std::fs;
use std::path::Path;

use assent_ledger::archive::{BundleReader, append_leaf};

/// The leaves of a bundle.
pub fn records(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap();
    let mut reader = BundleReader::new(bytes.as_slice());
    let mut out = Vec::new();
    while let Some(leaf) = reader.next_leaf().unwrap() {
        out.push(leaf.to_vec());
    }
    out
}

/// Writes leaves as a bundle.
pub fn write_records(path: &Path, records: &[Vec<u8>]) {
    let mut bytes = Vec::new();
    records.iter().for_each(|r| append_leaf(&mut bytes, r).unwrap());
    fs::write(path, bytes).unwrap();
}

/// Flips the lowest bit of one byte.
pub fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Replaces `to` by a copy of the folder `from`.
pub fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target)
        } else {
            let _ = fs::copy(entry.path(), target).unwrap();
        }
    }
}
