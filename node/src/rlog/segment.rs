//! A segment: one append-only file with a key of its own.
//!
//! ```text
//! offset  0  magic "ASRLOG/1"            (all numbers big-endian)
//!         8  format version u32 = 1, header length u32 = 112
//!        16  sequence number u64
//!        24  segment id, 32 random bytes
//!        56  ledger id hash, 32 bytes
//!        88  key check, 16 bytes: tells a wrong storage key from damage
//!       104  zeros u32, CRC-32C of the 108 bytes before
//!       112  the State frame, then frames
//! ```
//!
//! The file may end in zeros: room written ahead so that a group's fsync does not also have to make a new file length
//! durable.

use std::io;

use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use sha2::{Digest, Sha256};

use super::disk::DiskFile;
use super::frame::{self, Fields, HEADER_BYTES, Header, Kind, crc32c};
use super::state::LogState;

/// Bytes of a segment header.
pub const SEGMENT_HEADER_BYTES: usize = 112;
const MAGIC: [u8; 8] = *b"ASRLOG/1";
const VERSION: u32 = 1;
const STATE_VERSION: u8 = 1;
const SUFFIX: &str = ".rlog";

/// The file name of segment `seq`.
pub fn file_name(seq: u64) -> String {
    format!("{seq:016x}{SUFFIX}")
}

/// The sequence number in a file name; `None` for files that are no segments.
pub fn parse_file_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX).filter(|digits| digits.len() == 16)?;
    let seq = u64::from_str_radix(digits, 16).ok()?;
    (file_name(seq) == name).then_some(seq)
}

/// Where the segment before this one ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Previous {
    /// Its sequence number.
    pub seq: u64,
    /// Its length in bytes, all of them fsynced before this segment was created.
    pub len: u64,
}

/// What opens every segment of one log.
#[derive(Clone)]
pub struct Secrets {
    /// The key all segment keys come from.
    pub storage_key: zeroize::Zeroizing<[u8; 32]>,
    /// SHA-256 of the ledger's identity: a log of another ledger is refused.
    pub ledger: [u8; 32],
}

impl Secrets {
    fn cipher(&self, id: &[u8; 32]) -> (ChaCha20Poly1305, [u8; 16]) {
        let key = Sha256::new()
            .chain_update(b"assent raft log key/1\n")
            .chain_update(self.storage_key.as_slice())
            .chain_update(id)
            .finalize();
        let check = Sha256::new().chain_update(b"assent raft log key check/1\n").chain_update(key).finalize();
        let mut short = [0; 16];
        for (to, from) in short.iter_mut().zip(check) {
            *to = from;
        }
        (ChaCha20Poly1305::new(&key), short)
    }

    /// The first bytes of segment `seq`: header and State frame, together with the cipher for what follows.
    pub fn write_head(
        &self,
        seq: u64,
        id: &[u8; 32],
        previous: Option<Previous>,
        state: &LogState,
    ) -> io::Result<(Vec<u8>, ChaCha20Poly1305)> {
        let (cipher, check) = self.cipher(id);
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&(SEGMENT_HEADER_BYTES as u32).to_be_bytes());
        out.extend_from_slice(&seq.to_be_bytes());
        out.extend_from_slice(id);
        out.extend_from_slice(&self.ledger);
        out.extend_from_slice(&check);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&crc32c(&out).to_be_bytes());
        let body = self.encode_state(seq, previous, state);
        let draft = frame::Draft { kind: Kind::State, index: 0, meta: &[], payload: &body };
        frame::seal(&cipher, draft, SEGMENT_HEADER_BYTES as u64, 0, &mut out).map_err(io::Error::other)?;
        Ok((out, cipher))
    }

    fn encode_state(&self, seq: u64, previous: Option<Previous>, state: &LogState) -> Vec<u8> {
        let mut body = vec![STATE_VERSION];
        body.extend_from_slice(&seq.to_be_bytes());
        body.extend_from_slice(&self.ledger);
        match previous {
            None => body.push(0),
            Some(previous) => {
                body.push(1);
                body.extend_from_slice(&previous.seq.to_be_bytes());
                body.extend_from_slice(&previous.len.to_be_bytes());
            }
        }
        state.encode(&mut body);
        body
    }

    /// Reads the head of segment `seq`.
    pub fn read_head(&self, seq: u64, file: &dyn DiskFile) -> io::Result<Result<Head, HeadFault>> {
        let mut bytes = vec![0; SEGMENT_HEADER_BYTES + HEADER_BYTES];
        let have = file.read_at(0, &mut bytes)?;
        bytes.truncate(have);
        let id = match self.check_header(seq, &bytes) {
            Ok(id) => id,
            Err(fault) => return Ok(Err(fault)),
        };
        let at = SEGMENT_HEADER_BYTES as u64;
        let damaged = Ok(Err(HeadFault::Damaged { offset: at }));
        let header = bytes.get(SEGMENT_HEADER_BYTES..).and_then(|bytes| Header::decode(bytes, at));
        let Some(header) = header.filter(|header| header.kind == Kind::State) else {
            return damaged;
        };
        let (cipher, _) = self.cipher(&id);
        let mut frame = vec![0; header.frame_len()];
        if file.read_at(at, &mut frame)? != frame.len() {
            return damaged;
        }
        let state = frame::open(&cipher, &header, &mut frame).and_then(|body| self.decode_state(seq, body));
        let Some((previous, state)) = state else {
            return damaged;
        };
        Ok(Ok(Head { cipher, previous, state, len: at + header.frame_len() as u64 }))
    }

    fn check_header(&self, seq: u64, bytes: &[u8]) -> Result<[u8; 32], HeadFault> {
        let damaged = || HeadFault::Damaged { offset: 0 };
        let plain = bytes.get(..SEGMENT_HEADER_BYTES - 4).ok_or_else(damaged)?;
        let mut fields = Fields(bytes);
        let magic: [u8; 8] = fields.take().ok_or_else(damaged)?;
        let version = u32::from_be_bytes(fields.take().ok_or_else(damaged)?);
        let header_len = u32::from_be_bytes(fields.take().ok_or_else(damaged)?);
        let written_seq = fields.u64().ok_or_else(damaged)?;
        let id: [u8; 32] = fields.take().ok_or_else(damaged)?;
        let ledger: [u8; 32] = fields.take().ok_or_else(damaged)?;
        let check: [u8; 16] = fields.take().ok_or_else(damaged)?;
        let _zeros: [u8; 4] = fields.take().ok_or_else(damaged)?;
        let crc = u32::from_be_bytes(fields.take().ok_or_else(damaged)?);
        if magic != MAGIC || crc != crc32c(plain) {
            return Err(damaged());
        }
        if version != VERSION || header_len as usize != SEGMENT_HEADER_BYTES {
            return Err(HeadFault::Version { version });
        }
        if ledger != self.ledger {
            return Err(HeadFault::WrongLedger);
        }
        if check != self.cipher(&id).1 {
            return Err(HeadFault::WrongKey);
        }
        if written_seq != seq {
            return Err(damaged());
        }
        Ok(id)
    }

    fn decode_state(&self, seq: u64, body: &[u8]) -> Option<(Option<Previous>, LogState)> {
        let mut fields = Fields(body);
        let [version] = fields.take()?;
        let same_place = fields.u64()? == seq;
        let same_ledger = fields.take::<32>()? == self.ledger;
        let previous = match fields.take()? {
            [0] => None,
            [1] => Some(Previous { seq: fields.u64()?, len: fields.u64()? }),
            _ => return None,
        };
        let state = LogState::decode(&mut fields)?;
        let sound = version == STATE_VERSION && same_place && same_ledger && fields.0.is_empty();
        sound.then_some((previous, state))
    }
}

/// The head of a segment that could be read.
pub struct Head {
    /// The segment's cipher.
    pub cipher: ChaCha20Poly1305,
    /// Where the segment before it ended; `None` for the first segment of a log.
    pub previous: Option<Previous>,
    /// All that earlier segments said.
    pub state: LogState,
    /// Bytes of header and State frame.
    pub len: u64,
}

/// Why a head could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadFault {
    /// The bytes from here on are not what was written.
    Damaged {
        /// Where the damaged part begins, in bytes.
        offset: u64,
    },
    /// Sound, but written by another format version.
    Version {
        /// The version found.
        version: u32,
    },
    /// Sound, but written for another ledger.
    WrongLedger,
    /// Sound, but written under another storage key.
    WrongKey,
}
