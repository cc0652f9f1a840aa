//! Answers of people to calls that wait for them.

use super::Role;
use super::context::{read_texts, write_texts};
use crate::admit;
use crate::codec::{CodecError, Reader, Writer};
use crate::limits::{CONDITION_BYTES_MAX, CONDITIONS_MAX, INPUTS_BYTES_MAX, JUSTIFICATION_BYTES_MAX, NAME_BYTES_MAX};
use crate::refusal::Refusal;

/// A person's answer. Approver, or an agent's or admin's credential whose subject the bundle names as an approver.
#[derive(Clone, PartialEq, Eq)]
pub struct ApprovalCommand {
    /// The approval.
    pub approval: String,
    /// The answer.
    pub action: ApprovalAction,
    /// Under which conditions, each `name:value`, such as `max_amount_usd:5000`.
    pub conditions: Vec<String>,
    /// Why, in words; a payload of the entry.
    pub justification: Vec<u8>,
}

/// What a person answers. The numbers are stored.
#[derive(Clone, PartialEq, Eq)]
pub enum ApprovalAction {
    /// Yes.
    Approve,
    /// No; one is enough.
    Deny,
    /// Yes to the same tool with these arguments: all of them, byte for byte. What others agreed to before counts no more.
    Modify(Vec<u8>),
    /// Neither; the reason says what is missing.
    RequestMoreInfo,
}

impl ApprovalAction {
    /// The name in entries and on the wire.
    pub const fn name(&self) -> &'static str {
        match self {
            ApprovalAction::Approve => "approve",
            ApprovalAction::Deny => "deny",
            ApprovalAction::Modify(_) => "modify",
            ApprovalAction::RequestMoreInfo => "request_more_info",
        }
    }

    /// Every name.
    pub const NAMES: [&'static str; 4] = ["approve", "deny", "modify", "request_more_info"];

    const fn number(&self) -> u8 {
        match self {
            ApprovalAction::Approve => 1,
            ApprovalAction::Deny => 2,
            ApprovalAction::Modify(_) => 3,
            ApprovalAction::RequestMoreInfo => 4,
        }
    }
}

impl core::fmt::Debug for ApprovalCommand {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Arguments, conditions and justifications are data: they never get into a log.
        write!(f, "ApprovalCommand({} {})", self.action.name(), self.approval)
    }
}

impl ApprovalCommand {
    pub(super) const TAG: u8 = 24;

    /// The command's name in refusals and metrics.
    pub const NAME: &'static str = "resolve-approval";

    /// The roles that may give it; whether this person may is decided and recorded.
    pub(crate) const PERMITTED: &'static [Role] = &[Role::Approver, Role::TenantAdmin, Role::Agent];

    /// Checks the shape of every field.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        admit::name("approval", &self.approval)?;
        let shaped = |text: &String| text.len() <= CONDITION_BYTES_MAX && split_condition(text).is_some();
        if self.conditions.len() > CONDITIONS_MAX || !self.conditions.iter().all(shaped) {
            let expected = "a list of at most 16 texts of the form name:value, of letters, digits and . _ : / @ # -";
            return Err(Refusal::Malformed { field: "conditions", expected });
        }
        if matches!(&self.action, ApprovalAction::Modify(inputs) if inputs.len() > INPUTS_BYTES_MAX) {
            return Err(Refusal::Malformed { field: "inputs", expected: "at most 1 MiB" });
        }
        admit::reason("justification", &self.justification)
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.text(&self.approval);
        w.u8(self.action.number());
        if let ApprovalAction::Modify(inputs) = &self.action {
            w.bytes(inputs);
        }
        write_texts(&self.conditions, w);
        w.bytes(&self.justification);
    }

    /// Reads what follows the tag; nothing when the tag is of another area.
    pub(super) fn read(tag: u8, r: &mut Reader<'_>) -> Result<Option<ApprovalCommand>, CodecError> {
        if tag != ApprovalCommand::TAG {
            return Ok(None);
        }
        Ok(Some(ApprovalCommand {
            approval: r.text("the approval", NAME_BYTES_MAX)?,
            action: match r.u8("the answer")? {
                1 => ApprovalAction::Approve,
                2 => ApprovalAction::Deny,
                3 => ApprovalAction::Modify(r.bytes("the inputs", INPUTS_BYTES_MAX)?.to_vec()),
                4 => ApprovalAction::RequestMoreInfo,
                got => return Err(CodecError::Choice { what: "the answer", got: u64::from(got) }),
            },
            conditions: read_texts(r, "the conditions", CONDITIONS_MAX, CONDITION_BYTES_MAX)?,
            justification: r.bytes("the justification", JUSTIFICATION_BYTES_MAX)?.to_vec(),
        }))
    }
}

/// The name and the value of a condition; nothing when it does not have that shape.
pub fn split_condition(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once(':')?;
    let shaped = |text: &str| admit::name("condition", text).is_ok();
    (shaped(name) && shaped(value)).then_some((name, value))
}
