//! Decoding and encoding beside the network's work.
//!
//! ```text
//! feeder ──▶ decoding pool ──▶ this thread: batches, session ──▶ encoding pool
//! ```
//!
//! The queue from decoding holds, in order, a one-place channel for each picture under way, so a decoding thread never
//! waits for room; only the feeder does. Encoding is bounded by permits, which this thread takes and encoding threads
//! give back. No thread of a pool waits for anything, so neither pool can block itself; and what is in memory is at most
//! the decoded queue, one batch, and the permitted encodings.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use anyhow::bail;
use models_runtime::Session;
use pictures::Format;
use program::{files, interrupt};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::contract::Sizes;
use crate::fit::{Fit, Fitted, fit, unfit};
use crate::numbers::{Conversion, Numbers, NumbersRef};
use crate::plan::Item;
use crate::report::Outcome;

/// How pictures go through a session.
#[derive(Clone, Copy, Debug)]
pub struct Pipeline {
    /// The sizes that the model takes.
    pub sizes: Sizes,
    /// The size that the network sees.
    pub fit: Fit,
    /// Between pictures and the model's numbers.
    pub conversion: Conversion,
    /// How many times as wide and high the output is.
    pub scale: u32,
    /// Pictures of one size that the network sees at once, at most.
    pub batch: usize,
    /// Whether it takes that many and no fewer. The last picture then stands for those that lack, and what the network
    /// makes of it again is dropped.
    pub whole_batches: bool,
    /// Pixels of a picture for which the machine has memory.
    pub most_pixels: u64,
}

/// A picture between decoding and encoding.
struct Decoded {
    item: Item,
    format: Format,
    fitted: Fitted,
}

type DecodedQueue = Receiver<Receiver<Result<Decoded, Outcome>>>;

impl Pipeline {
    /// Translates the pictures and tells of each what became of it, in any order. After [`interrupt::requested`] no
    /// further batch is begun: what the network has seen is written, what was only decoded is left.
    pub fn run(&self, mut session: Session, work: Vec<Item>, mut tell: impl FnMut(Outcome)) {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let (decoding, encoding) = (pool("decode", threads), pool("encode", threads));
        let ahead = 2 * threads + self.batch;
        thread::scope(|scope| {
            let (queue, decoded) = sync_channel(ahead);
            scope.spawn(|| self.feed(&decoding, work, queue));
            let (outcomes, ended) = channel();
            let mut encoder = Encoder { pool: &encoding, permits: permits(ahead), outcomes };
            self.translate(&mut session, &decoded, &mut encoder, || ended.try_iter().for_each(&mut tell));
            drop(encoder);
            ended.iter().for_each(&mut tell);
        });
    }

    /// Hands out work to the decoding pool, in order, as long as there is room.
    fn feed(&self, pool: &ThreadPool, work: Vec<Item>, queue: SyncSender<Receiver<Result<Decoded, Outcome>>>) {
        let this = *self;
        for item in work {
            let (one_place, decoded) = sync_channel(1);
            if interrupt::requested() || queue.send(decoded).is_err() {
                return;
            }
            pool.spawn(move || {
                let decoded = this.decode(item);
                let _ended = one_place.send(decoded); // an error means that nobody waits any more
            });
        }
    }

    /// Forms batches from pictures of one size that follow each other, and runs them.
    fn translate(
        &self,
        session: &mut Session,
        decoded: &DecodedQueue,
        encoder: &mut Encoder<'_>,
        mut tell: impl FnMut(),
    ) {
        let mut batch: Vec<Decoded> = Vec::new();
        for under_way in decoded {
            let under_way = under_way.recv().expect("a picture under way is sent, or its thread panicked");
            if interrupt::requested() {
                return; // a network may need minutes for all that is decoded ahead
            }
            match under_way {
                Err(outcome) => encoder.outcomes.send(outcome).expect("the receiver outlives the pipeline"),
                Ok(picture) => {
                    if batch.first().is_some_and(|first| first.fitted.padded != picture.fitted.padded) {
                        self.run_batch(session, std::mem::take(&mut batch), encoder);
                    }
                    batch.push(picture);
                    if batch.len() == self.batch {
                        self.run_batch(session, std::mem::take(&mut batch), encoder);
                    }
                }
            }
            tell();
        }
        self.run_batch(session, batch, encoder);
    }

    fn decode(self, item: Item) -> Result<Decoded, Outcome> {
        let read = || {
            let (picture, format) = pictures::read_with_format(&item.input)?;
            anyhow::Ok((format, fit(&picture, self.fit, self.sizes, self.conversion, self.most_pixels)?))
        };
        match read() {
            Ok((format, fitted)) => Ok(Decoded { item, format, fitted }),
            Err(error) => Err(Outcome { input: item.input, result: Err(error) }),
        }
    }

    /// Runs a batch, and where that fails its pictures one by one, so that none fails for another's sake.
    fn run_batch(self, session: &mut Session, batch: Vec<Decoded>, encoder: &mut Encoder<'_>) {
        match self.translated(session, &batch) {
            Ok(translated) => {
                for (picture, numbers) in batch.into_iter().zip(translated) {
                    encoder.encode(self, picture, numbers);
                }
            }
            Err(error) if batch.len() == 1 => {
                let input = batch.into_iter().next().expect("there is one").item.input;
                let outcome = Outcome { input, result: Err(error) };
                encoder.outcomes.send(outcome).expect("the receiver outlives the pipeline");
            }
            Err(_) => batch.into_iter().for_each(|picture| self.run_batch(session, vec![picture], encoder)),
        }
    }

    /// The network's output for each picture of a batch, all of one padded size.
    fn translated(self, session: &mut Session, batch: &[Decoded]) -> anyhow::Result<Vec<Numbers>> {
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else { return Ok(Vec::new()) };
        let (width, height) = (first.fitted.padded.0 as usize, first.fitted.padded.1 as usize);
        let count = if self.whole_batches { self.batch } else { batch.len() };
        let shape = self.conversion.shape(count, width, height);
        let (output, output_shape) = match (batch, count) {
            ([alone], 1) => session.translate(alone.fitted.numbers.view(), shape)?,
            _ => {
                let lacking = std::iter::repeat_n(last, count - batch.len()); // the last picture stands for them
                let pictures = batch.iter().chain(lacking).map(|picture| picture.fitted.numbers.view());
                let numbers = Numbers::batch(pictures).expect("all pictures of a model are alike");
                session.translate(numbers.view(), shape)?
            }
        };
        let expected = self.conversion.output_shape(count, width, height);
        if output_shape != expected {
            bail!("the model gives {output_shape:?} for {shape:?}, not {expected:?}");
        }
        if count == 1 {
            return Ok(vec![output]);
        }
        Ok(output.view().pictures(count).take(batch.len()).map(NumbersRef::to_owned).collect())
    }
}

fn pool(name: &'static str, threads: usize) -> ThreadPool {
    let named = move |index| format!("{name}-{index}");
    ThreadPoolBuilder::new().num_threads(threads).thread_name(named).build().expect("threads can be started")
}

/// Hands out work to the encoding pool, as many pictures at once as there are permits.
struct Encoder<'a> {
    pool: &'a ThreadPool,
    permits: (SyncSender<()>, Receiver<()>),
    outcomes: Sender<Outcome>,
}

fn permits(count: usize) -> (SyncSender<()>, Receiver<()>) {
    let (give_back, take) = sync_channel(count);
    (0..count).for_each(|_| give_back.send(()).expect("there is room for each"));
    (give_back, take)
}

impl Encoder<'_> {
    fn encode(&mut self, pipeline: Pipeline, picture: Decoded, numbers: Numbers) {
        self.permits.1.recv().expect("the sender is beside it");
        let (give_back, outcomes) = (self.permits.0.clone(), self.outcomes.clone());
        self.pool.spawn(move || {
            let result = write(pipeline, &picture, &numbers);
            outcomes.send(Outcome { input: picture.item.input, result }).expect("the receiver outlives the pipeline");
            let _ended = give_back.send(()); // an error means that nobody waits any more
        });
    }
}

fn write(pipeline: Pipeline, picture: &Decoded, numbers: &Numbers) -> anyhow::Result<()> {
    let Fitted { padded, content, .. } = picture.fitted;
    let translated = unfit(numbers.view(), pipeline.conversion, pipeline.scale, padded, content)?;
    let bytes = pictures::encode(&translated, picture.format)?;
    let output: &PathBuf = &picture.item.output;
    Ok(files::write_whole(output, &bytes)?)
}
