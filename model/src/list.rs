//! A list that shares with its clones whatever they have in common.
//!
//! A status may list ten thousand members of which one changes. Items lie in chunks behind shared pointers: a clone copies the pointers, a
//! write one chunk, a comparison passes over the chunks that both sides share. In Kubernetes' form it is an ordinary array; in the
//! compact form that digests cover, each chunk stands for its items by its own digest, which is computed once.

use std::fmt;
use std::sync::{Arc, OnceLock};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::xxh3_128;

use crate::digest;

/// How many items a chunk holds. All chunks but the last are full.
const CHUNK: usize = 16;

/// Items in chunks behind shared pointers.
pub struct List<T> {
    chunks: Vec<Arc<Chunk<T>>>,
    len: usize,
}

struct Chunk<T> {
    items: Vec<T>,
    digest: OnceLock<u128>,
}

impl<T> Chunk<T> {
    fn new(items: Vec<T>) -> Self {
        Self { items, digest: OnceLock::new() }
    }

    fn changeable(&mut self) -> &mut Vec<T> {
        self.digest.take();
        &mut self.items
    }
}

impl<T: Clone> Clone for Chunk<T> {
    /// A chunk is cloned to be written to: the clone has no digest yet.
    fn clone(&self) -> Self {
        Self::new(self.items.clone())
    }
}

impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        Self { chunks: self.chunks.clone(), len: self.len }
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<T: fmt::Debug> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl<T> List<T> {
    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The item at this place.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&T> {
        self.chunks.get(place / CHUNK)?.items.get(place % CHUNK)
    }

    /// All items in their order.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { list: self, next: 0 }
    }

    /// The places at which the other list may hold something else than this one: those in chunks that the two don't share.
    pub fn apart(&self, other: &Self) -> impl Iterator<Item = usize> {
        let shared = |nth: usize| match (self.chunks.get(nth), other.chunks.get(nth)) {
            (Some(own), Some(others)) => Arc::ptr_eq(own, others),
            _ => false,
        };
        let chunks = (0..self.chunks.len().max(other.chunks.len())).filter(move |nth| !shared(*nth));
        let end = self.len.max(other.len);
        chunks.flat_map(move |nth| nth * CHUNK..((nth + 1) * CHUNK).min(end))
    }
}

impl<T: Clone> List<T> {
    /// Puts an item at the end.
    pub fn push(&mut self, item: T) {
        match self.chunks.last_mut().filter(|chunk| chunk.items.len() < CHUNK) {
            Some(last) => Arc::make_mut(last).changeable().push(item),
            None => self.chunks.push(Arc::new(Chunk::new(vec![item]))),
        }
        self.len += 1;
    }

    /// The item at this place for writing; its chunk is copied first if another list shares it.
    pub fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        Arc::make_mut(self.chunks.get_mut(place / CHUNK)?).changeable().get_mut(place % CHUNK)
    }
}

impl<T: PartialEq> PartialEq for List<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.apart(other).all(|place| self.get(place) == other.get(place))
    }
}

impl<T> std::ops::Index<usize> for List<T> {
    type Output = T;

    fn index(&self, place: usize) -> &T {
        &self.chunks[place / CHUNK].items[place % CHUNK]
    }
}

/// The items of a list in their order.
pub struct Iter<'a, T> {
    list: &'a List<T>,
    next: usize,
}

impl<T> fmt::Debug for Iter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").field("next", &self.next).finish_non_exhaustive()
    }
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        let item = self.list.get(self.next)?;
        self.next += 1;
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.list.len - self.next;
        (left, Some(left))
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut items = items.into_iter().peekable();
        let mut list = Self::default();
        while items.peek().is_some() {
            let chunk: Vec<T> = items.by_ref().take(CHUNK).collect();
            list.len += chunk.len();
            list.chunks.push(Arc::new(Chunk::new(chunk)));
        }
        list
    }
}

impl<T: Serialize> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_seq(self);
        }
        let mut digests = serializer.serialize_seq(Some(self.chunks.len()))?;
        for chunk in &self.chunks {
            let digest = chunk.digest.get_or_init(|| {
                let mut content = Vec::new();
                digest::append(&mut content, &chunk.items);
                xxh3_128(&content)
            });
            digests.serialize_element(&digest.to_le_bytes())?;
        }
        digests.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into_iter().collect())
    }
}

impl<T: JsonSchema> JsonSchema for List<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        Vec::<T>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<T>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(list: &List<u32>) -> Vec<u8> {
        let mut form = Vec::new();
        digest::append(&mut form, list);
        form
    }

    #[test]
    fn a_clone_keeps_what_the_original_loses_and_only_one_chunk_is_apart() {
        let mut list: List<u32> = (0..100).collect();
        let before = list.clone();
        assert_eq!((list.apart(&before).count(), list == before), (0, true));
        *list.get_mut(50).expect("there are a hundred") = 7;
        list.push(100);
        assert_eq!((before[50], list[50], before.len(), list.len()), (50, 7, 100, 101));
        assert_eq!(list.apart(&before).collect::<Vec<_>>(), (48..64).chain(96..101).collect::<Vec<_>>());
        assert!(list != before && list.iter().copied().sum::<u32>() == (0..=100).sum::<u32>() - 43);
    }

    #[test]
    fn in_json_it_is_an_array() {
        for count in [0, 1, 16, 17, 40] {
            let list: List<u32> = (0..count).collect();
            let json = serde_json::to_value(&list).expect("numbers are JSON");
            assert_eq!(json, serde_json::json!((0..count).collect::<Vec<_>>()));
            assert_eq!(serde_json::from_value::<List<u32>>(json).expect("an array"), list);
        }
    }

    #[test]
    fn the_digest_is_that_of_the_content_however_the_list_came_to_it() {
        let whole: List<u32> = (0..40).collect();
        let mut built = List::default();
        for (place, n) in (0..40).enumerate() {
            built.push(n + 1);
            let _computed_and_to_be_forgotten = form(&built);
            *built.get_mut(place).expect("it was just put in") = n;
        }
        assert_eq!(form(&built), form(&whole));
        *built.get_mut(20).expect("there are forty") = 0;
        assert_ne!(form(&built), form(&whole));
    }
}
