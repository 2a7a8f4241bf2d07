//! `cargo xtask test`: what must hold before a push, cheapest first.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::process::Task;

/// Flags of `cargo xtask test`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Passed on to `cargo nextest run`, or to `cargo test` where nextest is not installed
    #[arg(last = true, value_name = "ARGUMENT")]
    runner: Vec<String>,
}

/// A check with a name for the summary.
#[derive(Debug)]
struct Step {
    name: &'static str,
    task: Task,
}

/// Runs all checks; stops at the first that fails.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let has_nextest = Task::cargo(["nextest", "--version"]).output(root).is_ok();
    let mut times = Vec::new();
    for Step { name, task } in steps(has_nextest, &arguments.runner) {
        eprintln!("\n── {name}: {task}");
        let start = Instant::now();
        if let Err(error) = task.run(root) {
            bail!("step `{name}` failed: {error:#}; that command alone runs the step again");
        }
        times.push((name, start.elapsed()));
        eprintln!("── {name}: {}", program::duration(start.elapsed()));
    }
    eprintln!("\n{}", summary(&times));
    Ok(())
}

fn steps(has_nextest: bool, runner: &[String]) -> Vec<Step> {
    let step = |name, arguments: &[&str]| Step { name, task: Task::cargo(arguments) };
    let mut documentation = step("documentation", &["doc", "--workspace", "--no-deps"]);
    documentation.task = documentation.task.with_variable("RUSTDOCFLAGS", "-D warnings");
    let mut tests: Vec<&str> = match has_nextest {
        true => vec!["nextest", "run", "--workspace"],
        false => vec!["test", "--workspace", "--lib", "--bins", "--tests"],
    };
    tests.extend(runner.iter().map(String::as_str));
    vec![
        step("format", &["fmt", "--all", "--check"]),
        step("lints", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
        documentation,
        // Tests that start the program of another crate get the one that lies there: never one of an earlier state.
        step("programs", &["build", "--workspace", "--bins"]),
        // Before the tests, so that the last lines on the screen are the tests'.
        step("examples in documentation", &["test", "--workspace", "--doc", "--quiet"]),
        step("tests", &tests),
    ]
}

fn summary(times: &[(&str, Duration)]) -> String {
    let width = times.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = times.iter().map(|(name, time)| format!("{name:width$}  {:>12}\n", program::duration(*time)));
    let total = times.iter().map(|(_, time)| *time).sum();
    format!("{}all passed in {}", lines.collect::<String>(), program::duration(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_go_to_the_runner_of_tests_alone() {
        let runner = ["-E".into(), "test(pool)".into()];
        for (has_nextest, expected) in [
            (true, "cargo nextest run --workspace -E 'test(pool)'"),
            (false, "cargo test --workspace --lib --bins --tests -E 'test(pool)'"),
        ] {
            let steps = steps(has_nextest, &runner);
            let commands: Vec<String> = steps.iter().map(|step| step.task.to_string()).collect();
            assert_eq!(commands.iter().filter(|command| command.contains("pool")).count(), 1, "{commands:?}");
            assert_eq!(commands.last().map(String::as_str), Some(expected));
        }
    }

    #[test]
    fn the_summary_has_a_line_for_each_step_and_the_total() {
        let times = [("format", Duration::from_secs(1)), ("tests", Duration::from_secs(99))];
        assert_eq!(summary(&times), "format         1.0 s\ntests     1 min 39 s\nall passed in 1 min 40 s");
    }
}
