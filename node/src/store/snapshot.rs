//! Snapshots: hard-linked copies of the database with a checksummed list of files, sent in pieces and resumed where they broke off.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use assent_ledger::hash::{Hash, sha256};
use assent_proto::v1::SnapshotChunk;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::db::Db;
use super::load;
use crate::files;
use crate::raft::network::chunk;
use crate::raft::types::{LogId, Vote};
use crate::raft::wire::{self, SnapshotFile, SnapshotHeader};

const HEADER_FILE: &str = "header";

/// A snapshot on this node's disk: the files in a folder, and what they must come to.
#[derive(Clone, Debug)]
pub struct SnapshotFolder {
    /// The folder.
    pub path: PathBuf,
    /// What it holds.
    pub header: SnapshotHeader,
}

/// Why a snapshot could not be made, kept or taken in.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The disk.
    #[error("snapshot in {path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The database.
    #[error(transparent)]
    Db(#[from] super::db::DbError),
    /// What the database holds does not fit together.
    #[error(transparent)]
    Load(#[from] load::LoadError),
    /// The sender did not keep to the protocol.
    #[error("malformed snapshot: {0}")]
    Malformed(String),
    /// A file arrived with another content than its checksum says.
    #[error("snapshot file {name} arrived damaged; it was discarded and must be sent again")]
    Damaged {
        /// The file.
        name: String,
    },
    /// The content does not come to what the header says.
    #[error("snapshot holds {what} {got}, its header says {expected}; it was not installed")]
    Contradiction {
        /// Which figure.
        what: &'static str,
        /// What the content gives.
        got: String,
        /// What the header says.
        expected: String,
    },
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> SnapshotError + '_ {
    move |source| SnapshotError::Io { path: path.to_owned(), source }
}

/// The folder below `data_dir` that holds finished snapshots and what is being received.
pub struct SnapshotStore {
    root: PathBuf,
}

impl SnapshotStore {
    /// Opens the folder; what an earlier process left half made is removed, what it left half received is kept for resumption.
    pub fn open(data_dir: &Path) -> Result<Self, SnapshotError> {
        let root = data_dir.join("snapshots");
        fs::create_dir_all(&root).map_err(io_error(&root))?;
        for folder in fs::read_dir(&root).map_err(io_error(&root))? {
            let path = folder.map_err(io_error(&root))?.path();
            if path.extension().is_some_and(|e| e == "making") {
                fs::remove_dir_all(&path).map_err(io_error(&path))?;
            }
        }
        Ok(SnapshotStore { root })
    }

    /// Makes a snapshot of a database.
    ///
    /// A crash before the rename leaves a folder that ends in `.making`, removed at the next start; after it, a complete snapshot.
    pub fn build(&self, db: &Db) -> Result<SnapshotFolder, SnapshotError> {
        let making = self.root.join("snapshot.making");
        if making.exists() {
            fs::remove_dir_all(&making).map_err(io_error(&making))?;
        }
        db.checkpoint(&making)?;
        let header = describe(&making)?;
        write_header(&making, &header)?;
        let path = self.root.join(name_of(header.meta.last_log_id.as_ref()));
        if path.exists() {
            fs::remove_dir_all(&path).map_err(io_error(&path))?;
        }
        fs::rename(&making, &path).map_err(io_error(&path))?;
        files::sync_folder_of(&path).map_err(io_error(&path))?;
        self.remove_all_but(&path)?;
        Ok(SnapshotFolder { path, header })
    }

    /// The newest complete snapshot.
    pub fn current(&self) -> Result<Option<SnapshotFolder>, SnapshotError> {
        let mut newest: Option<PathBuf> = None;
        for folder in fs::read_dir(&self.root).map_err(io_error(&self.root))? {
            let path = folder.map_err(io_error(&self.root))?.path();
            let complete = path.extension().is_some_and(|e| e == "snapshot") && path.join(HEADER_FILE).exists();
            if complete && newest.as_ref().is_none_or(|n| *n < path) {
                newest = Some(path);
            }
        }
        newest.map(|path| read_header(&path).map(|header| SnapshotFolder { path, header })).transpose()
    }

    /// How much of each file of an offered snapshot is here already.
    pub fn offsets(&self, header: &SnapshotHeader) -> Result<Vec<u64>, SnapshotError> {
        let folder = self.incoming(header);
        fs::create_dir_all(&folder).map_err(io_error(&folder))?;
        let length = |file: &SnapshotFile| match fs::metadata(folder.join(&file.name)) {
            Ok(found) if found.len() <= file.length => found.len(),
            _ => 0,
        };
        Ok(header.files.iter().map(length).collect())
    }

    /// Writes one piece of a snapshot that is being received.
    pub fn receive(&self, header: &SnapshotHeader, piece: &SnapshotChunk) -> Result<(), SnapshotError> {
        let file = usize::try_from(piece.file)
            .ok()
            .and_then(|index| header.files.get(index))
            .ok_or_else(|| SnapshotError::Malformed(format!("no file number {}", piece.file)))?;
        let end = piece.offset.saturating_add(piece.data.len() as u64);
        if end > file.length {
            return Err(SnapshotError::Malformed(format!("{} is {} bytes long, not {end}", file.name, file.length)));
        }
        let path = self.incoming(header).join(&file.name);
        let mut out =
            OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(io_error(&path))?;
        if piece.offset == 0 {
            out.set_len(0).map_err(io_error(&path))?;
        }
        out.seek(SeekFrom::Start(piece.offset)).map_err(io_error(&path))?;
        out.write_all(&piece.data).map_err(io_error(&path))
    }

    /// Checks every file of a received snapshot and keeps it. A damaged file is discarded, so that the next try sends it anew.
    pub fn finish(&self, header: SnapshotHeader) -> Result<SnapshotFolder, SnapshotError> {
        let folder = self.incoming(&header);
        for file in &header.files {
            let path = folder.join(&file.name);
            if file.length == 0 {
                // No piece ever creates an empty file.
                File::create(&path).map_err(io_error(&path))?;
            }
            let (length, digest) = digest_file(&path)?;
            if length != file.length || digest != file.digest {
                fs::remove_file(&path).map_err(io_error(&path))?;
                return Err(SnapshotError::Damaged { name: file.name.clone() });
            }
            File::open(&path).and_then(|f| f.sync_all()).map_err(io_error(&path))?;
        }
        write_header(&folder, &header)?;
        let path = self.root.join(name_of(header.meta.last_log_id.as_ref()));
        if path.exists() {
            fs::remove_dir_all(&path).map_err(io_error(&path))?;
        }
        fs::rename(&folder, &path).map_err(io_error(&path))?;
        files::sync_folder_of(&path).map_err(io_error(&path))?;
        Ok(SnapshotFolder { path, header })
    }

    /// Where a snapshot is received: named by its content, so that only the very same one is resumed.
    fn incoming(&self, header: &SnapshotHeader) -> PathBuf {
        let identity = sha256(&[&wire::encode_snapshot_header(&no_vote(), header)]);
        self.root.join(format!("{identity}.receiving"))
    }

    /// Removes older snapshots and everything half received, once a newer one is complete.
    pub fn remove_all_but(&self, keep: &Path) -> Result<(), SnapshotError> {
        for folder in fs::read_dir(&self.root).map_err(io_error(&self.root))? {
            let path = folder.map_err(io_error(&self.root))?.path();
            let ours = path.extension().is_some_and(|e| e == "snapshot" || e == "receiving");
            if ours && path != keep {
                fs::remove_dir_all(&path).map_err(io_error(&path))?;
            }
        }
        Ok(())
    }
}

impl SnapshotFolder {
    /// Makes a database folder of the snapshot's files: table files never change and are linked, the rest is copied.
    pub fn install_into(&self, target: &Path) -> Result<(), SnapshotError> {
        fs::create_dir_all(target).map_err(io_error(target))?;
        for file in &self.header.files {
            let (from, to) = (self.path.join(&file.name), target.join(&file.name));
            if file.name.ends_with(".sst") {
                fs::hard_link(&from, &to).map_err(io_error(&to))?;
            } else {
                fs::copy(&from, &to).map_err(io_error(&to))?;
                File::open(&to).and_then(|f| f.sync_all()).map_err(io_error(&to))?;
            }
        }
        File::open(target).and_then(|f| f.sync_all()).map_err(io_error(target))
    }

    /// Reads the files in pieces, from the offsets that the receiver holds already, in a thread of its own. A read error ends the
    /// stream early, and the receiver's checksums notice.
    pub fn chunks(self, header: Vec<u8>, offsets: Vec<u64>, piece_bytes: usize) -> mpsc::Receiver<SnapshotChunk> {
        let (sender, receiver) = mpsc::channel(4);
        tokio::task::spawn_blocking(move || {
            let first = SnapshotChunk { header: header.into(), ..Default::default() };
            if sender.blocking_send(first).is_err() {
                return;
            }
            for (index, (file, offset)) in self.header.files.iter().zip(offsets).enumerate() {
                let number = u32::try_from(index).unwrap_or(u32::MAX);
                if let Err(error) = send_file(&self.path.join(&file.name), number, offset, piece_bytes, &sender) {
                    tracing::warn!(file = file.name, %error, "snapshot transfer ended early");
                    return;
                }
            }
        });
        receiver
    }
}

fn send_file(
    path: &Path,
    number: u32,
    mut offset: u64,
    piece_bytes: usize,
    sender: &mpsc::Sender<SnapshotChunk>,
) -> io::Result<()> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    loop {
        let mut data = Vec::with_capacity(piece_bytes);
        let read = Read::by_ref(&mut file).take(piece_bytes as u64).read_to_end(&mut data)?;
        if read == 0 {
            return Ok(());
        }
        if sender.blocking_send(chunk(number, offset, data)).is_err() {
            return Err(io::Error::other("the receiver went away"));
        }
        offset += read as u64;
    }
}

/// A snapshot at rest belongs to no leader; the sender's vote is put in its place on the wire.
fn no_vote() -> Vote {
    Vote::new(0, 0)
}

/// Sorts as the log index does, so that the newest is the last.
fn name_of(last: Option<&LogId>) -> String {
    format!("{:020}.snapshot", last.map_or(0, |id| id.index))
}

fn write_header(folder: &Path, header: &SnapshotHeader) -> Result<(), SnapshotError> {
    let path = folder.join(HEADER_FILE);
    files::write_durably(&path, &wire::encode_snapshot_header(&no_vote(), header), 0o600).map_err(io_error(&path))
}

fn read_header(folder: &Path) -> Result<SnapshotHeader, SnapshotError> {
    let path = folder.join(HEADER_FILE);
    let bytes = fs::read(&path).map_err(io_error(&path))?;
    let (_, header) = wire::decode_snapshot_header(&bytes)
        .map_err(|e| SnapshotError::Malformed(format!("{}: {e}", path.display())))?;
    Ok(header)
}

/// Reads what a copied database holds and lists its files with their checksums.
fn describe(folder: &Path) -> Result<SnapshotHeader, SnapshotError> {
    let db = Db::open_read_only(folder)?;
    let mut loaded = load::load(&db)?;
    let root = loaded.machine.root();
    let state_digest = loaded.machine.state_digest();
    drop(db);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(io_error(folder))? {
        let path = entry.map_err(io_error(folder))?.path();
        let Some(name) = path.file_name().and_then(|n| n.to_str()) else { continue };
        // RocksDB's own notes and lock are not part of the database.
        if name == "LOCK" || name.starts_with("LOG") {
            continue;
        }
        let (length, digest) = digest_file(&path)?;
        files.push(SnapshotFile { name: name.to_owned(), length, digest });
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(SnapshotHeader {
        meta: loaded.snapshot_meta(),
        size: loaded.machine.size().0,
        root: root.0,
        state_digest: state_digest.0,
        files,
    })
}

fn digest_file(path: &Path) -> Result<(u64, [u8; 32]), SnapshotError> {
    let mut file = File::open(path).map_err(io_error(path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0u8; 1 << 16];
    let mut length = 0u64;
    loop {
        let read = file.read(&mut buffer).map_err(io_error(path))?;
        let Some(data) = buffer.get(..read).filter(|d| !d.is_empty()) else { break };
        hasher.update(data);
        length += read as u64;
    }
    Ok((length, hasher.finalize().into()))
}

/// Compares what an installed snapshot's content comes to with what its header says.
pub fn check(header: &SnapshotHeader, loaded: &mut load::Loaded) -> Result<(), SnapshotError> {
    let mismatch = |what, got: String, expected: String| Err(SnapshotError::Contradiction { what, got, expected });
    let (size, root, digest) = (loaded.machine.size().0, loaded.machine.root(), loaded.machine.state_digest());
    if size != header.size {
        return mismatch("size", size.to_string(), header.size.to_string());
    }
    if root.0 != header.root {
        return mismatch("root", root.to_string(), Hash(header.root).to_string());
    }
    if digest.0 != header.state_digest {
        return mismatch("state digest", digest.to_string(), Hash(header.state_digest).to_string());
    }
    Ok(())
}
