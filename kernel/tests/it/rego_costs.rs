//! What each kind of instruction costs over values of different sizes: the same numbers on every machine and in every build.

use assent_kernel::bundle::rego::limits::BUDGET_DEFAULT;
use assent_kernel::bundle::rego::{RegoInput, RegoPolicy, RegoRun, RegoTool, RegoVote};
use assent_kernel::value::{Object, parse_object};

fn input(args: &Object) -> RegoInput<'_> {
    let run = RegoRun { calls: 0, denied: 0, egress: 0, sensitive_reads: 0, mode: "normal" };
    let tool = RegoTool { name: "t", class: "c", actions: &["a"], category: None, risk_tier: None };
    RegoInput {
        tool,
        subject: "s",
        chain: &[],
        environment: "prod",
        args,
        run,
        taint: &[],
        risk_milli: 0,
        labels: &[],
        time_ns: 0,
    }
}

/// Arguments with a long text, a list of 200 numbers, an object with as many members, and the list once more.
fn arguments() -> Object {
    let list = (0..200).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let members = (0..200).map(|n| format!("\"k{n}\":{n}")).collect::<Vec<_>>().join(",");
    let text = format!(
        r#"{{"text":"{}","list":[{list}],"same":[{list}],"object":{{{members}}},"big":1{}}}"#,
        "x".repeat(4_000),
        "0".repeat(18)
    );
    parse_object(text.as_bytes()).unwrap()
}

/// Policies by what they do, and what they cost.
const COSTS: [(&str, u64); 26] = [
    ("decision := true", 770),
    ("decision if input.args.list == input.args.same", 803),
    ("decision if input.args.text != input.args.list", 803),
    ("decision if input.args.object == input.args.object", 828),
    ("decision if input.args.list < input.args.same\ndefault decision := false", 803),
    ("decision if input.args.big + 1 > 0", 780),
    ("decision if input.args.big * input.args.big * input.args.big > 0", 785),
    ("decision if input.args.big - 1 > input.args.big / 2", 784),
    ("decision if 7 % 4 == 3", 778),
    ("decision if count([x | some x in input.args.list]) == 200", 2_358),
    ("decision if count({x | some x in input.args.list}) == 200", 2_358),
    ("decision if count({k: v | some k, v in input.args.object}) == 200", 2_860),
    ("decision if count([input.args.text | some x in input.args.list; x < 3]) == 3", 3_142),
    ("decision if 199 in input.args.list", 802),
    ("decision if \"k1\" in {\"a\", \"k1\", input.args.text}", 843),
    ("decision if input.args.object[input.args.key] == 1\ndefault decision := false", 779),
    ("decision if input.args.object[concat(\"\", [\"k\", \"7\"])] == 7", 782),
    ("decision if [input.args.list, input.args.text] != {\"a\": input.args.object}", 971),
    ("decision if {\"a\": input.args.object, input.args.text: input.args.list} != 1", 920),
    ("decision if {input.args.list, input.args.object} != set()", 856),
    ("decision if every x in input.args.list { x >= 0 }", 2_774),
    ("decision if count(input.args.text) == 4000", 1_029),
    ("decision if f(input.args.list) == 200\nf(x) := count(x)", 893),
    ("decision if a\na if b\nb if input.args.list[5] == 5", 804),
    ("decision if count(split(input.args.text, \"\")) == 4000", 5_032),
    ("decision if object.get(input.args.object, \"k9\", 0) == 9", 981),
];

#[test]
fn every_kind_of_instruction_has_its_price() {
    let args = arguments();
    for (body, wanted) in COSTS {
        let policy = RegoPolicy::compile(&[("p.rego", &format!("package assent\n{body}"))], None)
            .unwrap_or_else(|errors| panic!("{body}: {errors:?}"));
        let (vote, counted) = policy.eval_counted(&input(&args), BUDGET_DEFAULT);
        assert!(!matches!(vote, RegoVote::BudgetExhausted | RegoVote::Error), "{body}: {vote:?}");
        assert_eq!(counted, wanted, "{body}");
    }
}
