//! Groups whose members are placed together: what is asked of vSphere, and what becomes of its answer.

use super::*;

/// A namespace with two zones, a class, an image and a storage class; vSphere offers the second pool and a host in it.
fn furnished() -> Cluster {
    let mut cluster = Cluster::new();
    cluster.vsphere = |operation| match operation {
        Operation::PlaceVmsXCluster(request) => {
            let placements = request.vm_placement_specs.iter().map(|spec| on_host_7(spec)).collect();
            Ok(Reply::Placements(Placements { placements, faults: Vec::new() }))
        }
        Operation::MinClusterCpu { .. } => Ok(Reply::Clock(MHz(2000))),
        other => unreachable!("nobody expects {other}"),
    };
    for (zone, pool, domain) in [("zone-1", "resgroup-1", "domain-c1"), ("zone-2", "resgroup-2", "domain-c2")] {
        cluster.apply::<Zone>(
            zone,
            of_json(json!({"managedVMs": {"poolMoIDs": [pool], "clusterMoIDs": [domain], "folderMoID": "group-v1"}})),
            of_json(json!({})),
        );
    }
    let class =
        json!({"hardware": {"cpus": 2, "memory": "4Gi"}, "policies": {"resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}});
    cluster.apply::<VirtualMachineClass>("small", of_json(class), of_json(json!({})));
    let image = json!({"type": "OVF", "disks": [{"name": "disk", "limit": "10Gi"}], "conditions": [{"type": "Ready", "status": "True", "reason": "True"}]});
    cluster.apply::<VirtualMachineImage>("vmi-1", of_json(json!({})), of_json(image));
    let gold = json!({"provisioner": "csi.vsphere.vmware.com", "parameters": {"storagePolicyID": "policy-gold"}});
    cluster.apply::<StorageClass>("gold", of_json(gold), of_json(json!({})));
    cluster
}

fn on_host_7(spec: &ConfigSpec) -> Placement {
    let vm_name = spec.name.clone().expect("the VM's name");
    Placement { vm_name, pool: "resgroup-2".into(), host: Some("host-7".into()), datastores: Vec::new() }
}

fn of_json<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("well formed")
}

fn complete_vm(cluster: &mut Cluster, name: &str, group: &str) {
    let image = json!({"kind": "VirtualMachineImage", "name": "vmi-1"});
    let spec = json!({"groupName": group, "className": "small", "image": image, "storageClass": "gold", "powerState": "PoweredOff"});
    cluster.apply::<VirtualMachine>(name, of_json(spec), VirtualMachineStatus::default());
}

fn placed(cluster: &Cluster, group: &str, vm: &str) -> String {
    let entry = cluster.entry(group, vm);
    let says = Cluster::says(&entry.conditions, &ConditionType::MemberPlacementReady);
    match &entry.placement {
        Some(there) => format!("{says} {} {} {}", there.zone_id, there.pool, there.node),
        None => says,
    }
}

fn request(cluster: &Cluster, nth: usize) -> (Vec<&str>, Vec<&str>) {
    let requests = cluster.calls.iter().filter_map(|call| match call {
        Operation::PlaceVmsXCluster(request) => Some(request),
        _ => None,
    });
    let request = requests.into_iter().nth(nth).expect("a request");
    assert!(request.host_recomm_required && !request.datastore_recomm_required);
    let names = request.vm_placement_specs.iter().map(|spec| spec.name.as_deref().expect("the VM's name")).collect();
    (request.resource_pools.iter().map(PoolId::as_str).collect(), names)
}

fn placement_calls(cluster: &Cluster) -> usize {
    cluster.calls.iter().filter(|call| matches!(call, Operation::PlaceVmsXCluster(_))).count()
}

#[test]
fn a_tree_is_placed_by_its_root_in_one_request_and_not_again() {
    let mut cluster = furnished();
    for (vm, group) in [("own", "root"), ("deep", "child")] {
        complete_vm(&mut cluster, vm, group);
    }
    let child = VirtualMachineGroupSpec { group_name: "root".to_owned(), ..spec(vec![boot(vms(&["deep"]), None)], None) };
    cluster.group("child", child);
    let mut members = vms(&["own"]);
    members.extend(groups(&["child"]));
    cluster.group("root", spec(vec![boot(members, None)], None));
    cluster.run(Span::from_secs(10));
    assert_eq!(request(&cluster, 0), (vec!["resgroup-1", "resgroup-2"], vec!["deep", "own"]));
    for (group, vm) in [("root", "own"), ("child", "deep")] {
        assert_eq!(placed(&cluster, group, vm), "True zone-2 resgroup-2 host-7");
    }
    assert_eq!((cluster.ready("root").as_str(), cluster.ready("child").as_str()), ("True", "True"));
    assert_eq!(placement_calls(&cluster), 1);
    cluster.writes.clear();
    cluster.edit::<VirtualMachine>("deep", |vm| vm.set_label("looked-at", Some("yes")));
    cluster.run(Span::from_secs(10));
    assert_eq!((placement_calls(&cluster), cluster.writes.as_slice()), (1, [].as_slice()));
}

#[test]
fn the_spec_that_is_placed_has_size_reservations_and_disks() {
    let mut cluster = furnished();
    complete_vm(&mut cluster, "vm", "g");
    cluster.group("g", spec(vec![boot(vms(&["vm"]), None)], None));
    cluster.settle();
    let Some(Operation::PlaceVmsXCluster(request)) = cluster.calls.last() else { unreachable!("a placement is expected") };
    let config = &request.vm_placement_specs[0];
    assert_eq!((config.num_cpus, config.memory_mb), (Some(VCpus(2)), Some(MiB(4096))));
    let reserved =
        |allocation: &Option<Allocation>| allocation.as_ref().and_then(|allocation| Some((allocation.reservation?, allocation.limit?)));
    assert_eq!((reserved(&config.cpu_allocation), reserved(&config.memory_allocation)), (Some((1000, -1)), Some((1024, -1))));
    assert!(config.files.is_some(), "the call needs it");
    let disks: Vec<_> = config
        .device_change
        .iter()
        .filter(|change| change.device.type_ == DeviceType::VirtualDisk)
        .map(|change| (change.device.capacity_in_bytes, &*change.profile[0].profile_id))
        .collect();
    assert_eq!(disks, [(Some(MiB(1).to_bytes()), "policy-gold")], "one stands for all that the image brings");
}

#[test]
fn one_missing_member_holds_all_back() {
    let mut cluster = furnished();
    complete_vm(&mut cluster, "here", "root");
    let child = VirtualMachineGroupSpec { group_name: "root".to_owned(), ..spec(vec![boot(vms(&["gone"]), None)], None) };
    cluster.group("child", child);
    let mut members = vms(&["here"]);
    members.extend(groups(&["child"]));
    cluster.group("root", spec(vec![boot(members, None)], None));
    cluster.run(Span::from_secs(10));
    assert_eq!(placement_calls(&cluster), 0);
    assert_eq!(*cluster.verdict("root"), Verdict::failed(r#"VM "gone" is not linked for group "child""#));
    assert_eq!(placed(&cluster, "root", "here"), "absent");
    complete_vm(&mut cluster, "gone", "child");
    cluster.run(Span::from_secs(10));
    assert_eq!(placed(&cluster, "root", "here"), "True zone-2 resgroup-2 host-7");
}

#[test]
fn a_vm_without_its_class_is_not_ready_and_holds_the_others_back() {
    let mut cluster = furnished();
    complete_vm(&mut cluster, "good", "g");
    complete_vm(&mut cluster, "bad", "g");
    cluster.edit::<VirtualMachine>("bad", |vm| vm.spec_mut().class_name = "large".to_owned());
    cluster.group("g", spec(vec![boot(vms(&["good", "bad"]), None)], None));
    cluster.settle();
    let why = r#"failed to get VM placement prereqs: virtualmachineclasses.vmoperator.vmware.com "large" not found"#;
    assert_eq!(placed(&cluster, "g", "good"), "PendingPlacement");
    assert_eq!(placed(&cluster, "g", "bad"), format!("NotReady: {why}"));
    assert_eq!(*cluster.verdict("g"), Verdict::failed(format!("failed to get all VM placement ConfigSpecs: {why}")));
    assert_eq!(cluster.calls, []);
}

#[test]
fn a_refused_placement_is_told_and_tried_again() {
    let mut cluster = furnished();
    let works = cluster.vsphere;
    cluster.vsphere = |operation| match operation {
        Operation::PlaceVmsXCluster(_) => Err(Failure::Fault(Fault::new(FaultName::NoCompatibleHost, "no host is compatible"))),
        _ => Ok(Reply::Clock(MHz(2000))),
    };
    complete_vm(&mut cluster, "vm", "g");
    cluster.group("g", spec(vec![boot(vms(&["vm"]), None)], None));
    cluster.settle();
    let told = placed(&cluster, "g", "vm");
    assert!(told.starts_with("PendingPlacement: PlaceVmsXCluster failed: ") && told.contains("no host is compatible"), "{told}");
    cluster.vsphere = works;
    cluster.run(Span::from_secs(10));
    assert_eq!(placed(&cluster, "g", "vm"), "True zone-2 resgroup-2 host-7");
}

#[test]
fn a_vm_that_no_recommendation_is_for_is_an_error() {
    let mut cluster = furnished();
    cluster.vsphere = |operation| match operation {
        Operation::PlaceVmsXCluster(_) => Ok(Reply::Placements(Placements::default())),
        _ => Ok(Reply::Clock(MHz(2000))),
    };
    complete_vm(&mut cluster, "vm", "g");
    cluster.group("g", spec(vec![boot(vms(&["vm"]), None)], None));
    cluster.settle();
    assert_eq!(*cluster.verdict("g"), Verdict::failed("no placement result for VM vm in group g"));
}

#[test]
fn what_exists_or_is_placed_keeps_its_place_and_what_was_made_anew_gets_one() {
    let mut cluster = furnished();
    complete_vm(&mut cluster, "there", "g");
    cluster.edit::<VirtualMachine>("there", |vm| {
        vm.status_mut().unique_id = "vm-1".to_owned();
        vm.status_mut().zone = "zone-1".to_owned();
    });
    complete_vm(&mut cluster, "new", "g");
    cluster.group("g", spec(vec![boot(vms(&["there", "new"]), None)], None));
    cluster.settle();
    assert_eq!(placed(&cluster, "g", "there"), "AlreadyPlaced: zone-1");
    assert_eq!(request(&cluster, 0).1, ["new"]);
    cluster.delete::<VirtualMachine>("new");
    cluster.settle();
    complete_vm(&mut cluster, "new", "g");
    cluster.edit::<VirtualMachine>("new", |vm| vm.meta_mut().uid = Some("another".to_owned()));
    cluster.settle();
    assert_eq!(request(&cluster, 1).1, ["new"]);
    assert_eq!(cluster.entry("g", "new").uid, "another");
}

#[test]
fn a_common_zone_label_narrows_the_candidates_and_a_node_goes_by_itself() {
    let mut cluster = furnished();
    for vm in ["a", "b", "node"] {
        complete_vm(&mut cluster, vm, "g");
        cluster.edit::<VirtualMachine>(vm, |vm| vm.set_label(keys::ZONE, Some("zone-2")));
    }
    cluster.edit::<VirtualMachine>("node", |vm| vm.set_label("capv.vmware.com/cluster.role", Some("worker")));
    cluster.group("g", spec(vec![boot(vms(&["a", "b", "node"]), None)], None));
    cluster.settle();
    assert_eq!(request(&cluster, 0), (vec!["resgroup-2"], vec!["a", "b"]));
    assert_eq!(placed(&cluster, "g", "node"), "absent");
    assert_eq!(cluster.ready("g"), "MembersNotReady: 1 of 3 members not ready: VirtualMachine/node missing condition PlacementReady");
}

#[test]
fn without_a_zone_there_is_nothing_to_offer() {
    let mut cluster = furnished();
    let now = Time(k8s_openapi::jiff::Timestamp::UNIX_EPOCH);
    for zone in ["zone-1", "zone-2"] {
        cluster.edit::<Zone>(zone, |zone| zone.meta_mut().deletion_timestamp = Some(now.clone()));
    }
    complete_vm(&mut cluster, "vm", "g");
    cluster.group("g", spec(vec![boot(vms(&["vm"]), None)], None));
    cluster.settle();
    assert_eq!(placed(&cluster, "g", "vm"), "PendingPlacement: no placement candidates");
}
