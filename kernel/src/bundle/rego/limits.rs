//! The caps of Rego policies, and how they relate.

/// Most modules of a policy.
pub const MODULES_MAX: usize = 64;
/// Most bytes of one module's source.
pub const MODULE_BYTES_MAX: usize = 256 << 10;
/// Most bytes of a module's name.
pub const FILE_BYTES_MAX: usize = 256;
/// Most bytes of all modules together.
pub const SOURCES_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of brackets and braces in a module.
pub const NESTING_MAX: u32 = 10;
/// Most tokens of a module, each counted twice for every bracket or brace around it.
pub const WEIGHT_MAX: u64 = 2_000_000;
/// Most columns of a source line.
pub const COLUMNS_MAX: usize = 1_024;
/// Most errors reported for one policy.
pub const ERRORS_MAX: usize = 64;
/// Most bytes of an entry point's path.
pub const ENTRYPOINT_BYTES_MAX: usize = 256;
/// Units of work that all evaluations of one decision may spend.
pub const BUDGET_DEFAULT: u64 = 10_000;
/// The largest budget that is used, whatever the caller says.
pub const BUDGET_MAX: u64 = 1_000_000;
/// One unit of work pays for this many nodes of a value that is built, compared or handed to a built-in.
pub const NODES_PER_UNIT: u64 = 8;
/// One node stands for this many bytes of a text.
pub const BYTES_PER_NODE: u64 = 8;
/// One unit of work pays for this many units of looking for a pattern, each of which is a byte of text where it has a table.
pub const PATTERN_UNITS_PER_UNIT: u64 = 16;
/// Units that compiling a pattern costs which the policy does not write out.
pub const PATTERN_COMPILED_UNITS: u64 = 1_000;
/// Units that each class of characters in it costs besides.
pub const PATTERN_CLASS_UNITS: u64 = 1_000;
/// Deepest nesting of a value that a policy builds.
pub const VALUE_DEPTH_MAX: u32 = 64;
/// Deepest chain of rules that call one another.
pub const CALL_DEPTH_MAX: usize = 64;
/// Most bytes of a text that a built-in returns.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// Most elements of a range.
pub const RANGE_MAX: u64 = 1_000;
/// Largest magnitude of an integer that arithmetic gives, as a power of two.
pub const INTEGER_BITS_MAX: u32 = 4_096;
/// Most reasons of a result.
pub const REASONS_MAX: usize = 16;
/// Most bytes of one reason.
pub const REASON_BYTES_MAX: usize = 256;
/// Most obligations of a result.
pub const OBLIGATIONS_MAX: usize = 16;
/// Most arguments that a result removes.
pub const REMOVALS_MAX: usize = 64;

const _: () = assert!(BUDGET_DEFAULT <= BUDGET_MAX);
const _: () = assert!(MODULE_BYTES_MAX <= SOURCES_BYTES_MAX && MODULES_MAX <= SOURCES_BYTES_MAX);
const _: () = assert!(TEXT_BYTES_MAX <= crate::value::INPUT_BYTES_MAX);
const _: () = assert!(VALUE_DEPTH_MAX as usize >= crate::value::INPUT_DEPTH_MAX + 4);
