//! The lines of a manifest: written in one way, read in the same way only.

use core::fmt::Write as _;
use core::str::FromStr;

use super::{Manifest, ManifestError, ManifestObject};
use crate::archive::SpanObject;
use crate::hash::Hash;
use crate::ids::{Origin, parse_decimal};
use crate::limits;

/// First line after the name: what this is and in which version.
const VERSION: &str = "assent/manifest/1";

pub(super) fn encode(m: &Manifest) -> String {
    let prev = m.prev_checkpoint.map_or_else(|| "-".to_owned(), |h| h.to_string());
    let mut text = format!(
        "{}/span\n{VERSION}\nstart {}\nend {}\nspan_root {}\ncheckpoint {}\nprev_checkpoint {prev}\nconsistency {}\n",
        m.origin,
        m.start,
        m.end,
        m.span_root,
        m.checkpoint,
        m.consistency.len()
    );
    // Writing to a string cannot fail.
    for hash in &m.consistency {
        let _ = writeln!(text, "{hash}");
    }
    let _ = write!(text, "reason {}\nobjects {}\n", m.reason, m.objects.len());
    for o in &m.objects {
        let _ = writeln!(text, "{} {} {}", o.object, o.digest, o.length);
    }
    text
}

pub(super) fn decode(text: &str) -> Result<Manifest, ManifestError> {
    let body = text.strip_suffix('\n').ok_or(ManifestError::Line { line: 1, expected: "terminated by a newline" })?;
    let mut lines = Lines { lines: body.split('\n'), number: 0 };
    let origin = lines.parsed("<origin>/span", |l| Origin::new(l.strip_suffix("/span")?).ok())?;
    lines.parsed(VERSION, |l| (l == VERSION).then_some(()))?;
    let start = lines.field("start ", "start <decimal>")?;
    let end = lines.field("end ", "end <decimal>")?;
    let span_root = lines.field("span_root ", "span_root <hash>")?;
    let checkpoint = lines.field("checkpoint ", "checkpoint <hash>")?;
    let prev_checkpoint =
        lines.parsed("prev_checkpoint <hash or ->", |l| match l.strip_prefix("prev_checkpoint ")? {
            "-" => Some(None),
            hash => hash.parse().ok().map(Some),
        })?;
    let hashes = lines.count("consistency ", "consistency <decimal>")?;
    if hashes > limits::PROOF_HASHES_MAX {
        return Err(ManifestError::Proof { max: limits::PROOF_HASHES_MAX, got: hashes });
    }
    // Vectors grow with the lines that are there, not with the number that is stated.
    let mut consistency = Vec::new();
    for _ in 0..hashes {
        consistency.push(lines.field::<Hash>("", "a hash of the consistency proof")?);
    }
    let reason = lines.field("reason ", "reason <count, time, idle or manual>")?;
    let mut objects = Vec::new();
    for _ in 0..lines.count("objects ", "objects <decimal>")? {
        objects.push(lines.parsed("an object as <path> <hash> <decimal>", object)?);
    }
    lines.end()?;
    Ok(Manifest { origin, start, end, span_root, checkpoint, prev_checkpoint, consistency, reason, objects })
}

fn object(line: &str) -> Option<ManifestObject> {
    let mut words = line.split(' ');
    let (path, digest, length) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() {
        return None;
    }
    let object: SpanObject = path.parse().ok()?;
    Some(ManifestObject { object, digest: digest.parse().ok()?, length: parse_decimal(length.as_bytes())? })
}

struct Lines<'a> {
    lines: core::str::Split<'a, char>,
    number: usize,
}

impl Lines<'_> {
    fn parsed<T>(&mut self, expected: &'static str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, ManifestError> {
        self.number += 1;
        self.lines.next().and_then(read).ok_or(ManifestError::Line { line: self.number, expected })
    }

    fn field<T: FromStr>(&mut self, prefix: &str, expected: &'static str) -> Result<T, ManifestError> {
        self.parsed(expected, |line| line.strip_prefix(prefix)?.parse().ok())
    }

    fn count(&mut self, prefix: &str, expected: &'static str) -> Result<usize, ManifestError> {
        self.parsed(expected, |line| usize::try_from(parse_decimal(line.strip_prefix(prefix)?.as_bytes())?).ok())
    }

    fn end(mut self) -> Result<(), ManifestError> {
        match self.lines.next() {
            Some(_) => Err(ManifestError::Line { line: self.number + 1, expected: "absent" }),
            None => Ok(()),
        }
    }
}
