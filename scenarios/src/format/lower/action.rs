//! What happens to the infrastructure.

use vmtwin_model::vsphere::action::{Action, DatastoreAction, Fate, HostAction, KeyProviderAction, NetworkAction, Reach, VmAction};

use super::image::check_operation;
use super::{Cx, fault, name, property};
use crate::diagnostics::{Code, Region};
use crate::format::section::scalar::Text;
use crate::format::section::step;
use crate::format::shape::shorten;
use crate::format::spanned::Spanned;

/// What can happen, in the format's words.
const DEEDS: &[(&str, &str)] = &[
    ("host", "fail recover disconnect reconnect enterMaintenance exitMaintenance add remove"),
    ("zone", "fail recover"),
    ("cluster", "set"),
    ("datastore", "fill inaccessible accessible maintenance"),
    ("keyProvider", "unavailable available removeKey"),
    ("network", "exhaust restore"),
    ("vm", "powerOff powerOn suspend reset toolsStop toolsStart guestHang guestCrash guestShutdown migrate reconfigure destroy relocate"),
    ("vcenter", ""),
    ("fault", ""),
    ("slow", ""),
];

/// An action; nothing if it was wrong.
pub(in crate::format) fn action(cx: &mut Cx<'_>, section: &Spanned<step::Action>) -> Option<Action> {
    let (subject, deed) = one_of_each(cx, section)?;
    let own = DEEDS.iter().find(|(name, _)| *name == subject).map_or("", |(_, deeds)| deeds);
    let fits = deed.is_none_or(|deed| own.split(' ').any(|word| word == deed)) && (deed.is_some() || own.is_empty());
    if !fits {
        if !cx.cut.contains(&section.region) {
            let words = own.replace(' ', "`, `");
            let message = match (deed, own.is_empty()) {
                (Some(deed), true) => format!("`{deed}` is nothing that happens to `{subject}`"),
                (Some(deed), false) => format!("`{deed}` is nothing that happens to a `{subject}`: it takes one of `{words}`"),
                (None, _) => format!("nothing happens to the `{subject}`: it takes one of `{words}`"),
            };
            cx.sink.tell(Code::OneThing, section.region, message);
        }
        return None;
    }
    match subject {
        "host" => host(cx, section),
        "zone" => zone(cx, section),
        "cluster" => cluster(cx, section),
        "datastore" => datastore(cx, section),
        "keyProvider" => key_provider(cx, section),
        "network" => network(cx, section),
        "vm" => vm(cx, section),
        "vcenter" => section.vcenter.as_ref().map(|reach| {
            Action::Vcenter(match reach.value {
                step::Reach::Down => Reach::Down,
                step::Reach::Up => Reach::Up,
            })
        }),
        "fault" => fault::rule(cx, section.fault.as_ref()?).map(|rule| Action::Fault(Box::new(rule))),
        _ => slow(cx, section.slow.as_ref()?),
    }
}

/// The action's subject and what happens to it, if there is one of each.
fn one_of_each(cx: &mut Cx<'_>, section: &Spanned<step::Action>) -> Option<(&'static str, Option<&'static str>)> {
    let one = &section.value;
    let subjects = present([
        (one.host.is_some(), "host"),
        (one.zone.is_some(), "zone"),
        (one.cluster.is_some(), "cluster"),
        (one.datastore.is_some(), "datastore"),
        (one.key_provider.is_some(), "keyProvider"),
        (one.network.is_some(), "network"),
        (one.vm.is_some(), "vm"),
        (one.vcenter.is_some(), "vcenter"),
        (one.fault.is_some(), "fault"),
        (one.slow.is_some(), "slow"),
    ]);
    let deeds = present([
        (one.fail.is_some(), "fail"),
        (one.recover.is_some(), "recover"),
        (one.disconnect.is_some(), "disconnect"),
        (one.reconnect.is_some(), "reconnect"),
        (one.enter_maintenance.is_some(), "enterMaintenance"),
        (one.exit_maintenance.is_some(), "exitMaintenance"),
        (one.add.is_some(), "add"),
        (one.remove.is_some(), "remove"),
        (one.set.is_some(), "set"),
        (one.fill.is_some(), "fill"),
        (one.inaccessible.is_some(), "inaccessible"),
        (one.accessible.is_some(), "accessible"),
        (one.maintenance.is_some(), "maintenance"),
        (one.unavailable.is_some(), "unavailable"),
        (one.available.is_some(), "available"),
        (one.remove_key.is_some(), "removeKey"),
        (one.exhaust.is_some(), "exhaust"),
        (one.restore.is_some(), "restore"),
        (one.power_off.is_some(), "powerOff"),
        (one.power_on.is_some(), "powerOn"),
        (one.suspend.is_some(), "suspend"),
        (one.reset.is_some(), "reset"),
        (one.tools_stop.is_some(), "toolsStop"),
        (one.tools_start.is_some(), "toolsStart"),
        (one.guest_hang.is_some(), "guestHang"),
        (one.guest_crash.is_some(), "guestCrash"),
        (one.guest_shutdown.is_some(), "guestShutdown"),
        (one.migrate.is_some(), "migrate"),
        (one.reconfigure.is_some(), "reconfigure"),
        (one.destroy.is_some(), "destroy"),
        (one.relocate.is_some(), "relocate"),
    ]);
    match (subjects.as_slice(), deeds.as_slice()) {
        ([subject], []) => Some((subject, None)),
        ([subject], [deed]) => Some((subject, Some(deed))),
        _ if cx.cut.contains(&section.region) => None,
        ([], _) => tell(cx, section.region, "the action names no subject: a host, zone, cluster, datastore, key provider, network, VM …"),
        ([first, second, ..], _) => tell(cx, section.region, &format!("the action names two subjects, `{first}` and `{second}`")),
        (_, [first, second, ..]) => {
            tell(cx, section.region, &format!("two things happen at once, `{first}` and `{second}`: list two actions"))
        }
    }
}

fn present<const N: usize>(fields: [(bool, &'static str); N]) -> Vec<&'static str> {
    fields.into_iter().filter(|(present, _)| *present).map(|(_, name)| name).collect()
}

fn tell<T>(cx: &mut Cx<'_>, region: Region, message: &str) -> Option<T> {
    cx.sink.tell(Code::OneThing, region, message);
    None
}

fn host(cx: &mut Cx<'_>, section: &step::Action) -> Option<Action> {
    let host = section.host.as_ref()?;
    if let Some(added) = &section.add {
        if !cx.known.clusters.check(&added.cluster, Code::UnknownCluster, "cluster", cx.sink) {
            return None;
        }
        for datastore in added.datastores.iter().flatten() {
            cx.known.datastores.check(datastore, Code::UnknownDatastore, "datastore", cx.sink);
        }
        return not_supported(cx, host.region, "adding a host");
    }
    if !cx.known.hosts.check(host, Code::UnknownHost, "host", cx.sink) {
        return None;
    }
    let action = if section.fail.is_some() {
        HostAction::Fate(Fate::Fail)
    } else if section.recover.is_some() {
        HostAction::Fate(Fate::Recover)
    } else if section.disconnect.is_some() {
        HostAction::Disconnect
    } else if section.reconnect.is_some() {
        HostAction::Reconnect
    } else if section.enter_maintenance.is_some() {
        HostAction::EnterMaintenance
    } else if section.exit_maintenance.is_some() {
        HostAction::ExitMaintenance
    } else {
        return not_supported(cx, host.region, "removing a host");
    };
    Some(Action::Host(name(host), action))
}

fn zone(cx: &mut Cx<'_>, section: &step::Action) -> Option<Action> {
    let zone = section.zone.as_ref()?;
    cx.known.zones.check(zone, Code::UnknownZone, "zone", cx.sink);
    let fate = if section.fail.is_some() { Fate::Fail } else { Fate::Recover };
    Some(Action::Zone(name(zone), fate))
}

fn cluster(cx: &mut Cx<'_>, section: &step::Action) -> Option<Action> {
    let cluster = section.cluster.as_ref()?;
    if !cx.known.clusters.check(cluster, Code::UnknownCluster, "cluster", cx.sink) {
        return None;
    }
    not_supported(cx, cluster.region, "changing a cluster's settings")
}

fn not_supported<T>(cx: &mut Cx<'_>, region: Region, what: &str) -> Option<T> {
    cx.sink.tell(Code::NotSupported, region, format!("{what} is not supported yet"));
    None
}

fn datastore(cx: &mut Cx<'_>, section: &step::Action) -> Option<Action> {
    let datastore = section.datastore.as_ref()?;
    cx.known.datastores.check(datastore, Code::UnknownDatastore, "datastore", cx.sink);
    let action = if let Some(fill) = &section.fill {
        DatastoreAction::Fill(cx.sink.basis_points(fill)?)
    } else if section.inaccessible.is_some() {
        DatastoreAction::Reach(Reach::Down)
    } else if section.accessible.is_some() {
        DatastoreAction::Reach(Reach::Up)
    } else {
        DatastoreAction::Maintenance
    };
    Some(Action::Datastore(name(datastore), action))
}

fn key_provider(cx: &mut Cx<'_>, section: &step::Action) -> Option<Action> {
    let provider = section.key_provider.as_ref()?;
    let known = cx.known.key_providers.check(provider, Code::UnknownKeyProvider, "key provider", cx.sink);
    let action = if let Some(key) = &section.remove_key {
        let full = format!("{}/{}", provider.value, key.value);
        if known && !cx.known.keys.open && !cx.known.keys.contains(&full) {
            let message = format!("the key provider `{}` has no key `{}`", shorten(&provider.value), shorten(&key.value));
            let prefix = format!("{}/", provider.value);
            let own = cx.known.keys.iter().filter_map(|key| key.strip_prefix(&prefix));
            let help = cx.sink.near(&key.value, own);
            cx.sink.tell_help(Code::UnknownKeyProvider, key.region, message, help);
        }
        KeyProviderAction::RemoveKey(name(key))
    } else if section.unavailable.is_some() {
        KeyProviderAction::Reach(Reach::Down)
    } else {
        KeyProviderAction::Reach(Reach::Up)
    };
    Some(Action::KeyProvider(name(provider), action))
}

fn network(cx: &mut Cx<'_>, section: &step::Action) -> Option<Action> {
    let network = section.network.as_ref()?;
    cx.known.networks.check(network, Code::UnknownNetwork, "network", cx.sink);
    let action = if section.exhaust.is_some() { NetworkAction::Exhaust } else { NetworkAction::Restore };
    Some(Action::Network(name(network), action))
}

fn vm(cx: &mut Cx<'_>, section: &step::Action) -> Option<Action> {
    let vm = section.vm.as_ref()?;
    check_vm(cx, vm);
    let plain = [
        (&section.power_off, VmAction::PowerOff),
        (&section.power_on, VmAction::PowerOn),
        (&section.suspend, VmAction::Suspend),
        (&section.reset, VmAction::Reset),
        (&section.tools_stop, VmAction::ToolsStop),
        (&section.tools_start, VmAction::ToolsStart),
        (&section.guest_hang, VmAction::GuestHang),
        (&section.guest_crash, VmAction::GuestCrash),
        (&section.guest_shutdown, VmAction::GuestShutdown),
        (&section.destroy, VmAction::Destroy),
    ];
    let action = if let Some((_, action)) = plain.into_iter().find(|(given, _)| given.is_some()) {
        action
    } else if let Some(host) = &section.migrate {
        cx.known.hosts.check(host, Code::UnknownHost, "host", cx.sink);
        VmAction::Migrate(name(host))
    } else if let Some(spec) = &section.reconfigure {
        let node = cx.node(&spec.0);
        VmAction::Reconfigure(Box::new(property::read(cx, &node, "a `VirtualMachineConfigSpec`")?))
    } else {
        let relocate = section.relocate.as_ref()?;
        for target in [&relocate.pool, &relocate.folder].into_iter().flatten() {
            let child = target.value.strip_prefix("namespace/");
            if !matches!(target.value.as_str(), "root" | "namespace") && child.is_none_or(|child| child.is_empty() || child.contains('/')) {
                let message = format!("`{}` is not `root`, `namespace` or `namespace/CHILD`", shorten(&target.value));
                cx.sink.tell(Code::UnknownWord, target.region, message);
            }
        }
        if relocate.pool.is_none() && relocate.folder.is_none() {
            return tell(cx, vm.region, "`relocate` names a `pool`, a `folder` or both");
        }
        VmAction::Relocate { pool: relocate.pool.as_ref().map(name), folder: relocate.folder.as_ref().map(name) }
    };
    Some(Action::Vm(name(vm), action))
}

/// Tells of a VM that neither exists nor is made.
pub(in crate::format) fn check_vm(cx: &mut Cx<'_>, vm: &Text) {
    cx.known.vms.check(vm, Code::UnknownVm, "VM", cx.sink);
}

fn slow(cx: &mut Cx<'_>, section: &step::Slow) -> Option<Action> {
    let operation = check_operation(cx, &section.operation);
    let factor_milli =
        cx.sink.scaled(&section.factor, 3, 1, 1_000_000_000, "a factor from 0.001 to 1000000, with three decimals at most")?;
    Some(Action::Slow { operation, factor_milli })
}
