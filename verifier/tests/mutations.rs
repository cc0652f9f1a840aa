//! Every changed byte is noticed, and no mutation makes the verifier panic or say VALID.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    dead_code,
    reason = "tests"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use assent_verifier::{Options, Verdict, verify};
use proptest::prelude::*;
use support::ledger_builder::*;
use tempfile::TempDir;

/// A small archive of two spans, with payloads, as paths and bytes.
fn small() -> &'static Vec<(PathBuf, Vec<u8>)> {
    static FILES: OnceLock<Vec<(PathBuf, Vec<u8>)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let dir = TempDir::new().unwrap();
        let mut ledger = Ledger::new(origin());
        ledger.tenant_entry("acme", Some(b"in"));
        ledger.seal(dir.path());
        ledger.tenant_entry("acme", Some(b"out"));
        ledger.tenant_entry("borealis", None);
        ledger.seal(dir.path());
        let mut files = Vec::new();
        list(dir.path(), dir.path(), &mut files);
        files.sort();
        files
    })
}

fn list(root: &Path, dir: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            list(root, &path, files);
        } else {
            files.push((path.strip_prefix(root).unwrap().to_path_buf(), fs::read(&path).unwrap()));
        }
    }
}

fn write_all() -> TempDir {
    let dir = TempDir::new().unwrap();
    for (path, bytes) in small() {
        fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
        fs::write(dir.path().join(path), bytes).unwrap();
    }
    dir
}

#[test]
fn every_flipped_byte_is_noticed() {
    let worker = |part: usize| {
        let dir = write_all();
        let options = Options::new(dir.path(), root_key().public());
        assert_eq!(verify(&options).unwrap().verdict, Verdict::Valid);
        let mut flips = 0;
        for (path, bytes) in small() {
            let target = dir.path().join(path);
            for at in (part..bytes.len()).step_by(2) {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << (at % 8);
                fs::write(&target, &changed).unwrap();
                let report = verify(&options).unwrap();
                assert_ne!(report.verdict, Verdict::Valid, "byte {at} of {}", path.display());
                assert!(report.decisive().is_some());
                flips += 1;
            }
            fs::write(&target, bytes).unwrap();
        }
        flips
    };
    let other = std::thread::spawn(move || worker(1));
    let flips = worker(0) + other.join().unwrap();
    println!("{flips} flipped bytes noticed in {} objects", small().len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_mutation_is_valid(
        file in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        take in 0usize..200,
        put in proptest::collection::vec(any::<u8>(), 0..80),
        tenant in any::<bool>(),
    ) {
        let dir = write_all();
        let (path, bytes) = &small()[file.index(small().len())];
        let at = at.index(bytes.len());
        let end = (at + take).min(bytes.len());
        let mut changed = bytes.clone();
        changed.splice(at..end, put);
        fs::write(dir.path().join(path), &changed).unwrap();
        let mut options = Options::new(dir.path(), root_key().public());
        let acme = Ledger::new(origin()).opaque_of("acme");
        let concerns = !path.to_string_lossy().contains("tenants") || path.to_string_lossy().contains(&acme.to_string());
        options.tenant = tenant.then_some(acme);
        let report = verify(&options).unwrap();
        let _ = (report.to_text(), report.to_json());
        if changed == *bytes {
            prop_assert_eq!(report.verdict, Verdict::Valid);
        } else if !tenant || concerns {
            prop_assert_ne!(report.verdict, Verdict::Valid, "{}", path.display());
        }
    }
}
