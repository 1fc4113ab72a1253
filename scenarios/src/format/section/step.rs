//! Steps and what they say (scenario-format §4, reproduce §1).

use schemars::JsonSchema;
use serde::Deserialize;

use super::True;
use super::cluster::{AddedHost, ClusterSettings};
use super::scalar::{CallCount, Decimal, Duration, Percentage, Text};
use crate::format::spanned::{Object, Several, Spanned, Tree};

/// One step: a verb, and what goes with it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct StepFields {
    /// The step's name, for reports and for `since`.
    pub(in crate::format) name: Option<Text>,
    /// The instant to which time advances first, measured from the start.
    pub(in crate::format) at: Option<Duration>,
    /// Who asks; `devops@vsphere.local` unless told.
    #[serde(rename = "as")]
    pub(in crate::format) user: Option<Text>,
    /// How long to wait; 30s unless told, 1h for `settle`.
    pub(in crate::format) timeout: Option<Duration>,
    /// What is expected instead of success.
    pub(in crate::format) expect: Option<Object>,
    /// Manifests to apply.
    pub(in crate::format) apply: Option<Several<Object>>,
    /// Manifests to create.
    pub(in crate::format) create: Option<Several<Object>>,
    /// JSON merge patches.
    pub(in crate::format) patch: Option<Several<Object>>,
    /// Objects to delete: `Kind/NAMESPACE/NAME`, or a mapping.
    pub(in crate::format) delete: Option<Several<Reference>>,
    /// Partial objects that must hold before the timeout.
    pub(in crate::format) assert: Option<Several<Object>>,
    /// Partial objects of which none may match before the timeout.
    pub(in crate::format) error: Option<Several<Object>>,
    /// What holds at every instant of a span.
    pub(in crate::format) always: Option<Always>,
    /// Objects that must be gone before the timeout.
    pub(in crate::format) gone: Option<Several<Reference>>,
    /// The operator's calls on the hypervisor so far.
    pub(in crate::format) calls: Option<Several<Calls>>,
    /// Questions of a CapacityPlan, asked of the world as it is just now.
    pub(in crate::format) capacity: Option<Object>,
    /// Time to advance by.
    pub(in crate::format) sleep: Option<Duration>,
    /// Advances until nothing is pending but periodic work.
    pub(in crate::format) settle: Option<Settle>,
    /// What happens to the infrastructure.
    pub(in crate::format) vsphere: Option<Several<Spanned<Action>>>,
    /// What happens to the operator.
    pub(in crate::format) operator: Option<Spanned<OperatorAction>>,
    /// What happens to the API server.
    pub(in crate::format) kube: Option<Several<Spanned<Kube>>>,
}

/// A step with its place.
pub(in crate::format) type Step = Spanned<StepFields>;

/// A reference to an object.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(in crate::format) struct Reference(pub(in crate::format) Tree);

impl JsonSchema for Reference {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Reference".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["string", "object"],
            "description": "`Kind/NAMESPACE/NAME`, `Kind/NAME`, or `{apiVersion, kind, metadata: {name, namespace}}`.",
        })
    }
}

/// What holds at every instant of a span.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Always {
    /// The span.
    #[serde(rename = "for")]
    pub(in crate::format) span: Duration,
    /// Partial objects.
    pub(in crate::format) object: Several<Object>,
}

/// `settle: {}`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(in crate::format) struct Settle(Tree);

impl JsonSchema for Settle {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Settle".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "object", "additionalProperties": false})
    }
}

/// The operator's calls on the hypervisor so far.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Calls {
    /// The API's method name.
    pub(in crate::format) operation: Text,
    /// Only calls about this VM.
    pub(in crate::format) vm: Option<Text>,
    /// How many; at least one unless told.
    pub(in crate::format) count: Option<CallCount>,
    /// Only calls that ended so.
    pub(in crate::format) result: Option<CallResult>,
    /// Only calls after the end of this step.
    pub(in crate::format) since: Option<Text>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::format) enum CallResult {
    /// Well.
    Success,
    /// With a fault.
    Error,
}

/// What happens to the operator.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct OperatorAction {
    /// It loses all that it held in memory.
    pub(in crate::format) restart: Option<True>,
    /// It does nothing for so long.
    pub(in crate::format) pause: Option<Duration>,
    /// It dies at a call.
    pub(in crate::format) crash: Option<Crash>,
    /// How long it stays down after a crash; not at all unless told.
    pub(in crate::format) down: Option<Duration>,
}

/// When the operator dies.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Crash {
    /// Before the call leaves, before its answer arrives, or before the write.
    pub(in crate::format) at: CrashPoint,
    /// The call's method; any unless told.
    pub(in crate::format) operation: Option<Text>,
    /// So many pass first; none unless told.
    pub(in crate::format) skip: Option<Spanned<u64>>,
}

/// Where the operator dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::format) enum CrashPoint {
    /// Before the call leaves.
    Call,
    /// After it left and before its answer.
    Answer,
    /// Before the write.
    Write,
}

/// What happens to the API server.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Kube {
    /// The watch events of a kind or an object reach the operator later: `by`, `for`.
    pub(in crate::format) late: Option<Text>,
    /// The next events are swallowed: `times`.
    pub(in crate::format) unseen: Option<Text>,
    /// The next list of a kind is answered from so long ago: `by`.
    pub(in crate::format) old: Option<Text>,
    /// Writes meet a conflict: `times`.
    pub(in crate::format) conflict: Option<Text>,
    /// The API server is away for so long.
    pub(in crate::format) down: Option<Duration>,
    /// How much later, how long ago.
    pub(in crate::format) by: Option<Duration>,
    /// How long it goes on; to the end unless told.
    #[serde(rename = "for")]
    pub(in crate::format) span: Option<Duration>,
    /// How often; once unless told.
    pub(in crate::format) times: Option<Spanned<u64>>,
}

/// What happens to the infrastructure: a subject, and one thing that happens to it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Action {
    /// To a host: `fail`, `recover`, `disconnect`, `reconnect`, `enterMaintenance`, `exitMaintenance`, `add`, `remove`.
    pub(in crate::format) host: Option<Text>,
    /// To all hosts of a zone: `fail`, `recover`.
    pub(in crate::format) zone: Option<Text>,
    /// To a cluster: `set`.
    pub(in crate::format) cluster: Option<Text>,
    /// To a datastore: `fill`, `inaccessible`, `accessible`, `maintenance`.
    pub(in crate::format) datastore: Option<Text>,
    /// To a key provider: `unavailable`, `available`, `removeKey`.
    pub(in crate::format) key_provider: Option<Text>,
    /// To a network: `exhaust`, `restore`.
    pub(in crate::format) network: Option<Text>,
    /// To a VM, behind the operator's back.
    pub(in crate::format) vm: Option<Text>,
    /// vCenter stops or starts answering.
    pub(in crate::format) vcenter: Option<Spanned<Reach>>,
    /// A fault rule comes into force.
    pub(in crate::format) fault: Option<Spanned<FaultRule>>,
    /// An operation takes longer.
    pub(in crate::format) slow: Option<Slow>,
    /// It fails.
    pub(in crate::format) fail: Option<True>,
    /// It comes back.
    pub(in crate::format) recover: Option<True>,
    /// An administrator disconnects it.
    pub(in crate::format) disconnect: Option<True>,
    /// An administrator connects it again.
    pub(in crate::format) reconnect: Option<True>,
    /// It is asked to enter maintenance mode.
    pub(in crate::format) enter_maintenance: Option<True>,
    /// It leaves maintenance mode.
    pub(in crate::format) exit_maintenance: Option<True>,
    /// A host of this sort joins a cluster.
    pub(in crate::format) add: Option<AddedHost>,
    /// It goes.
    pub(in crate::format) remove: Option<True>,
    /// Settings that change: mappings are merged, lists replaced.
    pub(in crate::format) set: Option<ClusterSettings>,
    /// So much of it is used from now on.
    pub(in crate::format) fill: Option<Percentage>,
    /// It is out of reach.
    pub(in crate::format) inaccessible: Option<True>,
    /// It is within reach again.
    pub(in crate::format) accessible: Option<True>,
    /// It enters maintenance mode.
    pub(in crate::format) maintenance: Option<True>,
    /// It doesn't answer.
    pub(in crate::format) unavailable: Option<True>,
    /// It answers again.
    pub(in crate::format) available: Option<True>,
    /// A key of this id is gone.
    pub(in crate::format) remove_key: Option<Text>,
    /// No address is left.
    pub(in crate::format) exhaust: Option<True>,
    /// There are addresses again.
    pub(in crate::format) restore: Option<True>,
    /// Switched off.
    pub(in crate::format) power_off: Option<True>,
    /// Switched on.
    pub(in crate::format) power_on: Option<True>,
    /// Suspended.
    pub(in crate::format) suspend: Option<True>,
    /// Reset.
    pub(in crate::format) reset: Option<True>,
    /// VM Tools stop.
    pub(in crate::format) tools_stop: Option<True>,
    /// VM Tools start.
    pub(in crate::format) tools_start: Option<True>,
    /// The guest hangs.
    pub(in crate::format) guest_hang: Option<True>,
    /// The guest crashes.
    pub(in crate::format) guest_crash: Option<True>,
    /// The guest shuts itself down.
    pub(in crate::format) guest_shutdown: Option<True>,
    /// Moved to this host.
    pub(in crate::format) migrate: Option<Text>,
    /// Reconfigured: a `VirtualMachineConfigSpec`.
    pub(in crate::format) reconfigure: Option<Object>,
    /// Destroyed.
    pub(in crate::format) destroy: Option<True>,
    /// Moved to another pool or folder.
    pub(in crate::format) relocate: Option<Relocate>,
}

/// Down or up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::format) enum Reach {
    /// Out of reach.
    Down,
    /// Within reach.
    Up,
}

/// An operation takes longer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Slow {
    /// The API's method name.
    pub(in crate::format) operation: Text,
    /// How many times as long.
    pub(in crate::format) factor: Decimal,
}

/// Moved by an administrator: `root`, `namespace`, `namespace/CHILD`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Relocate {
    /// The pool.
    pub(in crate::format) pool: Option<Text>,
    /// The folder.
    pub(in crate::format) folder: Option<Text>,
}

/// A fault rule: calls that match fail, are lost, or give another result.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct FaultRule {
    /// The API's method name.
    pub(in crate::format) operation: Text,
    /// What a call's VM or arguments must contain.
    #[serde(rename = "match")]
    pub(in crate::format) matching: Option<Object>,
    /// The fault: its name, or its properties with `_typeName`.
    pub(in crate::format) fault: Option<Fault>,
    /// Which part of the call is lost.
    pub(in crate::format) lose: Option<Lose>,
    /// The call succeeds with this in its result.
    pub(in crate::format) result: Option<Object>,
    /// So many matching calls; all unless told.
    pub(in crate::format) times: Option<Spanned<u64>>,
    /// So many matching calls pass first.
    pub(in crate::format) skip: Option<Spanned<u64>>,
    /// So long after it came into force.
    #[serde(rename = "for")]
    pub(in crate::format) span: Option<Duration>,
    /// The chance of each matching call, 0 to 1.
    pub(in crate::format) probability: Option<Decimal>,
}

/// A fault.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(in crate::format) struct Fault(pub(in crate::format) Tree);

impl JsonSchema for Fault {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Fault".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["string", "object"],
            "description": "A fault of the vSphere API: its name, or its properties with `_typeName`.",
        })
    }
}

/// Which part of a call is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::format) enum Lose {
    /// Nothing was done.
    Call,
    /// All was done.
    Answer,
}
