//! Two processes of two builds, one optimised and one not, one with snapshots and one without, write the same ledger byte for byte.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use crate::support::*;
use assent_kernel::command::{Batch, Command};

const COMMANDS: usize = 600;

/// Writes commands as the example reads them, cut into batches of uneven sizes.
fn write_file(path: &Path, commands: &[Command]) {
    let mut dice = Dice(11);
    let mut bytes = Vec::new();
    let mut left = commands;
    while !left.is_empty() {
        let (batch, rest) = left.split_at((1 + dice.below(16) as usize).min(left.len()));
        let encoded = Batch { commands: batch.to_vec() }.encode();
        bytes.extend_from_slice(&u32::try_from(encoded.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(&encoded);
        left = rest;
    }
    fs::write(path, bytes).unwrap();
}

/// Builds the example with one profile, in a target directory that no other build waits for.
fn build(profile: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("determinism");
    let status = Process::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "assent-kernel", "--example", "apply", "--profile", profile])
        .arg("--manifest-path")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .status()
        .unwrap();
    assert!(status.success(), "building the example with profile {profile} failed");
    target.join(profile).join("examples").join("apply")
}

fn run(program: &Path, file: &Path, more: &[&str]) -> String {
    let output = Process::new(program).arg(file).arg(origin().as_str()).args(more).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn builds_processes_and_snapshots_make_no_difference() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = dir.join("commands.bin");
    let commands = random_world(20_261_120, COMMANDS).sent;
    assert!(commands.len() >= 500);
    write_file(&file, &commands);
    let plain = run(&build("plain"), &file, &[]);
    let release = run(&build("release"), &file, &["--snapshot-every", "7"]);
    assert_eq!(plain, release, "repeat with: cargo test -p assent-kernel --test it determinism");
    // What was compared is a ledger with decisions of both kinds, seals and refusals.
    for line in ["dare.policy.decision", "assent.span.sealed", " allow ", " deny ", "refused "] {
        assert!(plain.contains(line), "no {line:?} among the {COMMANDS} commands");
    }
    // The negative control: a replica that takes two commands in another order is found out. These two register one
    // credential each, for the agent and for the whole tenant: either order is recorded, and gives the same set of records.
    let mut swapped = commands;
    swapped.swap(4, 5);
    let wrong_file = dir.join("swapped.bin");
    write_file(&wrong_file, &swapped);
    let wrong = run(&build("release"), &wrong_file, &[]);
    assert_ne!(plain.lines().last(), wrong.lines().last(), "another order must give another root");
}
