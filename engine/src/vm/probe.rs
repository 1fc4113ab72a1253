//! Readiness: what a probe found becomes the VM's condition `Ready`, with an event at each change. Source: vm-lifecycle §14.
//!
//! The heartbeat and what the guest publishes are looked at in the status step. A probe by TCP is a controller of its own, so that its period doesn't
//! make the VM be worked on; it begins with the VM's first sight of the probe and is looked at anew when what it depends on changes.
//!
//! Mirrors: vm-operator `pkg/prober/prober_manager.go`, `worker/readiness_worker.go`, `probe/tcp.go`.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use vmtwin_model::kube::api::Notice;
use vmtwin_model::kube::power::PowerState;
use vmtwin_model::kube::virtual_machine::{ReadinessProbeSpec, TcpSocketAction, VirtualMachine};
use vmtwin_model::kube::{Condition, ConditionStatus, ConditionType, Conditions, Object, Reason};
use vmtwin_model::time::Span;
use vmtwin_model::vsphere::Operation;

use super::{VmDraft, keys};
use crate::pass::{Cx, Flow};
use crate::verdict::{Verdict, Wait};

/// How often a probe is made that doesn't say.
const PERIOD: i64 = 10;
/// How long an attempt may take that doesn't say.
const TIMEOUT: i64 = 10;

/// Puts what a probe found, and tells of it if that is another status than before.
pub(super) fn record(cx: &mut Cx<'_>, draft: &mut VmDraft, condition: Condition) {
    let before = draft.status().conditions.condition(&ConditionType::Ready).map(|ready| ready.status);
    if before != Some(condition.status) {
        let reason = match condition.status {
            ConditionStatus::True => "Ready",
            ConditionStatus::False => "NotReady",
            ConditionStatus::Unknown => "Unknown",
        };
        let message = if condition.message.is_empty() { "the readiness probe succeeded".into() } else { condition.message.clone() };
        cx.notice(Notice { object: draft.base().key.clone(), warning: false, reason: reason.into(), message });
    }
    let now = cx.now();
    draft.status_mut().conditions.put(condition, now);
}

/// One attempt by TCP, if the VM has such a probe; the next one comes after its period.
pub(super) fn attempt(cx: &mut Cx<'_>, draft: &mut VmDraft) -> Flow<Verdict> {
    let spec = draft.spec().readiness_probe.clone().unwrap_or_default();
    let Some(action) = &spec.tcp_socket else { return Ok(Verdict::Done) };
    if draft.base().is_deleting() || draft.annotation(keys::PAUSED).is_some() {
        return Ok(Verdict::Done);
    }
    let condition = match connect(cx, draft, &spec, action)? {
        Ok(()) => Condition::holds(ConditionType::Ready),
        Err(why) => Condition::fails(ConditionType::Ready, Reason::NotReady, why),
    };
    record(cx, draft, condition);
    let period = if spec.period_seconds > 0 { i64::from(spec.period_seconds) } else { PERIOD };
    Ok(Verdict::Again { after: Span::from_secs(period), why: Wait::Poll("probe") })
}

fn connect(cx: &mut Cx<'_>, draft: &VmDraft, spec: &ReadinessProbeSpec, action: &TcpSocketAction) -> Flow<Result<(), String>> {
    let status = draft.status();
    if status.power_state != Some(PowerState::PoweredOn) {
        return Ok(Err("virtual machine is not powered on".to_owned()));
    }
    let addresses = status.network.iter().flat_map(|network| [&network.primary_ip4, &network.primary_ip6]);
    let host = std::iter::once(&action.host).chain(addresses).find(|host| !host.is_empty());
    let Some(host) = host else { return Ok(Err("virtual machine has no IP address".to_owned())) };
    let IntOrString::Int(port) = action.port else {
        return Ok(Err("the port of a TCP probe must be a number".to_owned()));
    };
    let Ok(port) = u16::try_from(port) else { return Ok(Err(format!("{port} is no TCP port"))) };
    let timeout = if spec.timeout_seconds > 0 { i64::from(spec.timeout_seconds) } else { TIMEOUT };
    let operation =
        Operation::ConnectTcp { vm: status.unique_id.as_str().into(), host: host.as_str().into(), port, timeout_seconds: timeout };
    Ok(cx.call(operation)?.map(|_| ()).map_err(|failure| failure.to_string()))
}

/// Whether a change of a VM concerns its probe by TCP: the probe itself, or what an attempt goes by.
pub(crate) fn concerns(before: Option<&Object>, after: Option<&Object>) -> bool {
    let Some(new) = after.and_then(Object::view::<VirtualMachine>) else { return false };
    if new.spec.readiness_probe.as_ref().is_none_or(|probe| probe.tcp_socket.is_none()) {
        return false;
    }
    let Some(old) = before.and_then(Object::view::<VirtualMachine>) else { return true };
    let address = |status: &vmtwin_model::kube::virtual_machine::VirtualMachineStatus| {
        status.network.as_ref().map(|network| (network.primary_ip4.clone(), network.primary_ip6.clone()))
    };
    old.spec.readiness_probe != new.spec.readiness_probe
        || old.status.power_state != new.status.power_state
        || address(old.status) != address(new.status)
}
