//! How long things take: the table of typical durations, and draws from a log-normal distribution by integer arithmetic.
//!
//! A draw is `median · (p99/median)^(z/2.3263)` with a normal quantile z. Logarithm and power are computed bit by bit on
//! integers and z comes from a table, so the same seed gives the same nanosecond on every machine. What depends on bytes
//! that are copied is added by the caller.

use std::collections::BTreeMap;
use std::sync::Arc;

use vmtwin_model::rng::Draw;
use vmtwin_model::time::Span;
use vmtwin_model::vsphere::inventory::{Name, Timing};

/// The typical duration of an operation by its method. Source: vsphere §9.1.
pub(crate) fn typical(method: &str) -> Timing {
    let (median, p99) = match method {
        "RetrieveServiceContent" | "FindAllByUuid" | "RetrievePropertiesEx" | "FindChild" => (10, 100),
        "AttachTag" | "DetachTag" => (50, 800),
        "PlaceVm" => (300, 2_000),
        "PlaceVmsXCluster" => (500, 4_000),
        "CreateVM_Task" | "CreateSnapshotEx_Task" | "Destroy_Task" => (1_500, 8_000),
        "deployLibraryItem" => (8_000, 45_000),
        "CloneVM_Task" => (4_000, 20_000),
        "CopyVirtualDisk_Task" => (1_000, 6_000),
        "ReconfigVM_Task" => (800, 5_000),
        "UpgradeVM_Task" | "CustomizeVM_Task" | "PowerOffVM_Task" | "ResetVM_Task" => (1_000, 5_000),
        "PowerOnVM_Task" => (2_500, 12_000),
        "SuspendVM_Task" | "PromoteDisks_Task" | "EnterMaintenanceMode_Task" => (2_000, 10_000),
        "RevertToSnapshot_Task" | "RemoveSnapshot_Task" => (2_000, 12_000),
        "ShutdownGuest" | "StandbyGuest" | "RebootGuest" => (200, 1_500),
        "MakeDirectory" | "CreateDirectory" | "DeleteDirectory" | "DeleteDatastoreFile_Task" => (200, 2_000),
        "ListKmipServers" | "GetDefaultKmsCluster" => (30, 300),
        "QueryCryptoKeyStatus" | "GenerateKey" => (150, 2_000),
        _ => (500, 4_000),
    };
    drawn(median, p99)
}

/// A duration drawn with this median and 99th percentile, in milliseconds.
pub(crate) fn drawn(median_ms: i64, p99_ms: i64) -> Timing {
    Timing::Drawn { median: Span::from_millis(median_ms), p99: Span::from_millis(p99_ms) }
}

/// What a scenario says of durations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Durations {
    pub(crate) timings: Arc<BTreeMap<Name, Timing>>,
    /// By method: the factor in thousandths.
    pub(crate) slow: BTreeMap<Name, u32>,
}

impl Durations {
    /// What a scenario says of this method; `*` stands for every method that isn't named.
    pub(crate) fn said(&self, method: &str) -> Option<Timing> {
        self.timings.get(method).or_else(|| self.timings.get("*")).copied()
    }

    /// How long a call of this method takes. A bare duration of the scenario is exact: nothing is added to it.
    pub(crate) fn of(&self, method: &str, extra: Span, draw: &mut Draw) -> Span {
        let base = match self.said(method) {
            Some(Timing::Fixed(span)) => span,
            Some(timing) => sample(timing, draw) + extra,
            None => sample(typical(method), draw) + extra,
        };
        self.slowed(method, base)
    }

    /// How long it takes until a call that needs no work is refused.
    pub(crate) fn of_refusal(&self, method: &str, draw: &mut Draw) -> Span {
        let base = match self.said(method) {
            Some(Timing::Fixed(span)) => span,
            _ => Span::from_millis(100 + i64::try_from(draw.below(900)).expect("below 900")),
        };
        self.slowed(method, base)
    }

    fn slowed(&self, method: &str, span: Span) -> Span {
        match self.slow.get(method) {
            Some(factor) => scale(span, i128::from(*factor), 1000),
            None => span,
        }
    }
}

/// `span · numerator / denominator`, rounded down, at most the longest span.
pub(crate) fn scale(span: Span, numerator: i128, denominator: i128) -> Span {
    let nanos = i128::from(span.as_nanos()) * numerator / denominator.max(1);
    Span::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

/// How long so many bytes take at so many bytes a second.
pub(crate) fn transfer(bytes: i64, bytes_per_second: i64) -> Span {
    scale(Span::from_secs(1), i128::from(bytes.max(0)), i128::from(bytes_per_second))
}

/// One duration of this distribution.
pub(crate) fn sample(timing: Timing, draw: &mut Draw) -> Span {
    let (median, p99) = match timing {
        Timing::Fixed(span) => return span,
        Timing::Drawn { median, p99 } => (median.as_nanos(), p99.as_nanos()),
    };
    let z = i128::from(quantile(draw.bits()));
    if median <= 0 || p99 <= median {
        return Span::from_nanos(median.max(0));
    }
    let ratio = i128::from(log2(p99.unsigned_abs()) - log2(median.unsigned_abs()));
    // The exponent stays below 64 · 37000 / 23263 in magnitude.
    let exponent = i64::try_from(ratio * z / Z99).expect("the exponent of a duration is small");
    Span::from_nanos(times_exp2(median, exponent))
}

/// The normal quantile of 0.99 in ten-thousandths.
const Z99: i128 = 23_263;

/// The base-2 logarithm in 2⁻³² steps, rounded down.
fn log2(n: u64) -> i64 {
    let zeros = n.leading_zeros();
    let mut mantissa = u128::from(n) << zeros;
    let mut log = i64::from(63 - zeros) << 32;
    for bit in (0..32).rev() {
        mantissa = (mantissa * mantissa) >> 63;
        if mantissa >> 64 != 0 {
            mantissa >>= 1;
            log |= 1 << bit;
        }
    }
    log
}

/// `n · 2^(exponent / 2³²)`, rounded down; at most a quarter of the range of spans.
fn times_exp2(n: i64, exponent: i64) -> i64 {
    let (whole, part) = (exponent >> 32, exponent & 0xffff_ffff);
    let mut mantissa: u128 = 1 << 62;
    for (nth, root) in ROOTS.iter().enumerate() {
        if part & (1 << (31 - nth)) != 0 {
            mantissa = (mantissa * root) >> 62;
        }
    }
    let product = u128::from(n.unsigned_abs()) * mantissa;
    let shift = 62 - whole;
    let value = if shift >= 0 { product.checked_shr(u32::try_from(shift).unwrap_or(u32::MAX)).unwrap_or(0) } else { u128::MAX };
    i64::try_from(value).unwrap_or(i64::MAX).min(i64::MAX / 4)
}

/// 2^(1/2), 2^(1/4), 2^(1/8) … with 62 bits after the point.
const ROOTS: [u128; 32] = {
    let mut roots = [0; 32];
    let mut last: u128 = 2 << 62;
    let mut nth = 0;
    while nth < 32 {
        last = (last << 62).isqrt();
        roots[nth] = last;
        nth += 1;
    }
    roots
};

/// The normal quantile, in ten-thousandths, of 64 uniform bits: the first is the sign, the others the tail's probability.
fn quantile(bits: u64) -> i64 {
    let tail = bits & (u64::MAX >> 1);
    let octave = (tail << 1).leading_zeros();
    let z = match usize::try_from(octave).ok().filter(|octave| *octave < OCTAVES) {
        None => QUANTILES[OCTAVES * STEPS],
        Some(at) => {
            // The octave's upper end is 2^(63 − octave) of 2^64; eight steps lead down to half of that.
            let upper = 1_u64 << (63 - octave);
            let place = u128::from(upper - tail) * 16 * 65_536 / u128::from(upper);
            let place = i64::try_from(place).expect("at most eight steps");
            let step = usize::try_from(place >> 16).expect("steps count up").min(STEPS - 1);
            let rest = place - (i64::try_from(step).expect("a small number") << 16);
            let (from, to) = (QUANTILES[at * STEPS + step], QUANTILES[at * STEPS + step + 1]);
            from + (((to - from) * rest) >> 16)
        }
    };
    if bits >> 63 == 0 { z } else { -z }
}

const OCTAVES: usize = 12;
const STEPS: usize = 8;

/// The quantiles of 1 − 2^−(octave+1) · (1 − step/16), octave by octave, in ten-thousandths.
const QUANTILES: [i64; OCTAVES * STEPS + 1] = [
    0, 784, 1573, 2372, 3186, 4023, 4888, 5791, 6745, 7245, 7764, 8305, 8871, 9468, 10100, 10775, 11503, 11892, 12299, 12727, 13180, 13662,
    14178, 14735, 15341, 15667, 16010, 16373, 16759, 17172, 17617, 18099, 18627, 18912, 19214, 19533, 19874, 20240, 20635, 21066, 21539,
    21795, 22066, 22354, 22662, 22994, 23352, 23744, 24176, 24410, 24658, 24922, 25205, 25510, 25840, 26202, 26601, 26817, 27047, 27293,
    27555, 27839, 28147, 28484, 28856, 29059, 29274, 29504, 29750, 30016, 30305, 30622, 30973, 31163, 31366, 31583, 31816, 32067, 32340,
    32640, 32972, 33153, 33345, 33551, 33771, 34010, 34270, 34555, 34871, 35043, 35227, 35423, 35633, 35861, 36109, 36381, 36683,
];

#[cfg(test)]
mod tests {
    use super::*;
    use vmtwin_model::rng::Rng;

    fn draws(timing: Timing) -> Vec<i64> {
        let rng = Rng::new(7);
        let mut all: Vec<i64> = (0..10_000).map(|nth| sample(timing, &mut rng.draw("test", nth)).as_nanos()).collect();
        all.sort_unstable();
        assert!(all[0] > 0, "nothing takes no time at all");
        all.into_iter().map(|nanos| nanos / 1_000_000).collect()
    }

    #[test]
    fn ten_thousand_draws_have_the_stated_median_and_99th_percentile() {
        for (median, p99) in [(10, 100), (2_500, 12_000), (8_000, 45_000)] {
            let all = draws(drawn(median, p99));
            assert!((median * 97 / 100..=median * 103 / 100).contains(&all[5_000]), "median {} of {median}", all[5_000]);
            assert!((p99 * 90 / 100..=p99 * 110 / 100).contains(&all[9_900]), "p99 {} of {p99}", all[9_900]);
            assert!(all[9_999] < p99 * 10, "nothing is out of all proportion");
        }
    }

    #[test]
    fn a_bare_duration_is_exact_and_a_star_stands_for_all_others() {
        let said = [("*".into(), Timing::Fixed(Span::from_secs(1))), ("PowerOnVM_Task".into(), Timing::Fixed(Span::from_secs(3)))];
        let mut durations = Durations { timings: Arc::new(said.into()), slow: BTreeMap::new() };
        let mut draw = Rng::new(0).draw("test", 1);
        assert_eq!(durations.of("PowerOnVM_Task", Span::from_secs(9), &mut draw), Span::from_secs(3));
        assert_eq!(durations.of("RetrievePropertiesEx", Span::ZERO, &mut draw), Span::from_secs(1));
        assert_eq!(durations.of_refusal("Destroy_Task", &mut draw), Span::from_secs(1));
        durations.slow.insert("PowerOnVM_Task".into(), 10_000);
        assert_eq!(durations.of("PowerOnVM_Task", Span::ZERO, &mut draw), Span::from_secs(30));
    }

    #[test]
    fn logarithm_and_power_undo_each_other() {
        for n in [1_u64, 3, 1_000_000, 12_345_678_901] {
            let back = times_exp2(1 << 20, log2(n) - (20 << 32));
            let n = i64::try_from(n).expect("small");
            assert!((back - n).abs() <= 1 + n / 1_000_000, "{back} of {n}");
        }
    }

    #[test]
    fn quantiles_rise_and_mirror() {
        assert_eq!(quantile(u64::MAX >> 1), 0);
        assert_eq!(quantile(1), 36_683);
        assert_eq!(quantile(1 | 1 << 63), -36_683);
        assert!(QUANTILES.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
