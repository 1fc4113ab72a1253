//! The snapshots of a VM, as the property collector shows them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::vm::PowerState;
use crate::time::Timestamp;

/// `VirtualMachineSnapshotInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotInfo {
    /// The snapshot that the VM stands on, by its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_snapshot: Option<Arc<str>>,
    /// The snapshots without a parent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub root_snapshot_list: Vec<SnapshotNode>,
}

/// `VirtualMachineSnapshotTree`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotNode {
    /// The managed object id.
    pub snapshot: Arc<str>,
    /// Its number among the VM's snapshots.
    #[serde(default)]
    pub id: i32,
    /// The name; not unique.
    #[serde(default)]
    pub name: Arc<str>,
    /// What it is for, in words.
    #[serde(default, skip_serializing_if = "no_text")]
    pub description: Arc<str>,
    /// When it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_time: Option<Timestamp>,
    /// The power state that a revert brings back; off where no memory is kept.
    #[serde(default)]
    pub state: PowerState,
    /// Whether the guest was brought to rest for it.
    #[serde(default)]
    pub quiesced: bool,
    /// Those taken on top of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub child_snapshot_list: Vec<SnapshotNode>,
    /// Of a snapshot that a scenario states: the manifest that VM Operator kept in it. vSphere doesn't show it here.
    #[serde(default, skip_serializing)]
    pub stored_manifest: Option<Arc<serde_json::Value>>,
}

fn no_text(text: &Arc<str>) -> bool {
    text.is_empty()
}

impl SnapshotInfo {
    /// Whether the snapshots make a tree with branches instead of a chain.
    #[must_use]
    pub fn branches(&self) -> bool {
        self.root_snapshot_list.len() > 1 || self.nodes().iter().any(|node| node.child_snapshot_list.len() > 1)
    }

    /// The snapshot with this id.
    #[must_use]
    pub fn node(&self, id: &str) -> Option<&SnapshotNode> {
        self.nodes().into_iter().find(|node| *node.snapshot == *id)
    }

    /// The snapshots that a name, an id or a path in the tree stands for.
    #[must_use]
    pub fn named(&self, name: &str) -> Vec<&SnapshotNode> {
        fn below<'a>(list: &'a [SnapshotNode], above: &str, name: &str, found: &mut Vec<&'a SnapshotNode>) {
            for node in list {
                let path = if above.is_empty() { node.name.to_string() } else { format!("{above}/{}", node.name) };
                if [&*node.name, &*node.snapshot, path.as_str()].contains(&name) {
                    found.push(node);
                }
                below(&node.child_snapshot_list, &path, name, found);
            }
        }
        let mut found = Vec::new();
        below(&self.root_snapshot_list, "", name, &mut found);
        found
    }

    /// All snapshots, parents before their children.
    #[must_use]
    pub fn nodes(&self) -> Vec<&SnapshotNode> {
        let mut nodes: Vec<&SnapshotNode> = self.root_snapshot_list.iter().collect();
        let mut at = 0;
        while let Some(node) = nodes.get(at) {
            nodes.extend(&node.child_snapshot_list);
            at += 1;
        }
        nodes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_has_no_branches() {
        let info = |json: serde_json::Value| serde_json::from_value::<SnapshotInfo>(json).expect("snapshots");
        let chain = info(
            serde_json::json!({"currentSnapshot": "b", "rootSnapshotList": [{"snapshot": "a", "childSnapshotList": [{"snapshot": "b"}]}]}),
        );
        assert!(!chain.branches());
        let ids: Vec<&str> = chain.nodes().iter().map(|node| &*node.snapshot).collect();
        assert_eq!(ids, ["a", "b"]);
        assert!(info(serde_json::json!({"rootSnapshotList": [{"snapshot": "a"}, {"snapshot": "b"}]})).branches());
        let fork = serde_json::json!([{"snapshot": "a", "childSnapshotList": [{"snapshot": "b"}, {"snapshot": "c"}]}]);
        assert!(info(serde_json::json!({"rootSnapshotList": fork})).branches());
    }
}
