//! The training loop.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use program::{Console, ConsoleArguments, Exit, Failure, OrExit, duration, files, interrupt};
use serde_json::json;
use tch::Tensor;

use crate::arguments::TrainingArguments;
use crate::data::DataSet;
use crate::data::loader::{Batch, Loader};
use crate::evaluation::{Evaluation, evaluate};
use crate::metrics::{JsonLines, Losses, Means};
use crate::report::State;
use crate::run_directory::{Facts, METRICS, RunDirectory, START, TIMING};
use crate::settings::Settings;
use crate::sheet::Samples;
use crate::start::Cost;
use crate::update::Cyclegan;
use crate::watching::Watching;

/// Steps after which the time left is estimated: the first is slower than all others.
const STEPS_TO_ESTIMATE: u64 = 5;

/// Trains as the command line says.
pub(crate) fn run(arguments: TrainingArguments, console: ConsoleArguments) -> Result<Exit, Failure> {
    let mut console = Console::new(console);
    let settings = arguments.settings();
    let data = DataSet::open(&settings.data, &arguments.places(), settings.seed, &mut console)?;
    let (device, device_name) = models_torch::device(arguments.device).or_exit(Exit::CannotStart)?;
    tch::set_num_threads(settings.threads as i32);
    if device.is_cuda() {
        tch::Cuda::cudnn_set_benchmark(true); // every step has the same shapes
    }
    let cyclegan = Cyclegan::new(&settings, device).or_exit(Exit::CannotStart)?;
    let cost = Cost::of(cyclegan.networks(), &settings);
    let cost = cost
        .with_context(|| format!("--size {} does not fit; try a larger one", settings.size))
        .or_exit(Exit::Usage)?;
    let samples = Samples::choose(&data, settings.size, device).or_exit(Exit::CannotStart)?;
    let updates = settings.length.updates(data.train[0].len().max(data.train[1].len()), settings.batch);
    let path = arguments.run.unwrap_or_else(|| PathBuf::from("runs").join(&data.name));
    let directory = RunDirectory::create(path, arguments.overwrite, &settings).or_exit(Exit::CannotStart)?;
    cost.say(&console, &settings, &data, &device_name, updates);
    let start = cost.to_json(&settings, &data, &device_name, updates).to_string();
    files::write_whole(&directory.path().join(START), start.as_bytes()).or_exit(Exit::CannotStart)?;
    interrupt::watch("finishing this step, then saving").or_exit(Exit::CannotStart)?;

    let watching = Watching::start(directory.path(), 0).or_exit(Exit::CannotStart)?;
    let mut run =
        Run { settings: &settings, data: &data, device, directory: &directory, cyclegan, samples, updates, watching };
    let done = run.train(&mut console);
    let state = if done.as_ref().is_ok_and(|&done| done == updates) { State::Finished } else { State::Stopped };
    let drawn = run.watching.ended(state).or_exit(Exit::Fault);
    let done = done?; // why training ended comes before why the page could not be drawn
    drawn?;
    console.end_bar();
    run.finish(&console, done)
}

/// A run under way.
struct Run<'a> {
    settings: &'a Settings,
    data: &'a DataSet,
    device: tch::Device,
    directory: &'a RunDirectory,
    cyclegan: Cyclegan,
    samples: Samples,
    updates: u64,
    watching: Watching,
}

impl Run<'_> {
    /// Makes all updates, or those until the user stops it. Gives the number made.
    fn train(&mut self, console: &mut Console) -> Result<u64, Failure> {
        let mut loader = Loader::start(self.data, self.settings, 0);
        let mut metrics = JsonLines::create(&self.directory.path().join(METRICS)).or_exit(Exit::Fault)?;
        let mut timing = JsonLines::create(&self.directory.path().join(TIMING)).or_exit(Exit::Fault)?;
        let bar = console.start_bar(self.updates, "steps");
        let mut losses = Losses::default();
        let (start, mut logged, mut logged_step) = (Instant::now(), Instant::now(), 0);
        self.sample(0)?;
        for step in 1..=self.updates {
            let rate = self.settings.rate * self.settings.schedule.factor(step - 1, self.updates);
            let batch = loader.next().or_exit(Exit::Fault)?;
            losses.add(self.step(batch, rate).or_exit(Exit::Fault)?).or_exit(Exit::Fault)?;

            let stop = interrupt::requested();
            if step % self.settings.log_every == 0 || step == self.updates || stop {
                // The only place that waits for a GPU.
                let means = losses.take_means().or_exit(Exit::Fault)?;
                let line = json!({ "step": step, "losses": means.to_json(), "learning_rate": rate });
                metrics.write(&line).or_exit(Exit::Fault)?;
                self.watching.logged(&line).or_exit(Exit::Fault)?;
                let (since, waited) = (logged.elapsed(), loader.take_waited());
                logged = Instant::now();
                let line = timing_line(step, step - std::mem::replace(&mut logged_step, step), since, waited);
                timing.write(&line).or_exit(Exit::Fault)?;
                self.watching.timed(&line).or_exit(Exit::Fault)?;
                check_finite(&means, step)?;
                let rate = bar.per_sec() * self.settings.batch as f64;
                bar.set_message(format!("{rate:.1} images/s · {means}"));
                if !console.has_visible_bar() {
                    console.say(format!("step {step}/{}: {means}", self.updates));
                }
            }
            loader.take_warnings().iter().for_each(|warning| console.always(warning));
            if step == STEPS_TO_ESTIMATE && self.updates > STEPS_TO_ESTIMATE {
                self.say_estimate(console, start.elapsed() / STEPS_TO_ESTIMATE as u32);
            }
            if step % self.settings.sample_every == 0 || step == self.updates || stop {
                self.save(step)?; // first: no picture is worth the weights
                self.sample(step)?;
            }
            bar.set_position(step);
            if stop {
                return Ok(step);
            }
        }
        Ok(self.updates)
    }

    fn step(&mut self, batch: Batch, rate: f64) -> Result<Tensor, tch::TchError> {
        let Settings { batch: n, size, .. } = *self.settings;
        let shape = [n, 3, size, size].map(|side| side as i64);
        let [a, b] = batch.sides.map(|side| Tensor::f_from_slice(&side)?.f_view(shape)?.f_to_device(self.device));
        self.cyclegan.update(&a?, &b?, rate)
    }

    fn sample(&mut self, step: u64) -> Result<(), Failure> {
        let sheet = self.samples.sheet(self.cyclegan.networks()).or_exit(Exit::Fault)?;
        self.directory.write_sheet(step, &sheet).or_exit(Exit::Fault)?;
        self.watching.sampled(step, &sheet).or_exit(Exit::Fault)
    }

    fn save(&self, step: u64) -> Result<(), Failure> {
        let facts = Facts { settings: self.settings, data_set: &self.data.name };
        self.directory.save(self.cyclegan.networks(), &facts, step).or_exit(Exit::Fault)
    }

    fn say_estimate(&self, console: &Console, a_step: Duration) {
        let left = a_step * u32::try_from(self.updates).unwrap_or(u32::MAX);
        let rate = self.settings.batch as f64 / a_step.as_secs_f64();
        console.say(format!(
            "speed     {:.2} s a step in the first {STEPS_TO_ESTIMATE}, {rate:.2} pictures of each side/s: about {} for all",
            a_step.as_secs_f64(),
            duration(left)
        ));
    }

    /// Reports a run that has ended by itself or by the user.
    fn finish(&self, console: &Console, done: u64) -> Result<Exit, Failure> {
        let path = self.directory.path();
        if done < self.updates {
            console.always(format!(
                "stopped after step {done} of {}; the weights are in {}",
                self.updates,
                path.display()
            ));
            return Ok(Exit::Stopped);
        }
        if let Some(test) = &self.data.test {
            let evaluation =
                evaluate(self.cyclegan.networks(), test, self.settings.size, self.device).or_exit(Exit::Fault)?;
            if let Some(evaluation) = evaluation {
                say_evaluation(console, &evaluation);
                let json = serde_json::to_vec(&evaluation).context("evaluation.json").or_exit(Exit::Fault)?;
                files::write_whole(&path.join("evaluation.json"), &json).or_exit(Exit::Fault)?;
            }
        }
        console.say(format!("weights   {0}/g_ab.ot, g_ba.ot, d_a.ot, d_b.ot; look at {0}/samples", path.display()));
        Ok(Exit::Done)
    }
}

fn say_evaluation(console: &Console, evaluation: &Evaluation) {
    for (direction, error) in [("A to B", evaluation.a_to_b), ("B to A", evaluation.b_to_a)] {
        console.say(format!(
            "test      {direction}: mean error {:.1} of 255 over {} pairs; untranslated {:.1}",
            error.after, evaluation.pairs, error.before
        ));
    }
}

fn timing_line(step: u64, steps: u64, since: Duration, waited: Duration) -> serde_json::Value {
    json!({ "step": step, "steps": steps, "seconds": since.as_secs_f64(), "waited_for_pictures": waited.as_secs_f64() })
}

fn check_finite(means: &Means, step: u64) -> Result<(), Failure> {
    let Some((name, mean)) = means.not_finite() else { return Ok(()) };
    let message =
        format!("the loss {name} is {mean} by step {step}: training has diverged; start again with a lower --rate");
    Err(Failure::new(Exit::Diverged, message))
}
