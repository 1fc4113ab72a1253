//! Preparing the guest: what cloud-init reads, or what vSphere customizes at the next power-on. Source: vm-lifecycle §11.9.
//!
//! Each part is applied once: a hash of it is kept on the object, and an equal hash is passed over. LinuxPrep, Sysprep and vApp properties as the VM's
//! own choice come with the rest of the bootstrap providers; a VM that names one is told so.

use std::io::Write as _;

use base64::Engine as _;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use vmtwin_model::kube::power::PowerState as Desired;
use vmtwin_model::kube::virtual_machine::{CloudInit, NetworkConfigInterfaceStatus};
use vmtwin_model::kube::{Condition, ConditionType, Conditions, Reason};
use vmtwin_model::vsphere::spec::{ConfigSpec, OptionValue};
use vmtwin_model::vsphere::vm::{Config, PowerState as Observed};
use vmtwin_model::vsphere::{self, Operation};
use xxhash_rust::xxh3::xxh3_64;

use crate::pass::{Cx, Flow};
use crate::verdict::Verdict;
use crate::vm::create::interfaces::Interface;
use crate::vm::{VmDraft, keys, text_of};

pub(super) fn apply(
    cx: &mut Cx<'_>,
    draft: &mut VmDraft,
    vm: &vsphere::VirtualMachine,
    config: &Config,
    interfaces: &[Interface],
) -> Flow<()> {
    let bootstrap = draft.spec().bootstrap.clone();
    let switches_on = vm.runtime.power_state == Observed::PoweredOff && draft.spec().power_state == Some(Desired::PoweredOn);
    match bootstrap {
        Some(bootstrap) if bootstrap.cloud_init.is_some() => {
            let cloud_init = bootstrap.cloud_init.unwrap_or_default();
            configure_cloud_init(cx, draft, vm, &cloud_init, interfaces)
        }
        Some(bootstrap) if bootstrap.linux_prep.is_some() || bootstrap.sysprep.is_some() || bootstrap.vapp_config.is_some() => {
            let text = "failed to create bootstrap data: bootstrap providers LinuxPrep, Sysprep and vAppConfig are not supported yet by this version of vmtwin";
            if switches_on { Err(Verdict::failed(text).into()) } else { Ok(()) }
        }
        _ if switches_on && is_linux(&config.guest_id) && !has_cdrom(draft) => customize_linux(cx, draft, vm, interfaces),
        _ => Ok(()),
    }
}

fn has_cdrom(draft: &VmDraft) -> bool {
    draft.spec().hardware.as_ref().is_some_and(|hardware| !hardware.cdrom.is_empty())
}

/// Whether a guest identifier is of the Linux family.
fn is_linux(guest_id: &str) -> bool {
    const OTHERS: [&str; 9] = ["win", "darwin", "solaris", "netware", "freebsd", "dos", "os2", "unixWare", "vmkernel"];
    if guest_id.contains("Linux") || guest_id.contains("linux") {
        return true;
    }
    !guest_id.is_empty() && !guest_id.starts_with("other") && !OTHERS.iter().any(|other| guest_id.starts_with(other))
}

/// Writes `guestinfo.metadata` and `guestinfo.userdata`.
fn configure_cloud_init(
    cx: &mut Cx<'_>,
    draft: &mut VmDraft,
    vm: &vsphere::VirtualMachine,
    cloud_init: &CloudInit,
    interfaces: &[Interface],
) -> Flow<()> {
    let metadata = metadata(draft, cloud_init, interfaces);
    let userdata = userdata(cx, draft, cloud_init)?;
    let hash = hash(&json!([metadata, userdata]));
    if draft.annotation(keys::BOOTSTRAP_HASH_CONFIG) == Some(&hash) {
        return Ok(());
    }
    let encoded = [("guestinfo.metadata", metadata.to_string()), ("guestinfo.userdata", userdata)];
    let mut extra_config = Vec::new();
    for (key, text) in encoded.into_iter().filter(|(_, text)| !text.is_empty()) {
        extra_config.push(OptionValue::new(key, gzip_base64(&text)));
        extra_config.push(OptionValue::new(format!("{key}.encoding"), "gzip+base64"));
    }
    let spec = ConfigSpec { extra_config, ..ConfigSpec::default() };
    crate::vm::ask(cx, Operation::ReconfigVm { vm: vm.id.clone(), spec: spec.into() }, "bootstrap reconfigure failed")?;
    draft.annotate(keys::BOOTSTRAP_HASH_CONFIG, Some(&hash));
    Err(Verdict::Progress("bootstrap reconfigured vm").into())
}

/// Cloud-init's instance data, with the network in its version 2.
fn metadata(draft: &VmDraft, cloud_init: &CloudInit, interfaces: &[Interface]) -> Value {
    let instance_id = match cloud_init.instance_id.as_str() {
        "" => draft.base().uid(),
        id => id,
    };
    let config = draft.status().network.as_ref().and_then(|network| network.config.clone()).unwrap_or_default();
    let dns = config.dns.unwrap_or_default();
    let ethernets: serde_json::Map<String, Value> = config
        .interfaces
        .iter()
        .enumerate()
        .map(|(nth, interface)| (interface.name.clone(), ethernet(interface, interfaces.get(nth))))
        .collect();
    json!({
        "instance-id": instance_id,
        "hostname": dns.host_name,
        "local-hostname": dns.host_name,
        "network": {"version": 2, "ethernets": ethernets},
    })
}

fn ethernet(config: &NetworkConfigInterfaceStatus, provided: Option<&Interface>) -> Value {
    let ip = config.ip.clone().unwrap_or_default();
    let dns = config.dns.clone().unwrap_or_default();
    let dhcp = ip.dhcp.unwrap_or_default();
    let mut value = json!({"set-name": config.name, "dhcp4": dhcp.ip4.is_some(), "dhcp6": dhcp.ip6.is_some()});
    let fields = value.as_object_mut().expect("an object was just made");
    let mac = provided.map(|interface| interface.mac.as_str()).unwrap_or_default();
    if !mac.is_empty() {
        fields.insert("match".to_owned(), json!({"macaddress": mac}));
    }
    for (key, list) in [("addresses", &ip.addresses)] {
        if !list.is_empty() {
            fields.insert(key.to_owned(), json!(list));
        }
    }
    for (key, gateway) in [("gateway4", &ip.gateway4), ("gateway6", &ip.gateway6)] {
        if !gateway.is_empty() {
            fields.insert(key.to_owned(), json!(gateway));
        }
    }
    if !dns.nameservers.is_empty() || !dns.search_domains.is_empty() {
        fields.insert("nameservers".to_owned(), json!({"addresses": dns.nameservers, "search": dns.search_domains}));
    }
    value
}

/// The user's configuration: inline, or in a secret.
fn userdata(cx: &mut Cx<'_>, draft: &VmDraft, cloud_init: &CloudInit) -> Flow<String> {
    use k8s_openapi::api::core::v1::Secret;

    if let Some(selector) = &cloud_init.raw_cloud_config {
        let missing =
            || Verdict::failed(format!("failed to create bootstrap data: secret {:?} has no key {:?}", selector.name, selector.key));
        let secret = cx.find::<Secret>(&draft.namespace().clone(), &selector.name).ok_or_else(missing)?;
        let data = secret.spec().data.as_ref().and_then(|data| data.get(&selector.key)).ok_or_else(missing)?;
        return Ok(String::from_utf8_lossy(&data.0).into_owned());
    }
    let Some(config) = &cloud_init.cloud_config else { return Ok(String::new()) };
    let config = serde_json::to_value(config).expect("a cloud config has string keys");
    Ok(if config.as_object().is_some_and(serde_json::Map::is_empty) {
        String::new()
    } else {
        format!("## template: jinja\n#cloud-config\n\n{config}\n")
    })
}

/// The implicit customization of a Linux guest at its first power-on.
fn customize_linux(cx: &mut Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine, interfaces: &[Interface]) -> Flow<()> {
    let spec = linux_prep(draft, interfaces);
    let hash = hash(&spec);
    let disabled = draft.annotation(keys::VSPHERE_CUSTOMIZATION) == Some("disable");
    if draft.annotation(keys::BOOTSTRAP_HASH_CUSTOM) == Some(&hash) || disabled || vm.extra_config(keys::DEPLOY_PKG).is_some() {
        return Ok(());
    }
    let operation = Operation::CustomizeVm { vm: vm.id.clone(), spec: spec.into() };
    match cx.call(operation.clone())? {
        Ok(_) => {}
        Err(failure) if failure.is_a("CustomizationPending") => {}
        Err(failure) => {
            let text = text_of(&operation, &failure);
            let now = cx.now();
            let condition = Condition::fails(ConditionType::GuestCustomization, Reason::GuestCustomizationFailed, text.clone());
            draft.status_mut().conditions.put(condition, now);
            return Err(Verdict::failed(format!("bootstrap customize failed: {text}")).into());
        }
    }
    draft.annotate(keys::BOOTSTRAP_HASH_CUSTOM, Some(&hash));
    Err(Verdict::Progress("bootstrap customized vm").into())
}

fn linux_prep(draft: &VmDraft, interfaces: &[Interface]) -> Value {
    let config = draft.status().network.as_ref().and_then(|network| network.config.clone()).unwrap_or_default();
    let dns = config.dns.unwrap_or_default();
    let adapters: Vec<Value> =
        config.interfaces.iter().enumerate().map(|(nth, interface)| adapter(interface, interfaces.get(nth))).collect();
    json!({
        "_typeName": "CustomizationSpec",
        "identity": {
            "_typeName": "CustomizationLinuxPrep",
            "hostName": {"_typeName": "CustomizationFixedName", "name": dns.host_name},
            "domain": dns.domain_name,
            "hwClockUTC": true,
        },
        "globalIPSettings": {"dnsServerList": dns.nameservers, "dnsSuffixList": dns.search_domains},
        "nicSettingMap": adapters,
    })
}

fn adapter(config: &NetworkConfigInterfaceStatus, provided: Option<&Interface>) -> Value {
    let ip = config.ip.clone().unwrap_or_default();
    let address = ip.addresses.iter().find(|address| address.contains('.'));
    let mut adapter = match address.and_then(|address| address.split_once('/')) {
        Some((address, prefix)) => {
            let prefix: u32 = prefix.parse().unwrap_or(32);
            let mask = std::net::Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - prefix.min(32)).unwrap_or(0));
            json!({"ip": {"_typeName": "CustomizationFixedIp", "ipAddress": address}, "subnetMask": mask.to_string()})
        }
        None => json!({"ip": {"_typeName": "CustomizationDhcpIpGenerator"}}),
    };
    if !ip.gateway4.is_empty() {
        adapter["gateway"] = json!([ip.gateway4]);
    }
    let mac = provided.map(|interface| interface.mac.as_str()).unwrap_or_default();
    if mac.is_empty() { json!({"adapter": adapter}) } else { json!({"macAddress": mac, "adapter": adapter}) }
}

fn hash(value: &Value) -> String {
    format!("{:016x}", xxh3_64(value.to_string().as_bytes()))
}

/// Compressed and encoded as cloud-init's VMware data source reads it; no time stamp goes in.
fn gzip_base64(text: &str) -> String {
    let mut encoder: GzEncoder<Vec<u8>> = GzBuilder::new().mtime(0).write(Vec::new(), Compression::new(6));
    encoder.write_all(text.as_bytes()).expect("writing to memory can't fail");
    let bytes = encoder.finish().expect("writing to memory can't fail");
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_of_a_guest_is_told_by_its_identifier() {
        for id in ["ubuntu64Guest", "vmwarePhoton64Guest", "otherLinux64Guest", "other3xLinuxGuest", "rhel9_64Guest"] {
            assert!(is_linux(id), "{id}");
        }
        for id in ["windows2022srvNext_64Guest", "otherGuest", "otherGuest64", "freebsd13_64Guest", "darwin21_64Guest", ""] {
            assert!(!is_linux(id), "{id}");
        }
    }

    #[test]
    fn what_is_encoded_is_the_same_every_time() {
        assert_eq!(gzip_base64("hello"), gzip_base64("hello"));
        assert!(gzip_base64("hello").starts_with("H4sI"), "it is gzip");
    }
}
