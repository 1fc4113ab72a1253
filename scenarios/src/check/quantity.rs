//! Kubernetes' quantities as numbers that can be compared and added, `10Gi` and `1500m`.
//!
//! Billionths in an `i128`: wider than the quantities that the API stores, since an expression may add them up.

use std::fmt;

const ONE: i128 = 1_000_000_000;

/// A quantity by its value; how it was spelled is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Quantity {
    nanos: i128,
}

/// A number and what follows it.
pub(super) struct Spelling<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    suffix: &'a str,
}

impl<'a> Spelling<'a> {
    /// Takes a text apart; nothing, if it isn't a decimal number with a suffix of letters or an exponent.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = whole.len() + fraction.len();
        (digits > 0 && !fraction.contains('.')).then_some(Self { negative: text.starts_with('-'), whole, fraction, suffix })
    }

    /// Whether the text says that it is a quantity, and not just any number.
    pub(super) fn has_suffix(&self) -> bool {
        !self.suffix.is_empty()
    }
}

impl Quantity {
    /// Reads Kubernetes' spelling; what is finer than a billionth is rounded away from zero, as Kubernetes does.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Spelling::of(text).and_then(|spelling| Self::read(&spelling))
    }

    /// The value of a text that was taken apart; nothing, if the suffix is none or the value is out of range.
    pub(super) fn read(spelling: &Spelling<'_>) -> Option<Self> {
        let scale = scale_of(spelling.suffix)?;
        let whole: i128 = if spelling.whole.is_empty() { 0 } else { spelling.whole.parse().ok()? };
        let mut nanos = whole.checked_mul(scale)?;
        let mut part = scale;
        let mut lost = false;
        for digit in spelling.fraction.bytes() {
            let remainder = part % 10;
            part /= 10;
            lost |= digit != b'0' && (remainder != 0 || part == 0);
            nanos = nanos.checked_add(i128::from(digit - b'0') * part)?;
        }
        nanos = nanos.checked_add(i128::from(lost))?;
        Some(Self { nanos: if spelling.negative { -nanos } else { nanos } })
    }

    /// A whole number.
    pub(super) fn from_integer(value: i128) -> Option<Self> {
        value.checked_mul(ONE).map(|nanos| Self { nanos })
    }

    /// The value as an integer, if it is one that fits.
    pub(super) fn as_integer(self) -> Option<i64> {
        if self.nanos % ONE == 0 { i64::try_from(self.nanos / ONE).ok() } else { None }
    }

    /// -1, 0 or 1.
    pub(super) fn sign(self) -> i64 {
        i64::try_from(self.nanos.signum()).unwrap_or_default()
    }

    pub(super) fn plus(self, other: Self) -> Option<Self> {
        self.nanos.checked_add(other.nanos).map(|nanos| Self { nanos })
    }

    pub(super) fn minus(self, other: Self) -> Option<Self> {
        self.nanos.checked_sub(other.nanos).map(|nanos| Self { nanos })
    }

    /// The value as a decimal number, for conversions to floating point.
    pub(super) fn to_decimal(self) -> String {
        let sign = if self.nanos < 0 { "-" } else { "" };
        let size = self.nanos.unsigned_abs();
        let one = ONE.unsigned_abs();
        format!("{sign}{}.{:09}", size / one, size % one)
    }
}

/// The shortest spelling without a large suffix: `1500m`, `10737418240`.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, suffix) =
            [(ONE, ""), (1_000_000, "m"), (1_000, "u")].into_iter().find(|(unit, _)| self.nanos % unit == 0).unwrap_or((1, "n"));
        write!(f, "{}{suffix}", self.nanos / unit)
    }
}

/// How many billionths one unit with this suffix has.
fn scale_of(suffix: &str) -> Option<i128> {
    Some(match suffix {
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "" => ONE,
        "k" => ONE * 1_000,
        "M" => ONE * 1_000_000,
        "G" => ONE * 1_000_000_000,
        "T" => ONE * 1_000_000_000_000,
        "P" => ONE * 1_000_000_000_000_000,
        "E" => ONE * 1_000_000_000_000_000_000,
        "Ki" => ONE << 10,
        "Mi" => ONE << 20,
        "Gi" => ONE << 30,
        "Ti" => ONE << 40,
        "Pi" => ONE << 50,
        "Ei" => ONE << 60,
        exponent => match exponent.strip_prefix(['e', 'E'])?.parse::<i8>().ok()? {
            power @ 0..=18 => ONE * 10_i128.pow(u32::from(power.unsigned_abs())),
            power @ -9..0 => ONE / 10_i128.pow(u32::from(power.unsigned_abs())),
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(text: &str) -> i128 {
        Quantity::parse(text).expect(text).nanos
    }

    #[test]
    fn quantities_are_read_as_kubernetes_reads_them() {
        assert_eq!(nanos("10Gi"), 10_737_418_240 * ONE);
        assert_eq!(nanos("1.5"), 1_500_000_000);
        assert_eq!(nanos("1500m"), nanos("1.5"));
        assert_eq!(nanos("-2k"), -2_000 * ONE);
        assert_eq!(nanos("1e3"), nanos("1k"));
        assert_eq!(nanos("5E-1"), nanos("500m"));
        assert_eq!(nanos("0.0000000001"), 1, "what is too fine is rounded up");
        assert_eq!(nanos(".5"), nanos("5e-1"));
    }

    #[test]
    fn a_text_that_is_no_quantity_is_none() {
        for text in ["", "-", ".", "Gi", "1..5", "1.5.2", "10GiB", "1 Gi", "1e", "1e99", "1e-10", "vm-1", "0x10", "９"] {
            assert_eq!(Quantity::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_quantity_beyond_the_range_is_none_and_no_overflow() {
        assert_eq!(Quantity::parse("99999999999999999999999999999999999999999999"), None);
        assert_eq!(Quantity::parse("999999999999Ei"), None);
        assert!(Quantity::parse("100Ei").is_some(), "more than the API stores, but fine to add up");
        let large = Quantity { nanos: i128::MAX };
        assert_eq!(large.plus(large), None);
    }

    #[test]
    fn quantities_print_the_shortest_exact_number() {
        for (text, printed) in [("10Gi", "10737418240"), ("1.5", "1500m"), ("250u", "250u"), ("3n", "3n"), ("-1", "-1"), ("0", "0")] {
            assert_eq!(Quantity::parse(text).expect(text).to_string(), printed);
        }
        assert_eq!(Quantity::parse("-1500m").expect("a quantity").to_decimal(), "-1.500000000");
    }
}
