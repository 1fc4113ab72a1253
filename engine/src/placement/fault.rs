//! How a placement's faults read for people. Source: placement-groups §3.4-2.
//!
//! Mirrors: vm-operator `pkg/util/vsphere/fault`, `placement/cluster_placement.go`.

use serde_json::Value;
use vmtwin_model::vsphere::Fault;
use vmtwin_model::vsphere::answer::PoolFaults;

/// The error for pools that take none of the VMs, as upstream prints it; nothing if there is no pool with faults.
pub(crate) fn text(pools: &[PoolFaults]) -> Option<String> {
    let with_faults = pools.iter().filter(|pool| !pool.faults.is_empty());
    let entries: Vec<String> = with_faults
        .filter_map(|pool| {
            let messages: Vec<String> = pool.faults.iter().flat_map(messages).collect();
            let entry = || format!("Resource pool ({}) has faults: {}", pool.resource_pool, messages.join(" "));
            (!messages.is_empty()).then(entry)
        })
        .collect();
    pools.iter().any(|pool| !pool.faults.is_empty()).then(|| format!("[{}]", entries.join(" ")))
}

/// A fault's own message, then those inside it, depth first.
fn messages(fault: &Fault) -> Vec<String> {
    let mut messages = Vec::from_iter(trimmed(&fault.localized_message));
    if fault.name.as_str() == "NoCompatibleHost" {
        inner(fault.properties.get("error"), &mut messages);
    }
    messages
}

fn inner(errors: Option<&Value>, messages: &mut Vec<String>) {
    for error in errors.and_then(Value::as_array).into_iter().flatten() {
        messages.extend(error.get("localizedMessage").and_then(Value::as_str).and_then(trimmed));
        // The errors stand inside the fault, or beside it where it is given by its name alone.
        let nested = error.pointer("/fault/error").or_else(|| error.get("error"));
        let named = error.pointer("/fault/_typeName").or_else(|| error.get("fault")).and_then(Value::as_str);
        if named == Some("NoCompatibleHost") {
            inner(nested, messages);
        }
    }
}

fn trimmed(message: &str) -> Option<String> {
    let message = message.trim_end_matches([':', ' ', '\t', '\r', '\n']);
    (!message.is_empty()).then(|| message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use vmtwin_model::vsphere::FaultName;

    fn pool(id: &str, faults: Vec<Fault>) -> PoolFaults {
        PoolFaults { resource_pool: id.into(), faults }
    }

    #[test]
    fn messages_are_trimmed_and_those_inside_follow_depth_first() {
        let errors = json!([
            {"localizedMessage": "First:\n", "fault": {"_typeName": "NoCompatibleHost", "error": [{"localizedMessage": "deeper"}]}},
            {"localizedMessage": " ", "fault": {"_typeName": "InvalidState"}},
            {"localizedMessage": "Second"}
        ]);
        let fault = Fault::new(FaultName::NoCompatibleHost, "No host: ").with("error", errors);
        let text = text(&[pool("resgroup-1", vec![fault]), pool("resgroup-2", vec![Fault::new(FaultName::InvalidState, "no")])]);
        assert_eq!(
            text.as_deref(),
            Some("[Resource pool (resgroup-1) has faults: No host First deeper Second Resource pool (resgroup-2) has faults: no]")
        );
    }

    #[test]
    fn only_a_host_search_is_looked_into_and_a_silent_fault_is_one_still() {
        let silent = Fault::new(FaultName::InvalidState, ":").with("error", json!([{"localizedMessage": "unseen"}]));
        assert_eq!(text(&[pool("resgroup-1", vec![silent])]).as_deref(), Some("[]"));
        assert_eq!(text(&[pool("resgroup-1", Vec::new())]), None);
    }
}
