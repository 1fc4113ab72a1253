//! VirtualMachineClassInstance: one revision of a VirtualMachineClass, kept so that VMs can hold on to it. Its fields
//! are the class's; which revision is the active one is told by a label.

use std::ops::Deref;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::virtual_machine_class::{VirtualMachineClassSpec, VirtualMachineClassStatus};

/// What VMs of this revision are like: a VirtualMachineClass's fields as they were.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "vmoperator.vmware.com",
    version = "v1alpha5",
    kind = "VirtualMachineClassInstance",
    plural = "virtualmachineclassinstances",
    namespaced,
    status = "VirtualMachineClassStatus",
    shortname = "vmclassinstance",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "CPU", "type": "string", "jsonPath": ".spec.hardware.cpus"}"#,
    printcolumn = r#"{"name": "Memory", "type": "string", "jsonPath": ".spec.hardware.memory"}"#,
    printcolumn = r#"{"name": "Active", "type": "string", "jsonPath": ".metadata.labels['vmoperator\\.vmware\\.com/active']"}"#
)]
#[serde(transparent)]
pub struct VirtualMachineClassInstanceSpec(pub VirtualMachineClassSpec);

impl Deref for VirtualMachineClassInstanceSpec {
    type Target = VirtualMachineClassSpec;

    fn deref(&self) -> &VirtualMachineClassSpec {
        &self.0
    }
}
