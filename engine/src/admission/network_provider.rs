//! The objects of each network provider that an interface may name.
//!
//! Page: admission §3.1 and §14.1 (VM-V-160). Interfaces of the provider for named networks, which is for tests, name no object.

use vmtwin_model::kube::network_settings::{self, NetworkSettings};

use super::request::AdmissionCx;
use crate::features::Feature;
use crate::settings::NetworkProvider;

/// The object of a namespace that names its provider.
const SETTINGS: &str = "default";

/// The ConfigMap with the operator's settings of the network, in its own namespace.
pub(super) const CONFIG_MAP: &str = "vsphere.provider.config.vmoperator.vmware.com";

/// The objects of a provider.
pub(super) struct Objects {
    /// Their group and version.
    pub(super) api_version: &'static str,
    /// The kind that is meant where none is named.
    pub(super) default_kind: &'static str,
    /// The kinds that may be named.
    pub(super) kinds: &'static [&'static str],
}

/// The provider of a namespace; nothing if each namespace has its own and this one none yet.
pub(super) fn of(cx: &AdmissionCx<'_>, namespace: &str) -> Option<NetworkProvider> {
    if !cx.on(Feature::PerNamespaceNetworkProvider) {
        return Some(cx.settings.network_provider);
    }
    let settings = cx.cache.view::<NetworkSettings>(namespace, SETTINGS)?;
    Some(match settings.spec.provider {
        network_settings::NetworkProvider::VsphereDistributed => NetworkProvider::Vds,
        network_settings::NetworkProvider::NsxTier1 => NetworkProvider::NsxT,
        network_settings::NetworkProvider::Vpc => NetworkProvider::Vpc,
    })
}

/// The objects of this provider.
pub(super) fn objects(provider: NetworkProvider) -> Option<Objects> {
    let (api_version, default_kind, kinds): (_, _, &[&str]) = match provider {
        NetworkProvider::Vpc => ("crd.nsx.vmware.com/v1alpha1", "SubnetSet", &["Subnet", "SubnetSet"]),
        NetworkProvider::NsxT => ("vmware.com/v1alpha1", "VirtualNetwork", &["VirtualNetwork"]),
        NetworkProvider::Vds => ("netoperator.vmware.com/v1alpha1", "Network", &["Network"]),
        NetworkProvider::Named => return None,
    };
    Some(Objects { api_version, default_kind, kinds })
}

/// The group of an API version; empty in the core group.
pub(super) fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}
