//! NetworkSettings: which network provider a namespace has. An object without spec: its fields stand at its top.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::choice::choice;

/// Which network provider a namespace has.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "netoperator.vmware.com",
    version = "v1alpha1",
    kind = "NetworkSettings",
    plural = "networksettings",
    namespaced,
    no_spec,
    validation = ("!has(self.legacyProvider) || self.legacyProvider != self.provider", "legacyProvider must differ from provider"),
    derive = "Default",
    derive = "PartialEq",
)]
#[serde(rename_all = "camelCase")]
pub struct NetworkSettingsSpec {
    /// The provider that older objects of the namespace still use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = [{"message": "legacyProvider must be vsphere-distributed or nsx-tier1", "rule": "self in ['vsphere-distributed', 'nsx-tier1']"}]))]
    pub legacy_provider: Option<NetworkProvider>,
    /// The provider.
    #[serde(default)]
    #[schemars(!default)]
    pub provider: NetworkProvider,
}

choice! {
    /// The network providers.
    #[derive(Default)]
    pub enum NetworkProvider {
        /// Distributed port groups (VDS).
        #[default]
        VsphereDistributed = "vsphere-distributed",
        /// NSX with a tier-1 gateway for each namespace (NCP).
        NsxTier1 = "nsx-tier1",
        /// NSX with a VPC for each namespace.
        Vpc = "vpc",
    }
}
