//! The disk as the Raft log sees it: the seam through which tests drop, tear and flip bytes.
//!
//! [`RealDisk`] is one directory of the file system. The double for tests is [`SimDisk`](super::sim_disk::SimDisk).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file that keeps a second process out of the directory.
const LOCK_NAME: &str = "LOCK";

/// One flat directory of files. Names are plain file names without a separator.
pub trait Disk: Send + Sync + 'static {
    /// The names of all files, in ascending order.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Creates a file that must not exist yet. It survives a crash only after [`Disk::sync_dir`].
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens an existing file for reading and writing.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Removes a file. Handles that are still open go on working.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes all earlier `create` and `remove` calls survive a crash.
    fn sync_dir(&self) -> io::Result<()>;
}

/// An open file. All calls take `&self`: one thread writes while others read.
pub trait DiskFile: Send + Sync {
    /// Writes all of `bytes` at `offset`, growing the file where needed.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Reads up to `buffer.len()` bytes at `offset`; returns how many there were before the end of the file.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// The length of the file in bytes.
    fn size(&self) -> io::Result<u64>;
    /// Cuts the file to `len` bytes, or extends it with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes all earlier writes and length changes survive a crash (fdatasync).
    fn sync_data(&self) -> io::Result<()>;
}

/// A directory of the file system, held by this process alone.
#[derive(Debug)]
pub struct RealDisk {
    dir: PathBuf,
    handle: File,
    /// Held for its lock, which the operating system drops with the process, however that ends.
    _lock: File,
}

impl RealDisk {
    /// Opens `dir`, creating it when it is missing, and takes its lock.
    ///
    /// # Errors
    /// Whatever the file system answers; `WouldBlock` when another process holds the directory.
    pub fn open(dir: &Path) -> io::Result<Self> {
        if !dir.is_dir() {
            std::fs::create_dir_all(dir)?;
            if let Some(parent) = dir.parent().filter(|p| !p.as_os_str().is_empty()) {
                File::open(parent)?.sync_all()?;
            }
        }
        let lock = OpenOptions::new().create(true).write(true).truncate(false).open(dir.join(LOCK_NAME))?;
        lock.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => io::Error::new(
                io::ErrorKind::WouldBlock,
                format!("{} is held by another process; stop it first", dir.display()),
            ),
            std::fs::TryLockError::Error(error) => error,
        })?;
        Ok(Self { dir: dir.to_path_buf(), handle: File::open(dir)?, _lock: lock })
    }
}

impl Disk for RealDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let name = entry?.file_name();
            match name.into_string() {
                Ok(name) if name != LOCK_NAME => names.push(name),
                _ => {}
            }
        }
        names.sort();
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(self.dir.join(name))?;
        Ok(Arc::new(RealFile(file)))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).open(self.dir.join(name))?;
        Ok(Arc::new(RealFile(file)))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.dir.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.handle.sync_all()
    }
}

/// A file of a [`RealDisk`].
struct RealFile(File);

impl DiskFile for RealFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.0.read_at(rest, offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
