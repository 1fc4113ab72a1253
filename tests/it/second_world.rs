//! The second world: the same engine over govmomi's simulator, through the wire. What a Supervisor's neighbours would write is
//! written by hand here, and the VM has no network.

use serde_json::{Value, json};
use vmtwin_engine::Settings;
use vmtwin_model::kube::api::{PatchKind, Request, Subresource, User};
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::{Object, ObjectKey};
use vmtwin_model::vsphere::vm::PowerState;
use vmtwin_model::vsphere::{Failure, Operation, Reply};
use vmtwin_tests::contract::Ground;
use vmtwin_tests::vcsim::{PATIENCE, POLICY, Simulator, ground, runtime};
use vmtwin_vcenter::soap::Call;
use vmtwin_vcenter::{Connection, Driver, Endpoint, execute, policies};

const NAMESPACE: &str = "shop";

async fn connect(simulator: &Simulator) -> Connection {
    Connection::open(simulator.endpoint()).await.expect("a connection")
}

#[test]
fn who_is_not_let_in_or_not_trusted_is_told_why() {
    let Some(simulator) = Simulator::start() else { return };
    runtime().block_on(async {
        let refused = |endpoint: Endpoint| async { Connection::open(endpoint).await.expect_err("refused").to_string() };
        let wrong = Endpoint { password: String::new(), ..simulator.endpoint() };
        assert!(refused(wrong).await.starts_with("InvalidLogin"), "a wrong password");
        let untrusted = refused(Endpoint { authorities: None, ..simulator.endpoint() }).await;
        assert!(untrusted.contains("certificate"), "{untrusted}");
        let empty = refused(Endpoint { authorities: Some(b"no certificate".to_vec()), ..simulator.endpoint() }).await;
        assert!(empty.contains("certificate"), "{empty}");
        let plain = simulator.endpoint().address.replace("https", "http");
        let spoken = refused(Endpoint { address: plain, ..simulator.endpoint() }).await;
        assert!(spoken.contains("HTTP status 400"), "{spoken}");
    });
}

#[test]
fn a_session_that_ended_is_opened_again_and_the_call_repeated() {
    let Some(simulator) = Simulator::start() else { return };
    runtime().block_on(async {
        let connection = connect(&simulator).await;
        assert_eq!(connection.generation().await, 1);
        let manager = connection.content().manager("sessionManager").expect("a manager");
        connection.call(&Call::vim(&manager, "Logout", Vec::new()), "").await.expect("the session ends behind the client's back");
        let ground = ground(&connection, simulator.item()).await;
        assert_eq!(connection.generation().await, 2, "one login for all that failed");
        assert!(!ground.datastore.is_empty());
        simulator.fail("FindAllByUuid", "NotAuthenticated", 2);
        let find = Operation::FindAllByUuid { uuid: "5a000000-0000-4000-8000-000000000000".into() };
        let answer = execute::execute(&connection, &find, "").await;
        assert!(answer.result.is_err_and(|failure| failure.is_a("NotAuthenticated")), "it is repeated once, and no more");
        assert_eq!(execute::execute(&connection, &find, "").await.result, Ok(Reply::Found(Vec::new())));
        connection.close().await.expect("the session ends");
    });
}

#[test]
fn a_server_that_is_gone_is_a_lost_connection_and_not_a_fault() {
    let Some(mut simulator) = Simulator::start() else { return };
    runtime().block_on(async {
        let connection = connect(&simulator).await;
        let ground = ground(&connection, simulator.item()).await;
        simulator.kill();
        let operations = [
            Operation::FindAllByUuid { uuid: "5a000000-0000-4000-8000-000000000000".into() },
            Operation::PowerOnVm { vm: "vm-1".into(), host: None },
            Operation::MinClusterCpu { cluster: ground.cluster },
        ];
        for operation in operations {
            let answer = execute::execute(&connection, &operation, "").await;
            assert!(matches!(answer.result, Err(Failure::Lost(_))), "{operation}: {:?}", answer.result);
        }
    });
}

#[test]
fn the_storage_policy_service_tells_the_facts_of_a_policy() {
    let Some(simulator) = Simulator::start() else { return };
    runtime().block_on(async {
        let connection = connect(&simulator).await;
        let found = policies::all(&connection).await.expect("policies");
        let named = |name: &str| found.iter().find(|policy| policy.name == name).unwrap_or_else(|| panic!("{name} among {found:?}"));
        assert!(policies::encrypts(&connection, &named("VM Encryption Policy").id).await.expect("its filters"));
        assert_eq!(named("vSAN Default Storage Policy").id, POLICY);
        // The simulator knows the filters of the one that encrypts alone.
        let unknown = policies::encrypts(&connection, POLICY).await.expect_err("no filters");
        assert!(unknown.fault().is_some(), "{unknown}");
        let inventory = vmtwin_vcenter::inventory::Inventory::read(&connection).await.expect("the inventory");
        let datastores: Vec<_> = inventory.of_kind("Datastore").map(|entry| entry.object.id.as_str().into()).collect();
        assert_eq!(datastores.len(), 2);
        assert_eq!(policies::compatible(&connection, POLICY, &datastores).await.expect("hubs").len(), 2);
    });
}

/// What a Supervisor has around a VM, with the ids of this vCenter.
fn supervisor(ground: &Ground) -> Vec<Value> {
    let place = json!({"clusterMoIDs": [ground.cluster], "poolMoIDs": [ground.pool], "folderMoID": ground.folder});
    let ready = json!([{"type": "Ready", "status": "True", "reason": "True", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "vmware-system-vmop"}}),
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "gold"},
            "provisioner": "csi.vsphere.vmware.com", "parameters": {"storagePolicyID": ground.policy}}),
        json!({"apiVersion": "infra.vmware.com/v1alpha1", "kind": "StoragePolicy",
            "metadata": {"name": "pol-aa6d5a82-85d33d74b91a5bad", "namespace": "vmware-system-vmop"},
            "spec": {"id": ground.policy}, "status": {"encrypted": false, "storageClasses": ["gold"]}}),
        json!({"apiVersion": "cns.vmware.com/v1alpha2", "kind": "StoragePolicyQuota",
            "metadata": {"name": "gold-storagepolicyquota", "namespace": NAMESPACE}, "spec": {"storagePolicyId": ground.policy}}),
        json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "shop-storagequota", "namespace": NAMESPACE},
            "spec": {"hard": {"gold.storageclass.storage.k8s.io/requests.storage": "9223372036854775807"}}}),
        json!({"apiVersion": "topology.tanzu.vmware.com/v1alpha1", "kind": "AvailabilityZone", "metadata": {"name": "zone-a"},
            "spec": {"clusterComputeResourceMoIDs": [ground.cluster],
                "namespaces": {NAMESPACE: {"poolMoIDs": [ground.pool], "folderMoId": ground.folder}}}}),
        json!({"apiVersion": "topology.tanzu.vmware.com/v1alpha1", "kind": "Zone", "metadata": {"name": "zone-a", "namespace": NAMESPACE},
            "spec": {"availabilityZoneReference": {"apiVersion": "topology.tanzu.vmware.com/v1alpha1", "name": "zone-a"},
                "managedVMs": place, "namespace": place}}),
        json!({"apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachineClass", "metadata": {"name": "small", "namespace": NAMESPACE},
            "spec": {"hardware": {"cpus": 1, "memory": "128Mi"}, "policies": {"resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}}}),
        json!({"apiVersion": "imageregistry.vmware.com/v1alpha1", "kind": "ClusterContentLibraryItem", "metadata": {"name": "clitem-1"},
            "spec": {"uuid": ground.item}, "status": {"name": "small", "type": "OVF", "cached": true, "conditions": ready}}),
        json!({"apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "ClusterVirtualMachineImage", "metadata": {"name": "vmi-1"},
            "spec": {"providerRef": {"apiVersion": "imageregistry.vmware.com/v1alpha1", "kind": "ClusterContentLibraryItem", "name": "clitem-1"}},
            "status": {"name": "small", "type": "OVF", "providerItemID": ground.item, "providerContentVersion": "1", "conditions": ready}}),
    ]
}

fn web() -> ObjectKey {
    ObjectKey::of::<VirtualMachine>(NAMESPACE, "web")
}

fn manifest() -> Value {
    json!({"apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachine", "metadata": {"name": "web", "namespace": NAMESPACE},
        "spec": {"className": "small", "imageName": "vmi-1", "storageClass": "gold", "powerState": "PoweredOn", "powerOffMode": "Hard",
            "network": {"disabled": true}}})
}

/// Lets the operator work until the object is so, and tells what there was if it never is.
async fn until(driver: &mut Driver, what: &str, holds: impl Fn(Option<&Object>) -> bool) {
    let work = async {
        while !holds(driver.api().get(&web()).map(|object| &**object)) {
            driver.turn().await;
        }
    };
    if tokio::time::timeout(PATIENCE, work).await.is_err() {
        let object = driver.api().get(&web()).map(|object| object.to_value());
        panic!("{what} never came: {}\n{:#?}", object.unwrap_or_default(), driver.notices());
    }
}

fn status(object: Option<&Object>, path: &str) -> Value {
    object.and_then(|object| object.to_value().pointer(&format!("/status{path}")).cloned()).unwrap_or_default()
}

#[test]
fn the_engine_leads_a_vm_through_its_life_on_a_vcenter() {
    let Some(simulator) = Simulator::start() else { return };
    runtime().block_on(async {
        let connection = connect(&simulator).await;
        let ground = ground(&connection, simulator.item()).await;
        let mut driver = Driver::new(connection.clone(), Settings::default(), 1, &supervisor(&ground)).expect("the objects");
        let user = User::named("kubernetes-admin");
        driver.request(&user, Request::Create { manifest: manifest() }).expect("the VM is admitted");

        until(&mut driver, "power on", |vm| status(vm, "/powerState") == "PoweredOn").await;
        let object = driver.api().get(&web()).expect("the object").to_value();
        let id = object["status"]["uniqueID"].as_str().expect("a VM").to_owned();
        let uuid = object["spec"]["instanceUUID"].as_str().expect("admission gave it").to_owned();
        let find = Operation::FindAllByUuid { uuid: uuid.into() };
        assert_eq!(execute::execute(&connection, &find, "").await.result, Ok(Reply::Found(vec![id.as_str().into()])));
        let Ok(Reply::Vm(vm)) = execute::execute(&connection, &Operation::RetrieveVm { vm: id.as_str().into() }, "").await.result else {
            panic!("the VM is there")
        };
        assert_eq!((vm.runtime.power_state, vm.extra_config("vmservice.namespacedName")), (PowerState::PoweredOn, Some("shop/web")));
        assert_eq!(vm.config.as_ref().map(|config| config.hardware.memory_mb.0), Some(128), "as its class says");

        // A fault of vCenter in the middle: the operator is told, and tries again.
        simulator.fail("PowerOffVM_Task", "HostCommunication", 1);
        let off = Request::Patch {
            key: web(),
            kind: PatchKind::Merge,
            patch: json!({"spec": {"powerState": "PoweredOff"}}),
            part: Subresource::Main,
        };
        driver.request(&user, off).expect("it may be switched off");
        until(&mut driver, "power off", |vm| status(vm, "/powerState") == "PoweredOff").await;
        let told = driver.notices().iter().any(|notice| notice.warning && notice.message.contains("on purpose"));
        assert!(told, "the fault was told: {:#?}", driver.notices());

        // Behind the operator's back: it hears of it by the watch, and brings the VM to what is wanted.
        let on = Operation::PowerOnVm { vm: id.as_str().into(), host: None };
        assert_eq!(execute::execute(&connection, &on, "").await.result, Ok(Reply::Done));
        let passes = driver.work().passes;
        until(&mut driver, "power off again", |_| true).await;
        let settled = async {
            loop {
                driver.turn().await;
                let read = execute::execute(&connection, &Operation::RetrieveVm { vm: id.as_str().into() }, "").await.result;
                if driver.work().passes > passes && matches!(read, Ok(Reply::Vm(vm)) if vm.runtime.power_state == PowerState::PoweredOff) {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, settled).await.expect("the operator hears of it and acts");

        driver.request(&user, Request::Delete { key: web() }).expect("it may be deleted");
        until(&mut driver, "the end", |vm| vm.is_none()).await;
        assert_eq!(execute::execute(&connection, &find, "").await.result, Ok(Reply::Found(Vec::new())), "nothing is left");
    });
}
