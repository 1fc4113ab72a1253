//! The quota's verdicts, on a namespace with two storage classes, an image of one disk, and a VM.

use std::sync::Arc;

use serde_json::{Value, json};
use vmtwin_model::kube::api::{Review, ReviewVerb, User};
use vmtwin_model::kube::{Kind, Layout, Object, ObjectKey};
use vmtwin_model::units::Bytes;

use super::{Granted, Objects, RequestedCapacity, asked, judge};
use crate::cache::Cache;
use crate::features::{Feature, Features};

const GOLD: &str = "00000000-0000-4000-8000-000000000001";
const SILVER: &str = "00000000-0000-4000-8000-000000000002";

fn decode(object: &Value) -> Object {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kind = Kind::find(&text(&object["apiVersion"]), &text(&object["kind"])).expect("the kind is served");
    let meta = &object["metadata"];
    let body = match kind.info().layout {
        Layout::SpecStatus => object["spec"].clone(),
        Layout::Whole => object.clone(),
    };
    Object {
        key: ObjectKey::new(kind, text(&meta["namespace"]), text(&meta["name"])),
        meta: Arc::new(serde_json::from_value(meta.clone()).expect("metadata is well formed")),
        spec: (kind.info().decode_spec)(body).expect("the spec is well formed"),
        status: (kind.info().decode_status)(object["status"].clone()).expect("the status is well formed"),
        resource_version: 0,
        generation: 0,
    }
}

fn add(cache: &mut Cache, object: &Value) {
    let object = decode(object);
    cache.apply(&object.key.clone(), Some(Arc::new(object)));
}

fn quota(name: &str, policy: &str, limit: &str, used: &str) -> Value {
    json!({
        "apiVersion": "cns.vmware.com/v1alpha2", "kind": "StoragePolicyQuota", "metadata": {"name": name, "namespace": "ns"},
        "spec": {"storagePolicyId": policy, "limit": limit},
        "status": {"total": [{"storageClassName": name, "scQuotaUsage": {"used": used, "reserved": "0"}}]}
    })
}

fn usage(kind: &str, used: &str, reserved: &str) -> Value {
    json!({
        "apiVersion": "cns.vmware.com/v1alpha2", "kind": "StoragePolicyUsage", "metadata": {"name": kind, "namespace": "ns"},
        "spec": {"storagePolicyId": GOLD, "storageClassName": "gold", "resourceKind": kind, "resourceExtensionName": "x"},
        "status": {"quotaUsage": {"used": used, "reserved": reserved}}
    })
}

fn image(status: Value) -> Value {
    json!({
        "apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachineImage", "metadata": {"name": "vmi-1", "namespace": "ns"},
        "spec": {}, "status": status
    })
}

fn vm(name: &str, spec: &Value, status: Value) -> Value {
    let mut whole = json!({
        "className": "small", "storageClass": "gold", "imageName": "vmi-1", "image": {"kind": "VirtualMachineImage", "name": "vmi-1"}
    });
    for (field, value) in spec.as_object().expect("a mapping") {
        whole[field] = value.clone();
    }
    json!({
        "apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachine",
        "metadata": {"name": name, "namespace": "ns", "uid": name}, "spec": whole, "status": status
    })
}

fn world() -> Cache {
    let mut cache = Cache::default();
    for (class, policy) in [("gold", GOLD), ("silver", SILVER)] {
        let parameters = json!({"storagePolicyID": policy});
        add(
            &mut cache,
            &json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": class}, "provisioner": "p", "parameters": parameters}),
        );
    }
    add(&mut cache, &image(json!({"disks": [{"name": "a", "limit": "10Gi", "requested": "2Gi"}]})));
    cache
}

fn features() -> Features {
    let mut features = Features::default();
    features.set(Feature::VMSnapshots, true);
    features
}

fn review(old: Option<&Value>, new: &Value) -> (Review, Object) {
    let object = decode(new);
    let verb = if old.is_some() { ReviewVerb::Update } else { ReviewVerb::Create };
    let old = old.map(|old| Arc::new(decode(old)));
    let review = Review { user: User::named("someone"), verb, key: object.key.clone(), old, new: Some(object.clone()) };
    (review, object)
}

fn ask(cache: &Cache, old: Option<&Value>, new: &Value) -> Result<Vec<(String, String)>, (u16, String)> {
    let (review, object) = review(old, new);
    let asked = asked(&features(), cache, &review, &object).map_err(|error| (error.code, error.message))?;
    Ok(asked.into_iter().map(|asked| (asked.storage_class, asked.capacity.to_string())).collect())
}

fn needs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(class, capacity)| ((*class).to_owned(), (*capacity).to_owned())).collect()
}

#[test]
fn a_new_vm_needs_what_its_disks_may_grow_to() {
    let mut cache = world();
    let new = vm("one", &json!({}), json!({}));
    assert_eq!(ask(&cache, None, &new), Ok(needs(&[("gold", "10Gi")])));
    add(&mut cache, &image(json!({"disks": [{"name": "a", "limit": "10Gi"}, {"name": "b", "limit": "20Gi"}, {"name": "c"}]})));
    assert_eq!(ask(&cache, None, &new), Ok(needs(&[("gold", "30Gi")])));
    add(&mut cache, &image(json!({"type": "ISO", "disks": [{"name": "a", "limit": "10Gi"}]})));
    assert_eq!(ask(&cache, None, &new), Ok(needs(&[])));
}

#[test]
fn a_class_with_a_reservation_needs_room_for_swapping_the_rest() {
    for (config, total) in [
        (json!({"memoryMB": 4096, "memoryAllocation": {"reservation": 2048}}), "12Gi"),
        (json!({"memoryMB": 4096, "memoryAllocation": {"reservation": 4096}}), "10Gi"),
        (json!({"memoryAllocation": {"reservation": 4096}}), "10Gi"),
        (json!({"memoryMB": 4096}), "10Gi"),
        (json!({"memoryMB": "much", "memoryAllocation": 7}), "10Gi"),
    ] {
        let mut cache = world();
        add(
            &mut cache,
            &json!({
                "apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachineClass", "metadata": {"name": "small", "namespace": "ns"},
                "spec": {"configSpec": config}
            }),
        );
        assert_eq!(ask(&cache, None, &vm("one", &json!({}), json!({}))), Ok(needs(&[("gold", total)])));
    }
}

#[test]
fn what_cannot_be_counted_is_refused() {
    let mut cache = world();
    let not_found = |text: &str| Err((404, text.to_owned()));
    let of = |cache: &Cache, spec: Value| ask(cache, None, &vm("one", &spec, json!({})));
    assert_eq!(of(&cache, json!({"storageClass": ""})), not_found("storageclasses.storage.k8s.io \"\" not found"));
    let image_of = |kind: &str| json!({"image": {"kind": kind, "name": "vmi-2"}});
    let text = "virtualmachineimages.vmoperator.vmware.com \"vmi-2\" not found";
    assert_eq!(of(&cache, image_of("VirtualMachineImage")), not_found(text));
    let text = "clustervirtualmachineimages.vmoperator.vmware.com \"vmi-2\" not found";
    assert_eq!(of(&cache, image_of("ClusterVirtualMachineImage")), not_found(text));
    assert_eq!(of(&cache, image_of("INVALID")), Err((400, "unsupported image kind INVALID".to_owned())));
    add(&mut cache, &image(json!({})));
    assert_eq!(of(&cache, json!({})), not_found("no disks found in image \"vmi-1\" status.disks"));
    add(
        &mut cache,
        &image(
            json!({"conditions": [{"type": "Ready", "status": "True", "reason": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}),
        ),
    );
    assert_eq!(of(&cache, json!({})), Ok(needs(&[])));
}

#[test]
fn a_larger_boot_disk_needs_the_difference() {
    let boot = |size: &str| json!({"advanced": {"bootDiskCapacity": size}});
    let classic = json!({"volumes": [{"name": "a", "type": "Managed", "limit": "7Gi"}, {"name": "b", "type": "Classic", "limit": "10Gi"}]});
    for (old, status, new, expected) in [
        (boot("10Gi"), json!({}), boot("20Gi"), needs(&[("gold", "10Gi")])),
        (boot("20Gi"), json!({}), boot("10Gi"), needs(&[])),
        (boot("10Gi"), json!({}), boot("10240Mi"), needs(&[])),
        (boot("10Gi"), json!({}), json!({}), needs(&[])),
        (json!({}), classic, boot("20Gi"), needs(&[("gold", "10Gi")])),
        (json!({}), json!({}), boot("20Gi"), needs(&[("gold", "20Gi")])),
    ] {
        assert_eq!(ask(&world(), Some(&vm("one", &old, status)), &vm("one", &new, json!({}))), Ok(expected));
    }
}

#[test]
fn a_snapshot_needs_memory_and_disks_by_class() {
    let mut cache = world();
    let volumes = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "claim"}}, {"name": "fast", "persistentVolumeClaim": {
        "claimName": "instance", "instanceVolumeClaim": {"size": "3Gi", "storageClass": "silver"}
    }}]);
    let status = json!({
        "hardware": {"memory": {"total": "4Gi"}},
        "volumes": [
            {"name": "a", "type": "Classic", "requested": "10Gi"}, {"name": "data", "type": "Managed"}, {"name": "fast", "type": "Managed"},
            {"name": "unknown", "type": "Managed"}
        ]
    });
    let snapshot = |spec: Value| {
        json!({
            "apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachineSnapshot", "metadata": {"name": "s", "namespace": "ns"}, "spec": spec
        })
    };
    let failed = |why: &str| Err((500, format!("unable to calculate reserved capacity for snapshot \"s\": {why}")));
    assert_eq!(ask(&cache, None, &snapshot(json!({}))), failed("vmName is not set"));
    let missing = "failed to get VM one: virtualmachines.vmoperator.vmware.com \"one\" not found";
    assert_eq!(ask(&cache, None, &snapshot(json!({"vmName": "one"}))), failed(missing));
    add(&mut cache, &vm("one", &json!({"volumes": volumes}), status));
    let missing = "failed to get pvc claim for volume data: persistentvolumeclaims \"claim\" not found";
    assert_eq!(ask(&cache, None, &snapshot(json!({"vmName": "one"}))), failed(missing));
    let claim = |spec: Value| json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "claim", "namespace": "ns"}, "spec": spec});
    add(&mut cache, &claim(json!({})));
    assert_eq!(ask(&cache, None, &snapshot(json!({"vmName": "one"}))), failed("storage class is not set for pvc claim"));
    add(&mut cache, &claim(json!({"storageClassName": "silver"})));
    assert_eq!(ask(&cache, None, &snapshot(json!({"vmName": "one"}))), failed("requests is not set for pvc claim"));
    add(&mut cache, &claim(json!({"storageClassName": "silver", "resources": {"requests": {"storage": "5Gi"}}})));
    assert_eq!(ask(&cache, None, &snapshot(json!({"vmName": "one"}))), Ok(needs(&[("gold", "10Gi"), ("silver", "8Gi")])));
    assert_eq!(ask(&cache, None, &snapshot(json!({"vmName": "one", "memory": true}))), Ok(needs(&[("gold", "14Gi"), ("silver", "8Gi")])));
}

fn gold(gib: i64) -> Vec<RequestedCapacity> {
    vec![RequestedCapacity { storage_class: "gold".to_owned(), policy: GOLD.to_owned(), capacity: Bytes::from_gib(gib) }]
}

fn verdict(cache: &Cache, granted: &Granted, gib: i64) -> Result<(), String> {
    judge(cache, granted, "ns", &gold(gib)).map_err(|error| {
        assert_eq!(error.code, 403);
        error.message
    })
}

fn insufficient(requested: &str, available: &str) -> Result<(), String> {
    Err(format!("insufficient quota for storage class \"gold\": requested {requested}, available {available}"))
}

#[test]
fn the_last_byte_may_be_taken_and_no_more() {
    let mut cache = world();
    let nothing = Granted::default();
    assert_eq!(verdict(&cache, &nothing, 1000), Ok(()), "no quota, no limit");
    add(&mut cache, &quota("gold", GOLD, "500Gi", "450Gi"));
    assert_eq!(verdict(&cache, &nothing, 50), Ok(()));
    assert_eq!(verdict(&cache, &nothing, 100), insufficient("100Gi", "50Gi"));
}

#[test]
fn what_was_granted_counts_until_the_object_goes() {
    let mut cache = world();
    add(&mut cache, &quota("gold", GOLD, "500Gi", "450Gi"));
    let one = vm("one", &json!({}), json!({}));
    let mut granted = Granted::default();
    granted.note(&decode(&one), true, gold(30));
    assert_eq!(verdict(&cache, &granted, 50), Ok(()), "the object was never stored");
    add(&mut cache, &one);
    assert_eq!(verdict(&cache, &granted, 21), insufficient("21Gi", "20Gi"));
    let mut going = one.clone();
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    add(&mut cache, &going);
    assert_eq!(verdict(&cache, &granted, 50), Ok(()));
}

#[test]
fn a_report_that_is_behind_gives_nothing_away() {
    let mut cache = world();
    add(&mut cache, &quota("gold", GOLD, "100Gi", "0"));
    add(&mut cache, &usage("VirtualMachine", "0", "0"));
    add(&mut cache, &usage("PersistentVolumeClaim", "40Gi", "10Gi"));
    assert_eq!(verdict(&cache, &Granted::default(), 51), insufficient("51Gi", "50Gi"));
    let one = vm("one", &json!({}), json!({}));
    add(&mut cache, &one);
    assert_eq!(verdict(&cache, &Granted::default(), 41), insufficient("41Gi", "40Gi"), "its image's disk");
    let mut granted = Granted::default();
    granted.note(&decode(&one), true, gold(12));
    assert_eq!(verdict(&cache, &granted, 41), insufficient("41Gi", "38Gi"), "what it was granted");
    let conditions =
        json!([{"type": "VirtualMachineCreated", "status": "True", "reason": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
    let created = vm("one", &json!({}), json!({"conditions": conditions, "storage": {"total": "11Gi"}}));
    add(&mut cache, &created);
    assert_eq!(verdict(&cache, &granted, 41), insufficient("41Gi", "39Gi"), "what it takes");
    granted.note(&decode(&created), false, gold(5));
    assert_eq!(verdict(&cache, &granted, 41), insufficient("41Gi", "34Gi"), "its boot disk grows");
    add(&mut cache, &usage("VirtualMachine", "16Gi", "0"));
    assert_eq!(verdict(&cache, &granted, 41), insufficient("41Gi", "34Gi"), "the report has it");
}

#[test]
fn the_namespace_as_a_whole_may_be_limited() {
    let mut cache = world();
    add(&mut cache, &quota("gold", GOLD, "500Gi", "10Gi"));
    add(&mut cache, &quota("silver", SILVER, "500Gi", "20Gi"));
    let limits = json!({"limit": "100Gi"});
    add(
        &mut cache,
        &json!({"apiVersion": "cns.vmware.com/v1alpha2", "kind": "StorageQuota", "metadata": {"name": "q", "namespace": "ns"}, "spec": limits}),
    );
    assert_eq!(verdict(&cache, &Granted::default(), 71), insufficient("71Gi", "70Gi"));
    let mut levels = json!({"limit": "100Gi"});
    levels["storagePolicyLevelLimits"][GOLD] = "30Gi".into();
    add(
        &mut cache,
        &json!({"apiVersion": "cns.vmware.com/v1alpha2", "kind": "StorageQuota", "metadata": {"name": "q", "namespace": "ns"}, "spec": levels}),
    );
    assert_eq!(verdict(&cache, &Granted::default(), 21), insufficient("21Gi", "20Gi"));
}

#[test]
fn needs_of_one_policy_are_counted_together() {
    let mut cache = world();
    add(&mut cache, &quota("gold", GOLD, "10Gi", "0"));
    let both: Vec<RequestedCapacity> = gold(6).into_iter().chain(gold(5)).collect();
    assert!(judge(&cache, &Granted::default(), "ns", &both).is_err());
    assert!(Objects::get(&cache, &ObjectKey::new(Kind::FOREIGN, "ns", "x")).is_none());
}
