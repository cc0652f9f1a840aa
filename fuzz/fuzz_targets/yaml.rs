//! Any bytes as a bundle's source: errors or a bundle, the same ones twice.
#![no_main]

use assent_kernel::bundle::compile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|source: &[u8]| {
    let first = compile(source).map(|bundle| (bundle.hash(), bundle.lint()));
    let second = compile(source).map(|bundle| (bundle.hash(), bundle.lint()));
    assert_eq!(first, second);
});
