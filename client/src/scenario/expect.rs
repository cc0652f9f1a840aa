//! What a step has to come to. An expectation that says nothing still expects that the step was not refused.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::answer::{Answer, RunState};

/// Expectations of one step; what is absent is not asked.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// The refusal's name; without it a refusal is a failure.
    pub refusal: Option<String>,
    /// The verdict.
    pub verdict: Option<String>,
    /// What is enforced; the verdict when absent.
    pub effective: Option<String>,
    /// Exactly these reasons, in order.
    pub codes: Option<Vec<String>>,
    /// At least these reasons.
    pub codes_include: Vec<String>,
    /// Whether the answer repeats an earlier one.
    pub replayed: Option<bool>,
    /// The saved step whose decision this answer names, too.
    pub same_decision_as: Option<String>,
    /// Details that must be there.
    pub details: BTreeMap<String, String>,
    /// The text that a read of memory gives out.
    pub value: Option<String>,
    /// The run afterwards.
    pub run: Option<ExpectRun>,
    /// What the entry says, as far as it is named: members of an object that are not named may be there, those named `null` may not;
    /// lists are compared whole.
    pub recorded: Option<serde_json::Value>,
}

/// Expectations of a run's state; what is absent is not asked.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExpectRun {
    /// The run; that of the answer when absent.
    pub id: Option<String>,
    /// The mode.
    pub mode: Option<String>,
    /// These counters have these values.
    pub counters: BTreeMap<String, u32>,
    /// Exactly these sources touched it.
    pub taint: Option<Vec<String>>,
    /// How many executions are open.
    pub open_intents: Option<u32>,
    /// The mode that observe mode would have enforced.
    pub shadow_mode: Option<String>,
    /// Strikes that observe mode did not enforce.
    pub shadow_strikes: Option<u32>,
}

impl Expect {
    /// Everything in which the answer differs; empty when it is as expected.
    pub fn differences(&self, answer: &Answer, earlier: impl Fn(&str) -> Option<Answer>) -> Vec<String> {
        let mut out = Vec::new();
        differ(&mut out, "refusal", &self.refusal, &answer.refusal);
        if let Some(verdict) = &self.verdict {
            differ(&mut out, "verdict", &Some(verdict.clone()), &answer.verdict);
            let effective = self.effective.as_ref().unwrap_or(verdict);
            differ(&mut out, "effective", &Some(effective.clone()), &answer.effective);
        }
        if let Some(codes) = &self.codes {
            differ(&mut out, "codes", codes, &answer.codes);
        }
        for code in self.codes_include.iter().filter(|code| !answer.codes.contains(code)) {
            out.push(format!("codes: {code} is not among {:?}", answer.codes));
        }
        if let Some(replayed) = self.replayed {
            differ(&mut out, "replayed", &replayed, &answer.replayed);
        }
        if let Some(name) = &self.same_decision_as {
            let id = earlier(name).and_then(|answer| answer.id);
            differ(&mut out, "decision", &id, &answer.id);
        }
        for (name, value) in &self.details {
            differ(&mut out, name, &Some(value), &answer.details.get(name));
        }
        if let Some(value) = &self.value {
            let got = answer.value.as_deref().map(String::from_utf8_lossy);
            differ(&mut out, "value", &Some(value.into()), &got);
        }
        out
    }
}

impl ExpectRun {
    /// Everything in which the run differs; empty when it is as expected.
    pub fn differences(&self, run: &RunState) -> Vec<String> {
        let mut out = Vec::new();
        if let Some(mode) = &self.mode {
            differ(&mut out, "run mode", mode, &run.mode);
        }
        for (name, value) in &self.counters {
            differ(&mut out, name, &Some(value), &run.counters.get(name));
        }
        if let Some(taint) = &self.taint {
            let mut expected = taint.clone();
            expected.sort_unstable();
            differ(&mut out, "run taint", &expected, &run.taint);
        }
        if let Some(open) = self.open_intents {
            differ(&mut out, "open intents", &open, &run.open_intents);
        }
        if let Some(mode) = &self.shadow_mode {
            differ(&mut out, "shadow mode", mode, &run.shadow_mode);
        }
        if let Some(strikes) = self.shadow_strikes {
            differ(&mut out, "shadow strikes", &strikes, &run.shadow_strikes);
        }
        out
    }
}

fn differ<T: PartialEq + core::fmt::Debug>(out: &mut Vec<String>, what: &str, expected: &T, got: &T) {
    if expected != got {
        out.push(format!("{what}: expected {expected:?}, got {got:?}"));
    }
}
