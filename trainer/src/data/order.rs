//! The order in which a side's pictures are seen.

use rand::seq::SliceRandom;

use crate::random::{Purpose, generator};

/// A side's endless order: passes over all its pictures, each shuffled anew. Which picture comes at a position follows
/// from the seed alone, so that a run can go on anywhere.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    seed: u64,
    side: u64,
    pictures: usize,
    pass: Option<(u64, Vec<usize>)>,
}

impl Order {
    /// The order of a side with that many pictures, at least one.
    pub(crate) fn new(seed: u64, side: u64, pictures: usize) -> Self {
        Self { seed, side, pictures, pass: None }
    }

    /// The picture at a position, counted from 0.
    pub(crate) fn at(&mut self, position: u64) -> usize {
        let (pass, place) = (position / self.pictures as u64, (position % self.pictures as u64) as usize);
        match &self.pass {
            Some((known, order)) if *known == pass => order[place],
            _ => {
                let mut order: Vec<usize> = (0..self.pictures).collect();
                order.shuffle(&mut generator(self.seed, Purpose::Order, [self.side, pass]));
                let picture = order[place];
                self.pass = Some((pass, order));
                picture
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pass_sees_every_picture_once_in_another_order() {
        let mut order = Order::new(3, 0, 20);
        let passes: Vec<Vec<usize>> =
            (0..2).map(|pass| (0..20).map(|place| order.at(pass * 20 + place)).collect()).collect();
        assert_ne!(passes[0], passes[1]);
        for mut pass in passes {
            pass.sort_unstable();
            assert_eq!(pass, (0..20).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_position_has_the_same_picture_wherever_one_starts() {
        let mut from_start = Order::new(3, 1, 7);
        let all: Vec<usize> = (0..30).map(|position| from_start.at(position)).collect();
        assert_eq!(Order::new(3, 1, 7).at(29), all[29]);
        assert_eq!(from_start.at(0), all[0], "also backwards");
    }
}
