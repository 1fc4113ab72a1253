//! LinuxPrep and Sysprep: what vSphere customizes in the guest at the next power-on, in the API's JSON. Source: vm-lifecycle §11.9.
//!
//! Mirrors: vm-operator `pkg/providers/vsphere/vmlifecycle/bootstrap_linuxprep.go`, `bootstrap_sysprep.go`, `pkg/providers/vsphere/network/gosc.go`.

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr};

use base64::Engine as _;
use serde_json::{Value, json};
use vmtwin_model::kube::reference::ValueOrSecretKeySelector;
use vmtwin_model::kube::virtual_machine::{LinuxPrep, NetworkConfigInterfaceStatus, NetworkConfigStatus, Sysprep, SysprepSpec};

use super::{Guest, template};
use crate::pass::Cx;
use crate::vm::VmDraft;
use crate::vm::secrets::{self, Kept, UNATTEND};

/// The time zone of a Windows guest whose answers say nothing of it: UTC in Microsoft's numbering.
const UTC: i32 = 85;
/// The most that an answer file may unpack to.
const UNPACKED_MAX: u64 = 16 << 20;

/// LinuxPrep as the user has it.
pub(super) fn linux_prep(cx: &mut Cx<'_>, draft: &VmDraft, guest: &Guest<'_>, prep: &LinuxPrep) -> Result<Value, String> {
    let mut spec = plain_linux_prep(draft, guest, prep);
    if let Some(password) = &prep.password {
        spec["identity"]["password"] = password_of(held(cx, draft, &Kept::password(&password.name, &password.key, "password"))?);
    }
    if let Some(script) = &prep.script_text {
        spec["identity"]["scriptText"] = text(cx, draft, script)?.into();
    }
    Ok(spec)
}

/// LinuxPrep without what is kept in Secrets.
pub(super) fn plain_linux_prep(draft: &VmDraft, guest: &Guest<'_>, prep: &LinuxPrep) -> Value {
    let config = intended(draft);
    let dns = config.dns.clone().unwrap_or_default();
    let mut identity = json!({
        "_typeName": "CustomizationLinuxPrep",
        "hostName": {"_typeName": "CustomizationFixedName", "name": dns.host_name},
        "domain": dns.domain_name,
    });
    if !prep.time_zone.is_empty() {
        identity["timeZone"] = json!(prep.time_zone);
    }
    if let Some(utc) = prep.hardware_clock_is_utc {
        identity["hwClockUTC"] = utc.into();
    }
    if prep.expire_password_after_next_login {
        identity["resetPassword"] = true.into();
    }
    whole(identity, &config, guest)
}

/// Sysprep: the user's answer file as it is, or the answers one by one.
pub(super) fn sysprep(cx: &mut Cx<'_>, draft: &VmDraft, guest: &Guest<'_>, spec: &SysprepSpec) -> Result<Value, String> {
    let config = intended(draft);
    let identity = match (&spec.raw_sysprep, &spec.sysprep) {
        (Some(raw), _) => {
            let text = held(cx, draft, &Kept::unattend(raw))?;
            if text.is_empty() {
                return Err(format!("no Sysprep XML data with key {:?}", if raw.key.is_empty() { UNATTEND } else { &raw.key }));
            }
            let value = template::Data::of(draft, guest).render(&plain_text(&text));
            json!({"_typeName": "CustomizationSysprepText", "value": value})
        }
        (None, Some(answers)) => self::answers(cx, draft, &config, answers)?,
        (None, None) => return Err("no Sysprep data".to_owned()),
    };
    Ok(whole(identity, &config, guest))
}

fn answers(cx: &mut Cx<'_>, draft: &VmDraft, config: &NetworkConfigStatus, answers: &Sysprep) -> Result<Value, String> {
    let dns = config.dns.clone().unwrap_or_default();
    let mut unattended = json!({"timeZone": UTC, "autoLogon": false, "autoLogonCount": 0});
    if let Some(gui) = &answers.gui_unattended {
        let zone = gui.time_zone.unwrap_or(UTC);
        unattended = json!({"timeZone": zone, "autoLogon": gui.auto_logon, "autoLogonCount": gui.auto_logon_count});
    }
    if let Some(kept) = secrets::administrator(answers) {
        unattended["password"] = password_of(held(cx, draft, &kept)?);
    }
    let product = match secrets::product_key(answers) {
        Some(kept) => held(cx, draft, &kept)?,
        None => String::new(),
    };
    let mut identity = json!({
        "_typeName": "CustomizationSysprep",
        "guiUnattended": unattended,
        "userData": {
            "fullName": answers.user_data.full_name,
            "orgName": answers.user_data.org_name,
            "computerName": {"_typeName": "CustomizationFixedName", "name": dns.host_name},
            "productId": product,
        },
        "identification": {},
    });
    if let Some(once) = &answers.gui_run_once {
        identity["guiRunOnce"] = json!({"commandList": once.commands});
    }
    if let Some(identification) = &answers.identification {
        let said = [
            ("joinWorkgroup", &identification.join_workgroup),
            ("joinDomain", &dns.domain_name),
            ("domainAdmin", &identification.domain_admin),
            ("domainOU", &identification.domain_ou),
        ];
        for (key, value) in said.into_iter().filter(|(_, value)| !value.is_empty()) {
            identity["identification"][key] = json!(value);
        }
    }
    if let Some(kept) = secrets::domain_administrator(answers) {
        identity["identification"]["domainAdminPassword"] = password_of(held(cx, draft, &kept)?);
    }
    if let Some(license) = &answers.license_file_print_data {
        identity["licenseFilePrintData"] = json!({"autoMode": license.auto_mode, "autoUsers": license.auto_users});
    }
    Ok(identity)
}

/// The network as the guest is meant to have it; it is written before the bootstrap.
pub(super) fn intended(draft: &VmDraft) -> NetworkConfigStatus {
    draft.status().network.as_ref().and_then(|network| network.config.clone()).unwrap_or_default()
}

fn whole(identity: Value, config: &NetworkConfigStatus, guest: &Guest<'_>) -> Value {
    let dns = config.dns.clone().unwrap_or_default();
    let adapters: Vec<Value> = config.interfaces.iter().enumerate().map(|(nth, interface)| adapter(interface, &mac(guest, nth))).collect();
    json!({
        "_typeName": "CustomizationSpec",
        "identity": identity,
        "globalIPSettings": {"dnsServerList": dns.nameservers, "dnsSuffixList": dns.search_domains},
        "nicSettingMap": adapters,
    })
}

/// The MAC address of the n-th interface: the provider's, else that of the n-th card. Source: vm-lifecycle §11.2 ("learn MAC addresses").
pub(super) fn mac(guest: &Guest<'_>, nth: usize) -> String {
    let provided = guest.interfaces.get(nth).map(|interface| interface.mac.clone()).filter(|mac| !mac.is_empty());
    let card = || {
        let mut cards = guest.config.hardware.device.iter().filter(|device| device.type_.is_ethernet_card());
        cards.nth(nth)?.mac_address.as_deref().map(str::to_ascii_lowercase)
    };
    provided.or_else(card).unwrap_or_default()
}

/// What a card is told: one IPv4 address or DHCP, all IPv6 addresses, the card's own name servers (which Windows alone takes).
fn adapter(config: &NetworkConfigInterfaceStatus, mac: &str) -> Value {
    let ip = config.ip.clone().unwrap_or_default();
    let dhcp = ip.dhcp.clone().unwrap_or_default();
    let cidrs = || ip.addresses.iter().filter_map(|cidr| cidr.split_once('/'));
    let of_family = |v4: bool| cidrs().filter(move |(address, _)| address.parse().is_ok_and(|address: IpAddr| address.is_ipv4() == v4));
    let mut adapter = match of_family(true).next() {
        _ if dhcp.ip4.is_some() => json!({"ip": {"_typeName": "CustomizationDhcpIpGenerator"}}),
        Some((address, prefix)) => json!({"ip": {"_typeName": "CustomizationFixedIp", "ipAddress": address}, "subnetMask": mask(prefix)}),
        None => json!({"ip": {"_typeName": "CustomizationDisableIpV4"}}),
    };
    if !ip.gateway4.is_empty() {
        adapter["gateway"] = json!([ip.gateway4]);
    }
    let mut v6: Vec<Value> = of_family(false)
        .map(|(address, prefix)| {
            json!({"_typeName": "CustomizationFixedIpV6", "ipAddress": address, "subnetMask": prefix.parse::<i32>().unwrap_or(128)})
        })
        .collect();
    if dhcp.ip6.is_some() {
        v6 = vec![json!({"_typeName": "CustomizationDhcpIpV6Generator"})];
    }
    if !v6.is_empty() {
        adapter["ipV6Spec"] = json!({"ip": v6});
        if !ip.gateway6.is_empty() {
            adapter["ipV6Spec"]["gateway"] = json!([ip.gateway6]);
        }
    }
    let nameservers = config.dns.as_ref().map(|dns| dns.nameservers.clone()).unwrap_or_default();
    if !nameservers.is_empty() {
        adapter["dnsServerList"] = json!(nameservers);
    }
    if mac.is_empty() { json!({"adapter": adapter}) } else { json!({"macAddress": mac, "adapter": adapter}) }
}

pub(super) fn mask(prefix: &str) -> String {
    let prefix: u32 = prefix.parse().unwrap_or(32);
    Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - prefix.min(32)).unwrap_or(0)).to_string()
}

fn password_of(text: String) -> Value {
    json!({"value": text, "plainText": true})
}

fn held(cx: &mut Cx<'_>, draft: &VmDraft, kept: &Kept) -> Result<String, String> {
    secrets::value(cx, draft, kept).map_err(|missing| missing.message.to_string())
}

/// A text that is written out or kept in a Secret.
fn text(cx: &mut Cx<'_>, draft: &VmDraft, text: &ValueOrSecretKeySelector) -> Result<String, String> {
    match (&text.value, &text.from) {
        (Some(value), _) => Ok(value.clone()),
        (None, Some(selector)) => held(cx, draft, &Kept::selected(selector)),
        (None, None) => Ok(String::new()),
    }
}

/// A text that may have been encoded in base64, and compressed before that, as it was. Anything else is a text already.
pub(crate) fn plain_text(text: &str) -> String {
    let compact: String = text.split_whitespace().collect();
    let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(&compact) else { return unzipped(text.as_bytes()) };
    if bytes.is_empty() || std::str::from_utf8(&bytes).is_err() && !bytes.starts_with(&[0x1f, 0x8b]) {
        return text.to_owned();
    }
    unzipped(&bytes)
}

fn unzipped(bytes: &[u8]) -> String {
    let mut text = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) && flate2::read::GzDecoder::new(bytes).take(UNPACKED_MAX).read_to_string(&mut text).is_ok() {
        return text;
    }
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(ip: Value) -> Value {
        let config = serde_json::from_value(json!({"name": "eth0", "ip": ip})).expect("an interface");
        adapter(&config, "")["adapter"].clone()
    }

    #[test]
    fn a_card_has_one_ipv4_address_or_dhcp_and_all_ipv6_addresses() {
        let fixed = told(json!({"addresses": ["10.0.0.5/16", "10.0.0.6/16", "fd00::5/64"], "gateway4": "10.0.0.1", "gateway6": "fd00::1"}));
        assert_eq!(
            fixed,
            json!({"ip": {"_typeName": "CustomizationFixedIp", "ipAddress": "10.0.0.5"}, "subnetMask": "255.255.0.0", "gateway": ["10.0.0.1"],
                "ipV6Spec": {"ip": [{"_typeName": "CustomizationFixedIpV6", "ipAddress": "fd00::5", "subnetMask": 64}], "gateway": ["fd00::1"]}})
        );
        let dhcp = told(json!({"dhcp": {"ip4": {"enabled": true}, "ip6": {"enabled": true}}}));
        assert_eq!(
            dhcp,
            json!({"ip": {"_typeName": "CustomizationDhcpIpGenerator"}, "ipV6Spec": {"ip": [{"_typeName": "CustomizationDhcpIpV6Generator"}]}})
        );
        assert_eq!(told(json!({})), json!({"ip": {"_typeName": "CustomizationDisableIpV4"}}));
    }

    #[test]
    fn what_is_no_encoding_stays_as_it_is() {
        assert_eq!(plain_text("#cloud-config\nusers: []"), "#cloud-config\nusers: []");
        assert_eq!(plain_text("PHhtbC8+"), "<xml/>");
        assert_eq!(plain_text(""), "");
    }
}
