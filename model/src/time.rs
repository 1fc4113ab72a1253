//! Instants and spans of virtual time, and the spellings that users write them in.
//!
//! An instant is a count of nanoseconds since 1970 in UTC. Nothing in vmtwin reads a clock to make one: it is an argument
//! everywhere. Arithmetic saturates at the ends of the range (years 1677 to 2262); whoever reads a user's text
//! refuses what lies outside before it comes to that.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const NANOS_PER_MILLI: i64 = 1_000_000;
const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// A length of virtual time in nanoseconds. It may be negative where two instants are subtracted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(i64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// The longest span there is, about 292 years.
    pub const MAX: Self = Self(i64::MAX);

    /// So many nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// So many milliseconds.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(NANOS_PER_MILLI))
    }

    /// So many seconds.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(NANOS_PER_SECOND))
    }

    /// So many minutes.
    #[must_use]
    pub const fn from_mins(mins: i64) -> Self {
        Self::from_secs(mins.saturating_mul(60))
    }

    /// So many hours.
    #[must_use]
    pub const fn from_hours(hours: i64) -> Self {
        Self::from_mins(hours.saturating_mul(60))
    }

    /// The span in nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// The span in whole seconds, rounded towards zero.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0 / NANOS_PER_SECOND
    }

    /// The span `times` over.
    #[must_use]
    pub const fn times(self, times: i64) -> Self {
        Self(self.0.saturating_mul(times))
    }

    /// The ISO 8601 spelling that reports use, `PT1M30S`.
    #[must_use]
    pub fn to_iso(self) -> String {
        jiff::SignedDuration::from_nanos(self.0).to_string()
    }
}

impl Add for Span {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Span {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Span {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// Go's spelling: `1h30m0s`, `12.5s`, `0s`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let mut rest = self.0.unsigned_abs();
        if self.0 < 0 {
            text.push('-');
        }
        let second = NANOS_PER_SECOND.unsigned_abs();
        if rest == 0 {
            text.push_str("0s");
        } else if rest < second {
            let (unit, name) = if rest >= 1_000_000 {
                (1_000_000, "ms")
            } else if rest >= 1_000 {
                (1_000, "µs")
            } else {
                (1, "ns")
            };
            push_decimal(&mut text, rest, unit);
            text.push_str(name);
        } else {
            let hours = rest / (3600 * second);
            if hours > 0 {
                text.push_str(&format!("{hours}h"));
            }
            rest %= 3600 * second;
            let minutes = rest / (60 * second);
            if hours > 0 || minutes > 0 {
                text.push_str(&format!("{minutes}m"));
            }
            push_decimal(&mut text, rest % (60 * second), second);
            text.push('s');
        }
        f.pad(&text)
    }
}

fn push_decimal(text: &mut String, value: u64, unit: u64) {
    text.push_str(&(value / unit).to_string());
    let digits = unit.ilog10() as usize;
    let fraction = value % unit;
    if fraction > 0 {
        let fraction = format!("{fraction:0digits$}");
        text.push('.');
        text.push_str(fraction.trim_end_matches('0'));
    }
}

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// The text isn't a number with a unit.
    #[error("`{0}` is not a duration such as `90s` or `1h30m`")]
    Shape(String),
    /// A number stands without its unit.
    #[error("`{0}` lacks a unit: write `{0}s` for seconds")]
    NoUnit(String),
    /// A unit that durations don't have.
    #[error("`{unit}` is not a unit of time (`{text}`): use h, m, s, ms, us or ns")]
    Unit {
        /// The whole text.
        text: String,
        /// The unit found.
        unit: String,
    },
    /// More than the clock can hold.
    #[error("`{0}` is longer than the clock's range of 292 years")]
    Range(String),
}

/// Go's `time.ParseDuration`: a sign, then decimal numbers each with a unit.
impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let shape = || SpanError::Shape(text.to_owned());
        let (negative, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if rest == "0" {
            return Ok(Self::ZERO);
        }
        if rest.is_empty() {
            return Err(shape());
        }
        let mut nanos: i128 = 0;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let (number, after) = rest.split_at(digits);
            let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
            if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
                return Err(shape());
            }
            let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
            let (unit, after) = after.split_at(end);
            let scale: i128 = match unit {
                "ns" => 1,
                "us" | "µs" | "μs" => 1_000,
                "ms" => 1_000_000,
                "s" => 1_000_000_000,
                "m" => 60_000_000_000,
                "h" => 3_600_000_000_000,
                "" => return Err(SpanError::NoUnit(text.to_owned())),
                other => return Err(SpanError::Unit { text: text.to_owned(), unit: other.to_owned() }),
            };
            let range = || SpanError::Range(text.to_owned());
            if whole.len() > 19 {
                return Err(range());
            }
            if !whole.is_empty() {
                nanos += whole.parse::<i128>().map_err(|_| shape())? * scale;
            }
            let mut part = scale;
            for digit in fraction.bytes().take(13) {
                part /= 10;
                nanos += i128::from(digit - b'0') * part;
            }
            if nanos > i128::from(i64::MAX) {
                return Err(range());
            }
            rest = after;
        }
        let nanos = i64::try_from(nanos).map_err(|_| SpanError::Range(text.to_owned()))?;
        Ok(Self(if negative { -nanos } else { nanos }))
    }
}

/// A duration as it stands in an object of the API: Go's spelling in JSON, `10s`.
pub type GoDuration = Span;

/// Text for people and for Kubernetes, the number of nanoseconds in the compact form that digests cover.
impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_i64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Span {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string"})
    }
}

/// An instant of virtual time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why a text is no instant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// Not RFC 3339.
    #[error("`{0}` is not an RFC 3339 instant such as `2026-01-01T00:00:00Z`")]
    Shape(String),
    /// Outside of what the clock can hold.
    #[error("`{0}` lies outside of the clock's range (1677 to 2262)")]
    Range(String),
}

impl Timestamp {
    /// The last instant there is; stands for "never".
    pub const MAX: Self = Self(i64::MAX);

    /// So many nanoseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// The instant with its fraction of a second cut off, as Kubernetes stores it.
    #[must_use]
    pub const fn to_second(self) -> Self {
        Self(self.0.div_euclid(NANOS_PER_SECOND) * NANOS_PER_SECOND)
    }

    /// What Go's parser of RFC 3339 takes: `T` and `Z` in upper case, any number of fractional digits, `Z` or an offset.
    ///
    /// # Errors
    /// If the text has another shape, or names an instant that the clock can't hold.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let shape = || TimestampError::Shape(text.to_owned());
        let bytes = text.as_bytes();
        let strict = text.is_ascii()
            && bytes.len() >= 20
            && bytes[10] == b'T'
            && [4, 7].iter().all(|&at| bytes[at] == b'-')
            && [13, 16].iter().all(|&at| bytes[at] == b':')
            && (bytes[19] != b',')
            && (text.ends_with('Z') || (bytes[bytes.len() - 3] == b':' && matches!(bytes[bytes.len() - 6], b'+' | b'-')));
        if !strict {
            return Err(shape());
        }
        let parsed: jiff::Timestamp = text.parse().map_err(|_| shape())?;
        let nanos = i64::try_from(parsed.as_nanosecond()).map_err(|_| TimestampError::Range(text.to_owned()))?;
        Ok(Self(nanos))
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub for Timestamp {
    type Output = Span;

    fn sub(self, other: Self) -> Span {
        Span(self.0.saturating_sub(other.0))
    }
}

/// RFC 3339 in UTC with as many fractional digits as are needed: `2026-01-01T00:00:12.5Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = jiff::Timestamp::from_nanosecond(i128::from(self.0)).expect("every i64 of nanoseconds is an instant");
        f.pad(&instant.to_string())
    }
}

/// Text for people and for Kubernetes, the number of nanoseconds in the compact form that digests cover.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_i64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "format": "date-time"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_spelled_as_go_spells_them() {
        for (text, printed) in [
            ("90s", "1m30s"),
            ("1h30m", "1h30m0s"),
            ("12.5s", "12.5s"),
            ("0", "0s"),
            ("1500ms", "1.5s"),
            ("250us", "250µs"),
            ("-2m", "-2m0s"),
            (".5h", "30m0s"),
        ] {
            let span: Span = text.parse().expect(text);
            assert_eq!(span.to_string(), printed, "{text}");
            assert_eq!(printed.parse(), Ok(span), "{printed} reads back");
        }
    }

    #[test]
    fn a_text_that_is_no_duration_says_why() {
        assert_eq!("90".parse::<Span>(), Err(SpanError::NoUnit("90".into())));
        assert_eq!("3d".parse::<Span>(), Err(SpanError::Unit { text: "3d".into(), unit: "d".into() }));
        assert_eq!("99999999h".parse::<Span>(), Err(SpanError::Range("99999999h".into())));
        assert_eq!("99999999999999999999999s".parse::<Span>(), Err(SpanError::Range("99999999999999999999999s".into())));
        for text in ["", "-", "s", "1..5s", ".s"] {
            assert!(text.parse::<Span>().is_err(), "{text:?} is refused");
        }
    }

    #[test]
    fn instants_are_read_as_go_reads_them() {
        let instant = Timestamp::parse("2026-01-01T00:00:12.5Z").expect("RFC 3339");
        assert_eq!(instant.to_string(), "2026-01-01T00:00:12.5Z");
        assert_eq!(Timestamp::parse("2026-01-01T02:00:12.5+02:00"), Ok(instant));
        assert_eq!(instant.to_second().to_string(), "2026-01-01T00:00:12Z");
        for text in ["2026-01-01 00:00:00Z", "2026-01-01t00:00:00z", "2026-01-01T00:00:00", "2026-01-01", "now", "2026-13-01T00:00:00Z"] {
            assert!(matches!(Timestamp::parse(text), Err(TimestampError::Shape(_))), "{text}");
        }
        assert!(matches!(Timestamp::parse("9000-01-01T00:00:00Z"), Err(TimestampError::Range(_))));
    }
}
