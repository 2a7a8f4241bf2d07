//! From views of storages to weights.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use models::Weight;

use crate::allowance::Allowance;
use crate::container::Container;
use crate::error::shown;
use crate::pickle::{Pickle, Storage, Tensor};
use crate::{ArchiveError, Element};

/// As many dimensions as PyTorch allows.
pub(crate) const MOST_DIMENSIONS: usize = 64;

/// Of a 64-bit float without a 32-bit one.
pub(crate) const TOO_LARGE: &str = "holds a number that is too large for a 32-bit float";

/// How many numbers a shape has.
///
/// # Errors
/// If that many cannot be, also where a side of 0 hides it.
pub(crate) fn numbers(shape: &[usize]) -> Result<usize, String> {
    let most = usize::MAX / 16; // so that no later product with the size of a number overflows
    let of_sides = shape.iter().try_fold(1_usize, |product, &side| product.checked_mul(side.max(1)));
    match of_sides.filter(|&product| product <= most && shape.len() <= MOST_DIMENSIONS) {
        Some(_) if shape.contains(&0) => Ok(0),
        Some(product) => Ok(product),
        None => Err("has a shape that no memory holds".into()),
    }
}

/// Tensors that were stored as other numbers, and as which.
pub(crate) type Converted = Vec<(String, Element)>;

/// The tensors as they are read.
pub(crate) struct Tensors<'a> {
    pickle: &'a Pickle,
    container: &'a mut Container,
    allowance: &'a mut Allowance,
    /// Storages that were read, with their kind: several tensors may be views of one.
    storages: HashMap<&'a str, (Element, Bytes)>,
    weights: Vec<Weight>,
    converted: Converted,
}

impl<'a> Tensors<'a> {
    pub(crate) fn new(pickle: &'a Pickle, container: &'a mut Container, allowance: &'a mut Allowance) -> Self {
        let (storages, weights, converted) = (HashMap::new(), Vec::new(), Vec::new());
        Self { pickle, container, allowance, storages, weights, converted }
    }

    /// The kind of a tensor's numbers, if it is known here.
    pub(crate) fn element(&self, tensor: Tensor) -> Option<Element> {
        let class = self.pickle.storage(tensor).class;
        let is_torch = self.pickle.is_below(class, "torch");
        Element::of_storage(self.pickle.name(class)).filter(|_| is_torch)
    }

    /// Reads a tensor.
    pub(crate) fn read(&mut self, name: String, tensor: Tensor) -> Result<(), ArchiveError> {
        let view = self.view(&name, tensor)?;
        // Also where the bytes are the file's: what many tensors share, a later copy of them does not.
        self.allowance.take((view.count * size_of::<f32>()) as u64)?;
        let bytes = match (view.contiguous(), view.element) {
            (Some(bytes), Element::F32) => bytes,
            (Some(bytes), element) => {
                let converted = element.convert(&bytes, 0..view.count);
                converted.ok_or_else(|| of_tensor(&name, TOO_LARGE))?
            }
            (None, element) => {
                let converted = element.convert(&view.storage, Places::of(&view));
                converted.ok_or_else(|| of_tensor(&name, TOO_LARGE))?
            }
        };
        if view.element != Element::F32 {
            self.allowance.take(name.len() as u64)?;
            self.allowance.push(&mut self.converted, (name.clone(), view.element))?;
        }
        self.allowance.push(&mut self.weights, Weight { name, shape: view.shape, bytes })
    }

    /// Reads a tensor of bytes as text.
    pub(crate) fn text(&mut self, name: &str, tensor: Tensor) -> Result<String, ArchiveError> {
        let view = self.view(name, tensor)?;
        let bytes = view.contiguous().ok_or_else(|| of_tensor(name, "is no plain list of bytes"))?;
        self.allowance.take(bytes.len() as u64)?;
        String::from_utf8(bytes.into()).map_err(|_| of_tensor(name, "is no text in UTF-8"))
    }

    /// All that was read, and what was converted. Two of one name are refused.
    pub(crate) fn finish(self) -> Result<(Vec<Weight>, Converted), ArchiveError> {
        let Self { weights, converted, allowance, .. } = self;
        allowance.take(32 * weights.len() as u64)?;
        let mut names = HashSet::with_capacity(weights.len());
        if let Some(weight) = weights.iter().find(|weight| !names.insert(weight.name.as_str())) {
            return Err(of_tensor(&weight.name, "is there twice"));
        }
        Ok((weights, converted))
    }

    fn view(&mut self, name: &str, tensor: Tensor) -> Result<View, ArchiveError> {
        let element = self.element(tensor).ok_or_else(|| {
            let class = shown(&self.pickle.global(self.pickle.storage(tensor).class));
            of_tensor(name, format!("holds numbers of the kind {class}, which is not read here"))
        })?;
        let (shape, strides) = self.pickle.layout(tensor);
        let count = numbers(&shape).map_err(|why| of_tensor(name, why))?;
        let storage = self.pickle.storage(tensor);
        let last = shape.iter().zip(&strides).try_fold(tensor.offset, |place, (&side, &stride)| {
            let steps = (side as u64).saturating_sub(1);
            place.checked_add(steps.checked_mul(stride as u64)?)
        });
        let beyond = if count == 0 { Some(tensor.offset) } else { last.and_then(|last| last.checked_add(1)) };
        if beyond.is_none_or(|beyond| beyond > storage.count) {
            let why = format!("is {shape:?} and needs more numbers than the {} that its storage has", storage.count);
            return Err(of_tensor(name, why));
        }
        // It lies in the storage, and so in the range of usize.
        let offset = tensor.offset as usize;
        Ok(View { element, storage: self.storage(element, storage)?, count, offset, shape, strides })
    }

    fn storage(&mut self, element: Element, storage: Storage) -> Result<Bytes, ArchiveError> {
        let key = self.pickle.text(storage.key);
        let bytes = storage.count.saturating_mul(element.size() as u64);
        match self.storages.get(key) {
            Some((_, read)) if read.len() as u64 == bytes => return Ok(read.clone()),
            Some((_, read)) => {
                let why = format!("has {} bytes, and data.pkl also says {bytes}", read.len());
                return Err(ArchiveError::Entry { entry: format!("data/{}", shown(key)), why });
            }
            None => {}
        }
        let read = self.container.storage(key, bytes, self.allowance)?;
        self.storages.insert(key, (element, read.clone()));
        Ok(read)
    }
}

fn of_tensor(name: &str, why: impl Into<String>) -> ArchiveError {
    ArchiveError::Tensor { name: shown(name), why: why.into() }
}

/// A tensor over the bytes of its storage, in which all of it lies.
struct View {
    element: Element,
    storage: Bytes,
    count: usize,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

impl View {
    /// Its bytes, if they lie row by row without gaps.
    fn contiguous(&self) -> Option<Bytes> {
        let mut expected = 1;
        for (&side, &stride) in self.shape.iter().zip(&self.strides).rev() {
            // Nobody steps along a side of one.
            if self.count > 0 && side != 1 && stride != expected {
                return None;
            }
            expected *= side.max(1);
        }
        let size = self.element.size();
        Some(self.storage.slice(self.offset * size..(self.offset + self.count) * size))
    }
}

/// The places of a view's numbers in its storage, row by row.
struct Places<'a> {
    view: &'a View,
    index: Vec<usize>,
    place: usize,
    left: usize,
}

impl<'a> Places<'a> {
    fn of(view: &'a View) -> Self {
        Self { view, index: vec![0; view.shape.len()], place: view.offset, left: view.count }
    }
}

impl Iterator for Places<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let place = self.place;
        for axis in (0..self.index.len()).rev() {
            let (side, stride) = (self.view.shape[axis], self.view.strides[axis]);
            self.index[axis] += 1;
            if self.index[axis] < side {
                self.place += stride;
                break;
            }
            self.index[axis] = 0;
            self.place -= (side - 1) * stride;
        }
        Some(place)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Places<'_> {}
