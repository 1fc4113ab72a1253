//! Carries an operation of the port to a vCenter, and makes its answer. Source: vsphere §4.
//!
//! Every operation is answered, once. What isn't translated is answered with the fault `NotSupported` that names it, before anything
//! is sent; what broke on the way is [`Failure::Lost`], since nobody knows whether it was done.

use std::sync::Arc;

use base64::Engine as _;
use reqwest::Method;
use serde_json::{Value, json};
use vmtwin_model::id::{ClusterId, FolderId, HostId, PoolId, TaskId, VmId};
use vmtwin_model::units::MHz;
use vmtwin_model::vsphere::answer::KmipCluster;
use vmtwin_model::vsphere::operation::{DeployLibraryItem, GuestQuiesceSpec};
use vmtwin_model::vsphere::vm::{CryptoKeyId, Location, Task};
use vmtwin_model::vsphere::{Answer, ConfigSpec, Failure, Fault, FaultName, Operation, Reply, VirtualMachine};

use crate::connection::{self, Connection, Error};
use crate::soap::{self, Call, Reference};
use crate::translate::encode::{self, Untranslated};
use crate::translate::vm;
use crate::xml::Element;
use crate::{properties, task};

/// The root of REST paths that work on every vCenter.
const REST: &str = "/rest/com/vmware";

/// The type of a snapshot's reference.
const SNAPSHOT: &str = "VirtualMachineSnapshot";

/// Why an operation gave nothing back, before it is told to the engine.
#[derive(Debug)]
enum Stop {
    Wire(Error),
    Untranslated(Untranslated),
    Undecoded(vm::Undecoded),
    Fault(Fault),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Wire(error)
    }
}

impl From<Untranslated> for Stop {
    fn from(error: Untranslated) -> Self {
        Self::Untranslated(error)
    }
}

impl From<vm::Undecoded> for Stop {
    fn from(error: vm::Undecoded) -> Self {
        Self::Undecoded(error)
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Wire(Error::Fault(fault)) | Stop::Fault(fault) => Self::Fault(fault),
            Stop::Wire(Error::Unspeakable(error)) => Self::Fault(Fault::new(FaultName::InvalidArgument, error.to_string())),
            Stop::Wire(error) => Self::Lost(error.to_string().into()),
            Stop::Untranslated(error) => Self::Fault(Fault::new(FaultName::NotSupported, error.to_string())),
            Stop::Undecoded(error) => Self::Fault(Fault::new(FaultName::SystemError, error.to_string())),
        }
    }
}

type Done<T> = Result<T, Stop>;

/// Carries one operation out and waits for its end.
pub async fn execute(connection: &Connection, operation: &Operation, operation_id: &str) -> Answer {
    let work = Work { connection, operation_id };
    match started(operation) {
        Ok(None) => Answer { task: None, result: work.at_once(operation).await.map_err(Failure::from) },
        Ok(Some(call)) => work.follow(operation, &call).await,
        Err(stop) => Answer { task: None, result: Err(stop.into()) },
    }
}

/// The call that starts a task, for the operations that start one.
fn started(operation: &Operation) -> Done<Option<Call>> {
    let on = |vm: &VmId, arguments| Call::vim(&vm_reference(vm), operation.method(), arguments);
    let host =
        |host: &Option<vmtwin_model::id::HostId>| host.iter().map(|id| Element::reference("host", "HostSystem", id.as_str())).collect();
    Ok(Some(match operation {
        Operation::CreateVm { folder, config, pool, host: on_host } => {
            let mut arguments = vec![encode::config_spec("config", config)?, Element::reference("pool", PoolId::TYPE, pool.as_str())];
            arguments.extend::<Vec<Element>>(host(on_host));
            Call::vim(&Reference::new(FolderId::TYPE, folder.as_str()), operation.method(), arguments)
        }
        Operation::ReconfigVm { vm, spec } => on(vm, vec![encode::config_spec("spec", spec)?]),
        Operation::UpgradeVm { vm, version } => on(vm, vec![Element::text("version", &**version)]),
        Operation::CustomizeVm { vm, spec } => on(vm, vec![encode::object("spec", spec, "CustomizationSpec", "spec")?]),
        Operation::CreateSnapshot { vm, name, description, memory, quiesce_spec } => {
            on(vm, snapshot(name, description.as_deref(), *memory, quiesce_spec.as_ref()))
        }
        Operation::RevertToSnapshot { snapshot, .. } => {
            Call::vim(&snapshot_reference(snapshot), operation.method(), vec![Element::text("suppressPowerOn", "false")])
        }
        Operation::RemoveSnapshot { snapshot, .. } => {
            let arguments = vec![Element::text("removeChildren", "false"), Element::text("consolidate", "true")];
            Call::vim(&snapshot_reference(snapshot), operation.method(), arguments)
        }
        Operation::PowerOnVm { vm, host: on_host } => on(vm, host(on_host)),
        Operation::PowerOffVm { vm }
        | Operation::SuspendVm { vm }
        | Operation::ResetVm { vm }
        | Operation::DestroyVm { vm }
        | Operation::InvokeFsr { vm } => on(vm, Vec::new()),
        _ => return Ok(None),
    }))
}

/// The arguments of `CreateSnapshotEx_Task`, in the API's order.
fn snapshot(name: &str, description: Option<&str>, memory: bool, quiesce: Option<&GuestQuiesceSpec>) -> Vec<Element> {
    let mut arguments = vec![Element::text("name", name)];
    arguments.extend(description.map(|description| Element::text("description", description)));
    arguments.push(Element::text("memory", if memory { "true" } else { "false" }));
    arguments.extend(quiesce.map(|quiesce| {
        let spec = Element::new("quiesceSpec").typed("VirtualMachineGuestQuiesceSpec");
        quiesce.timeout.iter().fold(spec, |spec, minutes| spec.with(Element::text("timeout", minutes.to_string())))
    }));
    arguments
}

fn snapshot_reference(snapshot: &str) -> Reference {
    Reference::new(SNAPSHOT, snapshot)
}

fn vm_reference(vm: &VmId) -> Reference {
    Reference::new(VmId::TYPE, vm.as_str())
}

/// One operation at work.
struct Work<'a> {
    connection: &'a Connection,
    operation_id: &'a str,
}

impl Work<'_> {
    /// Starts a task and waits for its end.
    async fn follow(&self, operation: &Operation, call: &Call) -> Answer {
        let task = match self.connection.call_for_reference(call, self.operation_id).await {
            Ok(task) => task,
            Err(error) => return Answer { task: None, result: Err(Stop::from(error).into()) },
        };
        let id = TaskId::from(task.id.as_str());
        let result = match task::ended(self.connection, &task, self.operation_id).await {
            Ok(info) => outcome(operation, &info),
            Err(error) if error.is_a("ManagedObjectNotFound") => Err(Failure::Lost(format!("{id} is forgotten").into())),
            Err(error) => Err(Stop::from(error).into()),
        };
        Answer { task: Some(id), result }
    }

    /// The operations that start no task.
    async fn at_once(&self, operation: &Operation) -> Done<Reply> {
        match operation {
            Operation::About {} => Ok(Reply::About { instance_uuid: self.connection.content().instance_uuid().into() }),
            Operation::FindAllByUuid { uuid } => self.find(uuid).await,
            Operation::RetrieveVm { vm } => Ok(Reply::Vm(Arc::new(self.retrieve(vm).await?))),
            Operation::RetrieveSnapshot { snapshot, .. } => {
                let properties = self.read(&snapshot_reference(snapshot), &["config"]).await?;
                Ok(Reply::SnapshotConfig(Arc::new(vm::snapshot_config(snapshot, &properties)?)))
            }
            Operation::MinClusterCpu { cluster } => self.clock(cluster).await,
            Operation::FindChildPool { entity, name } => self.child(PoolId::TYPE, entity.as_str(), name).await,
            Operation::FindChildFolder { entity, name } => self.child(FolderId::TYPE, entity.as_str(), name).await,
            Operation::ListKmipServers {} => self.key_providers().await,
            Operation::GetDefaultKmsCluster {} => self.default_key_provider().await,
            Operation::QueryCryptoKeyStatus { key } => self.key_status(key).await,
            Operation::DeployLibraryItem(deploy) => self.deploy(deploy).await,
            Operation::ConnectTcp { host, port, timeout_seconds, .. } => connect_tcp(host, *port, *timeout_seconds).await,
            Operation::SyncLibraryItem { item } => {
                let path = format!("{REST}/content/library/subscribed-item/id:{}?~action=sync", path_segment(item));
                let body = json!({"force_sync_content": true});
                self.connection.rest(Method::POST, &path, Some(&body), self.connection.endpoint().deploy_timeout).await?;
                Ok(Reply::Done)
            }
            Operation::ShutdownGuest { vm } | Operation::StandbyGuest { vm } | Operation::RebootGuest { vm } => {
                self.connection.call(&Call::vim(&vm_reference(vm), operation.method(), Vec::new()), self.operation_id).await?;
                Ok(Reply::Done)
            }
            Operation::RetrieveHost { host } => {
                let mut properties = self.read(&Reference::new(HostId::TYPE, host.as_str()), &["name"]).await?;
                Ok(Reply::Name(properties.remove("name").map(|name| name.text).unwrap_or_default().into()))
            }
            Operation::CreateFolder { entity, name } => {
                let folder = Reference::new(FolderId::TYPE, entity.as_str());
                let call = Call::vim(&folder, operation.method(), vec![Element::text("name", &**name)]);
                let made = self.connection.call_for_reference(&call, self.operation_id).await?;
                Ok(Reply::Child(Some(made.id.into())))
            }
            Operation::PlaceVm { .. }
            | Operation::PlaceVmsXCluster(_)
            | Operation::RetrieveDatastore { .. }
            | Operation::MakeDirectory { .. }
            | Operation::CopyVirtualDisk { .. }
            | Operation::DeleteDatastoreFile { .. }
            | Operation::CreateResourcePool { .. }
            | Operation::DestroyPool { .. }
            | Operation::DestroyFolder { .. }
            | Operation::ListModules {}
            | Operation::CreateModule { .. }
            | Operation::DeleteModule { .. }
            | Operation::ListModuleMembers { .. }
            | Operation::AddModuleMembers { .. }
            | Operation::PromoteDisks { .. }
            | Operation::CancelTask { .. } => {
                let text = format!("{} isn't translated for a vCenter by this version of vmtwin", operation.method());
                Err(Stop::Fault(Fault::new(FaultName::NotSupported, text)))
            }
            Operation::CreateVm { .. }
            | Operation::ReconfigVm { .. }
            | Operation::UpgradeVm { .. }
            | Operation::CustomizeVm { .. }
            | Operation::InvokeFsr { .. }
            | Operation::CreateSnapshot { .. }
            | Operation::RevertToSnapshot { .. }
            | Operation::RemoveSnapshot { .. }
            | Operation::PowerOnVm { .. }
            | Operation::PowerOffVm { .. }
            | Operation::SuspendVm { .. }
            | Operation::ResetVm { .. }
            | Operation::DestroyVm { .. } => unreachable!("{} starts a task", operation.method()),
        }
    }

    async fn find(&self, uuid: &str) -> Done<Reply> {
        let index = self.connection.content().manager("searchIndex")?;
        let arguments = vec![Element::text("uuid", uuid), Element::text("vmSearch", "true"), Element::text("instanceUuid", "true")];
        let found = self.connection.call(&Call::vim(&index, "FindAllByUuid", arguments), self.operation_id).await?;
        Ok(Reply::Found(found.iter().map(|vm| VmId::from(vm.text.as_str())).collect()))
    }

    /// A child of this kind: a folder's VM of that name is none.
    async fn child(&self, kind: &str, entity: &str, name: &str) -> Done<Reply> {
        let index = self.connection.content().manager("searchIndex")?;
        let arguments = vec![Element::reference("entity", kind, entity), Element::text("name", name)];
        let found = self.connection.call(&Call::vim(&index, "FindChild", arguments), self.operation_id).await?;
        let child = found.first().and_then(Reference::of).filter(|child| child.kind == kind);
        Ok(Reply::Child(child.map(|child| child.id.into())))
    }

    async fn clock(&self, cluster: &ClusterId) -> Done<Reply> {
        let mut properties = self.read(&Reference::new(ClusterId::TYPE, cluster.as_str()), &["host"]).await?;
        let hosts = properties.remove("host").map(|hosts| hosts.children).unwrap_or_default();
        let mut clocks = Vec::new();
        for host in hosts.iter().filter_map(Reference::of) {
            let properties = self.read(&host, &["summary.hardware.cpuMhz"]).await?;
            clocks.extend(properties.get("summary.hardware.cpuMhz").and_then(|clock| clock.text.parse().ok()).map(MHz));
        }
        let least = clocks.into_iter().min();
        least.map(Reply::Clock).ok_or_else(|| Stop::Fault(Fault::new(FaultName::InvalidState, format!("{cluster} has no host"))))
    }

    async fn crypto(&self, method: &'static str, arguments: Vec<Element>) -> Done<Vec<Element>> {
        let manager = self.connection.content().manager("cryptoManager")?;
        Ok(self.connection.call(&Call::vim(&manager, method, arguments), self.operation_id).await?)
    }

    async fn key_providers(&self) -> Done<Reply> {
        let clusters = self.crypto("ListKmipServers", Vec::new()).await?;
        let cluster = |cluster: &Element| {
            let native = cluster.text_at("managementType") == Some("nativeProvider");
            Some(KmipCluster { id: cluster.text_at("clusterId.id")?.into(), native })
        };
        Ok(Reply::KeyProviders(clusters.iter().filter_map(cluster).collect()))
    }

    async fn default_key_provider(&self) -> Done<Reply> {
        let found = self.crypto("GetDefaultKmsCluster", vec![Element::text("defaultsToParent", "true")]).await?;
        let id = found.first().and_then(|provider| provider.text_at("id")).filter(|id| !id.is_empty());
        Ok(Reply::DefaultKeyProvider(id.map(Arc::from)))
    }

    async fn key_status(&self, key: &CryptoKeyId) -> Done<Reply> {
        let json = serde_json::to_value(key).expect("a key has text fields only");
        // The bit 1 asks for the availability alone.
        let arguments = vec![encode::object("keyIds", &json, "CryptoKeyId", "keyIds")?, Element::text("checkKeyBitMap", "1")];
        let found = self.crypto("QueryCryptoKeyStatus", arguments).await?;
        let status = found.first();
        let available = status.and_then(|status| status.text_at("keyAvailable")).is_some_and(|text| matches!(text, "true" | "1"));
        let reason = status.and_then(|status| status.text_at("reason")).unwrap_or_default();
        Ok(Reply::KeyStatus { available, reason: reason.into() })
    }

    async fn read(&self, object: &Reference, paths: &[&str]) -> Result<vm::Properties, Error> {
        properties::of_one(self.connection, object, paths, self.operation_id).await
    }

    /// The same of an object that may be gone meanwhile: it then has no properties.
    async fn glance(&self, object: &Reference, paths: &[&str]) -> Result<vm::Properties, Error> {
        match self.read(object, paths).await {
            Err(error) if error.is_a("ManagedObjectNotFound") => Ok(vm::Properties::new()),
            other => other,
        }
    }

    async fn retrieve(&self, id: &VmId) -> Done<VirtualMachine> {
        let properties = self.read(&vm_reference(id), vm::PATHS).await?;
        let mut vm = vm::vm(id, &properties)?;
        let tasks = properties.get("recentTask").map(|tasks| tasks.children.as_slice()).unwrap_or_default();
        for task in tasks.iter().filter_map(Reference::of) {
            vm.recent_task.extend(self.task(&task).await?);
        }
        vm.location = self.location(&vm).await?;
        vm.tags = self.tags(id).await?;
        Ok(vm)
    }

    async fn task(&self, task: &Reference) -> Done<Option<Task>> {
        let properties = self.glance(task, &["info"]).await?;
        let info = properties.get("info");
        Ok(info.map(|info| vm::task(&TaskId::from(task.id.as_str()), info)).transpose()?)
    }

    async fn location(&self, vm: &VirtualMachine) -> Done<Location> {
        let mut location = Location::default();
        if let Some(host) = &vm.runtime.host {
            let properties = self.glance(&Reference::new("HostSystem", host.as_str()), &["name"]).await?;
            location.host_name = properties.get("name").map(|name| name.text.as_str().into());
        }
        let above = |properties: &vm::Properties, path: &str, kind: &str| {
            properties.get(path).and_then(Reference::of).filter(|found| found.kind == kind).map(|found| found.id)
        };
        if let Some(pool) = &vm.resource_pool {
            let properties = self.glance(&Reference::new(PoolId::TYPE, pool.as_str()), &["owner", "parent"]).await?;
            location.cluster = above(&properties, "owner", ClusterId::TYPE).map(ClusterId::from);
            location.pool_parent = above(&properties, "parent", PoolId::TYPE).map(PoolId::from);
        }
        if let Some(folder) = &vm.parent {
            let properties = self.glance(&Reference::new(FolderId::TYPE, folder.as_str()), &["parent"]).await?;
            location.folder_parent = above(&properties, "parent", FolderId::TYPE).map(FolderId::from);
        }
        Ok(location)
    }

    async fn tags(&self, vm: &VmId) -> Done<Vec<Arc<str>>> {
        let path = format!("{REST}/cis/tagging/tag-association?~action=list-attached-tags");
        let body = json!({"object_id": {"type": VmId::TYPE, "id": vm.as_str()}});
        let answer = self.connection.rest(Method::POST, &path, Some(&body), self.connection.endpoint().timeout).await?;
        Ok(answer.as_array().into_iter().flatten().filter_map(Value::as_str).map(Arc::from).collect())
    }

    async fn deploy(&self, deploy: &DeployLibraryItem) -> Done<Reply> {
        let body = deploy_body(deploy)?;
        let path = format!("{REST}/vcenter/ovf/library-item/id:{}?~action=deploy", path_segment(&deploy.item));
        let answer = self.connection.rest(Method::POST, &path, Some(&body), self.connection.endpoint().deploy_timeout).await?;
        deployed(&answer).map_err(Stop::Fault)
    }
}

/// Connects to a guest, and closes the connection at once.
async fn connect_tcp(host: &str, port: u16, timeout_seconds: i64) -> Done<Reply> {
    let timeout = std::time::Duration::from_secs(u64::try_from(timeout_seconds).unwrap_or_default());
    let refused = |why: String| Stop::Fault(Fault::new(FaultName::from("HostCommunication"), format!("dial tcp {host}:{port}: {why}")));
    match tokio::time::timeout(timeout, tokio::net::TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Ok(Reply::Done),
        Ok(Err(error)) => Err(refused(error.to_string())),
        Err(_) => Err(refused("i/o timeout".to_owned())),
    }
}

/// How the task of an operation ended, by its `info`.
fn outcome(operation: &Operation, info: &Element) -> Result<Reply, Failure> {
    let broken = |text| Failure::Fault(Fault::new(FaultName::SystemError, text));
    if info.text_at("state") == Some("error") {
        let fault = info.child("error").map(soap::localized_fault);
        return Err(fault.map_or_else(|| broken("the task failed without a fault"), Failure::Fault));
    }
    let result = info.child("result").and_then(Reference::of);
    match operation {
        Operation::CreateVm { .. } => {}
        Operation::CreateSnapshot { .. } => {
            let made = result.filter(|made| made.kind == SNAPSHOT);
            return made
                .map(|made| Reply::Snapshot(made.id.into()))
                .ok_or_else(|| broken("the task made a snapshot and doesn't say which"));
        }
        _ => return Ok(Reply::Done),
    }
    let made = result.filter(|made| made.kind == VmId::TYPE);
    made.map(|vm| Reply::Created(vm.id.into())).ok_or_else(|| broken("the task made a VM and doesn't say which"))
}

fn deploy_body(deploy: &DeployLibraryItem) -> Done<Value> {
    let mut spec = json!({
        "name": deploy.name,
        "accept_all_EULA": true,
        "vm_config_spec": {"provider": "XML", "xml": config_document(&deploy.vm_config_spec)?},
    });
    let mut target = json!({"resource_pool_id": deploy.resource_pool_id, "folder_id": deploy.folder_id});
    if let Some(policy) = &deploy.storage_profile_id {
        spec["storage_profile_id"] = json!(policy);
    }
    if let Some(datastore) = &deploy.default_datastore_id {
        spec["default_datastore_id"] = json!(datastore);
    }
    if let Some(host) = &deploy.host_id {
        target["host_id"] = json!(host);
    }
    Ok(json!({"deployment_spec": spec, "target": target}))
}

/// A ConfigSpec as a document of its own, in base64.
fn config_document(spec: &ConfigSpec) -> Done<String> {
    const SPACES: &str = " xmlns=\"urn:vim25\" xmlns:vim25=\"urn:vim25\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
        xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let spec = encode::config_spec("obj", spec)?.typed("vim25:VirtualMachineConfigSpec");
    spec.write_with(&mut text, SPACES).map_err(Error::from)?;
    Ok(base64::engine::general_purpose::STANDARD.encode(text))
}

/// What a deploy's answer says: a failed one comes with a good status too.
fn deployed(answer: &Value) -> Result<Reply, Fault> {
    if answer["succeeded"] == true
        && let Some(vm) = answer.pointer("/resource_id/id").and_then(Value::as_str)
    {
        return Ok(Reply::Created(vm.into()));
    }
    let errors = answer.pointer("/error/errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let name = match errors.first().and_then(|error| error["category"].as_str()) {
        Some("VALIDATION" | "INPUT") => FaultName::InvalidArgument,
        _ => FaultName::SystemError,
    };
    let texts: Vec<String> = errors.iter().filter_map(|error| connection::message(&error["error"])).collect();
    let text = if texts.is_empty() { "the deploy failed without an error".to_owned() } else { texts.join("; ") };
    Err(Fault::new(name, text))
}

/// An id as a part of a URL's path: whatever isn't plain is escaped.
fn path_segment(id: &str) -> String {
    let mut out = String::new();
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b':') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deploy_that_failed_is_told_though_its_status_is_good() {
        let made = json!({"succeeded": true, "resource_id": {"type": "VirtualMachine", "id": "vm-7"}});
        assert_eq!(deployed(&made), Ok(Reply::Created("vm-7".into())));
        let error = json!({"succeeded": false, "error": {"errors": [{"category": "VALIDATION", "error": {"messages": [{"default_message": "no disk"}]}}]}});
        let fault = deployed(&error).expect_err("a fault");
        assert_eq!((fault.name, &*fault.localized_message), (FaultName::InvalidArgument, "no disk"));
        assert_eq!(deployed(&json!(null)).expect_err("a fault").name, FaultName::SystemError);
    }

    #[test]
    fn a_task_that_failed_gives_its_fault_and_one_that_made_a_vm_its_id() {
        let read = |text: &str| Element::read(text.as_bytes()).expect("a tree");
        let off = Operation::PowerOffVm { vm: "vm-3".into() };
        let (folder, config, pool) = ("group-v1".into(), Arc::default(), "resgroup-1".into());
        let create = Operation::CreateVm { folder, config, pool, host: None };
        let made = read("<info><state>success</state><result type=\"VirtualMachine\">vm-3</result></info>");
        let empty = read("<info><state>success</state></info>");
        assert_eq!(outcome(&create, &made), Ok(Reply::Created("vm-3".into())));
        assert!(outcome(&create, &empty).expect_err("which VM?").is_a("SystemError"));
        assert_eq!((outcome(&off, &made), outcome(&off, &empty)), (Ok(Reply::Done), Ok(Reply::Done)));
        let failed = read(
            "<info xmlns:x=\"i\"><state>error</state><error><fault x:type=\"FileLocked\"/><localizedMessage>l</localizedMessage></error></info>",
        );
        assert!(outcome(&off, &failed).expect_err("a fault").is_a("FileFault"));
        assert!(outcome(&off, &read("<info><state>error</state></info>")).expect_err("a fault").is_a("SystemError"));
    }

    #[test]
    fn what_is_not_translated_is_a_fault_before_anything_is_sent() {
        let spec: ConfigSpec = serde_json::from_value(json!({"flags": {}})).expect("a spec");
        let stop = started(&Operation::ReconfigVm { vm: "vm-1".into(), spec: Arc::new(spec) }).expect_err("refused");
        let failure = Failure::from(stop);
        assert!(failure.is_a("NotSupported") && failure.to_string().contains("`spec.flags`"), "{failure}");
    }

    #[test]
    fn an_id_leaves_no_way_out_of_its_place_in_a_path() {
        assert_eq!(path_segment("a8d-4/../x?y"), "a8d-4%2F..%2Fx%3Fy");
    }
}
