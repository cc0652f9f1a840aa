//! What a denied call counts as, and how much a command has to carry to count as data.

use super::behaviour::SOURCE;
use crate::support::calls::*;
use crate::support::runs::label;
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::taint::TaintSource;
use assent_kernel::verdict::Verdict;

#[test]
fn where_nothing_may_run_in_its_place_the_call_itself_was_tried() {
    // A note would be kept in place of what is sent; there is no budget for keeping notes.
    let source = format!("{SOURCE}budgets: [{{id: none, unit: calls, limit: 0, match: {{tool: outbox}}}}]\n");
    let mut world = world_under(&source);
    denied(&ask(&mut world, "page.post", r#"{"text":"keep"}"#), &[BudgetExceeded]);
    assert_eq!(run_record(&world, "run-1").counters.egress, 1);
}

const SHELL: &str = "
name: shell
version: 1
tools: [{name: shell.run, class: shell, action: exec, schema: {type: object, additionalProperties: true}}]
principals: [{subject: agent-1, capabilities: [{class: shell, actions: [exec]}]}]
rules: [{id: rest, match: {toolClass: [shell]}, decision: allow}]
behaviour: [{builtin: tainted_shell_with_data, action: deny}]
";

#[test]
fn data_counts_as_one_text_however_it_is_split() {
    let long = |count: usize| "a".repeat(count);
    for (inputs, carries) in [
        (format!(r#"{{"command":"{}"}}"#, long(100)), false),
        (format!(r#"{{"command":"{}"}}"#, long(101)), true),
        (format!(r#"{{"command":["{}","{}"]}}"#, long(50), long(50)), false),
        (format!(r#"{{"command":["{}","{}"]}}"#, long(50), long(51)), true),
        (format!(r#"{{"command":{{"a":"{}","b":"{}"}}}}"#, long(50), long(50)), false),
        (format!(r#"{{"command":{{"a":"{}","b":["{}"]}}}}"#, long(50), long(51)), true),
        // Two arguments are two texts.
        (format!(r#"{{"a":"{}","b":"{}"}}"#, long(100), long(100)), false),
    ] {
        let mut call = in_run("shell.run", &inputs, "run-1");
        call.context.taint = vec![label(TaintSource::Web, "evil.example")];
        let decision = decide(&mut world_under(SHELL), call);
        let expected = if carries { Verdict::Deny } else { Verdict::Allow };
        assert_eq!(decision.verdict, expected, "{inputs}");
        assert_eq!(decision.codes.contains(&BehaviourSequence), carries, "{inputs}");
    }
}
