//! A map from text to values that is cheap to clone: many small shared maps, one of which is copied by a write.
//!
//! Which shard a key is in depends on its bytes alone. Nothing walks the whole map, so its order never shows.

use std::collections::BTreeMap;
use std::sync::Arc;

const SHARDS: usize = 256;

/// The map.
#[derive(Clone, Debug)]
pub(crate) struct Shards<V> {
    maps: Vec<Arc<BTreeMap<Arc<str>, V>>>,
}

impl<V> Default for Shards<V> {
    fn default() -> Self {
        Self { maps: (0..SHARDS).map(|_| Arc::new(BTreeMap::new())).collect() }
    }
}

impl<V: Clone> Shards<V> {
    pub(crate) fn get(&self, key: &str) -> Option<&V> {
        self.maps[shard(key)].get(key)
    }

    pub(crate) fn insert(&mut self, key: Arc<str>, value: V) {
        Arc::make_mut(&mut self.maps[shard(&key)]).insert(key, value);
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<V> {
        let map = &mut self.maps[shard(key)];
        if map.contains_key(key) { Arc::make_mut(map).remove(key) } else { None }
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        let map = &mut self.maps[shard(key)];
        if map.contains_key(key) { Arc::make_mut(map).get_mut(key) } else { None }
    }

    /// The value of this key for writing, made if it isn't there.
    pub(crate) fn entry(&mut self, key: &str) -> &mut V
    where
        V: Default,
    {
        let map = Arc::make_mut(&mut self.maps[shard(key)]);
        if !map.contains_key(key) {
            map.insert(key.into(), V::default());
        }
        map.get_mut(key).expect("it was put in just now")
    }
}

/// FNV-1a, folded to a byte.
fn shard(key: &str) -> usize {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    usize::from((hash >> 56) as u8 ^ (hash >> 24) as u8 ^ hash as u8)
}

/// Rows by a text that several of them may have; the first that came is the first found.
pub(crate) type Index = Shards<Vec<u32>>;

impl Index {
    pub(crate) fn rows(&self, key: &str) -> &[u32] {
        self.get(key).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn add(&mut self, key: &str, row: u32) {
        let rows = self.entry(key);
        if let Err(at) = rows.binary_search(&row) {
            rows.insert(at, row);
        }
    }

    pub(crate) fn drop_row(&mut self, key: &str, row: u32) {
        let rows = self.entry(key);
        rows.retain(|there| *there != row);
        if rows.is_empty() {
            self.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_forgets_what_it_is_told_to_forget() {
        let mut index = Index::default();
        index.add("a", 2);
        index.add("a", 1);
        let fork = index.clone();
        index.drop_row("a", 2);
        assert_eq!((index.rows("a"), fork.rows("a"), index.rows("b")), (&[1][..], &[1, 2][..], &[][..]));
    }
}
