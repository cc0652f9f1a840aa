//! The envelope around a call on the command line: what else the caller says about it. None of it is trusted; it may only tighten.

use assent_client::v1;
use assent_ledger::hash::Hash;
use clap::Args;

use crate::label::LabelArgs;
use crate::output::CliError;

/// What else the caller says.
#[derive(Debug, Args)]
#[command(next_help_heading = "Envelope")]
pub struct EnvelopeArgs {
    /// The decision in whose execution this call is made
    #[arg(long, value_name = "DECISION", default_value = "", hide_default_value = true)]
    parent_decision: String,
    /// On whose behalf, from the nearest to the origin; may be repeated
    #[arg(long = "on-behalf-of", value_name = "SUBJECT")]
    on_behalf_of: Vec<String>,
    #[command(flatten)]
    labels: LabelArgs,
    /// What the caller believes its risk to be, in thousandths; counts only when it is higher than what is known
    #[arg(long, value_name = "THOUSANDTHS")]
    risk: Option<u32>,
    /// Tokens that the call will use
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    tokens: u64,
    /// What the call will cost, in millionths of a US dollar
    #[arg(long, value_name = "MICRO_USD", default_value_t = 0)]
    cost: u64,
    /// An approval that the caller holds for this very call
    #[arg(long, value_name = "APPROVAL", default_value = "", hide_default_value = true)]
    approval: String,
    /// The same effect twice is denied
    #[arg(long, value_name = "KEY", default_value = "", hide_default_value = true)]
    idempotency_key: String,
    /// A digest of something that the agent consists of, such as image_digest=HASH; may be repeated
    #[arg(long = "claim", value_name = "NAME=HASH")]
    claims: Vec<String>,
    /// An obligation that the enforcement point can fulfil; may be repeated; `none` alone: it can fulfil none
    #[arg(long, value_name = "KIND")]
    fulfils: Vec<String>,
    /// The agent enforces in its own process
    #[arg(long)]
    cooperative: bool,
}

impl EnvelopeArgs {
    /// The envelope; nothing when nothing is said.
    pub fn read(self) -> Result<Option<v1::CallContext>, CliError> {
        let used = v1::Usage { tokens: self.tokens, cost_micro_usd: self.cost };
        let context = v1::CallContext {
            parent_decision: self.parent_decision,
            on_behalf_of: self.on_behalf_of,
            taint: self.labels.read()?,
            orm_risk_score_milli: self.risk,
            usage: (used != v1::Usage::default()).then_some(used),
            approval_id: self.approval,
            tool_idempotency_key: self.idempotency_key,
            claims: self.claims.iter().map(|text| claim(text)).collect::<Result<_, _>>()?,
            fulfils: fulfils(self.fulfils),
            cooperative: self.cooperative,
            ..v1::CallContext::default()
        };
        Ok((context != v1::CallContext::default()).then_some(context))
    }
}

fn fulfils(kinds: Vec<String>) -> Option<v1::Obligations> {
    match kinds.as_slice() {
        [] => None,
        [one] if one == "none" => Some(v1::Obligations::default()),
        _ => Some(v1::Obligations { types: kinds }),
    }
}

fn claim(text: &str) -> Result<v1::Claim, CliError> {
    let wrong = || CliError::Usage(format!("--claim {text}: give NAME=HASH, the hash as 64 hexadecimal characters"));
    let (name, digest) = text.split_once('=').ok_or_else(wrong)?;
    let digest: Hash = digest.parse().map_err(|_| wrong())?;
    Ok(v1::Claim { name: name.to_owned(), digest: digest.as_bytes().to_vec().into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        envelope: EnvelopeArgs,
    }

    fn read(args: &[&str]) -> Result<Option<v1::CallContext>, CliError> {
        Line::parse_from([&["x"], args].concat()).envelope.read()
    }

    #[test]
    fn an_envelope_that_says_nothing_is_not_sent() {
        assert_eq!(read(&[]).unwrap(), None);
    }

    #[test]
    fn what_is_said_is_sent() {
        let hash = "0a".repeat(32);
        let claim = format!("image_digest={hash}");
        let args = ["--label", "web:a.example", "--on-behalf-of", "a", "--on-behalf-of", "b", "--claim", &claim];
        let context = read(&[&args[..], &["--fulfils", "log", "--tokens", "7"]].concat()).unwrap().unwrap();
        assert_eq!((context.taint.len(), context.on_behalf_of.join(" ").as_str()), (1, "a b"));
        assert_eq!(context.claims[0].digest.as_ref(), [10; 32]);
        assert_eq!((context.fulfils.unwrap().types.join(" ").as_str(), context.usage.unwrap().tokens), ("log", 7));
        let none = read(&["--fulfils", "none"]).unwrap().unwrap();
        assert_eq!(none.fulfils, Some(v1::Obligations::default()));
        assert!(read(&["--claim", "image_digest"]).unwrap_err().to_string().contains("give NAME=HASH"));
    }
}
