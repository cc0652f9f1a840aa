//! Puts a stop before every instruction whose work depends on the size of values.
//!
//! regorus counts instructions but has no price for a large operand. Its one way of handing control to the host and
//! taking it back is `HostAwait`; the stop is a `HostAwait` that gives register 0 its own value back. All addresses
//! in the program are moved along; the order of instructions stays, and a jump to an instruction goes to its stop.
//!
//! Calls of `regex.match` become stops themselves: the answer is found outside of the machine, where the patterns are that were
//! compiled with the policy.

use std::collections::{BTreeMap, BTreeSet};

use regorus::rvm::Program;
use regorus::rvm::instructions::Instruction;
use regorus::{Rc, Value as Rego};

/// What the stops of a program stand for.
#[derive(Debug, Default)]
pub(super) struct Stops {
    /// By address of a stop: how many instructions without one follow it.
    plain: BTreeMap<usize, u64>,
    /// By index of a loop's parameters: how many instructions one round has before its first stop, and the one that begins the next.
    rounds: Vec<u64>,
    /// Addresses of stops that are calls of `regex.match`.
    matches: BTreeSet<usize>,
}

impl Stops {
    /// Whether the stop at this address is a call of `regex.match`: its argument is the text, its identifier the pattern.
    pub(super) fn is_match(&self, pc: usize) -> bool {
        self.matches.contains(&pc)
    }

    /// How many instructions follow a stop before the next one.
    pub(super) fn plain(&self, pc: usize) -> u64 {
        self.plain.get(&pc).copied().unwrap_or_default()
    }

    /// How many instructions of one round of a loop lie behind no stop.
    pub(super) fn round(&self, params_index: u16) -> u64 {
        self.rounds.get(usize::from(params_index)).copied().unwrap_or_default()
    }

    fn of(program: &Program, matches: BTreeSet<usize>) -> Stops {
        let mut stops = Stops { matches, ..Stops::default() };
        let mut last = 0usize;
        for (pc, instruction) in program.instructions.iter().enumerate() {
            match instruction {
                Instruction::HostAwait { .. } => last = pc,
                _ => *stops.plain.entry(last).or_default() += 1,
            }
        }
        let is_plain = |instruction: &&Instruction| !matches!(instruction, Instruction::HostAwait { .. });
        let round = |from: u16, to: u16| {
            let body = program.instructions.get(usize::from(from)..usize::from(to)).unwrap_or_default();
            u64::try_from(body.iter().take_while(is_plain).count()).unwrap_or(u64::MAX).saturating_add(1)
        };
        let loops = program.instruction_data.loop_params.iter();
        stops.rounds = loops.map(|params| round(params.body_start, params.loop_end)).collect();
        stops
    }
}

const STOP: Instruction = Instruction::HostAwait { dest: 0, arg: 0, id: 0 };

/// Whether the work of an instruction depends on more than itself, or it goes deeper into rules.
const fn is_metered(instruction: &Instruction) -> bool {
    use Instruction as I;
    matches!(
        instruction,
        I::Eq { .. }
            | I::Ne { .. }
            | I::Lt { .. }
            | I::Le { .. }
            | I::Gt { .. }
            | I::Ge { .. }
            | I::AssertEq { .. }
            | I::Add { .. }
            | I::Sub { .. }
            | I::Mul { .. }
            | I::Div { .. }
            | I::Mod { .. }
            | I::ArrayPush { .. }
            | I::ArrayPushDefined { .. }
            | I::SetAdd { .. }
            | I::ObjectSet { .. }
            | I::Contains { .. }
            | I::Index { .. }
            | I::ComprehensionYield { .. }
            | I::RuleInit { .. }
            | I::ArrayCreate { .. }
            | I::SetCreate { .. }
            | I::ObjectCreate { .. }
            | I::ChainedIndex { .. }
            | I::LoopStart { .. }
            | I::BuiltinCall { .. }
            | I::CallRule { .. }
            | I::FunctionCall { .. }
    )
}

/// The call of `regex.match` as a stop: the text is the argument, the pattern the identifier. `None` for every other instruction.
fn match_stop(program: &Program, instruction: &Instruction) -> Option<Instruction> {
    let Instruction::BuiltinCall { params_index } = instruction else { return None };
    let params = program.instruction_data.builtin_call_params.get(usize::from(*params_index))?;
    let info = program.builtin_info_table.get(usize::from(params.builtin_index))?;
    let [pattern, text, ..] = params.args;
    (info.name == REGEX_MATCH && params.num_args == 2).then_some(Instruction::HostAwait {
        dest: params.dest,
        arg: text,
        id: pattern,
    })
}

/// The texts that a call of `regex.match` may get as its pattern because the policy writes them out.
pub(super) fn written_patterns(program: &Program) -> BTreeSet<String> {
    let calls = program.instructions.iter().filter_map(|instruction| match match_stop(program, instruction)? {
        Instruction::HostAwait { id, .. } => Some(id),
        _ => None,
    });
    let registers: BTreeSet<u8> = calls.collect();
    let loaded = program.instructions.iter().filter_map(|instruction| match instruction {
        Instruction::Load { dest, literal_idx } if registers.contains(dest) => {
            program.literals.get(usize::from(*literal_idx))
        }
        _ => None,
    });
    let text = |literal: &Rego| if let Rego::String(text) = literal { Some(text.as_ref().to_owned()) } else { None };
    loaded.filter_map(text).collect()
}

/// The program with its stops; `None` when it is too long with them.
pub(super) fn instrument(mut program: Program) -> Option<(Program, Stops)> {
    let mut matches = BTreeSet::new();
    let mut moved = Vec::with_capacity(program.instructions.len().saturating_add(1));
    let mut instructions = Vec::new();
    let mut spans = Vec::new();
    for (pc, instruction) in program.instructions.iter().enumerate() {
        moved.push(u16::try_from(instructions.len()).ok()?);
        let span = program.instruction_spans.get(pc).cloned().flatten();
        if let Some(stop) = match_stop(&program, instruction) {
            matches.insert(instructions.len());
            instructions.push(stop);
            spans.push(span);
            continue;
        }
        if is_metered(instruction) {
            instructions.push(STOP);
            spans.push(span.clone());
        }
        instructions.push(*instruction);
        spans.push(span);
    }
    moved.push(u16::try_from(instructions.len()).ok()?);
    let short = |pc: u16| moved.get(usize::from(pc)).copied();
    let long = |pc: u32| Some(u32::from(moved.get(usize::try_from(pc).ok()?).copied()?));
    for instruction in &mut instructions {
        match instruction {
            Instruction::LoopNext { body_start, loop_end } => {
                *body_start = short(*body_start)?;
                *loop_end = short(*loop_end)?;
            }
            Instruction::LogicalBlockStart { end_pc, .. }
            | Instruction::AllOfNext { end_pc, .. }
            | Instruction::AnyOfNext { end_pc, .. } => *end_pc = short(*end_pc)?,
            _ => {}
        }
    }
    for params in &mut program.instruction_data.loop_params {
        params.body_start = short(params.body_start)?;
        params.loop_end = short(params.loop_end)?;
    }
    for params in &mut program.instruction_data.comprehension_begin_params {
        params.body_start = short(params.body_start)?;
        params.comprehension_end = short(params.comprehension_end)?;
    }
    for rule in &mut program.rule_infos {
        let body = |pcs: &Vec<u32>| pcs.iter().map(|pc| long(*pc)).collect::<Option<Vec<u32>>>();
        rule.definitions = Rc::new(rule.definitions.iter().map(body).collect::<Option<Vec<_>>>()?);
        for pc in rule.destructuring_blocks.iter_mut().flatten() {
            *pc = long(*pc)?;
        }
    }
    for pc in program.entry_points.values_mut() {
        *pc = usize::from(*moved.get(*pc)?);
    }
    program.main_entry_point = long(program.main_entry_point)?;
    program.instructions = instructions;
    program.instruction_spans = spans;
    program.has_host_await = true;
    let stops = Stops::of(&program, matches);
    Some((program, stops))
}

const REGEX_MATCH: &str = "regex.match";

/// The rules that a rule calls: the calls between its `RuleInit` and its `RuleReturn`.
fn calls(program: &Program) -> Vec<BTreeSet<usize>> {
    let mut edges = vec![BTreeSet::new(); program.rule_infos.len()];
    let mut current = None;
    for instruction in &program.instructions {
        let callee = match instruction {
            Instruction::RuleInit { rule_index, .. } => {
                current = Some(usize::from(*rule_index));
                None
            }
            Instruction::RuleReturn {} => {
                current = None;
                None
            }
            Instruction::CallRule { rule_index, .. } => Some(usize::from(*rule_index)),
            Instruction::FunctionCall { params_index } => {
                let params = program.instruction_data.function_call_params.get(usize::from(*params_index));
                params.map(|params| usize::from(params.func_rule_index))
            }
            _ => None,
        };
        if let Some((edges, callee)) = current.and_then(|rule| edges.get_mut(rule)).zip(callee) {
            edges.insert(callee);
        }
    }
    edges
}

/// The name of a rule that calls itself, at once or through others.
pub(super) fn recursive_rule(program: &Program) -> Option<&str> {
    let mut edges = calls(program);
    let mut open: BTreeSet<usize> = (0..edges.len()).collect();
    // Rules that call only rules that are done are done; what never gets done is in a circle or calls into one.
    loop {
        let done: Vec<usize> =
            open.iter().copied().filter(|rule| edges.get(*rule).is_none_or(BTreeSet::is_empty)).collect();
        if done.is_empty() {
            break;
        }
        done.iter().for_each(|rule| {
            open.remove(rule);
        });
        edges.iter_mut().for_each(|callees| callees.retain(|callee| !done.contains(callee)));
    }
    let first = open.first()?;
    program.rule_infos.get(*first).map(|rule| rule.name.as_str())
}
