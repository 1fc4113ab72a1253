//! Annotations, labels, finalizers and ExtraConfig keys. Source: vm-lifecycle §19, placement-groups §1.2.

/// Any value: the VM isn't reconciled at all.
pub(crate) const PAUSED: &str = "vmoperator.vmware.com/paused";
/// Keys that begin so hold the power-on.
pub(crate) const POWER_ON_CHECK: &str = "poweron.check.vmoperator.vmware.com/";
/// Keys that begin so hold the deletion.
pub(crate) const DELETE_CHECK: &str = "delete.check.vmoperator.vmware.com/";
/// Present: the VM follows its class when that changes.
pub(crate) const SAME_CLASS_RESIZE: &str = "vmoperator.vmware.com/same-vm-class-resize";
/// The class that the VM's hardware was last made of, as JSON.
pub(crate) const LAST_RESIZED: &str = "vmoperator.vmware.com/last-resized-vm-class";
/// The vCenter's instance UUID.
pub(crate) const MANAGER_ID: &str = "vmoperator.vmware.com/manager-id";
/// The VM was switched on once.
pub(crate) const FIRST_BOOT_DONE: &str = "virtualmachine.vmoperator.vmware.com/first-boot-done";
/// The instant before which the power state must not be applied.
pub(crate) const APPLY_POWER_STATE_TIME: &str = "vmoperator.vmware.com.protected/apply-power-state-time";
/// Present: the vSphere VM stays when the object goes.
pub(crate) const SKIP_DELETE: &str = "vmoperator.vmware.com.protected/skip-delete-platform-resource";
/// An integer that replaces the priority.
pub(crate) const RECONCILE_PRIORITY: &str = "vmoperator.vmware.com.protected/reconcile-priority";
/// The configuration part of the bootstrap that was applied last.
pub(crate) const BOOTSTRAP_HASH_CONFIG: &str = "vmoperator.vmware.com/bootstrap-hash-configspec";
/// The customization part of the bootstrap that was applied last.
pub(crate) const BOOTSTRAP_HASH_CUSTOM: &str = "vmoperator.vmware.com/bootstrap-hash-customspec";
/// `disable`: no customization by vSphere.
pub(crate) const VSPHERE_CUSTOMIZATION: &str = "vmoperator.vmware.com/vsphere-customization";
/// `cloudinitprep`: cloud-init's data travel as a customization.
pub(crate) const CLOUD_INIT_TYPE: &str = "vmoperator.vmware.com/cloudinit-type";
/// The instance id of cloud-init, where older versions keep it.
pub(crate) const CLOUD_INIT_INSTANCE_ID: &str = "vmoperator.vmware.com/cloud-init-instance-id";
/// The build, schema and features that the object was brought up to.
pub(crate) const UPGRADED: [(&str, &str); 3] = [
    ("vmoperator.vmware.com/upgraded-to-build-version", env!("CARGO_PKG_VERSION")),
    ("vmoperator.vmware.com/upgraded-to-schema-version", "v1alpha5"),
    ("vmoperator.vmware.com/upgraded-to-feature-version", "1"),
];
/// The interfaces whose cards are to be attached anew after a restore of the VPC, by their names.
pub(crate) const RECONFIGURE_NIC: &str = "nsx/reconfigure-nic";
/// Keys that begin so become conditions.
pub(crate) const CONDITION_ANNOTATION: &str = "condition.vmoperator.vmware.com.protected/";

/// The zone.
pub(crate) const ZONE: &str = "topology.kubernetes.io/zone";
/// The name of the host that instance storage is on.
pub(crate) const INSTANCE_NODE: &str = "vmoperator.vmware.com/instance-storage-selected-node";
/// Its managed object id.
pub(crate) const INSTANCE_NODE_ID: &str = "vmoperator.vmware.com/instance-storage-selected-node-moid";
/// Present: all claims of instance storage are bound.
pub(crate) const INSTANCE_CLAIMS_BOUND: &str = "vmoperator.vmware.com/instance-storage-pvcs-bound";
/// `direct` or `linked`; anything else makes the VM without fast deploy.
pub(crate) const FAST_DEPLOY: &str = "vmoperator.vmware.com/fast-deploy";
/// On an interface object: its VM.
pub(crate) const VM_NAME: &str = "vmoperator.vmware.com/vm-name";
/// On an interface object: its interface.
pub(crate) const VM_INTERFACE_NAME: &str = "vmoperator.vmware.com/vm-interface-name";

/// The finalizer.
pub(crate) const FINALIZER: &str = "vmoperator.vmware.com/virtualmachine";
/// The finalizer of older versions.
pub(crate) const OLD_FINALIZER: &str = "virtualmachine.vmoperator.vmware.com";

/// Labels: the VM's role in a Kubernetes cluster.
pub(crate) const CLUSTER_ROLES: [&str; 2] = ["capw.vmware.com/cluster.role", "capv.vmware.com/cluster.role"];
/// Label: the VM of a snapshot.
pub(crate) const SNAPSHOT_VM_NAME: &str = "snapshot.vmoperator.vmware.com/vm-name";
/// Present: the VM is being reverted to a snapshot.
pub(crate) const REVERT_IN_PROGRESS: &str = "vmoperator.vmware.com/snapshot-revert-in-progress";
/// On a snapshot: `requested` for CSI to look at its volumes, `completed` when CSI has.
pub(crate) const CSI_SYNC: &str = "csi.vsphere.volume.sync";
/// What CSI makes of it.
pub(crate) const CSI_SYNC_COMPLETED: &str = "completed";

/// Label: the image cache that the VM waits for.
pub(crate) const IMAGE_CACHE: &str = "vmicache.vmoperator.vmware.com/name";
/// The place at which the VM waits for cached files.
pub(crate) const IMAGE_CACHE_LOCATION: &str = "vmicache.vmoperator.vmware.com/location";

/// ExtraConfig: the cached disks that the VM's own are linked to.
pub(crate) const KEEP_DISKS: &str = "vmprov.keepDisks";
/// ExtraConfig: namespace and name of the object.
pub(crate) const NAMESPACED_NAME: &str = "vmservice.namespacedName";
/// ExtraConfig: when the VM was restarted last, UNIX time in nanoseconds.
pub(crate) const LAST_RESTART_TIME: &str = "vmservice.lastRestartTime";
/// ExtraConfig: `true` while a vSphere administrator holds the VM.
pub(crate) const ADMIN_PAUSE: &str = "vmservice.virtualmachine.pause";
/// ExtraConfig: a customization is pending.
pub(crate) const DEPLOY_PKG: &str = "tools.deployPkg.fileName";
/// ExtraConfig: an evacuation switched the VM off.
pub(crate) const EVACUATION_POWER_OFF: &str = "maintenance.vm.evacuation.poweroff";
/// ExtraConfig: the guest's word on its bootstrap.
pub(crate) const BOOTSTRAP_CONDITION: &str = "guestinfo.vmservice.bootstrap.condition";

/// ExtraConfig: the IPv4 address that cloud-init publishes.
pub(crate) const LOCAL_IPV4: &str = "guestinfo.local-ipv4";
/// ExtraConfig: the IPv6 address that cloud-init publishes.
pub(crate) const LOCAL_IPV6: &str = "guestinfo.local-ipv6";

/// `config.managedBy` of our VMs.
pub(crate) const MANAGED_BY: (&str, &str) = ("com.vmware.vcenter.wcp", "VirtualMachine");
/// The annotation of a VM whose class has none.
pub(crate) const DEFAULT_ANNOTATION: &str = "Virtual Machine managed by the vSphere Virtual Machine service";
