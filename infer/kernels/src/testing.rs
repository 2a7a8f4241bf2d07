//! What the layers' tests share.

/// Numbers that a seed gives, evenly between plus and minus a power of two each: so many of each list.
pub(crate) fn draw<const N: usize>(seed: u64, lists: [(usize, i32); N]) -> [Vec<f32>; N] {
    let mut state = seed | 1;
    lists.map(|(count, scale)| {
        let draw = |_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 40) as f32 / (1 << 23) as f32 - 1.0) * (scale as f32).exp2()
        };
        (0..count).map(draw).collect()
    })
}
