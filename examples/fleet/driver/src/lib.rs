//! The fleet demonstration.
