//! What controllers write: typed parts, in one atomic step.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::json;
use vmtwin_model::kube::api::{Admission, ErrorReason, Request, ReviewVerb, Write};
use vmtwin_model::kube::virtual_machine::{VirtualMachine, VirtualMachineSpec, VirtualMachineStatus};
use vmtwin_model::kube::{Body, Object};

use super::{Bench, lines, vm, vm_key, with};
use crate::IdOrder;

fn labelled(object: &Object, value: &str) -> Arc<ObjectMeta> {
    let mut meta = (*object.meta).clone();
    meta.labels.get_or_insert_default().insert("a".to_owned(), value.to_owned());
    Arc::new(meta)
}

fn status(host: &str) -> Arc<dyn Body> {
    Arc::new(VirtualMachineStatus { node_name: host.to_owned(), ..VirtualMachineStatus::default() })
}

fn update(base: &Arc<Object>, meta: Option<Arc<ObjectMeta>>, status: Option<Arc<dyn Body>>) -> Write {
    Write::Update { base: base.clone(), meta, spec: None, status }
}

#[test]
fn metadata_and_status_are_written_in_one_step() {
    let mut bench = Bench::new();
    let base = bench.create(vm("a")).expect("a good VM");
    let response = bench.write(update(&base, Some(labelled(&base, "b")), Some(status("host-1"))));
    assert_eq!(lines(&response), ["changed VirtualMachine/ns/a"]);
    let after = response.result.expect("a good write");
    assert_eq!(after.resource_version, base.resource_version + 1);
    assert_eq!(after.label("a"), Some("b"));
    assert_eq!(after.view::<VirtualMachine>().expect("a VM").status.node_name, "host-1");
    assert!(Arc::ptr_eq(&after.spec, &base.spec), "the part that stays is shared");
}

#[test]
fn a_write_on_an_older_version_meets_a_conflict() {
    let mut bench = Bench::new();
    let base = bench.create(vm("a")).expect("a good VM");
    bench.write(update(&base, None, Some(status("host-1")))).result.expect("a good write");
    let error = bench.write(update(&base, None, Some(status("host-2")))).result.expect_err("an old base");
    assert_eq!(error.reason, ErrorReason::Conflict);
    bench.delete(&vm_key("a")).result.expect("it is there");
    let error = bench.write(update(&base, None, Some(status("host-2")))).result.expect_err("no object");
    assert_eq!(error.reason, ErrorReason::NotFound);
}

#[test]
fn a_write_of_equal_parts_changes_nothing() {
    let mut bench = Bench::new();
    let base = bench.create(vm("a")).expect("a good VM");
    let base = bench.write(update(&base, None, Some(status("host-1")))).result.expect("a good write");
    let response = bench.write(update(&base, Some(Arc::new((*base.meta).clone())), Some(status("host-1"))));
    assert!(response.changes.is_empty());
    assert!(Arc::ptr_eq(&response.result.expect("nothing is wrong"), &base));
}

#[test]
fn admission_sees_metadata_and_spec_but_no_status() {
    let mut bench = Bench::new();
    let base = bench.create(vm("a")).expect("a good VM");
    let mut seen = Vec::new();
    let write = Request::Write(update(&base, None, Some(status("host-1"))));
    let base = bench
        .send_past(write, &mut |_, review| {
            seen.push(review.verb);
            Ok(Admission::default())
        })
        .result
        .expect("a good write");
    assert_eq!(seen, []);
    let write = Request::Write(update(&base, Some(labelled(&base, "b")), Some(status("host-2"))));
    let hook = &mut |_: &crate::ApiServer, review: vmtwin_model::kube::api::Review| {
        seen.push(review.verb);
        let mut object = review.new.expect("an update has one");
        assert_eq!(object.view::<VirtualMachine>().expect("a VM").status.node_name, "host-1");
        object.meta = labelled(&object, "c");
        Ok(Admission { object: Some(object), warnings: vec!["careful".to_owned()] })
    };
    let response = bench.send_past(write, hook);
    assert_eq!((seen, response.warnings), (vec![ReviewVerb::Update], vec!["careful".to_owned()]));
    let after = response.result.expect("a good write");
    assert_eq!((after.label("a"), after.view::<VirtualMachine>().map(|vm| vm.status.node_name.as_str())), (Some("c"), Some("host-2")));
}

#[test]
fn what_is_the_server_s_own_can_t_be_written() {
    let mut bench = Bench::new();
    let base = bench.create(vm("a")).expect("a good VM");
    let mut meta = (*labelled(&base, "b")).clone();
    meta.uid = Some("mine".to_owned());
    meta.creation_timestamp = None;
    let after = bench.write(update(&base, Some(Arc::new(meta)), None)).result.expect("a good write");
    assert_eq!((after.uid(), &after.meta.creation_timestamp), (base.uid(), &base.meta.creation_timestamp));
}

#[test]
fn a_written_object_goes_with_its_last_finalizer_and_its_dependents() {
    let mut bench = Bench::new();
    let spec = VirtualMachineSpec::default();
    let meta = ObjectMeta {
        name: Some("a".to_owned()),
        namespace: Some("ns".to_owned()),
        finalizers: Some(vec!["x.y/z".to_owned()]),
        ..ObjectMeta::default()
    };
    let object = Object::new::<VirtualMachine>(meta, spec, VirtualMachineStatus::default());
    let owner = bench.write(Write::Create(Arc::new(object))).result.expect("a good VM");
    bench.create(super::owned_by(super::map("m"), &[&owner])).expect("a good map");
    bench.write(Write::Delete(vm_key("a"))).result.expect("it is there");
    let base = bench.get(&vm_key("a"));
    let mut meta = (*base.meta).clone();
    meta.finalizers = Some(Vec::new());
    let response = bench.write(update(&base, Some(Arc::new(meta)), Some(status("host-1"))));
    assert_eq!(lines(&response), ["gone VirtualMachine/ns/a", "gone ConfigMap/ns/m"]);
}

#[test]
fn a_fork_shares_all_that_it_doesn_t_write() {
    for order in [IdOrder::Dense, IdOrder::Scrambled] {
        let mut bench = Bench::with(order);
        for name in ["a", "b"] {
            bench.create(vm(name)).expect("a good VM");
        }
        let mut fork = bench.clone();
        fork.merge(&vm_key("a"), json!({"spec": {"className": "big"}})).result.expect("a good patch");
        let (a, b) = (vm_key("a"), vm_key("b"));
        assert!(Arc::ptr_eq(&bench.get(&b), &fork.get(&b)));
        assert!(Arc::ptr_eq(&bench.get(&a).status, &fork.get(&a).status));
        assert_eq!(bench.get(&a).to_value()["spec"]["className"], "small");
        assert_eq!(fork.get(&a).to_value()["spec"]["className"], "big");
    }
}

#[test]
fn a_denied_request_changes_nothing() {
    let mut bench = Bench::new();
    let before = bench.create(vm("a")).expect("a good VM");
    let denial = vmtwin_model::kube::api::ApiError::new(ErrorReason::Invalid, "no");
    let response = bench.send_past(Request::Create { manifest: with(vm("b"), &[]) }, &mut |_, _| Err(denial.clone()));
    assert_eq!((response.result.expect_err("denied"), response.changes.len()), (denial, 0));
    assert_eq!(bench.api.objects().last().map(|object| object.resource_version), Some(before.resource_version));
}
