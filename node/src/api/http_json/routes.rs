//! The table of routes: each names a method of the protocol, so that a route without a schema cannot exist.

use assent_proto::describe::{self, Method};

/// What a caller does to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Reads; the request's fields stand in the path and the query.
    Get,
    /// Asks for something that is recorded, or reads with a long request; the fields stand in the body.
    Post,
}

/// How a method's answer looks over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// One JSON object.
    One,
    /// A page of what is there now, or server-sent events of what comes.
    Entries,
    /// One line for each line of the body, as they come.
    Lines,
}

/// A route.
#[derive(Debug)]
pub struct Route {
    /// What a caller does.
    pub verb: Verb,
    /// The path; names in braces are fields of the request.
    pub path: &'static str,
    /// The method that it calls.
    pub method: &'static Method,
    /// How it answers.
    pub answer: Answer,
}

impl Route {
    /// The fields that stand in the path.
    pub fn in_path(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }

    /// The values of the path's fields; `None` when it is another path.
    pub fn matches<'a>(&self, path: &'a str) -> Option<Vec<(&'static str, &'a str)>> {
        let (mut own, mut asked) = (self.path.split('/'), path.split('/'));
        let mut fields = Vec::new();
        loop {
            match (own.next(), asked.next()) {
                (None, None) => return Some(fields),
                (Some(own), Some(asked)) => match own.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                    Some(name) if !asked.is_empty() => fields.push((name, asked)),
                    None if own == asked => {}
                    _ => return None,
                },
                _ => return None,
            }
        }
    }
}

const fn get(path: &'static str, method: &'static Method) -> Route {
    Route { verb: Verb::Get, path, method, answer: Answer::One }
}

const fn post(path: &'static str, method: &'static Method) -> Route {
    Route { verb: Verb::Post, path, method, answer: Answer::One }
}

/// Every route; a path that is spelled out stands before one with a field in its place.
pub static ROUTES: &[Route] = &[
    post("/v1/evaluate", &describe::LEDGER_EVALUATE),
    post("/v1/evaluate-many", &describe::LEDGER_EVALUATE_MANY),
    Route {
        verb: Verb::Post,
        path: "/v1/evaluate-stream",
        method: &describe::LEDGER_EVALUATE_STREAM,
        answer: Answer::Lines,
    },
    post("/v1/check", &describe::LEDGER_CHECK),
    get("/v1/requests/{request_id}", &describe::LEDGER_STATUS),
    Route { verb: Verb::Get, path: "/v1/entries", method: &describe::LEDGER_ENTRIES, answer: Answer::Entries },
    get("/v1/payloads/{commitment}", &describe::LEDGER_PAYLOAD),
    get("/v1/checkpoint", &describe::LEDGER_CHECKPOINT),
    get("/v1/proofs/inclusion", &describe::LEDGER_INCLUSION_PROOF),
    get("/v1/proofs/consistency", &describe::LEDGER_CONSISTENCY_PROOF),
    get("/v1/seals", &describe::LEDGER_SEALS),
    post("/v1/seals", &describe::ADMIN_SEAL_NOW),
    post("/v1/tenants", &describe::ADMIN_CREATE_TENANT),
    post("/v1/tenants/{tenant}/principals", &describe::ADMIN_REGISTER_PRINCIPAL),
    post("/v1/tenants/{tenant}/principals/disable", &describe::ADMIN_DISABLE_PRINCIPAL),
    post("/v1/tenants/{tenant}/credentials", &describe::ADMIN_REGISTER_CREDENTIAL),
    post("/v1/tenants/{tenant}/credentials/revoke", &describe::ADMIN_REVOKE_CREDENTIAL),
    post("/v1/tenants/{tenant}/bundles", &describe::ADMIN_OFFER_BUNDLE),
    post("/v1/tenants/{tenant}/bundles/activate", &describe::ADMIN_ACTIVATE_BUNDLE),
    post("/v1/redeem", &describe::EXECUTION_REDEEM),
    post("/v1/complete", &describe::EXECUTION_COMPLETE),
    post("/v1/leases", &describe::CAPABILITIES_REQUEST),
    post("/v1/leases/delegate", &describe::CAPABILITIES_DELEGATE),
    post("/v1/leases/{lease_id}/revoke", &describe::CAPABILITIES_REVOKE),
    post("/v1/approvals/{approval_id}/resolve", &describe::APPROVALS_RESOLVE),
    post("/v1/memory/write", &describe::MEMORY_WRITE),
    post("/v1/memory/read", &describe::MEMORY_READ),
    post("/v1/memory/forget", &describe::MEMORY_FORGET),
    post("/v1/memory/release", &describe::MEMORY_RELEASE),
    post("/v1/memory/quarantine", &describe::MEMORY_QUARANTINE),
    post("/v1/messages", &describe::MESSAGES_RECORD),
    post("/v1/tenants/{tenant}/agent-keys", &describe::MESSAGES_REGISTER_KEY),
    post("/v1/tenants/{tenant}/agent-keys/rotate", &describe::MESSAGES_ROTATE_KEY),
    get("/v1/runs", &describe::STATE_RUNS),
    get("/v1/bundles", &describe::STATE_ACTIVE_BUNDLES),
    get("/v1/approvals", &describe::STATE_APPROVALS),
    get("/v1/leases", &describe::STATE_LEASES),
    get("/v1/intents", &describe::STATE_INTENTS),
    get("/v1/principals", &describe::STATE_PRINCIPALS),
    get("/v1/kill-switches", &describe::STATE_KILL_SWITCHES),
    get("/v1/signals", &describe::STATE_SIGNALS),
    post("/v1/signals", &describe::SIGNALS_REPORT),
    post("/v1/runs", &describe::ADMIN_OPEN_RUN),
    post("/v1/runs/{run_id}/close", &describe::ADMIN_CLOSE_RUN),
    post("/v1/runs/{run_id}/taint", &describe::RUNS_ATTACH_TAINT),
    post("/v1/runs/{run_id}/steps", &describe::RUNS_RECORD_STEP),
    post("/v1/tenants/{tenant}/runs/{run_id}/mode", &describe::RUNS_SET_MODE),
    post("/v1/tenants/{tenant}/runs/{run_id}/release", &describe::RUNS_RELEASE),
    post("/v1/keys/endorse", &describe::ADMIN_ENDORSE_KEY),
    post("/v1/keys/retire", &describe::ADMIN_RETIRE_KEY),
    post("/v1/tenants/{tenant}/erase", &describe::CONTROL_ERASE_PAYLOAD),
    post("/v1/tenants/{tenant}/settings", &describe::CONTROL_CONFIGURE_TENANT),
    post("/v1/tenants/{tenant}/disabled", &describe::CONTROL_SET_TENANT_DISABLED),
    post("/v1/tenants/{tenant}/kill-switch", &describe::CONTROL_SET_KILL_SWITCH),
    post("/v1/tenants/{tenant}/principals/enable", &describe::CONTROL_ENABLE_PRINCIPAL),
    post("/v1/tenants/{tenant}/runtime-rules", &describe::CONTROL_SET_RUNTIME_RULES),
    post("/v1/kernel/version", &describe::CONTROL_ACTIVATE_KERNEL_VERSION),
    get("/v1/cluster", &describe::CLUSTER_INFO),
    post("/v1/cluster/bootstrap", &describe::CLUSTER_BOOTSTRAP),
    post("/v1/cluster/learners", &describe::CLUSTER_ADD_LEARNER),
    post("/v1/cluster/voters", &describe::CLUSTER_CHANGE_MEMBERS),
    post("/v1/cluster/leader", &describe::CLUSTER_TRANSFER_LEADER),
];

#[cfg(test)]
mod tests {
    use super::*;
    use assent_proto::describe::{Kind, Label, SERVICES};
    use std::collections::BTreeSet;

    #[test]
    fn every_method_of_the_protocol_has_a_route_and_every_route_is_one_of_its_kind() {
        let methods = SERVICES.iter().filter(|service| service.name != "Peer").flat_map(|service| service.methods);
        for method in methods {
            let routes = ROUTES.iter().filter(|route| route.method.path == method.path).count();
            assert_eq!(routes, 1, "routes of {}", method.path);
        }
        let all: BTreeSet<_> = ROUTES.iter().map(|route| (route.verb, route.path)).collect();
        assert_eq!(all.len(), ROUTES.len());
    }

    #[test]
    fn fields_in_paths_and_queries_are_fields_that_can_stand_there() {
        for route in ROUTES {
            assert!(route.path.starts_with("/v1/"), "{}", route.path);
            for name in route.in_path() {
                let field = route.method.input.field(name);
                assert!(field.is_some(), "{}: {name} is no field of {}", route.path, route.method.input.name);
            }
            for field in route.method.input.fields.iter().filter(|_| route.verb == Verb::Get) {
                let flat = field.label != Label::Repeated && !matches!(field.kind, Kind::Message(_));
                assert!(flat, "{}: {} cannot stand in a query", route.path, field.name);
            }
            let streams = route.method.streams_in || route.method.streams_out;
            assert_eq!(streams, route.answer != Answer::One, "{}", route.path);
        }
    }

    #[test]
    fn paths_match_part_by_part() {
        fn find(path: &str) -> Option<(&str, Vec<(&str, &str)>)> {
            ROUTES.iter().find_map(|route| Some((route.path, route.matches(path)?)))
        }
        assert_eq!(find("/v1/requests/abc"), Some(("/v1/requests/{request_id}", vec![("request_id", "abc")])));
        assert_eq!(find("/v1/runs/r%2F1/close"), Some(("/v1/runs/{run_id}/close", vec![("run_id", "r%2F1")])));
        for path in ["/v1/requests/", "/v1/requests/a/b", "/v1/requests", "/v1/evaluate/", "/", "", "/V1/evaluate"] {
            assert_eq!(find(path), None, "{path}");
        }
    }
}
