//! Cloud-init: its instance data and the user's configuration, in ExtraConfig or as a customization. Source: vm-lifecycle §11.9.
//!
//! Mirrors: vm-operator `pkg/providers/vsphere/vmlifecycle/bootstrap_cloudinit.go`.

use std::io::Write as _;

use base64::Engine as _;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use serde_json::{Map, Value, json};
use vmtwin_model::kube::virtual_machine::{CloudConfig, CloudInit, NetworkConfigInterfaceStatus, NetworkInterfaceSpec};
use vmtwin_model::vsphere::spec::{ConfigSpec, OptionValue};

use super::{Guest, Plan, customization, hashed, vapp};
use crate::pass::Cx;
use crate::vm::secrets::{self, Kept};
use crate::vm::{VmDraft, keys};

pub(super) fn plan(cx: &mut Cx<'_>, draft: &mut VmDraft, guest: &Guest<'_>, spec: &CloudInit) -> Result<Plan, String> {
    let instance_id = settle_instance_id(draft);
    let metadata = metadata(draft, &instance_id, spec, guest);
    let userdata = userdata(cx, draft, spec)?;
    if draft.annotation(keys::CLOUD_INIT_TYPE) == Some("cloudinitprep") {
        let identity = json!({"_typeName": "CustomizationCloudinitPrep", "metadata": metadata.to_string(), "userdata": userdata});
        let custom = json!({"_typeName": "CustomizationSpec", "identity": identity, "globalIPSettings": {}});
        return Ok(Plan { config: vapp::guest_info_transport(guest.config).map(hashed), custom: Some(custom), ..Plan::default() });
    }
    let content = json!([metadata, userdata]).to_string();
    Ok(Plan { config: Some((guest_info(guest, &metadata, &userdata), content)), ..Plan::default() })
}

/// The instance id: the spec's, else the annotation's, else the object's UID. What was settled stands in the spec from then on.
pub(crate) fn settle_instance_id(draft: &mut VmDraft) -> String {
    let said = draft.spec().bootstrap.as_ref().and_then(|bootstrap| bootstrap.cloud_init.as_ref()).map(|spec| spec.instance_id.clone());
    match said {
        Some(id) if id.is_empty() => {}
        said => return said.unwrap_or_default(),
    }
    let id = draft.annotation(keys::CLOUD_INIT_INSTANCE_ID).filter(|id| !id.is_empty()).unwrap_or(draft.base().uid()).to_owned();
    if let Some(cloud_init) = draft.spec_mut().bootstrap.as_mut().and_then(|bootstrap| bootstrap.cloud_init.as_mut()) {
        cloud_init.instance_id.clone_from(&id);
    }
    id
}

/// Both data as ExtraConfig. A vApp's configuration goes, since cloud-init would read that before.
fn guest_info(guest: &Guest<'_>, metadata: &Value, userdata: &str) -> ConfigSpec {
    let mut spec = ConfigSpec::default();
    let data = [("guestinfo.metadata", metadata.to_string()), ("guestinfo.userdata", userdata.to_owned())];
    for (key, text) in data.into_iter().filter(|(_, text)| !text.is_empty()) {
        spec.extra_config.push(OptionValue::new(key, gzip_base64(&text)));
        spec.extra_config.push(OptionValue::new(format!("{key}.encoding"), "gzip+base64"));
    }
    if guest.config.v_app_config.is_some() {
        spec.rest.insert("vAppConfigRemoved".to_owned(), true.into());
    }
    spec
}

/// Cloud-init's instance data, with the network in its version 2.
fn metadata(draft: &VmDraft, instance_id: &str, spec: &CloudInit, guest: &Guest<'_>) -> Value {
    let config = draft.status().network.as_ref().and_then(|network| network.config.clone()).unwrap_or_default();
    let dns = config.dns.unwrap_or_default();
    let name = if dns.domain_name.is_empty() { dns.host_name } else { format!("{}.{}", dns.host_name, dns.domain_name) };
    let asked = draft.spec().network.as_ref().map(|network| network.interfaces.as_slice()).unwrap_or_default();
    let ethernets: Map<String, Value> = config
        .interfaces
        .iter()
        .enumerate()
        .map(|(nth, interface)| (interface.name.clone(), ethernet(interface, asked.get(nth), &customization::mac(guest, nth))))
        .collect();
    let mut data = json!({
        "instance-id": instance_id,
        "hostname": name,
        "local-hostname": name,
        "network": {"version": 2, "ethernets": ethernets},
    });
    if !spec.ssh_authorized_keys.is_empty() {
        data["public-keys"] = spec.ssh_authorized_keys.join("\n").into();
    }
    if spec.wait_on_network4.is_some() || spec.wait_on_network6.is_some() {
        data["wait-on-network"] = json!({"ipv4": spec.wait_on_network4.unwrap_or(false), "ipv6": spec.wait_on_network6.unwrap_or(false)});
    }
    data
}

fn ethernet(config: &NetworkConfigInterfaceStatus, asked: Option<&NetworkInterfaceSpec>, mac: &str) -> Value {
    let ip = config.ip.clone().unwrap_or_default();
    let dns = config.dns.clone().unwrap_or_default();
    let dhcp = ip.dhcp.unwrap_or_default();
    let device = asked.map(|asked| asked.guest_device_name.as_str()).filter(|name| !name.is_empty()).unwrap_or(&config.name);
    let mut value = json!({"set-name": device, "dhcp4": dhcp.ip4.is_some(), "dhcp6": dhcp.ip6.is_some()});
    if !mac.is_empty() {
        value["match"] = json!({"macaddress": mac});
    }
    if let Some(mtu) = asked.and_then(|asked| asked.mtu).filter(|mtu| *mtu > 0) {
        value["mtu"] = mtu.into();
    }
    if !ip.addresses.is_empty() {
        value["addresses"] = json!(ip.addresses);
    }
    for (key, gateway) in [("gateway4", &ip.gateway4), ("gateway6", &ip.gateway6)] {
        if !gateway.is_empty() {
            value[key] = json!(gateway);
        }
    }
    if !dns.nameservers.is_empty() || !dns.search_domains.is_empty() {
        value["nameservers"] = json!({"addresses": dns.nameservers, "search": dns.search_domains});
    }
    let routes: Vec<Value> = asked.into_iter().flat_map(|asked| &asked.routes).map(route).collect();
    if !routes.is_empty() {
        value["routes"] = json!(routes);
    }
    value
}

fn route(route: &vmtwin_model::kube::virtual_machine::NetworkRouteSpec) -> Value {
    let mut value = json!({"to": route.to, "via": route.via});
    if route.metric != 0 {
        value["metric"] = route.metric.into();
    }
    value
}

/// The user's configuration: as fields, or as a Secret's text.
fn userdata(cx: &mut Cx<'_>, draft: &VmDraft, spec: &CloudInit) -> Result<String, String> {
    if let Some(config) = &spec.cloud_config {
        return cloud_config(cx, draft, config);
    }
    let Some(raw) = &spec.raw_cloud_config else { return Ok(String::new()) };
    secrets::value(cx, draft, &Kept::user_data(raw))
        .map(|text| customization::plain_text(&text))
        .map_err(|missing| missing.message.to_string())
}

/// The fields as a document of cloud-init's, with what Secrets hold in its place.
fn cloud_config(cx: &mut Cx<'_>, draft: &VmDraft, config: &CloudConfig) -> Result<String, String> {
    check_commands(config.runcmd.as_ref())?;
    let mut document = serde_json::to_value(config).map_err(|error| error.to_string())?;
    let fields = document.as_object_mut().ok_or("a cloud config has fields")?;
    let default_user = fields.remove("defaultUserEnabled").is_some();
    let mut held = |kept: &Kept| secrets::value(cx, draft, kept).map_err(|missing| missing.message.to_string());
    for (user, written) in config.users.iter().zip(fields.get_mut("users").and_then(Value::as_array_mut).into_iter().flatten()) {
        for (key, selector) in [("passwd", &user.passwd), ("hashed_passwd", &user.hashed_passwd)] {
            if let Some(selector) = selector {
                written[key] = held(&Kept::selected(selector))?.into();
            }
        }
    }
    for (file, written) in config.write_files.iter().zip(fields.get_mut("write_files").and_then(Value::as_array_mut).into_iter().flatten())
    {
        if let Some(kept) = file.content.as_ref().and_then(secrets::content_of) {
            written["content"] = held(&kept)?.into();
        }
    }
    if default_user {
        let users = fields.entry("users").or_insert_with(|| json!([]));
        users.as_array_mut().ok_or("users are a list")?.insert(0, "default".into());
    }
    if fields.is_empty() {
        return Ok(String::new());
    }
    Ok(format!("## template: jinja\n#cloud-config\n\n{document}\n"))
}

/// Commands are a list of texts, or of lists of texts.
fn check_commands(commands: Option<&Value>) -> Result<(), String> {
    let Some(commands) = commands else { return Ok(()) };
    let is_command = |command: &Value| command.is_string() || command.as_array().is_some_and(|words| words.iter().all(Value::is_string));
    match commands.as_array() {
        Some(list) if list.iter().all(is_command) => Ok(()),
        _ => Err(format!("runcmd is neither a list of strings nor a list of lists of strings: {commands}")),
    }
}

/// Compressed and encoded as cloud-init's VMware data source reads it; no time stamp goes in.
pub(crate) fn gzip_base64(text: &str) -> String {
    let mut encoder: GzEncoder<Vec<u8>> = GzBuilder::new().mtime(0).write(Vec::new(), Compression::new(6));
    encoder.write_all(text.as_bytes()).expect("writing to memory can't fail");
    let bytes = encoder.finish().expect("writing to memory can't fail");
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_the_same_every_time() {
        assert_eq!(gzip_base64("hello"), gzip_base64("hello"));
        assert!(gzip_base64("hello").starts_with("H4sI"), "it is gzip");
        assert_eq!(customization::plain_text(&gzip_base64("hello")), "hello", "what users encoded is read again");
    }

    #[test]
    fn commands_are_texts_or_lists_of_texts() {
        let told = |commands: Value| check_commands(Some(&commands));
        assert_eq!(told(json!(["ls", ["ls", "-l"]])), Ok(()));
        assert!(told(json!("invalid")).is_err_and(|why| why.starts_with("runcmd is neither")));
        assert!(told(json!([1])).is_err());
    }

    #[test]
    fn an_interface_tells_cloud_init_what_only_that_understands() {
        let config = NetworkConfigInterfaceStatus { name: "eth0".to_owned(), ..NetworkConfigInterfaceStatus::default() };
        let asked: NetworkInterfaceSpec = serde_json::from_value(json!({
            "name": "eth0", "guestDeviceName": "ens192", "mtu": 9000, "routes": [{"to": "default", "via": "10.0.0.1"}]
        }))
        .expect("an interface");
        let value = ethernet(&config, Some(&asked), "00:50:56:aa:bb:cc");
        assert_eq!(
            value,
            json!({"set-name": "ens192", "dhcp4": false, "dhcp6": false, "match": {"macaddress": "00:50:56:aa:bb:cc"}, "mtu": 9000,
                "routes": [{"to": "default", "via": "10.0.0.1"}]})
        );
    }
}
