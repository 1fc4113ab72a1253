//! VM-V-153 to VM-V-155: vApp properties are given one by one or as a Secret, each with a key and one value.
//!
//! Page: admission §13. Paths name no index, as upstream's.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateVAppConfig`.

use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::cause::{self, Causes};
use crate::admission::request::Request;

const FIELD: &str = "spec.bootstrap.vAppConfig";

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let bootstrap = request.new.spec.bootstrap.as_ref();
    let Some(config) = bootstrap.and_then(|bootstrap| bootstrap.vapp_config.as_ref()) else { return };
    if !config.properties.is_empty() && !config.raw_properties.is_empty() {
        causes.push(cause::type_invalid(FIELD, "vAppConfig", "properties and rawProperties are mutually exclusive"));
    }
    for property in &config.properties {
        if property.key.is_empty() {
            let text = "key is a required field in vAppConfig Properties";
            causes.push(cause::invalid(format!("{FIELD}.properties.key"), "key", text));
        }
        if property.value.as_ref().is_some_and(|value| value.from.is_some() && value.value.is_some()) {
            let text = "from and value are mutually exclusive";
            causes.push(cause::invalid(format!("{FIELD}.properties.value"), "value", text));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    fn with(config: Value) -> Sample {
        Sample::vm().spec("bootstrap", json!({"vAppConfig": config}))
    }

    #[test]
    fn properties_are_given_once() {
        let properties = json!([{"key": "k", "value": {"value": "v"}}]);
        assert!(with(json!({"properties": properties})).admitted().is_ok());
        let both = with(json!({"properties": properties, "rawProperties": "secret"}));
        let text = "spec.bootstrap.vAppConfig: Invalid value: \"vAppConfig\": properties and rawProperties are mutually exclusive";
        assert_eq!(both.denied(), [text]);
    }

    #[test]
    fn a_property_has_a_key_and_one_value() {
        let property = json!({"key": "", "value": {"value": "v", "from": {"name": "s", "key": "k"}}});
        assert_eq!(
            with(json!({"properties": [property]})).denied(),
            [
                "spec.bootstrap.vAppConfig.properties.key: Invalid value: \"key\": key is a required field in vAppConfig Properties",
                "spec.bootstrap.vAppConfig.properties.value: Invalid value: \"value\": from and value are mutually exclusive",
            ]
        );
    }
}
