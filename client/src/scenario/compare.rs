//! What two drivers answered, compared without what has to differ: ids, positions, salts and moments.

use std::collections::BTreeMap;

use assent_ledger::ids::Time;

use super::answer::{Answer, RunState};
use super::run::Outcome;

const SECOND_MICROS: i128 = 1_000_000;
/// Length of a UUID and of a hash as text.
const UUID_LENGTH: usize = 36;
const HASH_LENGTH: usize = 64;
/// Details that are positions in the ledger.
const POSITIONS: [&str; 2] = ["value_entry", "seq"];

/// The detail that says until when something holds.
const EXPIRES: &str = "expires";

/// Everything in which two outcomes of one scenario differ; empty when both came to the same.
pub fn differences(one: &Outcome, other: &Outcome) -> Vec<String> {
    let mut out = Vec::new();
    let (mut left, mut right) = (Names::default(), Names::default());
    for (number, (a, b)) in one.answers.iter().zip(&other.answers).enumerate() {
        let (a, b) = (left.answer(a), right.answer(b));
        if a != b {
            out.push(format!("answer {}: {a:?}\n  and: {b:?}", number + 1));
        }
    }
    let counts = |o: &Outcome| (o.answers.len(), o.calls, o.blocked);
    if counts(one) != counts(other) {
        out.push(format!("answers, calls, blocked: {:?} and {:?}", counts(one), counts(other)));
    }
    let (a, b) = (left.runs(&one.runs), right.runs(&other.runs));
    if a != b {
        out.push(format!("runs: {a:?}\n  and: {b:?}"));
    }
    out
}

/// Names for what was drawn, in the order in which it is first heard of.
#[derive(Default)]
struct Names(BTreeMap<String, usize>);

impl Names {
    /// A text that stands for an id: the same for the same id.
    fn of(&mut self, id: &str) -> String {
        let next = self.0.len();
        format!("#{}", self.0.entry(id.to_owned()).or_insert(next))
    }

    fn drawn(&mut self, text: &str) -> String {
        if is_drawn(text) { self.of(text) } else { text.to_owned() }
    }

    fn answer(&mut self, answer: &Answer) -> Answer {
        let mut same = answer.clone();
        same.at = 0;
        // A position says nothing, but it matters whether there is one.
        same.seq = answer.seq.map(|_| 0);
        same.request_salt = vec![0; answer.request_salt.len()];
        same.id = answer.id.as_deref().map(|id| self.of(id));
        same.run_id = answer.run_id.as_deref().map(|id| self.drawn(id));
        same.approval = answer.approval.as_deref().map(|id| self.of(id));
        // What was made at an earlier moment ends at that moment's time: only a fresh end is compared.
        same.token_expires = answer.token_expires.as_deref().map(|text| moment(text, answer));
        for (name, value) in &mut same.details {
            *value = if POSITIONS.contains(&name.as_str()) {
                "a position".to_owned()
            } else if name == EXPIRES || Time::parse(value.as_bytes()).is_some() {
                moment(value, answer)
            } else {
                self.drawn(value)
            };
        }
        same
    }

    fn runs(&mut self, runs: &BTreeMap<String, RunState>) -> BTreeMap<String, RunState> {
        runs.iter().map(|(id, run)| (self.drawn(id), run.clone())).collect()
    }
}

/// How far a moment lies from that of the answer, in whole seconds.
fn moment(text: &str, answer: &Answer) -> String {
    // Leases say it in microseconds since 1970.
    let time = Time::parse(text.as_bytes()).or_else(|| text.parse().ok().map(Time));
    let Some(time) = time else { return text.to_owned() };
    let micros = i128::from(time.0) - i128::from(answer.at);
    format!("in {} s", (micros + SECOND_MICROS / 2).div_euclid(SECOND_MICROS))
}

/// Whether a text is an id or a commitment that was drawn, and not a name that a scenario gave.
fn is_drawn(text: &str) -> bool {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let dashes = [8, 13, 18, 23];
    let uuid = text.len() == UUID_LENGTH
        && text.bytes().enumerate().all(|(at, b)| if dashes.contains(&at) { b == b'-' } else { hex(b) });
    uuid || (text.len() == HASH_LENGTH && text.bytes().all(hex))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "018bcfe5-6800-7909-8909-090909090909";
    const B: &str = "018bcfe5-6800-7909-8909-0909090909ff";

    fn outcome(ids: &[&str], verdict: &str) -> Outcome {
        let answer = |id: &&str| Answer {
            id: Some((*id).to_owned()),
            verdict: Some(verdict.to_owned()),
            seq: Some(u64::try_from(id.len()).unwrap_or(0)),
            ..Answer::default()
        };
        Outcome { answers: ids.iter().map(answer).collect(), ..Outcome::default() }
    }

    #[test]
    fn ids_may_differ_but_not_which_of_them_are_the_same() {
        assert_eq!(differences(&outcome(&[A, B, A], "allow"), &outcome(&[B, A, B], "allow")), Vec::<String>::new());
        assert_eq!(differences(&outcome(&[A, B, A], "allow"), &outcome(&[B, A, A], "allow")).len(), 1);
    }

    #[test]
    fn verdicts_and_missing_answers_are_found() {
        assert_eq!(differences(&outcome(&[A], "allow"), &outcome(&[A], "deny")).len(), 1);
        assert_eq!(differences(&outcome(&[A, A], "allow"), &outcome(&[A], "allow")).len(), 1);
    }

    #[test]
    fn moments_are_compared_by_their_distance() {
        let forms: [fn(u64) -> String; 2] = [|micros| Time(micros).to_string(), |micros| micros.to_string()];
        for text in forms {
            let at = |at: u64, expires: u64| {
                let details = [("expires".to_owned(), text(expires * 1_000_000))].into();
                let answer = Answer { at, details, ..Answer::default() };
                Outcome { answers: vec![answer], ..Outcome::default() }
            };
            assert_eq!(differences(&at(5_000_100, 65), &at(9_000_000, 69)), Vec::<String>::new());
            assert_eq!(differences(&at(5_000_100, 65), &at(9_000_000, 65)).len(), 1);
        }
    }

    #[test]
    fn runs_are_compared() {
        let with = |mode: &str| {
            let run = RunState { mode: mode.to_owned(), ..RunState::default() };
            Outcome { runs: [("r1".to_owned(), run)].into(), ..Outcome::default() }
        };
        assert_eq!(differences(&with("normal"), &with("restricted")).len(), 1);
    }
}
