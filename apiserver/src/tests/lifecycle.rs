//! How objects come, change and go.

use serde_json::json;
use vmtwin_model::kube::api::{ErrorReason, PatchKind, Request, Subresource};
use vmtwin_model::kube::{Kind, ObjectKey};

use super::{Bench, line, lines, map, map_key, owned_by, vm, vm_key, with};
use crate::collect::NAMESPACE;

#[test]
fn a_new_object_gets_its_identity_and_its_defaults() {
    let mut bench = Bench::new();
    let object = bench.create(with(vm("a"), &[("/status", json!({"powerState": "PoweredOff"}))])).expect("a good VM");
    assert_eq!((object.resource_version, object.generation), (2, 1));
    assert_eq!(object.uid().len(), 36);
    let value = object.to_value();
    assert_eq!(value["metadata"]["creationTimestamp"], "2026-01-01T00:00:00Z");
    assert_eq!(value["spec"]["powerOffMode"], "TrySoft");
    assert_eq!(value.get("status"), None, "a main request doesn't write the status");
}

#[test]
fn a_uid_hangs_on_kind_name_and_how_many_th_creation_alone() {
    let (mut one, mut other) = (Bench::new(), Bench::new());
    other.create(map("z")).expect("a good map");
    let first = one.create(map("a")).expect("a good map");
    assert_eq!(first.uid(), other.create(map("a")).expect("a good map").uid());
    one.delete(&map_key("a")).result.expect("it is there");
    assert_ne!(first.uid(), one.create(map("a")).expect("it is free again").uid());
}

#[test]
fn refusals_are_spelled_as_kubectl_prints_them() {
    let mut bench = Bench::new();
    bench.create(vm("a")).expect("a good VM");
    let texts = [
        (bench.create(vm("a")), 409, r#"virtualmachines.vmoperator.vmware.com "a" already exists"#),
        (bench.delete(&vm_key("b")).result, 404, r#"virtualmachines.vmoperator.vmware.com "b" not found"#),
        (bench.delete(&map_key("b")).result, 404, r#"configmaps "b" not found"#),
        (bench.create(with(vm("c"), &[("/metadata/namespace", json!("x"))])), 404, r#"namespaces "x" not found"#),
        (
            bench.create(with(vm("c"), &[("/apiVersion", json!("x.y/v1"))])),
            404,
            r#"no matches for kind "VirtualMachine" in version "x.y/v1""#,
        ),
        (
            bench.merge(&vm_key("a"), json!({"metadata": {"resourceVersion": "1"}, "spec": {"className": "big"}})).result,
            409,
            "Operation cannot be fulfilled on virtualmachines.vmoperator.vmware.com \"a\": the object has been modified; please apply your \
             changes to the latest version and try again",
        ),
    ];
    for (result, code, text) in texts {
        let error = result.expect_err(text);
        assert_eq!((error.code, error.message.as_str()), (code, text));
    }
}

#[test]
fn a_generation_counts_changes_of_the_spec_and_the_request_for_deletion() {
    let mut bench = Bench::new();
    let key = vm_key("a");
    bench.create(with(vm("a"), &[("/metadata/finalizers", json!(["x.y/z"]))])).expect("a good VM");
    bench.merge(&key, json!({"metadata": {"labels": {"a": "b"}}})).result.expect("labels");
    assert_eq!(bench.get(&key).generation, 1);
    bench.merge(&key, json!({"spec": {"className": "big"}})).result.expect("a class");
    assert_eq!(bench.get(&key).generation, 2);
    bench.merge_status(&key, json!({"status": {"powerState": "PoweredOn"}})).result.expect("a status");
    assert_eq!(bench.get(&key).generation, 2);
    bench.delete(&key).result.expect("it is there");
    assert_eq!(bench.get(&key).generation, 3);
    assert!(bench.get(&key).is_deleting());
}

#[test]
fn a_request_that_changes_nothing_leaves_no_trace() {
    let mut bench = Bench::new();
    let before = bench.create(vm("a")).expect("a good VM");
    let response =
        bench.merge(&vm_key("a"), json!({"spec": {"powerState": "PoweredOn"}, "metadata": {"generation": 9, "uid": before.uid()}}));
    assert!(response.changes.is_empty());
    assert_eq!(response.result.expect("nothing is wrong").resource_version, before.resource_version);
}

#[test]
fn main_and_status_requests_write_their_own_part_alone() {
    let mut bench = Bench::new();
    let key = vm_key("a");
    bench.create(vm("a")).expect("a good VM");
    let both = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"className": "big"}, "status": {"powerState": "PoweredOff"}});
    bench.merge(&key, both.clone()).result.expect("a good patch");
    let value = bench.get(&key).to_value();
    assert_eq!((&value["spec"]["className"], value.get("status")), (&json!("big"), None));
    let status = json!({"metadata": {"labels": {"a": "c"}}, "spec": {"className": "huge"}, "status": {"powerState": "PoweredOff"}});
    bench.merge_status(&key, status).result.expect("a good patch");
    let value = bench.get(&key).to_value();
    assert_eq!((&value["spec"]["className"], &value["status"]["powerState"]), (&json!("big"), &json!("PoweredOff")));
    assert_eq!(value["metadata"]["labels"], json!({"a": "b"}));
    bench.create(map("m")).expect("a good map");
    let error = bench.merge_status(&map_key("m"), json!({"data": {"a": "2"}})).result.expect_err("a map has no status");
    assert_eq!(error.message, "the server could not find the requested resource");
}

#[test]
fn an_object_goes_with_its_last_finalizer() {
    let mut bench = Bench::new();
    let key = vm_key("a");
    bench.create(with(vm("a"), &[("/metadata/finalizers", json!(["x.y/1", "x.y/2"]))])).expect("a good VM");
    assert_eq!(lines(&bench.delete(&key)), ["dying VirtualMachine/ns/a"]);
    assert_eq!(lines(&bench.delete(&key)), [""; 0], "asked for already");
    assert_eq!(lines(&bench.merge(&key, json!({"metadata": {"finalizers": ["x.y/2"]}}))), ["changed VirtualMachine/ns/a"]);
    let late = bench.merge(&key, json!({"metadata": {"finalizers": ["x.y/2", "x.y/3"]}})).result.expect_err("too late");
    assert_eq!(
        late.message,
        "VirtualMachine.vmoperator.vmware.com \"a\" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the \
         object is being deleted, found new finalizers []string{\"x.y/3\"}"
    );
    assert_eq!(lines(&bench.merge(&key, json!({"metadata": {"finalizers": null}}))), ["gone VirtualMachine/ns/a"]);
    assert!(bench.api.get(&key).is_none());
}

#[test]
fn a_dependent_goes_with_its_last_owner() {
    let mut bench = Bench::new();
    let (a, b) = (bench.create(map("a")).expect("a good map"), bench.create(map("b")).expect("a good map"));
    let child = bench.create(owned_by(map("child"), &[&a, &b])).expect("a good map");
    bench.create(owned_by(map("grandchild"), &[&child])).expect("a good map");
    bench.create(owned_by(with(map("held"), &[("/metadata/finalizers", json!(["x.y/z"]))]), &[&b])).expect("a good map");
    assert_eq!(lines(&bench.delete(&map_key("a"))), ["gone ConfigMap/ns/a"]);
    assert_eq!(
        lines(&bench.delete(&map_key("b"))),
        ["gone ConfigMap/ns/b", "gone ConfigMap/ns/child", "dying ConfigMap/ns/held", "gone ConfigMap/ns/grandchild"]
    );
}

#[test]
fn an_object_whose_owner_is_missing_is_collected_at_once() {
    let mut bench = Bench::new();
    let owner = bench.create(map("a")).expect("a good map");
    bench.delete(&map_key("a")).result.expect("it is there");
    let response = bench.send(Request::Create { manifest: owned_by(map("b"), &[&owner]) });
    assert_eq!(lines(&response), ["created ConfigMap/ns/b", "gone ConfigMap/ns/b"]);
    assert!(response.result.is_ok());
}

#[test]
fn a_namespace_goes_with_its_content_and_waits_for_what_is_held() {
    let mut bench = Bench::new();
    let namespace = ObjectKey::new(NAMESPACE, "", "ns");
    bench.create(map("a")).expect("a good map");
    bench.create(with(vm("b"), &[("/metadata/finalizers", json!(["x.y/z"]))])).expect("a good VM");
    assert_eq!(lines(&bench.delete(&namespace)), ["dying Namespace/ns", "gone ConfigMap/ns/a", "dying VirtualMachine/ns/b"]);
    assert_eq!(bench.get(&namespace).to_value()["status"]["phase"], "Terminating");
    let error = bench.create(map("c")).expect_err("the namespace is going");
    assert_eq!(error.message, "configmaps \"c\" is forbidden: unable to create new content in namespace ns because it is being terminated");
    let response = bench.merge(&vm_key("b"), json!({"metadata": {"finalizers": []}}));
    assert_eq!(lines(&response), ["gone VirtualMachine/ns/b", "gone Namespace/ns"]);
    bench.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}})).expect("it is free again");
    assert_eq!(lines(&bench.delete(&namespace)), ["gone Namespace/ns"]);
}

#[test]
fn a_name_is_generated_from_its_prefix() {
    let mut bench = Bench::new();
    let manifest = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "a-", "namespace": "ns"}});
    let names: Vec<String> = (0..3).map(|_| bench.create(manifest.clone()).expect("a good map").key.name.to_string()).collect();
    assert!(names.iter().all(|name| name.starts_with("a-") && name.len() == 7), "{names:?}");
    assert!(names[0] != names[1] && names[1] != names[2]);
    let nameless = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "ns"}});
    let error = bench.create(nameless).expect_err("no name");
    assert_eq!(error.message, "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required");
}

#[test]
fn what_a_secret_is_given_as_text_is_kept_as_data() {
    let mut bench = Bench::new();
    let manifest = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "ns"},
        "data": {"a": "eA==", "b": "eA=="}, "stringData": {"b": "y"},
    });
    let value = bench.create(manifest).expect("a good secret").to_value();
    assert_eq!((&value["data"], &value["type"]), (&json!({"a": "eA==", "b": "eQ=="}), &json!("Opaque")));
    assert_eq!(value.get("stringData"), None);
}

#[test]
fn an_object_is_replaced_whole() {
    let mut bench = Bench::new();
    bench.create(with(vm("a"), &[("/metadata/labels", json!({"a": "b"}))])).expect("a good VM");
    let mut manifest = with(vm("a"), &[("/spec/className", json!("big"))]);
    manifest["spec"].as_object_mut().expect("a mapping").remove("powerState");
    let object = bench.send(Request::Update { manifest, part: Subresource::Main }).result.expect("a good VM").to_value();
    assert_eq!((object["spec"].get("powerState"), object["metadata"].get("labels")), (None, None));
    let missing = bench.send(Request::Update { manifest: vm("b"), part: Subresource::Main }).result.expect_err("it isn't there");
    assert_eq!(missing.reason, ErrorReason::NotFound);
}

#[test]
fn patches_come_in_three_kinds_and_one_is_for_kubernetes_own_objects() {
    let mut bench = Bench::new();
    bench.create(vm("a")).expect("a good VM");
    bench.create(map("m")).expect("a good map");
    let mut patch = |key, kind, patch| bench.send(Request::Patch { key, kind, patch, part: Subresource::Main }).result;
    let operations =
        json!([{"op": "test", "path": "/spec/className", "value": "small"}, {"op": "replace", "path": "/spec/className", "value": "big"}]);
    let object = patch(vm_key("a"), PatchKind::Json, operations.clone()).expect("a good patch");
    assert_eq!(object.to_value()["spec"]["className"], "big");
    assert_eq!(patch(vm_key("a"), PatchKind::Json, operations).expect_err("the test fails").code, 422);
    assert_eq!(patch(vm_key("a"), PatchKind::Strategic, json!({})).expect_err("a custom resource").code, 415);
    let object = patch(map_key("m"), PatchKind::Strategic, json!({"data": {"b": "2"}})).expect("a good patch");
    assert_eq!(object.to_value()["data"], json!({"a": "1", "b": "2"}));
    let renamed = patch(map_key("m"), PatchKind::Merge, json!({"metadata": {"name": "n"}})).expect_err("a name stays");
    assert_eq!(renamed.message, "the name of the object (n) does not match the name on the URL (m)");
}

#[test]
fn an_installed_object_is_kept_as_it_is() {
    let mut bench = Bench::new();
    let watcher = bench.api.watch(None);
    let meta = json!({
        "name": "a", "namespace": "elsewhere", "uid": "u-1", "generation": 5, "resourceVersion": "900",
        "creationTimestamp": "2025-01-01T00:00:00Z",
    });
    let manifest = with(vm("a"), &[("/metadata", meta), ("/status", json!({"powerState": "PoweredOff"})), ("/spec/odd", json!(1))]);
    let installed = bench.api.install(bench.now, manifest.clone()).expect("a readable object");
    let object = installed.object;
    assert_eq!((object.uid(), object.generation, object.resource_version), ("u-1", 5, 2));
    assert_eq!(object.to_value()["status"]["powerState"], "PoweredOff");
    assert_eq!(object.to_value()["spec"]["suspendMode"], "TrySoft");
    assert_eq!(object.to_value()["metadata"]["creationTimestamp"], "2025-01-01T00:00:00Z");
    assert_eq!(installed.warnings, [r#"unknown field "spec.odd""#]);
    assert_eq!(bench.api.install(bench.now, manifest).expect_err("twice").reason, ErrorReason::AlreadyExists);
    assert_eq!((bench.api.next_delivery(), bench.api.list_for(watcher, bench.now).len()), (None, 2));
}

#[test]
fn an_installed_object_of_an_unknown_kind_is_kept_with_a_warning_and_can_t_be_asked_for() {
    let mut bench = Bench::new();
    let manifest = json!({"apiVersion": "x.y/v1", "kind": "Odd", "metadata": {"name": "a", "namespace": "ns"}, "spec": {"b": [1]}});
    let installed = bench.api.install(bench.now, manifest).expect("a readable object");
    assert_eq!(installed.warnings, [r#"no matches for kind "Odd" in version "x.y/v1""#]);
    let key = ObjectKey::new(Kind::FOREIGN, "ns", "x.y/v1/Odd:a");
    assert_eq!(installed.object.key, key);
    let value = installed.object.to_value();
    assert_eq!((&value["kind"], &value["spec"], &value["metadata"]["name"]), (&json!("Odd"), &json!({"b": [1]}), &json!("a")));
    let error = bench.delete(&key).result.expect_err("it isn't served");
    assert_eq!(error.message, r#"no matches for kind "Odd" in version "x.y/v1""#);
    assert_eq!(line(Some(&installed.object), None), "gone Foreign/ns/x.y/v1/Odd:a");
}
