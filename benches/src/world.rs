//! A ledger in memory with one tenant, one agent and one active bundle, and stamped commands for it.

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
use assent_ledger::endorse::{GenesisParameters, sign_genesis};
use assent_ledger::hash::sha256;
use assent_ledger::ids::{NodeId, Origin, TenantId, Time, TreeSize};
use assent_ledger::keys::SecretKey;
use assent_ledger::seal::{SealReason, SpanCosigned};

use crate::policy::Policy;

/// Stamps start here, in microseconds since 1970.
const START_MICROS: u64 = 1_900_000_000_000_000;
/// Time between two stamps, in microseconds.
const STEP_MICROS: u64 = 20;

/// A machine, its state, and whoever calls.
pub struct World {
    /// The machine.
    pub machine: Machine,
    /// Its state.
    pub state: MemoryState,
    policy: Policy,
    agent: Caller,
    index: u64,
    clock: u64,
}

impl World {
    /// A ledger on which the policy is active.
    pub fn new(policy: Policy) -> Result<World, Box<dyn Error>> {
        let origin = Origin::new("ledger.example/bench")?;
        let tenant = TenantId::new("acme")?;
        let agent = Caller {
            tenant: tenant.clone(),
            subject: Some(policy.call.subject.to_owned()),
            attested: true,
            role: Role::Agent,
            credential: "key".into(),
        };
        let machine = Machine::new(origin.clone());
        let source = policy.source.clone();
        let mut world = World { machine, state: MemoryState::new(), policy, agent, index: 0, clock: START_MICROS };
        for body in founding(&origin, &tenant, &world.agent, source) {
            let command = world.command_of(&operator(), body);
            world.apply(&Batch { commands: vec![command] })?;
        }
        Ok(world)
    }

    /// The policy's call, as a command of the agent that was never sent before; `run` names a run, or none.
    pub fn evaluate(&mut self, run: Option<String>) -> Command {
        let call = Evaluate {
            environment: "prod".into(),
            run_id: run,
            trace_id: Some("0af7651916cd43dd8448eb211c80319c".into()),
            agent: Agent { name: Some("mailer".into()), ..Agent::default() },
            subject: None,
            tool: self.policy.call.tool.into(),
            content_type: "application/json".into(),
            inputs: self.policy.call.inputs.clone(),
            context: Box::default(),
        };
        let agent = self.agent.clone();
        self.command_of(&agent, CommandBody::Evaluate(Box::new(call)))
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

    fn progress(&self) -> ProgressRecord {
        match self.state.get(&StateKey::Progress).as_deref() {
            Some(Record::Progress(progress)) => progress.clone(),
            _ => ProgressRecord::default(),
        }
    }

    fn command_of(&mut self, caller: &Caller, body: CommandBody) -> Command {
        self.clock += STEP_MICROS;
        let seed = sha256(&[&self.clock.to_be_bytes()]).0;
        let mut random = [0u8; 10];
        random.iter_mut().zip(seed).for_each(|(to, from)| *to = from);
        let stamp = Stamp { time: Time(self.clock), seed };
        Command { request_id: RequestId::new(self.clock / 1_000, random), stamp, caller: caller.clone(), body }
    }
}

fn operator() -> Caller {
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

fn founding(origin: &Origin, tenant: &TenantId, agent: &Caller, source: Vec<u8>) -> Vec<CommandBody> {
    let parameters = GenesisParameters {
        origin: origin.clone(),
        kernel_version: 1,
        quorum: 2,
        seal_entries: 1_000,
        seal_seconds: 1,
        interval_max_seconds: 60,
    };
    let genesis = Genesis {
        created: sign_genesis(&SecretKey::from_seed(&[1; 32]), parameters),
        endorsements: Vec::new(),
        operator: operator().credential,
        operator_token_hash: sha256(&[b"operator"]),
    };
    let credential = NewCredential {
        tenant: tenant.clone(),
        name: agent.credential.clone(),
        token_hash: sha256(&[b"agent"]),
        role: Role::Agent,
        subject: agent.subject.clone(),
    };
    let subject = agent.subject.clone().unwrap_or_default();
    let bundle_hash = assent_kernel::bundle::bundle_hash(&source);
    vec![
        CommandBody::Genesis(Box::new(genesis)),
        CommandBody::CreateTenant(Box::new(NewTenant { tenant: tenant.clone(), tenant_key: [2; 32], blind: [3; 32] })),
        CommandBody::RegisterPrincipal { tenant: tenant.clone(), subject, owner: None },
        CommandBody::RegisterCredential(Box::new(credential)),
        CommandBody::OfferBundle(OfferedSource { tenant: tenant.clone(), source }),
        CommandBody::ActivateBundle { tenant: tenant.clone(), environment: "prod".into(), bundle_hash },
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::policy::{acme, hundred_rules};
    use assent_kernel::verdict::Verdict;

    #[test]
    fn calls_are_allowed_and_spans_are_sealed_one_after_the_other() {
        for policy in [hundred_rules(), acme()] {
            let mut world = World::new(policy).unwrap();
            for _ in 0..2 {
                let batch = world.batch(3);
                let (applied, _) = world.apply(&batch).unwrap();
                let allowed = |a: &Answer| matches!(a, Answer::Decided { verdict: Verdict::Allow, .. });
                assert!(applied.answers.iter().all(allowed), "{:?}", applied.answers);
                let seal = world.seal();
                world.apply(&seal).unwrap();
                // Made only now: it names the size that was just sealed.
                let cosigned = world.cosigned();
                world.apply(&cosigned).unwrap();
            }
        }
    }
}
