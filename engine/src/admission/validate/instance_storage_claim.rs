//! PV-V-01 to PV-V-04: claims of instance storage are the system's; nobody else makes, changes or deletes one.
//!
//! Page: admission §19. The label makes a claim one of them, whatever its value.
//!
//! Mirrors: vm-operator `webhooks/persistentvolumeclaim/validation`, `ValidateCreate`, `ValidateUpdate`, `ValidateDelete`.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use vmtwin_model::kube::View;

use crate::admission::cause::{self, Causes};
use crate::admission::keys::{self, INSTANCE_STORAGE};
use crate::admission::request::Request;

type Claim<'a> = Request<'a, PersistentVolumeClaim>;

pub(in crate::admission) fn validate_create(request: &Claim<'_>, causes: &mut Causes) {
    if is_marked(request.new) {
        refuse(request, "CREATE operation on PVC with instance storage label is not allowed", causes);
    }
}

pub(in crate::admission) fn validate_update(request: &Claim<'_>, causes: &mut Causes) {
    if request.old.is_some_and(is_marked) {
        refuse(request, "UPDATE operation on PVC with instance storage label is not allowed", causes);
    } else if is_marked(request.new) {
        refuse(request, "adding instance storage label is not allowed", causes);
    }
}

pub(in crate::admission) fn validate_delete(request: &Claim<'_>, causes: &mut Causes) {
    if is_marked(request.new) {
        refuse(request, "DELETE operation on PVC with instance storage label is not allowed", causes);
    }
}

fn is_marked(claim: View<'_, PersistentVolumeClaim>) -> bool {
    claim.object.label(INSTANCE_STORAGE).is_some()
}

fn refuse(request: &Claim<'_>, text: &str, causes: &mut Causes) {
    if !request.user.handles_claims() {
        causes.push(cause::forbidden(keys::label_path(INSTANCE_STORAGE), text));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    const LABEL: &str = "vmoperator.vmware.com/instance-storage-resource";

    fn claim() -> Sample {
        Sample::of("v1", "PersistentVolumeClaim", &json!({}))
    }

    fn refused(text: &str) -> Vec<String> {
        vec![format!("metadata.labels[{LABEL}]: Forbidden: {text}")]
    }

    #[test]
    fn an_unmarked_claim_is_anyones() {
        assert!(claim().admitted().is_ok());
        assert!(claim().imported().spec("volumeName", json!("pv")).admitted().is_ok());
        assert!(claim().deleted().is_ok());
    }

    #[test]
    fn a_marked_claim_is_the_systems() {
        let marked = claim().label(LABEL, "true");
        assert_eq!(marked.denied(), refused("CREATE operation on PVC with instance storage label is not allowed"));
        let unmarked = marked.clone().imported().meta("labels", Value::Null);
        assert_eq!(unmarked.denied(), refused("UPDATE operation on PVC with instance storage label is not allowed"));
        let newly = claim().imported().label(LABEL, "true");
        assert_eq!(newly.denied(), refused("adding instance storage label is not allowed"));
        let error = marked.deleted().expect_err("the delete is refused");
        assert!(error.message.ends_with("DELETE operation on PVC with instance storage label is not allowed"));
    }

    #[test]
    fn the_systems_accounts_are_let_through() {
        for user in ["kubernetes-admin", "system:serviceaccount:vmware-system-csi:vsphere-csi-controller"] {
            let marked = claim().label(LABEL, "true").asked_by(user);
            assert!(marked.admitted().is_ok() && marked.deleted().is_ok(), "{user}");
        }
    }
}
