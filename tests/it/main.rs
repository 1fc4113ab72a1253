//! The one binary of integration tests.

mod admission;
mod bugs;
mod conformance;
mod contract;
mod determinism;
mod hostile;
mod house;
mod library;
mod lifecycle;
mod power_matrix;
mod second_world;
mod state_machines;
mod work;
