//! Maps that are cheap to clone and cheap to write after it: the entries are spread over many small maps, each shared
//! until it is written. For look-ups alone: nothing walks such a map, so what must be walked in order stands in an index beside it.
//!
//! A look-up among tens of thousands of names compares a handful of them, where one large tree would compare dozens.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::id::VmId;
use crate::kube::ObjectKey;

const SHARDS: u64 = 256;

/// A map over shared shards.
#[derive(Clone, Debug)]
pub struct Shards<K, V> {
    shards: Arc<Vec<Arc<BTreeMap<K, V>>>>,
}

/// What a key is spread by.
pub trait Spread {
    /// The text that decides on the shard.
    fn text(&self) -> &str;
}

impl Spread for str {
    fn text(&self) -> &str {
        self
    }
}

impl Spread for Arc<str> {
    fn text(&self) -> &str {
        self
    }
}

impl Spread for ObjectKey {
    fn text(&self) -> &str {
        &self.name
    }
}

impl Spread for VmId {
    fn text(&self) -> &str {
        self.as_str()
    }
}

impl<K, V> Default for Shards<K, V> {
    fn default() -> Self {
        let empty = Arc::new(BTreeMap::new());
        Self { shards: Arc::new((0..SHARDS).map(|_| Arc::clone(&empty)).collect()) }
    }
}

impl<K: Ord + Clone + Spread, V: Clone> Shards<K, V> {
    /// An empty map.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of this key.
    #[must_use]
    pub fn get<Q: Ord + Spread + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.shards[shard(key)].get(key)
    }

    /// Whether there is a value of this key.
    #[must_use]
    pub fn contains<Q: Ord + Spread + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// The value of this key for writing, if there is one.
    pub fn get_mut<Q: Ord + Spread + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        if self.contains(key) { self.written(key).get_mut(key) } else { None }
    }

    /// The value of this key for writing; made first if there is none.
    pub fn entry(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.written(&key).entry(key).or_default()
    }

    /// Puts a value in, and gives back what was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.written(&key).insert(key, value)
    }

    /// Takes a value out.
    pub fn remove<Q: Ord + Spread + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        if self.contains(key) { self.written(key).remove(key) } else { None }
    }

    fn written<Q: Spread + ?Sized>(&mut self, key: &Q) -> &mut BTreeMap<K, V> {
        Arc::make_mut(&mut Arc::make_mut(&mut self.shards)[shard(key)])
    }
}

/// FNV-1a; which shard an entry is in is never observable.
fn shard<Q: Spread + ?Sized>(key: &Q) -> usize {
    let hash = key.text().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    usize::try_from(hash % SHARDS).expect("a remainder below 256")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_keeps_what_the_original_loses() {
        let mut map: Shards<Arc<str>, u32> = Shards::new();
        *map.entry("a".into()) = 1;
        let fork = map.clone();
        assert_eq!((map.remove("a"), map.remove("b")), (Some(1), None));
        assert_eq!((map.get("a"), fork.get("a")), (None, Some(&1)));
    }

    #[test]
    fn a_value_is_replaced_and_written_in_place() {
        let mut map: Shards<Arc<str>, u32> = Shards::new();
        assert_eq!((map.insert("a".into(), 1), map.insert("a".into(), 2)), (None, Some(1)));
        *map.get_mut("a").expect("it was put in") += 1;
        assert_eq!(map.get_mut("b"), None);
        assert_eq!((map.get("a"), map.contains("b")), (Some(&3), false));
    }
}
