//! What the sources of the guarded crates must not name. Tests beside the code may.
//!
//! `ledger` and `kernel` run inside Raft's apply, on every replica: a clock, the environment, a file, a thread or the order of a
//! hash map would make replicas differ. `verifier` reads files but opens no socket.

use std::ops::Range;

use crate::finding::Finding;
use crate::repo::Repo;
use crate::rust::attributes::attributes;
use crate::rust::lex::{Token, lex};
use crate::rust::modules;
use crate::rust::paths::{Path, paths};

/// Paths below `std` and `core`, by prefix, that the pure crates must not name.
const PURE_PATHS: &[&[&str]] = &[
    &["*"],
    &["env"],
    &["fs"],
    &["net"],
    &["os"],
    &["process"],
    &["thread"],
    &["io", "stdin"],
    &["io", "stdout"],
    &["io", "stderr"],
];

/// Words that the pure crates must not use, wherever they come from.
const PURE_WORDS: [&str; 10] = [
    "SystemTime",
    "Instant",
    "UNIX_EPOCH",
    "HashMap",
    "HashSet",
    "RandomState",
    "async",
    "await",
    "spawn_blocking",
    "thread_local",
];

/// Macros that write to the process's output.
const PURE_MACROS: [&str; 4] = ["print", "println", "eprint", "eprintln"];

/// The same for the verifier.
const VERIFIER_PATHS: &[&[&str]] = &[&["*"], &["net"], &["process", "Command"], &["os", "unix", "net"]];
const VERIFIER_WORDS: [&str; 4] = ["async", "await", "TcpStream", "UdpSocket"];

/// Checks the product sources of the crate in `folder`; `roots` are the root files of its targets.
pub fn check(folder: &str, repo: &Repo, roots: &[String]) -> Vec<Finding> {
    let sources = format!("{folder}/src/");
    let roots: Vec<String> = roots.iter().filter(|root| root.starts_with(&sources)).cloned().collect();
    let reached = modules::reach(&repo.texts, &roots);
    let product = reached.iter().filter(|(_, how)| !how.test_only).map(|(path, _)| path);
    let texts = product.filter_map(|path| Some((path, repo.texts.get(path)?)));
    texts.flat_map(|(path, text)| check_file(folder, path, text)).collect()
}

fn check_file(folder: &str, path: &str, text: &str) -> Vec<Finding> {
    let lexed = lex(text);
    let tokens = &lexed.tokens;
    let attributes = attributes(tokens);
    let test_only: Vec<Range<usize>> =
        attributes.iter().filter(|a| a.is_test_only(tokens)).map(|a| a.governs(tokens)).collect();
    // `#[expect]` names its lint and its reason (tidy asks for one), and clippy refuses it when it expects nothing.
    let excused = attributes.iter().filter(|a| {
        let words = a.words(tokens);
        words.first() == Some(&"expect") && words.contains(&"disallowed_types") && words.contains(&"reason")
    });
    let excused: Vec<Range<usize>> = excused.map(|a| a.governs(tokens)).collect();
    let within = |ranges: &[Range<usize>], at: usize| ranges.iter().any(|range| range.contains(&at));

    let pure = folder != "verifier";
    let mut found: Vec<(usize, usize, String)> = Vec::new();
    for path in paths(tokens) {
        if is_forbidden(&path, if pure { PURE_PATHS } else { VERIFIER_PATHS }) {
            found.push((path.token, path.line, path.segments.join("::")));
        }
    }
    for (at, token) in tokens.iter().enumerate() {
        let words: &[&str] = if pure { &PURE_WORDS } else { &VERIFIER_WORDS };
        let hash = matches!(token.text, "HashMap" | "HashSet") && within(&excused, at);
        if words.iter().any(|word| token.is(word)) && !hash {
            found.push((at, token.line, token.text.to_owned()));
        } else if pure && is_output_macro(tokens, at) {
            found.push((at, token.line, format!("{}!", token.text)));
        }
    }
    let advice = if pure {
        "take it as a value from the command or the state; for maps use BTreeMap, for addresses core::net"
    } else {
        "the verifier works offline"
    };
    let product = found.into_iter().filter(|(at, _, _)| !within(&test_only, *at));
    product.map(|(_, line, name)| Finding::new(path, line, format!("{folder} must not use {name}"), advice)).collect()
}

fn is_forbidden(path: &Path<'_>, forbidden: &[&[&str]]) -> bool {
    match path.segments.as_slice() {
        // `core::net` has addresses only: text and comparison, no sockets.
        ["core", "net", ..] => false,
        ["std" | "core" | "alloc", rest @ ..] => forbidden.iter().any(|prefix| rest.starts_with(prefix)),
        _ => false,
    }
}

fn is_output_macro(tokens: &[Token<'_>], at: usize) -> bool {
    let [name, bang, ..] = tokens.get(at..).unwrap_or_default() else { return false };
    bang.is("!") && PURE_MACROS.iter().any(|known| name.is(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(folder: &str, text: &str) -> Vec<String> {
        let root = format!("{folder}/src/lib.rs");
        let repo = Repo::of(&[(&root, text)]);
        let found = check(folder, &repo, std::slice::from_ref(&root));
        let prefix = format!("{folder} must not use ");
        found.into_iter().map(|finding| finding.what.replace(&prefix, "")).collect()
    }

    #[test]
    fn each_forbidden_thing_is_found_in_the_pure_crates() {
        for (text, name) in [
            ("use std::time::SystemTime;", "SystemTime"),
            ("let t = std::time::Instant::now();", "Instant"),
            ("use std::env;", "std::env"),
            ("use std::{fmt, fs as f};", "std::fs"),
            ("fn a() { std::net::lookup() }", "std::net"),
            ("std::thread::spawn(f);", "std::thread::spawn"),
            ("use std::os::unix::net::UnixStream;", "std::os"),
            ("std::process::exit(1);", "std::process"),
            ("std::io::stdin();", "std::io::stdin"),
            ("use std::*;", "std::*"),
            ("use std::collections::HashMap;", "HashMap"),
            ("let a: HashSet<u8>;", "HashSet"),
            ("async fn a() {}", "async"),
            ("a.await;", "await"),
            ("println!(\"a\");", "println!"),
        ] {
            for folder in ["ledger", "kernel"] {
                let found = found(folder, text);
                assert!(found.iter().any(|what| what.starts_with(name)), "{text}: {found:?}");
            }
        }
    }

    #[test]
    fn the_verifier_reads_files_but_opens_no_socket() {
        assert_eq!(
            found("verifier", "use std::fs; use std::env; println!(); let a: HashMap<u8, u8>;"),
            Vec::<String>::new()
        );
        for text in ["use std::net::IpAddr;", "std::process::Command::new(a);", "use std::os::unix::net;", "a.await"] {
            assert_eq!(found("verifier", text).len(), 1, "{text}");
        }
    }

    #[test]
    fn what_is_pure_passes() {
        let text = "//! std::fs\nuse std::collections::BTreeMap;\nuse core::time::Duration;\nuse core::net::IpAddr;\nuse std::io::Read;\n\
                    const A: &str = env!(\"CARGO_PKG_VERSION\"); // HashMap\nconst B: &str = \"std::env\";\nfn environment() {}";
        assert_eq!(found("kernel", text), Vec::<String>::new());
    }

    #[test]
    fn tests_beside_the_code_may() {
        assert_eq!(found("ledger", "#[cfg(test)]\nmod tests { use std::fs; async fn a() {} }"), Vec::<String>::new());
        assert_eq!(found("ledger", "#[cfg(not(test))]\nmod product { use std::fs; }"), ["std::fs"]);
        assert_eq!(found("ledger", "#[cfg(test)]\nmod tests {}\nuse std::fs;"), ["std::fs"]);
        let repo = Repo::of(&[
            ("ledger/src/lib.rs", "#[cfg(test)] mod tests; mod a;"),
            ("ledger/src/tests.rs", "use std::fs;"),
            ("ledger/src/a.rs", "\nuse std::fs;"),
            ("ledger/tests/it.rs", "use std::fs;"),
        ]);
        let roots = ["ledger/src/lib.rs".to_owned(), "ledger/tests/it.rs".to_owned()];
        let places: Vec<_> = check("ledger", &repo, &roots).into_iter().map(|f| (f.path, f.line)).collect();
        assert_eq!(places, [("ledger/src/a.rs".to_owned(), 2)]);
    }

    #[test]
    fn a_hash_map_may_be_expected_with_a_reason_and_nothing_else_may() {
        let expect = "#[expect(clippy::disallowed_types, reason = \"looked up, never iterated\")]\n";
        assert_eq!(found("kernel", &format!("{expect}type A = HashMap<u8, u8>;")), Vec::<String>::new());
        assert_eq!(
            found("kernel", &format!("{expect}type A = HashMap<u8, u8>;\ntype B = HashMap<u8, u8>;")),
            ["HashMap"]
        );
        assert_eq!(found("kernel", &format!("{expect}fn a() {{ Instant::now(); }}")), ["Instant"]);
        assert_eq!(found("kernel", "#[expect(clippy::disallowed_types)]\ntype A = HashMap<u8, u8>;"), ["HashMap"]);
    }
}
