//! A contract put together out of what the graph, flags, the file beside the model and the metadata say.

use std::fmt;
use std::path::PathBuf;

use models::Metadata;
use models_onnx::Summary;

use super::arguments::{LARGEST_SCALE, Said};
use super::ends::{self, CHANNELS, End, printable};
use super::error::{ContractError, Missing};
use super::values::{Channels, Element, Layout, PerChannel, PixelRange, Tensor};
use super::{Contract, Fact, MOST_AT_ONCE, Sizes, Source};
use crate::numbers::{Conversion, Normalization};

/// A contract while it is put together.
pub(super) struct Reading<'a> {
    flags: &'a Said,
    file: &'a Said,
    /// Name of that file.
    name: String,
    metadata: Option<&'a Metadata>,
    facts: Vec<Fact>,
    missing: Vec<Missing>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(flags: &'a Said, file: &'a Said, name: String, metadata: Option<&'a Metadata>) -> Self {
        Self { flags, file, name, metadata, facts: Vec::new(), missing: Vec::new() }
    }

    /// What a flag says, or else the file.
    fn said<T>(&self, what: impl Fn(&Said) -> Option<T>) -> Option<(T, Source)> {
        let flag = what(self.flags).map(|value| (value, Source::Flag));
        flag.or_else(|| what(self.file).map(|value| (value, Source::File(self.name.clone()))))
    }

    fn fact(&mut self, name: &'static str, value: impl fmt::Display, source: Source) {
        self.facts.push(Fact { name, value: value.to_string(), source });
    }

    /// The contract of a graph with these ends; what is missing is listed without a place for it.
    pub(super) fn contract(
        mut self,
        summary: &Summary,
        own: Option<(Sizes, u64)>,
        input: &End,
        output: &End,
    ) -> Result<Contract, ContractError> {
        self.fact("takes", input, Source::Graph);
        self.fact("gives", output, Source::Graph);
        let layouts = self.layouts(input, output)?;
        let batch = self.batch(input, output)?;
        let (from, to) = self.ranges(input.element, output.element)?;
        let channels = self.channels();
        // Sides have no meaning before the layout is known.
        let sized = match layouts {
            Some([from, to]) => {
                let scale = self.scale(ends::scale(input.size(from), output.size(to))?)?;
                let sizes = self.sizes(own.map(|(sizes, _)| sizes), input, from)?;
                scale.zip(sizes)
            }
            None => None,
        };
        let known = (layouts, sized, from, to, channels);
        let (Some([from_layout, to_layout]), Some((scale, sizes)), Some(from), Some(to), Some(channels)) = known else {
            return Err(ContractError::Missing { missing: self.missing, file: PathBuf::new() });
        };
        let (input_tensor, output_tensor) = (
            Tensor { element: input.element, layout: from_layout },
            Tensor { element: output.element, layout: to_layout },
        );
        let area = u64::from(scale * scale);
        let ends = CHANNELS * (input.element.size() + area * output.element.size());
        let one = own.map_or(ends, |(_, bytes)| bytes);
        let reversed = channels == Channels::Bgr;
        Ok(Contract {
            sizes,
            scale,
            batch,
            bytes_per_pixel: one * batch.unwrap_or(1) as u64,
            input: input_tensor,
            output: output_tensor,
            data: None,
            data_files: Vec::new(),
            conversion: Conversion::new([input_tensor, output_tensor], from, to, reversed, scale),
            description: self.describe(summary, input, scale),
            facts: self.facts,
        })
    }

    fn describe(&self, summary: &Summary, input: &End, scale: u32) -> String {
        let who = match self.metadata {
            Some(metadata) => {
                let family = metadata.family.map_or(String::new(), |family| format!(" ({family:?})").to_lowercase());
                format!("{}{family}, {}", metadata.role, metadata.training())
            }
            None if summary.producer.is_empty() => "of an unknown program".into(),
            None => format!("of {}", printable(&summary.producer)),
        };
        let enlarges =
            if scale == 1 { String::new() } else { format!(", and gives {scale} times the width and height") };
        format!("{who}; takes {input}{enlarges}")
    }

    fn layouts(&mut self, input: &End, output: &End) -> Result<Option<[Layout; 2]>, ContractError> {
        let said = self.said(|said| said.layout);
        let value = said.as_ref().map(|(layout, _)| *layout);
        let (from, to) = (input.layout(value)?, output.layout(value)?);
        let by_graph = matches!((input.layout(None)?, output.layout(None)?), (Some(_), Some(_)));
        let source = match said {
            Some((_, source)) if !by_graph => source,
            _ => Source::Graph,
        };
        match (from, to) {
            (Some(from), Some(to)) => {
                let value = if from == to { from.to_string() } else { format!("{from} to {to}") };
                self.fact("layout", value, source);
                Ok(Some([from, to]))
            }
            _ => {
                self.missing.push(Missing::Layout);
                Ok(None)
            }
        }
    }

    fn batch(&mut self, input: &End, output: &End) -> Result<Option<usize>, ContractError> {
        let found = match (input.batch(), output.batch()) {
            (Some(taken), Some(given)) if taken != given => {
                let reason = format!("it takes {taken} pictures at once and gives {given}");
                return Err(ContractError::NotImageToImage(reason));
            }
            (taken, given) => taken.or(given),
        };
        let batch = found.map(|batch| match usize::try_from(batch) {
            Ok(number @ 1..=MOST_AT_ONCE) => Ok(number),
            _ => Err(ContractError::Batch(batch)),
        });
        let batch = batch.transpose()?;
        self.fact("batch", batch.map_or("any".into(), |batch| batch.to_string()), Source::Graph);
        Ok(batch)
    }

    fn channels(&mut self) -> Option<Channels> {
        let ours = self.metadata.map(|_| (Channels::Rgb, Source::Metadata));
        match self.said(|said| said.channels).or(ours) {
            Some((channels, source)) => {
                self.fact("channels", channels, source);
                Some(channels)
            }
            None => {
                self.missing.push(Missing::Channels);
                None
            }
        }
    }

    /// What pixels are for the input, and for the output.
    fn ranges(
        &mut self,
        input: Element,
        output: Element,
    ) -> Result<(Option<Normalization>, Option<[f32; 2]>), ContractError> {
        let (mean, std) = (self.said(|said| said.mean), self.said(|said| said.std));
        let is_normalized = mean.is_some() || std.is_some();
        if let Some((PerChannel(std), source)) = &std
            && std.contains(&0.0)
        {
            return Err(ContractError::ZeroDeviation(source.to_string()));
        }
        if input == Element::U8 && is_normalized {
            let said = "a mean or deviation".into();
            return Err(ContractError::Contradiction { said, graph: "which takes bytes".into() });
        }
        let of_both = self.said(|said| said.range);
        let of_output = self.said(|said| said.output_range);
        let ours = self.metadata.map(|metadata| (PixelRange(metadata.pixel_range), Source::Metadata));
        let from = known_range(input, of_both.clone().or(ours.clone()), "range")?;
        let to = match output {
            Element::U8 => known_range(output, of_output, "output-range")?,
            Element::F32 | Element::F16 => {
                let as_input = of_both.filter(|_| !is_normalized && input != Element::U8);
                of_output.or(as_input).or(ours)
            }
        };
        if from.is_none() {
            self.missing.push(Missing::Range);
        }
        // Without a mean, the flag for both suffices.
        if to.is_none() && (from.is_some() || is_normalized) {
            self.missing.push(Missing::OutputRange);
        }
        let black_and_white = from.map(|(range, source)| {
            self.fact("range", range, source);
            range.0
        });
        let mean = mean.map(|(mean, source)| {
            self.fact("mean", mean, source);
            mean.0
        });
        let std = std.map(|(std, source)| {
            self.fact("std", std, source);
            std.0
        });
        let to = to.map(|(range, source)| {
            self.fact("output range", range, source);
            range.0
        });
        let from = black_and_white.map(|range| Normalization {
            range,
            mean: mean.unwrap_or([0.0; 3]),
            std: std.unwrap_or([1.0; 3]),
        });
        Ok((from, to))
    }

    fn scale(&mut self, found: Option<u64>) -> Result<Option<u32>, ContractError> {
        let found = found.map(|found| match u32::try_from(found) {
            Ok(scale @ 1..=LARGEST_SCALE) => Ok(scale),
            _ => {
                let reason = format!("it enlarges {found} times; this program knows factors of 1 to {LARGEST_SCALE}");
                Err(ContractError::NotImageToImage(reason))
            }
        });
        let (scale, source) = match (found.transpose()?, self.said(|said| said.scale)) {
            (Some(found), Some((said, _))) if found != said => {
                let graph = format!("whose output is {found} times as wide and high as its input");
                return Err(ContractError::Contradiction { said: format!("scale {said}"), graph });
            }
            (Some(found), _) => (found, Source::Graph),
            // A file beside the model was not seen by clap.
            (None, Some((said, source))) if (1..=LARGEST_SCALE).contains(&said) => (said, source),
            (None, Some((said, source))) => return Err(ContractError::Scale { said, said_by: source.to_string() }),
            (None, None) => {
                self.missing.push(Missing::Scale);
                return Ok(None);
            }
        };
        self.fact("scale", scale, source);
        Ok(Some(scale))
    }

    fn sizes(&mut self, own: Option<Sizes>, input: &End, layout: Layout) -> Result<Option<Sizes>, ContractError> {
        let [height, width] = input.size(layout);
        let fixed = match (height.fixed(), width.fixed()) {
            (Some(height), Some(width)) => {
                let side = |side: u64| u16::try_from(side).ok().map(u32::from);
                Some(side(width).zip(side(height)).ok_or(ContractError::FixedSize { width, height })?)
            }
            (None, None) => None,
            _ => {
                let reason =
                    format!("its input is {input}, with one side of any size; this program knows none or both");
                return Err(ContractError::NotImageToImage(reason));
            }
        };
        if let (Some((width, height)), Some(metadata)) = (fixed, self.metadata) {
            models::shapes::check_size(&metadata.network, height as usize, width as usize)?;
        }
        let said = self.said(|said| said.size_multiple.map(|multiple| u32::from(multiple.get())));
        let needed = own.map_or(1, |sizes| sizes.multiple);
        if let Some((said, _)) = said.as_ref().filter(|(said, _)| {
            !said.is_multiple_of(needed)
                || fixed.is_some_and(|(width, height)| !width.is_multiple_of(*said) || !height.is_multiple_of(*said))
        }) {
            let graph = match fixed {
                Some((width, height)) => format!("which takes {width}×{height}"),
                None => format!("which needs multiples of {needed}"),
            };
            return Err(ContractError::Contradiction { said: format!("size-multiple {said}"), graph });
        }
        let (multiple, smallest, source) = match (said, own, fixed) {
            (Some((said, source)), own, _) => (said, own.map_or(said, |own| own.smallest.max(said)), source),
            (None, Some(own), _) => (own.multiple, own.smallest, Source::Metadata),
            (None, None, Some(_)) => (1, 1, Source::Graph),
            (None, None, None) => {
                self.missing.push(Missing::SizeMultiple);
                return Ok(None);
            }
        };
        match fixed {
            Some((width, height)) => self.fact("size", format!("{width}×{height} only"), Source::Graph),
            None => self.fact("size", format!("multiples of {multiple} from {smallest} on"), source),
        }
        let training = own.and_then(|own| own.training);
        if let Some(training) = training {
            self.fact("training size", training, Source::Metadata);
        }
        Ok(Some(Sizes { training, usual: own.and_then(|own| own.usual), multiple, smallest, fixed }))
    }
}

/// The pixel range of an end: bytes have theirs.
fn known_range(
    element: Element,
    said: Option<(PixelRange, Source)>,
    name: &str,
) -> Result<Option<(PixelRange, Source)>, ContractError> {
    match (element, said) {
        (Element::U8, Some((said, source))) if said != PixelRange::BYTES && source != Source::Metadata => {
            let said = format!("{name} {said}");
            Err(ContractError::Contradiction { said, graph: "which has bytes there, from 0 to 255".into() })
        }
        (Element::U8, _) => Ok(Some((PixelRange::BYTES, Source::Graph))),
        (Element::F32 | Element::F16, said) => Ok(said),
    }
}
