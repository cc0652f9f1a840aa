//! Measures one core deciding and applying calls in memory, and prints nanoseconds per call: `measure [CALLS]`.
//!
//! The clock is the example's; the kernel has none.

use std::error::Error;
use std::time::Instant;

use assent_kernel::command::{
    Agent, Batch, Caller, Command, CommandBody, Evaluate, Genesis, NewCredential, NewTenant, OfferedSource, RequestId,
    Role,
};
use assent_kernel::decide::{decide, decide_new};
use assent_kernel::machine::{Answer, LogPosition, Machine};
use assent_kernel::stamp::Stamp;
use assent_kernel::state::MemoryState;
use assent_ledger::endorse::{GenesisParameters, sign_genesis};
use assent_ledger::hash::sha256;
use assent_ledger::ids::{NodeId, Origin, TenantId, Time};
use assent_ledger::keys::SecretKey;

const BUNDLE: &str = include_str!("../tests/support/bundle.yaml");
const BATCH: usize = 32;
const START_MICROS: u64 = 1_900_000_000_000_000;

struct Ledger {
    machine: Machine,
    state: MemoryState,
    index: u64,
    clock: u64,
}

impl Ledger {
    fn command(&mut self, caller: &Caller, body: CommandBody) -> Command {
        self.clock += 20;
        let seed = sha256(&[&self.clock.to_be_bytes()]).0;
        let mut random = [0u8; 10];
        random.iter_mut().zip(seed).for_each(|(to, from)| *to = from);
        let stamp = Stamp { time: Time(self.clock), seed };
        Command { request_id: RequestId::new(self.clock / 1_000, random), stamp, caller: caller.clone(), body }
    }

    /// Applies commands; returns how long the machine took, without the state's own bookkeeping, in nanoseconds.
    fn apply(&mut self, commands: Vec<Command>) -> Result<u128, Box<dyn Error>> {
        self.index += 1;
        let (term, leader) = (1, NodeId(1));
        let at = LogPosition { index: self.index, term, leader, membership: vec![leader] };
        let batch = Batch { commands };
        let start = Instant::now();
        let applied = self.machine.apply(&self.state, &batch, &at);
        let taken = start.elapsed().as_nanos();
        self.state.commit(&applied.state, &applied.dropped_buckets);
        match applied.answers.iter().find(|answer| matches!(answer, Answer::Refused(_))) {
            Some(answer) => Err(format!("{answer:?}").into()),
            None => Ok(taken),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let calls: usize = std::env::args().nth(1).map_or(Ok(100_000), |n| n.parse())?;
    let origin = Origin::new("ledger.example/measure")?;
    let machine = Machine::new(origin.clone());
    let mut ledger = Ledger { machine, state: MemoryState::new(), index: 0, clock: START_MICROS };
    let tenant = TenantId::new("acme")?;
    let agent = prepare(&mut ledger, &origin, &tenant)?;
    let inputs = format!(r#"{{"to":["a@example.com"],"subject":"hello","recipient_count":1}}{}"#, " ".repeat(448));
    let call = Evaluate {
        environment: "prod".into(),
        run_id: None,
        trace_id: Some("0af7651916cd43dd8448eb211c80319c".into()),
        agent: Agent { name: Some("mailer".into()), ..Agent::default() },
        subject: None,
        tool: "mail.send".into(),
        content_type: "application/json".into(),
        inputs: inputs.into_bytes(),
    };
    let body = CommandBody::Evaluate(Box::new(call));
    let mut applied = Vec::new();
    for _ in 0..calls / BATCH {
        let commands = (0..BATCH).map(|_| ledger.command(&agent, body.clone())).collect();
        applied.push(ledger.apply(commands)? / BATCH as u128);
    }
    print("apply, per call in batches of 32", &mut applied);
    let (mut whole, mut core) = (Vec::new(), Vec::new());
    for _ in 0..calls / 4 {
        let command = ledger.command(&agent, body.clone());
        let start = Instant::now();
        let decision = decide(&ledger.state, &command);
        whole.push(start.elapsed().as_nanos());
        let start = Instant::now();
        let again = decide_new(&ledger.state, &command);
        core.push(start.elapsed().as_nanos());
        if decision != again {
            return Err("one command, two decisions".into());
        }
    }
    print("decide", &mut whole);
    print("decide without idempotency and credential", &mut core);
    println!("{} entries, root {}", ledger.machine.size(), ledger.machine.root());
    Ok(())
}

fn print(what: &str, nanos: &mut [u128]) {
    nanos.sort_unstable();
    let at = |permille: usize| nanos.get(nanos.len() * permille / 1_000).copied().unwrap_or_default();
    println!("{what}: p50 {} ns, p99 {} ns", at(500), at(990));
}

fn prepare(ledger: &mut Ledger, origin: &Origin, tenant: &TenantId) -> Result<Caller, Box<dyn Error>> {
    let operator = Caller {
        tenant: TenantId::system(),
        subject: None,
        attested: true,
        role: Role::Operator,
        credential: "operator".into(),
    };
    let agent = Caller {
        tenant: tenant.clone(),
        subject: Some("agent-1".into()),
        attested: true,
        role: Role::Agent,
        credential: "key".into(),
    };
    let parameters = GenesisParameters {
        origin: origin.clone(),
        kernel_version: 1,
        quorum: 1,
        seal_entries: 1_000,
        seal_seconds: 1,
        interval_max_seconds: 60,
    };
    let genesis = Genesis {
        created: sign_genesis(&SecretKey::from_seed(&[1; 32]), parameters),
        endorsements: Vec::new(),
        operator: operator.credential.clone(),
        operator_token_hash: sha256(&[b"operator"]),
    };
    let credential = NewCredential {
        tenant: tenant.clone(),
        name: agent.credential.clone(),
        token_hash: sha256(&[b"agent"]),
        role: Role::Agent,
        subject: agent.subject.clone(),
    };
    let source = BUNDLE.as_bytes().to_vec();
    let bundle_hash = assent_kernel::bundle::bundle_hash(&source);
    let bodies = [
        CommandBody::Genesis(Box::new(genesis)),
        CommandBody::CreateTenant(Box::new(NewTenant { tenant: tenant.clone(), tenant_key: [2; 32], blind: [3; 32] })),
        CommandBody::RegisterPrincipal { tenant: tenant.clone(), subject: "agent-1".into(), owner: None },
        CommandBody::RegisterCredential(Box::new(credential)),
        CommandBody::OfferBundle(OfferedSource { tenant: tenant.clone(), source }),
        CommandBody::ActivateBundle { tenant: tenant.clone(), environment: "prod".into(), bundle_hash },
    ];
    for body in bodies {
        let command = ledger.command(&operator, body);
        ledger.apply(vec![command])?;
    }
    Ok(agent)
}
