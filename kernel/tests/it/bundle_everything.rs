//! Bundles that use the whole language: evaluation is total, deterministic and consistent with itself.

use assent_kernel::bundle::{Call, CompiledBundle, Granted, RunFacts, Situation, compile, compile_runtime};
use assent_kernel::reason::ReasonCode;
use assent_kernel::taint::TaintSource;
use assent_kernel::value::{self, Number, Object, Value};
use assent_kernel::verdict::Verdict;
use proptest::prelude::*;

fn source() -> Vec<u8> {
    std::fs::read(format!("{}/testdata/bundles/everything.yaml", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn everything() -> CompiledBundle {
    compile(&source()).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

#[test]
fn calls_take_every_way_through_the_bundle() {
    let bundle = everything();
    let held = roles();
    let clean = Situation { leased: true, ..Situation::default() };
    let risky = Situation { risk_milli: 950, ..clean };
    let approved = Situation { granted: Some(Granted { votes: 2, roles: &held }), ..clean };
    let web = Situation { call_taint: TaintSource::Web.into(), ..clean };
    let web_before = Situation { run_taint: TaintSource::Web.into(), ..clean };
    for (args, situation, verdict, code) in [
        (r#"{"amount":5,"account":"A1","lines":[{"n":1}]}"#, clean, Verdict::Allow, ReasonCode::AllowedRulesPassed),
        (r#"{"amount":5,"account":"A1","lines":[]}"#, clean, Verdict::Allow, ReasonCode::AllowedRulesPassed),
        (r#"{"amount":5,"account":"1","lines":[]}"#, clean, Verdict::Deny, ReasonCode::ContractRatioLow),
        (r#"{"amount":5}"#, clean, Verdict::Deny, ReasonCode::ContractViolated),
        (r#"{"amount":60,"account":"A1","lines":[{"n":1}]}"#, clean, Verdict::Compute, ReasonCode::ArgumentsReplaced),
        (r#"{"amount":100,"account":"A1","lines":[{"n":1}]}"#, clean, Verdict::Escalate, ReasonCode::ApprovalRequired),
        (
            r#"{"amount":100,"account":"A1","lines":[{"n":1}]}"#,
            approved,
            Verdict::Allow,
            ReasonCode::AllowedRulesPassed,
        ),
        (r#"{"amount":100,"account":"A1","lines":[{"n":1}]}"#, risky, Verdict::Compute, ReasonCode::ArgumentsReplaced),
        (r#"{"amount":5,"account":"A1","lines":[{"n":1}]}"#, web, Verdict::Deny, ReasonCode::RuleDenied),
        (
            r#"{"amount":5,"account":"A1","lines":[{"n":1}]}"#,
            web_before,
            Verdict::Allow,
            ReasonCode::AllowedRulesPassed,
        ),
        (r#"{"amount":5,"account":"A1","lines":[],"path":"/etc/x"}"#, clean, Verdict::Deny, ReasonCode::NoMatchingRule),
        (r#"{"amount":1000.01,"account":"A1","lines":[{"n":1}]}"#, clean, Verdict::Deny, ReasonCode::ContractViolated),
    ] {
        let args = value::parse_object(args.as_bytes()).unwrap();
        let tool = bundle.tool("pay").unwrap();
        assert_eq!(tool.check_arguments(&args), Ok(()));
        let outcome = bundle.evaluate_with(&Call { subject: "agent-1", tool, args: &args }, &situation);
        assert_eq!((outcome.verdict, outcome.codes[0]), (verdict, code), "{:?}", String::from_utf8(args.to_json()));
    }
}

fn roles() -> [String; 2] {
    ["lead", "payer"].map(str::to_owned)
}

fn any_args() -> impl Strategy<Value = Object> {
    let number = prop_oneof![Just("0"), Just("60"), Just("100.5"), Just("-1e3"), Just("18446744073709551615")];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number.prop_map(|n| Value::Number(Number::parse(n).unwrap())),
        prop_oneof![Just("A1"), Just("/etc/x"), Just("~/.ssh/id_rsa"), Just("")]
            .prop_map(|t| Value::String(t.to_owned())),
    ];
    let inner = leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            inner.prop_map(|value| Value::Object(Object::new(vec![("n".to_owned(), value)]).unwrap())),
        ]
    });
    let name = prop_oneof![Just("amount"), Just("account"), Just("lines"), Just("path"), Just("zzz")];
    proptest::collection::btree_map(name.prop_map(str::to_owned), inner, 0..5)
        .prop_map(|members| Object::new(members.into_iter().collect()).unwrap())
}

proptest! {
    #[test]
    fn evaluation_is_total_deterministic_and_consistent(args in any_args(), bits in 0u16..256, counts in 0u64..6) {
        let (bundle, again) = (everything(), everything());
        let held = roles();
        let runtime = compile_runtime(b"rules: [{id: more, decision: deny, match: {}, condition: args.amount > 900}]", &bundle).unwrap();
        let situation = Situation {
            call_taint: TaintSource::ALL.into_iter().filter(|source| bits & (1 << (source.number() % 3)) != 0).collect(),
            run: RunFacts { calls: counts, denied: counts, egress: counts, sensitive_reads: counts },
            granted: (bits & 8 != 0).then_some(Granted { votes: 2, roles: &held }),
            replacing: bits & 128 != 0,
            leased: bits & 16 != 0,
            risk_milli: counts * 300,
            ..Situation::default()
        };
        for tool in bundle.tools() {
            let call = Call { subject: "agent-1", tool, args: &args };
            let _ = (tool.check_arguments(&args), tool.sensitivity(&args));
            let runtime = (bits & 32 != 0).then_some(&runtime);
            let baseline = (bits & 64 != 0).then_some(&again);
            let outcome = bundle.evaluate_layered(&call, &situation, baseline, runtime);
            let other = Call { tool: again.tool(tool.name()).unwrap(), ..call };
            prop_assert_eq!(&outcome, &again.evaluate_layered(&other, &situation, baseline, runtime));
            prop_assert!(!outcome.codes.is_empty() && outcome.codes.is_sorted_by(|a, b| a < b));
            let band = match outcome.verdict {
                Verdict::Deny => ReasonCode::is_deny,
                Verdict::Escalate => ReasonCode::is_escalate,
                Verdict::Compute => ReasonCode::is_compute,
                Verdict::Allow => ReasonCode::is_allow,
            };
            prop_assert!(outcome.codes.iter().all(|code| band(*code)), "{:?}", outcome);
            prop_assert_eq!(outcome.approval.is_some(), outcome.verdict == Verdict::Escalate);
            prop_assert!(!situation.replacing || outcome.verdict != Verdict::Compute);
            prop_assert_eq!(outcome.replacement.is_some(), outcome.verdict == Verdict::Compute);
            let lines = bundle.explain(&call, &situation, baseline, runtime);
            let last = format!("verdict: {} (", outcome.verdict);
            prop_assert!(lines.last().unwrap().starts_with(&last));
        }
    }

    #[test]
    fn damaged_bundles_never_panic(at in 0usize..4000, with in any::<u8>(), cut in 0usize..200) {
        let mut bytes = source();
        let at = at % bytes.len();
        bytes[at] = with;
        let _ = compile(&bytes);
        let end = (at + cut).min(bytes.len());
        bytes.drain(at..end);
        let _ = compile(&bytes);
    }
}
