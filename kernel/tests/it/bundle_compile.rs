//! Reading bundles: what loads, and what is refused where and with which words.

use assent_kernel::bundle::{BundleError, BundleErrorKind, LintKind, bundle_hash, compile, limits};
use proptest::prelude::*;

fn errors(source: &str) -> Vec<BundleError> {
    compile(source.as_bytes()).err().unwrap_or_default()
}

/// The one error of a source, as shown.
fn only(source: &str) -> (BundleErrorKind, String) {
    let errors = errors(source);
    assert_eq!(errors.len(), 1, "{source}\n{errors:#?}");
    (errors[0].kind, errors[0].to_string())
}

fn data(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/testdata/bundles/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn bundles_in_camel_case_and_snake_case_load() {
    for name in ["rules-only.yaml", "full.yaml"] {
        let bundle = compile(&data(name)).unwrap_or_else(|errors| panic!("{name}: {errors:#?}"));
        assert_eq!(bundle.hash(), bundle_hash(&data(name)));
    }
}

#[test]
fn every_refused_bundle_says_the_expected_words() {
    let folder = format!("{}/testdata/bundles/refused", env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let source = std::fs::read_to_string(&path).unwrap();
        let wanted: Vec<&str> = source.lines().filter_map(|line| line.strip_prefix("# expect: ")).collect();
        let got: Vec<String> = errors(&source).iter().map(ToString::to_string).collect();
        assert_eq!(got, wanted, "{}", path.display());
        count += 1;
    }
    assert!(count >= 6);
}

#[test]
fn what_is_not_enforced_is_not_accepted() {
    let head = "name: n\nversion: '1'\n";
    let (kind, message) = only(&format!("{head}taint: []\n"));
    assert_eq!(kind, BundleErrorKind::Unavailable, "{message}");
    assert!(message.contains("`taint` of a bundle is not available"), "{message}");
}

#[test]
fn yaml_beyond_the_subset_is_refused_at_its_place() {
    for (source, place) in [
        ("name: &a x\nversion: *a\n", "bundle.yaml:1:"),
        ("name: !!str x\n", "bundle.yaml:1:"),
        ("name: x\nname: y\n", "bundle.yaml:2:1: the key `name` is written twice"),
        ("name: x\nversion: '1'\n---\nname: y\n", "bundle.yaml:3:1: a bundle is one document"),
        ("[a]: b\n", "bundle.yaml:1:"),
        ("", "bundle.yaml:1:1: the bundle is empty"),
        ("name: [", "bundle.yaml:1:"),
        ("- a\n", "bundle.yaml:1:1: a bundle must be a mapping"),
    ] {
        let message = errors(source).first().map(ToString::to_string).unwrap_or_default();
        assert!(message.starts_with(place), "{source:?}: {message}");
    }
    let not_text = compile(b"name: x\nversion: \xff\n").unwrap_err();
    assert_eq!((not_text[0].line, not_text[0].column), (2, 10));
    assert!(compile("[".repeat(100_000).as_bytes()).is_err());
    assert_eq!(compile(&vec![b'#'; limits::SOURCE_BYTES_MAX + 1]).unwrap_err()[0].kind, BundleErrorKind::TooLarge);
}

#[test]
fn hostile_patterns_are_refused_or_bounded() {
    let rule = |pattern: &str| {
        format!(
            "name: n\nversion: '1'\nrules:\n  - {{id: a, decision: deny, match: {{parameters: {{x: {{pattern: '{pattern}'}}}}}}}}\n"
        )
    };
    for pattern in
        ["(?=a)", r"(a)\1", "(", "[", r"\w{1000}{1000}", r"(\pL{100}){100}", &"(".repeat(900), &"a".repeat(2_000)]
    {
        let (kind, message) = only(&rule(pattern));
        assert!(matches!(kind, BundleErrorKind::InvalidValue | BundleErrorKind::TooLarge), "{message}");
    }
    assert!(errors(&rule("(a+)+$")).is_empty());
}

#[test]
fn numbers_that_yaml_reads_and_json_does_not_are_refused() {
    for value in ["0x10", "0o17", "1_000", ".5", "+5", ".inf", ".nan", "-.inf", "1.", "007", "1e400000"] {
        let source = format!(
            "name: n\nversion: '1'\ncontract: [{{id: c, class: x, require: [{{argument: a, op: '==', value: {value}}}]}}]\n"
        );
        let (kind, message) = only(&source);
        assert_eq!(kind, BundleErrorKind::InvalidValue, "{value}: {message}");
        assert!(message.contains("cannot be compared exactly"), "{message}");
    }
    for value in ["1.2.3", "2026-01-01", "10-20", "a1", "1a", "10.0.0.1/8", "no"] {
        let source = format!(
            "name: n\nversion: '1'\ncontract: [{{id: c, class: x, require: [{{argument: a, op: '==', value: {value}}}]}}]\n"
        );
        assert!(errors(&source).is_empty(), "{value} is a text: {:?}", errors(&source));
    }
}

#[test]
fn lints_point_at_what_probably_is_a_mistake() {
    let bundle = compile(&data("lints.yaml")).unwrap();
    let kinds: Vec<(u32, LintKind)> = bundle.lint().iter().map(|lint| (lint.line, lint.kind)).collect();
    let wanted = [
        (16, LintKind::ConstraintWithoutArgument),
        (17, LintKind::MatchesNoTool),
        (22, LintKind::UndeclaredArgument),
        (29, LintKind::UnanchoredPattern),
        (36, LintKind::DenyOnAbsentArgument),
        (38, LintKind::MatchesNoTool),
        (41, LintKind::Unreachable),
    ];
    assert_eq!(kinds, wanted, "{:#?}", bundle.lint());
    assert_eq!(format!("{:?}", bundle.lint()), format!("{:?}", compile(&data("lints.yaml")).unwrap().lint()));
}

#[test]
fn a_deny_about_a_part_of_a_required_argument_also_denies_calls_without_it() {
    let lints = |parameter: &str| {
        let tool = "{name: t, class: c, action: a, inputs: {o: {type: object, required: true}}}";
        let rule = format!("{{id: d, match: {{tool: t, parameters: {{{parameter}: {{in: [x]}}}}}}, decision: deny}}");
        let source = format!("name: n\nversion: '1'\ntools: [{tool}]\nrules: [{rule}]\n");
        compile(source.as_bytes()).unwrap().lint().iter().map(|lint| lint.kind).collect::<Vec<_>>()
    };
    assert_eq!(lints("o"), []);
    assert_eq!(lints("/o/p"), [LintKind::DenyOnAbsentArgument]);
    assert_eq!(lints("p"), [LintKind::DenyOnAbsentArgument]);
}

#[test]
fn the_schema_hash_depends_on_the_declaration_only() {
    let tool = |body: &str| {
        let source = format!("name: n\nversion: '1'\ntools:\n  - {{name: t, class: c, {body}}}\n");
        compile(source.as_bytes()).unwrap().tool("t").unwrap().schema_hash()
    };
    let base = tool("action: [a, b], inputs: {x: {type: integer, min: 10}, y: {type: string}}");
    assert_eq!(
        base,
        tool("inputs: {y: {type: string}, x: {min: 1e1, type: integer}}, actions: [b, a], description: d")
    );
    for other in [
        "action: [a], inputs: {x: {type: integer, min: 10}, y: {type: string}}",
        "action: [a, b], inputs: {x: {type: integer, min: 11}, y: {type: string}}",
        "action: [a, b], inputs: {x: {type: integer, max: 10}, y: {type: string}}",
        "action: [a, b], inputs: {x: {type: integer, min: 10}, y: {type: string, required: true}}",
        "action: [a, b], inputs: {x: {type: integer, min: 10}, y: {type: string, enum: ['']}}",
        "action: [a, b], risk_tier: low, inputs: {x: {type: integer, min: 10}, y: {type: string}}",
    ] {
        assert_ne!(base, tool(other), "{other}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = compile(&bytes);
    }

    #[test]
    fn arbitrary_yamlish_text_never_panics(text in r##"([a-z]{1,9}|[-:,?&*!|>'"#%@`{}\[\]\n ]|  |: |- |\n|name: |rules: |[0-9.e+-]{1,4}){0,80}"##) {
        let _ = compile(text.as_bytes());
    }

    #[test]
    fn damaged_bundles_never_panic_and_errors_lie_within(at in 0usize..4000, with in any::<u8>(), cut in 0usize..200) {
        let mut source = data("full.yaml");
        let at = at % source.len();
        source[at] = with;
        let end = (at + cut).min(source.len());
        let mut shorter = source.clone();
        shorter.drain(at..end);
        for bytes in [source, shorter] {
            let lines = bytes.split(|b| *b == b'\n').count();
            for error in compile(&bytes).err().unwrap_or_default() {
                prop_assert!(error.line >= 1 && error.line as usize <= lines + 1 && error.column >= 1);
            }
        }
    }
}
