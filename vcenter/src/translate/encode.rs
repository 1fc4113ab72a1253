//! Writes the model's JSON as trees, by the table of types.
//!
//! The model keeps what it doesn't know of a spec as it came; what the table doesn't know of it is refused by its path, since a field
//! that is silently left out makes another VM than the one that was asked for.

use serde_json::{Map, Value};
use vmtwin_model::vsphere::ConfigSpec;

use super::types::{self, Field, Kind};
use crate::xml::Element;

/// Something that can't be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` of the request isn't translated for a vCenter: {why}")]
pub struct Untranslated {
    /// Where it stands.
    pub path: String,
    /// What is wrong with it.
    pub why: String,
}

impl Untranslated {
    fn new(path: &str, why: impl Into<String>) -> Self {
        Self { path: path.to_owned(), why: why.into() }
    }
}

/// A ConfigSpec as the argument of this name.
///
/// # Errors
/// If it holds something that isn't translated.
pub fn config_spec(name: &str, spec: &ConfigSpec) -> Result<Element, Untranslated> {
    let mut value = serde_json::to_value(spec).map_err(|error| Untranslated::new(name, error.to_string()))?;
    for change in value.get_mut("deviceChange").and_then(Value::as_array_mut).into_iter().flatten() {
        complete_disk(&mut change["device"]);
    }
    object(name, &value, "VirtualMachineConfigSpec", name)
}

/// A disk's capacity counts in kilobytes where the API requires it, and its backing is a file unless it says something else.
fn complete_disk(device: &mut Value) {
    if device["_typeName"] != "VirtualDisk" {
        return;
    }
    if let Some(bytes) = device["capacityInBytes"].as_i64() {
        device["capacityInKB"] = (bytes / 1024).into();
    }
    if let Some(backing) = device.get_mut("backing").and_then(Value::as_object_mut) {
        backing.entry("_typeName").or_insert_with(|| "VirtualDiskFlatVer2BackingInfo".into());
    }
}

/// A value of exactly this type.
///
/// # Errors
/// If it holds something that isn't translated.
pub fn object(name: &str, value: &Value, type_: &str, path: &str) -> Result<Element, Untranslated> {
    let fields = types::fields(type_).ok_or_else(|| Untranslated::new(path, format!("type {type_} isn't known")))?;
    let Some(object) = value.as_object() else { return Err(Untranslated::new(path, format!("{value} is no {type_}"))) };
    let stray = object.keys().find(|key| *key != "_typeName" && !fields.iter().any(|field| field.name == **key));
    if let Some(key) = stray {
        return Err(Untranslated::new(&format!("{path}.{key}"), format!("{type_} has no such field here")));
    }
    let mut element = Element::new(name);
    for field in fields {
        add(&mut element, object, field, path)?;
    }
    Ok(element)
}

fn add(element: &mut Element, object: &Map<String, Value>, field: &Field, path: &str) -> Result<(), Untranslated> {
    match object.get(field.name) {
        None | Some(Value::Null) => element.children.extend(field.required.map(|value| Element::text(field.name, value))),
        Some(Value::Array(values)) => {
            for (index, value) in values.iter().enumerate() {
                element.children.push(one(value, field, &format!("{path}.{}[{index}]", field.name))?);
            }
        }
        Some(value) => element.children.push(one(value, field, &format!("{path}.{}", field.name))?),
    }
    Ok(())
}

fn one(value: &Value, field: &Field, path: &str) -> Result<Element, Untranslated> {
    match field.kind {
        Kind::Plain => Ok(Element::text(field.name, text(value, path)?)),
        Kind::Reference(type_) => Ok(Element::reference(field.name, type_, &text(value, path)?)),
        Kind::Any => Ok(Element::text(field.name, text(value, path)?).typed("xsd:string")),
        Kind::Object(type_) => object(field.name, value, type_, path),
        Kind::Open(base) => {
            let type_ = value.get("_typeName").and_then(Value::as_str).unwrap_or(base);
            Ok(object(field.name, value, type_, path)?.typed(type_))
        }
        Kind::Opaque => Err(Untranslated::new(path, "its type isn't translated")),
    }
}

fn text(value: &Value, path: &str) -> Result<String, Untranslated> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(truth) => Ok(truth.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(Untranslated::new(path, format!("{value} is no plain value"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sent(spec: Value) -> Result<String, Untranslated> {
        let spec: ConfigSpec = serde_json::from_value(spec).expect("a config spec");
        let mut out = String::new();
        config_spec("spec", &spec)?.write(&mut out).expect("speakable text");
        Ok(out)
    }

    #[test]
    fn fields_leave_in_the_apis_order_and_extra_config_values_have_a_type() {
        let text = sent(json!({
            "extraConfig": [{"key": "a", "value": "1"}],
            "numCPUs": 2,
            "name": "web",
            "memoryMB": 1024,
            "managedBy": {"type": "VM", "extensionKey": "x"},
            "cpuAllocation": {"shares": {"level": "normal"}, "limit": -1, "reservation": 0},
            "vmProfile": [{"profileId": "p"}],
        }));
        let expected = "<spec><name>web</name><numCPUs>2</numCPUs><memoryMB>1024</memoryMB>\
            <cpuAllocation><reservation>0</reservation><limit>-1</limit><shares><shares>0</shares><level>normal</level></shares></cpuAllocation>\
            <extraConfig xsi:type=\"OptionValue\"><key>a</key><value xsi:type=\"xsd:string\">1</value></extraConfig>\
            <managedBy><extensionKey>x</extensionKey><type>VM</type></managedBy>\
            <vmProfile xsi:type=\"VirtualMachineDefinedProfileSpec\"><profileId>p</profileId></vmProfile></spec>";
        assert_eq!(text.as_deref(), Ok(expected));
    }

    #[test]
    fn boot_options_leave_in_the_apis_order_with_their_devices_by_type() {
        let text = sent(json!({"bootOptions": {"networkBootProtocol": "ipv6", "bootDelay": 10_000, "bootOrder": [
            {"_typeName": "VirtualMachineBootOptionsBootableDiskDevice", "deviceKey": 2000},
            {"_typeName": "VirtualMachineBootOptionsBootableCdromDevice"}]}}));
        let expected = "<spec><bootOptions><bootDelay>10000</bootDelay>\
            <bootOrder xsi:type=\"VirtualMachineBootOptionsBootableDiskDevice\"><deviceKey>2000</deviceKey></bootOrder>\
            <bootOrder xsi:type=\"VirtualMachineBootOptionsBootableCdromDevice\"></bootOrder>\
            <networkBootProtocol>ipv6</networkBootProtocol></bootOptions></spec>";
        assert_eq!(text.as_deref(), Ok(expected));
    }

    #[test]
    fn a_device_says_its_type_and_a_disk_its_kilobytes() {
        let text = sent(json!({"deviceChange": [{"operation": "add", "fileOperation": "create", "device": {
            "_typeName": "VirtualDisk", "key": -43, "capacityInBytes": 1_048_576, "backing": {"thinProvisioned": true}}}]}));
        let expected = "<spec><deviceChange><operation>add</operation><fileOperation>create</fileOperation>\
            <device xsi:type=\"VirtualDisk\"><key>-43</key><backing xsi:type=\"VirtualDiskFlatVer2BackingInfo\"><fileName></fileName>\
            <diskMode>persistent</diskMode><thinProvisioned>true</thinProvisioned></backing>\
            <capacityInKB>1024</capacityInKB><capacityInBytes>1048576</capacityInBytes></device></deviceChange></spec>";
        assert_eq!(text.as_deref(), Ok(expected));
    }

    #[test]
    fn what_is_not_translated_is_refused_by_its_path() {
        let told = |spec: Value| sent(spec).expect_err("refused").to_string();
        assert!(told(json!({"flags": {"vvtdEnabled": true}})).starts_with("`spec.flags` of the request isn't translated"));
        assert!(told(json!({"notAField": 1})).starts_with("`spec.notAField` of the request isn't translated"));
        let device = |device: Value| json!({"deviceChange": [{"device": device}]});
        assert!(told(device(json!({"_typeName": "VirtualFloppy", "key": 1}))).contains("type VirtualFloppy isn't known"));
        let backing = json!({"_typeName": "VirtualCdrom", "key": 1, "backing": {"fileName": "x"}});
        assert!(told(device(backing)).starts_with("`spec.deviceChange[0].device.backing` of the request isn't translated"));
    }

    #[test]
    fn a_customization_is_sent_by_the_same_table() {
        let spec = json!({
            "_typeName": "CustomizationSpec",
            "identity": {"_typeName": "CustomizationLinuxPrep", "hostName": {"_typeName": "CustomizationFixedName", "name": "web"}, "domain": "x"},
            "globalIPSettings": {"dnsServerList": ["1.1.1.1"]},
            "nicSettingMap": [{"adapter": {"ip": {"_typeName": "CustomizationDhcpIpGenerator"}}}],
        });
        let mut out = String::new();
        object("spec", &spec, "CustomizationSpec", "spec").expect("translated").write(&mut out).expect("speakable text");
        let expected = "<spec><identity xsi:type=\"CustomizationLinuxPrep\"><hostName xsi:type=\"CustomizationFixedName\"><name>web</name></hostName>\
            <domain>x</domain></identity><globalIPSettings><dnsServerList>1.1.1.1</dnsServerList></globalIPSettings>\
            <nicSettingMap><adapter><ip xsi:type=\"CustomizationDhcpIpGenerator\"></ip></adapter></nicSettingMap></spec>";
        assert_eq!(out, expected);
    }
}
