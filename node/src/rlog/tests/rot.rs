//! A torn tail told from rot: a flip at every byte of a small log.

use super::*;

/// A log of three groups in its last segment and two segments before; `mark` closes the window behind the last group.
/// Returns the disk and where the last group began.
fn build(mark: bool) -> (Arc<SimDisk>, String, u64) {
    let disk = SimDisk::new();
    let quick = || {
        let mut options = options();
        options.config.reserve_bytes = 0;
        options
    };
    let (log, _) = open(&disk, quick()).unwrap();
    append(&log, 0..3, "one").unwrap();
    drop(log);
    let (log, _) = open(&disk, quick()).unwrap();
    append(&log, 3..5, "two").unwrap();
    wait(|done| log.save_vote(b"vote".to_vec(), done)).unwrap();
    drop(log);
    let (log, _) = open(&disk, quick()).unwrap();
    append(&log, 5..8, "three").unwrap();
    let name = disk.list().unwrap().pop().unwrap();
    let before_last = disk.contents(&name).len() as u64;
    append(&log, 8..10, "four").unwrap();
    if mark {
        wait(|done| log.mark(done)).unwrap();
    }
    disk.cut_power_after(0);
    drop(log);
    disk.crash(0);
    (disk, name, before_last)
}

fn copy(from: &SimDisk) -> Arc<SimDisk> {
    let to = SimDisk::new();
    for name in from.list().unwrap() {
        to.put(&name, &from.contents(&name));
    }
    to
}

/// Every byte of every file, flipped: either the log refuses to open, or everything is there, or (without a Mark) the
/// place lies in the documented window and what is lost is the last group's.
fn flip_everywhere(mark: bool) {
    let (disk, last_name, window_start) = build(mark);
    let (mut refused, mut in_window) = (0, 0);
    for name in disk.list().unwrap() {
        for offset in 0..disk.contents(&name).len() as u64 {
            let bad = copy(&disk);
            assert!(bad.flip(&name, offset, 0x10));
            match open(&bad, options()) {
                Err(OpenError::Rot { segment, first_bad_index, .. }) => {
                    assert_eq!(segment, name, "the damage is named");
                    assert!(first_bad_index <= 10);
                    refused += 1;
                }
                Err(OpenError::Version { .. } | OpenError::WrongKey { .. } | OpenError::WrongLedger { .. }) => {
                    panic!("a flip at {name} {offset} passed for a wrong key, ledger or version")
                }
                Err(other) => panic!("{other}"),
                Ok((log, recovered)) => {
                    assert_eq!(recovered.vote.as_deref(), Some(&b"vote"[..]));
                    let found = entries(&log);
                    assert!(name == last_name && offset >= window_start, "lost at {name} {offset}");
                    assert!(found.len() >= if mark { 10 } else { 8 }, "flip at {offset} lost {found:?}");
                    let torn = recovered.torn.expect("a cut is reported");
                    assert!(torn.bytes > 0 && torn.offset <= offset);
                    in_window += 1;
                }
            }
        }
    }
    assert!(refused > 500 && in_window > 0, "{refused} refused, {in_window} in the window");
}

#[test]
fn a_flip_anywhere_is_refused_or_in_the_window_of_the_last_group() {
    flip_everywhere(false);
}

#[test]
fn behind_a_mark_a_flip_anywhere_loses_nothing() {
    flip_everywhere(true);
}

#[test]
fn a_tail_cut_anywhere_in_the_last_group_is_torn_not_rot() {
    let (disk, name, window_start) = build(false);
    let whole = disk.contents(&name);
    for len in window_start as usize..whole.len() {
        let torn = copy(&disk);
        torn.put(&name, &whole[..len]);
        let (log, recovered) = open(&torn, options()).unwrap();
        let kept = entries(&log).len();
        assert!((8..10).contains(&kept), "cut at {len}");
        assert_eq!(recovered.torn.is_some(), len as u64 > window_start && kept < 10 && !on_frame_end(&recovered, len));
    }
}

fn on_frame_end(recovered: &Recovered, len: usize) -> bool {
    recovered.torn.as_ref().is_none_or(|torn| torn.offset == len as u64)
}

#[test]
fn a_missing_segment_is_rot_wherever_it_was() {
    let (disk, last, _) = build(true);
    for name in disk.list().unwrap() {
        let gone = copy(&disk);
        gone.remove(&name).unwrap();
        match open(&gone, options()) {
            Err(OpenError::Rot { .. }) => {}
            Err(other) => panic!("{other}"),
            Ok(_) => assert_eq!(name, last, "nothing is left to prove that there was a last segment"),
        }
    }
}

#[test]
fn recovery_finds_the_same_however_often_it_is_interrupted() {
    let (disk, name, window_start) = build(false);
    let whole = disk.contents(&name);
    disk.put(&name, &whole[..window_start as usize + 50]);
    for cut in 0..8 {
        for seed in 0..20 {
            let again = copy(&disk);
            again.cut_power_after(cut);
            drop(open(&again, options()));
            again.crash(seed);
            let (log, _) = open(&again, options()).unwrap();
            assert_eq!(entries(&log).len(), 8, "power cut after {cut} changes, seed {seed}");
            assert_eq!(log.vote().as_deref(), Some(&b"vote"[..]));
        }
    }
}

#[test]
fn a_rotten_record_is_an_error_on_read_and_never_wrong_bytes() {
    let disk = SimDisk::new();
    let mut cold = options();
    cold.config.cache_bytes_max = 0;
    let (log, _) = open(&disk, cold).unwrap();
    append(&log, 0..2, "text").unwrap();
    let name = disk.list().unwrap().pop().unwrap();
    let whole = disk.contents(&name);
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap() as u64;
    assert!(disk.flip(&name, used - 2, 1));
    assert_eq!(log.read(0..1, usize::MAX).unwrap()[0].payload.as_ref(), b"text");
    let error = log.read(0..2, usize::MAX).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(error.to_string().contains("entry 1"), "{error}");
}
