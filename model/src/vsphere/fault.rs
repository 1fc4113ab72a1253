//! Faults: how the vSphere API says no. Source: vsphere §4.6.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::words::words;

words! {
    /// The type of a fault, without the suffix that its element may carry on the wire.
    pub enum FaultName {
        /// The power state forbids it; carries both states.
        InvalidPowerState,
        /// Some other state forbids it.
        InvalidState,
        /// An argument is wrong; names its path.
        InvalidArgument,
        /// A property path doesn't exist.
        InvalidProperty,
        /// The request as a whole makes no sense.
        InvalidRequest,
        /// The object isn't there.
        ManagedObjectNotFound,
        /// Another task has the object.
        TaskInProgress,
        /// The name is taken.
        DuplicateName,
        /// VM Tools don't run in the guest.
        ToolsUnavailable,
        /// No host can take the VM; has a reason for each.
        NoCompatibleHost,
        /// DRS can't do it.
        GenericDrsFault,
        /// Some resource is short.
        InsufficientResourcesFault,
        /// A pool's CPU is short.
        InsufficientCpuResourcesFault,
        /// A pool's memory is short.
        InsufficientMemoryResourcesFault,
        /// A host's CPU is short.
        InsufficientHostCpuCapacityFault,
        /// A host's memory is short.
        InsufficientHostMemoryCapacityFault,
        /// HA's reserve would be touched.
        InsufficientFailoverResourcesFault,
        /// No graphics device is free.
        InsufficientGraphicsResourcesFault,
        /// A datastore is full.
        InsufficientStorageSpace,
        /// A datastore has no room for a file.
        NoDiskSpace,
        /// A datastore is out of reach.
        InaccessibleDatastore,
        /// The host is unknown to be up.
        HostNotConnected,
        /// The host doesn't answer.
        HostNotReachable,
        /// Talking to the host failed.
        HostCommunication,
        /// The VM's configuration is bad.
        InvalidVmConfig,
        /// The VM's configuration is bad in some other way.
        GenericVmConfigFault,
        /// A device's specification is bad.
        InvalidDeviceSpec,
        /// A file is there already.
        FileAlreadyExists,
        /// A file isn't there.
        FileNotFound,
        /// A file is in use.
        FileLocked,
        /// The hardware version is reached already.
        AlreadyUpgraded,
        /// The changed version isn't current.
        ConcurrentAccess,
        /// A customization waits already.
        CustomizationPending,
        /// A customization can't be done.
        CustomizationFault,
        /// The session is over.
        NotAuthenticated,
        /// A privilege is missing.
        NoPermission,
        /// Name or password is wrong.
        InvalidLogin,
        /// It isn't supported.
        NotSupported,
        /// The method doesn't exist here.
        MethodNotFound,
        /// The method is switched off for now.
        MethodDisabled,
        /// The task was cancelled.
        RequestCanceled,
        /// It took too long.
        Timedout,
        /// Something went wrong inside.
        SystemError,
    }
}

impl FaultName {
    /// The fault's ancestors, nearest first, as far as anyone matches by them.
    #[must_use]
    pub fn ancestors(&self) -> &'static [&'static str] {
        const RESOURCES: &[&str] = &["InsufficientResourcesFault"];
        match self {
            Self::InvalidPowerState => &["InvalidState"],
            Self::InsufficientCpuResourcesFault
            | Self::InsufficientMemoryResourcesFault
            | Self::InsufficientFailoverResourcesFault
            | Self::InsufficientGraphicsResourcesFault
            | Self::InsufficientStorageSpace => RESOURCES,
            Self::InsufficientHostCpuCapacityFault | Self::InsufficientHostMemoryCapacityFault => {
                &["InsufficientHostCapacityFault", "InsufficientResourcesFault"]
            }
            Self::CustomizationPending => &["CustomizationFault"],
            Self::NotAuthenticated => &["NoPermission"],
            Self::GenericVmConfigFault | Self::InvalidVmConfig => &["VmConfigFault"],
            Self::InvalidDeviceSpec => &["InvalidVmConfig", "VmConfigFault"],
            Self::FileAlreadyExists | Self::FileNotFound | Self::FileLocked | Self::NoDiskSpace => &["FileFault"],
            Self::HostNotReachable | Self::HostNotConnected => &["HostCommunication"],
            _ => &[],
        }
    }

    /// Whether it is this fault or a sort of it.
    #[must_use]
    pub fn is_a(&self, name: &str) -> bool {
        self.as_str() == name || self.ancestors().contains(&name)
    }
}

/// A fault with its properties.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// Its type.
    #[serde(rename = "_typeName")]
    pub name: FaultName,
    /// The text for people, in the server's language.
    #[serde(default)]
    pub localized_message: Arc<str>,
    /// The type's own properties, under their names of the API.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, Value>,
}

impl Fault {
    /// A fault with this text.
    #[must_use]
    pub fn new(name: FaultName, message: impl Into<Arc<str>>) -> Self {
        Self { name, localized_message: message.into(), properties: BTreeMap::new() }
    }

    /// The fault with one more property.
    #[must_use]
    pub fn with(mut self, property: &str, value: impl Into<Value>) -> Self {
        self.properties.insert(property.to_owned(), value.into());
        self
    }

    /// A property's text.
    #[must_use]
    pub fn text(&self, property: &str) -> Option<&str> {
        self.properties.get(property)?.as_str()
    }
}

/// The name and the text.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.localized_message.is_empty() { write!(f, "{}", self.name) } else { write!(f, "{}: {}", self.name, self.localized_message) }
    }
}
