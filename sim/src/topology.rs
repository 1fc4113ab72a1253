//! What of the infrastructure the Kubernetes side has to name: zones' clusters, namespaces' pools and folders.

use std::collections::BTreeMap;

use vmtwin_model::id::{ClusterId, FolderId, PoolId};
use vmtwin_model::vsphere::inventory::Name;

use crate::{Network, World};

/// The ids that objects of the Supervisor refer to.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    clusters: BTreeMap<Name, Vec<ClusterId>>,
    pools: BTreeMap<(Name, Name), Vec<PoolId>>,
    folders: BTreeMap<Name, FolderId>,
    images: Vec<(Name, Name)>,
    networks: Vec<Network>,
}

impl Topology {
    /// The clusters of a zone.
    #[must_use]
    pub fn clusters(&self, zone: &str) -> &[ClusterId] {
        self.clusters.get(zone).map_or(&[], Vec::as_slice)
    }

    /// The pools of a namespace in a zone, one for each cluster.
    #[must_use]
    pub fn pools(&self, zone: &str, namespace: &str) -> &[PoolId] {
        self.pools.get(&(zone.into(), namespace.into())).map_or(&[], Vec::as_slice)
    }

    /// The folder of a namespace.
    #[must_use]
    pub fn folder(&self, namespace: &str) -> Option<&FolderId> {
        self.folders.get(namespace)
    }

    /// The images' names with the ids of their library items, in the order of the inventory.
    #[must_use]
    pub fn images(&self) -> &[(Name, Name)] {
        &self.images
    }

    /// The networks, in the order of the inventory.
    #[must_use]
    pub fn networks(&self) -> &[Network] {
        &self.networks
    }
}

impl World {
    /// What the Kubernetes side has to name.
    #[must_use]
    pub fn topology(&self) -> Topology {
        let mut topology = Topology::default();
        for (_, cluster) in self.clusters.iter() {
            topology.clusters.entry(cluster.zone.clone()).or_default().push(cluster.id.clone());
            for (namespace, _) in self.namespaces.iter().filter(|(_, zones)| zones.contains(&cluster.zone)) {
                let pool = self.child_pool(cluster.root, namespace).and_then(|pool| self.pools.get(pool));
                let pools = topology.pools.entry((cluster.zone.clone(), namespace.clone())).or_default();
                pools.extend(pool.map(|pool| pool.id.clone()));
            }
        }
        for (namespace, _) in self.namespaces.iter() {
            let folder = self.namespace_folder(namespace).and_then(|folder| self.folders.get(folder));
            topology.folders.extend(folder.map(|folder| (namespace.clone(), folder.id.clone())));
        }
        topology.images = self.images.iter().map(|image| (image.item.name.clone(), image.item.id.clone())).collect();
        topology.networks = self.networks.iter().map(|(_, network)| (**network).clone()).collect();
        topology
    }
}
