//! vApp properties: values for what the image lets its user set, each of the type that the image says. Source: vm-lifecycle §11.9.
//!
//! Mirrors: vm-operator `pkg/providers/vsphere/vmlifecycle/bootstrap_vappconfig.go`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Value, json};
use vmtwin_model::kube::virtual_machine::VAppConfig;
use vmtwin_model::vsphere::spec::ConfigSpec;
use vmtwin_model::vsphere::vm::{Config, VAppProperty};

use super::{Guest, template};
use crate::pass::Cx;
use crate::vm::VmDraft;
use crate::vm::secrets::{self, Kept};

/// How the guest reads its properties where it has no CD-ROM for them.
const GUEST_INFO: &str = "com.vmware.guestInfo";
/// The longest value of a text.
const TEXT_MAX: usize = 65_535;

/// The change of the VM's vApp configuration; nothing where all properties have their values.
pub(super) fn config(cx: &mut Cx<'_>, draft: &VmDraft, guest: &Guest<'_>, spec: &VAppConfig) -> Result<Option<ConfigSpec>, String> {
    let Some(there) = &guest.config.v_app_config else { return Err("vAppConfig is not yet available".to_owned()) };
    let mut values = values(cx, draft, spec)?;
    let data = template::Data::of(draft, guest);
    values.values_mut().for_each(|value| *value = data.render(value));
    let mut changed = Vec::new();
    for property in there.property.iter().filter(|property| property.user_configurable == Some(true)) {
        let Some(value) = values.get(&*property.id).filter(|value| ***value != *property.value) else { continue };
        let info = VAppProperty { value: settled(property, value)?.into(), ..property.clone() };
        changed.push(json!({"operation": "edit", "info": info}));
    }
    if changed.is_empty() {
        return Ok(None);
    }
    Ok(Some(change(json!({"property": changed, "ovfEnvironmentTransport": [GUEST_INFO]}))))
}

/// Has properties travel by guest info, unless they do already.
pub(super) fn guest_info_transport(config: &Config) -> Option<ConfigSpec> {
    let there = config.v_app_config.as_ref().is_some_and(|vapp| vapp.ovf_environment_transport.iter().any(|way| **way == *GUEST_INFO));
    (!there).then(|| change(json!({"ovfEnvironmentTransport": [GUEST_INFO]})))
}

fn change(vapp: Value) -> ConfigSpec {
    let mut spec = ConfigSpec::default();
    spec.rest.insert("vAppConfig".to_owned(), vapp);
    spec
}

/// The values by property: written out, from Secrets one by one, or all of one Secret.
fn values(cx: &mut Cx<'_>, draft: &VmDraft, spec: &VAppConfig) -> Result<BTreeMap<String, String>, String> {
    if spec.properties.is_empty() && !spec.raw_properties.is_empty() {
        let held = secrets::find(cx, draft, &Kept::whole(&spec.raw_properties)).map_err(|missing| missing.message.to_string())?;
        let texts = held.as_object().into_iter().flatten();
        return Ok(texts.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect());
    }
    let mut values = BTreeMap::new();
    for property in &spec.properties {
        let Some(value) = &property.value else { continue };
        let text = match (&value.value, &value.from) {
            (Some(text), _) => text.clone(),
            (None, Some(selector)) => {
                secrets::value(cx, draft, &Kept::selected(selector)).map_err(|missing| missing.message.to_string())?
            }
            (None, None) => continue,
        };
        values.insert(property.key.clone(), text);
    }
    Ok(values)
}

/// The value as the property's type has it, or what is wrong with it. A type that isn't known takes anything.
fn settled(property: &VAppProperty, value: &str) -> Result<String, String> {
    let (id, type_) = (&property.id, &*property.type_);
    let unparsable = || format!("failed to parse prop={id:?}, type={type_}, value={value}");
    let as_it_is = |fits: bool| if fits { Ok(value.to_owned()) } else { Err(unparsable()) };
    match type_ {
        "string" | "password" => within_length(property, value, 0, TEXT_MAX),
        "boolean" => {
            let holds = matches!(value, "1" | "t" | "T" | "TRUE" | "true" | "True");
            Ok(if holds { "True" } else { "False" }.to_owned())
        }
        "int" => as_it_is(value.parse::<i32>().is_ok()),
        "real" => as_it_is(value.parse::<f64>().is_ok()),
        "ip" => as_it_is(value.parse::<IpAddr>().is_ok()),
        "expression" => Err(format!("failed to parse unsupported prop={id:?}, type={type_}, value={value}, reason=unsupported type")),
        _ if type_.starts_with("ip:") => {
            Err(format!("failed to parse unsupported prop={id:?}, type={type_}, value={value}, reason=unsupported type"))
        }
        _ => match bounds(type_) {
            Some(("string" | "password", low, high)) => {
                let low: Option<usize> = if low.is_empty() { Some(0) } else { low.parse().ok() };
                let high: Option<usize> = if high.is_empty() { Some(TEXT_MAX) } else { high.parse().ok() };
                match (low, high) {
                    (Some(low), Some(high)) if low > high => {
                        Err(format!("failed to parse prop={id:?}, type={type_} due to min={low} > max={high}"))
                    }
                    (Some(low), Some(high)) => within_length(property, value, low, high),
                    _ => Ok(value.to_owned()),
                }
            }
            Some(("int", low, high)) => within_size(property, value, low, high),
            Some(("real", low, high)) => within_real(property, value, low, high),
            _ => Ok(value.to_owned()),
        },
    }
}

/// `kind(low..high)` in its three parts.
fn bounds(type_: &str) -> Option<(&str, &str, &str)> {
    let (kind, rest) = type_.split_once('(')?;
    let (low, high) = rest.strip_suffix(')')?.split_once("..")?;
    Some((kind, low, high))
}

fn within_length(property: &VAppProperty, value: &str, low: usize, high: usize) -> Result<String, String> {
    if (low..=high).contains(&value.len()) {
        return Ok(value.to_owned());
    }
    let (id, type_) = (&property.id, &property.type_);
    Err(format!("failed to parse prop={id:?}, type={type_} due to length: len={}, min={low}, max={high}", value.len()))
}

fn within_size(property: &VAppProperty, value: &str, low: &str, high: &str) -> Result<String, String> {
    let (id, type_) = (&property.id, &property.type_);
    let (Ok(low), Ok(high)) = (low.parse::<i128>(), high.parse::<i128>()) else { return Ok(value.to_owned()) };
    if low > high {
        return Err(format!("failed to parse prop={id:?}, type={type_} due to min={low} > max={high}"));
    }
    match value.parse::<i128>() {
        Ok(size) if (low..=high).contains(&size) => Ok(value.to_owned()),
        Ok(size) => Err(format!("failed to parse prop={id:?}, type={type_} due to size: val={size}, min={low}, max={high}")),
        Err(_) => Err(format!("failed to parse prop={id:?}, type={type_}, value={value}")),
    }
}

fn within_real(property: &VAppProperty, value: &str, low: &str, high: &str) -> Result<String, String> {
    let (id, type_) = (&property.id, &property.type_);
    let (Ok(low), Ok(high)) = (low.parse::<f64>(), high.parse::<f64>()) else { return Ok(value.to_owned()) };
    if low > high {
        return Err(format!("failed to parse prop={id:?}, type={type_} due to min={low:.6} > max={high:.6}"));
    }
    match value.parse::<f64>() {
        Ok(size) if (low..=high).contains(&size) => Ok(value.to_owned()),
        Ok(size) => Err(format!("failed to parse prop={id:?}, type={type_} due to size: val={size:.6}, min={low:.6}, max={high:.6}")),
        Err(_) => Err(format!("failed to parse prop={id:?}, type={type_}, value={value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_held_against_its_type() {
        let told =
            |type_: &str, value: &str| settled(&VAppProperty { id: "p".into(), type_: type_.into(), ..VAppProperty::default() }, value);
        let fits = |type_: &str, value: &str| told(type_, value).is_ok();
        assert_eq!(told("boolean", "t"), Ok("True".to_owned()));
        assert_eq!(told("boolean", "yes"), Ok("False".to_owned()));
        assert!(fits("int", "-5") && !fits("int", "3000000000") && !fits("int", "x"));
        assert!(fits("real", "1.5") && !fits("real", "x"));
        assert!(fits("ip", "10.0.0.1") && fits("ip", "fd00::1") && !fits("ip", "10"));
        assert!(!fits("expression", "x") && !fits("ip:net", "10.0.0.1"));
        assert!(fits("string(3..)", "abc") && !fits("string(4..)", "abc") && !fits("password(..2)", "abc"));
        assert!(fits("int(0..255)", "255") && !fits("int(0..255)", "256"));
        assert_eq!(told("int(9..1)", "5"), Err("failed to parse prop=\"p\", type=int(9..1) due to min=9 > max=1".to_owned()));
        assert!(fits("real(-1.5..1.5)", "1") && !fits("real(-1.5..1.5)", "2"));
        assert_eq!(
            told("string(..2)", "abc"),
            Err("failed to parse prop=\"p\", type=string(..2) due to length: len=3, min=0, max=2".to_owned())
        );
        assert!(fits("unheard of", "anything"));
    }
}
