//! Would these manifests be admitted? The chain of a Supervisor's API server and VM Operator's webhooks, asked without a run.
//!
//! A [`Judge`] holds the surroundings: the objects that exist, and the operator's settings. It is asked in two forms. For people,
//! [`Manifests`] are read from files with their places, sent as `kubectl` would, and each broken rule is shown at the line that breaks
//! it ([`Verdict`]). For an API server, [`answer`] takes an `AdmissionReview` and gives its response, as a webhook does, and nothing is
//! stored. Here are forms only: what is let in is decided by the engine and the schema.
//!
//! Pages: scenario-format §6, admission §2.

mod judge;
mod manifests;
mod review;
mod status;
mod surroundings;
mod verdict;

pub use judge::{Judge, JudgeError, Options};
pub use manifests::{Chosen, Document, Manifests};
pub use review::{Answered, answer, answer_bytes};
pub use surroundings::Surroundings;
pub use verdict::{Filled, Outcome, Verdict};

#[cfg(test)]
mod tests;
