//! Pictures through the network, as many at once as fit.

use std::time::Instant;

use anyhow::bail;
use models_runtime::{Numbers, NumbersRef, Session, SessionError};

use super::{Decoded, Pipeline};

/// A session, and how many pictures it takes at once.
#[derive(Debug)]
pub struct Translator {
    session: Session,
    /// Pictures of one shape at once, at most.
    pub batch: usize,
    /// Whether it takes that many and no fewer. The last picture then stands for those that lack, and what the network
    /// makes of it again is dropped.
    whole_batches: bool,
    /// What a person should know, once.
    pub remark: Option<String>,
}

/// A picture with what came of it.
pub type Ended = (Decoded, anyhow::Result<()>);

impl Translator {
    /// For a session and its batch.
    pub fn new(session: Session, batch: usize, whole_batches: bool) -> Self {
        Self { session, batch, whole_batches, remark: None }
    }

    /// The network's output for pictures of one shape, in the place of its input. A batch that fails is tried again in
    /// halves, so that no picture fails for another's sake; where the device's memory was too small for it, later batches
    /// are as small.
    pub fn run(&mut self, pipeline: &Pipeline<'_>, mut batch: Vec<Decoded>) -> Vec<Ended> {
        let began = Instant::now();
        let result = self.translated(pipeline, &batch);
        let seconds = began.elapsed().as_secs_f64();
        batch.iter_mut().for_each(|picture| picture.facts.seconds.translate += seconds);
        match result {
            Ok(translated) => batch
                .into_iter()
                .zip(translated)
                .map(|(picture, numbers)| (Decoded { numbers, ..picture }, Ok(())))
                .collect(),
            Err(error) if batch.len() == 1 => batch.pop().map(|picture| (picture, Err(error))).into_iter().collect(),
            Err(error) => {
                let half = batch.len().div_ceil(2);
                if !self.whole_batches && error.downcast_ref().is_some_and(SessionError::is_out_of_memory) {
                    self.batch = self.batch.min(half);
                    let device = self.session.device();
                    self.remark = Some(format!(
                        "{device} has no memory for {} pictures at once; from here on {half}",
                        batch.len()
                    ));
                }
                let rest = batch.split_off(half);
                let mut ended = self.run(pipeline, batch);
                ended.extend(self.run(pipeline, rest));
                ended
            }
        }
    }

    fn translated(&mut self, pipeline: &Pipeline<'_>, batch: &[Decoded]) -> anyhow::Result<Vec<Numbers>> {
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else { return Ok(Vec::new()) };
        let (width, height) = (first.placement.padded.0 as usize, first.placement.padded.1 as usize);
        let count = if self.whole_batches { self.batch } else { batch.len() };
        let shape = pipeline.conversion.shape(count, width, height);
        let expected = pipeline.conversion.output_shape(count, width, height);
        let views =
            batch.iter().chain(std::iter::repeat_n(last, count - batch.len())).map(|picture| picture.numbers.view());
        let (output, output_shape) = match count {
            1 => self.session.translate(first.numbers.view(), shape)?,
            _ => {
                let together = Numbers::batch(views).expect("one model takes one kind of numbers");
                self.session.translate(together.view(), shape)?
            }
        };
        if output_shape != expected {
            bail!("the model gives {output_shape:?} for {shape:?}, not {expected:?}");
        }
        Ok(match count {
            1 => vec![output],
            _ => output.view().pictures(count).take(batch.len()).map(NumbersRef::to_owned).collect(),
        })
    }
}
