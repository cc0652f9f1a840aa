//! One span: signatures, entries, roots, objects, seal and references, in the order in which the first true statement is the
//! most specific one.

use std::io;

use assent_ledger::archive::SpanObject;
use assent_ledger::checkpoint::{Checkpoint, VerifiedCheckpoint};
use assent_ledger::cosignature::Cosigner;
use assent_ledger::hash::Hash;
use assent_ledger::ids::{Time, TreeSize};
use assent_ledger::keys::{Role, log_key_name};
use assent_ledger::limits;
use assent_ledger::manifest::{Manifest, VerifiedManifest};
use assent_ledger::note::Note;
use assent_ledger::proof::verify_consistency;
use assent_ledger::tree::Frontier;

use crate::VerifyError;
use crate::content::{self, Content, lines_digest};
use crate::diagnose::{Target, diagnose};
use crate::finding::{Finding, Kind};
use crate::layout::{SpanDir, read_capped};
use crate::stream::{Measured, measure};
use crate::walk::{Previous, RECENT_SPANS_MAX, SpanRecord, Walker, concerns, only};
use crate::{keys, payloads, seals, trust};

/// Manifest and checkpoint, where they are there.
pub(crate) type Notes = (Option<Vec<u8>>, Option<Vec<u8>>);

/// A span's manifest and checkpoint as bytes; one longer than any note is given as empty.
pub(crate) fn notes(span: &SpanDir) -> Result<Notes, VerifyError> {
    let read = |object: SpanObject| {
        let path = span.path(&object);
        match read_capped(&path, limits::NOTE_BYTES_MAX) {
            Ok(bytes) => Ok(Some(bytes.unwrap_or_default())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(VerifyError::Io { path, source }),
        }
    };
    Ok((read(SpanObject::Manifest)?, read(SpanObject::Checkpoint)?))
}

/// What the notes come to.
struct Signed {
    manifest: Result<VerifiedManifest, Finding>,
    checkpoint: Result<VerifiedCheckpoint, Finding>,
    cosigners: Result<Vec<Cosigner>, Finding>,
    key_error: Option<Finding>,
    targets: Vec<Target>,
}

/// Roots that the entries make.
struct Roots {
    before_seal: Hash,
    tree: Hash,
    span: Hash,
    frontier: Frontier,
    wanted: Vec<(u64, Hash)>,
}

impl Walker<'_> {
    /// Verifies one span and takes it over; what is returned is why it was not.
    pub(crate) fn span(&mut self, span: &SpanDir, last: bool) -> Result<Vec<Finding>, VerifyError> {
        let start = span.start();
        if span.end() - start > limits::SPAN_ENTRIES_MAX {
            let detail = format!("no span is longer than {} entries", limits::SPAN_ENTRIES_MAX);
            return Ok(vec![Finding::new(Kind::SpanSwapped, start, detail).at(span.shown.clone())]);
        }
        let (manifest, checkpoint) = notes(span)?;
        let (Some(manifest), Some(checkpoint)) = (&manifest, &checkpoint) else {
            return Ok(vec![self.unfinished(span, last, manifest.is_some())]);
        };
        let signed = self.signed(span, manifest, checkpoint);
        if let Some(finding) = self.identity(span, &signed) {
            return Ok(vec![finding]);
        }
        let ids = only(self);
        let mut content = content::read(span, &self.state, &self.system, ids.as_deref(), &mut self.buffer)?;
        let roots = self.roots(span, &content);
        let stated = signed.manifest.as_ref().ok().map(VerifiedManifest::manifest);
        if !self.fits(span, &content, &roots, stated, &signed) {
            let listed = &content.leaves;
            let found = diagnose(span, &self.state, listed, ids.as_deref(), stated, &signed.targets)?;
            if !found.is_empty() {
                return Ok(found);
            }
            if !content.clean {
                let detail = "an entry lies under another ledger, tenant or opaque id than its own";
                return Ok(vec![Finding::new(Kind::SpanSwapped, span.start(), detail).at(span.shown.clone())]);
            }
        }
        if let Some(findings) = untrusted(&signed) {
            return Ok(findings);
        }
        let (Ok(manifest), Ok(checkpoint), Ok(cosigners)) = (signed.manifest, signed.checkpoint, signed.cosigners)
        else {
            return Ok(Vec::new());
        };
        let checked = self.checked(span, &content, &roots, &manifest, &checkpoint)?;
        if let Some(finding) = checked.or_else(|| content.broken.take()).or_else(|| self.references(&content)) {
            return Ok(vec![finding]);
        }
        self.take_over(span, content, roots, &manifest, &checkpoint, &cosigners);
        Ok(Vec::new())
    }

    fn unfinished(&self, span: &SpanDir, last: bool, has_manifest: bool) -> Finding {
        let missing = if has_manifest { SpanObject::Checkpoint } else { SpanObject::Manifest };
        let proven = self.anchors.largest() > span.start();
        let (kind, detail) = if last && !proven {
            (Kind::SpanUnfinished, "the last span lacks this object: its entries are not anchored")
        } else {
            (Kind::ObjectMissing, "the span lacks this object")
        };
        Finding::new(kind, span.start(), detail).at(span.shown(&missing))
    }

    /// Folds the keys and verifies the notes. The keyring is folded even if the span fails: endorsements stand for themselves.
    fn signed(&mut self, span: &SpanDir, manifest: &[u8], checkpoint: &[u8]) -> Signed {
        let seq = span.start();
        let key_error = keys::fold(&mut self.keyring, span, &self.system);
        let (m_path, c_path) = (span.shown(&SpanObject::Manifest), span.shown(&SpanObject::Checkpoint));
        let verified = trust::manifest(manifest, &self.keyring, seq, &m_path);
        let approved = trust::checkpoint(checkpoint, &self.keyring, seq, &c_path);
        let approved = approved.and_then(|c| {
            let other = format!("a checkpoint of size {} in the span that ends at {}", c.size(), span.end());
            let fits = c.size() == span.name.end;
            if fits { Ok(c) } else { Err(Finding::new(Kind::SpanSwapped, seq, other).at(c_path.clone())) }
        });
        let cosigners = match &approved {
            Ok(c) => trust::cosigners(&self.keyring, c, seq, &c_path),
            Err(finding) => Err(finding.clone()),
        };
        let mut targets = Vec::new();
        if let (Ok(c), Ok(_)) = (&approved, &cosigners) {
            targets.push(Target::Tree(*c.root()));
        }
        targets.extend(verified.as_ref().ok().map(|m| Target::Span(m.manifest().span_root)));
        let text = |bytes: &[u8]| Note::parse(bytes).ok().map(|n| n.text().to_owned());
        let root = text(checkpoint).and_then(|t| Checkpoint::parse(&t).ok()).map(|c| Target::Tree(c.root));
        let span_root = text(manifest).and_then(|t| Manifest::parse(&t).ok()).map(|m| Target::Span(m.span_root));
        targets.extend(root);
        targets.extend(span_root);
        Signed { manifest: verified, checkpoint: approved, cosigners, key_error, targets }
    }

    /// Whether the span is this ledger's, at this position, after the one before it.
    fn identity(&self, span: &SpanDir, signed: &Signed) -> Option<Finding> {
        let swapped = |f: &&Finding| f.kind == Kind::SpanSwapped;
        if let Some(finding) = signed.manifest.as_ref().err().filter(swapped) {
            return Some(finding.clone());
        }
        if let Some(finding) = signed.checkpoint.as_ref().err().filter(swapped) {
            return Some(finding.clone());
        }
        let manifest = signed.manifest.as_ref().ok()?.manifest();
        let path = span.shown(&SpanObject::Manifest);
        if manifest.start != span.name.start || manifest.end != span.name.end {
            let detail = format!("the manifest is signed for the span from {} to {}", manifest.start, manifest.end);
            return Some(Finding::new(Kind::SpanSwapped, span.start(), detail).at(path));
        }
        let ours = self.previous.as_ref().map(|p| p.digest);
        if manifest.prev_checkpoint != ours && signed.cosigners.is_ok() {
            let detail = "a signed and cosigned span continues another checkpoint than the one before it";
            return Some(Finding::new(Kind::ConsistencyBroken, span.start(), detail).at(path));
        }
        None
    }

    fn roots(&self, span: &SpanDir, content: &Content) -> Roots {
        let mut frontier = self.state.frontier.clone();
        let mut own = Frontier::new();
        let mut before_seal = frontier.root();
        let mut sizes = self.anchors.wanted(frontier.size().0).into_iter().peekable();
        let mut wanted = Vec::new();
        for leaf in &content.leaves {
            let size = frontier.size().0 + 1;
            if size == span.end() {
                before_seal = frontier.root();
            }
            frontier.append(*leaf);
            own.append(*leaf);
            if sizes.next_if_eq(&size).is_some() {
                wanted.push((size, frontier.root()));
            }
        }
        Roots { before_seal, tree: frontier.root(), span: own.root(), frontier, wanted }
    }

    /// Entries, list and signed roots agree; nothing that concerns the entries was altered or left out.
    fn fits(
        &self,
        span: &SpanDir,
        content: &Content,
        roots: &Roots,
        stated: Option<&Manifest>,
        signed: &Signed,
    ) -> bool {
        let root = signed.checkpoint.as_ref().ok().map(VerifiedCheckpoint::root);
        let objects = stated.map(|m| m.objects.as_slice()).unwrap_or_default();
        let same = |o: &assent_ledger::manifest::ManifestObject| match o.object {
            SpanObject::TenantBundle(id) if !concerns(self, &id) => true,
            SpanObject::Leaves | SpanObject::TenantBundle(_) => {
                span.has(&o.object)
                    && content.measured.get(&o.object).is_none_or(|m| m.digest == o.digest && m.length == o.length)
            }
            _ => true,
        };
        content.clean
            && root.is_none_or(|r| *r == roots.tree)
            && stated.is_none_or(|m| m.span_root == roots.span)
            && objects.iter().all(same)
    }

    /// Everything that the signed notes say about the span.
    fn checked(
        &mut self,
        span: &SpanDir,
        content: &Content,
        roots: &Roots,
        manifest: &VerifiedManifest,
        checkpoint: &VerifiedCheckpoint,
    ) -> Result<Option<Finding>, VerifyError> {
        let seq = span.start();
        let finding = |kind, object, detail: &str| Ok(Some(Finding::new(kind, seq, detail).at(span.shown(&object))));
        let stated = manifest.manifest();
        if *checkpoint.root() != roots.tree {
            return finding(
                Kind::RootMismatch,
                SpanObject::Checkpoint,
                "the entries make another root than the signed one",
            );
        }
        if stated.span_root != roots.span {
            let detail = "the entries make another span root than the manifest's";
            return finding(Kind::SpanRootMismatch, SpanObject::Manifest, detail);
        }
        if !stated.is_about(checkpoint.checkpoint()) {
            let detail = "the manifest is about another checkpoint than the one beside it";
            return finding(Kind::ManifestAltered, SpanObject::Manifest, detail);
        }
        if let Some(previous) = &self.previous {
            let (old, new) = (TreeSize(seq), span.name.end);
            if let Err(error) = verify_consistency(old, &previous.root, new, checkpoint.root(), &stated.consistency) {
                return finding(Kind::ConsistencyBroken, SpanObject::Manifest, &error.to_string());
            }
        }
        if let Some(found) = self.objects(span, content, stated)? {
            return Ok(Some(found));
        }
        let partial = self.options.tenant.is_some();
        let (state, system) = (&self.state, &self.system);
        if let Some(found) = seals::check(span, content, state, system, &roots.before_seal, stated, partial) {
            return Ok(Some(found));
        }
        for object in &span.present {
            let SpanObject::TenantMap(id) = object else { continue };
            if concerns(self, id)
                && let Some(found) = seals::check_map(span, content, &self.state, &self.system, id)
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The manifest lists exactly the objects that are there, with their lengths and digests.
    fn objects(
        &mut self,
        span: &SpanDir,
        content: &Content,
        manifest: &Manifest,
    ) -> Result<Option<Finding>, VerifyError> {
        let seq = span.start();
        let listed = |object: &SpanObject| manifest.objects.binary_search_by(|o| o.object.cmp(object)).is_ok();
        let own = |o: &&SpanObject| !matches!(o, SpanObject::Manifest | SpanObject::Checkpoint);
        let stray = span.present.iter().filter(own).find(|o| !listed(o)).map(ToString::to_string);
        if let Some(path) = stray.or_else(|| span.unknown.first().cloned()) {
            let detail = "the manifest does not list this object";
            return Ok(Some(Finding::new(Kind::ObjectUnlisted, seq, detail).at(format!("{}/{path}", span.shown))));
        }
        for object in &manifest.objects {
            let tenant = match object.object {
                SpanObject::TenantBundle(id) | SpanObject::TenantMap(id) | SpanObject::TenantPayloads(id) => Some(id),
                _ => None,
            };
            if tenant.is_some_and(|id| !concerns(self, &id)) {
                continue;
            }
            let finding = |kind, detail: &str| {
                let found = Finding::new(kind, seq, detail).at(span.shown(&object.object));
                Ok(Some(Finding { tenant, ..found }))
            };
            if !span.has(&object.object) {
                let payloads = matches!(object.object, SpanObject::TenantPayloads(_));
                if payloads && self.options.tenant.is_some() {
                    self.coverage.payloads.absent_objects += 1;
                    continue;
                }
                return finding(Kind::ObjectMissing, "the manifest lists this object, and it is not there");
            }
            let (measured, found) = self.measure(span, content, &object.object)?;
            if measured.digest != object.digest || measured.length != object.length {
                return finding(Kind::ObjectAltered, "its bytes are not those whose digest is signed");
            }
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn measure(
        &mut self,
        span: &SpanDir,
        content: &Content,
        object: &SpanObject,
    ) -> Result<(Measured, Option<Finding>), VerifyError> {
        if let SpanObject::TenantPayloads(id) = object {
            let checked = payloads::check(span, *id, &self.options.payload_keys, &mut self.coverage.payloads)?;
            return Ok((checked.1, checked.0));
        }
        if let Some(measured) = content.measured.get(object) {
            return Ok((*measured, None));
        }
        let path = span.path(object);
        let buffer = core::mem::take(&mut self.buffer);
        let (measured, used) = measure(&path, buffer).map_err(|source| VerifyError::Io { path, source })?;
        self.buffer = used;
        Ok((measured, None))
    }

    /// What the entries say about earlier spans must be what was found there.
    fn references(&mut self, content: &Content) -> Option<Finding> {
        for reference in &content.references {
            let Some(record) = self.recent.get(&reference.size) else {
                let oldest = self.recent.keys().next().copied().unwrap_or(0);
                let dropped = self.recent.len() >= RECENT_SPANS_MAX && reference.size < oldest;
                if dropped {
                    continue;
                }
                let detail = format!("the entry speaks of a span that ends at {}; there is none", reference.size);
                return Some(Finding::new(Kind::SealMismatch, reference.seq, detail));
            };
            let by = reference.seq;
            let found = |kind, what: &str| {
                Some(Finding::new(
                    kind,
                    record.start,
                    format!("entry {by}, which is proven, commits to another {what}"),
                ))
            };
            if record.checkpoint != reference.checkpoint {
                return found(Kind::ConsistencyBroken, "checkpoint of this span");
            }
            if record.manifest != reference.manifest {
                return found(Kind::ManifestAltered, "manifest of this span");
            }
            if reference.lines.is_some_and(|l| l != record.lines) {
                return found(Kind::CheckpointAltered, "choice of cosignatures of this span");
            }
            self.coverage.references += 1;
        }
        None
    }

    fn take_over(
        &mut self,
        span: &SpanDir,
        content: Content,
        roots: Roots,
        manifest: &VerifiedManifest,
        checkpoint: &VerifiedCheckpoint,
        cosigners: &[Cosigner],
    ) {
        self.interval(span, &content);
        self.receipts.compare(span.start(), &content.leaves);
        roots.wanted.iter().for_each(|(size, root)| self.anchors.reached(*size, *root));
        let digest = checkpoint.checkpoint().digest();
        self.previous = Some(Previous { digest, root: roots.tree });
        let lines = trust::committed_lines(&self.keyring, checkpoint);
        let lines = lines_digest(lines.iter().map(ToString::to_string));
        let record = SpanRecord { start: span.start(), checkpoint: digest, manifest: manifest.digest(), lines };
        self.recent.insert(span.end(), record);
        if self.recent.len() > RECENT_SPANS_MAX {
            self.recent.pop_first();
        }
        self.state.frontier = roots.frontier;
        let last = content.leaves.last().copied().unwrap_or(self.state.head.last);
        self.state.head.size = span.name.end;
        (self.state.head.last, self.state.head.time) = (last, content.last_time);
        for (id, tenant) in content.heads {
            self.state.names.insert(tenant.name.clone(), id);
            self.state.tenants.insert(id, tenant);
        }
        self.cover(span, &content.counts, content.last_time, cosigners);
    }

    fn cover(
        &mut self,
        span: &SpanDir,
        counts: &std::collections::BTreeMap<Hash, u64>,
        seal_time: Time,
        cosigners: &[Cosigner],
    ) {
        let coverage = &mut self.coverage;
        coverage.size = span.end();
        coverage.spans += 1;
        coverage.seal_time = seal_time;
        for (id, count) in counts {
            *coverage.tenants.entry(*id).or_default() += count;
        }
        if self.options.tenant.is_some_and(|id| span.has(&SpanObject::TenantMap(id))) {
            coverage.tenant_proven = span.end();
        }
        let name = log_key_name(self.keyring.origin());
        if let Ok(key) = self.keyring.key_at(Role::Log, &name, span.name.end) {
            *coverage.log_keys.entry(key.to_string()).or_default() += 1;
        }
        for cosigner in cosigners {
            *coverage.cosigners.entry(cosigner.key_name.clone()).or_default() += 1;
        }
    }

    /// The ledger promised to attest silence at least once an interval.
    fn interval(&mut self, span: &SpanDir, content: &Content) {
        let first = self.coverage.spans == 0;
        if first {
            self.coverage.first_time = content.first_time;
        }
        let since = if first { content.first_time } else { self.coverage.seal_time };
        let took = content.last_time.0.saturating_sub(since.0) / 1_000_000;
        let interval = self.keyring.created().map_or(u64::MAX, |c| u64::from(c.interval_max_seconds));
        if took > interval && self.notices.len() < 100 {
            let detail = format!("{took} s passed between two seals, the ledger promised {interval} s at most");
            self.notices.push(Finding::new(Kind::SealIntervalExceeded, span.start(), detail).at(span.shown.clone()));
        }
    }
}

/// Why the notes are not to be trusted, the most telling first.
fn untrusted(signed: &Signed) -> Option<Vec<Finding>> {
    let mut findings: Vec<Finding> = signed.key_error.iter().cloned().collect();
    for error in [signed.manifest.as_ref().err(), signed.checkpoint.as_ref().err(), signed.cosigners.as_ref().err()] {
        if let Some(error) = error.filter(|e| !findings.contains(e)) {
            findings.push(error.clone());
        }
    }
    (!findings.is_empty()).then_some(findings)
}
