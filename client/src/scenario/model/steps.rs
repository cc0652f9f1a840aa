//! What the steps of a scenario say besides calls.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Acting, TaintSpec};

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

            impl Acting for $name {
                fn named(&self) -> Option<&str> {
                    self.who.as_deref()
                }
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
    /// Reported signals: about a run, a subject, or the tenant when neither is named.
    SignalStep {
        /// The run.
        run: Option<String>,
        /// The subject.
        subject: Option<String>,
        /// The risk, in thousandths.
        risk_milli: Option<u32>,
        /// How much waits to be done.
        queue_depth: Option<u32>,
        /// How much of a budget is used, in thousandths.
        budget_use_milli: Option<u32>,
        /// For how long the report holds; 600 when absent.
        valid_seconds: Option<u32>,
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
        /// The highest classification that this use admits, of a read.
        clearance: Option<String>,
    }
    /// A query to an external store.
    MemoryQueryStep {
        /// The run.
        run: Option<String>,
        /// The namespace.
        namespace: String,
        /// The query.
        query: String,
        /// The highest classification that this use admits.
        clearance: Option<String>,
    }
    /// What a query has found.
    MemoryReleaseStep {
        /// The run.
        run: Option<String>,
        /// The namespace.
        namespace: String,
        /// The saved query.
        query: String,
        /// What was found.
        items: Vec<ItemSpec>,
    }
    /// A memory entry that is suspected, or cleared.
    MemoryMarkStep {
        /// The namespace.
        namespace: String,
        /// The key, or the item's id.
        key: String,
        /// Whether it is kept from being read.
        quarantined: bool,
    }
    /// What a run did besides calls.
    RecordStepStep {
        /// The run.
        run: String,
        /// `retrieval`, `model-output` or `final-output`.
        kind: String,
        /// Labels that it brings into the run.
        taint: Vec<TaintSpec>,
        /// The content.
        content: String,
    }
    /// How the tenant is decided for.
    ConfigureStep {
        /// Whether policy is recorded and not enforced; as in the scenario when absent.
        observe: Option<bool>,
        /// Only proven subjects may act.
        require_attested: bool,
    }
    /// Rules that are asked before those of the bundle.
    RuntimeStep {
        /// YAML with `rules`.
        text: String,
    }
    /// A version of the kernel.
    VersionStep {
        /// Its number.
        version: u32,
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

/// An item that a query has found.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ItemSpec {
    /// Its id in the store.
    pub id: String,
    /// Labels of where it came from.
    pub taint: Vec<TaintSpec>,
    /// Its classification; `none` when absent.
    pub classification: Option<String>,
}
