//! The answer for people.

use vmtwin_sim::explain::{Candidate, Verdict};

use super::{Answer, Hold};
use crate::timeline::{duration, plain};

/// How many of the things that hold an object are told; a group may have thousands.
const HELD: usize = 40;

impl Answer {
    /// The answer, a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let observed = if self.observed.is_empty() { "nothing" } else { &self.observed };
        let desired = if self.desired.is_empty() { "nothing" } else { &self.desired };
        let place: String = self.place.iter().map(|(name, value)| format!(", {name} {value}")).collect();
        let since = self.since.as_ref().map(|(since, seq, who)| format!(" (since {}, #{seq} {})", duration(*since), plain(who)));
        let next = self.next.as_ref().map(|(next, why)| format!(", again at {} ({})", duration(*next), plain(why)));
        let tries = match self.tries {
            0 => String::new(),
            1 => "; tried once".to_owned(),
            tries => format!("; tried {tries} times"),
        };
        let (since, next) = (since.unwrap_or_default(), next.filter(|_| self.tries > 0).unwrap_or_default());
        let at = duration(self.at);
        let mut lines = vec![format!("{} at {at}: desired {desired}{since}, observed {observed}{place}{tries}{next}", self.object)];
        lines.extend(self.held_by.iter().take(HELD).map(held));
        if self.held_by.len() > HELD {
            lines.push(format!("… and {} more", self.held_by.len() - HELD));
        }
        let Some(placement) = &self.placement else {
            if self.asked_for_place {
                lines.push("no place was looked for".to_owned());
            }
            return lines;
        };
        let told = &placement.told;
        let seq = placement.seq.map(|seq| format!(", #{seq}")).unwrap_or_default();
        let of = placement.of.as_ref().map(|of| format!(" for {of}")).unwrap_or_default();
        lines.push(format!("candidates{of} ({}{seq})", placement.strategy));
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
    let seq = hold.seq.map(|seq| format!(", #{seq}")).unwrap_or_default();
    format!("held by  {}: {} ({}){since}{seq}", hold.rule, plain(&hold.message), hold.page)
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
