//! VM-V-159: a VM keeps the bootstrap provider that it has. Another may be added, and its settings may change.
//!
//! Page: admission §13. The first of the providers that is gone is said; vApp properties come and go freely.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateBootstrapProviderChange`.

use vmtwin_model::kube::virtual_machine::{BootstrapSpec, VirtualMachine};

use crate::admission::cause::{self, Causes};
use crate::admission::changes::{self, May};
use crate::admission::request::Request;

type Has = fn(&BootstrapSpec) -> bool;

const PROVIDERS: [(&str, Has); 3] = [
    ("cloudInit", |bootstrap| bootstrap.cloud_init.is_some()),
    ("linuxPrep", |bootstrap| bootstrap.linux_prep.is_some()),
    ("sysprep", |bootstrap| bootstrap.sysprep.is_some()),
];

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let Some(old) = request.old_spec().and_then(|old| old.bootstrap.as_ref()) else { return };
    let path = changes::BOOTSTRAP.path;
    if request.user.is_privileged() || changes::BOOTSTRAP.may(changes::power(request)) != May::Privileged {
        return;
    }
    let gone = match &request.new.spec.bootstrap {
        None => Some(path.to_owned()),
        Some(new) => {
            let gone = PROVIDERS.iter().find(|(_, has)| has(old) && !has(new));
            gone.map(|(provider, _)| format!("{path}.{provider}"))
        }
    };
    if let Some(field) = gone {
        causes.push(cause::forbidden(field, "bootstrap provider type cannot be changed"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    fn changed(old: Value, new: Value) -> Sample {
        Sample::vm().spec("bootstrap", old).stored().spec("bootstrap", new)
    }

    #[test]
    fn a_provider_may_be_added_and_its_settings_changed() {
        assert!(changed(Value::Null, json!({"cloudInit": {}})).admitted().is_ok());
        assert!(changed(json!({"linuxPrep": {}}), json!({"linuxPrep": {"timeZone": "UTC"}})).admitted().is_ok());
        assert!(changed(json!({"vAppConfig": {}}), json!({})).admitted().is_ok());
    }

    #[test]
    fn privileged_users_alone_take_one_away() {
        let dropped = changed(json!({"cloudInit": {}}), Value::Null);
        assert_eq!(dropped.denied(), ["spec.bootstrap: Forbidden: bootstrap provider type cannot be changed"]);
        assert!(dropped.privileged().admitted().is_ok());
        let swapped = changed(json!({"cloudInit": {}}), json!({"linuxPrep": {}}));
        assert_eq!(swapped.denied(), ["spec.bootstrap.cloudInit: Forbidden: bootstrap provider type cannot be changed"]);
    }
}
