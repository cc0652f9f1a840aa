//! What is asked of every candidate: figures with fsync on, and what it does with a torn tail and a flipped byte.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes of a record.
const RECORD_BYTES: usize = 512;
/// Records of the log whose bytes are damaged.
const CHECK_RECORDS: u64 = 20;
/// Bytes in which a bit is flipped, one after the other: a little more than one record.
const SWEEP_BYTES: u64 = 640;

/// A log under test.
pub trait Candidate: Sized {
    /// For the table.
    const NAME: &'static str;
    /// The end of the names of its log files.
    const SUFFIX: &'static str;
    /// Opens the log in a directory; the text says why it would not.
    fn open(dir: &Path) -> Result<Self, String>;
    /// Appends records in one group; durable when this returns.
    fn append(&mut self, first: u64, records: Vec<Vec<u8>>) -> Result<(), String>;
    /// How many of the records below `end` can be read, counting from the first.
    fn count(&mut self, end: u64) -> usize;
}

/// Runs figures and checks for one candidate, under `root`.
pub fn run<C: Candidate>(root: &Path, seconds: u64) -> Result<(), String> {
    for group in [1, 8, 64] {
        measure::<C>(&root.join(format!("measure-{group}")), group, Duration::from_secs(seconds))?;
    }
    check::<C>(root)
}

fn measure<C: Candidate>(dir: &Path, group: u64, time: Duration) -> Result<(), String> {
    fs::create_dir_all(dir).map_err(|e| e.to_string())?;
    let mut log = C::open(dir)?;
    let mut next = 0;
    let mut latencies = Vec::new();
    let start = Instant::now();
    while start.elapsed() < time {
        let records = (next..next + group).map(record).collect();
        let before = Instant::now();
        log.append(next, records)?;
        latencies.push(before.elapsed());
        next += group;
    }
    let rate = next as f64 / start.elapsed().as_secs_f64();
    latencies.sort();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize].as_micros();
    println!("| {} | {group} | {rate:.0} | {} | {} |", C::NAME, at(0.5), at(0.99));
    drop(log);
    fs::remove_dir_all(dir).map_err(|e| e.to_string())
}

fn check<C: Candidate>(root: &Path) -> Result<(), String> {
    let dir = root.join("check");
    fs::create_dir_all(&dir).map_err(|e| e.to_string())?;
    let mut log = C::open(&dir)?;
    for index in 0..CHECK_RECORDS {
        log.append(index, vec![record(index)])?;
    }
    // A copy of the files of an open log is what a crash leaves, all being synced.
    let image = |what: &str| copy(&dir, &root.join(what));
    let (plain, opened, torn, holed) = (image("plain")?, image("opened")?, image("torn")?, image("holed")?);
    drop(log);
    report::<C>("crash, nothing damaged", &opened);

    let file = last_file::<C>(&torn)?;
    let used = used(&file)?;
    let handle = OpenOptions::new().write(true).open(&file).map_err(|e| e.to_string())?;
    handle.set_len(used - 100).map_err(|e| e.to_string())?;
    report::<C>("last record torn (100 bytes cut)", &torn);

    // A write of several sectors reaches the disk in any order: its end may be there without its middle.
    let file = last_file::<C>(&holed)?;
    let handle = OpenOptions::new().write(true).open(&file).map_err(|e| e.to_string())?;
    handle.write_all_at(&[0; 200], used - 300).map_err(|e| e.to_string())?;
    report::<C>("last record torn (200 bytes in it zero)", &holed);

    sweep::<C>(&plain, &root.join("flipped"))?;
    let readable = fs::read(last_file::<C>(&plain)?).map_err(|e| e.to_string())?;
    let found = readable.windows(32).any(|window| window == &record(CHECK_RECORDS / 2)[8..40]);
    println!("  {}: payload readable in the file: {}", C::NAME, if found { "yes" } else { "no" });
    Ok(())
}

/// Flips one bit in each byte of a stretch in the middle of the last file, behind which ten sound records lie.
fn sweep<C: Candidate>(plain: &Path, scratch: &Path) -> Result<(), String> {
    let middle = used(&last_file::<C>(plain)?)? / 2;
    let (mut refused, mut whole, mut lost, mut panicked) = (0, 0, 0, 0);
    let mut fewest = CHECK_RECORDS as usize;
    for place in middle..middle + SWEEP_BYTES {
        copy(plain, scratch)?;
        let file = last_file::<C>(scratch)?;
        let mut bytes = fs::read(&file).map_err(|e| e.to_string())?;
        if let Some(byte) = bytes.get_mut(place as usize) {
            *byte ^= 1;
        }
        fs::write(&file, bytes).map_err(|e| e.to_string())?;
        match std::panic::catch_unwind(|| C::open(scratch).map(|mut log| log.count(CHECK_RECORDS))) {
            Err(_) => panicked += 1,
            Ok(Err(_)) => refused += 1,
            Ok(Ok(count)) if count as u64 == CHECK_RECORDS => whole += 1,
            Ok(Ok(count)) => {
                lost += 1;
                fewest = fewest.min(count);
            }
        }
        fs::remove_dir_all(scratch).map_err(|e| e.to_string())?;
    }
    println!(
        "  {}: one bit flipped at each of {SWEEP_BYTES} bytes in the middle: refused {refused}, opened whole {whole}, \
         opened with records lost {lost} (down to {fewest} of {CHECK_RECORDS}), panicked {panicked}",
        C::NAME
    );
    Ok(())
}

fn report<C: Candidate>(what: &str, dir: &Path) {
    let outcome = std::panic::catch_unwind(|| match C::open(dir) {
        Ok(mut log) => format!("opens, {} of {CHECK_RECORDS} records", log.count(CHECK_RECORDS)),
        Err(error) => format!("refuses: {}", error.lines().next().unwrap_or_default()),
    });
    println!("  {}: {what}: {}", C::NAME, outcome.unwrap_or_else(|_| "panics".to_owned()));
}

/// Text that does not compress well, different for each index.
fn record(index: u64) -> Vec<u8> {
    let mut state = index.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut letters = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b'!' + (state >> 33) as u8 % 90
    };
    (0..RECORD_BYTES).map(|_| letters()).collect()
}

fn copy(from: &Path, to: &Path) -> Result<PathBuf, String> {
    fs::create_dir_all(to).map_err(|e| e.to_string())?;
    for entry in fs::read_dir(from).map_err(|e| e.to_string())? {
        let entry = entry.map_err(|e| e.to_string())?;
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).map_err(|e| e.to_string())?;
        }
    }
    File::open(to).and_then(|dir| dir.sync_all()).map_err(|e| e.to_string())?;
    Ok(to.to_path_buf())
}

/// The log file with the highest name.
fn last_file<C: Candidate>(dir: &Path) -> Result<PathBuf, String> {
    let entries = fs::read_dir(dir).map_err(|e| e.to_string())?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let logs = paths.filter(|path| path.to_string_lossy().ends_with(C::SUFFIX));
    logs.max().ok_or_else(|| format!("{} left no file that ends with {}", C::NAME, C::SUFFIX))
}

/// Bytes of a file before the zeros at its end.
fn used(path: &Path) -> Result<u64, String> {
    let bytes = fs::read(path).map_err(|e| e.to_string())?;
    Ok(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at as u64 + 1))
}
