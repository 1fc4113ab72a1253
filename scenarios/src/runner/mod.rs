//! Where the three machines meet: the virtual-time loop that carries their messages and owns the clock.
//!
//! At every turn the earliest thing goes first: a message that is under way, a delivery of the API server, an event of the twin, a wake-up of the
//! engine. What they say to each other is written to the log on the way. Nothing is decided here: put a vCenter and a real API
//! server in the places of the twin and `apiserver`, and the engine doesn't notice.

mod live;
pub(crate) mod objects;
mod report;
pub(crate) mod run;
mod simulation;
pub(crate) mod steps;
pub(crate) mod stored;

pub use live::VSPHERE;
pub use report::{Difference, Failure, Report, RunResult, StepReport, StepResult, Violation};
pub(crate) use run::run_to;
pub use run::{Failing, Observer, Options, Ran, run, run_observed, set_up};
pub use simulation::{CallRecord, NoticeRecord, Setup, SetupError, Simulation, Turn};
