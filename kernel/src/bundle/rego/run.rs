//! One evaluation: the virtual machine, instruction by instruction, against the meter.

use regorus::Value as Rego;
use regorus::rvm::RegoVM;
use regorus::rvm::vm::{ExecutionMode, ExecutionState, SuspendReason, VmError};

use super::RegoPolicy;
use super::fuel::{Exhausted, Fuel};
use super::limits::CALL_DEPTH_MAX;

/// How an evaluation ended.
#[derive(Debug)]
pub(super) enum End {
    /// With the entry point's value.
    Value(Rego),
    /// Without one.
    Failed,
    /// The meter ran out.
    Exhausted,
}

/// Evaluates the entry point of an instrumented program.
///
/// The machine runs in its suspendable mode, in which rules do not recurse on this thread's stack, and stops before each
/// instruction that looks into values.
pub(super) fn run(policy: &RegoPolicy, input: Rego, fuel: &mut Fuel) -> End {
    let mut vm = RegoVM::new();
    vm.load_program(policy.program.clone());
    if vm.set_data(policy.data.clone()).is_err() {
        return End::Failed;
    }
    vm.set_input(input);
    vm.set_execution_mode(ExecutionMode::Suspendable);
    vm.set_max_instructions(fuel.instructions());
    let mut result = vm.execute_entry_point_by_name(&policy.entry);
    loop {
        let value = match result {
            Ok(value) => value,
            Err(error) if is_limit(&error) => return End::Exhausted,
            Err(_) => return End::Failed,
        };
        match vm.execution_state() {
            ExecutionState::Suspended { reason: SuspendReason::HostAwait { argument, identifier, .. }, pc, .. } => {
                if vm.get_call_stack().len() > CALL_DEPTH_MAX {
                    return End::Exhausted;
                }
                fuel.stopped(&policy.stops, *pc);
                let answer = if policy.stops.is_match(*pc) {
                    policy.patterns.matches(identifier, argument, fuel)
                } else {
                    pay(&vm, policy, *pc, fuel).map(|()| argument.clone())
                };
                let Ok(answer) = answer else { return End::Exhausted };
                vm.set_max_instructions(fuel.instructions());
                result = vm.resume(Some(answer));
            }
            ExecutionState::Completed { .. } => {
                return if fuel.finish(&value).is_ok() { End::Value(value) } else { End::Exhausted };
            }
            _ => return End::Failed,
        }
    }
}

const fn is_limit(error: &VmError) -> bool {
    matches!(error, VmError::InstructionLimitExceeded { .. } | VmError::MemoryLimitExceeded { .. })
}

/// Pays for the instruction after the stop at `pc`.
fn pay(vm: &RegoVM, policy: &RegoPolicy, pc: usize, fuel: &mut Fuel) -> Result<(), Exhausted> {
    let next = pc.checked_add(1).and_then(|next| policy.program.instructions.get(next)).ok_or(Exhausted)?;
    fuel.pay(&policy.program, &policy.stops, next, vm.get_registers())
}
