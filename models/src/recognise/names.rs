//! Names of layers as paths, and the order of layers that they give.
//!
//! Numbers order layers; words do not: `encoder.3` comes before `decoder.0`, whatever the alphabet says. So all orders of
//! the words are tried, that of the file first, and the shapes decide.

use std::collections::HashMap;

/// A piece of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Token<'a> {
    /// A whole part between dots: a place in a sequence of modules.
    Index(u64),
    /// Digits within a part, as in `down1`.
    Number(u64),
    /// The rest of a part.
    Word(&'a str),
}

/// A name's pieces, in order.
pub(super) type Path<'a> = Vec<Token<'a>>;

/// `model.10.conv1` as `model`, index 10, `conv`, 1.
pub(super) fn path(name: &str) -> Path<'_> {
    let mut path = Vec::new();
    for part in name.split('.') {
        if let Ok(index) = part.parse() {
            path.push(Token::Index(index));
            continue;
        }
        let mut rest = part;
        while let Some(first) = rest.chars().next() {
            let same = |character: char| character.is_ascii_digit() == first.is_ascii_digit();
            let (run, left) = rest.split_at(rest.find(|character| !same(character)).unwrap_or(rest.len()));
            path.push(run.parse().map_or(Token::Word(run), Token::Number)); // too many digits are a word
            rest = left;
        }
    }
    path
}

/// How many pieces two names share from the front.
pub(super) fn shared(one: &[Token<'_>], other: &[Token<'_>]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// Words at places where another word could stand, in the order of their first appearance.
pub(super) fn branching_words<'a>(paths: &[Path<'a>]) -> Vec<&'a str> {
    let mut branching: Vec<&str> = Vec::new();
    let mut sorted: Vec<&Path<'_>> = paths.iter().collect();
    sorted.sort();
    for pair in sorted.windows(2) {
        let common = shared(pair[0], pair[1]);
        for path in pair {
            if let Some(Token::Word(word)) = path.get(common)
                && !branching.contains(word)
            {
                branching.push(word);
            }
        }
    }
    let appearance = appearance(paths);
    branching.sort_by_key(|word| appearance.get(word));
    branching
}

/// All words by their first appearance.
fn appearance<'a>(paths: &[Path<'a>]) -> HashMap<&'a str, u64> {
    let mut ranks = HashMap::new();
    for token in paths.iter().flatten() {
        if let Token::Word(word) = token {
            let next = ranks.len() as u64;
            ranks.entry(*word).or_insert(next);
        }
    }
    ranks
}

/// What to sort a name by: numbers by size, words by rank.
pub(super) fn key(path: &[Token<'_>], ranks: &HashMap<&str, u64>) -> Vec<u64> {
    let part = |token: &Token<'_>| match token {
        Token::Index(number) | Token::Number(number) => *number,
        Token::Word(word) => ranks.get(word).copied().unwrap_or(u64::MAX),
    };
    path.iter().map(part).collect()
}

/// More words than this are only tried in the file's order: their permutations are too many.
const MOST_WORDS: usize = 6;

/// The orders in which words may be meant, the given one first.
pub(super) fn orders<'a>(words: &[&'a str]) -> Vec<HashMap<&'a str, u64>> {
    let mut orders = vec![Vec::new()];
    for (count, &word) in words.iter().enumerate() {
        if words.len() > MOST_WORDS {
            orders[0].push(word);
            continue;
        }
        // The word last first, so that the given order stays in front.
        let inserted = orders.into_iter().flat_map(|order: Vec<&str>| {
            (0..=count).rev().map(move |place| {
                let mut longer = order.clone();
                longer.insert(place, word);
                longer
            })
        });
        orders = inserted.collect();
    }
    orders.into_iter().map(|order| order.into_iter().zip(0..).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(names: &[&'static str], ranks: &HashMap<&str, u64>) -> Vec<&'static str> {
        let mut names = names.to_vec();
        names.sort_by_key(|name| key(&path(name), ranks));
        names
    }

    #[test]
    fn numbers_are_compared_as_numbers_wherever_they_stand() {
        let names = ["m.10.conv1", "m.9.conv2", "m.9.conv10", "m.9.conv9"];
        assert_eq!(sorted(&names, &HashMap::new()), ["m.9.conv2", "m.9.conv9", "m.9.conv10", "m.10.conv1"]);
        let too_long = "m.99999999999999999999999.a";
        assert_eq!(path(too_long)[1], Token::Word("99999999999999999999999"));
    }

    #[test]
    fn words_that_stand_beside_each_other_are_tried_in_every_order() {
        let paths: Vec<_> = ["x.up1.conv", "x.up2.conv", "x.down1.conv", "x.block1.conv1"].map(path).into();
        assert_eq!(branching_words(&paths), ["up", "down", "block"], "x and conv have no neighbour");
        let orders = orders(&branching_words(&paths));
        assert_eq!(orders.len(), 6);
        assert_eq!(orders[0], HashMap::from([("up", 0), ("down", 1), ("block", 2)]), "the file's order first");
        assert_eq!(super::orders(&["a", "b", "c", "d", "e", "f", "g"]).len(), 1);
    }
}
