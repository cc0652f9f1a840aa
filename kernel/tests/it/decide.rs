//! What each command comes to: permissions, refusals, and the pipeline of Evaluate step by step.

use crate::support::*;
use assent_kernel::command::{Caller, CommandBody, Evaluate, NewCredential, Role, RunRequest};
use assent_kernel::decide::request_hash;
use assent_kernel::machine::{Answer, AppliedBatch};
use assent_kernel::reason::ReasonCode::{self, *};
use assent_kernel::refusal::Refusal;
use assent_kernel::verdict::Verdict;
use assent_ledger::entry::Entry;
use assent_ledger::hash::sha256;
use assent_ledger::keys::SecretKey;

fn me() -> Caller {
    agent("acme", Some("agent-1"))
}

fn decide(world: &mut World, caller: Caller, call: Evaluate) -> (AppliedBatch, Verdict, Vec<ReasonCode>) {
    let command = world.command(caller, evaluate(call));
    let applied = world.apply(vec![command]);
    let Answer::Decided { verdict, codes, .. } = applied.answers[0].clone() else { panic!("{:?}", applied.answers) };
    (applied, verdict, codes)
}

fn codes(world: &mut World, caller: Caller, call: Evaluate) -> Vec<ReasonCode> {
    let (_, verdict, codes) = decide(world, caller, call);
    assert_eq!(verdict == Verdict::Allow, codes[0].is_allow());
    codes
}

fn good() -> Evaluate {
    call("mail.send", GOOD_MAIL)
}

#[test]
fn every_step_of_the_pipeline_denies_with_its_code() {
    let mut world = World::ready(1);
    assert_eq!(codes(&mut world, me(), good()), [AllowedRulesPassed, AllowlistMatch, ContractSatisfied]);
    assert_eq!(codes(&mut world, me(), call("mail.send", "{")), [InputsNotJson]);
    assert_eq!(codes(&mut world, me(), call("mail.send", r#"{"to":[],"to":[]}"#)), [InputsNotJson]);
    assert_eq!(codes(&mut world, me(), call("mail.send", "{}")), [ArgumentsInvalid]);
    assert_eq!(codes(&mut world, me(), call("no.tool", "{}")), [UnknownTool]);
    assert_eq!(codes(&mut world, me(), Evaluate { environment: "test".into(), ..good() }), [NoActiveBundle]);
    let many = r#"{"to":["a@example.com"],"subject":"x","recipient_count":500}"#;
    assert_eq!(codes(&mut world, me(), call("mail.send", many)), [ContractViolated]);
    let host = r#"{"url":"https://api.github.com.evil.com/"}"#;
    assert_eq!(codes(&mut world, me(), call("http.fetch", host)), [CapabilityConstraint]);
    world.must(operator(), CommandBody::DisablePrincipal { tenant: tenant("acme"), subject: "agent-1".into() });
    assert_eq!(codes(&mut world, me(), good()), [PrincipalDisabled]);
}

#[test]
fn subjects_come_from_the_credential() {
    let mut world = World::ready(2);
    let asserted = |subject: &str| Evaluate { subject: Some(subject.into()), ..good() };
    assert_eq!(codes(&mut world, me(), asserted("agent-1")).len(), 3);
    let (applied, _, found) = decide(&mut world, me(), asserted("agent-2"));
    assert_eq!(found, [SubjectMismatch]);
    assert_eq!(Entry::parse(&applied.entries[0].leaf).unwrap().actor.unwrap(), "agent-1");
    let wide = || agent("acme", None);
    assert_eq!(codes(&mut world, wide(), good()), [PrincipalUnknown]);
    assert_eq!(codes(&mut world, wide(), asserted("stranger")), [PrincipalUnknown]);
    let (applied, _, found) = decide(&mut world, wide(), asserted("agent-1"));
    assert_eq!(found.len(), 3);
    let body = Entry::parse(&applied.entries.last().unwrap().leaf).unwrap().body;
    assert_eq!(body.get("attested").unwrap().as_bool(), Some(false), "stated, not proven");
}

#[test]
fn runs_belong_to_their_subject_and_stay_closed() {
    let mut world = World::ready(3);
    world.must(admin("acme"), register("acme", "agent-2"));
    world.must(admin("acme"), credential_of(&agent("acme", Some("agent-2"))));
    let in_run = |run: &str| Evaluate { run_id: Some(run.into()), ..good() };
    let (applied, _, _) = decide(&mut world, me(), in_run("r1"));
    let kinds: Vec<_> = applied.entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, ["assent.run.opened", "dare.policy.decision"]);
    assert_eq!(decide(&mut world, me(), in_run("r1")).0.entries.len(), 1);
    assert_eq!(codes(&mut world, agent("acme", Some("agent-2")), in_run("r1")), [RunNotOwned]);
    let run = |run: &str| RunRequest { run_id: run.into(), subject: None, parent_run_id: None };
    assert_eq!(world.refused(agent("acme", Some("agent-2")), CommandBody::CloseRun(run("r1"))), Refusal::RunNotOwned);
    world.must(me(), CommandBody::CloseRun(run("r1")));
    assert_eq!(codes(&mut world, me(), in_run("r1")), [RunClosed]);
    assert_eq!(world.refused(me(), CommandBody::CloseRun(run("r1"))), Refusal::RunClosed);
    assert_eq!(world.refused(me(), CommandBody::OpenRun(run("r1"))), Refusal::RunExists);
    assert_eq!(world.refused(me(), CommandBody::CloseRun(run("r9"))), Refusal::RunUnknown);
    // A run of the same name in another tenant is another run.
    assert_eq!(codes(&mut world, agent("zeta", Some("agent-1")), in_run("r1")).len(), 3);
}

#[test]
fn implicit_runs_end_when_they_are_idle() {
    let mut world = World::ready(4);
    let first = decide(&mut world, me(), good()).0.entries.pop().unwrap().run_id.unwrap();
    world.clock += 29 * 60 * SECOND;
    let second = decide(&mut world, me(), good()).0;
    assert_eq!((second.entries.len(), second.entries[0].run_id.as_deref()), (1, Some(first.as_str())));
    world.clock += 31 * 60 * SECOND;
    let third = decide(&mut world, me(), good()).0;
    let kinds: Vec<_> = third.entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, ["assent.run.closed", "assent.run.opened", "dare.policy.decision"]);
    assert_ne!(third.entries[2].run_id.as_deref(), Some(first.as_str()));
    // Closing the implicit run by hand makes the next call open another.
    let run = RunRequest { run_id: third.entries[2].run_id.clone().unwrap(), subject: None, parent_run_id: None };
    world.must(me(), CommandBody::CloseRun(run));
    assert_eq!(decide(&mut world, me(), good()).0.entries.len(), 2);
}

#[test]
fn roles_and_tenants_are_kept_apart() {
    let mut world = World::ready(5);
    let refused = |world: &mut World, caller: Caller, body: CommandBody| world.refused(caller, body).number();
    let seal = world.seal();
    assert_eq!(refused(&mut world, me(), seal), 30);
    assert_eq!(refused(&mut world, admin("acme"), new_tenant("newco")), 30);
    assert_eq!(refused(&mut world, me(), register("acme", "x")), 30);
    assert_eq!(refused(&mut world, operator(), mail()), 30);
    assert_eq!(refused(&mut world, admin("acme"), register("zeta", "x")), 31);
    assert_eq!(refused(&mut world, Caller { tenant: tenant("acme"), ..operator() }, new_tenant("newco")), 31);
    assert_eq!(refused(&mut world, Caller { tenant: tenant("acme"), ..node() }, mail()), 30);
    assert_eq!(refused(&mut world, Caller { role: Role::TenantAdmin, ..me() }, register("acme", "x")), 32);
    let give = |role, of: &str| {
        CommandBody::RegisterCredential(Box::new(NewCredential {
            tenant: tenant(of),
            name: "new".into(),
            token_hash: token("new"),
            role,
            subject: None,
        }))
    };
    assert_eq!(refused(&mut world, admin("acme"), give(Role::Operator, "acme")), 49);
    assert_eq!(refused(&mut world, operator(), give(Role::Agent, "-")), 49);
    assert_eq!(refused(&mut world, operator(), give(Role::Agent, "nobody")), 40);
    world.must(operator(), give(Role::Auditor, "-"));
    assert_eq!(refused(&mut world, operator(), give(Role::Auditor, "acme")), 47, "one token, one credential");
}

#[test]
fn a_revocation_holds_from_its_entry_on() {
    let mut world = World::ready(6);
    let late = world.command(me(), mail());
    let revoke = CommandBody::RevokeCredential { tenant: tenant("acme"), name: me().credential };
    let revoke = world.command(admin("acme"), revoke);
    let applied = world.apply(vec![revoke.clone(), late]);
    assert_eq!(applied.answers[1], Answer::Refused(Refusal::CredentialNotValid));
    assert_eq!(world.refused(admin("acme"), revoke.body), Refusal::CredentialRevoked);
}

#[test]
fn bundles_are_compiled_when_offered_and_activated_by_their_tenant() {
    let mut world = World::ready(7);
    world.must(operator(), new_tenant("newco"));
    assert_eq!(world.refused(operator(), activate("newco")), Refusal::BundleNotOffered, "others' offers do not count");
    let broken =
        assent_kernel::command::OfferedSource { tenant: tenant("newco"), source: b"name: x\nnonsense: 1\n".to_vec() };
    let Refusal::BundleInvalid { total, shown } = world.refused(operator(), CommandBody::OfferBundle(broken)) else {
        panic!()
    };
    assert!(total >= 1 && shown.contains("bundle:"), "{shown}");
    let command = world.command(operator(), offer("newco"));
    let activated = world.command(operator(), activate("newco"));
    let answers = world.apply(vec![command, activated]).answers;
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Recorded { .. })), "{answers:?}");
    assert_eq!(world.refused(operator(), offer("newco")), Refusal::BundleExists);
    assert_eq!(world.refused(operator(), activate("newco")), Refusal::BundleActive);
}

#[test]
fn a_bundle_decides_in_the_batch_that_offers_it() {
    let mut world = World::new(8);
    let caller = me();
    let bodies = [
        (operator(), CommandBody::Genesis(Box::new(genesis()))),
        (operator(), new_tenant("acme")),
        (operator(), register("acme", "agent-1")),
        (operator(), credential_of(&caller)),
        (operator(), offer("acme")),
        (operator(), activate("acme")),
        (caller, mail()),
    ];
    let commands = bodies.into_iter().map(|(caller, body)| world.command(caller, body)).collect();
    let answers = world.apply(commands).answers;
    assert!(matches!(answers.last(), Some(Answer::Decided { verdict: Verdict::Allow, .. })), "{answers:?}");
}

#[test]
fn the_genesis_comes_first_once_and_whole() {
    let mut world = World::new(9);
    let mut forged = genesis();
    forged.endorsements[2].signature[0] ^= 1;
    assert!(matches!(world.refused(operator(), CommandBody::Genesis(Box::new(forged))), Refusal::KeyRefused { .. }));
    let mut weakened = genesis();
    weakened.created.seal_seconds += 1;
    assert!(matches!(
        world.refused(operator(), CommandBody::Genesis(Box::new(weakened))),
        Refusal::KeyRefused { reason } if reason.contains("not signed by the root key")
    ));
    let mut other = genesis();
    other.created = created(9);
    assert_eq!(world.refused(operator(), CommandBody::Genesis(Box::new(other))), Refusal::OtherKernel { version: 1 });
    world.must(operator(), CommandBody::Genesis(Box::new(genesis())));
    assert_eq!(world.refused(operator(), CommandBody::Genesis(Box::new(genesis()))), Refusal::AlreadyCreated);
    let first = Entry::parse(&world.leaves[0]).unwrap();
    assert_eq!((first.seq.0, first.kind.as_str()), (0, "assent.ledger.created"));
}

#[test]
fn keys_need_the_root_keys_word() {
    let mut world = World::ready(10);
    let grant = assent_ledger::endorse::Grant {
        role: assent_ledger::keys::Role::Cosigner,
        node: Some(assent_ledger::ids::NodeId(7)),
        from_size: assent_ledger::ids::TreeSize(1),
        to_size: None,
    };
    let public = SecretKey::from_seed(&[7; 32]).public();
    let by = |key: &SecretKey| assent_ledger::endorse::endorse(&origin(), key, public, grant).unwrap();
    let endorse = |key: &SecretKey| CommandBody::EndorseKey(Box::new(by(key)));
    let thief = SecretKey::from_seed(&[66; 32]);
    assert!(matches!(world.refused(operator(), endorse(&thief)), Refusal::KeyRefused { .. }));
    world.must(operator(), endorse(&root_key()));
    assert!(matches!(world.refused(operator(), endorse(&root_key())), Refusal::KeyRefused { .. }), "overlaps itself");
    let retired = |key: &SecretKey| {
        let name = by(key).key_name;
        let size = assent_ledger::ids::TreeSize(50);
        let body =
            assent_ledger::endorse::retire(&origin(), key, assent_ledger::keys::Role::Cosigner, &name, public, size);
        CommandBody::RetireKey(Box::new(body))
    };
    assert!(matches!(world.refused(operator(), retired(&thief)), Refusal::KeyRefused { .. }));
    world.must(operator(), retired(&root_key()));
}

#[test]
fn the_leaf_commits_to_the_request_under_the_answers_salt() {
    let mut world = World::ready(11);
    let command = world.command(me(), mail());
    let applied = world.apply(vec![command]);
    let Answer::Decided { request_salt, .. } = applied.answers[0] else { panic!() };
    let bundle = assent_kernel::bundle::compile(BUNDLE.as_bytes()).unwrap();
    let schema = bundle.tool("mail.send").unwrap().schema_hash();
    let hash = request_hash(&tenant("acme"), Some("agent-1"), &good(), Some(&schema));
    let body = Entry::parse(&applied.entries.last().unwrap().leaf).unwrap().body;
    assert_eq!(body.get("request_commitment").unwrap().as_hash(), Some(sha256(&[&request_salt, &hash.0])));
}

#[test]
fn malformed_names_are_refused_at_the_door() {
    let mut world = World::ready(12);
    let bad = Evaluate { tool: "free text".into(), ..good() };
    assert!(matches!(world.refused(me(), evaluate(bad)), Refusal::Malformed { field: "tool", .. }));
    assert!(matches!(world.refused(operator(), new_tenant("-")), Refusal::Malformed { field: "tenant", .. }));
}
