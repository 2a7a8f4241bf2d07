//! The vectors of x86.

#![expect(unsafe_code, reason = "instructions that not every processor has, and loads and stores by pointer")]

use std::arch::x86_64::*;

use super::{Vector, Work};

#[target_feature(enable = "avx2,fma")]
pub(super) fn with_avx2<W: Work>(work: W) -> W::Output {
    work.run::<Avx2>()
}

#[target_feature(enable = "avx512f,avx2,fma")]
pub(super) fn with_avx512<W: Work>(work: W) -> W::Output {
    work.run::<Avx512>()
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
            fn prefetch(numbers: &[f32]) {
                /// Numbers of a line in a cache.
                const LINE: usize = 16;
                for line in numbers.chunks(LINE) {
                    // SAFETY: see the macro; an address of a line is only hinted at.
                    unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) }
                }
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
