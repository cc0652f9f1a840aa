//! The caps of a policy bundle, and how they relate.

/// Most bytes of a bundle's source.
pub const SOURCE_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of the source's lists and mappings.
pub const DEPTH_MAX: usize = 24;
/// Most nodes (scalars, lists, mappings) in the source.
pub const NODES_MAX: usize = 200_000;
/// Most errors reported for one source.
pub const ERRORS_MAX: usize = 64;
/// Most tools of a bundle.
pub const TOOLS_MAX: usize = 2_000;
/// Most principals of a bundle.
pub const PRINCIPALS_MAX: usize = 10_000;
/// Most capabilities of one principal.
pub const CAPABILITIES_MAX: usize = 256;
/// Most namespaces of memory of a bundle.
pub const MEMORY_SPACES_MAX: usize = 1_000;
/// Most readers, and most writers, of one namespace.
pub const MEMORY_SUBJECTS_MAX: usize = 256;
/// Longest life of an entry of memory, in seconds: ten years.
pub const MEMORY_TTL_SECONDS_MAX: u64 = 10 * 366 * 86_400;
/// Longest life of an entry where the bundle does not say: thirty days.
pub const MEMORY_TTL_SECONDS_DEFAULT: u64 = 30 * 86_400;
/// Most contract rules of a bundle.
pub const CONTRACTS_MAX: usize = 2_000;
/// Most policy rules of a bundle.
pub const RULES_MAX: usize = 10_000;
/// Most rules of a runtime layer; they are looked through one by one.
pub const RUNTIME_RULES_MAX: usize = 256;
/// Most orchestration rules of a bundle.
pub const ORCHESTRATION_MAX: usize = 32;
/// Most budgets of a bundle, and most rates.
pub const BUDGETS_MAX: usize = 256;
/// Most rule positions over all distinct candidate lists of the tools.
pub const CANDIDATES_MAX: usize = 4_000_000;
/// Most bytes of an identifier: tools, classes, actions, rules, contracts.
pub const NAME_BYTES_MAX: usize = 128;
/// Most bytes of a free text, an argument selector or a listed value.
pub const TEXT_BYTES_MAX: usize = 4_096;
/// Most calls of one lease.
pub const LEASE_CALLS_MAX: u64 = 1_000_000;
/// Longest time of one lease, in seconds: 30 days.
pub const LEASE_SECONDS_MAX: u64 = 30 * 86_400;
/// Most obligations of one rule and of one outcome.
pub const OBLIGATIONS_MAX: usize = 16;
/// Most parameters of one obligation.
pub const OBLIGATION_PARAMS_MAX: usize = 16;
/// Most bytes of one obligation's parameters, names and texts together: all of a decision fit its leaf.
pub const OBLIGATION_BYTES_MAX: usize = 1_024;
/// Most votes of rules that are only tried in one outcome.
pub const SHADOW_MAX: usize = 8;
/// Most roles and most fields of one approval.
pub const APPROVAL_ITEMS_MAX: usize = 16;
/// Most people that one approval can ask for.
pub const APPROVERS_MAX: u64 = 16;
/// Longest time an approval can be asked for, in seconds: 30 days.
pub const APPROVAL_SECONDS_MAX: u64 = 30 * 86_400;
/// Most changes that one compute rule makes.
pub const COMPUTE_CHANGES_MAX: usize = 64;
/// Most distinct values that a predicate across steps tells apart; a call beyond it does not satisfy it.
pub const DISTINCT_MAX: u64 = 1_024;
/// Most predicates across steps that concern one tool: each call of it adds to all of them.
pub const ACROSS_PER_TOOL_MAX: usize = 64;
/// Largest priority of a rule.
pub const PRIORITY_MAX: u64 = 999;
/// Priority of a rule that names none.
pub const PRIORITY_DEFAULT: u64 = 500;
/// Most bytes of one pattern's text.
pub const PATTERN_BYTES_MAX: usize = 1_024;
/// Most bytes of one compiled pattern before it is made deterministic.
pub const PATTERN_AUTOMATON_BYTES_MAX: usize = 256 << 10;
/// The same of a pattern that is compiled while a call is decided.
pub const PATTERN_ONCE_BYTES_MAX: usize = 32 << 10;
/// Most bytes of one pattern's table; one that would take more is walked place by place.
pub const PATTERN_TABLE_BYTES_MAX: usize = 512 << 10;
/// Most bytes of all tables of a bundle, where one that got too large counts as one of the largest.
pub const PATTERN_TABLES_BYTES_MAX: usize = 32 << 20;
/// Most bytes of all patterns of a bundle, with tables and without.
pub const PATTERNS_BYTES_MAX: usize = 64 << 20;
/// Most distinct patterns of a bundle.
pub const PATTERNS_MAX: usize = 4_096;
/// Most bytes of a text a pattern is matched against; a longer one counts as wrongly typed.
pub const PATTERN_INPUT_BYTES_MAX: usize = 64 << 10;
/// Most units that all patterns of one decision take together; beyond it the call is denied. A unit is one byte of text where the
/// pattern has a table.
pub const PATTERN_UNITS_PER_CALL_MAX: usize = 256 << 10;
/// Most bytes of a URL whose host is read.
pub const URL_BYTES_MAX: usize = 8_192;
/// Most bytes of a path that is compared.
pub const PATH_BYTES_MAX: usize = 4_096;

const _: () = assert!(NAME_BYTES_MAX <= TEXT_BYTES_MAX && PATTERN_BYTES_MAX <= TEXT_BYTES_MAX);
const _: () = assert!(PATH_BYTES_MAX <= PATTERN_INPUT_BYTES_MAX && URL_BYTES_MAX <= PATTERN_INPUT_BYTES_MAX);
const _: () = assert!(RULES_MAX <= CANDIDATES_MAX && RULES_MAX <= u32::MAX as usize);
const _: () = assert!(PATTERN_INPUT_BYTES_MAX < PATTERN_UNITS_PER_CALL_MAX);
const _: () = assert!(PATTERN_INPUT_BYTES_MAX <= crate::value::INPUT_BYTES_MAX);
