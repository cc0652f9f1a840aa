//! Sections `budgets` and `rates`: how much calls may use up in a period, and how fast they may come.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::capability::SubjectPattern;
use super::error::{BundleErrorKind, Diagnostics, Position, nearest_hint};
use super::fields::{Fields, count, name, names, one_or_many, text};
use super::limits::BUDGETS_MAX;
use super::source::{Node, NodeKind};
use super::tool::Tool;
use crate::charge::{Period, RATE_CALLS_MAX, RATE_SECONDS_MAX, RateTerms, Scope, Unit};

/// Most names in one `match`.
const ITEMS_MAX: usize = 1_024;
/// Largest limit of a budget: what JSON numbers hold exactly everywhere.
const LIMIT_MAX: u64 = 1 << 53;

/// How much the calls that it matches may use up in a period.
#[derive(Debug, Clone)]
pub struct Budget {
    at: Position,
    /// Its id.
    pub id: Arc<str>,
    /// Whose it is.
    pub scope: Scope,
    /// What it counts.
    pub unit: Unit,
    /// The most that can be used.
    pub limit: u64,
    /// After what time it is full again.
    pub period: Period,
    charged: Charged,
}

/// How fast the calls that it matches may come.
#[derive(Debug, Clone)]
pub struct Rate {
    at: Position,
    /// Its id.
    pub id: Arc<str>,
    /// Whose it is.
    pub scope: Scope,
    /// How many calls in what time.
    pub terms: RateTerms,
    /// The terms as they stand in the keys of its records.
    pub(crate) terms_text: Box<str>,
    charged: Charged,
}

/// Which calls are charged; what is not named does not matter.
#[derive(Debug, Clone, Default)]
struct Charged {
    classes: Option<Vec<Arc<str>>>,
    actions: Option<Vec<Arc<str>>>,
    tools: Option<Vec<(Position, Arc<str>)>>,
    subjects: Option<Vec<SubjectPattern>>,
}

impl Budget {
    /// Where it is written.
    pub(super) const fn at(&self) -> Position {
        self.at
    }

    /// Whether calls of this tool are charged to it. Of a tool with several actions nobody knows which one a call performs: one that
    /// is named is enough.
    pub fn concerns(&self, tool: &Tool) -> bool {
        self.charged.concerns(tool)
    }

    /// Whether calls of this subject are charged to it.
    pub fn charges(&self, subject: &str) -> bool {
        self.charged.charges(subject)
    }
}

impl Rate {
    /// Where it is written.
    pub(super) const fn at(&self) -> Position {
        self.at
    }

    /// Whether calls of this tool are charged to it.
    pub fn concerns(&self, tool: &Tool) -> bool {
        self.charged.concerns(tool)
    }

    /// Whether calls of this subject are charged to it.
    pub fn charges(&self, subject: &str) -> bool {
        self.charged.charges(subject)
    }
}

impl Charged {
    fn concerns(&self, tool: &Tool) -> bool {
        self.classes.as_ref().is_none_or(|classes| classes.contains(&tool.class))
            && self.actions.as_ref().is_none_or(|actions| tool.actions.iter().any(|action| actions.contains(action)))
            && self.tools.as_ref().is_none_or(|tools| tools.iter().any(|(_, name)| *name == tool.name))
    }

    fn charges(&self, subject: &str) -> bool {
        self.subjects.as_ref().is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(subject)))
    }

    fn read(node: &Node, d: &mut Diagnostics) -> Option<Charged> {
        const KNOWN: [&str; 8] = ["class", "classes", "action", "actions", "tool", "tools", "principal", "principals"];
        let fields = Fields::open(node, "a budget's match", &KNOWN, &[], d)?;
        let list = |spellings: [&str; 2], d: &mut Diagnostics| {
            fields.any(&spellings, d).map(|node| names(node, spellings[0], ITEMS_MAX, d))
        };
        let plain = |items: Vec<(Position, Arc<str>)>| items.into_iter().map(|(_, item)| item).collect();
        let classes = list(["class", "classes"], d).map(plain);
        let actions = list(["action", "actions"], d).map(plain);
        let tools = list(["tool", "tools"], d);
        let subjects = fields.any(&["principal", "principals"], d).map(|node| {
            let items = one_or_many(node, "principal", ITEMS_MAX, d);
            items.iter().filter_map(|item| SubjectPattern::read(item, d)).collect()
        });
        Some(Charged { classes, actions, tools, subjects })
    }
}

/// Reads one item of `budgets`.
pub(super) fn read_budget(node: &Node, d: &mut Diagnostics) -> Option<Budget> {
    let known = ["id", "description", "scope", "unit", "limit", "per", "match"];
    let fields = Fields::open(node, "a budget", &known, &[], d)?;
    describe(&fields, d);
    let id = fields.required("id", d).and_then(|node| name(node, "a budget's id", d));
    let scope = read_scope(&fields, d);
    let unit = choice(&fields, "unit", Unit::Calls, Unit::from_name, &Unit::ALL.map(Unit::name), d);
    let period = choice(&fields, "per", Period::Ever, Period::from_name, &Period::ALL.map(Period::name), d);
    let limit = fields.required("limit", d).and_then(|node| count(node, "limit", LIMIT_MAX, d));
    let charged = fields.get("match").map_or(Some(Charged::default()), |node| Charged::read(node, d));
    let (mut scope, period) = (scope?, period?);
    if period == Period::Run && scope != Scope::Run {
        if fields.get("scope").is_some() {
            let message = "a budget `per: run` is each run's own".to_owned();
            d.error_hint(node.at, BundleErrorKind::InvalidValue, message, "write scope: run, or leave it out");
        }
        scope = Scope::Run;
    }
    Some(Budget { at: node.at, id: id?, scope, unit: unit?, limit: limit?, period, charged: charged? })
}

/// Reads one item of `rates`.
pub(super) fn read_rate(node: &Node, d: &mut Diagnostics) -> Option<Rate> {
    let known = ["id", "description", "scope", "calls", "per_seconds", "burst", "match"];
    let fields = Fields::open(node, "a rate", &known, &[], d)?;
    describe(&fields, d);
    let id = fields.required("id", d).and_then(|node| name(node, "a rate's id", d));
    let scope = read_scope(&fields, d);
    let calls = fields.required("calls", d).and_then(|node| positive(node, "calls", RATE_CALLS_MAX, d));
    let seconds = match fields.get("per_seconds") {
        Some(node) => positive(node, "per_seconds", RATE_SECONDS_MAX, d),
        None => Some(60),
    };
    let burst = match fields.get("burst") {
        Some(node) => positive(node, "burst", RATE_CALLS_MAX, d),
        None => calls,
    };
    let charged = fields.get("match").map_or(Some(Charged::default()), |node| Charged::read(node, d));
    let terms = RateTerms { calls: calls?, per_seconds: seconds?, burst: burst? };
    let terms_text = terms.text().into();
    Some(Rate { at: node.at, id: id?, scope: scope?, terms, terms_text, charged: charged? })
}

fn describe(fields: &Fields<'_>, d: &mut Diagnostics) {
    if let Some(node) = fields.get("description") {
        text(node, "description", d);
    }
}

fn read_scope(fields: &Fields<'_>, d: &mut Diagnostics) -> Option<Scope> {
    choice(fields, "scope", Scope::Principal, Scope::from_name, &Scope::ALL.map(Scope::name), d)
}

fn choice<T>(
    fields: &Fields<'_>,
    key: &str,
    default: T,
    from_name: impl FnOnce(&str) -> Option<T>,
    all: &[&str],
    d: &mut Diagnostics,
) -> Option<T> {
    let Some(node) = fields.get(key) else { return Some(default) };
    let written = text(node, key, d)?;
    let found = from_name(written);
    if found.is_none() {
        let message = format!("`{written}` is no {key} of a budget or rate");
        d.error_hint(node.at, BundleErrorKind::InvalidValue, message, &format!("write one of: {}", all.join(", ")));
    }
    found
}

fn positive(node: &Node, what: &str, max: u64, d: &mut Diagnostics) -> Option<u64> {
    let value = count(node, what, max, d)?;
    if value == 0 {
        d.error(node.at, BundleErrorKind::InvalidValue, format!("{what} must be at least 1"));
    }
    Some(value).filter(|value| *value > 0)
}

/// The rates of capabilities (`constraints: {max_calls_per_minute}`): each subject's own, for the calls that the capability is about.
/// What else is wrong with the principals is said where they are read.
pub(super) fn of_capabilities(principals: &[Node], d: &mut Diagnostics) -> Vec<Rate> {
    let mut rates = Vec::new();
    for principal in principals {
        let mut ignored = Diagnostics::default();
        let Some(pattern) = member(principal, &["subject"]).and_then(|node| SubjectPattern::read(node, &mut ignored))
        else {
            continue;
        };
        let Some(NodeKind::List(items)) = member(principal, &["capabilities"]).map(|node| &node.kind) else { continue };
        for (position, item) in items.iter().enumerate() {
            rates.extend(of_capability(item, &pattern, position, d));
        }
    }
    rates
}

fn of_capability(item: &Node, pattern: &SubjectPattern, position: usize, d: &mut Diagnostics) -> Option<Rate> {
    let constraints = member(item, &["constraints"])?;
    let node = member(constraints, &["maxCallsPerMinute", "max_calls_per_minute"])?;
    let calls = positive(node, "max_calls_per_minute", RATE_CALLS_MAX, d)?;
    let mut ignored = Diagnostics::default();
    let class = member(item, &["class", "toolClass"]).and_then(|node| name(node, "class", &mut ignored))?;
    let actions = names(member(item, &["actions"])?, "actions", ITEMS_MAX, &mut Diagnostics::default());
    // `*` is no name: then every action is meant.
    let actions: Vec<Arc<str>> = actions.into_iter().map(|(_, action)| action).collect();
    let charged = Charged {
        classes: Some(vec![class]),
        actions: (!actions.is_empty()).then_some(actions),
        tools: None,
        subjects: Some(vec![pattern.clone()]),
    };
    // A space is in no id that is written down, so that this one is of its own.
    let id = format!("capability {} {position}", pattern.written()).into();
    let terms = RateTerms { calls, per_seconds: 60, burst: calls };
    Some(Rate { at: node.at, id, scope: Scope::Principal, terms, terms_text: terms.text().into(), charged })
}

fn member<'n>(node: &'n Node, spellings: &[&str]) -> Option<&'n Node> {
    let NodeKind::Map(members) = &node.kind else { return None };
    members.iter().find(|(key, _)| spellings.contains(&key.text.as_str())).map(|(_, node)| node)
}

/// The positions of the budgets and rates that concern a tool.
pub(super) fn positions(budgets: &[Budget], rates: &[Rate], tool: &Tool) -> (Vec<u32>, Vec<u32>) {
    let of = |concerned: &mut dyn Iterator<Item = bool>| {
        concerned.zip(0u32..).filter(|(concerned, _)| *concerned).map(|(_, position)| position).collect()
    };
    (of(&mut budgets.iter().map(|budget| budget.concerns(tool))), of(&mut rates.iter().map(|rate| rate.concerns(tool))))
}

/// Reads both sections.
pub(super) fn read(fields: &Fields<'_>, d: &mut Diagnostics) -> (Vec<Budget>, Vec<Rate>) {
    let budgets: Vec<Budget> =
        fields.items("budgets", BUDGETS_MAX, d).iter().filter_map(|item| read_budget(item, d)).collect();
    let rates: Vec<Rate> = fields.items("rates", BUDGETS_MAX, d).iter().filter_map(|item| read_rate(item, d)).collect();
    unique(budgets.iter().map(|budget| (&budget.id, budget.at)), "budget", d);
    unique(rates.iter().map(|rate| (&rate.id, rate.at)), "rate", d);
    (budgets, rates)
}

fn unique<'a>(ids: impl Iterator<Item = (&'a Arc<str>, Position)>, what: &str, d: &mut Diagnostics) {
    let mut seen: BTreeMap<&str, Position> = BTreeMap::new();
    for (id, at) in ids {
        if let Some(first) = seen.insert(id, at) {
            let message = format!("the id `{id}` is taken by the {what} in line {}", first.line);
            d.error(at, BundleErrorKind::Duplicate, message);
        }
    }
}

/// A misspelt tool name would switch a budget off, so it is an error.
pub(super) fn check_tool_names(
    budgets: &[Budget],
    rates: &[Rate],
    tools: &BTreeMap<Arc<str>, Tool>,
    d: &mut Diagnostics,
) {
    let all = budgets.iter().map(|budget| &budget.charged).chain(rates.iter().map(|rate| &rate.charged));
    for (at, name) in all.flat_map(|charged| charged.tools.iter().flatten()) {
        if !tools.contains_key(name) {
            let hint = nearest_hint(name, tools.keys().map(|known| &**known));
            let hint = hint.unwrap_or_else(|| "declare it under `tools`".to_owned());
            d.error_hint(*at, BundleErrorKind::UnknownName, format!("no tool `{name}` is declared"), &hint);
        }
    }
}
