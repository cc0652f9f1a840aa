//! Two processes of two builds, one optimised and one not, one with snapshots and one without, write the same ledger byte for byte.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use crate::support::Dice;
use crate::support::origin;
use crate::support::random::{COMMANDS, FIXED, SEEDS};
use assent_kernel::command::{Batch, Command};
use assent_kernel::event::EventBody;
use assent_kernel::limits::KERNEL_VERSIONS;

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
    let (unoptimised, optimised) = (build("plain"), build("release"));
    let mut kinds = BTreeSet::new();
    for (seed, world) in SEEDS.into_iter().zip(FIXED.iter()) {
        assert!(world.sent.len() >= 2_000);
        let file = dir.join(format!("commands-{seed}.bin"));
        write_file(&file, &world.sent);
        let plain = run(&unoptimised, &file, &[]);
        let release = run(&optimised, &file, &["--snapshot-every", "7"]);
        assert_same(&plain, &release, seed);
        // What was compared is what the worlds consist of, and that is everything (`every_command`), with every verdict.
        for line in [" allow ", " deny ", " escalate ", " compute ", "refused ", "recorded "] {
            assert!(plain.contains(line), "no {line:?} among the {COMMANDS} commands of seed {seed}");
        }
        let types = plain.lines().filter_map(|line| line.split(' ').nth(1)).map(str::to_owned);
        kinds.extend(types.filter(|text| text.contains('.')));
        let entries =
            plain.lines().filter(|line| line.split(' ').nth(1).is_some_and(|kind| kind.contains('.'))).count();
        println!("seed {seed}: {} commands, {entries} entries, the same in both builds", world.sent.len());
    }
    let made = EventBody::KINDS.iter().filter(|kind| kinds.contains(**kind)).count();
    // All but the activation of a kernel version, of which there is only one.
    assert!(made + usize::from(KERNEL_VERSIONS.len() == 1) >= EventBody::KINDS.len(), "{kinds:?}");
    negative_control(dir, &optimised);
}

/// Says where they differ: the whole would be thousands of lines.
fn assert_same(plain: &str, release: &str, seed: u64) {
    let first = plain.lines().zip(release.lines()).enumerate().find(|(_, (a, b))| a != b);
    assert_eq!(first, None, "seed {seed}: repeat with: cargo test -p assent-kernel --test it determinism");
    assert_eq!(plain.len(), release.len(), "seed {seed}: one says more than the other");
}

/// The same check must find a replica that has taken two commands in another order.
fn negative_control(dir: &Path, optimised: &Path) {
    let mut swapped = FIXED[0].sent.clone();
    let file = dir.join(format!("commands-{}.bin", SEEDS[0]));
    let right = run(optimised, &file, &[]);
    // These two register one credential each, for the agent and for the whole tenant: either order is recorded, and gives the same set of records.
    swapped.swap(4, 5);
    let wrong_file = dir.join("swapped.bin");
    write_file(&wrong_file, &swapped);
    let wrong = run(optimised, &wrong_file, &[]);
    assert_ne!(right.lines().last(), wrong.lines().last(), "another order must give another root");
}
