//! The command line: a small strict parser. Unknown options, missing values and repeated single options are refused.

use std::fs;
use std::path::{Path, PathBuf};

use assent_ledger::ids::Time;
use assent_ledger::keys::PublicKey;
use assent_ledger::note::NoteKey;

use crate::{Options, parse_payload_keys};

/// Shown by `--help`.
pub const HELP: &str = "\
assent-verify DIR --root-key FILE|HEX [options]

Verifies an anchored directory of an Assent ledger offline: reads files, opens no socket, trusts only the root key.
DIR holds <ledger>/spans/<start>-<end>/ as the node wrote it to write-once storage.

  --root-key FILE|HEX       the ledger's root public key: 64 hex digits, or a file with them or with a C2SP verifier key
  --origin ORIGIN           which ledger, when DIR holds several
  --known-checkpoint FILE   a checkpoint that was kept outside; may be repeated
  --receipt FILE            receipts that were kept outside, one JSON document a line; may be repeated
  --as-of TIME              a seal must not have been overdue at this time, such as 2026-11-20T18:00:00Z
  --tenant ID               verify only the view of the tenant with this opaque id (64 hex digits)
  --payload-keys FILE       open payloads: lines of <commitment> <data key>, in hex
  --json                    one line of JSON for machines
  --quiet                   only the verdict line
  --help                    this text

`assent-verify replay --help` and `assent-verify what-if --help`: deciding the record again (builds with the feature `replay`).

The ledger's quorum and seal interval are believed only as the root key signed them in entry 0.
Without --known-checkpoint, --receipt or --as-of a cut tail cannot be seen: the verdict is `VALID up to size N, time T`.

exit code   0 VALID        2 usage or I/O error        10 INVALID      11 DIVERGED
           12 INCOMPLETE  13 UNANCHORED                14 UNTRUSTED
";

/// What to do.
#[derive(Debug)]
pub enum Command {
    /// Print the help text.
    Help,
    /// Verify.
    Verify {
        /// What.
        options: Box<Options>,
        /// Print JSON.
        json: bool,
        /// Print the verdict line only.
        quiet: bool,
    },
}

/// What is wrong with the command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// An option that does not exist.
    #[error("unknown option {0}; see --help")]
    Unknown(String),
    /// An option without its value.
    #[error("{0} needs a value")]
    Value(String),
    /// A single option that was given twice.
    #[error("{0} is given twice")]
    Twice(String),
    /// No directory, or two.
    #[error("give exactly one directory; see --help")]
    Directory,
    /// No root key.
    #[error("give the ledger's root key with --root-key")]
    RootKey,
    /// A value that is not what its option needs.
    #[error("{option}: {reason}")]
    Invalid {
        /// The option.
        option: &'static str,
        /// What it needs.
        reason: String,
    },
}

#[derive(Default)]
struct Raw {
    dir: Option<String>,
    single: Vec<(&'static str, String)>,
    known: Vec<PathBuf>,
    receipts: Vec<PathBuf>,
    json: bool,
    quiet: bool,
}

const SINGLE: [&str; 5] = ["--root-key", "--origin", "--as-of", "--tenant", "--payload-keys"];

/// Parses the arguments that follow the program's name. Reads the key files that they name.
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command, UsageError> {
    let mut arguments = arguments.into_iter();
    let mut raw = Raw::default();
    while let Some(argument) = arguments.next() {
        let (name, inline) = match argument.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name.to_owned(), Some(value.to_owned())),
            _ => (argument, None),
        };
        if matches!(name.as_str(), "--help" | "-h") && inline.is_none() {
            return Ok(Command::Help);
        }
        if matches!(name.as_str(), "--json" | "--quiet") && inline.is_none() {
            let flag = if name == "--json" { &mut raw.json } else { &mut raw.quiet };
            if core::mem::replace(flag, true) {
                return Err(UsageError::Twice(name));
            }
            continue;
        }
        if !name.starts_with('-') {
            if raw.dir.replace(name).is_some() {
                return Err(UsageError::Directory);
            }
            continue;
        }
        let single = SINGLE.into_iter().find(|s| *s == name);
        if single.is_none() && !matches!(name.as_str(), "--known-checkpoint" | "--receipt") {
            return Err(UsageError::Unknown(name));
        }
        let value = inline.or_else(|| arguments.next()).filter(|v| !v.is_empty());
        let value = value.ok_or_else(|| UsageError::Value(name.clone()))?;
        match single {
            Some(_) if raw.single.iter().any(|(n, _)| *n == name) => return Err(UsageError::Twice(name)),
            Some(single) => raw.single.push((single, value)),
            None if name == "--receipt" => raw.receipts.push(value.into()),
            None => raw.known.push(value.into()),
        }
    }
    build(raw)
}

fn build(raw: Raw) -> Result<Command, UsageError> {
    let single = |name: &str| raw.single.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str());
    let invalid = |option, reason: String| UsageError::Invalid { option, reason };
    let dir = raw.dir.as_deref().ok_or(UsageError::Directory)?;
    let key = root_key(single("--root-key").ok_or(UsageError::RootKey)?);
    let mut options = Options::new(dir, key.map_err(|reason| invalid("--root-key", reason))?);
    if let Some(text) = single("--origin") {
        options.origin = Some(text.parse().map_err(|e| invalid("--origin", format!("{e}")))?);
    }
    if let Some(text) = single("--as-of") {
        let expected = "expected a time such as 2026-11-20T18:00:00Z".to_owned();
        options.as_of = Some(time(text).ok_or_else(|| invalid("--as-of", expected))?);
    }
    if let Some(text) = single("--tenant") {
        options.tenant = Some(text.parse().map_err(|e| invalid("--tenant", format!("{e}")))?);
    }
    if let Some(path) = single("--payload-keys") {
        let text = fs::read_to_string(path).map_err(|e| invalid("--payload-keys", format!("{path}: {e}")))?;
        let keys = parse_payload_keys(&text);
        let malformed = |line| invalid("--payload-keys", format!("line {line} is not <commitment> <data key>"));
        options.payload_keys = keys.map_err(malformed)?;
    }
    options.known_checkpoints = raw.known;
    options.receipts = raw.receipts;
    Ok(Command::Verify { options: Box::new(options), json: raw.json, quiet: raw.quiet })
}

/// A key as 64 hexadecimal digits, or a file that holds them or a C2SP verifier key.
pub(crate) fn root_key(text: &str) -> Result<PublicKey, String> {
    if let Ok(key) = text.parse::<PublicKey>() {
        return Ok(key);
    }
    let bytes = crate::layout::read_capped(Path::new(text), 4096).map_err(|e| format!("{text}: {e}"))?;
    let bytes = bytes.ok_or_else(|| format!("{text} is too long for a public key"))?;
    let content = String::from_utf8(bytes).map_err(|_| format!("{text} is not text"))?;
    let content = content.trim();
    match content.parse::<NoteKey>() {
        Ok(key) => Ok(*key.public()),
        Err(_) => content.parse().map_err(|e| format!("{text}: {e}")),
    }
}

/// A time in UTC with or without a fraction of up to six digits.
pub(crate) fn time(text: &str) -> Option<Time> {
    let whole = text.strip_suffix('Z')?;
    let (seconds, fraction) = whole.split_once('.').unwrap_or((whole, "0"));
    if fraction.is_empty() || fraction.len() > 6 {
        return None;
    }
    Time::parse(format!("{seconds}.{fraction:0<6}Z").as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    fn run(text: &str) -> Result<Command, UsageError> {
        parse(text.split(' ').filter(|s| !s.is_empty()).map(str::to_owned))
    }

    fn key() -> String {
        assent_ledger::keys::SecretKey::from_seed(&[1; 32]).public().to_string()
    }

    #[test]
    fn everything_is_read() {
        let tenant = "ab".repeat(32);
        let text = format!(
            "worm --root-key {} --origin=a/b --known-checkpoint c1 --known-checkpoint=c2 --receipt r --as-of 2026-11-20T18:00:00Z --tenant {tenant} --json --quiet",
            key()
        );
        let Command::Verify { options, json, quiet } = run(&text).unwrap() else { panic!("help") };
        assert!(json && quiet);
        assert_eq!(options.dir, PathBuf::from("worm"));
        assert_eq!(options.origin.unwrap().as_str(), "a/b");
        assert_eq!(options.known_checkpoints, [PathBuf::from("c1"), PathBuf::from("c2")]);
        assert_eq!(options.receipts, [PathBuf::from("r")]);
        assert_eq!(options.as_of.unwrap().to_string(), "2026-11-20T18:00:00.000000Z");
        assert_eq!(options.tenant.unwrap().to_string(), tenant);
    }

    #[test]
    fn mistakes_are_refused() {
        let key = key();
        let cases = [
            ("".to_owned(), UsageError::Directory),
            ("worm".to_owned(), UsageError::RootKey),
            (format!("worm more --root-key {key}"), UsageError::Directory),
            (format!("worm --root-key {key} --root-key {key}"), UsageError::Twice("--root-key".to_owned())),
            (format!("worm --root-key {key} --json --json"), UsageError::Twice("--json".to_owned())),
            (format!("worm --root-key {key} --force"), UsageError::Unknown("--force".to_owned())),
            (format!("worm --root-key {key} --json=yes"), UsageError::Unknown("--json".to_owned())),
            (format!("worm --root-key {key} -q"), UsageError::Unknown("-q".to_owned())),
            ("worm --root-key".to_owned(), UsageError::Value("--root-key".to_owned())),
            (format!("worm --root-key {key} --receipt="), UsageError::Value("--receipt".to_owned())),
        ];
        for (text, expected) in cases {
            assert_eq!(run(&text).err(), Some(expected), "{text}");
        }
        for bad in ["--as-of yesterday", "--as-of 2026-11-20T18:00:00.1234567Z", "--tenant acme", "--origin a+b"] {
            assert!(matches!(run(&format!("worm --root-key {key} {bad}")), Err(UsageError::Invalid { .. })), "{bad}");
        }
        assert!(matches!(run("worm --root-key /nowhere/key"), Err(UsageError::Invalid { .. })));
    }

    #[test]
    fn help_wins() {
        assert!(matches!(run("--help"), Ok(Command::Help)));
        assert!(matches!(run("worm -h"), Ok(Command::Help)));
    }
}
