//! Random requests against a model that is small and naive: a map of names to what counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any};
use proptest::{prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::json;
use vmtwin_model::kube::api::{ErrorReason, Write};
use vmtwin_model::kube::{Object, ObjectKey};

use super::{Bench, map, map_key, owned_by, with};
use crate::IdOrder;

/// What may be asked for, of one of a few objects.
#[derive(Clone, Debug)]
enum Ask {
    Create {
        name: u8,
        owners: Vec<u8>,
        held: bool,
    },
    Label {
        name: u8,
        label: u8,
    },
    Release {
        name: u8,
    },
    Write {
        name: u8,
        label: u8,
        stale: bool,
    },
    Delete {
        name: u8,
    },
    /// The fork goes on, and the original is looked at once more at the end.
    Fork,
}

fn ask() -> impl Strategy<Value = Ask> {
    let name = || 0..5u8;
    prop_oneof![
        4 => (name(), vec(name(), 0..3), any::<bool>()).prop_map(|(name, owners, held)| Ask::Create { name, owners, held }),
        3 => (name(), 0..3u8).prop_map(|(name, label)| Ask::Label { name, label }),
        2 => name().prop_map(|name| Ask::Release { name }),
        3 => (name(), 0..3u8, any::<bool>()).prop_map(|(name, label, stale)| Ask::Write { name, label, stale }),
        3 => name().prop_map(|name| Ask::Delete { name }),
        1 => Just(Ask::Fork),
    ]
}

/// An object of the model. Each has a number of its own, as a uid.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Thing {
    number: u32,
    owners: Vec<u32>,
    held: bool,
    dying: bool,
    label: u8,
    version: u64,
}

#[derive(Clone, Debug)]
struct Model {
    things: BTreeMap<u8, Thing>,
    made: u32,
    version: u64,
}

impl Model {
    fn change(&mut self, name: u8, change: impl FnOnce(&mut Thing)) {
        let Some(thing) = self.things.get_mut(&name) else { return };
        let before = thing.clone();
        change(thing);
        if *thing != before {
            self.version += 1;
            thing.version = self.version;
        }
    }

    fn delete(&mut self, name: u8) {
        match self.things.get(&name) {
            Some(thing) if thing.held => self.change(name, |thing| thing.dying = true),
            Some(_) => {
                self.things.remove(&name);
                self.version += 1;
                self.collect();
            }
            None => {}
        }
    }

    /// Deletes, until there is none, whatever has owners but none that is there.
    fn collect(&mut self) {
        let there: Vec<u32> = self.things.values().map(|thing| thing.number).collect();
        let lost = |thing: &Thing| !thing.owners.is_empty() && thing.owners.iter().all(|owner| !there.contains(owner));
        let stays = |thing: &Thing| thing.held && thing.dying;
        let orphan = self.things.iter().find(|(_, thing)| lost(thing) && !stays(thing));
        if let Some((&name, _)) = orphan {
            self.delete(name);
            self.collect();
        }
    }
}

/// Real objects by the model's numbers.
type Made = Vec<Arc<Object>>;

fn key(name: u8) -> ObjectKey {
    map_key(&format!("m{name}"))
}

/// Asks both; their answers must agree.
fn ask_both(bench: &mut Bench, model: &mut Model, made: &mut Made, stale: &BTreeMap<u8, Arc<Object>>, ask: &Ask) {
    match ask {
        Ask::Create { name, owners, held } => {
            // Objects that are gone may be named as owners too.
            let owners: Vec<u32> = owners.iter().filter_map(|owner| model.made.checked_sub(1 + u32::from(*owner))).collect();
            let mut manifest = map(&format!("m{name}"));
            if !owners.is_empty() {
                let owners: Vec<&Object> = owners.iter().map(|owner| &*made[*owner as usize]).collect();
                manifest = owned_by(manifest, &owners);
            }
            if *held {
                manifest = with(manifest, &[("/metadata/finalizers", json!(["x.y/z"]))]);
            }
            let result = bench.create(manifest);
            assert_eq!(result.is_ok(), !model.things.contains_key(name));
            if let Ok(object) = result {
                made.push(object);
                model.version += 1;
                let thing = Thing { number: model.made, owners, held: *held, dying: false, label: 0, version: model.version };
                model.made += 1;
                model.things.insert(*name, thing);
                model.collect();
            }
        }
        Ask::Label { name, label } => {
            let labels = if *label == 0 { json!(null) } else { json!({"l": label.to_string()}) };
            let result = bench.merge(&key(*name), json!({"metadata": {"labels": labels}})).result;
            assert_eq!(result.is_ok(), model.things.contains_key(name));
            model.change(*name, |thing| thing.label = *label);
        }
        Ask::Release { name } => {
            let result = bench.merge(&key(*name), json!({"metadata": {"finalizers": null}})).result;
            assert_eq!(result.is_ok(), model.things.contains_key(name));
            if model.things.get(name).is_some_and(|thing| thing.dying) {
                model.things.get_mut(name).expect("it is dying").held = false;
                model.delete(*name);
            } else {
                model.change(*name, |thing| thing.held = false);
            }
        }
        Ask::Write { name, label, stale: is_stale } => {
            let base = if *is_stale { stale.get(name).cloned() } else { bench.api.get(&key(*name)).cloned() };
            let Some(base) = base else { return };
            let mut meta = (*base.meta).clone();
            meta.labels = (*label > 0).then(|| BTreeMap::from([("l".to_owned(), label.to_string())]));
            let write = Write::Update { base: base.clone(), meta: Some(Arc::new(meta)), spec: None, status: None };
            let result = bench.write(write).result.map_err(|error| error.reason);
            match model.things.get(name) {
                None => assert_eq!(result.err(), Some(ErrorReason::NotFound)),
                Some(thing) if thing.version != base.resource_version => assert_eq!(result.err(), Some(ErrorReason::Conflict)),
                Some(_) => {
                    assert!(result.is_ok());
                    model.change(*name, |thing| thing.label = *label);
                }
            }
        }
        Ask::Delete { name } => {
            let result = bench.delete(&key(*name)).result;
            assert_eq!(result.is_ok(), model.things.contains_key(name));
            model.delete(*name);
        }
        Ask::Fork => {}
    }
}

/// What the API server holds, as the model would put it.
fn seen(bench: &Bench, made: &Made) -> BTreeMap<u8, Thing> {
    let number = |uid: &str| {
        let place = made.iter().position(|object| object.uid() == uid).expect("every uid was given out");
        u32::try_from(place).expect("few objects")
    };
    let of = |object: &Arc<Object>| {
        let name = object.key.name[1..].parse().expect("a name is a letter and a number");
        let thing = Thing {
            number: number(object.uid()),
            owners: object.meta.owner_references.iter().flatten().map(|owner| number(&owner.uid)).collect(),
            held: object.meta.finalizers.is_some(),
            dying: object.is_deleting(),
            label: object.label("l").map_or(0, |label| label.parse().expect("a label is a number")),
            version: object.resource_version,
        };
        (name, thing)
    };
    bench.api.list(key(0).kind, None).map(of).collect()
}

/// All that can be observed of a run.
fn run(order: IdOrder, asks: &[Ask]) -> Vec<String> {
    let mut bench = Bench::with(order);
    bench.api.watch(None);
    let mut model = Model { things: BTreeMap::new(), made: 0, version: 1 };
    let mut made = Made::new();
    let mut stale = BTreeMap::new();
    let mut watched: BTreeMap<ObjectKey, Arc<Object>> = bench.api.objects().map(|object| (object.key.clone(), object.clone())).collect();
    let mut forked = Vec::new();
    let mut log = Vec::new();
    for ask in asks {
        if matches!(ask, Ask::Fork) {
            forked.push((bench.clone(), seen(&bench, &made), made.len()));
        }
        ask_both(&mut bench, &mut model, &mut made, &stale, ask);
        assert_eq!(
            seen(&bench, &made).values().map(|thing| Thing { version: 0, ..thing.clone() }).collect::<Vec<_>>(),
            model.things.values().map(|thing| Thing { version: 0, ..thing.clone() }).collect::<Vec<_>>(),
            "after {ask:?}"
        );
        // The order within a cascade is the server's own: take its versions over.
        model.things = seen(&bench, &made);
        for delivery in bench.deliveries() {
            let event = delivery.event;
            let before = watched.remove(&event.key);
            assert_eq!(before.map(|object| object.resource_version), event.before.as_ref().map(|object| object.resource_version));
            log.push(format!("{} {}", delivery.cause.0, super::line(event.before.as_deref(), event.after.as_deref())));
            if let Some(after) = event.after {
                watched.insert(event.key, after);
            }
        }
        assert!(watched.values().zip(bench.api.objects()).all(|(told, there)| Arc::ptr_eq(told, there)));
        assert_eq!(watched.len(), bench.api.objects().count());
        if let Some(object) = bench.api.list(key(0).kind, Some("ns")).next() {
            stale.insert(object.key.name[1..].parse().expect("a name is a letter and a number"), object.clone());
        }
    }
    for (fork, before, count) in forked {
        assert_eq!(seen(&fork, &made[..count].to_vec()), before, "what happens elsewhere is not seen");
    }
    log.extend(bench.api.objects().map(|object| object.to_value().to_string()));
    log
}

proptest! {
    #[test]
    fn it_does_what_the_naive_model_does_in_any_order_of_ids(asks in vec(ask(), 1..60)) {
        let log = run(IdOrder::Dense, &asks);
        prop_assert!(!log.is_empty());
        prop_assert_eq!(log, run(IdOrder::Scrambled, &asks));
    }
}
