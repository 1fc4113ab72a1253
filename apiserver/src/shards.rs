//! Maps that are cheap to clone and cheap to write after it: the entries are spread over many small maps, each shared
//! until it is written. For look-ups alone; what must be walked in order stands in the store's index.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;

use vmtwin_model::kube::ObjectKey;

const SHARDS: usize = 256;

/// A map over shared shards.
#[derive(Clone, Debug)]
pub(crate) struct Shards<K, V> {
    shards: Arc<Vec<Arc<BTreeMap<K, V>>>>,
}

/// What a key is spread by.
pub(crate) trait Spread {
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

impl<K: Ord + Clone + Spread, V: Clone + Default> Shards<K, V> {
    pub(crate) fn new() -> Self {
        let empty = Arc::new(BTreeMap::new());
        Self { shards: Arc::new(vec![empty; SHARDS]) }
    }

    pub(crate) fn get<Q: Ord + Spread + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.shards[shard(key)].get(key)
    }

    /// The entry of this key for writing; made first if there is none.
    pub(crate) fn entry(&mut self, key: K) -> &mut V {
        let shard = shard(&key);
        Arc::make_mut(&mut Arc::make_mut(&mut self.shards)[shard]).entry(key).or_default()
    }

    pub(crate) fn remove<Q: Ord + Spread + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        if self.get(key).is_some() {
            Arc::make_mut(&mut Arc::make_mut(&mut self.shards)[shard(key)]).remove(key);
        }
    }
}

/// FNV-1a; which shard an entry is in is never observable.
fn shard<Q: Spread + ?Sized>(key: &Q) -> usize {
    let hash = key.text().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    usize::try_from(hash % 256).expect("a remainder below 256")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_keeps_what_the_original_loses() {
        let mut map: Shards<Arc<str>, u32> = Shards::new();
        *map.entry("a".into()) = 1;
        let fork = map.clone();
        map.remove("a");
        assert_eq!((map.get("a"), fork.get("a")), (None, Some(&1)));
    }
}
