//! Tenants, principals, credentials, bundles, keys and spans.

use assent_kernel::bundle::bundle_hash;
use assent_kernel::command::{Caller, CommandBody, ControlCommand, Role};
use assent_ledger::endorse::{Grant, endorse, retire};
use assent_ledger::ids::{NodeId, TreeSize};
use assent_ledger::keys::{Role as KeyRole, SecretKey};
use assent_ledger::seal::SealReason;

use super::super::{
    BUNDLE, Dice, World, admin, agent, control, credential_of, genesis, new_tenant, node, operator, origin, register,
    root_key, tenant,
};
use super::{SUBJECTS, activated, of, offered, once_in, source, spare};

/// Rules of the operator for everybody; both let pass what happens mostly.
const BASELINES: [&str; 2] = [
    "name: baseline\nversion: 1\nrules: [{id: no-other, match: {tool: nobody.knows}, decision: deny}]\n",
    "name: baseline\nversion: 2\nrules: [{id: no-private, match: {tool: file.read, parameters: {path: {within: [/srv/data/private]}}}, decision: deny}]\n",
];

/// Tenants, their principals and their credentials. The first agent is never shut out for long, so that a world goes on deciding.
pub fn tenants(world: &World, dice: &mut Dice) -> (Caller, CommandBody) {
    let of = of(dice);
    let by = dice.pick(&[operator(), admin(of)]);
    let other = dice.pick(&SUBJECTS[1..]);
    let (new, late, spare) = (dice.below(9), dice.below(20), spare(world, dice, of));
    let body = match dice.below(14) {
        0 if once_in(dice, 3) => return (operator(), CommandBody::Genesis(Box::new(genesis()))),
        0 | 1 => return (operator(), new_tenant(&dice.pick(&["newco".to_owned(), format!("other-{new}")]))),
        2 | 3 => register(of, &dice.pick(&[other.to_owned(), format!("late-{late}")])),
        4 => CommandBody::DisablePrincipal { tenant: tenant(of), subject: other.into() },
        5 => control(ControlCommand::EnablePrincipal { tenant: tenant(of), subject: other.into() }),
        6..=9 => {
            let role = dice.pick(&[Role::Agent, Role::Agent, Role::TenantAdmin, Role::Auditor, Role::Node]);
            let named = dice.pick(&[spare, agent(of, Some(other)), admin(of)]);
            credential_of(&Caller { role: if named.subject.is_some() { role } else { named.role }, ..named })
        }
        _ => CommandBody::RevokeCredential { tenant: tenant(of), name: spare.credential },
    };
    (by, body)
}

/// Bundles in several versions, and a baseline. What is active changes rarely: it ends whatever waits for people.
pub fn bundles(_: &World, dice: &mut Dice) -> (Caller, CommandBody) {
    let of = of(dice);
    let by = dice.pick(&[operator(), admin(of)]);
    let source = if of == "acme" { source(1 + dice.below(6)) } else { BUNDLE.to_owned() };
    let hash = bundle_hash(source.as_bytes());
    match dice.below(8) {
        0..=2 => (by, offered(of, source)),
        3 => (by, offered(of, "name: [".to_owned())),
        4 => {
            let baseline = dice.pick(&BASELINES);
            let hash = bundle_hash(baseline.as_bytes());
            let environment = dice.pick(&["*", "prod"]);
            let offer = once_in(dice, 2);
            (operator(), if offer { offered("-", baseline.to_owned()) } else { activated("-", environment, hash) })
        }
        _ => (by, activated(of, dice.pick(&["prod", "test", "test"]), hash)),
    }
}

/// Keys of nodes: two at a time that are endorsed and retired, each signed by the root, or by somebody else.
pub fn keys(world: &World, dice: &mut Dice) -> (Caller, CommandBody) {
    let number = (world.sent.len() / 300) as u64 * 2 + dice.below(2);
    let public = SecretKey::from_seed(&[10 + number as u8; 32]).public();
    let (role, node) = (KeyRole::Cosigner, NodeId(10 + number));
    let signer = if once_in(dice, 6) { SecretKey::from_seed(&[9; 32]) } else { root_key() };
    let grant = Grant { role, node: Some(node), from_size: TreeSize(1), to_size: None };
    let endorsed = endorse(&origin(), &signer, public, grant).unwrap();
    if once_in(dice, 2) {
        return (operator(), CommandBody::EndorseKey(Box::new(endorsed)));
    }
    let to_size = TreeSize(1 + world.leaves.len() as u64);
    let retired = retire(&origin(), &signer, role, &endorsed.key_name, public, to_size);
    (operator(), CommandBody::RetireKey(Box::new(retired)))
}

/// Seals, cosignatures and anchors, in whatever order they come.
pub fn spans(world: &World, dice: &mut Dice) -> (Caller, CommandBody) {
    let reason = dice.pick(&[SealReason::Count, SealReason::Time, SealReason::Idle, SealReason::Manual]);
    let body = match dice.below(8) {
        0 | 1 => world.seal(),
        2 => CommandBody::Seal { reason, expected_start: TreeSize(dice.below(9)) },
        3 | 4 => world.cosigned(),
        5 | 6 => world.anchored(),
        _ => CommandBody::Tick,
    };
    (node(), body)
}
