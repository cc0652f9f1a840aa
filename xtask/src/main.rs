//! `cargo xtask tidy | walls`: prints findings as `path:line: what; what to do`. Exit code 1 on findings, 2 when it cannot run.

use std::process::ExitCode;

use xtask::finding::Finding;
use xtask::{repo, tidy, walls};

const USAGE: &str = "usage: cargo xtask <command>

  tidy    style: sizes (with the ratchet in xtask/ratchet.txt), headers, dead files, markers, attributes, links, JSON
  walls   dependency walls, and what the pure crates must not use";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = arguments.first().map_or("", String::as_str);
    if arguments.len() != 1 || !matches!(name, "tidy" | "walls" | "help" | "--help" | "-h") {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    if !matches!(name, "tidy" | "walls") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match run(name) {
        Ok(findings) => report(name, &findings),
        Err(message) => {
            eprintln!("xtask {name}: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(name: &str) -> Result<Vec<Finding>, String> {
    let root = repo::root()?;
    if name == "tidy" { tidy::run(&root) } else { walls::run(&root) }
}

fn report(name: &str, findings: &[Finding]) -> ExitCode {
    for finding in findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!("xtask {name}: no findings");
        return ExitCode::SUCCESS;
    }
    eprintln!("xtask {name}: {} finding(s)", findings.len());
    ExitCode::FAILURE
}
