//! The network provider: answers the interface objects that the operator creates with a port, a MAC address and addresses.
//!
//! VPC's `SubnetPort`, NSX-T's `VirtualNetworkInterface`, VDS's `NetworkInterface`; which of them is `Settings::network_provider`'s choice. An object that
//! can't be answered yet (no address is left) says so in its `Ready` condition and is attended to again when there are addresses.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use vmtwin_model::Cause;
use vmtwin_model::kube::api::{Answer, ErrorReason, PatchKind, Request, Subresource, User, WatchEvent};
use vmtwin_model::kube::{Object, ObjectKey};
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_model::vsphere::inventory::Ipam;
use vmtwin_model::vsphere::spec::Device;
use vmtwin_model::vsphere::vm::IpAddress;

use crate::agenda::Entry;
use crate::latency::{drawn, sample};
use crate::{NetworkProvider, RequestId, What, World};

/// How long after a refused request the provider tries again.
const TRY_AGAIN: Span = Span::from_secs(5);

/// What the provider keeps of its ports.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ports {
    ports: BTreeMap<ObjectKey, Arc<Port>>,
    by_mac: BTreeMap<Arc<str>, ObjectKey>,
    asked: BTreeMap<RequestId, ObjectKey>,
    requests: u64,
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
    /// Whether it waits for an address.
    waits: bool,
}

/// What an interface object asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wanted {
    network: String,
    mac: String,
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
    Wanted { network: network.unwrap_or_default().to_owned(), mac: text("/addressBindings/0/macAddress").to_lowercase() }
}

impl World {
    /// The API server tells the neighbours of a changed object.
    pub fn observe(&mut self, now: Timestamp, cause: Cause, event: &WatchEvent) {
        if !is_ours(self.settings.network_provider, event.key.kind.info().kind) {
            return;
        }
        self.begin(now, cause);
        match &event.after {
            None => self.forget_port(&event.key),
            Some(object) if !self.ports.ports.contains_key(&event.key) => {
                self.open_port(event.key.clone(), wanted(object));
                let mut draw = self.rng.draw("sim/port", (&*event.key.namespace, &*event.key.name, object.uid()));
                let span = sample(drawn(800, 2_500), &mut draw);
                self.agenda.put(now + span, cause, Entry::Attend(event.key.clone()));
            }
            Some(_) => {}
        }
    }

    fn open_port(&mut self, key: ObjectKey, wanted: Wanted) {
        let mac: Arc<str> = if wanted.mac.is_empty() {
            let mut draw = self.rng.draw("sim/port-mac", (&*key.namespace, &*key.name));
            format!("04:50:56:{:02x}:{:02x}:{:02x}", draw.below(256), draw.below(256), draw.below(256)).into()
        } else {
            wanted.mac.as_str().into()
        };
        self.ports.by_mac.insert(mac.clone(), key.clone());
        self.ports.ports.insert(key, Arc::new(Port { network: None, mac, addresses: Vec::new(), taken: Vec::new(), wanted, waits: false }));
    }

    fn forget_port(&mut self, key: &ObjectKey) {
        let Some(port) = self.ports.ports.remove(key) else { return };
        self.ports.by_mac.remove(&port.mac);
        if let Some(network) = port.network.and_then(|row| self.networks.get_mut(row)) {
            port.taken.iter().for_each(|address| network.give_back(*address));
        }
        if let Some(row) = port.network {
            self.addresses_are_back(row);
        }
    }

    /// A network has addresses again: who waits for one is attended to.
    pub(crate) fn addresses_are_back(&mut self, row: u32) {
        let waiting = self.ports.ports.iter().filter(|(_, port)| port.waits && port.network == Some(row));
        let waiting: Vec<ObjectKey> = waiting.map(|(key, _)| key.clone()).collect();
        for key in waiting {
            self.agenda.put(self.now, self.cause, Entry::Attend(key));
        }
    }

    /// The provider turns to an interface object.
    pub(crate) fn attend(&mut self, key: &ObjectKey) {
        let Some(port) = self.ports.ports.get(key).cloned() else { return };
        let network = if port.wanted.network.is_empty() {
            (!self.networks.is_empty()).then_some(0)
        } else {
            self.names.networks.get(&*port.wanted.network).copied()
        };
        let status = match network {
            None => not_ready("NetworkNotFound", &format!("network {:?} is not found", port.wanted.network)),
            Some(row) => match self.addresses_for(key, row) {
                Ok(()) => self.status_of(key),
                Err(why) => not_ready("IPAllocationFailed", &why),
            },
        };
        self.ports.requests += 1;
        let id = RequestId(self.ports.requests);
        self.ports.asked.insert(id, key.clone());
        let request =
            Request::Patch { key: key.clone(), kind: PatchKind::Merge, patch: json!({"status": status}), part: Subresource::Status };
        self.push(What::Request { id, user: User::named("system:serviceaccount:vmware-system-nsx:network-provider"), request });
    }

    /// Takes the addresses that a port is to have.
    fn addresses_for(&mut self, key: &ObjectKey, row: u32) -> Result<(), String> {
        let Some(port) = self.ports.ports.get_mut(key) else { return Ok(()) };
        let port = Arc::make_mut(port);
        port.network = Some(row);
        port.waits = false;
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
                let Some(number) = network.take() else {
                    port.waits = true;
                    return Err(format!("no address is left in network {:?}", network.name()));
                };
                let range = network.range.expect("a network that hands out addresses has a range");
                port.taken = vec![number];
                port.addresses = vec![(format!("{}/{}", range.text(number), range.prefix).into(), network.settings.gateway.clone())];
            }
        }
        Ok(())
    }

    fn status_of(&self, key: &ObjectKey) -> Value {
        let Some(port) = self.ports.ports.get(key) else { return json!({}) };
        let Some(network) = port.network.and_then(|row| self.networks.get(row)) else { return json!({}) };
        let id = self.rng.draw("sim/port-id", (&*key.namespace, &*key.name)).uuid().to_string();
        let conditions = [condition("True", "Ready", "")];
        let bare = |address: &str| address.split('/').next().unwrap_or_default().to_owned();
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
                    .map(|(address, gateway)| json!({"ip": bare(address), "gateway": gateway, "subnetMask": mask}))
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
                        json!({"ip": bare(address), "ipFamily": family, "gateway": gateway, "subnetMask": mask})
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
        if let Err(error) = result
            && error.reason != ErrorReason::NotFound
        {
            self.agenda.put(now + TRY_AGAIN, self.cause, Entry::Attend(key));
        }
    }

    /// The network that an adapter is on.
    pub(crate) fn network_of_card(&self, card: &Device) -> Option<u32> {
        let port = card.mac_address.as_ref().and_then(|mac| self.ports.by_mac.get(mac)).and_then(|key| self.ports.ports.get(key));
        if let Some(row) = port.and_then(|port| port.network) {
            return Some(row);
        }
        let backing = card.backing.as_ref()?;
        let named = backing.device_name.as_ref().or(backing.network.as_ref())?;
        let is_it = |network: &crate::Network| network.name() == named || network.segment == *named || network.id.as_str() == &**named;
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
        let port = self.ports.by_mac.get(&mac).and_then(|key| self.ports.ports.get(key));
        if let Some(port) = port.filter(|port| !port.addresses.is_empty()) {
            return (row, port.addresses.iter().map(|(address, _)| manual(address)).collect());
        }
        let leased = row.and_then(|row| self.networks.get_mut(row)).filter(|network| network.is_dhcp()).and_then(|network| {
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

fn condition(status: &str, reason: &str, message: &str) -> Value {
    json!({"type": "Ready", "status": status, "reason": reason, "message": message, "lastTransitionTime": "1970-01-01T00:00:00Z"})
}

fn not_ready(reason: &str, message: &str) -> Value {
    json!({"conditions": [condition("False", reason, message)]})
}
