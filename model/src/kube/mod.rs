//! Kubernetes' side of the world: objects at rest, the requests that change them, and VM Operator's kinds.
//!
//! [`object`] has the one representation that the API server stores, watches carry and caches share. [`kinds`] is the
//! table of the kinds that are known. [`api`] is the vocabulary of the Kubernetes port. The modules named after kinds hold
//! their types: spec, status, conditions, nothing else.

pub mod api;
pub mod availability_zone;
pub mod capabilities;
mod choice;
pub mod cluster_content_library_item;
pub mod cluster_virtual_machine_image;
pub mod cns_node_vm_attachment;
pub mod cns_node_vm_batch_attachment;
pub mod cns_register_volume;
pub mod compute_policy;
pub mod condition;
pub mod content_library_item;
pub mod controlled_rebalancing_policy;
pub mod encryption_class;
pub mod kinds;
pub mod labels;
pub mod network;
pub mod network_interface;
pub mod network_settings;
pub mod object;
pub mod policy_evaluation;
pub mod power;
pub mod reference;
pub mod registry;
pub mod required_during_execution_vm_placement_policy;
pub mod schema;
pub mod storage_policy;
pub mod storage_policy_quota;
pub mod storage_policy_usage;
pub mod storage_quota;
pub mod subnet;
pub mod subnet_port;
pub mod subnet_set;
pub mod tag_policy;
pub mod version;
pub mod virtual_machine;
pub mod virtual_machine_class;
pub mod virtual_machine_class_instance;
pub mod virtual_machine_group;
pub mod virtual_machine_image;
pub mod virtual_machine_image_cache;
pub mod virtual_machine_set_resource_policy;
pub mod virtual_machine_snapshot;
pub mod virtual_network;
pub mod virtual_network_interface;
pub mod vsphere_zone;
pub mod workload_network_configuration;
pub mod zone;

pub use condition::{Condition, ConditionStatus, ConditionType, Conditions, Reason};
pub use kinds::{Kind, KindInfo, Layout, Resource, Scope};
pub use object::{Body, Object, ObjectKey, View};
pub use version::Version;
