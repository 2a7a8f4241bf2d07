//! The error of translations against the truth, where the two test sides show the same motifs under the same names.

use std::collections::BTreeMap;

use models_torch::Module;
use pictures::{mean_l1, resize};
use serde::Serialize;
use tch::Device;

use crate::data::{Pictures, Split};
use crate::objective::Networks;
use crate::sheet::{to_picture, to_tensor, translate};

/// Mean absolute difference to the truth, in [0, 255].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct PairedError {
    /// Of the untranslated picture: what doing nothing gives.
    pub(crate) before: f64,
    /// Of the translation.
    pub(crate) after: f64,
}

/// Both directions over all pairs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Evaluation {
    /// Pairs that were compared.
    pub(crate) pairs: usize,
    /// A to B.
    pub(crate) a_to_b: PairedError,
    /// B to A.
    pub(crate) b_to_a: PairedError,
}

/// Translates every test picture that has a namesake on the other side, at the training size; none without pairs.
pub(crate) fn evaluate(
    networks: &Networks,
    test: &Split,
    size: usize,
    device: Device,
) -> anyhow::Result<Option<Evaluation>> {
    let [a, b] = test;
    let by_name = |side: &Pictures| (0..side.len()).map(|index| (side.name(index), index)).collect::<BTreeMap<_, _>>();
    let names_b = by_name(b);
    let mut errors = [[0.0; 2]; 2];
    let mut pairs = 0;
    for (name, index_a) in by_name(a) {
        let Some(&index_b) = names_b.get(&name) else { continue };
        let read = |side: &Pictures, index| {
            side.read(index, size as u32).map(|picture| resize(&picture, size as u32, size as u32))
        };
        let (Ok(picture_a), Ok(picture_b)) = (read(a, index_a), read(b, index_b)) else { continue };
        let directions = [(&networks.g_ab, &picture_a, &picture_b), (&networks.g_ba, &picture_b, &picture_a)];
        for ((generator, from, truth), [before, after]) in directions.into_iter().zip(&mut errors) {
            *before += mean_l1(from, truth)?;
            *after += translated_error(generator, from, truth, device)?;
        }
        pairs += 1;
    }
    let mean = |[before, after]: [f64; 2]| PairedError { before: before / pairs as f64, after: after / pairs as f64 };
    Ok((pairs > 0).then(|| Evaluation { pairs, a_to_b: mean(errors[0]), b_to_a: mean(errors[1]) }))
}

fn translated_error(
    generator: &Module,
    from: &pictures::Picture,
    truth: &pictures::Picture,
    device: Device,
) -> anyhow::Result<f64> {
    let translated = translate(generator, &to_tensor(from, device)?)?;
    Ok(mean_l1(&to_picture(&translated, from.dimensions())?, truth)?)
}
