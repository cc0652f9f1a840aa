//! A bundle and the arguments of a call, apart at the first zero byte: every tool is asked, twice with the same answer.
#![no_main]

use assent_kernel::bundle::{Call, NoFacts, compile};
use assent_kernel::value;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let cut = input.iter().position(|byte| *byte == 0).unwrap_or(input.len());
    let (source, args) = input.split_at(cut);
    let Ok(bundle) = compile(source) else { return };
    let args = value::parse_object(args.get(1..).unwrap_or_default()).unwrap_or_default();
    for tool in bundle.tools() {
        if tool.check_arguments(&args).is_err() {
            continue;
        }
        let call = Call { subject: "agent:a", tool, args: &args };
        let outcome = bundle.evaluate(&call);
        assert_eq!(outcome, bundle.evaluate(&call));
        assert!(!outcome.codes.is_empty());
        assert!(!bundle.explain(&call, &NoFacts, None, None).is_empty());
    }
});
