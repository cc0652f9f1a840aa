//! What is not proven is an error, never an allow.

use assent_client::{ClientError, TlogProof, Trust, TrustError, v1};
use assent_ledger::keys::SecretKey;

use crate::double::Step;
use crate::ledger::{Ledger, origin, root_key};
use crate::retrying::{one, request, soon};

/// Evaluates once with an answer that was tampered with, and gives the error.
async fn forged(forge: fn(&Ledger, &mut v1::EvaluateResponse)) -> ClientError {
    let (pki, double) = one([Step::RecordAndForge(forge)]).await;
    let result = pki.trusting(&[&double.address]).evaluate(request("forbidden"), soon()).await;
    let error = result.expect_err("a forged answer must be an error");
    assert!(error.may_be_recorded());
    error
}

#[tokio::test]
async fn an_honest_answer_is_proven_and_keys_are_read_once() {
    let (pki, double) = one([]).await;
    let client = pki.trusting(&[&double.address]);
    for tool in ["mail", "forbidden", "mail"] {
        let decision = client.evaluate(request(tool), soon()).await.unwrap();
        let receipt = decision.receipt.as_ref().expect("verified");
        assert_eq!(receipt.seq().0, decision.response.seq);
        assert_eq!(decision.is_allowed(), tool == "mail");
    }
    assert_eq!(double.state.lock().unwrap().entries_calls, 1);
}

#[tokio::test]
async fn a_verdict_other_than_the_recorded_one_is_an_error() {
    let error = forged(|_, answer| {
        answer.verdict = v1::Verdict::Allow.into();
        answer.codes[0].number = 900;
    })
    .await;
    assert!(error.to_string().contains("verdict"), "{error}");
}

#[tokio::test]
async fn missing_foreign_and_stale_receipts_are_errors() {
    let none = forged(|_, answer| answer.receipt = Vec::new().into()).await;
    assert!(matches!(none, ClientError::Untrusted(e) if matches!(*e, TrustError::NoReceipt)));
    let stranger = forged(|ledger, answer| {
        answer.receipt = ledger.receipt(answer.seq, SecretKey::from_seed(&[99; 32])).into();
    })
    .await;
    assert!(matches!(stranger, ClientError::Untrusted(e) if matches!(*e, TrustError::Receipt(_))));
    let other_entry = forged(|ledger, answer| {
        answer.receipt = ledger.receipt(0, SecretKey::from_seed(&[4; 32])).into();
    })
    .await;
    assert!(matches!(other_entry, ClientError::Untrusted(e) if matches!(*e, TrustError::Disagrees { .. })));
    let other_id = forged(|_, answer| answer.request_id = "other".to_owned()).await;
    assert!(matches!(other_id, ClientError::Protocol(_)));
    let other_seq = forged(|_, answer| answer.seq += 1).await;
    assert!(matches!(other_seq, ClientError::Untrusted(_)));
}

#[tokio::test]
async fn another_tenants_entry_is_an_error() {
    let (pki, double) = one([]).await;
    let mut config = pki.config(&[&double.address]);
    config.tenant = Some("borealis".to_owned());
    let trust = std::sync::Arc::new(Trust::new(origin(), root_key().public()));
    let client = assent_client::Client::connect(config).await.unwrap().with_trust(trust);
    let error = client.evaluate(request("mail"), soon()).await.unwrap_err();
    assert!(error.to_string().contains("tenant"), "{error}");
}

#[tokio::test]
async fn another_root_key_believes_nothing() {
    let (pki, double) = one([]).await;
    let trust = Trust::new(origin(), SecretKey::from_seed(&[50; 32]).public());
    let client = pki.client(&[&double.address]).with_trust(std::sync::Arc::new(trust));
    let error = client.evaluate(request("mail"), soon()).await.unwrap_err();
    assert!(matches!(error, ClientError::Untrusted(e) if matches!(*e, TrustError::Keyring { .. })));
}

#[tokio::test]
async fn a_withheld_system_entry_breaks_the_chain() {
    let (pki, double) = one([]).await;
    double.state.lock().unwrap().withhold = Some(2);
    let error = pki.trusting(&[&double.address]).evaluate(request("mail"), soon()).await.unwrap_err();
    assert!(matches!(error, ClientError::Untrusted(e) if matches!(*e, TrustError::Chain { .. })));
}

#[tokio::test]
async fn an_entry_is_proven_into_a_file() {
    let (pki, double) = one([]).await;
    let client = pki.trusting(&[&double.address]);
    let seq = client.evaluate(request("mail"), soon()).await.unwrap().response.seq;
    let proven = client.prove(seq, soon()).await.unwrap();
    let file = TlogProof::parse(&proven.proof.to_bytes()).unwrap();
    let checked = client.trust().unwrap().checkpoint(&client, &file.checkpoint).await.unwrap();
    assert_eq!(Some(file.verify(&checked.verified, None).unwrap()), proven.leaf);
    let error = client.prove(seq + 1, soon()).await.unwrap_err();
    assert!(matches!(error, ClientError::Refused { code, .. } if code == "NOT_SEALED"));
}

#[tokio::test]
async fn a_checkpoint_without_its_quorum_is_not_accepted() {
    let (pki, double) = one([]).await;
    double.state.lock().unwrap().cosigned = false;
    let client = pki.trusting(&[&double.address]);
    let error = client.prove(0, soon()).await.unwrap_err();
    assert!(matches!(error, ClientError::Untrusted(e) if matches!(*e, TrustError::Quorum { got: 0, .. })));
}
