//! Policy rules: match, decide, first match wins.

use std::sync::Arc;

use super::capability::SubjectPattern;
use super::cel::Cel;
use super::compute::Compute;
use super::condition::{Check, Condition, Order, Scratch, read_bound, read_directories, read_hosts, read_values};
use super::contract::open_host_message;
use super::error::{BundleErrorKind, Diagnostics, LintKind, Position, nearest_hint};
use super::evaluate::Call;
use super::facts::{Situation, TaintSources};
use super::fields::{Fields, boolean, count, list, name, names, one_or_many, text, wrong_type};
use super::limits::{PRIORITY_DEFAULT, PRIORITY_MAX};
use super::obligation::{Obligation, read_obligations};
use super::outcome::ApprovalNeed;
use super::pattern::{Patterns, is_url_argument, leaves_host_open};
use super::select::Selector;
use super::source::{Node, NodeKind};
use super::tool::Tool;
use crate::reason::ReasonCode;
use crate::taint::TaintSource;
use crate::verdict::Verdict;

/// Most names, tags or parameters of one rule.
const ITEMS_MAX: usize = 1_024;

/// Which layer a rule belongs to; the layers are asked in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Layer {
    Runtime,
    Project,
    BuiltIn,
}

/// One policy rule.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) at: Position,
    pub(super) id: Arc<str>,
    pub(super) layer: Layer,
    pub(super) priority: u64,
    pub(super) verdict: Verdict,
    /// Tried and reported, never enforced.
    pub(super) shadow: bool,
    pub(super) classes: Option<Vec<Arc<str>>>,
    pub(super) actions: Option<Vec<Arc<str>>>,
    pub(super) tools: Option<Vec<(Position, Arc<str>)>>,
    pub(super) subjects: Option<Vec<SubjectPattern>>,
    pub(super) taint: Option<TaintMatch>,
    pub(super) parameters: Vec<Parameter>,
    /// Asked last, when everything else matches.
    condition: Option<Cel>,
    pub(super) obligations: Vec<Obligation>,
    /// Who has to agree, when the rule escalates.
    pub(super) approval: ApprovalNeed,
    /// What runs instead, when the rule computes.
    pub(super) compute: Compute,
}

/// The conditions a rule puts on one argument.
#[derive(Debug, Clone)]
pub(super) struct Parameter {
    pub(super) at: Position,
    pub(super) selector: Selector,
    pub(super) conditions: Vec<Condition>,
}

/// Taint sources of which one must be there.
#[derive(Debug, Clone, Copy)]
pub(super) struct TaintMatch {
    pub(super) sources: TaintSources,
    /// Whether only the call's own labels count, and not those of its run.
    call_only: bool,
}

impl Rule {
    /// Whether the rule can match calls of this tool at all. Of a tool with several actions nobody knows which one a call
    /// performs, so a deny rule matches when it names one of them and any other rule only when it names all.
    pub(super) fn concerns(&self, tool: &Tool) -> bool {
        let listed = |action: &Arc<str>| self.actions.as_ref().is_none_or(|actions| actions.contains(action));
        let actions = match self.verdict {
            Verdict::Deny | Verdict::Escalate => tool.actions.iter().any(listed),
            Verdict::Compute | Verdict::Allow => tool.actions.iter().all(listed),
        };
        actions
            && self.classes.as_ref().is_none_or(|classes| classes.contains(&tool.class))
            && self.tools.as_ref().is_none_or(|tools| tools.iter().any(|(_, name)| *name == tool.name))
    }

    /// Whether the rule matches a call of a tool it concerns. A missing or wrongly typed argument counts against the caller:
    /// allow and compute rules do not match, deny and escalate rules do.
    ///
    /// # Errors
    /// The code of a condition that could not be evaluated.
    pub(super) fn matches<'a>(
        &self,
        call: &Call<'a>,
        situation: &Situation<'_>,
        memo: &Scratch<'a>,
    ) -> Result<bool, ReasonCode> {
        if !self.is_about(call.subject, situation.chain) || !self.taint.is_none_or(|taint| taint.holds(situation)) {
            return Ok(false);
        }
        let against_caller = self.is_against_caller();
        let odd_matches = |check: Check| check == Check::Holds || (check == Check::Odd && against_caller);
        let fits = self.parameters.iter().all(|parameter| {
            let value = parameter.selector.find(call.args);
            parameter.conditions.iter().all(|condition| odd_matches(condition.check(value, memo)))
        });
        match &self.condition {
            Some(condition) if fits => condition.holds(call, situation, memo.work),
            _ => Ok(fits),
        }
    }

    /// Whether the rule is about who acts. Nobody gets more by acting through another one, or for another one: who denies names one of them,
    /// who allows all.
    fn is_about(&self, subject: &str, chain: &[String]) -> bool {
        let Some(subjects) = &self.subjects else { return true };
        let mut everybody = core::iter::once(subject).chain(chain.iter().map(String::as_str));
        let listed = |subject: &str| subjects.iter().any(|pattern| pattern.matches(subject));
        if self.is_against_caller() { everybody.any(listed) } else { everybody.all(listed) }
    }

    const fn is_against_caller(&self) -> bool {
        matches!(self.verdict, Verdict::Deny | Verdict::Escalate)
    }

    /// Whether the rule matches every call of the tools it concerns, and ends the search there.
    pub(super) fn is_unconditional(&self) -> bool {
        let matches_all = self.subjects.is_none() && self.parameters.is_empty() && self.taint.is_none();
        matches_all && self.condition.is_none() && !self.shadow
    }

    /// Reads one item of `rules`.
    pub(super) fn read(node: &Node, patterns: &mut Patterns, d: &mut Diagnostics) -> Option<Rule> {
        const KNOWN: [&str; 14] = [
            "id",
            "name",
            "description",
            "priority",
            "layer",
            "match",
            "decision",
            "reason",
            "tags",
            "shadow",
            "obligations",
            "approval",
            "compute",
            "condition",
        ];
        let fields = Fields::open(node, "a rule", &KNOWN, &[], d)?;
        for key in ["name", "description", "reason"] {
            if let Some(node) = fields.get(key) {
                text(node, key, d);
            }
        }
        for tag in fields.get("tags").map_or(&[][..], |node| list(node, "tags", ITEMS_MAX, d)) {
            text(tag, "a tag", d);
        }
        let id = fields.required("id", d).and_then(|node| name(node, "a rule's id", d));
        let priority = match fields.get("priority") {
            Some(node) => count(node, "priority", PRIORITY_MAX, d),
            None => Some(PRIORITY_DEFAULT),
        };
        let layer = fields.get("layer").map_or(Some(Layer::Project), |node| read_layer(node, d));
        let shadow = fields.get("shadow").map_or(Some(false), |node| boolean(node, "shadow", d));
        let verdict = fields.required("decision", d).and_then(|node| read_decision(node, d));
        let matching = fields.required("match", d)?;
        let obligations = fields.get("obligations").map(|node| read_obligations(node, d)).unwrap_or_default();
        let (approval, compute) = read_outcome(&fields, verdict, d);
        let condition = fields.get("condition").map(|node| Cel::read(node, patterns, d));
        let mut rule = Rule {
            at: node.at,
            id: id?,
            layer: layer?,
            priority: priority?,
            verdict: verdict?,
            shadow: shadow?,
            classes: None,
            actions: None,
            tools: None,
            subjects: None,
            taint: None,
            parameters: Vec::new(),
            condition: match condition {
                Some(condition) => Some(condition?),
                None => None,
            },
            obligations,
            approval,
            compute,
        };
        rule.read_match(matching, patterns, d);
        Some(rule)
    }

    fn read_match(&mut self, node: &Node, patterns: &mut Patterns, d: &mut Diagnostics) {
        const KNOWN: [&str; 11] = [
            "toolClass",
            "tool_class",
            "action",
            "tool",
            "principalId",
            "principal_id",
            "taintSources",
            "taint_sources",
            "taintScope",
            "taint_scope",
            "parameters",
        ];
        let Some(fields) = Fields::open(node, "match", &KNOWN, &[], d) else { return };
        let bare = |names: Vec<(Position, Arc<str>)>| names.into_iter().map(|(_, name)| name).collect();
        let classes = fields.any(&["toolClass", "tool_class"], d);
        self.classes = classes.map(|node| bare(names(node, "toolClass", ITEMS_MAX, d)));
        self.actions = fields.get("action").map(|node| bare(names(node, "action", ITEMS_MAX, d)));
        self.tools = fields.get("tool").map(|node| names(node, "tool", ITEMS_MAX, d));
        self.subjects = fields.any(&["principalId", "principal_id"], d).map(|node| {
            let items = one_or_many(node, "principalId", ITEMS_MAX, d);
            items.iter().filter_map(|item| SubjectPattern::read(item, d)).collect()
        });
        self.taint = read_taint(&fields, d);
        let Some(parameters) = fields.get("parameters") else { return };
        let NodeKind::Map(members) = &parameters.kind else {
            wrong_type(parameters, "parameters", "a mapping from argument to conditions", d);
            return;
        };
        for (key, node) in members {
            let Some(selector) = Selector::read(&key.text, key.at, d) else { continue };
            self.read_parameter(selector, node, patterns, d);
        }
    }

    fn read_parameter(&mut self, selector: Selector, node: &Node, patterns: &mut Patterns, d: &mut Diagnostics) {
        const KNOWN: [&str; 8] = ["pattern", "in", "notIn", "not_in", "min", "max", "host", "within"];
        let Some(fields) = Fields::open(node, "a parameter", &KNOWN, &[], d) else { return };
        let mut conditions = Vec::new();
        if let Some(at) = fields.get("pattern") {
            let regex = patterns.compile(at, d);
            let open = regex.as_ref().is_some_and(|regex| leaves_host_open(regex.as_str()));
            if open && self.verdict == Verdict::Allow && is_url_argument(selector.argument()) {
                d.lint(at.at, LintKind::UnanchoredPattern, open_host_message());
            }
            conditions.extend(regex.map(Condition::Matches));
        }
        let values = |node, d: &mut Diagnostics| read_values(node, "the listed values", d);
        conditions.extend(fields.get("in").and_then(|node| values(node, d)).map(Condition::In));
        conditions.extend(fields.any(&["notIn", "not_in"], d).and_then(|node| values(node, d)).map(Condition::NotIn));
        conditions.extend(fields.get("min").and_then(|node| read_bound(node, "min", Order::GreaterOrEqual, d)));
        conditions.extend(fields.get("max").and_then(|node| read_bound(node, "max", Order::LessOrEqual, d)));
        conditions.extend(fields.get("host").and_then(|node| read_hosts(node, "host", d)).map(Condition::HostIn));
        conditions
            .extend(fields.get("within").and_then(|node| read_directories(node, "within", d)).map(Condition::Within));
        if fields.is_empty() {
            let message = format!("the parameter `{selector}` has no condition, so it restricts nothing");
            d.error_hint(
                node.at,
                BundleErrorKind::InvalidValue,
                message,
                "give pattern, in, notIn, min, max, host or within",
            );
        }
        self.parameters.push(Parameter { at: node.at, selector, conditions });
    }
}

impl TaintMatch {
    fn holds(self, situation: &Situation<'_>) -> bool {
        self.sources.meets(situation.call_taint) || (!self.call_only && self.sources.meets(situation.run_taint))
    }
}

fn read_taint(fields: &Fields<'_>, d: &mut Diagnostics) -> Option<TaintMatch> {
    let scope = fields.any(&["taintScope", "taint_scope"], d);
    let call_only = match scope.and_then(|node| Some((node, text(node, "taintScope", d)?))) {
        None | Some((_, "run")) => false,
        Some((_, "call")) => true,
        Some((node, other)) => {
            let message = format!("`{other}` is no scope of taint");
            d.error_hint(node.at, BundleErrorKind::InvalidValue, message, "use call or run");
            false
        }
    };
    let Some(node) = fields.any(&["taintSources", "taint_sources"], d) else {
        if let Some(scope) = scope {
            d.error_hint(
                scope.at,
                BundleErrorKind::InvalidValue,
                "a scope of taint without taint sources says nothing",
                "add taintSources, or remove it",
            );
        }
        return None;
    };
    let mut sources = TaintSources::default();
    for item in one_or_many(node, "taintSources", ITEMS_MAX, d) {
        let Some(written) = text(item, "a taint source", d) else { continue };
        match TaintSource::from_name(written) {
            Some(source) => sources = sources.union(source.into()),
            None => {
                let names = TaintSources::all_names();
                let all = || format!("use one of {}", names.join(", "));
                let hint = nearest_hint(written, names).unwrap_or_else(all);
                d.error_hint(item.at, BundleErrorKind::InvalidValue, format!("`{written}` is no taint source"), &hint);
            }
        }
    }
    Some(TaintMatch { sources, call_only })
}

fn read_layer(node: &Node, d: &mut Diagnostics) -> Option<Layer> {
    match text(node, "layer", d)? {
        "runtime" => Some(Layer::Runtime),
        "project" => Some(Layer::Project),
        "built-in" | "built_in" | "builtIn" => Some(Layer::BuiltIn),
        other => {
            let message = format!("`{other}` is no layer");
            d.error_hint(node.at, BundleErrorKind::InvalidValue, message, "use runtime, project or built-in");
            None
        }
    }
}

fn read_decision(node: &Node, d: &mut Diagnostics) -> Option<Verdict> {
    match text(node, "decision", d)? {
        "allow" => Some(Verdict::Allow),
        "deny" => Some(Verdict::Deny),
        "escalate" | "require-approval" | "require_approval" | "requireApproval" => Some(Verdict::Escalate),
        "compute" => Some(Verdict::Compute),
        other => {
            let message = format!("`{other}` is no decision");
            let hint = "use allow, deny, escalate (or require-approval) or compute";
            d.error_hint(node.at, BundleErrorKind::InvalidValue, message, hint);
            None
        }
    }
}

/// What goes with the decision: `approval` with escalate, `compute` with compute, neither with the others.
fn read_outcome(fields: &Fields<'_>, verdict: Option<Verdict>, d: &mut Diagnostics) -> (ApprovalNeed, Compute) {
    for (key, fitting) in [("approval", Verdict::Escalate), ("compute", Verdict::Compute)] {
        if let (Some(node), Some(verdict)) = (fields.get(key), verdict)
            && verdict != fitting
        {
            let message = format!("`{key}` says nothing about a rule that decides {verdict}");
            d.error_hint(node.at, BundleErrorKind::InvalidValue, message, "remove it, or correct the decision");
        }
    }
    if verdict == Some(Verdict::Compute) && fields.get("compute").is_none() {
        fields.missing("compute", d);
    }
    let approval = fields.get("approval").and_then(|node| ApprovalNeed::read(node, d));
    let compute = fields.get("compute").and_then(|node| Compute::read(node, d));
    (approval.unwrap_or_default(), compute.unwrap_or_default())
}
