//! From the kernel's commands to requests over the wire, which can be sent again as they are.

use assent_kernel::command::{CommandBody, Evaluate};

use super::answers::{codes, decided, offered, read, recorded, ruled, verdict};
use super::wire::{approval, control, evaluate, execution, grant, memory, message, run, signal, text};
use crate::client::Client;
use crate::deadline::Deadline;
use crate::error::ClientError;
use crate::scenario::answer::Answer;
use crate::v1;

macro_rules! requests {
    ($($variant:ident($message:ident) = $method:ident, $answer:ident;)*) => {
        /// A request that can be sent again as it is.
        #[derive(Debug, Clone)]
        #[expect(clippy::large_enum_variant, reason = "one is alive at a time, and it is sent off")]
        #[expect(clippy::enum_variant_names, reason = "they are called as the messages of the protocol")]
        pub(super) enum Request {
            /// A call, with what was asked and by whom.
            Evaluate(Box<(v1::EvaluateRequest, Evaluate, Option<String>)>),
            /// What a call would come to.
            Check(Box<v1::EvaluateRequest>),
            $(#[doc = "See the protocol."] $variant(v1::$message),)*
        }

        impl Request {
            /// What it asks for, as the client library calls it.
            pub(super) const fn name(&self) -> &'static str {
                match self {
                    Request::Evaluate(_) => "evaluate",
                    Request::Check(_) => "check",
                    $(Request::$variant(_) => stringify!($method),)*
                }
            }

            /// The same request under an id.
            pub(super) fn with_id(mut self, id: String) -> Request {
                match &mut self {
                    Request::Evaluate(request) => request.0.request_id = id,
                    Request::Check(request) => request.request_id = id,
                    $(Request::$variant(request) => request.request_id = id,)*
                }
                self
            }

            /// Sends it; a refusal is an answer.
            pub(super) async fn send(self, client: &Client, deadline: Deadline) -> Result<Answer, ClientError> {
                let answered = match self {
                    Request::Evaluate(request) => {
                        let (message, asked, subject) = *request;
                        let decision = client.evaluate(message, deadline).await;
                        decision.map(|decision| decided(decision.response, &asked, subject.as_deref()))
                    }
                    Request::Check(request) => client.check(*request, deadline).await.map(|checked| Answer {
                        verdict: verdict(checked.verdict()),
                        effective: verdict(checked.effective()),
                        codes: codes(checked.codes),
                        ..Answer::default()
                    }),
                    $(Request::$variant(request) => client.$method(request, deadline).await.map($answer),)*
                };
                match answered {
                    Err(ClientError::Refused { code, .. }) => Ok(Answer { refusal: Some(code), ..Answer::default() }),
                    other => other,
                }
            }
        }
    };
}

requests! {
    CreateTenant(CreateTenantRequest) = create_tenant, recorded;
    RegisterPrincipal(RegisterPrincipalRequest) = register_principal, recorded;
    DisablePrincipal(DisablePrincipalRequest) = disable_principal, recorded;
    RegisterCredential(RegisterCredentialRequest) = register_credential, recorded;
    OfferBundle(OfferBundleRequest) = offer_bundle, offered;
    ActivateBundle(ActivateBundleRequest) = activate_bundle, recorded;
    OpenRun(OpenRunRequest) = open_run, recorded;
    CloseRun(CloseRunRequest) = close_run, recorded;
    Redeem(RedeemRequest) = redeem, ruled;
    Complete(CompleteRequest) = complete, ruled;
    RequestCapability(RequestCapabilityRequest) = request_capability, ruled;
    Delegate(DelegateRequest) = delegate, ruled;
    RevokeCapability(RevokeCapabilityRequest) = revoke_capability, ruled;
    Resolve(ResolveApprovalRequest) = resolve_approval, ruled;
    MemoryWrite(MemoryWriteRequest) = memory_write, ruled;
    MemoryRead(MemoryReadRequest) = memory_read, read;
    MemoryForget(MemoryForgetRequest) = memory_forget, ruled;
    MemoryRelease(MemoryReleaseRequest) = memory_release, ruled;
    MemoryQuarantine(MemoryQuarantineRequest) = memory_quarantine, ruled;
    RegisterAgentKey(RegisterAgentKeyRequest) = register_agent_key, ruled;
    RecordMessage(RecordMessageRequest) = record_message, ruled;
    ConfigureTenant(ConfigureTenantRequest) = configure_tenant, recorded;
    SetTenantDisabled(SetTenantDisabledRequest) = set_tenant_disabled, recorded;
    SetKillSwitch(SetKillSwitchRequest) = set_kill_switch, recorded;
    SetRuntimeRules(SetRuntimeRulesRequest) = set_runtime_rules, recorded;
    EnablePrincipal(EnablePrincipalRequest) = enable_principal, recorded;
    ActivateKernelVersion(ActivateKernelVersionRequest) = activate_kernel_version, recorded;
    SetRunMode(SetRunModeRequest) = set_run_mode, recorded;
    ReleaseQuarantine(ReleaseQuarantineRequest) = release_quarantine, recorded;
    AttachTaint(AttachTaintRequest) = attach_taint, recorded;
    RecordStep(RecordStepRequest) = record_step, recorded;
    ReportSignal(ReportSignalRequest) = report_signal, recorded;
}

/// The request that asks for what a command asks for, without an id.
pub(super) fn of(body: &CommandBody, subject: Option<&str>) -> Result<Request, String> {
    Ok(match body {
        CommandBody::RegisterPrincipal { tenant, subject, owner } => {
            Request::RegisterPrincipal(v1::RegisterPrincipalRequest {
                tenant: tenant.to_string(),
                subject: subject.clone(),
                owner: text(owner),
                ..Default::default()
            })
        }
        CommandBody::DisablePrincipal { tenant, subject } => Request::DisablePrincipal(v1::DisablePrincipalRequest {
            tenant: tenant.to_string(),
            subject: subject.clone(),
            ..Default::default()
        }),
        CommandBody::OfferBundle(offered) => Request::OfferBundle(v1::OfferBundleRequest {
            tenant: offered.tenant.to_string(),
            source: offered.source.clone().into(),
            ..Default::default()
        }),
        CommandBody::ActivateBundle { tenant, environment, bundle_hash } => {
            Request::ActivateBundle(v1::ActivateBundleRequest {
                tenant: tenant.to_string(),
                environment: environment.clone(),
                bundle_hash: bundle_hash.0.to_vec().into(),
                ..Default::default()
            })
        }
        CommandBody::OpenRun(run) => Request::OpenRun(v1::OpenRunRequest {
            run_id: run.run_id.clone(),
            subject: text(&run.subject),
            parent_run_id: text(&run.parent_run_id),
            ..Default::default()
        }),
        CommandBody::CloseRun(run) => Request::CloseRun(v1::CloseRunRequest {
            run_id: run.run_id.clone(),
            subject: text(&run.subject),
            ..Default::default()
        }),
        CommandBody::Evaluate(asked) => {
            // What is recorded is the credential's subject, whatever the call asserts.
            let subject = subject.or(asked.subject.as_deref()).map(str::to_owned);
            Request::Evaluate(Box::new((evaluate(asked), (**asked).clone(), subject)))
        }
        CommandBody::Execution(asked) => execution(asked),
        CommandBody::Grant(asked) => grant(asked),
        CommandBody::Approval(asked) => approval(asked),
        CommandBody::Message(asked) => message(asked)?,
        CommandBody::Memory(asked) => memory(asked),
        CommandBody::Run(asked) => run(asked),
        CommandBody::Signal(asked) => signal(asked),
        CommandBody::Control(asked) => control(asked)?,
        other => return Err(format!("the wire does not offer {} to callers", other.name())),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use std::collections::{BTreeMap, BTreeSet};

    use assent_ledger::ids::{Origin, TenantId, Time};

    use super::*;
    use crate::scenario::answer::EvaluatedCall;
    use crate::scenario::commands::{self, Moment};
    use crate::scenario::model::{Scenario, Step};

    /// A step of every kind, and the method that it is sent with; `d` is a decision that was saved.
    const SENT: [(&str, &str); 28] = [
        ("evaluate: {tool: t}", "evaluate"),
        ("open_run: {run: r}", "open_run"),
        ("close_run: {run: r}", "close_run"),
        ("disable_principal: {subject: s}", "disable_principal"),
        ("enable_principal: {subject: s}", "enable_principal"),
        ("configure: {observe: true}", "configure_tenant"),
        ("runtime_rules: {text: 'rules: []'}", "set_runtime_rules"),
        ("kernel_version: {version: 2}", "activate_kernel_version"),
        ("redeem: {decision: d}", "redeem"),
        ("complete: {decision: d}", "complete"),
        ("resolve: {approval: d, action: approve}", "resolve_approval"),
        ("attach_taint: {run: r, taint: [web]}", "attach_taint"),
        ("request_capability: {class: c}", "request_capability"),
        ("delegate: {to: s, class: c}", "delegate"),
        ("revoke: {lease: d}", "revoke_capability"),
        ("set_run_mode: {run: r, mode: restricted}", "set_run_mode"),
        ("release: {run: r}", "release_quarantine"),
        ("signal: {risk_milli: 1}", "report_signal"),
        ("message: {to: s, content: c}", "record_message"),
        ("memory_write: {namespace: n, key: k, value: v}", "memory_write"),
        ("memory_read: {namespace: n, key: k}", "memory_read"),
        ("memory_forget: {namespace: n, key: k}", "memory_forget"),
        ("memory_query: {namespace: n, query: q}", "memory_read"),
        ("memory_release: {namespace: n, query: d, items: [{id: i}]}", "memory_release"),
        ("memory_quarantine: {namespace: n, key: k, quarantined: true}", "memory_quarantine"),
        ("record_step: {run: r, kind: retrieval}", "record_step"),
        ("kill_switch: {target: tool, name: t, engaged: true}", "set_kill_switch"),
        ("tenant_disabled: {disabled: true}", "set_tenant_disabled"),
    ];
    /// What is sent as several requests, once more, or not at all: the driver does it itself.
    const OTHERWISE: [&str; 4] = ["activate", "repeat", "advance", "tick"];

    fn sent(step: &str) -> Request {
        let step: Step = serde_saphyr::from_str(step).unwrap();
        let scenario: Scenario = serde_saphyr::from_str("{name: s, steps: []}").unwrap();
        let decision = Answer {
            id: Some("id".to_owned()),
            seq: Some(7),
            approval: Some("approval".to_owned()),
            request_salt: vec![1; 32],
            call: Some(Box::new(EvaluatedCall::default())),
            ..Answer::default()
        };
        let (origin, tenant) = (Origin::new("ledger.example/s").unwrap(), TenantId::new("s").unwrap());
        let saved: BTreeMap<String, Answer> = [("d".to_owned(), decision)].into();
        let moment = Moment { origin: &origin, tenant: &tenant, saved: &saved, now: Time(1), drawn: "drawn" };
        let (_, body) = commands::command(&scenario, step.action().unwrap(), &moment).unwrap();
        of(&body, None).unwrap()
    }

    #[test]
    fn every_step_is_sent_with_a_method_of_the_api() {
        for (step, method) in SENT {
            assert_eq!(sent(step).name(), method, "{step}");
        }
        let actions = SENT.iter().filter_map(|(step, _)| Some(step.split_once(':')?.0)).chain(OTHERWISE);
        assert_eq!(actions.collect::<BTreeSet<_>>(), Step::ACTIONS.iter().copied().collect());
    }

    #[test]
    fn what_a_step_names_is_in_its_request() {
        let mode = |mode: &str| match sent(&format!("set_run_mode: {{run: r, mode: {mode}}}")) {
            Request::SetRunMode(request) => request.mode(),
            other => panic!("{}", other.name()),
        };
        assert_eq!(mode("quarantined"), v1::RunMode::Quarantined);
        // Nobody sets this one; a node says of the request what the kernel says of the command.
        assert_eq!(mode("closed"), v1::RunMode::Unspecified);
        for (about, scope, name) in [("", "tenant", ""), ("subject: s, ", "subject", "s"), ("run: r, ", "run", "r")] {
            let Request::ReportSignal(request) = sent(&format!("signal: {{{about}risk_milli: 0}}")) else {
                panic!("{about}")
            };
            assert_eq!((request.scope.as_str(), request.name.as_str(), request.risk_milli), (scope, name, Some(0)));
        }
        let Request::MemoryRead(request) = sent("memory_query: {namespace: n, query: q, clearance: internal}") else {
            panic!("no read")
        };
        assert_eq!((request.key.as_str(), &request.query[..], request.clearance.as_str()), ("", &b"q"[..], "internal"));
        let Request::MemoryRelease(request) =
            sent("memory_release: {namespace: n, query: d, items: [{id: i, taint: [web], classification: secret}]}")
        else {
            panic!("no release")
        };
        let item = request.items.first().unwrap();
        assert_eq!((request.query_decision.as_str(), item.id.as_str()), ("id", "i"));
        assert_eq!((item.classification.as_str(), item.labels.len()), ("secret", 1));
    }
}
