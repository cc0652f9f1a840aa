//! What Prometheus is told. Counters and histograms are kept here; what the node knows anyway is read when it is asked for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use assent_kernel::verdict::Verdict;
use openraft::async_runtime::watch::WatchReceiver;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::Api;
use super::under_way::UnderWay;
use crate::batcher::Settled;
use crate::node::Node;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerdictLabels {
    verdict: &'static str,
    replayed: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabels {
    code: String,
}

type Number = Gauge<u64, AtomicU64>;

/// Every metric of a node.
pub struct Metrics {
    registry: Registry,
    decisions: Family<VerdictLabels, Counter>,
    refused: Family<CodeLabels, Counter>,
    batch_commands: Histogram,
    commit_seconds: Histogram,
    /// Size of the ledger after the newest batch that was counted: each batch is counted once, whoever of it comes first.
    counted_size: AtomicU64,
    entries: Number,
    sealed: Number,
    cosigned: Number,
    anchored: Number,
    term: Number,
    leader: Number,
    applied_index: Number,
    lag: Number,
    fenced: Number,
    under_way: Number,
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics::new()
    }
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("assent");
        let metrics = Metrics {
            decisions: Family::default(),
            refused: Family::default(),
            batch_commands: Histogram::new(exponential_buckets(1.0, 2.0, 13)),
            commit_seconds: Histogram::new(exponential_buckets(0.000_5, 2.0, 15)),
            counted_size: AtomicU64::new(0),
            entries: Number::default(),
            sealed: Number::default(),
            cosigned: Number::default(),
            anchored: Number::default(),
            term: Number::default(),
            leader: Number::default(),
            applied_index: Number::default(),
            lag: Number::default(),
            fenced: Number::default(),
            under_way: Number::default(),
            registry: Registry::default(),
        };
        let r = &mut registry;
        r.register("decisions", "Decisions that were committed and answered here", metrics.decisions.clone());
        r.register("refused", "Calls that failed, by the error's name", metrics.refused.clone());
        r.register("batch_commands", "Commands per Raft entry", metrics.batch_commands.clone());
        r.register("commit_seconds", "From queued to committed and applied", metrics.commit_seconds.clone());
        r.register("entries", "Entries of the ledger applied here", metrics.entries.clone());
        r.register("sealed_size", "Size of the newest sealed checkpoint", metrics.sealed.clone());
        r.register("cosigned_size", "Size of the newest co-signed checkpoint", metrics.cosigned.clone());
        r.register("anchored_size", "Size of the newest anchored checkpoint", metrics.anchored.clone());
        r.register("raft_term", "Raft's term", metrics.term.clone());
        r.register("raft_leader", "1 while this node leads", metrics.leader.clone());
        r.register("raft_applied_index", "Index of the last applied Raft entry", metrics.applied_index.clone());
        r.register("raft_lag", "Raft entries in the log that are not applied yet", metrics.lag.clone());
        r.register("fenced", "1 when a quorum contradicts this node's record", metrics.fenced.clone());
        r.register("commands_under_way", "Requests that are queued or being committed", metrics.under_way.clone());
        Metrics { registry, ..metrics }
    }

    /// A decision is about to be answered.
    pub fn decided(&self, verdict: Verdict, replayed: bool) {
        let labels = VerdictLabels { verdict: verdict.name(), replayed: if replayed { "true" } else { "false" } };
        self.decisions.get_or_create(&labels).inc();
    }

    /// A call failed.
    pub fn refused(&self, code: &str) {
        self.refused.get_or_create(&CodeLabels { code: code.to_owned() }).inc();
    }

    /// A command was committed and applied.
    pub fn committed(&self, settled: &Settled, took: Duration) {
        self.commit_seconds.observe(took.as_secs_f64());
        let size = settled.batch.head.head.size.0;
        if self.counted_size.fetch_max(size, Ordering::Relaxed) < size {
            // A batch has at most a few thousand commands.
            self.batch_commands.observe(settled.batch.answers.len() as f64);
        }
    }

    fn observe(&self, node: &Node, under_way: &UnderWay) {
        let progress = node.store().progress().borrow().clone();
        self.entries.set(progress.size.0);
        self.sealed.set(progress.sealed.0);
        self.cosigned.set(progress.cosigned.0);
        self.anchored.set(progress.anchored.0);
        self.applied_index.set(progress.applied_index);
        let raft = node.raft().metrics();
        let raft = raft.borrow_watched();
        self.term.set(raft.current_term);
        self.lag.set(raft.last_log_index.unwrap_or(0).saturating_sub(progress.applied_index));
        self.leader.set(u64::from(raft.current_leader == Some(node.id().0)));
        self.fenced.set(u64::from(node.fence().is_up()));
        self.under_way.set(under_way.len() as u64);
    }

    fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Api {
    /// Every metric as text, in the OpenMetrics format.
    pub(super) fn metrics_text(&self) -> Result<String, std::fmt::Error> {
        self.metrics.observe(&self.node, &self.under_way);
        self.metrics.encode()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_shown() {
        let metrics = Metrics::new();
        metrics.decided(Verdict::Deny, false);
        metrics.decided(Verdict::Deny, false);
        metrics.decided(Verdict::Allow, true);
        metrics.refused("OVERLOADED");
        let text = metrics.encode().unwrap();
        for line in [
            r#"assent_decisions_total{verdict="deny",replayed="false"} 2"#,
            r#"assent_decisions_total{verdict="allow",replayed="true"} 1"#,
            r#"assent_refused_total{code="OVERLOADED"} 1"#,
            "assent_fenced 0",
            "# EOF",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
