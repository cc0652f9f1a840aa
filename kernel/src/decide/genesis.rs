//! The creation of the ledger: parameters, root key, first keys and first operator, all or nothing.

use assent_ledger::endorse::Keyring;
use assent_ledger::ids::TenantId;

use super::{Context, ledger};
use crate::command::{Genesis, Role};
use crate::event::{CredentialRegistered, Event};
use crate::limits::KERNEL_VERSION;
use crate::refusal::Refusal;
use crate::state::StateRead;

/// Creates the ledger. The parameters and every endorsement must be signed by the root key, or nothing is created.
pub(super) fn create<S: StateRead>(ctx: &Context<'_, S>, genesis: &Genesis) -> Result<Vec<Event>, Refusal> {
    if ledger(ctx.state).is_some() {
        return Err(Refusal::AlreadyCreated);
    }
    let created = &genesis.created;
    if created.kernel_version != KERNEL_VERSION {
        return Err(Refusal::OtherKernel { version: KERNEL_VERSION });
    }
    let refused = |error: assent_ledger::endorse::KeyringError| Refusal::KeyRefused { reason: error.to_string() };
    let mut keyring = Keyring::new(created.origin.clone(), created.root_key);
    keyring.create(created.clone()).map_err(refused)?;
    let system = TenantId::system();
    let mut events = vec![ctx.event(&system, created.clone())];
    for endorsement in &genesis.endorsements {
        keyring.endorse(endorsement).map_err(refused)?;
        events.push(ctx.event(&system, endorsement.clone()));
    }
    let operator = CredentialRegistered {
        name: genesis.operator.clone(),
        role: Role::Operator,
        subject: None,
        token_hash: genesis.operator_token_hash,
    };
    events.push(ctx.event(&system, operator));
    Ok(events)
}
