//! Comparing two lists of numbers.

/// Panics where two lists differ by more than `tolerance`, with the index and both values of the largest difference and
/// the share of numbers that are off.
///
/// # Panics
/// That is its purpose; also where the lengths differ, or a number is NaN.
#[track_caller]
pub fn assert_close(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{what}: lengths");
    let differences = found.iter().zip(expected).map(|(found, expected)| (found - expected).abs());
    let off = differences.clone().filter(|difference| difference.is_nan() || *difference > tolerance).count();
    if off == 0 {
        return;
    }
    let (index, largest) =
        differences.enumerate().max_by(|(_, one), (_, other)| one.total_cmp(other)).expect("some number is off");
    panic!(
        "{what}: {off} of {} numbers differ by more than {tolerance:e}; the most at {index}: {} instead of {}, {largest:e} apart",
        found.len(),
        found[index],
        expected[index],
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "1 of 3 numbers differ by more than 1e-1; the most at 1: 2 instead of 3")]
    fn a_difference_is_reported_with_its_place() {
        assert_close("here", &[1.0, 2.0, 3.0], &[1.0, 3.0, 3.05], 0.1);
    }

    #[test]
    #[should_panic(expected = "differ")]
    fn nan_is_never_close() {
        assert_close("here", &[f32::NAN], &[f32::NAN], 1.0);
    }
}
