//! From events to entries: nonces, ids and payload keys from the stamp, links from the heads, bytes and hashes from the ledger.

use std::collections::BTreeMap;

use assent_ledger::chain::{Head, TenantHead, link};
use assent_ledger::entry::{Entry, PayloadCommitment};
use assent_ledger::hash::{Hash, leaf_hash};
use assent_ledger::ids::{Seq, TenantId, Time};
use assent_ledger::map::opaque_tenant_id;
use assent_ledger::payload::encrypt;

use super::{Answer, AppliedEntry, CosignedFacts, Machine, Progress, SealFacts, SealedPayload, Tenant};
use crate::command::{Command, CommandBody};
use crate::decide;
use crate::event::{Event, EventBody, Ruling};
use crate::evolve::{EntryFacts, evolve};
use crate::idempotency;
use crate::refusal::Refusal;
use crate::stamp::{Purpose, Stamp};
use crate::state::keys::{DecidedRecord, DecisionTerms, RuledRecord};
use crate::state::{Overlay, Record, StateKey, StateRead};

/// The entries of one command, and the heads after them; the machine knows nothing of them yet.
struct Draft {
    head: Head,
    tenants: BTreeMap<TenantId, Tenant>,
    entries: Vec<AppliedEntry>,
    payloads: u32,
    decided: Option<DecidedRecord>,
    ruled: Option<RuledRecord>,
}

impl Machine {
    /// Writes a command's events. On an error nothing of them is left in the machine.
    pub(super) fn write<S: StateRead>(
        &mut self,
        overlay: &mut Overlay<'_, S>,
        command: &Command,
        events: &[Event],
        progress: &mut Progress,
    ) -> Result<Answer, Refusal> {
        let now = decide::now(overlay, command);
        let mut draft = Draft {
            head: self.head,
            tenants: BTreeMap::new(),
            entries: Vec::with_capacity(events.len()),
            payloads: 0,
            decided: None,
            ruled: None,
        };
        for event in events {
            let (seq, event_id) = self.draft_entry(overlay, &command.stamp, now, event, &mut draft)?;
            let sealed = draft.entries.last().map(|entry| entry.payloads.as_slice()).unwrap_or_default();
            let roles = event.payloads.iter().map(|payload| payload.role);
            let payloads = roles.zip(sealed.iter().map(|payload| payload.commitment)).collect();
            evolve(overlay, &EntryFacts { seq, time: now, event_id, payloads }, event);
        }
        // Who answers for a call is told what became of it, not how to redeem it: that is for the one who asked.
        if !matches!(command.body, CommandBody::Evaluate(_)) {
            draft.decided = None;
        }
        let first_seq = Seq(self.head.size.0);
        let count = u32::try_from(events.len()).map_err(|_| Refusal::LeafTooLarge)?;
        let answer = Answer::of(first_seq, count, draft.decided.as_ref(), draft.ruled.as_ref(), false);
        let (decided, ruled) = (draft.decided.take(), draft.ruled.take());
        let outcome = idempotency::Outcome { first_seq, count, decided, ruled };
        idempotency::remember(overlay, command, now, outcome);
        self.take_in(draft, events, progress);
        match &command.body {
            CommandBody::CreateTenant(new) => {
                progress.batch.tenant_keys.push((new.tenant.clone(), new.tenant_key));
            }
            // The system's own payloads (the sources of baselines) need a key too.
            CommandBody::Genesis(_) => {
                let key = command.stamp.derive(Purpose::SystemKey, 0);
                progress.batch.tenant_keys.push((TenantId::system(), key));
            }
            _ => {}
        }
        Ok(answer)
    }

    fn draft_entry<S: StateRead>(
        &self,
        overlay: &Overlay<'_, S>,
        stamp: &Stamp,
        now: Time,
        event: &Event,
        draft: &mut Draft,
    ) -> Result<(Seq, String), Refusal> {
        let tenant = match draft.tenants.get(&event.tenant).or_else(|| self.tenants.get(&event.tenant)) {
            Some(tenant) => *tenant,
            None => self.first_of_tenant(overlay, event)?,
        };
        let link = link(&draft.head, &tenant.head);
        let number = u32::try_from(draft.entries.len()).map_err(|_| Refusal::LeafTooLarge)?;
        let payloads = seal_payloads(stamp, event, &mut draft.payloads)?;
        let entry = Entry {
            origin: self.origin.clone(),
            seq: link.seq,
            time: now,
            nonce: stamp.derive(Purpose::Nonce, number),
            tenant: event.tenant.clone(),
            tseq: link.tseq,
            prev: link.prev,
            tprev: link.tprev,
            kind: event.body.kind().to_owned(),
            event_id: stamp.derive_uuid(Purpose::Event, number),
            run_id: event.run_id.clone(),
            trace_id: event.trace_id.clone(),
            actor: event.actor.clone(),
            body: event.body.to_value(),
            payloads: payloads.iter().map(commitment).collect(),
        };
        // Shapes were checked, so that what does not encode is too long for a leaf: the same on every replica.
        let leaf = entry.encode().map_err(|_| Refusal::LeafTooLarge)?;
        let hash = leaf_hash(&leaf);
        draft.head = draft.head.after(hash, now);
        draft.tenants.insert(event.tenant.clone(), Tenant { head: tenant.head.after(hash), ..tenant });
        let mut applied = AppliedEntry {
            seq: link.seq,
            tenant: entry.tenant,
            tseq: link.tseq,
            leaf,
            hash,
            kind: event.body.kind(),
            run_id: entry.run_id,
            time: now,
            verdict: None,
            tool: None,
            payloads,
        };
        if let EventBody::Decision(body) = &event.body {
            applied.verdict = Some(body.verdict);
            applied.tool = Some(body.tool.clone());
            draft.decided = Some(DecidedRecord {
                decision_id: entry.event_id.clone(),
                run_id: event.run_id.clone(),
                verdict: body.verdict,
                codes: body.codes.clone(),
                request_salt: stamp.derive(Purpose::RequestSalt, 0),
                terms: Box::new(DecisionTerms::of(body, &event.payloads)),
            });
        }
        if let Some(Ruling { verdict, codes, details }) = event.body.ruling() {
            applied.verdict = Some(verdict);
            let event_id = entry.event_id.clone();
            draft.ruled = Some(RuledRecord { seq: link.seq, event_id, verdict, codes, details });
        }
        draft.entries.push(applied);
        Ok((link.seq, entry.event_id))
    }

    /// The start of a tenant's chain. The entry that creates a tenant names its opaque id.
    fn first_of_tenant<S: StateRead>(&self, overlay: &Overlay<'_, S>, event: &Event) -> Result<Tenant, Refusal> {
        let head = TenantHead::genesis(&self.origin, &event.tenant);
        let opaque = match (&event.body, overlay.get(&StateKey::Tenant(event.tenant.clone())).as_deref()) {
            _ if event.tenant.is_system() => opaque_tenant_id(&self.origin, &[0; 32], &event.tenant),
            (EventBody::TenantCreated(body), _) => body.opaque,
            (_, Some(Record::Tenant(record))) => record.opaque,
            _ => return Err(Refusal::TenantUnknown),
        };
        Ok(Tenant { head, opaque })
    }

    /// The point of no return: from here on nothing fails.
    fn take_in(&mut self, draft: Draft, events: &[Event], progress: &mut Progress) {
        let batch = &mut progress.batch;
        for (entry, event) in draft.entries.into_iter().zip(events) {
            self.frontier.push_with(entry.hash, |address, hash| batch.nodes.push((address, hash)));
            match &event.body {
                EventBody::SpanSealed(body) => batch.sealed.push(SealFacts {
                    seq: entry.seq,
                    size_after: entry.seq.size_after(),
                    root_after: self.frontier.root(),
                    span_start: body.span_start,
                    body: body.as_ref().clone(),
                }),
                EventBody::SpanCosigned(body) => {
                    let (size, checkpoint, manifest) = (body.size, body.checkpoint, body.manifest);
                    batch.cosigned.push(CosignedFacts { size, checkpoint, manifest });
                }
                EventBody::PayloadErased(body) => batch.erased.push((event.tenant.clone(), body.commitment)),
                _ => {}
            }
            batch.entries.push(entry);
        }
        self.head = draft.head;
        for (name, tenant) in draft.tenants {
            progress.touched.insert(name.clone());
            self.tenants.insert(name, tenant);
        }
    }
}

/// Encrypts an event's payloads; `counter` counts them over the whole command, so that no two share a key.
fn seal_payloads(stamp: &Stamp, event: &Event, counter: &mut u32) -> Result<Vec<SealedPayload>, Refusal> {
    let mut sealed = Vec::with_capacity(event.payloads.len());
    for payload in &event.payloads {
        let salt: [u8; 32] = stamp.derive(Purpose::Salt, *counter);
        let data_key: [u8; 32] = stamp.derive(Purpose::PayloadKey, *counter);
        *counter += 1;
        let boxed = encrypt(&data_key, &salt, &payload.bytes).map_err(|_| Refusal::LeafTooLarge)?;
        let commitment: Hash = boxed.commitment;
        sealed.push(SealedPayload {
            commitment,
            content_type: payload.content_type.clone(),
            role: payload.role.to_owned(),
            length: payload.bytes.len() as u64,
            ciphertext: boxed.ciphertext,
            data_key,
        });
    }
    Ok(sealed)
}

fn commitment(payload: &SealedPayload) -> PayloadCommitment {
    PayloadCommitment {
        commitment: payload.commitment,
        content_type: payload.content_type.clone(),
        length: payload.length,
        role: payload.role.clone(),
    }
}
