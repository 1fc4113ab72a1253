//! What the log tells of an object: since when something is wanted, which record told a condition, how often it was tried.

use std::sync::Arc;

use vmtwin_model::id::TaskId;
use vmtwin_model::kube::power::PowerState;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_group::VirtualMachineGroup;
use vmtwin_model::kube::{Condition, Object};
use vmtwin_model::time::{Span, Timestamp};

use super::holds::conditions;
use crate::log::{Data, Event, Record};
use crate::runner::Simulation;

/// The records of one object, in order.
pub(super) struct History<'a> {
    start: Timestamp,
    all: &'a [Arc<Record>],
    own: Vec<&'a Arc<Record>>,
}

impl<'a> History<'a> {
    pub(super) fn of(simulation: &'a Simulation, stored: &Object) -> Self {
        let all = simulation.log().kept();
        let own = all.iter().filter(|record| record.object.as_ref() == Some(&stored.key)).collect();
        Self { start: simulation.log().start(), all, own }
    }

    pub(super) fn start(&self) -> Timestamp {
        self.start
    }

    /// Since when a condition says what it says.
    pub(super) fn since(&self, condition: &Condition) -> Option<Span> {
        Some(condition.last_transition_time - self.start).filter(|since| *since >= Span::ZERO)
    }

    /// The record by which a condition of the object itself came to say what it says.
    pub(super) fn told(&self, condition: &Condition) -> Option<u64> {
        let says = |object: &Option<Arc<Object>>| object.as_ref().is_some_and(|object| conditions(object).contains(condition));
        self.changes().rev().find(|(_, before, after)| says(after) && !says(before)).map(|(record, ..)| record.seq)
    }

    /// Since when the power state is wanted, the record that asked for it, and who did.
    pub(super) fn desired_since(&self) -> Option<(Span, u64, String)> {
        let (record, _, after) = self.changes().rev().find(|(_, before, after)| desired(before) != desired(after))?;
        desired(after)?;
        let asked = self.asked(record).unwrap_or(record);
        Some((record.elapsed, asked.seq, format!("{} {}", asked.source, asked.message)))
    }

    /// The request that a write goes back to.
    fn asked(&self, record: &'a Record) -> Option<&'a Record> {
        let mut at = record;
        while at.event != Event::Request {
            let before = usize::try_from(at.cause.0).ok()?.checked_sub(1)?;
            at = self.all.get(before)?;
        }
        Some(at)
    }

    /// How many passes ended in an error since then.
    pub(super) fn tries(&self) -> usize {
        let since = self.changes().rev().find(|(_, before, after)| desired(before) != desired(after)).map_or(0, |(record, ..)| record.seq);
        let failed = |record: &&&Arc<Record>| matches!(&record.data, Data::Passed(passed) if passed.verdict.error().is_some());
        self.own.iter().filter(|record| record.seq > since).filter(failed).count()
    }

    /// The record with which a task ended.
    pub(super) fn ended(&self, task: &TaskId) -> Option<u64> {
        let ends = |record: &&Arc<Record>| record.task.as_ref() == Some(task) && record.result.is_some();
        self.all.iter().rev().find(ends).map(|record| record.seq)
    }

    fn changes(&self) -> impl DoubleEndedIterator<Item = (&'a Record, &'a Option<Arc<Object>>, &'a Option<Arc<Object>>)> + '_ {
        self.own.iter().filter_map(|record| match &record.data {
            Data::Change(change) => Some((&***record, &change.before, &change.after)),
            _ => None,
        })
    }
}

fn desired(object: &Option<Arc<Object>>) -> Option<PowerState> {
    let object = object.as_ref()?;
    let of_vm = object.view::<VirtualMachine>().and_then(|vm| vm.spec.power_state);
    of_vm.or_else(|| object.view::<VirtualMachineGroup>()?.spec.power_state)
}
