//! The real binary: exit codes, output forms, what it links, and how fast it is.
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
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use support::ledger_builder::*;
use tempfile::TempDir;

fn run(dir: &Path, more: &[&str]) -> (i32, String) {
    let key = root_key().public().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_assent-verify"));
    let output = command.arg(dir).args(["--root-key", &key]).args(more).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    println!("$ assent-verify DIR --root-key HEX {}\n{}", more.join(" "), String::from_utf8_lossy(&text));
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[test]
fn each_verdict_has_its_exit_code() {
    let dir = TempDir::new().unwrap();
    let (ledger, spans) = archive(dir.path());
    let known = dir.path().join("known");
    fs::write(&known, &ledger.checkpoints[2].1).unwrap();
    let known = known.to_str().unwrap();
    let (code, text) = run(dir.path(), &[]);
    assert_eq!(code, 0);
    assert!(text.starts_with("VALID up to size "));
    let (code, text) = run(dir.path(), &["--known-checkpoint", known, "--json"]);
    assert_eq!(code, 0);
    let value = assent_ledger::json::parse(text.trim_end().as_bytes()).unwrap();
    assert_eq!(value.get("verdict").unwrap().as_str(), Some("VALID"));
    let (code, text) = run(dir.path(), &["--quiet"]);
    assert_eq!((code, text.lines().count()), (0, 1));

    let bundle = spans[1].join("tenants").join(ledger.opaque_of("acme").to_string()).join("bundle");
    let good = fs::read(&bundle).unwrap();
    let mut bad = good.clone();
    bad[900] ^= 1;
    fs::write(&bundle, bad).unwrap();
    assert_eq!(run(dir.path(), &[]).0, 10);
    fs::write(&bundle, good).unwrap();

    let other = TempDir::new().unwrap();
    let mut fork = Ledger::new(origin());
    fork.time += 9;
    for entries in [9, 12, 10] {
        traffic(&mut fork, entries);
        fork.seal(other.path());
    }
    assert_eq!(run(other.path(), &["--known-checkpoint", known]).0, 11);
    assert_eq!(run(dir.path(), &["--tenant", &"0".repeat(64), "--quiet"]).0, 13);
    let checkpoint = fs::read_to_string(spans[2].join("checkpoint")).unwrap();
    let alone: Vec<&str> = checkpoint.lines().filter(|l| !l.contains("/node/")).collect();
    fs::write(spans[2].join("checkpoint"), format!("{}\n", alone.join("\n"))).unwrap();
    assert_eq!(run(dir.path(), &[]).0, 14);
    fs::remove_dir_all(&spans[2]).unwrap();
    assert_eq!(run(dir.path(), &["--known-checkpoint", known]).0, 12);
    assert_eq!(run(dir.path(), &["--known-checkpoint", "/nowhere"]).0, 2);
    assert_eq!(run(dir.path(), &["--unknown"]).0, 2);
    assert_eq!(run(dir.path(), &["--help"]).0, 0);
}

#[test]
fn several_ledgers_need_a_choice() {
    let dir = TempDir::new().unwrap();
    archive(dir.path());
    let mut other = Ledger::new(assent_ledger::ids::Origin::new("assent.example/other").unwrap());
    traffic(&mut other, 3);
    other.seal(dir.path());
    assert_eq!(run(dir.path(), &["--quiet"]).0, 2);
    assert_eq!(run(dir.path(), &["--quiet", "--origin", "assent.example/other"]).0, 0);
    assert_eq!(run(dir.path(), &["--quiet", "--origin", "assent.example/third"]).0, 13);
}

#[test]
fn nothing_that_could_open_a_socket_is_linked() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "-p", "assent-verifier", "-e", "normal", "--prefix", "none", "--offline"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.contains("assent-ledger"));
    for banned in [
        "tokio",
        "tonic",
        "hyper",
        "h2",
        "rocksdb",
        "openraft",
        "rustls",
        "socket2",
        "mio",
        "reqwest",
        "object_store",
        "clap",
        "axum",
        "async-std",
        "smol",
        "openssl",
        "native-tls",
    ] {
        let linked = tree.lines().filter_map(|l| l.split(' ').next()).any(|name| name == banned);
        assert!(!linked, "{banned} is linked");
    }
}

#[test]
fn speed_of_leaves_chain_and_tree() {
    let dir = TempDir::new().unwrap();
    let mut ledger = Ledger::new(origin());
    for _ in 0..10 {
        for number in 0..10_000 {
            ledger.tenant_entry(["acme", "borealis", "cumulus", "delta"][number % 4], None);
        }
        ledger.seal(dir.path());
    }
    let entries = ledger.checkpoints.last().unwrap().0;
    let bytes: usize = ledger.leaves.iter().map(|l| l.bytes.len()).sum();
    let (mut best, mut best_cpu) = (f64::MAX, f64::MAX);
    for _ in 0..5 {
        let (begun, cpu) = (Instant::now(), cpu_seconds());
        let options = assent_verifier::Options::new(dir.path(), root_key().public());
        let report = assent_verifier::verify(&options).unwrap();
        assert_eq!(report.coverage.size, entries);
        best = best.min(begun.elapsed().as_secs_f64());
        best_cpu = best_cpu.min(cpu_seconds() - cpu);
    }
    println!("{:.0} entries per second of one core's time", entries as f64 / best_cpu);
    println!("{:.0} entries/s ({entries} entries of {} bytes)", entries as f64 / best, bytes as u64 / entries);
    let receipts = dir.path().join("receipts");
    let cut = entries as usize;
    let lines: Vec<Vec<u8>> = ledger.receipts(cut as u64 - 65_000).into_iter().take(65_000).collect();
    fs::write(&receipts, lines.join(&b'\n')).unwrap();
    let begun = Instant::now();
    let mut options = assent_verifier::Options::new(dir.path(), root_key().public());
    options.receipts = vec![receipts.clone(), receipts];
    let report = assent_verifier::verify(&options).unwrap();
    assert_eq!(report.coverage.receipts.confirmed, 130_000, "{}", report.to_text());
    println!("130000 receipts in {:.1} s", begun.elapsed().as_secs_f64());
}

/// What this thread has used of a core, in seconds; other work on the machine does not count. Zero where the system does not say.
fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}
