//! The seeds of the fuzz targets that files cannot hold as they are (`fuzz/README.md`): each gets where its target is to dig.
//!
//! With `ASSENT_FUZZ_SEEDS` set to a folder they are written into it, a folder for each target.

use std::collections::BTreeMap;
use std::path::Path;

use assent_kernel::admit;
use assent_kernel::bundle::{Call, compile, compile_runtime, opa};
use assent_kernel::command::{Batch, Command};
use assent_kernel::reason::ReasonCode;
use assent_kernel::value;
use assent_ledger::hash::sha256;

use crate::support::random::{FIXED, SOURCE, kinds};
use crate::{bundle_cel, bundle_opa};

/// The longest command that is a seed, in bytes.
const COMMAND_BYTES_MAX: usize = 2_048;
/// How many commands of a kind are.
const OF_A_KIND: usize = 3;

const LAYER: &str =
    "rules:\n- {id: hot, decision: escalate, priority: 5, match: {taintSources: [web]}, condition: 'run.calls >= 0'}\n";

/// Bundles with a call: the arguments and who makes it.
const CALLS: [(&str, &str, &str, &str); 6] = [
    (
        "pay",
        include_str!("../../testdata/bundles/everything.yaml"),
        r#"{"amount":120,"account":"X1","lines":[{"n":4}]}"#,
        "agent-1",
    ),
    ("draft", include_str!("../../testdata/bundles/everything.yaml"), r#"{"amount":60.5,"account":"X1"}"#, "agent-1"),
    ("fetch", include_str!("../../testdata/bundles/full.yaml"), r#"{"url":"https://api.example.com/a?b"}"#, "agent-1"),
    ("file", include_str!("../../testdata/bundles/full.yaml"), r#"{"path":"/srv/data/a/../b"}"#, "agent-1"),
    (
        "mail",
        include_str!("../../testdata/bundles/full.yaml"),
        r#"{"to":["a@example.com"],"subject":"hi","priority":"low","recipient_count":1,"score":0.25,"urgent":true}"#,
        "agent-1",
    ),
    ("shell", include_str!("../../testdata/bundles/full.yaml"), r#"{"command":["git","log"]}"#, "agent-1"),
];

/// The seeds of a target by name.
type Seeds = BTreeMap<String, Vec<u8>>;

/// A few commands of each kind, and one of each in batches.
fn request() -> Seeds {
    let mut by_kind: BTreeMap<&str, Vec<&Command>> = BTreeMap::new();
    for command in FIXED.iter().flat_map(|world| &world.sent) {
        let of_kind = by_kind.entry(kinds::kind(&command.body)).or_default();
        if of_kind.len() < OF_A_KIND && command.encode().len() <= COMMAND_BYTES_MAX {
            of_kind.push(command);
        }
    }
    let none: Vec<&&str> = by_kind.iter().filter(|(_, commands)| commands.is_empty()).map(|(kind, _)| kind).collect();
    assert!(none.is_empty(), "none is short enough to be a seed: {none:?}");
    let mut seeds = Seeds::new();
    let mut batch = Batch::default();
    for (kind, commands) in &by_kind {
        for (i, command) in commands.iter().enumerate() {
            seeds.insert(format!("{kind}-{i}"), command.encode());
        }
        batch.commands.extend(commands.first().map(|command| (*command).clone()));
    }
    let offer = by_kind["offer-bundle"][0].clone();
    let few = Batch { commands: vec![offer.clone(), batch.commands[0].clone(), offer] };
    seeds.insert("batch-offers".to_owned(), few.encode());
    for (i, commands) in batch.commands.chunks(6).enumerate() {
        seeds.insert(format!("batch-{i}"), Batch { commands: commands.to_vec() }.encode());
    }
    seeds.insert("json".to_owned(), bundle_cel::ARGS.as_bytes().to_vec());
    seeds
}

fn cel() -> Seeds {
    let hold = bundle_cel::HOLD.iter().enumerate().map(|(i, text)| (format!("hold-{i}"), text.as_bytes().to_vec()));
    let fail = bundle_cel::FAIL.iter().enumerate().map(|(i, text)| (format!("fail-{i}"), text.as_bytes().to_vec()));
    hold.chain(fail).collect()
}

fn bundle() -> Seeds {
    let mut seeds = Seeds::new();
    for (name, source, args, subject) in CALLS {
        seeds.insert(name.to_owned(), [source, args, subject, LAYER].join("\0").into_bytes());
    }
    seeds.insert("world".to_owned(), [SOURCE, "{}", "agent-1", LAYER].join("\0").into_bytes());
    seeds
}

/// An archive, the tar inside of it, its members apart at zero bytes, and the same with the claims of a signature.
fn opa() -> Seeds {
    let members = bundle_opa::whole();
    let tar: Vec<(&str, u8, &[u8])> =
        members.iter().map(|(name, text)| (name.trim_start_matches('/'), b'0', text.as_bytes())).collect();
    let tar = bundle_opa::tar(&tar);
    let apart = |members: &[(&str, String)]| {
        let parts = members.iter().flat_map(|(name, text)| [name.trim_start_matches('/'), text]);
        parts.collect::<Vec<_>>().join("\0").into_bytes()
    };
    let mut members: Vec<(&str, String)> = members.into_iter().map(|(name, text)| (name, text.to_owned())).collect();
    let files: Vec<String> = members
        .iter()
        .map(|(name, text)| {
            let structured = name.ends_with("data.json") || name.ends_with(".manifest");
            let bytes = value::parse_object(text.as_bytes()).ok().filter(|_| structured).map(|object| object.to_json());
            let hash = sha256(&[bytes.as_deref().unwrap_or(text.as_bytes())]);
            format!(r#"{{"name":"{}","hash":"{hash}","algorithm":"SHA-256"}}"#, name.trim_start_matches('/'))
        })
        .collect();
    let mut seeds = Seeds::new();
    seeds.insert("archive".to_owned(), bundle_opa::gzip(&tar));
    seeds.insert("tar".to_owned(), tar);
    seeds.insert("members".to_owned(), apart(&members));
    members.push((".signatures.json", format!(r#"{{"files":[{}]}}"#, files.join(","))));
    seeds.insert("claims".to_owned(), apart(&members));
    let few = [("a/data.yaml", "b: [1, 0x, ~]\n".to_owned()), ("assent.yaml", "name: n\nversion: 1\n".to_owned())];
    seeds.insert("few".to_owned(), apart(&few));
    seeds
}

#[test]
fn the_seeds_of_the_fuzz_targets_get_far() {
    let request = request();
    for (name, bytes) in &request {
        match name {
            batch if batch.starts_with("batch-") => {
                assert_eq!(Batch::decode(bytes).unwrap().encode(), *bytes, "{name}")
            }
            json if json == "json" => assert!(value::parse(bytes).is_ok()),
            _ => assert_eq!(Command::decode(bytes).unwrap().encode(), *bytes, "{name}"),
        }
    }
    let well_formed = request.values().filter_map(|bytes| Command::decode(bytes).ok());
    assert!(well_formed.filter(|command| admit::check(command).is_ok()).count() > kinds::all().count());

    let bundle = bundle();
    for (name, seed) in &bundle {
        let parts: Vec<&[u8]> = seed.split(|byte| *byte == 0).collect();
        let [source, args, subject, layer] = parts[..] else { panic!("{name}") };
        let compiled = compile(source).unwrap();
        assert!(compile_runtime(layer, &compiled).is_ok(), "{name}");
        let (args, subject) = (value::parse_object(args).unwrap(), core::str::from_utf8(subject).unwrap());
        let covered = compiled.tools().filter(|tool| tool.check_arguments(&args).is_ok()).any(|tool| {
            let call = Call { subject, tool, args: &args };
            !matches!(
                compiled.evaluate(&call).codes[..],
                [ReasonCode::CapabilityMissing] | [ReasonCode::CapabilityConstraint]
            )
        });
        assert!(covered || name == "world", "{name}");
    }

    let opa = opa();
    assert!(compile(&opa["archive"]).is_ok() && compile(&bundle_opa::gzip(&opa["tar"])).is_ok());
    assert!(opa::unpack(&opa["archive"], None).is_ok());

    let Some(folder) = std::env::var_os("ASSENT_FUZZ_SEEDS") else { return };
    for (target, seeds) in [("request", request), ("bundle", bundle), ("opa", opa), ("cel", cel())] {
        let folder = Path::new(&folder).join(target);
        std::fs::create_dir_all(&folder).unwrap();
        for (name, bytes) in seeds {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
    }
}
