//! Quantities that carry their unit: bytes, MiB, MHz, virtual CPUs; and Kubernetes' spelling of quantities.
//!
//! All of them are integers. Rounding happens in one named function each, in a stated direction.

use std::borrow::Cow;
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub, SubAssign};

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! unit {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);

            /// The larger of the two.
            #[must_use]
            pub fn at_least(self, other: Self) -> Self {
                Self(self.0.max(other.0))
            }
        }

        impl Add for $name {
            type Output = Self;

            fn add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }
        }

        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                *self = *self + other;
            }
        }

        impl Sub for $name {
            type Output = Self;

            fn sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }
        }

        impl SubAssign for $name {
            fn sub_assign(&mut self, other: Self) {
                *self = *self - other;
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
                items.fold(Self::ZERO, Add::add)
            }
        }
    };
}

unit! {
    /// A number of bytes. In Kubernetes' objects it is spelled as a binary quantity, `10Gi`.
    Bytes
}
unit! {
    /// A number of MiB (vSphere's "MB"): sizes of memory, memory reservations and limits.
    MiB
}
unit! {
    /// Processor bandwidth in MHz: CPU reservations, limits and capacities.
    MHz
}

/// A number of virtual CPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VCpus(pub u32);

impl Bytes {
    const PER_MIB: i64 = 1 << 20;

    /// So many GiB.
    #[must_use]
    pub const fn from_gib(gib: i64) -> Self {
        Self(gib.saturating_mul(1 << 30))
    }

    /// The whole MiB in it; a started one counts.
    #[must_use]
    pub fn to_mib_up(self) -> MiB {
        MiB(self.0.div_euclid(Self::PER_MIB) + i64::from(self.0.rem_euclid(Self::PER_MIB) > 0))
    }

    /// The whole MiB in it; a started one doesn't count.
    #[must_use]
    pub fn to_mib_down(self) -> MiB {
        MiB(self.0.div_euclid(Self::PER_MIB))
    }
}

impl MiB {
    /// The same in bytes.
    #[must_use]
    pub fn to_bytes(self) -> Bytes {
        Bytes(self.0.saturating_mul(Bytes::PER_MIB))
    }
}

/// Kubernetes' canonical binary spelling: the largest suffix that leaves a whole number.
impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = self.0;
        let mut suffix = "";
        for next in ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"] {
            if value == 0 || value % 1024 != 0 {
                break;
            }
            value /= 1024;
            suffix = next;
        }
        f.pad(&format!("{value}{suffix}"))
    }
}

impl fmt::Display for MiB {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_bytes().fmt(f)
    }
}

impl fmt::Display for MHz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} MHz", self.0))
    }
}

impl fmt::Display for VCpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

/// Why a text is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not a number with one of Kubernetes' suffixes.
    #[error("`{0}` is not a quantity such as `512Gi` or `1500m`")]
    Shape(String),
    /// More than can be counted.
    #[error("`{0}` is out of the range of quantities (below 2^63)")]
    Range(String),
}

/// A quantity as Kubernetes reads it, in billionths, so that `1500m` and `250u` are exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i128);

impl Amount {
    const NANO: i128 = 1_000_000_000;

    /// Reads Kubernetes' spelling: a signed decimal number, then a decimal or binary suffix or an exponent.
    ///
    /// # Errors
    /// If the text has another shape, or stands for more than 2^63 − 1.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let shape = || QuantityError::Shape(text.to_owned());
        let range = || QuantityError::Range(text.to_owned());
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(shape());
        }
        let scale = scale_of(suffix).ok_or_else(shape)?;
        let whole = whole.trim_start_matches('0');
        if whole.len() > 19 {
            return Err(range());
        }
        let mut value: i128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| shape())? };
        value = value.checked_mul(scale).ok_or_else(range)?;
        let mut part = scale;
        let mut lost = false;
        for digit in fraction.bytes() {
            let remainder = part % 10;
            part /= 10;
            lost |= digit != b'0' && (remainder != 0 || part == 0);
            value += i128::from(digit - b'0') * part;
        }
        value += i128::from(lost);
        if value > i128::from(i64::MAX) * Self::NANO {
            return Err(range());
        }
        Ok(Self(if text.starts_with('-') { -value } else { value }))
    }

    /// The integer value, rounded up, as Kubernetes' `Quantity.Value`.
    #[must_use]
    pub fn value_up(self) -> i64 {
        let up = self.0.div_euclid(Self::NANO) + i128::from(self.0.rem_euclid(Self::NANO) > 0);
        i64::try_from(up).expect("parse keeps amounts in the range of i64")
    }

    /// Thousandths, rounded up, as Kubernetes' `Quantity.MilliValue`; saturates.
    #[must_use]
    pub fn milli_up(self) -> i64 {
        let nano = Self::NANO / 1000;
        let up = self.0.div_euclid(nano) + i128::from(self.0.rem_euclid(nano) > 0);
        i64::try_from(up).unwrap_or(i64::MAX)
    }
}

/// How many billionths one unit with this suffix has; sub-nano suffixes don't exist.
fn scale_of(suffix: &str) -> Option<i128> {
    let nano = Amount::NANO;
    Some(match suffix {
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "" => nano,
        "k" => 1_000 * nano,
        "M" => 1_000_000 * nano,
        "G" => 1_000_000_000 * nano,
        "T" => 1_000_000_000_000 * nano,
        "P" => 1_000_000_000_000_000 * nano,
        "E" => 1_000_000_000_000_000_000 * nano,
        "Ki" => nano << 10,
        "Mi" => nano << 20,
        "Gi" => nano << 30,
        "Ti" => nano << 40,
        "Pi" => nano << 50,
        "Ei" => nano << 60,
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            match power {
                0..=18 => nano.checked_mul(10i128.pow(power.unsigned_abs()))?,
                -9..0 => nano / 10i128.pow(power.unsigned_abs()),
                _ => return None,
            }
        }
    })
}

/// Reads a quantity of the Kubernetes API as bytes, rounded up.
///
/// # Errors
/// If the text is no quantity or out of range.
pub fn bytes_of(quantity: &Quantity) -> Result<Bytes, QuantityError> {
    Amount::parse(&quantity.0).map(|amount| Bytes(amount.value_up()))
}

/// Text for people and for Kubernetes, the number in the compact form that digests cover.
impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let quantity = Quantity::deserialize(deserializer)?;
        bytes_of(&quantity).map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Bytes {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$",
            "x-kubernetes-int-or-string": true
        })
    }
}

macro_rules! bare_number {
    ($($name:ident),+) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_i64(self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                i64::deserialize(deserializer).map(Self)
            }
        }
    )+};
}

bare_number!(MiB, MHz);

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> i64 {
        Amount::parse(text).expect(text).value_up()
    }

    #[test]
    fn quantities_are_read_as_kubernetes_reads_them() {
        assert_eq!(value("512Gi"), 512 << 30);
        assert_eq!(value("1500m"), 2, "Value rounds up");
        assert_eq!(Amount::parse("1500m").expect("a quantity").milli_up(), 1500);
        assert_eq!(value("1.5Gi"), 3 << 29);
        assert_eq!(value("2e3"), 2000);
        assert_eq!(value("100M"), 100_000_000);
        assert_eq!(value("-5"), -5);
        assert_eq!(value("7E"), 7_000_000_000_000_000_000);
        assert_eq!(value(".5"), 1);
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in ["", "Gi", "1GB", "1 Gi", "1..2", "--1", "0x10", "1e99"] {
            assert!(matches!(Amount::parse(text), Err(QuantityError::Shape(_))), "{text:?}");
        }
        for text in ["10E", "8Ei", "99999999999999999999"] {
            assert!(matches!(Amount::parse(text), Err(QuantityError::Range(_))), "{text:?}");
        }
    }

    #[test]
    fn bytes_are_printed_with_the_largest_suffix_that_divides() {
        for (bytes, text) in [(0, "0"), (10 << 30, "10Gi"), (1536 << 20, "1536Mi"), (1000, "1000"), (-(1 << 20), "-1Mi")] {
            assert_eq!(Bytes(bytes).to_string(), text);
            assert_eq!(value(text), bytes);
        }
    }

    #[test]
    fn a_started_mib_counts_upwards_only() {
        assert_eq!((Bytes(1).to_mib_up(), Bytes(1).to_mib_down()), (MiB(1), MiB(0)));
        assert_eq!(Bytes(1 << 20).to_mib_up(), MiB(1));
    }
}
