//! Translates directories of pictures with an exported generator, through ONNX Runtime.
//!
//! ```text
//! infer --model g_ab.onnx ./photos ./out
//! ```
//!
//! [`plan`] names every output before any work, [`contract`] says what the model wants, [`fit`] brings pictures to a size
//! that it takes and back, [`numbers`] are pictures as it has them, [`pipeline`] decodes and encodes around the one session, [`report`] counts.

mod arguments;
pub mod contract;
mod device;
pub mod fit;
mod memory;
pub mod numbers;
pub mod pipeline;
pub mod plan;
pub mod report;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use models_runtime::Session;
use program::{Console, Exit, Failure, OrExit, duration, interrupt, print_result};

pub use arguments::Arguments;
use contract::{Contract, ContractArguments, ContractError};
use pipeline::Pipeline;
use plan::Plan;
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
    let contract = read(&file, model, &arguments.contract)
        .with_context(|| model.display().to_string())
        .or_exit(Exit::CannotStart)?;
    if arguments.contract.print_contract {
        print_result(contract.print());
        return Ok(Exit::Done);
    }
    let output = arguments.output.as_deref().expect("required unless --print-contract");
    let batch = batch(arguments.batch, contract.batch)?;
    let plan = Plan::make(&arguments.inputs, output, arguments.overwrite)?;
    let [options] = arguments.device.options()[..] else {
        let message = format!("--device {}: one run uses one card for now", arguments.device.device);
        return Err(Failure::new(Exit::Usage, message));
    };
    let session = Session::with_data(&file, contract.data.as_deref(), options)
        .with_context(|| model.display().to_string())
        .or_exit(Exit::CannotStart)?;
    fs_err::create_dir_all(output).or_exit(Exit::CannotStart)?;
    interrupt::watch("finishing the pictures under way").or_exit(Exit::CannotStart)?;

    say_what_will_run(&console, &arguments, &contract, &session, &plan);
    let bar = console.start_bar(plan.work.len() as u64, "pictures");
    let most_pixels = memory::most_pixels(&session, contract.bytes_per_pixel, arguments.device.memory);
    let pipeline = Pipeline {
        sizes: contract.sizes,
        fit: arguments.fit,
        conversion: contract.conversion(),
        scale: contract.scale,
        batch,
        whole_batches: contract.batch.is_some(),
        most_pixels,
    };
    let mut summary = Summary { skipped: plan.skipped, ..Summary::default() };
    let device = session.device();
    let mut said = Instant::now();
    pipeline.run(session, plan.work, |outcome| {
        bar.inc(1);
        bar.set_message(format!("{:.1} pictures/s", bar.per_sec()));
        if let Err(reason) = &outcome.result {
            console.always(format!("failed: {}: {}", outcome.input.display(), reason.to_string().trim_end()));
        }
        summary.count(&outcome);
        if !console.has_visible_bar() && said.elapsed() >= SAY_EVERY {
            said = Instant::now();
            console.say(format!("{summary} of {}, {:.1} pictures/s", plan.planned, bar.per_sec()));
        }
    });
    console.end_bar();

    let stopped = interrupt::requested() && summary.done() < plan.planned;
    if stopped {
        let again = if arguments.overwrite { "the same command without --overwrite" } else { "the same command" };
        console.always(format!("stopped with {} pictures left; {again} goes on", plan.planned - summary.done()));
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

fn read(file: &Bytes, path: &Path, arguments: &ContractArguments) -> Result<Contract, ContractError> {
    Contract::read(&models_onnx::parse(file.clone())?, path, arguments)
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

fn say_what_will_run(console: &Console, arguments: &Arguments, contract: &Contract, session: &Session, plan: &Plan) {
    let because = session.reason().map(|reason| format!(" (no CUDA: {reason})")).unwrap_or_default();
    console.say(format!("model     {}: {}", arguments.model.display(), contract.describe()));
    console.say(format!("device    {}{because}", session.running()));
    let skipped = match plan.skipped {
        0 => String::new(),
        skipped => format!("; {skipped} are there already and stay (--overwrite replaces them)"),
    };
    console.say(format!("pictures  {} to translate{skipped}", plan.work.len()));
    console.say(format!("size      {}", arguments.fit.describe(contract.sizes)));
}
