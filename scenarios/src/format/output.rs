//! What a file comes to: scenarios that are ready to run.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use vmtwin_model::kube::ObjectKey;
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_model::vsphere::action::Action;
use vmtwin_model::vsphere::inventory::Inventory;

use crate::diagnostics::{Diagnostic, Place, Severity, SourceFile};
use crate::yaml::{Node, Path};

/// What came of a file.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The scenarios: one, or one for each point of the matrix. None if anything is wrong with the file.
    pub scenarios: Vec<Scenario>,
    /// What is wrong with the file, and warnings, in the file's order.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// Whether the file can be run.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.diagnostics.iter().all(|diagnostic| diagnostic.severity() == Severity::Warning)
    }
}

/// A scenario, checked, with all defaults filled in.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name, with the point of the matrix: `three-tier-boot[mode=Hard,tools=running]`.
    pub name: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// The file that it stands in.
    pub file: Arc<SourceFile>,
    /// What it shows.
    pub description: String,
    /// The seed of every random choice.
    pub seed: u64,
    /// The first instant.
    pub start: Timestamp,
    /// Where the run ends at the latest, from the start.
    pub horizon: Span,
    /// VM Operator's own settings.
    pub operator: OperatorSection,
    /// The infrastructure.
    pub inventory: Inventory,
    /// Classes that `namespaces[].classes` describes: VirtualMachineClass manifests that are installed with the infrastructure's objects.
    pub classes: Vec<Manifest>,
    /// Objects that are installed as they are. A claim that says that it is `Pending` is one that CSI gets nowhere with until it is changed.
    pub state: Vec<Manifest>,
    /// Manifests that the administrator applies at the start.
    pub objects: Vec<Manifest>,
    /// What happens.
    pub steps: Vec<Step>,
    /// Which invariants are checked.
    pub invariants: InvariantSelection,
    /// The values of the matrix's axes.
    pub matrix_point: BTreeMap<String, Value>,
}

/// Which invariants are checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvariantSelection {
    /// Only these, unless it is empty.
    pub only: Vec<String>,
    /// Not these.
    pub disable: Vec<String>,
}

/// Where something stands in a user's file.
#[derive(Clone)]
pub struct Origin {
    /// The file.
    pub file: Arc<SourceFile>,
    pub(super) root: Arc<Node>,
    pub(super) path: Path,
}

impl Origin {
    /// Its own place.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place_of(&Path::root())
    }

    /// The place of what a path below it names, or of its nearest ancestor that is written down.
    #[must_use]
    pub fn place_of(&self, path: &Path) -> Place {
        let region = self.file.head(self.root.nearest(&self.path.join(path)));
        Place { file: Arc::clone(&self.file), start: region.start, end: region.end }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({})", self.place())
    }
}

/// A manifest, or a part of one, as it stands in the file.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The manifest as JSON. A namespace that the format fills in is in it.
    pub value: Value,
    /// Where it stands.
    pub origin: Origin,
}

impl Manifest {
    /// `apiVersion`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.text("apiVersion")
    }

    /// `kind`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("kind")
    }

    /// `metadata.name`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
    }

    /// `metadata.namespace`, or nothing.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.value.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default()
    }

    fn text(&self, field: &str) -> &str {
        self.value.get(field).and_then(Value::as_str).unwrap_or_default()
    }
}

/// A step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name.
    pub name: Option<String>,
    /// The instant to which time advances first, from the start.
    pub at: Option<Span>,
    /// Who asks.
    pub user: Option<String>,
    /// How long to wait.
    pub timeout: Option<Span>,
    /// What it does.
    pub verb: Verb,
    /// Where it stands.
    pub origin: Origin,
    /// Its place in the list, from 0.
    pub index: usize,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Verb {
    /// Applies manifests.
    Apply(Vec<Manifest>, Expect),
    /// Creates objects.
    Create(Vec<Manifest>, Expect),
    /// Sends JSON merge patches.
    Patch(Vec<Manifest>, Expect),
    /// Deletes objects.
    Delete(Vec<Reference>, Expect),
    /// Waits until partial objects hold.
    Assert(Vec<Manifest>),
    /// Waits whether any of these matches.
    Error(Vec<Manifest>),
    /// Watches whether objects hold at every instant.
    Always {
        /// How long.
        span: Span,
        /// The partial objects.
        objects: Vec<Manifest>,
    },
    /// Waits until objects are gone.
    Gone(Vec<Reference>),
    /// Checks the operator's calls; several also for their order.
    Calls(Vec<CallsCheck>),
    /// Advances time.
    Sleep(Span),
    /// Advances until nothing is pending.
    Settle,
    /// Acts on the infrastructure.
    Vsphere(Vec<Action>),
    /// Acts on the operator.
    Operator(OperatorAction),
    /// Acts on the API server.
    Kube(Vec<KubeFault>),
}

impl Verb {
    /// The verb's word in the format.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Apply(..) => "apply",
            Self::Create(..) => "create",
            Self::Patch(..) => "patch",
            Self::Delete(..) => "delete",
            Self::Assert(_) => "assert",
            Self::Error(_) => "error",
            Self::Always { .. } => "always",
            Self::Gone(_) => "gone",
            Self::Calls(_) => "calls",
            Self::Sleep(_) => "sleep",
            Self::Settle => "settle",
            Self::Vsphere(_) => "vsphere",
            Self::Operator(_) => "operator",
            Self::Kube(_) => "kube",
        }
    }
}

/// How a request is expected to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Expect {
    /// It is allowed.
    #[default]
    Allowed,
    /// It is denied.
    Denied {
        /// The path of a cause.
        field: Option<String>,
        /// What the answer's text contains.
        message: Option<String>,
        /// The status' or a cause's reason.
        reason: Option<String>,
        /// The status' code.
        code: Option<u16>,
    },
}

/// What a reference names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A Kubernetes object.
    Kube(ObjectKey),
    /// An object of the infrastructure.
    Vsphere {
        /// Its kind in the vSphere API.
        kind: String,
        /// Its name.
        name: String,
    },
}

/// A reference to an object.
#[derive(Clone, Debug)]
pub struct Reference {
    /// What it names.
    pub target: Target,
    /// Where it stands.
    pub origin: Origin,
}

/// A check of the operator's calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallsCheck {
    /// The API's method name.
    pub operation: String,
    /// Only calls about this VM: `NAMESPACE/NAME`, an unmanaged one's name, or a managed object id.
    pub vm: Option<String>,
    /// How many.
    pub count: CallCount,
    /// Only calls that ended so.
    pub result: Option<CallResult>,
    /// Only calls after the step of this place in the list.
    pub since: Option<usize>,
}

/// How many calls there must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallCount {
    /// Exactly so many.
    Exactly(u64),
    /// At least so many.
    AtLeast(u64),
    /// At most so many.
    AtMost(u64),
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallResult {
    /// Well.
    Success,
    /// With a fault.
    Error,
}

/// What happens to the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperatorAction {
    /// It loses all that it held in memory.
    Restart,
    /// It does nothing for so long.
    Pause(Span),
    /// It dies at a call, and a new one starts.
    Crash(Crash),
}

/// When the operator dies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash {
    /// At what.
    pub at: CrashPoint,
    /// The call's method; any if none is named.
    pub operation: Option<String>,
    /// So many pass first.
    pub skip: u32,
    /// How long it stays down.
    pub down: Span,
}

/// Where the operator dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// Before the call leaves.
    Call,
    /// After it left and before its answer.
    Answer,
    /// Before the write.
    Write,
}

/// What happens to the API server, from the operator's view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KubeFault {
    /// Watch events arrive later.
    Late {
        /// Of which objects.
        what: KubeTarget,
        /// How much later.
        by: Span,
        /// For how long; to the end if absent.
        span: Option<Span>,
    },
    /// The next events are swallowed.
    Unseen {
        /// Of which objects.
        what: KubeTarget,
        /// How many.
        times: u32,
    },
    /// The next list is answered from the past.
    Old {
        /// Of which objects.
        what: KubeTarget,
        /// From how long ago.
        by: Span,
    },
    /// Writes meet a conflict.
    Conflict {
        /// Of which objects.
        what: KubeTarget,
        /// How many.
        times: u32,
    },
    /// It is away.
    Down(Span),
}

/// Which objects a fault of the API server is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KubeTarget {
    /// All of a kind.
    Kind(vmtwin_model::kube::Kind),
    /// One.
    Object(ObjectKey),
}

/// VM Operator's own settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorSection {
    /// The Supervisor's network provider.
    pub network_provider: NetworkProvider,
    /// Name servers of the ConfigMap.
    pub nameservers: Vec<String>,
    /// Search domains of the ConfigMap.
    pub search_domains: Vec<String>,
    /// Gates that are switched; the others have their defaults.
    pub features: BTreeMap<String, bool>,
    /// Users that are privileged besides the built-in ones.
    pub privileged_users: Vec<String>,
    /// `linked` or `direct`.
    pub fast_deploy_mode: String,
    /// How often every object is looked at though nothing happened; absent: never.
    pub resync_period: Option<Span>,
    /// When a VM that isn't created yet is looked at again.
    pub create_vm_requeue_delay: Span,
    /// When a VM that is on and has no address yet is looked at again.
    pub powered_on_vm_has_ip_requeue_delay: Span,
    /// How many VMs may be worked on at once.
    pub max_concurrent_reconciles: u32,
    /// The share of the workers, in per cent, that may create at once.
    pub max_create_vms_on_provider: u32,
    /// If not 0, how many creates may run at once.
    pub max_deploy_threads_on_provider: u32,
    /// Whether changes of VMs wake the operator.
    pub async_signal_enabled: bool,
    /// Whether creates run beside the workers.
    pub async_create_enabled: bool,
}

impl Default for OperatorSection {
    fn default() -> Self {
        Self {
            network_provider: NetworkProvider::Vpc,
            nameservers: Vec::new(),
            search_domains: Vec::new(),
            features: BTreeMap::new(),
            privileged_users: Vec::new(),
            fast_deploy_mode: "linked".to_owned(),
            resync_period: Some(Span::from_mins(30)),
            create_vm_requeue_delay: Span::from_secs(10),
            powered_on_vm_has_ip_requeue_delay: Span::from_secs(10),
            max_concurrent_reconciles: 20,
            max_create_vms_on_provider: 80,
            max_deploy_threads_on_provider: 0,
            async_signal_enabled: true,
            async_create_enabled: true,
        }
    }
}

/// The Supervisor's network provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkProvider {
    /// NSX with VPCs.
    Vpc,
    /// NSX-T by NCP.
    NsxT,
    /// Distributed switches.
    Vds,
    /// Networks that are addressed by their vSphere name.
    Named,
}
