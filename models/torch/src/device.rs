//! `--device` on libtorch.

use program::Device;

/// CUDA was asked for and is not to be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cuda:{index} was asked for and cannot be used: {reason}\nuse --device cpu, or see `Using a GPU` in the README"
)]
pub struct DeviceError {
    /// The card asked for.
    pub index: usize,
    /// Why it is not to be had.
    pub reason: String,
}

/// The device that will run, and why for a person: `cpu (libtorch is built without CUDA)`.
///
/// # Errors
/// [`Device::Cuda`] means CUDA or an error.
pub fn device(asked: Device) -> Result<(tch::Device, String), DeviceError> {
    let index = match asked {
        Device::Cpu => return Ok((tch::Device::Cpu, "cpu".into())),
        Device::Auto => 0,
        Device::Cuda(index) => index,
    };
    match (unavailable(index), asked) {
        (None, _) => Ok((tch::Device::Cuda(index), format!("cuda:{index}"))),
        (Some(reason), Device::Auto) => Ok((tch::Device::Cpu, format!("cpu ({reason})"))),
        (Some(reason), _) => Err(DeviceError { index, reason }),
    }
}

fn unavailable(index: usize) -> Option<String> {
    if !tch::utils::has_cuda() {
        return Some("this libtorch finds no CUDA driver and card, or is built without CUDA".into());
    }
    let cards = tch::Cuda::device_count();
    (index as i64 >= cards).then(|| format!("there are {cards} cards, numbered from 0"))
}
