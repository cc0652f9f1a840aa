//! The claims desk's chapter: its steps are played, sealed and exported; then the record is decided again offline, asked under a stricter
//! bundle, and decided once more after a payload was erased.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use assent_ledger::entry::EntryView;
use assent_ledger::hash::Hash;
use serde::Deserialize;

use super::Demo;
use crate::commands::Program;
use crate::desk;
use crate::error::{DemoError, Result};
use crate::fleet::Fleet;
use crate::replay::{self, Replayed};

/// The folder of the desk within the fleet's, and of its export within the cluster's.
const DESK: &str = "claims";
const EXPORT: &str = "export";
/// The name of the ledger's auditor, who may read every entry and payload.
const AUDITOR: &str = "ledger-auditor";

/// `flips.json`: what the fleet's own second reading of the two bundles says.
#[derive(Debug, Deserialize)]
struct Expected {
    total: u64,
    flips: Vec<ExpectedFlips>,
}

#[derive(Debug, Deserialize)]
struct ExpectedFlips {
    recorded: String,
    now: String,
    by: String,
    calls: u64,
}

impl Demo {
    fn desk(&self) -> PathBuf {
        self.options.fleet.join(DESK)
    }

    /// The whole chapter.
    pub(super) async fn claims(&mut self) -> Result<()> {
        let payout = self.play().await?;
        let tenant = "dunmore";
        self.export(tenant).await?;
        self.screen.step("The record decided again, offline: every command of the desk, from the anchored spans");
        let again = self.replay(tenant).await?;
        let value = format!(
            "{} commands decided again, {} calls among them: {} differences, {} not replayable",
            again.commands, again.decisions, again.contradictions, again.not_replayable
        );
        self.summary.check("replay", value, again.agrees());
        self.what_if(tenant).await?;
        self.erase(tenant, payout).await
    }

    /// Puts the desk on the ledger and plays its steps; gives the entry of a payout that was allowed at once.
    async fn play(&mut self) -> Result<u64> {
        self.screen.step("The claims desk: people answer, executors redeem and report, agents remember");
        let fleet = Fleet::read(&self.desk())?;
        fleet.settle(&self.cluster).await?;
        let played = desk::play(desk::read(&self.desk().join("claims.jsonl"))?, &fleet.clients(&self.cluster)?).await?;
        let acts: Vec<String> = played.acts.iter().map(|(act, n)| format!("{n} {act:?}").to_lowercase()).collect();
        let verdicts: Vec<String> = played.verdicts.iter().map(|(verdict, n)| format!("{n} {verdict}")).collect();
        self.screen.note(&format!("{} steps: {}", played.steps(), acts.join(", ")));
        self.screen.note(&format!("the calls, as they were decided first: {}", verdicts.join(", ")));
        for difference in &played.differences {
            self.screen.note(&format!("not as expected: {difference}"));
        }
        let value = format!(
            "{} of {} steps as the stories' author expects ({})",
            played.steps() - played.different,
            played.steps(),
            verdicts.join(", ")
        );
        self.summary.check("claims desk", value, played.different == 0 && played.verdicts.len() == 4);
        self.seal_now().await?;
        played.payout.ok_or_else(|| DemoError::new("no payout was allowed"))
    }

    /// Exports the ledger as its auditor, with the tenant's payloads in the clear.
    async fn export(&self, tenant: &str) -> Result<()> {
        let token = crate::fleet::settle_auditor(&self.cluster, AUDITOR).await?;
        let token = super::within(&token, self.cluster.dir()).into_owned();
        let args = [
            "--config",
            "client.toml",
            "--token-file",
            &token,
            "--deadline",
            "60",
            "export",
            EXPORT,
            "--payloads",
            "--tenant",
            tenant,
        ];
        let said = self.cluster.commands().run(Program::Assent, &args).await?;
        self.screen.note(said.trim_end());
        Ok(())
    }

    async fn replay(&self, tenant: &str) -> Result<Replayed> {
        let payloads = format!("{EXPORT}/payloads");
        let args = ["worm", "--root-key", "keys/root.pub", "--payloads", &payloads, "--tenant", tenant];
        let replayed = replay::replay(self.cluster.commands(), &args).await?;
        for finding in &replayed.findings {
            self.screen.note(finding);
        }
        self.screen.note(&replayed.said);
        Ok(replayed)
    }

    /// Which of the desk's calls come out differently under the stricter bundle, and by which rule.
    async fn what_if(&mut self, tenant: &str) -> Result<()> {
        self.screen
            .step("What if? The same calls under a stricter bundle, each on what the record had come to before it");
        let (payloads, bundle) = (format!("{EXPORT}/payloads"), self.desk().join("stricter.yaml"));
        // Beside the cluster, so that the command line that is shown can be typed again.
        let copied = self.cluster.dir().join("stricter.yaml");
        fs::copy(&bundle, &copied).map_err(|e| DemoError::at(&bundle, e))?;
        let args = [
            "worm",
            "--root-key",
            "keys/root.pub",
            "--payloads",
            &payloads,
            "--tenant",
            tenant,
            "--bundle",
            "stricter.yaml",
        ];
        let asked = replay::what_if(self.cluster.commands(), &args).await?;
        self.screen.note(&format!("{:<10} {:<10} {:<28} {:>5}", "RECORDED", "NOW", "BY", "CALLS"));
        for ((recorded, now, by), calls) in &asked.flips {
            self.screen.note(&format!("{recorded:<10} {now:<10} {by:<28} {calls:>5}"));
        }
        let file = self.desk().join("flips.json");
        let text = fs::read(&file).map_err(|e| DemoError::at(&file, e))?;
        let expected: Expected = serde_json::from_slice(&text).map_err(|e| DemoError::at(&file, e))?;
        let rows = expected.flips.into_iter().map(|row| ((row.recorded, row.now, row.by), row.calls));
        let same = asked.flips == rows.collect::<BTreeMap<_, _>>() && asked.flipped == expected.total;
        let value = format!(
            "{} calls asked again, {} come out differently by {} rules, as the second reading of the bundles says",
            asked.asked,
            asked.flipped,
            asked.flips.keys().map(|(_, _, by)| by).collect::<std::collections::BTreeSet<_>>().len()
        );
        self.summary.check("what-if", value, same && asked.not_replayable == 0 && asked.flipped > 0);
        Ok(())
    }

    /// Erases what an agent sent, and looks at what of the record is left.
    async fn erase(&mut self, tenant: &str, seq: u64) -> Result<()> {
        self.screen.step("A customer asks to be forgotten: the arguments of one payout are erased");
        let commitment = self.input_of(seq)?.to_string();
        let seq_text = seq.to_string();
        let args = [
            "--config",
            "client.toml",
            "payload",
            "erase",
            "--tenant",
            tenant,
            "--seq",
            &seq_text,
            "--commitment",
            &commitment,
            "--because",
            "asked-by-the-customer",
        ];
        self.cluster.commands().run(Program::Assent, &args).await?;
        self.seal_now().await?;
        // The auditor's earlier copy could still be read: the export is made anew, and what was erased is in it no more.
        self.export(tenant).await?;
        let replayed = self.replay(tenant).await?;
        let named = matches!(replayed.findings.as_slice(), [one] if one.starts_with(&format!("NOT_REPLAYABLE at entry {seq} ")));
        let valid = replayed.verified.starts_with("VALID");
        let value = format!(
            "entry {seq}: {} differences, {} not replayable; {}",
            replayed.contradictions, replayed.not_replayable, replayed.verified
        );
        let only = replayed.contradictions == 0 && replayed.not_replayable == 1;
        self.summary.check("payload erased", value, named && valid && only);
        Ok(())
    }

    /// The commitment to a decision's arguments, from the export.
    fn input_of(&self, seq: u64) -> Result<Hash> {
        let path = self.cluster.dir().join(EXPORT).join("entries.jsonl");
        let text = fs::read_to_string(&path).map_err(|e| DemoError::at(&path, e))?;
        let line = usize::try_from(seq).ok().and_then(|at| text.lines().nth(at));
        let line = line.ok_or_else(|| DemoError::at(&path, format!("no entry {seq}")))?;
        let view = EntryView::parse(line.as_bytes()).map_err(|e| DemoError::at(&path, e))?;
        let input = view.payloads().find(|payload| payload.role == "input").map(|payload| payload.commitment);
        input.ok_or_else(|| DemoError::at(&path, format!("entry {seq} has no arguments")))
    }
}
