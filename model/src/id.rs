//! Identities of vSphere's managed objects: `vm-101`, `host-9`, `domain-c8`, `task-17`.
//!
//! A managed object id is unique within one vCenter and means nothing outside of it. Each kind has a type of its
//! own, so that a host's id can't be given where a pool's is wanted. The text is shared: cloning an id copies a pointer.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident: $type_name:literal;)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The vSphere API's name of the managed object type.
            pub const TYPE: &'static str = $type_name;

            /// An id with this text.
            #[must_use]
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The id as vSphere prints it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }
    )+};
}

ids! {
    /// A virtual machine.
    VmId: "VirtualMachine";
    /// An ESXi host.
    HostId: "HostSystem";
    /// A cluster of hosts.
    ClusterId: "ClusterComputeResource";
    /// A resource pool.
    PoolId: "ResourcePool";
    /// A folder of the inventory.
    FolderId: "Folder";
    /// A datastore.
    DatastoreId: "Datastore";
    /// A network or a distributed port group.
    NetworkId: "Network";
    /// A task.
    TaskId: "Task";
}

/// The number of one call on the hypervisor, unique in a run; its answer carries the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct CallId(pub u64);

/// The number of one write of the operator to the API server, unique in a run; its answer carries the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct WriteId(pub u64);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {}", self.0)
    }
}

impl fmt::Display for WriteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "write {}", self.0)
    }
}
