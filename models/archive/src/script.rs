//! The tensors of a libtorch archive: attributes of a module and of the modules in it.

use crate::ArchiveError;
use crate::allowance::Allowance;
use crate::error::shown;
use crate::pickle::{Node, Pickle, Value};
use crate::state::Chosen;

/// How deep modules are looked into.
const DEEPEST: usize = 32;

/// libtorch puts this where names have a dot, which its attributes cannot have.
const DOT: char = '|';

/// The module of all classes in such an archive.
const CLASSES: &str = "__torch__";

/// All tensors by name, `module.attribute`, in the file's order.
pub(crate) fn tensors(pickle: &Pickle, allowance: &mut Allowance) -> Result<Chosen, ArchiveError> {
    if attributes(pickle, pickle.top).is_none() {
        return Err(ArchiveError::NoTensors { found: "something else than a module".into() });
    }
    let mut chosen = Chosen::default();
    add(pickle, pickle.top, &mut Vec::new(), &mut chosen, allowance)?;
    Ok(chosen)
}

fn attributes(pickle: &Pickle, value: Value) -> Option<&[(Value, Value)]> {
    match pickle.node(value)? {
        Node::Object { maker: Some(maker), attributes: Some(attributes) } if pickle.is_below(*maker, CLASSES) => {
            pickle.dict(Value::Node(*attributes))
        }
        _ => None,
    }
}

/// `above` is the names of the modules that this one is in: they bound the depth. The allowance bounds how often a module
/// is entered that is in many.
fn add<'a>(
    pickle: &'a Pickle,
    module: Value,
    above: &mut Vec<&'a str>,
    chosen: &mut Chosen,
    allowance: &mut Allowance,
) -> Result<(), ArchiveError> {
    for &(key, value) in attributes(pickle, module).into_iter().flatten() {
        let Value::Text(key) = key else { continue };
        let name = pickle.text(key);
        allowance.take(size_of::<Value>() as u64)?;
        if let Some(tensor) = pickle.tensor(value) {
            let length = above.iter().map(|part| part.len() + 1).sum::<usize>() + name.len();
            allowance.take(length as u64)?;
            let mut full = above.iter().flat_map(|part| [part, "."]).collect::<String>();
            full.extend(name.chars().map(|letter| if letter == DOT { '.' } else { letter }));
            allowance.push(&mut chosen.tensors, (full, tensor))?;
        } else if attributes(pickle, value).is_some() {
            if above.len() == DEEPEST {
                let why = format!("is a module inside {DEEPEST} others, deeper than is read here");
                return Err(ArchiveError::Tensor { name: shown(name), why });
            }
            above.push(name);
            add(pickle, value, above, chosen, allowance)?;
            above.pop();
        }
    }
    Ok(())
}
