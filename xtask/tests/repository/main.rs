//! The checks on this repository itself, so that `cargo test` holds the walls too, and the set-up script on a bare machine.

mod setup_script;
mod this_repository;
