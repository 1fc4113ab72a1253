//! Admission: what is let in, what is refused with which words, and what is filled in. A pure function of the request, its instant
//! and what the watches have told.
//!
//! A request meets the mutations of its kind, in order and up to the first that refuses; then the validations, all of them, so
//! that everything that is wrong is said at once. The lists below are the specification's order. What any kind needs (decoding,
//! schema defaults, the schema itself, names) is the API server's work, and the storage quota is judged beside this module.
//!
//! Page: admission §2. Writes of a status alone never come here (GEN-004), and kinds without rules pass (GEN-005).

mod addresses;
mod cause;
mod changes;
mod class_instance;
mod controllers;
pub(crate) mod encryption;
mod keys;
mod mutate;
mod names;
mod network_provider;
mod request;
mod rules;
#[cfg(test)]
mod samples;
mod transitions;
mod user;
mod validate;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use vmtwin_model::kube::api::{Admission, Admitted, ApiError, ErrorReason, Review, ReviewVerb};
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_class::VirtualMachineClass;
use vmtwin_model::kube::virtual_machine_group::VirtualMachineGroup;
use vmtwin_model::kube::virtual_machine_set_resource_policy::VirtualMachineSetResourcePolicy;
use vmtwin_model::kube::virtual_machine_snapshot::VirtualMachineSnapshot;
use vmtwin_model::kube::{Kind, Object, Resource};

use crate::features::Feature;
use crate::storage_quota::{self, Granted, Objects, RequestedCapacity};
use cause::Causes;
pub use changes::{FIELDS, Field, May, Power};
pub(crate) use request::AdmissionCx;
use request::{Denial, Request, Rules};
pub use rules::{Order, Rule, order, rules};
pub use transitions::{Ruling, TRANSITIONS, Transition, ruling};
use user::Standing;

/// The rules for VirtualMachine.
const VIRTUAL_MACHINE: Rules<VirtualMachine> = Rules {
    mutate_create: &[
        ("VM-M-001", mutate::network::default),
        ("VM-M-002", mutate::power_state::default),
        ("VM-M-003", mutate::cdrom_image_kind::default_on_create),
        ("VM-M-004", mutate::image_name::default),
        ("VM-M-005, VM-M-006", mutate::instance_identity::default),
        ("VM-M-007", mutate::boot_identity::default),
        ("VM-M-008", mutate::image::default),
        ("VM-M-010", mutate::encryption_class::default),
        ("VM-M-011", mutate::class_instance::default),
        ("VM-M-012", mutate::volume_modes::default),
        ("VM-M-013", mutate::created_at::default),
        ("VM-M-014", mutate::ide_controllers::default),
    ],
    mutate_update: &[
        ("VM-M-021", mutate::last_resized_class::default),
        ("VM-M-020", mutate::restart::default),
        ("VM-M-022", mutate::network::default_on_update),
        ("VM-M-023", mutate::group_owner::default_vm),
        ("VM-M-024", mutate::delayed_power_state::default),
        ("VM-M-025", mutate::volume_slots::default),
        ("VM-M-026", mutate::cdrom_image_kind::default_on_update),
        ("VM-M-027", mutate::cdrom_slots::default),
    ],
    validate_create: &[
        ("VM-V-076, VM-V-077", validate::zone::validate),
        ("VM-V-051 to VM-V-054", validate::image::validate_create),
        ("VM-V-062, VM-V-063", validate::class::validate_create),
        ("VM-V-064 to VM-V-066", validate::class_instance::validate),
        ("VM-V-120 to VM-V-123", validate::storage_class::validate),
        ("VM-V-110, VM-V-111", validate::crypto::validate),
        ("VM-V-140 to VM-V-143", validate::bootstrap_providers::validate),
        ("VM-V-144 to VM-V-147", validate::cloud_init::validate),
        ("VM-V-148 to VM-V-152", validate::sysprep::validate),
        ("VM-V-153 to VM-V-155", validate::vapp_config::validate),
        ("VM-V-156, VM-V-157", validate::customization_parity::validate),
        ("VM-V-160", validate::interface_network::validate),
        ("VM-V-161", validate::interface_name::validate),
        ("VM-V-163", validate::mac_address::validate),
        ("VM-V-164 to VM-V-168", validate::addresses::validate),
        ("VM-V-169", validate::routes::validate),
        ("VM-V-174 to VM-V-177", validate::guest_network::validate),
        ("VM-V-124 to VM-V-126, VM-V-130", validate::volumes::validate),
        ("VM-V-131 to VM-V-135", validate::volume_sharing::validate),
        ("VM-V-129", validate::instance_storage::validate),
        ("VM-V-181, VM-V-183, VM-V-184", validate::readiness_probe::validate),
        ("VM-V-139", validate::boot_disk::validate),
        ("VM-V-001", validate::power_state::validate),
        ("VM-V-010", validate::restart::validate_create),
        ("VM-V-020, VM-V-021", validate::reserved_annotations::validate_create),
        ("VM-V-025", validate::cluster_module::validate),
        ("VM-V-024", validate::paused::validate),
        ("VM-V-180", validate::host_name::validate),
        ("VM-V-195", validate::hardware_version::validate),
        ("VM-V-082, VM-V-083, VM-V-088", validate::cdrom::validate),
        ("VM-V-091, VM-V-093, VM-V-094", validate::cdrom_controllers::validate_create),
        ("VM-V-136, VM-V-137", validate::volume_slots::validate),
        ("VM-V-030", validate::checks::validate),
        ("VM-V-013", validate::apply_time::validate),
        ("VM-V-185 to VM-V-187", validate::boot_options::validate_create),
        ("VM-V-192", validate::snapshot_revert::validate_create),
        ("VM-V-194", validate::group_name::validate),
        ("VM-V-100 to VM-V-104", validate::affinity::validate_create),
        ("VM-V-074, VM-V-078", validate::bios_uuid::validate_create),
    ],
    validate_update: &[
        ("VM-V-040 to VM-V-042", validate::upgrade::validate),
        ("VM-V-050, VM-V-055", validate::image::validate_update),
        ("VM-V-060, VM-V-061", validate::class::validate_update),
        ("VM-V-064 to VM-V-066", validate::class_instance::validate),
        ("VM-V-070 to VM-V-073", validate::immutable::validate),
        ("VM-V-078", validate::bios_uuid::validate_update),
        ("VM-V-170 to VM-V-173", validate::interfaces::validate),
        ("VM-V-109", validate::affinity::validate_update),
        ("VM-V-002, VM-V-003, VM-V-005", validate::power_state::validate),
        ("VM-V-084 to VM-V-087", validate::cdrom_frozen::validate),
        ("VM-V-096", validate::cdrom_frozen::validate_places),
        ("VM-V-138", validate::controllers_frozen::validate),
        ("VM-V-090", validate::guest_id::validate),
        ("VM-V-182", validate::boot_options::validate_frozen),
        ("VM-V-110, VM-V-111", validate::crypto::validate),
        ("VM-V-075 to VM-V-077", validate::zone::validate),
        ("VM-V-159", validate::bootstrap_change::validate),
        ("VM-V-140 to VM-V-143", validate::bootstrap_providers::validate),
        ("VM-V-144 to VM-V-147", validate::cloud_init::validate),
        ("VM-V-148 to VM-V-152", validate::sysprep::validate),
        ("VM-V-153 to VM-V-155", validate::vapp_config::validate),
        ("VM-V-156, VM-V-157", validate::customization_parity::validate),
        ("VM-V-160", validate::interface_network::validate),
        ("VM-V-161", validate::interface_name::validate),
        ("VM-V-163", validate::mac_address::validate),
        ("VM-V-164 to VM-V-168", validate::addresses::validate),
        ("VM-V-169", validate::routes::validate),
        ("VM-V-174 to VM-V-177", validate::guest_network::validate),
        ("VM-V-124 to VM-V-126, VM-V-130", validate::volumes::validate),
        ("VM-V-131 to VM-V-135", validate::volume_sharing::validate),
        ("VM-V-127, VM-V-128", validate::volume_removal::validate),
        ("VM-V-129", validate::instance_storage::validate),
        ("VM-V-181, VM-V-183, VM-V-184", validate::readiness_probe::validate),
        ("VM-V-139", validate::boot_disk::validate),
        ("VM-V-011, VM-V-012", validate::restart::validate_update),
        ("VM-V-020 to VM-V-023", validate::reserved_annotations::validate_update),
        ("VM-V-025", validate::cluster_module::validate),
        ("VM-V-190, VM-V-191, VM-V-195", validate::hardware_version::validate),
        ("VM-V-024", validate::paused::validate),
        ("VM-V-180", validate::host_name::validate),
        ("VM-V-082, VM-V-083, VM-V-088", validate::cdrom::validate),
        ("VM-V-092 to VM-V-095", validate::cdrom_controllers::validate_update),
        ("VM-V-136, VM-V-137", validate::volume_slots::validate),
        ("VM-V-031 to VM-V-033", validate::checks::validate),
        ("VM-V-013", validate::apply_time::validate),
        ("VM-V-186 to VM-V-189", validate::boot_options::validate_update),
        ("VM-V-193", validate::snapshot_revert::validate_update),
        ("VM-V-194", validate::group_name::validate),
    ],
    validate_delete: &[],
};

/// The rules for VirtualMachineGroup.
const VIRTUAL_MACHINE_GROUP: Rules<VirtualMachineGroup> = Rules {
    mutate_create: &[("GR-M-01 to GR-M-03", mutate::group_power_time::default)],
    mutate_update: &[("GR-M-01 to GR-M-03", mutate::group_power_time::default), ("GR-M-04", mutate::group_owner::default_group)],
    validate_create: &[
        ("GR-V-01, GR-V-02", validate::group_power_time::validate),
        ("GR-V-04 to GR-V-06", validate::group_members::validate),
    ],
    validate_update: &[
        ("GR-V-01, GR-V-02", validate::group_power_time::validate),
        ("GR-V-03", validate::group_power_state::validate),
        ("GR-V-04 to GR-V-06", validate::group_members::validate),
    ],
    validate_delete: &[],
};

/// The rules for VirtualMachineClass.
const VIRTUAL_MACHINE_CLASS: Rules<VirtualMachineClass> = Rules {
    mutate_create: &[],
    mutate_update: &[("CL-M-01", mutate::class_controller::default)],
    validate_create: &[("CL-V-01, CL-V-02", validate::class_resources::validate)],
    validate_update: &[],
    validate_delete: &[],
};

/// The rules for VirtualMachineSetResourcePolicy.
const RESOURCE_POLICY: Rules<VirtualMachineSetResourcePolicy> = Rules {
    mutate_create: &[],
    mutate_update: &[],
    validate_create: &[("RP-V-01, RP-V-02", validate::resource_policy::validate_create)],
    validate_update: &[("RP-V-03", validate::resource_policy::validate_update)],
    validate_delete: &[],
};

/// The rules for VirtualMachineSnapshot.
const SNAPSHOT: Rules<VirtualMachineSnapshot> = Rules {
    mutate_create: &[("SN-M-01", mutate::snapshot_label::default)],
    mutate_update: &[("SN-M-01", mutate::snapshot_label::default)],
    validate_create: &[("SN-V-01 to SN-V-04", validate::snapshot::validate_create)],
    validate_update: &[("SN-V-02, SN-V-05", validate::snapshot::validate_update)],
    validate_delete: &[],
};

/// The rules for PersistentVolumeClaim.
const CLAIM: Rules<PersistentVolumeClaim> = Rules {
    mutate_create: &[],
    mutate_update: &[],
    validate_create: &[("PV-V-01", validate::instance_storage_claim::validate_create)],
    validate_update: &[("PV-V-02, PV-V-03", validate::instance_storage_claim::validate_update)],
    validate_delete: &[("PV-V-04", validate::instance_storage_claim::validate_delete)],
};

/// Judges a request.
pub(crate) fn admit(cx: &AdmissionCx<'_>, review: &Review) -> Admitted {
    match review.key.kind {
        VirtualMachine::KIND => judge(cx, review, &VIRTUAL_MACHINE),
        VirtualMachineGroup::KIND if cx.on(Feature::VMGroups) => judge(cx, review, &VIRTUAL_MACHINE_GROUP),
        VirtualMachineClass::KIND => judge(cx, review, &VIRTUAL_MACHINE_CLASS),
        VirtualMachineSetResourcePolicy::KIND => judge(cx, review, &RESOURCE_POLICY),
        VirtualMachineSnapshot::KIND if cx.on(Feature::VMSnapshots) => judge(cx, review, &SNAPSHOT),
        PersistentVolumeClaim::KIND => judge(cx, review, &CLAIM),
        _ => Ok(Admission::default()),
    }
}

fn judge<K: Resource>(cx: &AdmissionCx<'_>, review: &Review, rules: &Rules<K>) -> Admitted {
    let sent = match review.verb {
        ReviewVerb::Create | ReviewVerb::Update => review.new.as_ref(),
        ReviewVerb::Delete => review.old.as_deref(),
    };
    let Some(request) = sent.and_then(|sent| Request::<K>::of(cx, review, sent)) else { return Ok(Admission::default()) };
    // GEN-002: what is on its way out is left alone.
    if review.verb == ReviewVerb::Update && request.sent.object.is_deleting() {
        return Ok(Admission::default());
    }
    let object = rules.mutate(review.verb, &request).map_err(|denial| denied_by_mutation(review.key.kind, denial))?;
    let request = match &object {
        Some(object) => request.with(object),
        None => request,
    };
    if !skips_validation(&request) && !is_own_update(&request) {
        denied_by_validation(review.key.kind, rules.validate(review.verb, &request))?;
    }
    Ok(Admission { object, warnings: Vec::new() })
}

/// GEN-001: a privileged user's annotation turns validation off, and the quota.
fn skips_validation<K: Resource>(request: &Request<'_, K>) -> bool {
    asks_to_skip(request.user, request.new.object)
}

/// The operator's own update. An object out of a dump, which no webhook ever saw, can be worked on all the same: what the operator notes on it and fills in
/// of its spec is written whatever else stands there. Source: vm-lifecycle §3.
fn is_own_update<K: Resource>(request: &Request<'_, K>) -> bool {
    request.user == Standing::Operator && request.old.is_some()
}

fn asks_to_skip(user: Standing, object: &Object) -> bool {
    user.is_privileged() && object.annotation(keys::SKIP_VALIDATION).is_some()
}

/// What an admitted request needs of each storage class, for the object as mutations left it, if that much is free.
pub(crate) fn admit_storage(
    cx: &AdmissionCx<'_>,
    objects: &dyn Objects,
    granted: &Granted,
    review: &Review,
    admission: &Admission,
) -> Result<Vec<RequestedCapacity>, ApiError> {
    let Some(object) = admission.object.as_ref().or(review.new.as_ref()) else { return Ok(Vec::new()) };
    if asks_to_skip(Standing::of(&review.user, cx.settings), object) {
        return Ok(Vec::new());
    }
    let asked = storage_quota::asked(&cx.settings.features, objects, review, object)?;
    storage_quota::judge(objects, granted, &review.key.namespace, &asked)?;
    Ok(asked)
}

fn denied_by_mutation(kind: Kind, denial: Denial) -> ApiError {
    let (text, causes) = match denial {
        Denial::Field(cause) => (cause.message.clone(), vec![cause]),
        Denial::Text(text) => (text, Vec::new()),
    };
    ApiError { causes, ..ApiError::new(ErrorReason::Forbidden, denial_text("mutating", kind, &text)) }
}

fn denied_by_validation(kind: Kind, causes: Causes) -> Result<(), ApiError> {
    if causes.is_empty() {
        return Ok(());
    }
    let texts: Vec<&str> = causes.iter().map(|cause| cause.message.as_str()).collect();
    let message = denial_text("validating", kind, &texts.join(", "));
    Err(ApiError { causes, ..ApiError::new(ErrorReason::Invalid, message) })
}

fn denial_text(stage: &str, kind: Kind, text: &str) -> String {
    let kind = kind.to_string().to_ascii_lowercase();
    format!("admission webhook \"default.{stage}.{kind}.vmoperator.vmware.com\" denied the request: {text}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::samples::Sample;
    use super::{VIRTUAL_MACHINE, keys};

    #[test]
    fn all_that_is_wrong_is_said_at_once_and_in_order() {
        let sample = Sample::vm()
            .spec("powerState", json!("Suspended"))
            .spec("className", json!(""))
            .annotation("vmoperator.vmware.com/restored-vm", "x");
        let error = sample.admitted().expect_err("the request is refused");
        let fields: Vec<&str> = error.causes.iter().map(|cause| cause.field.as_str()).collect();
        assert_eq!(fields, ["spec.className", "spec.powerState", "metadata.annotations[vmoperator.vmware.com/restored-vm]"]);
        let text = "admission webhook \"default.validating.virtualmachine.vmoperator.vmware.com\" denied the request: spec.className: Required \
                    value, spec.powerState: Invalid value: ";
        assert!(error.message.starts_with(text), "{error}");
    }

    #[test]
    fn a_mutations_refusal_ends_the_chain() {
        let sample = Sample::vm().spec("imageName", json!("vmi-9")).spec("className", json!(""));
        assert_eq!(sample.denied_by_mutation(), "no VM image exists for \"vmi-9\" in namespace or cluster scope");
    }

    #[test]
    fn a_privileged_user_skips_validation_but_not_mutation() {
        let sample = Sample::vm().spec("className", json!("")).annotation(keys::SKIP_VALIDATION, "");
        assert_eq!(sample.denied(), ["spec.className: Required value"]);
        assert_eq!(sample.privileged().created()["spec"]["powerState"], "PoweredOn");
    }

    #[test]
    fn the_operators_own_updates_are_not_validated_and_its_creates_are() {
        let operator = "system:serviceaccount:vmware-system-vmop:default";
        let broken = || Sample::vm().spec("className", json!(""));
        assert_eq!(broken().asked_by(operator).denied(), ["spec.className: Required value"], "what it makes is held to the rules");
        let dumped = Sample::vm().stored().spec("imageName", json!("")).spec("storageClass", json!("other"));
        assert!(!dumped.denied().is_empty(), "a user may not change it so");
        assert!(dumped.asked_by(operator).admitted().is_ok(), "the operator writes on what no webhook ever saw");
    }

    #[test]
    fn what_is_on_its_way_out_is_left_alone() {
        let going = Sample::vm().stored().meta("deletionTimestamp", json!("2026-01-01T00:00:00Z"));
        assert!(going.spec("className", json!("")).admitted().is_ok_and(|admission| admission.object.is_none()));
    }

    #[test]
    fn a_vm_may_be_deleted_whatever_its_checks() {
        assert!(Sample::vm().annotation("delete.check.vmoperator.vmware.com/app", "wait").deleted().is_ok());
    }

    #[test]
    fn kinds_without_rules_pass_as_they_are() {
        let secret = Sample::of("v1", "Secret", &json!(null));
        assert!(secret.admitted().is_ok_and(|admission| admission.object.is_none()));
    }

    #[test]
    fn what_changes_nothing_leaves_the_object_as_it_came() {
        assert!(Sample::vm().stored().admitted().is_ok_and(|admission| admission.object.is_none()));
    }

    #[test]
    fn every_rule_stands_once_in_a_list() {
        let unique = |ids: Vec<&str>| ids.iter().enumerate().all(|(nth, id)| !ids[..nth].contains(id));
        let ids = |list: &[(&'static str, super::request::Validation<_>)]| list.iter().map(|(id, _)| *id).collect::<Vec<_>>();
        assert!(unique(ids(VIRTUAL_MACHINE.validate_create)) && unique(ids(VIRTUAL_MACHINE.validate_update)));
    }
}
