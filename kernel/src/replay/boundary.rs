//! Boundary replay: an agent runs again, and its governed calls are answered from the record. No tool is called.
//!
//! A call is known by its request hash, which binds tool, arguments and whose call it is. Equal calls are answered in the order in which
//! they were recorded. What the agent does otherwise than the record is a finding, and the agent goes on.

use std::collections::{BTreeMap, VecDeque};

use assent_ledger::hash::Hash;
use assent_ledger::ids::{Seq, TenantId};

use super::recorded::{Held, Payloads, Recorded};
use crate::command::Completion;
use crate::event::{EventBody, OUTPUT_ROLE};
use crate::reason::ReasonCode;
use crate::verdict::Verdict;

/// The recorded calls of one run, in their order.
pub struct Boundary {
    tenant: TenantId,
    run: String,
    calls: Vec<Call>,
    waiting: BTreeMap<Hash, VecDeque<usize>>,
    next: usize,
}

struct Call {
    seq: Seq,
    decision_id: String,
    tool: String,
    served: Served,
    asked: bool,
}

/// What a governed call is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Served {
    /// It ran, and this is what the tool returned.
    Response(Response),
    /// It was not allowed to run.
    NotAllowed {
        /// The verdict.
        verdict: Verdict,
        /// Why.
        codes: Vec<ReasonCode>,
    },
    /// It was allowed, and the record knows no outcome.
    NoOutcome,
    /// It ran, and what it returned was erased or not handed over.
    NotReplayable,
}

/// A recorded outcome.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// How it ended.
    pub status: Completion,
    /// Media type of the output.
    pub content_type: String,
    /// The exact bytes; empty when there was none.
    pub output: Vec<u8>,
}

impl core::fmt::Debug for Response {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Response({}, {} bytes)", self.status.name(), self.output.len())
    }
}

/// What the agent does otherwise than the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BoundaryFinding {
    /// It makes a call that the run did not make, or makes it more often.
    NotRecorded {
        /// The call's request hash.
        request: Hash,
    },
    /// It makes a recorded call, but another one was next.
    OutOfOrder {
        /// The decision of the call that it makes.
        made: Seq,
        /// The decision of the call that was next.
        due: Seq,
    },
    /// It did not make a recorded call.
    NotMade {
        /// The call's decision.
        seq: Seq,
        /// The tool.
        tool: String,
    },
}

impl Boundary {
    /// The boundary of a run of which no entry was seen yet.
    pub const fn new(tenant: TenantId, run: String) -> Boundary {
        Boundary { tenant, run, calls: Vec::new(), waiting: BTreeMap::new(), next: 0 }
    }

    /// Takes an entry in, if it is of the run. `request` is the plain request hash of a decision's call (`decide::request_hash`);
    /// without it the call cannot be found again and stays `NotMade`.
    pub fn add(&mut self, recorded: &Recorded, request: Option<Hash>, payloads: &impl Payloads) {
        let entry = &recorded.entry;
        if entry.tenant != self.tenant || entry.run_id.as_ref() != Some(&self.run) {
            return;
        }
        match &recorded.body {
            Some(EventBody::Decision(decision)) => {
                let served = match decision.effective {
                    Verdict::Allow | Verdict::Compute => Served::NoOutcome,
                    verdict => Served::NotAllowed { verdict, codes: decision.codes.clone() },
                };
                let at = self.calls.len();
                self.calls.push(Call {
                    seq: entry.seq,
                    decision_id: entry.event_id.clone(),
                    tool: decision.tool.clone(),
                    served,
                    asked: false,
                });
                if let Some(request) = request {
                    self.waiting.entry(request).or_default().push_back(at);
                }
            }
            Some(EventBody::ToolResponse(response)) if response.verdict == Verdict::Allow => {
                let found = self.calls.iter_mut().rev().find(|call| call.decision_id == response.decision_id);
                if let Some(call) = found {
                    call.served = outcome(recorded, response.status, payloads);
                }
            }
            _ => {}
        }
    }

    /// Answers a call of the agent that runs again, and says what is otherwise than recorded.
    pub fn serve(&mut self, request: &Hash) -> (Option<Served>, Option<BoundaryFinding>) {
        let Some(at) = self.waiting.get_mut(request).and_then(VecDeque::pop_front) else {
            return (None, Some(BoundaryFinding::NotRecorded { request: *request }));
        };
        while self.calls.get(self.next).is_some_and(|call| call.asked) {
            self.next += 1;
        }
        let due = self.calls.get(self.next).map(|call| call.seq);
        let Some(call) = self.calls.get_mut(at) else { return (None, None) };
        call.asked = true;
        let finding = due.filter(|due| *due != call.seq).map(|due| BoundaryFinding::OutOfOrder { made: call.seq, due });
        (Some(call.served.clone()), finding)
    }

    /// The recorded calls that the agent did not make.
    pub fn finish(self) -> Vec<BoundaryFinding> {
        let left = self.calls.into_iter().filter(|call| !call.asked);
        left.map(|call| BoundaryFinding::NotMade { seq: call.seq, tool: call.tool }).collect()
    }
}

fn outcome(recorded: &Recorded, status: Completion, payloads: &impl Payloads) -> Served {
    let committed = recorded.entry.payloads.iter().find(|payload| payload.role == OUTPUT_ROLE);
    let content_type = committed.map(|payload| payload.content_type.clone()).unwrap_or_default();
    match recorded.payload(OUTPUT_ROLE, payloads) {
        Some(Held::Bytes(output)) => Served::Response(Response { status, content_type, output }),
        Some(Held::Erased | Held::Missing) => Served::NotReplayable,
        None => Served::Response(Response { status, content_type, output: Vec::new() }),
    }
}
