//! Short names of objects, as kubectl's users write them: `vm/my-namespace/my-vm`, `pvc/data`.

use vmtwin_model::kube::ObjectKey;

use crate::log::Record;

/// Which namespaces the lines of a text are about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Namespaces {
    /// Several, or it isn't known: each name carries its own.
    #[default]
    Several,
    /// One alone: names don't carry it.
    One,
}

impl Namespaces {
    /// Those of these records.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut one: Option<&str> = None;
        for key in records.into_iter().filter_map(|record| record.object.as_ref()) {
            match one {
                _ if key.namespace.is_empty() => {}
                Some(namespace) if namespace != &*key.namespace => return Self::Several,
                _ => one = Some(&key.namespace),
            }
        }
        Self::One
    }
}

/// The object's short name. A kind without a short name of its own keeps its whole name, small.
#[must_use]
pub fn short_name(key: &ObjectKey, namespaces: Namespaces) -> String {
    let info = key.kind.info();
    let kind = info.short.first().map_or_else(|| info.kind.to_lowercase(), |&short| short.to_owned());
    match namespaces {
        Namespaces::One => format!("{kind}/{}", key.name),
        Namespaces::Several => format!("{kind}/{}", key.namespaced_name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::samples::{about, key};

    #[test]
    fn names_are_kubectls_short_ones() {
        assert_eq!(short_name(&key("VirtualMachine", "ns", "a"), Namespaces::Several), "vm/ns/a");
        assert_eq!(short_name(&key("PersistentVolumeClaim", "ns", "a"), Namespaces::One), "pvc/a");
        assert_eq!(short_name(&key("StorageClass", "", "gold"), Namespaces::Several), "sc/gold");
        assert_eq!(short_name(&key("Zone", "ns", "a"), Namespaces::One), "zone/a");
    }

    #[test]
    fn a_namespace_is_left_out_where_there_is_only_one() {
        let (a, b, c) = (about("ns-1", "a"), about("ns-1", "b"), about("ns-2", "c"));
        assert_eq!(Namespaces::of([&a, &b]), Namespaces::One);
        assert_eq!(Namespaces::of([&a, &c, &b]), Namespaces::Several);
    }
}
