//! The rows of the table of kinds.

use std::sync::LazyLock;

use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::{
    ConfigMap, Event, Namespace, NamespaceSpec, NamespaceStatus, PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimSpec,
    PersistentVolumeClaimStatus, PersistentVolumeSpec, PersistentVolumeStatus, ResourceQuota, ResourceQuotaSpec, ResourceQuotaStatus,
    Secret,
};
use k8s_openapi::api::storage::v1::StorageClass;
use serde_json::Value;

use super::kinds::{Kind, KindInfo, Layout, Nothing, Resource, Scope, decode};
use super::schema::object_schema;
use super::{
    availability_zone, capabilities, cluster_content_library_item, cluster_virtual_machine_image, cns_node_vm_attachment,
    cns_node_vm_batch_attachment, cns_register_volume, compute_policy, content_library_item, controlled_rebalancing_policy,
    encryption_class, network, network_interface, network_settings, policy_evaluation, required_during_execution_vm_placement_policy,
    storage_policy, storage_policy_quota, storage_policy_usage, storage_quota, subnet, subnet_port, subnet_set, tag_policy,
    virtual_machine, virtual_machine_class, virtual_machine_class_instance, virtual_machine_group, virtual_machine_image,
    virtual_machine_image_cache, virtual_machine_set_resource_policy, virtual_machine_snapshot, virtual_network, virtual_network_interface,
    vsphere_zone, workload_network_configuration, zone,
};

/// Declares the rows: the Rust type that stands for the kind, then what the table says of it.
macro_rules! kinds {
    ($($row:ident: $type:ty = $group:literal, [$version:literal $(, $also:literal)*], $kind:literal, $plural:literal [$($short:literal),*],
        $scope:ident, $layout:ident { $spec:ty, $status:ty } $($schema:expr)?;)+) => {
        enum Row { Foreign, $($row),+ }

        pub(super) static KINDS: &[KindInfo] = &[
            KindInfo {
                group: "", version: "", also: &[], kind: "Foreign", plural: "", short: &[], scope: Scope::Namespaced, layout: Layout::Whole,
                decode_spec: decode::<Value>, decode_status: decode::<Nothing>, schema: None,
            },
            $(KindInfo {
                group: $group, version: $version, also: &[$($also),*], kind: $kind, plural: $plural, short: &[$($short),*],
                scope: Scope::$scope, layout: Layout::$layout,
                decode_spec: decode::<$spec>, decode_status: decode::<$status>, schema: kinds!(@schema $($schema)?),
            }),+
        ];

        $(impl Resource for $type {
            const KIND: Kind = Kind(Row::$row as u16);
            type Spec = $spec;
            type Status = $status;
        })+

        impl Kind {
            /// Any kind that isn't served: kept as it came, under a name that spells group, version and kind.
            pub const FOREIGN: Self = Self(Row::Foreign as u16);
        }
    };
    (@schema) => { None };
    (@schema $schema:expr) => {
        Some(|| {
            static SCHEMA: LazyLock<Value> = LazyLock::new($schema);
            &SCHEMA
        })
    };
}

kinds! {
    Namespace: Namespace = "", ["v1"], "Namespace", "namespaces" ["ns"], Cluster, SpecStatus { NamespaceSpec, NamespaceStatus };
    ConfigMap: ConfigMap = "", ["v1"], "ConfigMap", "configmaps" ["cm"], Namespaced, Whole { ConfigMap, Nothing };
    Secret: Secret = "", ["v1"], "Secret", "secrets" [], Namespaced, Whole { Secret, Nothing };
    Event: Event = "", ["v1"], "Event", "events" ["ev"], Namespaced, Whole { Event, Nothing };
    ResourceQuota: ResourceQuota = "", ["v1"], "ResourceQuota", "resourcequotas" ["quota"], Namespaced, SpecStatus { ResourceQuotaSpec, ResourceQuotaStatus };
    PersistentVolume: PersistentVolume = "", ["v1"], "PersistentVolume", "persistentvolumes" ["pv"], Cluster, SpecStatus { PersistentVolumeSpec, PersistentVolumeStatus };
    PersistentVolumeClaim: PersistentVolumeClaim = "", ["v1"], "PersistentVolumeClaim", "persistentvolumeclaims" ["pvc"], Namespaced, SpecStatus { PersistentVolumeClaimSpec, PersistentVolumeClaimStatus };
    StorageClass: StorageClass = "storage.k8s.io", ["v1"], "StorageClass", "storageclasses" ["sc"], Cluster, Whole { StorageClass, Nothing };
    ValidatingWebhookConfiguration: ValidatingWebhookConfiguration = "admissionregistration.k8s.io", ["v1"], "ValidatingWebhookConfiguration", "validatingwebhookconfigurations" [], Cluster, Whole { ValidatingWebhookConfiguration, Nothing };
    VirtualMachine: virtual_machine::VirtualMachine = "vmoperator.vmware.com", ["v1alpha5", "v1alpha2", "v1alpha3", "v1alpha4", "v1alpha6"], "VirtualMachine", "virtualmachines" ["vm"], Namespaced, SpecStatus { virtual_machine::VirtualMachineSpec, virtual_machine::VirtualMachineStatus } object_schema::<virtual_machine::VirtualMachine>;
    VirtualMachineGroup: virtual_machine_group::VirtualMachineGroup = "vmoperator.vmware.com", ["v1alpha5", "v1alpha2", "v1alpha3", "v1alpha4", "v1alpha6"], "VirtualMachineGroup", "virtualmachinegroups" ["vmg"], Namespaced, SpecStatus { virtual_machine_group::VirtualMachineGroupSpec, virtual_machine_group::VirtualMachineGroupStatus } object_schema::<virtual_machine_group::VirtualMachineGroup>;
    VirtualMachineClass: virtual_machine_class::VirtualMachineClass = "vmoperator.vmware.com", ["v1alpha5", "v1alpha2", "v1alpha3", "v1alpha4", "v1alpha6"], "VirtualMachineClass", "virtualmachineclasses" ["vmclass"], Namespaced, SpecStatus { virtual_machine_class::VirtualMachineClassSpec, virtual_machine_class::VirtualMachineClassStatus } object_schema::<virtual_machine_class::VirtualMachineClass>;
    VirtualMachineClassInstance: virtual_machine_class_instance::VirtualMachineClassInstance = "vmoperator.vmware.com", ["v1alpha5", "v1alpha4", "v1alpha6"], "VirtualMachineClassInstance", "virtualmachineclassinstances" ["vmclassinstance"], Namespaced, SpecStatus { virtual_machine_class_instance::VirtualMachineClassInstanceSpec, virtual_machine_class::VirtualMachineClassStatus } object_schema::<virtual_machine_class_instance::VirtualMachineClassInstance>;
    VirtualMachineImage: virtual_machine_image::VirtualMachineImage = "vmoperator.vmware.com", ["v1alpha5", "v1alpha2", "v1alpha3", "v1alpha4", "v1alpha6"], "VirtualMachineImage", "virtualmachineimages" ["vmi", "vmimage"], Namespaced, SpecStatus { virtual_machine_image::VirtualMachineImageSpec, virtual_machine_image::VirtualMachineImageStatus } object_schema::<virtual_machine_image::VirtualMachineImage>;
    ClusterVirtualMachineImage: cluster_virtual_machine_image::ClusterVirtualMachineImage = "vmoperator.vmware.com", ["v1alpha5", "v1alpha2", "v1alpha3", "v1alpha4", "v1alpha6"], "ClusterVirtualMachineImage", "clustervirtualmachineimages" ["cvmi", "cvmimage", "clustervmi", "clustervmimage"], Cluster, SpecStatus { cluster_virtual_machine_image::ClusterVirtualMachineImageSpec, virtual_machine_image::VirtualMachineImageStatus } object_schema::<cluster_virtual_machine_image::ClusterVirtualMachineImage>;
    VirtualMachineImageCache: virtual_machine_image_cache::VirtualMachineImageCache = "vmoperator.vmware.com", ["v1alpha5", "v1alpha3", "v1alpha4", "v1alpha6"], "VirtualMachineImageCache", "virtualmachineimagecaches" ["vmic", "vmicache", "vmimagecache"], Namespaced, SpecStatus { virtual_machine_image_cache::VirtualMachineImageCacheSpec, virtual_machine_image_cache::VirtualMachineImageCacheStatus } object_schema::<virtual_machine_image_cache::VirtualMachineImageCache>;
    VirtualMachineSetResourcePolicy: virtual_machine_set_resource_policy::VirtualMachineSetResourcePolicy = "vmoperator.vmware.com", ["v1alpha5", "v1alpha2", "v1alpha3", "v1alpha4", "v1alpha6"], "VirtualMachineSetResourcePolicy", "virtualmachinesetresourcepolicies" [], Namespaced, SpecStatus { virtual_machine_set_resource_policy::VirtualMachineSetResourcePolicySpec, virtual_machine_set_resource_policy::VirtualMachineSetResourcePolicyStatus } object_schema::<virtual_machine_set_resource_policy::VirtualMachineSetResourcePolicy>;
    VirtualMachineSnapshot: virtual_machine_snapshot::VirtualMachineSnapshot = "vmoperator.vmware.com", ["v1alpha5", "v1alpha6"], "VirtualMachineSnapshot", "virtualmachinesnapshots" ["vmsnapshot"], Namespaced, SpecStatus { virtual_machine_snapshot::VirtualMachineSnapshotSpec, virtual_machine_snapshot::VirtualMachineSnapshotStatus } object_schema::<virtual_machine_snapshot::VirtualMachineSnapshot>;
    Zone: zone::Zone = "topology.tanzu.vmware.com", ["v1alpha1"], "Zone", "zones" [], Namespaced, SpecStatus { zone::ZoneSpec, zone::ZoneStatus } object_schema::<zone::Zone>;
    AvailabilityZone: availability_zone::AvailabilityZone = "topology.tanzu.vmware.com", ["v1alpha1"], "AvailabilityZone", "availabilityzones" ["az"], Cluster, SpecStatus { availability_zone::AvailabilityZoneSpec, availability_zone::AvailabilityZoneStatus } object_schema::<availability_zone::AvailabilityZone>;
    EncryptionClass: encryption_class::EncryptionClass = "encryption.vmware.com", ["v1alpha1"], "EncryptionClass", "encryptionclasses" ["encclass"], Namespaced, SpecStatus { encryption_class::EncryptionClassSpec, encryption_class::EncryptionClassStatus } object_schema::<encryption_class::EncryptionClass>;
    StoragePolicy: storage_policy::StoragePolicy = "infra.vmware.com", ["v1alpha1"], "StoragePolicy", "storagepolicies" [], Namespaced, SpecStatus { storage_policy::StoragePolicySpec, storage_policy::StoragePolicyStatus } object_schema::<storage_policy::StoragePolicy>;
    StoragePolicyQuota: storage_policy_quota::StoragePolicyQuota = "cns.vmware.com", ["v1alpha2", "v1alpha1"], "StoragePolicyQuota", "storagepolicyquotas" [], Namespaced, SpecStatus { storage_policy_quota::StoragePolicyQuotaSpec, storage_policy_quota::StoragePolicyQuotaStatus } object_schema::<storage_policy_quota::StoragePolicyQuota>;
    StoragePolicyUsage: storage_policy_usage::StoragePolicyUsage = "cns.vmware.com", ["v1alpha2", "v1alpha1"], "StoragePolicyUsage", "storagepolicyusages" [], Namespaced, SpecStatus { storage_policy_usage::StoragePolicyUsageSpec, storage_policy_usage::StoragePolicyUsageStatus } object_schema::<storage_policy_usage::StoragePolicyUsage>;
    StorageQuota: storage_quota::StorageQuota = "cns.vmware.com", ["v1alpha2"], "StorageQuota", "storagequotas" [], Namespaced, SpecStatus { storage_quota::StorageQuotaSpec, storage_quota::StorageQuotaStatus } object_schema::<storage_quota::StorageQuota>;
    CnsNodeVmAttachment: cns_node_vm_attachment::CnsNodeVmAttachment = "cns.vmware.com", ["v1alpha1"], "CnsNodeVmAttachment", "cnsnodevmattachments" [], Namespaced, SpecStatus { cns_node_vm_attachment::CnsNodeVmAttachmentSpec, cns_node_vm_attachment::CnsNodeVmAttachmentStatus } object_schema::<cns_node_vm_attachment::CnsNodeVmAttachment>;
    PolicyEvaluation: policy_evaluation::PolicyEvaluation = "vsphere.policy.vmware.com", ["v1alpha1"], "PolicyEvaluation", "policyevaluations" ["policyeval"], Namespaced, SpecStatus { policy_evaluation::PolicyEvaluationSpec, policy_evaluation::PolicyEvaluationStatus } object_schema::<policy_evaluation::PolicyEvaluation>;
    ComputePolicy: compute_policy::ComputePolicy = "vsphere.policy.vmware.com", ["v1alpha1"], "ComputePolicy", "computepolicies" [], Namespaced, SpecStatus { compute_policy::ComputePolicySpec, compute_policy::ComputePolicyStatus } object_schema::<compute_policy::ComputePolicy>;
    TagPolicy: tag_policy::TagPolicy = "vsphere.policy.vmware.com", ["v1alpha1"], "TagPolicy", "tagpolicies" [], Namespaced, SpecStatus { tag_policy::TagPolicySpec, tag_policy::TagPolicyStatus } object_schema::<tag_policy::TagPolicy>;
    ContentLibraryItem: content_library_item::ContentLibraryItem = "imageregistry.vmware.com", ["v1alpha1"], "ContentLibraryItem", "contentlibraryitems" ["clitem"], Namespaced, SpecStatus { content_library_item::ContentLibraryItemSpec, content_library_item::ContentLibraryItemStatus } object_schema::<content_library_item::ContentLibraryItem>;
    ClusterContentLibraryItem: cluster_content_library_item::ClusterContentLibraryItem = "imageregistry.vmware.com", ["v1alpha1"], "ClusterContentLibraryItem", "clustercontentlibraryitems" ["cclitem"], Cluster, SpecStatus { cluster_content_library_item::ClusterContentLibraryItemSpec, content_library_item::ContentLibraryItemStatus } object_schema::<cluster_content_library_item::ClusterContentLibraryItem>;
    Subnet: subnet::Subnet = "crd.nsx.vmware.com", ["v1alpha1"], "Subnet", "subnets" [], Namespaced, SpecStatus { subnet::SubnetSpec, subnet::SubnetStatus } object_schema::<subnet::Subnet>;
    SubnetSet: subnet_set::SubnetSet = "crd.nsx.vmware.com", ["v1alpha1"], "SubnetSet", "subnetsets" [], Namespaced, SpecStatus { subnet_set::SubnetSetSpec, subnet_set::SubnetSetStatus } object_schema::<subnet_set::SubnetSet>;
    SubnetPort: subnet_port::SubnetPort = "crd.nsx.vmware.com", ["v1alpha1"], "SubnetPort", "subnetports" [], Namespaced, SpecStatus { subnet_port::SubnetPortSpec, subnet_port::SubnetPortStatus } object_schema::<subnet_port::SubnetPort>;
    VirtualNetwork: virtual_network::VirtualNetwork = "vmware.com", ["v1alpha1"], "VirtualNetwork", "virtualnetworks" [], Namespaced, SpecStatus { virtual_network::VirtualNetworkSpec, virtual_network::VirtualNetworkStatus } object_schema::<virtual_network::VirtualNetwork>;
    VirtualNetworkInterface: virtual_network_interface::VirtualNetworkInterface = "vmware.com", ["v1alpha1"], "VirtualNetworkInterface", "virtualnetworkinterfaces" [], Namespaced, SpecStatus { virtual_network_interface::VirtualNetworkInterfaceSpec, virtual_network_interface::VirtualNetworkInterfaceStatus } object_schema::<virtual_network_interface::VirtualNetworkInterface>;
    Network: network::Network = "netoperator.vmware.com", ["v1alpha1"], "Network", "networks" [], Namespaced, SpecStatus { network::NetworkSpec, Nothing } object_schema::<network::Network>;
    NetworkInterface: network_interface::NetworkInterface = "netoperator.vmware.com", ["v1alpha1"], "NetworkInterface", "networkinterfaces" [], Namespaced, SpecStatus { network_interface::NetworkInterfaceSpec, network_interface::NetworkInterfaceStatus } object_schema::<network_interface::NetworkInterface>;
    CnsNodeVMBatchAttachment: cns_node_vm_batch_attachment::CnsNodeVMBatchAttachment = "cns.vmware.com", ["v1alpha1"], "CnsNodeVMBatchAttachment", "cnsnodevmbatchattachments" ["batchattach"], Namespaced, SpecStatus { cns_node_vm_batch_attachment::CnsNodeVmBatchAttachmentSpec, cns_node_vm_batch_attachment::CnsNodeVmBatchAttachmentStatus } object_schema::<cns_node_vm_batch_attachment::CnsNodeVMBatchAttachment>;
    CnsRegisterVolume: cns_register_volume::CnsRegisterVolume = "cns.vmware.com", ["v1alpha1"], "CnsRegisterVolume", "cnsregistervolumes" [], Namespaced, SpecStatus { cns_register_volume::CnsRegisterVolumeSpec, cns_register_volume::CnsRegisterVolumeStatus } object_schema::<cns_register_volume::CnsRegisterVolume>;
    ControlledRebalancingPolicy: controlled_rebalancing_policy::ControlledRebalancingPolicy = "vsphere.policy.vmware.com", ["v1alpha1"], "ControlledRebalancingPolicy", "controlledrebalancingpolicies" [], Namespaced, SpecStatus { controlled_rebalancing_policy::ControlledRebalancingPolicySpec, compute_policy::ComputePolicyStatus } object_schema::<controlled_rebalancing_policy::ControlledRebalancingPolicy>;
    RequiredDuringExecutionVMPlacementPolicy: required_during_execution_vm_placement_policy::RequiredDuringExecutionVMPlacementPolicy = "vsphere.policy.vmware.com", ["v1alpha1"], "RequiredDuringExecutionVMPlacementPolicy", "requiredduringexecutionvmplacementpolicies" [], Namespaced, SpecStatus { required_during_execution_vm_placement_policy::RequiredDuringExecutionVmPlacementPolicySpec, Nothing } object_schema::<required_during_execution_vm_placement_policy::RequiredDuringExecutionVMPlacementPolicy>;
    Capabilities: capabilities::Capabilities = "iaas.vmware.com", ["v1alpha1"], "Capabilities", "capabilities" [], Cluster, SpecStatus { capabilities::CapabilitiesSpec, capabilities::CapabilitiesStatus } object_schema::<capabilities::Capabilities>;
    NetworkSettings: network_settings::NetworkSettings = "netoperator.vmware.com", ["v1alpha1"], "NetworkSettings", "networksettings" [], Namespaced, Whole { network_settings::NetworkSettingsSpec, Nothing } object_schema::<network_settings::NetworkSettings>;
    WorkloadNetworkConfiguration: workload_network_configuration::WorkloadNetworkConfiguration = "netoperator.vmware.com", ["v1alpha1"], "WorkloadNetworkConfiguration", "workloadnetworkconfigurations" [], Cluster, SpecStatus { workload_network_configuration::WorkloadNetworkConfigurationSpec, workload_network_configuration::WorkloadNetworkConfigurationStatus } object_schema::<workload_network_configuration::WorkloadNetworkConfiguration>;
    VSphereZone: vsphere_zone::VSphereZone = "topology.tanzu.vmware.com", ["v1alpha1"], "VSphereZone", "vspherezones" [], Cluster, SpecStatus { vsphere_zone::VSphereZoneSpec, vsphere_zone::VSphereZoneStatus } object_schema::<vsphere_zone::VSphereZone>;
}
