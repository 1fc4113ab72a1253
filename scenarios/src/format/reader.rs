//! Reads a tree into the structs of the format.
//!
//! By the time a struct is read, its shape was checked against its schema, so that reading can't fail.

use std::fmt;

use serde::de::value::{StrDeserializer, U32Deserializer, U64Deserializer};
use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

use super::spanned::{SEVERAL, SPANNED, TREE};
use crate::diagnostics::Region;
use crate::yaml::{Data, Entry, Node};

/// Why a tree couldn't be read: the shape check let something pass.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct ReadError(String);

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// Reads a tree into a struct.
pub(super) fn from_node<T: for<'de> Deserialize<'de>>(node: &Node) -> Result<T, ReadError> {
    T::deserialize(Reader { node, link: None })
}

/// The way back up, on the stack.
#[derive(Clone, Copy)]
struct Link<'a> {
    up: Option<&'a Link<'a>>,
    step: At<'a>,
}

#[derive(Clone, Copy)]
enum At<'a> {
    Key(&'a str),
    Index(usize),
}

#[derive(Clone, Copy)]
struct Reader<'n, 'p> {
    node: &'n Node,
    link: Option<&'p Link<'p>>,
}

impl<'de> Deserializer<'de> for Reader<'_, '_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.node.data {
            Data::Null | Data::Broken => visitor.visit_unit(),
            Data::Bool(value) => visitor.visit_bool(*value),
            Data::Number(number) => {
                if let Some(value) = number.as_u64() {
                    visitor.visit_u64(value)
                } else if let Some(value) = number.as_i64() {
                    visitor.visit_i64(value)
                } else {
                    visitor.visit_f64(number.as_f64().unwrap_or_default())
                }
            }
            Data::String(text) => visitor.visit_str(text),
            Data::Sequence(items) => visitor.visit_seq(Items { items, at: 0, link: self.link }),
            Data::Mapping(entries) => visitor.visit_map(Fields { entries, at: 0, link: self.link }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.node.data {
            Data::Null | Data::Broken => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    /// Numbers and booleans have a text, too: quantities are written as either.
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.node.data {
            Data::Number(number) => visitor.visit_string(number.to_string()),
            Data::Bool(value) => visitor.visit_string(value.to_string()),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.node.data {
            Data::Null => visitor.visit_seq(Items { items: &[], at: 0, link: None }),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.node.data {
            Data::Null => visitor.visit_map(Fields { entries: &[], at: 0, link: None }),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        match name {
            SPANNED => visitor.visit_seq(Parts { reader: self, at: 0, then: Then::Value }),
            TREE => visitor.visit_seq(Parts { reader: self, at: 0, then: Then::Path(self.steps()) }),
            SEVERAL => match &self.node.data {
                Data::Sequence(_) => self.deserialize_any(visitor),
                _ => visitor.visit_seq(Parts { reader: self, at: 3, then: Then::Value }),
            },
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, ReadError> {
        match &self.node.data {
            Data::String(word) => visitor.visit_enum(Word(word)),
            _ => Err(de::Error::custom("not a word")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str bytes byte_buf unit unit_struct tuple tuple_struct identifier
    }
}

impl<'p> Reader<'_, 'p> {
    /// The way from the root, in order.
    fn steps(&self) -> Vec<At<'p>> {
        let mut steps = Vec::new();
        let mut link = self.link;
        while let Some(here) = link {
            steps.push(here.step);
            link = here.up;
        }
        steps.reverse();
        steps
    }
}

/// A place, then what stands there or the way to it.
struct Parts<'n, 'p> {
    reader: Reader<'n, 'p>,
    at: usize,
    then: Then<'p>,
}

enum Then<'p> {
    Value,
    Path(Vec<At<'p>>),
}

impl<'de> SeqAccess<'de> for Parts<'_, '_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        let Region { file, start, end } = self.reader.node.region;
        let at = self.at;
        self.at += 1;
        let number = |value: u32| -> U32Deserializer<ReadError> { value.into_deserializer() };
        match (at, &self.then) {
            (0, _) => seed.deserialize(number(file)).map(Some),
            (1, _) => seed.deserialize(number(start)).map(Some),
            (2, _) => seed.deserialize(number(end)).map(Some),
            (3, Then::Value) => seed.deserialize(self.reader).map(Some),
            (_, Then::Value) => Ok(None),
            (_, Then::Path(steps)) => match steps.get(at - 3) {
                None => Ok(None),
                Some(At::Key(key)) => seed.deserialize(StrDeserializer::new(key)).map(Some),
                Some(At::Index(index)) => seed.deserialize(U64Deserializer::new(*index as u64)).map(Some),
            },
        }
    }
}

struct Items<'n, 'p> {
    items: &'n [Node],
    at: usize,
    link: Option<&'p Link<'p>>,
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        let Some(node) = self.items.get(self.at) else { return Ok(None) };
        let link = Link { up: self.link, step: At::Index(self.at) };
        self.at += 1;
        seed.deserialize(Reader { node, link: Some(&link) }).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len() - self.at)
    }
}

struct Fields<'n, 'p> {
    entries: &'n [Entry],
    at: usize,
    link: Option<&'p Link<'p>>,
}

impl<'de> MapAccess<'de> for Fields<'_, '_> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        let Some(entry) = self.entries.get(self.at) else { return Ok(None) };
        self.at += 1;
        let key = Node::new(entry.key_region, Data::String(entry.key.clone()));
        seed.deserialize(Reader { node: &key, link: None }).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let entry = &self.entries[self.at - 1];
        let link = Link { up: self.link, step: At::Key(&entry.key) };
        seed.deserialize(Reader { node: &entry.value, link: Some(&link) })
    }
}

struct Word<'n>(&'n str);

impl<'de> EnumAccess<'de> for Word<'_> {
    type Error = ReadError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), ReadError> {
        let word = seed.deserialize(StrDeserializer::<ReadError>::new(self.0))?;
        Ok((word, self))
    }
}

impl<'de> VariantAccess<'de> for Word<'_> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, ReadError> {
        Err(de::Error::custom("a word has no value"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, ReadError> {
        Err(de::Error::custom("a word has no value"))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, ReadError> {
        Err(de::Error::custom("a word has no value"))
    }
}
