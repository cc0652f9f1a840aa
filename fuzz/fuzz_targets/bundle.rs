//! Parts, apart at zero bytes: a bundle, the arguments of a call, its subject, the rules of a runtime layer. Every tool is asked, twice
//! with the same answer: by a stranger in a first call, and where everything is known and a lease is held.
#![no_main]

use assent_kernel::bundle::{Accumulated, Call, Facts, NoFacts, Per, RunFacts, Situation, compile, compile_runtime};
use assent_kernel::taint::TaintSource;
use assent_kernel::value;
use assent_ledger::hash::Hash;
use assent_ledger::ids::Time;
use libfuzzer_sys::fuzz_target;

/// A call late in a run.
struct Late<'a>(Situation<'a>);

impl Facts for Late<'_> {
    fn situation(&self) -> Situation<'_> {
        self.0
    }

    fn accumulated(&self, key: &str, per: Per, value: Option<&Hash>) -> Accumulated {
        let sum = value::parse(b"899.50").ok().and_then(|value| value.as_number().cloned()).unwrap_or_default();
        Accumulated { count: key.len() as u64, sum, distinct: 3, seen: value.is_some() && per == Per::Day }
    }
}

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(4, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (source, args, subject, layer) = (part(), part(), part(), part());
    let Ok(bundle) = compile(source) else { return };
    let args = value::parse_object(args).unwrap_or_default();
    let subject = core::str::from_utf8(subject).ok().filter(|text| !text.is_empty()).unwrap_or("agent:a");
    let runtime = compile_runtime(layer, &bundle).ok();
    let baseline = bundle.check_baseline().is_ok().then_some(&bundle);
    let labels = ["user_input".to_owned()];
    let late = Late(Situation {
        call_taint: TaintSource::Web.into(),
        run_taint: TaintSource::Email.into(),
        run: RunFacts { calls: 7, denied: 2, egress: 1, sensitive_reads: 3 },
        now: Time(1_900_000_000_000_000),
        environment: "prod",
        mode: "normal",
        risk_milli: 400,
        labels: &labels,
        leased: true,
        ..Situation::default()
    });
    for tool in bundle.tools() {
        if tool.check_arguments(&args).is_err() {
            continue;
        }
        let call = Call { subject, tool, args: &args };
        let outcome = bundle.evaluate(&call);
        assert_eq!(outcome, bundle.evaluate(&call));
        assert!(!outcome.codes.is_empty());
        assert!(!bundle.explain(&call, &NoFacts, None, None).is_empty());
        let outcome = bundle.evaluate_layered(&call, &late, baseline, runtime.as_ref());
        assert_eq!(outcome, bundle.evaluate_layered(&call, &late, baseline, runtime.as_ref()));
        assert!(!outcome.codes.is_empty());
        assert!(!bundle.explain(&call, &late, baseline, runtime.as_ref()).is_empty());
    }
});
