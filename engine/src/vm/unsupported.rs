//! What a VM's spec may ask for and this version doesn't bring about, refused by the field's name.
//!
//! No VM is made that would silently lack what its object asks for; a VM that exists goes through all its steps, and its pass ends
//! in the error.

use vmtwin_model::kube::virtual_machine::VirtualMachineSpec;

/// The error for the first such field, if there is one.
pub(super) fn refusal(spec: &VirtualMachineSpec) -> Option<String> {
    let asked = [("spec.hardware.cdrom", spec.hardware.as_ref().is_some_and(|hardware| !hardware.cdrom.is_empty()))];
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
        assert_eq!(
            told(serde_json::json!({"className": "small", "volumes": [{"name": "data"}], "crypto": {"encryptionClassName": "k"}})),
            None
        );
        let image = serde_json::json!({"kind": "VirtualMachineImage", "name": "vmi-1"});
        assert_eq!(told(serde_json::json!({"hardware": {"cdrom": [{"name": "cd", "image": image}]}})), refused("spec.hardware.cdrom"));
    }
}
