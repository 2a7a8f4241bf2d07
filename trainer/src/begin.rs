//! How a run begins: anew, or where it was stopped.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use program::{Console, Exit, Failure, OrExit, available_bytes};

use crate::arguments::TrainingArguments;
use crate::checkpoint::{Checkpoint, Progress};
use crate::cost::Cost;
use crate::data::augment::Augmentation;
use crate::data::{DataError, DataSet, fingerprint, name_of};
use crate::earlier::Earlier;
use crate::memory::{check_least, with_advice};
use crate::metrics::Losses;
use crate::run_directory::{RunDirectory, SETTINGS, is_finished};
use crate::settings::{Cache, Layer, NOT_OF_THE_RESULT, Settings};
use crate::sheet::Samples;
use crate::update::Cyclegan;

/// Name of the losses that were not logged yet among a checkpoint's tensors.
pub(crate) const LOSSES: &str = "losses";
/// Where runs lie unless `--run` says otherwise.
const RUNS: &str = "runs";

/// A run, ready for its next step.
pub(crate) struct Begun {
    pub(crate) settings: Settings,
    pub(crate) directory: RunDirectory,
    pub(crate) ready: Ready,
    pub(crate) progress: Progress,
    pub(crate) losses: Losses,
}

/// What settings alone lead to.
pub(crate) struct Ready {
    pub(crate) data: DataSet,
    pub(crate) device: tch::Device,
    pub(crate) device_name: String,
    pub(crate) cyclegan: Cyclegan,
    pub(crate) cost: Cost,
    pub(crate) samples: Samples,
    pub(crate) updates: u64,
    /// Bytes for decoded pictures.
    pub(crate) cache: u64,
}

/// Begins as the command line says.
pub(crate) fn begin(arguments: &TrainingArguments, console: &mut Console) -> Result<Begun, Failure> {
    match &arguments.resume {
        Some(run) => resumed(arguments, run.as_deref(), console),
        None => new(arguments, console),
    }
}

fn new(arguments: &TrainingArguments, console: &mut Console) -> Result<Begun, Failure> {
    let settings = arguments.settings()?;
    let mut earlier = Earlier::default();
    if let Some(file) = &settings.init_from {
        earlier = Earlier::read(file, &settings).or_exit(Exit::CannotStart)?;
        for file in &earlier.files {
            console.say(format!("weights   from {}", file.display()));
        }
    }
    let path = settings.run.clone().unwrap_or_else(|| Path::new(RUNS).join(name_of(&settings.data)));
    RunDirectory::check(&path, arguments.overwrite).or_exit(Exit::CannotStart)?;
    let ready = Ready::new(&settings, &earlier, console)?;
    let settings = settings.of_the_run();
    let own = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
    if let Some(file) = settings.init_from.as_ref().filter(|file| file.starts_with(&own)) {
        let message =
            format!("--init-from {} lies in the run that would be replaced; choose another --run DIR", file.display());
        return Err(Failure::new(Exit::CannotStart, message));
    }
    let directory = RunDirectory::create(path, arguments.overwrite, &settings).or_exit(Exit::CannotStart)?;
    let progress = Progress::new(fingerprint(&ready.data));
    Ok(Begun { settings, directory, ready, progress, losses: Losses::default() })
}

fn resumed(arguments: &TrainingArguments, run: Option<&Path>, console: &mut Console) -> Result<Begun, Failure> {
    let flags = &arguments.flags.0;
    let path = match (run, flags.get("run")) {
        (Some(run), Some(other)) if run != Path::new(other) => {
            let message = format!("--run {other} contradicts --resume {}: say one of them", run.display());
            return Err(Failure::new(Exit::Usage, message));
        }
        (Some(run), _) => run.to_owned(),
        (None, Some(run)) => PathBuf::from(run),
        (None, None) => the_only_run(Path::new(RUNS)).or_exit(Exit::CannotStart)?,
    };
    let directory = RunDirectory::open(path).or_exit(Exit::CannotStart)?;
    let settings_path = directory.path().join(SETTINGS);
    let saved = fs_err::read_to_string(&settings_path).or_exit(Exit::CannotStart)?;
    let saved = Layer::read(&saved).and_then(Layer::onto_preset).with_context(|| settings_path.display().to_string());
    let settings = settings_to_go_on(&saved.or_exit(Exit::CannotStart)?, flags, directory.path())?;

    let newest = directory.newest_checkpoint().or_exit(Exit::CannotStart)?;
    for (path, error) in &newest.damaged {
        console.always(format!("warning: {} {error}; it is left out", path.display()));
    }
    let mut earlier = Earlier::default();
    if newest.checkpoint.is_none()
        && let Some(file) = &settings.init_from
    {
        earlier = Earlier::read(file, &settings).or_exit(Exit::CannotStart)?;
    }
    let mut ready = Ready::new(&settings, &earlier, console)?;
    let data = fingerprint(&ready.data);
    let mut losses = Losses::default();
    let progress = match newest.checkpoint {
        None => {
            console.say("resume    there is no checkpoint yet: from the start".to_owned());
            Progress::new(data)
        }
        Some(Checkpoint { progress, mut tensors }) => {
            if progress.data != data {
                let message = format!(
                    "--data {}: its pictures are not those that {} began with, so that it cannot go on as if it had never \
                     stopped; give the pictures back, or start a new run with --init-from {}",
                    settings.data,
                    directory.path().display(),
                    directory.path().join("g_ab.ot").display()
                );
                return Err(Failure::new(Exit::CannotStart, message));
            }
            if let Some(pending) = tensors.remove(LOSSES) {
                losses = Losses::from_pending(pending.f_to_device(ready.device).or_exit(Exit::CannotStart)?);
            }
            let what = || format!("the checkpoint of step {} does not fit {}", progress.step, settings_path.display());
            ready.cyclegan.restore(progress.step, &mut tensors).with_context(what).or_exit(Exit::CannotStart)?;
            let finished = if progress.step == ready.updates { ", finished already" } else { "" };
            console.say(format!("resume    {} after step {}{finished}", directory.path().display(), progress.step));
            progress
        }
    };
    directory.best().restore(progress.best).or_exit(Exit::Fault)?;
    directory.forget_after(progress.step).or_exit(Exit::Fault)?;
    // It may have been stopped between a checkpoint and this, and there may be no further one.
    directory.remove_old_checkpoints(settings.keep).or_exit(Exit::Fault)?;
    directory.write_settings(&settings.clone().of_the_run()).or_exit(Exit::Fault)?;
    Ok(Begun { settings, directory, ready, progress, losses })
}

/// A run's own settings with the flags that may change on the way; refuses those that may not, by name.
fn settings_to_go_on(saved: &Layer, flags: &Layer, run: &Path) -> Result<Settings, Failure> {
    let own = saved.settings().with_context(|| run.join(SETTINGS).display().to_string()).or_exit(Exit::CannotStart)?;
    let asked = saved.clone().under(flags).settings().or_exit(Exit::Usage)?;
    let table = |settings: &Settings| settings.clone().of_the_run().table();
    let (own_table, asked_table) = (table(&own), table(&asked));
    for (name, _) in flags.iter().filter(|(name, _)| !NOT_OF_THE_RESULT.contains(name) && *name != "run") {
        if own_table.get(name) != asked_table.get(name) {
            let shown = |value: Option<&toml::Value>| value.map_or("not set".to_owned(), ToString::to_string);
            let message = format!(
                "--{} {} contradicts the run that goes on: its {} has {}; leave the flag out, or start a new run with --init-from {}",
                name.replace('_', "-"),
                flags.get(name).unwrap_or_default(),
                run.join(SETTINGS).display(),
                shown(own_table.get(name)),
                run.join("g_ab.ot").display()
            );
            return Err(Failure::new(Exit::Usage, message));
        }
    }
    Ok(asked)
}

/// The only unfinished run in a folder.
fn the_only_run(folder: &Path) -> anyhow::Result<PathBuf> {
    let entries = fs_err::read_dir(folder).context("--resume without a directory goes on with the run below runs/")?;
    let mut runs = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.join(SETTINGS).is_file() && !is_finished(&path)? {
            runs.push(path);
        }
    }
    runs.sort();
    let names: Vec<String> = runs.iter().map(|run| run.display().to_string()).collect();
    match runs.len() {
        1 => Ok(runs.remove(0)),
        0 => bail!("there is no unfinished run below {}; say which is meant: --resume RUN", folder.display()),
        _ => bail!("there are several unfinished runs; say which: --resume {}", names.join(", or --resume ")),
    }
}

impl Ready {
    fn new(settings: &Settings, earlier: &Earlier, console: &mut Console) -> Result<Self, Failure> {
        let (device, device_name) = models_torch::device(settings.device).or_exit(Exit::CannotStart)?;
        tch::set_num_threads(settings.threads as i32);
        if device.is_cuda() {
            tch::Cuda::cudnn_set_benchmark(true); // every step has the same shapes
        }
        let cost = Cost::of(settings)
            .with_context(|| format!("--size {} does not fit; try a larger one", settings.size))
            .or_exit(Exit::Usage)?;
        check_least(&cost, settings, device).or_exit(Exit::CannotStart)?;
        // After all that can be refused without it: it may have to be fetched.
        let data = DataSet::open(&settings.data, &settings.places(), settings.seed, console)?;
        check_sizes(&data, Augmentation::new(settings)).or_exit(Exit::CannotStart)?;
        let cyclegan = Cyclegan::new(settings, device, &earlier.weights);
        let cyclegan = cyclegan.map_err(|error| with_advice(error.into(), settings)).or_exit(Exit::CannotStart)?;
        let samples = Samples::choose(&data, settings.size, device).or_exit(Exit::CannotStart)?;
        let updates = settings.updates(data.train[0].len().max(data.train[1].len()));
        let cache = match settings.cache {
            Cache::Bytes(bytes) => bytes,
            Cache::Auto => available_bytes().map_or(0, |bytes| bytes / 4),
        };
        Ok(Self { data, device, device_name, cyclegan, cost, samples, updates, cache })
    }
}

/// Pictures that are cropped as they are have to be large enough: found out before the run, not in its third epoch.
fn check_sizes(data: &DataSet, augmentation: Augmentation) -> Result<(), DataError> {
    for side in &data.train {
        let too_small = side.too_small(|size| augmentation.check(size).err());
        if let Some((count, example, error)) = too_small {
            return Err(DataError::TooSmall { count, of: side.len(), example, error });
        }
    }
    Ok(())
}
