//! The one binary of integration tests.

mod bugs;
mod conformance;
mod determinism;
mod house;
mod library;
mod work;
