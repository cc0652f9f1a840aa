//! `assent-verify replay` and `what-if`: the verified record decided again by the kernel that is linked in. Nothing is executed and no
//! socket is opened; the feature `replay` brings the kernel into the build, which the short audit build leaves out.

mod args;
mod entries;
mod export;
mod payloads;
mod table;

pub use args::{HELP, parse};

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use assent_kernel::bundle::{bundle_hash, compile};
use assent_kernel::dare::Json;
use assent_kernel::replay::{Finding, Flip, Found, Selection, WhatIf, replay};

use crate::{Options, Verdict, VerifyError, verify};
use entries::Entries;
use payloads::Payloads;

/// The record contradicts the kernel.
pub const EXIT_CONTRADICTED: u8 = 20;
/// Nothing contradicts, but calls could not be decided again.
pub const EXIT_PARTLY: u8 = 21;
/// What-if: calls come out differently.
pub const EXIT_FLIPPED: u8 = 22;

/// What to do with a record.
#[derive(Debug)]
pub struct Task {
    /// An anchored directory, or one that `assent export` wrote.
    pub dir: PathBuf,
    /// How an anchored directory is verified first; `None` for an export.
    pub verify: Option<Box<Options>>,
    /// Files of opened payloads.
    pub payloads: Vec<PathBuf>,
    /// Data keys of payloads in the archive.
    pub keys: crate::PayloadKeys,
    /// Only this tenant's entries and the system's.
    pub tenant: Option<String>,
    /// The other bundle, when it is what-if.
    pub bundle: Option<PathBuf>,
    /// Which calls what-if asks again.
    pub selection: Selection,
    /// One JSON object a line.
    pub json: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The archive cannot be verified.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A leaf is no entry that this kernel can read.
    #[error(transparent)]
    Read(#[from] assent_kernel::replay::ReadError),
    /// An object or export is not what it should be.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// What was found, as text, and the exit code.
#[derive(Debug)]
pub struct Answer {
    /// The text or the lines of JSON.
    pub text: String,
    /// The exit code.
    pub code: u8,
}

/// Verifies what can be verified, then replays it.
pub fn run(task: &Task) -> Result<Answer, ReplayError> {
    let verified = match &task.verify {
        Some(options) => {
            let report = verify(options)?;
            if report.verdict != Verdict::Valid {
                let text = if task.json { format!("{}\n", report.to_json()) } else { report.to_text() };
                return Ok(Answer { text, code: report.verdict.exit_code() });
            }
            report.headline()
        }
        None => export::check(&task.dir)?,
    };
    let payloads = Payloads::load(task)?;
    let entries = Entries::open(task, &payloads)?;
    match &task.bundle {
        Some(path) => ask(task, path, &verified, entries, &payloads),
        None => again(task, &verified, entries, &payloads),
    }
}

fn again(task: &Task, verified: &str, entries: Entries<'_>, payloads: &Payloads) -> Result<Answer, ReplayError> {
    let mut lines = String::new();
    let summary = replay(entries, payloads, |finding| {
        let line = if task.json { finding_json(&finding).to_text() } else { finding.to_string() };
        lines.push_str(&line);
        lines.push('\n');
    })?;
    let code = match (summary.contradictions, summary.not_replayable) {
        (0, 0) => 0,
        (0, _) => EXIT_PARTLY,
        _ => EXIT_CONTRADICTED,
    };
    let number = |n: u64| Json::int(Some(n));
    let end = if task.json {
        Json::object([
            ("verified", Json::text(Some(verified))),
            ("entries", number(summary.entries)),
            ("commands", number(summary.commands)),
            ("decisions", number(summary.decisions)),
            ("contradictions", number(summary.contradictions)),
            ("not_replayable", number(summary.not_replayable)),
            ("elsewhere", number(summary.elsewhere)),
        ])
        .to_text()
    } else {
        let word = if summary.contradictions == 0 { "REPLAYED" } else { "CONTRADICTED" };
        format!(
            "{word}: {} entries, {} commands decided again, {} calls among them; {} contradictions, {} not replayable\n{verified}",
            summary.entries, summary.commands, summary.decisions, summary.contradictions, summary.not_replayable
        )
    };
    Ok(Answer { text: format!("{lines}{end}\n"), code })
}

fn finding_json(finding: &Finding) -> Json {
    let (field, recorded, computed) = match &finding.what {
        Found::Differs { field, recorded, computed } => {
            (Some(field.as_str()), Some(recorded.as_str()), Some(computed.as_str()))
        }
        _ => (None, None, None),
    };
    Json::object([
        ("seq", Json::Text(finding.seq.to_string())),
        ("tenant", Json::text(Some(finding.tenant.as_str()))),
        ("kind", Json::text(Some(finding.what.name()))),
        ("field", Json::text(field)),
        ("recorded", Json::text(recorded)),
        ("computed", Json::text(computed)),
        ("text", Json::Text(finding.to_string())),
    ])
}

fn ask(
    task: &Task,
    path: &PathBuf,
    verified: &str,
    entries: Entries<'_>,
    payloads: &Payloads,
) -> Result<Answer, ReplayError> {
    let source = std::fs::read(path).map_err(|source| ReplayError::Io { path: path.clone(), source })?;
    let bundle = compile(&source).map_err(|errors| {
        let texts: Vec<String> = errors.iter().map(|error| error.in_file(&path.display().to_string())).collect();
        ReplayError::Malformed {
            path: path.clone(),
            reason: format!("the bundle does not compile:\n{}", texts.join("\n")),
        }
    })?;
    let selection = task.selection.clone();
    let what_if = WhatIf { hash: bundle_hash(&source), bundle: Arc::new(bundle), selection };
    let mut flips: Vec<Flip> = Vec::new();
    let summary = what_if.run(entries, payloads, |flip| flips.push(flip))?;
    let mut text = if task.json { table::json(&flips) } else { table::text(&flips) };
    let number = |n: u64| Json::int(Some(n));
    if task.json {
        let end = Json::object([
            ("verified", Json::text(Some(verified))),
            ("bundle", Json::digest(Some(what_if.hash))),
            ("asked", number(summary.asked)),
            ("flipped", number(summary.flipped)),
            ("not_replayable", number(summary.not_replayable)),
        ]);
        text.push_str(&format!("{}\n", end.to_text()));
    } else {
        text.push_str(&format!(
            "{} calls asked again under bundle {}: {} come out differently, {} could not be asked\n{verified}\n",
            summary.asked, what_if.hash, summary.flipped, summary.not_replayable
        ));
    }
    Ok(Answer { text, code: if summary.flipped > 0 { EXIT_FLIPPED } else { 0 } })
}
