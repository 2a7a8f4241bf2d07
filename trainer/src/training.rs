//! The training loop.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use models_torch::Module;
use program::{
    Console, ConsoleArguments, Exit, Failure, OrExit, ProgressBar, duration, files, interrupt, print_result,
};
use serde_json::{Value, json};
use tch::{Kind, Tensor};

use crate::arguments::TrainingArguments;
use crate::begin::{Begun, LOSSES, Ready, begin};
use crate::checkpoint::{Checkpoint, Progress};
use crate::data::loader::{Batch, Loader};
use crate::effects::without_effect;
use crate::evaluation::{Best, Evaluation, Pairs};
use crate::guards::Warning;
use crate::memory::with_advice;
use crate::metrics::{JsonLines, Losses};
use crate::report::State;
use crate::run_directory::{Facts, METRICS, RunDirectory, START, SavedNow, TIMING};
use crate::settings::Settings;
use crate::start;
use crate::watching::Watching;

/// Steps after which the time left is estimated: the first is slower than all others.
const STEPS_TO_ESTIMATE: u64 = 5;

/// Trains as the command line says.
pub(crate) fn run(arguments: &TrainingArguments, console: ConsoleArguments) -> Result<Exit, Failure> {
    let mut console = Console::new(console);
    if arguments.print_config {
        print_result(arguments.config()?.trim_end());
        return Ok(Exit::Done);
    }
    let Begun { settings, directory, ready, progress, losses } = begin(arguments, &mut console)?;
    start::say(&console, &settings, &ready);
    let start = start::to_json(&settings, &ready).to_string();
    files::write_whole(&directory.path().join(START), start.as_bytes()).or_exit(Exit::CannotStart)?;
    interrupt::watch("finishing this step, then saving").or_exit(Exit::CannotStart)?;

    let open = |file| JsonLines::open(&directory.path().join(file), progress.step).or_exit(Exit::Fault);
    let pairs = ready.data.test.as_ref().and_then(|test| Pairs::read(test, settings.size, ready.device));
    for message in without_effect(&arguments.flags.0, &settings, &ready.data, pairs.is_some()) {
        console.always(format!("warning: {message}"));
    }
    let first = progress.step;
    let saved = (first > 0).then_some(first);
    let mut run = Run {
        metrics: open(METRICS)?,
        timing: open(TIMING)?,
        watching: Watching::new(directory.path()),
        not_shown: BTreeSet::new(),
        bar: console.start_bar(ready.updates, "steps").with_position(progress.step),
        settings,
        directory,
        ready,
        pairs,
        progress,
        losses,
        saved,
        timed: first,
        stepping: Duration::ZERO,
        evaluated: None,
        console: &console,
    };
    run.bar.reset_eta();
    run.show(|watching| watching.start(first));
    let done = run.train();
    let finished = done.is_ok() && run.progress.step == run.ready.updates;
    run.show(|watching| watching.ended(if finished { State::Finished } else { State::Stopped }));
    run.bar.finish_and_clear();
    done?;
    Ok(run.finish())
}

/// A run under way.
struct Run<'a> {
    settings: Settings,
    directory: RunDirectory,
    ready: Ready,
    pairs: Option<Pairs>,
    progress: Progress,
    losses: Losses,
    metrics: JsonLines,
    timing: JsonLines,
    watching: Watching,
    /// Why something of it could not be shown, as far as it is said already.
    not_shown: BTreeSet<String>,
    /// The step of the last checkpoint.
    saved: Option<u64>,
    /// The step of the last line of timing, and the time spent in steps since.
    timed: u64,
    stepping: Duration,
    /// The last measurement on the pairs.
    evaluated: Option<Evaluation>,
    bar: ProgressBar,
    console: &'a Console,
}

impl Run<'_> {
    /// Makes all updates that are left, or those until the user stops it.
    fn train(&mut self) -> Result<(), Failure> {
        let (first, updates) = (self.progress.step, self.ready.updates);
        let mut loader = Loader::start(&self.ready.data, &self.settings, first, self.ready.cache);
        if first == 0 {
            self.sample()?;
            if self.settings.init_from.is_some() {
                self.save()?; // the file may be gone when the run goes on
            }
        }
        let start = Instant::now();
        for step in first + 1..=updates {
            let rate = self.settings.rate_at(step - 1, updates);
            let began = Instant::now();
            let batch = match loader.next() {
                Ok(batch) => batch,
                Err(error) => {
                    // The pictures are at fault, not what was learnt.
                    if self.saved != Some(self.progress.step) {
                        self.save()?;
                    }
                    return Err(error).or_exit(Exit::Fault);
                }
            };
            let losses = self.step(batch, rate).and_then(|losses| self.losses.add(losses));
            self.computed(losses)?;
            self.progress.step = step;

            let Settings { log_every, eval_every, sample_every, save_every, .. } = self.settings;
            let due = |every| step % every == 0 || step == updates;
            if due(log_every) {
                self.log(rate)?; // waits for a GPU, as all below does
            }
            self.stepping += began.elapsed();
            if due(log_every) {
                self.time(loader.take_waited())?;
            }
            if due(eval_every) {
                self.evaluate()?;
            }
            if due(sample_every) {
                self.sample()?;
            }
            // Last: a checkpoint says that all of its step is written.
            let stop = interrupt::requested();
            if due(save_every) || stop {
                self.save()?;
            }
            loader.take_warnings().iter().for_each(|warning| self.console.always(warning));
            if step - first == STEPS_TO_ESTIMATE && step < updates {
                self.say_estimate(start.elapsed() / STEPS_TO_ESTIMATE as u32);
            }
            self.bar.set_position(step);
            if stop {
                break;
            }
        }
        Ok(())
    }

    fn step(&mut self, batch: Batch, rate: f64) -> Result<Tensor, tch::TchError> {
        let Settings { batch: n, size, .. } = self.settings;
        let device = self.ready.device;
        let shape = [n, 3, size, size].map(|side| side as i64);
        let [a, b] = batch.sides.map(|side| {
            let tensor = Tensor::f_from_slice(&side)?.f_view(shape)?;
            match device.is_cuda() {
                // From pinned memory the copy runs beside the card's work; from any other the program waits for it. Not
                // `f_pin_memory`: libtorch prints two warnings at each step that a device is no argument of it any more.
                true => tensor.f_internal_pin_memory(device)?.f_to_device_(device, Kind::Float, true, false),
                false => Ok(tensor),
            }
        });
        self.ready.cyclegan.update(&a?, &b?, rate)
    }

    /// Writes the means since the last line.
    fn log(&mut self, rate: f64) -> Result<(), Failure> {
        self.check_losses()?;
        let step = self.progress.step;
        let means = self.losses.take_means();
        let means = self.computed(means)?;
        let losses = means.to_json(self.settings.identity_weight > 0.0);
        self.write(&json!({ "step": step, "losses": losses, "learning_rate": rate }))?;
        let warning = self.progress.guards.losses(step, &means);
        warning.into_iter().try_for_each(|warning| self.warn(&warning))?;
        let speed = self.bar.per_sec() * self.settings.batch as f64;
        self.bar.set_message(format!("{speed:.1} images/s · {means}"));
        if !self.console.has_visible_bar() {
            self.console.say(format!("step {step}/{}: {means}", self.ready.updates));
        }
        Ok(())
    }

    /// Writes how long the steps since the last line took; sheets, measurements and checkpoints do not count.
    fn time(&mut self, waited: Duration) -> Result<(), Failure> {
        let step = self.progress.step;
        let seconds = std::mem::take(&mut self.stepping).as_secs_f64();
        let steps = step - std::mem::replace(&mut self.timed, step);
        let line =
            json!({ "step": step, "steps": steps, "seconds": seconds, "waited_for_pictures": waited.as_secs_f64() });
        self.timing.write(&line).or_exit(Exit::Fault)?;
        self.show(|watching| watching.timed(&line));
        Ok(())
    }

    /// Measures on the test pairs, and keeps the networks where they are the best so far.
    fn evaluate(&mut self) -> Result<(), Failure> {
        let Some(pairs) = &self.pairs else { return Ok(()) };
        self.bar.set_message("measuring on the test pairs");
        let networks = self.ready.cyclegan.networks();
        let evaluation = self.computed(pairs.evaluate([&networks.g_ab, &networks.g_ba]))?;
        let mut line = json!({ "step": self.progress.step, "paired": evaluation });
        if let Some([ab, ba]) = self.computed(self.ready.cyclegan.averaged())? {
            line["paired_ema"] = json!(self.computed(pairs.evaluate([&ab, &ba]))?);
        }
        self.write(&line)?;
        self.evaluated = Some(evaluation);
        let new = Best { step: self.progress.step, l1: evaluation.l1() };
        if self.progress.best.is_none_or(|best| new.l1 < best.l1) {
            self.check_losses()?;
            self.progress.best = Some(new);
            self.computed(self.directory.best().replace(&self.now()?, &self.facts(), new))?;
        }
        Ok(())
    }

    fn sample(&mut self) -> Result<(), Failure> {
        let step = self.progress.step;
        let sheet = self.ready.samples.sheet(self.ready.cyclegan.networks());
        let sheet = self.computed(sheet)?;
        for (generator, pairs) in ["g_ab", "g_ba"].into_iter().zip(&sheet.translated) {
            for warning in self.progress.guards.pictures(step, generator, pairs) {
                self.warn(&warning)?;
            }
        }
        self.directory.write_sheet(step, &sheet.picture).or_exit(Exit::Fault)?;
        self.show(|watching| watching.sampled(step, &sheet.picture));
        Ok(())
    }

    /// Writes the networks and a checkpoint, unless the run has diverged: the last good ones stay then.
    fn save(&mut self) -> Result<(), Failure> {
        self.check_losses()?;
        let step = self.progress.step;
        if let Some(network) = self.computed(self.ready.cyclegan.not_finite())? {
            return Err(self.diverged(format!("weights of {network} are no numbers any more after step {step}")));
        }
        self.metrics.sync().or_exit(Exit::Fault)?;
        self.timing.sync().or_exit(Exit::Fault)?;
        self.computed(self.directory.save(&self.now()?, &self.facts(), step))?;
        let mut tensors = self.computed(self.ready.cyclegan.state())?;
        tensors.extend(self.computed(self.losses.pending())?.map(|losses| (LOSSES.to_owned(), losses)));
        let checkpoint = Checkpoint { progress: self.progress.clone(), tensors };
        self.computed(self.directory.write_checkpoint(&checkpoint, self.settings.keep))?;
        self.saved = Some(step);
        Ok(())
    }

    /// What was computed, or the fault that ends the run: with advice, where it is about memory.
    fn computed<T>(&self, result: Result<T, impl Into<anyhow::Error>>) -> Result<T, Failure> {
        result.map_err(|error| with_advice(error.into(), &self.settings)).or_exit(Exit::Fault)
    }

    /// Ends the run where a loss since the last line is no number.
    fn check_losses(&mut self) -> Result<(), Failure> {
        let Some(found) = self.computed(self.losses.not_finite())? else { return Ok(()) };
        let step = self.progress.step - found.updates_ago;
        Err(self.diverged(format!("the loss {} is {} at step {step}", found.name, found.value)))
    }

    fn diverged(&mut self, what: String) -> Failure {
        let kept = match self.saved {
            Some(step) => format!("; what was saved after step {step} is in {}", self.directory.path().display()),
            None => String::new(),
        };
        let message = format!("{what}: training has diverged; start again with a lower --rate{kept}");
        let line = json!({ "step": self.progress.step, "warning": { "kind": "diverged", "message": &message } });
        // The run ends with this message even where the line cannot be written.
        let _unwritten = self.metrics.write(&line);
        self.show(|watching| watching.logged(&line));
        Failure::new(Exit::Diverged, message)
    }

    fn warn(&mut self, warning: &Warning) -> Result<(), Failure> {
        self.console.always(format!("warning: {}", warning.message));
        self.write(&json!({ "step": self.progress.step, "warning": warning }))
    }

    fn write(&mut self, line: &Value) -> Result<(), Failure> {
        self.metrics.write(line).or_exit(Exit::Fault)?;
        self.show(|watching| watching.logged(line));
        Ok(())
    }

    /// Shows something of the run. What cannot be shown is said, once for each reason, and training goes on: `trainer
    /// report` draws the page again from what is on the disk.
    fn show(&mut self, show: impl FnOnce(&mut Watching) -> anyhow::Result<()>) {
        let Err(error) = show(&mut self.watching) else { return };
        let reason = format!("{error:#}");
        if !self.not_shown.contains(&reason) {
            self.console.always(format!("warning: {reason}"));
            self.not_shown.insert(reason);
        }
    }

    fn now(&self) -> Result<SavedNow<'_>, Failure> {
        let averaged: Option<[Module; 2]> = self.computed(self.ready.cyclegan.averaged())?;
        Ok(SavedNow { networks: self.ready.cyclegan.networks(), averaged })
    }

    fn facts(&self) -> Facts<'_> {
        Facts { settings: &self.settings, data_set: &self.ready.data.name }
    }

    fn say_estimate(&self, a_step: Duration) {
        let left = a_step * u32::try_from(self.ready.updates - self.progress.step).unwrap_or(u32::MAX);
        let rate = self.settings.batch as f64 / a_step.as_secs_f64();
        self.console.say(format!(
            "speed     {:.2} s a step in the first {STEPS_TO_ESTIMATE}, {rate:.2} pictures of each side/s: about {} left",
            a_step.as_secs_f64(),
            duration(left)
        ));
    }

    /// Reports a run that has ended by itself or by the user.
    fn finish(&self) -> Exit {
        let path = self.directory.path().display();
        if self.progress.step < self.ready.updates {
            self.console.always(format!(
                "stopped after step {} of {}; the weights are in {path}; go on with `trainer --resume {path}`",
                self.progress.step, self.ready.updates,
            ));
            return Exit::Stopped;
        }
        if let Some(last) = &self.evaluated {
            let Evaluation { pairs, a_to_b, b_to_a, untranslated } = last;
            for (direction, likeness) in [("A to B", a_to_b), ("B to A", b_to_a)] {
                self.console.say(format!(
                    "test      {direction}, last: L1 {:.1} of 255 over {pairs} pairs (untranslated {:.1}), PSNR {:.1} dB, SSIM {:.3}",
                    likeness.l1, untranslated.l1, likeness.psnr, likeness.ssim
                ));
            }
        }
        if let Some(best) = self.progress.best.filter(|_| self.directory.best().is_there()) {
            self.console.say(format!("test      best: L1 {:.1} of both at step {}: {path}/best", best.l1, best.step));
        }
        self.console.say(format!("weights   {path}/g_ab.ot, g_ba.ot, d_a.ot, d_b.ot; look at {path}/report.html"));
        Exit::Done
    }
}
