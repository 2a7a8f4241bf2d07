//! The small linear maps of Winograd's minimal filtering: of inputs, weights and sums, in one dimension.
//!
//! Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016). `F(4×4, 3×3)` interpolates at 0, ±1, ±2 and
//! infinity, `F(6×6, 3×3)` at ±½ too, `F(4×4, 2×2)` at 0, ±1, 2 and infinity.

use crate::raw::Vector;

/// Tiles of `SIDE` × `SIDE` outputs, by products at `POINTS` × `POINTS` points.
pub(crate) trait Tile<const POINTS: usize, const SIDE: usize> {
    /// From weights to the points; in 64 bits, since it is done once.
    const WEIGHTS: [&'static [f64]; POINTS];

    /// From inputs to the points.
    fn input<V: Vector>(inputs: [V; POINTS]) -> [V; POINTS];

    /// From the points to outputs.
    fn output<V: Vector>(sums: [V; POINTS]) -> [V; SIDE];
}

/// `F(4×4, 3×3)`: 2.25 multiplications an output instead of 9.
pub(crate) struct Four;

impl Tile<6, 4> for Four {
    const WEIGHTS: [&'static [f64]; 6] = [
        &[1.0 / 4.0, 0.0, 0.0],
        &[-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
        &[-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
        &[1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
        &[1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
        &[0.0, 0.0, 1.0],
    ];

    #[inline(always)]
    fn input<V: Vector>([a, b, c, d, e, f]: [V; 6]) -> [V; 6] {
        let [four, minus_four, minus_five] = [V::splat(4.0), V::splat(-4.0), V::splat(-5.0)];
        let one = [c.mul_add(minus_four, e), b.mul_add(minus_four, d)];
        let difference = d.sub(b);
        let two = [e.sub(c), difference.add(difference)];
        [
            a.mul_add(four, c.mul_add(minus_five, e)),
            one[0].add(one[1]),
            one[0].sub(one[1]),
            two[0].add(two[1]),
            two[0].sub(two[1]),
            b.mul_add(four, d.mul_add(minus_five, f)),
        ]
    }

    #[inline(always)]
    fn output<V: Vector>([a, b, c, d, e, f]: [V; 6]) -> [V; 4] {
        let [two, four, eight] = [V::splat(2.0), V::splat(4.0), V::splat(8.0)];
        let (one, two_) = ([b.add(c), b.sub(c)], [d.add(e), d.sub(e)]);
        [
            a.add(one[0]).add(two_[0]),
            two_[1].mul_add(two, one[1]),
            two_[0].mul_add(four, one[0]),
            two_[1].mul_add(eight, one[1]).add(f),
        ]
    }
}

/// `F(6×6, 3×3)`: 1.78 multiplications an output, and twice the rounding error.
pub(crate) struct Six;

impl Tile<8, 6> for Six {
    const WEIGHTS: [&'static [f64]; 8] = [
        &[1.0, 0.0, 0.0],
        &[-2.0 / 9.0, -2.0 / 9.0, -2.0 / 9.0],
        &[-2.0 / 9.0, 2.0 / 9.0, -2.0 / 9.0],
        &[1.0 / 90.0, 1.0 / 45.0, 2.0 / 45.0],
        &[1.0 / 90.0, -1.0 / 45.0, 2.0 / 45.0],
        &[32.0 / 45.0, 16.0 / 45.0, 8.0 / 45.0],
        &[32.0 / 45.0, -16.0 / 45.0, 8.0 / 45.0],
        &[0.0, 0.0, 1.0],
    ];

    #[inline(always)]
    fn input<V: Vector>([a, b, c, d, e, f, g, h]: [V; 8]) -> [V; 8] {
        let (two, half, minus_five_halves) = (V::splat(2.0), V::splat(0.5), V::splat(-2.5));
        let (four, minus_five) = (V::splat(4.0), V::splat(-5.0));
        let (quarter, minus_five_quarters) = (V::splat(0.25), V::splat(-1.25));
        let (five_and_quarter, minus_four_and_quarter) = (V::splat(5.25), V::splat(-4.25));
        let one = [e.mul_add(minus_four_and_quarter, c.add(g)), d.mul_add(minus_four_and_quarter, b.add(f))];
        let odd = d.mul(minus_five_halves);
        let twos = [c.mul_add(quarter, e.mul_add(minus_five_quarters, g)), b.mul_add(half, f.mul_add(two, odd))];
        let halves = [c.mul_add(four, e.mul_add(minus_five, g)), b.mul_add(two, f.mul_add(half, odd))];
        [
            e.sub(c).mul_add(five_and_quarter, a.sub(g)),
            one[0].add(one[1]),
            one[0].sub(one[1]),
            twos[0].add(twos[1]),
            twos[0].sub(twos[1]),
            halves[0].add(halves[1]),
            halves[0].sub(halves[1]),
            d.sub(f).mul_add(five_and_quarter, h.sub(b)),
        ]
    }

    #[inline(always)]
    fn output<V: Vector>([a, b, c, d, e, f, g, h]: [V; 8]) -> [V; 6] {
        let sums = [b.add(c), d.add(e), f.add(g)];
        let differences = [b.sub(c), d.sub(e), f.sub(g)];
        let mut outputs = [a.add(sums[0]).add(sums[1]).add(sums[2]); 6];
        for (power, output) in outputs.iter_mut().enumerate().skip(1) {
            let [one, two, half] = if power % 2 == 0 { sums } else { differences };
            let factor = V::splat((1 << power) as f32);
            let inverse = V::splat(1.0 / (1 << power) as f32);
            *output = half.mul_add(inverse, two.mul_add(factor, one));
        }
        outputs[5] = outputs[5].add(h);
        outputs
    }
}

/// `F(4×4, 2×2)`: 1.56 multiplications an output instead of 4.
pub(crate) struct Two;

impl Tile<5, 4> for Two {
    const WEIGHTS: [&'static [f64]; 5] =
        [&[1.0 / 2.0, 0.0], &[-1.0 / 2.0, -1.0 / 2.0], &[-1.0 / 6.0, 1.0 / 6.0], &[1.0 / 6.0, 1.0 / 3.0], &[0.0, 1.0]];

    #[inline(always)]
    fn input<V: Vector>([a, b, c, d, e]: [V; 5]) -> [V; 5] {
        let [two, minus_two] = [V::splat(2.0), V::splat(-2.0)];
        let [odd, even] = [d.sub(b), d.sub(c)];
        [
            a.sub(c).mul_add(two, odd),
            b.mul_add(minus_two, even),
            b.sub(c).mul_add(two, even),
            odd,
            odd.mul_add(minus_two, e.sub(c)),
        ]
    }

    #[inline(always)]
    fn output<V: Vector>([a, b, c, d, e]: [V; 5]) -> [V; 4] {
        let [two, four, eight] = [V::splat(2.0), V::splat(4.0), V::splat(8.0)];
        let [sum, difference] = [b.add(c), b.sub(c)];
        [a.add(sum).add(d), d.mul_add(two, difference), d.mul_add(four, sum), d.mul_add(eight, difference).add(e)]
    }
}

/// `F(4×4, 1×1)`: the products themselves.
pub(crate) struct One;

impl Tile<4, 4> for One {
    const WEIGHTS: [&'static [f64]; 4] = [&[1.0]; 4];

    #[inline(always)]
    fn input<V: Vector>(inputs: [V; 4]) -> [V; 4] {
        inputs
    }

    #[inline(always)]
    fn output<V: Vector>(sums: [V; 4]) -> [V; 4] {
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::{Machine, Work, dispatch};

    /// Weights over a row, by the tile's maps.
    struct Row<'a, T, const POINTS: usize, const SIDE: usize>(&'a mut [f32], std::marker::PhantomData<T>);

    const ROW: [f32; 8] = [3.0, -1.0, 4.0, 1.0, -5.0, 9.0, 2.0, -6.0];
    const KERNEL: [f64; 3] = [2.0, -7.0, 1.0];

    impl<T: Tile<POINTS, SIDE>, const POINTS: usize, const SIDE: usize> Work for Row<'_, T, POINTS, SIDE> {
        type Output = ();

        fn run<V: Vector>(self) {
            let points = T::input::<V>(std::array::from_fn(|place| V::splat(ROW[place])));
            let weights =
                T::WEIGHTS.map(|map| map.iter().zip(KERNEL).map(|(map, weight)| map * weight).sum::<f64>() as f32);
            let sums = std::array::from_fn(|point| points[point].mul(V::splat(weights[point])));
            for (place, output) in T::output(sums).into_iter().enumerate() {
                let mut lanes = vec![0.0; V::LANES];
                output.store(&mut lanes);
                self.0[place] = lanes[V::LANES - 1];
            }
        }
    }

    fn check<T: Tile<POINTS, SIDE>, const POINTS: usize, const SIDE: usize>() {
        // The long way.
        let kernel = &KERNEL[..=POINTS - SIDE];
        let sum = |inputs: &[f32]| inputs.iter().zip(kernel).map(|(input, weight)| input * *weight as f32).sum::<f32>();
        let expected: Vec<f32> = ROW.windows(kernel.len()).map(sum).take(SIDE).collect();
        for machine in Machine::all() {
            let mut found = [0.0; SIDE];
            dispatch(machine, Row::<T, POINTS, SIDE>(&mut found, std::marker::PhantomData));
            for (one, other) in found.iter().zip(&expected) {
                assert!((one - other).abs() < 1e-4, "{machine:?}: {found:?} for {expected:?}");
            }
        }
    }

    #[test]
    fn a_tile_is_what_its_weights_give() {
        check::<Four, 6, 4>();
        check::<Six, 8, 6>();
        check::<Two, 5, 4>();
        check::<One, 4, 4>();
    }
}
