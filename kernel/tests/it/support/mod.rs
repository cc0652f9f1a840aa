//! A ledger in memory for the integration tests, and seeded sequences of commands for it.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod archive;
mod execution;
mod random;
pub mod runs;
pub mod spending;

use assent_kernel::command::{
    Agent, Batch, Caller, Command, CommandBody, ControlCommand, Evaluate, Genesis, NewCredential, NewTenant,
    OfferedSource, Redeem, RequestId, Role, RunCommand, RunRequest,
};
use assent_kernel::machine::{Answer, AppliedBatch, HeadRecord, LogPosition, Machine};
use assent_kernel::refusal::Refusal;
use assent_kernel::stamp::Stamp;
use assent_kernel::state::keys::ProgressRecord;
use assent_kernel::state::{MemoryState, Record, StateKey, StateRead};
use assent_ledger::endorse::{GenesisParameters, Grant, endorse, sign_genesis};
use assent_ledger::hash::{Hash, sha256};
use assent_ledger::ids::{NodeId, Origin, Seq, TenantId, Time, TreeSize};
use assent_ledger::keys::{Role as KeyRole, SecretKey};
use assent_ledger::seal::{LedgerCreated, SealReason, SpanAnchored, SpanCosigned};
use execution::{random_execution, token_of};

pub const START_MICROS: u64 = 1_900_000_000_000_000;
pub const SECOND: u64 = 1_000_000;
pub const BUNDLE: &str = include_str!("bundle.yaml");

pub fn origin() -> Origin {
    Origin::new("ledger.example/test").unwrap()
}

pub fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

pub fn root_key() -> SecretKey {
    SecretKey::from_seed(&[42; 32])
}

pub fn token(name: &str) -> Hash {
    sha256(&[b"token of ", name.as_bytes()])
}

pub fn bundle_hash() -> Hash {
    assent_kernel::bundle::bundle_hash(BUNDLE.as_bytes())
}

/// A small generator of numbers that look random: what matters is that a seed always gives the same ones.
#[derive(Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize].clone()
    }

    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        out.fill_with(|| self.next() as u8);
        out
    }
}

pub fn operator() -> Caller {
    Caller {
        tenant: TenantId::system(),
        subject: None,
        attested: true,
        role: Role::Operator,
        credential: "root-operator".into(),
    }
}

pub fn node() -> Caller {
    Caller { role: Role::Node, credential: "node/1".into(), ..operator() }
}

pub fn admin(of: &str) -> Caller {
    Caller {
        tenant: tenant(of),
        subject: None,
        attested: true,
        role: Role::TenantAdmin,
        credential: format!("admin-{of}"),
    }
}

pub fn agent(of: &str, subject: Option<&str>) -> Caller {
    Caller {
        tenant: tenant(of),
        subject: subject.map(str::to_owned),
        attested: subject.is_some(),
        role: Role::Agent,
        credential: format!("key-{}", subject.unwrap_or("wide")),
    }
}

pub fn reporter(of: &str, subject: Option<&str>) -> Caller {
    let credential = subject.map_or_else(|| "key-watch".to_owned(), |subject| format!("watch-{subject}"));
    Caller { role: Role::Reporter, subject: subject.map(str::to_owned), credential, ..admin(of) }
}

pub fn credential_of(caller: &Caller) -> CommandBody {
    CommandBody::RegisterCredential(Box::new(NewCredential {
        tenant: caller.tenant.clone(),
        name: caller.credential.clone(),
        token_hash: token(&format!("{}/{}", caller.tenant, caller.credential)),
        role: caller.role,
        subject: caller.subject.clone(),
    }))
}

pub fn created(kernel_version: u32) -> LedgerCreated {
    let parameters = GenesisParameters {
        origin: origin(),
        kernel_version,
        quorum: 1,
        seal_entries: 1_000,
        seal_seconds: 1,
        interval_max_seconds: 60,
    };
    sign_genesis(&root_key(), parameters)
}

pub fn genesis() -> Genesis {
    let node = NodeId(1);
    let grant = |role, node| Grant { role, node, from_size: TreeSize(1), to_size: None };
    let key = |n: u8, grant| endorse(&origin(), &root_key(), SecretKey::from_seed(&[n; 32]).public(), grant).unwrap();
    Genesis {
        created: created(1),
        endorsements: vec![
            key(1, grant(KeyRole::Log, None)),
            key(2, grant(KeyRole::Cosigner, Some(node))),
            key(3, grant(KeyRole::Receipt, Some(node))),
        ],
        operator: operator().credential,
        operator_token_hash: token("operator"),
    }
}

pub fn new_tenant(name: &str) -> CommandBody {
    CommandBody::CreateTenant(Box::new(NewTenant {
        tenant: tenant(name),
        tenant_key: sha256(&[b"key of ", name.as_bytes()]).0,
        blind: sha256(&[b"blind of ", name.as_bytes()]).0,
    }))
}

pub fn register(of: &str, subject: &str) -> CommandBody {
    CommandBody::RegisterPrincipal {
        tenant: tenant(of),
        subject: subject.into(),
        owner: Some("ops@example.com".into()),
    }
}

pub fn offer(of: &str) -> CommandBody {
    CommandBody::OfferBundle(OfferedSource { tenant: tenant(of), source: BUNDLE.as_bytes().to_vec() })
}

pub fn activate(of: &str) -> CommandBody {
    CommandBody::ActivateBundle { tenant: tenant(of), environment: "prod".into(), bundle_hash: bundle_hash() }
}

pub fn call(tool: &str, inputs: &str) -> Evaluate {
    Evaluate {
        environment: "prod".into(),
        run_id: None,
        trace_id: Some("trace-1".into()),
        agent: Agent { name: Some("mailer".into()), ..Agent::default() },
        subject: None,
        tool: tool.into(),
        content_type: "application/json".into(),
        inputs: inputs.as_bytes().to_vec(),
        context: Box::default(),
    }
}

pub fn evaluate(call: Evaluate) -> CommandBody {
    CommandBody::Evaluate(Box::new(call))
}

pub const GOOD_MAIL: &str = r#"{"to":["a@example.com"],"subject":"hello","recipient_count":1}"#;

pub fn mail() -> CommandBody {
    evaluate(call("mail.send", GOOD_MAIL))
}

pub fn position(index: u64) -> LogPosition {
    LogPosition { index, term: 1, leader: NodeId(1), membership: vec![NodeId(2), NodeId(1), NodeId(3)] }
}

/// A machine, its state, and everything that it has written.
pub struct World {
    pub machine: Machine,
    pub state: MemoryState,
    pub clock: u64,
    pub dice: Dice,
    pub leaves: Vec<Vec<u8>>,
    pub sent: Vec<Command>,
    pub index: u64,
    /// Decisions that could be redeemed when they were made.
    pub tokens: Vec<Redeem>,
    pub queries: Vec<String>,
}

impl World {
    pub fn new(seed: u64) -> World {
        World {
            machine: Machine::new(origin()),
            state: MemoryState::new(),
            clock: START_MICROS,
            dice: Dice(seed),
            leaves: Vec::new(),
            sent: Vec::new(),
            index: 0,
            tokens: Vec::new(),
            queries: Vec::new(),
        }
    }

    /// A ledger with tenants `acme` and `zeta`, a bundle active in both, and agents with and without a subject.
    pub fn ready(seed: u64) -> World {
        let mut world = World::new(seed);
        world.must(operator(), CommandBody::Genesis(Box::new(genesis())));
        for name in ["acme", "zeta"] {
            world.must(operator(), new_tenant(name));
            world.must(operator(), credential_of(&admin(name)));
            world.must(admin(name), register(name, "agent-1"));
            world.must(admin(name), credential_of(&agent(name, Some("agent-1"))));
            world.must(admin(name), credential_of(&agent(name, None)));
            world.must(admin(name), offer(name));
            world.must(admin(name), activate(name));
        }
        world
    }

    /// A command stamped now, a millisecond after the one before.
    pub fn command(&mut self, caller: Caller, body: CommandBody) -> Command {
        self.clock += 1_000;
        let request_id = RequestId::new(self.clock / 1_000, self.dice.bytes());
        Command { request_id, stamp: Stamp { time: Time(self.clock), seed: self.dice.bytes() }, caller, body }
    }

    pub fn apply(&mut self, commands: Vec<Command>) -> AppliedBatch {
        self.index += 1;
        self.sent.extend(commands.iter().cloned());
        let asked = commands.clone();
        let batch = Batch::decode(&Batch { commands }.encode()).unwrap();
        let applied = self.machine.apply(&self.state, &batch, &position(self.index));
        self.state.commit(&applied.state, &applied.dropped_buckets);
        for (command, answer) in asked.iter().zip(&applied.answers) {
            self.tokens.extend(token_of(command, answer));
            if let (CommandBody::Memory(_), Answer::Ruled { event_id, .. }) = (&command.body, answer) {
                self.queries.push(event_id.clone());
            }
        }
        self.leaves.extend(applied.entries.iter().map(|entry| entry.leaf.clone()));
        applied
    }

    pub fn send_command(&mut self, command: Command) -> Answer {
        self.apply(vec![command]).answers.remove(0)
    }

    pub fn send(&mut self, caller: Caller, body: CommandBody) -> Answer {
        let command = self.command(caller, body);
        self.send_command(command)
    }

    pub fn must(&mut self, caller: Caller, body: CommandBody) -> (Seq, u32) {
        match self.send(caller, body) {
            Answer::Recorded { first_seq, count, replayed: false } => (first_seq, count),
            other => panic!("{other:?}"),
        }
    }

    pub fn refused(&mut self, caller: Caller, body: CommandBody) -> Refusal {
        let size = self.machine.size();
        let digest = self.machine.state_digest();
        match self.send(caller, body) {
            Answer::Refused(refusal) => {
                assert_eq!((self.machine.size(), self.machine.state_digest()), (size, digest), "{refusal}");
                refusal
            }
            other => panic!("{other:?}"),
        }
    }

    pub fn progress(&self) -> ProgressRecord {
        match self.state.get(&StateKey::Progress).as_deref() {
            Some(Record::Progress(progress)) => progress.clone(),
            _ => ProgressRecord::default(),
        }
    }

    pub fn seal(&self) -> CommandBody {
        let expected_start = TreeSize(self.progress().span_start.0);
        CommandBody::Seal { reason: SealReason::Count, expected_start }
    }

    pub fn cosigned(&self) -> CommandBody {
        let (checkpoint, manifest) = (sha256(&[b"checkpoint"]), sha256(&[b"manifest"]));
        let size = self.progress().sealed;
        CommandBody::Cosigned(Box::new(SpanCosigned { checkpoint, cosignatures: vec![], manifest, size }))
    }

    pub fn anchored(&self) -> CommandBody {
        CommandBody::Anchored(Box::new(SpanAnchored {
            checkpoint: sha256(&[b"checkpoint"]),
            manifest: sha256(&[b"manifest"]),
            objects: 3,
            retain_until: None,
            size: self.progress().sealed,
            sink_uri: "file:///worm".into(),
            version_ids: vec![],
        }))
    }

    /// The same machine and state, from nothing but bytes.
    pub fn through_snapshot(&mut self) {
        let rows = self.state.export();
        let head = HeadRecord::decode(&self.machine.head().encode()).unwrap();
        let heads: Vec<_> = self.machine.tenant_heads().map(|(name, head)| (name.clone(), *head)).collect();
        self.state = MemoryState::import(&rows).unwrap();
        self.machine = Machine::restore(origin(), head, heads, rows).unwrap();
    }

    pub fn summary(&mut self) -> (TreeSize, Hash, Hash) {
        (self.machine.size(), self.machine.root(), self.machine.state_digest())
    }
}

const TENANTS: [&str; 3] = ["acme", "zeta", "newco"];
const SUBJECTS: [&str; 4] = ["agent-1", "agent-2", "reader-x", "spiffe://example.com/agent/9"];
const TOOLS: [&str; 5] = ["mail.send", "http.fetch", "file.read", "nobody.knows", "bad name"];
const INPUTS: [&str; 6] = [
    GOOD_MAIL,
    r#"{"url":"https://api.example.com/v1"}"#,
    r#"{"path":"/srv/data/report.txt"}"#,
    r#"{"to":["a@example.com"],"to":[]}"#,
    "not json",
    r#"{"to":["a@example.com"],"subject":"hello","recipient_count":500}"#,
];

/// Commands of every kind, good and bad, on top of `World::ready`: `count` in all, each applied in a batch of its own.
pub fn random_world(seed: u64, count: usize) -> World {
    let mut world = World::ready(seed);
    while world.sent.len() < count {
        let command = random_command(&mut world);
        world.send_command(command);
    }
    world
}

fn random_command(world: &mut World) -> Command {
    let mut dice = world.dice.clone();
    dice.next();
    match dice.below(40) {
        // A long silence: implicit runs go idle, and now and then request ids leave the window.
        0 => world.clock += (20 + dice.below(40)) * 60 * SECOND,
        1 if dice.below(8) == 0 => world.clock += 25 * 3_600 * SECOND,
        _ => world.clock += dice.below(SECOND),
    }
    let caller = random_caller(&mut dice);
    let body = random_body(world, &mut dice);
    let suitable = match &body {
        CommandBody::Seal { .. } | CommandBody::Cosigned(_) | CommandBody::Anchored(_) | CommandBody::Tick => node(),
        CommandBody::Run(run) if !matches!(**run, RunCommand::AttachTaint { .. } | RunCommand::RecordStep { .. }) => {
            admin(dice.pick(&TENANTS))
        }
        CommandBody::Evaluate(_)
        | CommandBody::Message(_)
        | CommandBody::Memory(_)
        | CommandBody::OpenRun(_)
        | CommandBody::CloseRun(_)
        | CommandBody::Execution(_)
        | CommandBody::Run(_) => agent(dice.pick(&TENANTS), dice.pick(&[Some("agent-1"), Some("agent-1"), None])),
        _ => operator(),
    };
    let mut command = world.command(if dice.below(8) == 0 { caller } else { suitable }, body);
    match dice.below(24) {
        // The same request again, perhaps long after.
        0..=2 => {
            let stamp = command.stamp.clone();
            let sent = dice.pick(&world.sent);
            command = Command { stamp, ..sent };
        }
        // An id that was used for something else.
        3 => command.request_id = dice.pick(&world.sent).request_id,
        // A leader whose clock is behind, or far ahead of the request's.
        4 => command.stamp.time = Time(world.clock.saturating_sub(dice.below(3_600) * SECOND)),
        5 => command.request_id = RequestId::new(world.clock / 1_000 + 3_600_000, dice.bytes()),
        _ => {}
    }
    command
}

fn random_caller(dice: &mut Dice) -> Caller {
    let of = dice.pick(&TENANTS);
    match dice.below(5) {
        0 => operator(),
        1 => node(),
        2 => admin(of),
        3 => Caller { role: Role::Auditor, ..admin(of) },
        _ => agent(of, Some(dice.pick(&SUBJECTS))),
    }
}

pub fn control(command: ControlCommand) -> CommandBody {
    CommandBody::Control(Box::new(command))
}

fn random_body(world: &World, dice: &mut Dice) -> CommandBody {
    let of = dice.pick(&TENANTS);
    let subject = dice.pick(&SUBJECTS);
    // The first subject is never shut out, so that a long sequence goes on deciding.
    let other = dice.pick(&SUBJECTS[1..]);
    let run = format!("run-{}", dice.below(6));
    let asserted = (dice.below(3) == 0).then(|| subject.to_owned());
    match dice.below(50) {
        0 => CommandBody::Genesis(Box::new(genesis())),
        1 => new_tenant(of),
        2 => register(of, subject),
        3 if dice.below(6) == 0 => CommandBody::DisablePrincipal { tenant: tenant(of), subject: other.into() },
        4 => credential_of(&agent(of, Some(subject))),
        5 if dice.below(8) == 0 => CommandBody::RevokeCredential { tenant: tenant(of), name: format!("key-{other}") },
        6 => offer(of),
        7 => CommandBody::OfferBundle(OfferedSource { tenant: tenant(of), source: b"name: [".to_vec() }),
        8 => activate(of),
        9 => CommandBody::OpenRun(RunRequest { run_id: run, subject: asserted, parent_run_id: None }),
        10 => CommandBody::CloseRun(RunRequest { run_id: run, subject: asserted, parent_run_id: None }),
        11 | 12 => world.seal(),
        13 => CommandBody::Seal { reason: SealReason::Idle, expected_start: TreeSize(dice.below(9)) },
        14 => world.cosigned(),
        15 => world.anchored(),
        30 => CommandBody::Tick,
        31..=35 => random_execution(world, dice),
        16 => {
            let public = SecretKey::from_seed(&dice.bytes()).public();
            let grant = Grant {
                role: KeyRole::Cosigner,
                node: Some(NodeId(dice.below(6))),
                from_size: TreeSize(dice.below(100)),
                to_size: None,
            };
            let signer = if dice.below(3) == 0 { SecretKey::from_seed(&[9; 32]) } else { root_key() };
            CommandBody::EndorseKey(Box::new(endorse(&origin(), &signer, public, grant).unwrap()))
        }
        18 | 19 => control(random::random_control(dice, of, other)),
        22..=24 => CommandBody::Memory(Box::new(random::random_memory(world, dice, of, asserted))),
        20 | 21 => CommandBody::Message(Box::new(random::random_message(world, dice, of, subject))),
        44..=47 => CommandBody::Run(Box::new(runs::random_run(dice, of, run, asserted))),
        _ => evaluate(Evaluate {
            run_id: (dice.below(2) == 0).then_some(run),
            subject: asserted,
            environment: dice.pick(&["prod", "prod", "prod", "test"]).into(),
            ..call(dice.pick(&TOOLS), dice.pick(&INPUTS))
        }),
    }
}
