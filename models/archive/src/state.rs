//! Which dictionary in a file of `torch.save` holds the network's tensors.

use std::collections::{HashSet, VecDeque};

use crate::ArchiveError;
use crate::allowance::Allowance;
use crate::error::{Found, shown};
use crate::pickle::{Node, Pickle, Tensor, Text, Value};

/// How deep dictionaries are looked into. Training programs nest two or three.
const DEEPEST: usize = 16;

/// How long a key of a dictionary is that is looked into.
const LONGEST_KEY: usize = 255;

/// Between the keys of nested dictionaries.
const SEPARATOR: &str = ".";

/// The tensors of a file, by name.
#[derive(Debug, Default)]
pub(crate) struct Chosen {
    /// Where they were.
    pub(crate) key: Option<String>,
    /// In the file's order.
    pub(crate) tensors: Vec<(String, Tensor)>,
    /// Entries beside them without a tensor.
    pub(crate) skipped: Vec<String>,
}

/// A dictionary, and how it is reached.
struct Place {
    dict: Value,
    /// Place and key that it is under.
    parent: Option<(usize, Text)>,
    depth: usize,
    tensors: usize,
    /// Whether a dictionary below it holds tensors.
    holds_holder: bool,
}

/// Chooses the state_dict: the one under `key`, or the only one.
///
/// # Errors
/// If there is none, or more than one and no key that says which.
pub(crate) fn choose(pickle: &Pickle, key: Option<&str>, allowance: &mut Allowance) -> Result<Chosen, ArchiveError> {
    let places = places(pickle, allowance)?;
    let place_of = |dict: Value| places.iter().position(|place| place.dict == dict);
    let named = key.map(|key| walk(pickle, key).and_then(place_of));
    if let Some(Some(place)) = named.filter(|named| named.is_some_and(|place| places[place].tensors > 0)) {
        return entries(pickle, places[place].dict, key.map(str::to_owned), allowance);
    }
    // Tensors beside dictionaries of tensors are a training program's own, not a network's.
    let innermost = |place: &usize| places[*place].tensors > 0 && !places[*place].holds_holder;
    let innermost: Vec<usize> = (0..places.len()).filter(innermost).collect();
    let found = |candidates: &[usize]| {
        let mut found = Found::default();
        candidates.iter().for_each(|&place| found.add(|| shown(&path(pickle, &places, place)), places[place].tensors));
        found
    };
    let below =
        |above: Option<usize>| innermost.iter().copied().filter(|&place| is_below(&places, place, above)).collect();
    let candidates: Vec<usize> = named.map_or_else(|| innermost.clone(), below);
    match (candidates.as_slice(), key) {
        (&[place], _) => {
            let key = Some(path(pickle, &places, place)).filter(|key| !key.is_empty());
            entries(pickle, places[place].dict, key, allowance)
        }
        ([], _) if innermost.is_empty() => Err(ArchiveError::NoTensors { found: describe(pickle) }),
        ([], Some(key)) => Err(ArchiveError::NoKey { key: shown(key), found: found(&innermost) }),
        (several, _) => Err(ArchiveError::Several { found: found(several) }),
    }
}

/// The value under a key, or under several joined by dots. Keys may have dots themselves.
fn walk(pickle: &Pickle, key: &str) -> Option<Value> {
    let (mut dict, mut rest) = (pickle.top, key);
    loop {
        let texts = || {
            pickle.dict(dict).into_iter().flatten().filter_map(|&(key, value)| match key {
                Value::Text(key) if key.len() <= LONGEST_KEY => Some((pickle.text(key), value)),
                _ => None,
            })
        };
        if let Some((_, value)) = texts().find(|(key, _)| *key == rest) {
            return Some(value);
        }
        let after = |key: &str| rest.strip_prefix(key)?.strip_prefix(SEPARATOR);
        (rest, dict) = texts().find_map(|(key, value)| Some((after(key)?, value)))?;
    }
}

/// All dictionaries that are reached by texts, nearest first, each once however often it is referred to.
fn places(pickle: &Pickle, allowance: &mut Allowance) -> Result<Vec<Place>, ArchiveError> {
    let mut places: Vec<Place> = Vec::new();
    allowance.take(pickle.len() as u64)?;
    let mut seen = vec![false; pickle.len()];
    let mut waiting = VecDeque::from([(pickle.top, None, 0)]);
    while let Some((dict, parent, depth)) = waiting.pop_front() {
        let (Value::Node(node), Some(pairs)) = (dict, pickle.dict(dict)) else { continue };
        if std::mem::replace(&mut seen[node as usize], true) {
            continue;
        }
        let place = places.len();
        let mut tensors = 0;
        for &(key, value) in pairs {
            let Value::Text(key) = key else { continue };
            tensors += usize::from(pickle.tensor(value).is_some());
            if depth < DEEPEST && key.len() <= LONGEST_KEY && pickle.dict(value).is_some() {
                allowance.take(size_of_val(&(value, Some((place, key)), depth)) as u64)?;
                waiting.push_back((value, Some((place, key)), depth + 1));
            }
        }
        allowance.push(&mut places, Place { dict, parent, depth, tensors, holds_holder: false })?;
        if tensors > 0 {
            let mut above = parent;
            while let Some((place, _)) = above {
                places[place].holds_holder = true;
                above = places[place].parent;
            }
        }
    }
    Ok(places)
}

/// The keys from the top to a place, joined.
fn path(pickle: &Pickle, places: &[Place], place: usize) -> String {
    let mut keys = Vec::with_capacity(places[place].depth);
    let mut above = places[place].parent;
    while let Some((place, key)) = above {
        keys.push(pickle.text(key));
        above = places[place].parent;
    }
    keys.reverse();
    keys.join(SEPARATOR)
}

fn is_below(places: &[Place], place: usize, named: Option<usize>) -> bool {
    let mut above = places[place].parent;
    while let Some((place, _)) = above {
        if named == Some(place) {
            return true;
        }
        above = places[place].parent;
    }
    false
}

/// The entries of the dictionary that was chosen.
fn entries(
    pickle: &Pickle,
    dict: Value,
    key: Option<String>,
    allowance: &mut Allowance,
) -> Result<Chosen, ArchiveError> {
    let mut chosen = Chosen { key, ..Chosen::default() };
    let mut names = HashSet::new();
    for &(key, value) in pickle.dict(dict).expect("it was found as one") {
        let Value::Text(key) = key else { continue };
        let name = pickle.text(key);
        // The name itself, and its place among the names.
        allowance.take((name.len() + 64) as u64)?;
        if !names.insert(name) {
            return Err(ArchiveError::Tensor { name: shown(name), why: "is there twice".into() });
        }
        match pickle.node(value) {
            Some(Node::Tensor(tensor)) => allowance.push(&mut chosen.tensors, (name.to_owned(), *tensor))?,
            Some(Node::Object { maker, .. }) => {
                let global = maker.map_or("something without a name".into(), |maker| shown(&pickle.global(maker)));
                return Err(ArchiveError::Global { name: shown(name), global });
            }
            _ => allowance.push(&mut chosen.skipped, name.to_owned())?,
        }
    }
    Ok(chosen)
}

/// What a file holds that has no dictionary of tensors.
fn describe(pickle: &Pickle) -> String {
    let object = |value: Value| match pickle.node(value) {
        Some(Node::Object { maker: Some(maker), .. }) => {
            Some(format!("an object of `{}`", shown(&pickle.global(*maker))))
        }
        _ => None,
    };
    match (pickle.node(pickle.top), pickle.dict(pickle.top)) {
        (Some(Node::Tensor(_)), _) => "a single tensor".into(),
        (_, Some([])) => "an empty dictionary".into(),
        (_, Some(pairs)) => {
            let named = pairs.iter().filter_map(|&(key, value)| match key {
                Value::Text(key) => Some((pickle.text(key), object(value)?)),
                _ => None,
            });
            match named.into_iter().next() {
                Some((key, object)) => format!("a dictionary with {object} under `{}`", shown(key)),
                None => "a dictionary without tensors".into(),
            }
        }
        _ => object(pickle.top).unwrap_or_else(|| "something else".into()),
    }
}
