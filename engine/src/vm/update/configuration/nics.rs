//! Ethernet cards after the deployment, where interfaces may change: gate `MutableNetworks`. Source: vm-lifecycle §11.7.3.
//!
//! Cards change while the VM is off. An interface that is put on another network keeps its card's type and key; a card that no interface is left for
//! goes, and with it, one pass later, the interface object that nobody names.
//!
//! Mirrors: vm-operator `pkg/providers/vsphere/network/reconcile.go`, `ReconcileNetworkInterfaces`.

use vmtwin_model::kube::api::Write;
use vmtwin_model::vsphere::spec::{Device, DeviceChange, DeviceType};

use crate::pass::{Cx, Flow};
use crate::verdict::Verdict;
use crate::vm::create::{interfaces, interfaces::Interface, spec};
use crate::vm::{VmDraft, keys};

/// What has to change of the cards.
pub(super) fn changes(cx: &mut Cx<'_>, draft: &VmDraft, devices: &[Device], wanted: &[Interface]) -> Vec<DeviceChange> {
    let orphans = interfaces::orphans(cx, draft, wanted);
    plan(devices, wanted, &orphans)
}

/// The cards of the interfaces that an annotation names, attached to their ports anew: what a restore of the VPC asks for, also of a running VM.
pub(super) fn attached_anew(draft: &VmDraft, devices: &[Device], wanted: &[Interface]) -> Vec<DeviceChange> {
    let named: Vec<&str> = draft.annotation(keys::RECONFIGURE_NIC).unwrap_or_default().split(',').map(str::trim).collect();
    let cards = devices.iter().filter(|device| device.type_.is_ethernet_card());
    let restored = cards.zip(wanted).filter(|(_, interface)| named.contains(&interface.name.as_str()));
    restored
        .map(|(card, interface)| {
            let mut card = card.clone();
            spec::plug(&mut card, interface);
            DeviceChange::edit(card)
        })
        .collect()
}

/// Whether cards wait for the VM to be off.
pub(super) fn is_pending(cx: &mut Cx<'_>, draft: &VmDraft, devices: &[Device], wanted: &[Interface]) -> bool {
    !changes(cx, draft, devices, wanted).is_empty()
}

/// Deletes the interface objects that nobody names.
pub(super) fn collect_orphans(cx: &mut Cx<'_>, draft: &VmDraft, wanted: &[Interface]) -> Flow<()> {
    let writes = interfaces::orphans(cx, draft, wanted).into_iter().filter_map(|orphan| orphan.object).map(Write::Delete).collect();
    for answer in cx.write_all(writes)? {
        match answer {
            Err(error) if error.code != 404 => {
                return Err(Verdict::failed(format!("failed to delete orphaned network interface: {error}")).into());
            }
            _ => {}
        }
    }
    Ok(())
}

/// The place of each interface's card among the devices; nothing where it has none. No card is two interfaces'.
pub(crate) fn cards_of(devices: &[Device], interfaces: &[Interface]) -> Vec<Option<usize>> {
    let mut taken = Vec::new();
    let mut cards = vec![None; interfaces.len()];
    for is_it in [by_external_id, by_mac, by_network] {
        for (card, interface) in cards.iter_mut().zip(interfaces).filter(|(card, _)| card.is_none()) {
            let found = devices
                .iter()
                .enumerate()
                .find(|(nth, device)| device.type_.is_ethernet_card() && !taken.contains(nth) && is_it(device, interface));
            if let Some((nth, _)) = found {
                taken.push(nth);
                *card = Some(nth);
            }
        }
    }
    cards
}

fn by_external_id(card: &Device, interface: &Interface) -> bool {
    !interface.external_id.is_empty() && card.external_id.as_deref() == Some(&*interface.external_id)
}

fn by_mac(card: &Device, interface: &Interface) -> bool {
    !interface.mac.is_empty() && card.mac_address.as_deref().is_some_and(|mac| mac.eq_ignore_ascii_case(&interface.mac))
}

fn by_network(card: &Device, interface: &Interface) -> bool {
    // What has a port of its own is known by that.
    let known_otherwise = card.external_id.as_ref().is_some_and(|id| !id.is_empty());
    let name = card.backing.as_ref().and_then(|backing| backing.device_name.as_deref());
    !known_otherwise && !interface.network.is_empty() && name == Some(&*interface.network)
}

fn plan(devices: &[Device], wanted: &[Interface], orphans: &[Interface]) -> Vec<DeviceChange> {
    let cards = cards_of(devices, wanted);
    let left = cards_of(devices, orphans);
    let mut kept: Vec<usize> = cards.iter().flatten().copied().collect();
    let mut changes = Vec::new();
    for ((interface, _), key) in wanted.iter().zip(&cards).filter(|(_, card)| card.is_none()).zip((-300..).step_by(1)) {
        let before = orphans.iter().zip(&left).find(|(orphan, _)| orphan.name == interface.name).and_then(|(_, card)| *card);
        match before.filter(|nth| !kept.contains(nth)) {
            Some(nth) => {
                kept.push(nth);
                let mut card = devices[nth].clone();
                spec::plug(&mut card, interface);
                changes.push(DeviceChange::edit(card));
            }
            None => {
                let mut card = Device::new(DeviceType::VirtualVmxnet3, key);
                spec::plug(&mut card, interface);
                card.address_type.get_or_insert_with(|| "generated".into());
                changes.push(DeviceChange::add(card));
            }
        }
    }
    let surplus = devices.iter().enumerate().filter(|(nth, device)| device.type_.is_ethernet_card() && !kept.contains(nth));
    let mut all: Vec<DeviceChange> = surplus.map(|(_, device)| DeviceChange::remove(device.clone())).collect();
    all.extend(changes);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmtwin_model::vsphere::spec::DeviceOperation;

    fn interface(name: &str, port: &str) -> Interface {
        Interface { name: name.to_owned(), external_id: port.to_owned(), network: format!("net-of-{port}").into(), ..Interface::default() }
    }

    fn card(type_: DeviceType, key: i32, port: &str) -> Device {
        let mut card = Device::new(type_, key);
        spec::plug(&mut card, &interface("", port));
        card
    }

    fn told(devices: &[Device], wanted: &[Interface], orphans: &[Interface]) -> Vec<(DeviceOperation, i32, DeviceType, String)> {
        let told = |change: DeviceChange| {
            let port = change.device.external_id.as_deref().unwrap_or_default().to_owned();
            (change.operation.expect("it is said"), change.device.key, change.device.type_, port)
        };
        plan(devices, wanted, orphans).into_iter().map(told).collect()
    }

    #[test]
    fn a_moved_interface_keeps_its_cards_type_and_key() {
        use DeviceOperation::{Add, Edit, Remove};
        use DeviceType::{VirtualE1000e, VirtualVmxnet2, VirtualVmxnet3};

        let devices = [card(VirtualE1000e, 4000, "a"), card(VirtualVmxnet2, 4001, "b")];
        let (eth0, eth1, moved) = (interface("eth0", "a"), interface("eth1", "b"), interface("eth1", "c"));
        assert_eq!(told(&devices, &[eth0.clone(), eth1.clone()], &[]), []);
        let after = told(&devices, &[eth0.clone(), moved.clone()], std::slice::from_ref(&eth1));
        assert_eq!(after, [(Edit, 4001, VirtualVmxnet2, "c".to_owned())]);
        let fewer = told(&devices, std::slice::from_ref(&eth0), std::slice::from_ref(&eth1));
        assert_eq!(fewer, [(Remove, 4001, VirtualVmxnet2, "b".to_owned())]);
        let more = told(&devices, &[eth0, eth1, interface("eth2", "d")], &[]);
        assert_eq!(more, [(Add, -300, VirtualVmxnet3, "d".to_owned())]);
    }
}
