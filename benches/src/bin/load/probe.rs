//! What an fsync costs on this disk: small writes into space that is reserved and written already, each synced, as the Raft log does
//! it; by one writer, and by three at once, as three nodes on one disk do it.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use assent_fleet_demo::error::{DemoError, Result};
use assent_fleet_demo::histogram::Histogram;

use crate::options::Options;

/// Bytes of one write.
const WRITE_BYTES: usize = 4096;
/// Bytes reserved for a writer; it begins again at their end.
const FILE_BYTES: usize = 16 << 20;

/// Durations of write and `fdatasync` together.
#[derive(Debug, Clone)]
pub struct Probe {
    /// By one writer.
    pub one: Histogram,
    /// By three writers at once.
    pub three: Histogram,
}

/// Measures in a folder.
pub fn run(folder: &Path, options: &Options) -> Result<Probe> {
    let time = Duration::from_secs(options.probe_seconds);
    Ok(Probe { one: writers(folder, 1, time)?, three: writers(folder, 3, time)? })
}

fn writers(folder: &Path, count: usize, time: Duration) -> Result<Histogram> {
    let threads: Vec<_> = (0..count)
        .map(|number| {
            let path = folder.join(format!("probe-{number}"));
            thread::spawn(move || {
                let measured = write(&path, time).map_err(|e| DemoError::at(&path, e));
                // What stays behind goes with the folder.
                let _ = std::fs::remove_file(&path);
                measured
            })
        })
        .collect();
    let mut all = Histogram::default();
    for thread in threads {
        let measured = thread.join().map_err(|_| DemoError::new("an fsync probe failed"))?;
        all.merge(&measured?);
    }
    Ok(all)
}

fn write(path: &Path, time: Duration) -> std::io::Result<Histogram> {
    let mut file = File::create(path)?;
    file.write_all(&vec![0; FILE_BYTES])?;
    file.sync_all()?;
    let mut histogram = Histogram::default();
    let (bytes, begun) = ([0x5a; WRITE_BYTES], Instant::now());
    let mut offset = 0;
    while begun.elapsed() < time {
        let start = Instant::now();
        file.write_all_at(&bytes, offset)?;
        file.sync_data()?;
        histogram.record(start.elapsed());
        offset = (offset + WRITE_BYTES as u64) % FILE_BYTES as u64;
    }
    Ok(histogram)
}
