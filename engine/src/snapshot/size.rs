//! What snapshots take, by the layout of the VM's files. Source: crypto-storage §8.5.
//!
//! Mirrors: vm-operator `pkg/providers/vsphere/virtualmachine/snapshot.go`, `GetSnapshotSize`.

use vmtwin_model::units::Bytes;
use vmtwin_model::vsphere::VirtualMachine;
use vmtwin_model::vsphere::spec::DeviceType;
use vmtwin_model::vsphere::vm::{LayoutEx, LayoutSnapshot};

/// The space of a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// Of the VM itself: data, memory, classic disks.
    pub(crate) vm: Bytes,
    /// Of its first class disks, which CSI charges.
    pub(crate) volume: Bytes,
}

/// The space of one snapshot. A VM of which vSphere shows no files takes none.
///
/// # Errors
/// If the layout doesn't know the snapshot.
pub(crate) fn of(vm: &VirtualMachine, snapshot: &str) -> Result<Size, String> {
    let layout = &vm.layout_ex;
    if layout.file.is_empty() {
        return Ok(Size::default());
    }
    let known = layout.snapshot.iter().find(|known| *known.key == *snapshot);
    known.map(|known| measured(vm, known)).ok_or_else(|| format!("snapshot {snapshot} isn't in the layout of the VM's files"))
}

/// The space of all snapshots of a VM.
pub(crate) fn of_all(vm: &VirtualMachine) -> Size {
    let sizes = vm.layout_ex.snapshot.iter().map(|known| measured(vm, known));
    sizes.fold(Size::default(), |sum, size| Size { vm: sum.vm + size.vm, volume: sum.volume + size.volume })
}

fn measured(vm: &VirtualMachine, snapshot: &LayoutSnapshot) -> Size {
    let layout = &vm.layout_ex;
    let mut size = Size { vm: bytes(layout, &[snapshot.data_key, snapshot.memory_key]), volume: Bytes::ZERO };
    for disk in &snapshot.disk {
        let Some(last) = disk.chain.last() else { continue };
        let taken = bytes(layout, &last.file_key);
        if is_first_class(vm, disk.key) { size.volume += taken } else { size.vm += taken }
    }
    size
}

/// The space of files, with what they share.
fn bytes(layout: &LayoutEx, keys: &[i32]) -> Bytes {
    layout.file.iter().filter(|file| keys.contains(&file.key)).map(|file| file.size).sum()
}

fn is_first_class(vm: &VirtualMachine, key: i32) -> bool {
    let devices = vm.config.iter().flat_map(|config| &config.hardware.device);
    let mut disks = devices.filter(|device| device.type_ == DeviceType::VirtualDisk && device.key == key);
    disks.any(|disk| disk.rest.contains_key("vDiskId"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Upstream's worked example: a classic disk and a first class one, a snapshot with memory and one without.
    fn vm() -> VirtualMachine {
        let file = |key: i32, type_: &str, size: i64| json!({"key": key, "type": type_, "size": size, "uniqueSize": 0});
        let disk = |key: i32, links: &[[i32; 2]]| json!({"key": key, "chain": links.iter().map(|link| json!({"fileKey": link})).collect::<Vec<_>>()});
        let files: Vec<_> = [
            (3, "diskDescriptor", 500),
            (4, "diskExtent", 1 << 29),
            (5, "diskDescriptor", 500),
            (6, "diskExtent", 1 << 30),
            (13, "diskDescriptor", 500),
            (14, "diskExtent", 1 << 29),
            (15, "diskDescriptor", 500),
            (16, "diskExtent", 1 << 30),
            (17, "snapshotMemory", 500),
            (18, "snapshotData", 2 << 30),
            (19, "snapshotData", 1 << 30),
        ]
        .map(|(key, type_, size)| file(key, type_, size))
        .to_vec();
        let snapshots = json!([
            {"key": "s1", "memoryKey": 17, "dataKey": 18, "disk": [disk(100, &[[3, 4]]), disk(101, &[[13, 14]])]},
            {"key": "s2", "memoryKey": -1, "dataKey": 19, "disk": [disk(100, &[[3, 4], [5, 6]]), disk(101, &[[13, 14], [15, 16]])]},
        ]);
        serde_json::from_value(json!({
            "moID": "vm-1", "name": "vm", "runtime": {},
            "config": {"hardware": {"device": [
                {"_typeName": "VirtualDisk", "key": 100},
                {"_typeName": "VirtualDisk", "key": 101, "vDiskId": {"id": "fcd"}},
            ]}},
            "layoutEx": {"file": files, "snapshot": snapshots},
        }))
        .expect("a VM")
    }

    #[test]
    fn a_snapshot_takes_its_data_its_memory_and_the_last_links_of_its_classic_disks() {
        let vm = vm();
        assert_eq!(of(&vm, "s1"), Ok(Size { vm: Bytes(2_684_355_560), volume: Bytes((1 << 29) + 500) }));
        assert_eq!(of(&vm, "s2"), Ok(Size { vm: Bytes(2_147_484_148), volume: Bytes((1 << 30) + 500) }));
        assert_eq!(of_all(&vm), Size { vm: Bytes(4_831_839_708), volume: Bytes(1_610_613_736) });
    }

    #[test]
    fn what_vsphere_does_not_show_takes_nothing_and_what_it_does_not_know_is_an_error() {
        let mut vm = vm();
        assert!(of(&vm, "s3").is_err_and(|why| why.contains("s3")));
        vm.layout_ex = LayoutEx::default();
        assert_eq!(of(&vm, "s3"), Ok(Size::default()));
    }

    #[test]
    fn without_a_configuration_volumes_count_as_the_rest() {
        let vm = VirtualMachine { config: None, ..vm() };
        assert_eq!(of(&vm, "s2"), Ok(Size { vm: Bytes(2_147_484_148 + (1 << 30) + 500), volume: Bytes::ZERO }));
    }
}
