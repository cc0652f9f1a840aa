//! Creating the ledger: Raft gets its first members, then the genesis is committed through whichever of them leads.
//!
//! Every step can be repeated. A crash before Raft is initialised leaves nothing; one after it leaves a cluster without a ledger, and
//! the same request goes on from there; one after the genesis leaves a ledger, and the same request is answered with it.

use std::collections::BTreeMap;
use std::time::Duration;

use assent_kernel::refusal::Refusal;
use assent_proto::v1::{BootstrapRequest, CommandResponse};
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{InitializeError, RaftError};
use tokio::time::Instant;
use tonic::metadata::MetadataMap;

use super::convert::cluster::Bootstrap;
use super::errors::{self, CallError};
use super::place::Place;
use super::under_way::RequestKey;
use super::{Api, convert, forward};
use crate::outcome::ApiError;
use crate::raft::types::Member;

/// How long to wait before asking again who leads.
const LEADER_PAUSE: Duration = Duration::from_millis(50);

impl Api {
    /// Creates the ledger.
    pub(super) async fn bootstrap(
        &self,
        metadata: &MetadataMap,
        request: BootstrapRequest,
    ) -> Result<CommandResponse, CallError> {
        self.open()?;
        let checked = convert::cluster::bootstrap(request.clone(), self.node.origin())?;
        if self.is_created() {
            return Ok(self.created_before(&checked)?);
        }
        self.check_members(&checked.members)?;
        self.check_anchor().await?;
        self.initialise(&checked.members).await?;
        let deadline = Instant::now() + self.request_timeout();
        loop {
            let attempt = self.create(metadata, &request, &checked).await;
            match attempt {
                Err(error) if error.is_no_leader() && Instant::now() < deadline => {
                    tokio::time::sleep(LEADER_PAUSE).await;
                }
                done => return done,
            }
        }
    }

    /// Commits the genesis, here or at the leader.
    async fn create(
        &self,
        metadata: &MetadataMap,
        request: &BootstrapRequest,
        checked: &Bootstrap,
    ) -> Result<CommandResponse, CallError> {
        match self.place().await? {
            Place::Here => {
                let command = convert::admitted(checked.command(self.node.stamp()))?;
                let (_, settled) = self.submit(command).await?;
                Ok(self.recorded(&settled)?)
            }
            Place::Leader(address) => {
                let mut client = self.forwarder.cluster(&address)?;
                let request = forward::onward(request.clone(), metadata)?;
                Ok(self.forwarder.answer(client.bootstrap(request)).await?.into_inner())
            }
        }
    }

    /// The answer when the ledger exists: what this same request came to, or a refusal. Answered from what is applied here, so that
    /// callers without a credential put nothing into the log.
    fn created_before(&self, checked: &Bootstrap) -> Result<CommandResponse, ApiError> {
        let command = checked.command(self.node.stamp());
        match self.remembered(RequestKey::of(&command)) {
            Some(row) if row.content == command.content_hash() => {
                Ok(CommandResponse { first_seq: row.first_seq.0, entries: row.count, replayed: true })
            }
            Some(_) => Err(errors::refused(&Refusal::RequestIdReused)),
            None => Err(errors::refused(&Refusal::AlreadyCreated)),
        }
    }

    /// This node must be among the members, under the addresses that it tells others.
    fn check_members(&self, members: &BTreeMap<u64, Member>) -> Result<(), ApiError> {
        let (id, config) = (self.node.id(), self.node.config());
        let own = Member {
            name: config.name.clone(),
            peer_address: config.peer_address().to_owned(),
            client_address: config.client_address().to_owned(),
        };
        check_own(&id.to_string(), &own, members.get(&id.0))
    }

    /// A ledger is never begun over a prefix of the write-once storage that holds something already.
    async fn check_anchor(&self) -> Result<(), ApiError> {
        match self.node.anchor().is_empty().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(ApiError::conflict(format!(
                "{} holds objects of this ledger already; anchor the new ledger elsewhere or give it another origin",
                self.node.anchor().uri()
            ))),
            Err(error) => Err(ApiError::conflict(format!("the anchor's storage cannot be read: {error}"))),
        }
    }

    /// Gives Raft its first members, unless it has the same ones already.
    async fn initialise(&self, members: &BTreeMap<u64, Member>) -> Result<(), ApiError> {
        match self.node.raft().initialize(members.clone()).await {
            Ok(()) => Ok(()),
            // An earlier attempt got this far, here or on another member.
            Err(RaftError::APIError(InitializeError::NotAllowed(_))) => self.check_same_members(members),
            Err(RaftError::APIError(error)) => Err(ApiError::conflict(error.to_string())),
            Err(RaftError::Fatal(fatal)) => Err(errors::with_message(ApiError::stopping(), format!("raft: {fatal}"))),
        }
    }

    fn check_same_members(&self, members: &BTreeMap<u64, Member>) -> Result<(), ApiError> {
        let metrics = self.node.raft().metrics();
        let metrics = metrics.borrow_watched();
        let known: BTreeMap<u64, Member> =
            metrics.membership_config.nodes().map(|(id, member)| (*id, member.clone())).collect();
        // A member that has heard of an election but not yet of the membership knows nobody.
        if known.is_empty() || known == *members {
            return Ok(());
        }
        Err(ApiError::conflict("the cluster was begun with other members; send the members of the first attempt"))
    }
}

fn check_own(id: &str, own: &Member, listed: Option<&Member>) -> Result<(), ApiError> {
    let Some(listed) = listed else {
        return Err(convert::wrong(
            "members",
            format_args!("do not contain node {id}, which was asked"),
            "a list of all first members, this node among them",
        ));
    };
    if listed != own {
        return Err(convert::wrong(
            "members",
            format_args!("give node {id} as {}, {}, {}", listed.name, listed.peer_address, listed.client_address),
            format_args!("as it is configured: {}, {}, {}", own.name, own.peer_address, own.client_address),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_asked_node_must_be_listed_as_it_is_configured() {
        let own = Member { name: "n1".to_owned(), peer_address: "a:2".to_owned(), client_address: "a:1".to_owned() };
        assert!(check_own("01", &own, Some(&own)).is_ok());
        assert!(check_own("01", &own, None).unwrap_err().message.contains("do not contain node 01"));
        let other = Member { client_address: "b:1".to_owned(), ..own.clone() };
        let error = check_own("01", &own, Some(&other)).unwrap_err();
        assert!(
            error.message.contains("b:1") && error.message.contains("as it is configured: n1, a:2, a:1"),
            "{error}"
        );
    }
}
