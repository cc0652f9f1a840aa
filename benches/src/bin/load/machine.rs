//! What a result is worth depends on the machine: a description of it, for the report.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use assent_ledger::ids::Time;

/// Lines of a description: what, and its value.
pub type Facts = Vec<(&'static str, String)>;

/// The machine, the disk below `folder`, the source's commit, and how loaded the machine is now.
pub fn describe(folder: &Path) -> Facts {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    vec![
        ("date", Time(u64::try_from(now.as_micros()).unwrap_or(0)).to_string()),
        ("commit", commit()),
        ("profile", profile().to_owned()),
        ("CPU", format!("{cores} × {}", field("/proc/cpuinfo", "model name"))),
        ("memory", field("/proc/meminfo", "MemTotal")),
        ("kernel", read("/proc/sys/kernel/osrelease")),
        ("file system", file_system(folder)),
        ("load average before", read("/proc/loadavg")),
    ]
}

/// The profile of this program; the nodes' is the same when they were built together.
const fn profile() -> &'static str {
    if cfg!(debug_assertions) {
        "dev: opt-level 2, overflow checks and debug assertions on"
    } else {
        "release: without debug assertions"
    }
}

fn commit() -> String {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).output().ok().filter(|o| o.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return "unknown".to_owned() };
    match git(&["status", "--porcelain"]).as_deref() {
        Some("") => commit,
        _ => format!("{commit} with uncommitted changes"),
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).map_or("unknown".to_owned(), |text| text.trim_end().to_owned())
}

/// The first value of a `name : value` file.
fn field(path: &str, name: &str) -> String {
    let text = read(path);
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'));
    value.map_or("unknown".to_owned(), |value| value.trim().to_owned())
}

/// Type of the file system that holds a folder: that of the longest mount point which is a beginning of its path.
fn file_system(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mounts = read("/proc/self/mounts");
    let rows = mounts.lines().filter_map(|line| {
        let mut columns = line.split(' ').skip(1);
        let (point, kind, options) = (columns.next()?, columns.next()?, columns.next()?);
        folder.starts_with(point).then_some((point.len(), format!("{kind} ({options})")))
    });
    rows.max_by_key(|(length, _)| *length).map_or("unknown".to_owned(), |(_, kind)| kind)
}
