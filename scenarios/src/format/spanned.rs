//! Types for fields that keep their place.
//!
//! The structs of the format derive serde's traits; [`super::reader::from_node`] reads a tree into one. Four types here speak
//! to that reader under a name of their own: [`Spanned`] learns where its value stands, [`Tree`] takes a subtree as it is and
//! learns the way to it, [`Several`] takes one thing or a list of them, [`Named`] keeps a mapping's order and the
//! places of its keys.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::diagnostics::Region;
use crate::yaml::{Path, Segment};

pub(super) const SPANNED: &str = "$vmtwin::Spanned";
pub(super) const TREE: &str = "$vmtwin::Tree";
pub(super) const SEVERAL: &str = "$vmtwin::Several";

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
