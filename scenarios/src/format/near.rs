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
        .take(20_000)
        .filter(|candidate| *candidate != word && candidate.len() <= 256)
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count().max(2))
        .min()
        .map(|(_, candidate)| candidate)
}

/// The help that proposes the nearest known word.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|near| format!("did you mean `{near}`?"))
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
        assert_eq!(nearest("elephant", known), None);
        assert_eq!(nearest("", known), None);
    }
}
