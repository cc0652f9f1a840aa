//! What is done to a run besides calling tools in it.

use assent_ledger::ids::TenantId;

use super::Role;
use crate::admit;
use crate::codec::{CodecError, Reader, Writer};
use crate::event::StepKind;
use crate::limits::{NAME_BYTES_MAX, PAYLOAD_BYTES_MAX, SUBJECT_BYTES_MAX};
use crate::refusal::Refusal;
use crate::state::keys::{RunMode, read_mode};
use crate::taint::{TaintLabel, read_labels, write_labels};

/// A command about a run.
#[derive(Clone, PartialEq, Eq)]
pub enum RunCommand {
    /// Makes a run do less, or lets a restricted one go on. The tenant's admin.
    SetRunMode {
        /// The tenant.
        tenant: TenantId,
        /// The run.
        run_id: String,
        /// The mode.
        mode: RunMode,
        /// Why, in words; a payload of the entry.
        justification: Vec<u8>,
    },
    /// Lets a quarantined run go on. An approver or the tenant's admin, who neither acts in the run nor owns who does.
    ReleaseQuarantine {
        /// The tenant.
        tenant: TenantId,
        /// The run.
        run_id: String,
        /// Why, in words; a payload of the entry.
        justification: Vec<u8>,
    },
    /// Attaches taint to a run by hand or at a boundary. Agent (its own run) or the tenant's admin.
    AttachTaint {
        /// The run.
        run_id: String,
        /// The asserted subject; only honoured for tenant-wide credentials.
        subject: Option<String>,
        /// The labels, at least one.
        labels: Vec<TaintLabel>,
    },
    /// Records what a run did besides calls. Agent.
    RecordStep {
        /// The run.
        run_id: String,
        /// The asserted subject; only honoured for tenant-wide credentials.
        subject: Option<String>,
        /// What it was.
        kind: StepKind,
        /// What made it: a name.
        source: Option<String>,
        /// Labels that it brings into the run.
        labels: Vec<TaintLabel>,
        /// Media type of the content.
        content_type: String,
        /// The content; a payload of the entry.
        content: Vec<u8>,
    },
}

impl core::fmt::Debug for RunCommand {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Contents and justifications are the caller's data: they never get into a log.
        write!(f, "{}({})", self.name(), self.run_id())
    }
}

impl RunCommand {
    /// The run that it is about.
    pub fn run_id(&self) -> &str {
        match self {
            RunCommand::SetRunMode { run_id, .. }
            | RunCommand::ReleaseQuarantine { run_id, .. }
            | RunCommand::AttachTaint { run_id, .. }
            | RunCommand::RecordStep { run_id, .. } => run_id,
        }
    }

    pub(super) const fn tag(&self) -> u8 {
        match self {
            RunCommand::SetRunMode { .. } => 19,
            RunCommand::ReleaseQuarantine { .. } => 20,
            RunCommand::AttachTaint { .. } => 25,
            RunCommand::RecordStep { .. } => 27,
        }
    }

    /// The command's name in refusals and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            RunCommand::SetRunMode { .. } => "set-run-mode",
            RunCommand::ReleaseQuarantine { .. } => "release-quarantine",
            RunCommand::AttachTaint { .. } => "attach-taint",
            RunCommand::RecordStep { .. } => "record-step",
        }
    }

    /// The roles that may give it.
    pub(crate) const fn permitted(&self) -> &'static [Role] {
        match self {
            RunCommand::SetRunMode { .. } => &[Role::TenantAdmin],
            RunCommand::ReleaseQuarantine { .. } => &[Role::TenantAdmin, Role::Approver],
            RunCommand::AttachTaint { .. } => &[Role::Agent, Role::TenantAdmin],
            RunCommand::RecordStep { .. } => &[Role::Agent],
        }
    }

    /// The tenant that it is about, when it names one.
    pub(crate) const fn target(&self) -> Option<&TenantId> {
        match self {
            RunCommand::SetRunMode { tenant, .. } | RunCommand::ReleaseQuarantine { tenant, .. } => Some(tenant),
            RunCommand::AttachTaint { .. } | RunCommand::RecordStep { .. } => None,
        }
    }

    /// The subject that it states.
    pub(crate) fn asserted_subject(&self) -> Option<&str> {
        match self {
            RunCommand::AttachTaint { subject, .. } | RunCommand::RecordStep { subject, .. } => subject.as_deref(),
            RunCommand::SetRunMode { .. } | RunCommand::ReleaseQuarantine { .. } => None,
        }
    }

    /// Checks the shape of every field.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        admit::name("run_id", self.run_id())?;
        admit::optional(admit::subject, "subject", self.asserted_subject())?;
        match self {
            RunCommand::SetRunMode { mode: RunMode::Closed, .. } => Err(Refusal::Malformed {
                field: "mode",
                expected: "normal, restricted or quarantined; close-run closes",
            }),
            RunCommand::SetRunMode { justification, .. } | RunCommand::ReleaseQuarantine { justification, .. } => {
                admit::payload("justification", justification)
            }
            RunCommand::AttachTaint { labels, .. } if labels.is_empty() => {
                Err(Refusal::Malformed { field: "labels", expected: "at least one label" })
            }
            RunCommand::AttachTaint { labels, .. } => admit::labels(labels),
            RunCommand::RecordStep { source, labels, content_type, content, .. } => {
                admit::optional(admit::name, "source", source.as_deref())?;
                admit::labels(labels)?;
                admit::content_type(content_type)?;
                admit::payload("content", content)
            }
        }
    }

    pub(super) fn write(&self, w: &mut Writer) {
        match self {
            RunCommand::SetRunMode { tenant, run_id, mode, justification } => {
                w.text(tenant.as_str());
                w.text(run_id);
                w.u8(mode.number());
                w.bytes(justification);
            }
            RunCommand::ReleaseQuarantine { tenant, run_id, justification } => {
                w.text(tenant.as_str());
                w.text(run_id);
                w.bytes(justification);
            }
            RunCommand::AttachTaint { run_id, subject, labels } => {
                w.text(run_id);
                w.text_opt(subject.as_deref());
                write_labels(labels, w);
            }
            RunCommand::RecordStep { run_id, subject, kind, source, labels, content_type, content } => {
                w.text(run_id);
                w.text_opt(subject.as_deref());
                w.text(kind.name());
                w.text_opt(source.as_deref());
                write_labels(labels, w);
                w.text(content_type);
                w.bytes(content);
            }
        }
    }

    /// Reads what follows the tag; nothing when the tag is of another area.
    pub(super) fn read(tag: u8, r: &mut Reader<'_>) -> Result<Option<RunCommand>, CodecError> {
        let run = |r: &mut Reader<'_>| r.text("the run", NAME_BYTES_MAX);
        let subject = |r: &mut Reader<'_>| r.text_opt("the subject", SUBJECT_BYTES_MAX);
        let bytes = |r: &mut Reader<'_>, what| r.bytes(what, PAYLOAD_BYTES_MAX).map(<[u8]>::to_vec);
        Ok(Some(match tag {
            19 => RunCommand::SetRunMode {
                tenant: r.tenant("the tenant")?,
                run_id: run(r)?,
                mode: read_mode(r)?,
                justification: bytes(r, "the justification")?,
            },
            20 => RunCommand::ReleaseQuarantine {
                tenant: r.tenant("the tenant")?,
                run_id: run(r)?,
                justification: bytes(r, "the justification")?,
            },
            25 => RunCommand::AttachTaint { run_id: run(r)?, subject: subject(r)?, labels: read_labels(r)? },
            27 => RunCommand::RecordStep {
                run_id: run(r)?,
                subject: subject(r)?,
                kind: read_kind(r)?,
                source: r.text_opt("the source", NAME_BYTES_MAX)?,
                labels: read_labels(r)?,
                content_type: r.text("the content type", NAME_BYTES_MAX)?,
                content: bytes(r, "the content")?,
            },
            _ => return Ok(None),
        }))
    }
}

fn read_kind(r: &mut Reader<'_>) -> Result<StepKind, CodecError> {
    let what = "a step's kind";
    StepKind::from_name(&r.text(what, NAME_BYTES_MAX)?).ok_or(CodecError::Invalid { what })
}
