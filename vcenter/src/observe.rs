//! Watches the VMs of a vCenter, and tells their changes as the port has them. Source: vsphere §2.4, §6.2.
//!
//! A watch dies with its session. The next one enters every VM anew, which the receiver takes as state, and what isn't entered any
//! more has left. So nothing is missed but what came and went while nobody looked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use vmtwin_model::id::VmId;
use vmtwin_model::vsphere::vm::PowerState;
use vmtwin_model::vsphere::{Change, Changed};

use crate::connection::{Connection, Error};
use crate::properties;
use crate::soap::{Call, Reference};
use crate::translate::vm::power_state;
use crate::xml::Element;

/// How long vCenter holds a question that has no answer yet.
const WAIT: Duration = Duration::from_secs(60);

/// How many VMs an answer may tell of.
const OBJECTS_PER_ANSWER: u32 = 100;

/// The ExtraConfig key by which a VM's object is found.
const NAMESPACED_NAME: &str = "vmservice.namespacedName";

/// What is watched, and what a change of it is called. Source: vsphere §6.2.
const WATCHED: &[(&str, Changed)] = &[
    ("config.annotation", Changed::Config),
    ("config.changeTrackingEnabled", Changed::Config),
    ("config.cpuAllocation", Changed::Config),
    ("config.cpuHotAddEnabled", Changed::Config),
    ("config.extraConfig", Changed::Config),
    ("config.hardware", Changed::Config),
    ("config.keyId", Changed::Config),
    ("config.latencySensitivity", Changed::Config),
    ("config.memoryAllocation", Changed::Config),
    ("config.memoryHotAddEnabled", Changed::Config),
    ("config.memoryReservationLockedToMax", Changed::Config),
    ("config.nestedHVEnabled", Changed::Config),
    ("summary.config.name", Changed::Config),
    ("summary.guest", Changed::Guest),
    ("guestHeartbeatStatus", Changed::Heartbeat),
    ("summary.runtime.connectionState", Changed::Connection),
    ("summary.runtime.host", Changed::Host),
    ("summary.runtime.powerState", Changed::PowerState),
    ("snapshot", Changed::Snapshot),
    ("resourcePool", Changed::Location),
    ("parent", Changed::Location),
];

/// What is remembered of a VM: a change names both, and tells neither.
#[derive(Clone, Debug, Default)]
struct Known {
    namespaced_name: Option<Arc<str>>,
    power_state: PowerState,
}

/// What the VMs were when they were last heard of; it outlives a watch.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    vms: BTreeMap<VmId, Known>,
    /// The VMs that the running watch entered, until its first state is complete.
    entering: Option<BTreeSet<VmId>>,
}

/// A watch in one session.
#[derive(Debug)]
pub struct Watch<'a> {
    connection: &'a Connection,
    collector: Reference,
    version: String,
}

impl<'a> Watch<'a> {
    /// Begins a watch over every VM.
    ///
    /// # Errors
    /// If there is no answer, or a fault.
    pub async fn begin(connection: &'a Connection, memory: &mut Memory) -> Result<Self, Error> {
        let paths: Vec<&str> = WATCHED.iter().map(|(path, _)| *path).collect();
        let view = properties::view(connection, &[VmId::TYPE]).await?;
        let manager = connection.content().manager("propertyCollector")?;
        let collector = connection.call_for_reference(&Call::vim(&manager, "CreatePropertyCollector", Vec::new()), "vmtwin-watch").await?;
        let spec = Element::new("spec").with(properties::of_kind(VmId::TYPE, &paths)).with(properties::in_view(&view));
        // Whole properties: what is remembered of a VM is read off them, not off pieces.
        let arguments = vec![spec, Element::text("partialUpdates", "false")];
        connection.call(&Call::vim(&collector, "CreateFilter", arguments), "vmtwin-watch").await?;
        memory.entering = Some(BTreeSet::new());
        Ok(Self { connection, collector, version: String::new() })
    }

    /// The next changes; none if nothing changed for a while.
    ///
    /// # Errors
    /// If the watch is over.
    pub async fn next(&mut self, memory: &mut Memory) -> Result<Vec<Change>, Error> {
        let options = Element::new("options")
            .with(Element::text("maxWaitSeconds", WAIT.as_secs().to_string()))
            .with(Element::text("maxObjectUpdates", OBJECTS_PER_ANSWER.to_string()));
        let call = Call::vim(&self.collector, "WaitForUpdatesEx", vec![Element::text("version", self.version.as_str()), options]);
        let patience = WAIT + self.connection.endpoint().timeout;
        let returned = self.connection.call_for(&call, "vmtwin-watch", patience).await?;
        let Some(updates) = returned.first() else { return Ok(memory.complete()) };
        self.version = updates.text_at("version").unwrap_or_default().to_owned();
        Ok(memory.take_in(updates))
    }

    /// Ends the watch at the server.
    ///
    /// # Errors
    /// If there is no answer, or a fault.
    pub async fn end(self) -> Result<(), Error> {
        self.connection.call(&Call::vim(&self.collector, "DestroyPropertyCollector", Vec::new()), "vmtwin-watch").await.map(drop)
    }
}

impl Memory {
    fn take_in(&mut self, updates: &Element) -> Vec<Change> {
        let objects = updates.list("filterSet").flat_map(|set| set.list("objectSet"));
        let mut changes: Vec<Change> = objects.filter_map(|update| self.update(update)).collect();
        if updates.text_at("truncated") != Some("true") {
            changes.extend(self.complete());
        }
        changes
    }

    /// The first state of a watch is complete: who was known and isn't there has left.
    fn complete(&mut self) -> Vec<Change> {
        let Some(entered) = self.entering.take() else { return Vec::new() };
        let gone: Vec<VmId> = self.vms.keys().filter(|vm| !entered.contains(*vm)).cloned().collect();
        gone.into_iter().filter_map(|vm| self.left(vm)).collect()
    }

    fn update(&mut self, update: &Element) -> Option<Change> {
        let vm = VmId::from(update.text_at("obj")?);
        let kind = update.text_at("kind")?;
        if kind == "leave" {
            return self.left(vm);
        }
        let known = self.vms.entry(vm.clone()).or_default();
        let mut changed = BTreeSet::new();
        for change in update.list("changeSet") {
            changed.extend(known.note(change));
        }
        if kind == "enter" {
            changed = BTreeSet::from([Changed::Entered]);
            self.entering.iter_mut().for_each(|entering| entering.extend([vm.clone()]));
        }
        let Known { namespaced_name, power_state } = known.clone();
        (!changed.is_empty()).then(|| Change { vm, namespaced_name, power_state, changed: changed.into_iter().collect() })
    }

    fn left(&mut self, vm: VmId) -> Option<Change> {
        let Known { namespaced_name, power_state } = self.vms.remove(&vm)?;
        Some(Change { vm, namespaced_name, power_state, changed: vec![Changed::Left] })
    }
}

impl Known {
    /// Takes a changed property in, and says what it is called.
    fn note(&mut self, change: &Element) -> Option<Changed> {
        let name = change.text_at("name")?;
        if name == "summary.runtime.powerState"
            && let Some(state) = change.text_at("val").and_then(power_state)
        {
            self.power_state = state;
        }
        if name == "config.extraConfig" {
            let mut options = change.child("val").into_iter().flat_map(|options| &options.children);
            let option = options.find(|option| option.text_at("key") == Some(NAMESPACED_NAME));
            self.namespaced_name = option.and_then(|option| option.text_at("value")).filter(|name| !name.is_empty()).map(Arc::from);
        }
        WATCHED
            .iter()
            .find(|(path, _)| name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '['])))
            .map(|(_, changed)| *changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn updates(text: &str) -> Element {
        Element::read(format!("<returnval>{text}</returnval>").as_bytes()).expect("a tree")
    }

    fn update(kind: &str, vm: &str, changes: &[(&str, &str)]) -> String {
        let changes: String = changes
            .iter()
            .map(|(name, val)| format!("<changeSet><name>{name}</name><op>assign</op><val>{val}</val></changeSet>"))
            .collect();
        format!("<filterSet><objectSet><kind>{kind}</kind><obj type=\"VirtualMachine\">{vm}</obj>{changes}</objectSet></filterSet>")
    }

    fn heard(changes: &[Change]) -> Vec<String> {
        let name = |change: &Change| change.namespaced_name.as_deref().unwrap_or("-").to_owned();
        changes.iter().map(|change| format!("{} {}: {change}", change.vm, name(change))).collect()
    }

    const NAME: (&str, &str) =
        ("config.extraConfig", "<OptionValue><key>vmservice.namespacedName</key><value>ns/web</value></OptionValue>");

    fn watching() -> Memory {
        Memory { entering: Some(BTreeSet::new()), ..Memory::default() }
    }

    #[test]
    fn a_vm_enters_changes_and_leaves_under_the_name_of_its_object() {
        let mut memory = watching();
        let first = updates(&update("enter", "vm-1", &[NAME, ("summary.runtime.powerState", "poweredOff")]));
        assert_eq!(heard(&memory.take_in(&first)), ["vm-1 ns/web: enter"]);
        let on = updates(&update("modify", "vm-1", &[("summary.runtime.powerState", "poweredOn"), ("summary.guest.hostName", "web")]));
        assert_eq!(heard(&memory.take_in(&on)), ["vm-1 ns/web: summary.guest, summary.runtime.powerState=poweredOn"]);
        assert_eq!(heard(&memory.take_in(&updates(&update("leave", "vm-1", &[])))), ["vm-1 ns/web: leave"]);
        assert!(memory.take_in(&updates(&update("leave", "vm-1", &[]))).is_empty(), "it left once");
    }

    #[test]
    fn what_nobody_watches_is_no_change() {
        let mut memory = Memory::default();
        assert!(memory.take_in(&updates(&update("modify", "vm-1", &[("summary.guestFullName", "x"), ("parentVApp", "y")]))).is_empty());
    }

    #[test]
    fn who_is_not_entered_by_a_new_watch_has_left_once_its_state_is_complete() {
        let mut memory = watching();
        let both = update("enter", "vm-1", &[NAME]) + &update("enter", "vm-2", &[]);
        assert_eq!(memory.take_in(&updates(&both)).len(), 2);
        memory.entering = Some(BTreeSet::new());
        assert!(memory.take_in(&updates("<truncated>true</truncated>")).is_empty(), "more is to come");
        let rest = memory.take_in(&updates(&update("enter", "vm-2", &[])));
        assert_eq!(heard(&rest), ["vm-2 -: enter", "vm-1 ns/web: leave"]);
    }

    #[test]
    fn an_answer_that_is_no_update_changes_nothing() {
        let mut memory = watching();
        assert!(memory.take_in(&updates("<filterSet><objectSet/></filterSet><x>1</x>")).is_empty());
    }
}
