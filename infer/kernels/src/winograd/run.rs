//! The steps of a convolution, each with all threads: points, products, outputs.

use std::mem;
use std::ops::Range;

use super::grid::Grid;
use super::points::{self, Job};
use super::product::{self, Panel, Source};
use super::{OUTPUTS, Part, Winograd, output};
use crate::error::KernelError;
use crate::layer::Layer;
use crate::raw::{Bands, dispatch};
use crate::scratch::{Memory, Scratch};
use crate::threads::{Threads, each_of};

/// Floats between the sums of two points beyond what they are: without them, all would lie in the same few sets of a cache.
const APART: usize = 48;

/// Channels of which points are made at once, at most.
const MADE: usize = 512;

/// Products of each thread at a time, at least, so that none waits for long.
const PRODUCTS: usize = 4;

/// A convolution on its way.
pub(super) struct Run<'a> {
    pub(super) winograd: &'a Winograd,
    pub(super) grid: Grid,
    pub(super) parts: &'a [&'a [f32]],
    /// Of each part.
    pub(super) channels: Vec<usize>,
    /// Rows and columns.
    pub(super) size: [usize; 2],
    /// Columns that come out.
    pub(super) columns: usize,
    pub(super) bands: Bands<'a>,
    pub(super) scratch: &'a Scratch,
    pub(super) threads: &'a dyn Threads,
}

/// Some channels of a part.
struct Segment {
    part: usize,
    channels: Range<usize>,
    /// The first, among all.
    first: usize,
}

impl Run<'_> {
    /// All channels, in groups of which points are made at once.
    fn segments(&self) -> Vec<Vec<Segment>> {
        let (mut groups, mut made, mut first) = (vec![Vec::new()], 0, 0);
        for (part, &channels) in self.channels.iter().enumerate() {
            let is_kept = self.is_kept(part);
            for from in (0..channels).step_by(if is_kept { channels } else { MADE }) {
                let channels = if is_kept { 0..channels } else { from..channels.min(from + MADE) };
                let makes = if is_kept { 0 } else { channels.len() };
                if made + makes > MADE {
                    groups.push(Vec::new());
                    made = 0;
                }
                made += makes;
                groups.last_mut().expect("there is one").push(Segment { part, channels, first: first + from });
            }
            first += channels;
        }
        groups
    }

    fn is_kept(&self, part: usize) -> bool {
        matches!(self.winograd.parts[part], Part::Points(_))
    }

    /// Computes some of the bands of all images.
    pub(super) fn bands(&self, bands: Range<usize>, sums: &mut Memory, points: &mut Memory) -> Result<(), KernelError> {
        let Self { winograd, grid, threads, bands: to, columns, .. } = self;
        let (machine, tiles, outputs) = (winograd.machine, winograd.tiles, winograd.padded_outputs());
        // Images, and bands in these.
        let places: Vec<[usize; 2]> = bands.map(|band| [band / grid.bands(), band % grid.bands()]).collect();
        let panels = places.iter().enumerate().flat_map(|(place, &[_, band])| {
            let panel = move |number| Panel { place, number, is_wide: grid.is_wide(band, number) };
            (0..grid.full_panels(band)).map(panel)
        });
        let panels: Vec<Panel> = panels.collect();
        let plane = panels.len() * outputs * grid.panel() + APART;
        let sums = sums.numbers(tiles.points() * plane)?;
        for (number, segments) in self.segments().iter().enumerate() {
            let sources = self.sources(segments, &places, points)?;
            let share = panels.len().div_ceil((PRODUCTS * threads.count()).div_ceil(tiles.points()));
            let mut tasks = Vec::new();
            let weights = winograd.weights.chunks_exact(outputs * winograd.inputs);
            for (point, (weights, sums)) in weights.zip(sums.chunks_exact_mut(plane)).enumerate() {
                let shares = panels.chunks(share).zip(sums.chunks_mut(share * outputs * grid.panel()));
                tasks.extend(shares.map(|(panels, sums)| product::Task {
                    grid,
                    point,
                    weights,
                    inputs: winograd.inputs,
                    sources: &sources,
                    panels,
                    sums,
                    adds: number > 0,
                }));
            }
            each_of(*threads, tasks, |task| {
                dispatch(machine, task);
                Ok(())
            })?;
        }
        let shares = winograd.outputs().div_ceil(OUTPUTS);
        let sums = &*sums;
        threads.each(places.len() * shares, &|place| {
            let (place, share) = (place / shares, place % shares);
            let [image, band] = places[place];
            let band = to.take((image * shares + share) * grid.bands() + band);
            let panel = panels.partition_point(|panel| panel.place < place);
            let bias = &winograd.bias[band.plane..band.plane + band.planes];
            let (relu, columns) = (winograd.relu, *columns);
            let step = winograd.step();
            let task = output::Task { tiles, step, grid, sums, plane, panel, outputs, bias, relu, columns, band };
            dispatch(machine, task);
            Ok(())
        })
    }

    /// What products read for some bands: points that are kept, or are made now.
    fn sources<'a>(
        &'a self,
        segments: &[Segment],
        places: &[[usize; 2]],
        memory: &'a mut Memory,
    ) -> Result<Vec<Source<'a>>, KernelError> {
        let Self { winograd, grid, parts, size, .. } = self;
        let pixels = size[0] * size[1];
        let made = segments.iter().filter(|segment| !self.is_kept(segment.part));
        let count = |segment: &Segment| places.len() * grid.band(segment.channels.len());
        let memory = memory.numbers(made.clone().map(count).sum())?;
        let (mut jobs, mut rest) = (Vec::new(), &mut *memory);
        for segment in made {
            let (points, after) = mem::take(&mut rest).split_at_mut(count(segment));
            rest = after;
            let numbers = parts[segment.part];
            for ([image, band], points) in places.iter().zip(points.chunks_exact_mut(grid.band(segment.channels.len())))
            {
                let image = &numbers[image * self.channels[segment.part] * pixels..];
                let image = &image[segment.channels.start * pixels..segment.channels.end * pixels];
                jobs.push(Job { band: *band, image, points });
            }
        }
        winograd.maker().make(grid, *size, jobs.into_iter(), self.scratch, self.threads)?;
        let (memory, mut start) = (&*memory, 0);
        Ok(segments
            .iter()
            .map(|segment| {
                let channels = segment.channels.len();
                let band = grid.band(channels);
                let (points, bands) = if self.is_kept(segment.part) {
                    let stored = points::depth(grid, channels, pixels) * pixels;
                    (parts[segment.part], places.iter().map(|[image, number]| image * stored + number * band).collect())
                } else {
                    let first = start;
                    start += count(segment);
                    (memory, (0..places.len()).map(|place| first + place * band).collect())
                };
                Source { points, bands, channels, first: segment.first }
            })
            .collect())
    }
}
