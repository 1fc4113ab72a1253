//! The links of a VM's disks: what snapshots froze, what lies on it, and how links are merged again.

use std::collections::BTreeMap;
use std::sync::Arc;

use vmtwin_model::units::Bytes;
use vmtwin_model::vsphere::spec::Device;
use vmtwin_model::vsphere::vm::Config;

/// A frozen link of a disk's chain.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// The link below; the base has none.
    pub(crate) below: Option<u32>,
    /// The disk's device key.
    pub(crate) key: i32,
    pub(crate) path: Arc<str>,
    pub(crate) bytes: Bytes,
    pub(super) capacity: Bytes,
    /// Whether it takes space as it is used.
    pub(super) thin: bool,
}

/// What is kept of a snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    /// Its number in the names of its files.
    pub(crate) number: u32,
    /// How the VM was configured.
    pub(crate) config: Config,
    /// The memory's size, if it is kept.
    pub(crate) memory: Option<Bytes>,
    /// The frozen link of each disk.
    pub(crate) disks: BTreeMap<i32, u32>,
}

/// The snapshots of a VM.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshots {
    pub(crate) taken: BTreeMap<Arc<str>, Arc<Taken>>,
    pub(crate) links: BTreeMap<u32, Link>,
    /// The link that each disk's live one lies on.
    pub(crate) below_live: BTreeMap<i32, u32>,
    /// How many links there ever were.
    pub(super) made: u32,
}

impl Snapshots {
    /// Whether a disk is part of a snapshot.
    pub(crate) fn hold(&self, key: i32) -> bool {
        self.links.values().any(|link| link.key == key)
    }

    /// The links from the base up to this one.
    pub(crate) fn chain(&self, top: Option<u32>) -> Vec<u32> {
        let mut chain: Vec<u32> = std::iter::successors(top, |link| self.links.get(link)?.below).collect();
        chain.reverse();
        chain
    }

    /// What a disk would take if all links up to the live one were merged.
    pub(crate) fn merged(&self, disk: &Device, live: Bytes) -> Bytes {
        let frozen: Bytes =
            self.chain(self.below_live.get(&disk.key).copied()).iter().filter_map(|link| self.links.get(link)).map(|link| link.bytes).sum();
        let all = frozen + live;
        disk.capacity_in_bytes.map_or(all, |capacity| all.min(capacity))
    }

    /// Freezes what a disk writes to, and lays a new link on it.
    pub(super) fn freeze(&mut self, disk: &mut Device, written: &mut BTreeMap<i32, Bytes>) -> Option<u32> {
        let backing = disk.backing.as_mut()?;
        let path = backing.file_name.clone()?;
        let below = self.below_live.get(&disk.key).copied();
        let thin = below.is_some() || backing.thin_provisioned.unwrap_or(false);
        let capacity = disk.capacity_in_bytes.unwrap_or_default();
        let bytes = if thin { written.get(&disk.key).copied().unwrap_or_default() } else { capacity };
        let link = self.add(Link { below, key: disk.key, path, bytes, capacity, thin });
        self.lay_live(disk, link, written);
        Some(link)
    }

    pub(super) fn add(&mut self, link: Link) -> u32 {
        self.made += 1;
        self.links.insert(self.made, link);
        self.made
    }

    /// A new live link on a frozen one.
    pub(super) fn lay_live(&mut self, disk: &mut Device, on: u32, written: &mut BTreeMap<i32, Bytes>) {
        self.made += 1;
        if let Some(backing) = &mut disk.backing {
            let path = backing.file_name.as_deref().unwrap_or_default();
            backing.file_name = Some(numbered(path, self.made).into());
            backing.thin_provisioned = Some(true);
        }
        written.insert(disk.key, Bytes::ZERO);
        self.below_live.insert(disk.key, on);
    }

    /// Merges what no snapshot holds and at most one link lies on.
    pub(super) fn consolidate(&mut self, config: &mut Config, written: &mut BTreeMap<i32, Bytes>) {
        while let Some(loose) = self.loose() {
            let link = self.links.remove(&loose).expect("it was found just now");
            let merged = |bytes: Bytes| (bytes + link.bytes).min(link.capacity);
            if let Some(above) = self.links.values_mut().find(|above| above.below == Some(loose)) {
                *above = Link { below: link.below, bytes: merged(above.bytes), path: link.path.clone(), thin: link.thin, ..above.clone() };
            } else if self.below_live.get(&link.key) == Some(&loose) {
                match link.below {
                    Some(below) => self.below_live.insert(link.key, below),
                    None => self.below_live.remove(&link.key),
                };
                let live = written.get(&link.key).copied().unwrap_or_default();
                written.insert(link.key, merged(live));
                let disk = config.hardware.device.iter_mut().find(|device| device.key == link.key);
                if let Some(backing) = disk.and_then(|disk| disk.backing.as_mut()) {
                    backing.file_name = Some(link.path.clone());
                    backing.thin_provisioned = Some(link.thin);
                }
            }
        }
    }

    /// A link that can be merged.
    fn loose(&self) -> Option<u32> {
        let is_held = |link: u32| self.taken.values().any(|taken| taken.disks.values().any(|held| *held == link));
        let above = |link: u32| {
            let frozen = self.links.values().filter(|above| above.below == Some(link)).count();
            frozen + self.below_live.values().filter(|on| **on == link).count()
        };
        self.links.keys().copied().find(|link| !is_held(*link) && above(*link) <= 1)
    }
}

/// The path of a link above a base: the base's with a number.
pub(super) fn numbered(path: &str, number: u32) -> String {
    let stem = path.strip_suffix(".vmdk").unwrap_or(path);
    let base = match stem.rsplit_once('-') {
        Some((base, digits)) if digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit()) => base,
        _ => stem,
    };
    format!("{base}-{number:06}.vmdk")
}
