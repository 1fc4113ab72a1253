//! Clusters: their hosts, their root pool, and the settings of DRS and HA.

use std::collections::{BTreeMap, BTreeSet};

use vmtwin_model::id::ClusterId;
use vmtwin_model::vsphere::inventory::{Drs, DrsAutomation, Ha, Name, Rule};

use crate::balance::Wanted;
use crate::slots::Sizes;

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
    /// DRS's automation by VM, where it is another than the cluster's.
    pub(crate) overrides: BTreeMap<Name, DrsAutomation>,
    pub(crate) sizes: Sizes,
    pub(crate) balance: Wanted,
    /// The hosts that are asked for more than they have.
    pub(crate) crowded: BTreeSet<u32>,
    pub(crate) hosts: Vec<u32>,
    pub(crate) root: u32,
}
