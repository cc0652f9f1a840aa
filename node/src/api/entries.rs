//! Reading entries: in order, in pages, only what the caller may see, and on as they are committed if wanted.

use std::sync::Arc;
use std::time::Duration;

use assent_kernel::command::Caller;
use assent_kernel::verdict::Verdict;
use assent_ledger::entry::EntryView;
use assent_ledger::hash::leaf_hash;
use assent_ledger::ids::{Seq, TenantId, Time};
use assent_ledger::limits::{ID_BYTES_MAX, KIND_BYTES_MAX};
use assent_ledger::payload::PayloadError;
use assent_proto::v1;
use assent_proto::v1::{EntriesRequest, EntryRecord, PayloadRequest, PayloadResponse};
use tokio::sync::mpsc;
use tonic::Status;

use super::{Api, convert, errors, sees_everything};
use crate::node::Node;
use crate::outcome::ApiError;
use crate::store::{Store, StoreError};

/// Entries read at once.
const PAGE_ENTRIES: usize = 256;
/// Entries read ahead of a slow reader.
const AHEAD_ENTRIES: usize = 64;
/// How often a reader that waits for new entries looks whether this node still serves.
const LOOK_AROUND: Duration = Duration::from_millis(500);

type Leaf = (Seq, Vec<u8>);
type Records = mpsc::Receiver<Result<EntryRecord, Status>>;

/// Where entries are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    /// Every entry.
    All,
    /// These tenants' entries.
    Tenants(Vec<TenantId>),
    /// One run's entries.
    Run(TenantId, String),
}

/// What an entry must be to be given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Wanted {
    /// Of this type.
    kind: Option<String>,
    /// A decision with this verdict.
    verdict: Option<&'static str>,
    /// About this tool.
    tool: Option<String>,
    /// Not before this time.
    from: Option<Time>,
    /// Before this time.
    until: Option<Time>,
}

impl Wanted {
    fn new(request: &EntriesRequest) -> Result<Self, ApiError> {
        let kind = text_opt("type", &request.r#type, KIND_BYTES_MAX)?;
        let verdict = match request.verdict() {
            v1::Verdict::Unspecified if request.verdict != 0 => {
                return Err(convert::wrong("verdict", "is not known", "deny, escalate, compute or allow"));
            }
            v1::Verdict::Unspecified => None,
            v1::Verdict::Deny => Some(Verdict::Deny.name()),
            v1::Verdict::Escalate => Some(Verdict::Escalate.name()),
            v1::Verdict::Compute => Some(Verdict::Compute.name()),
            v1::Verdict::Allow => Some(Verdict::Allow.name()),
        };
        let tool = text_opt("tool", &request.tool, ID_BYTES_MAX)?;
        let (from, until) = (time("from_time", &request.from_time)?, time("until_time", &request.until_time)?);
        Ok(Wanted { kind, verdict, tool, from, until })
    }

    fn admits(&self, leaf: &[u8]) -> Result<bool, ApiError> {
        if *self == Wanted::default() {
            return Ok(true);
        }
        let failed = |e: &dyn std::fmt::Display| ApiError::internal(format!("a stored entry: {e}"));
        let entry = EntryView::parse(leaf).map_err(|e| failed(&e))?;
        let in_time = self.from.is_none_or(|from| entry.time >= from) && self.until.is_none_or(|end| entry.time < end);
        if !in_time || self.kind.as_ref().is_some_and(|kind| entry.kind != kind) {
            return Ok(false);
        }
        if self.verdict.is_none() && self.tool.is_none() {
            return Ok(true);
        }
        let body = entry.body_value().map_err(|e| failed(&e))?;
        let says = |field: &str, wanted: Option<&str>| {
            wanted.is_none_or(|wanted| body.get(field).and_then(|value| value.as_str()) == Some(wanted))
        };
        Ok(says("verdict", self.verdict) && says("tool", self.tool.as_deref()))
    }
}

/// Which entries are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Query {
    source: Source,
    wanted: Wanted,
    from: Seq,
    /// Entries still to be given; `None` is without limit.
    left: Option<u64>,
    follow: bool,
}

impl Query {
    /// What a caller asks for, cut to what the caller may see.
    fn new(request: EntriesRequest, caller: &Caller) -> Result<Self, ApiError> {
        let all = sees_everything(caller);
        let wanted = Wanted::new(&request)?;
        let asked = match request.tenant.as_str() {
            "" => None,
            text => Some(convert::tenant("tenant", text)?),
        };
        if let Some(tenant) = &asked
            && !(all || tenant.is_system() || *tenant == caller.tenant)
        {
            return Err(ApiError::forbidden(format!(
                "entries of tenant {tenant} are not for callers of tenant {}; leave the filter out",
                caller.tenant
            )));
        }
        let source = match (request.run_id.is_empty(), asked) {
            (false, Some(tenant)) => Source::Run(tenant, text("run_id", request.run_id, ID_BYTES_MAX)?),
            (false, None) if all => {
                return Err(convert::wrong("run_id", "comes without tenant", "sent with the run's tenant"));
            }
            (false, None) => Source::Run(caller.tenant.clone(), text("run_id", request.run_id, ID_BYTES_MAX)?),
            (true, Some(tenant)) => Source::Tenants(vec![tenant]),
            (true, None) if all => Source::All,
            (true, None) if caller.tenant.is_system() => Source::Tenants(vec![TenantId::system()]),
            (true, None) => Source::Tenants(vec![TenantId::system(), caller.tenant.clone()]),
        };
        let left = (request.limit > 0).then_some(request.limit);
        Ok(Query { source, wanted, from: Seq(request.from_seq), left, follow: request.follow })
    }
}

fn text_opt(field: &str, value: &str, max: usize) -> Result<Option<String>, ApiError> {
    if value.is_empty() { Ok(None) } else { text(field, value.to_owned(), max).map(Some) }
}

fn time(field: &str, text: &str) -> Result<Option<Time>, ApiError> {
    let right = "a time as entries state it, such as 2026-01-02T03:04:05.000006Z";
    match text {
        "" => Ok(None),
        text => Time::parse(text.as_bytes()).map(Some).ok_or_else(|| convert::wrong(field, "does not parse", right)),
    }
}

fn text(field: &str, text: String, max: usize) -> Result<String, ApiError> {
    if text.len() > max {
        return Err(convert::wrong(
            field,
            format_args!("has {} bytes", text.len()),
            format_args!("at most {max} bytes"),
        ));
    }
    Ok(text)
}

/// Up to a page of a source's entries from `from` on and below `end`, in order, and where the next page begins.
fn page(store: &Store, source: &Source, from: Seq, end: u64) -> Result<(Vec<Leaf>, Seq), StoreError> {
    let mut entries = match source {
        Source::All => store.entries(from, PAGE_ENTRIES)?,
        Source::Tenants(tenants) => {
            let mut seqs = Vec::new();
            for tenant in tenants {
                seqs.extend(store.tenant_entries(tenant, from, PAGE_ENTRIES)?);
            }
            leaves(store, first_of(seqs))?
        }
        Source::Run(tenant, run) => leaves(store, store.run_entries(tenant, run, from, PAGE_ENTRIES)?)?,
    };
    let full = entries.len() == PAGE_ENTRIES;
    // What is applied while this reads is left for the next look.
    entries.retain(|(seq, _)| seq.0 < end);
    let next = match entries.last() {
        Some((last, _)) if full => Seq(last.0.saturating_add(1)),
        _ => Seq(end.max(from.0)),
    };
    Ok((entries, next))
}

/// The first page of several lists that each hold their first page.
fn first_of(mut seqs: Vec<Seq>) -> Vec<Seq> {
    seqs.sort_unstable();
    seqs.truncate(PAGE_ENTRIES);
    seqs
}

fn leaves(store: &Store, seqs: Vec<Seq>) -> Result<Vec<Leaf>, StoreError> {
    let leaf = |seq| store.entry(seq)?.map(|leaf| (seq, leaf)).ok_or(StoreError::Malformed("entry index"));
    seqs.into_iter().map(leaf).collect()
}

impl Api {
    /// Entries as a stream; reading goes on only as fast as the caller takes them.
    pub(super) fn entries(&self, request: EntriesRequest, caller: &Caller) -> Result<Records, ApiError> {
        let query = Query::new(request, caller)?;
        let (records, receiver) = mpsc::channel(AHEAD_ENTRIES);
        tokio::spawn(read(self.node.clone(), query, records));
        Ok(receiver)
    }

    /// A payload for its own tenant, or for an auditor of the ledger.
    pub(super) fn payload(&self, request: &PayloadRequest, caller: &Caller) -> Result<PayloadResponse, ApiError> {
        let tenant = payload_tenant(&request.tenant, caller)?;
        let commitment = convert::hash("commitment", &request.commitment)?;
        let opened = match self.node.store().payload(&tenant, &commitment) {
            Ok(opened) => opened,
            // Another tenant's payload does not open under this tenant's key: it is not there for this tenant.
            Err(StoreError::Payload(PayloadError::NotAuthentic)) => None,
            Err(error) => return Err(errors::storage(error)),
        };
        let opened = opened.ok_or_else(|| {
            ApiError::not_found(format!("tenant {tenant} has no payload {commitment}; it may have been erased"))
        })?;
        Ok(PayloadResponse { salt: opened.salt.to_vec().into(), content: opened.bytes.to_vec().into() })
    }
}

fn payload_tenant(asked: &str, caller: &Caller) -> Result<TenantId, ApiError> {
    use assent_kernel::command::Role;
    if asked.is_empty() || asked == caller.tenant.as_str() {
        return Ok(caller.tenant.clone());
    }
    let tenant = convert::tenant("tenant", asked)?;
    if caller.tenant.is_system() && caller.role == Role::Auditor {
        return Ok(tenant);
    }
    Err(ApiError::forbidden(format!("payloads of tenant {tenant} are for its own callers and the ledger's auditors")))
}

/// Sends what a query asks for until it is done, the caller goes away, or this node stops serving.
async fn read(node: Arc<Node>, mut query: Query, records: mpsc::Sender<Result<EntryRecord, Status>>) {
    let mut progress = node.store().progress();
    let mut end = progress.borrow_and_update().size.0;
    loop {
        while query.from.0 < end {
            match send_page(&node, &mut query, end, &records).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    let _ = records.send(Err(error.into())).await;
                    return;
                }
            }
        }
        if !query.follow || query.left == Some(0) {
            return;
        }
        tokio::select! {
            changed = progress.changed() => if changed.is_err() { return },
            () = records.closed() => return,
            () = node.stopped() => return,
            () = tokio::time::sleep(LOOK_AROUND) => {}
        }
        if let Some(reason) = node.fence().reason() {
            let _ = records.send(Err(ApiError::fenced(&reason).into())).await;
            return;
        }
        end = progress.borrow_and_update().size.0;
    }
}

/// Sends one page; says whether there is to be a next.
async fn send_page(
    node: &Arc<Node>,
    query: &mut Query,
    end: u64,
    records: &mpsc::Sender<Result<EntryRecord, Status>>,
) -> Result<bool, ApiError> {
    if node.stopping() {
        return Ok(false);
    }
    let (store, source, from) = (node.store().clone(), query.source.clone(), query.from);
    let read = tokio::task::spawn_blocking(move || page(&store, &source, from, end)).await;
    let (entries, next) = read.map_err(|e| ApiError::internal(e.to_string()))?.map_err(errors::storage)?;
    for (seq, leaf) in entries {
        if query.left == Some(0) {
            return Ok(false);
        }
        if !query.wanted.admits(&leaf)? {
            continue;
        }
        let record = EntryRecord { seq: seq.0, leaf_hash: leaf_hash(&leaf).0.to_vec().into(), leaf: leaf.into() };
        if records.send(Ok(record)).await.is_err() {
            return Ok(false);
        }
        query.left = query.left.map(|left| left - 1);
    }
    query.from = next;
    Ok(query.left != Some(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use assent_kernel::command::Role;

    fn caller(tenant: &str, role: Role) -> Caller {
        let tenant = TenantId::new(tenant).unwrap();
        Caller { tenant, subject: None, attested: false, role, credential: "c".to_owned() }
    }

    fn source(tenant: &str, run: &str, caller: &Caller) -> Result<Source, ApiError> {
        let request = EntriesRequest { tenant: tenant.to_owned(), run_id: run.to_owned(), ..EntriesRequest::default() };
        Query::new(request, caller).map(|query| query.source)
    }

    fn tenants(names: &[&str]) -> Source {
        Source::Tenants(names.iter().map(|name| TenantId::new(*name).unwrap()).collect())
    }

    #[test]
    fn a_tenants_caller_sees_its_own_and_the_systems_entries_only() {
        for role in Role::ALL {
            let acme = caller("acme", role);
            assert_eq!(source("", "", &acme).unwrap(), tenants(&["-", "acme"]));
            assert_eq!(source("acme", "", &acme).unwrap(), tenants(&["acme"]));
            assert_eq!(source("-", "", &acme).unwrap(), tenants(&["-"]));
            assert_eq!(source("other", "", &acme).unwrap_err().code, "FORBIDDEN");
            assert_eq!(source("other", "run-1", &acme).unwrap_err().code, "FORBIDDEN");
            let own = TenantId::new("acme").unwrap();
            assert_eq!(source("", "run-1", &acme).unwrap(), Source::Run(own, "run-1".to_owned()));
        }
    }

    #[test]
    fn the_ledgers_auditors_see_everything_and_its_nodes_only_the_system() {
        let auditor = caller("-", Role::Auditor);
        assert_eq!(source("", "", &auditor).unwrap(), Source::All);
        assert_eq!(source("acme", "", &auditor).unwrap(), tenants(&["acme"]));
        assert_eq!(source("", "run-1", &auditor).unwrap_err().code, "MALFORMED");
        let node = caller("-", Role::Node);
        assert_eq!(source("", "", &node).unwrap(), tenants(&["-"]));
        assert_eq!(source("acme", "", &node).unwrap_err().code, "FORBIDDEN");
    }

    #[test]
    fn filters_that_cannot_be_are_named() {
        let acme = caller("acme", Role::Agent);
        let asked = |request: EntriesRequest| Query::new(request, &acme).unwrap_err().message;
        let none = EntriesRequest::default;
        assert!(asked(EntriesRequest { verdict: 9, ..none() }).starts_with("verdict is not known"));
        assert!(asked(EntriesRequest { tool: "x".repeat(999), ..none() }).starts_with("tool has 999 bytes"));
        assert!(
            asked(EntriesRequest { from_time: "yesterday".to_owned(), ..none() }).starts_with("from_time does not")
        );
        let time = "2026-01-02T03:04:05.000006Z".to_owned();
        let query = Query::new(EntriesRequest { until_time: time, verdict: 1, ..none() }, &acme).unwrap();
        assert_eq!((query.wanted.verdict, query.wanted.from), (Some("deny"), None));
        assert!(query.wanted.until.is_some());
    }

    #[test]
    fn a_limit_of_zero_is_none() {
        let acme = caller("acme", Role::Agent);
        let left = |limit| Query::new(EntriesRequest { limit, ..EntriesRequest::default() }, &acme).unwrap().left;
        assert_eq!((left(0), left(5)), (None, Some(5)));
    }

    #[test]
    fn payloads_are_for_their_tenant_and_the_ledgers_auditors() {
        let acme = caller("acme", Role::Agent);
        assert_eq!(payload_tenant("", &acme).unwrap().as_str(), "acme");
        assert_eq!(payload_tenant("other", &acme).unwrap_err().code, "FORBIDDEN");
        assert_eq!(payload_tenant("acme", &caller("-", Role::Auditor)).unwrap().as_str(), "acme");
        assert_eq!(payload_tenant("acme", &caller("-", Role::Operator)).unwrap_err().code, "FORBIDDEN");
    }

    #[test]
    fn pages_of_several_tenants_merge_in_order() {
        let seqs: Vec<Seq> = (0..PAGE_ENTRIES as u64).flat_map(|n| [Seq(2 * n + 1), Seq(2 * n)]).collect();
        let first = first_of(seqs);
        assert_eq!(first.len(), PAGE_ENTRIES);
        assert!(first.iter().enumerate().all(|(i, seq)| seq.0 == i as u64));
    }
}
