//! As much of Rust's grammar as the checks need: tokens, functions, attributes, modules.

pub mod attributes;
pub mod functions;
pub mod lex;
pub mod modules;
pub mod paths;
