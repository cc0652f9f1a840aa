//! Applies a file of encoded batches to a machine in memory and prints what came of it: for tests that compare builds.
//!
//! `apply FILE ORIGIN [--snapshot-every N]`: the file holds batches, each after its length in 32 bits, big-endian. With
//! `--snapshot-every`, machine and state go through their bytes after every N-th batch.

use std::error::Error;
use std::io::Write as _;

use assent_kernel::command::Batch;
use assent_kernel::machine::{Answer, HeadRecord, LogPosition, Machine};
use assent_kernel::state::MemoryState;
use assent_ledger::ids::{NodeId, Origin};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [file, origin, rest @ ..] = args.as_slice() else {
        return Err("usage: apply FILE ORIGIN [--snapshot-every N]".into());
    };
    let every: u64 = match rest {
        [] => 0,
        [flag, n] if flag == "--snapshot-every" => n.parse()?,
        _ => return Err("usage: apply FILE ORIGIN [--snapshot-every N]".into()),
    };
    let bytes = std::fs::read(file)?;
    let origin = Origin::new(origin.as_str())?;
    let mut machine = Machine::new(origin.clone());
    let mut state = MemoryState::new();
    let mut out = std::io::stdout().lock();
    let mut left = bytes.as_slice();
    let mut index = 0u64;
    while let Some((length, tail)) = left.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let (batch, tail) = tail.split_at_checked(length).ok_or("the file ends inside a batch")?;
        left = tail;
        index += 1;
        let membership = vec![NodeId(1), NodeId(2), NodeId(3)];
        let at = LogPosition { index, term: 1, leader: NodeId(1), membership };
        let applied = machine.apply(&state, &Batch::decode(batch)?, &at);
        state.commit(&applied.state, &applied.dropped_buckets);
        for entry in &applied.entries {
            writeln!(out, "{} {} {}", entry.seq, entry.kind, entry.hash)?;
        }
        for answer in &applied.answers {
            print_answer(&mut out, answer)?;
        }
        if every > 0 && index.is_multiple_of(every) {
            (machine, state) = through_snapshot(&machine, &state, &origin)?;
        }
    }
    writeln!(out, "{} {} {}", machine.size(), machine.root(), machine.state_digest())?;
    Ok(())
}

fn print_answer(out: &mut impl std::io::Write, answer: &Answer) -> std::io::Result<()> {
    match answer {
        Answer::Decided { seq, decision_id, verdict, codes, replayed, .. } => {
            let codes: Vec<u16> = codes.iter().map(|code| code.number()).collect();
            writeln!(out, "decided {seq} {decision_id} {verdict} {codes:?} {replayed}")
        }
        Answer::Recorded { first_seq, count, replayed } => writeln!(out, "recorded {first_seq} {count} {replayed}"),
        Answer::Ruled { seq, event_id, verdict, codes, replayed, .. } => {
            let codes: Vec<u16> = codes.iter().map(|code| code.number()).collect();
            writeln!(out, "ruled {seq} {event_id} {verdict} {codes:?} {replayed}")
        }
        Answer::Refused(refusal) => writeln!(out, "refused {} {}", refusal.number(), refusal.name()),
    }
}

fn through_snapshot(
    machine: &Machine,
    state: &MemoryState,
    origin: &Origin,
) -> Result<(Machine, MemoryState), Box<dyn Error>> {
    let rows = state.export();
    let head = HeadRecord::decode(&machine.head().encode())?;
    let heads: Vec<_> = machine.tenant_heads().map(|(name, head)| (name.clone(), *head)).collect();
    let state = MemoryState::import(&rows)?;
    Ok((Machine::restore(origin.clone(), head, heads, rows)?, state))
}
