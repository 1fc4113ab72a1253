//! The network provider: answers the interface objects that the operator creates with a port, a MAC address and addresses.
//!
//! VPC's `SubnetPort`, NSX-T's `VirtualNetworkInterface`, VDS's `NetworkInterface`; which of them is `Settings::network_provider`'s choice. An object that
//! can't be answered yet (no address is left) says so in its `Ready` condition and is attended to again when there are addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use serde_json::{Value, json};
use vmtwin_model::Cause;
use vmtwin_model::kube::api::{Answer, ErrorReason, PatchKind, Request, Subresource, User, WatchEvent};
use vmtwin_model::kube::virtual_machine_image_cache::VirtualMachineImageCache;
use vmtwin_model::kube::{Object, ObjectKey, Resource as _};
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_model::vsphere::inventory::Ipam;
use vmtwin_model::vsphere::spec::Device;
use vmtwin_model::vsphere::vm::IpAddress;

use crate::agenda::Entry;
use crate::latency::{drawn, sample};
use crate::shards::Shards;
use crate::{NetworkProvider, RequestId, What, World};

/// How long after a refused request the provider tries again.
const TRY_AGAIN: Span = Span::from_secs(5);

/// What the provider keeps of its ports.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ports {
    /// By the object's namespace and name: one provider has one kind.
    ports: Shards<Arc<Port>>,
    by_mac: Shards<ObjectKey>,
    /// By the id that the VM's adapter carries.
    by_external_id: Shards<ObjectKey>,
    /// The objects that nothing could be made for yet.
    waiting: BTreeSet<ObjectKey>,
    asked: BTreeMap<RequestId, ObjectKey>,
    requests: u64,
    /// The image caches, as they were seen last.
    pub(super) caches: BTreeMap<ObjectKey, Arc<Object>>,
}

impl Ports {
    /// The number of the next request, which is about this object.
    pub(super) fn next_request(&mut self, key: &ObjectKey) -> u64 {
        self.requests += 1;
        self.asked.insert(RequestId(self.requests), key.clone());
        self.requests
    }
}

/// A port for an interface object.
#[derive(Clone, Debug)]
struct Port {
    /// The network's row, once it is known.
    network: Option<u32>,
    mac: Arc<str>,
    /// The addresses with their gateways.
    addresses: Vec<(Arc<str>, Arc<str>)>,
    /// The numbers that were taken from the network for it.
    taken: Vec<u128>,
    /// What the object asks for.
    wanted: Wanted,
    external_id: Arc<str>,
}

/// What an interface object asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wanted {
    network: String,
    mac: String,
    ip: String,
}

fn is_ours(provider: NetworkProvider, kind: &str) -> bool {
    matches!(
        (provider, kind),
        (NetworkProvider::Vpc, "SubnetPort")
            | (NetworkProvider::NsxT, "VirtualNetworkInterface")
            | (NetworkProvider::Vds, "NetworkInterface")
    )
}

fn wanted(object: &Object) -> Wanted {
    let spec = object.spec.to_value();
    let text = |pointer: &str| spec.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let network = ["/subnet", "/subnetSet", "/virtualNetwork", "/networkName"].map(text).into_iter().find(|name| !name.is_empty());
    Wanted {
        network: network.unwrap_or_default().to_owned(),
        mac: text("/addressBindings/0/macAddress").to_lowercase(),
        ip: text("/addressBindings/0/ipAddress").to_owned(),
    }
}

impl World {
    /// The API server tells the neighbours of a changed object.
    pub fn observe(&mut self, now: Timestamp, cause: Cause, event: &WatchEvent) {
        if event.key.kind == VirtualMachineImageCache::KIND {
            self.observe_cache(now, cause, event);
        }
        if !is_ours(self.settings.network_provider, event.key.kind.info().kind) {
            return;
        }
        self.begin(now, cause);
        match &event.after {
            None => self.forget_port(&event.key),
            Some(object) if self.ports.ports.get(&event.key.namespaced_name()).is_none() => {
                if self.adopt_port(&event.key, object) {
                    return;
                }
                self.open_port(&event.key, wanted(object));
                let mut draw = self.rng.draw("sim/port", (&*event.key.namespace, &*event.key.name, object.uid()));
                let span = sample(drawn(800, 2_500), &mut draw);
                self.agenda.put(now + span, cause, Entry::Attend(event.key.clone()));
            }
            Some(_) => {}
        }
    }

    fn open_port(&mut self, key: &ObjectKey, wanted: Wanted) {
        let mac: Arc<str> = if wanted.mac.is_empty() {
            let mut draw = self.rng.draw("sim/port-mac", (&*key.namespace, &*key.name));
            format!("04:50:56:{:02x}:{:02x}:{:02x}", draw.below(256), draw.below(256), draw.below(256)).into()
        } else {
            wanted.mac.as_str().into()
        };
        let external_id = self.rng.draw("sim/port-id", (&*key.namespace, &*key.name)).uuid().to_string().into();
        self.enter_port(key, Port { network: None, mac, addresses: Vec::new(), taken: Vec::new(), wanted, external_id });
    }

    fn enter_port(&mut self, key: &ObjectKey, port: Port) {
        if !port.mac.is_empty() {
            self.ports.by_mac.insert(port.mac.clone(), key.clone());
        }
        if !port.external_id.is_empty() {
            self.ports.by_external_id.insert(port.external_id.clone(), key.clone());
        }
        self.ports.ports.insert(key.namespaced_name().into(), Arc::new(port));
    }

    /// Takes over a port of which a provider has spoken before, as it stands, whatever it says.
    fn adopt_port(&mut self, key: &ObjectKey, object: &Object) -> bool {
        let status = object.status.to_value();
        if status.get("conditions").and_then(Value::as_array).is_none_or(Vec::is_empty) {
            return false;
        }
        let text = |paths: [&str; 3]| paths.iter().find_map(|path| status.pointer(path)?.as_str()).unwrap_or_default();
        let entries =
            ["/networkInterfaceConfig/ipAddresses", "/ipAddresses", "/ipConfigs"].iter().find_map(|path| status.pointer(path)?.as_array());
        let mut port = Port {
            network: None,
            mac: text(["/networkInterfaceConfig/macAddress", "/macAddress", ""]).to_lowercase().into(),
            addresses: Vec::new(),
            taken: Vec::new(),
            wanted: wanted(object),
            external_id: text(["/attachment/id", "/interfaceID", "/externalID"]).into(),
        };
        port.network = self.wanted_network(&port.wanted);
        for entry in entries.into_iter().flatten() {
            let field = |key: &str| entry.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
            let Some(address) = field("ip").or_else(|| field("ipAddress")) else { continue };
            let network = port.network.and_then(|row| self.networks.get_mut(row));
            port.taken.extend(network.and_then(|network| network.take_this(bare(address))));
            port.addresses.push((address.into(), field("gateway").unwrap_or_default().into()));
        }
        self.enter_port(key, port);
        true
    }

    /// Marks an address as taken that a guest had from the start.
    pub(crate) fn take_address(&mut self, mac: Option<&Arc<str>>, address: &str) {
        let rows: Vec<u32> = self.networks.iter().map(|(row, _)| row).collect();
        for row in rows {
            let Some(network) = self.networks.get_mut(row) else { continue };
            if let (Some(number), Some(mac)) = (network.take_this(address), mac) {
                network.leases.insert(mac.to_ascii_lowercase().into(), number);
            }
        }
    }

    fn forget_port(&mut self, key: &ObjectKey) {
        self.ports.waiting.remove(key);
        let Some(port) = self.ports.ports.remove(&key.namespaced_name()) else { return };
        self.ports.by_mac.remove(&port.mac);
        self.ports.by_external_id.remove(&port.external_id);
        if let Some(network) = port.network.and_then(|row| self.networks.get_mut(row)) {
            port.taken.iter().for_each(|address| network.give_back(*address));
        }
        if !port.taken.is_empty() {
            self.addresses_are_back();
        }
    }

    /// There are addresses again: who waits for one is attended to.
    pub(crate) fn addresses_are_back(&mut self) {
        for key in self.ports.waiting.clone() {
            self.agenda.put(self.now, self.cause, Entry::Attend(key));
        }
    }

    fn wanted_network(&self, wanted: &Wanted) -> Option<u32> {
        if wanted.network.is_empty() {
            (!self.networks.is_empty()).then_some(0)
        } else {
            self.names.networks.get(&*wanted.network).copied()
        }
    }

    /// The provider turns to an interface object.
    pub(crate) fn attend(&mut self, key: &ObjectKey) {
        if key.kind == VirtualMachineImageCache::KIND {
            self.attend_cache(key);
            return;
        }
        let Some(port) = self.ports.ports.get(&key.namespaced_name()).cloned() else { return };
        let made = match self.wanted_network(&port.wanted) {
            None => Err(("NetworkNotFound", format!("network {:?} is not found", port.wanted.network))),
            Some(row) => self.addresses_for(key, row).map_err(|why| ("IPAllocationFailed", why)),
        };
        let status = match made {
            Ok(()) => {
                self.ports.waiting.remove(key);
                self.status_of(key)
            }
            Err((reason, message)) => {
                self.ports.waiting.insert(key.clone());
                json!({"conditions": [self.condition("False", reason, &message)]})
            }
        };
        let id = RequestId(self.ports.next_request(key));
        let request =
            Request::Patch { key: key.clone(), kind: PatchKind::Merge, patch: json!({"status": status}), part: Subresource::Status };
        self.push(What::Request { id, user: User::named("system:serviceaccount:vmware-system-nsx:network-provider"), request });
    }

    /// Takes the addresses that a port is to have.
    fn addresses_for(&mut self, key: &ObjectKey, row: u32) -> Result<(), String> {
        let Some(port) = self.ports.ports.get_mut(&key.namespaced_name()) else { return Ok(()) };
        let port = Arc::make_mut(port);
        port.network = Some(row);
        let Some(network) = self.networks.get_mut(row) else { return Ok(()) };
        if !port.addresses.is_empty() {
            return Ok(());
        }
        match network.settings.ipam.clone() {
            Ipam::Dhcp | Ipam::None => {}
            Ipam::Fixed(addresses) => {
                port.taken =
                    addresses.iter().filter_map(|(address, _)| network.take_this(address.split('/').next().unwrap_or_default())).collect();
                port.addresses = addresses;
            }
            Ipam::Pool => {
                let asked = port.wanted.ip.as_str();
                let number = if asked.is_empty() { network.take() } else { network.take_this(asked) };
                let (Some(number), Some(range)) = (number, network.range) else {
                    let name = network.name();
                    return Err(match asked {
                        "" => format!("no address is left in network {name:?}"),
                        asked => format!("address {asked} is not free in network {name:?}"),
                    });
                };
                port.taken = vec![number];
                port.addresses = vec![(format!("{}/{}", range.text(number), range.prefix).into(), network.settings.gateway.clone())];
            }
        }
        Ok(())
    }

    fn condition(&self, status: &str, reason: &str, message: &str) -> Value {
        let since = self.now.to_second().to_string();
        json!({"type": "Ready", "status": status, "reason": reason, "message": message, "lastTransitionTime": since})
    }

    fn status_of(&self, key: &ObjectKey) -> Value {
        let Some(port) = self.ports.ports.get(&key.namespaced_name()) else { return json!({}) };
        let Some(network) = port.network.and_then(|row| self.networks.get(row)) else { return json!({}) };
        let id = &port.external_id;
        let conditions = [self.condition("True", "Ready", "")];
        let mask = network.range.map(|range| range.mask()).unwrap_or_default();
        match self.settings.network_provider {
            NetworkProvider::Vpc => {
                let addresses: Vec<Value> =
                    port.addresses.iter().map(|(address, gateway)| json!({"ipAddress": address, "gateway": gateway})).collect();
                json!({
                    "attachment": {"id": id},
                    "networkInterfaceConfig": {
                        "logicalSwitchUUID": network.segment,
                        "macAddress": port.mac,
                        "ipAddresses": addresses,
                        "dhcpDeactivatedOnSubnet": network.settings.ipam == Ipam::None,
                    },
                    "conditions": conditions,
                })
            }
            NetworkProvider::NsxT => {
                let addresses: Vec<Value> = port
                    .addresses
                    .iter()
                    .map(|(address, gateway)| {
                        json!({"ip": bare(address), "gateway": gateway, "subnetMask": mask_of(address).unwrap_or_else(|| mask.clone())})
                    })
                    .collect();
                json!({
                    "interfaceID": id,
                    "macAddress": port.mac,
                    "ipAddresses": addresses,
                    "providerStatus": {"nsxLogicalSwitchID": network.segment},
                    "conditions": conditions,
                })
            }
            NetworkProvider::Vds | NetworkProvider::Named => {
                let configs: Vec<Value> = port
                    .addresses
                    .iter()
                    .map(|(address, gateway)| {
                        let family = if address.contains(':') { "IPv6" } else { "IPv4" };
                        json!({"ip": bare(address), "ipFamily": family, "gateway": gateway, "subnetMask": mask_of(address).unwrap_or_else(|| mask.clone())})
                    })
                    .collect();
                let mode = match network.settings.ipam {
                    Ipam::Dhcp => "dhcp",
                    Ipam::None => "none",
                    Ipam::Pool | Ipam::Fixed(_) => "staticpool",
                };
                let mode6 = if mode == "none" { "none" } else { "" };
                json!({
                    "externalID": id,
                    "networkID": network.id,
                    "macAddress": port.mac,
                    "ipAssignmentMode": mode,
                    "ipv6AssignmentMode": mode6,
                    "ipConfigs": configs,
                    "conditions": conditions,
                })
            }
        }
    }

    /// The API server answers a neighbour's request.
    pub fn answered(&mut self, now: Timestamp, id: RequestId, result: &Answer) {
        let Some(key) = self.ports.asked.remove(&id) else { return };
        match result {
            Ok(_) => {}
            Err(error) if error.reason == ErrorReason::NotFound => {
                self.begin(now, Cause::default());
                self.forget_port(&key);
            }
            Err(_) => self.agenda.put(now + TRY_AGAIN, Cause::default(), Entry::Attend(key)),
        }
    }

    fn port_of(&self, card: &Device) -> Option<&Arc<Port>> {
        let by_id = card.external_id.as_ref().and_then(|id| self.ports.by_external_id.get(id));
        let key = by_id.or_else(|| self.ports.by_mac.get(card.mac_address.as_ref()?))?;
        self.ports.ports.get(&key.namespaced_name())
    }

    /// The network that an adapter is on: its port's, or the one that its backing names.
    pub(crate) fn network_of_card(&self, card: &Device) -> Option<u32> {
        if let Some(row) = self.port_of(card).and_then(|port| port.network) {
            return Some(row);
        }
        let backing = card.backing.as_ref()?;
        let group = backing.rest.get("port").and_then(|port| port.get("portgroupKey")).and_then(Value::as_str);
        let named = backing.device_name.as_deref().or(backing.network.as_deref()).or(group)?;
        let is_it = |network: &crate::Network| [&**network.name(), &*network.segment, network.id.as_str()].contains(&named);
        self.networks.iter().find(|(_, network)| is_it(network)).map(|(row, _)| row)
    }

    /// The addresses that a guest has on an adapter: those that a customization set, the port's, or DHCP's.
    pub(crate) fn addresses_of(&mut self, card: &Device, set: &BTreeMap<Arc<str>, Arc<str>>) -> (Option<u32>, Vec<IpAddress>) {
        let row = self.network_of_card(card);
        let mac = card.mac_address.clone().unwrap_or_default();
        let manual = |address: &str| {
            let (address, prefix) = address.split_once('/').unwrap_or((address, "24"));
            IpAddress {
                ip_address: address.into(),
                prefix_length: prefix.parse().unwrap_or(24),
                origin: Some("manual".into()),
                state: Some("preferred".into()),
            }
        };
        if let Some(address) = set.get(&mac) {
            return (row, vec![manual(address)]);
        }
        if let Some(port) = self.port_of(card).filter(|port| !port.addresses.is_empty()) {
            return (row, port.addresses.iter().map(|(address, _)| manual(address)).collect());
        }
        // Without a port, whoever hands out addresses in a network does so to anyone.
        let network = row.and_then(|row| self.networks.get_mut(row)).filter(|network| network.settings.ipam != Ipam::None);
        let leased = network.and_then(|network| {
            let (range, number) = (network.range?, network.lease(&mac)?);
            Some(IpAddress {
                ip_address: range.text(number).into(),
                prefix_length: range.prefix,
                origin: Some("dhcp".into()),
                state: Some("preferred".into()),
            })
        });
        (row, leased.into_iter().collect())
    }
}

/// The mask that the length of an address's prefix stands for.
fn mask_of(address: &str) -> Option<String> {
    let (ip, prefix) = address.split_once('/')?;
    let prefix: u32 = prefix.parse().ok()?;
    match ip.parse().ok()? {
        IpAddr::V4(_) => Some(Ipv4Addr::from_bits(u32::MAX.checked_shl(32_u32.checked_sub(prefix)?).unwrap_or(0)).to_string()),
        IpAddr::V6(_) => Some(Ipv6Addr::from_bits(u128::MAX.checked_shl(128_u32.checked_sub(prefix)?).unwrap_or(0)).to_string()),
    }
}

/// An address without the length of its prefix.
fn bare(address: &str) -> &str {
    address.split_once('/').map_or(address, |(address, _)| address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Trial, inventory, spec};
    use vmtwin_model::kube::api;
    use vmtwin_model::kube::kinds::{Kind, Resource};
    use vmtwin_model::kube::network_interface::NetworkInterface;
    use vmtwin_model::kube::object::Object;
    use vmtwin_model::kube::subnet_port::SubnetPort;
    use vmtwin_model::kube::virtual_network_interface::VirtualNetworkInterface;
    use vmtwin_model::vsphere::Action;
    use vmtwin_model::vsphere::Operation;
    use vmtwin_model::vsphere::action::NetworkAction;

    fn object(kind: Kind, name: &str, spec: Value) -> Arc<Object> {
        let info = kind.info();
        let meta = serde_json::from_value(json!({"namespace": "shop", "name": name})).expect("metadata");
        Arc::new(Object {
            key: ObjectKey::new(kind, "shop", name),
            meta: Arc::new(meta),
            spec: (info.decode_spec)(spec).expect("a spec of the kind"),
            status: (info.decode_status)(Value::Null).expect("an empty status"),
            resource_version: 1,
            generation: 1,
        })
    }

    fn made(trial: &mut Trial, object: &Arc<Object>) {
        let event = WatchEvent { key: object.key.clone(), before: None, after: Some(object.clone()) };
        trial.world.observe(trial.now, Cause(5), &event);
    }

    fn gone(trial: &mut Trial, object: &Arc<Object>) {
        let event = WatchEvent { key: object.key.clone(), before: Some(object.clone()), after: None };
        trial.world.observe(trial.now, Cause(6), &event);
    }

    /// The statuses written so far, oldest first; each fits the types of its kind.
    fn statuses(trial: &Trial) -> Vec<Value> {
        let requests = trial.happened.iter().filter_map(|happening| match &happening.what {
            What::Request { request: Request::Patch { key, patch, part: Subresource::Status, .. }, .. } => Some((key, patch)),
            _ => None,
        });
        requests
            .map(|(key, patch)| {
                let status = patch["status"].clone();
                (key.kind.info().decode_status)(status.clone()).expect("the status fits");
                status
            })
            .collect()
    }

    #[test]
    fn each_provider_answers_its_kind_with_address_and_mac() {
        for (provider, kind, ip, mac) in [
            (
                NetworkProvider::Vpc,
                SubnetPort::KIND,
                "/networkInterfaceConfig/ipAddresses/0/ipAddress",
                "/networkInterfaceConfig/macAddress",
            ),
            (NetworkProvider::NsxT, VirtualNetworkInterface::KIND, "/ipAddresses/0/ip", "/macAddress"),
            (NetworkProvider::Vds, NetworkInterface::KIND, "/ipConfigs/0/ip", "/macAddress"),
        ] {
            let mut trial = Trial::with(&inventory(), provider);
            made(&mut trial, &object(kind, "a-eth0", json!({})));
            assert!(statuses(&trial).is_empty(), "it takes a while");
            trial.run(Span::from_mins(1));
            let status = statuses(&trial).pop().expect("an answer");
            let text = |path: &str| status.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
            assert!(text(ip).starts_with("192.168.0.2"), "{status}");
            assert!(text(mac).contains(":50:56:"), "{status}");
            assert_eq!(text("/conditions/0/status"), "True");
        }
    }

    #[test]
    fn the_guest_has_the_address_that_its_port_was_given() {
        let mut trial = Trial::new(&inventory());
        let binding =
            json!({"subnetSet": "workload", "addressBindings": [{"ipAddress": "192.168.0.77", "macAddress": "04:50:56:AA:BB:CC"}]});
        made(&mut trial, &object(SubnetPort::KIND, "a-eth0", binding));
        trial.run(Span::from_mins(1));
        let status = statuses(&trial).pop().expect("an answer");
        assert_eq!(status["networkInterfaceConfig"]["macAddress"], "04:50:56:aa:bb:cc");
        let mut spec = spec("a");
        let card = &mut spec.device_change[0].device;
        card.backing = None;
        card.external_id = status["attachment"]["id"].as_str().map(Into::into);
        card.mac_address = Some("04:50:56:aa:bb:cc".into());
        card.address_type = Some("manual".into());
        let vm = trial.deploy(spec);
        trial.ask(Operation::PowerOnVm { vm: vm.clone(), host: None }).expect("it is switched on");
        trial.run(Span::from_mins(10));
        assert_eq!(trial.vm(&vm).guest.as_ref().and_then(|guest| guest.ip_address.as_deref()), Some("192.168.0.77"));
    }

    #[test]
    fn whoever_finds_no_address_gets_it_when_one_is_given_back() {
        let mut inventory = inventory();
        inventory.networks[0].cidr = "192.168.0.0/30".into();
        let mut trial = Trial::new(&inventory);
        let first = object(SubnetPort::KIND, "a", json!({}));
        made(&mut trial, &first);
        trial.run(Span::from_mins(1));
        made(&mut trial, &object(SubnetPort::KIND, "b", json!({})));
        trial.run(Span::from_mins(1));
        let status = statuses(&trial).pop().expect("an answer");
        assert_eq!(
            (&status["conditions"][0]["status"], &status["conditions"][0]["reason"]),
            (&json!("False"), &json!("IPAllocationFailed"))
        );
        gone(&mut trial, &first);
        trial.run(Span::from_mins(1));
        let status = statuses(&trial).pop().expect("an answer");
        assert_eq!(status["networkInterfaceConfig"]["ipAddresses"][0]["ipAddress"], "192.168.0.2/30");
    }

    #[test]
    fn an_exhausted_network_makes_wait_until_it_is_restored() {
        let mut trial = Trial::new(&inventory());
        trial.act(&Action::Network("workload".into(), NetworkAction::Exhaust)).expect("it is there");
        made(&mut trial, &object(SubnetPort::KIND, "a", json!({})));
        trial.run(Span::from_mins(1));
        assert_eq!(statuses(&trial)[0]["conditions"][0]["status"], "False");
        trial.act(&Action::Network("workload".into(), NetworkAction::Restore)).expect("it is there");
        trial.run(Span::from_mins(1));
        assert_eq!(statuses(&trial)[1]["conditions"][0]["status"], "True");
    }

    #[test]
    fn a_port_of_which_somebody_has_spoken_is_left_as_it_is() {
        let mut trial = Trial::new(&inventory());
        let mut there = Object::clone(&object(SubnetPort::KIND, "a", json!({})));
        let status = json!({
            "conditions": [{"type": "Ready", "status": "True"}],
            "attachment": {"id": "port-a"},
            "networkInterfaceConfig": {"macAddress": "04:50:56:00:00:01", "ipAddresses": [{"ipAddress": "192.168.0.2/24", "gateway": "192.168.0.1"}]}
        });
        there.status = (there.key.kind.info().decode_status)(status).expect("a status");
        made(&mut trial, &Arc::new(there));
        made(&mut trial, &object(SubnetPort::KIND, "b", json!({})));
        trial.run(Span::from_mins(1));
        let all = statuses(&trial);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0]["networkInterfaceConfig"]["ipAddresses"][0]["ipAddress"], "192.168.0.3/24", "the other's address is taken");
    }

    #[test]
    fn an_unknown_network_is_told_by_the_condition() {
        let mut trial = Trial::new(&inventory());
        made(&mut trial, &object(SubnetPort::KIND, "a", json!({"subnetSet": "other"})));
        trial.run(Span::from_mins(1));
        assert_eq!(statuses(&trial)[0]["conditions"][0]["reason"], "NetworkNotFound");
    }

    #[test]
    fn a_refused_write_is_repeated_with_the_same_address() {
        let mut trial = Trial::new(&inventory());
        made(&mut trial, &object(SubnetPort::KIND, "a", json!({})));
        trial.run(Span::from_mins(1));
        let refused = Err(api::ApiError::new(ErrorReason::Conflict, "changed meanwhile"));
        trial.world.answered(trial.now, RequestId(1), &refused);
        trial.run(Span::from_mins(1));
        let all = statuses(&trial);
        assert_eq!(all.len(), 2);
        assert_eq!(all[0]["networkInterfaceConfig"], all[1]["networkInterfaceConfig"]);
    }
}
