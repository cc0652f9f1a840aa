//! Whether the decision table has every reason code in each mode in which it can occur. What cannot occur is listed here with its
//! reason, and an entry of a list that turns out to occur fails the test too.

use std::collections::{BTreeMap, BTreeSet};

use assent_client::scenario::{Action, Scenario, Step};
use assent_kernel::reason::ReasonCode::{self, *};

/// The modes in which a case can be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mode {
    /// Tenant and bundle enforce.
    Enforce,
    /// One of them only observes.
    Observe,
    /// The rule that brings the code is only tried: the code goes and the rule's vote is on the record, or the code comes for want of
    /// its vote.
    Shadow,
}

/// Codes that no case can have, in any mode.
const NOWHERE: &[(ReasonCode, &str)] =
    &[(KernelFault, "only a defect of the kernel brings it: kernel/tests/it/machine.rs makes one")];

/// Codes that no rule brings, so that none of their rules can be only tried: first and last number, and why.
const NO_RULE: &[(u16, u16, &str)] = &[
    (
        100,
        199,
        "structural: switches, identity, runs, bundle, tool, arguments, tokens, messages and approvals are not up to rules",
    ),
    (200, 209, "capabilities are granted or not: the bundle knows no capability that is only tried"),
    (210, 221, "budgets and rates are amounts, not rules; who wants to try one observes"),
    (315, 316, "a policy in Rego is tried by offering it to an environment that observes"),
    (401, 405, "limits on loops, depth, fan-out and cascades are numbers, not rules"),
    (600, 605, "namespaces of memory are declared, not ruled on"),
    (801, 801, "orchestration rules make things stricter; the bundle knows none that is only tried"),
    (903, 904, "budgets and Rego, as above"),
    (905, 905, "what a rule that is only tried asks for nobody can approve"),
    (906, 910, "leases, tokens, memory and messages are not up to rules"),
];

/// What the cases assert: codes by mode.
#[derive(Debug, Default)]
pub struct Asserted {
    codes: BTreeSet<(Mode, ReasonCode)>,
    /// Codes of the last step of every case without a variant mark, by the case's name.
    last: BTreeMap<String, BTreeSet<ReasonCode>>,
}

impl Asserted {
    /// Takes in a scenario that was played and came to what it says.
    pub fn add(&mut self, scenario: &Scenario) {
        let last = scenario.steps.last().map(codes_of).unwrap_or_default();
        if let Some(name) = scenario.name.strip_suffix(" [shadow]") {
            // What one of the two has and the other has not is what the tried rule brings, or what comes for want of it.
            let enforced = self.last.get(name).cloned().unwrap_or_default();
            let moved = enforced.symmetric_difference(&last).map(|code| (Mode::Shadow, *code));
            self.codes.extend(moved);
            return;
        }
        let bundle_observes = scenario.bundle_text.as_deref().is_some_and(|text| text.contains("\nmode: observe\n"));
        let mut observes = bundle_observes || scenario.tenant_mode.as_deref() == Some("observe");
        for step in &scenario.steps {
            if let Ok(Action::Configure(configure)) = step.action() {
                observes = configure.observe.unwrap_or(observes);
            }
            let mode = if observes { Mode::Observe } else { Mode::Enforce };
            self.codes.extend(codes_of(step).into_iter().map(|code| (mode, code)));
        }
        self.last.insert(scenario.name.clone(), last);
    }

    /// Everything that is missing or listed wrongly; empty when the table is whole.
    pub fn gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        for mode in [Mode::Enforce, Mode::Observe, Mode::Shadow] {
            for code in ReasonCode::ALL {
                let there = self.codes.contains(&(mode, *code));
                match (there, exempt(mode, *code)) {
                    (false, None) => gaps.push(format!("{code} is in no case of the table in mode {mode:?}")),
                    (true, Some(why)) => gaps.push(format!("{code} occurs in mode {mode:?}, against: {why}")),
                    _ => {}
                }
            }
        }
        gaps
    }
}

fn exempt(mode: Mode, code: ReasonCode) -> Option<&'static str> {
    let nowhere = NOWHERE.iter().find(|(known, _)| *known == code).map(|(_, why)| *why);
    let of_mode = NO_RULE.iter().find(|(first, last, _)| (*first..=*last).contains(&code.number()));
    nowhere.or(of_mode.filter(|_| mode == Mode::Shadow).map(|(_, _, why)| *why))
}

fn codes_of(step: &Step) -> BTreeSet<ReasonCode> {
    let expect = &step.expect;
    let names = expect.codes.iter().flatten().chain(&expect.codes_include);
    names.map(|name| ReasonCode::from_name(name).unwrap_or_else(|| panic!("{name} is no reason code"))).collect()
}
