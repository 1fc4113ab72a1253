//! The one binary of integration tests.

mod determinism;
mod hostile;
mod house;
mod library;
mod work;
