//! What a decision's entry says besides its verdict: who it is proven to be from, where it was asked to be, and what was asked of it.

use crate::support::calls::*;
use crate::support::*;
use assent_kernel::command::{Caller, Evaluate};
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::verdict::Verdict;

#[test]
fn a_run_or_subject_that_was_asked_for_is_kept_where_it_is_not_what_holds() {
    let mut world = World::ready(1);
    world.must(admin("acme"), register("acme", "agent-2"));
    world.must(admin("acme"), credential_of(&agent("acme", Some("agent-2"))));
    let own = decide(&mut world, in_run("mail.send", GOOD_MAIL, "r1"));
    assert_eq!((own.verdict, own.asked_run_id, own.asked_subject, own.attested), (Verdict::Allow, None, None, true));
    let foreign = decide_for(&mut world, agent("acme", Some("agent-2")), in_run("mail.send", GOOD_MAIL, "r1"));
    assert_eq!((&foreign.codes[..], foreign.asked_run_id.as_deref()), (&[RunNotOwned][..], Some("r1")));
    let stated = |subject: &str| Evaluate { subject: Some(subject.into()), ..in_run("mail.send", GOOD_MAIL, "r1") };
    let forged = decide(&mut world, stated("agent-2"));
    assert_eq!((&forged.codes[..], forged.asked_subject.as_deref()), (&[SubjectMismatch][..], Some("agent-2")));
    // A credential of the whole tenant proves nobody in particular, however it was presented.
    for attested in [false, true] {
        let wide = Caller { attested, ..agent("acme", None) };
        let decision = decide_for(&mut world, wide, stated("agent-1"));
        assert_eq!((decision.verdict, decision.asked_subject, decision.attested), (Verdict::Allow, None, false));
    }
}

#[test]
fn rules_and_a_contract_are_named_where_there_were_some() {
    let mut world = World::ready(2);
    let mail = decide(&mut world, call("mail.send", GOOD_MAIL));
    assert_eq!(mail.pass_ratio_milli, Some(1_000));
    let rules = mail.rules.unwrap();
    assert_eq!((rules.shown.join(" "), rules.total), ("allow-rest few-recipients".to_owned(), 2));
    let file = decide(&mut world, call("file.read", r#"{"path":"/srv/data/a"}"#));
    assert_eq!((file.verdict, file.pass_ratio_milli), (Verdict::Allow, None), "no contract is about files");
    let unknown = decide(&mut world, call("nobody.knows", "{}"));
    assert_eq!((unknown.codes, unknown.rules), (vec![UnknownTool], None));
}
