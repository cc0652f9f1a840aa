//! The RFC 6962 tree: appending with a compact range, and paths read from stored perfect nodes.
//!
//! A perfect node is the root of a subtree with 2^level leaves that are all present. It never changes once complete, so each
//! is stored when `Frontier::push` returns it; everything else is computed from those in O(log n) reads.

mod frontier;
mod nodes;
mod paths;
mod span;

pub use frontier::{Frontier, FrontierError, merkle_root};
pub use nodes::{MemoryNodes, NodeAddress, NodeRead};
pub use paths::{TreeError, consistency_path, inclusion_path, root_at};
pub use span::{SpanTree, SpanTreeError};
