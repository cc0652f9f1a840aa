//! What the demonstration shows: numbered steps, notes below them, and one progress line that renews itself on a terminal.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use assent_ledger::ids::NodeId;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::drive::Progress;

/// How often the progress line is renewed on a terminal.
const RENEW_EVERY: Duration = Duration::from_secs(1);
/// How often progress is shown where lines stay.
const LINE_EVERY: Duration = Duration::from_secs(3);

/// Standard output. Failing to write is no reason to stop: the exit code tells how it went.
#[derive(Debug)]
pub struct Screen {
    terminal: bool,
    steps: AtomicU32,
    /// Whether the cursor is in a progress line; held while writing.
    in_progress: Mutex<bool>,
}

impl Default for Screen {
    fn default() -> Self {
        Screen { terminal: io::stdout().is_terminal(), steps: AtomicU32::new(0), in_progress: Mutex::new(false) }
    }
}

impl Screen {
    /// Begins the next step.
    pub fn step(&self, title: &str) {
        let number = self.steps.fetch_add(1, Ordering::Relaxed) + 1;
        self.line(&format!("\n{number:>2}  {title}"));
    }

    /// A line below a step.
    pub fn note(&self, text: &str) {
        self.line(&format!("    {text}"));
    }

    /// A command line that is about to be run.
    pub fn command(&self, line: &str) {
        self.note(&format!("$ {line}"));
    }

    /// A line from the margin.
    pub fn line(&self, text: &str) {
        self.write(text, false);
    }

    fn write(&self, text: &str, progress: bool) {
        // A panic while writing leaves nothing that matters behind.
        let mut in_progress = self.in_progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let clear = if *in_progress { "\r\x1b[2K" } else { "" };
        let end = if progress { "" } else { "\n" };
        let mut out = io::stdout().lock();
        let _ = write!(out, "{clear}{text}{end}").and_then(|()| out.flush());
        *in_progress = progress;
    }

    /// Shows how a drive goes on, until it is dropped.
    pub async fn show(&self, progress: watch::Receiver<Progress>, total: usize, names: &BTreeMap<NodeId, String>) {
        let mut ticks = interval(if self.terminal { RENEW_EVERY } else { LINE_EVERY });
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        let (mut before, mut since) = (0u64, Instant::now());
        loop {
            ticks.tick().await;
            let Progress { done, signer } = *progress.borrow();
            let rate = (done - before) as f64 / since.elapsed().as_secs_f64();
            (before, since) = (done, Instant::now());
            let leader = signer.and_then(|id| names.get(&id)).map_or("-", String::as_str);
            let percent = done * 100 / (total as u64).max(1);
            let text = format!("    {done:>6} of {total} ({percent:>3} %)  {rate:>6.0} decisions/s  leader {leader}");
            self.write(&text, self.terminal);
        }
    }
}
