//! A gzipped tar archive to its regular files, in memory. Everything else that a tar can hold is refused.

use std::io::Read;

use super::{BundleError, BundleErrorKind, MEMBERS_MAX, Members, PATH_BYTES_MAX, UNPACKED_BYTES_MAX, refuse};
use crate::bundle::limits::SOURCE_BYTES_MAX;

const BLOCK: usize = 512;

/// The regular files by path.
pub(super) fn members(archive: &[u8]) -> Result<Members, BundleError> {
    let unpacked = inflate(archive)?;
    let mut members = Members::new();
    let mut rest = unpacked.as_slice();
    loop {
        let Some((header, after)) = rest.split_at_checked(BLOCK) else {
            return Err(broken("the archive ends without its end mark"));
        };
        if header.iter().all(|byte| *byte == 0) {
            let empty = after.iter().all(|byte| *byte == 0);
            return if empty { Ok(members) } else { Err(broken("something follows the archive's end mark")) };
        }
        let entry = Entry::read(header)?;
        let padded = entry.size.checked_next_multiple_of(BLOCK).unwrap_or(usize::MAX);
        let Some((padded, after)) = after.split_at_checked(padded) else {
            return Err(broken(&format!("the member `{}` is cut off", entry.name)));
        };
        let content = padded.get(..entry.size).unwrap_or_default();
        rest = after;
        match entry.kind {
            b'0' | 0 => {
                let path = path(&entry.name)?;
                if members.len() >= MEMBERS_MAX {
                    return Err(too_large(&format!("keep an archive to {MEMBERS_MAX} members")));
                }
                if members.insert(path, content.to_vec()).is_some() {
                    let message = format!("the member `{}` is there twice", entry.name);
                    return Err(refuse(BundleErrorKind::Duplicate, message, None));
                }
            }
            b'5' => {}
            // Extended headers: times and owners do not matter, another name or size would.
            b'x' | b'g' if !renames(content) => {}
            _ => {
                let message = format!("the member `{}` is neither a file nor a folder", entry.name);
                let hint = "pack plain files with names of at most 100 bytes, no links";
                return Err(refuse(BundleErrorKind::Unavailable, message, Some(hint)));
            }
        }
    }
}

fn inflate(archive: &[u8]) -> Result<Vec<u8>, BundleError> {
    if archive.len() > SOURCE_BYTES_MAX {
        return Err(too_large(&format!("the archive has {} bytes, keep it to {SOURCE_BYTES_MAX}", archive.len())));
    }
    let limit = u64::try_from(UNPACKED_BYTES_MAX).unwrap_or(u64::MAX);
    let mut decoder = flate2::bufread::GzDecoder::new(archive);
    let mut out = Vec::new();
    let read = (&mut decoder).take(limit.saturating_add(1)).read_to_end(&mut out);
    read.map_err(|_| broken("the archive is not what gzip packed, or is damaged"))?;
    if out.len() > UNPACKED_BYTES_MAX {
        return Err(too_large(&format!("the archive unpacks to more than {UNPACKED_BYTES_MAX} bytes")));
    }
    if !decoder.into_inner().is_empty() {
        return Err(broken("something follows the archive's gzip stream"));
    }
    Ok(out)
}

struct Entry {
    name: String,
    size: usize,
    kind: u8,
}

impl Entry {
    fn read(header: &[u8]) -> Result<Entry, BundleError> {
        let field = |from: usize, to: usize| header.get(from..to).unwrap_or_default();
        let kind = field(156, 157).first().copied().unwrap_or_default();
        let sum = |byte_of_field: u8| -> u64 {
            let all: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
            let own: u64 = field(148, 156).iter().map(|byte| u64::from(*byte)).sum();
            all.saturating_sub(own).saturating_add(8 * u64::from(byte_of_field))
        };
        if octal(field(148, 156)) != Some(sum(b' ')) {
            return Err(broken("a header of the archive is damaged"));
        }
        let name = [text(field(345, 500)).filter(|_| field(257, 262) == b"ustar"), text(field(0, 100))];
        let name: Vec<&str> = name.into_iter().flatten().filter(|part| !part.is_empty()).collect();
        let size = octal(field(124, 136)).and_then(|size| usize::try_from(size).ok());
        let Some(size) = size.filter(|size| *size <= UNPACKED_BYTES_MAX) else {
            return Err(broken("a member of the archive has no size, or too large a one"));
        };
        Ok(Entry { name: name.join("/"), size, kind })
    }
}

/// A field's text up to its first zero; nothing when it is not UTF-8.
fn text(field: &[u8]) -> Option<&str> {
    core::str::from_utf8(field.split(|byte| *byte == 0).next().unwrap_or_default()).ok()
}

fn octal(field: &[u8]) -> Option<u64> {
    let digits = text(field)?.trim();
    if digits.is_empty() || !digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte)) {
        return None;
    }
    u64::from_str_radix(digits, 8).ok()
}

/// The path without the leading `/` or `./` that packers write; nothing that leaves the archive or hides in it.
fn path(name: &str) -> Result<String, BundleError> {
    let path = name.strip_prefix("./").or_else(|| name.strip_prefix('/')).unwrap_or(name);
    let plain = |step: &str| {
        !step.is_empty()
            && step != "."
            && step != ".."
            && !step.chars().any(|c| c.is_control() || matches!(c, '\\' | ':'))
    };
    if path.len() > PATH_BYTES_MAX || !path.split('/').all(plain) {
        let message = format!("the archive has a member with the path `{}`", name.escape_debug());
        return Err(refuse(BundleErrorKind::InvalidValue, message, Some("pack with paths inside of the bundle")));
    }
    Ok(path.to_owned())
}

/// Whether an extended header changes what the next header says about name, link or size.
fn renames(content: &[u8]) -> bool {
    let Ok(text) = core::str::from_utf8(content) else { return true };
    let key = |line: &str| Some(line.split_once(' ')?.1.split_once('=')?.0.to_owned());
    text.lines().any(|line| {
        !matches!(
            key(line).as_deref(),
            Some("mtime" | "atime" | "ctime" | "uid" | "gid" | "uname" | "gname" | "comment")
        )
    })
}

fn broken(message: &str) -> BundleError {
    refuse(BundleErrorKind::Syntax, message, Some("pack the bundle with `opa build` or `tar -czf`"))
}

fn too_large(message: &str) -> BundleError {
    refuse(BundleErrorKind::TooLarge, message, None)
}
