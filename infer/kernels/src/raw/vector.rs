//! Vectors of 32-bit floats: those of AVX-512, of AVX2 with FMA, and of any processor.

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
}

/// Something that is compiled for each machine. What it calls must be inlined into it.
pub(crate) trait Work {
    /// Does it, with the machine's vectors.
    fn run<V: Vector>(self);
}

/// Does the work with the vectors of a machine.
pub(crate) fn dispatch(machine: Machine, work: impl Work) {
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

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "instructions that not every processor has, and loads and stores by pointer")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Vector, Work};

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn with_avx2(work: impl Work) {
        work.run::<Avx2>();
    }

    #[target_feature(enable = "avx512f,avx2,fma")]
    pub(super) fn with_avx512(work: impl Work) {
        work.run::<Avx512>();
    }

    /// What is in it is private to this module, and values are made under the two functions above only, so that whoever has one of these runs where its
    /// instructions are.
    #[derive(Clone, Copy)]
    pub(super) struct Avx2(__m256);

    #[derive(Clone, Copy)]
    pub(super) struct Avx512(__m512);

    /// The operations of one width. SAFETY of each block: the instruction is there, see [`Avx2`]; a load or store touches
    /// as many numbers as its slice was just seen to have.
    macro_rules! vector {
        ($name:ident, $lanes:literal, $rows:literal, $set:ident, $load:ident, $store:ident, $add:ident, $sub:ident, $mul:ident,
         $fma:ident, $max:ident) => {
            impl Vector for $name {
                const LANES: usize = $lanes;
                const ROWS: usize = $rows;

                #[inline(always)]
                fn splat(number: f32) -> Self {
                    // SAFETY: see the macro.
                    Self(unsafe { $set(number) })
                }

                #[inline(always)]
                fn load(from: &[f32]) -> Self {
                    assert!(from.len() >= Self::LANES);
                    // SAFETY: see the macro.
                    Self(unsafe { $load(from.as_ptr()) })
                }

                #[inline(always)]
                fn store(self, to: &mut [f32]) {
                    assert!(to.len() >= Self::LANES);
                    // SAFETY: see the macro.
                    unsafe { $store(to.as_mut_ptr(), self.0) }
                }

                #[inline(always)]
                fn add(self, other: Self) -> Self {
                    // SAFETY: see the macro.
                    Self(unsafe { $add(self.0, other.0) })
                }

                #[inline(always)]
                fn sub(self, other: Self) -> Self {
                    // SAFETY: see the macro.
                    Self(unsafe { $sub(self.0, other.0) })
                }

                #[inline(always)]
                fn mul(self, other: Self) -> Self {
                    // SAFETY: see the macro.
                    Self(unsafe { $mul(self.0, other.0) })
                }

                #[inline(always)]
                fn mul_add(self, factor: Self, term: Self) -> Self {
                    // SAFETY: see the macro.
                    Self(unsafe { $fma(self.0, factor.0, term.0) })
                }

                #[inline(always)]
                fn relu(self) -> Self {
                    // Where one is NaN, the instruction gives its second.
                    // SAFETY: see the macro.
                    Self(unsafe { $max($set(0.0), self.0) })
                }

                #[inline(always)]
                fn load_fourths(from: &[f32]) -> [Self; 4] {
                    let from = &from[..4 * Self::LANES];
                    let (one, other) = from.split_at(2 * Self::LANES);
                    let numbers = [
                        Self::load(one),
                        Self::load(&one[Self::LANES..]),
                        Self::load(other),
                        Self::load(&other[Self::LANES..]),
                    ];
                    Self::transposed(Self::parts_together(numbers))
                }

                #[inline(always)]
                fn store_fourths(fourths: [Self; 4], to: &mut [f32]) {
                    let numbers = Self::parts_apart(Self::transposed(fourths));
                    for (numbers, to) in numbers.into_iter().zip(to.chunks_exact_mut(Self::LANES)) {
                        numbers.store(to);
                    }
                }
            }
        };
    }

    impl Avx2 {
        /// Of four vectors, the quarters that lie four numbers apart, brought together: quarters 0 and 4, 1 and 5, … of all
        /// eight. What `parts_together` does to them, `parts_apart` undoes.
        #[inline(always)]
        fn parts_together([a, b, c, d]: [Self; 4]) -> [Self; 4] {
            // SAFETY: see the macro.
            unsafe {
                [
                    Self(_mm256_permute2f128_ps::<0x20>(a.0, c.0)),
                    Self(_mm256_permute2f128_ps::<0x31>(a.0, c.0)),
                    Self(_mm256_permute2f128_ps::<0x20>(b.0, d.0)),
                    Self(_mm256_permute2f128_ps::<0x31>(b.0, d.0)),
                ]
            }
        }

        #[inline(always)]
        fn parts_apart([a, b, c, d]: [Self; 4]) -> [Self; 4] {
            // SAFETY: see the macro.
            unsafe {
                [
                    Self(_mm256_permute2f128_ps::<0x20>(a.0, b.0)),
                    Self(_mm256_permute2f128_ps::<0x20>(c.0, d.0)),
                    Self(_mm256_permute2f128_ps::<0x31>(a.0, b.0)),
                    Self(_mm256_permute2f128_ps::<0x31>(c.0, d.0)),
                ]
            }
        }

        /// Four numbers of four vectors, transposed; four by four.
        #[inline(always)]
        fn transposed([a, b, c, d]: [Self; 4]) -> [Self; 4] {
            // SAFETY: see the macro.
            unsafe {
                let [ab, cd] = [_mm256_unpacklo_ps(a.0, b.0), _mm256_unpacklo_ps(c.0, d.0)];
                let [ef, gh] = [_mm256_unpackhi_ps(a.0, b.0), _mm256_unpackhi_ps(c.0, d.0)];
                [
                    Self(_mm256_castpd_ps(_mm256_unpacklo_pd(_mm256_castps_pd(ab), _mm256_castps_pd(cd)))),
                    Self(_mm256_castpd_ps(_mm256_unpackhi_pd(_mm256_castps_pd(ab), _mm256_castps_pd(cd)))),
                    Self(_mm256_castpd_ps(_mm256_unpacklo_pd(_mm256_castps_pd(ef), _mm256_castps_pd(gh)))),
                    Self(_mm256_castpd_ps(_mm256_unpackhi_pd(_mm256_castps_pd(ef), _mm256_castps_pd(gh)))),
                ]
            }
        }
    }

    impl Avx512 {
        /// Quarters of four vectors, transposed, which is its own reverse.
        #[inline(always)]
        fn parts_together([a, b, c, d]: [Self; 4]) -> [Self; 4] {
            // SAFETY: see the macro.
            unsafe {
                let [ab, cd] = [_mm512_shuffle_f32x4::<0x44>(a.0, b.0), _mm512_shuffle_f32x4::<0x44>(c.0, d.0)];
                let [ef, gh] = [_mm512_shuffle_f32x4::<0xee>(a.0, b.0), _mm512_shuffle_f32x4::<0xee>(c.0, d.0)];
                [
                    Self(_mm512_shuffle_f32x4::<0x88>(ab, cd)),
                    Self(_mm512_shuffle_f32x4::<0xdd>(ab, cd)),
                    Self(_mm512_shuffle_f32x4::<0x88>(ef, gh)),
                    Self(_mm512_shuffle_f32x4::<0xdd>(ef, gh)),
                ]
            }
        }

        #[inline(always)]
        fn parts_apart(parts: [Self; 4]) -> [Self; 4] {
            Self::parts_together(parts)
        }

        /// Four numbers of four vectors, transposed; four by four.
        #[inline(always)]
        fn transposed([a, b, c, d]: [Self; 4]) -> [Self; 4] {
            // SAFETY: see the macro.
            unsafe {
                let [ab, cd] = [_mm512_unpacklo_ps(a.0, b.0), _mm512_unpacklo_ps(c.0, d.0)];
                let [ef, gh] = [_mm512_unpackhi_ps(a.0, b.0), _mm512_unpackhi_ps(c.0, d.0)];
                [
                    Self(_mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(ab), _mm512_castps_pd(cd)))),
                    Self(_mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(ab), _mm512_castps_pd(cd)))),
                    Self(_mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(ef), _mm512_castps_pd(gh)))),
                    Self(_mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(ef), _mm512_castps_pd(gh)))),
                ]
            }
        }
    }

    vector!(
        Avx2,
        8,
        6,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        _mm256_fmadd_ps,
        _mm256_max_ps
    );
    vector!(
        Avx512,
        16,
        8,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_mul_ps,
        _mm512_fmadd_ps,
        _mm512_max_ps
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Try<'a>(&'a mut Vec<f32>);

    impl Work for Try<'_> {
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
