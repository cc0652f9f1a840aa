//! Callers who are nobody, or who ask for what is not theirs.

use super::*;

/// Callers who are nobody: on every service, for reads and writes.
pub(super) async fn callers(world: &mut World) {
    let good_token = token("acme/agent");
    let cases: Vec<(&str, Vec<String>, &str)> = vec![
        ("no token", vec![], "no token"),
        ("a short token", vec!["Bearer 0011".into()], "64 lower-case hexadecimal"),
        (
            "an upper-case token",
            vec![format!("Bearer {}", good_token[7..].to_uppercase())],
            "64 lower-case hexadecimal",
        ),
        ("another scheme", vec!["Basic Zm9vOmJhcg==".into()], "64 lower-case hexadecimal"),
        ("two tokens", vec![good_token.clone(), good_token.clone()], "more than one"),
        ("an unknown token", vec![token("nobody")], "not registered"),
        ("a revoked credential", vec![token("acme/gone")], "revoked"),
    ];
    let before = world.size().await;
    for channel in &world.channels {
        for (case, auth, word) in &cases {
            let say = |answer: Status| {
                refused::<()>(case, Err(answer.clone()), Code::Unauthenticated, "UNAUTHENTICATED", &[word]);
                for secret in auth.iter().map(|value| value.rsplit(' ').next().unwrap()) {
                    assert!(!answer.message().contains(secret), "{case}: the message repeats the token");
                }
            };
            say(evaluate(channel, auth, &good()).await.unwrap_err());
            let many = v1::EvaluateManyRequest { requests: vec![good()] };
            say(ask!(LedgerClient.evaluate_many, channel, auth, many).unwrap_err());
            let status = v1::StatusRequest { request_id: good().request_id, ..Default::default() };
            say(ask!(LedgerClient.status, channel, auth, status).unwrap_err());
            say(ask!(LedgerClient.entries, channel, auth, v1::EntriesRequest::default()).unwrap_err());
            say(ask!(LedgerClient.payload, channel, auth, v1::PayloadRequest::default()).unwrap_err());
            say(ask!(AdminClient.create_tenant, channel, auth, new_tenant()).unwrap_err());
            say(ask!(ClusterClient.transfer_leader, channel, auth, v1::TransferLeaderRequest::default()).unwrap_err());
        }
    }
    assert_eq!(world.size().await, before);
    world.alive("nobody's calls").await;
}

fn new_tenant() -> v1::CreateTenantRequest {
    v1::CreateTenantRequest { request_id: Client::request_id().unwrap(), tenant: "mallory".into() }
}

/// Callers who may not: agents as administrators, administrators as agents, and of another tenant.
pub(super) async fn permissions(world: &mut World) {
    const DENIED: Code = Code::PermissionDenied;
    let (agent, admin) = ([token("acme/agent")], [token("acme/admin")]);
    let id = || Client::request_id().unwrap();
    let before = world.size().await;
    for channel in &world.channels {
        for auth in [&agent, &admin] {
            let answer = ask!(AdminClient.create_tenant, channel, auth, new_tenant());
            refused("creating a tenant", answer, DENIED, "ROLE_NOT_PERMITTED", &["may not"]);
            let answer = ask!(AdminClient.seal_now, channel, auth, v1::SealNowRequest { request_id: id() });
            refused("sealing", answer, DENIED, "ROLE_NOT_PERMITTED", &["may not"]);
            let answer = ask!(ClusterClient.transfer_leader, channel, auth, v1::TransferLeaderRequest::default());
            refused("moving the leader", answer, DENIED, "FORBIDDEN", &["operator"]);
            let voters = v1::ChangeMembersRequest { voters: vec!["0000000000000001".into()] };
            let answer = ask!(ClusterClient.change_members, channel, auth, voters);
            refused("changing members", answer, DENIED, "FORBIDDEN", &["operator"]);
        }
        for (auth, tenant, code) in [(&agent, "acme", "ROLE_NOT_PERMITTED"), (&admin, "borealis", "OTHER_TENANT")] {
            let (tenant, name) = (|| tenant.to_owned(), || format!("{tenant}/agent"));
            let offer = v1::OfferBundleRequest { request_id: id(), tenant: tenant(), source: BUNDLE.into() };
            refused("offering", ask!(AdminClient.offer_bundle, channel, auth, offer), DENIED, code, &[]);
            let subject = "mallory".to_owned();
            let who = v1::DisablePrincipalRequest { request_id: id(), tenant: tenant(), subject };
            refused("disabling", ask!(AdminClient.disable_principal, channel, auth, who), DENIED, code, &[]);
            let which = v1::RevokeCredentialRequest { request_id: id(), tenant: tenant(), name: name() };
            refused("revoking", ask!(AdminClient.revoke_credential, channel, auth, which), DENIED, code, &[]);
        }
        let answer = evaluate(channel, &admin, &good()).await;
        refused("an administrator's evaluation", answer, DENIED, "ROLE_NOT_PERMITTED", &["tenant-admin may not"]);
    }
    assert_eq!(world.size().await, before);
    world.alive("forbidden commands").await;
}

/// One tenant sees nothing of another: neither entries, nor payloads, nor what became of a request.
pub(super) async fn foreign_reads(world: &mut World) {
    let (acme, borealis) = ([token("acme/agent")], [token("borealis/agent")]);
    let theirs = good();
    let decision = evaluate(&world.channels[0], &borealis, &theirs).await.unwrap();
    let view = Receipt::parse(&decision.receipt).unwrap().leaf;
    let commitment = view.split(r#""commitment":""#).nth(1).unwrap()[..64].to_owned();
    let commitment = || hex::decode(&commitment).unwrap().into();
    world.cluster.wait_converged(decision.seq + 1).await.unwrap();
    for channel in &world.channels {
        let own = v1::PayloadRequest { commitment: commitment(), tenant: String::new() };
        let answer = ask!(LedgerClient.payload, channel, &borealis, own.clone()).unwrap();
        assert_eq!(answer.content, theirs.inputs);
        refused("its commitment", ask!(LedgerClient.payload, channel, &acme, own), Code::NotFound, "NOT_FOUND", &[]);
        let foreign = v1::PayloadRequest { commitment: commitment(), tenant: "borealis".into() };
        let answer = ask!(LedgerClient.payload, channel, &acme, foreign);
        refused("a payload", answer, Code::PermissionDenied, "FORBIDDEN", &["borealis"]);
        let foreign = v1::EntriesRequest { tenant: "borealis".into(), ..Default::default() };
        let answer = ask!(LedgerClient.entries, channel, &acme, foreign);
        refused("entries", answer, Code::PermissionDenied, "FORBIDDEN", &["borealis"]);
        let mut entries = ask!(LedgerClient.entries, channel, &acme, v1::EntriesRequest::default()).unwrap();
        while let Some(record) = entries.message().await.unwrap() {
            assert!(!String::from_utf8_lossy(&record.leaf).contains(r#""tenant":"borealis""#), "entry {}", record.seq);
        }
        let status = v1::StatusRequest { request_id: theirs.request_id.clone(), subject: theirs.subject.clone() };
        let answer = ask!(LedgerClient.status, channel, &acme, status).unwrap();
        assert_eq!((answer.state(), answer.decision), (v1::status_response::State::Unknown, None));
    }
    world.alive("foreign reads").await;
}
