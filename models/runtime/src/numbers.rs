//! What goes into a model and comes out of it.

/// Pictures as a model takes or gives them: one, or several one after the other.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    /// Of a model of floats, also of 16-bit ones, which are widened.
    Floats(Vec<f32>),
    /// Of a model of bytes.
    Bytes(Vec<u8>),
}

/// The same, borrowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NumbersRef<'a> {
    /// Floats.
    Floats(&'a [f32]),
    /// Bytes.
    Bytes(&'a [u8]),
}

impl Numbers {
    /// Borrows them.
    pub fn view(&self) -> NumbersRef<'_> {
        match self {
            Self::Floats(numbers) => NumbersRef::Floats(numbers),
            Self::Bytes(numbers) => NumbersRef::Bytes(numbers),
        }
    }

    /// Takes other numbers into the memory of these, as far as it suffices.
    pub fn replace(&mut self, by: NumbersRef<'_>) {
        match (&mut *self, by) {
            (Self::Floats(numbers), NumbersRef::Floats(by)) => {
                numbers.clear();
                numbers.extend_from_slice(by);
            }
            (Self::Bytes(numbers), NumbersRef::Bytes(by)) => {
                numbers.clear();
                numbers.extend_from_slice(by);
            }
            _ => *self = by.to_owned(),
        }
    }

    /// A batch out of its pictures; none where some are floats and some bytes.
    pub fn batch<'a>(pictures: impl IntoIterator<Item = NumbersRef<'a>>) -> Option<Self> {
        let mut pictures = pictures.into_iter();
        let mut batch = pictures.next()?.to_owned();
        for picture in pictures {
            match (&mut batch, picture) {
                (Self::Floats(batch), NumbersRef::Floats(picture)) => batch.extend_from_slice(picture),
                (Self::Bytes(batch), NumbersRef::Bytes(picture)) => batch.extend_from_slice(picture),
                _ => return None,
            }
        }
        Some(batch)
    }
}

impl<'a> NumbersRef<'a> {
    /// How many there are.
    pub fn len(self) -> usize {
        match self {
            Self::Floats(numbers) => numbers.len(),
            Self::Bytes(numbers) => numbers.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// A copy of its own.
    pub fn to_owned(self) -> Numbers {
        match self {
            Self::Floats(numbers) => Numbers::Floats(numbers.to_vec()),
            Self::Bytes(numbers) => Numbers::Bytes(numbers.to_vec()),
        }
    }

    /// The pictures of a batch, each as long as the others.
    ///
    /// # Panics
    /// If there are none.
    pub fn pictures(self, count: usize) -> impl Iterator<Item = NumbersRef<'a>> {
        let length = self.len() / count;
        (0..count).map(move |place| {
            let part = place * length..(place + 1) * length;
            match self {
                Self::Floats(numbers) => Self::Floats(&numbers[part]),
                Self::Bytes(numbers) => Self::Bytes(&numbers[part]),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_its_pictures_one_after_the_other() {
        let pictures = [&[1.0, 2.0][..], &[3.0, 4.0]].map(NumbersRef::Floats);
        let batch = Numbers::batch(pictures).expect("all floats");
        assert_eq!(batch, Numbers::Floats(vec![1.0, 2.0, 3.0, 4.0]));
        assert_eq!(batch.view().pictures(2).collect::<Vec<_>>(), pictures);
        assert_eq!(Numbers::batch([NumbersRef::Bytes(&[1]), NumbersRef::Floats(&[1.0])]), None);
        assert_eq!(Numbers::batch([]), None);
    }

    #[test]
    fn numbers_are_replaced_by_any_others() {
        let mut numbers = Numbers::Floats(vec![1.0; 4]);
        for by in [NumbersRef::Floats(&[2.0; 3]), NumbersRef::Bytes(&[3; 5]), NumbersRef::Bytes(&[4; 6])] {
            numbers.replace(by);
            assert_eq!(numbers.view(), by);
        }
    }
}
