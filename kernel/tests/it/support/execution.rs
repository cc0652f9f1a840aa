//! Random redemptions and outcomes of the calls that a world has allowed.

use std::sync::LazyLock;

use assent_kernel::bundle::{CompiledBundle, compile};
use assent_kernel::command::{Command, CommandBody, Complete, Completion, ExecutionCommand, Redeem, Usage};
use assent_kernel::decide::request_hash;
use assent_kernel::machine::Answer;
use assent_ledger::hash::Hash;
use assent_ledger::ids::Seq;

use super::{BUNDLE, Dice, World};

/// What redeems a decision on one of this bundle's tools.
pub(super) fn token_of(command: &Command, answer: &Answer) -> Option<Redeem> {
    static TOOLS_OF_BUNDLE: LazyLock<CompiledBundle> = LazyLock::new(|| compile(BUNDLE.as_bytes()).unwrap());
    let CommandBody::Evaluate(call) = &command.body else { return None };
    let Answer::Decided { seq, decision_id, request_salt, terms, .. } = answer else { return None };
    terms.token_expires?;
    let schema = TOOLS_OF_BUNDLE.tool(&call.tool)?.schema_hash();
    Some(Redeem {
        decision_id: decision_id.clone(),
        seq: *seq,
        request_hash: request_hash(&command.caller.tenant, command.subject(), call, Some(&schema)),
        request_salt: *request_salt,
        audience: None,
    })
}

/// Redeems or completes a decision, mostly a recent one.
pub(super) fn random_execution(world: &World, dice: &mut Dice) -> CommandBody {
    let recent = world.tokens.len().saturating_sub(4);
    let unknown = Redeem {
        decision_id: "nobody".into(),
        seq: Seq(dice.below(50)),
        request_hash: Hash([1; 32]),
        request_salt: [2; 32],
        audience: None,
    };
    let known = if dice.below(6) == 0 { &world.tokens[..] } else { &world.tokens[recent..] };
    let token = if known.is_empty() { unknown } else { dice.pick(known) };
    CommandBody::Execution(Box::new(match dice.below(5) {
        0..=2 => ExecutionCommand::Redeem(token),
        _ => ExecutionCommand::Complete(Complete {
            decision_id: token.decision_id,
            seq: token.seq,
            status: dice.pick(&Completion::ALL),
            duration_ms: dice.below(9_000),
            content_type: "text/plain".into(),
            output: b"what the tool returned".to_vec(),
            redacted: None,
            taint: Vec::new(),
            fulfilled: Vec::new(),
            usage: (dice.below(2) == 0).then_some(Usage { tokens: dice.below(9), cost_micro_usd: 3 }),
        }),
    }))
}
