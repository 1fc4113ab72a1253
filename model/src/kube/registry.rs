//! The rows of the table of kinds.

use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::{
    ConfigMap, Event, Namespace, NamespaceSpec, NamespaceStatus, PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimSpec,
    PersistentVolumeClaimStatus, PersistentVolumeSpec, PersistentVolumeStatus, ResourceQuota, ResourceQuotaSpec, ResourceQuotaStatus,
    Secret,
};
use k8s_openapi::api::storage::v1::StorageClass;
use serde_json::Value;

use super::kinds::{Kind, KindInfo, Layout, Nothing, Resource, Scope, decode};

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
    (@schema $schema:expr) => { Some($schema) };
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
}
