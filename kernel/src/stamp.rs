//! The stamp: all the time and all the randomness that a command will ever see, put on it by the leader before it is committed.

use assent_ledger::hash::sha256;
use assent_ledger::ids::Time;

/// Time and randomness of one command.
#[derive(Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The leader's clock when it accepted the command; apply never lets time decrease.
    pub time: Time,
    /// 32 bytes from the leader's random generator; secret until derived values are published.
    pub seed: [u8; 32],
}

impl core::fmt::Debug for Stamp {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The seed yields payload keys: it is never printed.
        write!(f, "Stamp({:?})", self.time)
    }
}

/// What random bytes are derived for; each purpose has its own text and therefore its own bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// 16 bytes: an entry's nonce, counted by event.
    Nonce,
    /// 16 bytes: an entry's event id, counted by event.
    Event,
    /// 32 bytes: a payload's salt, counted by payload.
    Salt,
    /// 32 bytes: a payload's data key, counted by payload.
    PayloadKey,
    /// 32 bytes: the salt of the request's commitment.
    RequestSalt,
    /// 16 bytes: the id of an implicit run.
    Run,
    /// 32 bytes: wraps the data keys of the system's own payloads; drawn with the genesis.
    SystemKey,
    /// 16 bytes: the id of a lease.
    Lease,
    /// 16 bytes: the id of an approval.
    Approval,
}

impl Purpose {
    const fn text(self) -> &'static str {
        match self {
            Purpose::Nonce => "nonce",
            Purpose::Event => "event",
            Purpose::Salt => "salt",
            Purpose::PayloadKey => "payload-key",
            Purpose::RequestSalt => "request-salt",
            Purpose::Run => "run",
            Purpose::SystemKey => "system-key",
            Purpose::Lease => "lease",
            Purpose::Approval => "approval",
        }
    }
}

impl Stamp {
    /// `SHA-256("assent stamp/1\n" ‖ purpose ‖ 0 ‖ n BE ‖ seed)`, its first `N` bytes; `N` is at most 32.
    pub fn derive<const N: usize>(&self, purpose: Purpose, n: u32) -> [u8; N] {
        const { assert!(N <= 32, "a digest has 32 bytes") };
        let digest = sha256(&[b"assent stamp/1\n", purpose.text().as_bytes(), &[0], &n.to_be_bytes(), &self.seed]);
        let mut out = [0u8; N];
        for (to, from) in out.iter_mut().zip(digest.0) {
            *to = from;
        }
        out
    }

    /// Derived bytes in the layout of a version 4 UUID, as lower-case text.
    pub fn derive_uuid(&self, purpose: Purpose, n: u32) -> String {
        let mut bytes: [u8; 16] = self.derive(purpose, n);
        let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
        *version = (*version & 0x0f) | 0x40;
        *variant = (*variant & 0x3f) | 0x80;
        uuid_text(&bytes)
    }
}

/// The 36-character text of a UUID.
pub(crate) fn uuid_text(bytes: &[u8; 16]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(36);
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for nibble in [byte >> 4, byte & 0x0f] {
            text.extend(DIGITS.get(usize::from(nibble)).map(|d| char::from(*d)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_and_counters_give_different_bytes() {
        let stamp = Stamp { time: Time(0), seed: [7; 32] };
        let a: [u8; 16] = stamp.derive(Purpose::Nonce, 0);
        assert_ne!(a, stamp.derive::<16>(Purpose::Nonce, 1));
        assert_ne!(a, stamp.derive::<16>(Purpose::Event, 0));
        assert_ne!(a, Stamp { time: Time(0), seed: [8; 32] }.derive::<16>(Purpose::Nonce, 0));
        let expected = sha256(&[b"assent stamp/1\nnonce\0\0\0\0\0", &[7; 32]]);
        assert!(expected.0.starts_with(&a));
    }

    #[test]
    fn uuids_have_the_layout_of_version_4() {
        let text = Stamp { time: Time(0), seed: [7; 32] }.derive_uuid(Purpose::Event, 0);
        assert_eq!(text.len(), 36);
        assert_eq!(text.as_bytes().get(14), Some(&b'4'));
        assert!(matches!(text.as_bytes().get(19), Some(b'8' | b'9' | b'a' | b'b')));
    }

    #[test]
    fn the_seed_is_not_printed() {
        let text = format!("{:?}", Stamp { time: Time(0), seed: [0xab; 32] });
        assert!(!text.contains("171") && !text.contains("ab, "));
    }
}
