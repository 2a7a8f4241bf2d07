//! How the points of a campaign ended, counted.

use std::collections::BTreeMap;
use std::time::Duration;

/// How a disturbed run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It went on from a checkpoint.
    Checkpoint,
    /// It was resumed, and had no checkpoint yet.
    Start,
    /// There was no run to resume yet: it was begun again.
    Anew,
    /// The fault did not stop it.
    Ended,
}

/// Columns of the table.
const OUTCOMES: [(Outcome, &str); 4] = [
    (Outcome::Checkpoint, "from a checkpoint"),
    (Outcome::Start, "from the start"),
    (Outcome::Anew, "begun anew"),
    (Outcome::Ended, "not stopped"),
];

/// Counts by kind of point.
#[derive(Debug, Default)]
pub(super) struct Table(BTreeMap<&'static str, [usize; OUTCOMES.len()]>);

impl Table {
    pub(super) fn add(&mut self, kind: &'static str, outcome: Outcome) {
        let counts = self.0.entry(kind).or_default();
        counts.iter_mut().zip(OUTCOMES).filter(|(_, (of, _))| *of == outcome).for_each(|(count, _)| *count += 1);
    }

    /// For a terminal.
    pub(super) fn text(&self, preset: &str, took: Duration) -> String {
        let width = self.0.keys().map(|kind| kind.len()).chain([preset.len()]).max().unwrap_or(0);
        let heads = OUTCOMES.map(|(_, head)| head);
        let mut text = format!("\n{preset:width$}  points  {}\n", heads.join("  "));
        let mut all = 0;
        for (kind, counts) in &self.0 {
            let points: usize = counts.iter().sum();
            all += points;
            let cells = counts.iter().zip(heads).map(|(count, head)| format!("  {count:>0$}", head.len()));
            text += &format!("{kind:width$}  {points:>6}{}\n", cells.collect::<String>());
        }
        text + &format!("all {all} points ended with the same bytes, in {}\n", program::duration(took))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_counts_how_each_kind_ended() {
        let mut table = Table::default();
        for outcome in [Outcome::Checkpoint, Outcome::Anew, Outcome::Checkpoint] {
            table.add("killed", outcome);
        }
        table.add("full", Outcome::Ended);
        let expected = "
concat  points  from a checkpoint  from the start  begun anew  not stopped
full         1                  0               0           0            1
killed       3                  2               0           1            0
all 4 points ended with the same bytes, in 2.0 s
";
        assert_eq!(table.text("concat", Duration::from_secs(2)), expected);
    }
}
