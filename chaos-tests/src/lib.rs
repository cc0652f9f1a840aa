//! Support for the fault tests of Assent.
