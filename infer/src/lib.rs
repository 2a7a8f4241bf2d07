//! Translates directories of pictures with an exported generator, through ONNX Runtime.
//!
//! ```text
//! infer --model g_ab.onnx ./photos ./out
//! ```
//!
//! [`plan`] names every output before any work, [`contract`] says what the model wants, [`fit`] brings pictures to a size
//! that it takes and back, [`pipeline`] decodes and encodes around the one session, [`report`] counts.

mod arguments;
pub mod contract;
pub mod fit;
mod memory;
pub mod pipeline;
pub mod plan;
pub mod report;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use models_runtime::{Options, Session};
use program::{Console, Exit, Failure, OrExit, duration, interrupt, print_result};

pub use arguments::Arguments;
use contract::{Contract, ContractError};
use pipeline::Pipeline;
use plan::{Item, Plan};
use report::Summary;

/// From one line of progress to the next where nobody watches a bar.
const SAY_EVERY: Duration = Duration::from_secs(30);

/// Runs the command line.
///
/// # Errors
/// What ends the program, with its exit code. Pictures that fail are no error: they are reported one by one, and the
/// exit code says so.
pub fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let start = Instant::now();
    let mut console = Console::new(arguments.console);
    let model = &arguments.model;
    let file =
        std::fs::read(model).with_context(|| format!("--model {}", model.display())).or_exit(Exit::CannotStart)?;
    let file = Bytes::from(file);
    let (contract, data) =
        read(&file, model).with_context(|| model.display().to_string()).or_exit(Exit::CannotStart)?;
    let batch = batch(arguments.batch, contract.interface.batch)?;
    let plan = Plan::make(&arguments.plan)?;
    plan.notes.iter().for_each(|note| console.say(note));
    if arguments.plan.dry_run {
        plan.print(arguments.json);
        return Ok(Exit::Done);
    }
    let planned = plan.items.len();
    let work = left_to_do(plan.items, arguments.overwrite);
    let skipped = planned - work.len();
    let options = Options { device: arguments.device, threads: arguments.threads, ..Options::default() };
    let session = Session::with_data(&file, data, options)
        .with_context(|| model.display().to_string())
        .or_exit(Exit::CannotStart)?;
    fs_err::create_dir_all(&arguments.plan.output).or_exit(Exit::CannotStart)?;
    interrupt::watch("finishing the pictures under way").or_exit(Exit::CannotStart)?;

    say_what_will_run(&console, &arguments, &contract, &session, [work.len(), skipped]);
    let bar = console.start_bar(work.len() as u64, "pictures");
    let most_pixels = memory::most_pixels(&session, contract.bytes_per_pixel);
    let pipeline = Pipeline {
        sizes: contract.sizes,
        fit: arguments.fit,
        io: contract.interface.io,
        batch,
        whole_batches: contract.interface.batch.is_some(),
        most_pixels,
    };
    let mut summary = Summary { skipped, ..Summary::default() };
    let device = session.device();
    let mut said = Instant::now();
    pipeline.run(session, work, |outcome| {
        bar.inc(1);
        bar.set_message(format!("{:.1} pictures/s", bar.per_sec()));
        if let Err(reason) = &outcome.result {
            console.always(format!("failed: {}: {}", outcome.input.display(), reason.to_string().trim_end()));
        }
        summary.count(&outcome);
        if !console.has_visible_bar() && said.elapsed() >= SAY_EVERY {
            said = Instant::now();
            console.say(format!("{summary} of {planned}, {:.1} pictures/s", bar.per_sec()));
        }
    });
    console.end_bar();

    let stopped = interrupt::requested() && summary.done() < planned;
    if stopped {
        let again = if arguments.overwrite { "the same command without --overwrite" } else { "the same command" };
        console.always(format!("stopped with {} pictures left; {again} goes on", planned - summary.done()));
    }
    console.say(format!("took {} on {device}", duration(start.elapsed())));
    match arguments.json {
        true => print_result(summary.to_json(&device.to_string(), start.elapsed())),
        false => print_result(summary),
    }
    Ok(match (stopped, summary.failed) {
        (true, _) => Exit::Stopped,
        (false, 0) => Exit::Done,
        (false, _) => Exit::Differs,
    })
}

/// What a model wants, and the folder of its weights where they are not in its file.
fn read<'a>(file: &Bytes, path: &'a Path) -> Result<(Contract, Option<&'a Path>), ContractError> {
    let model = models_onnx::parse(file.clone())?;
    let contract = Contract::read(&model)?;
    let folder = program::files::folder_of(path);
    Ok((contract, models_onnx::check_data(&model, folder)?.then_some(folder)))
}

/// Those whose output is not there already. A directory in an output's place is no translation: writing it fails, and
/// says so.
fn left_to_do(items: Vec<Item>, overwrite: bool) -> Vec<Item> {
    let is_there = |item: &Item| item.output.exists() && !item.output.is_dir();
    items.into_iter().filter(|item| overwrite || !is_there(item)).collect()
}

/// Pictures at once.
fn batch(asked: Option<usize>, fixed: Option<usize>) -> Result<usize, Failure> {
    match (asked, fixed) {
        (Some(asked), Some(fixed)) if asked != fixed => {
            let message = format!("--batch {asked}: the model takes {fixed} at once and no other number; leave it out");
            Err(Failure::new(Exit::Usage, message))
        }
        _ => Ok(fixed.or(asked).unwrap_or(1)),
    }
}

fn say_what_will_run(
    console: &Console,
    arguments: &Arguments,
    contract: &Contract,
    session: &Session,
    [work, skipped]: [usize; 2],
) {
    let because = session.reason().map(|reason| format!(" (no CUDA: {reason})")).unwrap_or_default();
    console.say(format!("model     {}: {}", arguments.model.display(), contract.describe()));
    console.say(format!("device    {}{because}", session.device()));
    let skipped = match skipped {
        0 => String::new(),
        skipped => format!("; {skipped} are there already and stay (--overwrite replaces them)"),
    };
    console.say(format!("pictures  {work} to translate{skipped}"));
    console.say(format!("size      {}", arguments.fit.describe(contract.sizes)));
}
