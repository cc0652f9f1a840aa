//! What a process has used so far, from `/proc`.

use std::time::Duration;

/// Ticks of `/proc/<pid>/stat` in a second: Linux shows user space a hundred on every usual platform.
const TICKS_PER_SECOND: u64 = 100;

/// CPU time of a process, user and system, since it started; zero when it is gone.
pub fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let ticks = cpu_ticks(&stat).unwrap_or(0);
    Duration::from_millis(ticks.saturating_mul(1_000) / TICKS_PER_SECOND)
}

/// Fields 14 and 15; the second field is a name in parentheses, which may hold anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Resident memory of a process now and at most so far, in KiB.
pub fn resident(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    (kib(&status, "VmRSS:"), kib(&status, "VmHWM:"))
}

fn kib(status: &str, name: &str) -> u64 {
    let value = status.lines().find_map(|line| line.strip_prefix(name));
    value.and_then(|value| value.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_after_the_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 9 0 100 0";
        assert_eq!(cpu_ticks(stat), Some(200));
        assert_eq!(cpu_ticks(""), None);
    }

    #[test]
    fn memory_is_read_by_name() {
        assert_eq!(kib("VmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n", "VmRSS:"), 1024);
        assert!(resident(std::process::id()).0 > 0);
    }
}
