//! Affinity terms as vSphere has them: placement policies over tags, in the ConfigSpec of a VM that is placed or created. Pure
//! functions from a VM and the gates; what the policies then do is vSphere's.
//!
//! Every `key:value` of a term's selector is a tag of its own, in a category named after the namespace; a VM carries the tags of its
//! own labels that its own terms mention. So a peer without terms is invisible to others', unless every label becomes a tag.
//! Source: placement-groups §5.3, §5.4. Mirrors: vm-operator `virtualmachine/affinity.go`.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use serde_json::{Value, json};
use vmtwin_model::kube::View;
use vmtwin_model::kube::virtual_machine::{AffinitySpec, VirtualMachine, VmAffinityTerm};
use vmtwin_model::vsphere::spec::ConfigSpec;

use crate::features::{Feature, Features};
use crate::vm::keys::ZONE;

/// The topology key of host terms.
const HOST: &str = "kubernetes.io/hostname";

/// What a ConfigSpec is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A recommendation of DRS.
    Placement,
    /// The VM itself. It keeps the policies for its life, and DRS reads those over zones as rules for hosts.
    Creation,
}

/// Whether terms of a scope count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rules {
    Active,
    Ignored,
}

/// Which terms count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Scopes {
    zone: Rules,
    host: Rules,
}

/// Adds the policies and tags of a VM's terms: a policy list replaces what is there, tags come on top.
pub(crate) fn add_to(config: &mut ConfigSpec, features: &Features, vm: View<'_, VirtualMachine>, purpose: Purpose) {
    let namespace = &vm.object.key.namespace;
    let scopes = scopes(features, vm.meta, purpose);
    let none = AffinitySpec::default();
    let affinity = vm.spec.affinity.as_ref().unwrap_or(&none);
    let policies = policies(affinity, namespace, scopes);
    if !policies.is_empty() {
        config.rest.insert("vmPlacementPolicies".to_owned(), Value::Array(policies));
    }
    let every_label = features.on(Feature::TagEveryLabel) && !vm.spec.group_name.is_empty();
    let mentioned = mentioned(affinity, scopes);
    let own = vm.meta.labels.iter().flatten().filter(|(key, _)| !is_vm_operators(key)).map(|(key, value)| format!("{key}:{value}"));
    let tags: Vec<Value> = own
        .filter(|tag| (every_label || mentioned.contains(tag)) && !crate::planted::is("tags-forgotten"))
        .map(|tag| json!({"_typeName": "TagSpec", "operation": "add", "id": tag_id(&tag, namespace)}))
        .collect();
    if !tags.is_empty() {
        match config.rest.entry("tagSpecs".to_owned()).or_insert_with(|| Value::Array(Vec::new())) {
            Value::Array(there) => there.extend(tags),
            other => *other = Value::Array(tags),
        }
    }
}

/// Whether a VM is a node of a Kubernetes cluster that the platform makes: by the label alone, whatever its value.
pub(crate) fn is_kubernetes_node(meta: &ObjectMeta) -> bool {
    let label = |key| meta.labels.as_ref().is_some_and(|labels: &BTreeMap<String, String>| labels.contains_key(key));
    label("capw.vmware.com/cluster.role") || label("capv.vmware.com/cluster.role")
}

/// The zone that a VM's label names.
pub(crate) fn zone_label(meta: &ObjectMeta) -> Option<&str> {
    meta.labels.as_ref()?.get(ZONE).map(String::as_str).filter(|zone| !zone.is_empty() && !crate::planted::is("zone-label-ignored"))
}

fn scopes(features: &Features, meta: &ObjectMeta, purpose: Purpose) -> Scopes {
    let rules = |feature| if features.on(feature) { Rules::Active } else { Rules::Ignored };
    let (zone, host) = (rules(Feature::VMPlacementPolicies), rules(Feature::VMAffinityDuringExecution));
    let at_placement = match (is_kubernetes_node(meta), zone_label(meta), host) {
        (true, None, _) => Scopes { zone, host: Rules::Ignored },
        (true, Some(_), _) => Scopes { zone: Rules::Ignored, host: Rules::Ignored },
        (false, Some(_), Rules::Active) => Scopes { zone: Rules::Ignored, host },
        (false, Some(_), Rules::Ignored) | (false, None, _) => Scopes { zone, host },
    };
    match purpose {
        Purpose::Placement => at_placement,
        Purpose::Creation => Scopes { zone: Rules::Ignored, ..at_placement },
    }
}

/// Both verbs of a list of terms, the stricter first.
fn by_strictness<'a>(required: &'a [VmAffinityTerm], preferred: &'a [VmAffinityTerm]) -> [(&'static str, &'a [VmAffinityTerm]); 2] {
    [("RequiredDuringPlacementPreferredDuringExecution", required), ("PreferredDuringPlacementPreferredDuringExecution", preferred)]
}

/// The policies, affinity before anti-affinity; within each required zone, required host, preferred zone, preferred host.
fn policies(affinity: &AffinitySpec, namespace: &str, scopes: Scopes) -> Vec<Value> {
    let mut policies = Vec::new();
    let policy = |kind: &str, field: &str, tags: Value, strictness: &str, topology: &str| json!({"_typeName": kind, field: tags, "policyStrictness": strictness, "policyTopology": topology});
    if let Some(terms) = &affinity.vm_affinity {
        let required = &terms.required_during_scheduling_preferred_during_execution;
        let preferred = &terms.preferred_during_scheduling_preferred_during_execution;
        for (strictness, terms) in by_strictness(required, preferred) {
            for (key, topology) in [(ZONE, "VSphereZone"), (HOST, "Host")] {
                let tags = tags_of(terms, key, scopes);
                policies
                    .extend(tags.iter().map(|tag| policy("VmVmAffinity", "affinedVmsTag", tag_id(tag, namespace), strictness, topology)));
            }
        }
    }
    if let Some(terms) = &affinity.vm_anti_affinity {
        let required = &terms.required_during_scheduling_preferred_during_execution;
        let preferred = &terms.preferred_during_scheduling_preferred_during_execution;
        for (strictness, terms) in by_strictness(required, preferred) {
            let zone: Vec<Value> = tags_of(terms, ZONE, scopes).iter().map(|tag| tag_id(tag, namespace)).collect();
            if !zone.is_empty() {
                policies.push(policy("VmToVmGroupsAntiAffinity", "antiAffinedVmGroupTags", Value::Array(zone), strictness, "VSphereZone"));
            }
            let host = tags_of(terms, HOST, scopes);
            policies
                .extend(host.iter().map(|tag| policy("VmVmAntiAffinity", "antiAffinedVmsTag", tag_id(tag, namespace), strictness, "Host")));
        }
    }
    policies
}

/// Every tag that a term mentions which counts.
fn mentioned(affinity: &AffinitySpec, scopes: Scopes) -> BTreeSet<String> {
    let near = affinity.vm_affinity.iter().flat_map(|terms| {
        [&terms.required_during_scheduling_preferred_during_execution, &terms.preferred_during_scheduling_preferred_during_execution]
    });
    let far = affinity.vm_anti_affinity.iter().flat_map(|terms| {
        [&terms.required_during_scheduling_preferred_during_execution, &terms.preferred_during_scheduling_preferred_during_execution]
    });
    near.chain(far).flat_map(|terms| [ZONE, HOST].map(|key| tags_of(terms, key, scopes))).flatten().collect()
}

/// The tags of the terms with this topology key, term by term; none if such terms don't count.
fn tags_of(terms: &[VmAffinityTerm], key: &str, scopes: Scopes) -> Vec<String> {
    let rules = if key == ZONE { scopes.zone } else { scopes.host };
    if rules == Rules::Ignored {
        return Vec::new();
    }
    terms.iter().filter(|term| term.topology_key == key).filter_map(|term| tags(term.label_selector.as_ref()?)).flatten().collect()
}

/// A selector's tags, sorted; nothing if it has an operator that tags can't express.
fn tags(selector: &LabelSelector) -> Option<Vec<String>> {
    let mut tags: Vec<String> = selector.match_labels.iter().flatten().map(|(key, value)| format!("{key}:{value}")).collect();
    for expression in selector.match_expressions.iter().flatten() {
        if expression.operator != "In" {
            return None;
        }
        tags.extend(expression.values.iter().flatten().map(|value| format!("{}:{value}", expression.key)));
    }
    tags.sort();
    Some(tags)
}

fn tag_id(tag: &str, namespace: &str) -> Value {
    json!({"nameId": {"tag": tag, "category": namespace}})
}

/// Whether a label's key is in VM Operator's domain.
fn is_vm_operators(key: &str) -> bool {
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    domain == "vmoperator.vmware.com" || domain.ends_with(".vmoperator.vmware.com")
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement;
    use vmtwin_model::kube::Object;
    use vmtwin_model::kube::virtual_machine::{VirtualMachineSpec, VirtualMachineStatus, VmAffinitySpec, VmAntiAffinitySpec};

    use super::*;

    const REQUIRED: &str = "RequiredDuringPlacementPreferredDuringExecution";
    const PREFERRED: &str = "PreferredDuringPlacementPreferredDuringExecution";

    fn selector(labels: &[(&str, &str)], expressions: &[(&str, &str, &[&str])]) -> LabelSelector {
        let expression = |(key, operator, values): &(&str, &str, &[&str])| LabelSelectorRequirement {
            key: (*key).to_owned(),
            operator: (*operator).to_owned(),
            values: Some(values.iter().map(|value| (*value).to_owned()).collect()),
        };
        LabelSelector {
            match_labels: Some(pairs(labels)),
            match_expressions: (!expressions.is_empty()).then(|| expressions.iter().map(expression).collect()),
        }
    }

    fn pairs(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
        labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn term(topology_key: &str, label_selector: LabelSelector) -> VmAffinityTerm {
        VmAffinityTerm { label_selector: Some(label_selector), topology_key: topology_key.to_owned() }
    }

    fn vm(labels: &[(&str, &str)], affinity: AffinitySpec) -> Object {
        let meta = ObjectMeta {
            name: Some("vm".to_owned()),
            namespace: Some("ns".to_owned()),
            labels: Some(pairs(labels)),
            ..ObjectMeta::default()
        };
        let spec = VirtualMachineSpec { group_name: "g".to_owned(), affinity: Some(affinity), ..VirtualMachineSpec::default() };
        Object::new::<VirtualMachine>(meta, spec, VirtualMachineStatus::default())
    }

    fn spec_of(object: &Object, features: &Features, purpose: Purpose) -> ConfigSpec {
        let mut config = ConfigSpec::default();
        add_to(&mut config, features, object.view().expect("a VM"), purpose);
        config
    }

    /// Each policy in short: its type, its tags, its strictness, its topology.
    fn brief(config: &ConfigSpec) -> Vec<String> {
        let policies = config.rest.get("vmPlacementPolicies").and_then(Value::as_array).cloned().unwrap_or_default();
        let tag = |id: &Value| id["nameId"]["tag"].as_str().expect("a tag").to_owned();
        let one = |policy: &Value| {
            let single = ["affinedVmsTag", "antiAffinedVmsTag"].iter().find_map(|field| policy.get(field)).map(tag);
            let tags = single.unwrap_or_else(|| {
                policy["antiAffinedVmGroupTags"].as_array().expect("tags").iter().map(tag).collect::<Vec<_>>().join("+")
            });
            let word = |field: &str| policy[field].as_str().expect("a word").to_owned();
            format!("{} {tags} {} {}", word("_typeName"), &word("policyStrictness")[..8], word("policyTopology"))
        };
        policies.iter().map(one).collect()
    }

    fn tags_added(config: &ConfigSpec) -> Vec<&str> {
        let specs = config.rest.get("tagSpecs").and_then(Value::as_array).into_iter().flatten();
        specs.map(|spec| spec["id"]["nameId"]["tag"].as_str().expect("a tag")).collect()
    }

    #[test]
    fn the_terms_of_the_documentation_become_policies_and_tags() {
        let web = || selector(&[("tier", "web")], &[]);
        let affinity = AffinitySpec {
            vm_affinity: Some(VmAffinitySpec {
                required_during_scheduling_preferred_during_execution: vec![term(ZONE, web())],
                ..VmAffinitySpec::default()
            }),
            vm_anti_affinity: Some(VmAntiAffinitySpec {
                required_during_scheduling_preferred_during_execution: vec![term(HOST, web())],
                ..VmAntiAffinitySpec::default()
            }),
        };
        let object = vm(&[("tier", "web"), ("team", "blue")], affinity);
        let config = spec_of(&object, &Features::default(), Purpose::Placement);
        assert_eq!(
            config.rest["vmPlacementPolicies"],
            json!([
                {"_typeName": "VmVmAffinity", "affinedVmsTag": {"nameId": {"tag": "tier:web", "category": "ns"}},
                 "policyStrictness": REQUIRED, "policyTopology": "VSphereZone"},
                {"_typeName": "VmVmAntiAffinity", "antiAffinedVmsTag": {"nameId": {"tag": "tier:web", "category": "ns"}},
                 "policyStrictness": REQUIRED, "policyTopology": "Host"},
            ])
        );
        assert_eq!(
            config.rest["tagSpecs"],
            json!([{"_typeName": "TagSpec", "operation": "add", "id": {"nameId": {"tag": "tier:web", "category": "ns"}}}])
        );
        let created = spec_of(&object, &Features::default(), Purpose::Creation);
        assert_eq!(brief(&created), ["VmVmAntiAffinity tier:web Required Host"], "zone terms don't stay on the VM");
    }

    #[test]
    fn policies_stand_in_their_order_and_zone_anti_affinity_is_one_for_each_verb() {
        let (a, b) = (|| selector(&[("a", "1")], &[]), || selector(&[("z", "9"), ("b", "2")], &[("c", "In", &["4", "3"])]));
        let affinity = AffinitySpec {
            vm_affinity: Some(VmAffinitySpec {
                required_during_scheduling_preferred_during_execution: vec![term(HOST, a()), term(ZONE, a())],
                preferred_during_scheduling_preferred_during_execution: vec![term(ZONE, b())],
            }),
            vm_anti_affinity: Some(VmAntiAffinitySpec {
                required_during_scheduling_preferred_during_execution: vec![term(ZONE, b()), term(HOST, a()), term(ZONE, a())],
                preferred_during_scheduling_preferred_during_execution: vec![term(HOST, a())],
            }),
        };
        let config = spec_of(&vm(&[], affinity), &Features::default(), Purpose::Placement);
        assert_eq!(
            brief(&config),
            [
                "VmVmAffinity a:1 Required VSphereZone",
                "VmVmAffinity a:1 Required Host",
                "VmVmAffinity b:2 Preferre VSphereZone",
                "VmVmAffinity c:3 Preferre VSphereZone",
                "VmVmAffinity c:4 Preferre VSphereZone",
                "VmVmAffinity z:9 Preferre VSphereZone",
                "VmToVmGroupsAntiAffinity b:2+c:3+c:4+z:9+a:1 Required VSphereZone",
                "VmVmAntiAffinity a:1 Required Host",
                "VmVmAntiAffinity a:1 Preferre Host",
            ]
        );
        assert!(!config.rest.contains_key("tagSpecs"), "the VM has no label of its own");
        assert!(config.rest["vmPlacementPolicies"][2]["policyStrictness"] == PREFERRED);
    }

    #[test]
    fn a_term_with_another_operator_counts_for_nothing() {
        let odd = selector(&[("a", "1")], &[("b", "In", &["1"]), ("c", "NotIn", &["1"])]);
        let affinity = AffinitySpec {
            vm_anti_affinity: Some(VmAntiAffinitySpec {
                required_during_scheduling_preferred_during_execution: vec![
                    term(HOST, odd),
                    VmAffinityTerm { label_selector: None, topology_key: HOST.to_owned() },
                ],
                ..VmAntiAffinitySpec::default()
            }),
            vm_affinity: None,
        };
        assert_eq!(spec_of(&vm(&[("a", "1")], affinity), &Features::default(), Purpose::Placement), ConfigSpec::default());
    }

    #[test]
    fn tags_are_added_to_those_that_are_there_and_every_label_becomes_one_if_asked_for() {
        let mut features = Features::default();
        features.set(Feature::TagEveryLabel, true);
        let labels = [("team", "blue"), ("vmoperator.vmware.com/x", "1"), ("a.vmoperator.vmware.com/x", "1")];
        let object = vm(&labels, AffinitySpec::default());
        let mut config = ConfigSpec::default();
        config.rest.insert("tagSpecs".to_owned(), json!([{"id": {"nameId": {"tag": "policy", "category": "compute"}}}]));
        add_to(&mut config, &features, object.view().expect("a VM"), Purpose::Placement);
        assert_eq!(tags_added(&config), ["policy", "team:blue"]);
    }

    #[test]
    fn which_scopes_count_is_as_the_gates_the_label_and_the_sort_of_vm_say() {
        let node = ("capv.vmware.com/cluster.role", "");
        let zone = (ZONE, "zone-1");
        for (labels, gates, expected) in [
            (vec![], (false, false), (false, false)),
            (vec![], (true, false), (true, false)),
            (vec![], (false, true), (false, true)),
            (vec![], (true, true), (true, true)),
            (vec![zone], (true, false), (true, false)),
            (vec![zone], (false, true), (false, true)),
            (vec![zone], (true, true), (false, true)),
            (vec![node], (true, true), (true, false)),
            (vec![node], (false, true), (false, false)),
            (vec![node, zone], (true, true), (false, false)),
        ] {
            let mut features = Features::default();
            features.set(Feature::VMPlacementPolicies, gates.0);
            features.set(Feature::VMAffinityDuringExecution, gates.1);
            let meta = ObjectMeta { labels: Some(pairs(&labels)), ..ObjectMeta::default() };
            let scopes = scopes(&features, &meta, Purpose::Placement);
            assert_eq!((scopes.zone == Rules::Active, scopes.host == Rules::Active), expected, "{labels:?} {gates:?}");
            let created = super::scopes(&features, &meta, Purpose::Creation);
            assert_eq!((created.zone, created.host), (Rules::Ignored, scopes.host));
        }
    }
}
