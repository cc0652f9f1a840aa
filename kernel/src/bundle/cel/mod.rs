//! Conditions of rules: a small part of the Common Expression Language, exact, deterministic and bounded.
//!
//! Numbers are decimals and compare exactly, there are no maps to iterate over and no clock but the stamp. What differs from
//! CEL differs towards refusing: values of different types are not unequal but an error, and an error on the left of `&&` or
//! `||` is an error.

mod check;
mod eval;
mod lex;
mod parse;

use super::error::{BundleErrorKind, Diagnostics};
use super::evaluate::Call;
use super::facts::Situation;
use super::fields::text;
use super::pattern::{Pattern, Patterns};
use super::source::Node;
use super::work::Work;
use crate::reason::ReasonCode;
use crate::value::Number;

/// Most bytes of one condition.
const CONDITION_BYTES_MAX: usize = 4_096;
/// Most nodes of one condition.
const NODES_MAX: u32 = 256;
/// Deepest nesting of one condition.
const DEPTH_MAX: u32 = 32;
/// Most steps that all conditions of one decision take together.
pub(super) const STEPS_MAX: u32 = 10_000;
/// Most bytes of a text that a condition puts together.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// A compiled condition.
#[derive(Debug, Clone)]
pub(super) struct Cel {
    root: Expr,
}

/// What a condition can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Args,
    Tool,
    Class,
    Action,
    Actions,
    Category,
    RiskTier,
    Subject,
    Chain,
    Environment,
    Taint,
    Time,
    RunCalls,
    RunDenied,
    RunEgress,
    RunSensitiveReads,
    RunMode,
    RiskMilli,
    Labels,
    /// A variable of a comprehension, counted from the outermost.
    Bound(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arithmetic {
    Add,
    Subtract,
    Multiply,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TextTest {
    StartsWith,
    EndsWith,
    Contains,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    All,
    Exists,
    ExistsOne,
}

/// One node of a condition; `at` counts characters from the condition's start.
#[derive(Debug, Clone)]
struct Expr {
    at: usize,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    Text(Box<str>),
    List(Vec<Expr>),
    Name(Name),
    Member(Box<Expr>, Box<str>),
    Index(Box<Expr>, Box<Expr>),
    Has(Box<Expr>, Box<str>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    Compare(Compare, Box<Expr>, Box<Expr>),
    In(Box<Expr>, Box<Expr>),
    Arithmetic(Arithmetic, Box<Expr>, Box<Expr>),
    Size(Box<Expr>),
    LowerAscii(Box<Expr>),
    TextTest(TextTest, Box<Expr>, Box<Expr>),
    Matches(Box<Expr>, Pattern),
    Quantified(Quantifier, Box<Expr>, Box<Expr>),
}

/// What is wrong with a condition's text, and where, in characters from its start.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    at: usize,
    message: String,
    hint: &'static str,
}

impl Fault {
    fn new(at: usize, message: impl Into<String>, hint: &'static str) -> Fault {
        Fault { at, message: message.into(), hint }
    }
}

impl Cel {
    /// Compiles the condition in `node`, or reports what is wrong at its place within the source.
    pub(super) fn read(node: &Node, patterns: &mut Patterns, d: &mut Diagnostics) -> Option<Cel> {
        let source = text(node, "condition", d)?;
        let parsed = if source.len() > CONDITION_BYTES_MAX {
            Err(Fault::new(0, format!("keep a condition to {CONDITION_BYTES_MAX} bytes"), "split the rule"))
        } else {
            parse::parse(source, patterns).and_then(|root| check::check(&root).map(|()| root))
        };
        match parsed {
            Ok(root) => Some(Cel { root }),
            Err(fault) => {
                let at = node.position_within(fault.at);
                d.error_hint(at, BundleErrorKind::InvalidValue, fault.message, fault.hint);
                None
            }
        }
    }

    /// Whether the condition holds for the call.
    ///
    /// # Errors
    /// `POLICY_ERROR` when it cannot be evaluated: a missing argument, a wrong type, a number that cannot be held exactly.
    /// `POLICY_BUDGET` when the steps that are left do not suffice.
    pub(super) fn holds(&self, call: &Call<'_>, situation: &Situation<'_>, work: &Work) -> Result<bool, ReasonCode> {
        eval::holds(&self.root, call, situation, work)
    }
}
