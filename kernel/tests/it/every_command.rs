//! The random worlds use every command, and make entries of every type: what is tested on them is tested on all there is.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::random::{FIXED, kinds};
use assent_kernel::event::EventBody;
use assent_kernel::limits::KERNEL_VERSIONS;
use assent_kernel::machine::Answer;
use assent_kernel::verdict::Verdict;
use assent_ledger::entry::Entry;

/// How often commands of a kind were recorded, and how often refused; of what is ruled on, how often it was let pass, and how often not.
#[derive(Default)]
struct Count {
    recorded: usize,
    refused: usize,
    passed: usize,
    stopped: usize,
}

#[test]
fn every_command_is_recorded_and_refused_and_every_type_of_entry_made() {
    let mut commands: BTreeMap<&str, Count> = kinds::all().map(|kind| (kind, Count::default())).collect();
    let mut entries: BTreeMap<&str, usize> = EventBody::KINDS.iter().map(|kind| (*kind, 0)).collect();
    assert_eq!(commands.len(), kinds::all().count(), "every kind has a name of its own");
    for world in FIXED.iter() {
        for (command, answer) in world.sent.iter().zip(&world.answers) {
            let count = commands.get_mut(kinds::kind(&command.body)).unwrap();
            if let Answer::Decided { verdict, replayed: false, .. } | Answer::Ruled { verdict, replayed: false, .. } =
                answer
            {
                count.passed += usize::from(*verdict == Verdict::Allow);
                count.stopped += usize::from(*verdict != Verdict::Allow);
            }
            match answer {
                Answer::Refused(_) => count.refused += 1,
                Answer::Decided { replayed, .. }
                | Answer::Ruled { replayed, .. }
                | Answer::Recorded { replayed, .. } => {
                    count.recorded += usize::from(!replayed);
                }
            }
        }
        for leaf in &world.leaves {
            *entries.get_mut(Entry::parse(leaf).unwrap().kind.as_str()).unwrap() += 1;
        }
    }
    for (kind, Count { recorded, refused, passed, stopped }) in &commands {
        println!("{kind:28} recorded {recorded:5} refused {refused:5} passed {passed:5} stopped {stopped:5}");
    }
    for (kind, count) in &entries {
        println!("{kind:40} {count:5}");
    }
    // While a build decides under one version only, there is none to activate: the command is refused, and makes no entry.
    let one_version = KERNEL_VERSIONS.len() == 1;
    let (no_command, no_entry) = if one_version {
        (BTreeSet::from(["activate-kernel-version"]), BTreeSet::from(["assent.kernel.activated"]))
    } else {
        (BTreeSet::new(), BTreeSet::new())
    };
    let never = |is: fn(&Count) -> usize| -> BTreeSet<&str> {
        commands.iter().filter(|(_, count)| is(count) == 0).map(|(kind, _)| *kind).collect()
    };
    assert_eq!(never(|count| count.recorded), no_command, "never recorded");
    assert_eq!(never(|count| count.refused), BTreeSet::new(), "never refused");
    // An admin's word about an entry of memory is recorded or refused, never denied; and nobody lets pass what lacks information.
    let ruled: BTreeMap<&str, &Count> = commands.iter().map(|(kind, count)| (*kind, count)).collect();
    let one_sided = |count: &Count| count.passed + count.stopped > 0 && (count.passed == 0 || count.stopped == 0);
    let one_sided: Vec<&str> = ruled.iter().filter(|(_, count)| one_sided(count)).map(|(kind, _)| *kind).collect();
    assert_eq!(
        one_sided,
        ["deny", "memory-quarantine", "memory-restore", "request-more-info"],
        "never both let pass and not"
    );
    let unmade: BTreeSet<&str> = entries.iter().filter(|(_, count)| **count == 0).map(|(kind, _)| *kind).collect();
    assert_eq!(unmade, no_entry, "no such entry was made");
}
