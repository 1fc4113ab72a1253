//! From texts to values: durations, quantities, percentages, instants, counts. What is wrong is told with its place.

use vmtwin_model::time::{Span, SpanError, Timestamp};
use vmtwin_model::units::{Amount, Bytes};

use super::output::CallCount;
use super::section::scalar::{self, Decimal, Duration, Instant, Percentage, Quantity, Text};
use super::shape::shorten;
use super::sink::Sink;
use super::spanned::Spanned;
use crate::diagnostics::Code;

impl Sink {
    /// A duration that isn't negative.
    pub(super) fn duration(&mut self, duration: &Duration) -> Option<Span> {
        let Text { value: text, region } = &duration.0;
        match text.parse::<Span>() {
            Ok(span) if span >= Span::ZERO => Some(span),
            Ok(_) => {
                self.tell(Code::Duration, *region, format!("`{}` is negative: a duration is not", shorten(text)));
                None
            }
            Err(error) => {
                let short = match &error {
                    _ if text.len() <= 60 => error.to_string(),
                    SpanError::Range(_) => format!("`{}` is longer than the clock's range of 292 years", shorten(text)),
                    _ => format!("`{}` is not a duration such as `90s` or `1h30m`", shorten(text)),
                };
                self.tell(Code::Duration, *region, short);
                None
            }
        }
    }

    /// A duration, or a default.
    pub(super) fn duration_or(&mut self, duration: Option<&Duration>, default: Span) -> Span {
        duration.and_then(|duration| self.duration(duration)).unwrap_or(default)
    }

    /// A quantity of bytes that isn't negative.
    pub(super) fn bytes(&mut self, quantity: &Quantity) -> Option<Bytes> {
        let Text { value: text, region } = &quantity.0;
        match Amount::parse(text) {
            Ok(amount) if amount >= Amount::default() => Some(Bytes(amount.value_up())),
            Ok(_) => {
                self.tell(Code::Quantity, *region, format!("`{}` is negative: a size is not", shorten(text)));
                None
            }
            Err(error) => {
                let message =
                    if text.len() <= 60 { error.to_string() } else { format!("`{}` is not a quantity such as `512Gi`", shorten(text)) };
                self.tell(Code::Quantity, *region, message);
                None
            }
        }
    }

    /// A percentage, in basis points.
    pub(super) fn basis_points(&mut self, percentage: &Percentage) -> Option<u32> {
        let Text { value: text, region } = &percentage.0;
        let number = text.strip_suffix('%').unwrap_or(text).trim();
        let points = decimal(number, 2).filter(|points| *points <= 10_000);
        if points.is_none() {
            self.tell(
                Code::Percentage,
                *region,
                format!("`{}` is not a percentage from 0 to 100, with two decimals at most", shorten(text)),
            );
        }
        points.and_then(|points| u32::try_from(points).ok())
    }

    /// An instant.
    pub(super) fn instant(&mut self, instant: &Instant) -> Option<Timestamp> {
        let Text { value: text, region } = &instant.0;
        match Timestamp::parse(text) {
            Ok(instant) => Some(instant),
            Err(error) => {
                let message = if text.len() <= 60 { error.to_string() } else { format!("`{}` is not an RFC 3339 instant", shorten(text)) };
                self.tell(Code::Instant, *region, message);
                None
            }
        }
    }

    /// A count of calls, or a bound.
    pub(super) fn call_count(&mut self, count: &scalar::CallCount) -> Option<CallCount> {
        let Text { value: text, region } = &count.0;
        let parse = |digits: &str| digits.trim().parse::<u64>().ok();
        let found = if let Some(least) = text.strip_prefix(">=") {
            parse(least).map(CallCount::AtLeast)
        } else if let Some(most) = text.strip_prefix("<=") {
            parse(most).map(CallCount::AtMost)
        } else if let Some(least) = text.strip_prefix('>') {
            parse(least).and_then(|least| least.checked_add(1)).map(CallCount::AtLeast)
        } else if let Some(most) = text.strip_prefix('<') {
            parse(most).and_then(|most| most.checked_sub(1)).map(CallCount::AtMost)
        } else {
            parse(text).map(CallCount::Exactly)
        };
        if found.is_none() {
            self.tell(Code::Count, *region, format!("`{}` is not a count such as `2` or `\">=1\"`", shorten(text)));
        }
        found
    }

    /// A number with a fraction, in units of a power of ten, within bounds.
    pub(super) fn scaled(&mut self, number: &Decimal, digits: u32, least: u64, most: u64, what: &str) -> Option<u32> {
        let Text { value: text, region } = &number.0;
        match decimal(text, digits).filter(|value| (least..=most).contains(value)) {
            Some(value) => u32::try_from(value).ok(),
            None => {
                self.tell(Code::Bounds, *region, format!("`{}` is not {what}", shorten(text)));
                None
            }
        }
    }

    /// A number within bounds.
    pub(super) fn within(&mut self, number: &Spanned<u64>, least: u64, most: u64, what: &str) -> Option<u32> {
        if (least..=most).contains(&number.value) {
            return u32::try_from(number.value).ok();
        }
        self.tell(Code::Bounds, number.region, format!("{what} is {least} to {most}, found {}", number.value));
        None
    }

    /// A number within bounds, or a default.
    pub(super) fn within_or(&mut self, number: Option<&Spanned<u64>>, least: u64, most: u64, what: &str, default: u32) -> u32 {
        number.and_then(|number| self.within(number, least, most, what)).unwrap_or(default)
    }

    /// A name of something in the inventory. False: it was refused.
    pub(super) fn name(&mut self, name: &Text) -> bool {
        let text = name.value.as_str();
        let fine = !text.is_empty() && text.len() <= 253 && text.trim() == text && !text.chars().any(char::is_control);
        if !fine {
            self.tell(Code::Name, name.region, format!("`{}` is not a name", shorten(text).escape_debug()));
        }
        fine
    }
}

/// A decimal number without sign in units of 10^-digits; nothing if it has more decimals or isn't one.
fn decimal(text: &str, digits: u32) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction.trim_end_matches('0');
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) || fraction.len() > digits as usize {
        return None;
    }
    let scale = 10u64.pow(digits);
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let part: u64 =
        if fraction.is_empty() { 0 } else { fraction.parse::<u64>().ok()? * 10u64.pow(digits - u32::try_from(fraction.len()).ok()?) };
    whole.checked_mul(scale)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        assert_eq!(decimal("0.3", 6), Some(300_000));
        assert_eq!(decimal("10", 3), Some(10_000));
        assert_eq!(decimal("1.50", 2), Some(150));
        assert_eq!(decimal(".5", 1), Some(5));
        for text in ["", ".", "-1", "1e3", "0.001", "x", "99999999999999999999"] {
            assert_eq!(decimal(text, 2), None, "{text}");
        }
    }
}
