//! The pool of earlier fakes (Shrivastava et al. 2017, arXiv 1612.07828; Zhu et al. 2017, section 4).

use rand::RngExt;
use rand_pcg::Pcg64;
use tch::{TchError, Tensor};

/// Shows a discriminator earlier fakes too, so that it does not chase its generator's last step.
#[derive(Debug)]
pub struct ImagePool {
    capacity: usize,
    pictures: Vec<Tensor>,
}

impl ImagePool {
    /// An empty pool for `capacity` pictures; with 0 it gives back what it gets.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, pictures: Vec::new() }
    }

    /// What it holds, `[k, 3, h, w]`; none while it is empty.
    ///
    /// # Errors
    /// If the device has no memory left.
    pub fn pictures(&self) -> Result<Option<Tensor>, TchError> {
        (!self.pictures.is_empty()).then(|| Tensor::f_cat(&self.pictures, 0)).transpose()
    }

    /// Holds these, `[k, 3, h, w]`, instead of what it held.
    ///
    /// # Errors
    /// If the device has no memory left.
    pub fn hold(&mut self, pictures: &Tensor) -> Result<(), TchError> {
        let one = |index| pictures.f_narrow(0, index, 1)?.f_detach_copy();
        self.pictures = (0..pictures.size()[0]).map(one).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Exchanges new fakes `[n, 3, h, w]` for as many: while the pool fills, the same; then each, half the time, for an
    /// earlier one whose place it takes, as `random` says.
    ///
    /// # Errors
    /// If the device has no memory left.
    pub fn exchange(&mut self, fakes: &Tensor, random: &mut Pcg64) -> Result<Tensor, TchError> {
        let fakes = fakes.detach();
        if self.capacity == 0 {
            return Ok(fakes);
        }
        let mut shown = Vec::new();
        for index in 0..fakes.size()[0] {
            // A copy: a view would keep its whole batch alive.
            let fake = fakes.f_narrow(0, index, 1)?.f_detach_copy()?;
            if self.pictures.len() < self.capacity {
                self.pictures.push(fake.shallow_clone());
                shown.push(fake);
            } else if random.random_bool(0.5) {
                let place = random.random_range(0..self.capacity);
                shown.push(std::mem::replace(&mut self.pictures[place], fake));
            } else {
                shown.push(fake);
            }
        }
        Tensor::f_cat(&shown, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, generator};

    fn numbered(number: i64) -> Tensor {
        Tensor::full([1, 3, 2, 2], number, (tch::Kind::Float, tch::Device::Cpu))
    }

    fn number(fake: &Tensor) -> i64 {
        fake.double_value(&[0, 0, 0, 0]) as i64
    }

    #[test]
    fn a_pool_fills_first_and_then_gives_back_earlier_fakes_half_the_time() {
        let mut random = generator(1, Purpose::Pool, [0, 0]);
        let mut pool = ImagePool::new(50);
        for index in 0..50 {
            assert_eq!(number(&pool.exchange(&numbered(index), &mut random).expect("small")), index, "it fills");
        }
        let mut earlier = 0;
        let mut seen = std::collections::BTreeSet::new();
        for index in 50..1050 {
            let shown = number(&pool.exchange(&numbered(index), &mut random).expect("small"));
            assert!(shown == index || seen.insert(shown), "an earlier fake is shown once, then it is gone");
            earlier += u32::from(shown != index);
        }
        assert!((430..570).contains(&earlier), "{earlier} of 1000; binomial with a half, ± 4.4 standard deviations");
    }

    #[test]
    fn without_capacity_the_fakes_are_shown_as_they_come() {
        let mut random = generator(1, Purpose::Pool, [0, 0]);
        assert_eq!(number(&ImagePool::new(0).exchange(&numbered(7), &mut random).expect("small")), 7);
    }

    #[test]
    fn fakes_of_a_batch_are_exchanged_one_by_one() {
        let mut random = generator(1, Purpose::Pool, [0, 0]);
        let pair = Tensor::cat(&[numbered(1), numbered(2)], 0);
        assert_eq!(ImagePool::new(1).exchange(&pair, &mut random).expect("small").size(), [2, 3, 2, 2]);
    }

    #[test]
    fn a_pool_that_holds_anothers_pictures_goes_on_like_it() {
        let mut random = generator(1, Purpose::Pool, [0, 0]);
        let mut pool = ImagePool::new(5);
        assert!(pool.pictures().expect("small").is_none());
        for index in 0..20 {
            let _shown = pool.exchange(&numbered(index), &mut random).expect("small");
        }
        let mut other = ImagePool::new(5);
        other.hold(&pool.pictures().expect("small").expect("it is full")).expect("small");
        let mut same = random.clone();
        for index in 20..40 {
            let [one, two] = [(&mut pool, &mut random), (&mut other, &mut same)]
                .map(|(pool, random)| number(&pool.exchange(&numbered(index), random).expect("small")));
            assert_eq!(one, two);
        }
    }
}
