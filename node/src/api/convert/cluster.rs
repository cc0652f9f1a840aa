//! Membership and bootstrap on the wire.

use std::collections::{BTreeMap, BTreeSet};

use assent_kernel::command::{Caller, Command, CommandBody, Genesis, RequestId, Role};
use assent_kernel::limits::{GENESIS_ENDORSEMENTS_MAX, KERNEL_VERSION};
use assent_kernel::stamp::Stamp;
use assent_ledger::endorse::verify_genesis;
use assent_ledger::ids::{NodeId, Origin, TenantId};
use assent_ledger::seal::LedgerCreated;
use assent_proto::v1::{BootstrapRequest, MemberInfo};

use super::admin;
use super::{hash, name, request_id, wrong};
use crate::outcome::ApiError;
use crate::raft::types::Member;

/// Most members of a cluster; consensus gets slower with each, and nobody needs more.
const MEMBERS_MAX: usize = 15;
const ADDRESS_BYTES_MAX: usize = 255;

/// A bootstrap that was checked.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    /// The members by their ids.
    pub members: BTreeMap<u64, Member>,
    request_id: RequestId,
    genesis: Genesis,
}

impl Bootstrap {
    /// The command that creates the ledger. Its caller is the operator whom it registers: there is nobody else yet.
    pub fn command(&self, stamp: Stamp) -> Command {
        let caller = Caller {
            tenant: TenantId::system(),
            subject: None,
            attested: false,
            role: Role::Operator,
            credential: self.genesis.operator.clone(),
        };
        Command {
            request_id: self.request_id,
            stamp,
            caller,
            body: CommandBody::Genesis(Box::new(self.genesis.clone())),
        }
    }
}

/// Checks a bootstrap for the ledger that this node is configured for.
pub fn bootstrap(request: BootstrapRequest, origin: &Origin) -> Result<Bootstrap, ApiError> {
    let request_id = request_id(&request.request_id)?;
    if request.origin != origin.as_str() {
        return Err(wrong(
            "origin",
            format_args!("is {}", super::shown(&request.origin)),
            format_args!("{origin}, the ledger that this node is configured for"),
        ));
    }
    let members = members(&request.members)?;
    let created = created(&request.genesis, origin, members.len())?;
    if request.endorsements.len() > GENESIS_ENDORSEMENTS_MAX {
        let right = format_args!("a list of at most {GENESIS_ENDORSEMENTS_MAX}");
        return Err(wrong("endorsements", format_args!("has {} items", request.endorsements.len()), right));
    }
    let endorsements = request
        .endorsements
        .iter()
        .enumerate()
        .map(|(i, bytes)| admin::endorsement(&format!("endorsements[{i}]"), bytes))
        .collect::<Result<_, _>>()?;
    let genesis = Genesis {
        created,
        endorsements,
        operator: name("operator_name", request.operator_name)?,
        operator_token_hash: hash("operator_token_hash", &request.operator_token_hash)?,
    };
    Ok(Bootstrap { members, request_id, genesis })
}

/// The signed parameters. What the kernel would refuse is refused here already, before Raft is given its first members.
fn created(bytes: &[u8], origin: &Origin, members: usize) -> Result<LedgerCreated, ApiError> {
    let created = admin::created("genesis", bytes)?;
    let wrong = |what: std::fmt::Arguments<'_>, right: std::fmt::Arguments<'_>| Err(wrong("genesis", what, right));
    if created.origin != *origin {
        let right = format_args!("for {origin}, the ledger that this node is configured for");
        return wrong(format_args!("is for ledger {}", created.origin), right);
    }
    if created.kernel_version != KERNEL_VERSION {
        let what = format_args!("names kernel version {}", created.kernel_version);
        return wrong(what, format_args!("signed for version {KERNEL_VERSION}, which this node runs"));
    }
    if usize::try_from(created.quorum).is_ok_and(|quorum| quorum > members) {
        let right = format_args!("signed for at most the number of members, {members}");
        return wrong(format_args!("asks for a quorum of {}", created.quorum), right);
    }
    if verify_genesis(&created.root_key, &created).is_err() {
        let what = format_args!("is not signed by the root key {} that it names", created.root_key);
        return wrong(what, format_args!("what `assent keys genesis` wrote, unchanged"));
    }
    Ok(created)
}

fn members(infos: &[MemberInfo]) -> Result<BTreeMap<u64, Member>, ApiError> {
    if infos.is_empty() || infos.len() > MEMBERS_MAX {
        let right = format_args!("a list of 1 to {MEMBERS_MAX}");
        return Err(wrong("members", format_args!("has {} items", infos.len()), right));
    }
    let mut members = BTreeMap::new();
    let mut addresses = BTreeSet::new();
    for (i, info) in infos.iter().enumerate() {
        let field = format!("members[{i}]");
        let (id, one) = member(&field, info)?;
        for address in [&one.peer_address, &one.client_address] {
            if !addresses.insert(address.clone()) {
                return Err(wrong(&field, format_args!("repeats the address {address}"), "reachable at its own"));
            }
        }
        if members.insert(id.0, one).is_some() {
            return Err(wrong(&field, format_args!("repeats node id {id}"), "a node of its own"));
        }
    }
    Ok(members)
}

/// A member and its id.
pub fn member(field: &str, info: &MemberInfo) -> Result<(NodeId, Member), ApiError> {
    let id = node_id(&format!("{field}.node_id"), &info.node_id)?;
    let member = Member {
        name: node_name(&format!("{field}.name"), &info.name)?,
        peer_address: address(&format!("{field}.peer_address"), &info.peer_address)?,
        client_address: address(&format!("{field}.client_address"), &info.client_address)?,
    };
    Ok((id, member))
}

/// A node's id.
pub fn node_id(field: &str, text: &str) -> Result<NodeId, ApiError> {
    let right = "16 lower-case hexadecimal digits, as `assentd init` printed them";
    text.parse().map_err(|_| wrong(field, format_args!("is {}", super::shown(text)), right))
}

/// The voters of a cluster, each named once.
pub fn voters(texts: &[String]) -> Result<BTreeSet<u64>, ApiError> {
    if texts.is_empty() || texts.len() > MEMBERS_MAX {
        let right = format_args!("a list of 1 to {MEMBERS_MAX}");
        return Err(wrong("voters", format_args!("has {} items", texts.len()), right));
    }
    let mut voters = BTreeSet::new();
    for (i, text) in texts.iter().enumerate() {
        let field = format!("voters[{i}]");
        if !voters.insert(node_id(&field, text)?.0) {
            return Err(wrong(&field, format_args!("repeats {text}"), "another node"));
        }
    }
    Ok(voters)
}

fn node_name(field: &str, text: &str) -> Result<String, ApiError> {
    let ok = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if text.is_empty() || text.len() > ADDRESS_BYTES_MAX || !ok {
        let right = "the node's configured name: letters, digits and - _ .";
        return Err(wrong(field, format_args!("is {}", super::shown(text)), right));
    }
    Ok(text.to_owned())
}

fn address(field: &str, text: &str) -> Result<String, ApiError> {
    let well_formed = text.len() <= ADDRESS_BYTES_MAX
        && text.rsplit_once(':').is_some_and(|(host, port)| {
            let host_ok = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
            !host.is_empty() && host.bytes().all(host_ok) && port.parse::<u16>().is_ok_and(|p| p > 0)
        });
    if !well_formed {
        let right = "an address such as node-1.example:7443";
        return Err(wrong(field, format_args!("is {}", super::shown(text)), right));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use assent_ledger::endorse::{GenesisParameters, sign_genesis};
    use assent_ledger::ids::Time;
    use assent_ledger::keys::SecretKey;
    use bytes::Bytes;

    fn info(n: u64) -> MemberInfo {
        MemberInfo {
            node_id: NodeId(n).to_string(),
            name: format!("n{n}"),
            client_address: format!("node-{n}.example:7443"),
            peer_address: format!("node-{n}.example:7444"),
            ..MemberInfo::default()
        }
    }

    fn parameters() -> GenesisParameters {
        GenesisParameters {
            origin: Origin::new("assent.test/one").unwrap(),
            kernel_version: KERNEL_VERSION,
            quorum: 2,
            seal_entries: 100,
            seal_seconds: 5,
            interval_max_seconds: 60,
        }
    }

    fn genesis(parameters: GenesisParameters) -> Bytes {
        sign_genesis(&SecretKey::from_seed(&[1; 32]), parameters).to_value().to_bytes().unwrap().into()
    }

    fn request() -> BootstrapRequest {
        BootstrapRequest {
            request_id: "018bcfe5-6800-7909-8909-090909090909".to_owned(),
            origin: "assent.test/one".to_owned(),
            members: vec![info(1), info(2), info(3)],
            genesis: genesis(parameters()),
            endorsements: Vec::new(),
            operator_name: "root-operator".to_owned(),
            operator_token_hash: vec![7; 32].into(),
        }
    }

    fn check(request: BootstrapRequest) -> Result<Bootstrap, ApiError> {
        bootstrap(request, &Origin::new("assent.test/one").unwrap())
    }

    #[test]
    fn the_genesis_is_called_by_the_operator_whom_it_registers() {
        let checked = check(request()).unwrap();
        let command = checked.command(Stamp { time: Time(1), seed: [0; 32] });
        assert!(command.caller.tenant.is_system());
        assert_eq!((command.caller.role, command.caller.credential.as_str()), (Role::Operator, "root-operator"));
        assert_eq!(checked.members.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn every_malformed_field_is_named() {
        let bad_member = |change: fn(&mut MemberInfo)| {
            let mut member = info(3);
            change(&mut member);
            BootstrapRequest { members: vec![info(1), info(2), member], ..request() }
        };
        let with_genesis = |genesis: Bytes| BootstrapRequest { genesis, ..request() };
        let other = Origin::new("assent.test/two").unwrap();
        let signed = String::from_utf8(genesis(parameters()).to_vec()).unwrap();
        let weakened = signed.replace("\"quorum\":2", "\"quorum\":1");
        let table: Vec<(&str, BootstrapRequest)> = vec![
            ("request_id", BootstrapRequest { request_id: "1".to_owned(), ..request() }),
            ("origin", BootstrapRequest { origin: "assent.test/two".to_owned(), ..request() }),
            ("members", BootstrapRequest { members: Vec::new(), ..request() }),
            ("members", BootstrapRequest { members: (1..17).map(info).collect(), ..request() }),
            ("members[2]", bad_member(|m| m.node_id = NodeId(1).to_string())),
            ("members[2]", bad_member(|m| m.peer_address = info(1).peer_address)),
            ("members[2].node_id", bad_member(|m| m.node_id = "3".to_owned())),
            ("members[2].name", bad_member(|m| m.name = "a b".to_owned())),
            ("members[2].client_address", bad_member(|m| m.client_address = "example".to_owned())),
            ("members[2].peer_address", bad_member(|m| m.peer_address = "https://example:1/x".to_owned())),
            ("members[2].peer_address", bad_member(|m| m.peer_address = "example:0".to_owned())),
            ("genesis", with_genesis(Bytes::new())),
            ("genesis", with_genesis(b"{}".to_vec().into())),
            ("genesis", with_genesis(genesis(GenesisParameters { origin: other, ..parameters() }))),
            ("genesis", with_genesis(genesis(GenesisParameters { kernel_version: 9, ..parameters() }))),
            ("genesis", with_genesis(genesis(GenesisParameters { quorum: 0, ..parameters() }))),
            ("genesis", with_genesis(genesis(GenesisParameters { quorum: 4, ..parameters() }))),
            ("genesis", with_genesis(genesis(GenesisParameters { seal_entries: 0, ..parameters() }))),
            ("genesis", with_genesis(genesis(GenesisParameters { seal_seconds: 61, ..parameters() }))),
            ("genesis", with_genesis(weakened.into())),
            ("endorsements[0]", BootstrapRequest { endorsements: vec![b"{}".to_vec().into()], ..request() }),
            ("endorsements", BootstrapRequest { endorsements: vec![b"{}".to_vec().into(); 65], ..request() }),
            ("operator_name", BootstrapRequest { operator_name: String::new(), ..request() }),
            ("operator_token_hash", BootstrapRequest { operator_token_hash: vec![7; 3].into(), ..request() }),
        ];
        for (field, request) in table {
            let error = check(request).unwrap_err();
            assert_eq!(error.code, "MALFORMED", "{field}");
            assert!(error.message.starts_with(&format!("{field} ")), "{field}: {}", error.message);
            assert!(error.message.contains("; it must be "), "{field}: {}", error.message);
        }
    }

    #[test]
    fn voters_are_named_once_each() {
        let id = |n| NodeId(n).to_string();
        assert_eq!(voters(&[id(2), id(1)]).unwrap(), BTreeSet::from([1, 2]));
        assert!(voters(&[]).is_err());
        assert!(voters(&[id(1), id(1)]).unwrap_err().message.contains("repeats"));
        assert!(voters(&["n1".to_owned()]).is_err());
    }
}
