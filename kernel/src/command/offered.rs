//! The sources that a batch offers, found without reading the rest of it: a node compiles them beside apply, as soon as it has the
//! batch's bytes, so that apply finds them compiled.

use super::{BATCH_VERSION, COMMAND_VERSION, Caller, CommandBody};
use crate::codec::{CodecError, Reader};
use crate::limits::{BATCH_BYTES_MAX, BUNDLE_BYTES_MAX, COMMANDS_PER_BATCH_MAX};

/// The sources of the bundles that an encoded batch offers, in their order. Bytes that are no batch offer nothing: whether they are one
/// is for [`super::Batch::decode`] to say.
pub fn offered_sources(batch: &[u8]) -> Vec<&[u8]> {
    sources(batch).unwrap_or_default()
}

fn sources(batch: &[u8]) -> Result<Vec<&[u8]>, CodecError> {
    let mut reader = Reader::versioned(batch, "a batch", BATCH_VERSION)?;
    let count = reader.count("a batch's commands", COMMANDS_PER_BATCH_MAX)?;
    let mut found = Vec::new();
    for _ in 0..count {
        found.extend(source_of(reader.bytes("a command", BATCH_BYTES_MAX)?)?);
    }
    Ok(found)
}

/// Reads a command as far as its kind, and on only when it offers a bundle.
fn source_of(command: &[u8]) -> Result<Option<&[u8]>, CodecError> {
    let mut reader = Reader::versioned(command, "a command", COMMAND_VERSION)?;
    reader.take(REQUEST_ID_BYTES + STAMP_BYTES, "the request id and the stamp")?;
    Caller::skip(&mut reader)?;
    if reader.u8("a command's kind")? != CommandBody::OFFER_TAG {
        return Ok(None);
    }
    reader.bytes("the tenant", BUNDLE_BYTES_MAX)?;
    reader.bytes("the bundle's source", BUNDLE_BYTES_MAX).map(Some)
}

const REQUEST_ID_BYTES: usize = 16;
/// The time in eight bytes, the seed in 32.
const STAMP_BYTES: usize = 8 + 32;
