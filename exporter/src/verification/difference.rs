//! How far two lists of numbers are apart.

use models::pixels::Scale;
use serde::Serialize;

/// Two outputs of the same input, where black is -1 and white is 1 whatever the network's numbers for them are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Difference {
    /// Largest absolute difference; infinite where one side gives no number, or another count of them.
    pub largest: f32,
    /// Mean absolute difference.
    pub mean: f32,
    /// All but one in a thousand differ by no more than this.
    pub p999: f32,
    /// Share of 8-bit values that are not the same.
    pub changed: f64,
    /// The most that an 8-bit value changes by, of 255.
    pub levels: u16,
}

impl Difference {
    /// Of what was found from what was expected, in a network's numbers.
    pub fn of(found: &[f32], expected: &[f32], scale: Scale) -> Self {
        if found.len() != expected.len() || found.is_empty() {
            return Self {
                largest: f32::INFINITY,
                mean: f32::INFINITY,
                p999: f32::INFINITY,
                changed: 1.0,
                levels: 255,
            };
        }
        let stretch = scale.stretch();
        let mut apart: Vec<f32> =
            found.iter().zip(expected).map(|(&found, &expected)| stretch * distance(found, expected)).collect();
        let count = apart.len();
        let levels =
            found.iter().zip(expected).map(|(&one, &other)| scale.to_picture(one).abs_diff(scale.to_picture(other)));
        let changed = levels.clone().filter(|&levels| levels > 0).count();
        let mean = apart.iter().map(|&difference| f64::from(difference)).sum::<f64>() / count as f64;
        let (_, p999, _) = apart.select_nth_unstable_by((count - 1) - (count - 1) / 1000, f32::total_cmp);
        let p999 = *p999;
        Self {
            largest: apart.iter().copied().fold(0.0, f32::max),
            mean: mean as f32,
            p999,
            changed: changed as f64 / count as f64,
            levels: levels.max().unwrap_or(0),
        }
    }
}

/// A NaN is a difference beyond all others, also from another.
pub(super) fn distance(found: f32, expected: f32) -> f32 {
    let difference = (found - expected).abs();
    match difference.is_nan() {
        true if found == expected => 0.0, // both infinite
        true => f32::INFINITY,
        false => difference,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_large_differences_are_the_largest_but_not_the_999_thousandths() {
        let expected = vec![0.0; 2000];
        let mut found = vec![1e-6; 2000];
        found[7] = 0.5;
        let difference = Difference::of(&found, &expected, Scale::USUAL);
        assert_eq!((difference.largest, difference.p999), (0.5, 1e-6));
        assert_eq!((difference.changed, difference.levels), (1.0 / 2000.0, 63)); // 127.5 rounds up, 191.25 down
        assert!((difference.mean - 0.5 / 2000.0).abs() < 2e-6);
        found[8] = 0.5;
        found[9] = 0.5;
        assert_eq!(
            Difference::of(&found, &expected, Scale::USUAL).p999,
            0.5,
            "three of 2000 are more than one in a thousand"
        );
        assert_eq!(Difference::of(&expected, &expected, Scale::USUAL), Difference::default());
    }

    #[test]
    fn differences_are_of_the_way_from_black_to_white() {
        for range in [[0.0, 1.0], [0.0, 255.0], [1.0, 0.0]] {
            let scale = Scale::new(range, 255);
            let usual = Difference::of(&[0.5, 0.0], &[0.25, 0.0], Scale::USUAL);
            let [found, expected] =
                [[0.5, 0.0], [0.25, 0.0]].map(|numbers| numbers.map(|number| scale.of_usual(number)));
            let here = Difference::of(&found, &expected, scale);
            assert!((here.largest - usual.largest).abs() < 1e-5, "{range:?}: {here:?}");
            assert_eq!((here.changed, here.levels), (usual.changed, usual.levels), "{range:?}");
        }
    }

    #[test]
    fn what_is_no_number_or_of_another_count_is_never_the_same() {
        for (found, expected) in
            [(&[f32::NAN][..], &[f32::NAN][..]), (&[0.0], &[f32::NAN]), (&[0.0, 0.0], &[0.0]), (&[], &[])]
        {
            assert_eq!(Difference::of(found, expected, Scale::USUAL).largest, f32::INFINITY, "{found:?} {expected:?}");
        }
    }
}
