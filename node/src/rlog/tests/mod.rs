//! Tests of the Raft log on a disk that forgets, tears and flips.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod basic;
mod crash;
mod rot;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::disk::Disk;
use super::sim_disk::SimDisk;
use super::*;

const KEY: [u8; 32] = [3; 32];
const LEDGER: [u8; 32] = [5; 32];

/// Options without an idle Mark: what is written is decided by the test alone.
fn options() -> LogOptions {
    static NEXT_ID: AtomicU64 = AtomicU64::new(1);
    let random = || {
        let mut id = [0xA5; 32];
        id[..8].copy_from_slice(&NEXT_ID.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        Ok(id)
    };
    let config = RaftLogConfig { reserve_bytes: 256, idle_mark: Duration::from_secs(3600), ..RaftLogConfig::default() };
    LogOptions { config, ledger: LEDGER, random: Box::new(random), fatal: Arc::new(|_| ()) }
}

fn small_segments() -> LogOptions {
    let mut options = options();
    options.config.segment_bytes_max = 700;
    options.config.cache_bytes_max = 64;
    options
}

fn open(disk: &Arc<SimDisk>, options: LogOptions) -> Result<(RaftLogEngine, Recovered), OpenError> {
    RaftLogEngine::open(Arc::clone(disk) as Arc<dyn Disk>, options, &KEY)
}

fn record(index: u64, text: &str) -> LogRecord {
    LogRecord { index, meta: index.to_be_bytes().to_vec(), payload: Arc::from(text.as_bytes()) }
}

fn waiter() -> (Done, Receiver<io::Result<()>>) {
    let (tell, told) = mpsc::channel();
    (Box::new(move |result| tell.send(result).unwrap_or_default()), told)
}

/// Runs an operation and waits until it is durable.
fn wait(operation: impl FnOnce(Done) -> io::Result<()>) -> io::Result<()> {
    let (done, told) = waiter();
    operation(done)?;
    told.recv().unwrap()
}

fn append(log: &RaftLogEngine, range: std::ops::Range<u64>, text: &str) -> io::Result<()> {
    wait(|done| log.append(range.map(|index| record(index, text)).collect(), done))
}

/// All live entries as (index, payload).
fn entries(log: &RaftLogEngine) -> Vec<(u64, String)> {
    let found = log.read(0..u64::MAX, usize::MAX).unwrap();
    found.iter().map(|r| (r.index, String::from_utf8(r.payload.to_vec()).unwrap())).collect()
}

fn purged(index: u64) -> Purged {
    Purged { index, meta: format!("id {index}").into_bytes() }
}
