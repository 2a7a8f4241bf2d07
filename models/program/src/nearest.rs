//! What a mistyped name may have meant.

/// Names that are proposed at most.
const MOST: usize = 3;

/// The candidates that a name resembles, nearest first.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let name = name.to_lowercase();
    // Letters that are wrong or out of order: `mpas`. Clap draws the line for mistyped flags at 0.7.
    let spelling = |known: &str| Some(strsim::jaro(&name, known)).filter(|alike| *alike > 0.75);
    // Words that are missing or out of order: `yosemite`, `zebra2horse`.
    let words = |known: &str| Some(strsim::sorensen_dice(&name, known)).filter(|alike| *alike >= 0.5);
    let alike = |known: &'a str| {
        let alike = [spelling(known), words(known)].into_iter().flatten().reduce(f64::max)?;
        Some((alike, known))
    };
    let mut near: Vec<(f64, &str)> = candidates.into_iter().filter_map(alike).collect();
    near.sort_by(|one, other| other.0.total_cmp(&one.0));
    near.into_iter().take(MOST).map(|(_, known)| known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_is_found_and_a_foreign_one_is_not() {
        let names = ["horse2zebra", "apple2orange", "maps"];
        assert_eq!(nearest("horse2zebras", names), ["horse2zebra"]);
        assert_eq!(nearest("mpas", names), ["maps"]);
        assert!(nearest("xyzzy", names).is_empty() && nearest("maps", []).is_empty());
    }
}
