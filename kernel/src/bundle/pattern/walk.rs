//! Looking for a pattern without making its automaton deterministic: place by place, each of them counted.
//!
//! For each byte all places are visited at which the automaton can be; a place is visited once. The work is bounded by places × bytes
//! and is paid for as it is done, so that a pattern with thousands of places costs its caller the budget and nobody the time.

use regex_automata::nfa::thompson::{NFA, State};
use regex_automata::util::primitives::StateID;

/// What is to be paid could not be.
pub(super) struct Unpaid;

/// Whether the automaton finds a match anywhere in the text. `pay` takes the units of each portion of work before it is done.
pub(super) fn finds(nfa: &NFA, text: &[u8], pay: &mut impl FnMut(usize) -> bool) -> Result<bool, Unpaid> {
    let count = nfa.states().len();
    // Three tables are cleared for each text.
    spend(pay, count / PLACES_PER_UNIT)?;
    let mut walk = Walk { nfa, text, here: Places::new(count), next: Places::new(count), open: Vec::new() };
    walk.enter_first();
    for at in 0..=text.len() {
        // What was entered is paid for before it is left, and before it is looked at for the answer.
        spend(pay, walk.here.weight)?;
        if walk.here.is_match {
            return Ok(true);
        }
        walk.step(at);
    }
    Ok(false)
}

/// Units that visiting one place costs.
const UNITS_PER_PLACE: usize = 4;
/// Ranges of bytes that are looked through at the price of one place.
const RANGES_PER_PLACE: usize = 4;
/// Places of a table that are cleared for one unit.
const PLACES_PER_UNIT: usize = 4;

fn spend(pay: &mut impl FnMut(usize) -> bool, units: usize) -> Result<(), Unpaid> {
    if pay(units) { Ok(()) } else { Err(Unpaid) }
}

/// A set of places in the order in which they were entered.
struct Places {
    known: Vec<bool>,
    /// The places from which a byte leads on.
    list: Vec<StateID>,
    /// All that were entered, to be forgotten again.
    entered: Vec<StateID>,
    /// Units that leaving and having entered these places costs.
    weight: usize,
    is_match: bool,
}

impl Places {
    fn new(count: usize) -> Places {
        Places { known: vec![false; count], list: Vec::new(), entered: Vec::new(), weight: 0, is_match: false }
    }

    fn clear(&mut self) {
        for place in self.entered.drain(..) {
            if let Some(known) = self.known.get_mut(place.as_usize()) {
                *known = false;
            }
        }
        self.list.clear();
        (self.weight, self.is_match) = (0, false);
    }

    /// Whether the place is new here.
    fn enter(&mut self, place: StateID) -> bool {
        match self.known.get_mut(place.as_usize()) {
            Some(known) if !*known => {
                *known = true;
                self.entered.push(place);
                self.weight += UNITS_PER_PLACE;
                true
            }
            _ => false,
        }
    }
}

struct Walk<'a> {
    nfa: &'a NFA,
    text: &'a [u8],
    here: Places,
    next: Places,
    /// Places that are entered and not yet looked at.
    open: Vec<StateID>,
}

impl Walk<'_> {
    fn enter_first(&mut self) {
        let first = self.nfa.start_unanchored();
        self.enter(first, 0);
        core::mem::swap(&mut self.here, &mut self.next);
    }

    /// Reads the byte at `at`.
    fn step(&mut self, at: usize) {
        let Some(byte) = self.text.get(at).copied() else { return };
        self.next.clear();
        let list = core::mem::take(&mut self.here.list);
        for place in &list {
            let to = match self.nfa.state(*place) {
                State::ByteRange { trans } => trans.matches_byte(byte).then_some(trans.next),
                State::Sparse(sparse) => sparse.matches_byte(byte),
                State::Dense(dense) => dense.matches_byte(byte),
                _ => None,
            };
            if let Some(to) = to {
                self.enter(to, at.saturating_add(1));
            }
        }
        self.here.list = list;
        core::mem::swap(&mut self.here, &mut self.next);
    }

    /// Enters a place before the byte at `at`, and all that no byte separates from it.
    fn enter(&mut self, first: StateID, at: usize) {
        self.open.push(first);
        while let Some(place) = self.open.pop() {
            if !self.next.enter(place) {
                continue;
            }
            match self.nfa.state(place) {
                State::ByteRange { .. } | State::Dense(_) => self.next.list.push(place),
                State::Sparse(sparse) => {
                    self.next.weight += UNITS_PER_PLACE * (sparse.transitions.len() / RANGES_PER_PLACE);
                    self.next.list.push(place);
                }
                State::Look { look, next } => {
                    if self.nfa.look_matcher().matches(*look, self.text, at) {
                        self.open.push(*next);
                    }
                }
                State::Union { alternates } => self.open.extend(alternates.iter().rev()),
                State::BinaryUnion { alt1, alt2 } => self.open.extend([*alt2, *alt1]),
                State::Capture { next, .. } => self.open.push(*next),
                State::Fail => {}
                State::Match { .. } => self.next.is_match = true,
            }
        }
    }
}
