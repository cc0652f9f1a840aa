//! Every attack that a copy of an archive can show, each with its verdict, its kind and the first sequence number.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use assent_ledger::archive::ledger_prefix;
use assent_ledger::ids::{Origin, TenantId, Time};
use assent_ledger::keys::{Role, SecretKey, cosigner_key_name};
use assent_verifier::{Kind, Options, Report, Verdict, verify};
use support::files::*;
use support::ledger_builder::*;
use tempfile::TempDir;

struct World {
    dir: TempDir,
    ledger: Ledger,
    spans: Vec<PathBuf>,
}

fn world() -> World {
    let dir = TempDir::new().unwrap();
    let (ledger, spans) = archive(dir.path());
    World { dir, ledger, spans }
}

impl World {
    fn options(&self) -> Options {
        Options::new(self.dir.path(), root_key().public())
    }
    fn verify(&self) -> Report {
        verify(&self.options()).unwrap()
    }
    fn bundle(&self, span: usize, tenant: &str) -> PathBuf {
        self.object(span, tenant, "bundle")
    }
    fn object(&self, span: usize, tenant: &str, object: &str) -> PathBuf {
        self.spans[span].join("tenants").join(self.ledger.opaque_of(tenant).to_string()).join(object)
    }
    fn start(&self, span: usize) -> u64 {
        if span == 0 { 0 } else { self.ledger.checkpoints[span - 1].0 }
    }
    fn end(&self, span: usize) -> u64 {
        self.ledger.checkpoints[span].0
    }
    fn seqs(&self, span: usize, tenant: &str) -> Vec<u64> {
        self.ledger.seqs(tenant, self.start(span), self.end(span))
    }
    fn known(&self, span: usize) -> PathBuf {
        let path = self.dir.path().join(format!("known-{span}"));
        fs::write(&path, &self.ledger.checkpoints[span].1).unwrap();
        path
    }
}

#[track_caller]
fn expect(report: &Report, verdict: Verdict, kind: Kind, seq: u64) {
    let found = report.decisive().map(|f| (report.verdict, f.kind, f.seq));
    assert_eq!(found, Some((verdict, kind, seq)), "{}", report.to_text());
}

#[test]
fn a_genuine_archive_is_valid_up_to_its_end() {
    let w = world();
    let report = w.verify();
    assert_eq!(report.verdict, Verdict::Valid, "{}", report.to_text());
    assert!(report.findings.is_empty());
    assert!(report.headline().starts_with(&format!("VALID up to size {}, time 2026-", w.end(2))));
    assert!(report.to_text().contains("a cut") || report.to_text().contains("was cut"));
    assert_eq!((report.coverage.spans, report.coverage.references), (3, 2));
    let keyed = Options { payload_keys: w.ledger.keys.clone(), ..w.options() };
    let keyed = verify(&keyed).unwrap();
    assert_eq!(keyed.coverage.payloads.opened, keyed.coverage.payloads.ciphertexts);
    assert!(keyed.coverage.payloads.opened > 0);
}

#[test]
fn one_byte_in_a_bundle() {
    let w = world();
    let seq = w.seqs(1, "acme")[1];
    let first = records(&w.bundle(1, "acme"))[0].len();
    for at in [first + 4 + 50, first + 4 + 300, first + 3, first + 2 + 20] {
        let w = world();
        flip(&w.bundle(1, "acme"), at);
        expect(&w.verify(), Verdict::Invalid, Kind::LeafEdited, seq);
    }
}

#[test]
fn one_byte_in_leaves_manifest_or_checkpoint() {
    let w = world();
    flip(&w.spans[1].join("leaves"), 32 * 3 + 5);
    expect(&w.verify(), Verdict::Invalid, Kind::ObjectAltered, w.start(1) + 3);
    let w = world();
    flip(&w.spans[1].join("manifest"), 150);
    expect(&w.verify(), Verdict::Invalid, Kind::ManifestAltered, w.start(1));
    let w = world();
    flip(&w.spans[1].join("checkpoint"), 30);
    expect(&w.verify(), Verdict::Invalid, Kind::CheckpointAltered, w.start(1));
}

#[test]
fn an_entry_removed_from_bundle_and_leaves() {
    let w = world();
    let seq = w.seqs(1, "borealis")[1];
    let mut entries = records(&w.bundle(1, "borealis"));
    entries.remove(1);
    write_records(&w.bundle(1, "borealis"), &entries);
    expect(&w.verify(), Verdict::Invalid, Kind::EntryRemoved, seq);
    let leaves = w.spans[1].join("leaves");
    let mut bytes = fs::read(&leaves).unwrap();
    let at = 32 * (seq - w.start(1)) as usize;
    bytes.drain(at..at + 32);
    fs::write(&leaves, bytes).unwrap();
    expect(&w.verify(), Verdict::Invalid, Kind::EntryRemoved, seq);
}

#[test]
fn two_entries_swapped() {
    let w = world();
    let seqs = w.seqs(1, "borealis");
    let mut entries = records(&w.bundle(1, "borealis"));
    entries.swap(1, 2);
    write_records(&w.bundle(1, "borealis"), &entries);
    expect(&w.verify(), Verdict::Invalid, Kind::EntriesReordered, seqs[1]);
    let leaves = w.spans[1].join("leaves");
    let mut hashes: Vec<Vec<u8>> = fs::read(&leaves).unwrap().chunks(32).map(<[u8]>::to_vec).collect();
    hashes.swap((seqs[1] - w.start(1)) as usize, (seqs[2] - w.start(1)) as usize);
    fs::write(&leaves, hashes.concat()).unwrap();
    expect(&w.verify(), Verdict::Invalid, Kind::EntriesReordered, seqs[1]);
}

#[test]
fn an_entry_twice_and_an_entry_inserted() {
    let w = world();
    let seqs = w.seqs(1, "borealis");
    let mut entries = records(&w.bundle(1, "borealis"));
    entries.insert(2, entries[1].clone());
    write_records(&w.bundle(1, "borealis"), &entries);
    expect(&w.verify(), Verdict::Invalid, Kind::EntryDuplicated, seqs[1]);
    let w = world();
    let mut entries = records(&w.bundle(1, "borealis"));
    let forged = String::from_utf8(entries[1].clone()).unwrap().replace("allow", "allof");
    entries.insert(2, forged.into_bytes());
    write_records(&w.bundle(1, "borealis"), &entries);
    let report = w.verify();
    let found = report.decisive().unwrap();
    assert_eq!((found.kind, report.verdict), (Kind::EntryInserted, Verdict::Invalid), "{}", report.to_text());
    assert!((seqs[1]..=seqs[2]).contains(&found.seq));
}

#[test]
fn the_tail_cut_off() {
    let w = world();
    let (known, cut) = (w.known(2), w.end(1));
    fs::remove_dir_all(&w.spans[2]).unwrap();
    let report = w.verify();
    assert_eq!(report.headline().split(',').next(), Some(format!("VALID up to size {cut}").as_str()));
    let anchored = Options { known_checkpoints: vec![known], ..w.options() };
    expect(&verify(&anchored).unwrap(), Verdict::Incomplete, Kind::TailCut, cut);
    let receipts = w.dir.path().join("receipts");
    fs::write(&receipts, w.ledger.receipts(cut + 1).join(&b'\n')).unwrap();
    let anchored = Options { receipts: vec![receipts], ..w.options() };
    expect(&verify(&anchored).unwrap(), Verdict::Incomplete, Kind::TailCut, cut);
    let late = Options { as_of: Some(Time(START + 600_000_000)), ..w.options() };
    expect(&verify(&late).unwrap(), Verdict::Incomplete, Kind::TailCut, cut);
    let soon = Options { as_of: Some(Time(START + 30_000_000)), ..w.options() };
    assert_eq!(verify(&soon).unwrap().verdict, Verdict::Valid);
    fs::remove_dir_all(w.dir.path().join(ledger_prefix(&origin()))).unwrap();
    expect(&w.verify(), Verdict::Unanchored, Kind::NothingAnchored, 0);
}

#[test]
fn spans_missing_overlapping_unfinished() {
    let w = world();
    fs::remove_dir_all(&w.spans[1]).unwrap();
    expect(&w.verify(), Verdict::Incomplete, Kind::SpanMissing, w.start(1));
    let w = world();
    fs::remove_dir_all(&w.spans[0]).unwrap();
    expect(&w.verify(), Verdict::Incomplete, Kind::SpanMissing, 0);
    let w = world();
    fs::remove_file(w.spans[2].join("checkpoint")).unwrap();
    expect(&w.verify(), Verdict::Unanchored, Kind::SpanUnfinished, w.start(2));
    let w = world();
    fs::remove_file(w.spans[1].join("manifest")).unwrap();
    expect(&w.verify(), Verdict::Incomplete, Kind::ObjectMissing, w.start(1));
}

#[test]
fn a_tenants_last_entry_or_whole_bundle_withheld() {
    for tenant in [None, Some("acme")] {
        let w = world();
        let options = Options { tenant: tenant.map(|t| w.ledger.opaque_of(t)), ..w.options() };
        let seqs = w.seqs(1, "acme");
        let mut entries = records(&w.bundle(1, "acme"));
        entries.pop();
        write_records(&w.bundle(1, "acme"), &entries);
        let last = *seqs.last().unwrap();
        expect(&verify(&options).unwrap(), Verdict::Incomplete, Kind::TenantEntryWithheld, last);
        fs::remove_file(w.bundle(1, "acme")).unwrap();
        let report = verify(&options).unwrap();
        let found = report.decisive().unwrap();
        assert_eq!(found.kind, Kind::TenantBundleWithheld, "{}", report.to_text());
        assert!(found.seq <= seqs[0] && found.seq >= w.start(1));
        assert!(found.seq == seqs[0] || found.before.is_some());
    }
}

#[test]
fn one_tenants_view() {
    let w = world();
    for span in 0..3 {
        for other in ["borealis", "cumulus"] {
            fs::remove_dir_all(w.bundle(span, other).parent().unwrap()).unwrap();
        }
    }
    let id = w.ledger.opaque_of("acme");
    let report = verify(&Options { tenant: Some(id), ..w.options() }).unwrap();
    assert_eq!(report.verdict, Verdict::Valid, "{}", report.to_text());
    assert_eq!(report.coverage.tenant_proven, w.end(2));
    assert_eq!(report.coverage.tenants[&id], w.ledger.seqs("acme", 0, w.end(2)).len() as u64);
    expect(&w.verify(), Verdict::Incomplete, Kind::TenantBundleWithheld, w.seqs(0, "borealis")[0]);
    let stranger = w.ledger.opaque_of("nobody");
    let report = verify(&Options { tenant: Some(stranger), ..w.options() }).unwrap();
    expect(&report, Verdict::Unanchored, Kind::TenantUnknown, 0);
    let seq = w.seqs(1, "acme")[1];
    let first = records(&w.bundle(1, "acme"))[0].len();
    flip(&w.bundle(1, "acme"), first + 60);
    let report = verify(&Options { tenant: Some(id), ..w.options() }).unwrap();
    expect(&report, Verdict::Invalid, Kind::LeafEdited, seq);
}

/// The ledger as it stood after `spans` spans, replayed without the rest.
fn until(dir: &Path, spans: usize) -> Ledger {
    let mut ledger = Ledger::new(origin());
    for entries in [9, 12, 10].into_iter().take(spans) {
        traffic(&mut ledger, entries);
        ledger.seal(dir);
    }
    ledger
}

#[test]
fn rewritten_with_the_stolen_log_key() {
    let (w, scratch) = (world(), TempDir::new().unwrap());
    let mut forged = until(scratch.path(), 1);
    forged.cosigned_by = vec![];
    forged.time += 77;
    traffic(&mut forged, 12);
    let span = forged.seal(scratch.path());
    copy(&span, &w.spans[1]);
    expect(&w.verify(), Verdict::Untrusted, Kind::QuorumMissing, w.start(1));
    // With the old cosignatures put under the new text, they approve nothing either.
    let old = String::from_utf8(w.ledger.checkpoints[1].1.clone()).unwrap();
    let new = fs::read_to_string(w.spans[1].join("checkpoint")).unwrap();
    let lines: Vec<&str> = old.lines().filter(|l| l.contains("/node/")).collect();
    fs::write(w.spans[1].join("checkpoint"), format!("{new}{}\n", lines.join("\n"))).unwrap();
    expect(&w.verify(), Verdict::Untrusted, Kind::QuorumMissing, w.start(1));
}

#[test]
fn forks_rollbacks_and_restarts() {
    let (w, scratch) = (world(), TempDir::new().unwrap());
    let mut other = until(scratch.path(), 1);
    other.time += 500;
    traffic(&mut other, 12);
    other.seal(scratch.path());
    let fork = Options { known_checkpoints: vec![w.known(1)], ..Options::new(scratch.path(), root_key().public()) };
    let report = verify(&fork).unwrap();
    expect(&report, Verdict::Diverged, Kind::CheckpointContradicts, 0);
    let both = Options { known_checkpoints: vec![w.known(0), w.known(1)], ..fork };
    expect(&verify(&both).unwrap(), Verdict::Diverged, Kind::RolledBack, w.end(0));
    // A span of the other, equally well signed history in the place of our third.
    let restarted = TempDir::new().unwrap();
    let mut other = until(restarted.path(), 1);
    other.time += 500;
    traffic(&mut other, 12);
    other.seal(restarted.path());
    traffic(&mut other, 10);
    let span = other.seal(restarted.path());
    copy(&span, &w.spans[2]);
    expect(&w.verify(), Verdict::Diverged, Kind::ConsistencyBroken, w.start(2));
}

#[test]
fn receipts_confirm_and_contradict() {
    let w = world();
    let path = w.dir.path().join("receipts");
    let receipts: Vec<Vec<u8>> = w.ledger.receipts(0).into_iter().take(w.end(2) as usize).collect();
    fs::write(&path, receipts.join(&b'\n')).unwrap();
    let options = Options { receipts: vec![path.clone()], ..w.options() };
    let report = verify(&options).unwrap();
    assert_eq!(
        (report.verdict, report.coverage.receipts.confirmed),
        (Verdict::Valid, w.end(2)),
        "{}",
        report.to_text()
    );
    let scratch = TempDir::new().unwrap();
    let mut deposed = until(scratch.path(), 1);
    deposed.time += 5;
    traffic(&mut deposed, 3);
    let seq = w.end(0) + 1;
    fs::write(&path, deposed.receipts(seq).join(&b'\n')).unwrap();
    expect(&verify(&options).unwrap(), Verdict::Diverged, Kind::ReceiptContradicts, seq);
    let text = String::from_utf8(receipts[20].clone()).unwrap();
    let (head, tail) = text.split_once("\"signature\":\"").unwrap();
    let broken = format!("{head}\"signature\":\"{}{}", if tail.starts_with('0') { '1' } else { '0' }, &tail[1..]);
    fs::write(&path, broken).unwrap();
    expect(&verify(&options).unwrap(), Verdict::Untrusted, Kind::ReceiptUntrusted, 20);
    // Relabelled to another index, the path no longer fits.
    let relabelled = text.replace("\"index\":\"20\"", "\"index\":\"21\"");
    fs::write(&path, relabelled).unwrap();
    expect(&verify(&options).unwrap(), Verdict::Untrusted, Kind::ReceiptUntrusted, 21);
}

#[test]
fn swapped_between_ledgers_positions_and_tenants() {
    let w = world();
    let scratch = TempDir::new().unwrap();
    let mut other = Ledger::new(Origin::new("assent.example/other").unwrap());
    traffic(&mut other, 9);
    other.seal(scratch.path());
    traffic(&mut other, 12);
    let span = other.seal(scratch.path());
    copy(&span, &w.spans[1]);
    expect(&w.verify(), Verdict::Invalid, Kind::SpanSwapped, w.start(1));
    let w = world();
    copy(&w.spans[2], &w.spans[1]);
    expect(&w.verify(), Verdict::Invalid, Kind::SpanSwapped, w.start(1));
    let w = world();
    let (a, b) = (w.bundle(1, "acme"), w.bundle(1, "borealis"));
    let (x, y) = (fs::read(&a).unwrap(), fs::read(&b).unwrap());
    fs::write(&a, y).unwrap();
    fs::write(&b, x).unwrap();
    let report = w.verify();
    assert_eq!(
        (report.verdict, report.decisive().unwrap().kind),
        (Verdict::Invalid, Kind::SpanSwapped),
        "{}",
        report.to_text()
    );
}

#[test]
fn keys_that_must_not_be_trusted() {
    let w = world();
    let stranger = Options::new(w.dir.path(), SecretKey::from_seed(&[99; 32]).public());
    expect(&verify(&stranger).unwrap(), Verdict::Untrusted, Kind::RootKeyMismatch, 0);
    // A retired cosigner signs on.
    let dir = TempDir::new().unwrap();
    let mut ledger = until(dir.path(), 1);
    let end = ledger.checkpoints[0].0;
    let name = cosigner_key_name(&origin(), NODES[1]);
    ledger.retire(Role::Cosigner, &name, &cosigner_key(1), end);
    traffic(&mut ledger, 4);
    ledger.seal(dir.path());
    let report = verify(&Options::new(dir.path(), root_key().public())).unwrap();
    expect(&report, Verdict::Untrusted, Kind::KeyOutsideInterval, end);
    // An endorsement that the root key did not sign.
    let dir = TempDir::new().unwrap();
    let mut ledger = until(dir.path(), 1);
    let mut other = Ledger::new(Origin::new("assent.example/other").unwrap());
    let seq = other.leaves.len();
    other.endorse(Role::Log, None, &SecretKey::from_seed(&[77; 32]), 1000, None);
    let body = assent_ledger::entry::EntryView::parse(&other.leaves[seq].bytes).unwrap().body_value().unwrap();
    let seq = ledger.system("assent.key.endorsed", body);
    ledger.seal(dir.path());
    let report = verify(&Options::new(dir.path(), root_key().public())).unwrap();
    expect(&report, Verdict::Untrusted, Kind::EndorsementInvalid, seq);
}

#[test]
fn wrong_payloads() {
    let w = world();
    let path = w.object(1, "acme", "payloads");
    let length = fs::metadata(&path).unwrap().len() as usize;
    flip(&path, length - 20);
    expect(&w.verify(), Verdict::Invalid, Kind::ObjectAltered, w.start(1));
    // Anchored with the payload or the salt of another commitment: only the keys show it.
    let dir = TempDir::new().unwrap();
    let mut ledger = until(dir.path(), 1);
    let seq = ledger.tenant_entry("acme", Some(b"the payload"));
    let last = ledger.leaves.len() - 1;
    let commitment = ledger.leaves[last].payloads[0].0;
    let key = ledger.keys[&commitment];
    let wrong = assent_ledger::payload::encrypt(&key, &[3; 32], b"the payload").unwrap();
    ledger.leaves[last].payloads[0].1 = wrong.ciphertext;
    ledger.seal(dir.path());
    let options = Options { payload_keys: ledger.keys.clone(), ..Options::new(dir.path(), root_key().public()) };
    expect(&verify(&options).unwrap(), Verdict::Invalid, Kind::PayloadMismatch, seq);
    let blind = Options::new(dir.path(), root_key().public());
    assert_eq!(verify(&blind).unwrap().verdict, Verdict::Valid);
    // Of another length, or claimed by nobody: seen without keys.
    ledger.tenant_entry("acme", Some(b"x"));
    let last = ledger.leaves.len() - 1;
    ledger.leaves[last].payloads[0].1.push(0);
    ledger.seal(dir.path());
    expect(&verify(&blind).unwrap(), Verdict::Invalid, Kind::PayloadMismatch, last as u64);
}

#[test]
fn histories_that_the_quorum_signed_wrongly() {
    for (edit, kind) in [("prev", Kind::ChainBroken), ("tprev", Kind::TenantChainBroken)] {
        let dir = TempDir::new().unwrap();
        let mut ledger = until(dir.path(), 1);
        let seq = ledger.tenant_entry("acme", None);
        let leaf = ledger.leaves.pop().unwrap();
        let mut rebuilt = ledger.clone();
        rebuilt.nodes = assent_ledger::tree::MemoryNodes::from_leaves(ledger.leaves.iter().map(|l| l.hash));
        rebuilt.head = assent_ledger::chain::Head { size: assent_ledger::ids::TreeSize(seq), ..ledger.head };
        let text = String::from_utf8(leaf.bytes).unwrap();
        let at = text.find(&format!("\"{edit}\":\"")).unwrap() + edit.len() + 4;
        let digit = if &text[at..=at] == "0" { "1" } else { "0" };
        let text = format!("{}{digit}{}", &text[..at], &text[at + 1..]);
        let acme = TenantId::new("acme").unwrap();
        let count = ledger.tenants[&acme].count - 1;
        rebuilt.tenants.insert(acme.clone(), assent_ledger::chain::TenantHead { count, last: leaf.hash });
        rebuilt.push_leaf(acme, text.into_bytes(), Vec::new());
        rebuilt.seal(dir.path());
        let report = verify(&Options::new(dir.path(), root_key().public())).unwrap();
        expect(&report, Verdict::Invalid, kind, seq);
    }
}

#[test]
fn silence_for_too_long_is_a_notice() {
    let dir = TempDir::new().unwrap();
    let mut ledger = until(dir.path(), 1);
    ledger.time += 3_600_000_000;
    ledger.seal(dir.path());
    let report = verify(&Options::new(dir.path(), root_key().public())).unwrap();
    assert_eq!(report.verdict, Verdict::Valid);
    assert_eq!(report.findings[0].kind, Kind::SealIntervalExceeded);
}

#[test]
fn a_manifest_re_signed_after_the_fact() {
    let w = world();
    let path = w.spans[1].join("manifest");
    let note = assent_ledger::note::Note::parse(&fs::read(&path).unwrap()).unwrap();
    let mut manifest = assent_ledger::manifest::Manifest::parse(note.text()).unwrap();
    let gone = format!("tenants/{}/payloads", w.ledger.opaque_of("acme"));
    manifest.objects.retain(|o| o.object.to_string() != gone);
    fs::write(&path, manifest.sign(&log_key()).unwrap().to_bytes()).unwrap();
    fs::remove_file(w.object(1, "acme", "payloads")).unwrap();
    expect(&w.verify(), Verdict::Invalid, Kind::ManifestAltered, w.start(1));
    let w = world();
    fs::write(w.spans[1].join("notes.txt"), "hello").unwrap();
    expect(&w.verify(), Verdict::Invalid, Kind::ObjectUnlisted, w.start(1));
}

#[test]
fn the_chain_rewritten_without_any_key() {
    let (w, scratch) = (world(), TempDir::new().unwrap());
    let mut forged = until(scratch.path(), 1);
    forged.time += 77;
    traffic(&mut forged, 12);
    let span = forged.seal(scratch.path());
    for note in ["manifest", "checkpoint"] {
        fs::copy(w.spans[1].join(note), span.join(note)).unwrap();
    }
    copy(&span, &w.spans[1]);
    let report = w.verify();
    assert_eq!(report.verdict, Verdict::Invalid, "{}", report.to_text());
    assert!(report.decisive().unwrap().seq >= w.start(1));
}
