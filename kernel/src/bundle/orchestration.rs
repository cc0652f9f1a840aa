//! Section `orchestration`: what gets stricter while reported signals are at a level. A rule can lower limits, raise thresholds and
//! ask for people; nothing that it says is ever looser than the bundle without it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::CompiledBundle;
use super::behaviour::Limits;
use super::error::{BundleErrorKind, Diagnostics, LintKind, Position, nearest_hint};
use super::fields::{Fields, count, name, names, number, text};
use super::limits::{APPROVERS_MAX, ORCHESTRATION_MAX};
use super::outcome::{ApprovalNeed, RuleId};
use super::source::Node;
use super::tool::Tool;
use crate::charge::Shares;
use crate::command::Signals;

/// Most names in one `match`.
const ITEMS_MAX: usize = 256;
/// What a limit may be at most, as in the section `limits`.
const LIMIT_MAX: u64 = 1_000_000;
/// Largest share of a budget's use that a rule can wait for, in thousandths.
const BUDGET_USE_MILLI_MAX: u32 = 1_000_000;

/// What a rule can make stricter. The order is that of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Knob {
    /// Denials after which a run may only read: at most.
    Strikes,
    /// How often the same call may come in a row: at most.
    Repeats,
    /// How many runs and messages may lie between a person and a run: at most.
    Generation,
    /// How deep calls may be nested: at most.
    Depth,
    /// How many calls may come from one call: at most.
    FanOut,
    /// The share of predicates that every soft contract rule asks for, in thousandths: at least.
    ContractThreshold,
    /// The share of every rate that is left, in thousandths: at most.
    Rates,
    /// The share of every budget that is left, in thousandths: at most.
    Budgets,
    /// How many people have to agree where people are asked: at least.
    Approvers,
}

impl Knob {
    /// Every knob.
    pub const ALL: [Knob; 9] = [
        Knob::Strikes,
        Knob::Repeats,
        Knob::Generation,
        Knob::Depth,
        Knob::FanOut,
        Knob::ContractThreshold,
        Knob::Rates,
        Knob::Budgets,
        Knob::Approvers,
    ];

    /// The name in entries; the value is a whole number.
    pub const fn name(self) -> &'static str {
        match self {
            Knob::Strikes => "strikes",
            Knob::Repeats => "repeats",
            Knob::Generation => "generation",
            Knob::Depth => "depth",
            Knob::FanOut => "fan_out",
            Knob::ContractThreshold => "contract_threshold_milli",
            Knob::Rates => "rates_milli",
            Knob::Budgets => "budgets_milli",
            Knob::Approvers => "approvers",
        }
    }

    /// The key in bundles.
    const fn key(self) -> &'static str {
        match self {
            Knob::ContractThreshold => "contract_threshold",
            Knob::Rates => "rates",
            Knob::Budgets => "budgets",
            other => other.name(),
        }
    }

    /// The knob of a name in entries.
    pub fn from_name(name: &str) -> Option<Knob> {
        Knob::ALL.into_iter().find(|knob| knob.name() == name)
    }

    /// The stricter of two values.
    fn stricter(self, one: u32, other: u32) -> u32 {
        match self {
            Knob::ContractThreshold | Knob::Approvers => one.max(other),
            _ => one.min(other),
        }
    }

    fn read(self, node: &Node, d: &mut Diagnostics) -> Option<u32> {
        let least = |value: u32, least: u32, d: &mut Diagnostics| {
            if value < least {
                let message = format!("`{}` is too small, it would stop every call", self.key());
                d.error_hint(node.at, BundleErrorKind::InvalidValue, message, "a kill switch stops agents and tools");
            }
            (value >= least).then_some(value)
        };
        match self {
            Knob::ContractThreshold => share(node, self.key(), 1_000, d),
            Knob::Rates | Knob::Budgets => share(node, self.key(), 1_000, d).and_then(|value| least(value, 1, d)),
            Knob::Approvers => whole(node, self.key(), APPROVERS_MAX, d).and_then(|value| least(value, 1, d)),
            _ => whole(node, self.key(), LIMIT_MAX, d).and_then(|value| least(value, 1, d)),
        }
    }
}

/// One rule.
#[derive(Debug, Clone)]
pub(super) struct OrchestrationRule {
    pub(super) at: Position,
    id: RuleId,
    /// The signals have to be at least this; what is absent does not matter.
    when: Signals,
    adjust: BTreeMap<Knob, u32>,
    ask: Option<Ask>,
}

/// Calls that people have to agree to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ask {
    classes: Option<Vec<Arc<str>>>,
    actions: Option<Vec<Arc<str>>>,
    tools: Option<Vec<(Position, Arc<str>)>>,
    need: ApprovalNeed,
}

impl Ask {
    /// Of a tool with several actions nobody knows which one a call performs: one that is named is enough.
    fn concerns(&self, tool: &Tool) -> bool {
        self.classes.as_ref().is_none_or(|classes| classes.contains(&tool.class))
            && self.actions.as_ref().is_none_or(|actions| tool.actions.iter().any(|action| actions.contains(action)))
            && self.tools.as_ref().is_none_or(|tools| tools.iter().any(|(_, name)| *name == tool.name))
    }
}

/// What is stricter now. The default adjusts nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Adjustment {
    rules: Vec<RuleId>,
    values: BTreeMap<Knob, u32>,
    asks: Vec<Ask>,
}

impl Adjustment {
    /// Whether nothing is adjusted.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules that hold, in the order written.
    pub fn rules(&self) -> &[RuleId] {
        &self.rules
    }

    /// What is adjusted to what, in a fixed order.
    pub fn values(&self) -> impl Iterator<Item = (Knob, u32)> {
        self.values.iter().map(|(knob, value)| (*knob, *value))
    }

    /// Whether people have to agree to some calls.
    pub fn asks(&self) -> bool {
        !self.asks.is_empty()
    }

    /// What people have to agree to a call of this tool, besides what the bundle asks for.
    pub(super) fn need(&self, tool: &Tool) -> Option<ApprovalNeed> {
        let asks = self.asks.iter().filter(|ask| ask.concerns(tool)).map(|ask| ask.need.clone());
        asks.reduce(ApprovalNeed::and)
    }

    /// How many people have to agree to a call of this tool at least; 0 when these rules ask nobody.
    pub fn people(&self, tool: &Tool) -> u32 {
        self.need(tool).map_or(0, |need| need.required)
    }

    fn value(&self, knob: Knob) -> Option<u32> {
        self.values.get(&knob).copied()
    }

    /// The limits that hold in place of the bundle's; each is as strict or stricter.
    pub fn limits(&self, bundle: Limits) -> Limits {
        let least = |own: u32, knob: Knob| self.value(knob).map_or(own, |value| value.min(own));
        let lower = |own: Option<u32>, knob: Knob| own.into_iter().chain(self.value(knob)).min();
        Limits {
            strikes: least(bundle.strikes, Knob::Strikes),
            repeats: least(bundle.repeats, Knob::Repeats),
            generation: least(bundle.generation, Knob::Generation),
            depth: lower(bundle.depth, Knob::Depth),
            fan_out: lower(bundle.fan_out, Knob::FanOut),
        }
    }

    /// What is left of rates and budgets.
    pub fn shares(&self) -> Shares {
        let whole = Shares::default();
        Shares {
            rates_milli: self.value(Knob::Rates).unwrap_or(whole.rates_milli),
            budgets_milli: self.value(Knob::Budgets).unwrap_or(whole.budgets_milli),
        }
    }

    /// The least threshold of soft contract rules, in thousandths.
    pub fn contract_threshold_milli(&self) -> u32 {
        self.value(Knob::ContractThreshold).unwrap_or(0)
    }

    /// The least number of people who have to agree where people are asked.
    pub fn approvers(&self) -> u32 {
        self.value(Knob::Approvers).unwrap_or(0)
    }

    fn add(&mut self, rule: &OrchestrationRule) {
        self.rules.push(rule.id.clone());
        for (knob, value) in &rule.adjust {
            self.values.entry(*knob).and_modify(|known| *known = knob.stricter(*known, *value)).or_insert(*value);
        }
        self.asks.extend(rule.ask.clone());
    }
}

impl CompiledBundle {
    /// What the orchestration rules make of reported signals. A signal that nobody reports reaches no level.
    pub fn adjustment(&self, signals: &Signals) -> Adjustment {
        let mut adjustment = Adjustment::default();
        self.orchestration.iter().filter(|rule| rule.holds(signals)).for_each(|rule| adjustment.add(rule));
        adjustment
    }
}

impl OrchestrationRule {
    /// Whether the rule can make this stricter.
    pub(super) fn adjusts(&self, knob: Knob) -> bool {
        self.adjust.contains_key(&knob)
    }

    fn holds(&self, signals: &Signals) -> bool {
        let reached =
            |least: Option<u32>, got: Option<u32>| least.is_none_or(|least| got.is_some_and(|got| got >= least));
        reached(self.when.risk_milli, signals.risk_milli)
            && reached(self.when.queue_depth, signals.queue_depth)
            && reached(self.when.budget_use_milli, signals.budget_use_milli)
    }
}

/// Reads the section.
pub(super) fn read(fields: &Fields<'_>, limits: Limits, d: &mut Diagnostics) -> Vec<OrchestrationRule> {
    let items = fields.items("orchestration", ORCHESTRATION_MAX, d);
    let rules: Vec<OrchestrationRule> = items.iter().filter_map(|item| read_rule(item, limits, d)).collect();
    for (at, rule) in rules.iter().enumerate() {
        if let Some(first) = rules.iter().take(at).find(|other| other.id == rule.id) {
            let message = format!("the id `{}` is taken by the orchestration rule in line {}", rule.id, first.at.line);
            d.error(rule.at, BundleErrorKind::Duplicate, message);
        }
    }
    rules
}

fn read_rule(node: &Node, limits: Limits, d: &mut Diagnostics) -> Option<OrchestrationRule> {
    const KNOWN: [&str; 6] = ["id", "description", "when", "adjust", "approval", "match"];
    let fields = Fields::open(node, "an orchestration rule", &KNOWN, &[], d)?;
    if let Some(node) = fields.get("description") {
        text(node, "description", d);
    }
    let id = fields.required("id", d).and_then(|node| name(node, "an orchestration rule's id", d));
    let when = fields.required("when", d).and_then(|node| read_when(node, d));
    let adjust = fields.get("adjust").map(|node| read_adjust(node, limits, d)).unwrap_or_default();
    let ask = read_ask(&fields, d);
    if fields.get("adjust").is_none() && fields.get("approval").is_none() {
        let message = "an orchestration rule that adjusts nothing does nothing";
        d.error_hint(node.at, BundleErrorKind::MissingKey, message, "give adjust, approval, or both");
    }
    Some(OrchestrationRule { at: node.at, id: id?, when: when?, adjust, ask })
}

fn read_when(node: &Node, d: &mut Diagnostics) -> Option<Signals> {
    let fields = Fields::open(node, "when", &["risk", "queue_depth", "budget_use"], &[], d)?;
    let when = Signals {
        risk_milli: fields.get("risk").and_then(|node| share(node, "risk", 1_000, d)),
        queue_depth: fields.get("queue_depth").and_then(|node| whole(node, "queue_depth", u32::MAX.into(), d)),
        budget_use_milli: fields.get("budget_use").and_then(|node| share(node, "budget_use", BUDGET_USE_MILLI_MAX, d)),
    };
    if fields.is_empty() {
        let message = "`when` names no signal, so the rule would hold always";
        d.error_hint(node.at, BundleErrorKind::InvalidValue, message, "name risk, queue_depth or budget_use");
    }
    (!when.is_empty()).then_some(when)
}

fn read_adjust(node: &Node, limits: Limits, d: &mut Diagnostics) -> BTreeMap<Knob, u32> {
    let known = Knob::ALL.map(Knob::key);
    let Some(fields) = Fields::open(node, "adjust", &known, &[], d) else { return BTreeMap::new() };
    let mut adjust = BTreeMap::new();
    for knob in Knob::ALL {
        let Some(node) = fields.get(knob.key()) else { continue };
        let Some(value) = knob.read(node, d) else { continue };
        let own = match knob {
            Knob::Strikes => Some(limits.strikes),
            Knob::Repeats => Some(limits.repeats),
            Knob::Generation => Some(limits.generation),
            Knob::Depth => limits.depth,
            Knob::FanOut => limits.fan_out,
            Knob::ContractThreshold | Knob::Rates | Knob::Budgets | Knob::Approvers => None,
        };
        if let Some(own) = own.filter(|own| value > *own) {
            let message = format!("`{}` must not be looser than the bundle's own limit of {own}", knob.key());
            d.error_hint(node.at, BundleErrorKind::InvalidValue, message, &format!("write {own} or less"));
        }
        adjust.insert(knob, value);
    }
    if fields.is_empty() {
        let message = "`adjust` adjusts nothing";
        d.error_hint(node.at, BundleErrorKind::InvalidValue, message, &format!("name one of {}", known.join(", ")));
    }
    adjust
}

fn read_ask(fields: &Fields<'_>, d: &mut Diagnostics) -> Option<Ask> {
    let Some(approval) = fields.get("approval") else {
        if let Some(node) = fields.get("match") {
            let message = "`match` says to which calls people have to agree";
            d.error_hint(node.at, BundleErrorKind::MissingKey, message, "give approval, or remove match");
        }
        return None;
    };
    let need = ApprovalNeed::read(approval, d);
    let mut ask = Ask { classes: None, actions: None, tools: None, need: need? };
    let Some(node) = fields.get("match") else { return Some(ask) };
    let known = ["class", "classes", "action", "actions", "tool", "tools"];
    let fields = Fields::open(node, "an orchestration rule's match", &known, &[], d)?;
    if fields.is_empty() {
        let message = "`match` names nothing";
        d.error_hint(node.at, BundleErrorKind::InvalidValue, message, "name class, action or tool, or remove match");
    }
    let list = |spellings: [&str; 2], d: &mut Diagnostics| {
        fields.any(&spellings, d).map(|node| names(node, spellings[0], ITEMS_MAX, d))
    };
    let plain = |items: Vec<(Position, Arc<str>)>| items.into_iter().map(|(_, item)| item).collect();
    ask.classes = list(["class", "classes"], d).map(plain);
    ask.actions = list(["action", "actions"], d).map(plain);
    ask.tools = list(["tool", "tools"], d);
    Some(ask)
}

/// A share with at most three decimals, in thousandths.
fn share(node: &Node, what: &str, milli_max: u32, d: &mut Diagnostics) -> Option<u32> {
    let share = number(node, what, d)?;
    let milli = share.to_milli().and_then(|milli| u32::try_from(milli).ok()).filter(|milli| *milli <= milli_max);
    if milli.is_none() {
        let most = milli_max / 1_000;
        let message = format!("{what} must be a share from 0 to {most} with at most three decimals");
        d.error_hint(node.at, BundleErrorKind::InvalidValue, message, "write it as 0.8");
    }
    milli
}

fn whole(node: &Node, what: &str, max: u64, d: &mut Diagnostics) -> Option<u32> {
    count(node, what, max, d).and_then(|value| u32::try_from(value).ok())
}

/// A misspelt tool name would let its calls pass without anybody being asked, so it is an error.
pub(super) fn check_tool_names(rules: &[OrchestrationRule], tools: &BTreeMap<Arc<str>, Tool>, d: &mut Diagnostics) {
    let named = rules.iter().filter_map(|rule| rule.ask.as_ref()).flat_map(|ask| ask.tools.iter().flatten());
    for (at, name) in named {
        if !tools.contains_key(name) {
            let hint = nearest_hint(name, tools.keys().map(|known| &**known));
            let hint = hint.unwrap_or_else(|| "declare it under `tools`".to_owned());
            d.error_hint(*at, BundleErrorKind::UnknownName, format!("no tool `{name}` is declared"), &hint);
        }
    }
}

/// Rules that ask for people where no declared tool is concerned.
pub(super) fn lint(rules: &[OrchestrationRule], tools: &[&Tool], d: &mut Diagnostics) {
    for rule in rules {
        let concerned = |ask: &Ask| tools.iter().any(|tool| ask.concerns(tool));
        if rule.ask.as_ref().is_some_and(|ask| !concerned(ask)) {
            let message = format!("the approval of the orchestration rule `{}` concerns no declared tool", rule.id);
            d.lint(rule.at, LintKind::MatchesNoTool, message);
        }
    }
}
