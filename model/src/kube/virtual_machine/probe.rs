//! How to tell that a VM's workload is ready. Only the description; the probing is the operator's.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::choice::choice;

/// How to tell that the workload is ready: one of the three ways.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReadinessProbeSpec {
    /// By VM Tools' heartbeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest_heartbeat: Option<GuestHeartbeatAction>,
    /// By values that the guest publishes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guest_info: Vec<GuestInfoAction>,
    /// How often to ask, in seconds; 0 leaves it to the operator.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    #[schemars(extend("minimum" = 1))]
    pub period_seconds: i32,
    /// By a TCP connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_socket: Option<TcpSocketAction>,
    /// How long an attempt may take, in seconds; 0 leaves it to the operator.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    #[schemars(extend("minimum" = 1, "maximum" = 60))]
    pub timeout_seconds: i32,
}

/// Ready by VM Tools' heartbeat.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuestHeartbeatAction {
    /// The least good colour that still counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "green"))]
    pub threshold_status: Option<GuestHeartbeatStatus>,
}

choice! {
    /// Colours of the heartbeat that can be asked for.
    pub enum GuestHeartbeatStatus {
        /// Possibly under load.
        Yellow = "yellow",
        /// In order.
        Green = "green",
    }
}

/// Ready when a value that the guest publishes is as wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuestInfoAction {
    /// The key, without `guestinfo.`.
    #[serde(default)]
    #[schemars(!default)]
    pub key: String,
    /// The value wanted, a regular expression; empty: any.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
}

/// Ready when a TCP connection can be made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TcpSocketAction {
    /// The host; the VM's primary address when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// The port, by number or name.
    #[serde(default)]
    #[schemars(!default)]
    pub port: IntOrString,
}
