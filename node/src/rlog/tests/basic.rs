//! What the log does when nothing goes wrong, and when the disk says that it does.

use super::*;

fn pairs(range: std::ops::Range<u64>, text: &str) -> Vec<(u64, String)> {
    range.map(|index| (index, text.to_owned())).collect()
}

#[test]
fn everything_comes_back_after_reopening() {
    let disk = SimDisk::new();
    let (log, fresh) = open(&disk, small_segments()).unwrap();
    assert_eq!((fresh.first, fresh.last, fresh.segments, fresh.torn), (None, None, 0, None));
    append(&log, 0..10, "first").unwrap();
    wait(|done| log.save_vote(b"vote".to_vec(), done)).unwrap();
    wait(|done| log.truncate_after(Some(7), done)).unwrap();
    for index in 8..20 {
        append(&log, index..index + 1, "second").unwrap();
    }
    log.save_committed(b"committed".to_vec()).unwrap();
    wait(|done| log.purge(purged(3), done)).unwrap();
    let expected: Vec<_> = pairs(4..8, "first").into_iter().chain(pairs(8..20, "second")).collect();
    assert_eq!(entries(&log), expected);
    drop(log);

    let (log, recovered) = open(&disk, small_segments()).unwrap();
    assert_eq!(recovered.vote.as_deref(), Some(&b"vote"[..]));
    assert_eq!(recovered.committed.as_deref(), Some(&b"committed"[..]));
    assert_eq!(recovered.purged, Some(purged(3)));
    assert_eq!((recovered.first, recovered.last, recovered.torn), (Some(4), Some(19), None));
    assert!(recovered.segments > 2, "the log was to span segments");
    assert_eq!(entries(&log), expected);
    assert_eq!(log.read(6..9, 1).unwrap().len(), 1, "at least one, however small the bound");
    assert_eq!(log.read(6..9, usize::MAX).unwrap()[2].meta, 8_u64.to_be_bytes());
    assert_eq!(entries(&log).len(), 16);
}

#[test]
fn a_log_on_a_real_disk_comes_back_and_admits_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let disk = || Arc::new(disk::RealDisk::open(&dir.path().join("raft")).unwrap());
    let (log, _) = RaftLogEngine::open(disk(), small_segments(), &KEY).unwrap();
    append(&log, 1..40, "kept").unwrap();
    assert_eq!(disk::RealDisk::open(&dir.path().join("raft")).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(log);
    let (log, recovered) = RaftLogEngine::open(disk(), small_segments(), &KEY).unwrap();
    assert_eq!((recovered.first, recovered.last, recovered.torn), (Some(1), Some(39), None));
    assert_eq!(entries(&log), pairs(1..40, "kept"));
}

#[test]
fn one_sync_serves_all_that_is_queued() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk, options()).unwrap();
    disk.hold_syncs();
    let before = disk.syncs();
    let (first, first_told) = waiter();
    log.append(vec![record(0, "a")], first).unwrap();
    disk.wait_for_held_sync();
    let (tell, told) = mpsc::channel();
    for index in 1..65 {
        let tell = tell.clone();
        let done = Box::new(move |result: io::Result<()>| tell.send((index, result.is_ok())).unwrap());
        log.append(vec![record(index, "b")], done).unwrap();
    }
    assert_eq!(log.last(), Some(64), "readable before durable");
    assert_eq!(entries(&log).len(), 65);
    assert!(told.try_recv().is_err() && first_told.try_recv().is_err(), "nobody is answered before the sync");
    disk.release_syncs();
    first_told.recv().unwrap().unwrap();
    let order: Vec<_> = (1..65).map(|_| told.recv().unwrap()).collect();
    assert_eq!(order, (1..65).map(|index| (index, true)).collect::<Vec<_>>());
    assert_eq!(disk.syncs() - before, 2);
}

#[test]
fn entries_must_follow_each_other_and_purged_ones_stay_purged() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk, options()).unwrap();
    append(&log, 5..8, "x").unwrap();
    for wrong in [4, 7, 9] {
        assert_eq!(append(&log, wrong..wrong + 1, "x").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
    wait(|done| log.purge(purged(20), done)).unwrap();
    assert_eq!((log.first(), log.last()), (None, Some(20)));
    assert!(wait(|done| log.truncate_after(Some(3), done)).is_err());
    wait(|done| log.truncate_after(None, done)).unwrap();
    append(&log, 21..23, "y").unwrap();
    drop(log);
    let (log, recovered) = open(&disk, options()).unwrap();
    assert_eq!((recovered.first, recovered.last), (Some(21), Some(22)));
    wait(|done| log.truncate_after(None, done)).unwrap();
    drop(log);
    let (log, recovered) = open(&disk, options()).unwrap();
    assert_eq!((recovered.first, recovered.last, log.first()), (None, Some(20), None));
}

#[test]
fn purged_segments_are_deleted_and_the_rest_is_found() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk, small_segments()).unwrap();
    for index in 0..60 {
        append(&log, index..index + 1, "a payload of some length").unwrap();
    }
    let before = disk.list().unwrap().len();
    wait(|done| log.purge(purged(55), done)).unwrap();
    assert_eq!(disk.list().unwrap().len(), before, "not before a later group vouches for the purge");
    wait(|done| log.mark(done)).unwrap();
    drop(log);
    assert!(disk.list().unwrap().len() <= 3, "{before} segments before, {:?} after", disk.list().unwrap());
    let (log, recovered) = open(&disk, small_segments()).unwrap();
    assert_eq!((recovered.first, recovered.last), (Some(56), Some(59)));
    assert_eq!(entries(&log), pairs(56..60, "a payload of some length"));
}

#[test]
fn nothing_is_readable_on_disk() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk, options()).unwrap();
    append(&log, 0..4, "a very secret payload").unwrap();
    wait(|done| log.save_vote(b"a very secret vote".to_vec(), done)).unwrap();
    drop(log);
    let (_log, recovered) = open(&disk, options()).unwrap();
    assert_eq!(recovered.vote.as_deref(), Some(&b"a very secret vote"[..]));
    for name in disk.list().unwrap() {
        assert!(!disk.contents(&name).windows(6).any(|window| window == b"secret"), "{name}");
    }
    let other = RaftLogEngine::open(Arc::clone(&disk) as _, options(), &[4; 32]).err().unwrap();
    assert!(matches!(other, OpenError::WrongKey { .. }), "{other}");
    let ledger = LogOptions { ledger: [6; 32], ..options() };
    let other = open(&disk, ledger).err().unwrap();
    assert!(matches!(other, OpenError::WrongLedger { .. }), "{other}");
}

#[test]
fn a_failed_sync_poisons_the_log_for_good() {
    let disk = SimDisk::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let hook = Arc::clone(&told);
    let fatal: FatalHook = Arc::new(move |error| hook.lock().unwrap().push(error.to_string()));
    let (log, _) = open(&disk, LogOptions { fatal, ..options() }).unwrap();
    append(&log, 0..3, "kept").unwrap();
    disk.fail_syncs(1);
    let changes = disk.changes();
    append(&log, 3..4, "lost").unwrap_err();
    append(&log, 4..5, "refused").unwrap_err();
    wait(|done| log.save_vote(vec![1], done)).unwrap_err();
    assert_eq!(told.lock().unwrap().len(), 1, "the hook is called once");
    assert_eq!(disk.changes(), changes + 2, "one write and one sync, nothing tried again");
    drop(log);
    disk.crash(1);
    let (log, _) = open(&disk, options()).unwrap();
    assert_eq!(entries(&log)[..3], pairs(0..3, "kept"));
}

#[test]
fn an_idle_log_marks_itself_and_writes_the_committed_id() {
    let disk = SimDisk::new();
    let mut quick = options();
    quick.config.idle_mark = Duration::from_millis(1);
    let (log, _) = open(&disk, quick).unwrap();
    append(&log, 0..3, "kept").unwrap();
    log.save_committed(b"c".to_vec()).unwrap();
    // Two syncs made the head and the group, two more the Marks behind each; the log is then quiet.
    while disk.syncs() < 3 {
        std::thread::yield_now();
    }
    wait(|done| log.mark(done)).unwrap();
    disk.cut_power_after(0);
    drop(log);
    disk.crash(7);
    let (_log, recovered) = open(&disk, options()).unwrap();
    assert_eq!((recovered.last, recovered.committed.as_deref(), recovered.torn), (Some(2), Some(&b"c"[..]), None));
}

#[test]
fn a_replaced_entry_is_never_mixed_up_with_its_successor() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk, small_segments()).unwrap();
    disk.hold_syncs();
    let (first, first_told) = waiter();
    log.append(vec![record(0, "old"), record(1, "old")], first).unwrap();
    disk.wait_for_held_sync();
    log.truncate_after(Some(0), Box::new(|_| ())).unwrap();
    let (second, second_told) = waiter();
    log.append(vec![record(1, "new")], second).unwrap();
    disk.release_syncs();
    first_told.recv().unwrap().unwrap();
    second_told.recv().unwrap().unwrap();
    append(&log, 2..6, "a long payload that pushes the others out of memory").unwrap();
    assert_eq!(entries(&log)[..2], [(0, "old".to_owned()), (1, "new".to_owned())]);
}
