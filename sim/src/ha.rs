//! High availability's admission control: what is kept free for a host's failure. Source: placement-groups §10.6.
//!
//! It knows shares of the cluster, slots and dedicated hosts. How VMs are started again is `failover`'s.

use vmtwin_model::units::{MiB, VCpus};
use vmtwin_model::vsphere::Fault;
use vmtwin_model::vsphere::inventory::AdmissionControl;

use crate::capacity::{Need, Size};
use crate::planning::Constraint;
use crate::slots::{self, Fixed};
use crate::{World, refusals};

/// The CPU that admission control counts for a VM without a reservation.
const LEAST_CPU: i64 = 32;

/// The CPU of a VM's reservation as admission control counts it.
pub(crate) fn counted_cpu(reserved: Need) -> i64 {
    reserved.cpu.max(LEAST_CPU)
}

impl World {
    /// Whether HA lets a VM of this size be switched on in a cluster.
    pub(crate) fn admit_failover(&self, cluster: u32, size: &Size) -> Result<(), Fault> {
        if self.is_lifted(Constraint::Ha) {
            return Ok(());
        }
        self.failover_left(cluster, size, 1)
    }

    /// Whether what HA is to keep free is still there when a host is emptied. Source: placement-groups §10.5.
    pub(crate) fn may_be_emptied(&self, host: u32) -> bool {
        let Some(there) = self.hosts.get(host) else { return false };
        let reserved = Need { cpu: there.failover_cpu, memory: there.reserved.memory };
        let all = Size { cpus: VCpus(0), memory: MiB(0), reserved };
        there.powered_on == 0 || self.failover_left(there.cluster, &all, 0).is_ok()
    }

    /// Whether a size besides what the hosts have leaves HA its reserve; `more` VMs are new to the cluster.
    fn failover_left(&self, cluster: u32, size: &Size, more: u32) -> Result<(), Fault> {
        let Some(cluster) = self.clusters.get(cluster) else { return Ok(()) };
        if !cluster.ha.enabled {
            return Ok(());
        }
        let open = cluster.ranks.open;
        if open.hosts < 2 {
            return Ok(());
        }
        let (host_failures, cpu, memory) = match cluster.ha.admission_control {
            AdmissionControl::Percentage { host_failures, cpu, memory } => (host_failures, cpu, memory),
            AdmissionControl::Slots { host_failures, cpu, memory } => {
                let hosts = cluster.hosts.iter().filter_map(|host| self.hosts.get(*host));
                let hosts: Vec<_> = hosts.filter(|host| host.takes_vms()).collect();
                let enough = slots::suffice(cluster, &hosts, host_failures, Fixed { cpu, memory }, (size, more));
                return if enough { Ok(()) } else { Err(refusals::failover()) };
            }
            AdmissionControl::Disabled | AdmissionControl::FailoverHosts(_) => return Ok(()),
        };
        let automatic = 10_000 * i64::from(host_failures) / open.hosts;
        let kept = |given: Option<u32>| given.map_or(automatic, i64::from);
        let used = open.reserved + Need { cpu: counted_cpu(size.reserved), memory: size.reserved.memory };
        let short = |total: i64, used: i64, share: i64| i128::from(total - used) * 10_000 < i128::from(total) * i128::from(share);
        if short(open.usable.cpu, used.cpu, kept(cpu)) || short(open.usable.memory, used.memory, kept(memory)) {
            return Err(refusals::failover());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Trial, inventory};
    use vmtwin_model::time::Span;
    use vmtwin_model::vsphere::action::HostAction;
    use vmtwin_model::vsphere::vm::PowerState;
    use vmtwin_model::vsphere::{Action, FaultName, Operation};

    fn host(name: &str, action: HostAction) -> Action {
        Action::Host(name.into(), action)
    }

    #[test]
    fn admission_control_keeps_a_share_free() {
        let mut inventory = inventory();
        let cluster = &mut inventory.zones[0].clusters[0];
        cluster.ha.enabled = true;
        cluster.ha.admission_control = AdmissionControl::Percentage { host_failures: 1, cpu: None, memory: Some(9_999) };
        let mut trial = Trial::new(&inventory);
        let vm = trial.deploy(crate::trial::spec("a"));
        let fault = trial.refused(Operation::PowerOnVm { vm, host: None });
        assert_eq!(fault.name, FaultName::InsufficientFailoverResourcesFault);
    }

    #[test]
    fn an_evacuation_moves_running_vms_and_then_the_host_is_in_maintenance() {
        let mut trial = Trial::new(&inventory());
        let (a, b) = (trial.running("a"), trial.running("b"));
        trial.act(&host("esx-0", HostAction::EnterMaintenance)).expect("it is connected");
        assert_eq!(trial.value("HostSystem", "esx-0")["runtime"]["inMaintenanceMode"], false);
        trial.run(Span::from_mins(2));
        for vm in [&a, &b] {
            let seen = trial.vm(vm);
            assert_eq!((seen.location.host_name.as_deref(), seen.runtime.power_state), (Some("esx-1"), PowerState::PoweredOn));
        }
        assert_eq!(trial.value("HostSystem", "esx-0")["runtime"]["inMaintenanceMode"], true);
        assert_eq!(trial.world.next_pending(), None);
        trial.act(&host("esx-0", HostAction::ExitMaintenance)).expect("it is in maintenance");
        assert_eq!(trial.value("HostSystem", "esx-0")["runtime"]["inMaintenanceMode"], false);
    }

    #[test]
    fn a_host_that_cannot_be_emptied_waits_without_keeping_anyone_from_settling() {
        let mut inventory = inventory();
        inventory.zones[0].clusters[0].hosts.truncate(1);
        let mut trial = Trial::new(&inventory);
        let vm = trial.running("a");
        trial.run(Span::from_mins(10));
        trial.act(&host("esx-0", HostAction::EnterMaintenance)).expect("it is connected");
        trial.run(Span::from_mins(10));
        assert_eq!((trial.world.next_pending(), trial.world.next_event().is_some()), (None, true));
        trial.ask(Operation::PowerOffVm { vm }).expect("it is switched off");
        trial.run(Span::from_mins(2));
        assert_eq!(trial.value("HostSystem", "esx-0")["runtime"]["inMaintenanceMode"], true);
    }
}
