//! The one binary of integration tests.

mod bugs;
mod conformance;
mod admission;
mod determinism;
mod house;
mod library;
mod work;
