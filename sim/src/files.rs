//! The files of a VM, as `layoutEx` lists them, and what each takes. Source: crypto-storage §4.2.

use std::collections::BTreeMap;

use vmtwin_model::units::{Bytes, MiB};
use vmtwin_model::vsphere::spec::{Device, DeviceType};
use vmtwin_model::vsphere::vm::{Config, LayoutChain, LayoutDisk, LayoutEx, LayoutFile, LayoutSnapshot, PowerState};

use crate::World;
use crate::vm::Vm;

const KIB: i64 = 1024;

/// The files of a VM in its state.
pub(crate) fn layout(world: &World, vm: &Vm) -> LayoutEx {
    let config = vm.config();
    let home = home_path(world, vm);
    let name = &vm.seen.name;
    let mut layout = LayoutEx::default();
    let mut add = |path: String, type_: &str, size: i64| {
        let key = i32::try_from(layout.file.len()).expect("a VM has few files");
        layout.file.push(LayoutFile { key, name: path.into(), type_: type_.into(), size: Bytes(size), unique_size: Bytes(size) });
        key
    };
    add(format!("{home}/{name}.vmx"), "config", 4 * KIB);
    add(format!("{home}/{name}.vmsd"), "snapshotList", KIB);
    let efi = config.firmware.as_deref() == Some("efi");
    add(format!("{home}/{name}.nvram"), "nvram", if efi { 264 * KIB } else { 8704 });
    for log in 0..vm.boots.min(7) {
        let path = if log == 0 { format!("{home}/vmware.log") } else { format!("{home}/vmware-{log}.log") };
        add(path, "log", 256 * KIB);
    }
    match vm.power() {
        PowerState::PoweredOn => {
            let swap = swap_size(config);
            if swap > MiB::ZERO {
                add(format!("{home}/{name}.vswp"), "swap", swap.to_bytes().0);
            }
            add(format!("{home}/vmx-{name}.vswp"), "uwswap", 100 << 20);
        }
        PowerState::Suspended => {
            add(format!("{home}/{name}.vmss"), "suspend", 64 * KIB);
            add(format!("{home}/{name}.vmem"), "suspendMemory", config.hardware.memory_mb.to_bytes().0);
        }
        PowerState::PoweredOff => {}
    }
    let mut link = |path: &str, is_base: bool, bytes: Bytes| {
        let stem = path.strip_suffix(".vmdk").unwrap_or(path);
        let descriptor = add(path.to_owned(), "diskDescriptor", 512);
        let extent = add(format!("{stem}-{}.vmdk", if is_base { "flat" } else { "sesparse" }), "diskExtent", bytes.0);
        LayoutChain { file_key: vec![descriptor, extent] }
    };
    let snapshots = &vm.snapshots;
    let frozen: BTreeMap<u32, LayoutChain> =
        snapshots.links.iter().map(|(nth, frozen)| (*nth, link(&frozen.path, frozen.below.is_none(), frozen.bytes))).collect();
    let chain = |top: Option<u32>| snapshots.chain(top).iter().filter_map(|nth| frozen.get(nth)).cloned().collect::<Vec<_>>();
    let mut disks = Vec::new();
    for disk in config.hardware.device.iter().filter(|device| device.type_ == DeviceType::VirtualDisk) {
        let Some(path) = disk.backing.as_ref().and_then(|backing| backing.file_name.as_deref()) else { continue };
        let below = snapshots.below_live.get(&disk.key).copied();
        let mut chain = chain(below);
        chain.push(link(path, below.is_none(), disk_size(disk, vm)));
        disks.push(LayoutDisk { key: disk.key, chain });
    }
    layout.snapshot = snapshots
        .taken
        .iter()
        .map(|(id, taken)| {
            let stem = format!("{home}/{name}-Snapshot{}", taken.number);
            LayoutSnapshot {
                key: id.clone(),
                data_key: add(format!("{stem}.vmsn"), "snapshotData", 32 * KIB),
                memory_key: taken.memory.map_or(-1, |memory| add(format!("{stem}.vmem"), "snapshotMemory", memory.0)),
                disk: taken.disks.iter().map(|(key, top)| LayoutDisk { key: *key, chain: chain(Some(*top)) }).collect(),
            }
        })
        .collect();
    layout.disk = disks;
    layout
}

/// The folder of a VM's home, `[datastore] name`.
pub(crate) fn home_path(world: &World, vm: &Vm) -> String {
    let given = vm.config().files.vm_path_name.as_deref().and_then(|path| path.rsplit_once('/')).map(|(folder, _)| folder.to_owned());
    given.unwrap_or_else(|| {
        let datastore = world.datastores.get(vm.home).map_or("", |ds| &ds.name);
        format!("[{datastore}] {}", vm.seen.name)
    })
}

/// The swap file of a powered-on VM: its memory but for what is reserved.
pub(crate) fn swap_size(config: &Config) -> MiB {
    let reserved = config.memory_allocation.reservation.unwrap_or(0).max(0);
    MiB((config.hardware.memory_mb.0 - reserved).max(0))
}

/// What a disk takes: a thick one its capacity, a thin one what was written.
fn disk_size(disk: &Device, vm: &Vm) -> Bytes {
    let capacity = disk.capacity_in_bytes.unwrap_or_default();
    let thin = disk.backing.as_ref().and_then(|backing| backing.thin_provisioned).unwrap_or(false);
    if thin || vm.snapshots.below_live.contains_key(&disk.key) { vm.written.get(&disk.key).copied().unwrap_or_default() } else { capacity }
}
