//! The elements of two datasets of the same shape, in threads, in bounded memory.

use std::fmt;

use darkchunk_hdf5::inspect::DatasetInfo;
use darkchunk_hdf5::number::{self, NumberType, Scalar};
use darkchunk_hdf5::text::{self, Padding};
use darkchunk_hdf5::values::{Objects, Value};
use darkchunk_hdf5::{File, Library};

use super::Options;
use crate::convert::blocks::{Blocks, in_threads, two_buffers};
use crate::{Error, Reader, Result};

/// Blocks are made of whole chunks of both, unless that is more than this.
const MAX_BLOCK_BYTES: u64 = 64 << 20;

/// Small chunks are compared together up to this.
const MIN_BLOCK_BYTES: u64 = 1 << 20;

/// A block of each as it is read, and what decoding takes.
const BLOCKS_A_THREAD: u64 = 4;

/// Elements that refer to others and are compared at once.
const MAX_VALUES: u64 = 4096;

/// Bytes of an element that is no number, as they are shown.
const MAX_SHOWN: usize = 16;

/// What elements differ by.
#[derive(Debug, Clone, PartialEq)]
pub struct Elements {
    /// Elements.
    pub n_elements: u64,
    /// Those that are different.
    pub n_different: u64,
    /// Those that count as equal because of the threshold.
    pub n_within_threshold: u64,
    /// The first that is different: its place, and what it is in each.
    pub first: Vec<u64>,
    /// What it is in the first.
    pub a: String,
    /// What it is in the second.
    pub b: String,
    /// The largest difference of numbers.
    pub largest: Option<Largest>,
}

/// A difference of two numbers, without its sign.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Largest {
    /// Of integers.
    Integer(u128),
    /// With a real number.
    Real(f64),
}

impl Largest {
    fn of(a: Scalar, b: Scalar) -> Self {
        let real = |number| match number {
            Scalar::Integer(number) => number as f64,
            Scalar::Real(number) => number,
        };
        match (a, b) {
            (Scalar::Integer(a), Scalar::Integer(b)) => Self::Integer((a - b).unsigned_abs()),
            (a, b) => Self::Real((real(a) - real(b)).abs()),
        }
    }

    /// As a real number.
    #[must_use]
    pub fn value(self) -> f64 {
        match self {
            Self::Integer(number) => number as f64,
            Self::Real(number) => number,
        }
    }

    /// The larger; NaN counts for nothing.
    fn or(self, other: Option<Self>) -> Self {
        match other {
            Some(other) if other.value() > self.value() || self.value().is_nan() => other,
            _ => self,
        }
    }
}

impl fmt::Display for Largest {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(text),
            Self::Real(number) => number.fmt(text),
        }
    }
}

/// What was found so far: the first difference by the number of its element.
#[derive(Debug, Default)]
struct Found {
    n_elements: u64,
    n_different: u64,
    n_within: u64,
    first: Option<(u64, String, String)>,
    largest: Option<Largest>,
}

impl Found {
    fn add(&mut self, other: Self) {
        self.n_elements += other.n_elements;
        self.n_different += other.n_different;
        self.n_within += other.n_within;
        self.largest = other.largest.map(|largest| largest.or(self.largest)).or(self.largest);
        let is_earlier = |(at, ..): &(u64, String, String)| self.first.as_ref().is_none_or(|first| *at < first.0);
        if other.first.as_ref().is_some_and(is_earlier) {
            self.first = other.first;
        }
    }

    fn into_elements(self, dims: &[u64]) -> Elements {
        let Self { n_elements, n_different, n_within: n_within_threshold, first, largest } = self;
        let (mut number, a, b) = first.unwrap_or_default();
        let mut first = vec![0; dims.len()];
        for (at, dim) in first.iter_mut().zip(dims).rev() {
            *at = number % dim;
            number /= dim;
        }
        Elements { n_elements, n_different, n_within_threshold, first, a, b, largest }
    }
}

struct One {
    reader: Reader,
    kind: Kind,
}

/// What elements are compared as.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Number(NumberType),
    /// Strings of fixed length.
    Text(Padding),
    Bytes,
}

impl One {
    fn open(library: &Library, (file, path): (&File, &str)) -> Result<Self> {
        let options = crate::Options { n_threads: 1, ..crate::Options::default() };
        let reader = Reader::open_whole(library, file.id(), path, options)?;
        let kind = match (number::of_dataset(library, file.id(), path)?, text::of_dataset(library, file.id(), path)?) {
            (Some(number), _) => Kind::Number(number),
            (None, Some(padding)) => Kind::Text(padding),
            (None, None) => Kind::Bytes,
        };
        Ok(Self { reader, kind })
    }
}

/// Two datasets of the same shape.
pub(super) struct Pair {
    a: One,
    b: One,
    is_same_type: bool,
    threshold: Option<i128>,
}

impl Pair {
    pub(super) fn open(
        library: &Library,
        a: (&File, &str),
        b: (&File, &str),
        is_same_type: bool,
        threshold: Option<i128>,
    ) -> Result<Self> {
        let pair = Self { a: One::open(library, a)?, b: One::open(library, b)?, is_same_type, threshold };
        match (pair.a.kind, pair.b.kind) {
            (Kind::Number(_), Kind::Number(_)) | (Kind::Text(_), Kind::Text(_)) => Ok(pair),
            _ if is_same_type => Ok(pair),
            _ => Err(Error::Argument("elements of these types are not compared".into())),
        }
    }

    pub(super) fn compare(&self, options: Options, seen: &mut dyn FnMut(u64)) -> Result<Elements> {
        let dims = self.a.reader.dims();
        let sizes = [self.a.reader.element().n_bytes, self.b.reader.element().n_bytes];
        let shape = block_shape(dims, self.a.reader.chunk(), self.b.reader.chunk(), sizes[0].max(sizes[1]) as u64);
        let (blocks_a, blocks_b) = (Blocks::new(dims, &shape, sizes[0])?, Blocks::new(dims, &shape, sizes[1])?);
        let n_bytes = blocks_a.n_bytes().max(blocks_b.n_bytes());
        let most = options.memory / (n_bytes as u64).saturating_mul(BLOCKS_A_THREAD).max(1);
        let mut found = Found::default();
        in_threads(
            blocks_a.len(),
            (options.n_threads as u64).min(most).max(1) as usize,
            || two_buffers(n_bytes),
            |(a, b), number| {
                let block = blocks_a.get(number);
                let a = blocks_a.read(&self.a.reader, &block, a)?;
                let b = blocks_b.read(&self.b.reader, &block, b)?;
                let place = |index: u64| place(dims, &block.start, &block.count, index);
                Ok((a.len() as u64, self.block(a, b, &place)))
            },
            |_, (n_bytes, part)| {
                found.add(part);
                seen(n_bytes);
                Ok::<_, Error>(())
            },
        )?;
        Ok(found.into_elements(dims))
    }

    /// Compares a block; `place` gives the number in the dataset of an element of the block.
    fn block(&self, a: &[u8], b: &[u8], place: &dyn Fn(u64) -> u64) -> Found {
        let (size_a, size_b) = (self.a.reader.element().n_bytes, self.b.reader.element().n_bytes);
        let mut found = Found { n_elements: (a.len() / size_a) as u64, ..Found::default() };
        if self.is_same_type && a == b {
            return found;
        }
        for (index, (a, b)) in a.chunks_exact(size_a).zip(b.chunks_exact(size_b)).enumerate() {
            if self.is_same_type && a == b {
                continue;
            }
            match (self.a.kind, self.b.kind) {
                (Kind::Number(of_a), Kind::Number(of_b)) => {
                    let (a, b) = (of_a.value(a), of_b.value(b));
                    if !self.is_same_type && same_number(a, b) {
                        continue;
                    }
                    if is_within(a, b, self.threshold) {
                        found.n_within += 1;
                        continue;
                    }
                    found.largest = Some(Largest::of(a, b).or(found.largest));
                }
                (Kind::Text(of_a), Kind::Text(of_b)) if of_a.text(a) == of_b.text(b) => continue,
                _ => {}
            }
            found.n_different += 1;
            found.first.get_or_insert_with(|| (place(index as u64), shown(self.a.kind, a), shown(self.b.kind, b)));
        }
        found
    }
}

/// An element as it is shown.
fn shown(kind: Kind, bytes: &[u8]) -> String {
    match kind {
        Kind::Number(number) => number.value(bytes).to_string(),
        Kind::Text(padding) => Value::Text(padding.text(bytes).to_vec()).to_string(),
        Kind::Bytes => {
            let hex = bytes.iter().take(MAX_SHOWN).map(|byte| format!("{byte:02x}")).collect::<String>();
            format!("bytes {hex}{}", if bytes.len() > MAX_SHOWN { "…" } else { "" })
        }
    }
}

/// Whether numbers of other types are the same.
fn same_number(a: Scalar, b: Scalar) -> bool {
    match (a, b) {
        (Scalar::Integer(a), Scalar::Integer(b)) => a == b,
        (Scalar::Real(a), Scalar::Real(b)) => a == b || (a.is_nan() && b.is_nan()),
        (Scalar::Integer(integer), Scalar::Real(real)) | (Scalar::Real(real), Scalar::Integer(integer)) => {
            real.fract() == 0.0 && real.abs() < 1e30 && real as i128 == integer
        }
    }
}

/// Whether one is 0 and the other below the threshold.
fn is_within(a: Scalar, b: Scalar, threshold: Option<i128>) -> bool {
    match (a, b, threshold) {
        (Scalar::Integer(0), Scalar::Integer(other), Some(threshold))
        | (Scalar::Integer(other), Scalar::Integer(0), Some(threshold)) => other < threshold,
        _ => false,
    }
}

/// The number in the dataset of element `index` of a block.
fn place(dims: &[u64], start: &[u64], count: &[u64], mut index: u64) -> u64 {
    let (mut number, mut stride) = (0_u64, 1_u64);
    for axis in (0..dims.len()).rev() {
        number = number.wrapping_add((start[axis] + index % count[axis]).wrapping_mul(stride));
        index /= count[axis];
        stride = stride.wrapping_mul(dims[axis]);
    }
    number
}

/// What is compared at once: whole chunks of both where that is not too much.
fn block_shape(dims: &[u64], a: Option<&[u64]>, b: Option<&[u64]>, element_bytes: u64) -> Vec<u64> {
    let n_bytes = |shape: &[u64]| shape.iter().fold(element_bytes, |n, dim| n.saturating_mul(*dim));
    let within =
        |shape: Vec<u64>| shape.iter().zip(dims).map(|(size, dim)| (*size).min(*dim).max(1)).collect::<Vec<_>>();
    let mut shape = match (a, b) {
        (Some(a), Some(b)) => {
            let both = within(a.iter().zip(b).map(|(a, b)| *a.max(b)).collect());
            if n_bytes(&both) <= MAX_BLOCK_BYTES { both } else { within(a.to_vec()) }
        }
        (Some(chunk), None) | (None, Some(chunk)) => within(chunk.to_vec()),
        (None, None) => return crate::verify::piece(dims, element_bytes),
    };
    if let (Some(first), Some(rows)) = (dims.first(), shape.first().copied()) {
        let times = (MIN_BLOCK_BYTES / n_bytes(&shape).max(1)).max(1);
        shape[0] = rows.saturating_mul(times).min(*first).max(1);
    }
    shape
}

/// Compares elements that refer to other places of their files.
pub(super) fn referring(
    a: (&Objects, &str, &DatasetInfo),
    b: (&Objects, &str, &DatasetInfo),
    seen: &mut dyn FnMut(u64),
) -> Result<Elements> {
    let dims = a.2.dims.clone().unwrap_or_default();
    let n_rows = dims.first().copied().unwrap_or(1);
    let row = dims.iter().skip(1).fold(1_u64, |n, dim| n.saturating_mul(*dim));
    let step = (MAX_VALUES / row.max(1)).max(1);
    let n_steps = crate::convert::blocks::count(&[n_rows], &[step])?;
    let mut found = Found::default();
    for number in 0..n_steps {
        let (first, n) = (number * step, step.min(n_rows - number * step));
        let (of_a, of_b) = (a.0.rows(a.1, first, n)?, b.0.rows(b.1, first, n)?);
        for (index, (a, b)) in (first.saturating_mul(row)..).zip(of_a.iter().zip(&of_b)) {
            found.n_elements += 1;
            if !same(a, b) {
                found.n_different += 1;
                found.first.get_or_insert_with(|| (index, a.to_string(), b.to_string()));
            }
        }
        seen(n.saturating_mul(row).saturating_mul(a.2.element_bytes));
    }
    Ok(found.into_elements(&dims))
}

/// Whether two values are the same: NaN is as NaN.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => same_number(*a, *b),
        (Value::List(a), Value::List(b)) | (Value::Members(a), Value::Members(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_elements_number_is_that_in_the_dataset() {
        let (dims, start, count) = ([4, 5, 6], [2, 1, 3], [2, 3, 2]);
        let expected: Vec<u64> = (0..12).map(|i| (2 + i / 6) * 30 + (1 + i / 2 % 3) * 6 + 3 + i % 2).collect();
        assert_eq!((0..12).map(|index| place(&dims, &start, &count, index)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn numbers_are_the_same_in_every_type_and_the_threshold_explains_only_zeros() {
        let (integer, real) = (Scalar::Integer, Scalar::Real);
        assert!(same_number(integer(3), real(3.0)) && same_number(real(f64::NAN), real(f64::NAN)));
        assert!(!same_number(integer(3), real(3.5)) && !same_number(integer(1), real(f64::INFINITY)));
        assert!(is_within(integer(19), integer(0), Some(20)) && is_within(integer(0), integer(-5), Some(20)));
        assert!(!is_within(integer(20), integer(0), Some(20)) && !is_within(integer(19), integer(18), Some(20)));
        assert!(!is_within(integer(1), integer(0), None));
    }

    #[test]
    fn the_largest_difference_is_exact_and_nan_counts_for_nothing() {
        let large = Largest::of(Scalar::Integer(u64::MAX.into()), Scalar::Integer(0));
        assert_eq!(large.or(Some(Largest::Integer(5))).to_string(), u64::MAX.to_string());
        assert_eq!(Largest::Real(f64::NAN).or(Some(Largest::Real(1.0))), Largest::Real(1.0));
        assert_eq!(Largest::Real(2.0).or(Some(Largest::Real(f64::NAN))), Largest::Real(2.0));
    }

    #[test]
    fn blocks_are_whole_chunks_of_both_where_they_are_not_too_large() {
        assert_eq!(block_shape(&[900, 512, 512], Some(&[1, 512, 512]), Some(&[4, 512, 256]), 2), [4, 512, 512]);
        assert_eq!(block_shape(&[900, 8, 8], Some(&[1, 8, 8]), None, 2), [900, 8, 8]);
        assert_eq!(block_shape(&[3], Some(&[100]), Some(&[50]), 8), [3]);
    }
}
