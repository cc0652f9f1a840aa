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
    TenantDisabled = 110, "TENANT_DISABLED", "the tenant is disabled";
    SubjectMismatch = 120, "SUBJECT_MISMATCH", "the asserted subject is not the subject of the credential";
    PrincipalUnknown = 121, "PRINCIPAL_UNKNOWN", "no principal is registered under this subject";
    PrincipalDisabled = 122, "PRINCIPAL_DISABLED", "the principal is disabled";
    RunNotOwned = 130, "RUN_NOT_OWNED", "the run belongs to another subject";
    RunClosed = 131, "RUN_CLOSED", "the run is closed";
    NoActiveBundle = 140, "NO_ACTIVE_BUNDLE", "no policy bundle is active for this tenant and environment";
    UnknownTool = 150, "UNKNOWN_TOOL", "the active bundle does not declare this tool";
    InputsNotJson = 160, "INPUTS_NOT_JSON", "the inputs are not one strict JSON object";
    ArgumentsInvalid = 161, "ARGUMENTS_INVALID", "the arguments do not fit the tool's declared inputs";
    CapabilityMissing = 200, "CAPABILITY_MISSING", "no capability of the subject covers the tool's class and actions";
    CapabilityConstraint = 201, "CAPABILITY_CONSTRAINT", "the call lies outside the constraints of the subject's capability";
    ContractViolated = 300, "CONTRACT_VIOLATED", "a hard contract rule does not hold";
    RuleDenied = 310, "RULE_DENIED", "a policy rule denies the call";
    NoMatchingRule = 320, "NO_MATCHING_RULE", "no policy rule matches the call, or nothing in the bundle allows it";
    PolicyError = 330, "POLICY_ERROR", "the policy could not be evaluated";
    AllowedRulesPassed = 900, "ALLOWED_RULES_PASSED", "everything that was asked agreed";
    AllowlistMatch = 901, "ALLOWLIST_MATCH", "a policy rule allows the call";
    ContractSatisfied = 902, "CONTRACT_SATISFIED", "every matching hard contract rule holds";
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
        }
        assert_eq!(ReasonCode::from_number(0), None);
    }

    #[test]
    fn numbers_are_frozen() {
        let frozen =
            [100, 110, 120, 121, 122, 130, 131, 140, 150, 160, 161, 200, 201, 300, 310, 320, 330, 900, 901, 902];
        assert!(ReasonCode::ALL.iter().map(|c| c.number()).eq(frozen));
    }
}
