//! Control commands: who may give them, what they change, and what is refused because it would change nothing.

use super::grants;
use crate::support::*;
use assent_kernel::bundle::runtime_hash;
use assent_kernel::command::{
    Caller, CommandBody, ControlCommand, GrantCommand, KillTarget, OfferedSource, Role, RunCommand, RunRequest,
    TenantSettings,
};
use assent_kernel::decide;
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode;
use assent_kernel::refusal::Refusal;
use assent_kernel::state::{Record, StateKey, StateRead};
use assent_kernel::taint::{TaintLabel, TaintSource};
use assent_ledger::entry::Entry;
use assent_ledger::hash::Hash;
use assent_ledger::ids::{NodeId, Seq};

fn switch(of: &str, target: KillTarget, engaged: bool) -> CommandBody {
    let justification = b"the agent mails strangers".to_vec();
    control(ControlCommand::KillSwitch { tenant: tenant(of), target, engaged, justification })
}

fn killed(world: &World, subjects: &[&str], tool: Option<&str>) -> Option<ReasonCode> {
    decide::killed(&world.state, &tenant("acme"), subjects.iter().copied(), tool)
}

#[test]
fn where_subjects_have_to_be_proven_nobody_is_taken_at_a_word() {
    let mut world = grants::world(9);
    let me = || agent("acme", Some("agent-1"));
    let lease = grants::ask(&mut world, me(), grants::request(grants::terms("http", &["get"]))).unwrap();
    let run = |run_id: &str| RunRequest { run_id: run_id.into(), subject: Some("agent-1".into()), parent_run_id: None };
    world.must(me(), CommandBody::OpenRun(run("run-1")));
    let label = TaintLabel { source: TaintSource::Web, origin: "x".into(), confidence_milli: 1, propagated_from: None };
    let attach = || {
        let labels = vec![label.clone()];
        let taint = RunCommand::AttachTaint { run_id: "run-1".into(), subject: Some("agent-1".into()), labels };
        CommandBody::Run(Box::new(taint))
    };
    let revoke = || {
        let (lease, subject) = (lease.clone(), Some("agent-1".to_owned()));
        let revoke = GrantCommand::Revoke { tenant: tenant("acme"), subject, lease, justification: Vec::new() };
        CommandBody::Grant(Box::new(revoke))
    };
    let wide = || agent("acme", None);
    world.must(wide(), attach());
    let settings = TenantSettings { observe: false, require_attested: true };
    world.must(admin("acme"), control(ControlCommand::ConfigureTenant { tenant: tenant("acme"), settings }));
    for body in [CommandBody::OpenRun(run("run-2")), CommandBody::CloseRun(run("run-1")), attach(), revoke()] {
        // A credential of many, and one that says whose it is without proof.
        assert_eq!(world.refused(Caller { attested: false, ..me() }, body.clone()), Refusal::SubjectMismatch);
        assert_eq!(world.refused(wide(), body), Refusal::SubjectMismatch);
    }
    world.must(me(), attach());
    world.must(me(), revoke());
    world.must(me(), CommandBody::OpenRun(run("run-2")));
    world.must(me(), CommandBody::CloseRun(run("run-1")));
    let taint = RunCommand::AttachTaint { run_id: "run-2".into(), subject: None, labels: vec![label] };
    world.must(admin("acme"), CommandBody::Run(Box::new(taint)));
}

#[test]
fn control_is_for_admins_of_the_tenant_and_operators() {
    let mut world = World::ready(1);
    let agent_2 = || KillTarget::Agent("agent-2".into());
    let disable = || control(ControlCommand::SetTenantDisabled { tenant: tenant("acme"), disabled: true });
    let version = || control(ControlCommand::ActivateKernelVersion { version: 2, supports: vec![NodeId(1)] });
    for (caller, body, refusal) in [
        (agent("acme", Some("agent-1")), switch("acme", agent_2(), true), 30),
        (node(), switch("acme", agent_2(), true), 30),
        (Caller { role: Role::Auditor, ..admin("acme") }, switch("acme", agent_2(), true), 30),
        (admin("acme"), switch("zeta", agent_2(), true), 31),
        (admin("acme"), disable(), 30),
        (admin("acme"), version(), 30),
        (operator(), switch("nobody", agent_2(), true), 40),
        (operator(), switch("acme", KillTarget::Tool("free text".into()), true), 10),
    ] {
        assert_eq!(world.refused(caller, body).number(), refusal);
    }
    world.must(admin("acme"), switch("acme", agent_2(), true));
    world.must(operator(), switch("zeta", agent_2(), true));
}

#[test]
fn kill_switches_stop_what_they_name_and_remember_that_they_did() {
    let mut world = World::ready(2);
    assert_eq!(killed(&world, &["agent-1"], Some("mail.send")), None);
    let tool = KillTarget::Tool("mail.send".into());
    let agent = KillTarget::Agent("agent-1".into());
    let (engaged_at, _) = world.must(admin("acme"), switch("acme", tool.clone(), true));
    assert_eq!(killed(&world, &["agent-1"], Some("mail.send")), Some(ReasonCode::KillSwitchTool));
    assert_eq!(killed(&world, &["agent-1"], Some("mail.send.all")), None, "names are compared whole");
    world.must(admin("acme"), switch("acme", agent, true));
    assert_eq!(killed(&world, &["agent-1"], Some("mail.send")), Some(ReasonCode::KillSwitchAgent));
    assert_eq!(killed(&world, &["agent-2", "agent-1"], None), Some(ReasonCode::KillSwitchAgent), "on its behalf");
    assert_eq!(killed(&world, &["agent-10"], None), None);
    world.must(admin("acme"), switch("acme", KillTarget::Tenant, true));
    assert_eq!(killed(&world, &["agent-1"], Some("mail.send")), Some(ReasonCode::KillSwitchTenant));
    assert_eq!(decide::killed(&world.state, &tenant("zeta"), ["agent-1"], Some("mail.send")), None);
    assert_eq!(world.refused(admin("acme"), switch("acme", tool.clone(), true)), Refusal::Unchanged);
    // A release does not bring back what was allowed before.
    world.must(admin("acme"), switch("acme", tool, false));
    world.must(admin("acme"), switch("acme", KillTarget::Tenant, false));
    assert_eq!(killed(&world, &["x"], Some("mail.send")), None);
    let since = |seq: Seq| decide::killed_since(&world.state, &tenant("zeta"), ["x"], "mail.send", seq);
    assert!(!since(Seq(0)));
    let tool_since = |seq: u64| decide::killed_since(&world.state, &tenant("acme"), ["x"], "other", Seq(seq));
    assert!(tool_since(engaged_at.0) && !tool_since(engaged_at.0 + 3), "the tenant's switch counts for every tool");
}

#[test]
fn why_a_switch_was_set_is_a_payload_and_not_in_the_leaf() {
    let mut world = World::ready(3);
    let command = world.command(admin("acme"), switch("acme", KillTarget::Tenant, true));
    let applied = world.apply(vec![command]);
    let leaf = String::from_utf8(applied.entries[0].leaf.clone()).unwrap();
    assert!(!leaf.contains("strangers"), "{leaf}");
    let entry = Entry::parse(&applied.entries[0].leaf).unwrap();
    assert_eq!((entry.kind.as_str(), entry.payloads[0].role.as_str()), ("assent.kill-switch.set", "justification"));
}

#[test]
fn settings_replace_each_other() {
    let mut world = World::ready(4);
    let set = |observe, require_attested| {
        let settings = TenantSettings { observe, require_attested };
        control(ControlCommand::ConfigureTenant { tenant: tenant("acme"), settings })
    };
    assert_eq!(world.refused(admin("acme"), set(false, false)), Refusal::Unchanged, "that is the default");
    world.must(admin("acme"), set(true, false));
    assert!(decide::settings(&world.state, &tenant("acme")).observe);
    assert!(!decide::settings(&world.state, &tenant("zeta")).observe);
    world.must(operator(), set(false, true));
    let settings = decide::settings(&world.state, &tenant("acme"));
    assert!(!settings.observe && settings.require_attested);
}

#[test]
fn tenants_and_principals_come_back() {
    let mut world = World::ready(5);
    let disabled = |disabled| control(ControlCommand::SetTenantDisabled { tenant: tenant("acme"), disabled });
    assert_eq!(world.refused(operator(), disabled(false)), Refusal::Unchanged);
    world.must(operator(), disabled(true));
    assert_eq!(world.refused(admin("acme"), register("acme", "late")), Refusal::TenantDisabled);
    let Answer::Decided { codes, .. } = world.send(agent("acme", Some("agent-1")), mail()) else { panic!() };
    assert_eq!(codes, [ReasonCode::TenantDisabled]);
    world.must(operator(), disabled(false));
    let enable = || control(ControlCommand::EnablePrincipal { tenant: tenant("acme"), subject: "agent-1".into() });
    assert_eq!(world.refused(admin("acme"), enable()), Refusal::Unchanged);
    let off = CommandBody::DisablePrincipal { tenant: tenant("acme"), subject: "agent-1".into() };
    world.must(admin("acme"), off);
    world.must(admin("acme"), enable());
    let Answer::Decided { codes, .. } = world.send(agent("acme", Some("agent-1")), mail()) else { panic!() };
    assert!(codes[0].is_allow(), "{codes:?}");
}

#[test]
fn an_erasure_is_handed_to_the_store_once() {
    let mut world = World::ready(6);
    let command = world.command(agent("acme", Some("agent-1")), mail());
    let applied = world.apply(vec![command]);
    let entry = applied.entries.last().unwrap();
    let commitment = entry.payloads[0].commitment;
    let erase = |of: &str, commitment: Hash| {
        let justification = Vec::new();
        control(ControlCommand::ErasePayload { tenant: tenant(of), seq: entry.seq, commitment, justification })
    };
    let command = world.command(admin("acme"), erase("acme", commitment));
    let applied = world.apply(vec![command]);
    assert_eq!(applied.erased, [(tenant("acme"), commitment)]);
    assert!(decide::is_erased(&world.state, &tenant("acme"), &commitment));
    // Another tenant that names the commitment says nothing about this one's payload.
    assert!(!decide::is_erased(&world.state, &tenant("zeta"), &commitment));
    assert_eq!(world.refused(admin("acme"), erase("acme", commitment)), Refusal::Unchanged);
    assert_eq!(world.refused(admin("acme"), erase("zeta", commitment)), Refusal::OtherTenant);
}

#[test]
fn only_known_versions_are_activated() {
    let mut world = World::ready(7);
    let version = |version| control(ControlCommand::ActivateKernelVersion { version, supports: vec![NodeId(1)] });
    assert_eq!(world.refused(operator(), version(1)), Refusal::Unchanged);
    for unknown in [0, 2, u32::MAX] {
        assert_eq!(world.refused(operator(), version(unknown)), Refusal::OtherKernel { version: 1 });
    }
    let Some(Record::Ledger(ledger)) = world.state.get(&StateKey::Ledger).as_deref().cloned() else { panic!() };
    assert_eq!(ledger.kernel_version, 1);
}

const RUNTIME: &str = "rules: [{id: stop-mail, match: {tool: mail.send}, decision: deny}]";

fn runtime(of: &str, environment: &str, source: &str) -> CommandBody {
    let (tenant, environment, source) = (tenant(of), environment.into(), source.as_bytes().to_vec());
    control(ControlCommand::SetRuntimeRules { tenant, environment, source })
}

#[test]
fn a_runtime_layer_is_compiled_before_it_is_recorded() {
    let mut world = World::ready(8);
    let layer = |world: &World, of: &str| world.state.runtime(&tenant(of), "prod").map(|rules| rules.hash());
    assert_eq!(world.refused(admin("acme"), runtime("acme", "test", RUNTIME)), Refusal::BundleNotOffered);
    assert_eq!(world.refused(admin("acme"), runtime("zeta", "prod", RUNTIME)), Refusal::OtherTenant);
    assert_eq!(world.refused(admin("acme"), runtime("acme", "prod", "rules: []")), Refusal::Unchanged);
    for broken in [
        "",
        "rules: [",
        "name: x",
        &RUNTIME.replace("mail.send", "no.tool"),
        &RUNTIME.replace("stop-mail", "allow-rest"),
    ] {
        let refusal = world.refused(admin("acme"), runtime("acme", "prod", broken));
        assert!(matches!(refusal, Refusal::BundleInvalid { .. }), "{broken:?}: {refusal}");
    }
    world.must(admin("acme"), runtime("acme", "prod", RUNTIME));
    assert_eq!(layer(&world, "acme"), Some(runtime_hash(RUNTIME.as_bytes())));
    assert_eq!(layer(&world, "zeta"), None);
    assert_eq!(world.refused(operator(), runtime("acme", "prod", RUNTIME)), Refusal::Unchanged);
    world.through_snapshot();
    assert_eq!(layer(&world, "acme"), Some(runtime_hash(RUNTIME.as_bytes())));
    world.must(admin("acme"), runtime("acme", "prod", "rules: []"));
    assert_eq!(layer(&world, "acme"), None);
}

#[test]
fn a_baseline_is_the_operators() {
    let mut world = World::ready(9);
    let source = b"name: baseline\nversion: 1\nrules: [{id: all, match: {}, decision: allow}]\n".to_vec();
    let hash = assent_kernel::bundle::bundle_hash(&source);
    let offer = || CommandBody::OfferBundle(OfferedSource { tenant: tenant("-"), source: source.clone() });
    let activate = |of: &str, environment: &str| CommandBody::ActivateBundle {
        tenant: tenant(of),
        environment: environment.into(),
        bundle_hash: hash,
    };
    assert_eq!(world.refused(admin("acme"), offer()), Refusal::OtherTenant);
    world.must(operator(), offer());
    assert_eq!(world.refused(operator(), activate("acme", "prod")), Refusal::BundleNotOffered);
    assert_eq!(world.refused(operator(), activate("acme", "*")).number(), 10, "only a baseline holds everywhere");
    world.must(operator(), activate("-", "prod"));
    world.must(operator(), activate("-", "*"));
    let key = StateKey::ActiveBundle(tenant("-"), "*".into());
    let Some(Record::ActiveBundle(active)) = world.state.get(&key).as_deref().cloned() else { panic!() };
    assert_eq!(active.bundle, hash);
}

#[test]
fn the_system_has_a_key_for_its_payloads_from_the_genesis_on() {
    let mut world = World::new(10);
    let command = world.command(operator(), CommandBody::Genesis(Box::new(genesis())));
    let applied = world.apply(vec![command]);
    let names: Vec<&str> = applied.tenant_keys.iter().map(|(tenant, _)| tenant.as_str()).collect();
    assert_eq!(names, ["-"]);
    assert_ne!(applied.tenant_keys[0].1, [0; 32]);
}

#[test]
fn layers_are_asked_with_the_bundle() {
    let mut world = World::ready(11);
    let me = || agent("acme", Some("agent-1"));
    let decided = |world: &mut World| {
        let Answer::Decided { codes, .. } = world.send(me(), mail()) else { panic!() };
        let entry = Entry::parse(world.leaves.last().unwrap()).unwrap();
        let effects = entry.body.get("effects").cloned();
        let layer = |name: &str| effects.as_ref().and_then(|effects| effects.get(name)?.as_hash());
        (codes[0], layer("baseline"), layer("runtime"))
    };
    let (code, baseline, layer) = decided(&mut world);
    assert!(code.is_allow() && baseline.is_none() && layer.is_none());
    world.must(admin("acme"), runtime("acme", "prod", RUNTIME));
    assert_eq!(decided(&mut world), (ReasonCode::RuleDenied, None, Some(runtime_hash(RUNTIME.as_bytes()))));
    world.must(admin("acme"), runtime("acme", "prod", "rules: []"));
    // What the operator's baseline denies, the tenant's bundle cannot allow; the environment's own comes before that of all.
    let rule = |decision: &str| {
        let rule = format!("{{id: b-mail, match: {{tool_class: mail}}, decision: {decision}}}");
        format!("name: b-{decision}\nversion: 1\nrules: [{rule}]\n").into_bytes()
    };
    let activate = |world: &mut World, environment: &str, source: Vec<u8>| {
        let bundle_hash = assent_kernel::bundle::bundle_hash(&source);
        world.must(operator(), CommandBody::OfferBundle(OfferedSource { tenant: tenant("-"), source }));
        let (tenant, environment) = (tenant("-"), environment.into());
        world.must(operator(), CommandBody::ActivateBundle { tenant, environment, bundle_hash });
        bundle_hash
    };
    let everywhere = activate(&mut world, "*", rule("deny"));
    assert_eq!(decided(&mut world), (ReasonCode::BaselineDenied, Some(everywhere), None));
    let here = activate(&mut world, "prod", rule("allow"));
    let (code, baseline, _) = decided(&mut world);
    assert!(code.is_allow() && baseline == Some(here), "{code}");
}
