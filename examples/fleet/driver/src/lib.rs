//! The fleet demonstration: drives a recorded fleet of agents through a real cluster, breaks it, and checks what is left on record.
//!
//! [`cluster`] runs real `assentd` processes and is used by the project's fault tests, too; it prints nothing. [`demo`] is `make demo`,
//! [`local`] is `make up` and `make down`.
//!
//! Architecture Invariant: nodes, command line and verifier are only run as processes; this crate knows the client library and the
//! ledger's evidence, neither the kernel nor the node.

pub mod binaries;
pub mod check;
pub mod cluster;
pub mod commands;
pub mod demo;
pub mod desk;
pub mod drive;
pub mod error;
pub mod fleet;
pub mod forge;
pub mod histogram;
pub mod local;
pub mod ports;
pub mod process;
pub mod replay;
pub mod screen;
pub mod summary;
pub mod verify;
pub mod workload;
