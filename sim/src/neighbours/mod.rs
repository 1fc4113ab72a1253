//! The operator's neighbours in a Supervisor, as clients of the API server: they watch objects and answer them by requests.
//!
//! The network provider is here. Volumes, the content library and the sums of quotas aren't modelled.

mod network;

pub(crate) use network::Ports;
