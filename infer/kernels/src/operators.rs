//! The kernels as operators of ONNX Runtime.
//!
//! Weights live here, not in the graph: a node says by number which layer it is.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ort::operator::{
    BoxedKernel, ComputeContext, KernelContext, Operator, OperatorDomain, OperatorInput, OperatorOutput,
    ShapeInferenceContext,
};
use ort::value::{Shape, SymbolicDimensions, TensorElementType, ValueType};

use crate::error::KernelError;
use crate::layer::Layer;
use crate::norm::Norm;
use crate::raw::Machine;
use crate::scratch::Scratch;
use crate::threads::{First, Threads};
use crate::winograd::Points;

/// The operators' domain.
pub const DOMAIN: &str = "cyclegan.kernels";
/// The one of convolutions.
pub(crate) const CONVOLUTION: &str = "Convolution";
/// The one of norms.
pub(crate) const NORM: &str = "Norm";
/// The one of norms with a sum.
pub(crate) const NORM_ADD: &str = "NormAdd";
/// The one of points that are kept.
pub(crate) const POINTS: &str = "Points";
/// The attribute that says which layer, from 1 on: a zero is no number in a file's form.
pub(crate) const LAYER: &str = "layer";

/// The layers that a rewritten graph calls.
#[derive(Debug)]
pub(crate) struct Layers {
    pub(crate) machine: Machine,
    pub(crate) threads: usize,
    pub(crate) convolutions: Vec<Box<dyn Layer>>,
    pub(crate) norms: Vec<Norm>,
    pub(crate) points: Vec<Points>,
    pub(crate) scratch: Scratch,
}

/// Hands layers to ONNX Runtime, which must be loaded.
pub(crate) fn domain(layers: Layers) -> ort::Result<OperatorDomain> {
    let layers = Arc::new(layers);
    OperatorDomain::new(DOMAIN)?
        .add(Convolves(layers.clone()))?
        .add(MakesPoints(layers.clone()))?
        .add(Normalization { layers: layers.clone(), adds: false })?
        .add(Normalization { layers, adds: true })
}

/// ONNX Runtime's own threads, as far as a kernel may use them.
struct Session<'a> {
    context: &'a ComputeContext,
    count: usize,
}

impl Threads for Session<'_> {
    fn count(&self) -> usize {
        self.count
    }

    fn each(&self, tasks: usize, task: &(dyn Fn(usize) -> Result<(), KernelError> + Sync)) -> Result<(), KernelError> {
        let first = First::default();
        // A panic must not cross into C++.
        let guarded = |place| {
            let result = catch_unwind(AssertUnwindSafe(|| task(place)));
            first.keep(result.unwrap_or_else(|panic| Err(fault(&*panic))));
        };
        let started = self.context.par_for(tasks, tasks, guarded);
        started.map_err(|error| KernelError::Fault(error.to_string()))?;
        first.result()
    }
}

fn fault(panic: &(dyn Any + Send)) -> KernelError {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    KernelError::Fault(text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned())
}

/// What a callback computes, with its errors and panics as ONNX Runtime's.
fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> ort::Result<T> {
    let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(fault(&*panic).into()));
    result.map_err(|failure| match failure {
        Failure::Kernel(error) => ort::Error::new(error.to_string()),
        Failure::Runtime(error) => error,
    })
}

enum Failure {
    Kernel(KernelError),
    Runtime(ort::Error),
}

impl From<KernelError> for Failure {
    fn from(error: KernelError) -> Self {
        Self::Kernel(error)
    }
}

impl From<ort::Error> for Failure {
    fn from(error: ort::Error) -> Self {
        Self::Runtime(error)
    }
}

/// Images, channels, rows and columns.
fn shape(shape: &Shape) -> Result<[usize; 4], KernelError> {
    let sides: Vec<usize> = shape.iter().filter_map(|&side| usize::try_from(side).ok()).collect();
    sides.try_into().map_err(|_| KernelError::Shape)
}

fn missing() -> Failure {
    KernelError::Fault("an input or output is missing".into()).into()
}

/// What is known of a side before a run.
enum Side {
    Fixed(i64),
    /// Sides of one name are one size.
    Named(String),
}

/// The sides of a node's first input; none where they are not known yet. One that has no name gets one of its own: ONNX
/// Runtime takes two without for the same size, and would use the memory of one for the other.
fn sides(context: &ShapeInferenceContext, node: &str) -> Option<[Side; 4]> {
    let inputs = context.inputs();
    let Some(ValueType::Tensor { shape, dimension_symbols, .. }) = inputs.first() else { return None };
    let sides = shape.iter().enumerate().map(|(place, &side)| match dimension_symbols.get(place) {
        _ if side >= 0 => Side::Fixed(side),
        Some(symbol) if !symbol.is_empty() => Side::Named(symbol.clone()),
        _ => Side::Named(format!("{node}.{place}")),
    });
    sides.collect::<Vec<_>>().try_into().ok()
}

fn tensor(sides: [Side; 4]) -> ValueType {
    let (shape, symbols): (Vec<i64>, Vec<String>) = sides
        .into_iter()
        .map(|side| match side {
            Side::Fixed(side) => (side, String::new()),
            Side::Named(name) => (-1, name),
        })
        .unzip();
    let dimension_symbols = SymbolicDimensions::new(symbols);
    ValueType::Tensor { ty: TensorElementType::Float32, shape: Shape::new(shape), dimension_symbols }
}

/// The layer that a node names.
fn layer(context: &KernelContext<'_>, count: usize) -> Result<usize, Failure> {
    let layer = context.get::<i64>(LAYER).and_then(|layer| usize::try_from(layer - 1).ok());
    layer.filter(|layer| *layer < count).ok_or_else(|| KernelError::Fault("a node names no layer".into()).into())
}

/// `Convolution`: a [`Layer`] each, of all channels of its inputs.
struct Convolves(Arc<Layers>);

impl Operator for Convolves {
    type Kernel<'attr> = BoxedKernel<'attr>;

    fn name(&self) -> &str {
        CONVOLUTION
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        [OperatorInput::variadic(1).homogenous(TensorElementType::Float32)]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(TensorElementType::Float32)]
    }

    fn create_kernel<'attr>(&self, context: &KernelContext<'attr>) -> ort::Result<BoxedKernel<'attr>> {
        let layers = self.0.clone();
        let number = guarded(|| layer(context, layers.convolutions.len()))?;
        Ok(Box::new(move |context: &ComputeContext| {
            guarded(|| {
                let layer = &layers.convolutions[number];
                let values = (0..context.num_inputs()?).map(|place| context.input(place)?.ok_or_else(missing));
                let values = values.collect::<Result<Vec<_>, Failure>>()?;
                let parts =
                    values.iter().map(|value| value.try_extract_tensor::<f32>()).collect::<Result<Vec<_>, _>>()?;
                let shapes = parts.iter().map(|(sides, _)| shape(sides)).collect::<Result<Vec<_>, _>>()?;
                let parts: Vec<&[f32]> = parts.into_iter().map(|(_, numbers)| numbers).collect();
                let [images, _, rows, columns] = *shapes.first().ok_or_else(missing)?;
                if shapes.iter().any(|shape| [shape[0], shape[2], shape[3]] != [images, rows, columns]) {
                    return Err(KernelError::Shape.into());
                }
                let [out_rows, out_columns] = layer.output_size([rows, columns])?;
                let sides = [images, layer.outputs(), out_rows, out_columns].map(|side| side as i64);
                let mut output = context.output(0, sides)?.ok_or_else(missing)?;
                let (_, output) = output.try_extract_tensor_mut::<f32>()?;
                let threads = Session { context, count: layers.threads };
                Ok(layer.run(&parts, [images, rows, columns], output, &layers.scratch, &threads)?)
            })
        }))
    }

    fn infer_shape(&self, context: &mut ShapeInferenceContext) -> ort::Result<()> {
        guarded(|| {
            let number = usize::try_from(context.attr::<i64>(LAYER)? - 1).unwrap_or(usize::MAX);
            let Some(layer) = self.0.convolutions.get(number) else { return Ok(()) };
            let Some([batch, _, rows, columns]) = sides(context, &format!("{CONVOLUTION}.{number}")) else {
                return Ok(());
            };
            // Far beyond any padding, and an input as large as its output in all sizes if it is in this one.
            const LARGE: usize = 1 << 24;
            let side = |side: Side, place: usize| match side {
                Side::Fixed(side) => {
                    let side = layer.output_size([usize::try_from(side).unwrap_or(0); 2]).ok()?[place];
                    Some(Side::Fixed(side as i64))
                }
                Side::Named(name) if layer.output_size([LARGE; 2]).ok()?[place] == LARGE => Some(Side::Named(name)),
                Side::Named(_) => Some(Side::Named(format!("{CONVOLUTION}.{number}.out.{place}"))),
            };
            let (Some(rows), Some(columns)) = (side(rows, 0), side(columns, 1)) else { return Ok(()) };
            let output = tensor([batch, Side::Fixed(layer.outputs() as i64), rows, columns]);
            Ok(context.set_output(0, &output)?)
        })
    }
}

/// `Points`: [`Points`] each, which only convolutions here read: `[images, numbers for each pixel, rows, columns]`.
struct MakesPoints(Arc<Layers>);

impl Operator for MakesPoints {
    type Kernel<'attr> = BoxedKernel<'attr>;

    fn name(&self) -> &str {
        POINTS
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        [OperatorInput::required(TensorElementType::Float32)]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(TensorElementType::Float32)]
    }

    fn create_kernel<'attr>(&self, context: &KernelContext<'attr>) -> ort::Result<BoxedKernel<'attr>> {
        let layers = self.0.clone();
        let number = guarded(|| layer(context, layers.points.len()))?;
        Ok(Box::new(move |context: &ComputeContext| {
            guarded(|| {
                let points = &layers.points[number];
                let input = context.input(0)?.ok_or_else(missing)?;
                let (sides, input) = input.try_extract_tensor::<f32>()?;
                let [images, _, rows, columns] = shape(sides)?;
                let depth = points.depth([rows, columns])?;
                let mut output = context.output(0, [images, depth, rows, columns].map(|side| side as i64))?;
                let output = output.as_mut().ok_or_else(missing)?;
                let (_, output) = output.try_extract_tensor_mut::<f32>()?;
                let threads = Session { context, count: layers.threads };
                Ok(points.run(input, [images, rows, columns], output, &layers.scratch, &threads)?)
            })
        }))
    }

    fn infer_shape(&self, context: &mut ShapeInferenceContext) -> ort::Result<()> {
        guarded(|| {
            let name = format!("{POINTS}.{}", context.attr::<i64>(LAYER)?);
            if let Some([batch, _, rows, columns]) = sides(context, &name) {
                context.set_output(0, &tensor([batch, Side::Named(format!("{name}.depth")), rows, columns]))?;
            }
            Ok(())
        })
    }
}

/// `Norm` and `NormAdd`: a [`Norm`] each.
struct Normalization {
    layers: Arc<Layers>,
    adds: bool,
}

impl Operator for Normalization {
    type Kernel<'attr> = BoxedKernel<'attr>;

    fn name(&self) -> &str {
        if self.adds { NORM_ADD } else { NORM }
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        (0..1 + usize::from(self.adds)).map(|_| OperatorInput::required(TensorElementType::Float32))
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(TensorElementType::Float32)]
    }

    fn create_kernel<'attr>(&self, context: &KernelContext<'attr>) -> ort::Result<BoxedKernel<'attr>> {
        let (layers, adds) = (self.layers.clone(), self.adds);
        let number = guarded(|| layer(context, layers.norms.len()))?;
        Ok(Box::new(move |context: &ComputeContext| {
            guarded(|| {
                let norm = &layers.norms[number];
                let input = context.input(0)?.ok_or_else(missing)?;
                let (sides, input) = input.try_extract_tensor::<f32>()?;
                let sides = sides.clone();
                let [images, channels, rows, columns] = shape(&sides)?;
                let carried = if adds { Some(context.input(1)?.ok_or_else(missing)?) } else { None };
                let carried = carried.as_ref().map(|carried| carried.try_extract_tensor::<f32>()).transpose()?;
                if channels != norm.scale.len() || carried.is_some_and(|(other, _)| *other != sides) {
                    return Err(KernelError::Shape.into());
                }
                let mut output = context.output(0, sides)?.ok_or_else(missing)?;
                let (_, output) = output.try_extract_tensor_mut::<f32>()?;
                let threads = Session { context, count: layers.threads };
                let carried = carried.map(|(_, carried)| carried);
                Ok(norm.run(layers.machine, input, [images, rows * columns], carried, output, &threads)?)
            })
        }))
    }

    fn infer_shape(&self, context: &mut ShapeInferenceContext) -> ort::Result<()> {
        guarded(|| {
            let number = context.attr::<i64>(LAYER)?;
            if let Some(sides) = sides(context, &format!("{}.{number}", self.name())) {
                context.set_output(0, &tensor(sides))?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use models_onnx::proto::{
        AttributeProto, AttributeType, DataType, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorType,
        TypeProto, TypeValue, ValueInfoProto,
    };
    use models_runtime::Options;
    use program::Device;
    use prost::Message;

    use super::*;

    /// A layer that fails in its way.
    #[derive(Debug)]
    struct Wrong(fn(&dyn Threads) -> Result<(), KernelError>);

    impl Layer for Wrong {
        fn outputs(&self) -> usize {
            1
        }

        fn output_size(&self, size: [usize; 2]) -> Result<[usize; 2], KernelError> {
            Ok(size)
        }

        fn run(
            &self,
            _: &[&[f32]],
            _: [usize; 3],
            _: &mut [f32],
            _: &Scratch,
            threads: &dyn Threads,
        ) -> Result<(), KernelError> {
            (self.0)(threads)
        }
    }

    /// A graph of one convolution, the first layer.
    fn model() -> Vec<u8> {
        let end = |name: &str| {
            let value = TypeValue::Tensor(TensorType { elem_type: DataType::Float.into(), shape: None });
            let r#type = Some(TypeProto { value: Some(value), ..Default::default() });
            ValueInfoProto { name: name.into(), r#type, ..Default::default() }
        };
        let layer =
            AttributeProto { name: LAYER.into(), r#type: AttributeType::Int.into(), i: 1, ..Default::default() };
        let node = NodeProto {
            op_type: CONVOLUTION.into(),
            domain: DOMAIN.into(),
            input: vec!["x".into()],
            output: vec!["y".into()],
            attribute: vec![layer],
            ..Default::default()
        };
        let graph = GraphProto {
            name: "wrong".into(),
            node: vec![node],
            input: vec![end("x")],
            output: vec![end("y")],
            ..Default::default()
        };
        let opset_import = [("", 17), (DOMAIN, 1)];
        let opset_import =
            opset_import.map(|(domain, version)| OperatorSetIdProto { domain: domain.into(), version }).into();
        ModelProto { ir_version: 8, graph: Some(graph), opset_import, ..Default::default() }.encode_to_vec()
    }

    #[test]
    fn what_goes_wrong_in_a_kernel_is_an_error_of_the_session() {
        let wrongs: [(Wrong, &str); 4] = [
            (Wrong(|_| panic!("the kernel panicked")), "the kernel panicked"),
            (Wrong(|threads| threads.each(9, &|task| panic!("task {task} panicked"))), "panicked"),
            (Wrong(|threads| threads.each(9, &|_| Err(KernelError::Memory { bytes: 123 }))), "123 bytes"),
            (Wrong(|_| Err(KernelError::Memory { bytes: 456 })), "456 bytes"),
        ];
        for (wrong, said) in wrongs {
            let layers = Layers {
                machine: Machine::Portable,
                threads: 2,
                convolutions: vec![Box::new(wrong)],
                norms: Vec::new(),
                points: Vec::new(),
                scratch: Scratch::default(),
            };
            let options = Options { device: Device::Cpu, threads: Some(2), ..Options::default() };
            let rewritten = || Some((model(), domain(layers).expect("names that are free")));
            let session = models_runtime::Session::with_operators(&model(), None, options, rewritten);
            let mut session = session.expect("a model that ONNX Runtime takes");
            for _ in 0..2 {
                let error = session.run(&[0.0; 16], [1, 1, 4, 4]).expect_err(said);
                assert!(error.to_string().contains(said), "{error} without {said}");
            }
        }
    }
}
