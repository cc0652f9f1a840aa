//! Scenarios: what agents and people do step by step, and what each step has to come to.
//!
//! The same files drive the kernel in this process (`assent policy test`, `assent attack`) and a live cluster
//! (`assent attack --target`); the runner and the expectations are one code, so that the two cannot be judged differently.

mod answer;
mod builtin;
#[cfg(feature = "policy")]
mod commands;
mod compare;
mod expect;
#[cfg(feature = "policy")]
mod library;
#[cfg(feature = "policy")]
mod live;
mod load;
mod model;
#[cfg(feature = "policy")]
mod payloads;
mod recorded;
mod run;
mod variants;

pub use answer::{Answer, EvaluatedCall, RunState};
pub use builtin::attack_range;
pub use compare::differences;
pub use expect::Expect;
#[cfg(feature = "policy")]
pub use library::Library;
#[cfg(feature = "policy")]
pub use live::{Clock, Live, WallClock};
pub use load::{LoadError, load_file, load_folder};
pub use model::{
    Action, ConfigureStep, EvaluateStep, Kind, ObserveVariant, Scenario, ShadowVariant, Step, SubjectSpec, TaintSpec,
};
pub use run::{Driver, Outcome, StepFailure, run};
pub use variants::variants;
