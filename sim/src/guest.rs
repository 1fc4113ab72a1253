//! Guests: what runs inside a VM, from the firmware to VM Tools and an address, and how it takes being told to stop.
//!
//! Each switching on, off or over begins another life of the guest, an epoch; a timer of an earlier one is passed over. Load
//! inside of the guest isn't modelled.

use std::sync::Arc;

use vmtwin_model::time::Span;
use vmtwin_model::vsphere::Changed;
use vmtwin_model::vsphere::inventory::{Patience, Timing};
use vmtwin_model::vsphere::vm::{CustomizationInfo, Guest, GuestNic, Heartbeat, IpConfig, PowerState, ToolsRunningStatus};

use crate::agenda::Entry;
use crate::latency::sample;
use crate::{Source, World};

/// How often VM Tools look at the guest's addresses.
const POLL: Span = Span::from_secs(30);
/// How long beats may be missing until the heartbeat is red.
const MISSED_BEATS: Span = Span::from_secs(30);
/// How long VM Tools take to be back after a resume.
const RESUME: Span = Span::from_secs(1);

/// What the guest is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing runs.
    #[default]
    Down,
    /// Firmware and operating system start.
    Booting,
    /// It runs.
    Up,
    /// It does as it was told, or hangs in doing so.
    Ending(Soft),
    /// It runs and does nothing.
    Stuck,
}

/// What a guest can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Soft {
    Shutdown,
    Standby,
    Reboot,
}

/// The next thing that happens to a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The operating system runs.
    Booted,
    /// The customization is applied.
    Customized,
    /// VM Tools run.
    ToolsUp,
    /// The addresses are known.
    Address,
    /// It has ended what it was told to end.
    Ended,
    /// Its beats were missed for long.
    BeatsMissed,
}

/// The guest's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GuestLife {
    pub(crate) phase: Phase,
    pub(crate) epoch: u32,
}

impl World {
    /// The guest starts from its firmware.
    pub(crate) fn guest_boots(&mut self, vm: u32) {
        self.guest_phase(vm, Phase::Booting);
        self.guest_silent(vm, Silence::Booting);
        let Some(row) = self.vms.get(vm) else { return };
        let boot = row.behaviour.boot;
        let at = self.guest_draw(vm, "boot", boot);
        self.guest_timer(vm, at, Step::Booted);
    }

    /// The guest goes on where it was suspended.
    pub(crate) fn guest_resumes(&mut self, vm: u32) {
        self.guest_phase(vm, Phase::Up);
        if self.vms.get(vm).is_some_and(|row| row.behaviour.tools) {
            self.guest_timer(vm, RESUME, Step::ToolsUp);
        }
    }

    /// The power is gone.
    pub(crate) fn guest_stops(&mut self, vm: u32) {
        self.guest_phase(vm, Phase::Down);
        self.guest_silent(vm, Silence::Off);
    }

    /// The guest is told something and begins to do it.
    pub(crate) fn guest_told(&mut self, vm: u32, what: Soft) {
        let Some(row) = self.vms.get(vm) else { return };
        if matches!(row.guest.phase, Phase::Stuck | Phase::Ending(_)) {
            return;
        }
        let patience = match what {
            Soft::Shutdown | Soft::Reboot => row.behaviour.shutdown,
            Soft::Standby => row.behaviour.standby,
        };
        self.guest_phase(vm, Phase::Ending(what));
        let word = match what {
            Soft::Shutdown => "shuttingDown",
            Soft::Standby => "standby",
            Soft::Reboot => "resetting",
        };
        if let Some(guest) = self.seen_mut(vm).and_then(|seen| seen.guest.as_mut()) {
            guest.guest_state = Some(word.into());
        }
        if let Patience::After(timing) = patience {
            let stream = if what == Soft::Standby { "standby" } else { "shutdown" };
            let after = self.guest_draw(vm, stream, timing);
            self.guest_timer(vm, after, Step::Ended);
        }
    }

    /// The guest hangs or crashes: it beats no more.
    pub(crate) fn guest_sticks(&mut self, vm: u32, crash: bool) {
        self.guest_phase(vm, Phase::Stuck);
        if crash {
            self.guest_silent(vm, Silence::Crashed);
        } else {
            self.guest_timer(vm, MISSED_BEATS, Step::BeatsMissed);
        }
    }

    /// VM Tools stop, or start again, and nothing else.
    pub(crate) fn guest_tools(&mut self, vm: u32, run: bool) {
        if run {
            self.guest_tools_up(vm);
            self.guest_addresses(vm);
        } else {
            self.guest_silent(vm, Silence::NoTools);
        }
    }

    pub(crate) fn guest_step(&mut self, vm: u32, epoch: u32, step: Step) {
        let Some(row) = self.vms.get(vm) else { return };
        if row.guest.epoch != epoch {
            return;
        }
        self.source = Source::Guest;
        let behaviour = row.behaviour.clone();
        match step {
            Step::Booted if row.customization.is_some() && behaviour.tools => {
                self.tell_vm(vm, "guest booted; customization runs");
                self.customization_status(vm, "TOOLSDEPLOYPKG_RUNNING");
                // The customization ends with another boot.
                let after = self.guest_draw(vm, "customization", behaviour.customization) + self.guest_draw(vm, "boot", behaviour.boot);
                self.guest_timer(vm, after, Step::Customized);
            }
            Step::Booted => self.guest_up(vm, "guest booted"),
            Step::Customized => {
                self.customize_guest(vm);
                self.customization_status(vm, "TOOLSDEPLOYPKG_SUCCEEDED");
                self.guest_up(vm, "guest customized");
            }
            Step::ToolsUp => {
                self.guest_tools_up(vm);
                let mut after = self.guest_draw(vm, "dhcp", behaviour.dhcp);
                if behaviour.polled {
                    after = self.next_poll(vm, after);
                }
                self.guest_timer(vm, after, Step::Address);
            }
            Step::Address => self.guest_addresses(vm),
            Step::Ended => self.guest_ended(vm),
            Step::BeatsMissed => {
                self.heartbeat(vm, Heartbeat::Red);
                self.tell_vm(vm, "guest beats no more");
            }
        }
    }

    fn guest_up(&mut self, vm: u32, message: &str) {
        self.tell_vm(vm, message);
        let Some(row) = self.vms.get_mut(vm) else { return };
        row.guest.phase = Phase::Up;
        let behaviour = row.behaviour.clone();
        if behaviour.tools {
            let after = self.guest_draw(vm, "toolsStart", behaviour.tools_start);
            self.guest_timer(vm, after, Step::ToolsUp);
        }
    }

    fn guest_tools_up(&mut self, vm: u32) {
        let name: Arc<str> = match self.vms.get(vm) {
            Some(row) => row.seen.guest.as_ref().and_then(|guest| guest.host_name.clone()).unwrap_or_else(|| row.seen.name.clone()),
            None => return,
        };
        if let Some(seen) = self.seen_mut(vm) {
            let guest = seen.guest.get_or_insert_default();
            guest.tools_running_status = Some(ToolsRunningStatus::Running);
            guest.guest_state = Some("running".into());
            guest.host_name = Some(name);
        }
        self.touch(vm, Changed::Guest);
        self.heartbeat(vm, Heartbeat::Green);
        self.tell_vm(vm, "VM Tools run");
    }

    /// The guest knows its addresses, and VM Tools report them.
    fn guest_addresses(&mut self, vm: u32) {
        let Some(row) = self.vms.get(vm) else { return };
        if !row.seen.tools_run() {
            return;
        }
        let cards: Vec<_> = row.config().hardware.device.iter().filter(|device| device.type_.is_ethernet_card()).cloned().collect();
        let set = row.addresses.clone();
        let mut net = Vec::new();
        for card in cards {
            let mac = card.mac_address.clone().unwrap_or_default();
            let connected = card.connectable.as_ref().is_none_or(|connectable| connectable.connected || connectable.start_connected);
            let (network, addresses) = if connected { self.addresses_of(&card, &set) } else { (self.network_of_card(&card), Vec::new()) };
            let name = network.and_then(|row| self.networks.get(row)).map(|network| network.name().clone()).unwrap_or_default();
            net.push(GuestNic {
                network: name,
                mac_address: mac,
                connected,
                device_config_id: card.key,
                ip_config: IpConfig { ip_address: addresses, ..IpConfig::default() },
                dns_config: None,
            });
        }
        let first = net.iter().flat_map(|nic| &nic.ip_config.ip_address).map(|address| address.ip_address.clone()).next();
        if let Some(guest) = self.seen_mut(vm).and_then(|seen| seen.guest.as_mut()) {
            if guest.net == net && guest.ip_address == first {
                return;
            }
            guest.net = net;
            guest.ip_address.clone_from(&first);
        }
        self.touch(vm, Changed::Guest);
        match first {
            Some(address) => self.tell_vm(vm, &format!("guest has address {address}")),
            None => self.tell_vm(vm, "guest has no address"),
        }
    }

    fn guest_ended(&mut self, vm: u32) {
        let Some(Phase::Ending(what)) = self.vms.get(vm).map(|row| row.guest.phase) else { return };
        match what {
            Soft::Shutdown => {
                self.tell_vm(vm, "guest has shut down");
                self.switch_off(vm);
            }
            Soft::Standby => {
                self.tell_vm(vm, "guest stands by");
                self.suspend(vm);
            }
            Soft::Reboot => {
                self.tell_vm(vm, "guest reboots");
                self.guest_boots(vm);
            }
        }
    }

    /// Begins another life of the guest.
    pub(crate) fn guest_phase(&mut self, vm: u32, phase: Phase) {
        if let Some(row) = self.vms.get_mut(vm) {
            row.guest.phase = phase;
            row.guest.epoch += 1;
        }
    }

    /// Nothing is heard from VM Tools any more.
    fn guest_silent(&mut self, vm: u32, why: Silence) {
        let state = match why {
            Silence::NoTools | Silence::Crashed => "unknown",
            Silence::Off | Silence::Booting => "notRunning",
        };
        let Some(seen) = self.seen_mut(vm) else { return };
        let guest = seen.guest.get_or_insert_default();
        let before = guest.clone();
        guest.tools_running_status = Some(ToolsRunningStatus::NotRunning);
        guest.guest_state = Some(state.into());
        if why != Silence::NoTools {
            guest.ip_address = None;
            guest.net.clear();
        }
        let changed = summary(guest) != summary(&before);
        if changed {
            self.touch(vm, Changed::Guest);
        }
        self.heartbeat(vm, if why == Silence::Crashed { Heartbeat::Red } else { Heartbeat::Gray });
    }

    fn heartbeat(&mut self, vm: u32, beat: Heartbeat) {
        let Some(seen) = self.seen_mut(vm) else { return };
        if seen.guest_heartbeat_status != beat {
            seen.guest_heartbeat_status = beat;
            self.touch(vm, Changed::Heartbeat);
        }
    }

    pub(crate) fn customization_status(&mut self, vm: u32, status: &str) {
        if let Some(seen) = self.seen_mut(vm) {
            let info = CustomizationInfo { customization_status: status.into(), error_msg: None };
            seen.guest.get_or_insert_default().customization_info = Some(info);
        }
        self.touch(vm, Changed::Guest);
    }

    fn guest_timer(&mut self, vm: u32, after: Span, step: Step) {
        let Some(epoch) = self.vms.get(vm).map(|row| row.guest.epoch) else { return };
        self.agenda.put(self.now + after, self.cause, Entry::Guest { vm, epoch, step });
    }

    /// How long until the poll of VM Tools that comes after this span; its phase is the VM's own.
    fn next_poll(&self, vm: u32, after: Span) -> Span {
        let Some(row) = self.vms.get(vm) else { return after };
        let phase = self.rng.draw("sim/guest-poll", row.label()).below(POLL.as_nanos().unsigned_abs());
        let at = (self.now + after).as_nanos();
        let phase = i64::try_from(phase).expect("less than half a minute");
        let wait = (phase - at).rem_euclid(POLL.as_nanos());
        after + Span::from_nanos(wait)
    }

    fn guest_draw(&mut self, vm: u32, what: &'static str, timing: Timing) -> Span {
        if let Timing::Fixed(span) = timing {
            return span;
        }
        let Some(label) = self.vms.get(vm).map(|row| Arc::<str>::from(row.label())) else { return Span::ZERO };
        let nth = self.count(&label, what);
        sample(timing, &mut self.rng.draw("sim/guest", (what, &*label, nth)))
    }

    /// Brings the guest of a VM that was there from the start into the state that its properties tell.
    pub(crate) fn guest_found(&mut self, vm: u32) {
        let Some(row) = self.vms.get_mut(vm) else { return };
        let on = row.power() == PowerState::PoweredOn;
        row.guest.phase = if on { Phase::Up } else { Phase::Down };
        if on && row.seen.tools_run() && row.seen.guest_heartbeat_status == Heartbeat::Gray {
            Arc::make_mut(&mut row.seen).guest_heartbeat_status = Heartbeat::Green;
        }
        let guest = row.seen.guest.clone().unwrap_or_default();
        for nic in &guest.net {
            for address in &nic.ip_config.ip_address {
                self.take_address(Some(&nic.mac_address), &address.ip_address);
            }
        }
        if let Some(address) = &guest.ip_address {
            self.take_address(None, address);
        }
    }
}

/// Why VM Tools are silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Silence {
    NoTools,
    Crashed,
    Off,
    Booting,
}

/// What of the guest's report stands in `summary.guest`, which is watched.
fn summary(guest: &Guest) -> (Option<&ToolsRunningStatus>, Option<&Arc<str>>, Option<&Arc<str>>) {
    (guest.tools_running_status.as_ref(), guest.host_name.as_ref(), guest.ip_address.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Trial, inventory, spec};
    use std::collections::BTreeMap;
    use vmtwin_model::id::VmId;
    use vmtwin_model::vsphere::action::VmAction;
    use vmtwin_model::vsphere::inventory::GuestProfile;
    use vmtwin_model::vsphere::{Action, FaultName, Inventory, Operation};

    fn fixed(seconds: i64) -> Timing {
        Timing::Fixed(Span::from_secs(seconds))
    }

    /// Guests that boot in 20 s, run tools 5 s later, know their address 3 s after that, and shut down in 10 s.
    fn with_guest(shutdown: Patience) -> Inventory {
        let mut inventory = inventory();
        let profile = GuestProfile {
            boot: Some(fixed(20)),
            tools_start: Some(fixed(5)),
            dhcp: Some(fixed(3)),
            shutdown: Some(shutdown),
            standby: Some(shutdown),
            customization: Some(fixed(30)),
        };
        inventory.guests = BTreeMap::from([("fast".into(), profile)]);
        inventory.images[0].guest = Some("fast".into());
        inventory
    }

    fn act(trial: &mut Trial, action: VmAction) {
        trial.act(&Action::Vm("shop/a".into(), action)).expect("it can happen");
    }

    fn address(trial: &Trial, vm: &VmId) -> Option<Arc<str>> {
        trial.vm(vm).guest.as_ref().and_then(|guest| guest.ip_address.clone())
    }

    #[test]
    fn a_guest_boots_then_runs_tools_then_has_an_address() {
        let mut trial = Trial::new(&with_guest(Patience::After(fixed(10))));
        let vm = trial.running("a");
        trial.run(Span::from_secs(24));
        assert!(!trial.vm(&vm).tools_run());
        trial.run(Span::from_secs(1));
        assert!(trial.vm(&vm).tools_run());
        assert_eq!((trial.vm(&vm).guest_heartbeat_status, address(&trial, &vm)), (Heartbeat::Green, None));
        trial.run(Span::from_secs(3));
        assert_eq!(address(&trial, &vm).as_deref(), Some("192.168.0.2"));
        let guest = trial.vm(&vm).guest.clone().expect("a report");
        assert_eq!((&*guest.net[0].network, guest.net[0].device_config_id), ("workload", 4000));
        assert_eq!(guest.host_name.as_deref(), Some("a"));
        assert_eq!(trial.messages(), ["guest booted", "VM Tools run", "guest has address 192.168.0.2"]);
        assert_eq!(trial.world.next_event(), None, "a guest at rest asks for nothing");
    }

    #[test]
    fn shutdown_is_only_asked_for_and_done_by_the_guest_later() {
        let mut trial = Trial::new(&with_guest(Patience::After(fixed(10))));
        let vm = trial.running("a");
        let fault = trial.refused(Operation::ShutdownGuest { vm: vm.clone() });
        assert_eq!(fault.name, FaultName::ToolsUnavailable);
        trial.run(Span::from_secs(30));
        trial.ask(Operation::ShutdownGuest { vm: vm.clone() }).expect("tools run");
        assert_eq!(trial.vm(&vm).runtime.power_state, PowerState::PoweredOn);
        trial.run(Span::from_secs(10));
        assert_eq!(trial.vm(&vm).runtime.power_state, PowerState::PoweredOff);
        assert!(!trial.vm(&vm).tools_run());
        let (_, change) = trial.changes.last().expect("a change");
        assert_eq!(change.changed, [Changed::Guest, Changed::Heartbeat, Changed::PowerState], "all of an instant in one change");
        assert!(trial.happened.iter().any(|happening| happening.source == Source::Guest));
    }

    #[test]
    fn a_guest_that_never_shuts_down_stays_on_with_tools() {
        let mut trial = Trial::new(&with_guest(Patience::Never));
        let vm = trial.running("a");
        trial.run(Span::from_secs(30));
        trial.ask(Operation::ShutdownGuest { vm: vm.clone() }).expect("tools run");
        trial.run(Span::from_mins(60));
        assert!(trial.vm(&vm).tools_run());
        trial.ask(Operation::PowerOffVm { vm: vm.clone() }).expect("the hard way works");
        assert_eq!(trial.vm(&vm).runtime.power_state, PowerState::PoweredOff);
    }

    #[test]
    fn standby_suspends_and_reboot_stays_on() {
        let mut trial = Trial::new(&with_guest(Patience::After(fixed(10))));
        let vm = trial.running("a");
        trial.run(Span::from_secs(30));
        let booted = trial.vm(&vm).runtime.boot_time;
        trial.ask(Operation::RebootGuest { vm: vm.clone() }).expect("tools run");
        trial.run(Span::from_secs(10));
        assert!(!trial.vm(&vm).tools_run() && trial.vm(&vm).runtime.power_state == PowerState::PoweredOn);
        trial.run(Span::from_secs(28));
        assert!(trial.vm(&vm).tools_run() && trial.vm(&vm).runtime.boot_time == booted);
        trial.ask(Operation::StandbyGuest { vm: vm.clone() }).expect("tools run");
        trial.run(Span::from_secs(10));
        assert_eq!(trial.vm(&vm).runtime.power_state, PowerState::Suspended);
    }

    #[test]
    fn a_power_off_ends_the_timers_of_the_guest() {
        let mut trial = Trial::new(&with_guest(Patience::After(fixed(10))));
        let vm = trial.running("a");
        trial.run(Span::from_secs(10));
        act(&mut trial, VmAction::PowerOff);
        trial.run(Span::from_mins(5));
        assert!(!trial.vm(&vm).tools_run());
        assert_eq!(trial.messages(), [] as [&str; 0]);
    }

    #[test]
    fn a_hung_guest_beats_no_more_and_hears_nothing() {
        let mut trial = Trial::new(&with_guest(Patience::After(fixed(10))));
        let vm = trial.running("a");
        trial.run(Span::from_secs(30));
        act(&mut trial, VmAction::GuestHang);
        trial.run(Span::from_secs(30));
        assert_eq!(trial.vm(&vm).guest_heartbeat_status, Heartbeat::Red);
        trial.ask(Operation::ShutdownGuest { vm: vm.clone() }).expect("vCenter can't know");
        trial.run(Span::from_mins(10));
        assert_eq!(trial.vm(&vm).runtime.power_state, PowerState::PoweredOn);
        act(&mut trial, VmAction::Reset);
        trial.run(Span::from_secs(30));
        assert_eq!(trial.vm(&vm).guest_heartbeat_status, Heartbeat::Green);
    }

    #[test]
    fn a_customization_waits_for_the_next_boot_and_then_takes_another() {
        let mut trial = Trial::new(&with_guest(Patience::After(fixed(10))));
        let vm = trial.deploy(spec("a"));
        let customization = serde_json::json!({
            "identity": {"_typeName": "CustomizationLinuxPrep", "hostName": {"name": "web"}},
            "nicSettingMap": [{"adapter": {"ip": {"_typeName": "CustomizationFixedIp", "ipAddress": "10.9.8.7"}, "subnetMask": "255.255.0.0"}}]
        });
        trial.ask(Operation::CustomizeVm { vm: vm.clone(), spec: Arc::new(customization.clone()) }).expect("it is off");
        let fault = trial.refused(Operation::CustomizeVm { vm: vm.clone(), spec: Arc::new(customization) });
        assert_eq!(fault.name, FaultName::CustomizationPending);
        trial.ask(Operation::PowerOnVm { vm: vm.clone(), host: None }).expect("it is switched on");
        trial.run(Span::from_secs(20 + 30 + 20 + 5 + 3));
        let guest = trial.vm(&vm).guest.clone().expect("a report");
        assert_eq!(guest.customization_info.map(|info| info.customization_status.to_string()).as_deref(), Some("TOOLSDEPLOYPKG_SUCCEEDED"));
        assert_eq!((guest.host_name.as_deref(), guest.ip_address.as_deref()), (Some("web"), Some("10.9.8.7")));
        assert_eq!(guest.net[0].ip_config.ip_address[0].prefix_length, 16);
    }

    #[test]
    fn without_a_word_on_dhcp_the_address_waits_for_the_poll_of_tools() {
        let mut trial = Trial::new(&inventory());
        let vm = trial.running("a");
        while !trial.vm(&vm).tools_run() {
            trial.run(Span::from_secs(1));
        }
        trial.run(Span::from_secs(2));
        assert_eq!(address(&trial, &vm), None);
        trial.run(Span::from_secs(32));
        assert!(address(&trial, &vm).is_some());
    }
}
