//! Both families against values that TensorFlow and PyTorch computed: see golden/NOTICE.md.

use std::collections::BTreeMap;

use models::families::{Family, GeneratorOptions};
use models::{Network, Weight, parameters};
use models_torch::Module;
use safetensors::SafeTensors;
use tch::{Device, Tensor};
use tests::assert_close;
use trainer::objective::{LossWeights, Networks, discriminator_loss, generator_gradients, generator_losses};
use trainer::settings::Objective;

/// Outputs lie in [-1, 1]; TensorFlow and PyTorch sum in other orders, through some ten layers.
const OUTPUT: f32 = 1e-4;
/// Losses are means over thousands of numbers: what is off in single ones averages out.
const LOSS: f32 = 1e-5;
/// Gradients, as a share of the largest in their tensor. They pass through up to three networks.
const GRADIENT: f32 = 1e-3;
/// What stands for rounding where a gradient is zero, as that of a bias before a norm: it is a sum of 2·32·32 terms up to
/// 1e-2 that cancel, each rounded at 6e-8 of its size, in an order of the library's choice.
const GRADIENT_FLOOR: f32 = 1e-5;

const WEIGHTS: LossWeights = LossWeights { cycle: 10.0, identity: 5.0 };
const SIZE: GeneratorOptions = GeneratorOptions::sized(4, 2);

struct Golden {
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    networks: Networks,
}

impl Golden {
    fn open(file: &str, family: Family) -> Self {
        let path = format!("{}/golden/{file}", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(path).expect("it lies in the project");
        let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        let number = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().expect("four bytes"));
        let tensors: BTreeMap<_, _> = file
            .iter()
            .map(|(name, view)| (name.to_owned(), (view.shape().to_vec(), view.data().chunks(4).map(number).collect())))
            .collect();
        let module = |name: &str, network: Network| {
            let weights = weights_of(&tensors, name, &network);
            Module::from_weights(network, &weights, Device::Cpu).expect("the golden network is ours")
        };
        let networks = Networks {
            g_ab: module("g_ab", family.generator(SIZE)),
            g_ba: module("g_ba", family.generator(SIZE)),
            d_a: module("d_a", family.discriminator(4)),
            d_b: module("d_b", family.discriminator(4)),
        };
        Self { tensors, networks }
    }

    fn values(&self, name: &str) -> &[f32] {
        &self.tensors.get(name).unwrap_or_else(|| panic!("no golden {name}")).1
    }

    fn tensor(&self, name: &str) -> Tensor {
        let shape: Vec<i64> = self.tensors[name].0.iter().map(|&side| side as i64).collect();
        Tensor::from_slice(self.values(name)).view(shape.as_slice())
    }

    fn check(&self, name: &str, found: &Tensor, tolerance: f32) {
        assert_close(name, &values(found), self.values(name), tolerance);
    }

    fn check_gradients(&self, prefix: &str, found: &[Tensor]) {
        let names = in_order(self.tensors.keys(), prefix);
        assert_eq!(names.len(), found.len(), "{prefix}");
        for (name, found) in names.iter().zip(found) {
            let largest = self.values(name).iter().fold(0.0_f32, |most, value| most.max(value.abs()));
            self.check(name, found, GRADIENT_FLOOR + GRADIENT * largest);
        }
    }
}

fn values(tensor: &Tensor) -> Vec<f32> {
    let tensor = tensor.detach().contiguous();
    let mut values = vec![0.0; tensor.numel()];
    tensor.copy_data(&mut values, tensor.numel());
    values
}

/// The names below a prefix in the order of the layers. The published code numbers its layers; in the other file, names
/// are ours. A weight comes before its bias.
fn in_order<'a>(names: impl Iterator<Item = &'a String>, prefix: &str) -> Vec<String> {
    let mut names: Vec<String> = names.filter(|name| name.starts_with(&format!("{prefix}/"))).cloned().collect();
    let published = |name: &String| {
        let numbers: Vec<u32> = name.split('.').filter_map(|part| part.parse().ok()).collect();
        (numbers, name.ends_with("bias"))
    };
    if names.iter().all(|name| name.contains("/model.")) {
        names.sort_by_key(published);
        return names;
    }
    let family = Family::Concat;
    let network = if prefix.contains("/g_") || prefix.starts_with("g_") {
        family.generator(SIZE)
    } else {
        family.discriminator(4)
    };
    parameters::table(&network).into_iter().map(|parameter| format!("{prefix}/{}", parameter.name)).collect()
}

fn weights_of(tensors: &BTreeMap<String, (Vec<usize>, Vec<f32>)>, prefix: &str, network: &Network) -> Vec<Weight> {
    let table = parameters::table(network);
    let names = in_order(tensors.keys(), prefix);
    assert_eq!(names.len(), table.len(), "{prefix}");
    let weight = |(parameter, name): (parameters::Parameter, String)| {
        let (shape, values) = &tensors[&name];
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Weight { name: parameter.name, shape: shape.clone(), bytes }
    };
    table.into_iter().zip(names).map(weight).collect()
}

fn check_family(golden: &Golden, objectives: &[(Objective, &str, &str)]) {
    let Networks { g_ab, g_ba, d_a, d_b } = &golden.networks;
    let (a, b) = (golden.tensor("input/a"), golden.tensor("input/b"));
    golden.check("output/d_a_a", &d_a.forward(&a).expect("fits"), OUTPUT);
    golden.check("output/d_b_b", &d_b.forward(&b).expect("fits"), OUTPUT);
    golden.check("output/g_ab_a", &g_ab.forward(&a).expect("fits"), OUTPUT);
    golden.check("output/g_ba_b", &g_ba.forward(&b).expect("fits"), OUTPUT);

    for &(objective, of_ab, of_ba) in objectives {
        let losses = generator_losses(&golden.networks, &a, &b, WEIGHTS).expect("fits");
        golden.check("output/g_ab_a", &losses.fake_b, OUTPUT);
        golden.check("output/g_ba_b", &losses.fake_a, OUTPUT);
        let [id_a, id_b] = losses.identity.as_ref().expect("its weight is 5");
        let single = [
            ("adv_ab", &losses.adv_ab),
            ("adv_ba", &losses.adv_ba),
            ("cycle_a", &losses.cycle_a),
            ("cycle_b", &losses.cycle_b),
            ("id_a", id_a),
            ("id_b", id_b),
        ];
        for (name, loss) in single {
            golden.check(&format!("loss/{name}"), loss, LOSS);
        }
        let [ab, ba] = losses.sums(WEIGHTS).expect("scalars");
        let joint = &ab + &ba;
        let sums = match objective {
            Objective::Joint => vec![("loss/joint", &joint)],
            Objective::Separate => vec![("loss/separate_ab", &ab), ("loss/separate_ba", &ba)],
        };
        for (name, sum) in sums {
            golden.check(name, sum, LOSS * 30.0); // the sum weighs its parts with up to 10
        }
        let [gradients_ab, gradients_ba] =
            generator_gradients(&golden.networks, &losses, objective, WEIGHTS).expect("the graph is there");
        golden.check_gradients(of_ab, &gradients_ab);
        golden.check_gradients(of_ba, &gradients_ba);
    }

    for (discriminator, real, side) in [(d_a, &a, "a"), (d_b, &b, "b")] {
        let loss =
            discriminator_loss(discriminator, real, &golden.tensor(&format!("input/pooled_{side}"))).expect("fits");
        golden.check(&format!("loss/d_{side}"), &loss, LOSS);
        let gradients = Tensor::run_backward(&[loss], discriminator.weights().views(), false, false);
        golden.check_gradients(&format!("grad/d_{side}/d_{side}"), &gradients);
    }
}

#[test]
fn the_concat_family_computes_what_tensorflow_does() {
    let golden = Golden::open("concat_s32_w4_b2.safetensors", Family::Concat);
    check_family(
        &golden,
        &[
            (Objective::Separate, "grad/separate_ab/g_ab", "grad/separate_ba/g_ba"),
            (Objective::Joint, "grad/joint/g_ab", "grad/joint/g_ba"),
        ],
    );
}

#[test]
fn the_paper_family_computes_what_pytorch_does() {
    let golden = Golden::open("paper_s48_w4_b2.safetensors", Family::Paper);
    check_family(&golden, &[(Objective::Joint, "grad/joint/g_ab", "grad/joint/g_ba")]);
}
