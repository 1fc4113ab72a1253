//! The answer for people.

use vmtwin_sim::explain::{Candidate, Verdict};

use super::{Answer, Hold};
use crate::timeline::{duration, plain};

impl Answer {
    /// The answer, a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let observed = if self.observed.is_empty() { "nothing" } else { &self.observed };
        let desired = if self.desired.is_empty() { "nothing" } else { &self.desired };
        let place: String = self.place.iter().map(|(name, value)| format!(", {name} {value}")).collect();
        let mut lines = vec![format!("{} at {}: desired {desired}, observed {observed}{place}", self.object, duration(self.at))];
        lines.extend(self.held_by.iter().map(held));
        let Some(placement) = &self.placement else {
            lines.push("no place was looked for".to_owned());
            return lines;
        };
        let told = &placement.told;
        let seq = placement.seq.map(|seq| format!(", #{seq}")).unwrap_or_default();
        lines.push(format!("candidates ({}{seq})", placement.strategy));
        let width = told.candidates.iter().map(|candidate| depth(candidate) + candidate.name.chars().count()).max().unwrap_or(0);
        lines.extend(told.candidates.iter().map(|candidate| line(candidate, width)));
        if !told.remedies.is_empty() {
            lines.push(format!("would fit with  {}", told.remedies.join(" · ")));
        }
        lines
    }
}

fn held(hold: &Hold) -> String {
    let since = hold.since.map(|since| format!(", since {}", duration(since))).unwrap_or_default();
    format!("held by  {}: {} ({}){since}", hold.rule, plain(&hold.message), hold.page)
}

/// How far a candidate is indented below what it is in.
fn depth(candidate: &Candidate) -> usize {
    match candidate.kind {
        "ClusterComputeResource" => 4,
        "HostSystem" => 6,
        _ => 2,
    }
}

fn line(candidate: &Candidate, width: usize) -> String {
    let (word, what) = match &candidate.verdict {
        Verdict::Chosen(shown) => ("chosen", score(candidate.kind, shown)),
        Verdict::Outranked(shown) => ("outranked", score(candidate.kind, shown)),
        Verdict::Rejected { message, .. } => ("rejected", plain(message)),
    };
    let name = format!("{:indent$}{}", "", candidate.name, indent = depth(candidate));
    format!("{name:width$}  {word:9}  {what}").trim_end().to_owned()
}

fn score(kind: &str, shown: &vmtwin_sim::explain::Shown) -> String {
    match kind {
        "HostSystem" => {
            let broken = if shown.broken > 0 { format!(", breaks {} points of policies", shown.broken) } else { String::new() };
            format!("score {}, headroom {} %{broken}", shown.score, shown.headroom)
        }
        "Datastore" => format!("{} % free", shown.score),
        _ => String::new(),
    }
}
