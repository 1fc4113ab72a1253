//! Clusters: their hosts, their root pool, and the settings of DRS and HA.

use vmtwin_model::id::ClusterId;
use vmtwin_model::vsphere::inventory::{Drs, Ha, Name, Rule};

/// A cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The managed object id.
    pub id: ClusterId,
    /// The name.
    pub name: Name,
    /// The zone that it is in.
    pub zone: Name,
    /// DRS's settings.
    pub drs: Drs,
    /// HA's settings.
    pub ha: Ha,
    pub(crate) rules: Vec<Rule>,
    pub(crate) hosts: Vec<u32>,
    pub(crate) root: u32,
}
