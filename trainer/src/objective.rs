//! The losses of Zhu et al. 2017, sections 3.1, 3.2 and 5.2.
//!
//! Pictures are `[n, 3, h, w]` in [-1, 1]; a loss is a mean over all elements. Adversarial losses are the least-squares
//! ones (Mao et al. 2017).

use models::Role;
use models_torch::Module;
use tch::{Kind, Reduction, TchError, Tensor};

use crate::settings::Objective;

/// The four networks.
#[derive(Debug)]
pub struct Networks {
    /// Translates A to B.
    pub g_ab: Module,
    /// Translates B to A.
    pub g_ba: Module,
    /// Judges pictures of A.
    pub d_a: Module,
    /// Judges pictures of B.
    pub d_b: Module,
}

impl Networks {
    /// All four with what they are.
    pub fn by_role(&self) -> [(Role, &Module); 4] {
        let Self { g_ab, g_ba, d_a, d_b } = self;
        [(Role::GAb, g_ab), (Role::GBa, g_ba), (Role::DA, d_a), (Role::DB, d_b)]
    }
}

/// Weights of the losses in the generators' sums; the adversarial ones have 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossWeights {
    /// Of the cycle losses: 10 in the paper.
    pub cycle: f64,
    /// Of the identity losses: 5 in the paper. With 0 they are not computed.
    pub identity: f64,
}

/// The generators' losses on one batch, each a scalar that remembers its graph.
#[derive(Debug)]
pub struct GeneratorLosses {
    /// `(d_b(g_ab(a)) − 1)²`.
    pub adv_ab: Tensor,
    /// `(d_a(g_ba(b)) − 1)²`.
    pub adv_ba: Tensor,
    /// `|a − g_ba(g_ab(a))|`.
    pub cycle_a: Tensor,
    /// `|b − g_ab(g_ba(b))|`.
    pub cycle_b: Tensor,
    /// `|a − g_ba(a)|` and `|b − g_ab(b)|`.
    pub identity: Option<[Tensor; 2]>,
    /// `g_ba(b)`, for the pool and for samples.
    pub fake_a: Tensor,
    /// `g_ab(a)`.
    pub fake_b: Tensor,
}

/// Runs both generators over a batch. Each output is computed once: identity and translation are one batch of the same
/// generator, which no layer of these networks can tell from two calls.
///
/// # Errors
/// libtorch's: no memory.
pub fn generator_losses(
    networks: &Networks,
    a: &Tensor,
    b: &Tensor,
    weights: LossWeights,
) -> Result<GeneratorLosses, TchError> {
    let Networks { g_ab, g_ba, d_a, d_b } = networks;
    let n = a.size()[0];
    let (fake_a, fake_b, identity) = if weights.identity > 0.0 {
        let both_b = g_ab.forward(&Tensor::f_cat(&[a, b], 0)?)?; // [fake_b; same_b]
        let both_a = g_ba.forward(&Tensor::f_cat(&[b, a], 0)?)?; // [fake_a; same_a]
        let first = |both: &Tensor| both.f_narrow(0, 0, n);
        let second = |both: &Tensor| both.f_narrow(0, n, n);
        let identity = [l1(&second(&both_a)?, a)?, l1(&second(&both_b)?, b)?];
        (first(&both_a)?, first(&both_b)?, Some(identity))
    } else {
        (g_ba.forward(b)?, g_ab.forward(a)?, None)
    };
    Ok(GeneratorLosses {
        adv_ab: squared_distance(&d_b.forward(&fake_b)?, 1.0)?,
        adv_ba: squared_distance(&d_a.forward(&fake_a)?, 1.0)?,
        cycle_a: l1(&g_ba.forward(&fake_b)?, a)?,
        cycle_b: l1(&g_ab.forward(&fake_a)?, b)?,
        identity,
        fake_a,
        fake_b,
    })
}

/// Gradients of the generators' weights, in the order of their tables: `g_ab`'s and `g_ba`'s.
///
/// # Errors
/// libtorch's: no memory.
pub fn generator_gradients(
    networks: &Networks,
    losses: &GeneratorLosses,
    objective: Objective,
    weights: LossWeights,
) -> Result<[Vec<Tensor>; 2], TchError> {
    let (views_ab, views_ba) = (networks.g_ab.weights().views(), networks.g_ba.weights().views());
    let sums = losses.sums(weights)?;
    match objective {
        Objective::Joint => {
            let [ab, ba] = sums;
            let both: Vec<&Tensor> = views_ab.iter().chain(views_ba).collect();
            let mut gradients = Tensor::f_run_backward(&[ab.f_add(&ba)?], &both, false, false)?;
            let of_ba = gradients.split_off(views_ab.len());
            Ok([gradients, of_ba])
        }
        // The other generator is held fixed: gradients are asked for one generator's weights only.
        Objective::Separate => {
            let [ab, ba] = sums;
            let of_ab = Tensor::f_run_backward(&[ab], views_ab, true, false)?;
            let of_ba = Tensor::f_run_backward(&[ba], views_ba, false, false)?;
            Ok([of_ab, of_ba])
        }
    }
}

impl GeneratorLosses {
    /// What `g_ab` and `g_ba` minimise where each has its own sum; the joint objective is the sum of both.
    ///
    /// # Errors
    /// libtorch's.
    pub fn sums(&self, weights: LossWeights) -> Result<[Tensor; 2], TchError> {
        let mut ab = self.adv_ab.f_add(&self.cycle_a.f_mul_scalar(weights.cycle)?)?;
        let mut ba = self.adv_ba.f_add(&self.cycle_b.f_mul_scalar(weights.cycle)?)?;
        if let Some([id_a, id_b]) = &self.identity {
            ab = ab.f_add(&id_b.f_mul_scalar(weights.identity)?)?;
            ba = ba.f_add(&id_a.f_mul_scalar(weights.identity)?)?;
        }
        Ok([ab, ba])
    }
}

/// A discriminator's loss: `½ ((d(real) − 1)² + d(fake)²)`, real and fake as one batch.
///
/// # Errors
/// libtorch's: no memory.
pub fn discriminator_loss(discriminator: &Module, real: &Tensor, fake: &Tensor) -> Result<Tensor, TchError> {
    let (reals, fakes) = (real.size()[0], fake.size()[0]);
    let verdicts = discriminator.forward(&Tensor::f_cat(&[real, fake], 0)?)?;
    let on_real = squared_distance(&verdicts.f_narrow(0, 0, reals)?, 1.0)?;
    let on_fake = squared_distance(&verdicts.f_narrow(0, reals, fakes)?, 0.0)?;
    on_real.f_add(&on_fake)?.f_mul_scalar(0.5)
}

fn l1(x: &Tensor, y: &Tensor) -> Result<Tensor, TchError> {
    x.f_l1_loss(y, Reduction::Mean)
}

fn squared_distance(verdicts: &Tensor, label: f64) -> Result<Tensor, TchError> {
    verdicts.f_sub_scalar(label)?.f_square()?.f_mean(Kind::Float)
}
