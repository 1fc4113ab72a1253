//! Tests of both forms, through their public faces.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use vmtwin_model::kube::api::User;

use super::{Answered, Chosen, Judge, Manifests, Options, Outcome, Surroundings, Verdict, answer, answer_bytes};
use crate::diagnostics::Code;
use crate::format::Root;
use crate::timeline::Colour;

/// A class, an image, a storage class with room.
const GIVEN: &str = r#"
apiVersion: vmoperator.vmware.com/v1alpha5
kind: VirtualMachineClass
metadata: {name: small, namespace: ns}
spec: {hardware: {cpus: 2, memory: 4Gi}}
---
apiVersion: vmoperator.vmware.com/v1alpha5
kind: VirtualMachineImage
metadata: {name: vmi-0a0044d7c690bcbea, namespace: ns}
status: {name: photon-5, type: OVF, conditions: [{type: Ready, status: "True", reason: "True", message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}]}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: gold}
provisioner: csi.vsphere.vmware.com
parameters: {storagePolicyID: a7e2b3c4-1111-4222-8333-944445555666}
---
apiVersion: cns.vmware.com/v1alpha2
kind: StoragePolicyQuota
metadata: {name: gold-storagepolicyquota, namespace: ns}
spec: {storagePolicyId: a7e2b3c4-1111-4222-8333-944445555666, limit: 500Gi}
status: {total: [{storageClassName: gold, scQuotaUsage: {reserved: "0", used: "0"}}]}
"#;

const VM: &str = "apiVersion: vmoperator.vmware.com/v1alpha5
kind: VirtualMachine
metadata:
  name: web
  namespace: ns
spec:
  className: small
  imageName: vmi-0a0044d7c690bcbea
  storageClass: gold
  powerState: PoweredOn
";

fn root() -> Root {
    Root { folder: ".".into(), allow_outside: false }
}

fn judge() -> Judge {
    judge_with("")
}

/// A judge where these objects exist as well.
fn judge_with(old: &str) -> Judge {
    let mut surroundings = Surroundings::default();
    assert_eq!(surroundings.add(Path::new("given.yaml"), GIVEN.as_bytes(), &root()), []);
    assert_eq!(surroundings.add_old(Path::new("old.yaml"), old.as_bytes()), []);
    let (judge, wrong) = Judge::new(&surroundings, &Options::default()).expect("a judge");
    assert_eq!(wrong, []);
    judge
}

fn judged(judge: &mut Judge, text: &str) -> Vec<Verdict> {
    let read = Manifests::read(Path::new("vm.yaml"), text.as_bytes(), Chosen::Named);
    assert_eq!(read.diagnostics, []);
    judge.judge(&User::named("devops@vsphere.local"), &read.documents)
}

fn denied(verdict: &Verdict) -> Vec<(String, usize)> {
    match &verdict.outcome {
        Outcome::Denied { error, places } => {
            error.causes.iter().zip(places).map(|(cause, place)| (cause.message.clone(), place.position().line)).collect()
        }
        Outcome::Admitted { .. } => panic!("{} is admitted", verdict.object),
    }
}

fn review(operation: &str, object: &Value, old: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "vmoperator.vmware.com", "version": "v1alpha5", "kind": "VirtualMachine"},
            "name": "web", "namespace": "ns", "operation": operation,
            "userInfo": {"username": "devops@vsphere.local", "groups": ["system:authenticated"]},
            "object": object, "oldObject": old,
        },
    })
}

fn vm() -> Value {
    serde_saphyr::from_str(VM).expect("a manifest")
}

/// The answer's patch, applied to the object.
fn patched(answered: &Answered, mut object: Value) -> Value {
    let text = answered.document()["response"]["patch"].as_str().expect("a patch");
    let patch: json_patch::Patch = serde_json::from_slice(&STANDARD.decode(text).expect("base64")).expect("a patch");
    json_patch::patch(&mut object, &patch).expect("it fits");
    object
}

#[test]
fn a_manifest_is_admitted_and_tells_what_was_filled_in() {
    let verdicts = judged(&mut judge(), VM);
    let text = verdicts[0].render(Colour::Plain);
    assert!(text.starts_with("✓ VirtualMachine/ns/web  create  vm.yaml:2:7\n"), "{text}");
    assert!(text.contains("+ spec.image: {"), "{text}");
    let stored = &verdicts[0].to_json()["stored"];
    assert_eq!(stored["spec"]["image"]["name"], "vmi-0a0044d7c690bcbea");
}

#[test]
fn every_broken_rule_is_shown_at_the_line_that_breaks_it() {
    let text = VM.replace("PoweredOn", "Suspended").replace("  className: small\n", "  className: \"\"\n");
    let verdict = &judged(&mut judge(), &text)[0];
    let lines: Vec<usize> = denied(verdict).into_iter().map(|(_, line)| line).collect();
    assert_eq!(lines, [7, 10]);
    let text = verdict.render(Colour::Plain);
    assert!(text.contains("denied[FieldValueRequired]: spec.className: Required value"), "{text}");
    assert!(text.contains("--> vm.yaml:10:15") && text.contains("powerState: Suspended"), "{text}");
}

#[test]
fn an_unknown_field_is_refused_with_the_nearest_name() {
    let verdicts = judged(&mut judge(), &VM.replace("powerState", "powerstate"));
    let expected = ("unknown field \"spec.powerstate\" (did you mean \"spec.powerState\"?)".to_owned(), 10);
    assert_eq!(denied(&verdicts[0]), [expected]);
}

#[test]
fn a_key_that_stands_twice_is_refused_where_it_stands() {
    let read = Manifests::read(Path::new("vm.yaml"), format!("{VM}  className: large\n").as_bytes(), Chosen::Named);
    assert_eq!(read.diagnostics[0].code, Code::DuplicateKey);
}

#[test]
fn the_schema_speaks_kubernetes_words() {
    let verdicts = judged(&mut judge(), &VM.replace("PoweredOn", "On"));
    let text = "spec.powerState: Unsupported value: \"On\": supported values: \"PoweredOff\", \"PoweredOn\", \"Suspended\"";
    assert_eq!(denied(&verdicts[0]), [(text.to_owned(), 10)]);
}

#[test]
fn an_object_that_exists_is_updated() {
    let off = VM.replace("PoweredOn", "PoweredOff");
    let verdicts = judged(&mut judge_with(&off), &VM.replace("PoweredOn", "Suspended"));
    assert_eq!(verdicts[0].verb, vmtwin_model::kube::api::ReviewVerb::Update);
    assert_eq!(denied(&verdicts[0])[0].1, 10);
    assert!(judged(&mut judge_with(&off), VM)[0].is_admitted());
}

#[test]
fn manifests_are_a_set_and_verdicts_come_in_the_order_of_the_file() {
    let class = "apiVersion: vmoperator.vmware.com/v1alpha5\nkind: VirtualMachineClass\nmetadata: {name: new, namespace: ns}\nspec: {hardware: {cpus: 1, memory: 1Gi}}\n";
    let verdicts = judged(&mut judge(), &format!("{}---\n{class}", VM.replace("small", "new")));
    assert!(verdicts.iter().all(Verdict::is_admitted));
    assert_eq!(
        verdicts.iter().map(|verdict| verdict.object.as_str()).collect::<Vec<_>>(),
        ["VirtualMachine/ns/web", "VirtualMachineClass/ns/new"]
    );
}

#[test]
fn a_list_is_its_items() {
    let list = format!("apiVersion: v1\nkind: List\nitems:\n- {}", VM.trim_end().replace('\n', "\n  "));
    assert_eq!(judged(&mut judge(), &list)[0].place.position().line, 5);
}

#[test]
fn an_earlier_version_is_converted_and_shown_as_it_was_written() {
    let old = VM.replace("v1alpha5", "v1alpha4") + "  cdrom:\n  - name: CD1\n    image: {kind: VirtualMachineImage, name: vmi-1}\n";
    let verdicts = judged(&mut judge(), &old);
    let lines: Vec<usize> = denied(&verdicts[0]).into_iter().map(|(_, line)| line).collect();
    assert!(!lines.is_empty() && lines.iter().all(|line| *line >= 12), "{:?}", denied(&verdicts[0]));
}

#[test]
fn what_is_no_manifest_is_told_where_it_stands() {
    let code = |text: &str, chosen| {
        let read = Manifests::read(Path::new("x.yaml"), text.as_bytes(), chosen);
        (read.documents.len(), read.diagnostics.first().map(|diagnostic| diagnostic.code))
    };
    assert_eq!(code("[1]", Chosen::Named), (0, Some(Code::NotAManifest)));
    assert_eq!(code("kind: X", Chosen::Named), (0, Some(Code::NotAManifest)));
    assert_eq!(code("kind: X", Chosen::Found), (0, None));
    assert_eq!(code("apiVersion: vmoperator.vmware.com/v1alpha5\nkind: VirtualMachin", Chosen::Named), (0, Some(Code::UnknownKind)));
    assert_eq!(code("apiVersion: apps/v1\nkind: Deployment", Chosen::Named), (0, Some(Code::NotServed)));
    assert_eq!(code("apiVersion: vmtwin.dev/v1alpha1\nkind: Scenario", Chosen::Found), (0, None));
}

#[test]
fn a_scenario_or_an_inventory_are_surroundings() {
    let scenario = "apiVersion: vmtwin.dev/v1alpha1\nkind: Scenario\nmetadata: {name: x}\nspec:\n  vsphere:\n    namespaces: [{name: ns, classes: [{name: small, cpus: 2, memory: 4Gi}]}]\n    zones: [{name: z, clusters: [{name: c, hosts: [{name: h}]}]}]\n    datastores: [{name: d}]\n    storagePolicies: [{name: gold}]\n    images: [{name: vmi-0a0044d7c690bcbea}]\n";
    let mut surroundings = Surroundings::default();
    assert_eq!(surroundings.add(Path::new("world.yaml"), scenario.as_bytes(), &root()), []);
    let (mut judge, _) = Judge::new(&surroundings, &Options::default()).expect("a judge");
    let verdicts = judged(&mut judge, &VM.replace("  namespace: ns\n", ""));
    assert!(verdicts[0].is_admitted(), "{}", verdicts[0].render(Colour::Plain));
    assert_eq!(verdicts[0].object, "VirtualMachine/ns/web", "the only namespace");
}

#[test]
fn a_review_is_answered_with_a_patch() {
    let answered = answer(&mut judge(), &review("CREATE", &vm(), &Value::Null));
    let response = &answered.document()["response"];
    assert!(matches!(answered, Answered::Allowed(_)), "{response}");
    assert_eq!(
        (&response["uid"], &response["allowed"], &response["patchType"]),
        (&json!("705ab4f5-6393-11e8-b7cc-42010a800002"), &json!(true), &json!("JSONPatch"))
    );
    let object = patched(&answered, vm());
    assert_eq!(object["spec"]["image"], json!({"kind": "VirtualMachineImage", "name": "vmi-0a0044d7c690bcbea"}));
    assert_eq!(object["spec"]["className"], "small");
}

#[test]
fn a_denial_is_a_status_with_a_cause_for_each_rule() {
    let mut object = vm();
    object["spec"]["powerState"] = json!("Suspended");
    object["spec"]["className"] = json!("");
    let answered = answer(&mut judge(), &review("CREATE", &object, &Value::Null));
    let status = &answered.document()["response"]["status"];
    assert!(matches!(answered, Answered::Denied(_)));
    assert_eq!((&status["code"], &status["reason"], &status["status"]), (&json!(422), &json!("Invalid"), &json!("Failure")));
    let fields: Vec<&Value> = status["details"]["causes"].as_array().into_iter().flatten().map(|cause| &cause["field"]).collect();
    assert_eq!(fields, ["spec.className", "spec.powerState"]);
    assert_eq!(
        status["details"]["causes"][0],
        json!({"reason": "FieldValueRequired", "field": "spec.className", "message": "Required value"})
    );
}

#[test]
fn updates_and_deletes_are_judged_on_the_object_that_comes_along() {
    let mut old = vm();
    old["metadata"]["uid"] = json!("a");
    let mut new = old.clone();
    new["spec"]["imageName"] = json!("other");
    let answered = answer(&mut judge(), &review("UPDATE", &new, &old));
    assert_eq!(answered.document()["response"]["status"]["details"]["causes"][0]["field"], "spec.imageName");
    assert!(matches!(answer(&mut judge(), &review("DELETE", &Value::Null, &old)), Answered::Allowed(_)));
}

#[test]
fn unknown_fields_of_a_review_are_pruned_with_a_warning() {
    let mut object = vm();
    object["spec"]["colour"] = json!("red");
    let answered = answer(&mut judge(), &review("CREATE", &object, &Value::Null));
    assert_eq!(answered.document()["response"]["warnings"], json!(["unknown field \"spec.colour\""]));
    assert!(matches!(answered, Answered::Allowed(_)));
}

#[test]
fn the_patch_of_an_earlier_version_is_in_its_words() {
    let mut object = vm();
    object["apiVersion"] = json!("vmoperator.vmware.com/v1alpha4");
    object["spec"]["cdrom"] = json!([{"name": "cd1", "image": {"kind": "", "name": "vmi-0a0044d7c690bcbea"}}]);
    let mut review = review("CREATE", &object, &Value::Null);
    review["request"]["kind"]["version"] = json!("v1alpha4");
    let answered = answer(&mut judge(), &review);
    if let Answered::Allowed(_) = &answered {
        let object = patched(&answered, object);
        assert!(object["spec"].get("hardware").is_none() && object["spec"]["cdrom"].is_array(), "{object}");
        assert_eq!(object["apiVersion"], "vmoperator.vmware.com/v1alpha4");
    }
}

#[test]
fn a_subresource_is_let_in_unseen() {
    let mut review = review("UPDATE", &json!({}), &json!({}));
    review["request"]["object"] = vm();
    review["request"]["oldObject"] = vm();
    review["request"]["subResource"] = json!("status");
    assert!(matches!(answer(&mut judge(), &review), Answered::Allowed(_)));
}

#[test]
fn what_is_no_review_is_answered_with_code_400() {
    let mut foreign = review("CREATE", &vm(), &Value::Null);
    foreign["request"]["kind"]["kind"] = json!("Pod");
    let mut version = review("CREATE", &vm(), &Value::Null);
    version["apiVersion"] = json!("admission.k8s.io/v1beta1");
    let mut operation = review("CREATE", &vm(), &Value::Null);
    operation["request"]["operation"] = json!("CONNECT");
    let mut other = review("CREATE", &vm(), &Value::Null);
    other["request"]["object"]["kind"] = json!("VirtualMachineGroup");
    let mut no_uid = review("CREATE", &vm(), &Value::Null);
    no_uid["request"]["uid"] = json!(7);
    for wrong in [json!(null), json!([]), vm(), foreign, version, operation, other, no_uid, review("UPDATE", &vm(), &Value::Null)] {
        let answered = answer(&mut judge(), &wrong);
        assert!(matches!(answered, Answered::Bad(_)), "{wrong}");
        assert_eq!(answered.document()["response"]["status"]["code"], 400);
    }
}

#[test]
fn hostile_reviews_are_refused_at_once() {
    let long = format!("{{\"a\": \"{}\"}}", "x".repeat(5 << 20));
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let deep_json = "{\"a\":".repeat(10_000) + "1" + &"}".repeat(10_000);
    for bytes in
        [b"".as_slice(), b"\0\0", b"\xff\xfe", b"{", b"a: b: c", b"--- {}\n--- {}", long.as_bytes(), deep.as_bytes(), deep_json.as_bytes()]
    {
        let answered = answer_bytes(&mut judge(), bytes);
        assert!(matches!(answered, Answered::Bad(_)));
    }
}
