//! How rules and contracts name an argument: by its name, or by a JSON pointer into it.

use core::fmt;

use super::error::{BundleErrorKind, Diagnostics, Position};
use super::limits::TEXT_BYTES_MAX;
use crate::value::{Object, Value};

/// Names one value within the arguments of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selector {
    written: Box<str>,
    /// The argument, then the decoded pointer steps into it.
    steps: Vec<Box<str>>,
}

impl Selector {
    /// Reads an argument's name, or a JSON pointer when the text begins with `/`.
    pub(super) fn read(text: &str, at: Position, d: &mut Diagnostics) -> Option<Selector> {
        let steps = match text.strip_prefix('/') {
            Some(pointer) => pointer.split('/').map(decode).collect::<Option<Vec<_>>>(),
            None => Some(vec![text.into()]),
        };
        if text.is_empty() || text.len() > TEXT_BYTES_MAX || steps.is_none() {
            let message = "name an argument, or point into one with a JSON pointer such as /to/0".to_owned();
            d.error(at, BundleErrorKind::InvalidValue, message);
            return None;
        }
        steps.map(|steps| Selector { written: text.into(), steps })
    }

    /// The argument the selector begins at.
    pub(super) fn argument(&self) -> &str {
        self.steps.first().map_or("", |step| step)
    }

    /// The argument, then the decoded pointer steps into it.
    pub(super) fn steps(&self) -> &[Box<str>] {
        &self.steps
    }

    /// Whether the selector names a whole argument.
    pub(super) fn is_whole(&self) -> bool {
        self.steps.len() == 1
    }

    /// The selected value; `None` when there is none.
    pub(super) fn find<'a>(&self, args: &'a Object) -> Option<&'a Value> {
        let (argument, rest) = self.steps.split_first()?;
        rest.iter().try_fold(args.get(argument)?, |value, step| value.child(step))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// Decodes `~0` and `~1` of one RFC 6901 step; any other tilde is an error.
fn decode(step: &str) -> Option<Box<str>> {
    let mut out = String::with_capacity(step.len());
    let mut chars = step.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '~' => match chars.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            other => other,
        });
    }
    Some(out.into())
}
