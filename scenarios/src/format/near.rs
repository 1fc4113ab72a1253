//! Which known word a mistaken one was probably meant to be.

/// The known word that is nearest, if one is near.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Names of any length come from hostile files; near ones are short.
    if word.len() > 128 {
        return None;
    }
    let allowed = match word.chars().count() {
        0..=2 => 1,
        3..=5 => 2,
        6..=11 => 3,
        _ => 4,
    };
    let lower = word.to_lowercase();
    known
        .into_iter()
        .filter(|candidate| *candidate != word && candidate.len() <= 256)
        .map(|candidate| {
            let other = candidate.to_lowercase();
            // The difference of the lengths is a lower bound, and much cheaper.
            let distance = match lower.len().abs_diff(other.len()) {
                far if far > 2 * allowed => far,
                _ => strsim::damerau_levenshtein(&lower, &other),
            };
            // A word that was cut short, or has something at its end, is near as well.
            let extends = lower.len().min(other.len()) >= 4 && (lower.starts_with(&other) || other.starts_with(&lower));
            (distance, extends || (distance <= allowed && distance < other.chars().count().max(2)), candidate)
        })
        .filter(|(_, near, _)| *near)
        .min()
        .map(|(_, _, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_is_proposed() {
        let known = ["zones", "datastores", "networks", "gold"];
        assert_eq!(nearest("zonez", known), Some("zones"));
        assert_eq!(nearest("golden", known), Some("gold"));
        assert_eq!(nearest("dataStores", known), Some("datastores"));
        assert_eq!(nearest("data", known), Some("datastores"));
        assert_eq!(nearest("elephant", known), None);
        assert_eq!(nearest("", known), None);
    }
}
