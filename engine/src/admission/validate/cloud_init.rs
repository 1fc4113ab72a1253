//! VM-V-144 to VM-V-147: cloud-init's data is given as fields or raw, and its free-form fields have a form that cloud-init reads.
//!
//! Page: admission §13.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateCloudInit`; `pkg/util/cloudinit/validate`.

use serde_json::Value;
use vmtwin_model::kube::virtual_machine::{CloudConfig, VirtualMachine};

use crate::admission::cause::{self, Causes, Structure};
use crate::admission::request::Request;

const FIELD: &str = "spec.bootstrap.cloudInit";

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let bootstrap = request.new.spec.bootstrap.as_ref();
    let Some(cloud_init) = bootstrap.and_then(|bootstrap| bootstrap.cloud_init.as_ref()) else { return };
    if cloud_init.cloud_config.is_some() && cloud_init.raw_cloud_config.is_some() {
        causes.push(cause::invalid(FIELD, "cloudInit", "cloudConfig and rawCloudConfig are mutually exclusive"));
    }
    if let Some(config) = &cloud_init.cloud_config {
        validate_commands(config, causes);
        validate_files(config, causes);
    }
}

fn validate_commands(config: &CloudConfig, causes: &mut Causes) {
    let path = format!("{FIELD}.cloudConfig.runcmds");
    match &config.runcmd {
        None | Some(Value::Null) => {}
        Some(Value::Array(commands)) => {
            for (index, command) in commands.iter().enumerate().filter(|(_, command)| !is_command(command)) {
                let text = "value must be a string or list of strings";
                causes.push(cause::invalid(format!("{path}[{index}]"), Structure(command), text));
            }
        }
        Some(other) => causes.push(cause::invalid(path, Structure(other), "value must be a list")),
    }
}

fn is_command(command: &Value) -> bool {
    match command {
        Value::String(_) => true,
        Value::Array(words) => words.iter().all(Value::is_string),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

fn validate_files(config: &CloudConfig, causes: &mut Causes) {
    for file in &config.write_files {
        let content = file.content.as_ref().unwrap_or(&Value::Null);
        if !is_content(content) {
            let text = "value must be a string, multi-line string, or SecretKeySelector";
            causes.push(cause::invalid(format!("{FIELD}.cloudConfig.write_files[{}]", file.path), Structure(content), text));
        }
    }
}

fn is_content(content: &Value) -> bool {
    match content {
        Value::Null | Value::String(_) => true,
        Value::Object(selector) => ["name", "key"].iter().all(|field| selector.get(*field).is_some_and(Value::is_string)),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    fn with(cloud_init: Value) -> Sample {
        Sample::vm().spec("bootstrap", json!({"cloudInit": cloud_init}))
    }

    #[test]
    fn the_data_is_given_once() {
        assert!(with(json!({"rawCloudConfig": {"name": "s", "key": "k"}})).admitted().is_ok());
        let twice = with(json!({"cloudConfig": {}, "rawCloudConfig": {"name": "s", "key": "k"}}));
        let text = "spec.bootstrap.cloudInit: Invalid value: \"cloudInit\": cloudConfig and rawCloudConfig are mutually exclusive";
        assert_eq!(twice.denied(), [text]);
    }

    #[test]
    fn commands_are_strings_or_lists_of_strings() {
        let with = |commands: Value| with(json!({"cloudConfig": {"runcmd": commands}}));
        assert!(with(json!(["ls", ["echo", "a"]])).admitted().is_ok());
        let path = "spec.bootstrap.cloudInit.cloudConfig.runcmds";
        let denied = with(json!("ls")).denied();
        assert!(denied[0].starts_with(path) && denied[0].ends_with("value must be a list"), "{denied:?}");
        let denied = with(json!(["ls", 1, ["a", 2]])).denied();
        assert!(denied[0].starts_with(&format!("{path}[1]: Invalid value: ")), "{denied:?}");
        assert!(denied[1].starts_with(&format!("{path}[2]: Invalid value: ")), "{denied:?}");
    }

    #[test]
    fn files_have_text_or_a_secrets() {
        let with = |content: Value| with(json!({"cloudConfig": {"write_files": [{"path": "/etc/motd", "content": content}]}}));
        assert!(with(json!("hello")).admitted().is_ok());
        assert!(with(json!({"name": "s", "key": "k"})).admitted().is_ok());
        let denied = with(json!(["a"])).denied();
        let text = "value must be a string, multi-line string, or SecretKeySelector";
        assert!(denied[0].starts_with("spec.bootstrap.cloudInit.cloudConfig.write_files[/etc/motd]: ") && denied[0].ends_with(text));
    }
}
