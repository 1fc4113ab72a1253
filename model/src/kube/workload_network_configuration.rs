//! WorkloadNetworkConfiguration: the network providers of a Supervisor, and which one its own workloads use. There is
//! one object, named `default`.

#![expect(unreachable_pub, reason = "the derive that carries CEL rules makes a second, private struct of each name")]

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::Condition;
use crate::kube::choice::choice;
use crate::kube::network_settings::NetworkProvider;

/// The network providers of a Supervisor.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "netoperator.vmware.com",
    version = "v1alpha1",
    kind = "WorkloadNetworkConfiguration",
    plural = "workloadnetworkconfigurations",
    validation = ("self.metadata.name == 'default'", "WorkloadNetworkConfiguration must be named 'default'"),
    status = "WorkloadNetworkConfigurationStatus",
    derive = "Default",
    derive = "PartialEq",
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.providers.exists(p, p.type == self.activeSystemProvider)", "activeSystemProvider must reference a provider type declared in providers"))]
pub struct WorkloadNetworkConfigurationSpec {
    /// The one that the system's own workloads use.
    #[serde(default)]
    #[schemars(!default)]
    pub active_system_provider: NetworkProvider,
    /// All that there are.
    #[serde(default)]
    #[schemars(!default, extend("minItems" = 1, "maxItems" = 3, "x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub providers: Vec<ProviderConfiguration>,
}

/// A network provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.type == 'vsphere-distributed' || self.type == 'vpc'", "only vsphere-distributed and vpc are currently supported; nsx-tier1 will be introduced in a future version"))]
#[x_kube(validation = ("self.type != 'vsphere-distributed' || has(self.systemConfiguration.vsphereDistributedConfig)", "systemConfiguration.vsphereDistributedConfig must be set when type is vsphere-distributed"))]
#[x_kube(validation = ("self.type == 'vsphere-distributed' || !has(self.systemConfiguration.vsphereDistributedConfig)", "systemConfiguration.vsphereDistributedConfig may only be set when type is vsphere-distributed"))]
#[x_kube(validation = ("self.type != 'vpc' || has(self.systemConfiguration.vpcConfig)", "systemConfiguration.vpcConfig must be set when type is vpc"))]
#[x_kube(validation = ("self.type == 'vpc' || !has(self.systemConfiguration.vpcConfig)", "systemConfiguration.vpcConfig may only be set when type is vpc"))]
pub struct ProviderConfiguration {
    /// How the system's own workloads use it.
    #[serde(default)]
    #[schemars(!default)]
    pub system_configuration: SystemConfiguration,
    /// Which one it is.
    #[serde(rename = "type", default)]
    #[schemars(!default)]
    pub type_: NetworkProvider,
}

/// How the system's own workloads use a provider; the field of its type is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SystemConfiguration {
    /// With VPCs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_config: Option<VpcConfig>,
    /// With distributed port groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vsphere_distributed_config: Option<VsphereDistributedConfig>,
}

/// The system's VPC.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!(has(self.vpc) && self.vpc != '' && has(self.autoCreateConfig))", "vpc and autoCreateConfig are mutually exclusive; set vpc for pre-created VPC mode or autoCreateConfig for auto-create VPC mode"))]
#[x_kube(validation = ("!has(oldSelf.vpc) || self.vpc == oldSelf.vpc", "vpc is immutable once set"))]
#[x_kube(validation = ("!has(self.sharedSubnets) || self.sharedSubnets.filter(s, has(s.podDefault) && s.podDefault == 'True').size() <= 1", "at most one sharedSubnet may have podDefault set to True"))]
#[x_kube(validation = ("!has(self.sharedSubnets) || self.sharedSubnets.filter(s, has(s.vmDefault) && s.vmDefault == 'True').size() <= 1", "at most one sharedSubnet may have vmDefault set to True"))]
#[x_kube(validation = ("!has(self.sharedSubnets) || self.sharedSubnets.filter(s, has(s.podDefault) && s.podDefault == 'True').size() == 0 || (has(self.vpc) && self.vpc != '')", "vpc must be set when any sharedSubnet has podDefault set to True"))]
#[x_kube(validation = ("!has(self.sharedSubnets) || self.sharedSubnets.filter(s, has(s.vmDefault) && s.vmDefault == 'True').size() == 0 || (has(self.vpc) && self.vpc != '')", "vpc must be set when any sharedSubnet has vmDefault set to True"))]
#[schemars(extend("minProperties" = 1))]
pub struct VpcConfig {
    /// How to make it, if it is to be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_create_config: Option<VpcAutoCreateConfig>,
    /// How many addresses a subnet has if nothing else is said; 0 leaves it to NSX.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    #[schemars(extend("minimum" = 1, "maximum" = 65536, "x-kubernetes-validations" = [{"message": "defaultSubnetSize must be a power of 2 (e.g. 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)", "rule": "self == 0 || self in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]"}]))]
    pub default_subnet_size: i32,
    /// Subnets shared with other VPCs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 32, "x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub shared_subnets: Vec<SharedSubnet>,
    /// The VPC, if it is there already.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("minLength" = 1, "maxLength" = 2048))]
    pub vpc: String,
}

/// How to make a VPC.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(oldSelf.nsxProject) || self.nsxProject == oldSelf.nsxProject", "nsxProject is immutable once set"))]
#[x_kube(validation = ("!has(oldSelf.vpcConnectivityProfile) || self.vpcConnectivityProfile == oldSelf.vpcConnectivityProfile", "vpcConnectivityProfile is immutable once set"))]
#[x_kube(validation = ("!has(oldSelf.privateCIDRs) || oldSelf.privateCIDRs.all(cidr, self.privateCIDRs.exists(c, c == cidr))", "privateCIDRs is append-only; existing entries cannot be removed"))]
pub struct VpcAutoCreateConfig {
    /// The NSX project.
    #[serde(default)]
    #[schemars(!default, extend("minLength" = 1, "maxLength" = 2048))]
    pub nsx_project: String,
    /// Private networks, with prefix length.
    #[serde(rename = "privateCIDRs", default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(length(max = 64), regex(pattern = r"^([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}$")), extend("maxItems" = 16, "x-kubernetes-list-type" = "atomic"))]
    pub private_cidrs: Vec<String>,
    /// The connectivity profile.
    #[serde(default)]
    #[schemars(!default, extend("minLength" = 1, "maxLength" = 2048))]
    pub vpc_connectivity_profile: String,
}

/// A subnet shared with other VPCs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(oldSelf.path) || self.path == oldSelf.path", "path is immutable once set"))]
#[x_kube(validation = ("!has(oldSelf.name) || self.name == oldSelf.name", "name is immutable once set"))]
pub struct SharedSubnet {
    /// Its name here.
    #[serde(default)]
    #[schemars(!default, extend("pattern" = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", "minLength" = 1, "maxLength" = 253))]
    pub name: String,
    /// Its path in NSX.
    #[serde(default)]
    #[schemars(!default, extend("minLength" = 1, "maxLength" = 2048))]
    pub path: String,
    /// Whether pods use it if nothing else is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_default: Option<TrueOrFalse>,
    /// Whether VMs use it if nothing else is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vm_default: Option<TrueOrFalse>,
}

choice! {
    /// Yes or no, as words.
    pub enum TrueOrFalse {
        /// Yes.
        True = "True",
        /// No.
        False = "False",
    }
}

/// The system's distributed port groups.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.networks.exists(n, n.name == self.defaultNetwork)", "defaultNetwork must match the name of one of the entries in networks"))]
#[x_kube(validation = ("oldSelf.defaultNetwork == '' || self.defaultNetwork == oldSelf.defaultNetwork", "defaultNetwork is immutable once set"))]
pub struct VsphereDistributedConfig {
    /// The one used if nothing else is said.
    #[serde(default)]
    #[schemars(!default, extend("pattern" = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", "minLength" = 1, "maxLength" = 253))]
    pub default_network: String,
    /// All of them.
    #[serde(default)]
    #[schemars(!default, extend("minItems" = 1, "maxItems" = 32, "x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub networks: Vec<VsphereDistributedNetwork>,
}

/// A distributed port group as a network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VsphereDistributedNetwork {
    /// Its name.
    #[serde(default)]
    #[schemars(!default, extend("pattern" = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", "minLength" = 1, "maxLength" = 253))]
    pub name: String,
}

/// The configuration as seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadNetworkConfigurationStatus {
    /// What is true of it, by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 8, "x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}
