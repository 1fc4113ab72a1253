//! VM-V-156, VM-V-157: scripts and expiring passwords of the guest customization wait for a gate; then a script is written out or kept
//! in a Secret, not both.
//!
//! Page: admission §13. Two of the paths are one level short, as upstream's.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateLinuxPrep`, `validateInlineSysprep`.

use vmtwin_model::kube::virtual_machine::{BootstrapSpec, VirtualMachine};

use crate::admission::cause::{self, Causes};
use crate::admission::request::Request;
use crate::features::Feature;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let Some(bootstrap) = &request.new.spec.bootstrap else { return };
    if request.cx.on(Feature::GuestCustomizationVCDParity) {
        validate_scripts(bootstrap, causes);
        return;
    }
    let mut refuse = |field: &str, is_set: bool| {
        if is_set {
            let text = "VC guest customization VCD parity capability is not enabled";
            causes.push(cause::forbidden(format!("spec.bootstrap.{field}"), text));
        }
    };
    if let Some(linux_prep) = &bootstrap.linux_prep {
        refuse("linuxPrep.expirePasswordAfterNextLogin", linux_prep.expire_password_after_next_login);
        refuse("linuxPrep.password", linux_prep.password.is_some());
        refuse("linuxPrep.scriptText", linux_prep.script_text.is_some());
    }
    if let Some(sysprep) = bootstrap.sysprep.as_ref().and_then(|sysprep| sysprep.sysprep.as_ref()) {
        refuse("sysprep.expirePasswordAfterNextLogin", sysprep.expire_password_after_next_login);
        refuse("sysprep.scriptText", sysprep.script_text.is_some());
    }
}

/// VM-V-157.
fn validate_scripts(bootstrap: &BootstrapSpec, causes: &mut Causes) {
    let linux = bootstrap.linux_prep.as_ref().and_then(|linux_prep| linux_prep.script_text.as_ref());
    let windows = bootstrap.sysprep.as_ref().and_then(|sysprep| sysprep.sysprep.as_ref()?.script_text.as_ref());
    for (field, script) in [("linuxPrep", linux), ("sysprep.sysprep", windows)] {
        if script.is_some_and(|script| script.from.is_some() && script.value.is_some()) {
            let field = format!("spec.bootstrap.{field}.scriptText.value");
            causes.push(cause::invalid(field, "value", "from and value are mutually exclusive"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    fn refused(field: &str) -> String {
        format!("spec.bootstrap.{field}: Forbidden: VC guest customization VCD parity capability is not enabled")
    }

    fn with(bootstrap: Value) -> Sample {
        Sample::vm().spec("bootstrap", bootstrap)
    }

    #[test]
    fn linux_prep_sets_no_password_and_runs_no_script() {
        assert!(with(json!({"linuxPrep": {"timeZone": "UTC"}})).admitted().is_ok());
        let more = json!({"expirePasswordAfterNextLogin": true, "password": {"name": "s"}, "scriptText": {"value": "x"}});
        let fields = ["linuxPrep.expirePasswordAfterNextLogin", "linuxPrep.password", "linuxPrep.scriptText"];
        assert_eq!(with(json!({"linuxPrep": more})).denied(), fields.map(refused));
    }

    #[test]
    fn sysprep_runs_no_script() {
        let inline = json!({
            "userData": {"fullName": "a", "orgName": "b"}, "expirePasswordAfterNextLogin": true, "scriptText": {"value": "x"}
        });
        let fields = ["sysprep.expirePasswordAfterNextLogin", "sysprep.scriptText"];
        assert_eq!(with(json!({"sysprep": {"sysprep": inline}})).denied(), fields.map(refused));
    }
}
