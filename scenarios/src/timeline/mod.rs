//! The timeline: a run's records as a story that people read, a line each.
//!
//! A line tells when, who, about what, and what happened; of a write it tells in words what changed. Rendering is a function of the
//! records: there is no clock, no terminal and no file here. What tools read is `Record::to_json`, not this.

mod changes;
mod filter;
mod name;
mod style;
mod text;
mod what;

pub use changes::{MOST_SHOWN, changes};
pub use filter::{Causes, Filter};
pub use name::{Namespaces, short_name};
pub use style::{Colour, Ink, Style, duration, plain};
pub use text::{Text, line};

#[cfg(test)]
mod samples;
