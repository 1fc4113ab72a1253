//! Compares the schema of every kind with the structure of the public custom resource definition of the same name, path by path: types, enums, patterns,
//! defaults, bounds, required fields and list keys, and the names, scope and printer columns of the kind. Descriptions are our own and not compared.
//!
//! The definitions are looked for in `$VMTWIN_DATA/crds`; without that variable the test says that it is skipped.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use kube::{CustomResourceExt, Resource};
use schemars::JsonSchema;
use serde_json::{Value, json};
use vmtwin_model::kube::availability_zone::AvailabilityZone;
use vmtwin_model::kube::capabilities::Capabilities;
use vmtwin_model::kube::cluster_virtual_machine_image::ClusterVirtualMachineImage;
use vmtwin_model::kube::cns_node_vm_attachment::CnsNodeVmAttachment;
use vmtwin_model::kube::cns_node_vm_batch_attachment::CnsNodeVMBatchAttachment;
use vmtwin_model::kube::cns_register_volume::CnsRegisterVolume;
use vmtwin_model::kube::compute_policy::ComputePolicy;
use vmtwin_model::kube::controlled_rebalancing_policy::ControlledRebalancingPolicy;
use vmtwin_model::kube::encryption_class::EncryptionClass;
use vmtwin_model::kube::network_interface::NetworkInterface;
use vmtwin_model::kube::network_settings::NetworkSettings;
use vmtwin_model::kube::policy_evaluation::PolicyEvaluation;
use vmtwin_model::kube::required_during_execution_vm_placement_policy::RequiredDuringExecutionVMPlacementPolicy;
use vmtwin_model::kube::schema::object_schema;
use vmtwin_model::kube::storage_policy::StoragePolicy;
use vmtwin_model::kube::storage_policy_quota::StoragePolicyQuota;
use vmtwin_model::kube::storage_policy_usage::StoragePolicyUsage;
use vmtwin_model::kube::tag_policy::TagPolicy;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_class::VirtualMachineClass;
use vmtwin_model::kube::virtual_machine_class_instance::VirtualMachineClassInstance;
use vmtwin_model::kube::virtual_machine_group::VirtualMachineGroup;
use vmtwin_model::kube::virtual_machine_image::VirtualMachineImage;
use vmtwin_model::kube::virtual_machine_image_cache::VirtualMachineImageCache;
use vmtwin_model::kube::virtual_machine_set_resource_policy::VirtualMachineSetResourcePolicy;
use vmtwin_model::kube::virtual_machine_snapshot::VirtualMachineSnapshot;
use vmtwin_model::kube::vsphere_zone::VSphereZone;
use vmtwin_model::kube::workload_network_configuration::WorkloadNetworkConfiguration;
use vmtwin_model::kube::zone::Zone;

/// A difference that is meant.
struct Deliberate {
    /// The path, from the kind on.
    path: &'static str,
    /// The keyword that differs.
    keyword: &'static str,
    /// Why.
    reason: &'static str,
}

const DELIBERATE: &[Deliberate] = &[
    Deliberate { path: "Capabilities", keyword: "required", reason: "for every kind an absent spec is an empty one" },
    Deliberate { path: "NetworkInterface", keyword: "subresources", reason: "its status is written apart, like that of every other kind" },
    Deliberate { path: "WorkloadNetworkConfiguration", keyword: "required", reason: "for every kind an absent spec is an empty one" },
];

/// Keywords whose values are compared as they stand.
const KEYWORDS: &[&str] = &[
    "type",
    "format",
    "pattern",
    "default",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "uniqueItems",
    "anyOf",
    "oneOf",
    "allOf",
    "nullable",
    "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-validations",
];

/// Keywords whose values are compared as sets of words.
const SETS: &[&str] = &["enum", "required"];

/// What has been found so far.
#[derive(Default)]
struct Findings {
    differences: Vec<String>,
    met: BTreeSet<usize>,
    paths: usize,
}

impl Findings {
    fn differs(&mut self, path: &str, keyword: &str, ours: Option<&Value>, theirs: Option<&Value>) {
        if let Some(index) = DELIBERATE.iter().position(|known| path_matches(known.path, path) && known.keyword == keyword) {
            self.met.insert(index);
            return;
        }
        let show = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
        self.differences.push(format!("{path}: {keyword}: ours {}, theirs {}", show(ours), show(theirs)));
    }
}

/// Whether `path` is the one meant; a pattern that begins with `*` means every path that ends so.
fn path_matches(pattern: &str, path: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(end) => path.ends_with(end),
        None => pattern == path,
    }
}

#[test]
fn every_kind_has_the_structure_of_its_public_definition() {
    let Some(folder) = std::env::var_os("VMTWIN_DATA").map(PathBuf::from) else {
        let text = "skipped: VMTWIN_DATA does not name the folder with the custom resource definitions";
        writeln!(std::io::stderr(), "{text}").expect("stderr can be written to");
        return;
    };
    let folder = folder.join("crds");
    let mut findings = Findings::default();
    check::<AvailabilityZone>(&folder, &mut findings);
    check::<Capabilities>(&folder, &mut findings);
    check::<ClusterVirtualMachineImage>(&folder, &mut findings);
    check::<CnsNodeVmAttachment>(&folder, &mut findings);
    check::<CnsNodeVMBatchAttachment>(&folder, &mut findings);
    check::<CnsRegisterVolume>(&folder, &mut findings);
    check::<ComputePolicy>(&folder, &mut findings);
    check::<ControlledRebalancingPolicy>(&folder, &mut findings);
    check::<EncryptionClass>(&folder, &mut findings);
    check::<NetworkInterface>(&folder, &mut findings);
    check::<NetworkSettings>(&folder, &mut findings);
    check::<PolicyEvaluation>(&folder, &mut findings);
    check::<RequiredDuringExecutionVMPlacementPolicy>(&folder, &mut findings);
    check::<StoragePolicy>(&folder, &mut findings);
    check::<StoragePolicyQuota>(&folder, &mut findings);
    check::<StoragePolicyUsage>(&folder, &mut findings);
    check::<TagPolicy>(&folder, &mut findings);
    check::<VirtualMachine>(&folder, &mut findings);
    check::<VirtualMachineClass>(&folder, &mut findings);
    check::<VirtualMachineClassInstance>(&folder, &mut findings);
    check::<VirtualMachineGroup>(&folder, &mut findings);
    check::<VirtualMachineImage>(&folder, &mut findings);
    check::<VirtualMachineImageCache>(&folder, &mut findings);
    check::<VirtualMachineSetResourcePolicy>(&folder, &mut findings);
    check::<VirtualMachineSnapshot>(&folder, &mut findings);
    check::<VSphereZone>(&folder, &mut findings);
    check::<WorkloadNetworkConfiguration>(&folder, &mut findings);
    check::<Zone>(&folder, &mut findings);

    let stale = DELIBERATE.iter().enumerate().filter(|(index, _)| !findings.met.contains(index));
    let stale =
        stale.map(|(_, known)| format!("{}: {}: no longer differs ({})", known.path, known.keyword, known.reason)).collect::<Vec<_>>();
    let found = findings.differences.into_iter().chain(stale).collect::<Vec<_>>();
    assert!(found.is_empty(), "{} differences in {} paths:\n{}", found.len(), findings.paths, found.join("\n"));
    assert!(findings.paths > 1_000, "only {} paths were compared", findings.paths);
}

fn check<K>(folder: &Path, findings: &mut Findings)
where
    K: JsonSchema + CustomResourceExt + Resource<DynamicType = ()> + vmtwin_model::kube::Resource,
{
    let (group, version, plural, kind) = (K::group(&()), K::version(&()), K::plural(&()), K::kind(&()));
    let file = folder.join(format!("{group}_{plural}.yaml"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{} cannot be read: {error}", file.display()));
    let theirs: Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{} is no YAML: {error}", file.display()));
    let versions = theirs["versions"].as_array().into_iter().flatten();
    let theirs_version = versions.into_iter().find(|candidate| candidate["name"] == *version);
    let theirs_version = theirs_version.unwrap_or_else(|| panic!("{} has no version {version}", file.display()));

    let ours = K::crd();
    let ours_version = &serde_json::to_value(&ours.spec.versions[0]).expect("a definition is JSON");
    let names = &ours.spec.names;
    let mut facts = BTreeMap::new();
    facts.insert("kind", (Value::from(&*names.kind), theirs["kind"].clone()));
    facts.insert("scope", (Value::from(&*ours.spec.scope), theirs["scope"].clone()));
    facts.insert("shortNames", (Value::from(names.short_names.clone().unwrap_or_default()), theirs["shortNames"].clone()));
    let row = K::KIND.info();
    facts.insert("table", (json!([row.group, row.plural, row.short]), json!([theirs["group"], theirs["plural"], theirs["shortNames"]])));
    let spoken = row.also.iter().chain([&row.version]).copied().collect::<BTreeSet<_>>();
    let served = theirs["versions"].as_array().into_iter().flatten().filter(|version| version["served"] == true);
    let served = served.filter_map(|version| version["name"].as_str()).collect::<BTreeSet<_>>();
    facts.insert("versions", (json!(spoken), json!(served)));
    for part in ["additionalPrinterColumns", "subresources"] {
        facts.insert(part, (settled(&ours_version[part]), settled(&theirs_version[part])));
    }
    for (fact, (ours, theirs)) in facts {
        if ours != theirs {
            findings.differs(&kind, fact, Some(&ours), Some(&theirs));
        }
    }
    compare(&kind, &object_schema::<K>(), &theirs_version["schema"], findings);
}

/// Absent and empty are the same for lists and objects of the definition's head.
fn settled(value: &Value) -> Value {
    match value {
        Value::Array(items) if items.is_empty() => Value::Null,
        Value::Object(fields) if fields.is_empty() => Value::Null,
        other => other.clone(),
    }
}

fn compare(path: &str, ours: &Value, theirs: &Value, findings: &mut Findings) {
    findings.paths += 1;
    for keyword in KEYWORDS {
        let (our, their) = (ours.get(keyword), theirs.get(keyword));
        if our != their {
            findings.differs(path, keyword, our, their);
        }
    }
    for keyword in SETS {
        let (our, their) = (words(ours.get(keyword)), words(theirs.get(keyword)));
        if our != their {
            findings.differs(path, keyword, ours.get(keyword), theirs.get(keyword));
        }
    }
    let (our_fields, their_fields) = (fields(ours), fields(theirs));
    for name in our_fields.keys().chain(their_fields.keys()).copied().collect::<BTreeSet<_>>() {
        let path = format!("{path}.{name}");
        match (our_fields.get(name), their_fields.get(name)) {
            (Some(ours), Some(theirs)) => compare(&path, ours, theirs, findings),
            (ours, theirs) => findings.differs(&path, "presence", ours.copied(), theirs.copied()),
        }
    }
    for (keyword, step) in [("items", "[]"), ("additionalProperties", "{}")] {
        let path = format!("{path}{step}");
        match (ours.get(keyword), theirs.get(keyword)) {
            (Some(ours), Some(theirs)) => compare(&path, ours, theirs, findings),
            (None, None) => {}
            (ours, theirs) => findings.differs(&path, "presence", ours, theirs),
        }
    }
}

fn fields(schema: &Value) -> BTreeMap<&str, &Value> {
    let fields = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    fields.map(|(name, field)| (name.as_str(), field)).collect()
}

fn words(list: Option<&Value>) -> BTreeSet<&str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}
