//! Flipped calls as a table for people and as lines of JSON for machines.

use std::collections::BTreeMap;

use assent_kernel::dare::Json;
use assent_kernel::replay::{Flip, Judgement};
use assent_kernel::verdict::Verdict;

/// One line a flip.
pub fn json(flips: &[Flip]) -> String {
    flips.iter().map(|flip| one(flip).to_text() + "\n").collect()
}

fn one(flip: &Flip) -> Json {
    Json::object([
        ("seq", Json::Text(flip.seq.to_string())),
        ("time", Json::Text(flip.time.to_string())),
        ("tenant", Json::text(Some(flip.tenant.as_str()))),
        ("run_id", Json::text(flip.run_id.as_deref())),
        ("tool", Json::text(Some(&flip.tool))),
        ("recorded", judgement(&flip.recorded)),
        ("computed", judgement(&flip.computed)),
    ])
}

fn judgement(judgement: &Judgement) -> Json {
    Json::object([
        ("verdict", Json::text(Some(judgement.verdict.name()))),
        ("reason_codes", Json::texts(judgement.codes.iter().map(|code| code.name()))),
        ("rules", Json::texts(judgement.rules.iter().map(String::as_str))),
    ])
}

/// A table of the calls and one of the rules that turn them, with headers; nothing when there is nothing to show.
pub fn text(flips: &[Flip]) -> String {
    if flips.is_empty() {
        return String::new();
    }
    let mut rows = vec![["SEQ", "TENANT", "RUN", "TOOL", "RECORDED", "NOW", "BY"].map(str::to_owned)];
    rows.extend(flips.iter().map(|flip| {
        [
            flip.seq.to_string(),
            flip.tenant.to_string(),
            flip.run_id.clone().unwrap_or_else(|| "-".to_owned()),
            flip.tool.clone(),
            flip.recorded.verdict.to_string(),
            flip.computed.verdict.to_string(),
            rests_on(&flip.computed).join(","),
        ]
    }));
    lines(&rows) + "\n" + &by_rule(flips)
}

/// How many calls each rule turns, and from what to what.
fn by_rule(flips: &[Flip]) -> String {
    let mut counts: BTreeMap<(&str, Verdict, Verdict), u64> = BTreeMap::new();
    for flip in flips {
        let by = rests_on(&flip.computed).first().copied().unwrap_or("-");
        *counts.entry((by, flip.recorded.verdict, flip.computed.verdict)).or_default() += 1;
    }
    let mut rows = vec![["BY", "RECORDED", "NOW", "CALLS"].map(str::to_owned)];
    rows.extend(
        counts.iter().map(|((by, was, now), n)| [(*by).to_owned(), was.to_string(), now.to_string(), n.to_string()]),
    );
    lines(&rows)
}

/// The rules that a judgement rests on, or its reasons where there is no rule.
fn rests_on(judgement: &Judgement) -> Vec<&str> {
    match judgement.rules.as_slice() {
        [] => judgement.codes.iter().map(|code| code.name()).collect(),
        rules => rules.iter().map(String::as_str).collect(),
    }
}

/// Rows in columns that are as wide as their longest cell.
fn lines<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0usize; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len());
        }
    }
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
