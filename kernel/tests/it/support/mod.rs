//! A ledger in memory for the integration tests, and seeded sequences of commands for it.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod archive;
pub mod calls;
pub mod random;
pub mod runs;
pub mod spending;

use assent_kernel::command::{
    Agent, Batch, Caller, Command, CommandBody, ControlCommand, Evaluate, Genesis, NewCredential, NewTenant,
    OfferedSource, RequestId, Role,
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
pub use random::random_world;

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
    /// What every command came to.
    pub answers: Vec<Answer>,
    pub seen: random::Seen,
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
            answers: Vec::new(),
            seen: random::Seen::default(),
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
        self.seen.learn(&asked, &applied);
        self.answers.extend(applied.answers.iter().cloned());
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

pub fn control(command: ControlCommand) -> CommandBody {
    CommandBody::Control(Box::new(command))
}
