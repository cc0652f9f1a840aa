//! Bytes of command bodies. The tags are append-only: a number that stood for one command never stands for another.
//!
//! Bodies that will be recorded as they are (keys, cosigned and anchored spans) travel as the canonical JSON of their entry.

use assent_ledger::ids::TreeSize;
use assent_ledger::json::{Value, parse};
use assent_ledger::limits::LEAF_BYTES_MAX;
use assent_ledger::seal::{BodyError, KeyEndorsed, KeyRetired, LedgerCreated, SealReason, SpanAnchored, SpanCosigned};

use super::{
    Agent, ApprovalCommand, CallContext, CommandBody, ControlCommand, Evaluate, ExecutionCommand, Genesis,
    GrantCommand, MemoryCommand, MessageCommand, NewCredential, NewTenant, OfferedSource, ReportSignal, RunCommand,
    RunRequest, read_role,
};
use crate::codec::{CodecError, Reader, Writer};
use crate::limits::{BUNDLE_BYTES_MAX, GENESIS_ENDORSEMENTS_MAX, INPUTS_BYTES_MAX, TEXT_BYTES_MAX};

impl CommandBody {
    /// The number of the command that offers a bundle.
    pub(super) const OFFER_TAG: u8 = 7;

    fn tag(&self) -> u8 {
        match self {
            CommandBody::Genesis(_) => 1,
            CommandBody::CreateTenant(_) => 2,
            CommandBody::RegisterPrincipal { .. } => 3,
            CommandBody::DisablePrincipal { .. } => 4,
            CommandBody::RegisterCredential(_) => 5,
            CommandBody::RevokeCredential { .. } => 6,
            CommandBody::OfferBundle(_) => Self::OFFER_TAG,
            CommandBody::ActivateBundle { .. } => 8,
            CommandBody::OpenRun(_) => 9,
            CommandBody::CloseRun(_) => 10,
            CommandBody::Evaluate(_) => 11,
            CommandBody::EndorseKey(_) => 12,
            CommandBody::RetireKey(_) => 13,
            CommandBody::Seal { .. } => 14,
            CommandBody::Cosigned(_) => 15,
            CommandBody::Anchored(_) => 16,
            CommandBody::Control(control) => control.tag(),
            CommandBody::Grant(grant) => grant.tag(),
            CommandBody::Approval(_) => ApprovalCommand::TAG,
            CommandBody::Execution(asked) => asked.tag(),
            CommandBody::Message(message) => message.tag(),
            CommandBody::Memory(memory) => memory.tag(),
            CommandBody::Run(run) => run.tag(),
            CommandBody::Signal(_) => ReportSignal::TAG,
            CommandBody::Tick => 39,
        }
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.u8(self.tag());
        match self {
            CommandBody::Genesis(genesis) => genesis.write(w),
            CommandBody::CreateTenant(new) => {
                w.text(new.tenant.as_str());
                w.fixed(&new.tenant_key);
                w.fixed(&new.blind);
            }
            CommandBody::RegisterPrincipal { tenant, subject, owner } => {
                w.text(tenant.as_str());
                w.text(subject);
                w.text_opt(owner.as_deref());
            }
            CommandBody::DisablePrincipal { tenant, subject: name }
            | CommandBody::RevokeCredential { tenant, name } => {
                w.text(tenant.as_str());
                w.text(name);
            }
            CommandBody::RegisterCredential(new) => new.write(w),
            CommandBody::OfferBundle(offer) => {
                w.text(offer.tenant.as_str());
                w.bytes(&offer.source);
            }
            CommandBody::ActivateBundle { tenant, environment, bundle_hash } => {
                w.text(tenant.as_str());
                w.text(environment);
                w.fixed(&bundle_hash.0);
            }
            CommandBody::OpenRun(run) | CommandBody::CloseRun(run) => {
                w.text(&run.run_id);
                w.text_opt(run.subject.as_deref());
                w.text_opt(run.parent_run_id.as_deref());
            }
            CommandBody::Evaluate(evaluate) => evaluate.write(w),
            CommandBody::EndorseKey(body) => write_json(&body.to_value(), w),
            CommandBody::RetireKey(body) => write_json(&body.to_value(), w),
            CommandBody::Seal { reason, expected_start } => {
                w.u8(seal_reason_number(*reason));
                w.u64(expected_start.0);
            }
            CommandBody::Cosigned(body) => write_json(&body.to_value(), w),
            CommandBody::Anchored(body) => write_json(&body.to_value(), w),
            CommandBody::Control(control) => control.write(w),
            CommandBody::Grant(grant) => grant.write(w),
            CommandBody::Approval(approval) => approval.write(w),
            CommandBody::Execution(asked) => asked.write(w),
            CommandBody::Message(message) => message.write(w),
            CommandBody::Memory(memory) => memory.write(w),
            CommandBody::Run(run) => run.write(w),
            CommandBody::Signal(report) => report.write(w),
            CommandBody::Tick => {}
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<CommandBody, CodecError> {
        let tag = r.u8("a command's kind")?;
        Ok(match tag {
            1 => CommandBody::Genesis(Box::new(Genesis::read(r)?)),
            2 => CommandBody::CreateTenant(Box::new(NewTenant {
                tenant: r.tenant("the tenant")?,
                tenant_key: r.fixed("the tenant's key")?,
                blind: r.fixed("the tenant's blind")?,
            })),
            3 => CommandBody::RegisterPrincipal {
                tenant: r.tenant("the tenant")?,
                subject: text(r, "the subject")?,
                owner: text_opt(r, "the owner")?,
            },
            4 => CommandBody::DisablePrincipal { tenant: r.tenant("the tenant")?, subject: text(r, "the subject")? },
            5 => CommandBody::RegisterCredential(Box::new(NewCredential::read(r)?)),
            6 => CommandBody::RevokeCredential { tenant: r.tenant("the tenant")?, name: text(r, "the name")? },
            Self::OFFER_TAG => CommandBody::OfferBundle(OfferedSource {
                tenant: r.tenant("the tenant")?,
                source: r.bytes("the bundle", BUNDLE_BYTES_MAX)?.to_vec(),
            }),
            8 => CommandBody::ActivateBundle {
                tenant: r.tenant("the tenant")?,
                environment: text(r, "the environment")?,
                bundle_hash: r.hash("the bundle's hash")?,
            },
            9 => CommandBody::OpenRun(RunRequest::read(r)?),
            10 => CommandBody::CloseRun(RunRequest::read(r)?),
            11 => CommandBody::Evaluate(Box::new(Evaluate::read(r)?)),
            12 => CommandBody::EndorseKey(Box::new(read_json(r, "the endorsement", KeyEndorsed::from_value)?)),
            13 => CommandBody::RetireKey(Box::new(read_json(r, "the retirement", KeyRetired::from_value)?)),
            14 => CommandBody::Seal { reason: read_seal_reason(r)?, expected_start: TreeSize(r.u64("the start")?) },
            15 => CommandBody::Cosigned(Box::new(read_json(r, "the cosigned span", SpanCosigned::from_value)?)),
            16 => CommandBody::Anchored(Box::new(read_json(r, "the anchored span", SpanAnchored::from_value)?)),
            ReportSignal::TAG => CommandBody::Signal(Box::new(ReportSignal::read(r)?)),
            39 => CommandBody::Tick,
            _ => return CommandBody::read_area(tag, r),
        })
    }

    /// Reads the commands of areas that have an enum of their own.
    fn read_area(tag: u8, r: &mut Reader<'_>) -> Result<CommandBody, CodecError> {
        if let Some(control) = ControlCommand::read(tag, r)? {
            return Ok(CommandBody::Control(Box::new(control)));
        }
        if let Some(grant) = GrantCommand::read(tag, r)? {
            return Ok(CommandBody::Grant(Box::new(grant)));
        }
        if let Some(approval) = ApprovalCommand::read(tag, r)? {
            return Ok(CommandBody::Approval(Box::new(approval)));
        }
        if let Some(asked) = ExecutionCommand::read(tag, r)? {
            return Ok(CommandBody::Execution(Box::new(asked)));
        }
        if let Some(memory) = MemoryCommand::read(tag, r)? {
            return Ok(CommandBody::Memory(Box::new(memory)));
        }
        if let Some(message) = MessageCommand::read(tag, r)? {
            return Ok(CommandBody::Message(Box::new(message)));
        }
        if let Some(run) = RunCommand::read(tag, r)? {
            return Ok(CommandBody::Run(Box::new(run)));
        }
        Err(CodecError::Choice { what: "a command's kind", got: u64::from(tag) })
    }
}

impl Genesis {
    fn write(&self, w: &mut Writer) {
        write_json(&self.created.to_value(), w);
        w.count(self.endorsements.len());
        for endorsement in &self.endorsements {
            write_json(&endorsement.to_value(), w);
        }
        w.text(&self.operator);
        w.fixed(&self.operator_token_hash.0);
    }

    fn read(r: &mut Reader<'_>) -> Result<Genesis, CodecError> {
        let created = read_json(r, "the created ledger", LedgerCreated::from_value)?;
        let count = r.count("the endorsements", GENESIS_ENDORSEMENTS_MAX)?;
        let mut endorsements = Vec::new();
        for _ in 0..count {
            endorsements.push(read_json(r, "an endorsement", KeyEndorsed::from_value)?);
        }
        let operator = text(r, "the operator")?;
        let operator_token_hash = r.hash("the operator's token hash")?;
        Ok(Genesis { created, endorsements, operator, operator_token_hash })
    }
}

impl NewCredential {
    fn write(&self, w: &mut Writer) {
        w.text(self.tenant.as_str());
        w.text(&self.name);
        w.fixed(&self.token_hash.0);
        w.u8(self.role.number());
        w.text_opt(self.subject.as_deref());
    }

    fn read(r: &mut Reader<'_>) -> Result<NewCredential, CodecError> {
        Ok(NewCredential {
            tenant: r.tenant("the tenant")?,
            name: text(r, "the name")?,
            token_hash: r.hash("the token's hash")?,
            role: read_role(r)?,
            subject: text_opt(r, "the subject")?,
        })
    }
}

impl RunRequest {
    fn read(r: &mut Reader<'_>) -> Result<RunRequest, CodecError> {
        Ok(RunRequest {
            run_id: text(r, "the run")?,
            subject: text_opt(r, "the subject")?,
            parent_run_id: text_opt(r, "the parent run")?,
        })
    }
}

impl Evaluate {
    pub(crate) fn write(&self, w: &mut Writer) {
        w.text(&self.environment);
        w.text_opt(self.run_id.as_deref());
        w.text_opt(self.trace_id.as_deref());
        w.text_opt(self.agent.instance_id.as_deref());
        w.text_opt(self.agent.name.as_deref());
        w.text_opt(self.agent.version.as_deref());
        w.text_opt(self.subject.as_deref());
        w.text(&self.tool);
        w.text(&self.content_type);
        w.bytes(&self.inputs);
        self.context.write(w);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Evaluate, CodecError> {
        Ok(Evaluate {
            environment: text(r, "the environment")?,
            run_id: text_opt(r, "the run")?,
            trace_id: text_opt(r, "the trace")?,
            agent: Agent {
                instance_id: text_opt(r, "the agent's instance")?,
                name: text_opt(r, "the agent's name")?,
                version: text_opt(r, "the agent's version")?,
            },
            subject: text_opt(r, "the subject")?,
            tool: text(r, "the tool")?,
            content_type: text(r, "the content type")?,
            inputs: r.bytes("the inputs", INPUTS_BYTES_MAX)?.to_vec(),
            context: Box::new(CallContext::read(r)?),
        })
    }
}

fn text(r: &mut Reader<'_>, what: &'static str) -> Result<String, CodecError> {
    r.text(what, TEXT_BYTES_MAX)
}

fn text_opt(r: &mut Reader<'_>, what: &'static str) -> Result<Option<String>, CodecError> {
    r.text_opt(what, TEXT_BYTES_MAX)
}

/// Writes an entry body; one that has no canonical form is written empty, which no reader accepts.
fn write_json(value: &Value, w: &mut Writer) {
    w.bytes(&value.to_bytes().unwrap_or_default());
}

fn read_json<T>(
    r: &mut Reader<'_>,
    what: &'static str,
    from_value: impl FnOnce(&Value) -> Result<T, BodyError>,
) -> Result<T, CodecError> {
    let value = parse(r.bytes(what, LEAF_BYTES_MAX)?).map_err(|_| CodecError::Invalid { what })?;
    from_value(&value).map_err(|_| CodecError::Invalid { what })
}

const fn seal_reason_number(reason: SealReason) -> u8 {
    match reason {
        SealReason::Count => 1,
        SealReason::Time => 2,
        SealReason::Idle => 3,
        SealReason::Manual => 4,
    }
}

fn read_seal_reason(r: &mut Reader<'_>) -> Result<SealReason, CodecError> {
    match r.u8("a seal's reason")? {
        1 => Ok(SealReason::Count),
        2 => Ok(SealReason::Time),
        3 => Ok(SealReason::Idle),
        4 => Ok(SealReason::Manual),
        got => Err(CodecError::Choice { what: "a seal's reason", got: u64::from(got) }),
    }
}
