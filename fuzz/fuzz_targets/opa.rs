//! Any bytes as an archive, as the tar inside of one, and, apart at zero bytes, as the names and contents of its members: unpacked or
//! refused, the same twice. Members that would be a signature's claims are signed, so that what they say is compared.
#![no_main]

use std::io::Write;
use std::sync::LazyLock;

use assent_kernel::bundle::{compile, opa};
use assent_ledger::keys::SecretKey;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;

const SIGNATURES: &[u8] = b".signatures.json";
/// Most members that are packed: more of them are only slow.
const MEMBERS_MAX: usize = 32;

static KEY: LazyLock<SecretKey> = LazyLock::new(|| SecretKey::from_seed(&[7; 32]));

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return;
    }
    read(&packed(bytes));
    if bytes.iter().filter(|byte| **byte == 0).count() > 2 * MEMBERS_MAX {
        return;
    }
    let mut tar = Vec::new();
    let mut parts = bytes.split(|byte| *byte == 0);
    while let (Some(name), Some(content)) = (parts.next(), parts.next()) {
        if name == SIGNATURES {
            member(&mut tar, name, &signed(content));
        } else {
            member(&mut tar, name, content);
        }
    }
    tar.resize(tar.len() + 1024, 0);
    read(&packed(&tar));
});

/// Twice the same, with a key and without; and a bundle or not.
fn read(archive: &[u8]) {
    let public = KEY.public();
    let (with, without) = (opa::unpack(archive, Some(public.as_bytes())), opa::unpack(archive, None));
    // Signed or unsigned: never taken both with a key and without one.
    assert!(with.is_err() || without.is_err());
    assert!(with.iter().all(|unpacked| unpacked.verified) && without.iter().all(|unpacked| !unpacked.verified));
    if with.is_ok() {
        assert_eq!(with, opa::unpack(archive, Some(public.as_bytes())));
    } else {
        assert_eq!(without, opa::unpack(archive, None));
    }
    if without.is_ok() {
        let _ = compile(archive);
    }
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// A regular file with a header that is right.
fn member(tar: &mut Vec<u8>, name: &[u8], content: &[u8]) {
    let mut header = [0u8; 512];
    let name = &name[..name.len().min(100)];
    header[..name.len()].copy_from_slice(name);
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    header[148..156].copy_from_slice(b"        ");
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar.extend(header);
    tar.extend(content);
    tar.resize(tar.len().next_multiple_of(512), 0);
}

fn signed(claims: &[u8]) -> Vec<u8> {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(br#"{"alg": "EdDSA"}"#), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(KEY.sign(input.as_bytes()));
    format!(r#"{{"signatures": ["{input}.{signature}"]}}"#).into_bytes()
}
