//! Types for fields that keep their place, and the reading of a tree into typed structs.
//!
//! The structs of the format derive serde's traits; [`from_node`] reads a [`Node`] into one. Four types here speak to that reader
//! under a name of their own: [`Spanned`] learns where its value stands, [`Tree`] takes a subtree as it is and learns the way to
//! it, [`Several`] takes one thing or a list of them, [`Named`] keeps a mapping's order and the places of its keys. By the
//! time a struct is read, its shape was checked against its schema, so that reading can't fail.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{StrDeserializer, U32Deserializer, U64Deserializer};
use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

use crate::diagnostics::Region;
use crate::yaml::{Data, Entry, Node, Path, Segment};

const SPANNED: &str = "$vmtwin::Spanned";
const TREE: &str = "$vmtwin::Tree";
const SEVERAL: &str = "$vmtwin::Several";

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

/// A value that knows its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spanned<T> {
    pub(super) value: T,
    pub(super) region: Region,
}

impl<T> std::ops::Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Parts<T> {
            type Value = Spanned<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value with its place")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
                let region = region_of(&mut parts)?;
                let value = parts.next_element()?.ok_or_else(|| de::Error::custom("a place without a value"))?;
                Ok(Spanned { value, region })
            }
        }

        deserializer.deserialize_newtype_struct(SPANNED, Parts(PhantomData))
    }
}

fn region_of<'de, A: SeqAccess<'de>>(parts: &mut A) -> Result<Region, A::Error> {
    let mut next = || parts.next_element::<u32>().map(Option::unwrap_or_default);
    Ok(Region { file: next()?, start: next()?, end: next()? })
}

impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

/// A subtree, taken as it is: where it stands, and the way to it from the document's root.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tree {
    pub(super) region: Region,
    pub(super) path: Path,
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts;

        impl<'de> Visitor<'de> for Parts {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a subtree")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Tree, A::Error> {
                let region = region_of(&mut parts)?;
                let mut segments = Vec::new();
                while let Some(Step(segment)) = parts.next_element()? {
                    segments.push(segment);
                }
                Ok(Tree { region, path: Path::from(segments) })
            }
        }

        deserializer.deserialize_newtype_struct(TREE, Parts)
    }
}

/// A segment of a path on its way through serde.
struct Step(Segment);

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = Step;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key or an index")
            }

            fn visit_str<E: de::Error>(self, key: &str) -> Result<Step, E> {
                Ok(Step(Segment::Key(key.into())))
            }

            fn visit_u64<E: de::Error>(self, index: u64) -> Result<Step, E> {
                usize::try_from(index).map(|index| Step(Segment::Index(index))).map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// Anything.
impl JsonSchema for Tree {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Anything".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!(true)
    }
}

/// A subtree that is a mapping.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Object(pub(super) Tree);

impl JsonSchema for Object {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Object".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object"})
    }
}

/// One thing, or a list of them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Several<T>(pub(super) Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Several<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
            type Value = Several<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one thing or a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = parts.next_element()? {
                    items.push(item);
                }
                Ok(Several(items))
            }
        }

        deserializer.deserialize_newtype_struct(SEVERAL, Items(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Several<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Several_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({"anyOf": [one, {"type": "array", "items": one}]})
    }
}

/// A mapping from names to values, in the file's order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Named<T>(pub(super) Vec<(Spanned<String>, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Named<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Named(entries))
            }
        }

        deserializer.deserialize_map(Entries(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Named_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({"type": "object", "additionalProperties": value})
    }
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
