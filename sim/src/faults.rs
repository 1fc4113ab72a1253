//! Fault rules: which calls fail on purpose, and how. Source: scenario-format §4.1, reproduce §1.

use std::sync::Arc;

use serde_json::Value;
use vmtwin_model::time::Timestamp;
use vmtwin_model::vsphere::action::{FaultEnd, FaultRule};
use vmtwin_model::vsphere::answer::{Placements, PoolFaults};
use vmtwin_model::vsphere::{Fault, FaultName, Operation};

use crate::World;

/// A rule in force.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) rule: Arc<FaultRule>,
    /// When it ends.
    pub(crate) until: Option<Timestamp>,
    /// How many calls have matched so far.
    pub(crate) matched: u32,
    /// How many calls it has caught so far.
    pub(crate) caught: u32,
}

impl Rule {
    /// Whether it will catch no more calls.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| now >= until) || self.rule.times.is_some_and(|times| self.caught >= times)
    }
}

impl World {
    /// Whether some fault rule in force may still end or miss: what `settle` waits for.
    #[must_use]
    pub fn faults_may_end(&self) -> bool {
        self.rules.iter().any(|rule| {
            let limited = rule.rule.times.is_some() || rule.rule.lasts.is_some() || rule.rule.skip > rule.matched;
            !rule.is_over(self.now) && (limited || rule.rule.probability < 1_000_000)
        })
    }

    /// A rule comes into force.
    pub(crate) fn add_rule(&mut self, rule: &FaultRule) {
        let until = rule.lasts.map(|lasts| self.now + lasts);
        if let Some(until) = until {
            self.agenda.put(until, self.cause, crate::agenda::Entry::RuleEnds);
        }
        self.rules.push(Rule { rule: Arc::new(rule.clone()), until, matched: 0, caught: 0 });
    }

    /// How the first rule that catches this call ends it.
    pub(crate) fn caught(&mut self, operation: &Operation) -> Option<FaultEnd> {
        let method = operation.method();
        let mut facts = None;
        for at in 0..self.rules.len() {
            let rule = &self.rules[at];
            if *rule.rule.operation != *method || rule.is_over(self.now) {
                continue;
            }
            let wanted = rule.rule.clone();
            if let Some(matching) = &wanted.matching {
                let facts = facts.get_or_insert_with(|| self.facts(operation));
                if !contains(facts, matching) {
                    continue;
                }
            }
            let rule = &mut self.rules[at];
            rule.matched += 1;
            if rule.matched <= wanted.skip {
                continue;
            }
            let key = (at, method, rule.matched);
            if wanted.probability < 1_000_000 && !self.rng.draw("sim/fault", key).happens(u64::from(wanted.probability)) {
                continue;
            }
            rule.caught += 1;
            return Some(wanted.ends.clone());
        }
        None
    }

    /// What a rule's `match` is compared with: the arguments, the VM's properties, and `vm` by any of its names.
    fn facts(&self, operation: &Operation) -> Value {
        let mut facts = operation.arguments();
        let vm = operation.vm().and_then(|id| self.vms.find(id)).and_then(|row| self.vms.get(row));
        if let (Value::Object(facts), Some(row)) = (&mut facts, vm) {
            if let Ok(Value::Object(properties)) = serde_json::to_value(&*row.seen) {
                facts.extend(properties);
            }
            facts.insert("vm".to_owned(), vec![row.label(), row.seen.id.as_str(), &*row.seen.name].into());
        } else if let (Value::Object(facts), Some(name)) = (&mut facts, self.future_name(operation)) {
            facts.insert("vm".to_owned(), vec![&*name].into());
        }
        facts
    }

    /// The name of the VM that a call is to make.
    pub(crate) fn future_name(&self, operation: &Operation) -> Option<Arc<str>> {
        let (config, name) = match operation {
            Operation::DeployLibraryItem(deploy) => (&deploy.vm_config_spec, Some(&deploy.name)),
            Operation::CreateVm { config, .. } => (config, config.name.as_ref()),
            Operation::PlaceVm { config_spec, .. } => (config_spec, config_spec.name.as_ref()),
            Operation::PlaceVmsXCluster(place) => (place.vm_placement_specs.first()?, place.vm_placement_specs.first()?.name.as_ref()),
            _ => return None,
        };
        let marked = config.extra_config.iter().find(|option| &*option.key == crate::vm::NAMESPACED_NAME);
        marked.map(|option| option.value.clone()).filter(|value| !value.is_empty()).or_else(|| name.cloned())
    }
}

/// The answer that a rule's `result` stands for: a placement that succeeds and has faults for a pool instead of a place.
pub(crate) fn placements_in_result(result: &Value) -> Option<Placements> {
    let entries = result.get("faults")?.as_array()?;
    let pool = result.get("pool").and_then(Value::as_str).unwrap_or("resgroup-1");
    let faults = entries.iter().filter_map(fault_of).collect();
    Some(Placements { placements: Vec::new(), faults: vec![PoolFaults { resource_pool: pool.into(), faults }] })
}

/// The fault that a rule's `result` holds, for a task.
pub(crate) fn fault_in_result(result: &Value) -> Option<Fault> {
    fault_of(result.get("faults")?.get(0)?)
}

fn fault_of(entry: &Value) -> Option<Fault> {
    let name = ["fault", "_typeName"].iter().find_map(|key| entry.get(key)?.as_str())?;
    let text = entry.get("localizedMessage").and_then(Value::as_str).unwrap_or_default();
    let mut fault = Fault::new(FaultName::from(name), text);
    if let Value::Object(fields) = entry {
        let own = fields.iter().filter(|(key, _)| !["fault", "_typeName", "localizedMessage"].contains(&key.as_str()));
        fault.properties.extend(own.map(|(key, value)| (key.clone(), value.clone())));
    }
    Some(fault)
}

/// Whether a value has all that a pattern has. A text is also found in a list of texts, and a list's entries in any order.
fn contains(value: &Value, pattern: &Value) -> bool {
    match (value, pattern) {
        (Value::Object(value), Value::Object(pattern)) => {
            pattern.iter().all(|(key, wanted)| value.get(key).is_some_and(|found| contains(found, wanted)))
        }
        (Value::Array(value), Value::Array(pattern)) => pattern.iter().all(|wanted| value.iter().any(|found| contains(found, wanted))),
        (Value::Array(value), wanted) => value.contains(wanted),
        (value, pattern) => value == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pattern_is_found_in_what_has_more() {
        let facts = json!({"vm": ["ns/a", "vm-1"], "spec": {"numCPUs": 4, "deviceChange": [{"operation": "add"}, {"operation": "edit"}]}});
        for pattern in [json!({}), json!({"vm": "ns/a"}), json!({"spec": {"deviceChange": [{"operation": "edit"}]}})] {
            assert!(contains(&facts, &pattern), "{pattern}");
        }
        for pattern in [json!({"vm": "ns/b"}), json!({"spec": {"numCPUs": 2}}), json!({"host": "x"})] {
            assert!(!contains(&facts, &pattern), "{pattern}");
        }
    }

    #[test]
    fn the_fault_of_a_result_keeps_its_details() {
        let result = json!({"pool": "resgroup-1", "faults": [{"fault": "NoCompatibleHost", "localizedMessage": "No", "error": [{"localizedMessage": "why"}]}]});
        let fault = fault_in_result(&result).expect("a fault");
        assert_eq!((fault.name, &*fault.localized_message), (FaultName::NoCompatibleHost, "No"));
        assert_eq!(fault.properties["error"][0]["localizedMessage"], "why");
    }
}
