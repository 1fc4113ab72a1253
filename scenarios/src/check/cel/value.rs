//! Values between JSON and CEL, and what CEL values of our own have in common.

use std::collections::BTreeMap;

use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelOptional, CelString, CelType, CelUInt};
use cel::common::value::Val;
use serde_json::{Map, Number, Value};
pub(super) use vmtwin_apiserver::expression::to_cel;

use super::network::{Cidr, Ip};
use super::numbers::CelQuantity;
use super::time::{Duration, Instant};

/// The value in JSON, the keys of mappings sorted.
///
/// # Errors
/// If it has no form there, in words.
pub(super) fn to_json(value: &dyn Val) -> Result<Value, String> {
    if let Some(value) = value.downcast_ref::<CelBool>() {
        return Ok((*value.inner()).into());
    }
    if let Some(value) = value.downcast_ref::<CelInt>() {
        return Ok((*value.inner()).into());
    }
    if let Some(value) = value.downcast_ref::<CelUInt>() {
        return Ok((*value.inner()).into());
    }
    if let Some(value) = value.downcast_ref::<CelDouble>() {
        return Number::from_f64(*value.inner()).map(Value::Number).ok_or_else(|| format!("the value is {}", value.inner()));
    }
    if let Some(value) = value.downcast_ref::<CelString<'_>>() {
        return Ok(value.inner().into());
    }
    if value.downcast_ref::<CelNull>().is_some() {
        return Ok(Value::Null);
    }
    if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        return list.inner().iter().map(|item| to_json(item.as_ref())).collect::<Result<_, _>>().map(Value::Array);
    }
    if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
        let mut sorted = BTreeMap::new();
        for (key, value) in map.inner() {
            sorted.insert(key_text(key), to_json(value.as_ref())?);
        }
        return Ok(Value::Object(sorted.into_iter().collect::<Map<_, _>>()));
    }
    if let Some(optional) = value.downcast_ref::<CelOptional<'_>>() {
        return optional.option().map_or(Ok(Value::Null), to_json);
    }
    let text = value
        .downcast_ref::<CelQuantity>()
        .map(ToString::to_string)
        .or_else(|| value.downcast_ref::<Instant>().map(ToString::to_string))
        .or_else(|| value.downcast_ref::<Duration>().map(ToString::to_string))
        .or_else(|| value.downcast_ref::<Ip>().map(ToString::to_string))
        .or_else(|| value.downcast_ref::<Cidr>().map(ToString::to_string))
        .or_else(|| value.downcast_ref::<CelType>().map(|name| name.name().to_owned()));
    text.map(Value::from).ok_or_else(|| format!("a value of type {} can't be compared with YAML", value.get_type().name()))
}

fn key_text(key: &CelMapKey<'_>) -> String {
    match key {
        CelMapKey::Bool(value) => value.inner().to_string(),
        CelMapKey::Int(value) => value.inner().to_string(),
        CelMapKey::UInt(value) => value.inner().to_string(),
        CelMapKey::String(value) => value.inner().to_owned(),
    }
}

/// Makes a plain type of ours a value of CEL. In the braces stands what it can do besides being equal or not.
macro_rules! cel_value {
    ($type:ident, $name:literal, { $($capability:tt)* }) => {
        impl cel::common::value::Val for $type {
            fn get_type(&self) -> &cel::common::types::Type {
                Self::cel_type()
            }

            fn cel_type() -> &'static cel::common::types::Type {
                static TYPE: cel::common::types::Type = cel::common::types::Type::new_unspecified_type($name);
                &TYPE
            }

            fn equals(&self, other: &dyn cel::common::value::Val) -> bool {
                other.downcast_ref::<Self>() == Some(self)
            }

            fn clone_as_boxed<'v>(&self) -> Box<dyn cel::common::value::Val + 'v>
            where
                Self: 'v,
            {
                Box::new(*self)
            }

            fn as_any(&self) -> Option<&dyn std::any::Any> {
                Some(self)
            }

            $($capability)*
        }

        impl cel::common::value::StaticVal for $type {}
    };
}

pub(super) use cel_value;

/// The order of two values of the same type.
pub(super) fn ordered<T: Ord + cel::common::value::StaticVal>(a: &T, b: &dyn Val) -> Result<std::cmp::Ordering, cel::ExecutionError> {
    b.downcast_ref::<T>().map(|b| a.cmp(b)).ok_or_else(|| unexpected(b, a.get_type().name()))
}

/// That a value has another type than this.
pub(super) fn unexpected(value: &dyn Val, want: &str) -> cel::ExecutionError {
    cel::ExecutionError::UnexpectedType { got: value.get_type().name().to_owned(), want: want.to_owned() }
}
