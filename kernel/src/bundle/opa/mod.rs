//! OPA bundles: a gzipped tar archive of `.manifest`, data files, Rego modules and an `assent.yaml` with our own sections.
//!
//! Unpacked in memory, member by member, with caps on everything; nothing is written anywhere.

mod read;
mod signatures;
mod tar;

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::error::{BundleError, BundleErrorKind};
use super::limits::SOURCE_BYTES_MAX;
use super::rego::section::Files;
use crate::value::Object;

/// Most members of an archive.
pub const MEMBERS_MAX: usize = 256;
/// Most bytes of an archive when it is unpacked, headers and padding included.
pub const UNPACKED_BYTES_MAX: usize = 4 << 20;
/// Most bytes of a member's path.
pub const PATH_BYTES_MAX: usize = 255;
/// Deepest directory of a data file.
pub const PATH_DEPTH_MAX: usize = 8;
/// The members that hold our own sections; one of them is there.
pub const OWN_FILES: [&str; 2] = ["assent.yaml", "bundle.yaml"];

const _: () = assert!(SOURCE_BYTES_MAX <= UNPACKED_BYTES_MAX);

/// The members of an archive, by path without a leading slash.
type Members = BTreeMap<String, Vec<u8>>;

/// What an archive holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// Our own sections, YAML.
    pub yaml: Vec<u8>,
    /// Name and source of each module, by name; tests (`*_test.rego`) are left out.
    pub modules: Vec<(String, String)>,
    /// The data document: all data files, each under the path of its directory.
    pub data: Option<Object>,
    /// The manifest's revision.
    pub revision: Option<String>,
    /// Whether a signature was there and verified.
    pub verified: bool,
}

/// A bundle's source, opened: plain YAML as it is, an archive unpacked.
pub(super) struct Opened<'s> {
    pub(super) yaml: Cow<'s, [u8]>,
    pub(super) files: Files,
}

/// Opens a source of either form; archives are known by gzip's first bytes.
pub(super) fn open(source: &[u8]) -> Result<Opened<'_>, Vec<BundleError>> {
    if !source.starts_with(&[0x1f, 0x8b]) {
        return Ok(Opened { yaml: Cow::Borrowed(source), files: Files::default() });
    }
    let unpacked = unpack(source, None)?;
    let files = Files { modules: unpacked.modules, data: unpacked.data };
    Ok(Opened { yaml: Cow::Owned(unpacked.yaml), files })
}

/// Unpacks an archive. `key` is an Ed25519 public key: with one, the archive must be signed by it as OPA defines; without
/// one, a signed archive is refused, since nobody could say what its signature is worth.
pub fn unpack(archive: &[u8], key: Option<&[u8; 32]>) -> Result<Unpacked, Vec<BundleError>> {
    let members = tar::members(archive).map_err(|error| vec![error])?;
    let verified = signatures::check(&members, key).map_err(|error| vec![error])?;
    read::read(members, verified)
}

fn refuse(kind: BundleErrorKind, message: impl Into<String>, hint: Option<&str>) -> BundleError {
    BundleError { line: 1, column: 1, kind, message: message.into(), hint: hint.map(str::to_owned) }
}
