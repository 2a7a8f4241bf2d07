//! How near translations come to the truth, where the two test sides show the same motifs under the same names.

use std::collections::BTreeMap;

use models_torch::Module;
use pictures::{Picture, resize};
use serde::{Deserialize, Serialize};
use tch::Device;

use crate::data::{Pictures, Split};
use crate::sheet::{to_picture, to_tensor, translate};

/// Pairs that are measured at most, evenly from all: a measurement should not take longer than the steps between two.
const MOST_PAIRS: usize = 128;

/// Means over all pairs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Likeness {
    /// Mean absolute difference, in [0, 255].
    pub(crate) l1: f64,
    /// Peak signal-to-noise ratio in decibels.
    pub(crate) psnr: f64,
    /// Structural similarity.
    pub(crate) ssim: f64,
}

/// Both directions over all pairs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Evaluation {
    /// Pairs that were compared.
    pub(crate) pairs: usize,
    /// A to B against B.
    pub(crate) a_to_b: Likeness,
    /// B to A against A.
    pub(crate) b_to_a: Likeness,
    /// A against B: what doing nothing gives.
    pub(crate) untranslated: Likeness,
}

impl Evaluation {
    /// By what evaluations are compared: the mean L1 of both directions.
    pub(crate) fn l1(&self) -> f64 {
        (self.a_to_b.l1 + self.b_to_a.l1) / 2.0
    }
}

/// The evaluation with the least L1 so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Best {
    /// After so many updates.
    pub(crate) step: u64,
    /// Its mean L1 of both directions.
    pub(crate) l1: f64,
}

/// Pictures of the test sides that show the same, at the training size.
#[derive(Debug)]
pub(crate) struct Pairs {
    pairs: Vec<[Picture; 2]>,
    device: Device,
}

impl Pairs {
    /// Reads the pairs of a test split; none where no names match.
    pub(crate) fn read(test: &Split, size: usize, device: Device) -> Option<Self> {
        let [a, b] = test;
        let by_name =
            |side: &Pictures| (0..side.len()).map(|index| (side.name(index), index)).collect::<BTreeMap<_, _>>();
        let names_b = by_name(b);
        let both = by_name(a).into_iter().filter_map(|(name, index)| Some([index, *names_b.get(&name)?]));
        let both: Vec<[usize; 2]> = both.collect();
        let every = both.len().div_ceil(MOST_PAIRS).max(1);
        let read = |side: &Pictures, index| {
            let picture = side.read(index, size as u32).ok()?;
            Some(resize(&picture, size as u32, size as u32))
        };
        let pairs = both.into_iter().step_by(every).filter_map(|[in_a, in_b]| Some([read(a, in_a)?, read(b, in_b)?]));
        let pairs: Vec<_> = pairs.collect();
        (!pairs.is_empty()).then_some(Self { pairs, device })
    }

    /// Translates all of them.
    pub(crate) fn evaluate(&self, [g_ab, g_ba]: [&Module; 2]) -> anyhow::Result<Evaluation> {
        let mut sums = [Likeness::default(); 3];
        for [a, b] in &self.pairs {
            let (to_b, to_a) = (self.translated(g_ab, a)?, self.translated(g_ba, b)?);
            for (sum, (picture, truth)) in sums.iter_mut().zip([(&to_b, b), (&to_a, a), (a, b)]) {
                sum.l1 += pictures::mean_l1(picture, truth)?;
                sum.psnr += pictures::psnr(picture, truth)?;
                sum.ssim += pictures::ssim(picture, truth)?.unwrap_or(0.0); // --size is never below the window
            }
        }
        let pairs = self.pairs.len();
        let mean = |sum: Likeness| {
            let n = pairs as f64;
            Likeness { l1: sum.l1 / n, psnr: sum.psnr / n, ssim: sum.ssim / n }
        };
        let [a_to_b, b_to_a, untranslated] = sums.map(mean);
        Ok(Evaluation { pairs, a_to_b, b_to_a, untranslated })
    }

    fn translated(&self, generator: &Module, picture: &Picture) -> anyhow::Result<Picture> {
        let translated = translate(generator, &to_tensor(picture, self.device)?)?;
        Ok(to_picture(&translated, picture.dimensions())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DataSet;
    use models::families::{Family, GeneratorOptions};

    #[test]
    fn pairs_are_measured_in_both_directions() {
        let data = DataSet::stripes(1);
        let test = data.test.as_ref().expect("it has one");
        let pairs = Pairs::read(test, 32, Device::Cpu).expect("the same scenes on both sides");
        let network = Family::Paper.generator(GeneratorOptions::sized(2, 1));
        let mut random = crate::random::generator(1, crate::random::Purpose::Weights, [0, 0]);
        let module = Module::initialise(network, &mut random, Device::Cpu).expect("small");
        let found = pairs.evaluate([&module, &module]).expect("they fit");
        assert_eq!(found.pairs, 24);
        assert!(
            found.untranslated.l1 > 5.0 && found.a_to_b.l1 > found.untranslated.l1,
            "{found:?}: an untrained network"
        );
        assert!(
            found.untranslated.ssim > found.a_to_b.ssim && found.untranslated.psnr > found.a_to_b.psnr,
            "{found:?}"
        );
        assert!((found.l1() - (found.a_to_b.l1 + found.b_to_a.l1) / 2.0).abs() < 1e-12);
        assert!(Pairs::read(&data.train, 32, Device::Cpu).is_none(), "training sides show different scenes");
    }
}
