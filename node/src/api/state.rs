//! The service `State`: what holds now, listed from the state that this node has applied.

use std::sync::Arc;

use assent_kernel::command::{Caller, Role};
use assent_kernel::state::{Record, StateKey};
use assent_ledger::ids::{Seq, TenantId};
use assent_proto::v1;
use assent_proto::v1::ListRequest;
use assent_proto::v1::state_server::State;
use tonic::{Request, Response, Status};

use super::convert::state as write;
use super::{Api, convert, errors};
use crate::outcome::ApiError;

/// Records on a page that does not say how many it wants.
const PAGE_DEFAULT: u32 = 100;
/// Most records on a page.
const PAGE_MAX: u32 = 1000;
/// Records looked at for one page: a filter that fits nothing must not read a whole tenant at once.
const LOOKED_AT_MAX: usize = 20_000;

/// Serves `State`.
pub struct StateService {
    api: Arc<Api>,
}

impl StateService {
    /// Over what all services share.
    pub fn new(api: Arc<Api>) -> Self {
        StateService { api }
    }

    /// A page of records, written one by one; those that `item` gives nothing for are left out. Says where the next page begins.
    async fn list<T: Send + 'static>(
        &self,
        request: Request<ListRequest>,
        key: fn(TenantId, String) -> StateKey,
        item: impl Fn(&ListRequest, String, Record) -> Option<T> + Send + 'static,
    ) -> Result<(Vec<T>, String), Status> {
        let (metadata, _, request) = request.into_parts();
        let listed = match self.api.reader(&metadata).await {
            Ok(caller) => self.api.list(request, &caller, key, item).await,
            Err(error) => Err(error),
        };
        listed.map_err(|e| self.api.failed(e))
    }
}

impl Api {
    async fn list<T: Send + 'static>(
        &self,
        request: ListRequest,
        caller: &Caller,
        key: fn(TenantId, String) -> StateKey,
        item: impl Fn(&ListRequest, String, Record) -> Option<T> + Send + 'static,
    ) -> Result<(Vec<T>, String), ApiError> {
        let tenant = tenant_of(&request.tenant, caller)?;
        let limit = limit_of(&request)?;
        let store = self.node.store().clone();
        let read = move || {
            let key = |name: String| key(tenant.clone(), name);
            let (mut items, mut last, mut looked_at) = (Vec::new(), request.after.clone(), 0);
            for (name, record) in store.records(key, &request.after, LOOKED_AT_MAX)? {
                if items.len() == limit as usize {
                    return Ok((items, last));
                }
                looked_at += 1;
                last.clone_from(&name);
                items.extend(item(&request, name, record));
            }
            let next = if looked_at == LOOKED_AT_MAX { last } else { String::new() };
            Ok((items, next))
        };
        let read = tokio::task::spawn_blocking(read).await.map_err(|e| ApiError::internal(e.to_string()))?;
        read.map_err(|e: crate::store::StoreError| errors::storage(e))
    }
}

impl Api {
    /// Outstanding decisions lie in the order of their positions, of all tenants together.
    async fn intents(&self, request: ListRequest, caller: &Caller) -> Result<v1::IntentsResponse, ApiError> {
        let (tenant, limit) = (tenant_of(&request.tenant, caller)?, limit_of(&request)?);
        let from = match request.after.as_str() {
            "" => 0,
            text => {
                let after: u64 = text
                    .parse()
                    .map_err(|_| convert::wrong("after", "is no position", "the last page's next_after"))?;
                after.saturating_add(1)
            }
        };
        let store = self.node.store().clone();
        let read = move || {
            let rows = store.outstanding(Seq(from), LOOKED_AT_MAX)?;
            let (mut intents, mut next_after) = (Vec::new(), String::new());
            let last_of_look = (rows.len() == LOOKED_AT_MAX).then(|| rows.last().map(|(seq, _)| seq.to_string()));
            for (seq, record) in rows {
                if intents.len() == limit as usize {
                    return Ok(v1::IntentsResponse { intents, next_after });
                }
                if record.tenant == tenant {
                    next_after = seq.to_string();
                    intents.extend(write::intent(&request, seq, record));
                }
            }
            Ok(v1::IntentsResponse { intents, next_after: last_of_look.flatten().unwrap_or_default() })
        };
        let read = tokio::task::spawn_blocking(read).await.map_err(|e| ApiError::internal(e.to_string()))?;
        read.map_err(|e: crate::store::StoreError| errors::storage(e))
    }
}

fn limit_of(request: &ListRequest) -> Result<u32, ApiError> {
    match request.limit {
        0 => Ok(PAGE_DEFAULT),
        limit if limit > PAGE_MAX => {
            Err(convert::wrong("limit", format_args!("is {limit}"), format_args!("at most {PAGE_MAX}")))
        }
        limit => Ok(limit),
    }
}

/// Whose state a caller may list.
fn tenant_of(asked: &str, caller: &Caller) -> Result<TenantId, ApiError> {
    if asked.is_empty() || asked == caller.tenant.as_str() {
        return Ok(caller.tenant.clone());
    }
    let tenant = convert::tenant("tenant", asked)?;
    if caller.tenant.is_system() && matches!(caller.role, Role::Auditor | Role::Operator) {
        return Ok(tenant);
    }
    Err(ApiError::forbidden(format!("the state of tenant {tenant} is for its own callers; leave the tenant out")))
}

#[tonic::async_trait]
impl State for StateService {
    async fn runs(&self, request: Request<ListRequest>) -> Result<Response<v1::RunsResponse>, Status> {
        let (runs, next_after) = self.list(request, StateKey::Run, write::run).await?;
        Ok(Response::new(v1::RunsResponse { runs, next_after }))
    }

    async fn active_bundles(
        &self,
        request: Request<ListRequest>,
    ) -> Result<Response<v1::ActiveBundlesResponse>, Status> {
        let (bundles, next_after) = self.list(request, StateKey::ActiveBundle, write::active_bundle).await?;
        Ok(Response::new(v1::ActiveBundlesResponse { bundles, next_after }))
    }

    async fn approvals(&self, request: Request<ListRequest>) -> Result<Response<v1::ApprovalsResponse>, Status> {
        let (approvals, next_after) = self.list(request, StateKey::Approval, write::approval).await?;
        Ok(Response::new(v1::ApprovalsResponse { approvals, next_after }))
    }

    async fn leases(&self, request: Request<ListRequest>) -> Result<Response<v1::LeasesResponse>, Status> {
        let (leases, next_after) = self.list(request, StateKey::Lease, write::lease).await?;
        Ok(Response::new(v1::LeasesResponse { leases, next_after }))
    }

    async fn intents(&self, request: Request<ListRequest>) -> Result<Response<v1::IntentsResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let listed = match self.api.reader(&metadata).await {
            Ok(caller) => self.api.intents(request, &caller).await,
            Err(error) => Err(error),
        };
        listed.map(Response::new).map_err(|e| self.api.failed(e))
    }

    async fn principals(&self, request: Request<ListRequest>) -> Result<Response<v1::PrincipalsResponse>, Status> {
        let (principals, next_after) = self.list(request, StateKey::Principal, write::principal).await?;
        Ok(Response::new(v1::PrincipalsResponse { principals, next_after }))
    }

    async fn kill_switches(&self, request: Request<ListRequest>) -> Result<Response<v1::KillSwitchesResponse>, Status> {
        let (switches, next_after) = self.list(request, StateKey::KillSwitch, write::kill_switch).await?;
        Ok(Response::new(v1::KillSwitchesResponse { switches, next_after }))
    }

    async fn signals(&self, request: Request<ListRequest>) -> Result<Response<v1::SignalsResponse>, Status> {
        let now = self.api.node.stamp().time;
        let held = move |_: &ListRequest, key: String, record: Record| write::signal(now, &key, record);
        let (signals, next_after) = self.list(request, StateKey::Signal, held).await?;
        Ok(Response::new(v1::SignalsResponse { signals, next_after }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenants_state_is_for_its_own_callers_and_the_ledgers_auditors_and_operators() {
        let caller = |tenant: &str, role| {
            let tenant = TenantId::new(tenant).unwrap();
            Caller { tenant, subject: None, attested: false, role, credential: "c".to_owned() }
        };
        for role in Role::ALL {
            assert_eq!(tenant_of("", &caller("acme", role)).unwrap().as_str(), "acme");
            assert_eq!(tenant_of("other", &caller("acme", role)).unwrap_err().code, "FORBIDDEN");
            let all = matches!(role, Role::Auditor | Role::Operator);
            assert_eq!(tenant_of("acme", &caller("-", role)).is_ok(), all, "{role}");
        }
    }
}
