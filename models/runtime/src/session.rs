//! A model ready to run.

use ort::ep::cuda::ConvAlgorithmSearch;
use ort::ep::{CUDA, ExecutionProvider};
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::TensorRef;
use program::Device;

use crate::library::{LibraryError, environment};

/// How a session runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The device.
    pub device: Device,
    /// Threads that work on one operator; none means one for each core.
    pub threads: Option<usize>,
    /// Full 32-bit products on CUDA, which else rounds them to TF32's 10 bits of mantissa. Verification needs this.
    pub exact: bool,
    /// Runs the graph as it is written, without ONNX Runtime's rewriting: to tell a wrong file from a wrong rewriting.
    pub as_written: bool,
}

/// Why a model cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// There is no ONNX Runtime.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// CUDA was asked for and is not to be had.
    #[error(
        "cuda:{index} was asked for and cannot be used: {reason}\nuse --device cpu, or `cargo xtask setup --cuda` on a machine with an NVIDIA driver"
    )]
    Cuda {
        /// The card asked for.
        index: usize,
        /// What ONNX Runtime says.
        reason: String,
    },
    /// The file is no model that this ONNX Runtime takes.
    #[error("ONNX Runtime refuses the model: {0}")]
    Model(#[source] ort::Error),
    /// It failed while it ran.
    #[error("ONNX Runtime failed: {0}")]
    Run(#[source] ort::Error),
    /// The model's interface is not one picture in, one picture out.
    #[error("the model has {inputs} inputs and {outputs} outputs; an image-to-image model has one of each")]
    Interface {
        /// Inputs.
        inputs: usize,
        /// Outputs.
        outputs: usize,
    },
    /// The output has another number of dimensions.
    #[error("the model's output is {0:?}, not [batch, channels, height, width]")]
    Output(Vec<i64>),
}

/// A value inside a model.
#[derive(Clone, Debug)]
pub struct Value {
    /// Its name in the graph.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its numbers, row by row.
    pub numbers: Vec<f32>,
}

/// A model loaded by ONNX Runtime, with one input and one output.
pub struct Session {
    inner: ort::session::Session,
    device: Device,
    reason: Option<String>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("device", &self.device).finish_non_exhaustive()
    }
}

impl Session {
    /// Loads a model from the bytes of its file.
    ///
    /// # Errors
    /// See [`SessionError`]. [`Device::Cuda`] means CUDA or an error; [`Device::Auto`] remembers in
    /// [`Session::reason`] why it is not CUDA.
    pub fn open(model: &[u8], options: Options) -> Result<Self, SessionError> {
        let (inner, device, reason) = match options.device {
            Device::Cpu => (cpu(model, options)?, Device::Cpu, None),
            Device::Cuda(index) => (cuda(model, options, index)?, Device::Cuda(index), None),
            Device::Auto => match cuda(model, options, 0) {
                Ok(session) => (session, Device::Cuda(0), None),
                Err(SessionError::Cuda { reason, .. }) => (cpu(model, options)?, Device::Cpu, Some(reason)),
                Err(other) => return Err(other),
            },
        };
        let (inputs, outputs) = (inner.inputs().len(), inner.outputs().len());
        if (inputs, outputs) != (1, 1) {
            return Err(SessionError::Interface { inputs, outputs });
        }
        Ok(Self { inner, device, reason })
    }

    /// Loads a model with any number of outputs, for [`Self::values`]; else as [`Self::open`].
    ///
    /// # Errors
    /// See [`SessionError`].
    pub fn open_many(model: &[u8], options: Options) -> Result<Self, SessionError> {
        Ok(Self { inner: cpu(model, options)?, device: Device::Cpu, reason: None })
    }

    /// Runs `[n, c, h, w]` floats through the model and gives all outputs that are floats: name, shape and numbers.
    ///
    /// # Errors
    /// If ONNX Runtime does not take the input, or fails.
    pub fn values(&mut self, input: &[f32], shape: [usize; 4]) -> Result<Vec<Value>, SessionError> {
        let input = TensorRef::from_array_view((shape, input)).map_err(SessionError::Run)?;
        let outputs = self.inner.run(ort::inputs![input]).map_err(SessionError::Run)?;
        let value = |(name, output): (&str, ort::value::ValueRef<'_>)| {
            let (shape, numbers) = output.try_extract_tensor::<f32>().ok()?;
            let shape = shape.iter().filter_map(|&side| usize::try_from(side).ok()).collect();
            Some(Value { name: name.to_owned(), shape, numbers: numbers.to_vec() })
        };
        Ok(outputs.iter().filter_map(value).collect())
    }

    /// The device that runs it: never [`Device::Auto`].
    pub fn device(&self) -> Device {
        self.device
    }

    /// Why `auto` did not take CUDA, in one line.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Runs `[n, c, h, w]` floats through the model; the output and its shape.
    ///
    /// # Errors
    /// If ONNX Runtime does not take the input, or fails.
    pub fn run(&mut self, input: &[f32], shape: [usize; 4]) -> Result<(Vec<f32>, [usize; 4]), SessionError> {
        let input = TensorRef::from_array_view((shape, input)).map_err(SessionError::Run)?;
        let outputs = self.inner.run(ort::inputs![input]).map_err(SessionError::Run)?;
        let (shape, values) = outputs[0].try_extract_tensor::<f32>().map_err(SessionError::Run)?;
        let sides: Vec<usize> = shape.iter().filter_map(|&side| usize::try_from(side).ok()).collect();
        let shape = <[usize; 4]>::try_from(sides).map_err(|_| SessionError::Output(shape.to_vec()))?;
        Ok((values.to_vec(), shape))
    }
}

fn builder(options: Options) -> Result<SessionBuilder, SessionError> {
    let level = if options.as_written { GraphOptimizationLevel::Disable } else { GraphOptimizationLevel::All };
    let builder = ort::session::Session::builder(environment()?).map_err(SessionError::Model)?;
    let builder = builder.with_optimization_level(level).map_err(|error| SessionError::Model(error.into()))?;
    match options.threads {
        Some(threads) => builder.with_intra_threads(threads).map_err(|error| SessionError::Model(error.into())),
        None => Ok(builder),
    }
}

fn cpu(model: &[u8], options: Options) -> Result<ort::session::Session, SessionError> {
    builder(options)?.commit_from_memory(model).map_err(SessionError::Model)
}

fn cuda(model: &[u8], options: Options, index: usize) -> Result<ort::session::Session, SessionError> {
    // Before any other `ort` call: those panic without the library.
    let builder = builder(options)?;
    let refused = |reason: String| SessionError::Cuda { index, reason: one_line(&reason) };
    if !CUDA::is_available().map_err(|error| refused(error.to_string()))? {
        return Err(refused("this ONNX Runtime is built without CUDA".into()));
    }
    let card = i32::try_from(index).map_err(|_| refused("no card has that number".into()))?;
    let provider = CUDA::default()
        .with_device_id(card)
        .with_tf32(!options.exact)
        // The default tries every algorithm anew for each input size.
        .with_conv_algorithm_search(ConvAlgorithmSearch::Heuristic);
    let mut builder = builder
        .with_execution_providers([provider.build().error_on_failure()])
        .map_err(|error| refused(error.to_string()))?;
    builder.commit_from_memory(model).or_else(|error| {
        // A model that the CPU refuses too is the model's fault, not the card's.
        cpu(model, options)?;
        Err(refused(error.to_string()))
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
