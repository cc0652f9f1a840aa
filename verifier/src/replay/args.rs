//! The command line of `replay` and `what-if`, as strict as that of the verification.

use std::fs;
use std::path::PathBuf;

use assent_kernel::replay::Selection;
use assent_ledger::ids::TenantId;

use super::Task;
use crate::args::{self as common, UsageError};
use crate::{Options, parse_payload_keys};

/// Shown by `replay --help` and `what-if --help`.
pub const HELP: &str = "\
assent-verify replay DIR [options]
assent-verify what-if DIR --bundle FILE [options]

Decides the record again with the kernel in this binary. Nothing is executed, no socket is opened.
DIR is an anchored directory, which is verified first (--root-key), or a folder that `assent export --payloads` wrote.

  --root-key FILE|HEX       the ledger's root public key; needed for an anchored directory, refused for an export
  --origin ORIGIN           which ledger, when DIR holds several
  --payloads FILE           opened payloads: lines of <commitment> <salt> <bytes>, in hex; may be repeated
                            (an export's own file `payloads` is read anyway)
  --payload-keys FILE       data keys for the payloads in the archive: lines of <commitment> <data key>, in hex
  --tenant NAME             only this tenant's entries and the system's
  --json                    one JSON object a line
  --help                    this text

what-if only:
  --bundle FILE             the bundle under which the recorded calls are asked again
  --environment NAME        only calls in this environment
  --run ID                  only calls of this run
  --from TIME, --until TIME only calls in this period, such as 2026-11-20T18:00:00Z; the end is not included

exit code   0 everything was decided again and agrees (what-if: no call comes out differently)
            2 usage or I/O error
           10 to 14 the archive is not VALID: the verdict's code
           20 the record contradicts the kernel
           21 nothing contradicts, but calls could not be decided again (erased or missing payloads, another kernel)
           22 what-if: calls come out differently
";

const SINGLE: [&str; 9] =
    ["--root-key", "--origin", "--payload-keys", "--tenant", "--bundle", "--environment", "--run", "--from", "--until"];
const WHAT_IF: [&str; 5] = ["--bundle", "--environment", "--run", "--from", "--until"];

#[derive(Default)]
struct Raw {
    dir: Option<String>,
    single: Vec<(&'static str, String)>,
    payloads: Vec<PathBuf>,
    json: bool,
}

impl Raw {
    fn get(&self, name: &str) -> Option<&str> {
        self.single.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str())
    }
}

/// Parses what follows `replay` or `what-if`; `None` when help was asked for.
pub fn parse(what_if: bool, arguments: impl IntoIterator<Item = String>) -> Result<Option<Task>, UsageError> {
    match read(arguments)? {
        Some(raw) => build(what_if, raw).map(Some),
        None => Ok(None),
    }
}

fn read(arguments: impl IntoIterator<Item = String>) -> Result<Option<Raw>, UsageError> {
    let mut arguments = arguments.into_iter();
    let mut raw = Raw::default();
    while let Some(argument) = arguments.next() {
        let (name, inline) = match argument.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name.to_owned(), Some(value.to_owned())),
            _ => (argument, None),
        };
        match name.as_str() {
            "--help" | "-h" if inline.is_none() => return Ok(None),
            "--json" if inline.is_none() => {
                if core::mem::replace(&mut raw.json, true) {
                    return Err(UsageError::Twice(name));
                }
                continue;
            }
            plain if !plain.starts_with('-') => {
                if raw.dir.replace(name).is_some() {
                    return Err(UsageError::Directory);
                }
                continue;
            }
            _ => {}
        }
        let single = SINGLE.into_iter().find(|single| *single == name);
        if single.is_none() && name != "--payloads" {
            return Err(UsageError::Unknown(name));
        }
        let value = inline.or_else(|| arguments.next()).filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| UsageError::Value(name.clone()))?;
        match single {
            Some(single) if raw.get(single).is_some() => return Err(UsageError::Twice(name)),
            Some(single) => raw.single.push((single, value)),
            None => raw.payloads.push(value.into()),
        }
    }
    Ok(Some(raw))
}

fn build(what_if: bool, raw: Raw) -> Result<Task, UsageError> {
    let invalid = |option, reason: String| UsageError::Invalid { option, reason };
    let dir = PathBuf::from(raw.dir.as_deref().ok_or(UsageError::Directory)?);
    if let Some(option) = WHAT_IF.into_iter().find(|option| !what_if && raw.get(option).is_some()) {
        return Err(UsageError::Unknown(option.to_owned()));
    }
    let is_export = dir.join("entries.jsonl").is_file();
    let verify = match raw.get("--root-key") {
        Some(_) if is_export => {
            let reason = "an export is not verified against a key: verify the anchored directory for that";
            return Err(invalid("--root-key", reason.to_owned()));
        }
        Some(text) => {
            let key = common::root_key(text).map_err(|reason| invalid("--root-key", reason))?;
            let mut options = Options::new(&dir, key);
            if let Some(text) = raw.get("--origin") {
                options.origin = Some(text.parse().map_err(|error| invalid("--origin", format!("{error}")))?);
            }
            Some(Box::new(options))
        }
        None if is_export => None,
        None => return Err(UsageError::RootKey),
    };
    let tenant = match raw.get("--tenant").map(TenantId::new) {
        Some(tenant) => Some(tenant.map_err(|error| invalid("--tenant", error.to_string()))?),
        None => None,
    };
    let mut task = Task {
        verify,
        payloads: raw.payloads.clone(),
        keys: keys(raw.get("--payload-keys"))?,
        tenant: tenant.as_ref().map(ToString::to_string),
        bundle: raw.get("--bundle").map(PathBuf::from),
        selection: selection(&raw, tenant)?,
        json: raw.json,
        dir,
    };
    if what_if && task.bundle.is_none() {
        return Err(UsageError::Value("--bundle".to_owned()));
    }
    let own = task.dir.join("payloads");
    if is_export && own.is_file() {
        task.payloads.push(own);
    }
    Ok(task)
}

fn keys(path: Option<&str>) -> Result<crate::PayloadKeys, UsageError> {
    let Some(path) = path else { return Ok(crate::PayloadKeys::new()) };
    let invalid = |reason| UsageError::Invalid { option: "--payload-keys", reason };
    let text = fs::read_to_string(path).map_err(|error| invalid(format!("{path}: {error}")))?;
    parse_payload_keys(&text).map_err(|line| invalid(format!("line {line} is not <commitment> <data key>")))
}

fn selection(raw: &Raw, tenant: Option<TenantId>) -> Result<Selection, UsageError> {
    let time = |option: &'static str| match raw.get(option) {
        None => Ok(None),
        Some(text) => match common::time(text) {
            Some(time) => Ok(Some(time)),
            None => {
                let reason = "expected a time such as 2026-11-20T18:00:00Z".to_owned();
                Err(UsageError::Invalid { option, reason })
            }
        },
    };
    Ok(Selection {
        tenant,
        environment: raw.get("--environment").map(str::to_owned),
        run: raw.get("--run").map(str::to_owned),
        from: time("--from")?,
        until: time("--until")?,
    })
}
