//! Rego policies: compiled to regorus' register machine when they are offered, evaluated under a counted budget.
//!
//! No clock, no network, no randomness, no file: the built-ins that would need them are refused at load, with file and
//! line. The same policy, data, input and budget give the same vote and the same count on every machine.

mod builtins;
mod convert;
mod error;
mod fuel;
mod input;
pub mod limits;
mod matching;
mod meter;
mod run;
mod scan;
pub(super) mod section;
mod vote;

use core::fmt;
use std::sync::Arc;

use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::Program;
use regorus::rvm::instructions::Instruction;
use regorus::{Engine, Rc, Value as Rego};

use crate::value::Object;
use error::Collected;
use limits::{BUDGET_MAX, ENTRYPOINT_BYTES_MAX, MODULES_MAX, SOURCES_BYTES_MAX};

pub use error::RegoError;
pub use input::{RegoInput, RegoRun, RegoTool};
pub use vote::{RegoCompute, RegoDecision, RegoObligation, RegoVote};

/// The entry point of a policy that names none.
pub const ENTRYPOINT: &str = "data.assent.decision";

/// A compiled policy. Immutable; shared between threads freely, and cheap to clone.
#[derive(Clone)]
pub struct RegoPolicy {
    program: Arc<Program>,
    stops: Arc<meter::Stops>,
    patterns: Arc<matching::Written>,
    entry: Arc<str>,
    data: Rego,
    data_nodes: u64,
    /// The own kinds of obligations that the policy may make; other own kinds could carry arguments into a leaf.
    kinds: Arc<[Arc<str>]>,
}

impl fmt::Debug for RegoPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegoPolicy").field("entry", &self.entry).finish_non_exhaustive()
    }
}

impl RegoPolicy {
    /// Compiles modules given as (file, source) with the bundle's data, entry point [`ENTRYPOINT`].
    ///
    /// Deterministic and without side effects; everything wrong is said at once, in order of files and lines.
    pub fn compile(modules: &[(&str, &str)], data: Option<&Object>) -> Result<RegoPolicy, Vec<RegoError>> {
        RegoPolicy::compile_at(ENTRYPOINT, modules, data)
    }

    /// Compiles with another entry point: the path of a rule, such as `data.team.allow`.
    pub fn compile_at(
        entry: &str,
        modules: &[(&str, &str)],
        data: Option<&Object>,
    ) -> Result<RegoPolicy, Vec<RegoError>> {
        let mut errors = Collected::default();
        check_shape(entry, modules, &mut errors);
        modules.iter().for_each(|(file, source)| scan::scan(file, source, &mut errors));
        let data = match data.map(convert::object_to_rego) {
            None => Rego::new_object(),
            Some(Some(data)) => data,
            Some(None) => {
                let message = "a number in the data cannot be held exactly, write it as an integer or as a text";
                errors.push(RegoError::new("data", 1, 1, message.to_owned()));
                Rego::new_object()
            }
        };
        if !errors.is_empty() {
            return Err(errors.into_sorted());
        }
        match program(entry, modules, &data) {
            Ok((program, stops, patterns)) => {
                let data_nodes = fuel::size(&data, u64::MAX).unwrap_or(u64::MAX);
                Ok(RegoPolicy {
                    program: Arc::new(program),
                    stops: Arc::new(stops),
                    patterns: Arc::new(patterns),
                    entry: entry.into(),
                    data,
                    data_nodes,
                    kinds: Arc::new([]),
                })
            }
            Err(error) => Err(vec![error]),
        }
    }

    /// Votes on a call. `budget` is in units of work, at most [`BUDGET_MAX`] of which are used: one for each instruction
    /// of the machine, more for instructions over large values.
    pub fn eval(&self, input: &RegoInput<'_>, budget: u64) -> RegoVote {
        self.eval_counted(input, budget).0
    }

    /// [`RegoPolicy::eval`], and how many units it took. These may be somewhat more than the budget: a loop counts with all of its rounds.
    pub fn eval_counted(&self, input: &RegoInput<'_>, budget: u64) -> (RegoVote, u64) {
        let told = input::nodes(input);
        let mut fuel = fuel::Fuel::new(budget.min(BUDGET_MAX), told.saturating_add(self.data_nodes));
        if fuel.told(told).is_err() {
            return (RegoVote::BudgetExhausted, 0);
        }
        let Some(document) = input::document(input) else { return (RegoVote::Error, fuel.spent()) };
        let vote = match run::run(self, document, &mut fuel) {
            run::End::Value(value) => vote::read(&value),
            run::End::Failed => RegoVote::Error,
            run::End::Exhausted => RegoVote::BudgetExhausted,
        };
        (vote, fuel.spent())
    }
}

fn check_shape(entry: &str, modules: &[(&str, &str)], errors: &mut Collected) {
    let plain = |step: &str| {
        step.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && step.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let path = entry.strip_prefix("data.").unwrap_or_default();
    if entry.len() > ENTRYPOINT_BYTES_MAX || !path.split('.').all(plain) {
        let message = format!("the entry point `{entry}` is no path of a rule, write it as {ENTRYPOINT}");
        errors.push(RegoError::new("rego", 1, 1, message));
    }
    if modules.is_empty() || modules.len() > MODULES_MAX {
        let message = format!("a policy has 1 to {MODULES_MAX} modules, this one has {}", modules.len());
        errors.push(RegoError::new("rego", 1, 1, message));
    }
    if modules.iter().map(|(_, source)| source.len()).sum::<usize>() > SOURCES_BYTES_MAX {
        let message = format!("keep the modules together to {SOURCES_BYTES_MAX} bytes");
        errors.push(RegoError::new("rego", 1, 1, message));
    }
    for (position, (file, _)) in modules.iter().enumerate() {
        if modules.iter().take(position).any(|(earlier, _)| earlier == file) {
            errors.push(RegoError::new(file, 1, 1, "two modules have this name".to_owned()));
        }
    }
}

fn program(
    entry: &str,
    modules: &[(&str, &str)],
    data: &Rego,
) -> Result<(Program, meter::Stops, matching::Written), RegoError> {
    let place = |text: String| RegoError::from_text(&text, modules.first().map_or("rego", |(file, _)| file));
    let mut engine = Engine::new();
    engine.add_data(data.clone()).map_err(|error| place(format!("{error:#}")))?;
    for (file, source) in modules {
        engine
            .add_policy((*file).to_owned(), (*source).to_owned())
            .map_err(|error| RegoError::from_text(&format!("{error:#}"), file))?;
    }
    let policy = engine.compile_with_entrypoint(&Rc::from(entry)).map_err(|error| place(format!("{error:#}")))?;
    let program = Compiler::compile_from_policy(&policy, &[entry]).map_err(|error| place(error.to_string()))?;
    let mut program = Arc::unwrap_or_clone(program);
    let refused = builtins::bind(&mut program);
    if let Some((name, at)) = refused.first().map(|name| (name, place_of_builtin(&program, name))) {
        let (file, line, column) = at.unwrap_or_else(|| ("rego".to_owned(), 1, 1));
        return Err(RegoError::new(&file, line, column, format!("the built-in `{name}` is not available to policies")));
    }
    refuse_dynamic_lookups(&program)?;
    if let Some(rule) = meter::recursive_rule(&program) {
        return Err(place(format!("the rule `{rule}` calls itself, at once or through others")));
    }
    program.check_rule_data_conflicts(data).map_err(|error| place(error.to_string()))?;
    let patterns = matching::Written::compile(meter::written_patterns(&program));
    let (program, stops) =
        meter::instrument(program).ok_or_else(|| place("the policy is too long, split it or shorten it".to_owned()))?;
    Ok((program, stops, patterns))
}

/// A reference whose rule is known only when it is evaluated would leave the counted loop of the machine.
fn refuse_dynamic_lookups(program: &Program) -> Result<(), RegoError> {
    for (pc, instruction) in program.instructions.iter().enumerate() {
        let what = match instruction {
            Instruction::VirtualDataDocumentLookup { .. } => "a reference to rules by a name that is not fixed",
            Instruction::HostAwait { .. } => "a call to the host",
            _ => continue,
        };
        let (file, line, column) = place_of(program, pc).unwrap_or_else(|| ("rego".to_owned(), 1, 1));
        let hint = Some("name each rule in full, such as data.assent.helper".to_owned());
        let error = RegoError::new(&file, line, column, format!("{what} is not available"));
        return Err(RegoError { hint, ..error });
    }
    Ok(())
}

fn place_of_builtin(program: &Program, name: &str) -> Option<(String, u32, u32)> {
    let calls = |instruction: &Instruction| {
        let Instruction::BuiltinCall { params_index } = instruction else { return false };
        let params = program.instruction_data.builtin_call_params.get(usize::from(*params_index));
        let info = params.and_then(|params| program.builtin_info_table.get(usize::from(params.builtin_index)));
        info.is_some_and(|info| info.name == name)
    };
    place_of(program, program.instructions.iter().position(calls)?)
}

fn place_of(program: &Program, pc: usize) -> Option<(String, u32, u32)> {
    let span = program.instruction_spans.get(pc)?.as_ref()?;
    let file = span.get_source_name(&program.sources)?.to_owned();
    Some((file, u32::try_from(span.line).ok()?, u32::try_from(span.column).ok()?))
}

const _: () = {
    const fn shared<T: Send + Sync + Clone>() {}
    shared::<RegoPolicy>();
};
