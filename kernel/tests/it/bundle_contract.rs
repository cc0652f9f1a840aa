//! Contract rules that are soft, tried, or look across the steps of a run or a day.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use assent_kernel::bundle::{Accumulated, Addend, Call, CompiledBundle, Facts, Outcome, Per, Situation, compile};
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::value::{self, Number};
use assent_kernel::verdict::Verdict;
use assent_ledger::hash::Hash;

const HEAD: &str = "name: n\nversion: '1'\ntools: [{name: t, class: c, action: a}]\n\
    principals: [{subject: s, capabilities: [{class: c, actions: [a]}]}]\n";

fn bundle(sections: &str) -> CompiledBundle {
    let source = format!("{HEAD}{sections}\n");
    compile(source.as_bytes()).unwrap_or_else(|errors| panic!("{errors:#?}\n{source}"))
}

/// Calls, sum and distinct values under one key.
type Sums = (u64, Number, BTreeSet<Hash>);

/// Keeps what calls add up, as the state of a ledger would.
#[derive(Default)]
struct Book {
    sums: RefCell<BTreeMap<String, Sums>>,
}

impl Facts for Book {
    fn situation(&self) -> Situation<'_> {
        Situation::default()
    }

    fn accumulated(&self, key: &str, _: Per, value: Option<&Hash>) -> Accumulated {
        let sums = self.sums.borrow();
        let Some((count, sum, distinct)) = sums.get(key) else { return Accumulated::default() };
        let seen = value.is_some_and(|hash| distinct.contains(hash));
        Accumulated { count: *count, sum: sum.clone(), distinct: distinct.len() as u64, seen }
    }
}

impl Book {
    /// Asks, and when the call is allowed lets it take effect.
    fn call(&self, bundle: &CompiledBundle, args: &str) -> Outcome {
        let args = value::parse_object(args.as_bytes()).unwrap();
        let outcome = bundle.evaluate_with(&Call { subject: "s", tool: bundle.tool("t").unwrap(), args: &args }, self);
        if outcome.verdict == Verdict::Allow {
            for item in &outcome.accumulate {
                let mut sums = self.sums.borrow_mut();
                let entry = sums.entry(item.key.to_string()).or_default();
                match &item.add {
                    Addend::Count => entry.0 += 1,
                    Addend::Sum(number) => entry.1 = entry.1.checked_add(number).unwrap(),
                    Addend::Distinct(hash) => drop(entry.2.insert(*hash)),
                }
            }
        }
        outcome
    }

    fn verdicts(bundle: &CompiledBundle, calls: &[&str]) -> Vec<Verdict> {
        let book = Book::default();
        calls.iter().map(|args| book.call(bundle, args).verdict).collect()
    }
}

const ALLOW: Verdict = Verdict::Allow;
const DENY: Verdict = Verdict::Deny;

#[test]
fn sums_are_exact_and_count_only_what_took_effect() {
    let bundle = bundle("contract: [{id: cap, tools: [t], require: [{sum: amount, per: run, op: '<=', value: 0.3}]}]");
    let calls =
        [r#"{"amount":0.1}"#, r#"{"amount":0.3}"#, r#"{"amount":0.2}"#, r#"{"amount":1e-30}"#, r#"{"amount":-0.1}"#];
    assert_eq!(Book::verdicts(&bundle, &calls), [ALLOW, DENY, ALLOW, DENY, ALLOW]);
    for odd in ["{}", r#"{"amount":"0.1"}"#, r#"{"amount":null}"#] {
        assert_eq!(Book::verdicts(&bundle, &[odd]), [DENY], "{odd}");
    }
    let outcome = Book::default().call(&bundle, calls[0]);
    assert_eq!(outcome.accumulate.len(), 1);
    let key = &*outcome.accumulate[0].key;
    assert!(key.starts_with("cap#") && key.ends_with("/run"), "{key}");
    assert_eq!(outcome.accumulate[0].per, Per::Run);
}

#[test]
fn a_sum_that_cannot_be_held_exactly_does_not_hold() {
    let bundle = bundle("contract: [{id: cap, tools: [t], require: [{sum: n, per: day, op: '>=', value: 0}]}]");
    assert_eq!(Book::verdicts(&bundle, &[r#"{"n":1e40}"#, r#"{"n":1}"#, r#"{"n":1e41}"#]), [ALLOW, DENY, ALLOW]);
}

#[test]
fn calls_and_distinct_values_are_counted() {
    let count = bundle("contract: [{id: cap, tools: [t], require: [{count: '*', per: run, op: '<', value: 3}]}]");
    assert_eq!(Book::verdicts(&count, &["{}", "{}", "{}"]), [ALLOW, ALLOW, DENY]);
    let named = bundle("contract: [{id: cap, tools: [t], require: [{count: to, per: run, op: '<', value: 3}]}]");
    assert_eq!(Book::verdicts(&named, &["{}", r#"{"to":1}"#]), [DENY, ALLOW]);
    let distinct = bundle("contract: [{id: cap, tools: [t], require: [{distinct: to, per: day, op: '<=', value: 2}]}]");
    let calls = [
        r#"{"to":[1,{"a":1,"b":2}]}"#,
        r#"{"to":[1.0,{"b":2,"a":1e0}]}"#,
        r#"{"to":"x"}"#,
        r#"{"to":"y"}"#,
        r#"{"to":"x"}"#,
    ];
    assert_eq!(Book::verdicts(&distinct, &calls), [ALLOW, ALLOW, ALLOW, DENY, ALLOW]);
}

#[test]
fn too_many_distinct_values_do_not_hold_whatever_is_asked() {
    let bundle = bundle("contract: [{id: cap, tools: [t], require: [{distinct: n, per: day, op: '>=', value: 0}]}]");
    let book = Book::default();
    for n in 0..1_024 {
        assert_eq!(book.call(&bundle, &format!(r#"{{"n":{n}}}"#)).verdict, ALLOW, "{n}");
    }
    assert_eq!(book.call(&bundle, r#"{"n":1024}"#).verdict, DENY);
    assert_eq!(book.call(&bundle, r#"{"n":1023}"#).verdict, ALLOW);
}

#[test]
fn soft_rules_look_at_the_ratio_over_all_predicates() {
    let predicates = |names: &str| {
        names.split(' ').map(|n| format!("{{argument: {n}, op: '==', value: 1}}")).collect::<Vec<_>>().join(", ")
    };
    let soft = |threshold: &str| {
        bundle(&format!(
            "contract: [{{id: s1, tools: [t], soft: true, {threshold}, require: [{}]}}, {{id: h1, class: c, hard: true, require: [{}]}}]",
            predicates("a b c"),
            predicates("d e")
        ))
    };
    let (four_of_five, three_of_five) = (r#"{"a":1,"b":1,"c":0,"d":1,"e":1}"#, r#"{"a":1,"b":0,"c":0,"d":1,"e":1}"#);
    for threshold in ["threshold: 0.8", "threshold_milli: 800"] {
        let outcome = Book::default().call(&soft(threshold), four_of_five);
        assert_eq!((outcome.verdict, &outcome.codes[..]), (ALLOW, &[AllowedRulesPassed, ContractSatisfied][..]));
        assert_eq!((outcome.contract_passed, outcome.contract_total), (4, 5));
        let outcome = Book::default().call(&soft(threshold), three_of_five);
        assert_eq!((outcome.verdict, &outcome.codes[..]), (DENY, &[ContractRatioLow][..]));
        assert_eq!(outcome.rules.iter().map(|id| &**id).collect::<Vec<_>>(), ["s1", "h1"]);
    }
    let outcome = Book::default().call(&soft("threshold: 0.801"), four_of_five);
    assert_eq!(outcome.codes, [ContractRatioLow]);
    let outcome = Book::default().call(&soft("threshold: 0.9"), r#"{"a":1,"b":1,"c":1,"d":1,"e":0}"#);
    assert_eq!(outcome.codes, [ContractViolated, ContractRatioLow], "nothing is short-circuited");
}

#[test]
fn a_tried_contract_rule_is_reported_and_does_not_count() {
    let tried = "{id: x, tools: [t], shadow: true, require: [{argument: a, op: '==', value: 1}]}";
    let real = "{id: y, tools: [t], require: [{argument: b, op: '==', value: 1}]}";
    let bundle = bundle(&format!("contract: [{tried}, {real}]"));
    let outcome = Book::default().call(&bundle, r#"{"b":1}"#);
    assert_eq!((outcome.verdict, outcome.contract_passed, outcome.contract_total), (ALLOW, 1, 1));
    assert_eq!((&*outcome.shadow[0].rule, outcome.shadow[0].verdict), ("x", DENY));
    assert_eq!(Book::default().call(&bundle, r#"{"a":1,"b":1}"#).shadow[0].verdict, ALLOW);
}

#[test]
fn what_does_not_fit_is_refused_with_a_hint() {
    let refused = |rule: &str, predicate: &str| {
        let source = format!("{HEAD}contract: [{{id: c1, tools: [t], {rule} require: [{predicate}]}}]\n");
        let errors = compile(source.as_bytes()).err().unwrap_or_default();
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let good = "{argument: a, op: '==', value: 1}";
    for (rule, predicate, words) in [
        ("soft: true,", good, "a contract rule needs the key `threshold`"),
        ("hard: true, soft: true, threshold: 0.5,", good, "either hard or soft"),
        ("threshold: 0.5,", good, "a threshold says nothing about a hard contract rule"),
        ("soft: true, threshold: 0.8001,", good, "at most three decimals (write it as 0.8"),
        ("soft: true, threshold: 1.1,", good, "a share from 0 to 1"),
        ("soft: true, threshold_milli: 1001,", good, "a whole number from 0 to 1000"),
        ("", "{sum: a, op: '==', value: 1}", "needs the key `per`"),
        ("", "{sum: a, count: b, per: run, op: '==', value: 1}", "one of sum, count and distinct"),
        ("", "{sum: a, argument: a, per: run, op: '==', value: 1}", "remove `argument`"),
        ("", "{sum: a, per: week, op: '==', value: 1}", "use run or day"),
        ("", "{sum: a, per: run, op: in, value: 1}", "`in` does not compare sums"),
        ("", "{sum: a, per: run, op: '<', value: x}", "must be a decimal number"),
        ("", "{argument: a, per: run, op: '<', value: 1}", "`per` needs sum, count or distinct"),
    ] {
        let message = refused(rule, predicate);
        assert!(message.contains(words), "{rule} {predicate}\n{message}");
        assert!(message.starts_with("bundle.yaml:5:"), "{message}");
    }
}
