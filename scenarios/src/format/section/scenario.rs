//! `kind: Scenario` (scenario-format §1, §2) and `kind: Inventory`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::inventory::Vsphere;
use super::scalar::{Duration, Instant, Text};
use super::step::Step;
use crate::format::spanned::{Named, Object, Spanned, Tree};

/// A scenario: an infrastructure, objects, and what happens to them, in virtual time.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Scenario {
    /// `vmtwin.dev/v1alpha1`.
    #[expect(dead_code, reason = "what the document is was settled before it is read")]
    pub(in crate::format) api_version: Text,
    /// `Scenario`.
    #[expect(dead_code, reason = "what the document is was settled before it is read")]
    pub(in crate::format) kind: Text,
    /// Name, labels, annotations.
    pub(in crate::format) metadata: Metadata,
    /// The scenario itself.
    #[serde(default)]
    pub(in crate::format) spec: Spec,
}

/// An inventory: the section `vsphere` of scenarios, for several of them to share.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "an inventory is read as the section of the scenario that names it")]
pub(in crate::format) struct Inventory {
    /// `vmtwin.dev/v1alpha1`.
    pub(in crate::format) api_version: Text,
    /// `Inventory`.
    pub(in crate::format) kind: Text,
    /// Name, labels, annotations.
    #[serde(default)]
    pub(in crate::format) metadata: Option<InventoryMetadata>,
    /// The infrastructure.
    pub(in crate::format) spec: Vsphere,
}

/// Metadata of an inventory, which needs no name.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "free text")]
pub(in crate::format) struct InventoryMetadata {
    /// The name.
    pub(in crate::format) name: Option<Text>,
    /// Labels.
    #[serde(default)]
    pub(in crate::format) labels: Named<Text>,
    /// Free text.
    #[serde(default)]
    pub(in crate::format) annotations: Named<Text>,
}

/// Name, labels, annotations.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Metadata {
    /// The scenario's name.
    pub(in crate::format) name: Text,
    /// Labels that `vmtwin run -l` selects by.
    #[serde(default)]
    pub(in crate::format) labels: Named<Text>,
    /// Free text that a run ignores.
    #[serde(default)]
    pub(in crate::format) annotations: Named<Text>,
}

/// The scenario itself.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Spec {
    /// What the scenario shows, in a sentence.
    pub(in crate::format) description: Option<Text>,
    /// The seed of every random choice; 0 unless told.
    pub(in crate::format) seed: Option<Spanned<u64>>,
    /// The virtual clock's first instant; `2026-01-01T00:00:00Z` unless told.
    pub(in crate::format) start: Option<Instant>,
    /// Where the run ends at the latest; 24h unless told.
    pub(in crate::format) horizon: Option<Duration>,
    /// VM Operator's own settings.
    #[serde(default)]
    pub(in crate::format) operator: Operator,
    /// The infrastructure.
    #[serde(default)]
    pub(in crate::format) vsphere: Vsphere,
    /// Kubernetes objects that are installed as they are, status included, with no admission; each an object, or `{file: path-or-glob}`.
    #[serde(default)]
    pub(in crate::format) state: Vec<Object>,
    /// Manifests that the administrator applies at the start, through admission; each an object, or `{file: path-or-glob}`.
    #[serde(default)]
    pub(in crate::format) objects: Vec<Object>,
    /// What happens, in order.
    #[serde(default)]
    pub(in crate::format) steps: Vec<Step>,
    /// Which invariants are checked; all unless told.
    #[serde(default)]
    pub(in crate::format) invariants: Invariants,
    /// One run for each combination of these values; `${name}` stands for the value.
    #[serde(default)]
    #[expect(dead_code, reason = "the matrix is expanded on the tree, before it is read")]
    pub(in crate::format) matrix: Named<Vec<Tree>>,
}

/// Which invariants are checked.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Invariants {
    /// Not these.
    #[serde(default)]
    pub(in crate::format) disable: Vec<Text>,
    /// Only these.
    #[serde(default)]
    pub(in crate::format) only: Vec<Text>,
}

/// VM Operator's own settings, under upstream's names with a small first letter.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Operator {
    /// The Supervisor's network provider; `vpc` unless told.
    pub(in crate::format) network_provider: Option<Spanned<NetworkProvider>>,
    /// Name servers of the operator's ConfigMap.
    #[serde(default)]
    pub(in crate::format) nameservers: Vec<Text>,
    /// Search domains of the operator's ConfigMap.
    #[serde(default)]
    pub(in crate::format) search_domains: Vec<Text>,
    /// Feature gates that are switched on or off.
    #[serde(default)]
    pub(in crate::format) features: Named<Spanned<bool>>,
    /// Users that are privileged besides the built-in service accounts.
    #[serde(default)]
    pub(in crate::format) privileged_users: Vec<Text>,
    /// How VMs are made from cached disks; `linked` unless told.
    pub(in crate::format) fast_deploy_mode: Option<Spanned<FastDeployMode>>,
    /// How often every object is looked at though nothing happened; 30m unless told, `0s` is never.
    pub(in crate::format) resync_period: Option<Duration>,
    /// When a VM that isn't created yet is looked at again; 10s unless told.
    #[serde(rename = "createVMRequeueDelay")]
    pub(in crate::format) create_vm_requeue_delay: Option<Duration>,
    /// When a VM that is on and has no address yet is looked at again; 10s unless told.
    #[serde(rename = "poweredOnVMHasIPRequeueDelay")]
    pub(in crate::format) powered_on_vm_has_ip_requeue_delay: Option<Duration>,
    /// How many VMs may be worked on at once; 20 unless told.
    pub(in crate::format) max_concurrent_reconciles: Option<Spanned<u64>>,
    /// The share of the workers, in per cent, that may create at once; 80 unless told.
    #[serde(rename = "maxCreateVMsOnProvider")]
    pub(in crate::format) max_create_vms_on_provider: Option<Spanned<u64>>,
    /// If not 0, how many creates may run at once, whatever the workers; 0 unless told.
    pub(in crate::format) max_deploy_threads_on_provider: Option<Spanned<u64>>,
    /// Whether changes of VMs wake the operator; true unless told.
    pub(in crate::format) async_signal_enabled: Option<Spanned<bool>>,
    /// Whether creates run beside the workers; true unless told.
    pub(in crate::format) async_create_enabled: Option<Spanned<bool>>,
}

/// The Supervisor's network provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::format) enum NetworkProvider {
    /// NSX with VPCs.
    Vpc,
    /// NSX-T by NCP.
    #[serde(rename = "nsx-t")]
    NsxT,
    /// Distributed switches.
    Vds,
    /// Networks that are addressed by their vSphere name.
    Named,
}

/// How VMs are made from cached disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::format) enum FastDeployMode {
    /// The cached disks are copied.
    Direct,
    /// The VM's disks are children of the cached ones.
    Linked,
}
