//! Questions that many rules begin with, put together: where the answer to all of them at once is no, none of those rules is asked.
//!
//! Only what a rule asks first is taken, and only what costs nothing of what a call may spend: whether a rule that cannot match is asked
//! or passed over makes no difference to anything else.

use std::collections::{BTreeMap, BTreeSet};

use super::CompiledBundle;
use super::capability::SubjectPattern;
use super::condition::Condition;
use super::evaluate::{Call, at};
use super::facts::{Situation, TaintSources};
use super::rules::Rule;
use super::select::Selector;
use super::tool::Tool;
use crate::value::{Number, Object, Value};

/// Most questions that are put together; one bit each says that it was asked, one what the answer was.
const QUESTIONS_MAX: usize = 64;
/// So many rules at least make a question worth asking for all of them.
const ALIKE_MIN: usize = 2;
/// Stands for no question.
const ALONE: u8 = u8::MAX;

const _: () = assert!(QUESTIONS_MAX <= ALONE as usize);

/// Which rules begin with which question.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    /// The number of each rule's question, by the rule's position.
    of_rule: Vec<u8>,
    questions: Vec<Question>,
}

/// What is known about the questions in one call, a bit for each.
#[derive(Default)]
struct Answers {
    asked: u64,
    yes: u64,
}

/// What a question is about: a number for what it asks, and the steps to the argument.
type Kind = (u8, Vec<Box<str>>);

/// What all its rules need, each more closely.
#[derive(Debug)]
enum Question {
    Subjects(Subjects),
    Taint(TaintSources),
    Texts(Selector, BTreeSet<Box<str>>),
    AtLeast(Selector, Number),
    AtMost(Selector, Number),
}

/// Subjects by their whole names, and by prefixes of each length.
#[derive(Debug, Default)]
struct Subjects {
    exact: BTreeSet<Box<str>>,
    prefixes: BTreeMap<usize, BTreeSet<Box<str>>>,
}

impl CompiledBundle {
    /// The rules to be asked about a call of a tool of this bundle, in their order; none is left out that could match.
    pub(super) fn candidates<'a>(
        &'a self,
        tool: &'a Tool,
        call: &Call<'_>,
        situation: &Situation<'_>,
    ) -> impl Iterator<Item = &'a Rule> {
        let mut answers = Answers::default();
        let asked = move |position: &&u32| self.sieve.lets_pass(**position, call, situation, &mut answers);
        tool.rules.iter().filter(asked).filter_map(|position| at(&self.rules, *position))
    }
}

impl Sieve {
    /// Sorts rules by what they ask first.
    pub(super) fn of(rules: &[Rule]) -> Sieve {
        let mut alike: BTreeMap<Kind, (Question, Vec<usize>)> = BTreeMap::new();
        for (position, rule) in rules.iter().enumerate() {
            let Some(question) = Question::of(rule) else { continue };
            match alike.get_mut(&question.kind()) {
                Some((known, positions)) => {
                    known.join(question);
                    positions.push(position);
                }
                None => {
                    alike.insert(question.kind(), (question, vec![position]));
                }
            }
        }
        let mut sieve = Sieve { of_rule: vec![ALONE; rules.len()], questions: Vec::new() };
        let several = alike.into_values().filter(|(_, positions)| positions.len() >= ALIKE_MIN).take(QUESTIONS_MAX);
        for (number, (question, positions)) in (0u8..).zip(several) {
            sieve.questions.push(question);
            for position in positions {
                sieve.of_rule.get_mut(position).into_iter().for_each(|of| *of = number);
            }
        }
        sieve
    }

    /// Whether the rule at this position could match.
    #[inline]
    fn lets_pass(&self, position: u32, call: &Call<'_>, situation: &Situation<'_>, answers: &mut Answers) -> bool {
        let number = at(&self.of_rule, position).copied().unwrap_or(ALONE);
        let bit = 1u64 << (number & 63);
        if number == ALONE || answers.yes & bit != 0 {
            return true;
        }
        answers.asked & bit == 0 && self.ask(number, bit, call, situation, answers)
    }

    #[cold]
    fn ask(&self, number: u8, bit: u64, call: &Call<'_>, situation: &Situation<'_>, answers: &mut Answers) -> bool {
        answers.asked |= bit;
        let yes = self.questions.get(usize::from(number)).is_none_or(|of| of.may_hold(call, situation));
        answers.yes |= if yes { bit } else { 0 };
        yes
    }
}

impl Question {
    /// What a rule asks first.
    fn of(rule: &Rule) -> Option<Question> {
        if let Some(subjects) = &rule.subjects {
            return Some(Question::Subjects(Subjects::of(subjects)));
        }
        if let Some(taint) = rule.taint {
            return Some(Question::Taint(taint.sources));
        }
        let parameter = rule.parameters.first()?;
        let selector = || parameter.selector.clone();
        match parameter.conditions.first()? {
            Condition::In(values) if !values.texts.is_empty() => {
                Some(Question::Texts(selector(), values.texts.clone()))
            }
            Condition::Compare(test) => {
                let (least, most) = test.bounds();
                let least = least.map(|bound| Question::AtLeast(selector(), bound.clone()));
                least.or_else(|| most.map(|bound| Question::AtMost(selector(), bound.clone())))
            }
            _ => None,
        }
    }

    /// Questions of one kind can be put together.
    fn kind(&self) -> Kind {
        match self {
            Question::Subjects(_) => (0, Vec::new()),
            Question::Taint(_) => (1, Vec::new()),
            Question::Texts(selector, _) => (2, selector.steps().to_vec()),
            Question::AtLeast(selector, _) => (3, selector.steps().to_vec()),
            Question::AtMost(selector, _) => (4, selector.steps().to_vec()),
        }
    }

    /// Takes another question of the same kind in: the answer is no only where it is no to both.
    fn join(&mut self, other: Question) {
        match (self, other) {
            (Question::Subjects(known), Question::Subjects(more)) => known.join(more),
            (Question::Taint(known), Question::Taint(more)) => *known = known.union(more),
            (Question::Texts(_, known), Question::Texts(_, more)) => known.extend(more),
            (Question::AtLeast(_, known), Question::AtLeast(_, more)) if more < *known => *known = more,
            (Question::AtMost(_, known), Question::AtMost(_, more)) if more > *known => *known = more,
            _ => {}
        }
    }

    /// Whether any rule of the question could match. What is missing or of another type than the question's counts against the caller:
    /// that is for the rules to say.
    fn may_hold(&self, call: &Call<'_>, situation: &Situation<'_>) -> bool {
        match self {
            Question::Subjects(subjects) => {
                subjects.list(call.subject) || situation.chain.iter().any(|subject| subjects.list(subject))
            }
            Question::Taint(sources) => sources.meets(situation.call_taint.union(situation.run_taint)),
            Question::Texts(selector, texts) => match selector.find(call.args) {
                Some(Value::String(text)) => texts.contains(text.as_str()),
                _ => true,
            },
            Question::AtLeast(selector, least) => number_is(selector, call.args, |number| number >= least),
            Question::AtMost(selector, most) => number_is(selector, call.args, |number| number <= most),
        }
    }
}

/// Whether the selected number is as asked, if it is one.
fn number_is(selector: &Selector, args: &Object, asked: impl Fn(&Number) -> bool) -> bool {
    selector.find(args).and_then(Value::as_number).is_none_or(asked)
}

impl Subjects {
    fn of(patterns: &[SubjectPattern]) -> Subjects {
        let mut subjects = Subjects::default();
        for pattern in patterns {
            match pattern {
                SubjectPattern::Exact(exact) => subjects.exact.insert(exact.clone()),
                SubjectPattern::Prefix(prefix) => {
                    subjects.prefixes.entry(prefix.len()).or_default().insert(prefix.clone())
                }
            };
        }
        subjects
    }

    fn join(&mut self, other: Subjects) {
        self.exact.extend(other.exact);
        for (length, prefixes) in other.prefixes {
            self.prefixes.entry(length).or_default().extend(prefixes);
        }
    }

    fn list(&self, subject: &str) -> bool {
        let prefixed = |(length, known): (&usize, &BTreeSet<Box<str>>)| {
            subject.get(..*length).is_some_and(|prefix| known.contains(prefix))
        };
        self.exact.contains(subject) || self.prefixes.iter().any(prefixed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::compile;
    use super::super::condition::Scratch;
    use super::super::work::Work;
    use super::*;
    use crate::taint::TaintSource;
    use crate::value::parse_object;

    const HEAD: &str = "
name: sieve
version: 1
tools:
  - {name: t, class: c, action: a, schema: {type: object, additionalProperties: true}}
rules:
";

    /// What rules begin with; each comes as a deny and as an allow, in rules of each kind more than once.
    const MATCHES: [&str; 18] = [
        "principalId: [x, y]",
        "principalId: \"x-*\"",
        "principalId: [\"x-y-*\", z], parameters: {n: {min: 5}}",
        "taintSources: [web]",
        "taintSources: [email, rag], taintScope: call",
        "principalId: z, taintSources: [web]",
        "parameters: {s: {in: [a, b]}}",
        "parameters: {s: {in: [c, 7]}}",
        "parameters: {s: {in: [7, true]}}",
        "parameters: {s: {in: [d], pattern: '^d'}}",
        "parameters: {s: {notIn: [a]}}",
        "parameters: {/s: {in: [b, e]}}",
        "parameters: {n: {min: 3}}",
        "parameters: {n: {min: 8, max: 9}}",
        "parameters: {n: {max: -4}, s: {in: [a]}}",
        "parameters: {n: {max: 1}}",
        "parameters: {n: {max: 0}}",
        "parameters: {m: {min: 3}}",
    ];

    fn source() -> String {
        let mut source = HEAD.to_owned();
        for (number, matching) in MATCHES.iter().enumerate() {
            for decision in ["deny", "allow"] {
                source.push_str(&format!(
                    "  - {{id: {decision}-{number}, match: {{tool: t, {matching}}}, decision: {decision}}}\n"
                ));
            }
        }
        source
    }

    fn inputs() -> Vec<Object> {
        let texts = ["\"a\"", "\"b\"", "\"c\"", "\"d\"", "\"e\"", "\"q\"", "7", "true", "null", "[]"];
        let numbers = ["-5", "-4", "0", "1", "2", "3", "3.5", "8", "9", "10", "\"9\"", "null"];
        let both = texts.iter().flat_map(|s| numbers.iter().map(move |n| format!(r#"{{"s":{s},"n":{n}}}"#)));
        both.chain(["{}".to_owned(), r#"{"m":2}"#.to_owned()])
            .map(|text| parse_object(text.as_bytes()).unwrap())
            .collect()
    }

    #[test]
    fn no_rule_is_passed_over_that_matches() {
        let bundle = compile(source().as_bytes()).unwrap();
        let tool = bundle.tool("t").unwrap();
        let taint = [TaintSources::default(), TaintSource::Web.into(), TaintSource::Email.into()];
        let chains = [vec![], vec!["x-y-1".to_owned()], vec!["q".to_owned(), "z".to_owned()]];
        let (work, mut asked, mut all) = (Work::default(), 0, 0);
        for args in &inputs() {
            for subject in ["x", "x-", "x-y-z", "z", "q", "é"] {
                let call = Call { subject, tool, args };
                for (call_taint, run_taint, chain) in taint.iter().flat_map(|call_taint| {
                    let chains = &chains;
                    taint.iter().flat_map(move |run| chains.iter().map(move |chain| (*call_taint, *run, chain)))
                }) {
                    let situation = Situation { call_taint, run_taint, chain, ..Situation::default() };
                    let candidates: BTreeSet<&str> =
                        bundle.candidates(tool, &call, &situation).map(|r| &*r.id).collect();
                    for rule in &bundle.rules {
                        let matches = rule.matches(&call, &situation, &Scratch::new(&work)).unwrap();
                        assert!(!matches || candidates.contains(&*rule.id), "{} {call:?} {situation:?}", rule.id);
                    }
                    asked += candidates.len();
                    all += bundle.rules.len();
                }
            }
        }
        assert!(asked * 10 < all * 9, "{asked} of {all} rules were asked");
    }

    #[test]
    fn questions_of_one_kind_are_put_together() {
        let bundle = compile(source().as_bytes()).unwrap();
        // Subjects, taint, texts of `s` (named or pointed at), least numbers of `n` and of `m`, most of `n`.
        assert_eq!(bundle.sieve.questions.len(), 6);
        let alone = bundle.sieve.of_rule.iter().filter(|number| **number == ALONE).count();
        assert_eq!((alone, bundle.sieve.of_rule.len()), (6, MATCHES.len() * 2));
    }
}
