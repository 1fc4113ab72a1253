//! The datastores that a placement recommends, with what is known of each. Source: placement-groups §3.4, §6.1.

use std::collections::BTreeMap;
use std::sync::Arc;

use vmtwin_model::id::DatastoreId;
use vmtwin_model::kube::virtual_machine_group::GroupPlacementDatastoreStatus;
use vmtwin_model::vsphere::answer::{DatastoreInfo, Placement};
use vmtwin_model::vsphere::{Operation, Reply};

use crate::pass::{Cx, Flow};
use crate::verdict::Verdict;
use crate::vm::ask;

/// What is known of every datastore of the placements; each is asked for once.
pub(crate) fn read(cx: &mut Cx<'_>, placements: &[Placement]) -> Flow<BTreeMap<DatastoreId, Arc<DatastoreInfo>>> {
    let mut known = BTreeMap::new();
    for (_, id) in placements.iter().flat_map(|placement| &placement.datastores) {
        if !known.contains_key(id) {
            let operation = Operation::RetrieveDatastore { datastore: id.clone() };
            let Reply::Datastore(info) = ask(cx, operation, "failed to get datastore properties")? else {
                unreachable!("a datastore was asked for")
            };
            known.insert(id.clone(), info);
        }
    }
    Ok(known)
}

/// The datastores of one VM: its home first, then one for each disk by its key.
pub(crate) fn of(placement: &Placement, known: &BTreeMap<DatastoreId, Arc<DatastoreInfo>>) -> Flow<Vec<GroupPlacementDatastoreStatus>> {
    let status = |(key, id): &(Option<i32>, DatastoreId)| {
        let info = known.get(id).cloned().unwrap_or_default();
        GroupPlacementDatastoreStatus {
            disk_key: *key,
            id: id.to_string(),
            name: info.name.to_string(),
            supported_disk_formats: info.supported_disk_formats.iter().map(ToString::to_string).collect(),
            top_level_directory_create_supported: info.top_level_directory_create_supported,
            url: info.url.to_string(),
        }
    };
    if placement.datastores.is_empty() {
        return Err(Verdict::failed("no compatible datastores").into());
    }
    Ok(placement.datastores.iter().map(status).collect())
}
