//! Step 2 and 3: the kill switch, the tenant, and who asks.

use super::Asked;
use crate::decide::{Context, killed, settings};
use crate::reason::ReasonCode;
use crate::refusal::Refusal;
use crate::state::{Record, StateKey, StateRead};

/// Whether the tenant is disabled or a kill switch engaged. The tenant must exist: without its record the entry would have no place
/// in the tenant map.
pub(in crate::decide) fn tenant<S: StateRead>(
    ctx: &Context<'_, S>,
    asked: &Asked<'_>,
) -> Result<Option<ReasonCode>, Refusal> {
    match ctx.state.get(&StateKey::Tenant(asked.caller.tenant.clone())).as_deref() {
        Some(Record::Tenant(record)) if record.disabled => Ok(Some(ReasonCode::TenantDisabled)),
        Some(Record::Tenant(_)) => {
            let chain = asked.evaluate.context.on_behalf_of.iter().map(String::as_str);
            let subjects = asked.subject().into_iter().chain(chain);
            Ok(killed(ctx.state, &asked.caller.tenant, subjects, Some(&asked.evaluate.tool)))
        }
        _ => Err(Refusal::TenantUnknown),
    }
}

/// Whose call it is: the credential's subject, or the one that a tenant-wide credential states; registered and enabled.
pub(in crate::decide) fn subject<'a, S: StateRead>(
    ctx: &Context<'_, S>,
    asked: &Asked<'a>,
) -> Result<&'a str, ReasonCode> {
    let subject = match (asked.caller.subject.as_deref(), asked.evaluate.subject.as_deref()) {
        (Some(own), Some(asserted)) if own != asserted => return Err(ReasonCode::SubjectMismatch),
        // A tenant that asks for proof does not take a credential's word for who acts.
        (None, Some(_)) if settings(ctx.state, &asked.caller.tenant).require_attested => {
            return Err(ReasonCode::SubjectMismatch);
        }
        (Some(subject), _) | (None, Some(subject)) => subject,
        (None, None) => return Err(ReasonCode::PrincipalUnknown),
    };
    match ctx.state.get(&StateKey::Principal(asked.caller.tenant.clone(), subject.to_owned())).as_deref() {
        Some(Record::Principal(principal)) if principal.disabled => Err(ReasonCode::PrincipalDisabled),
        Some(Record::Principal(_)) => Ok(subject),
        _ => Err(ReasonCode::PrincipalUnknown),
    }
}
