//! The operator's neighbours on the Supervisor: clients of the API server, as the operator is one.
//!
//! The network provider is here. Volumes, content library and quota totals come with what needs them.

mod image_cache;
mod network;

pub(crate) use network::Ports;
