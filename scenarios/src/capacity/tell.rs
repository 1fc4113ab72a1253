//! The answers for people, and how numbers are written.

use vmtwin_model::time::Span;

use super::{Headroom, Outcome};
use crate::timeline::duration;

/// Seconds, with a fraction only where there is one.
pub(super) fn seconds(span: Span) -> serde_json::Value {
    let nanos = span.as_nanos();
    if nanos % 1_000_000_000 == 0 {
        return (nanos / 1_000_000_000).into();
    }
    format!("{}.{:03}", nanos / 1_000_000_000, nanos / 1_000_000 % 1000)
        .parse::<serde_json::Number>()
        .map_or_else(|_| (nanos / 1_000_000_000).into(), Into::into)
}

/// A ratio given in hundredths.
pub(super) fn hundredths(value: i64) -> serde_json::Value {
    if value % 100 == 0 {
        return (value / 100).into();
    }
    let text = format!("{}.{:02}", value / 100, value % 100);
    text.parse::<serde_json::Number>().map_or_else(|_| (value / 100).into(), Into::into)
}

/// MiB as GiB with one digit.
pub(super) fn tenths_of_gib(mib: i64) -> String {
    let tenths = (mib * 10 + 512) / 1024;
    format!("{}.{}", tenths / 10, tenths % 10)
}

impl Outcome {
    /// The answers, a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let counted = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let mut lines = vec![format!(
            "{} · {} · {}, {}, {} on · settled after {} · seed {} · vmtwin {}",
            self.name,
            self.file,
            counted(self.hosts, "host"),
            counted(self.clusters, "cluster"),
            counted(self.vms_on, "VM"),
            duration(self.settled_after),
            self.seed,
            env!("CARGO_PKG_VERSION"),
        )];
        let ratio = |hundredths: Option<i64>, none: &str, some: &dyn Fn(String) -> String| {
            hundredths.map_or_else(|| none.to_owned(), |hundredths| some(self::hundredths(hundredths).to_string()))
        };
        lines.push(format!(
            "model: reservations; {}, {}",
            ratio(self.overcommit.cpu, "any number of vCPUs per core", &|ratio| format!("at most {ratio} vCPUs per core")),
            ratio(self.overcommit.memory, "any configured memory", &|ratio| format!("configured memory {ratio}:1")),
        ));
        lines.extend(self.warnings.iter().map(|(code, message)| format!("warning[{code}]: {message}")));
        for answer in &self.headroom {
            lines.push(String::new());
            lines.extend(Headroom::lines(answer));
        }
        if let Some(survive) = &self.survive {
            lines.push(String::new());
            lines.extend(survive.lines());
        }
        if !self.requirements.is_empty() {
            lines.push(String::new());
            lines.extend(
                self.requirements.iter().map(|judged| format!("{}  {}", if judged.held { "held  " } else { "failed" }, judged.message)),
            );
        }
        lines
    }
}
