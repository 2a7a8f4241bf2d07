//! A model ready to run.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use half::f16;
use half::slice::HalfFloatSliceExt;
use half::vec::HalfFloatVecExt;
use ort::ep::cuda::ConvAlgorithmSearch;
use ort::ep::{ArenaExtendStrategy, CUDA, ExecutionProvider};
use ort::operator::OperatorDomain;
use ort::session::RunOptions;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::{PrimitiveTensorElementType, TensorElementType, TensorRef, ValueRef, ValueType};
use program::{Device, interrupt};

use crate::cuda;
use crate::library::{LibraryError, environment, place};
use crate::numbers::{Numbers, NumbersRef};

/// How a session runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The device.
    pub device: Device,
    /// Threads that work on one operator; none means one for each core.
    pub threads: Option<usize>,
    /// Full 32-bit products on CUDA, which else rounds them to TF32's 10 bits of mantissa. Verification needs this.
    pub exact: bool,
    /// Bytes that ONNX Runtime may keep of a card's memory for the network's values; none: all that is free. What cuDNN
    /// works in comes on top.
    pub memory: Option<usize>,
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
        "cuda:{index} was asked for and cannot be used: {reason}\nuse --device cpu, or `cargo xtask setup --cuda` on a machine \
         with an NVIDIA driver of version 580 or later"
    )]
    Cuda {
        /// The card asked for.
        index: usize,
        /// All that is missing, or what ONNX Runtime says.
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
    #[error("the model's output is {0:?}, not one of four dimensions")]
    Output(Vec<i64>),
    /// The model's numbers are not those that it was given.
    #[error("the model takes {takes} and gives {gives}; it was given {given}")]
    Numbers {
        /// Of the input.
        takes: String,
        /// Of the output.
        gives: String,
        /// What it was given.
        given: &'static str,
    },
}

impl SessionError {
    /// Whether there was not enough memory, so that fewer or smaller pictures might do.
    pub fn is_out_of_memory(&self) -> bool {
        // ONNX Runtime has no code for it. These are what its arena, C++, CUDA, cuBLAS and cuDNN say.
        const SIGNS: [&str; 7] = [
            "Failed to allocate memory",
            "smaller than requested bytes",
            "bad_alloc",
            "out of memory",
            "CUBLAS_STATUS_ALLOC_FAILED",
            "CUDNN_STATUS_ALLOC_FAILED",
            "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        ];
        match self {
            Self::Run(error) | Self::Model(error) => {
                let message = error.to_string();
                SIGNS.iter().any(|sign| message.contains(sign))
            }
            _ => false,
        }
    }
}

/// How a session runs, whatever was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// The device: never [`Device::Auto`].
    pub device: Device,
    /// What ONNX Runtime calls the part of it that has the graph; operators that it lacks run on the CPU.
    pub provider: &'static str,
    /// Whether products of 32-bit floats may be rounded to TF32, which cards from Ampere on have; none where there is no
    /// such thing.
    pub tf32: Option<bool>,
    /// Threads that work on one operator; none: as many as ONNX Runtime chooses, one for each core.
    pub threads: Option<usize>,
    /// Bytes that it may keep of a card's memory.
    pub memory: Option<usize>,
}

impl std::fmt::Display for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}", self.device, self.provider)?;
        match (self.tf32, self.threads) {
            (Some(true), _) => f.write_str(", TF32 on")?,
            (Some(false), _) => f.write_str(", TF32 off")?,
            (None, Some(threads)) => write!(f, ", {threads} threads")?,
            (None, None) => f.write_str(", a thread for each core")?,
        }
        match self.memory {
            Some(bytes) => write!(f, ", {} of its memory)", program::bytes(bytes as u64)),
            None => f.write_str(")"),
        }
    }
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
    /// Whether they are 16-bit floats in the model, so that each is the nearest of those.
    pub in_16_bits: bool,
}

/// A model loaded by ONNX Runtime, with one input and one output.
pub struct Session {
    inner: ort::session::Session,
    running: Running,
    reason: Option<String>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("running", &self.running).finish_non_exhaustive()
    }
}

impl Session {
    /// Loads a model from the bytes of its file.
    ///
    /// # Errors
    /// See [`SessionError`]. [`Device::Cuda`] means CUDA or an error; [`Device::Auto`] remembers in
    /// [`Session::reason`] why it is not CUDA.
    pub fn open(model: &[u8], options: Options) -> Result<Self, SessionError> {
        Self::with_data(model, None, options)
    }

    /// The same from its file, which is read once, into ONNX Runtime's own memory. Data beside it is found there.
    ///
    /// # Errors
    /// Those of [`Session::open`].
    pub fn open_file(path: &Path, options: Options) -> Result<Self, SessionError> {
        Self::of(Model::File(path), options)
    }

    /// The same for a model whose weights lie in files of a folder. Which files it may name is not checked here.
    ///
    /// # Errors
    /// Those of [`Session::open`].
    pub fn with_data(model: &[u8], folder: Option<&Path>, options: Options) -> Result<Self, SessionError> {
        Self::of(Model::Bytes { bytes: model, folder }, options)
    }

    /// The same with another form of the model for the CPU, which calls operators of its own. It is asked for only where
    /// the CPU is what runs, once ONNX Runtime is loaded; none: the model as it is.
    ///
    /// # Errors
    /// Those of [`Session::open`].
    pub fn with_operators(
        model: &[u8],
        folder: Option<&Path>,
        options: Options,
        for_cpu: impl FnOnce() -> Option<(Vec<u8>, OperatorDomain)>,
    ) -> Result<Self, SessionError> {
        let rewritten = |model: Model<'_>, options| match for_cpu() {
            None => cpu(model, options),
            Some((bytes, operators)) => {
                let builder = builder(options)?.with_operators(operators);
                let builder = builder.map_err(|error| SessionError::Model(error.into()))?;
                Model::Bytes { bytes: &bytes, folder }.commit(builder).map_err(SessionError::Model)
            }
        };
        Self::on(Model::Bytes { bytes: model, folder }, options, rewritten)
    }

    fn of(model: Model<'_>, options: Options) -> Result<Self, SessionError> {
        Self::on(model, options, cpu)
    }

    fn on(
        model: Model<'_>,
        options: Options,
        cpu: impl FnOnce(Model<'_>, Options) -> Result<ort::session::Session, SessionError>,
    ) -> Result<Self, SessionError> {
        // Before any other `ort` call: those panic without the library.
        environment()?;
        let (inner, device, reason) = match options.device {
            Device::Cpu => (cpu(model, options)?, Device::Cpu, None),
            Device::Cuda(index) => (on_cuda(model, options, index)?, Device::Cuda(index), None),
            Device::Auto => match on_cuda(model, options, 0) {
                Ok(session) => (session, Device::Cuda(0), None),
                Err(SessionError::Cuda { reason, .. }) => (cpu(model, options)?, Device::Cpu, Some(reason)),
                Err(other) => return Err(other),
            },
        };
        let (inputs, outputs) = (inner.inputs().len(), inner.outputs().len());
        if (inputs, outputs) != (1, 1) {
            return Err(SessionError::Interface { inputs, outputs });
        }
        Ok(Self { inner, running: running(device, options), reason })
    }

    /// Loads a model with any number of outputs, for [`Self::values`]; else as [`Self::open`].
    ///
    /// # Errors
    /// See [`SessionError`].
    pub fn open_many(model: &[u8], folder: Option<&Path>, options: Options) -> Result<Self, SessionError> {
        let inner = cpu(Model::Bytes { bytes: model, folder }, options)?;
        Ok(Self { inner, running: running(Device::Cpu, options), reason: None })
    }

    /// Runs `[n, c, h, w]` floats through the model, as [`Self::run`] does, and gives all outputs that are floats or bytes. A run is
    /// broken off where the user asks to stop ([`program::interrupt`]).
    ///
    /// # Errors
    /// Those of [`Self::run`].
    pub fn values(&mut self, input: &[f32], shape: [usize; 4]) -> Result<Vec<Value>, SessionError> {
        match self.inner.inputs()[0].dtype().tensor_type() {
            Some(TensorElementType::Float32) => self.values_of(input, shape),
            Some(TensorElementType::Float16) => self.values_of(&Vec::<f16>::from_f32_slice(input), shape),
            _ => Err(self.other_numbers("floats")),
        }
    }

    /// The same of `[n, h, w, c]` bytes.
    ///
    /// # Errors
    /// Those of [`Self::run_bytes`].
    pub fn values_of_bytes(&mut self, input: &[u8], shape: [usize; 4]) -> Result<Vec<Value>, SessionError> {
        self.values_of(input, shape)
    }

    fn values_of<T>(&mut self, input: &[T], shape: [usize; 4]) -> Result<Vec<Value>, SessionError>
    where
        T: PrimitiveTensorElementType + Clone + std::fmt::Debug + 'static,
    {
        let input = TensorRef::from_array_view((shape, input)).map_err(SessionError::Run)?;
        let options = RunOptions::new().map_err(SessionError::Run)?;
        let running = AtomicBool::new(true);
        let outputs = std::thread::scope(|scope| {
            let watcher = scope.spawn(|| stop_on_request(&options, &running));
            let outputs = self.inner.run_with_options(ort::inputs![input], &options);
            running.store(false, Ordering::Relaxed);
            watcher.thread().unpark();
            outputs
        });
        let outputs = outputs.map_err(SessionError::Run)?;
        Ok(outputs.iter().filter_map(|(name, output)| value(name, &output)).collect())
    }

    /// The device that runs it: never [`Device::Auto`].
    pub fn device(&self) -> Device {
        self.running.device
    }

    /// How it runs.
    pub fn running(&self) -> Running {
        self.running
    }

    /// How it runs, and why not on CUDA where that was left open.
    pub fn describe(&self) -> String {
        let because = self.reason().map(|reason| format!(" (no CUDA: {reason})")).unwrap_or_default();
        format!("{}{because}", self.running())
    }

    /// Why `auto` did not take CUDA, in one line.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Runs floats of four dimensions through the model; the output and its shape. A model of 16-bit floats gets the
    /// nearest ones, and what it gives is widened.
    ///
    /// # Errors
    /// If the model takes or gives bytes, ONNX Runtime does not take the input, or fails.
    pub fn run(&mut self, input: &[f32], shape: [usize; 4]) -> Result<(Vec<f32>, [usize; 4]), SessionError> {
        match self.translate(NumbersRef::Floats(input), shape)? {
            (Numbers::Floats(output), shape) => Ok((output, shape)),
            (Numbers::Bytes(_), _) => Err(self.other_numbers("floats")),
        }
    }

    /// Runs bytes of four dimensions through the model; the output and its shape.
    ///
    /// # Errors
    /// If the model takes or gives floats, ONNX Runtime does not take the input, or fails.
    pub fn run_bytes(&mut self, input: &[u8], shape: [usize; 4]) -> Result<(Vec<u8>, [usize; 4]), SessionError> {
        match self.translate(NumbersRef::Bytes(input), shape)? {
            (Numbers::Bytes(output), shape) => Ok((output, shape)),
            (Numbers::Floats(_), _) => Err(self.other_numbers("bytes")),
        }
    }

    /// Runs numbers of four dimensions through the model; what it gives, and its shape. 16-bit floats are rounded to and
    /// widened from.
    ///
    /// # Errors
    /// If the model takes other numbers or gives none of these, ONNX Runtime does not take the input, or fails.
    pub fn translate(
        &mut self,
        input: NumbersRef<'_>,
        shape: [usize; 4],
    ) -> Result<(Numbers, [usize; 4]), SessionError> {
        match (input, self.numbers()[0]) {
            (NumbersRef::Floats(input), Some(TensorElementType::Float32)) => self.run_as(input, shape, "floats"),
            (NumbersRef::Floats(input), Some(TensorElementType::Float16)) => {
                self.run_as(&Vec::<f16>::from_f32_slice(input), shape, "floats")
            }
            (NumbersRef::Bytes(input), Some(TensorElementType::Uint8)) => self.run_as(input, shape, "bytes"),
            (NumbersRef::Floats(_), _) => Err(self.other_numbers("floats")),
            (NumbersRef::Bytes(_), _) => Err(self.other_numbers("bytes")),
        }
    }

    /// The same in the memory of the input; the output's shape. After an error the input is what it was.
    ///
    /// # Errors
    /// Those of [`Self::translate`].
    pub fn translate_in_place(&mut self, numbers: &mut Numbers, shape: [usize; 4]) -> Result<[usize; 4], SessionError> {
        const FLOATS: Option<TensorElementType> = Some(TensorElementType::Float32);
        match numbers {
            Numbers::Floats(floats) if self.numbers() == [FLOATS; 2] => {
                let input = TensorRef::from_array_view((shape, &floats[..])).map_err(SessionError::Run)?;
                let outputs = self.inner.run(ort::inputs![input]).map_err(SessionError::Run)?;
                let (shape, output) = outputs[0].try_extract_tensor::<f32>().map_err(SessionError::Run)?;
                let shape = sides(shape)?;
                numbers.replace(NumbersRef::Floats(output));
                Ok(shape)
            }
            _ => {
                let (output, shape) = self.translate(numbers.view(), shape)?;
                *numbers = output;
                Ok(shape)
            }
        }
    }

    /// What the input's numbers are, and the output's.
    fn numbers(&self) -> [Option<TensorElementType>; 2] {
        [self.inner.inputs()[0].dtype(), self.inner.outputs()[0].dtype()].map(ValueType::tensor_type)
    }

    fn other_numbers(&self, given: &'static str) -> SessionError {
        let said = |kind: Option<TensorElementType>| kind.map_or("no tensor".into(), |kind| kind.to_string());
        let [takes, gives] = self.numbers().map(said);
        SessionError::Numbers { takes, gives, given }
    }

    fn run_as<T>(
        &mut self,
        input: &[T],
        shape: [usize; 4],
        given: &'static str,
    ) -> Result<(Numbers, [usize; 4]), SessionError>
    where
        T: PrimitiveTensorElementType + Clone + std::fmt::Debug + 'static,
    {
        let gives = self.numbers()[1];
        let input = TensorRef::from_array_view((shape, input)).map_err(SessionError::Run)?;
        let outputs = self.inner.run(ort::inputs![input]).map_err(SessionError::Run)?;
        let output = &outputs[0];
        let (shape, numbers) = match gives {
            Some(TensorElementType::Float32) => {
                let (shape, numbers) = output.try_extract_tensor::<f32>().map_err(SessionError::Run)?;
                (shape, Numbers::Floats(numbers.to_vec()))
            }
            Some(TensorElementType::Float16) => {
                let (shape, numbers) = output.try_extract_tensor::<f16>().map_err(SessionError::Run)?;
                (shape, Numbers::Floats(numbers.to_f32_vec()))
            }
            Some(TensorElementType::Uint8) => {
                let (shape, numbers) = output.try_extract_tensor::<u8>().map_err(SessionError::Run)?;
                (shape, Numbers::Bytes(numbers.to_vec()))
            }
            _ => {
                drop(outputs);
                return Err(self.other_numbers(given));
            }
        };
        Ok((numbers, sides(shape)?))
    }
}

fn sides(shape: &[i64]) -> Result<[usize; 4], SessionError> {
    let sides: Vec<usize> = shape.iter().filter_map(|&side| usize::try_from(side).ok()).collect();
    <[usize; 4]>::try_from(sides).map_err(|_| SessionError::Output(shape.to_vec()))
}

/// Breaks a run off once the user asks to stop.
fn stop_on_request(options: &RunOptions, running: &AtomicBool) {
    /// A person does not see such a delay.
    const PAUSE: Duration = Duration::from_millis(50);
    while running.load(Ordering::Relaxed) {
        if interrupt::requested() {
            // Where it fails, the run ends by itself.
            let _ended = options.terminate();
            return;
        }
        std::thread::park_timeout(PAUSE);
    }
}

/// An output; none where it is neither floats nor bytes.
fn value(name: &str, output: &ValueRef<'_>) -> Option<Value> {
    let (shape, numbers, in_16_bits) = if let Ok((shape, numbers)) = output.try_extract_tensor::<f32>() {
        (shape, numbers.to_vec(), false)
    } else if let Ok((shape, numbers)) = output.try_extract_tensor::<f16>() {
        (shape, numbers.to_f32_vec(), true)
    } else {
        let (shape, bytes) = output.try_extract_tensor::<u8>().ok()?;
        (shape, bytes.iter().copied().map(f32::from).collect(), false)
    };
    let shape = shape.iter().filter_map(|&side| usize::try_from(side).ok()).collect();
    Some(Value { name: name.to_owned(), shape, numbers, in_16_bits })
}

/// A model's file.
#[derive(Clone, Copy)]
enum Model<'a> {
    /// What is in it.
    Bytes {
        bytes: &'a [u8],
        /// Where its data lies.
        folder: Option<&'a Path>,
    },
    /// Where it is.
    File(&'a Path),
}

impl Model<'_> {
    fn commit(self, builder: SessionBuilder) -> ort::Result<ort::session::Session> {
        /// Where ONNX Runtime looks for the data of a model that it is handed in memory.
        const FOLDER: &str = "session.model_external_initializers_file_folder_path";
        match self {
            Model::File(path) => { builder }.commit_from_file(path),
            Model::Bytes { bytes, folder: None } => { builder }.commit_from_memory(bytes),
            Model::Bytes { bytes, folder: Some(folder) } => {
                builder.with_config_entry(FOLDER, folder.to_string_lossy())?.commit_from_memory(bytes)
            }
        }
    }
}

fn builder(options: Options) -> Result<SessionBuilder, SessionError> {
    let level = if options.as_written { GraphOptimizationLevel::Disable } else { GraphOptimizationLevel::All };
    let builder = ort::session::Session::builder(environment()?).map_err(SessionError::Model)?;
    let builder = builder.with_optimization_level(level).map_err(|error| SessionError::Model(error.into()))?;
    // Threads that spin while they wait for an operator take the cores from those that decode and encode: on two cores a folder
    // through a trivial network takes a quarter longer with it, and through the paper's generator no less.
    let builder = builder.with_intra_op_spinning(false).map_err(|error| SessionError::Model(error.into()))?;
    match options.threads {
        Some(threads) => builder.with_intra_threads(threads).map_err(|error| SessionError::Model(error.into())),
        None => Ok(builder),
    }
}

fn running(device: Device, options: Options) -> Running {
    match device {
        Device::Cuda(_) => {
            Running { device, provider: CUDA::NAME, tf32: Some(!options.exact), threads: None, memory: options.memory }
        }
        Device::Auto | Device::Cpu => Running {
            device: Device::Cpu,
            provider: "CPUExecutionProvider",
            tf32: None,
            threads: options.threads,
            memory: None,
        },
    }
}

fn cpu(model: Model<'_>, options: Options) -> Result<ort::session::Session, SessionError> {
    model.commit(builder(options)?).map_err(SessionError::Model)
}

fn on_cuda(model: Model<'_>, options: Options, index: usize) -> Result<ort::session::Session, SessionError> {
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
    let provider = match options.memory {
        // Doubling its steps, an arena would reach its limit long before it is full.
        Some(bytes) => {
            provider.with_memory_limit(bytes).with_arena_extend_strategy(ArenaExtendStrategy::SameAsRequested)
        }
        None => provider,
    };
    let builder = builder
        .with_execution_providers([provider.build().error_on_failure()])
        .map_err(|error| refused(explained(&error)))?;
    model.commit(builder).or_else(|error| {
        // A model that the CPU refuses too is the model's fault, not the card's.
        cpu(model, options)?;
        Err(refused(explained(&error)))
    })
}

/// All that can be seen to be missing, and then what ONNX Runtime says, which names the first of it at best.
fn explained(error: &impl std::fmt::Display) -> String {
    let mut reasons = cuda::missing(place().as_deref());
    let said = error.to_string();
    // Before its mark stands where in its own source that is said.
    let said = said.find("[ONNXRuntimeError]").map_or(said.as_str(), |mark| &said[mark..]);
    reasons.push(format!("ONNX Runtime says: {said}"));
    reasons.join("; ")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use models_onnx::samples::{Operation, Sample};

    use super::*;

    #[test]
    fn a_session_says_what_it_does_and_why_not_more() {
        let model = Sample::default().to_bytes();
        let options = Options { threads: Some(2), memory: Some(1 << 30), ..Options::default() };
        let session = Session::open(&model, Options { device: Device::Cpu, ..options }).expect("a good model");
        // The limit is that of a card.
        assert_eq!(session.running().to_string(), "cpu (CPUExecutionProvider, 2 threads)");
        assert_eq!(session.reason(), None, "nothing else was asked for");
        let on_card = running(Device::Cuda(1), Options { exact: true, ..options });
        assert_eq!(on_card.to_string(), "cuda:1 (CUDAExecutionProvider, TF32 off, 1.1 GB of its memory)");

        let auto = Session::open(&model, options).expect("a good model");
        assert_eq!(auto.reason().is_some(), auto.device() == Device::Cpu, "auto says why there is no CUDA");
    }

    #[test]
    fn a_lack_of_memory_is_told_from_other_failures() {
        // 2²⁴ times as wide and high: more than any address space has.
        let huge = Sample { operation: Operation::Enlarge(1 << 24), ..Sample::default() }.to_bytes();
        let options = Options { device: Device::Cpu, threads: Some(1), ..Options::default() };
        let mut session = Session::open(&huge, options).expect("a good model");
        let error = session.run(&[0.0; 3], [1, 3, 1, 1]).expect_err("petabytes");
        assert!(error.is_out_of_memory(), "{error}");
        let error = session.run(&[0.0; 3], [1, 1, 3, 1]).expect_err("one channel");
        assert!(!error.is_out_of_memory(), "{error}");
        let error = Session::open(b"no model", options).expect_err("no model");
        assert!(!error.is_out_of_memory(), "{error}");
    }
}
