//! The table of codes. A code is for ever: it is never given another meaning, and a row never goes.
//!
//! `VT1…` is shape, `VT2…` names and references, `VT3…` values and units, `VT4…` steps and time, `VT5…` contradictions,
//! `VT9…` warnings. Each row has a paragraph and a failing example; the examples are the files of `tests/diagnostics`.

use std::fmt;

use super::Severity;

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct CodeInfo {
    /// The code, `VT2003`.
    pub id: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// What it means and what to do.
    pub text: &'static str,
    /// A file that fails with it; each wrong line carries `#!`, code and message.
    pub example: Option<&'static str>,
}

macro_rules! codes {
    (@example) => { None };
    (@example $file:literal) => { Some(include_str!(concat!("../../../tests/diagnostics/", $file, ".yaml"))) };
    ($($id:ident $name:ident $title:literal $($file:literal)? : $text:literal;)+) => {
        /// What sort of mistake a diagnostic is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $text] $name,)+
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code's row.
            #[must_use]
            pub fn info(self) -> &'static CodeInfo {
                match self {
                    $(Self::$name => &CodeInfo { id: stringify!($id), title: $title, text: $text, example: codes!(@example $($file)?) },)+
                }
            }
        }
    };
}

impl Code {
    /// The code as it is printed, `VT2003`.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.info().id
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(self) -> Severity {
        if self.id().starts_with("VT9") { Severity::Warning } else { Severity::Error }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

codes! {
    VT1001 Syntax "not YAML" "vt1001-syntax":
        "The file is not valid YAML. Nothing after this place was read.";
    VT1002 DuplicateKey "a key stands twice" "vt1002-duplicate-key":
        "A mapping has the same key twice. YAML forbids it, and tools disagree on which one counts: remove one of them.";
    VT1003 UnknownAnchor "an alias without anchor" "vt1003-unknown-anchor":
        "An alias (`*name`) stands for the node that carries the anchor `&name` before it, in the same document. There is none, or the alias stands inside of it.";
    VT1004 KeyNotScalar "a key that is no string" "vt1004-key-not-scalar":
        "The key of a mapping is a string. Lists, mappings and nothing at all can't be keys.";
    VT1005 Encoding "not text" "vt1005-encoding":
        "A file is UTF-8 text without control characters. Windows PowerShell writes UTF-16 unless told `-Encoding utf8`.";
    VT1006 TooLarge "too large" "vt1006-too-large":
        "The file, a value in it, its nesting, or what its aliases expand to goes beyond what is read. A large system belongs into several files: `vsphere: {from: …}`, `state: [{file: …}]`.";
    VT1007 Tag "an unknown tag" "vt1007-tag":
        "Only the tags of YAML's core schema (`!!str`, `!!int`, `!!float`, `!!bool`, `!!null`, `!!seq`, `!!map`) mean anything here.";
    VT1008 TooMany "too many mistakes":
        "Only the first mistakes are shown; the others of this file were counted.";
    VT1009 NoScenario "no scenario" "vt1009-no-scenario":
        "A file that is named must hold a document with `apiVersion: vmtwin.dev/v1alpha1` and `kind: Scenario` (where an inventory is wanted, `kind: Inventory`).";
    VT1010 UnknownField "an unknown field" "vt1010-unknown-field":
        "No field of this name exists here. The fields are those that `vmtwin schema` prints; in a manifest, those of its kind.";
    VT1011 WrongType "a value of the wrong type" "vt1011-wrong-type":
        "The field takes a value of another type. Quotes make a string: `\"true\"` and `\"8\"` are strings, `true` and `8` are not.";
    VT1012 MissingField "a missing field" "vt1012-missing-field":
        "A field that has no default is missing.";
    VT1013 UnknownWord "an unknown word" "vt1013-unknown-word":
        "The field takes one of a few words, and this is none of them.";
    VT1014 NotAManifest "no Kubernetes manifest" "vt1014-not-a-manifest":
        "A Kubernetes object has at least `apiVersion`, `kind` and `metadata.name`.";
    VT1015 File "a file that can't be read" "vt1015-file":
        "A file that is referred to can't be read, or no file matches the pattern. A path is relative to the file that names it.";
    VT1016 Outside "a path that leads outside" "vt1016-outside":
        "A path never leaves the folder that was given on the command line, or the current one, unless `--allow-outside` is given.";
    VT1017 Cel "not a CEL expression" "vt1017-cel":
        "A key in parentheses is a CEL expression over the live object, which stands in it as `object`. This one can't be read.";
    VT1018 Reference "not a reference" "vt1018-reference":
        "A reference is `Kind/NAMESPACE/NAME`, `Kind/NAME` for what lives in no namespace, or `{apiVersion, kind, metadata: {name, namespace}}`.";
    VT2001 UnknownDatastore "an unknown datastore" "vt2001-unknown-datastore":
        "No entry of `vsphere.datastores` has this name.";
    VT2002 UnknownZone "an unknown zone" "vt2002-unknown-zone":
        "No entry of `vsphere.zones` has this name.";
    VT2003 UnknownStoragePolicy "an unknown storage policy" "vt2003-unknown-storage-policy":
        "No entry of `vsphere.storagePolicies` has this name, and no manifest makes a StorageClass of it.";
    VT2004 UnknownHost "an unknown host" "vt2004-unknown-host":
        "No host has this name. An entry with `count` stands for hosts whose names end in an index: `{name: esx-, count: 2}` is `esx-0` and `esx-1`.";
    VT2005 UnknownCluster "an unknown cluster" "vt2005-unknown-cluster":
        "No cluster of `vsphere.zones` has this name.";
    VT2006 UnknownNetwork "an unknown network" "vt2006-unknown-network":
        "No entry of `vsphere.networks` has this name. Where there are none, there is one network, `workload`.";
    VT2007 UnknownKeyProvider "an unknown key provider or key" "vt2007-unknown-key-provider":
        "No entry of `vsphere.keyProviders` has this name, or it has no key of this id.";
    VT2008 UnknownNamespace "an unknown namespace" "vt2008-unknown-namespace":
        "No entry of `vsphere.namespaces` has this name, and no manifest makes it.";
    VT2009 UnknownVm "an unknown VM" "vt2009-unknown-vm":
        "No entry of `vsphere.virtualMachines` and no VirtualMachine manifest of the file has this name. A managed VM is written `NAMESPACE/NAME`.";
    VT2010 UnknownGuest "an unknown guest profile" "vt2010-unknown-guest":
        "No entry of `vsphere.guests` has this name.";
    VT2011 UnknownGate "an unknown feature gate" "vt2011-unknown-gate":
        "No feature gate has this name. `vmtwin features` lists them.";
    VT2012 UnknownInvariant "an unknown invariant" "vt2012-unknown-invariant":
        "No invariant has this name. `vmtwin explore --list invariants` lists them.";
    VT2013 UnknownOperation "an unknown operation" "vt2013-unknown-operation":
        "Operations go by their method's name in the vSphere API, such as `PowerOnVM_Task`; the deploy from a content library is `deployLibraryItem`.";
    VT2014 UnknownStep "an unknown step" "vt2014-unknown-step":
        "`since` names a step that stands before this one, by its `name`.";
    VT2015 UnknownKind "an unknown kind" "vt2015-unknown-kind":
        "The API server doesn't serve a kind of this name in this group and version.";
    VT2016 UnknownClass "a class that nothing brings" "vt2016-unknown-class":
        "A bare name in `namespaces[].classes` is a VirtualMachineClass that `state`, `objects` or a step brings.";
    VT2017 UnknownPool "an unknown resource pool" "vt2017-unknown-pool":
        "A pool's parent is another entry of the cluster's `resourcePools`, or `namespace/NAME`.";
    VT2018 DuplicateName "a name is given twice" "vt2018-duplicate-name":
        "Two things of one sort have the same name.";
    VT2019 UnknownAxis "an unknown axis of the matrix" "vt2019-unknown-axis":
        "`${name}` stands for a value of the axis `name` of `spec.matrix`. Write `$${name}` for the text itself.";
    VT3001 NumberRange "a number out of range" "vt3001-number-range":
        "Numbers are 64 bits wide; infinity and not-a-number are none.";
    VT3002 Duration "not a duration" "vt3002-duration":
        "A duration is written as Go writes it: numbers with the units `h`, `m`, `s`, `ms`, `us`, `ns`, as in `90s` or `1h30m`. It isn't negative.";
    VT3003 Quantity "not a quantity" "vt3003-quantity":
        "A quantity is written as Kubernetes writes it, `512Gi` or `1500m`, and isn't negative.";
    VT3004 Instant "not an instant" "vt3004-instant":
        "An instant is RFC 3339, `2026-01-01T00:00:00Z`, between the years 1677 and 2262.";
    VT3005 Percentage "not a percentage" "vt3005-percentage":
        "A percentage is a number from 0 to 100 with at most two decimals, with or without `%`.";
    VT3006 Bounds "a value out of bounds" "vt3006-bounds":
        "The value is smaller or larger than what makes sense, or than what a run can hold: at most 10,000 hosts from one entry, 100,000 hosts and VMs in all.";
    VT3007 Address "not an address" "vt3007-address":
        "A network's `cidr` is an address with a prefix length, `10.1.0.0/16`; addresses belong to their network.";
    VT3008 Name "not a name" "vt3008-name":
        "Names in the inventory have 1 to 253 characters, none of them a control character or a space at an end. A managed VM's is `NAMESPACE/NAME`.";
    VT3009 Property "not a value of this property" "vt3009-property":
        "Inside of `virtualMachines`, `reconfigure` and faults stand the vSphere API's own properties, and this value isn't one that the property can have.";
    VT3010 Count "not a count" "vt3010-count":
        "A count of calls is a number, or a bound such as `\">=2\"`.";
    VT4001 NoVerb "a step without verb" "vt4001-no-verb":
        "Each step has exactly one verb, such as `apply` or `sleep`.";
    VT4002 SeveralVerbs "a step with several verbs" "vt4002-several-verbs":
        "Each step has exactly one verb. What comes after is a step of its own.";
    VT4003 Backwards "time goes backwards" "vt4003-backwards":
        "`at` counts from the start of the run. The steps before this one take longer than that, so it could never be reached in time.";
    VT4004 Misplaced "a field of other verbs" "vt4004-misplaced":
        "The field belongs to steps with another verb and has no meaning here.";
    VT4005 OneThing "not exactly one thing to do" "vt4005-one-thing":
        "An action names one subject and one thing that happens to it.";
    VT4009 StepFailed "a step did not hold" :
        "The file is fine; what it says of the run isn't. The place is that of the expectation; the message says what was found instead.";
    VT4010 NotSupported "not supported yet" "vt4010-not-supported":
        "This is a part of the format that this version can't run yet. It is refused, so that nobody takes it for done.";
    VT5001 TwoDefaults "two defaults" "vt5001-two-defaults":
        "At most one key provider is the default one.";
    VT5002 BeyondHorizon "beyond the horizon" "vt5002-beyond-horizon":
        "The run ends at `horizon`, before this step. Raise the horizon or drop the step.";
    VT5003 MatrixTooLarge "a matrix too large" "vt5003-matrix-too-large":
        "A matrix makes one run for each combination of its values: at most 10,000, and fewer where the scenario itself is large.";
    VT5004 NoNamespace "no namespace" "vt5004-no-namespace":
        "A namespaced manifest without `metadata.namespace` goes to the only namespace of `vsphere.namespaces`. Here there are several, or none.";
    VT5005 TwoScenarios "two scenarios in a file" "vt5005-two-scenarios":
        "A file holds one Scenario.";
    VT5006 Cycle "files that refer to each other" "vt5006-cycle":
        "A file refers to itself, directly or through others.";
    VT5007 Contradiction "values that contradict each other" "vt5007-contradiction":
        "Two values of the file can't both hold.";
    VT5008 SameObject "an object stands twice" "vt5008-same-object":
        "`state` and `objects` are sets without order, so that an object can stand in them once only. A later change is a step.";
    VT5009 ScopeMismatch "a namespace too many or too few" "vt5009-scope":
        "Objects of this kind live in no namespace, or in one, unlike what is written.";
    VT9001 NotServed "a kind that isn't served" "vt9001-not-served":
        "The API server doesn't serve this kind. In `state` the object is kept as it came, and nothing acts on it.";
    VT9002 UnknownFault "an unknown fault" "vt9002-unknown-fault":
        "vmtwin knows no fault of this name. The call fails with it all the same, and nothing treats it specially.";
    VT9003 NotModelled "a property without effect" "vt9003-not-modelled":
        "The vSphere API may have this property; the twin does not look at it.";
    VT9004 NearUser "a user that is nearly another" "vt9004-near-user":
        "The user's name is close to that of a privileged one, or to the default, and is neither.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_every_mistake_of_a_file_has_an_example() {
        assert!(Code::ALL.windows(2).all(|pair| pair[0].id() < pair[1].id()));
        for code in Code::ALL {
            let info = code.info();
            assert!(info.text.ends_with('.') && !info.title.ends_with('.'), "{code}");
            let marked = info.example.is_some_and(|example| example.contains(&format!("#! {code}: ")));
            let no_file_alone = matches!(code, Code::TooMany | Code::StepFailed);
            assert!(marked || no_file_alone, "{code} has an example that carries it");
        }
    }
}
