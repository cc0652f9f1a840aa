//! From a bundle's source to the compiled bundle: every section read, every reference resolved, every rule indexed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::capability::Principals;
use super::contract::Contract;
use super::error::{BundleError, BundleErrorKind, Diagnostics, Lint, Position, nearest_hint};
use super::evaluate::at;
use super::fields::{Fields, boolean, one_of, text};
use super::layers::Undeclared;
use super::limits::{ACROSS_PER_TOOL_MAX, CANDIDATES_MAX, CONTRACTS_MAX, PRINCIPALS_MAX, RULES_MAX, TOOLS_MAX};
use super::memory;
use super::opa;
use super::pattern::Patterns;
use super::rego::section::{self, Files};
use super::rules::Rule;
use super::settings::{ApprovalSettings, LeaseSettings};
use super::sieve::Sieve;
use super::source::{self, Node};
use super::tool::Tool;
use super::{CompiledBundle, behaviour, budgets, bundle_hash, counted, lint, orchestration};
use crate::limits::BUNDLE_COUNTED_BYTES_MAX;

/// Compiles a bundle's YAML source, or says everything that is wrong with it, in order of lines.
///
/// Deterministic and without side effects: the same bytes give the same bundle, the same errors and the same lints.
pub fn compile(source: &[u8]) -> Result<CompiledBundle, Vec<BundleError>> {
    let mut d = Diagnostics::default();
    let opened = opa::open(source)?;
    let bundle = source::parse(&opened.yaml, &mut d).and_then(|root| read_bundle(&root, source, &opened.files, &mut d));
    d.errors.sort_by_key(|error| (error.line, error.column));
    match bundle {
        Some(mut bundle) if d.errors.is_empty() => {
            lint::lint(&bundle, &mut d);
            d.lints.sort_by_key(|lint| (lint.line, lint.column, lint.kind));
            bundle.lints = d.lints;
            Ok(bundle)
        }
        _ => Err(d.errors),
    }
}

/// Everything that is wrong with a bundle's source, or else what loads but probably does not mean what it says; both in order of
/// lines.
pub fn check(source: &[u8]) -> (Vec<BundleError>, Vec<Lint>) {
    match compile(source) {
        Ok(bundle) => (Vec::new(), bundle.lints),
        Err(errors) => (errors, Vec::new()),
    }
}

/// The sections of a bundle.
const KNOWN: [&str; 19] = [
    "name",
    "version",
    "description",
    "mode",
    "unknown_tools",
    "sensitivity_defaults",
    "tools",
    "principals",
    "contract",
    "rules",
    "budgets",
    "rates",
    "rego",
    "memory",
    "behaviour",
    "limits",
    "orchestration",
    "leases",
    "approvals",
];
/// The sections that an operator's baseline can have.
const IN_BASELINE: [&str; 7] = ["name", "version", "description", "tools", "contract", "rules", "rego"];
/// Sections that other formats have and this one does not.
const LATER: [&str; 3] = ["obligations", "layers", "taint"];

fn read_bundle(root: &Node, source: &[u8], files: &Files, d: &mut Diagnostics) -> Option<CompiledBundle> {
    let fields = Fields::open(root, "a bundle", &KNOWN, &LATER, d)?;
    let name = fields.required("name", d).and_then(|node| text(node, "name", d)).map(str::to_owned);
    let version = fields.required("version", d).and_then(|node| text(node, "version", d)).map(str::to_owned);
    if let Some(node) = fields.get("description") {
        text(node, "description", d);
    }
    let observes = |key: &str, strict: &'static str, d: &mut Diagnostics| {
        fields.get(key).and_then(|node| one_of(node, key, &[strict, "observe"], d)) == Some("observe")
    };
    let (observe, observe_unknown) = (observes("mode", "enforce", d), observes("unknown_tools", "deny", d));
    let sensitivity_defaults =
        fields.get("sensitivity_defaults").and_then(|node| boolean(node, "sensitivity_defaults", d)).unwrap_or(false);
    let mut patterns = Patterns::default();
    let tools =
        fields.items("tools", TOOLS_MAX, d).iter().filter_map(|item| Tool::read(item, &mut patterns, d)).collect();
    let mut principals = Principals::default();
    fields.items("principals", PRINCIPALS_MAX, d).iter().for_each(|item| principals.read(item, &mut patterns, d));
    let contract_items = fields.items("contract", CONTRACTS_MAX, d);
    let contracts: Vec<Contract> =
        contract_items.iter().filter_map(|item| Contract::read(item, &mut patterns, d)).collect();
    let rule_items = fields.items("rules", RULES_MAX, d);
    let mut rules: Vec<Rule> = rule_items.iter().filter_map(|item| Rule::read(item, &mut patterns, d)).collect();
    let rego = section::read(fields.get("rego"), files, d);
    let behaviour = behaviour::read(fields.items("behaviour", RULES_MAX, d), d);
    let limits = fields.get("limits").map(|node| behaviour::read_limits(node, d)).unwrap_or_default();
    let orchestration = orchestration::read(&fields, limits, d);
    let leases = fields.get("leases").map(|node| LeaseSettings::read(node, d)).unwrap_or_default();
    let approvals = fields.get("approvals").map(|node| ApprovalSettings::read(node, d)).unwrap_or_default();
    approvals.complete(rule_items, &mut rules);
    let mut tools = by_name(tools, d);
    tools.values_mut().for_each(|tool| tool.sensitivity_defaults = sensitivity_defaults);
    check_ids(&contracts, &rules, d);
    check_tool_names(&tools, &contracts, &rules, d);
    orchestration::check_tool_names(&orchestration, &tools, d);
    let (budgets, mut rates) = budgets::read(&fields, d);
    rates.extend(budgets::of_capabilities(fields.items("principals", PRINCIPALS_MAX, &mut Diagnostics::default()), d));
    budgets::check_tool_names(&budgets, &rates, &tools, d);
    // The sort is stable: within a layer and a priority the position in the source decides.
    rules.sort_by_key(|rule| (rule.layer, rule.priority));
    let mut bundle = CompiledBundle {
        name: name?,
        version: version?,
        hash: bundle_hash(source),
        observe,
        observe_unknown,
        tools,
        principals,
        contracts,
        sieve: Sieve::of(&rules),
        rules,
        behaviour,
        budgets,
        limits,
        orchestration,
        leases,
        approvals,
        rates,
        rego,
        memory: fields.get("memory").map(|node| memory::read(node, d)).unwrap_or_default(),
        lints: Vec::new(),
        undeclared: Undeclared::default(),
        idle_in_baseline: idle_in_baseline(&fields),
    };
    index(&mut bundle, d);
    bundle.undeclared = Undeclared::of(&bundle.contracts, &bundle.rules);
    counted::check(&bundle, BUNDLE_COUNTED_BYTES_MAX, 0, d);
    Some(bundle)
}

/// Sections that are there and would say nothing in an operator's baseline.
fn idle_in_baseline(fields: &Fields<'_>) -> Vec<(Position, &'static str)> {
    let idle = KNOWN.into_iter().filter(|section| !IN_BASELINE.contains(section));
    idle.filter_map(|section| Some((fields.get(section)?.at, section))).collect()
}

fn by_name(tools: Vec<Tool>, d: &mut Diagnostics) -> BTreeMap<Arc<str>, Tool> {
    let mut out = BTreeMap::new();
    for tool in tools {
        let at = tool.at;
        if let Some(first) = out.insert(tool.name.clone(), tool) {
            let message = format!("the tool `{}` is declared in line {} already", first.name, first.at.line);
            d.error(at, BundleErrorKind::Duplicate, message);
        }
    }
    out
}

/// Contract rules and policy rules share one space of ids, since decisions name both.
pub(super) fn check_ids(contracts: &[Contract], rules: &[Rule], d: &mut Diagnostics) {
    let mut seen: BTreeMap<&str, Position> = BTreeMap::new();
    let all = contracts.iter().map(|c| (&*c.id, c.at)).chain(rules.iter().map(|r| (&*r.id, r.at)));
    for (id, at) in all {
        if let Some(first) = seen.insert(id, at) {
            let message = format!("the id `{id}` is taken by the rule in line {}", first.line);
            d.error(at, BundleErrorKind::Duplicate, message);
        }
    }
}

/// A misspelt tool name would silently switch a deny rule off, so it is an error.
pub(super) fn check_tool_names(
    tools: &BTreeMap<Arc<str>, Tool>,
    contracts: &[Contract],
    rules: &[Rule],
    d: &mut Diagnostics,
) {
    let in_contracts = contracts.iter().flat_map(|contract| &contract.tools);
    let in_rules = rules.iter().flat_map(|rule| rule.tools.iter().flatten().chain(&rule.compute.tool));
    for (at, name) in in_contracts.chain(in_rules) {
        if !tools.contains_key(name) {
            let hint = nearest_hint(name, tools.keys().map(|known| &**known));
            let hint = hint.unwrap_or_else(|| "declare it under `tools`".to_owned());
            d.error_hint(*at, BundleErrorKind::UnknownName, format!("no tool `{name}` is declared"), &hint);
        }
    }
}

/// Gives every tool the ordered positions of the rules and contract rules that concern it; equal lists are shared.
fn index(bundle: &mut CompiledBundle, d: &mut Diagnostics) {
    let CompiledBundle { tools, contracts, rules, budgets, rates, .. } = bundle;
    let mut shared: BTreeSet<Arc<[u32]>> = BTreeSet::new();
    let mut total = 0usize;
    for tool in tools.values_mut() {
        let candidates: Vec<u32> =
            rules.iter().zip(0u32..).filter(|(rule, _)| rule.concerns(tool)).map(|(_, position)| position).collect();
        tool.rules = match shared.get(candidates.as_slice()) {
            Some(list) => list.clone(),
            None => {
                let list: Arc<[u32]> = candidates.into();
                total = total.saturating_add(list.len());
                shared.insert(list.clone());
                list
            }
        };
        tool.contracts =
            contracts.iter().zip(0u32..).filter(|(contract, _)| contract.concerns(tool)).map(|(_, p)| p).collect();
        let concern = tool.contracts.iter().filter_map(|position| at(contracts, *position));
        let across = concern.map(Contract::across).sum::<usize>();
        if across > ACROSS_PER_TOOL_MAX {
            let message =
                format!("{across} predicates across steps are about this tool, keep it to {ACROSS_PER_TOOL_MAX}");
            d.error(tool.at, BundleErrorKind::TooLarge, message);
        }
        tool.charged = budgets::positions(budgets, rates, tool);
        if total > CANDIDATES_MAX {
            let message = format!("tools times rules exceed {CANDIDATES_MAX}, name classes or tools in more rules");
            d.error(tool.at, BundleErrorKind::TooLarge, message);
            return;
        }
    }
}
