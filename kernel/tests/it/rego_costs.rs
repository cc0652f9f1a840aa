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
        r#"{{"text":"{}","list":[{list}],"same":[{list}],"object":{{{members}}},"big":1{},"huge":1e60}}"#,
        "x".repeat(4_000),
        "0".repeat(18)
    );
    parse_object(text.as_bytes()).unwrap()
}

/// Policies by what they do, and what they cost.
const COSTS: [(&str, u64); 47] = [
    ("decision := true", 771),
    ("decision if input.args.list == input.args.same", 804),
    ("decision if input.args.text != input.args.list", 804),
    ("decision if input.args.object == input.args.object", 829),
    ("decision if input.args.list < input.args.same\ndefault decision := false", 804),
    ("decision if input.args.big + 1 > 0", 781),
    ("decision if input.args.big * input.args.big * input.args.big > 0", 786),
    ("decision if input.args.big - 1 > input.args.big / 2", 785),
    ("decision if 7 % 4 == 3", 779),
    ("decision if count([x | some x in input.args.list]) == 200", 2_359),
    ("decision if count({x | some x in input.args.list}) == 200", 2_359),
    ("decision if count({k: v | some k, v in input.args.object}) == 200", 2_861),
    ("decision if count([input.args.text | some x in input.args.list; x < 3]) == 3", 3_143),
    ("decision if 199 in input.args.list", 803),
    ("decision if \"k1\" in {\"a\", \"k1\", input.args.text}", 844),
    ("decision if input.args.object[input.args.key] == 1\ndefault decision := false", 780),
    ("decision if input.args.object[concat(\"\", [\"k\", \"7\"])] == 7", 783),
    ("decision if [input.args.list, input.args.text] != {\"a\": input.args.object}", 972),
    ("decision if {\"a\": input.args.object, input.args.text: input.args.list} != 1", 921),
    ("decision if {input.args.list, input.args.object} != set()", 857),
    ("decision if every x in input.args.list { x >= 0 }", 2_775),
    ("decision if count(input.args.text) == 4000", 1_030),
    ("decision if f(input.args.list) == 200\nf(x) := count(x)", 894),
    ("decision if a\na if b\nb if input.args.list[5] == 5", 805),
    ("decision if count(split(input.args.text, \"\")) == 4000", 5_033),
    ("decision if object.get(input.args.object, \"k9\", 0) == 9", 982),
    ("decision if input.args.object[input.args.text]\ndefault decision := false", 839),
    (
        "decision if {\n\ta := input.args.huge * input.args.huge\n\tb := a * a\n\tc := b * b\n\td := c * c\n\td + d > c - d\n}",
        830,
    ),
    ("decision if count([x | some x in {y | some y in input.args.list}]) == 200", 4_127),
    (
        "decision if count([1 | some x in input.args.list; x < 20; k := {\"k\": input.args.text, \"n\": x}; k.n == x]) == 20",
        3_717,
    ),
    ("decision if count([1 | some x in input.args.list; x < 20; k := [x, input.args.text]; k[0] == x]) == 20", 3_757),
    ("decision if x\nx contains y if some y in input.args.list", 2_261),
    ("decision if count(x) == 200\nx[k] := v if some k, v in input.args.object", 2_868),
    ("decision if regex.match(`k`, input.args.text)\ndefault decision := false", 1_028),
    // The rest of a unit is kept for the next pattern.
    (
        "decision if {\n\tregex.match(`^x`, \"xyzxyzxyzxyzxyz\")\n\tregex.match(`^x.`, \"xyzxyzxyzxyzxyz\")\n\tregex.match(`^xy`, \"xyzxyzxyzxyzxyz\")\n}",
        788,
    ),
    ("decision if count([1 | some x in input.args.list; x < 20; regex.match(`^x`, \"xyzxyzx\")]) == 20", 2_765),
    // A text that no call has as its pattern, but by way of a list, a variable or another text, is compiled when it is met.
    ("decision if {\n\tsome p in [\"^x\", \"^y\"]\n\tregex.match(p, input.args.text)\n}", 2_801),
    ("decision if {\n\tx := \"^x\"\n\tregex.match(concat(\"\", [x, \"\"]), \"xy\")\n}", 1_784),
    ("decision if {\n\tx := \"^x\"\n\tregex.match(x, \"xy\")\n}", 1_777),
    // The result is read once more.
    ("decision := {\"decision\": \"allow\", \"reasons\": [concat(\"\", [\"b\", input.subject])]}", 784),
    (
        "decision := {\"decision\": \"allow\", \"obligations\": [{\"type\": \"redact\", \"params\": {\"fields\": input.args.list}}]}",
        910,
    ),
    (
        "decision := {\"decision\": \"allow\", \"obligations\": [{\"type\": \"redact\", \"params\": input.args.object}]}",
        982,
    ),
    // A key by itself.
    ("decision if {\n\to := {\"a\": input.args.text}\n\tk := input.args.text\n\tnot o[k]\n}", 908),
    (
        "decision if count([1 | some x in input.args.list; x < 3; k := [input.args.text, x]; object.get(input.args.object, k, 7) == 7]) == 3",
        3_785,
    ),
    ("decision if input.args.list[input.args.list[7]] == 7", 781),
    (
        "decision if {\n\to := object.union(input.args.object, {})\n\tk := concat(\"\", [input.args.text, input.args.text])\n\tnot o[k]\n}",
        1_742,
    ),
    (
        "decision if count([1 | some x in [input.args.text, input.args.list, 1.5, null, true, \"short\", 18446744073709551615, -5]]) == 8",
        951,
    ),
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
