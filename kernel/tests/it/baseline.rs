//! An operator's baseline: what it cannot have, and that it is asked about tools that only the tenant declares.

use crate::support::{World, operator};
use assent_kernel::bundle::{Call, Situation, Work, compile};
use assent_kernel::command::{CommandBody, OfferedSource};
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::refusal::Refusal;
use assent_kernel::value;
use assent_ledger::ids::TenantId;

#[test]
fn a_baseline_has_no_sections_that_nothing_would_ask() {
    let mut world = World::ready(3);
    let mut offer = |sections: &str| {
        let source = format!("name: b\nversion: '1'\nrules: [{{id: b, match: {{}}, decision: allow}}]\n{sections}\n");
        let offered = OfferedSource { tenant: TenantId::system(), source: source.into_bytes() };
        world.send(operator(), CommandBody::OfferBundle(offered))
    };
    for idle in [
        "mode: observe",
        "unknown_tools: observe",
        "limits: {repeats: 3}",
        "behaviour: [{builtin: sensitive_read_then_egress}]",
        "budgets: [{id: x, per: day, limit: 5}]",
        "principals: [{subject: a, capabilities: [{class: c, actions: [a]}]}]",
    ] {
        match offer(idle) {
            Answer::Refused(Refusal::BundleInvalid { total: 1, shown }) => {
                let section = idle.split(':').next().unwrap();
                assert!(shown.contains(&format!("`{section}` says nothing")), "{shown}");
            }
            other => panic!("{idle}: {other:?}"),
        }
    }
    assert!(matches!(offer("tools: [{name: t, class: c, action: a}]"), Answer::Recorded { .. }));
}

#[test]
fn rules_about_classes_and_about_everything_keep_their_order_for_undeclared_tools() {
    let tenants = "name: n\nversion: '1'\ntools: [{name: t, class: c, action: a}, {name: u, class: d, action: a}]\n\
        principals: [{subject: s, capabilities: [{class: c, actions: [a]}, {class: d, actions: [a]}]}]\n\
        rules: [{id: rest, match: {}, decision: allow}]\n";
    let baseline = |rules: &str| {
        let declared = "tools: [{name: own, class: c, action: a}]\n";
        compile(format!("name: b\nversion: '1'\n{declared}rules: [{rules}]\n").as_bytes()).unwrap()
    };
    let of_tool = "{id: of-tool, priority: 1, match: {tool: own}, decision: deny}";
    let of_class =
        |priority| format!("{{id: of-class, priority: {priority}, match: {{toolClass: [c, c, x]}}, decision: deny}}");
    let any = "{id: any, priority: 5, match: {}, decision: escalate}";
    let own = compile(tenants.as_bytes()).unwrap();
    for (rules, tool, wanted) in [
        (format!("{of_tool}, {}, {any}", of_class(4)), "t", BaselineDenied),
        (format!("{of_tool}, {any}, {}", of_class(6)), "t", ApprovalRequiredByBaseline),
        (format!("{of_tool}, {}, {any}", of_class(4)), "u", ApprovalRequiredByBaseline),
        (format!("{of_tool}, {}", of_class(4)), "u", AllowedRulesPassed),
        (of_tool.to_owned(), "t", AllowedRulesPassed),
    ] {
        let args = value::parse_object(b"{}").unwrap();
        let call = Call { subject: "s", tool: own.tool(tool).unwrap(), args: &args };
        let outcome = own.evaluate_layered(&call, &Situation::default(), Some(&baseline(&rules)), None);
        assert_eq!(outcome.codes[0], wanted, "{tool}: {rules}");
    }
}

/// What patterns may cost holds for tools that the tenant does not declare, too: a long argument gets nobody past the baseline.
#[test]
fn an_undeclared_tool_pays_for_the_baselines_patterns() {
    let looks = vec!["{argument: s, op: matches, value: 'b$'}"; 20].join(", ");
    let contract = format!("[{{id: k, tools: [t], soft: true, threshold: 0, require: [{looks}]}}]");
    let tools = "tools: [{name: t, class: c, action: a}]";
    let baseline = compile(format!("name: b\nversion: '1'\n{tools}\ncontract: {contract}\n").as_bytes()).unwrap();
    let says = |bytes: usize| {
        let args = value::parse_object(format!(r#"{{"s":"{}"}}"#, "a".repeat(bytes)).as_bytes()).unwrap();
        baseline.evaluate_undeclared("t", ("s", &args), &Situation::default(), &Work::default()).codes
    };
    assert_eq!(says(9), [AllowedRulesPassed]);
    assert_eq!(says(assent_kernel::bundle::limits::PATTERN_INPUT_BYTES_MAX), [PolicyBudget]);
}
