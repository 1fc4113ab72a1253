//! Which known word a mistaken one was probably meant to be.

/// The known word that is nearest, if one is near. What is spent on comparing is taken from `effort`; with nothing left, none is.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>, effort: &mut usize) -> Option<&'a str> {
    // Names of any length come from hostile files; near ones are short.
    if word.is_empty() || word.len() > 128 {
        return None;
    }
    let allowed = match word.chars().count() {
        0..=2 => 1,
        3..=5 => 2,
        6..=11 => 3,
        _ => 4,
    };
    let lower = word.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        *effort = effort.checked_sub(1)?;
        if candidate == word || candidate.len() > 256 {
            continue;
        }
        let other = candidate.to_lowercase();
        // A word that was cut short, or has something at its end, is near as well.
        let extends = lower.len().min(other.len()) >= 4 && (lower.starts_with(&other) || other.starts_with(&lower));
        let (left, right) = differing(&lower, &other);
        // The difference of the lengths is a lower bound, and much cheaper.
        let distance = if left.len().abs_diff(right.len()) > 4 * allowed {
            left.len().abs_diff(right.len())
        } else {
            *effort = effort.checked_sub(left.len() * right.len() / 8)?;
            strsim::damerau_levenshtein(left, right)
        };
        let near = extends || (distance <= allowed && distance < other.chars().count().max(2));
        if near && best.is_none_or(|best| (distance, candidate) < best) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// What is left of two words without what they begin and end with in common.
fn differing<'w>(left: &'w str, right: &'w str) -> (&'w str, &'w str) {
    let length = |pairs: &mut dyn Iterator<Item = (char, char)>| -> usize {
        pairs.take_while(|(left, right)| left == right).map(|(left, _)| left.len_utf8()).sum()
    };
    let start = length(&mut left.chars().zip(right.chars()));
    let (left, right) = (&left[start..], &right[start..]);
    let end = length(&mut left.chars().rev().zip(right.chars().rev()));
    (&left[..left.len() - end], &right[..right.len() - end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_is_proposed() {
        let known = ["zones", "datastores", "networks", "gold"];
        let near = |word: &str| nearest(word, known, &mut 10_000);
        assert_eq!(near("zonez"), Some("zones"));
        assert_eq!(near("golden"), Some("gold"));
        assert_eq!(near("dataStores"), Some("datastores"));
        assert_eq!(near("data"), Some("datastores"));
        assert_eq!(near("elephant"), None);
        assert_eq!(near(""), None);
        assert_eq!(nearest("zonez", known, &mut 1), None, "with no effort left nothing is proposed");
    }

    #[test]
    fn common_ends_are_left_out() {
        assert_eq!(differing("rack-ä-1", "rack-ü-1"), ("ä", "ü"));
        assert_eq!(differing("aa", "aaa"), ("", "a"));
        assert_eq!(differing("", "a"), ("", "a"));
    }
}
