//! A network with weights and an input, and what each runtime makes of it.

use models::{FORMAT_VERSION, Metadata, Network, Role, Weight, parameters, pixels};
use models_onnx::{Exported, Target};
use models_runtime::{Options, Session};
use models_torch::Module;
use program::Device;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use tch::{Tensor, no_grad};

/// A network, weights for it, and an input.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The network.
    pub network: Network,
    /// Weights of the size that trained ones have.
    pub weights: Vec<Weight>,
    /// The input, row-major.
    pub input: Vec<f32>,
    /// Its shape, `[n, c, h, w]`.
    pub shape: [usize; 4],
}

/// Numbers from [-1, 1] that follow from the seed.
pub fn random_values(seed: u64, count: usize) -> Vec<f32> {
    let mut random = Pcg64::seed_from_u64(seed);
    (0..count).map(|_| random.random_range(-1.0..1.0)).collect()
}

impl Problem {
    /// A problem whose weights and input follow from the seed. Weights are scaled by the number of inputs to a sum, so
    /// that features stay near 1 through any number of layers.
    pub fn random(network: Network, batch: usize, height: usize, width: usize, seed: u64) -> Self {
        let weight = |(index, parameter): (usize, parameters::Parameter)| {
            let fan_in = parameter.len() / parameter.shape[0];
            let scale = if parameter.shape.len() > 1 { 1.7 / (fan_in as f32).sqrt() } else { 0.5 };
            let shift = if parameter.kind == parameters::ParameterKind::Scale { 1.0 } else { 0.0 };
            let values = random_values(seed.wrapping_add(1 + index as u64), parameter.len());
            let bytes = values.iter().flat_map(|value| (value * scale + shift).to_le_bytes()).collect();
            Weight { name: parameter.name, shape: parameter.shape, bytes }
        };
        let weights = parameters::table(&network).into_iter().enumerate().map(weight).collect();
        let shape = [batch, network.channels, height, width];
        let input = random_values(seed, shape.iter().product());
        Self { network, weights, input, shape }
    }

    /// The problem as a generator's ONNX file.
    pub fn to_onnx(&self) -> Vec<u8> {
        self.exported(&Target::default()).model
    }

    /// The same, made for something.
    pub fn exported(&self, target: &Target) -> Exported {
        let metadata = Metadata {
            format_version: FORMAT_VERSION,
            role: Role::GAb,
            family: None,
            network: self.network.clone(),
            data_set: Some("random".into()),
            training_size: Some(self.shape[2]),
            pixel_range: pixels::RANGE,
            steps: Some(0),
            seed: Some(0),
            program: "tests".into(),
            weights_sha256: None,
            assumptions: Vec::new(),
        };
        models_onnx::export(&metadata, self.weights.clone(), target).expect("the weights are the network's")
    }
}

/// What libtorch makes of it.
pub fn on_torch(problem: &Problem) -> Vec<f32> {
    let module = Module::from_weights(problem.network.clone(), &problem.weights, tch::Device::Cpu)
        .expect("the network's weights");
    let input = Tensor::from_slice(&problem.input).view(problem.shape.map(|side| side as i64).as_slice());
    let output = no_grad(|| module.forward(&input)).expect("a shape that fits").contiguous();
    let mut values = vec![0.0; output.numel()];
    output.copy_data(&mut values, output.numel());
    values
}

/// What ONNX Runtime makes of its export.
pub fn on_onnx_runtime(problem: &Problem) -> Vec<f32> {
    let options = Options { device: Device::Cpu, threads: Some(1), ..Options::default() };
    let mut session = Session::open(&problem.to_onnx(), options).expect("a model that ONNX Runtime takes");
    session.run(&problem.input, problem.shape).expect("a shape that fits").0
}
