//! What a scenario file says. Unknown keys are refused: a misspelt expectation would expect nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::expect::Expect;

mod steps;

pub use steps::*;

/// Why a scenario exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A case of the decision table.
    #[default]
    Case,
    /// Somebody tries what must not succeed.
    Attack,
    /// Somebody works; nothing of it may be blocked.
    Benign,
}

/// One scenario: a world, and what happens in it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name, unique among those that are run together.
    pub name: String,
    /// Why it exists.
    #[serde(default)]
    pub kind: Kind,
    /// What it shows, in a sentence.
    #[serde(default)]
    pub about: String,
    /// The bundle's file, relative to the scenario's.
    pub bundle: Option<PathBuf>,
    /// The bundle itself, instead of a file.
    pub bundle_text: Option<String>,
    /// The operator's baseline, if there is one.
    pub baseline_text: Option<String>,
    /// `enforce` or `observe` for the tenant; `enforce` when absent.
    pub tenant_mode: Option<String>,
    /// The environment; `prod` when absent.
    #[serde(default = "prod")]
    pub environment: String,
    /// Who acts. `agent-1` when absent.
    #[serde(default = "one_subject")]
    pub subjects: Vec<SubjectSpec>,
    /// How the same steps end where policy is only observed; such a variant is played, too.
    pub observe: Option<ObserveVariant>,
    /// How the same steps end where one rule is only tried; such a variant is played, too.
    pub shadow: Option<ShadowVariant>,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// Where the file lies; filled in by the loader.
    #[serde(skip)]
    pub path: PathBuf,
}

/// What observing makes of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObserveVariant {
    /// Everything that is decided is recorded as before, and nothing is enforced.
    Soft,
    /// What stops the call is not a matter of policy: it is enforced all the same.
    Same,
}

/// What trying a rule makes of a scenario's last step.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShadowVariant {
    /// The rule's id, as the bundle or the baseline writes it after `- id: ` or `- builtin: `.
    pub rule: String,
    /// What the rule would have decided, as the entry says.
    pub vote: String,
    /// The verdict without it.
    pub verdict: String,
    /// The reasons without it.
    pub codes: Vec<String>,
}

fn prod() -> String {
    "prod".to_owned()
}

fn one_subject() -> Vec<SubjectSpec> {
    vec![SubjectSpec { name: "agent-1".to_owned(), owner: None, role: None, wide: false }]
}

/// Somebody who acts in a scenario; each has a credential of its own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectSpec {
    /// The subject.
    pub name: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The credential's role; `agent` when absent.
    pub role: Option<String>,
    /// Whether the credential is the whole tenant's: it has no subject, calls state one. Nobody is registered under its name.
    #[serde(default)]
    pub wide: bool,
}

/// What a step says about who does it.
trait Acting {
    /// Its `as`.
    fn named(&self) -> Option<&str> {
        None
    }
}

impl Acting for Empty {}

impl Acting for Named {}

impl Acting for EvaluateStep {
    fn named(&self) -> Option<&str> {
        self.who.as_deref()
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident($type:ty) = $field:ident;)*) => {
        /// One step: exactly one action, a name for its answer, and what is expected of it.
        #[derive(Debug, Clone, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Step {
            $($(#[$doc])* $field: Option<$type>,)*
            /// The name under which later steps refer to the answer.
            pub save: Option<String>,
            /// How often the step is done; each time with a request of its own.
            pub times: Option<u32>,
            /// What has to come of it.
            #[serde(default)]
            pub expect: Expect,
            /// What has to come of it in the variant in which policy is only observed, when that does not follow from `observe`.
            pub in_observe: Option<Expect>,
        }

        /// What a step does.
        #[derive(Debug, Clone, Copy)]
        pub enum Action<'a> {
            $($(#[$doc])* $variant(&'a $type),)*
        }

        impl<'a> Action<'a> {
            /// Whose credential the step names, if it does.
            pub fn who(self) -> Option<&'a str> {
                match self { $(Action::$variant(step) => step.named(),)* }
            }
        }

        impl Step {
            /// The key of every action.
            #[cfg(test)]
            pub(super) const ACTIONS: &'static [&'static str] = &[$(stringify!($field)),*];

            /// The step's action; an error when it has none or several.
            pub fn action(&self) -> Result<Action<'_>, String> {
                let mut found = Vec::new();
                $(if let Some(action) = &self.$field { found.push((stringify!($field), Action::$variant(action))); })*
                match found.as_slice() {
                    [(_, action)] => Ok(*action),
                    [] => Err("a step needs an action, such as `evaluate`".to_owned()),
                    several => {
                        let names: Vec<_> = several.iter().map(|(name, _)| *name).collect();
                        Err(format!("a step has one action, this one has {}", names.join(" and ")))
                    }
                }
            }
        }
    };
}

actions! {
    /// Asks for a decision.
    Evaluate(EvaluateStep) = evaluate;
    /// Sends the request of a saved step once more, with the same id and content.
    Repeat(Named) = repeat;
    /// Opens a run.
    OpenRun(RunStep) = open_run;
    /// Closes a run.
    CloseRun(RunStep) = close_run;
    /// Lets time pass. Only where the clock can be moved.
    Advance(Advance) = advance;
    /// Disables a principal.
    DisablePrincipal(SubjectStep) = disable_principal;
    /// Lets a disabled principal act again.
    EnablePrincipal(SubjectStep) = enable_principal;
    /// Sets how the tenant is decided for.
    Configure(ConfigureStep) = configure;
    /// Sets the rules that are asked before those of the bundle.
    RuntimeRules(RuntimeStep) = runtime_rules;
    /// Makes another version of the kernel decide.
    KernelVersion(VersionStep) = kernel_version;
    /// Offers and activates another bundle.
    Activate(BundleStep) = activate;
    /// Starts the execution of an allowed call.
    Redeem(RedeemStep) = redeem;
    /// Reports the outcome of an execution.
    Complete(CompleteStep) = complete;
    /// Answers an escalation.
    Resolve(ResolveStep) = resolve;
    /// Labels a run by hand.
    AttachTaint(TaintStep) = attach_taint;
    /// Asks for a lease.
    RequestCapability(CapabilityStep) = request_capability;
    /// Passes a capability on.
    Delegate(DelegateStep) = delegate;
    /// Takes a lease or a delegation back.
    Revoke(RevokeStep) = revoke;
    /// Sets a run's mode.
    SetRunMode(ModeStep) = set_run_mode;
    /// Releases a run from quarantine.
    Release(ReleaseStep) = release;
    /// Reports a signal.
    Signal(SignalStep) = signal;
    /// Sends a message to another agent.
    Message(MessageStep) = message;
    /// Writes to memory.
    MemoryWrite(MemoryWriteStep) = memory_write;
    /// Reads from memory.
    MemoryRead(MemoryKeyStep) = memory_read;
    /// Forgets a memory entry.
    MemoryForget(MemoryKeyStep) = memory_forget;
    /// Asks to query an external store.
    MemoryQuery(MemoryQueryStep) = memory_query;
    /// Asks which items of an external store may be used.
    MemoryRelease(MemoryReleaseStep) = memory_release;
    /// Keeps a memory entry from being read, or lets it be read again.
    MemoryQuarantine(MemoryMarkStep) = memory_quarantine;
    /// Records what a run did besides calls.
    RecordStep(RecordStepStep) = record_step;
    /// Engages or releases a kill switch.
    KillSwitch(KillSwitchStep) = kill_switch;
    /// Disables or enables the tenant.
    TenantDisabled(TenantStep) = tenant_disabled;
    /// Lets expire what is due.
    Tick(Empty) = tick;
}

/// Nothing to say.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Empty {}

/// A saved step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Its name.
    pub step: String,
}

/// A call that is to be decided.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluateStep {
    /// Whose credential; the first subject when absent.
    #[serde(rename = "as")]
    pub who: Option<String>,
    /// The subject that is asserted.
    pub subject: Option<String>,
    /// The run; implicit when absent.
    pub run: Option<String>,
    /// The environment; the scenario's when absent.
    pub environment: Option<String>,
    /// The tool.
    pub tool: String,
    /// The arguments, as YAML.
    pub args: Option<serde_json::Value>,
    /// The arguments' exact bytes, instead of `args`.
    pub inputs: Option<String>,
    /// Media type; `application/json` when absent.
    pub content_type: Option<String>,
    /// Labels of the data in the arguments, `source:origin`.
    pub taint: Vec<TaintSpec>,
    /// On whose behalf.
    pub on_behalf_of: Vec<String>,
    /// The saved decision in whose execution the call is made.
    pub parent: Option<String>,
    /// The caller's own estimate of risk, in thousandths.
    pub risk_milli: Option<u32>,
    /// DARE's `source_labels`.
    pub source_labels: Vec<String>,
    /// The category that the caller claims.
    pub category: Option<String>,
    /// The risk tier that the caller claims.
    pub risk_tier: Option<String>,
    /// The tool's declaration as the caller knows it, hashed.
    pub tool_schema_of: Option<String>,
    /// The policy bundle that the caller claims, as the text that is hashed.
    pub policy_bundle_of: Option<String>,
    /// What the caller says that it may still do: `tokens`, `calls`, `cost_micro_usd`.
    pub budgets: BTreeMap<String, u64>,
    /// What the call will use: `tokens`, `cost_micro_usd`.
    pub usage: BTreeMap<String, u64>,
    /// The key of the effect.
    pub idempotency_key: Option<String>,
    /// The saved decision whose approval the call names; an approval's id when nothing is saved under it.
    pub approval: Option<String>,
    /// Obligations that the enforcement point can fulfil.
    pub fulfils: Option<Vec<String>>,
    /// Asks what would be decided, without a record.
    pub check_only: bool,
}

/// A taint label, `source` or `source:origin`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct TaintSpec(pub String);

impl TaintSpec {
    /// Source and origin; the origin is `scenario` when none is given.
    pub fn parts(&self) -> (&str, &str) {
        self.0.split_once(':').unwrap_or((self.0.as_str(), "scenario"))
    }
}
