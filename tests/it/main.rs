//! The one binary of integration tests.

mod admission;
mod determinism;
mod house;
mod library;
mod work;
