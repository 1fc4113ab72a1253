//! The one binary of integration tests.

mod determinism;
mod house;
mod library;
mod program;
mod work;
