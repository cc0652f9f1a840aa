//! The auditor's part: the nodes are stopped, the anchored data is verified offline, and forged copies of it are, too.

use std::fs;

use super::{Demo, within};
use crate::commands::Program;
use crate::drive::Outcome;
use crate::error::{DemoError, Result};
use crate::forge;
use crate::verify::{Verification, verify};

/// Where what an auditor keeps outside the archive lies.
const OUTSIDE: &str = "outside";

impl Demo {
    /// Keeps a checkpoint outside, stops the nodes, verifies, forges and verifies again.
    pub(super) async fn audit(&mut self, outcome: &Outcome) -> Result<()> {
        self.screen.step("An auditor keeps the newest checkpoint elsewhere; then the nodes are stopped");
        let size = self.keep_checkpoint().await?;
        self.cluster.wait_anchored(size).await?;
        self.cluster.stop_all().await?;
        self.screen.note(&format!("checkpoint of size {size} kept in {OUTSIDE}/checkpoint; no node runs any more"));

        self.screen
            .step("Offline verification of the anchored data, with the root key, the checkpoint and all receipts");
        let receipts = self.receipts();
        let receipts = within(&receipts, self.cluster.dir()).into_owned();
        let checkpoint = format!("{OUTSIDE}/checkpoint");
        let outside = ["--known-checkpoint", checkpoint.as_str()];
        let report = self.verify("worm", &[&outside[..], &["--receipt", &receipts]].concat()).await?;
        let (given, confirmed) = (&report.coverage.receipts.given, &report.coverage.receipts.confirmed);
        self.screen.note(&format!("{confirmed} of {given} receipts confirmed"));
        let all = outcome.acknowledged.len().to_string();
        let value = format!("{}, {confirmed} of {given} receipts confirmed", report.headline);
        self.summary.check("offline verification", value, report.exit_code == 0 && *given == all && *confirmed == all);

        self.forge(&outside).await?;
        self.cut(&outside, size).await
    }

    /// The newest cosigned checkpoint, verified by the command line and kept outside the archive; gives its size.
    async fn keep_checkpoint(&self) -> Result<u64> {
        let folder = self.cluster.dir().join(OUTSIDE);
        fs::create_dir_all(&folder).map_err(|e| DemoError::at(&folder, e))?;
        let file = format!("{OUTSIDE}/checkpoint");
        let args = ["--config", "client.toml", "checkpoint", "--out", &file];
        self.cluster.commands().run(Program::Assent, &args).await?;
        let path = self.cluster.dir().join(&file);
        let note = fs::read_to_string(&path).map_err(|e| DemoError::at(&path, e))?;
        // A checkpoint's second line is its size.
        let size = note.lines().nth(1).and_then(|line| line.parse().ok());
        size.ok_or_else(|| DemoError::at(&path, "no checkpoint"))
    }

    async fn verify(&self, folder: &str, outside: &[&str]) -> Result<Verification> {
        let args = [&[folder, "--root-key", "keys/root.pub"], outside].concat();
        let report = verify(self.cluster.commands(), &args).await?;
        self.screen.note(&format!("{} (exit code {})", report.headline, report.exit_code));
        if let Some(finding) = report.findings.first().filter(|_| report.exit_code != 0) {
            self.screen.note(&finding.detail);
        }
        Ok(report)
    }

    /// One byte of one record in a copy.
    async fn forge(&mut self, outside: &[&str]) -> Result<()> {
        self.screen.step("A forger changes one byte of one recorded decision, in a copy of the anchored data");
        let copy = self.cluster.dir().join("forged");
        forge::copy(&self.cluster.worm_dir(), &copy)?;
        let forged = forge::change_one_record(&copy)?;
        self.screen.note(&format!("entry {}: tool {:?} becomes {:?}", forged.seq, forged.before, forged.after));
        let report = self.verify("forged", outside).await?;
        let named = report.names("leaf-edited", forged.seq);
        self.summary.check("one byte forged", format!("entry {} forged: {}", forged.seq, report.headline), named);
        Ok(())
    }

    /// The newest span gone from another copy.
    async fn cut(&mut self, outside: &[&str], size: u64) -> Result<()> {
        self.screen.step("Somebody cuts the tail: the newest span is gone from another copy");
        let copy = self.cluster.dir().join("cut");
        forge::copy(&self.cluster.worm_dir(), &copy)?;
        // What was sealed after the checkpoint was kept proves nothing about it: the cut goes to below its size.
        let mut cut = forge::cut_tail(&copy)?;
        while cut.start.0 >= size {
            cut = forge::cut_tail(&copy)?;
        }
        self.screen.note(&format!("entries from {} on are deleted", cut.start));
        let alone = self.verify("cut", &[]).await?;
        self.screen.note("the copy alone cannot tell; the checkpoint that was kept outside can:");
        let report = self.verify("cut", outside).await?;
        let named = report.names("tail-cut", cut.start.0) && alone.exit_code == 0;
        self.summary.check("tail cut", format!("cut at entry {}: {}", cut.start, report.headline), named);
        Ok(())
    }
}
