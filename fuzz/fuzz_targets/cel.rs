//! Any text as the condition of a rule that would allow: it compiles or not, and evaluates to the same outcome twice.
#![no_main]

use assent_kernel::bundle::{Call, compile};
use assent_kernel::value;
use libfuzzer_sys::fuzz_target;

const HEAD: &str = "name: n\nversion: '1'\ntools:\n- {name: t, class: c, actions: [a], inputs: {s: {type: string}, n: {type: number}, l: {type: array}, o: {type: object}}}\nprincipals:\n- {subject: '*', capabilities: [{class: c, actions: [a]}]}\nrules:\n- {id: r, decision: allow, match: {}, condition: ";

fuzz_target!(|condition: &str| {
    let quoted: String = condition.chars().flat_map(|c| if c == '\'' { vec![c, c] } else { vec![c] }).collect();
    let Ok(bundle) = compile(format!("{HEAD}'{quoted}'}}\n").as_bytes()) else { return };
    let args = value::parse_object(br#"{"s": "text a", "n": 12.50, "l": [1, "b", [true]], "o": {"k": null}}"#);
    let (Some(tool), Ok(args)) = (bundle.tool("t"), args) else { return };
    let call = Call { subject: "agent:a", tool, args: &args };
    assert_eq!(bundle.evaluate(&call), bundle.evaluate(&call));
});
