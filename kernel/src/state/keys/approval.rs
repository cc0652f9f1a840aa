//! A call that waits for people: `Approval(tenant, approval id)`. It stays after it was answered, so that it is used once.

use assent_ledger::hash::Hash;
use assent_ledger::ids::{Seq, Time};

use crate::codec::{CodecError, Reader, Writer};
use crate::limits::{
    APPROVAL_ROLES_MAX, APPROVERS_MAX, CHAIN_MAX, CONDITION_BYTES_MAX, CONDITIONS_MAX, NAME_BYTES_MAX,
    SUBJECT_BYTES_MAX,
};
use crate::state::record::RecordCodec;

use super::lease::{read_texts, write_texts};

/// An approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRecord {
    /// How far it has come.
    pub status: ApprovalStatus,
    /// The decision that the caller got: its answer is what this approval changes.
    pub decision: String,
    /// Whose call it is.
    pub subject: String,
    /// On whose behalf, from the nearest to the origin.
    pub chain: Vec<String>,
    /// The run.
    pub run_id: Option<String>,
    /// The environment.
    pub environment: String,
    /// The tool.
    pub tool: String,
    /// The policy that asked for it, as of `policy_hash`; under another one it is void.
    pub policy: Hash,
    /// Roles of which each must be held by one of those who agree; empty: any approver.
    pub roles: Vec<String>,
    /// How many have to agree.
    pub required: u32,
    /// Arguments that an approver may change; empty: any.
    pub fields: Vec<String>,
    /// From when on it is too late.
    pub expires: Time,
    /// Who has agreed to the call as it stands.
    pub votes: Vec<Vote>,
    /// What those who agreed have set as a condition, each once.
    pub conditions: Vec<String>,
}

/// One person's agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// Who.
    pub approver: String,
    /// In which of the roles that are asked for.
    pub roles: Vec<String>,
    /// Name of the credential with which the person agreed.
    pub credential: String,
    /// Position of the answer's entry.
    pub seq: Seq,
}

/// How far an approval has come. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ApprovalStatus {
    /// It waits.
    Pending = 1,
    /// It was given and used: the call was decided anew.
    Used = 2,
    /// Somebody said no.
    Denied = 3,
    /// Nobody answered in time.
    Expired = 4,
    /// What it was asked for is no longer so: another policy, or the run or the agent was stopped.
    Void = 5,
}

impl ApprovalStatus {
    /// Every status, by ascending number.
    pub const ALL: [ApprovalStatus; 5] = [
        ApprovalStatus::Pending,
        ApprovalStatus::Used,
        ApprovalStatus::Denied,
        ApprovalStatus::Expired,
        ApprovalStatus::Void,
    ];

    /// The number that is stored.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The status of a number.
    pub fn from_number(number: u8) -> Option<ApprovalStatus> {
        ApprovalStatus::ALL.into_iter().find(|status| status.number() == number)
    }

    /// The name in entries and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            ApprovalStatus::Pending => "pending",
            ApprovalStatus::Used => "used",
            ApprovalStatus::Denied => "denied",
            ApprovalStatus::Expired => "expired",
            ApprovalStatus::Void => "void",
        }
    }

    /// The status of a name.
    pub fn from_name(name: &str) -> Option<ApprovalStatus> {
        ApprovalStatus::ALL.into_iter().find(|status| status.name() == name)
    }
}

impl RecordCodec for ApprovalRecord {
    const VERSION: u8 = 2;

    fn write(&self, w: &mut Writer) {
        w.u8(self.status.number());
        w.text(&self.decision);
        w.text(&self.subject);
        write_texts(&self.chain, w);
        w.text_opt(self.run_id.as_deref());
        w.text(&self.environment);
        w.text(&self.tool);
        w.fixed(&self.policy.0);
        write_texts(&self.roles, w);
        w.u32(self.required);
        write_texts(&self.fields, w);
        w.u64(self.expires.0);
        w.count(self.votes.len());
        for vote in &self.votes {
            w.text(&vote.approver);
            write_texts(&vote.roles, w);
            w.text(&vote.credential);
            w.u64(vote.seq.0);
        }
        write_texts(&self.conditions, w);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        let status = r.u8("the status")?;
        Ok(ApprovalRecord {
            status: ApprovalStatus::from_number(status)
                .ok_or(CodecError::Choice { what: "the status", got: u64::from(status) })?,
            decision: r.text("the decision", NAME_BYTES_MAX)?,
            subject: r.text("the subject", SUBJECT_BYTES_MAX)?,
            chain: read_texts(r, "the chain", CHAIN_MAX, SUBJECT_BYTES_MAX)?,
            run_id: r.text_opt("the run", NAME_BYTES_MAX)?,
            environment: r.text("the environment", NAME_BYTES_MAX)?,
            tool: r.text("the tool", NAME_BYTES_MAX)?,
            policy: r.hash("the policy")?,
            roles: read_texts(r, "the roles", APPROVAL_ROLES_MAX, NAME_BYTES_MAX)?,
            required: r.u32("the required")?,
            fields: read_texts(r, "the fields", APPROVAL_ROLES_MAX, NAME_BYTES_MAX)?,
            expires: r.time("the expiry")?,
            votes: read_votes(r)?,
            conditions: read_texts(r, "the conditions", CONDITIONS_MAX, CONDITION_BYTES_MAX)?,
        })
    }
}

fn read_votes(r: &mut Reader<'_>) -> Result<Vec<Vote>, CodecError> {
    let count = r.count("the votes", APPROVERS_MAX)?;
    let vote = |r: &mut Reader<'_>| {
        Ok(Vote {
            approver: r.text("an approver", SUBJECT_BYTES_MAX)?,
            roles: read_texts(r, "an approver's roles", APPROVAL_ROLES_MAX, NAME_BYTES_MAX)?,
            credential: r.text("an approver's credential", NAME_BYTES_MAX)?,
            seq: r.seq("an answer")?,
        })
    };
    (0..count).map(|_| vote(r)).collect()
}
