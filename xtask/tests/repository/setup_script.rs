//! `scripts/setup.sh` on machines that lack something: it says what, installs it or prints the command, never fails silently.
//!
//! A machine is a folder of stand-in programs that is the whole PATH.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const ALL: [&str; 8] = ["cc", "c++", "make", "git", "python3", "cargo", "rustc", "apt-get"];

struct Machine {
    bin: PathBuf,
}

impl Machine {
    /// A machine with all programs but `missing`, on which the user is root or not.
    fn without(name: &str, missing: &[&str], root: bool) -> Machine {
        let bin = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("setup-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&bin);
        fs::create_dir_all(&bin).unwrap();
        let machine = Machine { bin };
        for program in ALL.iter().filter(|program| !missing.contains(program)) {
            machine.program(program, "");
        }
        machine.program("id", if root { "echo 0" } else { "echo 1000" });
        machine.program("uname", "echo x86_64");
        machine.program("dirname", "exec /usr/bin/dirname \"$@\"");
        machine.program("env", "exec /usr/bin/env \"$@\"");
        if !missing.contains(&"rustc") {
            machine.program("rustc", "echo 'rustc 1.999.0 (0123456789 2030-01-01)'");
        }
        fs::write(machine.bin.join("libclang.so"), "").unwrap();
        machine
    }

    fn program(&self, name: &str, body: &str) {
        let path = self.bin.join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Exit code and output of the script.
    fn set_up(&self) -> (i32, String) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/setup.sh");
        let run = Command::new("/bin/bash")
            .arg(script)
            .env_clear()
            .env("PATH", &self.bin)
            .env("LIBCLANG_PATH", &self.bin)
            .output();
        let run = run.unwrap();
        let output = [run.stdout, run.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        (run.status.code().unwrap(), output)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.bin);
    }
}

#[test]
fn a_complete_machine_passes_without_installing() {
    let machine = Machine::without("complete", &[], false);
    machine.program("apt-get", "echo called; exit 9");
    let (code, output) = machine.set_up();
    assert_eq!((code, output.contains("called")), (0, false), "{output}");
}

#[test]
fn without_root_the_exact_command_is_printed() {
    let machine = Machine::without("user", &["c++", "make"], false);
    let (code, output) = machine.set_up();
    assert_eq!(code, 1, "{output}");
    for said in
        ["missing: g++ (C++ compiler", "missing: make (", "sudo apt-get install -y --no-install-recommends g++ make"]
    {
        assert!(output.contains(said), "no {said:?} in: {output}");
    }
}

#[test]
fn root_installs_what_is_missing_and_nothing_else() {
    let machine = Machine::without("root", &["git", "python3"], true);
    let bin = machine.bin.display();
    let install = format!(
        "[ \"$1\" = install ] || exit 0; shift; echo \"asked: $*\"; for p in git python3; do printf '#!/bin/sh\\n' > {bin}/$p; /bin/chmod 755 {bin}/$p; done"
    );
    machine.program("apt-get", &install);
    let (code, output) = machine.set_up();
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("asked: -y --no-install-recommends git python3\n"), "{output}");
}

#[test]
fn sudo_is_used_when_it_asks_for_nothing() {
    let machine = Machine::without("sudo", &["git"], false);
    let bin = machine.bin.display();
    machine.program("sudo", "[ \"$1\" = -n ] && shift; \"$@\"");
    machine.program("true", "");
    machine.program("apt-get", &format!("printf '#!/bin/sh\\n' > {bin}/git; /bin/chmod 755 {bin}/git"));
    let (code, output) = machine.set_up();
    assert_eq!(code, 0, "{output}");
}

#[test]
fn a_failing_installation_fails_loudly() {
    for (name, body, said) in [
        ("update", "echo no network >&2; exit 100", "apt-get update failed"),
        ("install", "[ \"$1\" = update ] || exit 100", "apt-get install failed"),
        ("nothing", "", "still missing after the installation: git"),
    ] {
        let machine = Machine::without(name, &["git"], true);
        machine.program("apt-get", body);
        let (code, output) = machine.set_up();
        assert!(code == 1 && output.contains(said), "{name}: {code} {output}");
    }
}

#[test]
fn without_apt_the_packages_are_named() {
    let machine = Machine::without("other", &["apt-get", "c++"], true);
    let (code, output) = machine.set_up();
    assert!(code == 1 && output.contains("no apt-get here; install the equivalents of: g++"), "{output}");
}

#[test]
fn a_missing_or_old_toolchain_is_explained() {
    let (code, output) = Machine::without("rustless", &["cargo", "rustc"], true).set_up();
    assert!(code == 1 && output.contains("no Rust toolchain") && output.contains("https://rustup.rs"), "{output}");
    let machine = Machine::without("old", &[], true);
    machine.program("rustc", "echo 'rustc 1.63.0'");
    let (code, output) = machine.set_up();
    assert!(code == 1 && output.contains("Rust 1.63 is too old") && output.contains("rustup update"), "{output}");
}
