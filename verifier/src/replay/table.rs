//! Flipped calls as a table for people and as lines of JSON for machines.

use assent_kernel::dare::Json;
use assent_kernel::replay::{Flip, Judgement};

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

/// A table with a header; nothing when there is nothing to show.
pub fn text(flips: &[Flip]) -> String {
    if flips.is_empty() {
        return String::new();
    }
    let mut rows = vec![["SEQ", "TENANT", "RUN", "TOOL", "RECORDED", "NOW", "BY"].map(str::to_owned)];
    rows.extend(flips.iter().map(|flip| {
        let by = match flip.computed.rules.as_slice() {
            [] => flip.computed.codes.iter().map(|code| code.name()).collect::<Vec<_>>().join(","),
            rules => rules.join(","),
        };
        [
            flip.seq.to_string(),
            flip.tenant.to_string(),
            flip.run_id.clone().unwrap_or_else(|| "-".to_owned()),
            flip.tool.clone(),
            flip.recorded.verdict.to_string(),
            flip.computed.verdict.to_string(),
            by,
        ]
    }));
    let mut widths = [0usize; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len());
        }
    }
    let line = |row: &[String; 7]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
