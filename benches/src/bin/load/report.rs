//! The report: Markdown for `benches/results/`, and a line a phase for the terminal.

use core::fmt::Write as _;
use std::time::Duration;

use assent_fleet_demo::histogram::Histogram;

use crate::drive::Measured;
use crate::machine::Facts;
use crate::options::Options;
use crate::probe::Probe;

/// Everything that was measured.
pub struct Report {
    facts: Facts,
    measured: Vec<Measured>,
    probes: Vec<(&'static str, Probe)>,
}

const HEADER: &str = "| per request | clients | decisions/s | p50 ms | p90 ms | p99 ms | longest ms | CPU µs per decision: leader | \
                      followers | load generator | not allowed | failed |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";

const HONESTY: &str = "Three nodes and the load generator share one machine and its disk: the load generator's CPU time, shown beside the \
                       nodes', is missing to the nodes, and each fsync of one node waits for those of the others. Clients are closed \
                       loops: each sends its next request when the last is answered. Latency is that of a whole request.\n";

impl Report {
    /// A report about this machine.
    pub fn new(facts: Facts) -> Self {
        Report { facts, measured: Vec::new(), probes: Vec::new() }
    }

    /// Adds a phase; gives its line for the terminal.
    pub fn add(&mut self, measured: Measured) -> String {
        let line = row(&measured);
        self.measured.push(measured);
        line.trim_end().to_owned()
    }

    /// Adds what fsync took before and after the phases.
    pub fn fsync(&mut self, before: Probe, after: Probe) {
        self.probes = vec![("before", before), ("after", after)];
    }

    /// The whole report.
    pub fn text(&self, options: &Options) -> String {
        let mut out = "# Load on three nodes\n\n".to_owned();
        for (what, value) in &self.facts {
            line(&mut out, format_args!("- {what}: {value}"));
        }
        line(&mut out, format_args!("- command: `{}`", command()));
        let verified =
            if options.verify { "verified by the clients" } else { "made and sent, not verified by the clients" };
        line(&mut out, format_args!("- receipts: {verified}"));
        line(
            &mut out,
            format_args!("- calls: `mail.send` of the example fleet's tenant acme, inputs of 512 bytes, all allowed"),
        );
        if let Some(note) = &options.note {
            line(&mut out, format_args!("- note: {note}"));
        }
        out.push('\n');
        out.push_str(HONESTY);
        out.push('\n');
        out.push_str(HEADER);
        self.measured.iter().for_each(|measured| out.push_str(&row(measured)));
        self.memory(&mut out);
        self.disk(&mut out);
        out
    }

    fn memory(&self, out: &mut String) {
        out.push_str("\n## Resident memory of each node, MiB (now / most so far)\n\n| after | entries | nodes |\n|---|--:|---|\n");
        for m in &self.measured {
            let nodes: Vec<String> = m
                .nodes
                .iter()
                .map(|node| {
                    let role = if node.leads { " (leader)" } else { "" };
                    format!("{}{role} {} / {}", node.name, node.resident_kib / 1024, node.peak_kib / 1024)
                })
                .collect();
            let (batch, clients) = (m.phase.batch, m.phase.clients);
            line(out, format_args!("| {batch} per request, {clients} clients | {} | {} |", m.size, nodes.join(", ")));
        }
    }

    fn disk(&self, out: &mut String) {
        out.push_str("\n## Write of 4 KiB and fdatasync on the same disk, no node running\n\n");
        out.push_str("| when | writers | p50 ms | p90 ms | p99 ms | longest ms |\n|---|--:|--:|--:|--:|--:|\n");
        for (when, probe) in &self.probes {
            for (writers, histogram) in [(1, &probe.one), (3, &probe.three)] {
                line(out, format_args!("| {when} | {writers} | {} |", latencies(histogram)));
            }
        }
        let single = self.measured.iter().find(|m| m.phase.clients == 1 && m.phase.batch == 1);
        if let Some(single) = single {
            let fsync = self.probes.iter().map(|(_, probe)| probe.three.percentile(500)).max().unwrap_or_default();
            let p50 = single.latency.percentile(500);
            line(
                out,
                format_args!(
                    "\nOne client, one decision at a time: p50 {} ms; fsync with three writers: p50 {} ms; difference {} ms.",
                    millis(p50),
                    millis(fsync),
                    millis(p50.saturating_sub(fsync))
                ),
            );
        }
    }
}

fn row(m: &Measured) -> String {
    let rate = m.decisions as f64 / m.elapsed.as_secs_f64();
    let per = |cpu: Duration, count: usize| cpu.as_secs_f64() * 1e6 / (m.decisions.max(1) as f64 * count.max(1) as f64);
    let sum = |leads: bool| {
        let cpu: Vec<Duration> = m.nodes.iter().filter(|n| n.leads == leads).map(|n| n.cpu).collect();
        per(cpu.iter().sum(), cpu.len())
    };
    format!(
        "| {} | {} | {rate:.0} | {} | {:.1} | {:.1} | {:.1} | {} | {} |\n",
        m.phase.batch,
        m.phase.clients,
        latencies(&m.latency),
        sum(true),
        sum(false),
        per(m.own_cpu, 1),
        m.not_allowed,
        m.failed
    )
}

fn latencies(histogram: &Histogram) -> String {
    let at = |per_mille| millis(histogram.percentile(per_mille));
    format!("{} | {} | {} | {}", at(500), at(900), at(990), millis(histogram.longest()))
}

fn millis(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1e3)
}

fn line(out: &mut String, text: core::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}

/// This program's command line, with its own name only, and without the folders, which say nothing to others.
fn command() -> String {
    let mut shown = vec!["assent-load".to_owned()];
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--dir" | "--binaries" | "--out" | "--note" => drop(arguments.next()),
            _ => shown.push(argument),
        }
    }
    shown.join(" ")
}
