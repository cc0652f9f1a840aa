//! Drives scenarios through a live cluster, over its API and with the credentials that a deployment would use. Every scenario gets a tenant
//! of its own, which is thrown away afterwards.
//!
//! What a step means is said once, for both drivers (`commands`): here the command is sent instead of applied. The kernel judges nothing of
//! what the cluster answers.

mod answers;
mod clock;
mod request;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use assent_kernel::bundle::bundle_hash;
use assent_kernel::command::{CommandBody, OfferedSource, Role};
use assent_kernel::state::keys::RunCounters;
use assent_ledger::hash::sha256;
use assent_ledger::ids::{Origin, TenantId};
use zeroize::Zeroizing;

pub use clock::{Clock, WallClock};
use request::Request;

use super::answer::{Answer, RunState};
use super::commands::{self, Who};
use super::model::{Action, Scenario};
use super::run::Driver;
use crate::client::Client;
use crate::deadline::Deadline;
use crate::request_id::RequestId;
use crate::v1;

/// Longest time that one call may take.
const CALL_MAX: Duration = Duration::from_secs(30);
/// Runs asked for at once.
const PAGE: u32 = 500;

/// A live cluster.
pub struct Live {
    operator: Client,
    clock: Arc<dyn Clock>,
    origin: Origin,
    tenant: TenantId,
    clients: BTreeMap<String, Client>,
    last: Option<(Who, Request)>,
    saved: BTreeMap<String, (Who, Request)>,
}

impl Live {
    /// A cluster for one scenario: `operator` carries an operator's credential, with which a tenant of its own is made.
    pub async fn new(operator: Client, clock: Arc<dyn Clock>) -> Result<Live, String> {
        let info = operator.cluster_info(Deadline::after(CALL_MAX)).await.map_err(|e| e.to_string())?;
        let origin = Origin::new(info.origin).map_err(|e| e.to_string())?;
        let tenant = TenantId::new(format!("scenario-{}", hex::encode(drawn::<8>()?))).map_err(|e| e.to_string())?;
        let (clients, saved) = (BTreeMap::new(), BTreeMap::new());
        Ok(Live { operator, clock, origin, tenant, clients, last: None, saved })
    }

    /// Why a scenario cannot be played against a deployment; nothing when it can.
    pub fn left_out(scenario: &Scenario, clock: &dyn Clock) -> Option<&'static str> {
        let does = |what: fn(Action<'_>) -> bool| scenario.steps.iter().any(|step| step.action().is_ok_and(what));
        if does(|action| action.who() == Some("node")) {
            return Some("somebody acts as a node, which only nodes do");
        }
        if clock.is_movable() {
            return None;
        }
        if does(|action| matches!(action, Action::Advance(_) | Action::Tick(_))) {
            return Some("it lets time pass, which needs a clock that can be moved");
        }
        // Not everything is a tenant's own.
        if does(|action| matches!(action, Action::KernelVersion(_))) {
            return Some("it sets the kernel's version, which is that of every tenant");
        }
        if scenario.baseline_text.is_some() {
            return Some("it sets the operator's baseline, which is that of every tenant");
        }
        None
    }

    /// The scenario's tenant.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Switches the scenario's tenant off, for good.
    pub async fn tear_down(&mut self) -> Result<(), String> {
        let request = v1::SetTenantDisabledRequest {
            tenant: self.tenant.to_string(),
            disabled: true,
            ..v1::SetTenantDisabledRequest::default()
        };
        let answer = self.ask(&Who::Operator, Request::SetTenantDisabled(request)).await?.1;
        match answer.refusal.as_deref() {
            // The scenario itself may have done so, or may never have got as far as having a tenant.
            None | Some("UNCHANGED" | "TENANT_UNKNOWN") => Ok(()),
            Some(refusal) => Err(format!("the tenant {} stays: {refusal}", self.tenant)),
        }
    }

    fn client(&self, who: &Who) -> Result<&Client, String> {
        match who {
            Who::Operator => Ok(&self.operator),
            Who::Node => Err("nobody but a node acts as a node".to_owned()),
            Who::Admin | Who::Subject(..) | Who::Wide(..) => {
                let name = credential(who);
                self.clients.get(&name).ok_or_else(|| format!("{name} has no credential"))
            }
        }
    }

    async fn send(&self, who: &Who, request: Request) -> Result<Answer, String> {
        let sent = request.send(self.client(who)?, Deadline::after(CALL_MAX)).await;
        let answer = sent.map_err(|e| e.to_string())?;
        Ok(Answer { at: self.clock.now().0, ..answer })
    }

    /// Sends a new request, as a step of the scenario.
    async fn ask(&self, who: &Who, request: Request) -> Result<(Request, Answer), String> {
        let request = request.with_id(self.request_id()?);
        let answer = self.send(who, request.clone()).await?;
        Ok((request, answer))
    }

    /// An id of this moment by the cluster's clock, which need not be this machine's.
    fn request_id(&self) -> Result<String, String> {
        Ok(RequestId::from_parts(self.clock.now().0 / 1_000, drawn()?).to_string())
    }

    /// Sends what must not be refused.
    async fn must(&self, who: &Who, request: Request) -> Result<(), String> {
        let what = request.name();
        match self.ask(who, request).await?.1.refusal {
            Some(refusal) => Err(format!("{what} in {} was refused: {refusal}", self.tenant)),
            None => Ok(()),
        }
    }

    async fn must_do(&self, who: &Who, body: &CommandBody) -> Result<(), String> {
        self.must(who, request::of(body, None)?).await
    }

    /// Registers a credential and keeps a client that uses it, over the connections that are there.
    async fn register(&mut self, who: &Who) -> Result<(), String> {
        let (role, subject) = match who {
            Who::Subject(subject, role) => (*role, subject.clone()),
            Who::Wide(_, role) => (*role, String::new()),
            _ => (Role::TenantAdmin, String::new()),
        };
        let token = Zeroizing::new(hex::encode(drawn::<32>()?));
        let request = v1::RegisterCredentialRequest {
            tenant: self.tenant.to_string(),
            name: credential(who),
            token_hash: sha256(&[token.as_bytes()]).0.to_vec().into(),
            role: role.name().to_owned(),
            subject,
            ..v1::RegisterCredentialRequest::default()
        };
        self.must(&Who::Operator, Request::RegisterCredential(request)).await?;
        let client = self.operator.with_token(&token, Some(self.tenant.to_string())).map_err(|e| e.to_string())?;
        self.clients.insert(credential(who), client);
        Ok(())
    }

    async fn policy(&self, who: &Who, tenant: &TenantId, environment: &str, text: &str) -> Result<(), String> {
        let source = text.as_bytes().to_vec();
        let bundle_hash = bundle_hash(&source);
        let offered = CommandBody::OfferBundle(OfferedSource { tenant: tenant.clone(), source });
        let (_, answer) = self.ask(who, request::of(&offered, None)?).await?;
        match answer.refusal.as_deref() {
            None | Some("BUNDLE_EXISTS") => {}
            Some(refusal) => return Err(format!("offering the bundle: {refusal}")),
        }
        let (tenant, environment) = (tenant.clone(), environment.to_owned());
        self.must_do(who, &CommandBody::ActivateBundle { tenant, environment, bundle_hash }).await
    }
}

/// The name of somebody's credential.
fn credential(who: &Who) -> String {
    match who {
        Who::Subject(name, _) | Who::Wide(name, _) => format!("key-{}", name.replace(['/', '@'], "-")),
        _ => "key-admin".to_owned(),
    }
}

fn drawn<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| format!("the operating system gives no randomness: {e}"))?;
    Ok(bytes)
}

impl Driver for Live {
    async fn set_up(&mut self, scenario: &Scenario) -> Result<(), String> {
        let tenant = self.tenant.clone();
        let request = v1::CreateTenantRequest { tenant: tenant.to_string(), ..v1::CreateTenantRequest::default() };
        let made = self.ask(&Who::Operator, Request::CreateTenant(request)).await?.1;
        if let Some(refusal) = made.refusal {
            return Err(format!("a tenant cannot be made ({refusal}); use the token of an operator of the ledger"));
        }
        self.register(&Who::Admin).await?;
        for subject in &scenario.subjects {
            if !subject.wide {
                let (name, owner) = (subject.name.clone(), subject.owner.clone());
                let principal = CommandBody::RegisterPrincipal { tenant: tenant.clone(), subject: name, owner };
                self.must_do(&Who::Admin, &principal).await?;
            }
            self.register(&commands::who_of(scenario, Some(&subject.name))?).await?;
        }
        if let Some(baseline) = &scenario.baseline_text {
            self.policy(&Who::Operator, &TenantId::system(), &scenario.environment, baseline).await?;
        }
        if let Some(bundle) = &scenario.bundle_text {
            self.policy(&Who::Admin, &tenant, &scenario.environment, bundle).await?;
        }
        for body in commands::set_up(scenario, &tenant)? {
            self.must_do(&Who::Admin, &body).await?;
        }
        Ok(())
    }

    async fn act(
        &mut self,
        scenario: &Scenario,
        action: Action<'_>,
        saved: &BTreeMap<String, Answer>,
    ) -> Result<Answer, String> {
        match action {
            Action::Advance(advance) => {
                self.clock.advance(advance.seconds).await?;
                return Ok(Answer::default());
            }
            Action::Tick(_) => {
                self.clock.advance(0).await?;
                return Ok(Answer::default());
            }
            Action::Activate(step) => {
                let text = commands::bundle_of_step(scenario, step)?;
                self.policy(&Who::Admin, &self.tenant, &scenario.environment, &text).await?;
                return Ok(Answer::default());
            }
            _ => {}
        }
        let text = hex::encode(drawn::<16>()?);
        let (origin, tenant, now) = (&self.origin, &self.tenant, self.clock.now());
        let moment = commands::Moment { origin, tenant, saved, now, drawn: &text };
        let (who, body) = commands::command(scenario, action, &moment)?;
        let subject = match &who {
            Who::Subject(subject, _) => Some(subject.as_str()),
            _ => None,
        };
        let request = request::of(&body, subject)?;
        if let (Action::Evaluate(step), Request::Evaluate(asked)) = (action, &request)
            && step.check_only
        {
            return Ok(self.ask(&who, Request::Check(Box::new(asked.0.clone()))).await?.1);
        }
        let (request, answer) = self.ask(&who, request).await?;
        self.last = Some((who, request));
        Ok(answer)
    }

    async fn repeat(&mut self, step: &str) -> Result<Answer, String> {
        let (who, request) = self.saved.get(step).cloned().ok_or_else(|| format!("no step was saved as `{step}`"))?;
        self.send(&who, request).await
    }

    fn remember(&mut self, name: &str) {
        if let Some(last) = &self.last {
            self.saved.insert(name.to_owned(), last.clone());
        }
    }

    async fn leaf(&mut self, seq: u64) -> Result<Vec<u8>, String> {
        let request = v1::EntriesRequest { from_seq: seq, limit: 1, ..v1::EntriesRequest::default() };
        let mut entries = self.operator.entries(request, Deadline::after(CALL_MAX)).await.map_err(|e| e.to_string())?;
        match entries.next().await.map_err(|e| e.to_string())? {
            Some(entry) if entry.seq == seq && !entry.leaf.is_empty() => Ok(entry.leaf.to_vec()),
            _ => Err(format!("entry {seq} is not shown")),
        }
    }

    async fn run_state(&mut self, run_id: &str) -> Result<Option<RunState>, String> {
        let tenant = self.tenant.to_string();
        let mut request = v1::ListRequest { tenant, limit: PAGE, ..v1::ListRequest::default() };
        loop {
            let page = self.operator.runs(request.clone(), Deadline::after(CALL_MAX)).await;
            let page = page.map_err(|e| e.to_string())?;
            if let Some(run) = page.runs.into_iter().find(|run| run.run_id == run_id) {
                return Ok(Some(run_of(run)));
            }
            if page.next_after.is_empty() {
                return Ok(None);
            }
            request.after = page.next_after;
        }
    }
}

fn run_of(run: v1::RunInfo) -> RunState {
    // The wire leaves out what is zero.
    let mut counters: BTreeMap<String, u32> = RunCounters::NAMES.iter().map(|name| ((*name).to_owned(), 0)).collect();
    counters.extend(run.counters.into_iter().map(|counter| (counter.name, counter.value)));
    let mut taint: Vec<String> = run.taint.into_iter().map(|touch| touch.source).collect();
    taint.sort_unstable();
    taint.dedup();
    RunState {
        mode: run.mode,
        counters,
        taint,
        open_intents: run.open_intents,
        shadow_mode: run.shadow_mode,
        shadow_strikes: run.shadow_strikes,
    }
}
