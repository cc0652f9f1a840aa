//! Observe mode: what it softens, what it does not, and that what runs is counted as what runs.

use crate::support::calls::*;
use crate::support::*;
use assent_kernel::command::{CallContext, ControlCommand, Evaluate, KillTarget};
use assent_kernel::event::PolicyDecision;
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::state::keys::RunMode;
use assent_kernel::verdict::Verdict;

const SOURCE: &str = "
name: observed
version: 1
mode: observe
unknown_tools: observe
tools:
  - {name: page.get, class: http, action: get, category: read, inputs: {url: {type: string, required: true}}}
  - {name: shell.run, class: shell, action: exec, category: irreversible_write, inputs: {command: {type: string}}}
  - {name: pay, class: money, action: send, category: external_effect, inputs: {amount: {type: integer, required: true}}}
  - {name: small, class: money, action: send, category: external_effect, inputs: {amount: {type: integer, required: true, max: 9}}}
principals:
  - subject: agent-1
    capabilities: [{class: http, actions: [get]}, {class: money, actions: [send]}]
contract:
  - {id: daily-sum, class: money, require: [{sum: amount, per: day, op: '<=', value: 1000}]}
rules:
  - {id: no-bad-page, priority: 1, match: {tool: page.get, parameters: {url: {in: ['https://bad.example/']}}}, decision: deny}
  - {id: half, priority: 2, match: {tool: pay, parameters: {amount: {min: 600}}}, decision: compute, compute: {set: {amount: 300}}}
  - {id: misfit, priority: 3, match: {tool: pay, parameters: {amount: {min: 77, max: 77}}}, decision: compute, compute: {tool: small}}
  - {id: other, priority: 4, match: {tool: pay, parameters: {amount: {min: 7, max: 7}}}, decision: compute, compute: {tool: small}}
  - {id: rest, priority: 900, match: {toolClass: [http, shell, money]}, decision: allow}
budgets:
  - {id: pages, unit: calls, limit: 3, match: {class: http}}
rates:
  - {id: all, calls: 1000, per_seconds: 60}
limits: {strikes: 3, repeats: 20}
";

const BASELINE: &str = "
name: baseline
version: 1
tools:
  - {name: nuke, class: war, action: launch}
rules:
  - {id: no-nukes, match: {toolClass: war}, decision: deny}
  - {id: no-shell, match: {toolClass: shell}, decision: deny}
  - {id: no-evil, match: {parameters: {url: {in: ['https://evil.example/']}}, toolClass: http}, decision: deny}
  - {id: ask-for-bad, match: {parameters: {url: {in: ['https://bad.example/', 'https://ask.example/']}}, toolClass: http}, decision: escalate}
  - {id: rest, match: {}, decision: allow}
";

fn world() -> World {
    let mut world = world_under(SOURCE);
    activate_baseline(&mut world, BASELINE);
    world
}

fn page(world: &mut World, url: &str) -> PolicyDecision {
    ask(world, "page.get", &format!(r#"{{"url":"{url}"}}"#))
}

#[test]
fn observing_softens_the_tenants_policy_and_not_the_operators() {
    let mut world = world();
    denied(&page(&mut world, "https://evil.example/"), &[BaselineDenied]);
    let asked = page(&mut world, "https://ask.example/");
    assert_eq!((asked.verdict, asked.effective), (Verdict::Escalate, Verdict::Escalate));
    assert_eq!(asked.codes, [ApprovalRequiredByBaseline]);
    assert!(asked.effects.approval.is_some(), "somebody is asked: {asked:?}");
    // The tenant's own deny is softened, and then what the baseline asks for would be missing.
    denied(&page(&mut world, "https://bad.example/"), &[RuleDenied]);
    denied(&ask(&mut world, "shell.run", r#"{"command":"ls"}"#), &[CapabilityMissing, BaselineDenied]);
    // A shadow mode and a budget that is used up hide nothing either.
    let mut world = world_under(SOURCE);
    for _ in 0..3 {
        softened(&page(&mut world, "https://bad.example/"), &[RuleDenied]);
    }
    assert_eq!(run_record(&world, "run-1").shadow.mode, RunMode::Restricted);
    activate_baseline(&mut world, BASELINE);
    softened(&page(&mut world, "https://ok.example/"), &[BudgetExceeded]);
    denied(&page(&mut world, "https://evil.example/"), &[BudgetExceeded, BaselineDenied]);
    denied(&ask(&mut world, "shell.run", "{}"), &[RunRestricted, CapabilityMissing, BaselineDenied]);
}

#[test]
fn a_tool_that_nobody_declares_is_asked_all_that_takes_no_declaration() {
    let mut world = world();
    let decision = ask(&mut world, "nobody.knows", r#"{"x":1}"#);
    softened(&decision, &[UnknownTool]);
    assert!(decision.effects.baseline.is_some());
    assert_eq!(rates(&world).len(), 1, "rates advance for real");
    denied(&ask(&mut world, "nobody.knows", "not json"), &[InputsNotJson]);
    denied(&ask(&mut world, "nobody.knows", r#"{"x":1,"x":2}"#), &[InputsNotJson]);
    denied(&ask(&mut world, "nuke", "{}"), &[UnknownTool, BaselineDenied]);
    let with = |context: CallContext| Evaluate { context: Box::new(context), ..in_run("nobody.knows", "{}", "run-1") };
    let chain = CallContext { on_behalf_of: vec!["agent-9".into()], ..CallContext::default() };
    denied(&decide(&mut world, with(chain)), &[DelegationInvalid]);
    let approval = CallContext { approval_id: Some("none".into()), ..CallContext::default() };
    denied(&decide(&mut world, with(approval)), &[ApprovalUnknown]);
    let once = || CallContext { idempotency_key: Some("once".into()), ..CallContext::default() };
    softened(&decide(&mut world, with(once())), &[UnknownTool]);
    denied(&decide(&mut world, with(once())), &[EffectRepeated]);
    // A baseline that denies whatever it does not know denies this too.
    activate_baseline(&mut world, "name: strict\nversion: 1\nrules: [{id: nothing, match: {}, decision: deny}]\n");
    denied(&ask(&mut world, "nobody.knows", "{}"), &[UnknownTool, BaselineDenied]);
}

#[test]
fn what_a_shadow_mode_would_stop_is_charged_and_asked_all_the_same() {
    let mut world = world_under(SOURCE);
    for _ in 0..3 {
        softened(&page(&mut world, "https://bad.example/"), &[RuleDenied]);
    }
    let decision = ask(&mut world, "pay", r#"{"amount":1}"#);
    softened(&decision, &[RunRestricted]);
    assert_eq!(decision.effects.rates.len(), 1, "{:?}", decision.effects.rates);
    assert_eq!(page(&mut world, "https://bad.example/").codes, [BudgetExceeded, RuleDenied], "both are said");
}

#[test]
fn what_cannot_be_charged_does_not_run() {
    let more: String = (0..33).map(|n| format!("  - {{id: r{n}, calls: 9, per_seconds: 60}}\n")).collect();
    let mut world = world_under(&SOURCE.replace("limits:", &format!("{more}limits:")));
    denied(&ask(&mut world, "pay", r#"{"amount":1}"#), &[PolicyError]);
    denied(&ask(&mut world, "nobody.knows", "{}"), &[UnknownTool, PolicyError]);
}

#[test]
fn what_would_have_replaced_a_call_is_no_reason_to_stop_it() {
    let mut world = world_under(SOURCE);
    softened(&ask(&mut world, "pay", r#"{"amount":77}"#), &[ArgumentsInvalid, ComputeRejected]);
    let switch = ControlCommand::KillSwitch {
        tenant: tenant("acme"),
        target: KillTarget::Tool("small".into()),
        engaged: true,
        justification: Vec::new(),
    };
    world.must(admin("acme"), control(switch));
    softened(&ask(&mut world, "pay", r#"{"amount":7}"#), &[KillSwitchTool, ComputeRejected]);
}

#[test]
fn what_runs_is_added_up_as_it_runs() {
    // Of what is replaced the original runs, so its amount is added and not the other's.
    let mut world = world_under(SOURCE);
    let computed = ask(&mut world, "pay", r#"{"amount":600}"#);
    assert_eq!((computed.verdict, computed.effective), (Verdict::Compute, Verdict::Allow));
    softened(&ask(&mut world, "pay", r#"{"amount":500}"#), &[ContractViolated]);
    // What is denied for its behaviour runs too.
    let mut world = world_under(&SOURCE.replace("repeats: 20", "repeats: 1"));
    assert_eq!(ask(&mut world, "pay", r#"{"amount":400}"#).verdict, Verdict::Allow);
    softened(&ask(&mut world, "pay", r#"{"amount":400}"#), &[BehaviourLoop]);
    softened(&ask(&mut world, "pay", r#"{"amount":300}"#), &[ContractViolated]);
    // And so does what lacks a capability.
    let mut world = world_under(&SOURCE.replace(", {class: money, actions: [send]}", ""));
    softened(&ask(&mut world, "pay", r#"{"amount":500}"#), &[CapabilityMissing]);
    softened(&ask(&mut world, "pay", r#"{"amount":501}"#), &[CapabilityMissing, ContractViolated]);
}

const COUNTING: &str = "
name: counting
version: 1
contract:
  - {id: day, class: money, require: [{sum: amount, per: day, op: '<=', value: 1000}]}
  - {id: run, class: money, require: [{count: '*', per: run, op: '<=', value: 2}]}
";

/// What an operator counts, a tenant does not lose by asking for more than can be passed on.
#[test]
fn what_the_baseline_counts_is_counted_whatever_the_tenant_observes() {
    let many = |id: &str| {
        let all: Vec<String> = (0..9).map(|n| format!("{{type: x-{id}{n}, required: false}}")).collect();
        format!(
            "  - {{id: {id}, class: money, require: [{{argument: amount, op: '>', value: 0}}], obligations: [{}]}}\n",
            all.join(", ")
        )
    };
    let source = SOURCE.replace("contract:\n", &format!("contract:\n{}{}", many("a"), many("b")));
    let mut world = world_under(&source);
    activate_baseline(&mut world, COUNTING);
    let pay = |world: &mut World, run: &str, amount: u32| {
        decide(world, in_run("pay", &format!(r#"{{"amount":{amount}}}"#), run))
    };
    softened(&pay(&mut world, "run-1", 500), &[PolicyError]);
    let over = pay(&mut world, "run-2", 501);
    assert_eq!(over.effective, Verdict::Deny, "{over:?}");
    softened(&pay(&mut world, "run-2", 500), &[PolicyError]);
}

/// A run that has no room for what the baseline counts makes no call that it would count.
#[test]
fn a_full_run_does_not_escape_the_baselines_count() {
    let budgets = |prefix: &str, count: usize| {
        let budget = |n| format!("  - {{id: {prefix}-{n:02}, unit: calls, limit: 99, per: run}}\n");
        SOURCE.replace("budgets:\n", &format!("budgets:\n{}", (0..count).map(budget).collect::<String>()))
    };
    let mut world = world_under(&budgets("aaaaaa", 30));
    let small = |world: &mut World| ask(world, "pay", r#"{"amount":1}"#);
    assert_eq!(small(&mut world).effective, Verdict::Allow);
    for prefix in ["bbbbbb", "cccccc"] {
        activate_source(&mut world, &budgets(prefix, 30));
        small(&mut world);
    }
    // The tenant's own counts there is no room for, and it lets that pass.
    assert_eq!(small(&mut world).effective, Verdict::Allow);
    let own = "contract:\n  - {id: own, class: money, require: [{sum: amount, per: run, op: '<', value: 9}]}\n";
    activate_source(&mut world, &SOURCE.replace("contract:\n", own));
    softened(&small(&mut world), &[PolicyBudget]);
    let of_run: String =
        COUNTING.lines().filter(|line| !line.contains("id: day")).map(|line| format!("{line}\n")).collect();
    activate_baseline(&mut world, &of_run);
    let decision = small(&mut world);
    assert_eq!((decision.effective, decision.codes.contains(&PolicyBudget)), (Verdict::Deny, true), "{decision:?}");
    assert_eq!(decide(&mut world, in_run("pay", r#"{"amount":1}"#, "run-2")).effective, Verdict::Allow);
}
