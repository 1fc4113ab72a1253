//! The vSphere port on the wire: the same engine over a real vCenter.
//!
//! This crate is where SOAP, REST and tokio live, and nowhere else. From the wire upwards: `xml` is the tree that messages are read
//! into, `soap` the calls and faults in it, [`connection`] a session that carries them; [`translate`] stands between the trees and the
//! model's nouns; `execute` carries an operation of the port out, `observe` tells what changed, and [`driver`] puts the engine
//! above them. It is a first slice of the port: what isn't translated yet is answered with the fault `NotSupported` that names it.

pub mod connection;
pub mod driver;
pub mod execute;
pub mod inventory;
pub mod observe;
pub mod policies;
mod properties;
pub mod soap;
mod task;
pub mod translate;
pub mod xml;

pub use connection::{Connection, Endpoint};
pub use driver::Driver;
