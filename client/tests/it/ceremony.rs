//! The real `assent` binary, offline: the genesis that the root key signs, and a reader that goes away.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use assent_ledger::endorse::verify_genesis;
use assent_ledger::json;
use assent_ledger::keys::PublicKey;
use assent_ledger::seal::LedgerCreated;
use tempfile::TempDir;

fn assent(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_assent")).current_dir(folder).args(args).output().unwrap()
}

fn folder_with_root() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    assert!(assent(folder.path(), &["keys", "root", "--out", "root.key"]).status.success());
    folder
}

const GENESIS: [&str; 12] = [
    "keys",
    "genesis",
    "--root",
    "root.key",
    "--origin",
    "example.org/test",
    "--seal-entries",
    "1000",
    "--seal-seconds",
    "10",
    "--out",
    "genesis.json",
];

#[test]
fn the_root_key_signs_the_genesis() {
    let folder = folder_with_root();
    let done = assent(folder.path(), &[&GENESIS[..], &["--quorum", "2"]].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let bytes = fs::read(folder.path().join("genesis.json")).unwrap();
    let canonical = bytes.strip_suffix(b"\n").unwrap();
    let created = LedgerCreated::from_value(&json::parse(canonical).unwrap()).unwrap();
    let pinned = fs::read_to_string(folder.path().join("root.pub")).unwrap();
    let pinned: PublicKey = pinned.trim_end().parse().unwrap();
    assert_eq!(verify_genesis(&pinned, &created), Ok(()));
    assert_eq!((created.root_key, created.quorum, created.interval_max_seconds), (pinned, 2, 40));
    assert!(assent(folder.path(), &["keys", "show", "genesis.json"]).status.success());

    // What was signed is what is shown and sent: a changed file is refused before anything is.
    let weakened = String::from_utf8(bytes).unwrap().replace("\"quorum\":2", "\"quorum\":1");
    fs::write(folder.path().join("genesis.json"), weakened).unwrap();
    let refused = assent(folder.path(), &["keys", "show", "genesis.json"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("not signed by the root key"));
}

#[test]
fn the_quorum_is_given_and_the_numbers_make_sense() {
    let folder = folder_with_root();
    for more in [&[][..], &["--quorum", "0"], &["--quorum", "2", "--interval-max", "9"]] {
        let refused = assent(folder.path(), &[&GENESIS[..], more].concat());
        assert_eq!(refused.status.code(), Some(2), "{more:?}");
        assert!(!folder.path().join("genesis.json").exists());
    }
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let folder = folder_with_root();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_assent"));
    let ended = command.current_dir(folder.path()).args(["keys", "show", "root.pub"]).stdout(writer).output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(141), &b""[..]));
}
