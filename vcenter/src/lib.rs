//! The vSphere port on the wire: the same engine over a real vCenter.
//!
//! This crate is where SOAP, REST and tokio will live, and nowhere else. It holds the place in the house that the arrows between crates
//! give it; nothing talks to a vCenter yet, and no command offers it.
