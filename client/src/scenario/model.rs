//! What a scenario file says. Unknown keys are refused: a misspelt expectation would expect nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::expect::Expect;

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
    /// The rule's id, as the bundle writes it after `id: `.
    pub rule: String,
    /// The verdict without it.
    pub verdict: String,
    /// The reasons without it.
    pub codes: Vec<String>,
}

fn prod() -> String {
    "prod".to_owned()
}

fn one_subject() -> Vec<SubjectSpec> {
    vec![SubjectSpec { name: "agent-1".to_owned(), owner: None, role: None }]
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
        }

        /// What a step does.
        #[derive(Debug, Clone, Copy)]
        pub enum Action<'a> {
            $($(#[$doc])* $variant(&'a $type),)*
        }

        impl Step {
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

macro_rules! steps {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Default, Deserialize)]
            #[serde(deny_unknown_fields, default)]
            pub struct $name {
                /// Whose credential; the first subject (or the tenant's admin, for administrative steps) when absent.
                #[serde(rename = "as")]
                pub who: Option<String>,
                $($(#[$field_doc])* pub $field: $type,)*
            }
        )*
    };
}

steps! {
    /// A run that is opened or closed.
    RunStep {
        /// The run.
        run: String,
        /// The run that causes it.
        parent: Option<String>,
    }
    /// Time that passes.
    Advance {
        /// How much.
        seconds: u64,
    }
    /// A subject that is acted on.
    SubjectStep {
        /// The subject.
        subject: String,
    }
    /// Another bundle.
    BundleStep {
        /// Its text.
        text: Option<String>,
        /// Text that is appended to the scenario's bundle, which makes it another one.
        append: Option<String>,
    }
    /// An execution that starts.
    RedeemStep {
        /// The saved decision.
        decision: String,
        /// The gateway's audience.
        audience: Option<String>,
        /// The arguments that the gateway is about to use, when they are not those that were decided.
        inputs: Option<String>,
    }
    /// An outcome.
    CompleteStep {
        /// The saved decision.
        decision: String,
        /// `success`, `failure` or `unknown`; `success` when absent.
        status: Option<String>,
        /// What the tool returned.
        output: Option<String>,
        /// Labels of what it returned.
        taint: Vec<TaintSpec>,
        /// What it used: `tokens`, `cost_micro_usd`.
        usage: BTreeMap<String, u64>,
        /// Obligations that were fulfilled.
        fulfilled: Vec<String>,
    }
    /// An answer to an escalation.
    ResolveStep {
        /// The saved escalated decision.
        approval: String,
        /// `approve`, `deny`, `modify` or `request_more_info`.
        action: String,
        /// Why.
        justification: Option<String>,
        /// Conditions, `name:value`.
        conditions: Vec<String>,
        /// The arguments to use instead.
        inputs: Option<String>,
    }
    /// Labels for a run.
    TaintStep {
        /// The run.
        run: String,
        /// The labels.
        taint: Vec<TaintSpec>,
    }
    /// A lease that is asked for.
    CapabilityStep {
        /// The run.
        run: Option<String>,
        /// The class.
        class: String,
        /// The actions.
        actions: Vec<String>,
        /// Narrower constraints, JSON.
        constraints: Option<String>,
        /// How many calls.
        calls: u32,
        /// For how long.
        seconds: u64,
    }
    /// A capability that is passed on.
    DelegateStep {
        /// To whom.
        to: String,
        /// The class.
        class: String,
        /// The actions.
        actions: Vec<String>,
        /// Narrower constraints, JSON.
        constraints: Option<String>,
        /// The saved lease that is passed on; the standing capability when absent.
        lease: Option<String>,
        /// On whose behalf the delegator acts itself.
        on_behalf_of: Vec<String>,
        /// How many calls.
        calls: u32,
        /// For how long.
        seconds: u64,
    }
    /// A lease or delegation that ends.
    RevokeStep {
        /// The saved lease or delegation.
        lease: String,
    }
    /// A run's mode.
    ModeStep {
        /// The run.
        run: String,
        /// The mode.
        mode: String,
    }
    /// A release.
    ReleaseStep {
        /// The run.
        run: String,
        /// Why.
        justification: Option<String>,
    }
    /// A reported signal.
    SignalStep {
        /// The run, or nothing for the tenant.
        run: Option<String>,
        /// Its name.
        signal: String,
        /// Its value, in thousandths.
        value_milli: u32,
    }
    /// A message.
    MessageStep {
        /// The sender's run.
        run: Option<String>,
        /// To whom.
        to: String,
        /// The recipient's run.
        to_run: Option<String>,
        /// The content.
        content: String,
        /// The nonce; drawn when absent.
        nonce: Option<String>,
        /// Until when, in seconds from now; 60 when absent.
        expires_in: Option<u64>,
        /// Signs with a key that nobody registered.
        wrong_key: bool,
        /// Names another sender than the one whose credential it is.
        claim_sender: Option<String>,
        /// Protocol version; `1.0` when absent.
        version: Option<String>,
    }
    /// A value for memory.
    MemoryWriteStep {
        /// The run.
        run: Option<String>,
        /// The namespace.
        namespace: String,
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// How long it lives.
        ttl_seconds: Option<u64>,
        /// Its labels.
        taint: Vec<TaintSpec>,
        /// Its classification.
        classification: Option<String>,
    }
    /// A memory entry.
    MemoryKeyStep {
        /// The run.
        run: Option<String>,
        /// The namespace.
        namespace: String,
        /// The key.
        key: String,
    }
    /// A kill switch.
    KillSwitchStep {
        /// `agent`, `tool` or `tenant`.
        target: String,
        /// The agent or the tool.
        name: Option<String>,
        /// Engages it, or releases it.
        engaged: bool,
    }
    /// The whole tenant.
    TenantStep {
        /// Whether it is disabled.
        disabled: bool,
    }
}
