//! VM-V-140 to VM-V-143: which bootstrap providers go together.
//!
//! Page: admission §13. A provider without settings is one, too.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateBootstrap`.

use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::cause::{self, Causes};
use crate::admission::request::Request;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let Some(bootstrap) = &request.new.spec.bootstrap else { return };
    let (cloud_init, linux_prep, sysprep, vapp_config) =
        (bootstrap.cloud_init.is_some(), bootstrap.linux_prep.is_some(), bootstrap.sysprep.is_some(), bootstrap.vapp_config.is_some());
    let conflicts = [
        ("cloudInit", cloud_init && (linux_prep || sysprep || vapp_config), "CloudInit may not be used with any other bootstrap provider"),
        (
            "linuxPrep",
            linux_prep && (cloud_init || sysprep),
            "LinuxPrep may not be used with either CloudInit or Sysprep bootstrap providers",
        ),
        (
            "sysprep",
            sysprep && (cloud_init || linux_prep),
            "Sysprep may not be used with either CloudInit or LinuxPrep bootstrap providers",
        ),
        ("vAppConfig", vapp_config && cloud_init, "vAppConfig may not be used in conjunction with CloudInit bootstrap provider"),
    ];
    for (provider, _, text) in conflicts.into_iter().filter(|(_, conflicts, _)| *conflicts) {
        causes.push(cause::forbidden(format!("spec.bootstrap.{provider}"), text));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    fn with(bootstrap: Value) -> Sample {
        Sample::vm().spec("bootstrap", bootstrap)
    }

    #[test]
    fn vapp_properties_go_with_linux_prep_and_sysprep() {
        assert!(with(json!({"linuxPrep": {}, "vAppConfig": {}})).admitted().is_ok());
        assert_eq!(
            with(json!({"cloudInit": {}, "vAppConfig": {}})).denied(),
            [
                "spec.bootstrap.cloudInit: Forbidden: CloudInit may not be used with any other bootstrap provider",
                "spec.bootstrap.vAppConfig: Forbidden: vAppConfig may not be used in conjunction with CloudInit bootstrap provider",
            ]
        );
    }

    #[test]
    fn linux_prep_and_sysprep_exclude_each_other() {
        assert_eq!(
            with(json!({"linuxPrep": {}, "sysprep": {"rawSysprep": {"name": "s", "key": "k"}}})).denied(),
            [
                "spec.bootstrap.linuxPrep: Forbidden: LinuxPrep may not be used with either CloudInit or Sysprep bootstrap providers",
                "spec.bootstrap.sysprep: Forbidden: Sysprep may not be used with either CloudInit or LinuxPrep bootstrap providers",
            ]
        );
    }
}
