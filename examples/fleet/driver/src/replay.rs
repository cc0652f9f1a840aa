//! Running `assent-verify replay` and `what-if`, and reading what they say.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::commands::{Commands, Output, Program};
use crate::error::{DemoError, Result};

/// Exit codes that are answers: it agrees, it contradicts, some could not be decided again, some come out differently.
const ANSWERS: [i32; 4] = [0, 20, 21, 22];

/// What a replay came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The archive's verification, in one line.
    pub verified: String,
    /// Commands decided again.
    pub commands: u64,
    /// Calls among them.
    pub decisions: u64,
    /// Findings in which the record contradicts the kernel.
    pub contradictions: u64,
    /// Commands that could not be decided again.
    pub not_replayable: u64,
    /// Each finding in words.
    pub findings: Vec<String>,
    /// The whole in words.
    pub said: String,
    code: i32,
}

impl Replayed {
    /// Whether everything was decided again, and agrees.
    pub fn agrees(&self) -> bool {
        self.code == 0 && self.contradictions == 0 && self.not_replayable == 0 && self.decisions > 0
    }
}

/// What asking under another bundle came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Calls that were asked again.
    pub asked: u64,
    /// Calls with another verdict.
    pub flipped: u64,
    /// Calls that could not be asked.
    pub not_replayable: u64,
    /// How many, by the recorded verdict, the other one, and the first rule or reason that it rests on.
    pub flips: BTreeMap<(String, String, String), u64>,
}

#[derive(Deserialize)]
struct Finding {
    text: String,
}

#[derive(Deserialize)]
struct Summary {
    verified: String,
    commands: u64,
    decisions: u64,
    contradictions: u64,
    not_replayable: u64,
}

#[derive(Deserialize)]
struct Flip {
    recorded: Judgement,
    computed: Judgement,
}

#[derive(Deserialize)]
struct Judgement {
    verdict: String,
    #[serde(default)]
    reason_codes: Vec<String>,
    #[serde(default)]
    rules: Vec<String>,
}

#[derive(Deserialize)]
struct Counts {
    asked: u64,
    flipped: u64,
    not_replayable: u64,
}

/// Runs a replay in the commands' folder. What it finds is no error here.
pub async fn replay(commands: &Commands, args: &[&str]) -> Result<Replayed> {
    let (output, code) = run(commands, "replay", args).await?;
    let (last, before) = lines(&output)?;
    let Summary { verified, commands, decisions, contradictions, not_replayable } = parse(last)?;
    let findings =
        before.iter().map(|line| parse::<Finding>(line).map(|finding| finding.text)).collect::<Result<_>>()?;
    let said = format!(
        "{commands} commands decided again, {decisions} calls among them; {contradictions} differences, {not_replayable} \
         not replayable (exit code {code})"
    );
    Ok(Replayed { verified, commands, decisions, contradictions, not_replayable, findings, said, code })
}

/// Asks the recorded calls under another bundle. Calls that come out differently are no error here.
pub async fn what_if(commands: &Commands, args: &[&str]) -> Result<Asked> {
    let (output, _) = run(commands, "what-if", args).await?;
    let (last, before) = lines(&output)?;
    let Counts { asked, flipped, not_replayable } = parse(last)?;
    let mut flips = BTreeMap::new();
    for line in before {
        let Flip { recorded, computed } = parse(line)?;
        let by = computed.rules.first().or(computed.reason_codes.first()).cloned().unwrap_or_default();
        *flips.entry((recorded.verdict, computed.verdict, by)).or_default() += 1;
    }
    Ok(Asked { asked, flipped, not_replayable, flips })
}

async fn run(commands: &Commands, what: &str, args: &[&str]) -> Result<(Output, i32)> {
    let args = [&[what], args, &["--json"]].concat();
    let output = commands.output(Program::AssentVerify, &args).await?;
    match output.code {
        Some(code) if ANSWERS.contains(&code) => Ok((output, code)),
        code => {
            let said = format!("{}{}", output.err.trim_end(), output.out.trim_end());
            Err(DemoError::new(format!("assent-verify {what} ended with {code:?}: {said}")))
        }
    }
}

/// The last line, and those before it.
fn lines(output: &Output) -> Result<(&str, Vec<&str>)> {
    let mut lines: Vec<&str> = output.out.lines().collect();
    let last = lines.pop().ok_or_else(|| DemoError::new("assent-verify said nothing"))?;
    Ok((last, lines))
}

fn parse<'a, T: Deserialize<'a>>(line: &'a str) -> Result<T> {
    serde_json::from_str(line).map_err(|e| DemoError::new(format!("assent-verify said {line:?}: {e}")))
}
