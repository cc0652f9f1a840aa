//! Bundles, key documents, configurations and receipts that are not exactly right.

use super::*;

/// A bundle with errors: each with line and column, nothing recorded.
pub(super) async fn bundles(world: &mut World) {
    let auth = [world.operator()];
    let changed = |from: &str, to: &str| {
        assert!(BUNDLE.contains(from), "{from}");
        BUNDLE.replacen(from, to, 1)
    };
    let cases = [
        ("an unknown key", changed("    class: mail\n", "    class: mail\n    klass: mail\n"), "bundle:6:5: ", "klass"),
        ("a key twice", changed("version: 1\n", "version: 1\nversion: 1\n"), "bundle:3:1: ", "twice"),
        ("a bad pattern", changed("@example[.]com$", "(@example"), "bundle:20:23: ", "does not compile"),
        ("look-around", changed("@example[.]com$", "(?=a)b"), "bundle:20:23: ", "look-around"),
        ("no YAML", "tools: [".to_owned(), "bundle:", ""),
        ("a wrong type", changed("rules:\n", "rules: 5\nx:\n"), "bundle:14:8: ", "list"),
    ];
    let before = world.size().await;
    for channel in &world.channels {
        for (case, source, place, word) in &cases {
            let (request_id, source) = (Client::request_id().unwrap(), source.clone().into());
            let offer = v1::OfferBundleRequest { request_id, tenant: "acme".into(), source };
            let answer = ask!(AdminClient.offer_bundle, channel, &auth, offer);
            refused(case, answer, Code::FailedPrecondition, "BUNDLE_INVALID", &[place, word]);
        }
        for length in [0, (1 << 20) + 1] {
            let (request_id, source) = (Client::request_id().unwrap(), vec![b'#'; length].into());
            let offer = v1::OfferBundleRequest { request_id, tenant: "acme".into(), source };
            let answer = ask!(AdminClient.offer_bundle, channel, &auth, offer);
            refused("a bundle's size", answer, Code::InvalidArgument, "MALFORMED", &["source has"]);
        }
    }
    assert_eq!(world.size().await, before);
    world.alive("bundles with errors").await;
}

/// Endorsements and retirements that the root key did not sign, and documents that are not exactly right.
pub(super) async fn key_documents(world: &mut World) {
    let (auth, origin) = ([world.operator()], world.cluster.origin().clone());
    let public_key = SecretKey::from_seed(&[9; 32]).public();
    let (key_name, role, signature) = (origin.to_string(), Role::Log, [7; 64]);
    let (from_size, to_size) = (TreeSize(0), TreeSize(5));
    let endorsed =
        KeyEndorsed { from_size, key_name: key_name.clone(), node: None, public_key, role, signature, to_size: None };
    let retired = KeyRetired { key_name, public_key, role, signature, to_size };
    let endorsement = endorsed.to_value().to_bytes().unwrap();
    let text = String::from_utf8(endorsement.clone()).unwrap();
    let twice = text.replacen('{', r#"{"algorithm":"ed25519","#, 1);
    let unknown = text.replacen('}', r#","zzz":"1"}"#, 1);
    let number = text.replacen(r#""from_size":"0""#, r#""from_size":0"#, 1);
    let before = world.size().await;
    for channel in &world.channels {
        let id = || Client::request_id().unwrap();
        let request = v1::EndorseKeyRequest { request_id: id(), endorsement: endorsement.clone().into() };
        let answer = ask!(AdminClient.endorse_key, channel, &auth, request);
        refused("an endorsement", answer, Code::FailedPrecondition, "KEY_REFUSED", &["signature"]);
        let request =
            v1::RetireKeyRequest { request_id: id(), retirement: retired.to_value().to_bytes().unwrap().into() };
        let answer = ask!(AdminClient.retire_key, channel, &auth, request);
        refused("a retirement", answer, Code::FailedPrecondition, "KEY_REFUSED", &[]);
        for (case, document, word) in [
            ("a key twice", twice.as_str(), "duplicate key"),
            ("an unknown field", &unknown, "zzz"),
            ("a number for a text", &number, "from_size"),
            ("white space", &format!("{text} "), "does not parse"),
            ("nothing", "", "has 0 bytes"),
        ] {
            assert_ne!(document, text, "{case}");
            let request = v1::EndorseKeyRequest { request_id: id(), endorsement: document.to_owned().into() };
            let answer = ask!(AdminClient.endorse_key, channel, &auth, request);
            refused(case, answer, Code::InvalidArgument, "MALFORMED", &["endorsement", word]);
        }
    }
    assert_eq!(world.size().await, before);
    world.alive("key documents").await;
}

/// Receipts and configuration files with a field too many.
pub(super) async fn documents_offline(world: &mut World) {
    let decision = evaluate(&world.channels[0], &[token("acme/agent")], &good()).await.unwrap();
    let receipt = String::from_utf8(decision.receipt.to_vec()).unwrap();
    Receipt::parse(receipt.as_bytes()).unwrap();
    let unknown = format!(r#"{},"zzz":"1"}}"#, receipt.strip_suffix('}').unwrap());
    let twice = receipt.replacen('{', r#"{"@v":"assent/receipt/1","#, 1);
    for (case, document) in
        [("an unknown field", unknown), ("a key twice", twice), ("a tail", format!("{receipt}{{}}"))]
    {
        assert!(Receipt::parse(document.as_bytes()).is_err(), "{case}: {document}");
    }
    let node = &world.cluster.nodes()[0];
    let config = std::fs::read_to_string(&node.config).unwrap();
    for (case, text, words) in [
        ("as it is", config.clone(), None),
        ("an unknown key", format!("verbose = true\n{config}"), Some(["verbose", "line 1"])),
        ("an unknown key of a section", format!("{config}\n[limits]\nmax = 3\n"), Some(["`max`", "line"])),
        ("a key twice", format!("name = \"n1\"\n{config}"), Some(["duplicate", "line 2"])),
        ("a wrong type", format!("{config}\n[limits]\nrequest_ms_max = \"x\"\n"), Some(["request_ms_max", "line"])),
    ] {
        let file = node.folder.join("checked.toml");
        std::fs::write(&file, text).unwrap();
        let args = ["config", "check", "--config", &file.to_string_lossy()];
        let output = world.cluster.commands().output(Program::Assentd, &args).await.unwrap();
        assert_eq!(output.code, Some(i32::from(words.is_some())), "{case}: {output:?}");
        for word in words.into_iter().flatten() {
            assert!(output.err.contains(word), "{case}: {output:?}");
        }
    }
}
