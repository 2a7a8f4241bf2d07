//! What a person sees while a program works: everything on stderr, bars only on a terminal.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// `-q` and `-v`, the same for every program.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct ConsoleArguments {
    /// Print only errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print more
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// Where messages and bars go.
#[derive(Clone, Debug)]
pub struct Console {
    arguments: ConsoleArguments,
    bar: Option<ProgressBar>,
}

impl Console {
    /// A console without a bar yet.
    pub fn new(arguments: ConsoleArguments) -> Self {
        Self { arguments, bar: None }
    }

    /// Prints a line, above the bar where there is one, unless the user wants quiet.
    pub fn say(&self, line: impl fmt::Display) {
        if !self.arguments.quiet {
            self.always(line);
        }
    }

    /// Prints a line that only `-v` shows.
    pub fn detail(&self, line: impl fmt::Display) {
        if self.arguments.verbose {
            self.always(line);
        }
    }

    /// Prints a line that also `-q` shows: a warning, or what went wrong with one input.
    pub fn always(&self, line: impl fmt::Display) {
        match &self.bar {
            Some(bar) => bar.suspend(|| print_message(&line)),
            None => print_message(&line),
        }
    }

    /// Starts a bar over `length` units, hidden off a terminal and under `-q`. What matters most comes first: a narrow
    /// terminal cuts the end off.
    pub fn start_bar(&mut self, length: u64, unit: &'static str) -> ProgressBar {
        self.start(Some(length), &format!("{{bar:20}} {{pos}}/{{len}} {unit} · {{eta}} left · {{msg}}"))
    }

    /// Starts a bar over bytes with their rate. A length that is not known may come later, by `set_length`.
    pub fn start_bytes_bar(&mut self, length: Option<u64>, what: &'static str) -> ProgressBar {
        let amount = "{decimal_bytes}/{decimal_total_bytes} · {decimal_bytes_per_sec} · {eta} left";
        self.start(length, &format!("{{bar:20}} {what} {amount}"))
    }

    fn start(&mut self, length: Option<u64>, template: &str) -> ProgressBar {
        let target = if self.arguments.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(length, target);
        bar.set_style(ProgressStyle::with_template(template).expect("a constant template"));
        self.bar = Some(bar.clone());
        bar
    }

    /// Whether a person watches a bar: off a terminal, progress is printed as lines now and then.
    pub fn has_visible_bar(&self) -> bool {
        self.bar.as_ref().is_some_and(|bar| !bar.is_hidden())
    }

    /// Takes the bar away.
    pub fn end_bar(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// Prints a result to stdout. A reader that has gone, as in `… | head`, is no error: the work was done all the same.
pub fn print_result(result: impl fmt::Display) {
    let _gone = writeln!(io::stdout(), "{result}");
}

/// Columns of the terminal that results go to; none where they go to a file or another program.
pub fn terminal_columns() -> Option<usize> {
    terminal_size::terminal_size_of(io::stdout()).map(|(terminal_size::Width(columns), _)| usize::from(columns))
}

/// Prints a line to stderr. As with results, a reader that has gone is no error: `eprintln` would panic.
pub(crate) fn print_message(line: impl fmt::Display) {
    let _gone = writeln!(io::stderr(), "{line}");
}

/// A duration for a person: `5 s`, `3 min 20 s`, `2 h 5 min`, `9 days 14 h`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..172_800 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// A number of bytes for a person: `24 MB`.
pub fn bytes(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        ..1e6 => format!("{:.0} kB", bytes / 1e3),
        1e6..1e9 => format!("{:.0} MB", bytes / 1e6),
        _ => format!("{:.1} GB", bytes / 1e9),
    }
}

/// A count for a person: `11.4 M`.
pub fn count(count: u64) -> String {
    let value = count as f64;
    match count {
        0..10_000 => count.to_string(),
        10_000..1_000_000 => format!("{:.1} k", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} M", value / 1e6),
        1_000_000_000..1_000_000_000_000 => format!("{:.1} G", value / 1e9),
        _ => format!("{:.1} T", value / 1e12),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_sizes_and_counts_read_as_people_write_them() {
        let durations =
            [(1.25, "1.2 s"), (59.0, "59 s"), (200.0, "3 min 20 s"), (7500.0, "2 h 5 min"), (828_000.0, "9 days 14 h")];
        for (seconds, expected) in durations {
            assert_eq!(duration(Duration::from_secs_f64(seconds)), expected);
        }
        assert_eq!(
            (bytes(900), bytes(24_000_000), bytes(2_500_000_000)),
            ("1 kB".into(), "24 MB".into(), "2.5 GB".into())
        );
        assert_eq!(
            [9_999, 11_378_179, 49_600_000_000, 2_650_000_000_000].map(count),
            ["9999", "11.4 M", "49.6 G", "2.6 T"]
        );
    }
}
