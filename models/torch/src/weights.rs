//! A network's weights as views of one flat tensor.
//!
//! One tensor for all makes an update of Adam, a moving average or a copy a handful of operations, whatever the number
//! of layers. libtorch's `VarStore` keeps them apart, forgets their order, and ignores what it does not know in a file.

use std::collections::HashMap;

use models::parameters::{Parameter, ParameterKind, count};
use models::{Weight, WeightsError, check_weights};
use rand::Rng;
use rand_distr::{Distribution, Normal};
use tch::{Device, Kind, TchError, Tensor, no_grad};

/// Standard deviation of a convolution's first weights (Zhu et al. 2017, appendix 7.2).
const FIRST_DEVIATION: f32 = 0.02;

/// A tensor's numbers as they lie in memory, row by row. Waits for the device.
///
/// # Errors
/// If the device fails.
pub fn tensor_bytes(tensor: &Tensor) -> Result<Vec<u8>, TchError> {
    let on_cpu = no_grad(|| tensor.f_to_device(Device::Cpu)?.f_contiguous())?;
    let mut bytes = vec![0; on_cpu.numel() * on_cpu.f_kind()?.elt_size_in_bytes()];
    on_cpu.f_copy_data_u8(&mut bytes, on_cpu.numel())?;
    Ok(bytes)
}

/// The weights of one network.
#[derive(Debug)]
pub struct Weights {
    table: Vec<Parameter>,
    flat: Tensor,
    views: Vec<Tensor>,
    places: HashMap<String, usize>,
}

impl Weights {
    /// First weights: convolutions from N(0, 0.02), biases 0, scales 1.
    ///
    /// # Errors
    /// If the device has no memory for them.
    pub fn initialise(table: Vec<Parameter>, random: &mut impl Rng, device: Device) -> Result<Self, TchError> {
        let normal = Normal::new(0.0, FIRST_DEVIATION).expect("a positive deviation");
        let mut values = Vec::with_capacity(count(&table));
        for parameter in &table {
            let numbers = 0..parameter.len();
            match parameter.kind {
                ParameterKind::ConvWeight => values.extend(numbers.map(|_| normal.sample(random))),
                ParameterKind::Bias => values.extend(numbers.map(|_| 0.0)),
                ParameterKind::Scale => values.extend(numbers.map(|_| 1.0)),
            }
        }
        Self::from_flat(table, &Tensor::f_from_slice(&values)?, device)
    }

    /// Weights from elsewhere, which must be exactly those of the table.
    ///
    /// # Errors
    /// The first that is missing, has another shape, or has no place.
    pub fn from_weights(table: Vec<Parameter>, weights: &[Weight], device: Device) -> Result<Self, WeightsError> {
        check_weights(&table, weights.iter().map(|weight| (weight.name.as_str(), weight.shape.as_slice())))?;
        let by_name: HashMap<_, _> = weights.iter().map(|weight| (weight.name.as_str(), weight)).collect();
        // One after the other: all numbers twice would be the most memory that an export takes.
        let flat = Tensor::zeros([count(&table) as i64], (Kind::Float, Device::Cpu));
        let mut offset = 0;
        for parameter in &table {
            let bytes = &by_name[parameter.name.as_str()].bytes;
            let length = parameter.len() as i64;
            let numbers = Tensor::from_data_size(bytes, &[length], Kind::Float);
            flat.narrow(0, offset, length).copy_(&numbers);
            offset += length;
        }
        Ok(Self::from_flat(table, &flat, device).expect("as many numbers as the table counts"))
    }

    /// The same table over other numbers, `[count]`, on their device; they are copied.
    ///
    /// # Errors
    /// If they are of another count, or the device has no memory left.
    pub fn with_flat(&self, flat: &Tensor) -> Result<Self, TchError> {
        Self::from_flat(self.table.clone(), &flat.f_detach_copy()?, flat.device())
    }

    fn from_flat(table: Vec<Parameter>, values: &Tensor, device: Device) -> Result<Self, TchError> {
        let flat = values.f_to_device(device)?;
        let mut views = Vec::with_capacity(table.len());
        let mut offset = 0;
        for parameter in &table {
            let length = parameter.len() as i64;
            let shape: Vec<i64> = parameter.shape.iter().map(|&side| side as i64).collect();
            views.push(flat.f_narrow(0, offset, length)?.f_view(shape.as_slice())?.f_set_requires_grad(true)?);
            offset += length;
        }
        let places = table.iter().enumerate().map(|(place, parameter)| (parameter.name.clone(), place)).collect();
        Ok(Self { table, flat, views, places })
    }

    /// The table that they follow.
    pub fn table(&self) -> &[Parameter] {
        &self.table
    }

    /// All numbers, `[count]`, in the table's order. Writing to it changes the weights.
    pub fn flat(&self) -> &Tensor {
        &self.flat
    }

    /// The tensors in the table's order, as leaves for gradients.
    pub fn views(&self) -> &[Tensor] {
        &self.views
    }

    /// The tensor of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&Tensor> {
        self.places.get(name).map(|&place| &self.views[place])
    }

    /// Copies for other libraries and for files.
    ///
    /// # Errors
    /// If the device fails.
    pub fn to_weights(&self) -> Result<Vec<Weight>, TchError> {
        let pairs = self.table.iter().zip(&self.views);
        pairs
            .map(|(parameter, view)| {
                let bytes = tensor_bytes(view)?.into();
                Ok(Weight { name: parameter.name.clone(), shape: parameter.shape.clone(), bytes })
            })
            .collect()
    }
}
