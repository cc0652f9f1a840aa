//! Any bytes as an archive, and as the tar inside of one: unpacked or refused, the same twice.
#![no_main]

use std::io::Write;

use assent_kernel::bundle::{compile, opa};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    assert_eq!(opa::unpack(bytes, None), opa::unpack(bytes, None));
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let Ok(packed) = encoder.write_all(bytes).and_then(|()| encoder.finish()) else { return };
    assert_eq!(
        opa::unpack(&packed, None),
        opa::unpack(&packed, Some(&[7; 32])).or_else(|_| opa::unpack(&packed, None))
    );
    let _ = compile(&packed);
});
