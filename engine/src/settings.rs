//! VM Operator's own settings, with upstream's names and defaults. Source: scenario-format §2, vm-lifecycle §1.

use std::sync::Arc;

use vmtwin_model::kube::api::User;
use vmtwin_model::time::Span;

use crate::features::Features;
use crate::queue::Controllers;

/// Everything that an administrator can set on VM Operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Who gives out addresses and ports.
    pub network_provider: NetworkProvider,
    /// The ConfigMap's nameservers.
    pub nameservers: Vec<Arc<str>>,
    /// The ConfigMap's search domains.
    pub search_domains: Vec<Arc<str>>,
    /// The gates.
    pub features: Features,
    /// Users that are privileged besides the built-in ones; upstream's `PRIVILEGED_USERS`.
    pub privileged_users: Vec<Arc<str>>,
    /// The namespace that the operator runs in.
    pub pod_namespace: Arc<str>,
    /// The operator's service account in that namespace.
    pub service_account: Arc<str>,
    /// How often every object is looked at though nothing happened.
    pub resync_period: Option<Span>,
    /// When a VM that isn't created yet is looked at again.
    pub create_vm_requeue_delay: Span,
    /// How many VMs may be worked on at once; it bounds creates (`max_create_vms_on_provider`) alone.
    pub max_concurrent_reconciles: u32,
    /// The share of the workers, in per cent, that may create at once.
    pub max_create_vms_on_provider: u32,
    /// If not 0, how many creates may run at once, whatever the workers.
    pub max_deploy_threads_on_provider: u32,
    /// How VMs are made fast where that gate is on.
    pub fast_deploy_mode: FastDeployMode,
    /// The controllers that run: all of them, but in tests of a part.
    pub controllers: Controllers,
}

/// What becomes of an image's cached disks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FastDeployMode {
    /// They are copied.
    Direct,
    /// The VM's disks are children of them.
    #[default]
    Linked,
}

/// The Supervisor's network provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum NetworkProvider {
    /// NSX with VPCs: `SubnetPort`.
    #[default]
    Vpc,
    /// NSX-T by NCP: `VirtualNetworkInterface`.
    NsxT,
    /// Distributed switches by Net Operator: `NetworkInterface`.
    Vds,
    /// Networks that are addressed by their vSphere name; tests only.
    Named,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            network_provider: NetworkProvider::default(),
            nameservers: Vec::new(),
            search_domains: Vec::new(),
            features: Features::default(),
            privileged_users: Vec::new(),
            pod_namespace: "vmware-system-vmop".into(),
            service_account: "default".into(),
            resync_period: Some(Span::from_mins(30)),
            create_vm_requeue_delay: Span::from_secs(10),
            max_concurrent_reconciles: 20,
            max_create_vms_on_provider: 80,
            max_deploy_threads_on_provider: 0,
            fast_deploy_mode: FastDeployMode::default(),
            controllers: Controllers::ALL,
        }
    }
}

impl Settings {
    /// The account under which the operator writes.
    #[must_use]
    pub fn operator(&self) -> User {
        User::named(format!("system:serviceaccount:{}:{}", self.pod_namespace, self.service_account))
    }

    /// How many creates may run at once; never none.
    #[must_use]
    pub fn create_slots(&self) -> usize {
        let slots = match self.max_deploy_threads_on_provider {
            0 => self.max_concurrent_reconciles.saturating_mul(self.max_create_vms_on_provider) / 100,
            threads => threads,
        };
        slots.max(1) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn creates_take_four_fifths_of_the_workers_and_never_none() {
        assert_eq!(Settings::default().create_slots(), 16);
        assert_eq!(Settings { max_concurrent_reconciles: 1, ..Settings::default() }.create_slots(), 1);
        assert_eq!(Settings { max_deploy_threads_on_provider: 640, ..Settings::default() }.create_slots(), 640);
    }
}
