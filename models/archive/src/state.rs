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
    let holders = |of: &dyn Fn(&Place) -> bool| -> Vec<usize> {
        (0..places.len()).filter(|&place| places[place].tensors > 0 && of(&places[place])).collect()
    };
    // Tensors beside dictionaries of tensors are a training program's own, not a network's.
    let innermost = holders(&|place| !place.holds_holder);
    let found = |candidates: &[usize]| {
        let mut found = Found::default();
        candidates.iter().for_each(|&place| found.add(|| shown(&path(pickle, &places, place)), places[place].tensors));
        found
    };
    let candidates = match key {
        None => innermost.clone(),
        Some(key) => {
            let named = |place: usize| matches(pickle, &places, place, key);
            let exact: Vec<usize> = holders(&|_| true).into_iter().filter(|&place| named(place)).collect();
            match exact.is_empty() {
                false => exact,
                true => innermost.iter().copied().filter(|&place| is_below(&places, place, &named)).collect(),
            }
        }
    };
    match (candidates.as_slice(), key) {
        (&[place], _) => entries(pickle, &places, place, allowance),
        ([], _) if innermost.is_empty() => Err(ArchiveError::NoTensors { found: describe(pickle) }),
        ([], Some(key)) => Err(ArchiveError::NoKey { key: shown(key), found: found(&innermost) }),
        (several, _) => Err(ArchiveError::Several { found: found(several) }),
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

/// Keys from the top to a place.
fn keys<'a>(pickle: &'a Pickle, places: &[Place], place: usize) -> Vec<&'a str> {
    let mut keys = Vec::with_capacity(places[place].depth);
    let mut above = places[place].parent;
    while let Some((place, key)) = above {
        keys.push(pickle.text(key));
        above = places[place].parent;
    }
    keys.reverse();
    keys
}

fn path(pickle: &Pickle, places: &[Place], place: usize) -> String {
    keys(pickle, places, place).join(SEPARATOR)
}

/// Whether a place's path is a key, without putting the path together for each of many places.
fn matches(pickle: &Pickle, places: &[Place], place: usize, key: &str) -> bool {
    let keys = keys(pickle, places, place);
    let mut rest = Some(key);
    for (index, part) in keys.iter().enumerate() {
        let before = if index == 0 { "" } else { SEPARATOR };
        rest = rest.and_then(|rest| rest.strip_prefix(before)?.strip_prefix(part));
    }
    !keys.is_empty() && rest == Some("")
}

fn is_below(places: &[Place], place: usize, named: &dyn Fn(usize) -> bool) -> bool {
    let mut above = places[place].parent;
    while let Some((place, _)) = above {
        if named(place) {
            return true;
        }
        above = places[place].parent;
    }
    false
}

/// The entries of the dictionary that was chosen.
fn entries(pickle: &Pickle, places: &[Place], place: usize, allowance: &mut Allowance) -> Result<Chosen, ArchiveError> {
    let mut chosen =
        Chosen { key: Some(path(pickle, places, place)).filter(|key| !key.is_empty()), ..Chosen::default() };
    let mut names = HashSet::new();
    for &(key, value) in pickle.dict(places[place].dict).expect("it was found as one") {
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
