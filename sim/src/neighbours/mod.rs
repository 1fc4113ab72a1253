//! The operator's neighbours on the Supervisor: clients of the API server, as the operator is one.
//!
//! The network provider, the cache of images, the volume controllers and the totals of quotas.

mod image_cache;
mod network;
mod quota;
mod snapshots;
mod volumes;

use vmtwin_model::Cause;
use vmtwin_model::kube::api::{Answer, WatchEvent};
use vmtwin_model::kube::virtual_machine_image_cache::VirtualMachineImageCache;
use vmtwin_model::kube::virtual_machine_snapshot::VirtualMachineSnapshot;
use vmtwin_model::kube::{ObjectKey, Resource as _};
use vmtwin_model::time::Timestamp;

use crate::{Csi, RequestId, World};

pub(crate) use network::Ports;
pub(crate) use quota::Quotas;
pub(crate) use volumes::Volumes;

impl World {
    /// The API server tells the neighbours of a changed object.
    pub fn observe(&mut self, now: Timestamp, cause: Cause, event: &WatchEvent) {
        let kind = event.key.kind.info().kind;
        if self.settings.csi == Csi::Silent && (volumes::is_ours(kind) || event.key.kind == VirtualMachineSnapshot::KIND) {
            return;
        }
        if event.key.kind == VirtualMachineImageCache::KIND {
            self.begin(now, cause);
            self.observe_cache(event);
        } else if network::is_ours(self.settings.network_provider, kind) {
            self.begin(now, cause);
            self.observe_interface(event);
        } else if event.key.kind == VirtualMachineSnapshot::KIND {
            self.begin(now, cause);
            self.observe_snapshot(event);
        } else if volumes::is_ours(kind) {
            self.begin(now, cause);
            self.observe_volume(event);
        } else if quota::is_ours(kind) {
            self.begin(now, cause);
            self.observe_quota(event);
        }
    }

    /// A neighbour turns to an object.
    pub(crate) fn attend(&mut self, key: &ObjectKey) {
        if key.kind == VirtualMachineSnapshot::KIND {
            self.attend_snapshot(key);
        } else if volumes::is_ours(key.kind.info().kind) {
            self.attend_volume(key);
        } else if quota::is_ours(key.kind.info().kind) {
            self.attend_quota(key);
        } else if key.kind == VirtualMachineImageCache::KIND {
            self.attend_cache(key);
        } else {
            self.attend_interface(key);
        }
    }

    /// The API server answers a neighbour's request.
    pub fn answered(&mut self, now: Timestamp, id: RequestId, result: &Answer) {
        if !self.volume_answered(now, id, result) && !self.quota_answered(now, id, result) {
            self.interface_answered(now, id, result);
        }
    }

    fn next_request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }
}
