//! ControlledRebalancingPolicy: which workloads DRS moves less freely, and the tags that say so. Its fields are the
//! ComputePolicy's.

use std::ops::Deref;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::compute_policy::{ComputePolicySpec, ComputePolicyStatus};

/// What the policy says, as for a ComputePolicy.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "vsphere.policy.vmware.com",
    version = "v1alpha1",
    kind = "ControlledRebalancingPolicy",
    plural = "controlledrebalancingpolicies",
    namespaced,
    status = "ComputePolicyStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "Enforcement-Mode", "type": "string", "jsonPath": ".spec.enforcementMode"}"#,
    printcolumn = r#"{"name": "Description", "type": "string", "jsonPath": ".spec.description"}"#
)]
#[serde(transparent)]
pub struct ControlledRebalancingPolicySpec(pub ComputePolicySpec);

impl Deref for ControlledRebalancingPolicySpec {
    type Target = ComputePolicySpec;

    fn deref(&self) -> &ComputePolicySpec {
        &self.0
    }
}
