//! A call under a fixed request id and what its caller was told: whoever is asked again, and whenever, says the same.

use std::collections::{BTreeMap, BTreeSet};

use assent_chaos_tests::support::real_cluster::CALL_MAX;
use assent_client::{Client, Deadline, v1};
use assent_ledger::ids::NodeId;
use assent_ledger::receipt::VerifiedReceipt;
use bytes::Bytes;
use tonic::{Code, Status};
use v1::ledger_client::LedgerClient;

use crate::world::{World, ask};

/// A call and its answer.
pub struct Asked {
    /// What is sent, every time.
    pub request: v1::EvaluateRequest,
    /// Other arguments for the same tool.
    other_inputs: &'static str,
    told: Told,
    /// What each node that decided a retry has answered: nothing in it is made anew, so that even its signature is the same every time.
    repeated: BTreeMap<NodeId, v1::EvaluateResponse>,
    /// Every receipt that the caller ever got, for an auditor.
    receipts: BTreeSet<Bytes>,
}

/// What does not depend on who answers: everything but the receipt's signature, and whether it was the first time.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    answer: v1::EvaluateResponse,
    leaf: Vec<u8>,
}

impl Told {
    fn of(answer: &v1::EvaluateResponse, receipt: &VerifiedReceipt) -> Told {
        let answer = v1::EvaluateResponse { receipt: Bytes::new(), replayed: false, ..answer.clone() };
        Told { answer, leaf: receipt.leaf().to_vec() }
    }
}

impl Asked {
    /// Asks for the first time.
    pub async fn first(client: &Client, request: v1::EvaluateRequest, other_inputs: &'static str) -> Asked {
        let (told, receipt) = ask_library(client, &request).await;
        assert!(!told.answer.replayed && !receipt.is_empty(), "{told:?}");
        let receipts = [receipt].into();
        Asked { request, other_inputs, told, repeated: BTreeMap::new(), receipts }
    }

    /// What holds now.
    pub fn answer(&self) -> &v1::EvaluateResponse {
        &self.told.answer
    }

    /// People have answered, so that the same request has another outcome from now on.
    pub async fn learn(&mut self, client: &Client) -> v1::EvaluateResponse {
        let (told, receipt) = ask_library(client, &self.request).await;
        assert_ne!(told, self.told, "nothing has changed for the caller");
        self.told = told;
        self.repeated.clear();
        self.receipts.insert(receipt);
        self.told.answer.clone()
    }

    /// Asks every running node, and a client of the library, once more; gives who decided.
    pub async fn again(&mut self, world: &mut World, client: &Client) -> BTreeSet<NodeId> {
        let mut answers = Vec::new();
        for node in world.real.cluster.running() {
            let asked =
                ask!(LedgerClient.evaluate, world.connect(node).await, world.token("payer"), self.request.clone());
            answers.push(asked.unwrap());
        }
        let asked = client.evaluate(self.request.clone(), Deadline::after(CALL_MAX)).await;
        answers.push(asked.unwrap().response);
        let mut signers = BTreeSet::new();
        for answer in answers {
            let receipt = client.trust().unwrap().receipt(client, &answer.receipt).await.unwrap();
            assert!(answer.replayed, "decided anew: {answer:?}");
            assert_eq!(Told::of(&answer, &receipt), self.told);
            let known = self.repeated.entry(receipt.node()).or_insert_with(|| answer.clone());
            assert_eq!(*known, answer, "to the byte, receipt and signature included");
            self.receipts.insert(answer.receipt);
            signers.insert(receipt.node());
        }
        signers
    }

    /// The id was used: with other arguments it is refused, by every node, and its caller is told that nothing was recorded.
    pub async fn other_arguments_are_refused(&self, world: &mut World) {
        let request = v1::EvaluateRequest { inputs: self.other_inputs.into(), ..self.request.clone() };
        for node in world.real.cluster.running() {
            let asked = ask!(LedgerClient.evaluate, world.connect(node).await, world.token("payer"), request.clone());
            let refused = asked.unwrap_err();
            assert_eq!(refused.code(), Code::AlreadyExists, "{refused:?}");
            assert_eq!(metadata(&refused, "assent-code"), "REQUEST_ID_REUSED");
            assert_eq!(metadata(&refused, "assent-write"), "refused");
        }
    }

    /// Every receipt that the caller ever got.
    pub fn receipts(&self) -> impl Iterator<Item = &Bytes> {
        self.receipts.iter()
    }
}

/// The library verifies the receipt and that the leaf says what the answer says.
async fn ask_library(client: &Client, request: &v1::EvaluateRequest) -> (Told, Bytes) {
    let decision = client.evaluate(request.clone(), Deadline::after(CALL_MAX)).await.unwrap();
    let told = Told::of(&decision.response, &decision.receipt.expect("a client with trust verifies receipts"));
    (told, decision.response.receipt)
}

fn metadata<'a>(status: &'a Status, key: &str) -> &'a str {
    status.metadata().get(key).unwrap_or_else(|| panic!("no {key}: {status:?}")).to_str().unwrap()
}
