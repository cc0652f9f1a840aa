//! Scenarios: what agents and people do step by step, and what each step has to come to.
//!
//! The same files drive the kernel in this process (`assent policy test`, `assent attack --offline`) and a live cluster
//! (`assent attack`); the runner and the expectations are one code, so that the two cannot be judged differently.

mod answer;
mod builtin;
#[cfg(feature = "policy")]
mod commands;
mod expect;
#[cfg(feature = "policy")]
mod library;
mod load;
mod model;
mod run;
mod variants;

pub use answer::{Answer, EvaluatedCall, RunState};
pub use builtin::attack_range;
pub use expect::Expect;
#[cfg(feature = "policy")]
pub use library::Library;
pub use load::{LoadError, load_file, load_folder};
pub use model::{Action, EvaluateStep, Kind, ObserveVariant, Scenario, ShadowVariant, Step, SubjectSpec, TaintSpec};
pub use run::{Driver, Outcome, StepFailure, run};
pub use variants::variants;
