//! CSI's part in snapshots: it looks at their volumes when it is asked to, and says when it has. Source: crypto-storage §8.2.

use serde_json::json;
use vmtwin_model::kube::ObjectKey;
use vmtwin_model::kube::api::{Subresource, WatchEvent};
use vmtwin_model::time::Span;

use crate::World;
use crate::agenda::Entry;

/// `requested`, then `completed`.
const SYNC: &str = "csi.vsphere.volume.sync";

impl World {
    /// The API server tells of a snapshot.
    pub(super) fn observe_snapshot(&mut self, event: &WatchEvent) {
        let key = &event.key;
        let asks = event.after.as_ref().is_some_and(|object| !object.is_deleting() && object.annotation(SYNC) == Some("requested"));
        if !asks {
            self.volumes.syncing.remove(key);
        } else if self.volumes.syncing.insert(key.clone()) {
            let span = self.duration("SyncVolume", &key.namespaced_name(), Span::ZERO);
            self.agenda.put(self.now + span, self.cause, Entry::Attend(key.clone()));
        }
    }

    /// CSI has looked at the snapshot's volumes.
    pub(super) fn attend_snapshot(&mut self, key: &ObjectKey) {
        if self.volumes.syncing.contains(key) {
            self.patch_volume(key, json!({"metadata": {"annotations": {SYNC: "completed"}}}), Subresource::Main);
        }
    }
}
