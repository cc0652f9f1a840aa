//! Presets that ship with the kernel, checking a source, and comparing two bundles by meaning.

use assent_kernel::bundle::{Call, CompiledBundle, LintKind, RunFacts, Situation, check, compile, diff, presets};
use assent_kernel::taint::TaintSource;
use assent_kernel::value;
use assent_kernel::verdict::Verdict;

fn preset(name: &str) -> CompiledBundle {
    let preset = presets().iter().find(|preset| preset.name == name).unwrap();
    compile(preset.source.as_bytes()).unwrap_or_else(|errors| panic!("{name}: {errors:#?}"))
}

fn verdict(bundle: &CompiledBundle, tool: &str, args: &str, situation: &Situation<'_>) -> Verdict {
    let args = value::parse_object(args.as_bytes()).unwrap();
    let tool = bundle.tool(tool).unwrap();
    assert_eq!(tool.check_arguments(&args), Ok(()), "{args:?}");
    bundle.evaluate_with(&Call { subject: "agent-1", tool, args: &args }, situation).verdict
}

#[test]
fn every_preset_compiles_under_its_name_and_says_nothing_suspicious() {
    assert_eq!(presets().len(), 5);
    assert!(presets().is_sorted_by(|a, b| a.name < b.name));
    for preset in presets() {
        let (errors, lints) = check(preset.source.as_bytes());
        assert!(errors.is_empty(), "{}: {errors:#?}", preset.name);
        assert_eq!(self::preset(preset.name).name(), preset.name);
        assert!(!preset.description.is_empty());
        let odd: Vec<_> = lints.iter().filter(|lint| lint.kind != LintKind::DenyOnAbsentArgument).collect();
        assert!(odd.is_empty(), "{}: {odd:#?}", preset.name);
    }
}

#[test]
fn presets_decide_as_they_promise() {
    let clean = Situation::default();
    let web = Situation { run_taint: TaintSource::Web.into(), leased: true, ..clean };
    let leased = Situation { leased: true, ..clean };
    let read = Situation { run: RunFacts { sensitive_reads: 1, ..RunFacts::default() }, ..clean };
    for (name, tool, args, situation, wanted) in [
        ("safe-research", "http.get", r#"{"url":"https://a.example/?q=1"}"#, clean, Verdict::Allow),
        ("safe-research", "http.get", r#"{"url":"https://a.example/?q=1"}"#, read, Verdict::Deny),
        ("safe-research", "http.get", r#"{"url":"https://a.example/"}"#, read, Verdict::Allow),
        ("safe-research", "http.get", r#"{"url":"http://a.example/"}"#, clean, Verdict::Deny),
        ("safe-research", "file.read", r#"{"path":"/work/a"}"#, web, Verdict::Allow),
        ("safe-research", "file.read", r#"{"path":"/etc/passwd"}"#, clean, Verdict::Deny),
        ("workspace-assistant", "file.write", r#"{"path":"/workspace/a","content":"x"}"#, clean, Verdict::Allow),
        ("workspace-assistant", "file.delete", r#"{"path":"/workspace/a"}"#, clean, Verdict::Escalate),
        ("workspace-assistant", "http.post", r#"{"url":"https://a.example/"}"#, clean, Verdict::Escalate),
        ("workspace-assistant", "http.post", r#"{"url":"https://a.example/"}"#, read, Verdict::Deny),
        ("workspace-assistant", "shell.exec", r#"{"command":["git","log"]}"#, leased, Verdict::Escalate),
        ("workspace-assistant", "shell.exec", r#"{"command":["git","log"]}"#, clean, Verdict::Deny),
        ("workspace-assistant", "shell.exec", r#"{"command":["git","log"]}"#, web, Verdict::Deny),
        ("workspace-assistant", "db.query", r#"{"database":"d","sql":"select 1"}"#, clean, Verdict::Allow),
        ("workspace-assistant", "db.query", r#"{"database":"d","sql":"select 1; drop table x"}"#, clean, Verdict::Deny),
        ("contract-example", "send_email", r#"{"recipient_count":8}"#, clean, Verdict::Allow),
        ("contract-example", "send_email", r#"{"recipient_count":5000}"#, clean, Verdict::Deny),
        ("contract-example", "spend", r#"{"amount":250.0,"payee":"p"}"#, clean, Verdict::Allow),
        ("contract-example", "spend", r#"{"amount":250.01,"payee":"p"}"#, clean, Verdict::Deny),
    ] {
        assert_eq!(verdict(&preset(name), tool, args, &situation), wanted, "{name} {tool} {args}");
    }
    let (project, deny_all, defaults) = (preset("workspace-assistant"), preset("deny-all"), preset("safe-defaults"));
    let args = value::parse_object(br#"{"url":"https://169.254.169.254/latest"}"#).unwrap();
    let call = Call { subject: "agent-1", tool: project.tool("http.get").unwrap(), args: &args };
    assert_eq!(project.evaluate_layered(&call, &clean, None, None).verdict, Verdict::Allow);
    assert_eq!(project.evaluate_layered(&call, &clean, Some(&defaults), None).verdict, Verdict::Deny);
    assert_eq!(project.evaluate_layered(&call, &clean, Some(&deny_all), None).verdict, Verdict::Deny);
}

#[test]
fn checking_gives_errors_or_lints() {
    let (errors, lints) = check(b"name: n\nversion: '1'\nrulez: []\n");
    assert_eq!((errors.len(), lints.len()), (1, 0));
    let open = "name: n\nversion: '1'\nrules: [{id: r, decision: allow, match: {parameters: {url: {pattern: 'a[.]example'}}}}]\n";
    let (errors, lints) = check(open.as_bytes());
    assert_eq!((errors.len(), lints[0].kind), (0, LintKind::UnanchoredPattern));
}

const OLD: &str = "\
name: n
version: '1'
tools:
  - {name: t, class: c, action: a, inputs: {n: {type: integer, min: 10}}}
  - {name: gone, class: c, action: a}
principals:
  - subject: s
    owner: o
    capabilities:
      - {class: c, actions: [a], constraints: {hosts: [a.example]}}
      - {class: d, actions: ['*']}
contract:
  - {id: k, tools: [t], require: [{argument: n, op: '<', value: 5}]}
rules:
  - {id: a, priority: 1, decision: allow, match: {toolClass: c}}
  - {id: b, priority: 2, decision: deny, match: {}}
  - {id: c, priority: 3, decision: deny, match: {}}
  - {id: d, priority: 4, decision: deny, match: {}}
";

fn changes(old: &str, new: &str) -> Vec<String> {
    diff(old.as_bytes(), new.as_bytes()).unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn layout_order_of_keys_and_spelling_are_no_changes() {
    let new = OLD
        .replace("toolClass: c", "tool_class: c")
        .replace("{type: integer, min: 10}", "{min: 1e1, type: integer}")
        .replace("tools:\n", "# a comment\n\ntools:\n")
        .replace("  - {name: gone, class: c, action: a}\n", "")
        .replace("tools:\n", "tools:\n  - name: gone\n    action: a\n    class: \"c\"\n");
    assert_eq!(changes(OLD, &new), Vec::<String>::new());
}

#[test]
fn every_kind_of_change_is_named() {
    for (from, to, wanted) in [
        ("  - {name: gone, class: c, action: a}\n", "", vec!["tools: removed gone"]),
        ("name: gone", "name: came", vec!["tools: added came", "tools: removed gone"]),
        ("min: 10", "min: 11", vec!["tools: changed t (inputs)"]),
        ("owner: o", "owner: p", vec!["principals: changed s (owner)"]),
        ("hosts: [a.example]", "hosts: [b.example]", vec!["capabilities: changed s: c [a] (constraints)"]),
        ("      - {class: d, actions: ['*']}\n", "", vec!["capabilities: removed s: d [*]"]),
        ("op: '<', value: 5", "op: '<', value: 6", vec!["contract: changed k (require)"]),
        (
            "decision: allow, match: {toolClass: c}",
            "decision: deny, match: {}",
            vec!["rules: changed a (decision, match)"],
        ),
        ("id: d,", "id: e,", vec!["rules: removed d", "rules: added e"]),
        ("id: a, priority: 1,", "id: a, priority: 9,", vec!["rules: changed a (priority)", "rules: moved a"]),
        ("version: '1'\n", "version: '2'\nmode: observe\n", vec!["bundle: added mode", "bundle: changed version"]),
    ] {
        assert!(OLD.contains(from));
        assert_eq!(changes(OLD, &OLD.replace(from, to)), wanted, "{from}");
    }
    let swapped =
        OLD.replace("id: b, priority: 2", "id: c, priority: 2").replacen("id: c, priority: 3", "id: b, priority: 3", 1);
    let moved = changes(OLD, &swapped);
    assert!(moved.iter().filter(|change| change.contains("moved")).count() == 1, "{moved:?}");
    assert!(diff(OLD.as_bytes(), b"name: x").is_err());
}
