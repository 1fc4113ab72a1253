//! The network provider: it answers the interface objects that the operator makes, each with a MAC address, what the network gives as an
//! address, and a `Ready` condition; and it takes the address back when the object goes.
//!
//! One provider works in a run, on its own kind. It reads objects as JSON and writes their status by merge patches, as any foreign
//! client would. What has no address yet waits and is answered when there is one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use vmtwin_model::Cause;
use vmtwin_model::kube::api::{self, ErrorReason, PatchKind, Request, Subresource, User, WatchEvent};
use vmtwin_model::kube::object::ObjectKey;
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_model::vsphere::inventory::Ipam;
use vmtwin_model::vsphere::spec::Device;
use vmtwin_model::vsphere::vm::IpAddress;

use crate::agenda::Entry;
use crate::latency::{drawn, sample};
use crate::network::Network;
use crate::shards::Shards;
use crate::{NetworkProvider, RequestId, What, World};

/// After a refused write.
const RETRY: Span = Span::from_secs(1);

/// What the provider has made so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ports {
    /// By the object's namespace and name: one provider has one kind.
    ports: Shards<Arc<Port>>,
    /// The objects that nothing could be made for yet.
    waiting: BTreeSet<ObjectKey>,
    /// Interface objects by the MAC address of their port.
    by_mac: Shards<ObjectKey>,
    /// Interface objects by the id that their VM's adapter carries.
    by_external_id: Shards<ObjectKey>,
    requests: BTreeMap<RequestId, ObjectKey>,
    last: u64,
}

/// A port, or the wish for one.
#[derive(Clone, Debug)]
struct Port {
    object: Arc<vmtwin_model::kube::object::Object>,
    network: Option<u32>,
    mac: Arc<str>,
    external_id: Arc<str>,
    /// The addresses taken from the network.
    taken: Vec<u128>,
    /// The addresses given, with prefix length and gateway.
    given: Vec<(String, u8, String)>,
    ready: bool,
}

impl World {
    /// A neighbour hears of a change of an object. What it does comes out of [`World::step`].
    pub fn observe(&mut self, now: Timestamp, cause: Cause, event: &WatchEvent) {
        if self.provider_kind() != Some(event.key.kind.info().kind) {
            return;
        }
        self.begin(now, cause);
        let name = event.key.namespaced_name();
        match (&event.after, self.ports.ports.get_mut(&name)) {
            (None, Some(_)) => self.free_port(&event.key),
            (None, None) => {}
            (Some(object), Some(port)) => Arc::make_mut(port).object = object.clone(),
            (Some(object), None) => {
                let port = Port {
                    object: object.clone(),
                    network: None,
                    mac: "".into(),
                    external_id: "".into(),
                    taken: Vec::new(),
                    given: Vec::new(),
                    ready: false,
                };
                self.ports.ports.insert(name.as_str().into(), Arc::new(port));
                let nth = self.count(&name, "interface");
                let after = sample(drawn(500, 3_000), &mut self.rng.draw("sim/network", (&name, nth)));
                self.agenda.put(now + after, cause, Entry::Attend(event.key.clone()));
            }
        }
    }

    /// The API server's answer to a neighbour's request.
    pub fn answered(&mut self, now: Timestamp, id: RequestId, result: &api::Answer) {
        let Some(key) = self.ports.requests.remove(&id) else { return };
        match result {
            Ok(_) => {}
            Err(error) if error.reason == ErrorReason::NotFound => self.free_port(&key),
            Err(_) => self.agenda.put(now + RETRY, Cause::default(), Entry::Attend(key)),
        }
    }

    /// The kind of object that the provider of this run answers.
    fn provider_kind(&self) -> Option<&'static str> {
        match self.provider {
            NetworkProvider::Vpc => Some("SubnetPort"),
            NetworkProvider::NsxT => Some("VirtualNetworkInterface"),
            NetworkProvider::Vds => Some("NetworkInterface"),
            NetworkProvider::Named => None,
        }
    }

    /// The provider turns to an interface object and writes what it has for it.
    pub(crate) fn attend(&mut self, key: &ObjectKey) {
        let name = key.namespaced_name();
        let Some(port) = self.ports.ports.get(&name).cloned() else { return };
        let object = port.object.to_value();
        let refusal = if port.ready { None } else { self.make_port(key, &object).err() };
        match refusal {
            Some(_) => self.ports.waiting.insert(key.clone()),
            None => self.ports.waiting.remove(key),
        };
        let Some(port) = self.ports.ports.get(&name).cloned() else { return };
        let status = match (&refusal, port.network.and_then(|row| self.networks.get(row))) {
            (None, Some(network)) => self.status(&port, network),
            (refusal, _) => {
                let (reason, message) = refusal.clone().unwrap_or(("NetworkNotFound", "the network isn't there".to_owned()));
                json!({"conditions": [self.condition("False", reason, &message)]})
            }
        };
        self.ports.last += 1;
        let id = RequestId(self.ports.last);
        self.ports.requests.insert(id, key.clone());
        let user = User {
            name: match self.provider {
                NetworkProvider::Vpc => "system:serviceaccount:vmware-system-nsx:nsx-operator",
                NetworkProvider::NsxT => "system:serviceaccount:vmware-system-nsx:ncp-svc-account",
                NetworkProvider::Vds | NetworkProvider::Named => "system:serviceaccount:vmware-system-netop:vmware-system-netop",
            }
            .into(),
            groups: BTreeSet::from(["system:serviceaccounts".into(), "system:authenticated".into()]),
        };
        let request =
            Request::Patch { key: key.clone(), kind: PatchKind::Merge, patch: json!({"status": status}), part: Subresource::Status };
        self.push(What::Request { id, user, request });
    }

    /// Takes what the port needs from its network, or tells why it can't.
    fn make_port(&mut self, key: &ObjectKey, object: &Value) -> Result<(), (&'static str, String)> {
        let spec = |path: &str| object.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty());
        let wanted = ["/spec/subnet", "/spec/subnetSet", "/spec/virtualNetwork", "/spec/networkName"].iter().find_map(|path| spec(path));
        let row = match wanted {
            Some(name) => self.names.networks.get(name).copied(),
            None => self.networks.iter().next().map(|(row, _)| row),
        };
        let Some(row) = row else {
            return Err(("NetworkNotFound", format!("network {} isn't there", wanted.unwrap_or("(default)"))));
        };
        let name = key.namespaced_name();
        let nth = self.count(&name, "port");
        let asked_mac = spec("/spec/addressBindings/0/macAddress").map(str::to_ascii_lowercase);
        let asked_ip = spec("/spec/addressBindings/0/ipAddress").map(str::to_owned);
        let mut draw = self.rng.draw("sim/mac", (&name, nth));
        let prefix = if self.provider == NetworkProvider::Vds { "00:50:56" } else { "04:50:56" };
        let mac: Arc<str> = match asked_mac {
            Some(mac) => mac.into(),
            None => format!("{prefix}:{:02x}:{:02x}:{:02x}", draw.below(0x40), draw.below(256), draw.below(256)).into(),
        };
        let external_id: Arc<str> = match spec("/spec/externalID") {
            Some(id) => id.into(),
            None => self.rng.draw("sim/uuid", ("port", &name, nth)).uuid().to_string().into(),
        };
        let Some(network) = self.networks.get_mut(row) else { return Err(("NetworkNotFound", "the network is gone".to_owned())) };
        let (taken, given) = addresses(network, asked_ip.as_deref())?;
        if let Some(port) = self.ports.ports.get_mut(&name) {
            let port = Arc::make_mut(port);
            port.network = Some(row);
            port.mac = mac.clone();
            port.external_id = external_id.clone();
            port.taken = taken;
            port.given = given;
            port.ready = true;
        }
        self.ports.by_mac.insert(mac, key.clone());
        self.ports.by_external_id.insert(external_id, key.clone());
        Ok(())
    }

    fn free_port(&mut self, key: &ObjectKey) {
        self.ports.waiting.remove(key);
        let Some(port) = self.ports.ports.remove(&key.namespaced_name()) else { return };
        self.ports.by_mac.remove(&port.mac);
        self.ports.by_external_id.remove(&port.external_id);
        let Some(row) = port.network else { return };
        if let Some(network) = self.networks.get_mut(row) {
            for address in &port.taken {
                network.give_back(*address);
            }
        }
        if !port.taken.is_empty() {
            self.addresses_are_back();
        }
    }

    /// There are addresses again: whoever waits is attended to.
    pub(crate) fn addresses_are_back(&mut self) {
        for key in self.ports.waiting.clone() {
            self.agenda.put(self.now + RETRY, self.cause, Entry::Attend(key));
        }
    }

    fn condition(&self, status: &str, reason: &str, message: &str) -> Value {
        let time = self.now.to_second().to_string();
        json!({"type": "Ready", "status": status, "reason": reason, "message": message, "lastTransitionTime": time})
    }

    /// The status of a port that is made, in its provider's shape.
    fn status(&self, port: &Port, network: &Network) -> Value {
        let conditions = json!([self.condition("True", "Ready", "")]);
        let mask = network.range.map(|range| range.mask()).unwrap_or_default();
        match self.provider {
            NetworkProvider::Vpc => {
                let ips: Vec<_> = port
                    .given
                    .iter()
                    .map(|(ip, prefix, gateway)| json!({"ipAddress": format!("{ip}/{prefix}"), "gateway": gateway}))
                    .collect();
                json!({
                    "conditions": conditions,
                    "attachment": {"id": &*port.external_id},
                    "networkInterfaceConfig": {
                        "logicalSwitchUUID": &*network.segment,
                        "ipAddresses": ips,
                        "macAddress": &*port.mac,
                        "dhcpDeactivatedOnSubnet": network.settings.ipam == Ipam::None,
                    },
                })
            }
            NetworkProvider::NsxT => {
                let ips: Vec<_> =
                    port.given.iter().map(|(ip, _, gateway)| json!({"ip": ip, "gateway": gateway, "subnetMask": mask})).collect();
                json!({
                    "conditions": conditions,
                    "interfaceID": &*port.external_id,
                    "ipAddresses": ips,
                    "macAddress": &*port.mac,
                    "providerStatus": {"nsxLogicalPortID": &*port.external_id, "nsxLogicalSwitchID": &*network.segment},
                })
            }
            NetworkProvider::Vds | NetworkProvider::Named => {
                let ips: Vec<_> = port
                    .given
                    .iter()
                    .map(|(ip, _, gateway)| {
                        let family = if ip.contains(':') { "IPv6" } else { "IPv4" };
                        json!({"ip": ip, "gateway": gateway, "ipFamily": family, "subnetMask": mask})
                    })
                    .collect();
                let mode = match network.settings.ipam {
                    Ipam::Pool | Ipam::Fixed(_) => "staticpool",
                    Ipam::Dhcp => "dhcp",
                    Ipam::None => "none",
                };
                json!({
                    "conditions": conditions,
                    "externalID": &*port.external_id,
                    "ipAssignmentMode": mode,
                    "ipConfigs": ips,
                    "macAddress": &*port.mac,
                    "networkID": network.id,
                    "portID": &*port.external_id,
                })
            }
        }
    }

    /// The network that an adapter is on: its port's, or the one that its backing names.
    pub(crate) fn network_of_card(&self, card: &Device) -> Option<u32> {
        if let Some(port) = self.port_of(card) {
            return port.network;
        }
        let backing = card.backing.as_ref()?;
        let group = backing.rest.get("port").and_then(|port| port.get("portgroupKey")).and_then(Value::as_str);
        let id = backing.network.as_deref().or(group).or(backing.device_name.as_deref())?;
        self.names.network_ids.get(&id.into()).or_else(|| self.names.networks.get(id)).copied()
    }

    fn port_of(&self, card: &Device) -> Option<&Arc<Port>> {
        let by_id = card.external_id.as_deref().and_then(|id| self.ports.by_external_id.get(id));
        let key = by_id.or_else(|| self.ports.by_mac.get(card.mac_address.as_deref()?))?;
        self.ports.ports.get(&key.namespaced_name())
    }

    /// The addresses that a guest has on an adapter: what a customization set, what the provider gave, or what DHCP gives; with the
    /// adapter's network.
    pub(crate) fn addresses_of(&mut self, card: &Device, set: &BTreeMap<Arc<str>, Arc<str>>) -> (Option<u32>, Vec<IpAddress>) {
        let address = |ip: &str, prefix: u8, origin: &str| IpAddress {
            ip_address: ip.into(),
            prefix_length: prefix,
            origin: Some(origin.into()),
            state: Some("preferred".into()),
        };
        let network = self.network_of_card(card);
        let mac = card.mac_address.clone().unwrap_or_default();
        if let Some((ip, prefix)) = set.get(&mac).and_then(|fixed| fixed.split_once('/')) {
            return (network, vec![address(ip, prefix.parse().unwrap_or(24), "manual")]);
        }
        if let Some(port) = self.port_of(card).filter(|port| !port.given.is_empty()) {
            return (network, port.given.iter().map(|(ip, prefix, _)| address(ip, *prefix, "manual")).collect());
        }
        let Some(there) = network.and_then(|row| self.networks.get_mut(row)) else { return (network, Vec::new()) };
        let Some(range) = there.range.filter(|_| there.settings.ipam != Ipam::None) else { return (network, Vec::new()) };
        let leased = there.lease(&mac).map(|given| address(&range.text(given), range.prefix, "dhcp"));
        (network, leased.into_iter().collect())
    }
}

type Taken = (Vec<u128>, Vec<(String, u8, String)>);

/// Takes what an interface gets from its network: the numbers to give back one day, and the addresses with prefix and gateway.
fn addresses(network: &mut Network, asked: Option<&str>) -> Result<Taken, (&'static str, String)> {
    let gateway = network.settings.gateway.to_string();
    match network.settings.ipam.clone() {
        Ipam::Dhcp | Ipam::None => Ok((Vec::new(), Vec::new())),
        Ipam::Fixed(addresses) => {
            let given = addresses.iter().map(|(address, gateway)| {
                let (ip, prefix) = address.split_once('/').unwrap_or((address, ""));
                let prefix = prefix.parse().ok().or(network.range.map(|range| range.prefix)).unwrap_or(24);
                (ip.to_owned(), prefix, gateway.to_string())
            });
            Ok((Vec::new(), given.collect()))
        }
        Ipam::Pool => {
            let Some(range) = network.range else {
                return Err(("InvalidNetwork", format!("network {} has no range of addresses", network.settings.name)));
            };
            let taken = match asked {
                Some(asked) => network.take_this(asked).ok_or_else(|| ("IPAddressInUse", format!("address {asked} can't be given")))?,
                None => network
                    .take()
                    .ok_or_else(|| ("IPAddressExhausted", format!("network {} has no free address", network.settings.name)))?,
            };
            Ok((vec![taken], vec![(range.text(taken), range.prefix, gateway)]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Trial, inventory, spec};
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
            (&json!("False"), &json!("IPAddressExhausted"))
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
