//! Any text as a policy: it compiles or not, and votes the same twice within its budget.
#![no_main]

use assent_kernel::bundle::rego::{RegoInput, RegoPolicy, RegoRun, RegoTool};
use assent_kernel::value;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|source: &str| {
    let data = value::parse_object(br#"{"limits": {"recipients": 100, "domains": ["corp.example"]}}"#).ok();
    let Ok(policy) = RegoPolicy::compile(&[("p.rego", source)], data.as_ref()) else { return };
    let Ok(args) = value::parse_object(br#"{"to": ["a@corp.example", "b@x"], "n": 7, "o": {"k": [1, {"z": null}]}}"#)
    else {
        return;
    };
    let input = RegoInput {
        tool: RegoTool { name: "t", class: "c", actions: &["a"], category: Some("read"), risk_tier: None },
        subject: "agent:a",
        chain: &["agent:b"],
        environment: "prod",
        args: &args,
        run: RegoRun { calls: 1, denied: 0, egress: 0, sensitive_reads: 0, mode: "normal" },
        taint: &["web"],
        risk_milli: 5,
        labels: &[],
        time_ns: 1,
    };
    for budget in [50, 5_000] {
        assert_eq!(policy.eval(&input, budget), policy.eval(&input, budget));
    }
});
