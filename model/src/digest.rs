//! The compact binary form that digests cover: what `serde` tells of a value, field names included, in bytes and never in text.
//!
//! Nobody reads it back. Two values have the same form only if they tell the same: each part begins with what it is, texts carry
//! their length, and whatever has parts says where they end.

use std::fmt;

use serde::ser::{self, Serialize};

/// Appends a value's form.
///
/// # Panics
/// If the value refuses to tell itself, which none of the model's does.
pub fn append<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    value.serialize(&mut Form(out)).expect("the model's values tell themselves");
}

/// What a part is.
#[derive(Clone, Copy)]
enum Mark {
    Nothing,
    False,
    True,
    Signed,
    Unsigned,
    Float,
    Text,
    Bytes,
    Variant,
    Begin,
    End,
}

struct Form<'a>(&'a mut Vec<u8>);

impl Form<'_> {
    fn mark(&mut self, mark: Mark) {
        self.0.push(mark as u8);
    }

    fn sized(&mut self, mark: Mark, bytes: &[u8]) {
        self.mark(mark);
        self.0.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.0.extend_from_slice(bytes);
    }

    fn fixed(&mut self, mark: Mark, bytes: &[u8]) {
        self.mark(mark);
        self.0.extend_from_slice(bytes);
    }
}

/// Why a value doesn't tell itself.
#[derive(Debug)]
struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl ser::Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

type Done = Result<(), Refused>;

macro_rules! numbers {
    ($($method:ident($type:ty) = $mark:ident as $wide:ty;)+) => {$(
        fn $method(self, value: $type) -> Done {
            self.fixed(Mark::$mark, &<$wide>::from(value).to_le_bytes());
            Ok(())
        }
    )+};
}

impl<'a, 'b> ser::Serializer for &'a mut Form<'b> {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    fn is_human_readable(&self) -> bool {
        false
    }

    numbers! {
        serialize_i8(i8) = Signed as i64;
        serialize_i16(i16) = Signed as i64;
        serialize_i32(i32) = Signed as i64;
        serialize_i64(i64) = Signed as i64;
        serialize_u8(u8) = Unsigned as u64;
        serialize_u16(u16) = Unsigned as u64;
        serialize_u32(u32) = Unsigned as u64;
        serialize_u64(u64) = Unsigned as u64;
        serialize_f32(f32) = Float as f64;
        serialize_f64(f64) = Float as f64;
    }

    fn serialize_bool(self, value: bool) -> Done {
        self.mark(if value { Mark::True } else { Mark::False });
        Ok(())
    }

    fn serialize_char(self, value: char) -> Done {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Done {
        self.sized(Mark::Text, value.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Done {
        self.sized(Mark::Bytes, value);
        Ok(())
    }

    fn serialize_none(self) -> Done {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        self.mark(Mark::Nothing);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(self, _: &'static str, _: u32, variant: &'static str, value: &T) -> Done {
        self.sized(Mark::Variant, variant.as_bytes());
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, Refused> {
        self.mark(Mark::Begin);
        Ok(self)
    }

    fn serialize_tuple(self, length: usize) -> Result<Self, Refused> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<Self, Refused> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, variant: &'static str, length: usize) -> Result<Self, Refused> {
        self.sized(Mark::Variant, variant.as_bytes());
        self.serialize_seq(Some(length))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self, Refused> {
        self.serialize_seq(length)
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Self, Refused> {
        self.serialize_seq(Some(length))
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, variant: &'static str, length: usize) -> Result<Self, Refused> {
        self.sized(Mark::Variant, variant.as_bytes());
        self.serialize_seq(Some(length))
    }
}

macro_rules! parts {
    ($($trait:ident::$method:ident)+) => {$(
        impl ser::$trait for &mut Form<'_> {
            type Ok = ();
            type Error = Refused;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                value.serialize(&mut **self)
            }

            fn end(self) -> Done {
                self.mark(Mark::End);
                Ok(())
            }
        }
    )+};
}

parts! {
    SerializeSeq::serialize_element
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

impl ser::SerializeMap for &mut Form<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        key.serialize(&mut **self)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(&mut **self)
    }

    fn end(self) -> Done {
        self.mark(Mark::End);
        Ok(())
    }
}

macro_rules! fields {
    ($($trait:ident)+) => {$(
        impl ser::$trait for &mut Form<'_> {
            type Ok = ();
            type Error = Refused;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
                self.sized(Mark::Text, name.as_bytes());
                value.serialize(&mut **self)
            }

            fn end(self) -> Done {
                self.mark(Mark::End);
                Ok(())
            }
        }
    )+};
}

fields! { SerializeStruct SerializeStructVariant }

#[cfg(test)]
mod tests {
    use super::append;
    use serde::Serialize;

    fn form<T: Serialize>(value: T) -> Vec<u8> {
        let mut out = Vec::new();
        append(&mut out, &value);
        out
    }

    #[test]
    fn what_differs_has_another_form() {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        enum Sort {
            Plain,
            Number(u8),
            Pair { first: Option<u8>, second: Option<u8> },
        }
        let forms = [
            form(Sort::Plain),
            form(Sort::Number(1)),
            form(Sort::Pair { first: Some(1), second: None }),
            form(Sort::Pair { first: None, second: Some(1) }),
            form(1_i32),
            form(1_u32),
            form(true),
            form(()),
            form("ab"),
            form(["a", "b"]),
            form([["a", "b"]]),
            form([["a"], ["b"]]),
        ];
        for (at, one) in forms.iter().enumerate() {
            assert!(!forms[..at].contains(one), "form {at} is met twice");
        }
        assert_eq!(form("ab"), form(String::from("ab")));
        assert_eq!(form(Some(1_u8)), form(1_u64), "a number's width and its being optional are the type's, not the value's");
    }

    #[test]
    fn an_instant_is_a_number() {
        let at = crate::time::Timestamp::from_nanos(5);
        assert_eq!(form(at), form(5_i64));
    }
}
