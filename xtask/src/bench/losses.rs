//! Whether two sides compute the same.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Losses of one step by name.
pub(super) type Losses = BTreeMap<String, f64>;

/// The losses of each line of JSON, in the order of the steps.
pub(super) fn read(lines: &str) -> Result<Vec<Losses>> {
    let line = |line: &str| {
        let json: Value = serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))?;
        let losses = json["losses"].as_object().with_context(|| format!("no losses: {line}"))?;
        let number = |(name, loss): (&String, &Value)| Some((name.clone(), loss.as_f64()?));
        losses.iter().map(number).collect::<Option<Losses>>().with_context(|| format!("a loss is no number: {line}"))
    };
    lines.lines().map(line).collect()
}

/// The largest difference, as a share of the larger loss.
pub(super) fn difference(ours: &Losses, theirs: &Losses) -> Result<f64> {
    if !ours.keys().eq(theirs.keys()) {
        bail!("other losses: {:?} and {:?}", ours.keys(), theirs.keys());
    }
    let relative = |(&x, &y): (&f64, &f64)| (x - y).abs() / x.abs().max(y.abs()).max(f64::MIN_POSITIVE);
    Ok(ours.values().zip(theirs.values()).map(relative).fold(0.0, f64::max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_relative_difference_counts() {
        let read = |lines: &str| read(lines).expect("JSON with losses");
        let ours = read("{\"step\": 1, \"losses\": {\"cycle_a\": 0.5, \"d_a\": 2.0}}\n{\"losses\": {\"d_a\": 0}}\n");
        let theirs = read("{\"losses\": {\"d_a\": 1.0, \"cycle_a\": 0.5}}\n{\"losses\": {\"d_a\": 0.0}}");
        assert_eq!(difference(&ours[0], &theirs[0]).expect("the same names"), 0.5);
        assert_eq!(difference(&ours[1], &theirs[1]).expect("the same names"), 0.0);
        difference(&ours[0], &ours[1]).expect_err("other names");
    }
}
