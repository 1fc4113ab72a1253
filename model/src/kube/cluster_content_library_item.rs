//! ClusterContentLibraryItem: an item of a vCenter content library that every namespace was given. Its fields are the
//! ContentLibraryItem's.

use std::ops::Deref;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::content_library_item::{ContentLibraryItemSpec, ContentLibraryItemStatus};

/// Which item, as for a ContentLibraryItem.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "imageregistry.vmware.com",
    version = "v1alpha1",
    kind = "ClusterContentLibraryItem",
    plural = "clustercontentlibraryitems",
    status = "ContentLibraryItemStatus",
    shortname = "cclitem",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "vSphereName", "type": "string", "jsonPath": ".status.name"}"#,
    printcolumn = r#"{"name": "Type", "type": "string", "jsonPath": ".status.type"}"#,
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(.type=='Ready')].status"}"#
)]
#[serde(transparent)]
pub struct ClusterContentLibraryItemSpec(pub ContentLibraryItemSpec);

impl Deref for ClusterContentLibraryItemSpec {
    type Target = ContentLibraryItemSpec;

    fn deref(&self) -> &ContentLibraryItemSpec {
        &self.0
    }
}
