//! Which records a reader wants to see.

use std::collections::BTreeSet;
use std::sync::Arc;

use vmtwin_model::kube::{Kind, ObjectKey};

use crate::log::{Event, Record, Source};

/// What is chosen; an empty list chooses all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Objects: `VirtualMachine/NS/NAME`, `vm/NAME`, `NS/NAME`, `NAME`, a kind, or an id of vSphere.
    pub objects: Vec<String>,
    /// What records are about.
    pub events: Vec<Event>,
    /// Who brings them about.
    pub sources: Vec<Source>,
    /// Whether what brought the chosen ones about is chosen too.
    pub causes: Causes,
}

/// Whether causes are chosen with their effects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Causes {
    /// They aren't.
    #[default]
    Leave,
    /// They are, back to the beginning.
    Follow,
}

impl Filter {
    /// The records that are chosen, in their order.
    #[must_use]
    pub fn choose(&self, records: &[Arc<Record>]) -> Vec<Arc<Record>> {
        if self.objects.is_empty() && self.events.is_empty() && self.sources.is_empty() {
            return records.to_vec();
        }
        let mut chosen = BTreeSet::new();
        for (at, record) in records.iter().enumerate().filter(|(_, record)| self.chooses(record)) {
            chosen.insert(at);
            let mut cause = record.cause;
            while self.causes == Causes::Follow
                && let Ok(at) = records.binary_search_by_key(&cause.0, |record| record.seq)
                && chosen.insert(at)
            {
                cause = records[at].cause;
            }
        }
        chosen.into_iter().map(|at| records[at].clone()).collect()
    }

    fn chooses(&self, record: &Record) -> bool {
        (self.events.is_empty() || self.events.contains(&record.event))
            && (self.sources.is_empty() || self.sources.contains(&record.source))
            && (self.objects.is_empty() || self.objects.iter().any(|wanted| is_about(record, wanted)))
    }
}

fn is_about(record: &Record, wanted: &str) -> bool {
    record.vsphere.as_deref() == Some(wanted)
        || record.task.as_ref().is_some_and(|task| task.as_str() == wanted)
        || record.object.as_ref().is_some_and(|key| is_named(key, wanted))
}

fn is_named(key: &ObjectKey, wanted: &str) -> bool {
    let is_kind = |kind: &str| key.kind.info().kind == kind || Kind::named(kind) == Some(key.kind);
    let is_name = |name: &str| *name == *key.name || name == key.namespaced_name();
    is_name(wanted) || is_kind(wanted) || wanted.split_once('/').is_some_and(|(kind, name)| is_kind(kind) && is_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::samples::{Sample, key};

    fn records() -> Vec<Arc<Record>> {
        let sample = |seq, source, event, cause| Sample::new(source, event, "").seq(seq).cause(cause);
        let samples = [
            sample(1, Source::User, Event::Request, 0).on(key("VirtualMachineGroup", "ns", "app")),
            sample(2, Source::Operator, Event::Wake, 1).on(key("VirtualMachineGroup", "ns", "app")),
            sample(3, Source::Operator, Event::Operation, 2).on(key("VirtualMachine", "ns", "app")),
            sample(4, Source::Vsphere, Event::Task, 3).on(key("VirtualMachine", "ns", "db")),
        ];
        samples.into_iter().map(|sample| Arc::new(sample.build())).collect()
    }

    fn chosen(filter: &Filter) -> Vec<u64> {
        filter.choose(&records()).iter().map(|record| record.seq).collect()
    }

    fn objects(object: &str) -> Filter {
        Filter { objects: vec![object.to_owned()], ..Filter::default() }
    }

    #[test]
    fn nothing_asked_for_chooses_all() {
        assert_eq!(chosen(&Filter::default()), [1, 2, 3, 4]);
    }

    #[test]
    fn an_object_can_be_named_in_many_ways() {
        for (name, expected) in [
            ("app", vec![1, 2, 3]),
            ("ns/db", vec![4]),
            ("vm/app", vec![3]),
            ("VirtualMachine/ns/app", vec![3]),
            ("vmg", vec![1, 2]),
            ("ns/none", vec![]),
        ] {
            assert_eq!(chosen(&objects(name)), expected, "{name}");
        }
    }

    #[test]
    fn sources_and_events_narrow_the_choice_together() {
        let filter = Filter { sources: vec![Source::Operator], events: vec![Event::Wake, Event::Task], ..Filter::default() };
        assert_eq!(chosen(&filter), [2]);
    }

    #[test]
    fn causes_are_followed_to_the_beginning() {
        assert_eq!(chosen(&Filter { causes: Causes::Follow, ..objects("ns/db") }), [1, 2, 3, 4]);
    }
}
