//! What a mistyped name may have meant.

/// How alike two names must be, from 0 to 1, for one to be proposed.
const ALIKE: f64 = 0.75;

/// The candidate that a name resembles most (Jaro and Winkler's measure), where one does.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = candidates.into_iter().map(|candidate| (strsim::jaro_winkler(name, candidate), candidate));
    let (likeness, candidate) = scored.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    (likeness >= ALIKE).then_some(candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_is_found_and_a_foreign_one_is_not() {
        let names = ["horse2zebra", "apple2orange", "maps"];
        assert_eq!(nearest("horse2zebras", names), Some("horse2zebra"));
        assert_eq!(nearest("aple2orange", names), Some("apple2orange"));
        assert_eq!(nearest("xyzzy", names), None);
        assert_eq!(nearest("maps", []), None);
    }
}
