//! The numbered reasons of a decision. Numbers are append-only; the smaller the number, the higher the precedence.

use core::fmt;

macro_rules! reason_codes {
    ($($variant:ident = $number:literal, $name:literal, $text:literal;)*) => {
        /// Why a call was denied or allowed. Ordered by precedence: the first code of a decision is its main reason.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum ReasonCode {
            $(#[doc = $text] $variant = $number,)*
        }

        impl ReasonCode {
            /// Every code, by ascending number.
            pub const ALL: &'static [ReasonCode] = &[$(ReasonCode::$variant),*];

            /// The code's number, as stored.
            pub const fn number(self) -> u16 {
                self as u16
            }

            /// The code with this number, if there is one.
            pub const fn from_number(number: u16) -> Option<ReasonCode> {
                match number {
                    $($number => Some(ReasonCode::$variant),)*
                    _ => None,
                }
            }

            /// The code's name, in capitals.
            pub const fn name(self) -> &'static str {
                match self {
                    $(ReasonCode::$variant => $name,)*
                }
            }

            /// One line saying what the code means.
            pub const fn description(self) -> &'static str {
                match self {
                    $(ReasonCode::$variant => $text,)*
                }
            }
        }
    };
}

reason_codes! {
    KernelFault = 100, "KERNEL_FAULT", "the kernel failed on this call and denied it without changing any state";
    EffectRepeated = 105, "EFFECT_REPEATED", "an effect with this idempotency key was allowed already";
    TenantDisabled = 110, "TENANT_DISABLED", "the tenant is disabled";
    KillSwitchTenant = 111, "KILL_SWITCH_TENANT", "the kill switch of the tenant is on";
    KillSwitchAgent = 112, "KILL_SWITCH_AGENT", "the kill switch of this agent is on";
    KillSwitchTool = 113, "KILL_SWITCH_TOOL", "the kill switch of this tool is on";
    SubjectMismatch = 120, "SUBJECT_MISMATCH", "the asserted subject is not the subject of the credential";
    PrincipalUnknown = 121, "PRINCIPAL_UNKNOWN", "no principal is registered under this subject";
    PrincipalDisabled = 122, "PRINCIPAL_DISABLED", "the principal is disabled";
    EnvelopeMismatch = 123, "ENVELOPE_MISMATCH", "a category, risk tier or bundle hash that the caller claims is wrong";
    DelegationInvalid = 124, "DELEGATION_INVALID", "the delegation does not exist or does not lead to the caller";
    RunNotOwned = 130, "RUN_NOT_OWNED", "the run belongs to another subject";
    RunClosed = 131, "RUN_CLOSED", "the run is closed";
    RunQuarantined = 132, "RUN_QUARANTINED", "the run is quarantined and the tool is not safe in quarantine";
    RunRestricted = 133, "RUN_RESTRICTED", "the run is restricted to reading and the call does more than read";
    NoActiveBundle = 140, "NO_ACTIVE_BUNDLE", "no policy bundle is active for this tenant and environment";
    UnknownTool = 150, "UNKNOWN_TOOL", "the active bundle does not declare this tool";
    ToolPinMismatch = 151, "TOOL_PIN_MISMATCH", "the tool's declaration is not the one that the bundle pins";
    InputsNotJson = 160, "INPUTS_NOT_JSON", "the inputs are not one strict JSON object";
    ArgumentsInvalid = 161, "ARGUMENTS_INVALID", "the arguments do not fit the tool's declared inputs";
    DecisionUnknown = 170, "DECISION_UNKNOWN", "no decision with this id can be redeemed";
    AlreadyRedeemed = 171, "ALREADY_REDEEMED", "the decision was redeemed already, a decision is redeemed once";
    TokenExpired = 172, "TOKEN_EXPIRED", "the decision's token has expired";
    RequestMismatch = 173, "REQUEST_MISMATCH", "what is to be executed is not the request that was decided";
    AudienceMismatch = 174, "AUDIENCE_MISMATCH", "the token was issued for another enforcement point";
    TokenVoid = 175, "TOKEN_VOID", "a run mode, a revocation or a kill switch has voided the token since it was issued";
    MessageExpired = 180, "MESSAGE_EXPIRED", "the message has expired";
    NonceReplayed = 181, "NONCE_REPLAYED", "a message with this nonce was already received";
    SignatureInvalid = 182, "SIGNATURE_INVALID", "the signature does not verify under the sender's registered key";
    RecipientUnknown = 183, "RECIPIENT_UNKNOWN", "the recipient is not a registered principal";
    ProtocolUnsupported = 184, "PROTOCOL_UNSUPPORTED", "the message is of a protocol or version that is not supported";
    ApprovalUnknown = 190, "APPROVAL_UNKNOWN", "no approval with this id exists";
    ApprovalExpired = 191, "APPROVAL_EXPIRED", "the approval expired before it was resolved or used";
    ApprovalVoid = 192, "APPROVAL_VOID", "the request, the policy or the run has changed since the approval was asked for";
    ApprovalConsumed = 193, "APPROVAL_CONSUMED", "the approval was used already, an approval is used once";
    SeparationOfDuties = 194, "SEPARATION_OF_DUTIES", "the approver took part in the request or owns the agent that made it";
    ApproverNotPermitted = 195, "APPROVER_NOT_PERMITTED", "the approver does not hold the role that this approval needs";
    ConditionUnknown = 196, "CONDITION_UNKNOWN", "the approval carries a condition that cannot be enforced";
    ApprovalDenied = 197, "APPROVAL_DENIED", "an approver denied the request";
    CapabilityMissing = 200, "CAPABILITY_MISSING", "no capability of the subject covers the tool's class and actions";
    CapabilityConstraint = 201, "CAPABILITY_CONSTRAINT", "the call lies outside the constraints of the subject's capability";
    LeaseRequired = 202, "LEASE_REQUIRED", "the capability needs a lease and the subject holds none";
    LeaseExpired = 203, "LEASE_EXPIRED", "the lease has expired";
    LeaseExhausted = 204, "LEASE_EXHAUSTED", "the lease has no calls left";
    LeaseRevoked = 205, "LEASE_REVOKED", "the lease was revoked";
    LeaseTainted = 206, "LEASE_TAINTED", "the run is tainted by an untrusted source and the class is too risky for a lease";
    CapabilityNotGrantable = 207, "CAPABILITY_NOT_GRANTABLE", "the bundle gives the subject no capability that covers the lease";
    DelegationTooDeep = 208, "DELEGATION_TOO_DEEP", "the chain of delegations is longer than allowed";
    RateExceeded = 210, "RATE_EXCEEDED", "the rate of calls is above its limit";
    BudgetExceeded = 220, "BUDGET_EXCEEDED", "the call would exceed a budget of the policy";
    CallerBudgetExceeded = 221, "CALLER_BUDGET_EXCEEDED", "the call would exceed a budget that the caller set for itself";
    ContractViolated = 300, "CONTRACT_VIOLATED", "a hard contract rule does not hold";
    ContractRatioLow = 301, "CONTRACT_RATIO_LOW", "the share of contract predicates that hold is below a soft rule's threshold";
    BaselineDenied = 305, "BASELINE_DENIED", "the operator's baseline denies the call";
    RuleDenied = 310, "RULE_DENIED", "a policy rule denies the call";
    RegoDenied = 315, "REGO_DENIED", "the Rego policy denies the call";
    RegoUndefined = 316, "REGO_UNDEFINED", "the Rego policy gives no decision for the call";
    NoMatchingRule = 320, "NO_MATCHING_RULE", "no policy rule matches the call, or nothing in the bundle allows it";
    PolicyError = 330, "POLICY_ERROR", "the policy could not be evaluated";
    PolicyBudget = 331, "POLICY_BUDGET", "the policy took more than a call or its tenant may, or the run has no room for what it would count";
    ComputeConflict = 335, "COMPUTE_CONFLICT", "two parts of the policy replace the call by different ones";
    ComputeRejected = 336, "COMPUTE_REJECTED", "the replacement of the call is not allowed itself";
    BehaviourSequence = 400, "BEHAVIOUR_SEQUENCE", "the call would complete a forbidden sequence of actions";
    BehaviourLoop = 401, "BEHAVIOUR_LOOP", "the same call was repeated too often";
    BehaviourDepth = 402, "BEHAVIOUR_DEPTH", "calls are nested too deeply";
    BehaviourFanOut = 403, "BEHAVIOUR_FAN_OUT", "too many calls came from one call";
    BehaviourCascade = 404, "BEHAVIOUR_CASCADE", "too many agents set each other to work";
    BehaviourParent = 405, "BEHAVIOUR_PARENT", "the call names a parent that is not being carried out in its run";
    ObligationUnsupported = 500, "OBLIGATION_UNSUPPORTED", "the enforcement point cannot fulfil a required obligation";
    MemoryAcl = 600, "MEMORY_ACL", "the memory's access list does not admit the subject";
    MemoryQuarantined = 601, "MEMORY_QUARANTINED", "the memory is quarantined";
    MemoryExpired = 602, "MEMORY_EXPIRED", "the memory has expired";
    MemoryUnknown = 603, "MEMORY_UNKNOWN", "no memory is held under this key";
    MemoryTainted = 604, "MEMORY_TAINTED", "the memory carries a taint that this use does not admit";
    MemoryClassification = 605, "MEMORY_CLASSIFICATION", "the memory is classified above what this use admits";
    ApprovalRequired = 800, "APPROVAL_REQUIRED", "a person has to approve the call first";
    ApprovalRequiredBySignal = 801, "APPROVAL_REQUIRED_BY_SIGNAL", "at the reported signals' level a person has to approve the call";
    ApprovalRequiredByBaseline = 802, "APPROVAL_REQUIRED_BY_BASELINE", "the operator's baseline asks for a person's approval";
    ArgumentsReplaced = 850, "ARGUMENTS_REPLACED", "the policy replaces arguments of the call";
    ToolReplaced = 851, "TOOL_REPLACED", "the policy replaces the tool of the call";
    AllowedRulesPassed = 900, "ALLOWED_RULES_PASSED", "everything that was asked agreed";
    AllowlistMatch = 901, "ALLOWLIST_MATCH", "a policy rule allows the call";
    ContractSatisfied = 902, "CONTRACT_SATISFIED", "every matching hard contract rule holds";
    BudgetOk = 903, "BUDGET_OK", "the call is within its budgets";
    RegoAllowed = 904, "REGO_ALLOWED", "the Rego policy allows the call";
    Approved = 905, "APPROVED", "an approval that the policy asks for was given";
    LeaseValid = 906, "LEASE_VALID", "a valid lease covers the call";
    Redeemed = 907, "REDEEMED", "the decision was redeemed";
    MemoryAllowed = 908, "MEMORY_ALLOWED", "the memory access is allowed";
    MessageAccepted = 909, "MESSAGE_ACCEPTED", "the message was verified and recorded";
    CapabilityGranted = 910, "CAPABILITY_GRANTED", "the capability was granted as a lease";
}

impl ReasonCode {
    /// Whether the code stands for an allow (numbers from 900).
    pub const fn is_allow(self) -> bool {
        self.number() >= 900
    }

    /// Whether the code is a structural refusal (numbers below 300): final, and never a matter of policy votes.
    pub const fn is_structural(self) -> bool {
        self.number() < 300
    }

    /// Whether a denial for this reason is a strike against its run: what was tried lacked a capability, or was forbidden by policy, for
    /// its behaviour, or by the memory firewall. That something is used up, gone or broken says nothing about who asks.
    pub const fn is_strike(self) -> bool {
        (matches!(self.number(), 200..=209 | 300..=499) && !matches!(self, ReasonCode::PolicyBudget))
            || matches!(self, ReasonCode::MemoryAcl | ReasonCode::MemoryTainted | ReasonCode::MemoryClassification)
    }

    /// Whether the code stands for an approval that is still missing (numbers from 800 to 849).
    pub const fn is_escalate(self) -> bool {
        matches!(self.number(), 800..=849)
    }

    /// Whether the code stands for a replaced call (numbers from 850 to 899).
    pub const fn is_compute(self) -> bool {
        matches!(self.number(), 850..=899)
    }

    /// Whether the code stands for a deny: structural, or by policy (numbers below 800).
    pub const fn is_deny(self) -> bool {
        self.number() < 800
    }

    /// The code with this name, if there is one.
    pub fn from_name(name: &str) -> Option<ReasonCode> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ascend_and_round_trip() {
        assert!(ReasonCode::ALL.is_sorted_by(|a, b| a.number() < b.number()));
        for code in ReasonCode::ALL {
            assert_eq!(ReasonCode::from_number(code.number()), Some(*code));
            assert_eq!(ReasonCode::from_name(code.name()), Some(*code));
            assert!(!code.description().is_empty() && !code.description().ends_with('.'));
            let kinds = [code.is_deny(), code.is_escalate(), code.is_compute(), code.is_allow()];
            assert_eq!(kinds.into_iter().filter(|is| *is).count(), 1, "{code} is of exactly one kind");
        }
        assert_eq!(ReasonCode::from_number(0), None);
    }

    #[test]
    fn numbers_are_frozen() {
        let frozen = [
            100, 105, 110, 111, 112, 113, 120, 121, 122, 123, 124, 130, 131, 132, 133, 140, 150, 151, 160, 161, 170,
            171, 172, 173, 174, 175, 180, 181, 182, 183, 184, 190, 191, 192, 193, 194, 195, 196, 197, 200, 201, 202,
            203, 204, 205, 206, 207, 208, 210, 220, 221, 300, 301, 305, 310, 315, 316, 320, 330, 331, 335, 336, 400,
            401, 402, 403, 404, 405, 500, 600, 601, 602, 603, 604, 605, 800, 801, 802, 850, 851, 900, 901, 902, 903,
            904, 905, 906, 907, 908, 909, 910,
        ];
        assert!(ReasonCode::ALL.iter().map(|c| c.number()).eq(frozen));
    }
}
