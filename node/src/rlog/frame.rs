//! The bytes of one frame: a plain, checksummed header and an encrypted, authenticated body.
//!
//! ```text
//! offset  0  magic "ARLF"
//!         4  kind u8, 0 u8, meta length u16          (all numbers big-endian)
//!         8  body length u32 (meta + payload, before padding)
//!        12  log index u64
//!        20  offset of this frame in its segment u64 (also the nonce: an offset is written once under a segment's key)
//!        28  durable watermark u64: bytes of this segment known to be fsynced when the frame was issued
//!        36  CRC-32C of the 36 bytes before
//!        40  ChaCha20-Poly1305 of (meta ‖ payload ‖ zeros to a multiple of 8), with the header as associated data
//!         …  16-byte tag
//! ```
//!
//! The header is plain so that recovery can find evidence (a later watermark) behind a broken frame without being able
//! to walk there; it carries its own offset so that bytes from elsewhere cannot pass for such evidence.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, Nonce, Tag};

/// Bytes of a frame header.
pub const HEADER_BYTES: usize = 40;
/// Bytes of an authentication tag.
pub const TAG_BYTES: usize = 16;
/// Frames begin at multiples of this many bytes.
pub const ALIGN_BYTES: usize = 8;
/// The most bytes the body of one frame may have.
pub const BODY_BYTES_MAX: usize = 256 << 20;
/// First bytes of every frame.
pub const MAGIC: [u8; 4] = *b"ARLF";

/// What a frame says. The numbers are on disk: append only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Head of a segment: all that earlier segments said, entries apart.
    State = 1,
    /// A log entry.
    Entry = 2,
    /// All entries from the header's index on are gone.
    TruncateFrom = 3,
    /// All entries up to and including the header's index are gone; the body names the last of them.
    Purge = 4,
    /// The vote.
    Vote = 5,
    /// The committed log id.
    Committed = 6,
    /// Nothing but the watermark in its header.
    Mark = 7,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::State,
            2 => Self::Entry,
            3 => Self::TruncateFrom,
            4 => Self::Purge,
            5 => Self::Vote,
            6 => Self::Committed,
            7 => Self::Mark,
            _ => return None,
        })
    }
}

/// The plain part of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What the frame says.
    pub kind: Kind,
    /// Bytes of meta at the start of the body.
    pub meta_len: u16,
    /// Bytes of meta and payload together.
    pub body_len: u32,
    /// The log index the frame is about; zero where that means nothing.
    pub index: u64,
    /// Where the frame begins in its segment, in bytes.
    pub offset: u64,
    /// How many bytes of the segment were known to be fsynced when the frame was issued.
    pub durable: u64,
}

impl Header {
    /// Bytes of the body with its padding.
    pub fn padded_len(&self) -> usize {
        (self.body_len as usize).next_multiple_of(ALIGN_BYTES)
    }

    /// Bytes of the whole frame.
    pub fn frame_len(&self) -> usize {
        HEADER_BYTES + self.padded_len() + TAG_BYTES
    }

    fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut plain = Vec::with_capacity(HEADER_BYTES);
        plain.extend_from_slice(&MAGIC);
        plain.extend_from_slice(&[self.kind as u8, 0]);
        plain.extend_from_slice(&self.meta_len.to_be_bytes());
        plain.extend_from_slice(&self.body_len.to_be_bytes());
        plain.extend_from_slice(&self.index.to_be_bytes());
        plain.extend_from_slice(&self.offset.to_be_bytes());
        plain.extend_from_slice(&self.durable.to_be_bytes());
        let crc = crc32c(&plain);
        plain.extend_from_slice(&crc.to_be_bytes());
        let mut bytes = [0; HEADER_BYTES];
        bytes.copy_from_slice(&plain);
        bytes
    }

    /// Reads the header at the start of `bytes`, which are those at `offset` of a segment.
    /// `None` when they are no header written for that place.
    pub fn decode(bytes: &[u8], offset: u64) -> Option<Self> {
        let mut fields = Fields(bytes);
        if fields.take::<4>()? != MAGIC {
            return None;
        }
        let [kind, zero] = fields.take::<2>()?;
        let header = Self {
            kind: Kind::from_byte(kind)?,
            meta_len: u16::from_be_bytes(fields.take()?),
            body_len: u32::from_be_bytes(fields.take()?),
            index: fields.u64()?,
            offset: fields.u64()?,
            durable: fields.u64()?,
        };
        let crc = u32::from_be_bytes(fields.take()?);
        let sound = zero == 0
            && crc == crc32c(bytes.get(..HEADER_BYTES - 4)?)
            && header.offset == offset
            && header.durable <= offset
            && header.body_len as usize <= BODY_BYTES_MAX
            && u32::from(header.meta_len) <= header.body_len;
        sound.then_some(header)
    }
}

/// A body that is longer than a frame can carry, or that the cipher refused.
#[derive(Debug, thiserror::Error)]
#[error("a raft log record of {bytes} bytes does not fit a frame; keep batches below {BODY_BYTES_MAX} bytes")]
pub struct TooLarge {
    /// Length of meta and payload.
    pub bytes: usize,
}

/// What a new frame is to say.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// What the frame says.
    pub kind: Kind,
    /// The log index it is about; zero where that means nothing.
    pub index: u64,
    /// First part of the body.
    pub meta: &'a [u8],
    /// Second part of the body.
    pub payload: &'a [u8],
}

/// Appends the frame to `out`; it is to be written at `offset`, with `durable` bytes of the segment fsynced so far.
///
/// # Errors
/// [`TooLarge`], with `out` unchanged.
pub fn seal(
    cipher: &ChaCha20Poly1305,
    draft: Draft<'_>,
    offset: u64,
    durable: u64,
    out: &mut Vec<u8>,
) -> Result<Header, TooLarge> {
    let bytes = draft.meta.len() + draft.payload.len();
    let too_large = || TooLarge { bytes };
    let header = Header {
        kind: draft.kind,
        meta_len: u16::try_from(draft.meta.len()).map_err(|_| too_large())?,
        body_len: u32::try_from(bytes).ok().filter(|_| bytes <= BODY_BYTES_MAX).ok_or_else(too_large)?,
        index: draft.index,
        offset,
        durable,
    };
    let start = out.len();
    let plain = header.encode();
    out.extend_from_slice(&plain);
    out.extend_from_slice(draft.meta);
    out.extend_from_slice(draft.payload);
    out.resize(start + HEADER_BYTES + header.padded_len(), 0);
    let tag = out
        .get_mut(start + HEADER_BYTES..)
        .and_then(|body| cipher.encrypt_inout_detached(&nonce(offset), &plain, body.into()).ok());
    match tag {
        Some(tag) => out.extend_from_slice(&tag),
        None => {
            out.truncate(start);
            return Err(too_large());
        }
    }
    Ok(header)
}

/// Decrypts and authenticates a whole frame in place and returns its body (meta ‖ payload) without the padding;
/// `None` when a byte of it is not what was written.
pub fn open<'a>(cipher: &ChaCha20Poly1305, header: &Header, frame: &'a mut [u8]) -> Option<&'a [u8]> {
    let (plain, rest) = frame.split_at_mut_checked(HEADER_BYTES)?;
    let (body, tag) = rest.split_at_mut_checked(header.padded_len())?;
    let tag: [u8; TAG_BYTES] = tag.first_chunk().copied()?;
    cipher.decrypt_inout_detached(&nonce(header.offset), plain, (&mut *body).into(), &Tag::from(tag)).ok()?;
    body.get(..header.body_len as usize)
}

/// The nonce of the frame at `offset`. A segment is append-only and has a key of its own, so no pair repeats.
fn nonce(offset: u64) -> Nonce {
    let mut nonce = [0; 12];
    for (to, from) in nonce.iter_mut().skip(4).zip(offset.to_be_bytes()) {
        *to = from;
    }
    Nonce::from(nonce)
}

/// Takes fixed-size fields off the front of a slice.
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    /// The next `N` bytes; `None` at the end.
    pub fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    /// The next eight bytes as a big-endian number.
    pub fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    /// The next `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }
}

/// CRC-32C (Castagnoli), reflected, as iSCSI and ext4 use it.
pub fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = crc_table();
    let mut crc = u32::MAX;
    for byte in bytes {
        let slot = usize::from(crc.to_le_bytes()[0] ^ byte);
        crc = TABLE.get(slot).copied().unwrap_or_default() ^ (crc >> 8);
    }
    !crc
}

#[expect(clippy::indexing_slicing, reason = "evaluated at compile time, where a wrong index fails the build")]
const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut slot = 0;
    while slot < 256 {
        let mut crc = slot as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82F6_3B78 } else { crc >> 1 };
            bit += 1;
        }
        table[slot] = crc;
        slot += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use chacha20poly1305::KeyInit;

    fn cipher() -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(&[7; 32].into())
    }

    #[test]
    fn crc32c_has_the_published_check_value() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn a_frame_comes_back_and_any_flip_in_it_is_noticed() {
        let mut bytes = Vec::new();
        let draft = Draft { kind: Kind::Entry, index: 9, meta: b"meta", payload: b"some payload" };
        let header = seal(&cipher(), draft, 104, 96, &mut bytes).unwrap();
        assert_eq!(bytes.len(), header.frame_len());
        assert_eq!(Header::decode(&bytes, 104), Some(header));
        assert_eq!(Header::decode(&bytes, 112), None, "a header is valid at its own place only");
        assert_eq!(open(&cipher(), &header, &mut bytes.clone()), Some(&b"metasome payload"[..]));
        for place in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[place / 8] ^= 1 << (place % 8);
            let seen = Header::decode(&bad, 104).and_then(|h| open(&cipher(), &h, &mut bad).map(<[u8]>::len));
            assert_eq!(seen, None, "bit {place}");
        }
    }
}
