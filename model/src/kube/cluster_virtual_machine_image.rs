//! ClusterVirtualMachineImage: an image that every namespace may use. Its fields are the VirtualMachineImage's.

use std::ops::Deref;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::virtual_machine_image::{VirtualMachineImageSpec, VirtualMachineImageStatus};

/// Where the image comes from, as for a VirtualMachineImage.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "vmoperator.vmware.com",
    version = "v1alpha5",
    kind = "ClusterVirtualMachineImage",
    plural = "clustervirtualmachineimages",
    status = "VirtualMachineImageStatus",
    shortname = "cvmi",
    shortname = "cvmimage",
    shortname = "clustervmi",
    shortname = "clustervmimage",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "Display Name", "type": "string", "jsonPath": ".status.name"}"#,
    printcolumn = r#"{"name": "Type", "type": "string", "jsonPath": ".status.type"}"#,
    printcolumn = r#"{"name": "Image Version", "type": "string", "jsonPath": ".status.productInfo.version"}"#,
    printcolumn = r#"{"name": "OS Name", "type": "string", "jsonPath": ".status.osInfo.type"}"#,
    printcolumn = r#"{"name": "OS Version", "type": "string", "jsonPath": ".status.osInfo.version"}"#,
    printcolumn = r#"{"name": "Hardware Version", "type": "string", "jsonPath": ".status.hardwareVersion"}"#
)]
#[serde(transparent)]
pub struct ClusterVirtualMachineImageSpec(pub VirtualMachineImageSpec);

impl Deref for ClusterVirtualMachineImageSpec {
    type Target = VirtualMachineImageSpec;

    fn deref(&self) -> &VirtualMachineImageSpec {
        &self.0
    }
}
