//! One run from its plan to its exit code.
//!
//! This thread is an encoder like the others: with `--jobs 1:1` it alone writes, so that a fault can be placed at each of
//! its calls (`cargo xtask prove infer`).

use std::sync::Mutex;
use std::thread::{self, Builder, Scope};
use std::time::Instant;

use anyhow::{Context, anyhow, bail};
use models_runtime::Running;
use program::files::Unfinished;
use program::{Console, Exit, Failure, OrExit, duration, interrupt, print_result};
use serde_json::json;

use crate::arguments::RunArguments;
use crate::flow::{Flow, Limits};
use crate::jobs::Jobs;
use crate::journal::{Commits, Journal, Made, State, sha256};
use crate::pipeline::{Decoded, Pipeline, Translator};
use crate::plan::{Format, Item, Plan};
use crate::profile::Profile;
use crate::report::{Done, Facts, Outcome, Report};
use crate::telling::{Telling, Told};

/// Columns and rows that the network sees: pictures of one size form batches.
type Shape = (u32, u32);

/// What a run works with.
pub(crate) struct Run<'a> {
    pub arguments: &'a RunArguments,
    pub plan: &'a Plan,
    pub pipeline: Pipeline<'a>,
    pub jobs: Jobs,
    /// Bytes of pictures that are under way.
    pub room: u64,
    /// What another run could be started with to go on.
    pub again: &'static str,
}

impl Run<'_> {
    /// Translates what is to be translated, writes the journal, and says what became of it.
    ///
    /// # Errors
    /// What ends the run, with its exit code. Pictures that fail are none.
    pub(crate) fn run(
        &self,
        mut console: Console,
        translators: Vec<Translator>,
        devices: &[Running],
        mut journal: Journal,
        start: Instant,
    ) -> Result<Exit, Failure> {
        let report = self.arguments.report.as_deref().map(Report::begin).transpose().or_exit(Exit::CannotStart)?;
        let profile = Profile::new(self.arguments.profile.as_deref());
        let outputs = self.plan.items.iter().map(|item| item.output.as_path());
        let commits = journal.begin(outputs).or_exit(Exit::CannotStart)?;
        let bar = console.start_bar(self.plan.items.len() as u64, "pictures");
        let telling = Telling::new(self.plan, self.arguments.most_failures(), &console, bar, report);
        let stage = Stages {
            run: self,
            profile: &profile,
            journal: &journal,
            commits: &commits,
            telling: Mutex::new(telling),
            flow: self.flow(&translators),
        };
        stage.work(translators);
        let Stages { telling, .. } = stage;
        let Told { summary, made, doubtful, lost, left, report } =
            telling.into_inner().expect("no thread panics with it").told();
        console.end_bar();

        for (picture, made) in made {
            let Item { input, output } = &self.plan.items[picture];
            journal.take(journal.entry(input, output, made));
        }
        for (picture, made) in doubtful {
            let Item { input, output } = &self.plan.items[picture];
            journal.doubt(journal.entry(input, output, made));
        }
        let json = summary.to_json(self.plan.items.len(), devices, start.elapsed());
        let closed = journal.close().context("the journal; the same command goes on where it ended");
        let reported = report.map_or(Ok(()), |report| report.finish(json.clone()));
        let profiled = profile.write();

        let stopped = interrupt::requested() && left > 0;
        if left > 0 {
            let why = if stopped { "stopped" } else { "ended after too many failures," };
            console.always(format!("{why} with {left} pictures left; {} goes on", self.again));
        }
        let on: Vec<String> = devices.iter().map(|running| running.device.to_string()).collect();
        console.say(format!("took {} on {}", duration(start.elapsed()), on.join(", ")));
        match self.arguments.json {
            true => print_result(json),
            false => print_result(summary),
        }
        closed.or_exit(Exit::Fault)?;
        lost.map_or(Ok(()), Err).context("--report").or_exit(Exit::Fault)?;
        reported.context("--report").or_exit(Exit::Fault)?;
        profiled.context("--profile").or_exit(Exit::Fault)?;
        Ok(match (stopped, summary.failed) {
            (true, _) => Exit::Stopped,
            (false, 0) => Exit::Done,
            (false, _) => Exit::Differs,
        })
    }

    fn flow(&self, translators: &[Translator]) -> Flow<Shape, Decoded, Decoded> {
        let batch = translators.iter().map(|translator| translator.batch).max().unwrap_or(1);
        let decoded = translators.len() * batch + self.jobs.decoders;
        let translated = batch + self.jobs.encoders / 2;
        let limits = Limits { bytes: self.room, decoded, translated, batch };
        Flow::new(self.plan.items.len(), self.jobs.decoders, translators.len(), limits)
    }
}

/// What the threads of a run share.
struct Stages<'a> {
    run: &'a Run<'a>,
    profile: &'a Profile,
    journal: &'a Journal,
    commits: &'a Commits,
    telling: Mutex<Telling<'a>>,
    flow: Flow<Shape, Decoded, Decoded>,
}

impl Stages<'_> {
    fn work(&self, translators: Vec<Translator>) {
        thread::scope(|scope| {
            for number in 0..self.run.jobs.decoders {
                spawn(scope, format!("decode {number}"), || self.decode_all());
            }
            for (number, translator) in translators.into_iter().enumerate() {
                spawn(scope, format!("translate {number}"), || self.translate_all(translator));
            }
            for number in 1..self.run.jobs.encoders {
                spawn(scope, format!("encode {number}"), || self.encode_all());
            }
            self.encode_all();
        });
    }

    fn decode_all(&self) {
        let _leaving = self.flow.decoder();
        while let Some(picture) = self.flow.next() {
            self.look_for_a_stop();
            let item = self.item(picture);
            let mut facts = Facts::default();
            let decoded = self.profile.time("decode", || self.name(picture), || self.decode(picture, item, &mut facts));
            match decoded {
                Ok(Next::Decoded(decoded)) => self.flow.decoded(decoded.placement.padded, *decoded),
                Ok(Next::Left) => {}
                Ok(Next::Done(made)) => self.tell(Outcome { picture, result: Ok(Done::Skipped(made)), facts }),
                Err(error) => self.tell(Outcome { picture, result: Err(error), facts }),
            }
        }
    }

    fn decode(&self, picture: usize, item: &Item, facts: &mut Facts) -> anyhow::Result<Next> {
        let Run { arguments, pipeline, .. } = self.run;
        if !arguments.overwrite {
            match self.journal.state(&item.input, &item.output, arguments.verify)? {
                State::Done(made) => return Ok(Next::Done(made)),
                State::ToDo => {}
                State::Foreign if item.output.is_dir() => {
                    bail!("its output {} is a directory; move that, or take another output", item.output.display())
                }
                State::Foreign => bail!(
                    "its output {} is there already, and no run here says that it wrote it; --overwrite replaces it",
                    item.output.display()
                ),
            }
        }
        let opened = pipeline.open(&item.input)?;
        *facts = opened.facts.clone();
        let room = opened.room;
        if !self.flow.reserve(room) {
            return Ok(Next::Left);
        }
        let decoded = pipeline.decode(picture, opened).inspect_err(|_| self.flow.give_back(room))?;
        Ok(Next::Decoded(Box::new(decoded)))
    }

    fn translate_all(&self, mut translator: Translator) {
        let _leaving = self.flow.translator();
        while let Some((_, batch)) = self.flow.batch(translator.batch) {
            if self.look_for_a_stop() {
                return; // a network may need minutes for it
            }
            let names = || json!(batch.iter().map(|picture| self.name(picture.picture)).collect::<Vec<_>>());
            let names = if self.run.arguments.profile.is_some() { names() } else { json!(null) };
            let ended = self.profile.time("translate", || names, || translator.run(&self.run.pipeline, batch));
            for (decoded, result) in ended {
                match result {
                    Ok(()) => self.flow.translated(decoded),
                    Err(error) => {
                        self.flow.give_back(decoded.room);
                        self.tell(Outcome { picture: decoded.picture, result: Err(error), facts: decoded.facts });
                    }
                }
            }
            if let Some(remark) = translator.remark.take() {
                self.telling.lock().expect(NO_PANIC).remark(&remark);
            }
        }
    }

    fn encode_all(&self) {
        while let Some(translated) = self.flow.written_next() {
            let (picture, room) = (translated.picture, translated.room);
            let mut facts = translated.facts.clone();
            let written = self.profile.time("encode", || self.name(picture), || self.write(translated, &mut facts));
            self.flow.give_back(room);
            self.tell(Outcome { picture, result: written.map(Done::Translated), facts });
            self.look_for_a_stop();
        }
    }

    fn write(&self, translated: Decoded, facts: &mut Facts) -> anyhow::Result<Made> {
        let began = Instant::now();
        let (picture, read) = (translated.picture, translated.stamp.clone());
        let Item { input, output } = self.item(picture);
        let encoded = self.run.pipeline.encode(translated, Format::of(output))?;
        let made = Made { read, bytes: encoded.content.len() as u64, sha256: sha256(&encoded.content) };
        let unfinished = Unfinished::write(output, &[&encoded.content])?;
        let committed = self.commits.commit(self.journal.entry(input, output, made.clone()), unfinished);
        *facts = encoded.facts;
        facts.seconds.encode = began.elapsed().as_secs_f64();
        if committed.as_ref().is_err_and(|error| error.is_in_place) {
            self.telling.lock().expect(NO_PANIC).doubt(picture, made.clone());
        }
        committed.map_err(|error| anyhow!(error.error))?;
        Ok(made)
    }

    fn item(&self, picture: usize) -> &Item {
        &self.run.plan.items[picture]
    }

    fn name(&self, picture: usize) -> serde_json::Value {
        self.item(picture).input.to_string_lossy().into()
    }

    fn tell(&self, outcome: Outcome) {
        let is_enough = self.telling.lock().expect(NO_PANIC).tell(outcome);
        if is_enough {
            self.flow.stop();
        }
    }

    /// Nobody is told by a signal: each thread looks between two pictures.
    fn look_for_a_stop(&self) -> bool {
        if interrupt::requested() {
            self.flow.stop();
        }
        self.flow.is_stopped()
    }
}

const NO_PANIC: &str = "no thread panics while it tells";

/// What decoding comes to.
enum Next {
    Decoded(Box<Decoded>),
    /// An earlier run did it.
    Done(Made),
    /// The run was stopped before it was begun.
    Left,
}

fn spawn<'scope>(scope: &'scope Scope<'scope, '_>, name: String, work: impl FnOnce() + Send + 'scope) {
    Builder::new().name(name).spawn_scoped(scope, work).expect("threads can be started");
}
