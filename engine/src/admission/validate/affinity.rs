//! VM-V-100 to VM-V-104, VM-V-109: what a new VM may say about its neighbours, and that it stays so.
//!
//! Page: admission §10. Terms select by labels of the VMs' owners, with `In` alone, in a zone or on a host; affinity has zone
//! scope unless the gate `HostAffinity` is on. That a term is for a group's member is all that is asked of the group here.
//! Beyond the page, keys and values must be those of labels: a term that can select nothing is refused instead of ignored.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateVMAffinity`.

use vmtwin_model::kube::labels::{self, SelectorFault};
use vmtwin_model::kube::virtual_machine::{VirtualMachine, VmAffinityTerm};

use crate::admission::cause::{self, Causes};
use crate::admission::changes::{self, May};
use crate::admission::request::Request;
use crate::features::Feature;

const ZONE: &str = "topology.kubernetes.io/zone";
const HOST: &str = "kubernetes.io/hostname";
const REQUIRED: &str = "requiredDuringSchedulingPreferredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingPreferredDuringExecution";
const OPERATORS_LABELS: &str = "vmoperator.vmware.com";

pub(in crate::admission) fn validate_create(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let Some(affinity) = &request.new.spec.affinity else { return };
    if request.new.spec.group_name.is_empty() {
        causes.push(cause::required_because("spec.groupName", "when setting affinity"));
    }
    let with_hosts = request.cx.on(Feature::VMAffinityDuringExecution) && request.cx.on(Feature::HostAffinity);
    let keys: &[&str] = if with_hosts { &[ZONE, HOST] } else { &[ZONE] };
    if let Some(part) = &affinity.vm_affinity {
        let path = "spec.affinity.vmAffinity";
        validate_terms(path, REQUIRED, &part.required_during_scheduling_preferred_during_execution, keys, causes);
        validate_terms(path, PREFERRED, &part.preferred_during_scheduling_preferred_during_execution, keys, causes);
    }
    if let Some(part) = &affinity.vm_anti_affinity {
        let (path, keys) = ("spec.affinity.vmAntiAffinity", &[ZONE, HOST]);
        validate_terms(path, REQUIRED, &part.required_during_scheduling_preferred_during_execution, keys, causes);
        validate_terms(path, PREFERRED, &part.preferred_during_scheduling_preferred_during_execution, keys, causes);
    }
}

fn validate_terms(part: &str, verb: &str, terms: &[VmAffinityTerm], topology_keys: &[&str], causes: &mut Causes) {
    for (index, term) in terms.iter().enumerate() {
        let path = format!("{part}.{verb}[{index}]");
        validate_selector(&path, term, causes);
        if !topology_keys.contains(&term.topology_key.as_str()) {
            causes.push(cause::not_supported(format!("{path}.topologyKey"), &term.topology_key, topology_keys));
        }
    }
}

fn validate_selector(term_path: &str, term: &VmAffinityTerm, causes: &mut Causes) {
    let Some(selector) = &term.label_selector else { return };
    let managed = format!("label selector can not contain VM Operator managed labels ({OPERATORS_LABELS})");
    let path = format!("{term_path}.labelSelector");
    if selector.match_labels.iter().flatten().any(|(key, _)| key.contains(OPERATORS_LABELS)) {
        causes.push(cause::forbidden(format!("{path}.matchLabels"), &managed));
    }
    for (index, expression) in selector.match_expressions.iter().flatten().enumerate() {
        let path = format!("{path}.matchExpressions[{index}]");
        if expression.operator != "In" {
            causes.push(cause::not_supported(format!("{path}.operator"), &expression.operator, &["In"]));
        } else if expression.key.contains(OPERATORS_LABELS) {
            causes.push(cause::forbidden(format!("{path}.key"), &managed));
        }
    }
    // VM-V-103 has spoken of operators.
    for error in labels::selector_errors(selector).into_iter().filter(|error| !error.field.ends_with(".operator")) {
        let field = format!("{path}.{}", error.field);
        causes.push(match error.fault {
            SelectorFault::Required(why) => cause::required_because(field, why),
            SelectorFault::Forbidden(why) => cause::forbidden(field, why),
            SelectorFault::Invalid(value, why) => cause::invalid(field, value.as_str(), &why),
        });
    }
}

pub(in crate::admission) fn validate_update(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let changed = request.old_spec().is_some_and(|old| old.affinity != request.new.spec.affinity);
    if changed && changes::AFFINITY.may(changes::power(request)) == May::Stay {
        causes.push(cause::forbidden(changes::AFFINITY.path, "updating Affinity is not allowed"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{HOST, PREFERRED, REQUIRED, ZONE};
    use crate::admission::samples::Sample;
    use crate::features::Feature;

    fn with(part: &str, verb: &str, term: Value) -> Sample {
        Sample::vm().spec("groupName", json!("web")).spec("affinity", json!({part: {verb: [term]}}))
    }

    fn term(topology_key: &str) -> Value {
        json!({"topologyKey": topology_key, "labelSelector": {"matchLabels": {"app": "db"}}})
    }

    #[test]
    fn affinity_is_for_members_of_a_group() {
        let sample = Sample::vm().spec("affinity", json!({}));
        assert_eq!(sample.denied(), ["spec.groupName: Required value: when setting affinity"]);
        assert!(sample.spec("groupName", json!("nowhere")).admitted().is_ok());
    }

    #[test]
    fn affinity_has_zone_scope_and_anti_affinity_host_scope_too() {
        for verb in [REQUIRED, PREFERRED] {
            assert!(with("vmAffinity", verb, term(ZONE)).admitted().is_ok());
            let mut host = with("vmAffinity", verb, term(HOST));
            let text =
                format!("spec.affinity.vmAffinity.{verb}[0].topologyKey: Unsupported value: \"{HOST}\": supported values: \"{ZONE}\"");
            assert_eq!(host.denied(), [text]);
            host.settings.features.set(Feature::HostAffinity, true);
            assert!(host.admitted().is_ok());
            assert!(with("vmAntiAffinity", verb, term(HOST)).admitted().is_ok());
            let rack = format!(
                "spec.affinity.vmAntiAffinity.{verb}[0].topologyKey: Unsupported value: \"rack\": supported values: \"{ZONE}\", \"{HOST}\""
            );
            assert_eq!(with("vmAntiAffinity", verb, term("rack")).denied(), [rack]);
        }
    }

    #[test]
    fn selectors_name_the_owners_labels_with_in() {
        let selecting = |selector: Value| with("vmAffinity", REQUIRED, json!({"topologyKey": ZONE, "labelSelector": selector}));
        let path = format!("spec.affinity.vmAffinity.{REQUIRED}[0].labelSelector");
        let managed = "Forbidden: label selector can not contain VM Operator managed labels (vmoperator.vmware.com)";
        let labels = selecting(json!({"matchLabels": {"x.vmoperator.vmware.com/y": "z"}})).privileged();
        assert_eq!(labels.denied(), [format!("{path}.matchLabels: {managed}")]);
        let expression =
            |key: &str, operator: &str| selecting(json!({"matchExpressions": [{"key": key, "operator": operator, "values": ["a"]}]}));
        assert!(expression("app", "In").admitted().is_ok());
        assert_eq!(expression("vmoperator.vmware.com/y", "In").denied(), [format!("{path}.matchExpressions[0].key: {managed}")]);
        let operator = format!("{path}.matchExpressions[0].operator: Unsupported value: \"NotIn\": supported values: \"In\"");
        assert_eq!(expression("app", "NotIn").denied(), [operator]);
    }

    #[test]
    fn selectors_hold_what_labels_can_be() {
        let selecting = |selector: Value| with("vmAffinity", REQUIRED, json!({"topologyKey": ZONE, "labelSelector": selector}));
        let path = format!("spec.affinity.vmAffinity.{REQUIRED}[0].labelSelector");
        let odd = selecting(json!({"matchLabels": {"app": "not so"}})).denied();
        assert!(
            odd[0].starts_with(&format!("{path}.matchLabels: Invalid value: \"not so\": a valid label must be an empty string or")),
            "{odd:?}"
        );
        let empty = selecting(json!({"matchExpressions": [{"key": "app", "operator": "In"}]}));
        let text = "Required value: must be specified when `operator` is 'In' or 'NotIn'";
        assert_eq!(empty.denied(), [format!("{path}.matchExpressions[0].values: {text}")]);
        let unknown = selecting(json!({"matchExpressions": [{"key": "app", "operator": "Near", "values": ["a"]}]}));
        assert_eq!(unknown.denied().len(), 1, "an operator is told of once");
    }

    #[test]
    fn affinity_stays() {
        let changed = Sample::vm().stored().spec("groupName", json!("web")).spec("affinity", json!({}));
        assert_eq!(changed.denied(), ["spec.affinity: Forbidden: updating Affinity is not allowed"]);
    }
}
