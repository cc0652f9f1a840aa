//! Puts a stop before every instruction whose work depends on the size of values.
//!
//! regorus counts instructions but has no price for a large operand. Its one way of handing control to the host and
//! taking it back is `HostAwait`; the stop is a `HostAwait` that gives register 0 its own value back. All addresses
//! in the program are moved along; the order of instructions stays, and a jump to an instruction goes to its stop.

use std::collections::BTreeSet;

use regorus::Rc;
use regorus::rvm::Program;
use regorus::rvm::instructions::Instruction;

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

/// The program with its stops; `None` when it is too long with them.
pub(super) fn instrument(mut program: Program) -> Option<Program> {
    let mut moved = Vec::with_capacity(program.instructions.len().saturating_add(1));
    let mut instructions = Vec::new();
    let mut spans = Vec::new();
    for (pc, instruction) in program.instructions.iter().enumerate() {
        moved.push(u16::try_from(instructions.len()).ok()?);
        let span = program.instruction_spans.get(pc).cloned().flatten();
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
    Some(program)
}

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
