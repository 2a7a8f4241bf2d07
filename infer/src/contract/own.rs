//! What the metadata of one of our exports says of its network.

use models::shapes::{self, Shape};
use models::{Metadata, Network};
use models_onnx::Precision;

use super::Sizes;
use super::error::ContractError;

/// Beside this many times the smallest side, the borders that layers add are next to nothing.
const MANY: usize = 256;

/// The sizes that a network takes, and the memory without which it cannot translate a pixel: the layer with the largest
/// input and output keeps both.
pub(super) fn sizes(metadata: &Metadata, precision: Precision) -> Result<(Sizes, u64), ContractError> {
    if !metadata.role.is_generator() {
        return Err(ContractError::NotAGenerator(metadata.role));
    }
    let size = metadata.usual_size();
    let usual = u16::try_from(size).ok().filter(|&size| size > 0).ok_or(ContractError::TrainingSize(size))?.into();
    let training = metadata.training_size.map(|_| usual);
    let smallest = shapes::smallest_size(&metadata.network)? as u32;
    let multiple = shapes::size_multiple(&metadata.network) as u32;
    let number = match precision {
        Precision::F32 => 4,
        Precision::F16 => 2,
    };
    let bytes_per_pixel = number * numbers_per_pixel(&metadata.network, smallest as usize * MANY)?;
    Ok((Sizes { training, usual: Some(usual), multiple, smallest, fixed: None }, bytes_per_pixel))
}

/// All layers grow with the picture alike, so that one size speaks for all. Checks on the way that what comes out is a
/// picture like the one that went in.
fn numbers_per_pixel(network: &Network, side: usize) -> Result<u64, ContractError> {
    let trace = shapes::trace(network, side, side)?;
    let input = Shape { channels: 3, height: side, width: side };
    if network.channels != input.channels || trace.output() != input {
        let input = Shape { channels: network.channels, ..input };
        return Err(ContractError::NotAPicture { input, output: trace.output() });
    }
    let numbers = |shape: Shape| (shape.channels * shape.height * shape.width) as u64;
    let outputs = trace.steps.iter().map(|step| numbers(step.output));
    let inputs = [numbers(input)].into_iter().chain(outputs.clone());
    let largest = inputs.zip(outputs).map(|(input, output)| input + output).max().unwrap_or(0);
    Ok(largest / (side * side) as u64)
}
