//! Random redemptions and outcomes of the calls that a world has allowed.

use assent_kernel::command::{
    Caller, Command, CommandBody, Complete, Completion, ExecutionCommand, Fulfilled, Redeem, Usage,
};
use assent_kernel::decide::request_hash;
use assent_kernel::machine::Answer;
use assent_kernel::taint::TaintSource;
use assent_ledger::hash::Hash;
use assent_ledger::ids::Seq;

use super::super::runs::label;
use super::super::{Dice, World, agent};
use super::once_in;
use super::seen::recent;

/// What redeems a decision, if nothing is to run in the call's place.
pub fn token_of(command: &Command, answer: &Answer) -> Option<Redeem> {
    let CommandBody::Evaluate(call) = &command.body else { return None };
    let Answer::Decided { seq, decision_id, request_salt, terms, .. } = answer else { return None };
    terms.token_expires?;
    let schema = terms.tool_schema?;
    Some(Redeem {
        decision_id: decision_id.clone(),
        seq: *seq,
        request_hash: request_hash(&command.caller.tenant, command.subject(), call, Some(&schema)),
        request_salt: *request_salt,
        audience: terms.audience.clone(),
    })
}

/// Redeems or completes a decision, mostly a recent one, mostly as whoever asked for it.
pub fn execution(world: &World, dice: &mut Dice) -> (Caller, CommandBody) {
    let unknown = || Redeem {
        decision_id: "nobody".into(),
        seq: Seq(7),
        request_hash: Hash([1; 32]),
        request_salt: [2; 32],
        audience: None,
    };
    let known = recent(dice, &world.seen.tokens, 4);
    let (asker, token) = known.unwrap_or_else(|| (agent("acme", Some("agent-1")), unknown()));
    let caller = if once_in(dice, 8) { agent("acme", None) } else { asker };
    let asked = match dice.below(2) {
        0 => ExecutionCommand::Redeem(token),
        _ => ExecutionCommand::Complete(Complete {
            decision_id: token.decision_id,
            seq: token.seq,
            status: dice.pick(&Completion::ALL),
            duration_ms: dice.below(9_000),
            content_type: "text/plain".into(),
            output: b"what the tool returned".to_vec(),
            redacted: once_in(dice, 4).then(|| b"what may be shown".to_vec()),
            taint: if once_in(dice, 8) { vec![label(TaintSource::Web, "output")] } else { Vec::new() },
            fulfilled: vec![Fulfilled { kind: "notify".into(), proof: Hash([3; 32]) }],
            usage: once_in(dice, 2).then(|| Usage { tokens: dice.below(9), cost_micro_usd: 3 }),
        }),
    };
    (caller, CommandBody::Execution(Box::new(asked)))
}
