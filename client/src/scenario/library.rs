//! Drives scenarios through the kernel in this process: a ledger in memory, a clock that only moves when a step says so.

use std::collections::BTreeMap;

use assent_kernel::bundle::bundle_hash;
use assent_kernel::command::{
    Batch, Caller, Command, CommandBody, Genesis, MemoryCommand, NewCredential, NewTenant, OfferedSource, RequestId,
    Role,
};
use assent_kernel::decide::Decision;
use assent_kernel::event::{EventBody, REPLACEMENT_ROLE};
use assent_kernel::machine::{Answer as KernelAnswer, LogPosition, Machine, decide_guarded};
use assent_kernel::stamp::Stamp;
use assent_kernel::state::{MemoryState, Record, StateKey, StateRead};
use assent_kernel::verdict::Verdict;
use assent_ledger::endorse::{GenesisParameters, Grant, endorse, sign_genesis};
use assent_ledger::hash::{Hash, sha256};
use assent_ledger::ids::{NodeId, Origin, TenantId, Time, TreeSize};
use assent_ledger::keys::{Role as KeyRole, SecretKey};

use super::answer::{Answer, RunState};
use super::commands::{self, Who};
use super::model::{Action, Scenario};
use super::payloads::Payloads;
use super::run::Driver;

/// The time at which every scenario starts, in microseconds: 2030-01-01.
const START_MICROS: u64 = 1_893_456_000_000_000;

/// A kernel in this process. A copy goes its own way from where it was made.
#[derive(Clone)]
pub struct Library {
    machine: Machine,
    state: MemoryState,
    clock: u64,
    counter: u64,
    index: u64,
    last: Option<Command>,
    saved: BTreeMap<String, Command>,
    tenant: TenantId,
    ticks: bool,
    payloads: Payloads,
    /// Everything that was recorded, in order: the leaves' bytes.
    pub leaves: Vec<Vec<u8>>,
}

impl Library {
    /// A kernel whose ledger has begun and holds nothing else. What it begins with is signed and checked, which takes most of the time of
    /// a short scenario: who plays many has each begin with a copy.
    pub fn new() -> Result<Library, String> {
        let origin = Origin::new("ledger.example/scenario").map_err(|e| e.to_string())?;
        let mut library = Library {
            machine: Machine::new(origin),
            state: MemoryState::new(),
            clock: START_MICROS,
            counter: 0,
            index: 0,
            last: None,
            saved: BTreeMap::new(),
            tenant: TenantId::new("scenario").map_err(|e| e.to_string())?,
            ticks: false,
            payloads: Payloads::default(),
            leaves: Vec::new(),
        };
        let genesis = library.genesis()?;
        library.must(operator(), CommandBody::Genesis(Box::new(genesis)))?;
        Ok(library)
    }

    /// The same, but whenever time has passed, what has ended is recorded at once: what a node's ticker does sooner or later.
    pub fn ticking() -> Result<Library, String> {
        Ok(Library { ticks: true, ..Library::new()? })
    }

    /// Bytes that differ with every call and are the same in every run.
    fn drawn<const N: usize>(&mut self) -> [u8; N] {
        self.counter += 1;
        let digest = sha256(&[b"scenario", &self.counter.to_be_bytes()]);
        let mut out = [0; N];
        out.iter_mut().zip(digest.0).for_each(|(to, from)| *to = from);
        out
    }

    fn command(&mut self, caller: Caller, body: CommandBody) -> Command {
        self.clock += 1_000;
        let request_id = RequestId::new(self.clock / 1_000, self.drawn());
        Command { request_id, stamp: Stamp { time: Time(self.clock), seed: self.drawn() }, caller, body }
    }

    fn apply(&mut self, command: Command) -> Result<KernelAnswer, String> {
        self.index += 1;
        let at = LogPosition { index: self.index, term: 1, leader: NodeId(1), membership: vec![NodeId(1)] };
        // What a node applies has been through the encoding.
        let batch = Batch { commands: vec![command] }.encode();
        let batch = Batch::decode(&batch).map_err(|e| e.to_string())?;
        let mut applied = self.machine.apply(&self.state, &batch, &at);
        self.state.commit(&applied.state, &applied.dropped_buckets);
        let answer = applied.answers.pop().ok_or("the kernel gave no answer".to_owned())?;
        for entry in applied.entries {
            self.payloads.keep(&entry);
            self.leaves.push(entry.leaf);
        }
        Ok(answer)
    }

    /// The answer to a command; to a call with what may run, to a read of memory with what it gave out.
    fn answered(&mut self, command: Command) -> Result<Answer, String> {
        let (body, subject) = (command.body.clone(), command.subject().map(str::to_owned));
        let kernel = self.apply(command)?;
        let mut answer = Answer { at: self.clock, ..commands::answer(&kernel) };
        match (&body, &kernel) {
            (CommandBody::Evaluate(evaluate), KernelAnswer::Decided { seq, terms, .. }) => {
                let replacement = match &terms.replacement {
                    Some(_) => {
                        let inputs = self.payloads.of_role(*seq, REPLACEMENT_ROLE)?;
                        Some(commands::Replacement { tool: terms.replacement_tool.clone(), inputs })
                    }
                    None => None,
                };
                answer.call = Some(commands::called(evaluate, subject.as_deref(), replacement));
            }
            (CommandBody::Memory(memory), KernelAnswer::Ruled { verdict: Verdict::Allow, .. }) => {
                let commitment = answer.details.get("value_commitment").and_then(|text| text.parse().ok());
                if let (MemoryCommand::Read(_), Some(commitment)) = (memory.as_ref(), commitment) {
                    answer.value = Some(self.payloads.open(&commitment)?);
                }
            }
            _ => {}
        }
        Ok(answer)
    }

    /// What a call would come to; nothing is recorded.
    fn check(&mut self, command: Command) -> Result<Answer, String> {
        let at = self.clock;
        let decided = match decide_guarded(&self.state, &command) {
            Ok(decided) => decided,
            Err(refusal) => return Ok(Answer { refusal: Some(refusal.name().to_owned()), at, ..Answer::default() }),
        };
        let Decision::Events(events) = &decided else { return Err("a check was no decision".to_owned()) };
        let found = events.iter().rev().find_map(|event| match &event.body {
            EventBody::Decision(decision) => Some(decision),
            _ => None,
        });
        let found = found.ok_or("a check made no decision")?;
        Ok(Answer {
            verdict: Some(found.verdict.name().to_owned()),
            effective: Some(found.effective.name().to_owned()),
            codes: found.codes.iter().map(|code| code.name().to_owned()).collect(),
            at,
            ..Answer::default()
        })
    }

    /// Has what has ended recorded, until nothing more has.
    fn tick(&mut self) -> Result<(), String> {
        loop {
            let command = self.command(self.caller(&Who::Node), CommandBody::Tick);
            if matches!(self.apply(command)?, KernelAnswer::Refused(_)) {
                return Ok(());
            }
        }
    }

    fn must(&mut self, caller: Caller, body: CommandBody) -> Result<(), String> {
        let name = body.name();
        let command = self.command(caller, body);
        match self.apply(command)? {
            KernelAnswer::Refused(refusal) => Err(format!("setting up, {name}: {refusal}")),
            _ => Ok(()),
        }
    }

    fn genesis(&self) -> Result<Genesis, String> {
        let (root, node) = (SecretKey::from_seed(&[42; 32]), NodeId(1));
        let origin = self.machine.origin().clone();
        let parameters = GenesisParameters {
            origin: origin.clone(),
            kernel_version: assent_kernel::limits::KERNEL_VERSION,
            quorum: 1,
            seal_entries: 1_000,
            seal_seconds: 1,
            interval_max_seconds: 60,
        };
        let grant = |role, node| Grant { role, node, from_size: TreeSize(1), to_size: None };
        let key = |n: u8, grant| {
            endorse(&origin, &root, SecretKey::from_seed(&[n; 32]).public(), grant).map_err(|e| e.to_string())
        };
        Ok(Genesis {
            created: sign_genesis(&root, parameters),
            endorsements: vec![
                key(1, grant(KeyRole::Log, None))?,
                key(2, grant(KeyRole::Cosigner, Some(node)))?,
                key(3, grant(KeyRole::Receipt, Some(node)))?,
            ],
            operator: "operator".to_owned(),
            operator_token_hash: token("operator"),
        })
    }

    fn policy(&mut self, caller: &Caller, tenant: &TenantId, environment: &str, text: &str) -> Result<(), String> {
        let source = text.as_bytes().to_vec();
        let bundle_hash = bundle_hash(&source);
        let offered = OfferedSource { tenant: tenant.clone(), source };
        if self.state.get(&StateKey::OfferedBundle(tenant.clone(), bundle_hash)).is_none() {
            self.must(caller.clone(), CommandBody::OfferBundle(offered))?;
        }
        let environment = environment.to_owned();
        let activate = CommandBody::ActivateBundle { tenant: tenant.clone(), environment, bundle_hash };
        self.must(caller.clone(), activate)
    }

    fn caller(&self, who: &Who) -> Caller {
        match who {
            Who::Operator => operator(),
            Who::Node => Caller { role: Role::Node, credential: "node/1".to_owned(), ..operator() },
            Who::Admin => {
                Caller { credential: "admin".to_owned(), role: Role::TenantAdmin, ..self.agent("admin", None) }
            }
            Who::Subject(subject, role) => Caller { role: *role, ..self.agent(subject, Some(subject)) },
            Who::Wide(name, role) => Caller { role: *role, ..self.agent(name, None) },
        }
    }

    fn agent(&self, credential: &str, subject: Option<&str>) -> Caller {
        Caller {
            tenant: self.tenant.clone(),
            subject: subject.map(str::to_owned),
            attested: subject.is_some(),
            role: Role::Agent,
            credential: format!("key-{}", credential.replace(['/', '@'], "-")),
        }
    }

    fn register(&mut self, caller: &Caller) -> Result<(), String> {
        let credential = NewCredential {
            tenant: caller.tenant.clone(),
            name: caller.credential.clone(),
            token_hash: token(&caller.credential),
            role: caller.role,
            subject: caller.subject.clone(),
        };
        self.must(operator(), CommandBody::RegisterCredential(Box::new(credential)))
    }
}

fn operator() -> Caller {
    Caller {
        tenant: TenantId::system(),
        subject: None,
        attested: true,
        role: Role::Operator,
        credential: "operator".to_owned(),
    }
}

fn token(name: &str) -> Hash {
    sha256(&[b"token of ", name.as_bytes()])
}

impl Driver for Library {
    async fn set_up(&mut self, scenario: &Scenario) -> Result<(), String> {
        let tenant = self.tenant.clone();
        let new = NewTenant { tenant: tenant.clone(), tenant_key: self.drawn(), blind: self.drawn() };
        self.must(operator(), CommandBody::CreateTenant(Box::new(new)))?;
        let admin = self.caller(&Who::Admin);
        self.register(&admin)?;
        for subject in &scenario.subjects {
            let (name, owner) = (subject.name.clone(), subject.owner.clone());
            if !subject.wide {
                let registered = CommandBody::RegisterPrincipal { tenant: tenant.clone(), subject: name, owner };
                self.must(admin.clone(), registered)?;
            }
            let caller = self.caller(&commands::who_of(scenario, Some(&subject.name))?);
            self.register(&caller)?;
        }
        if let Some(baseline) = &scenario.baseline_text {
            self.policy(&operator(), &TenantId::system(), &scenario.environment, baseline)?;
        }
        if let Some(bundle) = &scenario.bundle_text {
            self.policy(&admin, &tenant, &scenario.environment, bundle)?;
        }
        for body in commands::set_up(scenario, &tenant)? {
            self.must(admin.clone(), body)?;
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
                self.clock = self.clock.saturating_add(advance.seconds.saturating_mul(1_000_000));
                if self.ticks {
                    self.tick()?;
                }
                return Ok(Answer::default());
            }
            Action::Tick(_) => {
                self.tick()?;
                return Ok(Answer::default());
            }
            Action::Activate(step) => {
                let text = commands::bundle_of_step(scenario, step)?;
                let (admin, tenant) = (self.caller(&Who::Admin), self.tenant.clone());
                self.policy(&admin, &tenant, &scenario.environment, &text)?;
                return Ok(Answer::default());
            }
            _ => {}
        }
        let drawn = assent_ledger::hash::Hash(self.drawn()).to_string();
        let (origin, tenant, now) = (self.machine.origin(), &self.tenant, Time(self.clock));
        let moment = commands::Moment { origin, tenant, saved, now, drawn: &drawn };
        let (who, body) = commands::command(scenario, action, &moment)?;
        let command = self.command(self.caller(&who), body);
        if matches!(action, Action::Evaluate(step) if step.check_only) {
            return self.check(command);
        }
        self.last = Some(command.clone());
        self.answered(command)
    }

    async fn repeat(&mut self, step: &str) -> Result<Answer, String> {
        let mut command = self.saved.get(step).cloned().ok_or_else(|| format!("no step was saved as `{step}`"))?;
        self.clock += 1_000;
        command.stamp = Stamp { time: Time(self.clock), seed: self.drawn() };
        self.answered(command)
    }

    fn remember(&mut self, name: &str) {
        if let Some(command) = &self.last {
            self.saved.insert(name.to_owned(), command.clone());
        }
    }

    async fn leaf(&mut self, seq: u64) -> Result<Vec<u8>, String> {
        let leaf = usize::try_from(seq).ok().and_then(|place| self.leaves.get(place));
        leaf.cloned().ok_or_else(|| format!("there is no entry {seq}"))
    }

    async fn run_state(&mut self, run_id: &str) -> Result<Option<RunState>, String> {
        match self.state.get(&StateKey::Run(self.tenant.clone(), run_id.to_owned())).as_deref() {
            Some(Record::Run(run)) => Ok(Some(RunState {
                mode: run.mode.name().to_owned(),
                counters: run.counters.iter().map(|(name, value)| (name.to_owned(), value)).collect(),
                taint: {
                    let mut sources: Vec<String> = run.taint.sources().map(|source| source.name().to_owned()).collect();
                    sources.sort_unstable();
                    sources.dedup();
                    sources
                },
                open_intents: run.open_intents,
                shadow_mode: run.shadow.mode.name().to_owned(),
                shadow_strikes: run.shadow.strikes,
            })),
            _ => Ok(None),
        }
    }
}
