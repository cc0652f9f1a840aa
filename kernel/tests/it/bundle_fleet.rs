//! The example fleet: its bundles compile without errors, and every recorded call comes out as its author expects.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use assent_kernel::bundle::{Call, CompiledBundle, compile};
use assent_kernel::reason::ReasonCode;
use assent_kernel::value;
use assent_kernel::verdict::Verdict;

/// A tenant of the fleet: its policy and the subjects registered in advance.
struct Tenant {
    bundle: CompiledBundle,
    registered: BTreeSet<String>,
}

fn fleet() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/fleet")
}

fn load() -> BTreeMap<String, Tenant> {
    let text = std::fs::read(fleet().join("fleet.json")).expect("examples/fleet/fleet.json");
    let tenants: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let tenant = |entry: &serde_json::Value| {
        let folder = entry["bundle"].as_str().unwrap();
        let source = std::fs::read(fleet().join(folder).join("bundle.yaml")).unwrap();
        let bundle = compile(&source).unwrap_or_else(|errors| {
            let lines: Vec<String> = errors.iter().map(|error| error.in_file(folder)).collect();
            panic!("{}", lines.join("\n"))
        });
        let registered = entry["principals"].as_array().unwrap().iter().map(|p| p.as_str().unwrap().to_owned());
        (entry["name"].as_str().unwrap().to_owned(), Tenant { bundle, registered: registered.collect() })
    };
    tenants.as_array().unwrap().iter().map(tenant).collect()
}

/// The steps the kernel takes around `evaluate`, in its order.
fn decide(tenant: &Tenant, subject: &str, tool: &str, inputs: &[u8]) -> (Verdict, ReasonCode) {
    if !tenant.registered.contains(subject) {
        return (Verdict::Deny, ReasonCode::PrincipalUnknown);
    }
    let Some(tool) = tenant.bundle.tool(tool) else { return (Verdict::Deny, ReasonCode::UnknownTool) };
    let Ok(args) = value::parse_object(inputs) else { return (Verdict::Deny, ReasonCode::InputsNotJson) };
    if tool.check_arguments(&args).is_err() {
        return (Verdict::Deny, ReasonCode::ArgumentsInvalid);
    }
    let outcome = tenant.bundle.evaluate(&Call { subject, tool, args: &args });
    assert!(outcome.codes.is_sorted_by(|a, b| a < b), "codes ascend and are unique");
    (outcome.verdict, outcome.codes[0])
}

#[test]
fn every_recorded_call_comes_out_as_expected() {
    let tenants = load();
    let workload = std::fs::read_to_string(fleet().join("workload.jsonl")).expect("examples/fleet/workload.jsonl");
    let mut calls = 0;
    let mut misses = Vec::new();
    for (number, line) in workload.lines().enumerate() {
        #[derive(serde::Deserialize)]
        struct Line<'a> {
            tenant: &'a str,
            subject: String,
            tool: String,
            #[serde(borrow)]
            inputs: &'a serde_json::value::RawValue,
            expect: &'a str,
            expect_code: &'a str,
        }
        let line: Line<'_> = serde_json::from_str(line).unwrap();
        let tenant = &tenants[line.tenant];
        let (verdict, code) = decide(tenant, &line.subject, &line.tool, line.inputs.get().as_bytes());
        if (verdict.name(), code.name()) != (line.expect, line.expect_code) {
            misses.push(format!(
                "line {}: {} {}: expected {}, got {code}",
                number + 1,
                line.tenant,
                line.tool,
                line.expect_code
            ));
        }
        calls += 1;
    }
    assert!(calls >= 10_000, "the workload has only {calls} calls");
    assert!(
        misses.is_empty(),
        "{} of {calls} calls differ:\n{}",
        misses.len(),
        misses[..misses.len().min(20)].join("\n")
    );
}

#[test]
fn the_fleet_bundles_have_no_urgent_lints() {
    use assent_kernel::bundle::LintKind;
    for (name, tenant) in load() {
        for lint in tenant.bundle.lint() {
            let tolerated = matches!(lint.kind, LintKind::DenyOnAbsentArgument | LintKind::MatchesNoTool);
            assert!(tolerated, "{name}: {lint}");
        }
    }
}
