//! Convolutions in order against the grammar of ResNet generators.
//!
//! stem, halving convolutions, residual blocks of two convolutions, as many doubling convolutions, head; only channels and
//! kernels are looked at.

use super::layers::Convolution;
use crate::Join;

/// What a convolution is in the generator; stages are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Stem,
    Down(usize),
    /// Block, and first or second convolution in it.
    Block(usize, usize),
    Up(usize),
    Head,
}

/// A convolution in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) place: Place,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) kernel: usize,
    pub(super) transposed: bool,
}

/// A convolution that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    /// Its place in the order; one past the last where there are too few.
    pub(super) at: usize,
    /// What would have fitted there.
    pub(super) expected: String,
}

/// More halvings than published generators have; each costs a factor of two in the smallest picture.
const MOST_DOWNS: usize = 4;

/// Puts every convolution into its place, or names the first that fits none.
pub(super) fn arrange(convolutions: &[&Convolution], join: Join) -> Result<Vec<Placed>, Misfit> {
    let mut walk = Walk { convolutions, placed: Vec::new() };
    let (input, width) = match convolutions.first().map(|convolution| convolution.shape) {
        Some([to, from @ (1 | 3), ..]) => (from, to),
        _ => {
            return walk
                .misfit("the first convolution, [width, 3, k, k] with an odd k, for pictures of 3 channels (or 1)");
        }
    };
    if !walk.odd(Place::Stem, input, width) {
        return walk
            .misfit(format!("the first convolution, [{width}, {input}, k, k] with an odd k and bias [{width}]"));
    }
    let mut channels = width;
    let mut downs = 0;
    while let Some([to, from, ..]) = walk.shape().filter(|_| downs < MOST_DOWNS)
        && from == channels
        && to > channels
        && walk.strided(Place::Down(downs + 1), channels, to, false)
    {
        (channels, downs) = (to, downs + 1);
    }
    if downs == 0 {
        return walk.misfit(format!("a convolution that halves the size, [more than {channels}, {channels}, k, k]"));
    }
    let inner = channels;
    let mut blocks = 0;
    while walk.odd(Place::Block(blocks + 1, 1), channels, inner) {
        blocks += 1;
        if !walk.odd(Place::Block(blocks, 2), inner, inner) {
            return walk.misfit(format!("the second convolution of block {blocks}, [{inner}, {inner}, k, k]"));
        }
        if join == Join::Concat {
            channels += inner;
        }
    }
    if blocks == 0 {
        return walk.misfit(format!(
            "{}the first convolution of a residual block, [{inner}, {inner}, k, k] with an odd k",
            if downs < MOST_DOWNS { "another convolution that halves the size, or " } else { "" }
        ));
    }
    for up in 1..=downs {
        let to = match walk.shape() {
            Some([first, second, ..]) if first == channels && second < channels => Some((second, true)),
            Some([first, second, ..]) if second == channels && first < channels => Some((first, false)),
            _ => None,
        };
        let same_kind = |transposed| walk.placed.last().is_none_or(|last| up == 1 || last.transposed == transposed);
        let fits =
            to.filter(|&(_, transposed)| same_kind(transposed)).is_some_and(|(to, transposed)| match transposed {
                true => walk.strided(Place::Up(up), channels, to, true),
                false => walk.odd(Place::Up(up), channels, to),
            });
        let Some((to, _)) = to.filter(|_| fits) else {
            let another = match (up, join) {
                (1, Join::Add) => format!("another residual block, [{inner}, {channels}, k, k], or "),
                (1, Join::Concat) => format!("another concatenating block, [{inner}, {channels}, k, k], or "),
                _ => String::new(),
            };
            return walk.misfit(format!(
                "{another}up-convolution {up} of {downs}, transposed [{channels}, fewer, k, k] or [fewer, {channels}, k, k] \
                 after an upsampling, all of one kind"
            ));
        };
        channels = to;
    }
    let output = walk.shape().map(|[to, ..]| to).filter(|to| [1, 3].contains(to));
    if !output.is_some_and(|output| walk.odd(Place::Head, channels, output)) {
        return walk.misfit(format!("the last convolution, [3, {channels}, k, k] with an odd k (or 1 instead of 3)"));
    }
    match walk.shape() {
        None => Ok(walk.placed),
        Some(_) => walk.misfit("nothing after the last convolution to a picture"),
    }
}

struct Walk<'a> {
    convolutions: &'a [&'a Convolution],
    placed: Vec<Placed>,
}

impl Walk<'_> {
    fn next(&self) -> Option<&Convolution> {
        self.convolutions.get(self.placed.len()).copied()
    }

    fn shape(&self) -> Option<[usize; 4]> {
        self.next().map(|convolution| convolution.shape)
    }

    /// Takes the next convolution where it keeps the size.
    fn odd(&mut self, place: Place, from: usize, to: usize) -> bool {
        self.shape().is_some_and(|[.., kernel]| kernel % 2 == 1) && self.take(place, from, to, false)
    }

    /// Takes the next convolution where it may halve or double the size.
    fn strided(&mut self, place: Place, from: usize, to: usize, transposed: bool) -> bool {
        self.shape().is_some_and(|[.., kernel]| kernel >= 2) && self.take(place, from, to, transposed)
    }

    fn take(&mut self, place: Place, from: usize, to: usize, transposed: bool) -> bool {
        let Some(next) = self.next() else { return false };
        let [first, second, _, kernel] = next.shape;
        let channels = if transposed { [from, to] } else { [to, from] };
        // The bias tells a transposed convolution from one that halves: their kernels may be shaped alike.
        let fits = [first, second] == channels && next.bias.is_none_or(|(_, channels)| channels == to);
        if fits {
            self.placed.push(Placed { place, from, to, kernel, transposed });
        }
        fits
    }

    fn misfit<T>(&self, expected: impl Into<String>) -> Result<T, Misfit> {
        Err(Misfit { at: self.placed.len(), expected: expected.into() })
    }
}
