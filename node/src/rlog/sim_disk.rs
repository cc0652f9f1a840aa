//! A disk in memory that forgets, tears and flips: the double of [`Disk`](super::disk::Disk) for crash tests.
//!
//! It keeps what was fsynced apart from what was not. [`SimDisk::crash`] decides for each write, length change and
//! directory change since the last sync whether it survives: whole, not at all, torn, or with flipped bits. What was
//! synced survives every crash and changes only through [`SimDisk::flip`]. All decisions come from the seed.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::disk::{Disk, DiskFile};

/// Writes are torn at multiples of this many bytes, or anywhere.
const SECTOR_BYTES: usize = 512;

/// See the module's text.
#[derive(Default)]
pub struct SimDisk {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    world: Mutex<World>,
    changed: Condvar,
}

#[derive(Default)]
struct World {
    inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    dir_changes: Vec<DirChange>,
    next_inode: u64,
    /// Grows with each crash: handles from before it are dead.
    epoch: u64,
    changes: u64,
    power_cut_at: Option<u64>,
    syncs: u64,
    sync_failures: u64,
    holding: bool,
    held: usize,
}

#[derive(Default)]
struct Inode {
    durable: Vec<u8>,
    live: Vec<u8>,
    pending: Vec<Change>,
    /// Changes that a failed sync left behind: no later sync makes them durable, as on Linux.
    stale: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

enum DirChange {
    Create(String, u64),
    Remove(String),
}

/// A small seeded generator (splitmix64): the crash's only source of decisions.
struct Decisions(u64);

impl Decisions {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % (bound.max(1) as u64)) as usize
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::SetLen(len) => bytes.resize(*len, 0),
            Self::Write { offset, bytes: new } => {
                bytes.resize(bytes.len().max(offset + new.len()), 0);
                for (to, from) in bytes.iter_mut().skip(*offset).zip(new) {
                    *to = *from;
                }
            }
        }
    }

    /// What is left of the change after a crash.
    fn survive(&self, decisions: &mut Decisions) -> Option<Self> {
        let Self::Write { offset, bytes } = self else {
            return (decisions.below(2) == 0).then(|| self.clone());
        };
        let mut bytes = bytes.clone();
        match decisions.below(5) {
            0 => return None,
            1 => {}
            2 => bytes.truncate(decisions.below(bytes.len())),
            3 => {
                // Sectors reach the platter in any order.
                for sector in bytes.chunks_mut(SECTOR_BYTES) {
                    if decisions.below(2) == 0 {
                        sector.fill(0);
                    }
                }
            }
            _ => {
                let at = decisions.below(bytes.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << decisions.below(8);
                }
            }
        }
        Some(Self::Write { offset: *offset, bytes })
    }
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Cuts the power: unsynced changes survive as the seed says, open handles are dead, the power is back on.
    pub fn crash(&self, seed: u64) {
        self.crash_as(Some(Decisions(seed)));
    }

    /// The same with the hardest outcome: nothing survives that was not synced.
    pub fn crash_to_synced(&self) {
        self.crash_as(None);
    }

    fn crash_as(&self, mut decisions: Option<Decisions>) {
        let mut world = self.world();
        for inode in world.inodes.values_mut() {
            let stale = std::mem::take(&mut inode.stale);
            let pending = std::mem::take(&mut inode.pending);
            for change in stale.iter().chain(&pending) {
                if let Some(change) = decisions.as_mut().and_then(|decisions| change.survive(decisions)) {
                    change.apply(&mut inode.durable);
                }
            }
            inode.live.clone_from(&inode.durable);
        }
        for change in std::mem::take(&mut world.dir_changes) {
            if decisions.as_mut().is_some_and(|decisions| decisions.below(2) == 0) {
                change.apply(&mut world.durable_names);
            }
        }
        world.names = world.durable_names.clone();
        world.epoch += 1;
        world.power_cut_at = None;
        world.holding = false;
        self.shared.changed.notify_all();
    }

    /// Rots one byte, synced or not: it is XORed with `mask`. Returns whether there is such a byte.
    pub fn flip(&self, name: &str, offset: u64, mask: u8) -> bool {
        let mut world = self.world();
        let Some(inode) = world.names.get(name).copied().and_then(|id| world.inodes.get_mut(&id)) else { return false };
        let mut there = false;
        for bytes in [&mut inode.durable, &mut inode.live] {
            if let Some(byte) = bytes.get_mut(offset as usize) {
                *byte ^= mask;
                there = true;
            }
        }
        there
    }

    /// The bytes of a file as a reader sees them; empty when there is none.
    pub fn contents(&self, name: &str) -> Vec<u8> {
        let world = self.world();
        world.names.get(name).and_then(|id| world.inodes.get(id)).map(|inode| inode.live.clone()).unwrap_or_default()
    }

    /// Puts a file there, durably.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let mut world = self.world();
        let id = world.create(name);
        world.dir_changes.retain(|change| !matches!(change, DirChange::Create(created, _) if created == name));
        world.durable_names.insert(name.to_owned(), id);
        world.inodes.insert(id, Inode { durable: bytes.to_vec(), live: bytes.to_vec(), ..Inode::default() });
    }

    /// How many file syncs succeeded so far.
    pub fn syncs(&self) -> u64 {
        self.world().syncs
    }

    /// How many changes (writes, length changes, creations, removals, syncs) were made so far.
    pub fn changes(&self) -> u64 {
        self.world().changes
    }

    /// Lets `changes` more changes pass; then every one fails until [`SimDisk::crash`].
    pub fn cut_power_after(&self, changes: u64) {
        let mut world = self.world();
        world.power_cut_at = Some(world.changes + changes);
    }

    /// Makes the next `count` file syncs fail; what they should have made durable never will be.
    pub fn fail_syncs(&self, count: u64) {
        self.world().sync_failures = count;
    }

    /// Makes file syncs wait until [`SimDisk::release_syncs`] or a crash.
    pub fn hold_syncs(&self) {
        self.world().holding = true;
    }

    /// Lets held syncs go on.
    pub fn release_syncs(&self) {
        self.world().holding = false;
        self.shared.changed.notify_all();
    }

    /// Waits until a file sync is being held.
    pub fn wait_for_held_sync(&self) {
        let mut world = self.world();
        while world.held == 0 {
            world = self.shared.changed.wait(world).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    /// Counts a change, or refuses it when the power is off.
    fn change(&mut self) -> io::Result<()> {
        if self.power_cut_at.is_some_and(|at| self.changes >= at) {
            return Err(io::Error::other("the simulated power is off"));
        }
        self.changes += 1;
        Ok(())
    }

    fn create(&mut self, name: &str) -> u64 {
        self.next_inode += 1;
        let id = self.next_inode;
        self.inodes.insert(id, Inode::default());
        self.names.insert(name.to_owned(), id);
        self.dir_changes.push(DirChange::Create(name.to_owned(), id));
        id
    }
}

impl DirChange {
    fn apply(self, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Create(name, id) => {
                names.insert(name, id);
            }
            Self::Remove(name) => {
                names.remove(&name);
            }
        }
    }
}

impl Disk for SimDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.world().names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.world();
        world.change()?;
        if world.names.contains_key(name) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, name.to_owned()));
        }
        let inode = world.create(name);
        Ok(Arc::new(SimFile { shared: Arc::clone(&self.shared), inode, epoch: world.epoch }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let world = self.world();
        let found = world.names.get(name).copied();
        let inode = found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, name.to_owned()))?;
        Ok(Arc::new(SimFile { shared: Arc::clone(&self.shared), inode, epoch: world.epoch }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut world = self.world();
        world.change()?;
        world.names.remove(name).ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, name.to_owned()))?;
        world.dir_changes.push(DirChange::Remove(name.to_owned()));
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut world = self.world();
        world.change()?;
        world.dir_changes.clear();
        world.durable_names = world.names.clone();
        Ok(())
    }
}

/// A file of a [`SimDisk`].
struct SimFile {
    shared: Arc<Shared>,
    inode: u64,
    epoch: u64,
}

impl SimFile {
    fn with<T>(&self, world: &mut World, act: impl FnOnce(&mut Inode) -> T) -> io::Result<T> {
        let dead = || io::Error::other("the handle is from before a simulated crash");
        if world.epoch != self.epoch {
            return Err(dead());
        }
        world.inodes.get_mut(&self.inode).map(act).ok_or_else(dead)
    }

    fn change(&self, change: Change) -> io::Result<()> {
        let mut world = self.shared.world();
        world.change()?;
        self.with(&mut world, |inode| {
            change.apply(&mut inode.live);
            inode.pending.push(change);
        })
    }
}

impl DiskFile for SimFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(Change::Write { offset: offset as usize, bytes: bytes.to_vec() })
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.with(&mut self.shared.world(), |inode| {
            let mut done = 0;
            for (to, from) in buffer.iter_mut().zip(inode.live.iter().skip(offset as usize)) {
                *to = *from;
                done += 1;
            }
            done
        })
    }

    fn size(&self) -> io::Result<u64> {
        self.with(&mut self.shared.world(), |inode| inode.live.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::SetLen(len as usize))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut world = self.shared.world();
        world.held += 1;
        self.shared.changed.notify_all();
        while world.holding {
            world = self.shared.changed.wait(world).unwrap_or_else(PoisonError::into_inner);
        }
        world.held -= 1;
        world.change()?;
        if world.sync_failures > 0 {
            world.sync_failures -= 1;
            self.with(&mut world, |inode| inode.stale.append(&mut inode.pending))?;
            return Err(io::Error::other("the simulated disk failed to sync"));
        }
        self.with(&mut world, |inode| {
            for change in std::mem::take(&mut inode.pending) {
                change.apply(&mut inode.durable);
            }
        })?;
        world.syncs += 1;
        Ok(())
    }
}
