//! Whether a lease covers a call, now: the bundle's capability and every link of the lease must.

use assent_ledger::ids::{TenantId, Time};

use crate::bundle::{Call, CompiledBundle, Constraints, Tool, Work};
use crate::decide::run_commands::of_subject;
use crate::decide::{Context, killed};
use crate::limits::CHAIN_MAX;
use crate::reason::ReasonCode;
use crate::state::keys::{LeaseConstraints, LeaseIndexRecord, LeaseRecord};
use crate::state::{Record, StateKey, StateRead};
use crate::value::Object;

/// On what a call rests besides the subject's standing capabilities. The default rests on nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::decide) struct Cover {
    /// The lease from which the call is taken.
    pub(in crate::decide) lease: Option<String>,
    /// Whether it satisfies a capability that needs a lease.
    pub(in crate::decide) leased: bool,
    /// Whose capability in the bundle has to cover the call, when it is not the subject's own.
    pub(in crate::decide) authority: Option<String>,
}

/// A call in its run.
pub(in crate::decide) struct Covered<'a> {
    /// The tenant.
    pub(in crate::decide) tenant: &'a TenantId,
    /// The environment.
    pub(in crate::decide) environment: &'a str,
    /// The run.
    pub(in crate::decide) run_id: &'a str,
    /// Who calls.
    pub(in crate::decide) subject: &'a str,
    /// On whose behalf, from the nearest to the origin.
    pub(in crate::decide) chain: &'a [String],
    /// The tool.
    pub(in crate::decide) tool: &'a Tool,
    /// The arguments.
    pub(in crate::decide) args: &'a Object,
    /// Whether strangers' instructions may be behind it: its run or what it brings is tainted by an untrusted source.
    pub(in crate::decide) tainted: bool,
}

/// The lease that covers a call, if it needs one. A call on nobody's behalf needs one when no standing capability covers it; a call on
/// somebody's behalf always does.
///
/// # Errors
///
/// What is lacking: no such delegation (124), no capability (200, 201), no lease (202), or why the last one that was about this call did not cover it.
pub(in crate::decide) fn cover<S: StateRead>(
    ctx: &Context<'_, S>,
    bundle: &CompiledBundle,
    call: &Covered<'_>,
    work: &Work,
) -> Result<Cover, ReasonCode> {
    let delegated = !call.chain.is_empty();
    if call.chain.len() > bundle.leases().delegation_depth() {
        return Err(ReasonCode::DelegationTooDeep);
    }
    if !delegated {
        let own = Call { subject: call.subject, tool: call.tool, args: call.args };
        match bundle.covering(&own, work) {
            Ok(view) if view.lease().is_some() => {}
            // What stands needs no lease, and what is lacking no lease can give.
            Ok(_) => return Ok(Cover::default()),
            Err(code) => return Err(code),
        }
    }
    let place = LeaseIndexRecord::text(call.subject, call.chain);
    let index = ctx.state.get(&StateKey::LeaseIndex(call.tenant.clone(), place));
    let ids = match index.as_deref() {
        Some(Record::LeaseIndex(index)) => index.leases.as_slice(),
        _ => &[],
    };
    let mut lacking = if delegated { ReasonCode::DelegationInvalid } else { ReasonCode::LeaseRequired };
    for id in ids {
        let Some(known) = lease(ctx, call.tenant, id).filter(|known| is_about(known, call)) else { continue };
        match links(ctx, call.tenant, &known).and_then(|links| admits(bundle, call, (&known, &links), work)) {
            // What could not have been granted now is not used now either.
            Ok(_) if call.tainted && is_risky(bundle, call.tool) => lacking = ReasonCode::LeaseTainted,
            Ok(leased) => {
                let authority = delegated.then(|| known.authority().to_owned());
                return Ok(Cover { lease: Some(id.clone()), leased, authority });
            }
            Err(code) => lacking = code,
        }
    }
    Err(lacking)
}

/// Whether strangers' instructions must not get hold of it: a program or a change of data, and whatever the bundle calls a high risk.
pub(super) fn is_risky(bundle: &CompiledBundle, tool: &Tool) -> bool {
    let changes = bundle.leases().is_risky(tool.class()) && tool.category() != Some("read");
    changes || matches!(tool.risk_tier(), Some("high" | "critical"))
}

/// Whether a lease is about this call at all, whatever has become of it.
fn is_about(lease: &LeaseRecord, call: &Covered<'_>) -> bool {
    lease.chain == call.chain
        && lease.environment == call.environment
        && lease.run_id.as_deref().is_none_or(|run| run == call.run_id)
        && lease.covers(call.tool.class(), call.tool.actions())
}

/// The lease and all that it was passed on from, each alive, with everybody in between free to act. The first is the lease itself.
pub(super) fn links<S: StateRead>(
    ctx: &Context<'_, S>,
    tenant: &TenantId,
    first: &LeaseRecord,
) -> Result<Vec<LeaseRecord>, ReasonCode> {
    let behind = first.chain.iter().map(String::as_str);
    if let Some(code) = killed(ctx.state, tenant, behind.clone(), None) {
        return Err(code);
    }
    for subject in behind {
        match ctx.state.get(&StateKey::Principal(tenant.clone(), subject.to_owned())).as_deref() {
            Some(Record::Principal(known)) if !known.disabled && !quarantined(ctx, tenant, subject) => {}
            _ => return Err(ReasonCode::DelegationInvalid),
        }
    }
    let mut links = Vec::new();
    let mut next = Some(first.clone());
    while let Some(link) = next.take() {
        alive(ctx, tenant, &link)?;
        if links.len() > CHAIN_MAX {
            return Err(ReasonCode::DelegationTooDeep);
        }
        if let Some(parent) = &link.parent {
            // A link that is gone has come to its end.
            next = Some(lease(ctx, tenant, parent).ok_or(ReasonCode::LeaseExpired)?);
        }
        links.push(link);
    }
    Ok(links)
}

/// Whether the arguments satisfy every link, and the origin's capability covers the call now. Answers whether a lease was granted at
/// the origin: only then it stands in where the bundle asks for one.
fn admits(
    bundle: &CompiledBundle,
    call: &Covered<'_>,
    (lease, links): (&LeaseRecord, &[LeaseRecord]),
    work: &Work,
) -> Result<bool, ReasonCode> {
    let granted = links.last().is_some_and(|root| root.chain.is_empty());
    for link in links {
        if !link.covers(call.tool.class(), call.tool.actions()) || !satisfied(&link.constraints, call.args, work) {
            return Err(ReasonCode::CapabilityConstraint);
        }
    }
    let of_origin = Call { subject: lease.authority(), tool: call.tool, args: call.args };
    let needs = bundle.covering(&of_origin, work)?.lease();
    if needs.is_some() && !granted {
        return Err(ReasonCode::LeaseRequired);
    }
    Ok(granted)
}

fn satisfied(constraints: &LeaseConstraints, args: &Object, work: &Work) -> bool {
    match constraints {
        LeaseConstraints::None => true,
        LeaseConstraints::Json(json) => {
            Constraints::read_json(json, work).is_ok_and(|constraints| constraints.hold(args, work))
        }
        LeaseConstraints::Unknown => false,
    }
}

/// Whether a run of the subject is quarantined, and with it all of them.
pub(in crate::decide) fn quarantined<S: StateRead>(ctx: &Context<'_, S>, tenant: &TenantId, subject: &str) -> bool {
    of_subject(ctx.state, tenant, subject).is_quarantined()
}

/// Whether a lease is worth anything now, by itself. It dies with whoever holds it or, where no lease of its own stands behind it,
/// has passed it on.
pub(super) fn alive<S: StateRead>(
    ctx: &Context<'_, S>,
    tenant: &TenantId,
    lease: &LeaseRecord,
) -> Result<(), ReasonCode> {
    let giver = lease.chain.first().filter(|_| lease.parent.is_none());
    let mut people = core::iter::once(&lease.holder).chain(giver);
    if lease.revoked || people.any(|subject| of_subject(ctx.state, tenant, subject).void_before > lease.granted) {
        return Err(ReasonCode::LeaseRevoked);
    }
    if lease.expires <= ctx.now {
        return Err(ReasonCode::LeaseExpired);
    }
    if lease.calls_left == 0 { Err(ReasonCode::LeaseExhausted) } else { Ok(()) }
}

/// Until when a lease and all that it was passed on from can hold at most: what is allowed by it ends then. `now` when a link is gone.
pub(in crate::decide) fn until<S: StateRead>(ctx: &Context<'_, S>, tenant: &TenantId, id: &str) -> Time {
    let (mut end, mut next) = (Time::MAX, Some(id.to_owned()));
    for _ in 0..=CHAIN_MAX {
        let Some(id) = next.take() else { break };
        let Some(link) = lease(ctx, tenant, &id) else { return ctx.now };
        (end, next) = (end.min(link.expires), link.parent);
    }
    end
}

/// The lease of an id.
pub(super) fn lease<S: StateRead>(ctx: &Context<'_, S>, tenant: &TenantId, id: &str) -> Option<LeaseRecord> {
    match ctx.state.get(&StateKey::Lease(tenant.clone(), id.to_owned())).as_deref() {
        Some(Record::Lease(known)) => Some(known.clone()),
        _ => None,
    }
}
