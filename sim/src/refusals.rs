//! The faults that vCenter answers with, each with the properties and the text that it has there. Source: vsphere §4.6.

use vmtwin_model::id::{DatastoreId, HostId, TaskId};
use vmtwin_model::vsphere::vm::PowerState;
use vmtwin_model::vsphere::{Fault, FaultName};

pub(crate) fn not_found(type_: &str, id: &str) -> Fault {
    let text = format!("The object '{type_}:{id}' has already been deleted or has not been completely created");
    Fault::new(FaultName::ManagedObjectNotFound, text).with("obj", id)
}

/// Nobody answers at an address.
pub(crate) fn unreachable_host(host: &str) -> Fault {
    Fault::new(FaultName::from("HostCommunication"), format!("dial tcp {host}: connect: connection refused"))
}

pub(crate) fn power_state(requested: PowerState, existing: PowerState) -> Fault {
    let words = match existing {
        PowerState::PoweredOn => "Powered on",
        PowerState::PoweredOff => "Powered off",
        PowerState::Suspended => "Suspended",
    };
    let text = format!("The attempted operation cannot be performed in the current state ({words}).");
    Fault::new(FaultName::InvalidPowerState, text).with("requestedState", requested.to_string()).with("existingState", existing.to_string())
}

pub(crate) fn task_in_progress(task: &TaskId) -> Fault {
    Fault::new(FaultName::TaskInProgress, "Another task is already in progress.").with("task", task.as_str())
}

pub(crate) fn tools_unavailable() -> Fault {
    let text = "Cannot complete operation because VMware Tools is not running in this virtual machine.";
    Fault::new(FaultName::ToolsUnavailable, text)
}

pub(crate) fn invalid_argument(property: &str) -> Fault {
    Fault::new(FaultName::InvalidArgument, format!("A specified parameter was not correct: {property}")).with("invalidProperty", property)
}

pub(crate) fn invalid_state(why: &str) -> Fault {
    Fault::new(FaultName::InvalidState, why)
}

pub(crate) fn not_supported(what: &str) -> Fault {
    Fault::new(FaultName::NotSupported, format!("The operation is not supported on the object: {what}"))
}

pub(crate) fn duplicate_name(name: &str, object: &str) -> Fault {
    Fault::new(FaultName::DuplicateName, format!("The name '{name}' already exists.")).with("name", name).with("object", object)
}

pub(crate) fn duplicate_instance_uuid(object: &str) -> Fault {
    let text = format!("A specified parameter was not correct: configSpec.instanceUuid (it is {object}'s)");
    Fault::new(FaultName::InvalidArgument, text).with("invalidProperty", "configSpec.instanceUuid")
}

/// A fault whose message has this key in the server's catalogue.
pub(crate) fn keyed(name: FaultName, key: &str, text: &str) -> Fault {
    Fault::new(name, text).with("faultMessage", serde_json::json!([{"key": key, "message": text}]))
}

/// The same of a device's specification.
pub(crate) fn keyed_device(name: FaultName, index: usize, key: &str, text: &str) -> Fault {
    let index = i64::try_from(index).expect("a spec has fewer than 2^63 devices");
    keyed(name, key, text).with("deviceIndex", index)
}

pub(crate) fn invalid_device(index: usize, property: &str) -> Fault {
    let text = format!("Invalid configuration for device '{index}'.");
    let index = i64::try_from(index).expect("a spec has fewer than 2^63 devices");
    Fault::new(FaultName::InvalidDeviceSpec, text).with("deviceIndex", index).with("property", property)
}

pub(crate) fn host_not_connected(host: &str) -> Fault {
    Fault::new(FaultName::HostNotConnected, format!("Unable to communicate with the remote host {host}, since it is disconnected."))
}

pub(crate) fn inaccessible_datastore(id: &DatastoreId, name: &str) -> Fault {
    Fault::new(FaultName::InaccessibleDatastore, format!("Unable to access the datastore '{name}'."))
        .with("datastore", id.as_str())
        .with("name", name)
}

pub(crate) fn no_disk_space(id: &DatastoreId, name: &str, file: &str) -> Fault {
    Fault::new(FaultName::NoDiskSpace, format!("Insufficient disk space on datastore '{name}'."))
        .with("datastore", id.as_str())
        .with("file", file)
}

pub(crate) fn no_storage(why: &str) -> Fault {
    Fault::new(FaultName::InsufficientStorageSpace, why)
}

pub(crate) fn pool_cpu(unreserved: i64, requested: i64) -> Fault {
    let text = "The available CPU resources in the parent resource pool are insufficient for the operation.";
    Fault::new(FaultName::InsufficientCpuResourcesFault, text).with("unreserved", unreserved).with("requested", requested)
}

/// Both in bytes.
pub(crate) fn pool_memory(unreserved: i64, requested: i64) -> Fault {
    let text = "The available Memory resources in the parent resource pool are insufficient for the operation.";
    Fault::new(FaultName::InsufficientMemoryResourcesFault, text).with("unreserved", unreserved).with("requested", requested)
}

pub(crate) fn host_cpu(host: &HostId, unreserved: i64, requested: i64) -> Fault {
    let text = "The host does not have sufficient CPU resources to satisfy the reservation.";
    Fault::new(FaultName::InsufficientHostCpuCapacityFault, text)
        .with("host", host.as_str())
        .with("unreserved", unreserved)
        .with("requested", requested)
}

/// Both in bytes.
pub(crate) fn host_memory(host: &HostId, unreserved: i64, requested: i64) -> Fault {
    let text = "The host does not have sufficient memory resources to satisfy the reservation.";
    Fault::new(FaultName::InsufficientHostMemoryCapacityFault, text)
        .with("host", host.as_str())
        .with("unreserved", unreserved)
        .with("requested", requested)
}

pub(crate) fn graphics(profile: &str) -> Fault {
    let text = format!("The amount of graphics resource available in the host is insufficient for the vGPU profile {profile}.");
    Fault::new(FaultName::InsufficientGraphicsResourcesFault, text)
}

pub(crate) fn failover() -> Fault {
    let text = "Insufficient resources to satisfy configured failover level for vSphere HA.";
    Fault::new(FaultName::InsufficientFailoverResourcesFault, text)
}
