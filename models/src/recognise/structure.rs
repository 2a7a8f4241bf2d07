//! A file's layers in the order in which they are applied, each in its place.

use std::collections::HashSet;

use super::RecogniseError;
use super::arrangement::{Misfit, Placed, arrange};
use super::layers::{Convolution, Layers, Norm, group};
use super::names::{Path, branching_words, key, orders, path};
use super::numbering::{self, Numbering};
use crate::{Join, Weight};

/// A generator without the things that names and shapes do not say.
#[derive(Clone, Debug)]
pub(super) struct Structure {
    /// Convolutions in order, each with its place and the norm behind it where one is stored.
    pub(super) stages: Vec<Stage>,
    pub(super) join: Join,
    pub(super) numbering: Numbering,
    /// Whether only the file's order tells which of two layers comes first.
    pub(super) order_is_the_files: bool,
}

/// A convolution and the norm that follows it.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) placed: Placed,
    pub(super) convolution: Convolution,
    pub(super) norm: Option<Norm>,
}

/// More convolutions, or norms, than this are no generator: 9 blocks have 24.
const MOST_LAYERS: usize = 256;

/// Why an order of the layers does not fit, and how far it did.
struct Refused {
    progress: usize,
    layer: String,
    expected: String,
}

/// Finds the order and the places. `ordered` is whether the tensors are in the order in which the network lists them.
///
/// # Errors
/// Where the order that fits best departs from a generator; or two orders that fit.
pub(super) fn read(weights: &[&Weight], ordered: bool) -> Result<Structure, RecogniseError> {
    let layers = group(weights)?;
    let beyond = layers.convolutions.get(MOST_LAYERS).map(|convolution| &convolution.name);
    if let Some(name) = beyond.or_else(|| layers.norms.get(MOST_LAYERS).map(|norm| &norm.name)) {
        return Err(RecogniseError::departs(weights, name, &format!("{MOST_LAYERS} convolutions and norms at most")));
    }
    let convolutions: Vec<_> = layers.convolutions.iter().map(|convolution| path(&convolution.name)).collect();
    let norms: Vec<_> = layers.norms.iter().map(|norm| path(&norm.name)).collect();
    let mut words = branching_words(&convolutions);
    let more = branching_words(&norms).into_iter().filter(|word| !words.contains(word)).collect::<Vec<_>>();
    words.extend(more);

    let mut tried = HashSet::new();
    let mut found: Option<(Structure, Vec<usize>)> = None;
    let mut furthest: Option<Refused> = None;
    for ranks in orders(&words) {
        let order = |paths: &[Path<'_>]| {
            let mut order: Vec<usize> = (0..paths.len()).collect();
            order.sort_by_cached_key(|&index| key(&paths[index], &ranks));
            order
        };
        let both = (order(&convolutions), order(&norms));
        if !tried.insert(both.clone()) {
            continue;
        }
        match fit(&layers, &both.0, &both.1) {
            Ok(structure) => match &mut found {
                None => found = Some((structure, [both.0, both.1].concat())),
                Some((first, order)) => {
                    first.order_is_the_files = true;
                    let other = [both.0, both.1].concat();
                    let at = order.iter().zip(&other).position(|(one, other)| one != other);
                    let name = |order: &[usize]| {
                        let at = at.expect("another order was tried");
                        match at.checked_sub(layers.convolutions.len()) {
                            None => layers.convolutions[order[at]].name.clone(),
                            Some(_) => layers.norms[order[at]].name.clone(),
                        }
                    };
                    if !ordered {
                        return Err(RecogniseError::Order { one: name(order), other: name(&other) });
                    }
                }
            },
            Err(refused) if furthest.as_ref().is_none_or(|best| refused.progress > best.progress) => {
                furthest = Some(refused);
            }
            Err(_) => {}
        }
    }
    match (found, furthest) {
        (Some((structure, _)), _) => Ok(structure),
        (None, Some(Refused { layer, expected, .. })) => Err(RecogniseError::departs(weights, &layer, &expected)),
        (None, None) => unreachable!("at least one order is tried"),
    }
}

/// Puts layers in one order into their places.
fn fit(layers: &Layers, convolutions: &[usize], norms: &[usize]) -> Result<Structure, Refused> {
    let convolutions: Vec<&Convolution> = convolutions.iter().map(|&index| &layers.convolutions[index]).collect();
    let norms: Vec<&Norm> = norms.iter().map(|&index| &layers.norms[index]).collect();
    let (join, placed) = match arrange(&convolutions, Join::Add) {
        Ok(placed) => (Join::Add, placed),
        Err(misfit) => match arrange(&convolutions, Join::Concat) {
            Ok(placed) => (Join::Concat, placed),
            Err(other) if other.at > misfit.at => return Err(refused(&convolutions, 0, other)),
            Err(_) => return Err(refused(&convolutions, 0, misfit)),
        },
    };
    let names: Vec<&str> = convolutions.iter().map(|convolution| convolution.name.as_str()).collect();
    let paths: Vec<_> = names.iter().map(|name| path(name)).collect();
    let numbering = numbering::read(&names, &paths, &placed)
        .map_err(|misfit| refused(&convolutions, convolutions.len(), misfit))?;
    check_norms(&norms, &placed).map_err(|(at, layer, expected)| Refused {
        progress: 2 * convolutions.len() + at,
        layer,
        expected,
    })?;
    let stages = placed.iter().enumerate().map(|(at, &placed)| Stage {
        placed,
        convolution: convolutions[at].clone(),
        norm: norms.get(at).copied().cloned(),
    });
    Ok(Structure { stages: stages.collect(), join, numbering, order_is_the_files: false })
}

fn refused(convolutions: &[&Convolution], before: usize, Misfit { at, expected }: Misfit) -> Refused {
    let layer = match (convolutions.get(at), convolutions.last()) {
        (Some(convolution), _) => convolution.name.clone(),
        (None, Some(last)) => format!("{} (the last convolution)", last.name),
        (None, None) => "the beginning".into(),
    };
    let expected = if at < convolutions.len() { expected } else { format!("after it, {expected}") };
    Refused { progress: before + at, layer, expected }
}

/// Norms are stored alike behind every convolution, with or without the last, or not at all.
fn check_norms(norms: &[&Norm], placed: &[Placed]) -> Result<(), (usize, String, String)> {
    let Some(first) = norms.first() else { return Ok(()) };
    for (at, (norm, placed)) in norms.iter().zip(placed).enumerate() {
        let stores = |norm: &Norm| (norm.affine.is_some(), norm.statistics.is_some());
        if norm.channels != placed.to {
            return Err((
                at,
                norm.name.clone(),
                format!("the norm of {} channels behind convolution {}", placed.to, at + 1),
            ));
        }
        if stores(norm) != stores(first) {
            return Err((at, norm.name.clone(), format!("a norm that stores what `{}` does", first.name)));
        }
    }
    if norms.len() == placed.len() || norms.len() + 1 == placed.len() {
        return Ok(());
    }
    let at = norms.len().min(placed.len());
    let expected = format!(
        "{} norms, one behind every convolution but the last (or {}); there are {}",
        placed.len() - 1,
        placed.len(),
        norms.len()
    );
    Err((at, norms[at - 1].name.clone(), expected))
}
