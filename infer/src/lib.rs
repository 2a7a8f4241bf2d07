//! Translates directories of pictures with an image-to-image network, through ONNX Runtime.
//!
//! ```text
//! infer --model g_ab.onnx ./photos ./out
//! ```
//!
//! [`plan`] names every output before any work, [`contract`] says what the model wants, [`journal`] what earlier runs have
//! done. [`pipeline`] is what happens to one picture, [`flow`] how many are on their way through it at a time, `telling`
//! what becomes known of them, and `run` joins all that. [`report`] counts, [`profile`] shows where the time goes.

mod arguments;
pub mod contract;
pub mod device;
pub mod fit;
pub mod flow;
mod jobs;
pub mod journal;
mod memory;
mod model;
pub mod numbers;
mod output;
mod pipe;
pub mod pipeline;
pub mod plan;
pub mod profile;
pub mod report;
mod run;
mod telling;

use std::time::Instant;

use models_runtime::Session;
use pictures::photo::Limits;
use program::{Console, Exit, Failure, OrExit, interrupt, print_result};
use serde_json::json;

pub use arguments::Arguments;
use contract::Contract;
use journal::{Journal, Recipe};
use model::{Model, Opened};
use pipeline::{Pipeline, Translator};
use plan::Plan;
use run::Run;

/// Runs the command line.
///
/// # Errors
/// What ends the program, with its exit code. Pictures that fail are no error: they are reported one by one, and the
/// exit code says so.
pub fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let start = Instant::now();
    let console = Console::new(arguments.console);
    if arguments.contract.print_contract {
        let model = Model::read(&arguments)?;
        print_result(format!("{}{}", model.contract.print(), model.print_kernels()));
        return Ok(Exit::Done);
    }
    let through_pipes = pipe::is_asked_for(&arguments)?;
    let plan = if through_pipes { Plan::default() } else { Plan::make(&arguments.plan)? };
    plan.notes.iter().for_each(|note| console.say(note));
    if arguments.plan.dry_run {
        plan.print(arguments.run.json);
        return Ok(Exit::Done);
    }
    let model = Model::read(&arguments)?;
    let batch = batch(arguments.run.batch, model.contract.batch)?;
    let Opened { contract, sessions, hash, kernels } = model.open(&arguments, &console)?;
    let memory = memory::Memory::of(&sessions, &contract, arguments.device.memory);
    let pipeline = Pipeline {
        contract: &contract,
        conversion: contract.conversion(),
        fit: arguments.fit,
        output: &arguments.output,
        most_pixels: memory.most_pixels,
        limits: Limits { most_pixels: arguments.output.max_pixels, most_bytes: memory.most_decoded },
    };
    let devices: Vec<_> = sessions.iter().map(Session::running).collect();
    say_what_will_run(&console, &arguments, &contract, &sessions, kernels.as_deref(), &plan);
    let fixed = contract.batch.is_some();
    let mut translators: Vec<Translator> =
        sessions.into_iter().map(|session| Translator::new(session, batch, fixed)).collect();
    interrupt::watch("finishing the pictures under way").or_exit(Exit::CannotStart)?;
    if through_pipes {
        let first = translators.swap_remove(0);
        return pipe::run(&console, &arguments, &pipeline, first);
    }

    let recipe = Recipe::new(hash, recipe(&arguments, &contract));
    let journal = Journal::open(arguments.plan.output(), recipe).or_exit(Exit::CannotStart)?;
    if journal.unreadable() > 0 {
        let place = arguments.plan.output().join(journal::NAME);
        console.always(format!(
            "{}: {} lines cannot be read; what they said was done is not known any more",
            place.display(),
            journal.unreadable()
        ));
    }
    if !journal.is_locked() {
        let place = arguments.plan.output().display();
        console.always(format!("{place}: cannot be locked there; see to it that no other `infer` writes there"));
    }
    let run = Run {
        arguments: &arguments.run,
        plan: &plan,
        pipeline,
        jobs: arguments.run.jobs.unwrap_or_default(),
        room: memory.under_way,
        again: if arguments.run.overwrite { "the same command without --overwrite" } else { "the same command" },
    };
    run.run(console, translators, &devices, journal, start)
}

/// What decides how a translation looks, beside picture and model.
fn recipe(arguments: &Arguments, contract: &Contract) -> serde_json::Value {
    json!({ "fit": arguments.fit.to_string(), "output": arguments.output.recipe(), "contract": contract.recipe() })
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
    sessions: &[Session],
    kernels: Option<&str>,
    plan: &Plan,
) {
    console.say(format!("model     {}: {}", arguments.model.display(), contract.describe()));
    sessions.iter().for_each(|session| console.say(format!("device    {}", session.describe())));
    kernels.iter().for_each(|kernels| console.say(format!("kernels   {kernels}")));
    if !plan.items.is_empty() {
        console.say(format!("pictures  {}", plan.items.len()));
    }
    console.say(format!("size      {}", arguments.fit.describe(contract.sizes)));
}
