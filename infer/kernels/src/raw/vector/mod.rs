//! Vectors of 32-bit floats: those of AVX-512, of AVX2 with FMA, and of any processor.

#[cfg(target_arch = "x86_64")]
mod x86;

/// What a processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// Nothing that is asked for.
    Portable,
    /// Eight numbers at once, multiplied and added in one step.
    #[cfg(target_arch = "x86_64")]
    Avx2(Proof),
    /// Sixteen of them.
    #[cfg(target_arch = "x86_64")]
    Avx512(Proof),
}

/// That the processor was asked. Only this module can make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof(());

impl Machine {
    /// The best of this one.
    pub fn detect() -> Self {
        Self::all().pop().unwrap_or(Self::Portable)
    }

    /// All that this one has, the best last.
    pub fn all() -> Vec<Self> {
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut, reason = "there is only one"))]
        let mut all = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            let has_avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if has_avx2 {
                all.push(Self::Avx2(Proof(())));
            }
            if has_avx2 && is_x86_feature_detected!("avx512f") {
                all.push(Self::Avx512(Proof(())));
            }
        }
        all
    }

    /// Outputs that its products compute together: [`Vector::ROWS`].
    pub(crate) fn rows(self) -> usize {
        match self {
            Self::Portable => Portable::ROWS,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => x86::Avx2::ROWS,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => x86::Avx512::ROWS,
        }
    }

    /// Numbers of its vectors: [`Vector::LANES`].
    pub(crate) fn lanes(self) -> usize {
        match self {
            Self::Portable => Portable::LANES,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => x86::Avx2::LANES,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => x86::Avx512::LANES,
        }
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => "AVX-512",
        }
    }
}

/// So many numbers at once.
pub(crate) trait Vector: Copy {
    /// How many.
    const LANES: usize;
    /// Rows of a product that fit into registers together, beside two vectors of columns.
    const ROWS: usize;

    /// The same number everywhere.
    fn splat(number: f32) -> Self;
    /// The first numbers of a slice, which must have as many.
    fn load(from: &[f32]) -> Self;
    /// Into the first numbers of a slice, which must have as many.
    fn store(self, to: &mut [f32]);
    /// The sum.
    fn add(self, other: Self) -> Self;
    /// The difference.
    fn sub(self, other: Self) -> Self;
    /// The product.
    fn mul(self, other: Self) -> Self;
    /// `self × factor + term`.
    fn mul_add(self, factor: Self, term: Self) -> Self;
    /// Those that are not below zero, and zero for the others; NaN stays.
    fn relu(self) -> Self;
    /// Four times as many numbers as lanes, every fourth of them in one vector; the slice must have as many.
    fn load_fourths(from: &[f32]) -> [Self; 4];
    /// The reverse.
    fn store_fourths(fourths: [Self; 4], to: &mut [f32]);
    /// Says that these numbers are read or written soon, where a processor can be told.
    #[inline(always)]
    fn prefetch(_: &[f32]) {}
}

/// Something that is compiled for each machine. What it calls must be inlined into it.
pub(crate) trait Work {
    /// What comes of it.
    type Output;

    /// Does it, with the machine's vectors.
    fn run<V: Vector>(self) -> Self::Output;
}

/// Does the work with the vectors of a machine.
pub(crate) fn dispatch<W: Work>(machine: Machine, work: W) -> W::Output {
    match machine {
        Machine::Portable => work.run::<Portable>(),
        // SAFETY: only `Machine::all` makes a proof, where the processor says that it has these instructions.
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "a function for some processors")]
        Machine::Avx2(_) => unsafe { x86::with_avx2(work) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "a function for some processors")]
        Machine::Avx512(_) => unsafe { x86::with_avx512(work) },
    }
}

const EIGHT: usize = 8;

#[derive(Clone, Copy)]
struct Portable([f32; EIGHT]);

impl Portable {
    #[inline(always)]
    fn of(number: impl Fn(usize) -> f32) -> Self {
        Self(std::array::from_fn(number))
    }
}

impl Vector for Portable {
    const LANES: usize = EIGHT;
    const ROWS: usize = 6;

    #[inline(always)]
    fn splat(number: f32) -> Self {
        Self([number; EIGHT])
    }

    #[inline(always)]
    fn load(from: &[f32]) -> Self {
        Self(*from.first_chunk().expect("as many as lanes"))
    }

    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        *to.first_chunk_mut().expect("as many as lanes") = self.0;
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self::of(|lane| self.0[lane] + other.0[lane])
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self::of(|lane| self.0[lane] - other.0[lane])
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self::of(|lane| self.0[lane] * other.0[lane])
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        // Not `f32::mul_add`: without an instruction for it that is a call, and a slow one.
        Self::of(|lane| self.0[lane] * factor.0[lane] + term.0[lane])
    }

    #[inline(always)]
    fn relu(self) -> Self {
        Self::of(|lane| if self.0[lane] < 0.0 { 0.0 } else { self.0[lane] })
    }

    #[inline(always)]
    fn load_fourths(from: &[f32]) -> [Self; 4] {
        let from = &from[..4 * EIGHT];
        std::array::from_fn(|fourth| Self::of(|lane| from[4 * lane + fourth]))
    }

    #[inline(always)]
    fn store_fourths(fourths: [Self; 4], to: &mut [f32]) {
        for (lane, to) in to[..4 * EIGHT].chunks_exact_mut(4).enumerate() {
            to.iter_mut().zip(fourths).for_each(|(to, fourth)| *to = fourth.0[lane]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Try<'a>(&'a mut Vec<f32>);

    impl Work for Try<'_> {
        type Output = ();

        #[inline(always)]
        fn run<V: Vector>(self) {
            let numbers: Vec<f32> = (0..V::LANES).map(|lane| lane as f32 - 3.5).collect();
            let vector = V::load(&numbers);
            let two = V::splat(2.0);
            let results = [
                vector.add(two).sub(vector),
                vector.mul(two),
                vector.mul_add(two, V::splat(1.0)),
                vector.relu(),
                V::splat(f32::NAN).relu(),
            ];
            let mut four = vec![0.0; 4 * V::LANES];
            four.iter_mut().enumerate().for_each(|(place, number)| *number = place as f32);
            let fourths = V::load_fourths(&four);
            for (fourth, vector) in fourths.into_iter().enumerate() {
                let mut stored = vec![0.0; V::LANES];
                vector.store(&mut stored);
                assert!(
                    stored.iter().enumerate().all(|(lane, number)| *number == (4 * lane + fourth) as f32),
                    "{stored:?}"
                );
            }
            let mut back = vec![0.0; 4 * V::LANES];
            V::store_fourths(fourths, &mut back);
            assert_eq!(back, four);
            for result in results {
                let mut stored = vec![0.0; V::LANES];
                result.store(&mut stored);
                self.0.extend(&stored[..EIGHT]);
            }
        }
    }

    #[test]
    fn all_machines_compute_the_same() {
        for machine in Machine::all() {
            let mut results = Vec::new();
            dispatch(machine, Try(&mut results));
            let numbers: Vec<f32> = (0..EIGHT).map(|lane| lane as f32 - 3.5).collect();
            let expected = |of: fn(f32) -> f32| numbers.iter().copied().map(of).collect::<Vec<f32>>();
            let expected = [
                expected(|_| 2.0),
                expected(|number| 2.0 * number),
                expected(|number| 2.0 * number + 1.0),
                expected(|number| number.max(0.0)),
            ];
            assert_eq!(results[..4 * EIGHT], expected.concat(), "{machine:?}");
            assert!(results[4 * EIGHT..].iter().all(|number| number.is_nan()), "{machine:?}: NaN stays");
        }
    }
}
