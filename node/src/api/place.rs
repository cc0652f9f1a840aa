//! Where a command is decided: here, or at the leader's address.

use super::Api;
use super::errors;
use crate::outcome::ApiError;

/// Where a command goes.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    /// This node leads.
    Here,
    /// The leader's address for clients, `host:port`.
    Leader(String),
}

impl Api {
    /// Where commands go at the moment, for a node that serves.
    pub(super) async fn place(&self) -> Result<Place, ApiError> {
        self.open()?;
        if self.node.is_leader() {
            return Ok(Place::Here);
        }
        match self.node.leader() {
            Some((id, member)) if id != self.node.id() && !member.client_address.is_empty() => {
                Ok(Place::Leader(member.client_address))
            }
            Some(_) => Err(ApiError::no_leader()),
            None => match self.node.raft().is_initialized().await {
                Ok(false) => Err(ApiError::not_bootstrapped()),
                Ok(true) => Err(ApiError::no_leader()),
                Err(fatal) => Err(errors::with_message(ApiError::stopping(), format!("raft: {fatal}"))),
            },
        }
    }
}
