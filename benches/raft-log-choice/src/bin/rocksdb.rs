//! The same for RocksDB's write-ahead log, in the recovery modes that could guard a Raft log.
//!
//! `cargo run --features rocksdb --bin rocksdb -- <directory on the disk to measure> [seconds per figure]`

#[path = "../harness.rs"]
mod harness;

use std::path::Path;

use harness::Candidate;
use rocksdb::{DB, DBRecoveryMode, Options, WriteBatch, WriteOptions};

struct Rocks<const MODE: u8>(DB);

impl<const MODE: u8> Candidate for Rocks<MODE> {
    const NAME: &'static str = match MODE {
        0 => "RocksDB, AbsoluteConsistency",
        1 => "RocksDB, TolerateCorruptedTailRecords",
        _ => "RocksDB, PointInTime (default)",
    };
    const SUFFIX: &'static str = ".log";

    fn open(dir: &Path) -> Result<Self, String> {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_wal_recovery_mode(match MODE {
            0 => DBRecoveryMode::AbsoluteConsistency,
            1 => DBRecoveryMode::TolerateCorruptedTailRecords,
            _ => DBRecoveryMode::PointInTime,
        });
        DB::open(&options, dir).map(Self).map_err(|e| e.to_string())
    }

    fn append(&mut self, first: u64, records: Vec<Vec<u8>>) -> Result<(), String> {
        let mut batch = WriteBatch::default();
        for (index, bytes) in (first..).zip(records) {
            batch.put(index.to_be_bytes(), bytes);
        }
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.0.write_opt(batch, &options).map_err(|e| e.to_string())
    }

    fn count(&mut self, end: u64) -> usize {
        (0..end).take_while(|index| matches!(self.0.get(index.to_be_bytes()), Ok(Some(_)))).count()
    }
}

fn main() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let root = arguments.next().ok_or("give a directory on the disk to measure")?;
    let seconds = arguments.next().map_or(Ok(5), |text| text.parse().map_err(|_| "seconds must be a number"))?;
    let root = Path::new(&root);
    println!("| candidate | group | records/s | p50 µs | p99 µs |\n|---|---|---|---|---|");
    harness::run::<Rocks<0>>(&root.join("rocksdb-absolute"), seconds)?;
    harness::run::<Rocks<1>>(&root.join("rocksdb-tail"), seconds)?;
    harness::run::<Rocks<2>>(&root.join("rocksdb-point"), seconds)
}
