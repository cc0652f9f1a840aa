//! Any text as the condition of a rule that would allow: it compiles or not, and evaluates to the same outcome twice.
#![no_main]

use assent_kernel::bundle::{Call, NoFacts, RunFacts, Situation, compile};
use assent_kernel::taint::TaintSource;
use assent_kernel::value;
use assent_ledger::ids::Time;
use libfuzzer_sys::fuzz_target;

const HEAD: &str = "name: n\nversion: '1'\ntools:\n- {name: t, class: c, action: a, category: read, risk_tier: low}\nprincipals:\n- {subject: '*', capabilities: [{class: c, actions: [a]}]}\nrules:\n- {id: r, decision: allow, match: {}, condition: ";

const ARGS: &[u8] = br#"{"n":5,"d":0.10,"big":9007199254740993,"s":"Hello","l":[1,2,3],"texts":["ab","cd"],"o":{"a":{"b":null}},"t":true,"z":null,"lines":[{"n":7}],"path":"/etc/x","amount":12.50}"#;

fuzz_target!(|condition: &str| {
    let quoted: String = condition.chars().flat_map(|c| if c == '\'' { vec![c, c] } else { vec![c] }).collect();
    let Ok(bundle) = compile(format!("{HEAD}'{quoted}'}}\n").as_bytes()) else { return };
    let Some(tool) = bundle.tool("t") else { return };
    let labels = ["user_input".to_owned()];
    let known = Situation {
        call_taint: TaintSource::Web.into(),
        run_taint: TaintSource::Email.into(),
        run: RunFacts { calls: 7, denied: 2, egress: 1, sensitive_reads: 3 },
        now: Time(1_000),
        environment: "prod",
        mode: "normal",
        risk_milli: 400,
        labels: &labels,
        ..Situation::default()
    };
    for args in [ARGS, b"{}"] {
        let Ok(args) = value::parse_object(args) else { return };
        let call = Call { subject: "agent:a", tool, args: &args };
        assert_eq!(bundle.evaluate(&call), bundle.evaluate(&call));
        assert_eq!(bundle.evaluate_with(&call, &known), bundle.evaluate_with(&call, &known));
        assert!(!bundle.explain(&call, &NoFacts, None, None).is_empty());
    }
});
