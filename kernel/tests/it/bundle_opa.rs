//! OPA bundles: what unpacks, what is refused, and bundles of either form that decide with a policy in Rego.

use std::io::Write;

use assent_kernel::bundle::opa::{MEMBERS_MAX, UNPACKED_BYTES_MAX, unpack};
use assent_kernel::bundle::{Call, CompiledBundle, NoFacts, Outcome, compile, diff};
use assent_kernel::reason::ReasonCode;
use assent_kernel::value::{self, Object, Value};
use assent_kernel::verdict::Verdict;
use assent_ledger::hash::sha256;
use assent_ledger::keys::SecretKey;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const OWN: &str = "name: mail\nversion: \"1\"\ntools:\n  - name: send_email\n    class: email\n    actions: [send]\n    \
    inputs:\n      to: {type: array, required: true}\n      bcc: {type: array}\n\
    principals:\n  - subject: agent:*\n    capabilities:\n      - class: email\n        actions: [send]\n";
const MAIL: &str = include_str!("../../testdata/rego/mail.rego");
const HELPERS: &str = include_str!("../../testdata/rego/helpers.rego");
const DATA: &str = r#"{"recipients": 100, "domains": ["corp.example", "branch.example"]}"#;

fn header(name: &str, size: usize, kind: u8) -> Vec<u8> {
    let mut block = vec![0u8; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..108].copy_from_slice(b"0000644\0");
    block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    block[148..156].copy_from_slice(b"        ");
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

pub fn tar(members: &[(&str, u8, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, kind, content) in members {
        out.extend(header(name, content.len(), *kind));
        out.extend(*content);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn archive(members: &[(&str, &str)]) -> Vec<u8> {
    let members: Vec<(&str, u8, &[u8])> = members.iter().map(|(name, text)| (*name, b'0', text.as_bytes())).collect();
    gzip(&tar(&members))
}

/// The members of an archive that has everything.
pub fn whole() -> Vec<(&'static str, &'static str)> {
    vec![
        ("/.manifest", r#"{"revision": "r7", "roots": [""], "rego_version": 1}"#),
        ("/limits/data.json", DATA),
        ("/mail.rego", MAIL),
        ("/lib/helpers.rego", HELPERS),
        ("/mail_test.rego", "package assent_test\ntest_x if true with input as {}"),
        ("/assent.yaml", OWN),
    ]
}

fn refusal(archive: &[u8]) -> String {
    let errors = unpack(archive, None).expect_err("must be refused");
    errors.iter().map(|error| error.to_string()).collect::<Vec<_>>().join("\n")
}

fn ask(bundle: &CompiledBundle, args: &str) -> Outcome {
    let args: Object = value::parse_object(args.as_bytes()).unwrap();
    let tool = bundle.tool("send_email").unwrap();
    tool.check_arguments(&args).unwrap();
    bundle.evaluate(&Call { subject: "agent:mailer", tool, args: &args })
}

/// The four votes of the mail policy, whatever form the bundle has.
fn check_votes(bundle: &CompiledBundle) {
    let allowed = ask(bundle, r#"{"to": ["a@corp.example"]}"#);
    assert_eq!((allowed.verdict, &*allowed.obligations[0].kind), (Verdict::Allow, "audit_log"));
    assert_eq!(&*allowed.obligations[0].params[0].1, "full");
    assert!(allowed.codes.contains(&ReasonCode::RegoAllowed), "{:?}", allowed.codes);
    let escalated = ask(bundle, r#"{"to": ["a@corp.example", "x@evil.example"]}"#);
    assert_eq!(escalated.verdict, Verdict::Escalate);
    assert!(escalated.approval.is_some());
    let computed = ask(bundle, r#"{"to": ["a@corp.example", "x@e", "y@e", "z@e"], "bcc": ["q"]}"#);
    assert_eq!(computed.verdict, Verdict::Compute);
    let replacement = computed.replacement.unwrap();
    assert_eq!(replacement.args.get("to"), Some(&Value::Array(vec![Value::String("a@corp.example".to_owned())])));
    assert_eq!(replacement.args.get("bcc"), None);
}

#[test]
fn an_archive_decides_as_its_policy_says() {
    check_votes(&compile(&archive(&whole())).unwrap_or_else(|errors| panic!("{errors:?}")));
    let unpacked = unpack(&archive(&whole()), None).unwrap();
    assert_eq!(unpacked.revision.as_deref(), Some("r7"));
    let names: Vec<&str> = unpacked.modules.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["lib/helpers.rego", "mail.rego"]);
    assert!(!unpacked.verified);
}

#[test]
fn a_yaml_section_decides_likewise() {
    let indent = |text: &str| text.lines().map(|line| format!("        {line}\n")).collect::<String>();
    let yaml = format!(
        "{OWN}rego:\n  data:\n    limits: {{recipients: 100, domains: [corp.example, branch.example]}}\n  modules:\n    \
         - file: mail.rego\n      source: |\n{}    - file: helpers.rego\n      source: |\n{}",
        indent(MAIL),
        indent(HELPERS)
    );
    check_votes(&compile(yaml.as_bytes()).unwrap_or_else(|errors| panic!("{errors:?}")));
    let wrong = format!(
        "{OWN}rego:\n  modules:\n    - file: m.rego\n      source: |\n        package assent\n        decision if time.now_ns() > 0\n"
    );
    let errors = compile(wrong.as_bytes()).unwrap_err();
    assert!(errors[0].message.starts_with("m.rego:2:13: the built-in `time.now_ns`"), "{errors:?}");
}

#[test]
fn rego_and_rules_vote_together_and_the_stricter_one_wins() {
    let with = |decision: &str, rule: &str| {
        let yaml = format!(
            "{OWN}rules:\n  - id: r\n    priority: 1\n    match: {{tool: send_email}}\n    decision: {rule}\n    reason: x\n\
             rego:\n  modules:\n    - file: m.rego\n      source: |\n        package assent\n        decision := {decision}\n"
        );
        let bundle = compile(yaml.as_bytes()).unwrap_or_else(|errors| panic!("{errors:?}"));
        ask(&bundle, r#"{"to": []}"#)
    };
    assert_eq!(with("true", "allow").verdict, Verdict::Allow);
    assert_eq!(with("false", "allow").codes, [ReasonCode::RegoDenied]);
    assert_eq!(with("true", "deny").codes, [ReasonCode::RuleDenied]);
    assert_eq!(with("1", "allow").codes, [ReasonCode::PolicyError]);
    assert_eq!(with("true if input.args.none", "allow").codes, [ReasonCode::RegoUndefined]);
    let endless = "count([1 | some a in numbers.range(1, 900); some b in numbers.range(1, 900)]) > 0";
    assert_eq!(with(endless, "allow").codes, [ReasonCode::PolicyBudget]);
    let unknown = r#"{"decision": "allow", "obligations": [{"type": "no_such_kind"}]}"#;
    assert_eq!(with(unknown, "allow").codes, [ReasonCode::PolicyError]);
}

#[test]
fn a_baseline_in_rego_denies_and_never_allows() {
    let yaml = |decision: &str| {
        format!(
            "{OWN}rego:\n  modules:\n    - file: m.rego\n      source: |\n        package assent\n        decision := {decision}\n"
        )
    };
    let args = value::parse_object(br#"{"to": []}"#).unwrap();
    let codes = |own: &str, baseline: &str| {
        let (own, baseline) = (compile(yaml(own).as_bytes()).unwrap(), compile(yaml(baseline).as_bytes()).unwrap());
        let call = Call { subject: "agent:mailer", tool: own.tool("send_email").unwrap(), args: &args };
        own.evaluate_layered(&call, &NoFacts, Some(&baseline), None).codes
    };
    assert_eq!(codes("true", "false"), [ReasonCode::BaselineDenied]);
    assert_eq!(codes("false", "true"), [ReasonCode::RegoDenied]);
    assert!(codes("true", "true").contains(&ReasonCode::RegoAllowed));
    assert_eq!(codes("true", "7"), [ReasonCode::PolicyError]);
}

#[test]
fn what_does_not_belong_into_a_bundle_is_refused() {
    let with = |name: &'static str, text: &'static str| {
        let mut members = whole();
        members.retain(|(other, _)| other.trim_start_matches('/') != name.trim_start_matches('/'));
        members.push((name, text));
        refusal(&archive(&members))
    };
    for (name, text, wanted) in [
        ("/patch.json", "{}", "delta bundle"),
        ("/policy.wasm", "x", "compiled policy"),
        ("/README.md", "x", "no meaning"),
        ("/.manifest", "{", "no JSON"),
        ("/.manifest", r#"{"rego_version": 0}"#, "version 1"),
        ("/.manifest", r#"{"file_rego_versions": {"/a.rego": 0}}"#, "version 1"),
        ("/.manifest", r#"{"wasm": [{"entrypoint": "x"}]}"#, "compiled"),
        ("/data.json", r#"{"limits": {"domains": 1}}"#, "another file gives too"),
        ("/data.json", "[1]", "mapping"),
        ("/data.yaml", "a: &x 1", "line 1"),
        ("/bundle.yaml", OWN, "keep one"),
        ("/../evil.rego", "x", "path"),
        ("a//b.rego", "x", "path"),
        ("a\\b.rego", "x", "path"),
        ("c:x.rego", "x", "path"),
        ("/.signatures.json", r#"{"signatures": []}"#, "no key is given"),
    ] {
        let got = with(name, text);
        assert!(got.contains(wanted), "{name}: {got}");
    }
    let mut without = whole();
    without.pop();
    assert!(refusal(&archive(&without)).contains("assent.yaml"));
    let mut twice = whole();
    twice.push(("./mail.rego", "package x"));
    assert!(refusal(&archive(&twice)).contains("twice"));
}

#[test]
fn hostile_archives_are_refused_within_bounds() {
    for kind in [b'1', b'2', b'3', b'4', b'6', b'7', b'L', b'K', b'S', b'V'] {
        assert!(refusal(&gzip(&tar(&[("a", kind, b"")]))).contains("neither"), "{kind}");
    }
    assert!(refusal(&gzip(&tar(&[("x", b'x', b"20 path=../../etc/a\n")]))).contains("neither"));
    assert!(refusal(&gzip(&tar(&[("x", b'x', b"20 mtime=1700000000\n")]))).contains("assent.yaml"));
    assert!(refusal(&gzip(&vec![0u8; UNPACKED_BYTES_MAX + 1])).contains("unpacks to more"));
    let names: Vec<String> = (0..=MEMBERS_MAX).map(|i| format!("m{i}.rego")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    assert!(refusal(&archive(&many)).contains("members"));
    let good = archive(&whole());
    for cut in [3, 10, 40, good.len() / 2, good.len() - 1] {
        assert!(!refusal(&good[..cut]).is_empty());
    }
    let mut longer = good.clone();
    longer.extend(&good);
    assert!(refusal(&longer).contains("follows"));
    let plain = tar(&[("a.rego", b'0', b"package a")]);
    for at in [0, 124, 156, 257] {
        let mut damaged = plain.clone();
        damaged[at] ^= 0x15;
        assert!(refusal(&gzip(&damaged)).contains("damaged"), "{at}");
    }
    assert!(refusal(&gzip(&plain[..512])).contains("cut off"));
    assert!(refusal(&gzip(&plain[..1024])).contains("end mark"));
}

/// A signature over the members as OPA lays it down.
fn signed(members: &[(&str, &str)], key: &SecretKey, alg: &str, spoil: &str) -> Vec<u8> {
    let files: Vec<String> = members
        .iter()
        .map(|(name, text)| {
            let name = name.trim_start_matches('/');
            let structured = name.ends_with("data.json") || name == ".manifest";
            let bytes = if structured {
                value::parse_object(text.as_bytes()).unwrap().to_json()
            } else {
                text.as_bytes().to_vec()
            };
            format!(r#"{{"name": "{name}", "hash": "{}", "algorithm": "SHA-256"}}"#, sha256(&[&bytes]))
        })
        .collect();
    let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg": "{alg}"}}"#));
    let payload = URL_SAFE_NO_PAD.encode(format!(r#"{{"files": [{}]}}"#, files.join(", ")));
    let input = format!("{header}.{payload}");
    let signature = URL_SAFE_NO_PAD.encode(key.sign(input.as_bytes()));
    let json = format!(r#"{{"signatures": ["{input}.{signature}"]}}"#);
    let mut all: Vec<(&str, String)> = members
        .iter()
        .map(|(name, text)| (*name, if *name == spoil { format!("{text}\n# more") } else { (*text).to_owned() }))
        .collect();
    all.push(("/.signatures.json", json));
    if spoil == "extra" {
        all.push(("/extra.rego", "package extra".to_owned()));
    }
    let all: Vec<(&str, &str)> = all.iter().map(|(name, text)| (*name, text.as_str())).collect();
    archive(&all)
}

#[test]
fn signatures_are_verified_with_the_key_and_refused_without() {
    let key = SecretKey::from_seed(&[7; 32]);
    let public = *key.public().as_bytes();
    let refused = |archive: &[u8], key: &[u8; 32]| unpack(archive, Some(key)).unwrap_err()[0].message.clone();
    let good = signed(&whole(), &key, "EdDSA", "");
    assert!(unpack(&good, Some(&public)).unwrap_or_else(|errors| panic!("{errors:?}")).verified);
    assert!(refusal(&good).contains("no key is given"));
    assert!(compile(&good).is_err());
    let other = *SecretKey::from_seed(&[8; 32]).public().as_bytes();
    assert!(refused(&good, &other).contains("does not verify"));
    assert!(refused(&archive(&whole()), &public).contains("no .signatures.json"));
    assert!(refused(&signed(&whole(), &key, "HS256", ""), &public).contains("shared secret"));
    assert!(refused(&signed(&whole(), &key, "none", ""), &public).contains("EdDSA"));
    assert!(refused(&signed(&whole(), &key, "EdDSA", "/mail.rego"), &public).contains("not the file that was signed"));
    assert!(refused(&signed(&whole(), &key, "EdDSA", "extra"), &public).contains("not covered"));
}

#[test]
fn archives_are_compared_member_by_member() {
    let old = archive(&whole());
    let mut members = whole();
    let data = DATA.replace("100", "101");
    members[1].1 = Box::leak(data.into_boxed_str());
    members[2].1 = Box::leak(format!("{MAIL}\n").into_boxed_str());
    members[5].1 = Box::leak(OWN.replace("class: email\n    actions", "class: mail\n    actions").into_boxed_str());
    let changes: Vec<String> = diff(&old, &archive(&members)).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(changes, ["files: changed data", "files: changed mail.rego", "tools: changed send_email (class)"]);
    assert!(diff(&old, &old).unwrap().is_empty());
}
