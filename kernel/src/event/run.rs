//! Bodies of the events of a run: its mode, its taint, its steps besides calls.

use assent_ledger::json::Value;
use assent_ledger::seal::BodyError;

use super::fields::{Fields, with_opt};
use super::lists::{labels, list, texts, with_labels, with_list};
use crate::limits::BEHAVIOUR_STEPS_MAX;
use crate::state::keys::{RunCounters, RunMode};
use crate::taint::TaintLabel;

macro_rules! triggers {
    ($($variant:ident = $name:literal, $text:literal;)*) => {
        /// What changed a run's mode.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ModeTrigger {
            $(#[doc = $text] $variant,)*
        }

        impl ModeTrigger {
            /// The name in entries.
            pub const fn name(self) -> &'static str {
                match self {
                    $(ModeTrigger::$variant => $name,)*
                }
            }

            /// The trigger of a name.
            pub fn from_name(name: &str) -> Option<ModeTrigger> {
                [$(ModeTrigger::$variant),*].into_iter().find(|trigger| trigger.name() == name)
            }
        }
    };
}

triggers! {
    Strikes = "strikes", "So many denials.";
    Behaviour = "behaviour", "A sequence of calls that a behaviour rule forbids.";
    Person = "person", "Somebody who may, by hand.";
    Release = "release", "Somebody released the run from quarantine.";
}

/// A run's mode changed; the run is the entry's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunModeChanged {
    /// The counters at that moment, without those that are zero.
    pub counters: Vec<(&'static str, u32)>,
    /// The decision that did it; its entry follows in the same commit.
    pub decision: Option<String>,
    /// The mode before.
    pub from: RunMode,
    /// The behaviour rule.
    pub rule: Option<String>,
    /// Whether it is only what would hold if the bundle enforced.
    pub shadow: bool,
    /// The rule's steps, which were all taken, in words of the bundle.
    pub steps: Vec<String>,
    /// Whose run it is.
    pub subject: String,
    /// The mode from now on.
    pub to: RunMode,
    /// What did it.
    pub trigger: ModeTrigger,
}

impl RunModeChanged {
    /// The entry type.
    pub const KIND: &'static str = "assent.run.mode";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        let mut value = Value::map([
            ("from", Value::str(self.from.name())),
            ("subject", Value::str(&*self.subject)),
            ("to", Value::str(self.to.name())),
            ("trigger", Value::str(self.trigger.name())),
        ]);
        value = with_list(value, "counters", &self.counters, |(name, count)| {
            Value::map([("count", Value::from(*count)), ("name", Value::str(*name))])
        });
        value = with_opt(value, "decision", self.decision.as_deref());
        value = with_opt(value, "rule", self.rule.as_deref());
        value = with_opt(value, "shadow", self.shadow.then_some(true));
        with_list(value, "steps", &self.steps, |step| Value::str(&**step))
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the run's mode")?;
        let mode = |v: &Value| RunMode::from_name(v.as_str()?);
        let modes = "normal, restricted, quarantined or closed";
        let body = RunModeChanged {
            counters: list(&mut fields, "counters", RunCounters::NAMES.len(), read_count)?,
            decision: fields.text_opt("decision")?,
            from: fields.read("from", modes, mode)?,
            rule: fields.text_opt("rule")?,
            shadow: fields.read_opt("shadow", "true", |v| v.as_bool().filter(|b| *b))?.unwrap_or(false),
            steps: texts(&mut fields, "steps", BEHAVIOUR_STEPS_MAX)?,
            subject: fields.text("subject")?,
            to: fields.read("to", modes, mode)?,
            trigger: fields.read("trigger", "a known trigger", |v| ModeTrigger::from_name(v.as_str()?))?,
        };
        fields.finish()?;
        Ok(body)
    }
}

fn read_count(item: &Value) -> Result<(&'static str, u32), BodyError> {
    let mut fields = Fields::of(item, "a counter")?;
    let known = |v: &Value| RunCounters::NAMES.iter().find(|name| Some(**name) == v.as_str()).copied();
    let positive = |v: &Value| u32::try_from(v.as_int()?).ok().filter(|n| *n > 0);
    let count =
        (fields.read("name", "a counter's name", known)?, fields.read("count", "a positive integer", positive)?);
    fields.finish()?;
    Ok(count)
}

/// Taint was attached to a run; the run is the entry's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaintAttached {
    /// The labels, at least one.
    pub labels: Vec<TaintLabel>,
    /// Whose run it is.
    pub subject: String,
}

impl TaintAttached {
    /// The entry type.
    pub const KIND: &'static str = "assent.run.taint";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        with_labels(Value::map([("subject", Value::str(&*self.subject))]), "labels", &self.labels)
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the attached taint")?;
        let body = TaintAttached { subject: fields.text("subject")?, labels: labels(&mut fields, "labels")? };
        fields.finish()?;
        if body.labels.is_empty() {
            return Err(BodyError::Missing { field: "labels" });
        }
        Ok(body)
    }
}

/// What a run did besides calls. The names are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// It retrieved context.
    Retrieval,
    /// A model answered.
    ModelOutput,
    /// It came to its result.
    FinalOutput,
}

impl StepKind {
    /// Every kind.
    pub const ALL: [StepKind; 3] = [StepKind::Retrieval, StepKind::ModelOutput, StepKind::FinalOutput];

    /// The name in entries and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            StepKind::Retrieval => "retrieval",
            StepKind::ModelOutput => "model-output",
            StepKind::FinalOutput => "final-output",
        }
    }

    /// The kind of a name.
    pub fn from_name(name: &str) -> Option<StepKind> {
        StepKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A step of a run; its content is the event's payload `step`, the run is the entry's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunStep {
    /// What it was.
    pub kind: StepKind,
    /// Labels that it brings into the run.
    pub labels: Vec<TaintLabel>,
    /// What made it, such as a model or a collection: a name.
    pub source: Option<String>,
    /// Whose run it is.
    pub subject: String,
}

impl RunStep {
    /// The entry type.
    pub const KIND: &'static str = "assent.run.step";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        let value = Value::map([("kind", Value::str(self.kind.name())), ("subject", Value::str(&*self.subject))]);
        with_labels(with_opt(value, "source", self.source.as_deref()), "labels", &self.labels)
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the step")?;
        let body = RunStep {
            kind: fields
                .read("kind", "retrieval, model-output or final-output", |v| StepKind::from_name(v.as_str()?))?,
            labels: labels(&mut fields, "labels")?,
            source: fields.text_opt("source")?,
            subject: fields.text("subject")?,
        };
        fields.finish()?;
        Ok(body)
    }
}
