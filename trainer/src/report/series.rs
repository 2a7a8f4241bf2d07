//! Numbers over steps, and the files of JSON lines that they come from.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

/// Numbers by name over the same ascending steps.
#[derive(Debug, Default, Serialize)]
pub(super) struct Series {
    steps: Vec<u64>,
    values: BTreeMap<String, Vec<Option<f64>>>,
}

impl Series {
    /// Adds the numbers of a step. A step that comes again was logged by a session that was killed and resumed: the later
    /// session is what became of the run, so all from that step on is forgotten.
    pub(super) fn push(&mut self, step: u64, numbers: impl IntoIterator<Item = (String, Option<f64>)>) {
        let kept = self.steps.partition_point(|&earlier| earlier < step);
        self.steps.truncate(kept);
        self.values.values_mut().for_each(|column| column.truncate(kept));
        self.steps.push(step);
        for (name, number) in numbers {
            let column = self.values.entry(name).or_default();
            column.resize(kept, None);
            column.push(number.map(round));
        }
        self.values.values_mut().for_each(|column| column.resize(kept + 1, None));
    }

    /// At most `most` steps. Each number logged is a mean since the one before, so the mean of neighbours is what logging
    /// more rarely would have given.
    pub(super) fn thinned(self, most: usize) -> Self {
        let together = self.steps.len().div_ceil(most).max(1);
        let steps = self.steps.chunks(together).filter_map(<[u64]>::last).copied().collect();
        let means = |column: Vec<Option<f64>>| column.chunks(together).map(mean).collect();
        Self { steps, values: self.values.into_iter().map(|(name, column)| (name, means(column))).collect() }
    }

    /// The last step.
    pub(super) fn last_step(&self) -> Option<u64> {
        self.steps.last().copied()
    }

    /// The last number of that name.
    pub(super) fn last(&self, name: &str) -> Option<f64> {
        self.column(name).last().copied()
    }

    /// All numbers of that name.
    pub(super) fn column(&self, name: &str) -> Vec<f64> {
        self.values.get(name).into_iter().flatten().copied().flatten().collect()
    }
}

fn mean(numbers: &[Option<f64>]) -> Option<f64> {
    let there: Vec<f64> = numbers.iter().copied().flatten().collect();
    (!there.is_empty()).then(|| round(there.iter().sum::<f64>() / there.len() as f64))
}

/// Five digits are more than a curve shows, and a third of the bytes.
fn round(number: f64) -> f64 {
    format!("{number:.4e}").parse().expect("a number just printed")
}

/// The lines of a JSON lines file; none where there is no file. The last may be half written: it is left out.
/// Others that cannot be read are given by their number.
pub(super) fn read_lines(path: &Path) -> io::Result<(Vec<Value>, Vec<usize>)> {
    let text = match fs_err::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    let (whole, _half) = text.rsplit_once('\n').unwrap_or_default();
    let (mut values, mut damaged) = (Vec::new(), Vec::new());
    for (index, line) in whole.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str(line) {
            Ok(value) => values.push(value),
            Err(_) => damaged.push(index + 1),
        }
    }
    Ok((values, damaged))
}

/// The numbers of a metrics line by the names that curves have: losses, rate, paired quality. A null, which a loss that is
/// no number becomes in JSON, stays as a gap.
pub(crate) fn losses(line: &Value) -> Vec<(String, Option<f64>)> {
    let losses = line["losses"].as_object().into_iter().flatten();
    let rate = line.get("learning_rate").map(|rate| ("learning_rate".to_owned(), rate.as_f64()));
    losses.map(|(name, loss)| (name.clone(), loss.as_f64())).chain(rate).collect()
}

/// The paired measures of a metrics line, like `a_to_b_l1`; those of the averaged weights like `ema_a_to_b_l1`.
pub(crate) fn paired(line: &Value) -> Vec<(String, f64)> {
    let mut numbers = Vec::new();
    for (prefix, key) in [("", "paired"), ("ema_", "paired_ema")] {
        for (what, measures) in line[key].as_object().into_iter().flatten() {
            let measures = measures.as_object().into_iter().flatten();
            numbers.extend(measures.filter_map(|(name, n)| Some((format!("{prefix}{what}_{name}"), n.as_f64()?))));
        }
    }
    numbers
}

/// Seconds a step and the share of the time that was spent waiting for pictures, of a timing line.
pub(crate) fn speed(line: &Value) -> Option<[(&'static str, f64); 2]> {
    let [seconds, steps, waited] = ["seconds", "steps", "waited_for_pictures"].map(|key| line[key].as_f64());
    let share = waited? / seconds?.max(f64::MIN_POSITIVE);
    Some([("seconds_per_step", seconds? / steps?.max(1.0)), ("waiting_share", share.clamp(0.0, 1.0))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn series(steps: impl IntoIterator<Item = u64>) -> Series {
        let mut series = Series::default();
        for step in steps {
            series.push(step, [("d_a".to_owned(), Some(step as f64))]);
        }
        series
    }

    #[test]
    fn what_a_killed_session_logged_is_forgotten_when_its_steps_come_again() {
        assert_eq!(series([10, 20, 30, 20, 25]).steps, [10, 20, 25]);
        assert_eq!(series([10, 20, 30, 20, 25]).column("d_a"), [10.0, 20.0, 25.0]);
    }

    #[test]
    fn a_loss_that_begins_late_has_a_gap_before_it() {
        let mut series = series([10, 20]);
        series.push(30, [("id_a".to_owned(), Some(1.0))]);
        assert_eq!(series.values["id_a"], [None, None, Some(1.0)]);
        assert_eq!(series.values["d_a"], [Some(10.0), Some(20.0), None]);
    }

    #[test]
    fn neighbours_are_joined_where_there_are_too_many_and_the_last_step_stays() {
        let thinned = series(1..=10).thinned(4);
        assert_eq!(thinned.steps, [3, 6, 9, 10]);
        assert_eq!(thinned.column("d_a"), [2.0, 5.0, 8.0, 10.0]);
    }

    #[test]
    fn a_half_written_last_line_is_left_out_and_a_damaged_one_is_counted() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("metrics.jsonl");
        assert_eq!(read_lines(&path).expect("none yet"), (vec![], vec![]));
        fs_err::write(&path, "{\"step\":1}\n{\"st\n{\"step\":3}\n{\"step\":").expect("writable");
        assert_eq!(read_lines(&path).expect("readable"), (vec![json!({"step": 1}), json!({"step": 3})], vec![2]));
    }

    #[test]
    fn paired_measures_are_named_by_direction() {
        let line =
            json!({ "paired": { "pairs": 24, "a_to_b": { "l1": 15.0 } }, "paired_ema": { "a_to_b": { "l1": 14.0 } } });
        assert_eq!(paired(&line), [("a_to_b_l1".to_owned(), 15.0), ("ema_a_to_b_l1".to_owned(), 14.0)]);
    }

    #[test]
    fn speed_is_a_step_s() {
        let line = json!({ "step": 50, "steps": 50, "seconds": 10.0, "waited_for_pictures": 2.5 });
        assert_eq!(speed(&line), Some([("seconds_per_step", 0.2), ("waiting_share", 0.25)]));
    }
}
