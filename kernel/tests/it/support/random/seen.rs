//! What answers and entries have shown so far: later commands name it.

use assent_kernel::command::{Caller, Command, CommandBody, MemoryAct, MemoryCommand, MemoryTarget, Redeem};
use assent_kernel::machine::{Answer, AppliedBatch};
use assent_ledger::hash::Hash;
use assent_ledger::ids::{Seq, TenantId};

use super::super::Dice;
use super::execution::token_of;

/// Ids, in the order in which they were seen.
#[derive(Default)]
pub struct Seen {
    /// Decisions that could be redeemed when they were made, and who asked.
    pub tokens: Vec<(Caller, Redeem)>,
    /// Queries to external memory: who asked, where, and the decision's event id.
    pub queries: Vec<(Caller, MemoryAct, String)>,
    pub leases: Vec<String>,
    pub approvals: Vec<String>,
    /// Calls that waited for people when they were decided.
    pub waiting: Vec<Command>,
    pub payloads: Vec<(TenantId, Seq, Hash)>,
}

impl Seen {
    /// Remembers what a batch has shown.
    pub fn learn(&mut self, asked: &[Command], applied: &AppliedBatch) {
        for (command, answer) in asked.iter().zip(&applied.answers) {
            self.tokens.extend(token_of(command, answer).map(|token| (command.caller.clone(), token)));
            match answer {
                Answer::Decided { terms, replayed: false, .. } => self.approvals.extend(terms.approval.clone()),
                Answer::Ruled { event_id, details, .. } => {
                    if let CommandBody::Memory(asked) = &command.body
                        && let MemoryCommand::Read(read) = asked.as_ref()
                        && matches!(read.target, MemoryTarget::Query { .. })
                    {
                        self.queries.push((command.caller.clone(), read.act.clone(), event_id.clone()));
                    }
                    self.leases.extend(details.iter().filter(|(name, _)| name == "lease").map(|(_, id)| id.clone()));
                }
                _ => {}
            }
        }
        for entry in &applied.entries {
            let of_entry = entry.payloads.iter().map(|payload| (entry.tenant.clone(), entry.seq, payload.commitment));
            self.payloads.extend(of_entry);
        }
    }
}

/// One of the last `n`, mostly; nothing where nothing was seen.
pub fn recent<T: Clone>(dice: &mut Dice, items: &[T], n: usize) -> Option<T> {
    let from = if dice.below(8) == 0 { 0 } else { items.len().saturating_sub(n) };
    (!items.is_empty()).then(|| dice.pick(&items[from..]))
}
