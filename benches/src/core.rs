//! One core for a bench: a thread that moves between cores pays with cold caches, and figures of one core are what the bars are about.

/// Pins this thread to the last core that it may run on, and says which one in a line for the output.
///
/// The last one, because interrupts and whatever else the machine does tend to the first. Where threads cannot be pinned, the line says so.
#[cfg(target_os = "linux")]
pub fn pin() -> String {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let Ok(allowed) = sched_getaffinity(None) else { return "not pinned: the cores are not known".to_owned() };
    let Some(last) = (0..CpuSet::MAX_CPU).rev().find(|core| allowed.is_set(*core)) else {
        return "not pinned: no core is allowed".to_owned();
    };
    let mut only = CpuSet::new();
    only.set(last);
    match sched_setaffinity(None, &only) {
        Ok(()) => format!("pinned to core {last} of {} that it may use", allowed.count()),
        Err(error) => format!("not pinned: {error}"),
    }
}

/// Threads cannot be pinned here.
#[cfg(not(target_os = "linux"))]
pub fn pin() -> String {
    "not pinned: not on this system".to_owned()
}
