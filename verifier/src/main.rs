//! `assent-verify`: the offline verifier's command line.

use std::io::Write as _;
use std::process::ExitCode;

use assent_verifier::args::{self, Command};
use assent_verifier::verify;

/// Usage and I/O errors; no verdict.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    if let Some(what_if) = is_replay(arguments.first().map(String::as_str)) {
        return replay(what_if, arguments.split_off(1));
    }
    match args::parse(arguments) {
        Ok(Command::Help) => print(args::HELP, 0),
        Ok(Command::Verify { options, json, quiet }) => match verify(&options) {
            Ok(report) => {
                let text = match (json, quiet) {
                    (true, _) => format!("{}\n", report.to_json()),
                    (false, true) => format!("{}\n", report.headline()),
                    (false, false) => report.to_text(),
                };
                print(&text, report.verdict.exit_code())
            }
            Err(error) => fail(&error.to_string()),
        },
        Err(error) => fail(&error.to_string()),
    }
}

/// Whether the record is to be decided again, and if so whether under another bundle.
fn is_replay(first: Option<&str>) -> Option<bool> {
    match first {
        Some("replay") => Some(false),
        Some("what-if") => Some(true),
        _ => None,
    }
}

#[cfg(feature = "replay")]
fn replay(what_if: bool, arguments: Vec<String>) -> ExitCode {
    use assent_verifier::replay;
    match replay::parse(what_if, arguments) {
        Ok(None) => print(replay::HELP, 0),
        Ok(Some(task)) => match replay::run(&task) {
            Ok(answer) => print(&answer.text, answer.code),
            Err(error) => fail(&error.to_string()),
        },
        Err(error) => fail(&error.to_string()),
    }
}

#[cfg(not(feature = "replay"))]
fn replay(_: bool, _: Vec<String>) -> ExitCode {
    fail("this build has no kernel in it; build it with --features replay")
}

/// A verdict that nobody could read is no verdict.
fn print(text: &str, code: u8) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::from(code),
        Err(_) => ExitCode::from(EXIT_USAGE),
    }
}

fn fail(message: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "assent-verify: {message}");
    ExitCode::from(EXIT_USAGE)
}
