//! CEL's durations and instants, on the model's own: nanoseconds, no clock, and UTC alone.

use std::cmp::Ordering;
use std::fmt;

use cel::common::traits::{Adder, Comparer, Subtractor};
use cel::common::types::{CelInt, CelString};
use cel::common::value::{CowVal, Val};
use cel::{DeclarationError, Env, ExecutionError, add_member_overload, add_overload};
use vmtwin_model::time::{Span, Timestamp};

use super::value::{cel_value, ordered, unexpected};

const SECOND: i64 = 1_000_000_000;

/// A duration as a value of CEL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Duration(Span);

/// An instant as a value of CEL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Instant(Timestamp);

macro_rules! arithmetic {
    () => {
        fn as_comparer(&self) -> Option<&dyn Comparer> {
            Some(self)
        }

        fn as_adder<'b, 'v>(&'b self) -> Option<&'b (dyn Adder + 'v)>
        where
            Self: 'v,
        {
            Some(self)
        }

        fn as_subtractor<'b, 'v>(&'b self) -> Option<&'b (dyn Subtractor + 'v)>
        where
            Self: 'v,
        {
            Some(self)
        }
    };
}

cel_value!(Duration, "google.protobuf.Duration", {
    arithmetic!();
});
cel_value!(Instant, "google.protobuf.Timestamp", {
    arithmetic!();
});

impl Comparer for Duration {
    fn compare(&self, other: &dyn Val) -> Result<Ordering, ExecutionError> {
        ordered(self, other)
    }
}

impl Comparer for Instant {
    fn compare(&self, other: &dyn Val) -> Result<Ordering, ExecutionError> {
        ordered(self, other)
    }
}

impl Adder for Duration {
    fn add<'b, 'v>(&'b self, other: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        if let Some(instant) = other.downcast_ref::<Instant>() {
            return later(*instant, self.nanos());
        }
        span(other).and_then(|other| length(self.nanos().checked_add(other)))
    }
}

impl Subtractor for Duration {
    fn sub<'b, 'v>(&'b self, other: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        span(other).and_then(|other| length(self.nanos().checked_sub(other)))
    }
}

impl Adder for Instant {
    fn add<'b, 'v>(&'b self, other: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        span(other).and_then(|other| later(*self, other))
    }
}

impl Subtractor for Instant {
    fn sub<'b, 'v>(&'b self, other: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        if let Some(instant) = other.downcast_ref::<Self>() {
            return length(self.0.as_nanos().checked_sub(instant.0.as_nanos()));
        }
        span(other).and_then(|other| moment(self.0.as_nanos().checked_sub(other)))
    }
}

impl Duration {
    fn nanos(&self) -> i64 {
        self.0.as_nanos()
    }
}

fn span(value: &dyn Val) -> Result<i64, ExecutionError> {
    value.downcast_ref::<Duration>().map(Duration::nanos).ok_or_else(|| unexpected(value, Duration::cel_type().name()))
}

fn later<'b, 'v>(instant: Instant, nanos: i64) -> Result<CowVal<'b, 'v>, ExecutionError> {
    moment(instant.0.as_nanos().checked_add(nanos))
}

fn moment<'b, 'v>(nanos: Option<i64>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    nanos.map(|nanos| CowVal::owned(Instant(Timestamp::from_nanos(nanos)))).ok_or_else(out_of_range)
}

fn length<'b, 'v>(nanos: Option<i64>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    nanos.map(|nanos| CowVal::owned(Duration(Span::from_nanos(nanos)))).ok_or_else(out_of_range)
}

fn out_of_range() -> ExecutionError {
    ExecutionError::function_error("time", "out of the clock's range")
}

/// CEL's spelling: seconds, `90s`, `1.5s`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.nanos() < 0 { "-" } else { "" };
        let nanos = self.nanos().unsigned_abs();
        let (whole, rest) = (nanos / SECOND.unsigned_abs(), nanos % SECOND.unsigned_abs());
        let rest = format!(".{rest:09}");
        write!(f, "{sign}{whole}{}s", rest.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

pub(super) fn library(env: &mut Env) -> Result<(), DeclarationError> {
    env.add_type(Duration::cel_type().to_owned())?;
    env.add_type(Instant::cel_type().to_owned())?;
    add_overload!(env, fn duration: (CelString<'_>) -> Result<Duration>)?;
    add_overload!(env, fn same_duration: (Duration) -> Duration, name = "duration")?;
    add_overload!(env, fn text_of_duration: (Duration) -> CelString<'static>, name = "string")?;
    add_overload!(env, fn timestamp: (CelString<'_>) -> Result<Instant>)?;
    add_overload!(env, fn timestamp_of_seconds: (CelInt) -> Result<Instant>, name = "timestamp")?;
    add_overload!(env, fn same_timestamp: (Instant) -> Instant, name = "timestamp")?;
    add_overload!(env, fn text_of_timestamp: (Instant) -> CelString<'static>, name = "string")?;
    add_overload!(env, fn seconds_of_timestamp: (Instant) -> CelInt, name = "int")?;
    add_member_overload!(env, fn hours: (Duration) -> CelInt, name = "getHours")?;
    add_member_overload!(env, fn minutes: (Duration) -> CelInt, name = "getMinutes")?;
    add_member_overload!(env, fn seconds: (Duration) -> CelInt, name = "getSeconds")?;
    add_member_overload!(env, fn milliseconds: (Duration) -> CelInt, name = "getMilliseconds")?;
    add_member_overload!(env, fn full_year: (Instant) -> CelInt, name = "getFullYear")?;
    add_member_overload!(env, fn month: (Instant) -> CelInt, name = "getMonth")?;
    add_member_overload!(env, fn date: (Instant) -> CelInt, name = "getDate")?;
    add_member_overload!(env, fn day_of_month: (Instant) -> CelInt, name = "getDayOfMonth")?;
    add_member_overload!(env, fn day_of_week: (Instant) -> CelInt, name = "getDayOfWeek")?;
    add_member_overload!(env, fn day_of_year: (Instant) -> CelInt, name = "getDayOfYear")?;
    add_member_overload!(env, fn hour: (Instant) -> CelInt, name = "getHours")?;
    add_member_overload!(env, fn minute: (Instant) -> CelInt, name = "getMinutes")?;
    add_member_overload!(env, fn second: (Instant) -> CelInt, name = "getSeconds")?;
    add_member_overload!(env, fn millisecond: (Instant) -> CelInt, name = "getMilliseconds")?;
    Ok(())
}

fn duration(text: &CelString<'_>) -> Result<Duration, ExecutionError> {
    text.inner().parse().map(Duration).map_err(|error: vmtwin_model::time::SpanError| ExecutionError::function_error("duration", error))
}

fn same_duration(this: &Duration) -> Duration {
    *this
}

fn text_of_duration(this: &Duration) -> CelString<'static> {
    this.to_string().into()
}

fn timestamp(text: &CelString<'_>) -> Result<Instant, ExecutionError> {
    Timestamp::parse(text.inner()).map(Instant).map_err(|error| ExecutionError::function_error("timestamp", error))
}

fn timestamp_of_seconds(seconds: &CelInt) -> Result<Instant, ExecutionError> {
    let nanos = seconds.inner().checked_mul(SECOND);
    nanos.map(|nanos| Instant(Timestamp::from_nanos(nanos))).ok_or_else(out_of_range)
}

fn same_timestamp(this: &Instant) -> Instant {
    *this
}

fn text_of_timestamp(this: &Instant) -> CelString<'static> {
    this.to_string().into()
}

fn seconds_of_timestamp(this: &Instant) -> CelInt {
    this.0.as_nanos().div_euclid(SECOND).into()
}

fn hours(this: &Duration) -> CelInt {
    (this.nanos() / (3600 * SECOND)).into()
}

fn minutes(this: &Duration) -> CelInt {
    (this.nanos() / (60 * SECOND)).into()
}

fn seconds(this: &Duration) -> CelInt {
    (this.nanos() / SECOND).into()
}

fn milliseconds(this: &Duration) -> CelInt {
    (this.nanos() / 1_000_000).into()
}

/// The instant on the calendar of UTC.
fn civil(instant: &Instant) -> jiff::civil::DateTime {
    let instant = jiff::Timestamp::from_nanosecond(i128::from(instant.0.as_nanos())).expect("every i64 of nanoseconds is an instant");
    jiff::tz::Offset::UTC.to_datetime(instant)
}

fn full_year(this: &Instant) -> CelInt {
    i64::from(civil(this).year()).into()
}

/// January is 0, as in CEL.
fn month(this: &Instant) -> CelInt {
    (i64::from(civil(this).month()) - 1).into()
}

/// The first is 1.
fn date(this: &Instant) -> CelInt {
    i64::from(civil(this).day()).into()
}

/// The first is 0.
fn day_of_month(this: &Instant) -> CelInt {
    (i64::from(civil(this).day()) - 1).into()
}

/// Sunday is 0.
fn day_of_week(this: &Instant) -> CelInt {
    i64::from(civil(this).weekday().to_sunday_zero_offset()).into()
}

/// The first is 0.
fn day_of_year(this: &Instant) -> CelInt {
    (i64::from(civil(this).day_of_year()) - 1).into()
}

fn hour(this: &Instant) -> CelInt {
    i64::from(civil(this).hour()).into()
}

fn minute(this: &Instant) -> CelInt {
    i64::from(civil(this).minute()).into()
}

fn second(this: &Instant) -> CelInt {
    i64::from(civil(this).second()).into()
}

fn millisecond(this: &Instant) -> CelInt {
    i64::from(civil(this).millisecond()).into()
}
