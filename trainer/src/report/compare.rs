//! `trainer compare RUN…`: runs side by side, as a table and as a page.

use std::path::{Path, PathBuf};

use program::files::write_whole;
use program::{Console, ConsoleArguments, Exit, Failure, OrExit, print_result};

use super::read::Run;
use super::sheets::Sheets;
use super::{Shown, page};
use crate::table::table;

/// What the table's columns are called.
const COLUMNS: [&str; 10] = ["run", "preset", "steps", "cycle", "id", "adv", "d", "L1 last", "L1 best", "s/step"];
/// Columns of text; numbers are set to the right.
const TEXT_COLUMNS: usize = 2;
/// Where a run has no such number.
const NONE: &str = "–";

/// Prints the table and writes the page.
pub(crate) fn run(paths: &[PathBuf], output: &Path, console: ConsoleArguments) -> Result<Exit, Failure> {
    let read = |path: &PathBuf| Run::read(path, None);
    let mut runs: Vec<Run> = paths.iter().map(read).collect::<anyhow::Result<_>>().or_exit(Exit::CannotStart)?;
    tell_apart(&mut runs, paths);
    let rows: Vec<_> = std::iter::once(COLUMNS.map(str::to_owned)).chain(runs.iter().map(row)).collect();
    print_result(table(&rows, TEXT_COLUMNS));

    let mut sheets: Vec<Sheets> = paths.iter().map(|_| Sheets::default()).collect();
    let mut shown = Vec::new();
    for ((run, path), sheets) in runs.iter_mut().zip(paths).zip(&mut sheets) {
        let sheets = sheets.read(path, |step, message| run.warn_of_damage(step, message)).or_exit(Exit::CannotStart)?;
        shown.push(Shown { run, sheets });
    }
    write_whole(output, page("Runs compared · CycleGAN training", &shown).as_bytes()).or_exit(Exit::Fault)?;
    Console::new(console).say(format!("curves and samples are in {}", output.display()));
    Ok(Exit::Done)
}

/// Runs of the same name in different places go by their paths.
fn tell_apart(runs: &mut [Run], paths: &[PathBuf]) {
    let names: Vec<String> = runs.iter().map(|run| run.name.clone()).collect();
    for (run, path) in runs.iter_mut().zip(paths) {
        if names.iter().filter(|name| **name == run.name).count() > 1 {
            run.name = path.display().to_string();
        }
    }
}

fn row(run: &Run) -> [String; COLUMNS.len()] {
    let mean_of_last = |names: [&str; 2]| {
        let numbers: Vec<f64> = names.iter().filter_map(|name| run.losses.last(name)).collect();
        (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64)
    };
    let both: Vec<f64> =
        run.paired.column("a_to_b_l1").into_iter().zip(run.paired.column("b_to_a_l1")).map(half).collect();
    let best = run.best["l1"].as_f64().or_else(|| both.iter().copied().reduce(f64::min));
    let losses = [["cycle_a", "cycle_b"], ["id_a", "id_b"], ["adv_ab", "adv_ba"], ["d_a", "d_b"]];
    let [cycle, id, adv, d] = losses.map(|names| number(mean_of_last(names), 3));
    [
        run.name.clone(),
        run.setting("preset").unwrap_or(NONE).to_owned(),
        run.step.to_string(),
        cycle,
        id,
        adv,
        d,
        number(both.last().copied(), 1),
        number(best, 1),
        number(run.speed.last("seconds_per_step"), 3),
    ]
}

fn half((one, other): (f64, f64)) -> f64 {
    (one + other) / 2.0
}

fn number(number: Option<f64>, digits: usize) -> String {
    number.map_or_else(|| NONE.into(), |number| format!("{number:.digits$}"))
}
