//! A ledger in memory with a tenant for each of some policies, an agent in each, and stamped commands for them.

use std::error::Error;
use std::time::{Duration, Instant};

use assent_kernel::command::{
    Agent, Batch, Caller, Command, CommandBody, Evaluate, Genesis, NewCredential, NewTenant, OfferedSource, RequestId,
    Role,
};
use assent_kernel::machine::{Answer, AppliedBatch, LogPosition, Machine};
use assent_kernel::stamp::Stamp;
use assent_kernel::state::keys::ProgressRecord;
use assent_kernel::state::{MemoryState, Record, StateKey, StateRead};
use assent_kernel::verdict::Verdict;
use assent_ledger::endorse::{GenesisParameters, sign_genesis};
use assent_ledger::hash::{Hash, sha256};
use assent_ledger::ids::{NodeId, Origin, TenantId, Time, TreeSize};
use assent_ledger::keys::SecretKey;
use assent_ledger::seal::{SealReason, SpanCosigned};

use crate::policy::{BenchCall, Policy};

/// Stamps start here, in microseconds since 1970.
const START_MICROS: u64 = 1_900_000_000_000_000;
/// Time between two stamps, in microseconds.
const STEP_MICROS: u64 = 20;

/// The environment in which everything happens.
pub const ENVIRONMENT: &str = "prod";

/// A machine, its state, and whoever calls.
pub struct World {
    /// The machine.
    pub machine: Machine,
    /// Its state.
    pub state: MemoryState,
    first: Inhabitant,
    others: Vec<Inhabitant>,
    index: u64,
    clock: u64,
    calls: u64,
}

/// A tenant, what its agent calls, and the agent.
#[derive(Debug, Clone)]
struct Inhabitant {
    call: BenchCall,
    agent: Caller,
}

impl Inhabitant {
    fn new(number: usize, policy: Policy) -> Result<Inhabitant, Box<dyn Error>> {
        let agent = Caller {
            tenant: TenantId::new(format!("tenant-{number}"))?,
            subject: Some(policy.call.subject.clone()),
            attested: true,
            role: Role::Agent,
            credential: "key".into(),
        };
        Ok(Inhabitant { call: policy.call, agent })
    }
}

impl World {
    /// A ledger with one tenant, on which the policy is active.
    pub fn new(policy: Policy) -> Result<World, Box<dyn Error>> {
        World::with(policy, Vec::new())
    }

    /// A ledger with a tenant for each policy, `tenant-0` and so on, each with its policy active.
    pub fn with(first: Policy, others: Vec<Policy>) -> Result<World, Box<dyn Error>> {
        let origin = Origin::new("ledger.example/bench")?;
        let sources: Vec<Vec<u8>> = [&first].into_iter().chain(&others).map(|policy| policy.source.clone()).collect();
        let others: Result<_, _> = (1..).zip(others).map(|(number, policy)| Inhabitant::new(number, policy)).collect();
        let mut world = World {
            machine: Machine::new(origin.clone()),
            state: MemoryState::new(),
            first: Inhabitant::new(0, first)?,
            others: others?,
            index: 0,
            clock: START_MICROS,
            calls: 0,
        };
        world.must(operator(), genesis(&origin))?;
        for (number, source) in sources.into_iter().enumerate() {
            for body in settling(&world.inhabitant(number).agent, number) {
                world.must(operator(), body)?;
            }
            let bundle_hash = world.offer(number, source)?;
            let activate = world.activate(number, bundle_hash);
            world.apply(&Batch { commands: vec![activate] })?;
        }
        Ok(world)
    }

    /// Offers a bundle's source to a tenant; gives its hash.
    pub fn offer(&mut self, tenant: usize, source: Vec<u8>) -> Result<Hash, Box<dyn Error>> {
        let bundle_hash = assent_kernel::bundle::bundle_hash(&source);
        let tenant = self.inhabitant(tenant).agent.tenant.clone();
        self.must(operator(), CommandBody::OfferBundle(OfferedSource { tenant, source }))?;
        Ok(bundle_hash)
    }

    /// The command that activates an offered bundle for a tenant.
    pub fn activate(&mut self, tenant: usize, bundle_hash: Hash) -> Command {
        let tenant = self.inhabitant(tenant).agent.tenant.clone();
        let body = CommandBody::ActivateBundle { tenant, environment: ENVIRONMENT.into(), bundle_hash };
        self.command_of(&operator(), body)
    }

    /// A tenant's agent.
    pub fn agent(&self, tenant: usize) -> &Caller {
        &self.inhabitant(tenant).agent
    }

    /// A tenant by its number; one that is not there is the first.
    fn inhabitant(&self, tenant: usize) -> &Inhabitant {
        tenant.checked_sub(1).and_then(|number| self.others.get(number)).unwrap_or(&self.first)
    }

    /// The first policy's call, as a command of its agent that was never sent before; `run` names a run, or none.
    pub fn evaluate(&mut self, run: Option<String>) -> Command {
        self.evaluate_with(0, |call| call.run_id = run)
    }

    /// A tenant's call after a change, as a command of its agent that was never sent before.
    pub fn evaluate_with(&mut self, tenant: usize, change: impl FnOnce(&mut Evaluate)) -> Command {
        self.calls += 1;
        let known = self.inhabitant(tenant).clone();
        let mut call = Evaluate {
            environment: ENVIRONMENT.into(),
            run_id: None,
            trace_id: Some("0af7651916cd43dd8448eb211c80319c".into()),
            agent: Agent { name: Some("mailer".into()), ..Agent::default() },
            subject: None,
            tool: known.call.tool.into(),
            content_type: "application/json".into(),
            inputs: known.call.inputs(self.calls),
            context: Box::new(known.call.context.clone()),
        };
        change(&mut call);
        self.command_of(&known.agent, CommandBody::Evaluate(Box::new(call)))
    }

    /// A command of somebody, applied in a batch of its own. A refusal is an error.
    pub fn must(&mut self, caller: Caller, body: CommandBody) -> Result<AppliedBatch, Box<dyn Error>> {
        let command = self.command_of(&caller, body);
        Ok(self.apply(&Batch { commands: vec![command] })?.0)
    }

    /// `count` such commands, of the agent's implicit run.
    pub fn batch(&mut self, count: usize) -> Batch {
        Batch { commands: (0..count).map(|_| self.evaluate(None)).collect() }
    }

    /// A seal of the open span.
    pub fn seal(&mut self) -> Batch {
        let expected_start = TreeSize(self.progress().span_start.0);
        let body = CommandBody::Seal { reason: SealReason::Count, expected_start };
        Batch { commands: vec![self.command_of(&node(), body)] }
    }

    /// The cosignatures of the last seal: without them there is no next one.
    pub fn cosigned(&mut self) -> Batch {
        let (checkpoint, manifest) = (sha256(&[b"checkpoint"]), sha256(&[b"manifest"]));
        let size = self.progress().sealed;
        let body = SpanCosigned { checkpoint, cosignatures: Vec::new(), manifest, size };
        Batch { commands: vec![self.command_of(&node(), CommandBody::Cosigned(Box::new(body)))] }
    }

    /// Applies a batch and takes its changes in. Gives what the machine made of it and how long the machine took; the state's own
    /// bookkeeping, which is the store's in a node, is not counted. A refusal is an error.
    pub fn apply(&mut self, batch: &Batch) -> Result<(AppliedBatch, Duration), Box<dyn Error>> {
        self.index += 1;
        let membership = vec![NodeId(1), NodeId(2), NodeId(3)];
        let at = LogPosition { index: self.index, term: 1, leader: NodeId(1), membership };
        let start = Instant::now();
        let applied = std::hint::black_box(self.machine.apply(&self.state, batch, &at));
        let taken = start.elapsed();
        self.state.commit(&applied.state, &applied.dropped_buckets);
        match applied.answers.iter().find(|answer| matches!(answer, Answer::Refused(_))) {
            Some(answer) => Err(format!("{answer:?}").into()),
            None => Ok((applied, taken)),
        }
    }

    /// [`World::apply`] for calls all of which are to be allowed: figures of calls that are denied early would look good.
    pub fn apply_allowed(&mut self, batch: &Batch) -> Result<(AppliedBatch, Duration), Box<dyn Error>> {
        let (applied, taken) = self.apply(batch)?;
        check_allowed(&applied)?;
        Ok((applied, taken))
    }

    fn progress(&self) -> ProgressRecord {
        match self.state.get(&StateKey::Progress).as_deref() {
            Some(Record::Progress(progress)) => progress.clone(),
            _ => ProgressRecord::default(),
        }
    }

    /// Lets time pass before the next stamp, but for what lies between two stamps anyway.
    pub fn pass(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.clock = self.clock.saturating_add(micros.saturating_sub(STEP_MICROS));
    }

    /// A command of somebody with a stamp of its own, later than all before.
    pub fn command_of(&mut self, caller: &Caller, body: CommandBody) -> Command {
        self.clock += STEP_MICROS;
        let seed = sha256(&[&self.clock.to_be_bytes()]).0;
        let mut random = [0u8; 10];
        random.iter_mut().zip(seed).for_each(|(to, from)| *to = from);
        let stamp = Stamp { time: Time(self.clock), seed };
        Command { request_id: RequestId::new(self.clock / 1_000, random), stamp, caller: caller.clone(), body }
    }
}

/// An error when a command was refused, or a call not allowed.
pub fn check_allowed(applied: &AppliedBatch) -> Result<(), Box<dyn Error>> {
    let fails = |answer: &&Answer| match answer {
        Answer::Refused(_) => true,
        Answer::Decided { verdict, .. } => *verdict != Verdict::Allow,
        _ => false,
    };
    match applied.answers.iter().find(fails) {
        Some(answer) => Err(format!("not allowed: {answer:?}").into()),
        None => Ok(()),
    }
}

/// Who runs the ledger.
pub fn operator() -> Caller {
    Caller {
        tenant: TenantId::system(),
        subject: None,
        attested: true,
        role: Role::Operator,
        credential: "operator".into(),
    }
}

fn node() -> Caller {
    Caller { role: Role::Node, credential: "node/1".into(), ..operator() }
}

fn genesis(origin: &Origin) -> CommandBody {
    let parameters = GenesisParameters {
        origin: origin.clone(),
        kernel_version: 1,
        quorum: 2,
        seal_entries: 1_000,
        seal_seconds: 1,
        interval_max_seconds: 60,
    };
    CommandBody::Genesis(Box::new(Genesis {
        created: sign_genesis(&SecretKey::from_seed(&[1; 32]), parameters),
        endorsements: Vec::new(),
        operator: operator().credential,
        operator_token_hash: sha256(&[b"operator"]),
    }))
}

/// What makes a tenant with an agent.
fn settling(agent: &Caller, number: usize) -> [CommandBody; 3] {
    let tenant = &agent.tenant;
    let credential = NewCredential {
        tenant: tenant.clone(),
        name: agent.credential.clone(),
        token_hash: sha256(&[b"agent", tenant.as_str().as_bytes()]),
        role: Role::Agent,
        subject: agent.subject.clone(),
    };
    let subject = agent.subject.clone().unwrap_or_default();
    let blind = sha256(&[b"blind", &number.to_be_bytes()]).0;
    [
        CommandBody::CreateTenant(Box::new(NewTenant { tenant: tenant.clone(), tenant_key: [2; 32], blind })),
        CommandBody::RegisterPrincipal { tenant: tenant.clone(), subject, owner: None },
        CommandBody::RegisterCredential(Box::new(credential)),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::policy::{acme, full, hundred_rules};

    #[test]
    fn calls_are_allowed_and_spans_are_sealed_one_after_the_other() {
        for policy in [hundred_rules(), acme(), full::native(), full::cel(), full::rego()] {
            let mut world = World::new(policy).unwrap();
            for _ in 0..2 {
                // More than the kernel takes for a loop, were they the same.
                let batch = world.batch(100);
                world.apply_allowed(&batch).unwrap();
                let seal = world.seal();
                world.apply(&seal).unwrap();
                // Made only now: it names the size that was just sealed.
                let cosigned = world.cosigned();
                world.apply(&cosigned).unwrap();
            }
        }
    }
}
