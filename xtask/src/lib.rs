//! Repository checks that need no compiler: `tidy` (style, with a ratchet) and `walls` (who may depend on whom).
//!
//! Standard library only: what guards the dependencies has none. Each check is a pure function from file texts (or from what
//! cargo printed) to findings, so that its tests hand it a good and a bad sample.

pub mod cargo;
pub mod finding;
pub mod json;
pub mod repo;
pub mod rust;
pub mod tidy;
pub mod walls;
