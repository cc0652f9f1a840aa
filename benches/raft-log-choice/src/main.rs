//! Measures Assent's own Raft log, raft-engine and raft-log, and checks what they promise.
//!
//! `cargo run -- <directory on the disk to measure> [seconds per figure]`

mod harness;
#[allow(dead_code, unused_imports, reason = "the node's module as it is, of which this uses a part")]
#[path = "../../../node/src/rlog/mod.rs"]
mod rlog;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use harness::Candidate;
use raft_engine::RecoveryMode;
use raft_log::api::raft_log_writer::RaftLogWriter;

struct Own(rlog::RaftLogEngine);

impl Candidate for Own {
    const NAME: &'static str = "own (encrypted)";
    const SUFFIX: &'static str = ".rlog";

    fn open(dir: &Path) -> Result<Self, String> {
        let random = || {
            let mut id = [0; 32];
            getrandom::fill(&mut id).map_err(std::io::Error::other)?;
            Ok(id)
        };
        let options = rlog::LogOptions {
            config: rlog::RaftLogConfig::default(),
            ledger: [1; 32],
            random: Box::new(random),
            fatal: Arc::new(|_| ()),
        };
        let disk = Arc::new(rlog::disk::RealDisk::open(dir).map_err(|e| e.to_string())?);
        let (log, recovered) = rlog::RaftLogEngine::open(disk, options, &[2; 32]).map_err(|e| e.to_string())?;
        if let Some(torn) = recovered.torn {
            println!("  (own reports: {} bytes cut off at {} in {})", torn.bytes, torn.offset, torn.segment);
        }
        Ok(Self(log))
    }

    fn append(&mut self, first: u64, records: Vec<Vec<u8>>) -> Result<(), String> {
        let (tell, told) = sync_channel(1);
        let records = (first..).zip(records).map(|(index, bytes)| rlog::LogRecord {
            index,
            meta: vec![0; 18],
            payload: bytes.into(),
        });
        let done = Box::new(move |result| tell.send(result).unwrap_or_default());
        self.0.append(records.collect(), done).map_err(|e| e.to_string())?;
        told.recv().map_err(|e| e.to_string())?.map_err(|e| e.to_string())
    }

    fn count(&mut self, end: u64) -> usize {
        self.0.read(0..end, usize::MAX).map_or(0, |records| records.len())
    }
}

struct RaftEngine<const MODE: u8>(raft_engine::Engine);

impl<const MODE: u8> Candidate for RaftEngine<MODE> {
    const NAME: &'static str =
        if MODE == 0 { "raft-engine, AbsoluteConsistency" } else { "raft-engine, TolerateTailCorruption" };
    const SUFFIX: &'static str = ".raftlog";

    fn open(dir: &Path) -> Result<Self, String> {
        let recovery_mode =
            if MODE == 0 { RecoveryMode::AbsoluteConsistency } else { RecoveryMode::TolerateTailCorruption };
        let config = raft_engine::Config {
            dir: dir.to_string_lossy().into_owned(),
            recovery_mode,
            batch_compression_threshold: raft_engine::ReadableSize(0),
            ..raft_engine::Config::default()
        };
        raft_engine::Engine::open(config).map(Self).map_err(|e| e.to_string())
    }

    fn append(&mut self, first: u64, records: Vec<Vec<u8>>) -> Result<(), String> {
        let mut batch = raft_engine::LogBatch::default();
        for (index, bytes) in (first..).zip(records) {
            batch.put(1, index.to_be_bytes().to_vec(), bytes).map_err(|e| e.to_string())?;
        }
        self.0.write(&mut batch, true).map(drop).map_err(|e| e.to_string())
    }

    fn count(&mut self, end: u64) -> usize {
        (0..end).take_while(|index| self.0.get(1, &index.to_be_bytes()).is_some()).count()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Types;

impl raft_log::Types for Types {
    type LogId = (u64, u64);
    type LogPayload = String;
    type Vote = (u64, u64);
    type Callback = SyncSender<Result<(), std::io::Error>>;
    type UserData = String;

    fn log_index(log_id: &Self::LogId) -> u64 {
        log_id.1
    }

    fn payload_size(payload: &Self::LogPayload) -> u64 {
        payload.len() as u64
    }
}

struct RaftLog(raft_log::RaftLog<Types>);

impl Candidate for RaftLog {
    const NAME: &'static str = "raft-log";
    const SUFFIX: &'static str = ".wal";

    fn open(dir: &Path) -> Result<Self, String> {
        let mut config = raft_log::Config::new(dir.to_string_lossy());
        // Its default of one millisecond is for many writers; here there is one, so waiting could only cost.
        config.wal.flush_batch_wait = Some(Duration::ZERO);
        raft_log::RaftLog::open(Arc::new(config)).map(Self).map_err(|e| e.to_string())
    }

    fn append(&mut self, first: u64, records: Vec<Vec<u8>>) -> Result<(), String> {
        let records =
            (first..).zip(records).map(|(index, bytes)| ((1, index), String::from_utf8_lossy(&bytes).into_owned()));
        self.0.append(records).map_err(|e| e.to_string())?;
        let (tell, told) = sync_channel(1);
        self.0.flush(true, Some(tell)).map_err(|e| e.to_string())?;
        told.recv().map_err(|e| e.to_string())?.map_err(|e| e.to_string())
    }

    fn count(&mut self, end: u64) -> usize {
        self.0.read(0, end).take_while(Result::is_ok).count()
    }
}

fn main() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let root = arguments.next().ok_or("give a directory on the disk to measure")?;
    let seconds = arguments.next().map_or(Ok(5), |text| text.parse().map_err(|_| "seconds must be a number"))?;
    let root = Path::new(&root);
    println!("| candidate | group | records/s | p50 µs | p99 µs |\n|---|---|---|---|---|");
    harness::run::<Own>(&root.join("own"), seconds)?;
    harness::run::<RaftEngine<0>>(&root.join("raft-engine-absolute"), seconds)?;
    harness::run::<RaftEngine<1>>(&root.join("raft-engine-tail"), seconds)?;
    harness::run::<RaftLog>(&root.join("raft-log"), seconds)
}
