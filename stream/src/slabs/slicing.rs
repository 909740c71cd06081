//! Which axes are sliced, and what a slab has of them.
//!
//! A *slicing map* has one number for each axis of an input: 0 where a slice has all of the axis, k where it has one place of slicing
//! axis k. Axis 1 is the slowest. Slices are numbered in this order, so a run of numbers is a box along one of the axes.

use std::ops::Range;

use crate::{Error, Result};

/// Slicing axes: HDF5 has no dataset with more.
const MAX_AXES: u32 = 32;

/// The extents along the slicing axes, the slowest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slicing {
    dims: Vec<u64>,
    n_slices: u64,
    /// Whether the slowest axis may become longer.
    grows: bool,
}

/// A dataset that is sliced: its name for messages, its shape, its map.
pub(super) type Mapped<'a> = (&'a str, &'a [u64], &'a [u32]);

impl Slicing {
    /// That of several inputs.
    ///
    /// # Errors
    /// [`Error::Argument`] where a map does not fit its input, inputs differ along an axis, or nothing is sliced.
    pub(super) fn new(inputs: &[Mapped<'_>]) -> Result<Self> {
        let mut dims: Vec<Option<(u64, &str)>> = Vec::new();
        for (name, shape, map) in inputs {
            check_map(name, shape, map)?;
            for (dim, axis) in shape.iter().zip(*map).filter(|(_, axis)| **axis > 0) {
                let axis = *axis as usize;
                dims.resize(dims.len().max(axis), None);
                match dims[axis - 1] {
                    Some((other, first)) if other != *dim => {
                        return Err(Error::Argument(format!(
                            "slicing axis {axis} has {other} places in {first} and {dim} in {name}: axes with the same number \
                             must be equally long"
                        )));
                    }
                    _ => dims[axis - 1] = Some((*dim, name)),
                }
            }
        }
        Self::of(dims)
    }

    fn of(found: Vec<Option<(u64, &str)>>) -> Result<Self> {
        if found.is_empty() {
            return Err(Error::Argument("no input is sliced: one entry of a slicing_map must be 1".into()));
        }
        let mut dims = Vec::with_capacity(found.len());
        for (axis, dim) in found.into_iter().enumerate() {
            let none = || Error::Argument(format!("no slicing_map has axis {}: count from 1, without gaps", axis + 1));
            dims.push(dim.ok_or_else(none)?.0);
        }
        let n_slices = dims.iter().try_fold(1_u64, |n, dim| n.checked_mul(*dim)).filter(|n| i64::try_from(*n).is_ok());
        let n_slices =
            n_slices.ok_or_else(|| Error::Argument(format!("{dims:?} slices are more than can be counted")))?;
        Ok(Self { dims, n_slices, grows: false })
    }

    /// The extents, the slowest axis first.
    #[must_use]
    pub fn dims(&self) -> &[u64] {
        &self.dims
    }

    /// The same of inputs that grow along the slowest axis.
    pub(super) fn growing(self) -> Self {
        Self { grows: true, ..self }
    }

    /// How long the fastest axis will be at most.
    pub(super) fn last(&self) -> u64 {
        if self.grows && self.dims.len() == 1 { u64::MAX } else { self.dims.last().copied().unwrap_or(1) }
    }

    /// All slices.
    #[must_use]
    pub fn n_slices(&self) -> u64 {
        self.n_slices
    }

    /// The place of a slice along each slicing axis.
    #[must_use]
    pub fn place(&self, mut slice: u64) -> Vec<u64> {
        let mut place = vec![0; self.dims.len()];
        for (at, dim) in place.iter_mut().zip(&self.dims).rev() {
            *at = slice % dim;
            slice /= dim;
        }
        place
    }
}

fn check_map(name: &str, shape: &[u64], map: &[u32]) -> Result<()> {
    if map.len() != shape.len() {
        return Err(Error::Argument(format!("{name} has {} axes, its slicing_map {}", shape.len(), map.len())));
    }
    for (at, axis) in map.iter().enumerate() {
        if *axis > MAX_AXES {
            return Err(Error::Argument(format!("{name}: the slicing_map {map:?} has {axis}, which is no axis")));
        }
        if *axis > 0 && map[..at].contains(axis) {
            return Err(Error::Argument(format!("{name}: the slicing_map {map:?} has axis {axis} twice")));
        }
    }
    Ok(())
}

/// A slab: a box of slices whose numbers follow each other. Along axes before `axis` it has one place, along those after it all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    /// The first slice, and how many.
    pub(super) first: u64,
    pub(super) n: u64,
    /// Along each slicing axis.
    pub(super) start: Vec<u64>,
    pub(super) count: Vec<u64>,
}

/// Slices as slabs of `height` places along `axis`: all, or those of a range of the first axis.
#[derive(Debug, Clone)]
pub(super) struct Spans {
    slicing: Slicing,
    axis: usize,
    height: u64,
    within: Range<u64>,
}

impl Spans {
    pub(super) fn new(slicing: &Slicing, axis: usize, height: u64) -> Self {
        Self { slicing: slicing.clone(), axis, height: height.max(1), within: 0..slicing.dims[0] }
    }

    /// Those of a range of the first axis.
    pub(super) fn within(self, within: Range<u64>) -> Self {
        Self { within, ..self }
    }

    /// The range of the first axis.
    pub(super) fn range(&self) -> Range<u64> {
        self.within.clone()
    }

    /// Where places of the axis that is cut begin and end.
    fn along(&self) -> Range<u64> {
        if self.axis == 0 { self.range() } else { 0..self.slicing.dims[self.axis] }
    }

    /// Slabs along the axis.
    fn n_along(&self) -> u64 {
        let along = self.along();
        (along.end - along.start).div_ceil(self.height)
    }

    pub(super) fn len(&self) -> u64 {
        if self.slicing.n_slices == 0 {
            return 0;
        }
        let inner: u64 = self.slicing.dims[..self.axis].iter().skip(1).product();
        let outer = if self.axis == 0 { 1 } else { self.within.end - self.within.start };
        outer * inner * self.n_along()
    }

    pub(super) fn get(&self, number: u64) -> Span {
        let dims = &self.slicing.dims;
        let (mut outer, along) = (number / self.n_along(), number % self.n_along());
        let (mut start, mut count) = (vec![0; dims.len()], dims.clone());
        let range = self.along();
        start[self.axis] = range.start + along * self.height;
        count[self.axis] = self.height.min(range.end - start[self.axis]);
        for axis in (1..self.axis).rev() {
            (start[axis], count[axis]) = (outer % dims[axis], 1);
            outer /= dims[axis];
        }
        if self.axis > 0 {
            (start[0], count[0]) = (self.within.start + outer, 1);
        }
        let first = start.iter().zip(dims).fold(0, |n, (at, dim)| n * dim + at);
        Span { first, n: count.iter().product(), start, count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(inputs: &[Mapped<'_>], words: &str) {
        let error = Slicing::new(inputs).expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn maps_that_mean_nothing_are_refused_by_name() {
        refused(&[], "no input is sliced");
        refused(&[("a", &[3, 4], &[0, 0])], "no input is sliced");
        refused(&[("a", &[3, 4], &[1])], "a has 2 axes");
        refused(&[("a", &[3, 4], &[1, 1])], "axis 1 twice");
        refused(&[("a", &[3, 4], &[0, 2])], "no slicing_map has axis 1");
        refused(&[("a", &[3, 4], &[0, 33])], "which is no axis");
        refused(&[("a", &[3, 4], &[0, 1]), ("b", &[5], &[1])], "4 places in a and 5 in b");
        refused(&[("a", &[1 << 40, 1 << 40], &[1, 2])], "more than can be counted");
    }

    #[test]
    fn slabs_have_each_slice_once_in_ascending_order() {
        let slicing = Slicing::new(&[("a", &[3, 9, 5, 4], &[2, 0, 1, 3])]).expect("good");
        assert_eq!(slicing.dims(), [5, 3, 4]);
        for (axis, height) in [(0, 1), (0, 2), (0, 5), (1, 1), (1, 2), (2, 3), (2, 4)] {
            let spans = Spans::new(&slicing, axis, height);
            let mut next = 0;
            for number in 0..spans.len() {
                let span = spans.get(number);
                assert_eq!(span.first, next, "{axis} {height}");
                assert_eq!(slicing.place(span.first), span.start);
                next += span.n;
            }
            assert_eq!(next, slicing.n_slices());
            for within in [0..0, 0..2, 2..5, 3..4] {
                let part = spans.clone().within(within.clone());
                let found: Vec<Span> = (0..part.len()).map(|number| part.get(number)).collect();
                let mut next = within.start * 12;
                for span in found {
                    assert_eq!(
                        (span.first, slicing.place(span.first)),
                        (next, span.start),
                        "{axis} {height} {within:?}"
                    );
                    next += span.n;
                }
                assert_eq!(next, within.end * 12, "{axis} {height} {within:?}");
            }
        }
    }
}
