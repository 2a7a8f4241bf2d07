//! Pictures through the network, as many at once as fit.

use std::time::Instant;

use anyhow::bail;
use models_runtime::{Numbers, Session, SessionError};

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
        let result = self.translate(pipeline, &mut batch);
        let seconds = began.elapsed().as_secs_f64();
        batch.iter_mut().for_each(|picture| picture.facts.seconds.translate += seconds);
        match result {
            Ok(()) => batch.into_iter().map(|picture| (picture, Ok(()))).collect(),
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

    /// Puts what comes of pictures into their place.
    fn translate(&mut self, pipeline: &Pipeline<'_>, batch: &mut [Decoded]) -> anyhow::Result<()> {
        let Some(first) = batch.first() else { return Ok(()) };
        let (width, height) = (first.placement.padded.0 as usize, first.placement.padded.1 as usize);
        let count = if self.whole_batches { self.batch } else { batch.len() };
        let shape = pipeline.conversion.shape(count, width, height);
        let expected = pipeline.conversion.output_shape(count, width, height);
        let check = |found| match found == expected {
            true => Ok(()),
            false => bail!("the model gives {found:?} for {shape:?}, not {expected:?}"),
        };
        if let ([picture], 1) = (&mut *batch, count) {
            // In the same memory: a picture takes no more of it than another.
            return check(self.session.translate_in_place(&mut picture.numbers, shape)?);
        }
        let views = (0..count).map(|place| batch[place.min(batch.len() - 1)].numbers.view());
        let together = Numbers::batch(views).expect("one model takes one kind of numbers");
        let (output, found) = self.session.translate(together.view(), shape)?;
        check(found)?;
        for (picture, numbers) in batch.iter_mut().zip(output.view().pictures(count)) {
            picture.numbers.replace(numbers);
        }
        Ok(())
    }
}
