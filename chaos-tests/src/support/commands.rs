//! Real commands: a genesis with endorsed keys, a tenant with a principal, a credential and a policy, then calls to decide.

use assent_kernel::bundle::bundle_hash;
use assent_kernel::command::{
    Agent, Caller, Command, CommandBody, Evaluate, Genesis, NewCredential, NewTenant, OfferedSource, RequestId, Role,
};
use assent_kernel::limits::KERNEL_VERSION;
use assent_kernel::stamp::Stamp;
use assent_ledger::endorse::{GenesisParameters, Grant, endorse, sign_genesis};
use assent_ledger::hash::sha256;
use assent_ledger::ids::{NodeId, Origin, TenantId, Time, TreeSize};
use assent_ledger::keys::{self, SecretKey};
use assent_ledger::seal::SealReason;

use super::dice::Dice;

/// The tests' ledger.
pub fn origin() -> Origin {
    Origin::new("assent.test/chaos").unwrap()
}

/// The tests' tenant.
pub fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

/// Where the commands' clock starts: the tests' time is made, not measured.
const CLOCK_START_MICROS: u64 = 1_795_000_000_000_000;
/// The environment in which the policy is active.
pub const ENVIRONMENT: &str = "prod";
/// The principal that may call `crm.read`.
pub const SUBJECT: &str = "agent-1";
/// The policy: the principal may read and not delete.
pub const POLICY: &str = r#"
name: chaos
version: "1"
tools:
  - name: crm.read
    class: crm
    action: read
    inputs:
      n: {type: integer, required: true, min: 0}
      note: {type: string, max_length: 4000}
  - name: crm.delete
    class: crm
    action: delete
    inputs:
      n: {type: integer, required: true, min: 0}
principals:
  - subject: agent-1
    capabilities: [{class: crm, actions: [read]}]
rules:
  - id: readers-may-read
    match:
      tool: [crm.read]
    decision: allow
"#;

/// A node's receipt key.
pub fn receipt_key(node: u64) -> SecretKey {
    SecretKey::from_seed(&sha256(&[b"receipt", &node.to_be_bytes()]).0)
}

/// A node's cosigning key.
pub fn cosigner_key(node: u64) -> SecretKey {
    SecretKey::from_seed(&sha256(&[b"cosigner", &node.to_be_bytes()]).0)
}

/// Writes commands; all of their time and randomness comes from the seed.
pub struct Author {
    dice: Dice,
    written: u64,
}

impl Author {
    /// The author of a seed. Authors of other seeds write other request ids.
    pub fn new(seed: u64) -> Self {
        Author { dice: Dice::new(seed ^ 0xA117_0000), written: 0 }
    }

    fn command(&mut self, caller: Caller, body: CommandBody) -> Command {
        self.written += 1;
        let time = Time(CLOCK_START_MICROS + self.written * 1_000);
        Command {
            request_id: RequestId::new(time.0 / 1_000, self.dice.bytes()),
            stamp: Stamp { time, seed: self.dice.bytes() },
            caller,
            body,
        }
    }

    /// The same request once more, as another leader would stamp it.
    pub fn retry(&mut self, command: &Command) -> Command {
        Command { stamp: Stamp { time: command.stamp.time, seed: self.dice.bytes() }, ..command.clone() }
    }

    /// Everything from the genesis to the active policy, in order.
    pub fn founding(&mut self, nodes: &[u64]) -> Vec<Command> {
        let acme = tenant();
        let source = POLICY.as_bytes().to_vec();
        let bundle_hash = bundle_hash(&source);
        let (tenant_key, blind) = (self.dice.bytes(), self.dice.bytes());
        let credential = NewCredential {
            tenant: tenant(),
            name: "agents".to_owned(),
            token_hash: sha256(&[b"agents' token"]),
            role: Role::Agent,
            subject: None,
        };
        let mut commands = vec![self.command(operator("bootstrap"), CommandBody::Genesis(Box::new(genesis(nodes))))];
        let bodies = [
            CommandBody::CreateTenant(Box::new(NewTenant { tenant: tenant(), tenant_key, blind })),
            CommandBody::RegisterPrincipal { tenant: tenant(), subject: SUBJECT.to_owned(), owner: None },
            CommandBody::RegisterCredential(Box::new(credential)),
            CommandBody::OfferBundle(OfferedSource { tenant: tenant(), source }),
            CommandBody::ActivateBundle { tenant: acme, environment: ENVIRONMENT.to_owned(), bundle_hash },
        ];
        commands.extend(bodies.into_iter().map(|body| self.command(operator("operator"), body)));
        commands
    }

    /// A call to be decided: mostly an allowed one, now and then a denied one.
    pub fn evaluate(&mut self) -> Command {
        let caller = Caller {
            tenant: tenant(),
            subject: None,
            attested: false,
            role: Role::Agent,
            credential: "agents".to_owned(),
        };
        let tool = if self.dice.below(5) == 0 { "crm.delete" } else { "crm.read" };
        let note = "x".repeat(self.dice.below(900) as usize);
        let inputs = match tool {
            "crm.read" => format!(r#"{{"n":{},"note":"{note}"}}"#, self.written),
            _ => format!(r#"{{"n":{}}}"#, self.written),
        };
        let call = Evaluate {
            environment: ENVIRONMENT.to_owned(),
            run_id: None,
            trace_id: None,
            agent: Agent::default(),
            subject: Some(SUBJECT.to_owned()),
            tool: tool.to_owned(),
            content_type: "application/json".to_owned(),
            inputs: inputs.into_bytes(),
            context: Box::default(),
        };
        self.command(caller, CommandBody::Evaluate(Box::new(call)))
    }

    /// A registration of another subject, by the operator.
    pub fn register(&mut self, subject: &str) -> Command {
        let body = CommandBody::RegisterPrincipal { tenant: tenant(), subject: subject.to_owned(), owner: None };
        self.command(operator("operator"), body)
    }

    /// The disabling of a subject, by the operator.
    pub fn disable(&mut self, subject: &str) -> Command {
        let body = CommandBody::DisablePrincipal { tenant: tenant(), subject: subject.to_owned() };
        self.command(operator("operator"), body)
    }

    /// A seal of the span that starts at `expected_start`.
    pub fn seal(&mut self, expected_start: u64) -> Command {
        let body = CommandBody::Seal { reason: SealReason::Manual, expected_start: TreeSize(expected_start) };
        self.node_command(body)
    }

    /// A command of the cluster itself.
    pub fn node_command(&mut self, body: CommandBody) -> Command {
        let caller = Caller {
            tenant: TenantId::system(),
            subject: None,
            attested: true,
            role: Role::Node,
            credential: "node:1".to_owned(),
        };
        self.command(caller, body)
    }
}

fn operator(credential: &str) -> Caller {
    Caller {
        tenant: TenantId::system(),
        subject: None,
        attested: false,
        role: Role::Operator,
        credential: credential.to_owned(),
    }
}

fn genesis(nodes: &[u64]) -> Genesis {
    let origin = origin();
    let root = SecretKey::from_seed(&[3; 32]);
    let sign = |key: &SecretKey, role, node| {
        let grant = Grant { role, node, from_size: TreeSize(0), to_size: None };
        endorse(&origin, &root, key.public(), grant).unwrap()
    };
    let mut endorsements = vec![sign(&SecretKey::from_seed(&[4; 32]), keys::Role::Log, None)];
    for node in nodes {
        endorsements.push(sign(&cosigner_key(*node), keys::Role::Cosigner, Some(NodeId(*node))));
        endorsements.push(sign(&receipt_key(*node), keys::Role::Receipt, Some(NodeId(*node))));
    }
    let parameters = GenesisParameters {
        origin: origin.clone(),
        kernel_version: KERNEL_VERSION,
        quorum: 2,
        seal_entries: 1000,
        seal_seconds: 10,
        interval_max_seconds: 600,
    };
    Genesis {
        created: sign_genesis(&root, parameters),
        endorsements,
        operator: "operator".to_owned(),
        operator_token_hash: sha256(&[b"operator's token"]),
    }
}
