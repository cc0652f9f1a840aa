//! Refusals: a command that leaves no trace. Numbers and names are stable; each text ends by saying that nothing was recorded.

use assent_ledger::ids::{Seq, TreeSize};

use crate::command::Role;

macro_rules! refusals {
    ($($(#[$doc:meta])* $variant:ident $({ $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })? = $number:literal, $name:literal, $text:literal;)*) => {
        /// Why nothing was recorded.
        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
        pub enum Refusal {
            $(
                $(#[$doc])*
                #[error($text)]
                $variant $({ $($(#[$field_doc])* $field: $type),* })?,
            )*
        }

        impl Refusal {
            /// The stable number.
            pub const fn number(&self) -> u16 {
                match self {
                    $(Refusal::$variant { .. } => $number,)*
                }
            }

            /// The stable name, in capitals.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Refusal::$variant { .. } => $name,)*
                }
            }

            /// Every number and name, ascending.
            pub const ALL: &'static [(u16, &'static str)] = &[$(($number, $name)),*];
        }
    };
}

refusals! {
    /// There is no ledger yet.
    NotCreated = 1, "NOT_CREATED", "the ledger was not created yet; bootstrap it first; nothing was recorded";
    /// There is a ledger already.
    AlreadyCreated = 2, "ALREADY_CREATED", "the ledger was created already; nothing was recorded";
    /// The genesis is for another ledger than this node's.
    OtherOrigin = 3, "OTHER_ORIGIN", "the genesis names another ledger than this node is configured for; nothing was recorded";
    /// The genesis asks for another kernel.
    OtherKernel {
        /// The version that this kernel has.
        version: u32,
    } = 4, "OTHER_KERNEL", "the genesis must name kernel version {version}; nothing was recorded";
    /// A field does not have its shape.
    Malformed {
        /// The field.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    } = 10, "MALFORMED", "{field} must be {expected}; nothing was recorded";
    /// The stamp's time cannot be written.
    TimeOutOfRange = 11, "TIME_OUT_OF_RANGE", "the stamp lies after the year 9999; check the leader's clock; nothing was recorded";
    /// A leaf would be longer than a leaf may be, or cannot be written.
    LeafTooLarge = 12, "LEAF_TOO_LARGE", "the entry does not fit into a leaf; ask for less at once; nothing was recorded";
    /// The kernel failed.
    KernelFault = 13, "KERNEL_FAULT", "the kernel failed on this command; report it; nothing was recorded";
    /// Everything is as the command asks already.
    Unchanged = 14, "UNCHANGED", "everything is as asked already; nothing was recorded";
    /// Not every member of the cluster is known to support the kernel's version.
    MembersBehind {
        /// The version that was to be activated.
        version: u32,
    } = 15, "MEMBERS_BEHIND", "not every member supports kernel version {version}; upgrade all nodes first; nothing was recorded";
    /// The same request id came with another content.
    RequestIdReused = 20, "REQUEST_ID_REUSED", "this request id was used for another request; draw a new id; nothing was recorded";
    /// The request id is older than what is remembered.
    RequestIdTooOld = 21, "REQUEST_ID_TOO_OLD", "this request id is older than what is remembered; draw a new id; nothing was recorded";
    /// The request id lies too far in the future.
    RequestIdInFuture = 22, "REQUEST_ID_IN_FUTURE", "this request id lies in the future; check the caller's clock; nothing was recorded";
    /// The role may not do this.
    RoleNotPermitted {
        /// The caller's role.
        role: Role,
        /// The command.
        command: &'static str,
    } = 30, "ROLE_NOT_PERMITTED", "role {role} may not {command}; nothing was recorded";
    /// The caller belongs to another tenant.
    OtherTenant = 31, "OTHER_TENANT", "the credential belongs to another tenant; nothing was recorded";
    /// The caller's credential is not (or no longer) what it was taken for.
    CredentialNotValid = 32, "CREDENTIAL_NOT_VALID", "the credential is unknown, revoked or changed; authenticate again; nothing was recorded";
    /// Neither the credential nor the command names a subject.
    SubjectMissing = 33, "SUBJECT_MISSING", "a tenant-wide credential must name the subject; nothing was recorded";
    /// The command names another subject than the credential.
    SubjectMismatch = 34, "SUBJECT_MISMATCH", "the credential belongs to another subject; nothing was recorded";
    /// No such tenant.
    TenantUnknown = 40, "TENANT_UNKNOWN", "no such tenant; nothing was recorded";
    /// The tenant exists.
    TenantExists = 41, "TENANT_EXISTS", "the tenant exists already; nothing was recorded";
    /// The tenant is disabled.
    TenantDisabled = 42, "TENANT_DISABLED", "the tenant is disabled; nothing was recorded";
    /// No such principal.
    PrincipalUnknown = 43, "PRINCIPAL_UNKNOWN", "no such principal; register it first; nothing was recorded";
    /// The principal exists.
    PrincipalExists = 44, "PRINCIPAL_EXISTS", "the principal is registered already; nothing was recorded";
    /// The principal is disabled.
    PrincipalDisabled = 45, "PRINCIPAL_DISABLED", "the principal is disabled; nothing was recorded";
    /// No such credential.
    CredentialUnknown = 46, "CREDENTIAL_UNKNOWN", "no such credential; nothing was recorded";
    /// The name or the token is taken.
    CredentialExists = 47, "CREDENTIAL_EXISTS", "a credential with this name or token exists already; choose a new name and draw a new token; nothing was recorded";
    /// The credential was revoked before.
    CredentialRevoked = 48, "CREDENTIAL_REVOKED", "the credential is revoked already; nothing was recorded";
    /// The role does not fit the tenant.
    RoleNotOfTenant {
        /// The role that was to be given.
        role: Role,
    } = 49, "ROLE_NOT_OF_TENANT", "role {role} cannot be given in this tenant; nothing was recorded";
    /// The bundle does not compile.
    BundleInvalid {
        /// How many errors there are.
        total: usize,
        /// The first of them, one a line.
        shown: String,
    } = 50, "BUNDLE_INVALID", "the bundle has {total} errors:\n{shown}\ncorrect them and offer it again; nothing was recorded";
    /// The bundle was offered before.
    BundleExists = 51, "BUNDLE_EXISTS", "this bundle was offered to this tenant already; nothing was recorded";
    /// The bundle was not offered to this tenant.
    BundleNotOffered = 52, "BUNDLE_NOT_OFFERED", "this bundle was not offered to this tenant; offer it first; nothing was recorded";
    /// The bundle is active.
    BundleActive = 53, "BUNDLE_ACTIVE", "this bundle is active in this environment already; nothing was recorded";
    /// The tenant has bundles in as many environments as it may.
    TooManyEnvironments {
        /// The limit.
        max: usize,
    } = 54, "TOO_MANY_ENVIRONMENTS", "the tenant has bundles in its limit of {max} environments; use one of those; nothing was recorded";
    /// The run exists.
    RunExists = 60, "RUN_EXISTS", "the run exists already; nothing was recorded";
    /// No such run.
    RunUnknown = 61, "RUN_UNKNOWN", "no such run; nothing was recorded";
    /// The run belongs to another subject.
    RunNotOwned = 62, "RUN_NOT_OWNED", "the run belongs to another subject; nothing was recorded";
    /// The run is closed.
    RunClosed = 63, "RUN_CLOSED", "the run is closed already; nothing was recorded";
    /// No such lease.
    LeaseUnknown = 64, "LEASE_UNKNOWN", "no such lease, or it came to its end; nothing was recorded";
    /// The lease is another subject's.
    LeaseNotOwned = 65, "LEASE_NOT_OWNED", "only who holds a lease or passed it on may revoke it; nothing was recorded";
    /// The lease was revoked before.
    LeaseRevoked = 66, "LEASE_REVOKED", "the lease is revoked already; nothing was recorded";
    /// No such approval.
    ApprovalUnknown = 67, "APPROVAL_UNKNOWN", "no such approval, or it ended long ago; nothing was recorded";
    /// The run is quarantined.
    RunQuarantined = 68, "RUN_QUARANTINED", "the run is quarantined; release it first; nothing was recorded";
    /// Who asks may not be who decides.
    SeparationOfDuties = 69, "SEPARATION_OF_DUTIES", "nobody releases or reports on itself or an agent of its own; ask somebody else; nothing was recorded";
    /// The endorsement or retirement is not accepted.
    KeyRefused {
        /// Why.
        reason: String,
    } = 70, "KEY_REFUSED", "{reason}; nothing was recorded";
    /// The ledger has seen as many key events as it can hold.
    TooManyKeys {
        /// The limit.
        max: usize,
    } = 71, "TOO_MANY_KEYS", "the ledger holds its limit of {max} key events; nothing was recorded";
    /// The name of the agent's key is taken, perhaps by a key that has ended.
    AgentKeyExists = 72, "AGENT_KEY_EXISTS", "the subject has had a key of this name; choose a new name; nothing was recorded";
    /// The seal was proposed for another span than the open one.
    StaleSeal {
        /// Where the open span starts.
        span_start: Seq,
    } = 80, "STALE_SEAL", "the open span starts at {span_start}; nothing was recorded";
    /// The cosignatures are not for the last seal, or it was cosigned already.
    StaleCosigned {
        /// Size of the last sealed checkpoint.
        sealed: TreeSize,
    } = 81, "STALE_COSIGNED", "only size {sealed} can be cosigned, and only once; nothing was recorded";
    /// The anchor is not for the last cosigned checkpoint, or it was anchored already.
    StaleAnchored = 82, "STALE_ANCHORED", "only the last cosigned checkpoint can be anchored, and only once; nothing was recorded";
    /// The span holds as many entries as one may; it has to be sealed first.
    SpanFull = 83, "SPAN_FULL", "the open span is full; wait for the seal; nothing was recorded";
    /// The last seal is not cosigned yet.
    SealPending {
        /// Size of the last sealed checkpoint.
        sealed: TreeSize,
    } = 84, "SEAL_PENDING", "size {sealed} is being cosigned; seal again when it is; nothing was recorded";
    /// Nothing ends.
    NothingDue = 85, "NOTHING_DUE", "nothing has ended since the last tick; nothing was recorded";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ascend_and_texts_say_that_nothing_was_recorded() {
        assert!(Refusal::ALL.is_sorted_by(|a, b| a.0 < b.0));
        let refusal = Refusal::RoleNotPermitted { role: Role::Agent, command: "seal" };
        assert_eq!((refusal.number(), refusal.name()), (30, "ROLE_NOT_PERMITTED"));
        assert_eq!(refusal.to_string(), "role agent may not seal; nothing was recorded");
    }
}
