//! A tenant's place in the tenant map, as the text object `tenants/<opaque id>/map`.

use core::fmt;
use core::str::FromStr;

use super::ArchiveError;
use crate::hash::Hash;
use crate::limits;
use crate::map::{TenantMapError, TenantMapLeaf, TenantMapPath, verify_membership};

const VERSION: &str = "assent/tenant-map-path/1";

/// Count and last entry of one tenant, with the inclusion path to the map root that the seal states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapPathFile {
    /// Number of the tenant's entries before the seal leaf, at least one.
    pub count: u64,
    /// Leaf hash of its last entry before the seal leaf.
    pub last: Hash,
    /// The tenant's index among the map's leaves, from 0.
    pub index: u64,
    /// Number of the map's leaves.
    pub map_size: u64,
    /// Sibling hashes from the leaf to the root.
    pub path: Vec<Hash>,
}

impl MapPathFile {
    /// The file for a leaf of the tenant map and its path.
    pub fn new(leaf: &TenantMapLeaf, path: TenantMapPath) -> Self {
        let TenantMapPath { index, size, path } = path;
        MapPathFile { count: leaf.count, last: leaf.last, index, map_size: size, path }
    }

    /// Verifies that the tenant with opaque id `id` has this count and last entry in the map of the root that a seal states.
    pub fn verify(&self, id: &Hash, map_root: &Hash) -> Result<TenantMapLeaf, TenantMapError> {
        let leaf = TenantMapLeaf { id: *id, count: self.count, last: self.last };
        let path = TenantMapPath { index: self.index, size: self.map_size, path: self.path.clone() };
        verify_membership(map_root, &leaf, &path)?;
        Ok(leaf)
    }

    fn check(self) -> Result<Self, ArchiveError> {
        let possible = self.count > 0 && self.index < self.map_size && self.path.len() <= limits::PROOF_HASHES_MAX;
        if possible { Ok(self) } else { Err(ArchiveError::MapPath) }
    }

    /// Parses the object's bytes strictly. Whether the path leads to the map root is for the tenant map to say.
    pub fn parse(bytes: &[u8]) -> Result<Self, ArchiveError> {
        let expected = "UTF-8, terminated by a newline";
        let text = core::str::from_utf8(bytes).ok().and_then(|t| t.strip_suffix('\n'));
        let mut lines = Lines { lines: text.ok_or(ArchiveError::Line { line: 1, expected })?.split('\n'), number: 0 };
        let version: String = lines.field("", VERSION)?;
        if version != VERSION {
            return Err(ArchiveError::Line { line: 1, expected: VERSION });
        }
        let count = lines.field::<Decimal>("count ", "count <decimal>")?.0;
        let last = lines.field("last ", "last <hash>")?;
        let index = lines.field::<Decimal>("index ", "index <decimal>")?.0;
        let map_size = lines.field::<Decimal>("map_size ", "map_size <decimal>")?.0;
        let hashes = lines.field::<Decimal>("path ", "path <decimal>")?.0;
        let mut path = Vec::new();
        for _ in 0..hashes {
            if path.len() >= limits::PROOF_HASHES_MAX {
                return Err(ArchiveError::MapPath);
            }
            path.push(lines.field("", "a hash of the path")?);
        }
        if lines.lines.next().is_some() {
            return Err(ArchiveError::Line { line: lines.number + 1, expected: "absent" });
        }
        MapPathFile { count, last, index, map_size, path }.check()
    }
}

impl fmt::Display for MapPathFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MapPathFile { count, last, index, map_size, path } = self;
        write!(f, "{VERSION}\ncount {count}\nlast {last}\nindex {index}\nmap_size {map_size}\npath {}\n", path.len())?;
        path.iter().try_for_each(|hash| writeln!(f, "{hash}"))
    }
}

struct Decimal(u64);

impl FromStr for Decimal {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        crate::ids::parse_decimal(text.as_bytes()).map(Decimal).ok_or(())
    }
}

struct Lines<'a> {
    lines: core::str::Split<'a, char>,
    number: usize,
}

impl Lines<'_> {
    fn field<T: FromStr>(&mut self, prefix: &str, expected: &'static str) -> Result<T, ArchiveError> {
        self.number += 1;
        let value = self.lines.next().and_then(|l| l.strip_prefix(prefix)?.parse().ok());
        value.ok_or(ArchiveError::Line { line: self.number, expected })
    }
}
