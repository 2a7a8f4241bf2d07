//! What a run tells on its way, picture by picture, and what it remembers of it for the end.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use program::Console;

use crate::journal::Made;
use crate::plan::{Item, Plan};
use crate::report::{Done, Outcome, Report, Summary};

/// From one line of progress to the next where nobody watches a bar.
const SAY_EVERY: Duration = Duration::from_secs(30);

/// What has become known so far.
pub(crate) struct Telling<'a> {
    plan: &'a Plan,
    /// With so many the run ends.
    most_failures: Option<usize>,
    console: &'a Console,
    bar: ProgressBar,
    said: Instant,
    summary: Summary,
    made: Vec<(usize, Made)>,
    doubtful: Vec<(usize, Made)>,
    report: Option<Report>,
    /// Why the report has an end before the run's.
    lost: Option<io::Error>,
    /// Pictures of which something is known, by their place in the plan.
    is_known: Vec<bool>,
}

/// All that was told. Pictures are said by their place in the plan: their paths are there.
pub(crate) struct Told {
    /// Counts.
    pub summary: Summary,
    /// Of each picture that is done.
    pub made: Vec<(usize, Made)>,
    /// Written, but nobody knows whether a power failure would take it away again.
    pub doubtful: Vec<(usize, Made)>,
    /// Why the report has an end before the run's.
    pub lost: Option<io::Error>,
    /// Pictures to which the run did not come.
    pub left: usize,
    /// To be finished.
    pub report: Option<Report>,
}

impl<'a> Telling<'a> {
    /// Of a run that ends with its `most_failures`-th failure.
    pub(crate) fn new(
        plan: &'a Plan,
        most_failures: Option<usize>,
        console: &'a Console,
        bar: ProgressBar,
        report: Option<Report>,
    ) -> Self {
        Self {
            plan,
            most_failures,
            console,
            bar,
            said: Instant::now(),
            summary: Summary::default(),
            made: Vec::with_capacity(plan.items.len()),
            doubtful: Vec::new(),
            report,
            lost: None,
            is_known: vec![false; plan.items.len()],
        }
    }

    /// Tells of a picture. Whether that was a failure too many.
    pub(crate) fn tell(&mut self, outcome: Outcome) -> bool {
        let Item { input, output } = &self.plan.items[outcome.picture];
        self.bar.inc(1);
        self.bar.set_message(format!("{:.1} pictures/s", self.bar.per_sec()));
        if let Err(reason) = &outcome.result {
            self.console.always(format!("failed: {}: {}", shown(input), format!("{reason:#}").trim_end()));
        }
        for remark in &outcome.facts.remarks {
            self.console.say(format!("note: {}: {remark}", shown(input)));
        }
        self.summary.count(&outcome);
        self.is_known[outcome.picture] = true;
        if let Some(report) = &mut self.report
            && let Err(error) = report.add(input, output, &outcome)
        {
            self.report = None;
            self.lost = Some(error);
        }
        if let Ok(Done::Translated(made) | Done::Skipped(made)) = outcome.result {
            self.made.push((outcome.picture, made));
        }
        if !self.console.has_visible_bar() && self.said.elapsed() >= SAY_EVERY {
            self.said = Instant::now();
            let rate = self.bar.per_sec();
            self.console.say(format!("{} of {}, {rate:.1} pictures/s", self.summary, self.plan.items.len()));
        }
        self.most_failures.is_some_and(|most| self.summary.failed >= most)
    }

    /// Tells what is of no single picture.
    pub(crate) fn remark(&self, remark: &str) {
        self.console.always(remark);
    }

    /// Remembers a picture that failed, though its translation may lie in its place.
    pub(crate) fn doubt(&mut self, picture: usize, made: Made) {
        self.doubtful.push((picture, made));
    }

    /// The end of it.
    pub(crate) fn told(mut self) -> Told {
        let left = self.is_known.iter().zip(&self.plan.items).filter(|(is_known, _)| !**is_known);
        let mut count = 0;
        for (_, Item { input, output }) in left {
            count += 1;
            if let Some(report) = &mut self.report
                && let Err(error) = report.add_left(input, output)
            {
                self.report = None;
                self.lost = Some(error);
            }
        }
        let Self { summary, made, doubtful, report, lost, .. } = self;
        Told { summary, made, doubtful, lost, left: count, report }
    }
}

/// A path in a message: what could be mistaken for another line is escaped.
fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    match text.chars().any(char::is_control) {
        true => format!("{text:?}"),
        false => text,
    }
}
