//! Known ways in which a run goes wrong, each said once, with what to do.

use std::collections::BTreeSet;

use pictures::Picture;
use serde::{Deserialize, Serialize};

use crate::metrics::Means;

/// Steps before pictures are judged: early on every generator ignores its input.
const FROM_STEP: u64 = 500;
/// Steps that a discriminator has to win throughout. They win now and then in every run.
const LONG: u64 = 1000;
/// A discriminator's loss when it tells real from fake without effort; undecided it is 0.25.
const WON: f64 = 0.02;
/// What its generator's loss is then: each of its pictures is judged as fake; undecided it is 0.25.
const BEATEN: f64 = 0.9;
/// Correlation of brightness before and after, over all pixels. Where a translation keeps the scene it is near 1.
const INVERTED: f64 = -0.3;
/// Contrast of the output as a share of the input's, below which a correlation says nothing.
const LEAST_CONTRAST: f64 = 0.1;
/// Mean difference of output and input in [0, 255] below which nothing was translated.
const SAME: f64 = 2.0;
/// Differences among outputs as a share of those among inputs, below which the input does not matter.
const IGNORED: f64 = 0.1;

/// A way to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    ColourInversion,
    DiscriminatorHasWon,
    ReturnsItsInput,
    IgnoresItsInput,
}

/// What is said of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Warning {
    pub(crate) kind: Kind,
    pub(crate) message: String,
}

/// What was seen so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Guards {
    warned: BTreeSet<Kind>,
    /// Since which step the discriminators of A and B have won, in every line.
    winning_since: [Option<u64>; 2],
}

impl Guards {
    /// Looks at the means since the line before.
    pub(crate) fn losses(&mut self, step: u64, means: &Means) -> Option<Warning> {
        let mut longest = None;
        for (side, (d, adv)) in [("d_a", "adv_ba"), ("d_b", "adv_ab")].into_iter().enumerate() {
            let wins = means.get(d) < WON && means.get(adv) > BEATEN;
            let since = &mut self.winning_since[side];
            *since = if wins { since.or(Some(step)) } else { None };
            if since.is_some_and(|since| step - since >= LONG) {
                longest = longest.or(Some(d));
            }
        }
        let discriminator = longest?;
        self.warn(Kind::DiscriminatorHasWon, || {
            format!(
                "{discriminator} has told real pictures from fakes without fail for {LONG} steps, so that its generator learns \
                 nothing from it. Start again with another --seed, a lower --rate, or the other preset; more pictures help most"
            )
        })
    }

    /// Looks at real pictures with their translations, in one direction: `g_ab` or `g_ba`.
    pub(crate) fn pictures(&mut self, step: u64, generator: &str, pairs: &[(Picture, Picture)]) -> Vec<Warning> {
        if step < FROM_STEP || pairs.is_empty() {
            return Vec::new();
        }
        let (inputs, outputs): (Vec<_>, Vec<_>) =
            pairs.iter().map(|(input, output)| (input.as_raw().as_slice(), output.as_raw().as_slice())).unzip();
        let unchanged = inputs.iter().zip(&outputs).all(|(input, output)| distance(input, output) < SAME);
        let warnings = [
            (brightness_correlation(pairs) < INVERTED).then(|| {
                self.warn(Kind::ColourInversion, || {
                    format!(
                        "{generator} makes dark what is light and light what is dark. Unless that is the translation you want: start \
                         again with another --seed or a higher --identity-weight, which ties colours to the input's"
                    )
                })
            }),
            unchanged.then(|| {
                self.warn(Kind::ReturnsItsInput, || {
                    format!(
                        "{generator} gives its input back. Lower --identity-weight (0 switches it off) or --cycle-weight, or train \
                         longer"
                    )
                })
            }),
            (variety(&outputs) < IGNORED * variety(&inputs)).then(|| {
                self.warn(Kind::IgnoresItsInput, || {
                    format!(
                        "{generator} makes nearly the same of every picture. Raise --cycle-weight or --identity-weight, or start again \
                         with another --seed; where the run has only begun, wait for the next sample sheets"
                    )
                })
            }),
        ];
        warnings.into_iter().flatten().flatten().collect()
    }

    fn warn(&mut self, kind: Kind, message: impl FnOnce() -> String) -> Option<Warning> {
        self.warned.insert(kind).then(|| Warning { kind, message: message() })
    }
}

/// Mean absolute difference.
fn distance(one: &[u8], other: &[u8]) -> f64 {
    let sum: u64 = one.iter().zip(other).map(|(&a, &b)| u64::from(a.abs_diff(b))).sum();
    sum as f64 / one.len().max(1) as f64
}

/// Mean difference of neighbours in a list of pictures of one size. Of a single picture it is nothing, and judges nothing.
fn variety(pictures: &[&[u8]]) -> f64 {
    let distances: Vec<f64> = pictures.windows(2).map(|pair| distance(pair[0], pair[1])).collect();
    distances.iter().sum::<f64>() / distances.len().max(1) as f64
}

/// Pearson's correlation of input's and output's luminance over all pixels; 0 where the output is flat.
fn brightness_correlation(pairs: &[(Picture, Picture)]) -> f64 {
    let luminance = |[r, g, b]: [u8; 3]| 0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b);
    let points = || {
        let pixels = pairs.iter().flat_map(|(input, output)| input.pixels().zip(output.pixels()));
        pixels.map(|(input, output)| [luminance(input.0), luminance(output.0)])
    };
    let count = points().count().max(1) as f64;
    let mean = |f: &dyn Fn([f64; 2]) -> f64| points().map(f).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(&|[x, _]| x), mean(&|[_, y]| y));
    let (dx, dy) = (mean(&|[x, _]| (x - mean_x).powi(2)).sqrt(), mean(&|[_, y]| (y - mean_y).powi(2)).sqrt());
    if dx == 0.0 || dy < LEAST_CONTRAST * dx {
        return 0.0;
    }
    mean(&|[x, y]| (x - mean_x) * (y - mean_y)) / (dx * dy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(number: u32) -> Picture {
        Picture::from_fn(16, 16, |x, y| [(x * 15) as u8, (y * 13 + number * 7) as u8, (number * 40) as u8].into())
    }

    fn kinds(step: u64, translate: impl Fn(&Picture) -> Picture) -> Vec<Kind> {
        let pairs: Vec<_> = (0..4).map(|number| (scene(number), translate(&scene(number)))).collect();
        Guards::default().pictures(step, "g_ab", &pairs).into_iter().map(|warning| warning.kind).collect()
    }

    fn each_byte(picture: &Picture, f: impl Fn(u8) -> u8) -> Picture {
        let mut changed = picture.clone();
        changed.iter_mut().for_each(|byte| *byte = f(*byte));
        changed
    }

    #[test]
    fn each_failure_is_told_from_a_fair_translation() {
        let fair = |picture: &Picture| each_byte(picture, |byte| byte / 2 + 60);
        assert_eq!(kinds(500, fair), []);
        assert_eq!(kinds(500, |picture| each_byte(picture, |byte| 255 - byte)), [Kind::ColourInversion]);
        assert_eq!(kinds(500, |picture| each_byte(picture, |byte| byte ^ 1)), [Kind::ReturnsItsInput]);
        assert_eq!(kinds(500, |_| scene(9)), [Kind::IgnoresItsInput]);
        assert_eq!(kinds(500, |_| Picture::new(16, 16)), [Kind::IgnoresItsInput], "and a flat one inverts nothing");
        assert_eq!(kinds(499, |_| scene(9)), [], "too early to say");
    }

    #[test]
    fn a_single_picture_is_not_said_to_be_ignored() {
        let pair = [(scene(1), each_byte(&scene(1), |byte| byte / 2 + 60))];
        assert_eq!(Guards::default().pictures(1000, "g_ab", &pair), []);
    }

    #[test]
    fn a_discriminator_that_wins_throughout_is_named_once() {
        let means = |d: f64, adv: f64| Means::of([adv, 0.25, 0.1, 0.1, 0.1, 0.1, 0.25, d]);
        let mut guards = Guards::default();
        for step in (0..1000).step_by(50) {
            assert_eq!(guards.losses(step, &means(0.001, 0.99)), None, "step {step}");
        }
        let mut interrupted = guards.clone();
        let warning = guards.losses(1000, &means(0.001, 0.99)).expect("1000 steps");
        assert_eq!(warning.kind, Kind::DiscriminatorHasWon);
        assert!(
            warning.message.starts_with("d_b has told") && warning.message.contains("--rate"),
            "{}",
            warning.message
        );
        assert_eq!(guards.losses(1050, &means(0.001, 0.99)), None, "once");
        assert_eq!(interrupted.losses(1000, &means(0.2, 0.4)), None);
        assert_eq!(interrupted.losses(1050, &means(0.001, 0.99)), None, "it counts from the start again");
    }

    #[test]
    fn what_was_said_is_not_said_again_after_a_resume() {
        let mut guards = Guards::default();
        let pairs = [(scene(1), scene(1)), (scene(2), scene(2))];
        assert_eq!(guards.pictures(500, "g_ab", &pairs).len(), 1);
        let json = serde_json::to_string(&guards).expect("plain values");
        let mut resumed: Guards = serde_json::from_str(&json).expect("its own");
        assert_eq!(resumed.pictures(1000, "g_ba", &pairs), []);
    }
}
