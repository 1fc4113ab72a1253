//! VM-V-124 to VM-V-126, VM-V-130: each volume has a name and a claim of its own, and is written to.
//!
//! Page: admission §12. Neither the claim's existence nor its storage class is looked at; a volume may be without a claim. Not for
//! the operator, nor for a VM that is behind in its schema.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateVolumes`.

use vmtwin_model::kube::labels;
use vmtwin_model::kube::virtual_machine::VirtualMachine;

use super::upgrade::is_upgraded;
use crate::admission::cause::{self, Causes};
use crate::admission::request::Request;
use crate::admission::user::Standing;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    if is_exempt(request) {
        return;
    }
    let volumes = &request.new.spec.volumes;
    for (index, volume) in volumes.iter().enumerate() {
        let (path, earlier) = (format!("spec.volumes[{index}]"), &volumes[..index]);
        let name = &volume.name;
        if name.is_empty() {
            causes.push(cause::required(format!("{path}.name")));
        } else if earlier.iter().any(|earlier| earlier.name == *name) {
            causes.push(cause::duplicate(format!("{path}.name"), name));
        }
        if !name.is_empty() {
            for error in labels::subdomain_errors(&format!("{}-{name}", request.name())) {
                causes.push(cause::invalid(format!("{path}.name"), name, &error));
            }
        }
        let Some(claim) = &volume.persistent_volume_claim else { continue };
        let path = format!("{path}.persistentVolumeClaim");
        let mut claims = earlier.iter().filter_map(|earlier| earlier.persistent_volume_claim.as_ref());
        if claim.claim_name.is_empty() {
            causes.push(cause::required(format!("{path}.claimName")));
        } else if claims.any(|earlier| earlier.claim_name == claim.claim_name) {
            causes.push(cause::duplicate(format!("{path}.claimName"), &claim.claim_name));
        }
        if claim.read_only {
            causes.push(cause::not_supported(format!("{path}.readOnly"), true, &["false"]));
        }
    }
}

/// Whether the rules for volumes don't hold.
pub(super) fn is_exempt(request: &Request<'_, VirtualMachine>) -> bool {
    request.user == Standing::Operator || request.old.is_some_and(|old| !is_upgraded(old))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    fn with(volumes: Value) -> Sample {
        Sample::vm().spec("volumes", volumes)
    }

    fn volume(name: &str, claim: &str) -> Value {
        json!({"name": name, "persistentVolumeClaim": {"claimName": claim}})
    }

    #[test]
    fn names_and_claims_differ() {
        assert!(with(json!([volume("a", "x"), volume("b", "y"), {"name": "c"}])).admitted().is_ok());
        assert_eq!(with(json!([volume("a", "x"), volume("a", "y")])).denied(), ["spec.volumes[1].name: Duplicate value: \"a\""]);
        let twice = with(json!([volume("a", "x"), volume("b", "x")]));
        assert_eq!(twice.denied(), ["spec.volumes[1].persistentVolumeClaim.claimName: Duplicate value: \"x\""]);
        let nameless = with(json!([volume("", "x"), volume("b", "")]));
        assert_eq!(
            nameless.denied(),
            ["spec.volumes[0].name: Required value", "spec.volumes[1].persistentVolumeClaim.claimName: Required value"]
        );
    }

    #[test]
    fn names_fit_into_the_attachments_name() {
        let denied = with(json!([volume("A_b", "x")])).denied();
        assert!(denied[0].starts_with("spec.volumes[0].name: Invalid value: \"A_b\": a lowercase RFC 1123 subdomain"), "{denied:?}");
        let operator = "system:serviceaccount:vmware-system-vmop:default";
        assert!(with(json!([volume("A_b", "x")])).asked_by(operator).admitted().is_ok());
    }

    #[test]
    fn volumes_are_written_to() {
        let read_only = json!([{"name": "a", "persistentVolumeClaim": {"claimName": "x", "readOnly": true}}]);
        let text = "spec.volumes[0].persistentVolumeClaim.readOnly: Unsupported value: true: supported values: \"false\"";
        assert_eq!(with(read_only).denied(), [text]);
    }
}
