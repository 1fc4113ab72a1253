//! Disks that lie on datastores beside VMs: cached ones of images, and copies of them that no VM has yet.
//!
//! A VM that is made of such a disk takes it over; one whose disk is linked to it shares it. A folder that was made for a VM is remembered until it is
//! deleted. Only what the operator's fast deploy needs is modelled: no other files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vmtwin_model::time::Span;
use vmtwin_model::units::Bytes;
use vmtwin_model::vsphere::spec::{Backing, ConfigSpec};
use vmtwin_model::vsphere::{Fault, FaultName, Operation, Reply};

use crate::image::Image;
use crate::latency::transfer;
use crate::{World, refusals};

/// The id of the one datacenter.
pub(crate) const DATACENTER: &str = "datacenter-2";
/// How fast a datastore copies.
pub(crate) const COPY_RATE: i64 = 400_000_000;

/// A disk beside VMs.
#[derive(Clone, Debug)]
pub(crate) struct LooseDisk {
    /// The space that it takes.
    pub(crate) size: Bytes,
    /// The size to which it may grow.
    pub(crate) capacity: Bytes,
    /// The row of the image that it comes from.
    pub(crate) image: usize,
}

/// What lies beside VMs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Library {
    disks: BTreeMap<Arc<str>, LooseDisk>,
    folders: BTreeSet<Arc<str>>,
}

impl Library {
    /// The disk at a path.
    pub(crate) fn disk(&self, path: &str) -> Option<&LooseDisk> {
        self.disks.get(path)
    }
}

/// The path of the disk that a backing is linked to.
pub(crate) fn parent_of(backing: &Backing) -> Option<&str> {
    backing.rest.get("parent")?.get("fileName")?.as_str()
}

impl World {
    pub(crate) fn make_directory(&mut self, path: &Arc<str>) -> Result<Reply, Fault> {
        let Some(row) = self.datastore_of_path(path) else { return Err(refusals::invalid_argument("name")) };
        if let Some(ds) = self.datastores.get(row).filter(|ds| !ds.accessible) {
            return Err(refusals::inaccessible_datastore(&ds.id, &ds.name));
        }
        if self.library.folders.insert(path.clone()) { Ok(Reply::Done) } else { Err(file_fault(FaultName::FileAlreadyExists, path)) }
    }

    /// What can be said against a task on files without doing anything.
    pub(crate) fn check_files(&self, operation: &Operation) -> Result<(), Fault> {
        match operation {
            Operation::CopyVirtualDisk { source_name, dest_name } => {
                let Some(source) = self.library.disk(source_name) else { return Err(file_fault(FaultName::FileNotFound, source_name)) };
                if self.library.disk(dest_name).is_some() {
                    return Err(file_fault(FaultName::FileAlreadyExists, dest_name));
                }
                let folder = dest_name.rsplit_once('/').map_or("", |(folder, _)| folder);
                if !self.library.folders.contains(folder) {
                    return Err(file_fault(FaultName::FileNotFound, folder));
                }
                let Some(row) = self.datastore_of_path(dest_name) else { return Err(refusals::invalid_argument("destName")) };
                match self.datastores.get(row) {
                    Some(ds) if !ds.accessible => Err(refusals::inaccessible_datastore(&ds.id, &ds.name)),
                    Some(ds) if self.free_on(row) < source.size.0 => Err(refusals::no_disk_space(&ds.id, &ds.name, dest_name)),
                    _ => Ok(()),
                }
            }
            Operation::DeleteDatastoreFile { name } if !self.library.folders.contains(name) => {
                Err(file_fault(FaultName::FileNotFound, name))
            }
            _ => Ok(()),
        }
    }

    /// How long a task on files takes for what it moves.
    pub(crate) fn files_span(&self, operation: &Operation) -> Span {
        match operation {
            Operation::CopyVirtualDisk { source_name, .. } => {
                self.library.disk(source_name).map_or(Span::ZERO, |disk| transfer(disk.size.0, COPY_RATE))
            }
            _ => Span::ZERO,
        }
    }

    /// Does what a task on files is for; it was checked just now.
    pub(crate) fn change_files(&mut self, operation: &Operation) {
        match operation {
            Operation::CopyVirtualDisk { source_name, dest_name } => {
                if let Some(disk) = self.library.disk(source_name).cloned() {
                    self.lay_disk(dest_name, disk);
                }
            }
            Operation::DeleteDatastoreFile { name } => {
                self.library.folders.remove(name);
                let below = format!("{name}/");
                let gone: Vec<Arc<str>> = self.library.disks.keys().filter(|path| path.starts_with(&below)).cloned().collect();
                gone.iter().for_each(|path| self.lift_disk(path));
            }
            _ => {}
        }
    }

    /// Puts a disk on the datastore that its path names.
    pub(crate) fn lay_disk(&mut self, path: &Arc<str>, disk: LooseDisk) {
        if let Some(row) = self.datastore_of_path(path) {
            self.charge_space(row, disk.size.0);
        }
        self.library.disks.insert(path.clone(), disk);
    }

    fn lift_disk(&mut self, path: &str) {
        if let Some(disk) = self.library.disks.remove(path)
            && let Some(row) = self.datastore_of_path(path)
        {
            self.charge_space(row, -disk.size.0);
        }
    }

    /// The disks that a new VM is made of are its own from then on.
    pub(crate) fn take_over_disks(&mut self, spec: &ConfigSpec) {
        let paths: Vec<Arc<str>> =
            spec.device_change.iter().filter_map(|change| change.device.backing.as_ref()?.file_name.clone()).collect();
        paths.iter().for_each(|path| self.lift_disk(path));
    }

    /// The image whose disks a spec takes or links to.
    pub(crate) fn image_of_disks(&self, spec: &ConfigSpec) -> Option<&Image> {
        let mut backings = spec.device_change.iter().filter_map(|change| change.device.backing.as_ref());
        let disk = backings.find_map(|backing| {
            let path = parent_of(backing).or(backing.file_name.as_deref())?;
            self.library.disk(path)
        })?;
        self.images.get(disk.image)
    }
}

fn file_fault(name: FaultName, path: &str) -> Fault {
    let text = match name {
        FaultName::FileAlreadyExists => format!("Cannot complete the operation because the file or folder {path} already exists"),
        _ => format!("File {path} was not found"),
    };
    Fault::new(name, text).with("file", path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Trial, inventory};

    fn loose(gib: i64) -> LooseDisk {
        LooseDisk { size: Bytes::from_gib(gib), capacity: Bytes::from_gib(10), image: 0 }
    }

    #[test]
    fn a_copy_needs_its_source_and_a_folder_and_takes_space() {
        let mut trial = Trial::new(&inventory());
        let path = |path: &str| -> Arc<str> { path.into() };
        trial.world.lay_disk(&path("[ds] cache/a.vmdk"), loose(2));
        let copy = |from: &str| Operation::CopyVirtualDisk { source_name: from.into(), dest_name: "[ds] uid/disk-0.vmdk".into() };
        let free = |trial: &Trial| trial.world.free_on(0);
        assert_eq!(trial.refused(copy("[ds] cache/b.vmdk")).name, FaultName::FileNotFound);
        assert_eq!(trial.refused(copy("[ds] cache/a.vmdk")).name, FaultName::FileNotFound, "the folder is missing");
        let folder = Operation::MakeDirectory { name: "[ds] uid".into() };
        trial.ask(folder.clone()).expect("it is new");
        assert_eq!(trial.refused(folder).name, FaultName::FileAlreadyExists);
        let before = free(&trial);
        trial.ask(copy("[ds] cache/a.vmdk")).expect("it is there");
        assert_eq!(before - free(&trial), Bytes::from_gib(2).0);
        assert_eq!(trial.refused(copy("[ds] cache/a.vmdk")).name, FaultName::FileAlreadyExists);
        trial.ask(Operation::DeleteDatastoreFile { name: "[ds] uid".into() }).expect("it is there");
        assert_eq!(free(&trial), before, "the folder goes with all in it");
    }
}
