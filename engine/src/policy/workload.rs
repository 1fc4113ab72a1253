//! A VM's side of compute policies: its PolicyEvaluation, and the tags that the answer gives it. Source: placement-groups §9.
//!
//! Mirrors: vm-operator `pkg/vmconfig/policy/policy_reconciler.go`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};
use vmtwin_model::kube::api::{ErrorReason, Write};
use vmtwin_model::kube::cluster_virtual_machine_image::ClusterVirtualMachineImage;
use vmtwin_model::kube::policy_evaluation::{
    GuestFamily, PolicyEvaluation, PolicyEvaluationGuest, PolicyEvaluationImage, PolicyEvaluationSpec, PolicyEvaluationStatus,
    PolicyEvaluationWorkload,
};
use vmtwin_model::kube::virtual_machine::PolicyStatus;
use vmtwin_model::kube::virtual_machine_image::VirtualMachineImage;
use vmtwin_model::kube::{ConditionType, Conditions, Object, Resource};
use vmtwin_model::vsphere;
use vmtwin_model::vsphere::spec::{ConfigSpec, OptionValue};

use crate::draft::Draft;
use crate::features::Feature;
use crate::pass::{Cx, Flow, Known};
use crate::verdict::Verdict;
use crate::vm::VmDraft;
use crate::vm::create::prerequisites::not_found;

/// ExtraConfig: the tags that policies gave the VM, sorted.
const RECORD: &str = "vmservice.policy.tags";

/// What applies to a VM.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Applied {
    /// The tags' ids.
    pub(crate) tags: BTreeSet<String>,
    /// The policies, as the VM's status has them.
    pub(crate) policies: Vec<PolicyStatus>,
}

/// Whether a VM is one that exists in vSphere: one that doesn't must have its image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    New,
    Existing,
}

/// What applies to a VM; nothing with the gate off. Its evaluation is made or brought up to date on the way; while that isn't answered,
/// the VM waits for it.
pub(crate) fn applied(cx: &mut Cx<'_>, vm: &VmDraft, guest_id: &str, stage: Stage) -> Flow<Option<Applied>> {
    if !cx.settings.features.on(Feature::VSpherePolicies) {
        return Ok(None);
    }
    let wanted = question(cx, vm, guest_id, stage)?;
    let name = format!("vm-{}", vm.name());
    let not_ready = || Verdict::terminal("policy not ready").into();
    let Some(evaluation) = cx.find::<PolicyEvaluation>(&vm.namespace().clone(), &name) else {
        write(cx, Write::Create(Arc::new(new(vm, name, wanted))))?;
        return Err(not_ready());
    };
    if *evaluation.spec() != wanted || !is_owned(&evaluation, vm) {
        let Some(mut draft) = Draft::<PolicyEvaluation>::of(evaluation.object.clone()) else { return Err(not_ready()) };
        *draft.spec_mut() = wanted;
        draft.meta_mut().owner_references = Some(vec![vm.as_owner()]);
        if let Some(update) = draft.into_write() {
            write(cx, update)?;
        }
        return Err(not_ready());
    }
    if is_ready(&evaluation) { Ok(Some(of(&evaluation))) } else { Err(not_ready()) }
}

fn write(cx: &mut Cx<'_>, write: Write) -> Flow<()> {
    match cx.write(write)? {
        // The root of the VM's group may have asked meanwhile.
        Err(error) if error.reason != ErrorReason::AlreadyExists => {
            Err(Verdict::failed(format!("failed to create or patch policy evaluation: {error}")).into())
        }
        _ => Ok(()),
    }
}

/// Whether an evaluation is answered as it stands.
pub(crate) fn is_ready(evaluation: &Known<PolicyEvaluation>) -> bool {
    let status = evaluation.status();
    status.observed_generation == evaluation.object.generation && status.conditions.is_true(&ConditionType::Ready)
}

fn of(evaluation: &Known<PolicyEvaluation>) -> Applied {
    let results = &evaluation.status().policies;
    let status = |result: &vmtwin_model::kube::policy_evaluation::PolicyEvaluationResult| PolicyStatus {
        api_version: result.api_version.clone(),
        kind: result.kind.clone(),
        name: result.name.clone(),
        generation: result.observed_generation,
    };
    Applied {
        tags: results.iter().flat_map(|result| result.tags.iter().cloned()).collect(),
        policies: results.iter().map(status).collect(),
    }
}

fn new(vm: &VmDraft, name: String, spec: PolicyEvaluationSpec) -> Object {
    let meta = ObjectMeta {
        name: Some(name),
        namespace: Some(vm.namespace().to_string()),
        owner_references: Some(vec![vm.as_owner()]),
        ..ObjectMeta::default()
    };
    Object::new::<PolicyEvaluation>(meta, spec, PolicyEvaluationStatus::default())
}

fn is_owned(evaluation: &Known<PolicyEvaluation>, vm: &VmDraft) -> bool {
    let owners = evaluation.object.meta.owner_references.iter().flatten();
    owners.into_iter().any(|owner| owner.uid == vm.base().uid() && owner.controller == Some(true))
}

/// What is asked: the VM's image, guest, labels and explicit policies.
fn question(cx: &mut Cx<'_>, vm: &VmDraft, guest_id: &str, stage: Stage) -> Flow<PolicyEvaluationSpec> {
    let image = match image(cx, vm) {
        Ok(image) => image,
        Err(error) if stage == Stage::New => return Err(Verdict::failed(error).into()),
        Err(_) => None,
    };
    let guest =
        (!guest_id.is_empty()).then(|| PolicyEvaluationGuest { guest_family: Some(family(guest_id)), guest_id: guest_id.to_owned() });
    let labels = vm.meta().labels.clone().unwrap_or_default();
    let workload = (guest.is_some() || !labels.is_empty()).then_some(PolicyEvaluationWorkload { guest, labels });
    Ok(PolicyEvaluationSpec { image, policies: vm.spec().policies.clone(), workload })
}

/// Name and labels of the image object.
fn image(cx: &mut Cx<'_>, vm: &VmDraft) -> Result<Option<PolicyEvaluationImage>, String> {
    let Some(named) = vm.spec().image.clone() else { return Ok(None) };
    let (kind, object) = if named.kind == ClusterVirtualMachineImage::KIND.info().kind {
        (ClusterVirtualMachineImage::KIND, cx.find::<ClusterVirtualMachineImage>("", &named.name).map(|image| image.object))
    } else {
        (VirtualMachineImage::KIND, cx.find::<VirtualMachineImage>(&vm.namespace().clone(), &named.name).map(|image| image.object))
    };
    let object = object.ok_or_else(|| not_found(kind, &named.name))?;
    let labels: BTreeMap<String, String> = object.meta.labels.clone().unwrap_or_default();
    Ok(Some(PolicyEvaluationImage { labels, name: named.name }))
}

/// The family of a guest identifier. Source: the API's `VirtualMachineGuestOsFamily` and its identifiers.
fn family(guest_id: &str) -> GuestFamily {
    const LINUX: [&str; 25] = [
        "almalinux",
        "amazonlinux",
        "asianux",
        "centos",
        "coreos",
        "crx",
        "debian",
        "fedora",
        "genericlinux",
        "kylin",
        "linux",
        "mandrake",
        "mandriva",
        "miraclelinux",
        "nld",
        "oes",
        "opensuse",
        "oracle",
        "other",
        "photon",
        "redhat",
        "rhel",
        "rocky",
        "sles",
        "suse",
    ];
    let id = guest_id.to_lowercase();
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| id.starts_with(prefix));
    if begins(&["darwin"]) {
        GuestFamily::Darwin
    } else if begins(&["win"]) {
        GuestFamily::Windows
    } else if begins(&["netware"]) {
        GuestFamily::Netware
    } else if begins(&["solaris"]) {
        GuestFamily::Solaris
    } else if begins(&["ubuntu", "vmwarephoton", "turbolinux", "sjds", "prolinux", "pardus", "fusionos"])
        || begins(&LINUX) && (!id.starts_with("other") || id.contains("linux"))
    {
        GuestFamily::Linux
    } else {
        GuestFamily::Other
    }
}

/// Tells the VM's status which policies are in force.
pub(crate) fn report(vm: &mut VmDraft, applied: Option<&Applied>) {
    let policies = applied.map(|applied| applied.policies.clone()).unwrap_or_default();
    if vm.status().policies != policies {
        vm.status_mut().policies = policies;
    }
}

/// Adds the tags to the spec of a VM that is placed or made.
pub(crate) fn add_to(spec: &mut ConfigSpec, applied: Option<&Applied>) {
    let Some(applied) = applied.filter(|applied| !applied.tags.is_empty()) else { return };
    put_tags(spec, applied.tags.iter().map(|tag| tag_spec(tag, "add")).collect());
    spec.extra_config.push(OptionValue::new(RECORD, record(&applied.tags)));
}

/// What brings an existing VM's tags to what applies: only tags that were given by policies are taken away.
pub(crate) fn correct(spec: &mut ConfigSpec, vm: &vsphere::VirtualMachine, applied: Option<&Applied>) {
    let Some(applied) = applied else { return };
    let recorded: BTreeSet<&str> = vm.extra_config(RECORD).unwrap_or_default().split(',').filter(|tag| !tag.is_empty()).collect();
    let there: BTreeSet<&str> = vm.tags.iter().map(|tag| &**tag).collect();
    let missing = applied.tags.iter().filter(|tag| !there.contains(tag.as_str())).map(|tag| tag_spec(tag, "add"));
    let stale = recorded.iter().filter(|tag| there.contains(*tag) && !applied.tags.contains(**tag)).map(|tag| tag_spec(tag, "remove"));
    let changes: Vec<Value> = missing.chain(stale).collect();
    if !changes.is_empty() {
        put_tags(spec, changes);
    }
    let record = record(&applied.tags);
    if vm.extra_config(RECORD).unwrap_or_default() != record {
        spec.extra_config.push(OptionValue::new(RECORD, record));
    }
}

/// Takes away the tags that policies gave a VM that is let go.
pub(crate) fn release(spec: &mut ConfigSpec, vm: &vsphere::VirtualMachine) {
    let recorded = vm.extra_config(RECORD).unwrap_or_default().split(',').filter(|tag| !tag.is_empty());
    let ours: Vec<Value> = recorded.filter(|tag| vm.tags.iter().any(|there| **there == **tag)).map(|tag| tag_spec(tag, "remove")).collect();
    if !ours.is_empty() {
        put_tags(spec, ours);
    }
}

fn record(tags: &BTreeSet<String>) -> String {
    tags.iter().map(String::as_str).collect::<Vec<_>>().join(",")
}

fn tag_spec(tag: &str, operation: &str) -> Value {
    json!({"_typeName": "TagSpec", "operation": operation, "id": {"uuid": tag}})
}

fn put_tags(spec: &mut ConfigSpec, tags: Vec<Value>) {
    match spec.rest.entry("tagSpecs".to_owned()).or_insert_with(|| Value::Array(Vec::new())) {
        Value::Array(there) => there.extend(tags),
        other => *other = Value::Array(tags),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_have_families() {
        for (id, expected) in [
            ("ubuntu64Guest", GuestFamily::Linux),
            ("other5xLinux64Guest", GuestFamily::Linux),
            ("vmwarePhoton64Guest", GuestFamily::Linux),
            ("windows2022srvNext_64Guest", GuestFamily::Windows),
            ("winNetStandardGuest", GuestFamily::Windows),
            ("darwin22_64Guest", GuestFamily::Darwin),
            ("solaris11_64Guest", GuestFamily::Solaris),
            ("netware6Guest", GuestFamily::Netware),
            ("otherGuest64", GuestFamily::Other),
            ("freebsd14_64Guest", GuestFamily::Other),
        ] {
            assert_eq!(family(id), expected, "{id}");
        }
    }

    #[test]
    fn only_recorded_tags_are_taken_away_and_what_is_right_isn_t_touched() {
        let of = |tags: Value, record: &str| -> vsphere::VirtualMachine {
            let mut vm: vsphere::VirtualMachine =
                serde_json::from_value(json!({"moID": "vm-1", "name": "a", "runtime": {}, "tags": tags})).expect("a VM");
            let extra_config = BTreeMap::from([(RECORD.into(), record.into())]);
            vm.config = Some(vsphere::vm::Config { extra_config, ..vsphere::vm::Config::default() });
            vm
        };
        let vm = of(json!(["own", "old", "kept"]), "kept,old");
        let applied = Applied { tags: ["kept".to_owned(), "new".to_owned()].into(), policies: Vec::new() };
        let mut spec = ConfigSpec::default();
        correct(&mut spec, &vm, Some(&applied));
        assert_eq!(spec.rest["tagSpecs"], json!([tag_spec("new", "add"), tag_spec("old", "remove")]));
        assert_eq!(&*spec.extra_config[0].value, "kept,new");
        let mut spec = ConfigSpec::default();
        correct(&mut spec, &of(json!(["own", "kept", "new"]), "kept,new"), Some(&applied));
        assert_eq!(spec, ConfigSpec::default());
    }
}
