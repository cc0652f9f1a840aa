//! What an evaluation has spent. The machine counts instructions, one unit each; what looks into values pays here for
//! their size, before it runs.
//!
//! Counting instructions alone does not bound the work: `[x, x]` sixty-four times over is a small program whose value
//! cannot be compared in a lifetime. So whatever builds, compares or hands over a value pays for each node of it, and a
//! value's size is counted only as far as the budget reaches.

use regorus::Value as Rego;
use regorus::rvm::Program;
use regorus::rvm::instructions::{Instruction, LiteralOrRegister};

use super::builtins;
use super::limits::{
    BYTES_PER_NODE, INTEGER_BITS_MAX, NODES_PER_UNIT, PATTERN_CLASS_UNITS, PATTERN_COMPILED_UNITS,
    PATTERN_UNITS_PER_UNIT, VALUE_DEPTH_MAX,
};
use super::meter::Stops;

/// The budget is spent, or a value is nested too deep or has too many digits.
#[derive(Debug)]
pub(super) struct Exhausted;

/// The meter of one evaluation.
#[derive(Debug)]
pub(super) struct Fuel {
    /// Units left for the machine's instructions and for what is charged here.
    left: u64,
    /// Nodes of all values that this evaluation built or was given: no value can be much larger.
    held: u64,
    yields: u64,
    /// Units that were charged here, and instructions that were run as far as the stops tell.
    spent: u64,
    /// Units of looking for patterns that do not make up a unit yet.
    pattern_units: u64,
}

impl Fuel {
    /// A meter for `budget` units, over an input and data of `held` nodes.
    pub(super) const fn new(budget: u64, held: u64) -> Fuel {
        Fuel { left: budget, held, yields: 0, spent: 0, pattern_units: 0 }
    }

    /// How many instructions the machine may run in all, if nothing more is charged.
    pub(super) fn instructions(&self) -> usize {
        usize::try_from(self.left).unwrap_or(usize::MAX)
    }

    /// What the evaluation has taken so far: what was charged, and the instructions. Of these the machine itself does not tell, so
    /// that it is what lies behind the stops that were made; a loop counts as if all of its rounds ran.
    pub(super) const fn spent(&self) -> u64 {
        self.spent
    }

    fn spend(&mut self, units: u64) -> Result<(), Exhausted> {
        self.spent = self.spent.saturating_add(units);
        self.left = self.left.checked_sub(units).ok_or(Exhausted)?;
        Ok(())
    }

    /// Pays for what the evaluation is told about the call, which is copied before it begins.
    pub(super) fn told(&mut self, nodes: u64) -> Result<(), Exhausted> {
        self.spend(nodes / TOLD_NODES_PER_UNIT)
    }

    /// Counts a stop and the instructions behind it. The machine counts these itself against what is left.
    pub(super) fn stopped(&mut self, stops: &Stops, pc: usize) {
        self.spent = self.spent.saturating_add(1).saturating_add(stops.plain(pc));
    }

    /// Pays for compiling a pattern that the policy does not write out.
    pub(super) fn compile_pattern(&mut self, source: &str) -> Result<(), Exhausted> {
        // Each class of characters may stand for some hundred ranges.
        let classes = source.bytes().filter(|byte| matches!(byte, b'\\' | b'[')).count();
        let classes = u64::try_from(classes).unwrap_or(u64::MAX);
        self.spend(PATTERN_COMPILED_UNITS.saturating_add(classes.saturating_mul(PATTERN_CLASS_UNITS)))
    }

    /// Pays for looking for a pattern.
    pub(super) fn match_pattern(&mut self, units: usize) -> Result<(), Exhausted> {
        self.pattern_units = self.pattern_units.saturating_add(u64::try_from(units).unwrap_or(u64::MAX));
        let whole = self.pattern_units / PATTERN_UNITS_PER_UNIT;
        self.pattern_units %= PATTERN_UNITS_PER_UNIT;
        self.spend(whole)
    }

    /// Pays for reading the result once more.
    pub(super) fn finish(&mut self, result: &Rego) -> Result<(), Exhausted> {
        self.read(result)
    }

    fn nodes_left(&self) -> u64 {
        self.left.saturating_add(1).saturating_mul(NODES_PER_UNIT)
    }

    fn read(&mut self, value: &Rego) -> Result<(), Exhausted> {
        let nodes = size(value, self.nodes_left()).ok_or(Exhausted)?;
        self.spend(nodes / NODES_PER_UNIT)
    }

    fn build(&mut self, value: &Rego) -> Result<(), Exhausted> {
        let nodes = size(value, self.nodes_left()).ok_or(Exhausted)?;
        self.held = self.held.saturating_add(nodes);
        self.spend(nodes / NODES_PER_UNIT)
    }

    /// A built-in may walk over its arguments and copy them.
    fn hand_over(&mut self, value: &Rego) -> Result<(), Exhausted> {
        let nodes = size(value, self.nodes_left()).ok_or(Exhausted)?;
        self.held = self.held.saturating_add(nodes);
        self.spend(nodes / HANDED_NODES_PER_UNIT)
    }

    /// Two values are compared no further than the smaller one reaches.
    fn compare(&mut self, left: &Rego, right: &Rego) -> Result<(), Exhausted> {
        let mut bound = NODES_PER_UNIT;
        loop {
            let smaller = [size(left, bound), size(right, bound)].into_iter().flatten().min();
            if let Some(nodes) = smaller {
                return self.spend(nodes / NODES_PER_UNIT);
            }
            if bound > self.nodes_left() {
                return Err(Exhausted);
            }
            bound = bound.saturating_mul(4);
        }
    }

    /// Growing a collection may copy it.
    fn grow(&mut self, collection: &Rego) -> Result<(), Exhausted> {
        const COPIED_PER_UNIT: u64 = 128;
        self.spend(length(collection) / COPIED_PER_UNIT)
    }

    /// Pays for `instruction`, which is about to run over `registers`.
    pub(super) fn pay(
        &mut self,
        program: &Program,
        stops: &Stops,
        instruction: &Instruction,
        registers: &[Rego],
    ) -> Result<(), Exhausted> {
        let register = |index: u8| registers.get(usize::from(index)).unwrap_or(&Rego::Undefined);
        use Instruction as I;
        match *instruction {
            I::Eq { left, right, .. }
            | I::Ne { left, right, .. }
            | I::Lt { left, right, .. }
            | I::Le { left, right, .. }
            | I::Gt { left, right, .. }
            | I::Ge { left, right, .. }
            | I::AssertEq { left, right } => self.compare(register(left), register(right)),
            I::Add { left, right, .. }
            | I::Sub { left, right, .. }
            | I::Mul { left, right, .. }
            | I::Div { left, right, .. }
            | I::Mod { left, right, .. } => {
                self.build(register(left))?;
                self.build(register(right))
            }
            I::ArrayPush { arr: collection, value }
            | I::ArrayPushDefined { arr: collection, value }
            | I::SetAdd { set: collection, value } => {
                self.grow(register(collection))?;
                self.build(register(value))
            }
            I::ObjectSet { obj, key, value } => {
                self.grow(register(obj))?;
                self.build(register(key))?;
                self.build(register(value))
            }
            I::Contains { collection, value, .. } => match register(collection) {
                array @ Rego::Array(_) => self.read(array),
                _ => self.read(register(value)),
            },
            I::Index { key, .. } => self.read(register(key)),
            I::ComprehensionYield { value_reg, key_reg } => {
                self.yields = self.yields.saturating_add(1);
                self.spend(self.yields / 128)?;
                key_reg.map_or(Ok(()), |key| self.build(register(key)))?;
                self.build(register(value_reg))
            }
            // A rule's results may be compared with one another when its definitions are done.
            I::RuleInit { .. } => self.spend(self.held / 256),
            _ => self.pay_by_table(program, stops, instruction, &register),
        }
    }

    /// Instructions whose operands stand in the program's tables.
    fn pay_by_table<'v>(
        &mut self,
        program: &Program,
        stops: &Stops,
        instruction: &Instruction,
        register: &impl Fn(u8) -> &'v Rego,
    ) -> Result<(), Exhausted> {
        let tables = &program.instruction_data;
        match *instruction {
            Instruction::ArrayCreate { params_index } => {
                let params = tables.array_create_params.get(usize::from(params_index)).ok_or(Exhausted)?;
                params.elements.iter().try_for_each(|element| self.build(register(*element)))
            }
            Instruction::SetCreate { params_index } => {
                let params = tables.set_create_params.get(usize::from(params_index)).ok_or(Exhausted)?;
                params.elements.iter().try_for_each(|element| self.build(register(*element)))
            }
            Instruction::ObjectCreate { params_index } => {
                let params = tables.object_create_params.get(usize::from(params_index)).ok_or(Exhausted)?;
                params.literal_key_fields.iter().try_for_each(|(_, value)| self.build(register(*value)))?;
                params.fields.iter().try_for_each(|(key, value)| {
                    self.build(register(*key))?;
                    self.build(register(*value))
                })
            }
            Instruction::ChainedIndex { params_index } => {
                let params = tables.chained_index_params.get(usize::from(params_index)).ok_or(Exhausted)?;
                params.path_components.iter().try_for_each(|step| match step {
                    LiteralOrRegister::Register(key) => self.read(register(*key)),
                    LiteralOrRegister::Literal(_) => Ok(()),
                })
            }
            Instruction::LoopStart { params_index } => {
                let params = tables.loop_params.get(usize::from(params_index)).ok_or(Exhausted)?;
                let rounds = length(register(params.collection));
                self.spent = self.spent.saturating_add(rounds.saturating_mul(stops.round(params_index)));
                self.grow(register(params.collection))
            }
            Instruction::BuiltinCall { params_index } => {
                let params = tables.builtin_call_params.get(usize::from(params_index)).ok_or(Exhausted)?;
                let info = program.builtin_info_table.get(usize::from(params.builtin_index)).ok_or(Exhausted)?;
                let args = params.args.iter().take(usize::from(params.num_args));
                let args: Vec<&Rego> = args.map(|arg| register(*arg)).collect();
                let more = builtins::surcharge(&info.name, &args);
                self.held = self.held.saturating_add(more);
                self.spend(more)?;
                args.into_iter().try_for_each(|arg| self.hand_over(arg))
            }
            _ => Ok(()),
        }
    }
}

/// One unit pays for this many nodes of a built-in's arguments.
const HANDED_NODES_PER_UNIT: u64 = 2;
/// One unit pays for copying this many nodes into what an evaluation is told.
const TOLD_NODES_PER_UNIT: u64 = 2;

fn length(value: &Rego) -> u64 {
    let length = match value {
        Rego::Array(items) => items.len(),
        Rego::Set(items) => items.len(),
        Rego::Object(object) => object.len(),
        _ => 0,
    };
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Nodes of a value, shared parts counted as often as they occur; `None` above `limit` or when it is nested too deep.
pub(super) fn size(value: &Rego, limit: u64) -> Option<u64> {
    let mut nodes = 0u64;
    add(value, limit, VALUE_DEPTH_MAX, &mut nodes)?;
    Some(nodes)
}

fn add(value: &Rego, limit: u64, depth: u32, nodes: &mut u64) -> Option<()> {
    let own = match value {
        Rego::String(text) => u64::try_from(text.len()).ok()? / BYTES_PER_NODE,
        Rego::Number(number) if number.as_i64().is_none() && number.as_u64().is_none() => digits(number.as_big())?,
        _ => 0,
    };
    *nodes = nodes.saturating_add(own).saturating_add(1);
    if *nodes > limit {
        return None;
    }
    let inner = depth.checked_sub(1);
    match value {
        Rego::Array(items) => items.iter().try_for_each(|item| add(item, limit, inner?, nodes)),
        Rego::Set(items) => items.iter_sorted().try_for_each(|item| add(item, limit, inner?, nodes)),
        Rego::Object(object) => object.iter_sorted().try_for_each(|(key, value)| {
            add(key, limit, inner?, nodes)?;
            add(value, limit, inner?, nodes)
        }),
        _ => Some(()),
    }
}

/// Nodes of an integer beyond 64 bits; `None` when it is too large to calculate with.
fn digits<B: core::ops::Deref>(big: Option<B>) -> Option<u64>
where
    B::Target: core::fmt::LowerHex + Sized,
{
    let Some(big) = big else { return Some(0) };
    let hex = format!("{:x}", *big);
    let bits = u64::try_from(hex.len()).ok()?.saturating_mul(4);
    (bits <= u64::from(INTEGER_BITS_MAX)).then_some(bits / 64)
}
