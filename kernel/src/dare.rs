//! DARE's records as views of the ledger: assembled on export, with DARE's field names, from entries, the payloads that still exist,
//! receipts and anchors. `docs/formats/dare-views.md` says which field comes from where; the JSON Schemas are in
//! `docs/schemas/dare/`.
//!
//! A view is never stored and nothing is decided on one. Plain hashes in it are computed while the payload exists; when it was erased
//! they are `null`, and `assent.erased` names them.

mod decision;
mod evidence;
mod hitl;
mod json;
mod ledger_event;
mod message;
mod payload_ref;
mod replay_trace;
mod request;
mod response;

pub use decision::{policy_decision_record, request_hash_of};
pub use evidence::Evidence;
pub use hitl::hitl_decision_record;
pub use json::Json;
pub use ledger_event::ledger_event;
pub use message::agent_message_envelope;
pub use payload_ref::{PAYLOAD_REF_TYPE, PayloadRef};
pub use replay_trace::ReplayTrace;
pub use request::tool_request_envelope;
pub use response::tool_response_envelope;

/// The version that every record states.
pub const SCHEMA_VERSION: &str = "v1";
