//! What manifests may say: strict fields, defaults, and the rules of the schema.

use std::sync::Arc;

use serde_json::{Value, json};
use vmtwin_model::kube::api::{Admission, ApiError, Cause, CauseReason, ErrorReason, Request, Subresource};
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::{Kind, Object, Resource, Scope};

use super::{Bench, map, vm, vm_key, with};

fn refused(changes: &[(&str, Value)]) -> ApiError {
    Bench::new().create(with(vm("a"), changes)).expect_err("a rule is broken")
}

fn texts(causes: &[Cause]) -> Vec<&str> {
    causes.iter().map(|cause| cause.message.as_str()).collect()
}

#[test]
fn all_unknown_fields_and_wrong_types_are_told_at_once_with_the_nearest_name() {
    let error = refused(&[
        ("/spec/powerstate", json!("PoweredOn")),
        ("/spec/foo", json!(1)),
        ("/spec/className", json!(5)),
        ("/metadata/lables", json!({})),
        ("/spec/volumes", json!([{"name": "v", "bar": true}])),
    ]);
    assert_eq!((error.code, &error.reason), (400, &ErrorReason::BadRequest));
    assert_eq!(
        texts(&error.causes),
        [
            r#"unknown field "metadata.lables" (did you mean "metadata.labels"?)"#,
            r#"unknown field "spec.powerstate" (did you mean "spec.powerState"?)"#,
            r#"unknown field "spec.foo""#,
            r#"unknown field "spec.volumes[0].bar""#,
            r#"spec.className: Invalid value: "integer": spec.className in body must be of type string: "integer""#,
        ]
    );
    let head = r#"VirtualMachine in version "v1alpha5" cannot be handled as a VirtualMachine: strict decoding error: unknown field "metadata.lables""#;
    assert!(error.message.starts_with(head), "{}", error.message);
}

#[test]
fn kubernetes_own_kinds_are_read_strictly_too() {
    let mut bench = Bench::new();
    let error = bench.create(with(map("m"), &[("/dato", json!({}))])).expect_err("no such field");
    assert_eq!(
        error.message,
        r#"ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "dato" (did you mean "data"?)"#
    );
    let error = bench.create(with(map("m"), &[("/data/a", json!(1))])).expect_err("a wrong type");
    assert_eq!(
        error.message,
        r#"ConfigMap in version "v1" cannot be handled as a ConfigMap: invalid type: integer `1`, expected a string"#
    );
}

#[test]
fn a_word_that_isn_t_on_offer_and_a_wrong_type_are_rules_broken_like_others() {
    let error = refused(&[("/spec/powerState", json!("On")), ("/spec/className", json!(5)), ("/spec/minHardwareVersion", json!(3))]);
    assert_eq!((error.code, &error.reason), (422, &ErrorReason::Invalid));
    assert_eq!(
        error.message,
        r#"VirtualMachine.vmoperator.vmware.com "a" is invalid: [spec.className: Invalid value: "integer": spec.className in body must be of type string: "integer", spec.minHardwareVersion: Invalid value: 3: spec.minHardwareVersion in body should be greater than or equal to 13, spec.powerState: Unsupported value: "On": supported values: "PoweredOff", "PoweredOn", "Suspended"]"#
    );
    let reasons: Vec<&CauseReason> = error.causes.iter().map(|cause| &cause.reason).collect();
    assert_eq!(reasons, [&CauseReason::FieldValueTypeInvalid, &CauseReason::FieldValueInvalid, &CauseReason::FieldValueNotSupported]);
}

#[test]
fn every_rule_of_the_schema_has_kubernetes_text() {
    let interfaces: Vec<Value> = (0..11).map(|n| json!({"name": format!("eth{n}")})).collect();
    let error = refused(&[
        ("/spec/biosUUID", json!("x")),
        ("/spec/image", json!({"name": "vmi-1"})),
        ("/spec/network", json!({"interfaces": interfaces})),
        (
            "/spec/hardware",
            json!({"cdrom": [{"name": "CD", "image": {"kind": "VirtualMachineImage", "name": "i"}}], "ideControllers": [{"busNumber": 2}]}),
        ),
        ("/spec/volumes", json!([{"name": "v"}, {"name": "w"}, {"name": "v"}])),
    ]);
    assert_eq!(
        texts(&error.causes),
        [
            r#"spec.biosUUID: Invalid value: "x": spec.biosUUID in body must be of type uuid: "x""#,
            r#"spec.hardware.cdrom[0].name: Invalid value: "CD": spec.hardware.cdrom[0].name in body should match '^[a-z0-9]{2,}$'"#,
            "spec.hardware.ideControllers[0].busNumber: Invalid value: 2: spec.hardware.ideControllers[0].busNumber in body should be less than or equal to 1",
            "spec.image.kind: Required value",
            "spec.network.interfaces: Too many: 11: must have at most 10 items",
            r#"spec.volumes[2]: Duplicate value: {"name":"v"}"#,
        ]
    );
}

#[test]
fn a_key_of_a_list_counts_its_default() {
    let group = json!({
        "apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachineGroup", "metadata": {"name": "g", "namespace": "ns"},
        "spec": {"bootOrder": [{"members": [{"name": "a"}, {"name": "a", "kind": "VirtualMachine"}]}]},
    });
    let error = Bench::new().create(group).expect_err("one member twice");
    let text = r#"spec.bootOrder[0].members[1]: Duplicate value: {"kind":"VirtualMachine","name":"a"}"#;
    assert_eq!(texts(&error.causes), [text]);
}

#[test]
fn null_and_the_empty_word_of_a_choice_count_as_absent() {
    let mut bench = Bench::new();
    let object = bench.create(with(vm("a"), &[("/spec/powerState", json!("")), ("/spec/powerOffMode", json!(null))])).expect("a good VM");
    let spec = &object.to_value()["spec"];
    assert_eq!((spec.get("powerState"), &spec["powerOffMode"]), (None, &json!("TrySoft")));
    bench.merge(&vm_key("a"), json!({"spec": {"powerState": "Suspended"}})).result.expect("a good patch");
    let error = bench.merge(&vm_key("a"), json!({"spec": {"powerState": "Off"}})).result.expect_err("no such word");
    let text = r#"spec.powerState: Unsupported value: "Off": supported values: "PoweredOff", "PoweredOn", "Suspended""#;
    assert_eq!(texts(&error.causes), [text]);
}

#[test]
fn free_form_fields_are_kept_as_they_came() {
    let config = json!({"_typeName": "VirtualMachineConfigSpec", "deviceChange": [{"x": null}]});
    let manifest = json!({
        "apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachineClass", "metadata": {"name": "c", "namespace": "ns"},
        "spec": {"configSpec": config},
    });
    let object = Bench::new().create(manifest.clone()).expect("a good class");
    assert_eq!(object.to_value()["spec"]["configSpec"], config);
    let error = Bench::new().create(with(manifest, &[("/status", json!({"x": 1}))])).expect_err("no such field");
    assert!(error.message.ends_with(r#"strict decoding error: unknown field "status.x""#), "{}", error.message);
}

#[test]
fn other_versions_are_read_as_the_stored_one() {
    let mut bench = Bench::new();
    for (n, version) in VirtualMachine::KIND.info().also.iter().enumerate() {
        let manifest = with(vm(&format!("a{n}")), &[("/apiVersion", json!(format!("vmoperator.vmware.com/{version}")))]);
        let object = bench.create(manifest.clone()).expect("a version that is read");
        assert_eq!(object.to_value()["apiVersion"], "vmoperator.vmware.com/v1alpha5");
        let error = bench.create(with(manifest, &[("/spec/foo", json!(1))])).expect_err("no such field");
        assert!(error.message.starts_with(&format!("VirtualMachine in version \"{version}\" cannot")), "{}", error.message);
    }
}

#[test]
fn names_and_labels_have_kubernetes_shape() {
    let error = refused(&[("/metadata/name", json!("A_b")), ("/metadata/labels", json!({"a": "x y"}))]);
    assert_eq!(
        texts(&error.causes),
        [
            "metadata.name: Invalid value: \"A_b\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' \
             or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
            "metadata.labels: Invalid value: \"x y\": a valid label must be an empty string or consist of alphanumeric characters, '-', \
             '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used \
             for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        ]
    );
    let error = Bench::new().create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a.b"}})).expect_err("a dot");
    assert!(error.message.contains("a lowercase RFC 1123 label must consist of"), "{}", error.message);
    let cluster = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "namespace": "ns"}});
    let error = Bench::new().create(cluster).expect_err("a namespace in a namespace");
    assert_eq!(texts(&error.causes), ["metadata.namespace: Forbidden: not allowed on this type"]);
}

/// A hook that names the kind of each image that lacks one.
fn name_kinds(new: Option<Object>) -> Option<Object> {
    let mut object = new?;
    let mut spec = object.view::<VirtualMachine>()?.spec.clone();
    spec.image.as_mut()?.kind = "VirtualMachineImage".to_owned();
    object.spec = Arc::new(spec);
    Some(object)
}

#[test]
fn admission_may_fill_in_what_the_schema_requires() {
    let mut bench = Bench::new();
    let manifest = with(vm("a"), &[("/spec/image", json!({"name": "vmi-1"}))]);
    let mut fill = |_: &crate::ApiServer, review: vmtwin_model::kube::api::Review| {
        Ok(Admission { object: name_kinds(review.new), warnings: Vec::new() })
    };
    let object = bench.send_past(Request::Create { manifest: manifest.clone() }, &mut fill).result.expect("the kind is filled in");
    assert_eq!(object.to_value()["spec"]["image"]["kind"], "VirtualMachineImage");
    let nameless = with(manifest, &[("/spec/image", json!({})), ("/metadata/name", json!("b"))]);
    let error = bench.send_past(Request::Create { manifest: nameless }, &mut fill).result.expect_err("the name isn't");
    assert_eq!(texts(&error.causes), ["spec.image.name: Required value"]);
}

#[test]
fn a_rule_of_the_schema_comes_before_a_validator_and_after_a_mutator() {
    let mut bench = Bench::new();
    let manifest = with(vm("a"), &[("/spec/minHardwareVersion", json!(3))]);
    let mut deny = |reason: ErrorReason, message: &str| {
        let denial = ApiError::new(reason, message);
        bench.send_past(Request::Create { manifest: manifest.clone() }, &mut |_, _| Err(denial.clone())).result.expect_err("denied")
    };
    let validator = "admission webhook \"default.validating.virtualmachine.vmoperator.vmware.com\" denied the request: no";
    assert_eq!(texts(&deny(ErrorReason::Invalid, validator).causes).len(), 1);
    assert_eq!(texts(&deny(ErrorReason::Forbidden, "insufficient quota").causes).len(), 1);
    let mutator = "admission webhook \"default.mutating.virtualmachine.vmoperator.vmware.com\" denied the request: no";
    assert_eq!(deny(ErrorReason::Forbidden, mutator).message, mutator);
}

#[test]
fn a_claims_selector_is_checked_when_it_is_made() {
    let claim = |selector: serde_json::Value| json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "a", "namespace": "ns"}, "spec": {"selector": selector}});
    let mut bench = Bench::new();
    let error =
        bench.create(claim(json!({"matchExpressions": [{"key": "tier", "operator": "Exists", "values": ["x"]}]}))).expect_err("values");
    let text = "spec.selector.matchExpressions[0].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
    assert_eq!(texts(&error.causes), [text]);
    bench.create(claim(json!({"matchLabels": {"tier": "fast"}}))).expect("a good selector");
}

#[test]
fn what_was_broken_before_may_stay_so() {
    let mut bench = Bench::new();
    bench.api.install(bench.now, with(vm("a"), &[("/spec/minHardwareVersion", json!(3))])).expect("it is kept as it is");
    bench.merge(&vm_key("a"), json!({"spec": {"className": "big"}})).result.expect("another field");
    let error = bench.merge(&vm_key("a"), json!({"spec": {"minHardwareVersion": 4}})).result.expect_err("broken anew");
    assert_eq!(error.causes.len(), 1);
}

#[test]
fn a_status_is_checked_when_it_is_written() {
    let mut bench = Bench::new();
    bench.create(vm("a")).expect("a good VM");
    let error = bench.merge_status(&vm_key("a"), json!({"status": {"powerState": "Off"}})).result.expect_err("no such word");
    let text = r#"status.powerState: Unsupported value: "Off": supported values: "PoweredOff", "PoweredOn", "Suspended""#;
    assert_eq!(texts(&error.causes), [text]);
    let ignored = with(vm("b"), &[("/status", json!({"powerState": "Off"}))]);
    bench.create(ignored).expect("a main request doesn't look at the status");
    let manifest = with(vm("a"), &[("/status", json!({"powerState": "PoweredOff"})), ("/spec/className", json!("big"))]);
    let object = bench.send(Request::Update { manifest, part: Subresource::Status }).result.expect("a good status").to_value();
    assert_eq!((&object["status"]["powerState"], &object["spec"]["className"]), (&json!("PoweredOff"), &json!("small")));
}

#[test]
fn an_object_of_any_kind_can_be_installed_and_labelled() {
    let mut bench = Bench::new();
    for kind in Kind::all() {
        let info = kind.info();
        let manifest = json!({"apiVersion": info.api_version(), "kind": info.kind, "metadata": {"name": "x"}});
        let manifest = if info.scope == Scope::Namespaced { with(manifest, &[("/metadata/namespace", json!("ns"))]) } else { manifest };
        let installed = bench.api.install(bench.now, manifest).unwrap_or_else(|error| panic!("{info:?}: {error}"));
        assert!(installed.warnings.is_empty(), "{info:?}: {:?}", installed.warnings);
        // What was read of an empty manifest can be written and read again, but for the rules that it breaks.
        let response = bench.merge(&installed.object.key, json!({"metadata": {"labels": {"a": "b"}}}));
        match response.result {
            Ok(object) => assert_eq!(object.label("a"), Some("b"), "{info:?}"),
            Err(error) => assert_eq!(error.reason, ErrorReason::Invalid, "{info:?}: {error}"),
        }
    }
}

#[test]
fn every_pattern_of_every_kind_can_be_matched() {
    for kind in Kind::all() {
        crate::schema::patterns(kind);
    }
}
