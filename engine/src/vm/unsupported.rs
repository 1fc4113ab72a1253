//! What a VM's spec may ask for and this version doesn't bring about, refused by the field's name.
//!
//! No VM is made that would silently lack what its object asks for; a VM that exists goes through all its steps, and its pass ends
//! in the error.

use vmtwin_model::kube::virtual_machine::VirtualMachineSpec;

/// The error for the first such field, if there is one.
pub(super) fn refusal(spec: &VirtualMachineSpec) -> Option<String> {
    let asked = [
        ("spec.volumes[].persistentVolumeClaim", spec.volumes.iter().any(|volume| volume.persistent_volume_claim.is_some())),
        ("spec.crypto.encryptionClassName", spec.crypto.as_ref().is_some_and(|crypto| !crypto.encryption_class_name.is_empty())),
    ];
    let (what, _) = asked.into_iter().find(|(_, asked)| *asked)?;
    Some(format!("{what} is not supported yet by this version of vmtwin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_built_is_refused_by_its_field() {
        let told = |spec: serde_json::Value| refusal(&serde_json::from_value(spec).expect("a spec"));
        let refused = |field: &str| Some(format!("{field} is not supported yet by this version of vmtwin"));
        assert_eq!(told(serde_json::json!({"className": "small", "volumes": [{"name": "data"}], "crypto": {}})), None);
        let claim = serde_json::json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]});
        assert_eq!(told(claim), refused("spec.volumes[].persistentVolumeClaim"));
        assert_eq!(told(serde_json::json!({"crypto": {"encryptionClassName": "k"}})), refused("spec.crypto.encryptionClassName"));
    }
}
