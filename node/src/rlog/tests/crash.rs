//! Random operations, a power cut at a random change, a random crash: everything acknowledged is there, in order,
//! nothing half. The same check must catch a log that answers before its fsync.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::*;

/// One operation of a plan; the numbers are reduced to what is possible when it runs.
#[derive(Debug, Clone)]
enum Step {
    Append {
        count: u64,
        bytes: usize,
    },
    Truncate {
        back: u64,
    },
    Purge {
        share: u64,
    },
    Vote,
    Committed,
    Mark,
    Reopen,
    /// The power is cut after so many more changes; the crash follows when an operation fails.
    Cut {
        changes: u64,
        seed: u64,
    },
    /// The power is cut now.
    Crash {
        seed: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1_u64..6, 0_usize..300).prop_map(|(count, bytes)| Step::Append { count, bytes }),
        1 => (0_u64..5).prop_map(|back| Step::Truncate { back }),
        1 => (0_u64..8).prop_map(|share| Step::Purge { share }),
        1 => Just(Step::Vote),
        1 => Just(Step::Committed),
        1 => Just(Step::Mark),
        1 => Just(Step::Reopen),
        2 => (0_u64..12, any::<u64>()).prop_map(|(changes, seed)| Step::Cut { changes, seed }),
        1 => any::<u64>().prop_map(|seed| Step::Crash { seed }),
    ]
}

/// What the log must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Model {
    entries: Vec<(u64, Vec<u8>)>,
    vote: Option<Vec<u8>>,
    purged: Option<Purged>,
    last: Option<u64>,
}

impl Model {
    fn of(log: &RaftLogEngine) -> Self {
        let found = log.read(0..u64::MAX, usize::MAX).unwrap();
        let entries = found.iter().map(|r| (r.index, r.payload.to_vec())).collect();
        Self { entries, vote: log.vote(), purged: log.purged(), last: log.last() }
    }

    fn next(&self) -> u64 {
        self.last.map_or(0, |last| last + 1)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Answering {
    AfterFsync,
    BeforeFsync,
}

/// A log under test with what is known of it.
struct Run {
    disk: Arc<SimDisk>,
    log: Option<RaftLogEngine>,
    answering: Answering,
    known: Model,
    /// States that the operation in flight may have led to: it was not answered, or answered with an error.
    possible: Vec<Model>,
    counter: u64,
}

impl Run {
    fn new(answering: Answering) -> Self {
        let known = Model::default();
        let mut run = Self { disk: SimDisk::new(), log: None, answering, known, possible: vec![], counter: 0 };
        run.open().unwrap();
        run
    }

    fn open(&mut self) -> Result<(), String> {
        let opened = match self.answering {
            Answering::AfterFsync => open(&self.disk, small_segments()),
            Answering::BeforeFsync => {
                RaftLogEngine::open_answering_before_fsync(Arc::clone(&self.disk), small_segments(), &KEY)
            }
        };
        let (log, _) = opened.map_err(|error| error.to_string())?;
        self.log = Some(log);
        Ok(())
    }

    /// Crashes, opens again and compares with what must be there.
    fn crash(&mut self, seed: u64) -> Result<(), String> {
        self.disk.cut_power_after(0);
        self.log = None;
        self.disk.crash(seed);
        self.open()?;
        let found = Model::of(self.log.as_ref().unwrap());
        let possible = std::mem::take(&mut self.possible);
        if found != self.known && !possible.contains(&found) {
            return Err(format!("after a crash {found:?}, but acknowledged was {:?}", self.known));
        }
        self.known = found;
        Ok(())
    }

    /// Runs one operation; `steps` are the states it leads through, the last being the one it is to reach.
    fn run(&mut self, steps: Vec<Model>, act: impl FnOnce(&RaftLogEngine, Done) -> io::Result<()>) -> bool {
        let target = steps.last().cloned().unwrap();
        match wait(|done| act(self.log.as_ref().unwrap(), done)) {
            Ok(()) => {
                self.known = target;
                true
            }
            Err(_) => {
                self.possible = steps;
                false
            }
        }
    }

    fn step(&mut self, step: &Step, crash_seed: &mut Option<u64>) -> Result<(), String> {
        self.counter += 1;
        let mut goal = self.known.clone();
        let mut steps = Vec::new();
        let fine = match *step {
            Step::Append { count, bytes } => {
                let mut records = Vec::new();
                for index in goal.next()..goal.next() + count {
                    let payload = format!("{}:{index}:{}", self.counter, "x".repeat(bytes)).into_bytes();
                    records.push(LogRecord { index, meta: vec![1], payload: Arc::from(payload.as_slice()) });
                    goal.entries.push((index, payload));
                    goal.last = Some(index);
                    steps.push(goal.clone());
                }
                self.run(steps, |log, done| log.append(records, done))
            }
            Step::Truncate { back } => {
                let floor = goal.purged.as_ref().map(|p| p.index);
                let keep = goal.last.and_then(|last| last.checked_sub(back)).max(floor);
                goal.entries.retain(|(index, _)| Some(*index) <= keep);
                goal.last = keep;
                self.run(vec![goal], |log, done| log.truncate_after(keep, done))
            }
            Step::Purge { share } => {
                let Some(last) = goal.last else { return Ok(()) };
                let upto = goal.purged.as_ref().map_or(0, |p| p.index).max(last.saturating_sub(share));
                goal.entries.retain(|(index, _)| *index > upto);
                if goal.purged.as_ref().is_none_or(|p| p.index < upto) {
                    goal.purged = Some(purged(upto));
                }
                self.run(vec![goal], |log, done| log.purge(purged(upto), done))
            }
            Step::Vote => {
                let vote = self.counter.to_be_bytes().to_vec();
                goal.vote = Some(vote.clone());
                self.run(vec![goal], |log, done| log.save_vote(vote, done))
            }
            Step::Committed => self.log.as_ref().unwrap().save_committed(vec![1]).is_ok(),
            Step::Mark => self.run(vec![goal], |log, done| log.mark(done)),
            Step::Reopen => {
                self.log = None;
                self.open().is_ok()
            }
            Step::Cut { changes, seed } => {
                self.disk.cut_power_after(changes);
                *crash_seed = Some(seed);
                true
            }
            Step::Crash { seed } => return self.crash(seed),
        };
        if fine { Ok(()) } else { self.crash(crash_seed.take().unwrap_or(self.counter)) }
    }
}

fn survives(plan: &[Step], answering: Answering) -> Result<(), String> {
    let mut run = Run::new(answering);
    let mut crash_seed = None;
    for step in plan {
        run.step(step, &mut crash_seed)?;
    }
    run.crash(crash_seed.unwrap_or(1))?;
    let found = Model::of(run.log.as_ref().unwrap());
    run.log = None;
    run.open()?;
    let again = Model::of(run.log.as_ref().unwrap());
    if found == again { Ok(()) } else { Err(format!("opened twice: {found:?}, then {again:?}")) }
}

fn check(answering: Answering, cases: u32) -> Result<(), String> {
    let config = Config { cases, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runner
        .run(&prop::collection::vec(step(), 1..40), |plan| survives(&plan, answering).map_err(TestCaseError::fail))
        .map_err(|error| error.to_string())
}

#[test]
fn whatever_was_acknowledged_survives_every_crash() {
    check(Answering::AfterFsync, 2_000).unwrap();
}

#[test]
fn negative_control_answering_before_the_fsync_is_caught() {
    let caught = check(Answering::BeforeFsync, 2_000).unwrap_err();
    assert!(caught.contains("acknowledged was"), "{caught}");
}
