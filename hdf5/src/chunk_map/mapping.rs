//! What a virtual dataset has of a source: a box of it; here it may be in pieces, boxes of one size at regular distances along one axis, as the
//! frames of files that take turns are.

use std::ops::Range;

use super::sources::unsupported;
use crate::Result;
use crate::library::{Library, h5_optional};
use crate::object::{self, Id};
use darkchunk_hdf5_abi::constants::{H5S_SEL_ALL, H5S_SEL_HYPERSLABS};

/// Pairs of mappings that are compared: some milliseconds.
const MAX_COMPARED: usize = 1 << 22;

/// One or several boxes of a virtual dataset that are one box of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// Which of the sources.
    pub source: usize,
    /// Where the first box begins in the virtual dataset.
    pub start: Vec<u64>,
    /// The elements of a box along each axis.
    pub count: Vec<u64>,
    steps: Option<Steps>,
    /// Where it begins in the source, and its elements along each axis of that; `None` for all of the source.
    source_box: Option<(Vec<u64>, Vec<u64>)>,
}

/// Boxes at regular distances along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Steps {
    axis: usize,
    n: u64,
    /// From the begin of one to that of the next: more than a box has.
    stride: u64,
}

/// What a mapping is in its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePart {
    /// Where it begins in the source.
    start: Vec<u64>,
    /// For each axis of the source along which it has more than one element, the axis of the virtual dataset that it is.
    axes: Vec<Option<usize>>,
    /// The axis of the source along which the boxes of a mapping with steps follow each other.
    along: Option<usize>,
}

/// A box of a virtual dataset that is a box of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedBox {
    /// Where it begins in the virtual dataset.
    pub start: Vec<u64>,
    /// Its elements along each axis.
    pub count: Vec<u64>,
    /// Where it begins in the source.
    pub source_start: Vec<u64>,
    /// For each axis of the source along which it has more than one element, the axis of the virtual dataset that it is.
    pub axes: Vec<Option<usize>>,
}

impl Mapping {
    pub(super) fn n_boxes(&self) -> u64 {
        self.steps.map_or(1, |steps| steps.n)
    }

    /// What is selected of a virtual dataset of this extent, and of the source.
    pub(super) fn read(source: usize, (here, dims): (&Id, &[u64]), there: &Id) -> Result<Self> {
        let all = || Selected { start: vec![0; dims.len()], count: dims.to_vec(), steps: None };
        let Selected { start, count, steps } = selected(here)?.unwrap_or_else(all);
        let source_box = match selected(there)? {
            Some(Selected { steps: Some(_), .. }) => return Err(unsupported("a source is taken in steps")),
            found => found.map(|found| (found.start, found.count)),
        };
        let mapping = Self { source, start, count, steps, source_box };
        let is_inside = |(axis, dim): (usize, &u64)| mapping.checked_end(axis).is_some_and(|end| end <= *dim);
        if mapping.start.len() != dims.len() || !dims.iter().enumerate().all(is_inside) {
            return Err(unsupported("a part of it is outside of it"));
        }
        Ok(mapping)
    }

    /// What it is in its source, which has this extent.
    ///
    /// # Errors
    /// [`Error::Unsupported`](crate::Error::Unsupported) where it has no such box, or one of another shape.
    pub fn part(&self, dims: &[u64]) -> Result<SourcePart> {
        let (start, count) = self.source_box.clone().unwrap_or_else(|| (vec![0; dims.len()], dims.to_vec()));
        if !is_inside(&start, &count, dims) {
            return Err(unsupported("it is smaller than what is taken of it"));
        }
        // The boxes as if there was nothing between them.
        let mut dense = self.count.clone();
        self.steps.iter().for_each(|steps| dense[steps.axis] = dense[steps.axis].saturating_mul(steps.n));
        let axes = axes(&dense, &count).ok_or_else(|| unsupported("a part of it has another shape there"))?;
        let along = self.steps.and_then(|steps| axes.iter().position(|axis| *axis == Some(steps.axis)));
        Ok(SourcePart { start, axes, along })
    }

    /// Its boxes, of which `part` says what they are in the source; where there are several, those that have something of what is `wanted`
    /// along their axis.
    pub fn boxes<'a>(
        &'a self,
        part: &'a SourcePart,
        wanted: impl Fn(usize) -> Range<u64>,
    ) -> impl Iterator<Item = MappedBox> + 'a {
        let numbers = self.steps.map_or(0..1, |steps| self.numbers(steps, wanted(steps.axis)));
        numbers.map(move |number| {
            let (mut start, mut source_start) = (self.start.clone(), part.start.clone());
            if let (Some(steps), Some(along)) = (self.steps, part.along) {
                start[steps.axis] += number * steps.stride;
                source_start[along] += number * self.count[steps.axis];
            }
            MappedBox { start, count: self.count.clone(), source_start, axes: part.axes.clone() }
        })
    }

    /// Which boxes have something of this range of their axis.
    fn numbers(&self, Steps { axis, n, stride }: Steps, range: Range<u64>) -> Range<u64> {
        let (start, count) = (self.start[axis], self.count[axis]);
        let first = range.start.saturating_sub(start + count - 1).div_ceil(stride);
        first..range.end.saturating_sub(start).div_ceil(stride).min(n)
    }

    /// Where the last box ends along an axis.
    fn checked_end(&self, axis: usize) -> Option<u64> {
        let steps = self.steps.filter(|steps| steps.axis == axis);
        let last = steps.map_or(Some(0), |steps| steps.n.checked_sub(1)?.checked_mul(steps.stride));
        self.start[axis].checked_add(last?)?.checked_add(self.count[axis])
    }

    /// The same, of a mapping that is inside of its dataset.
    fn end(&self, axis: usize) -> u64 {
        self.checked_end(axis).unwrap_or(u64::MAX)
    }

    /// Whether they have, or may have, an element in common.
    fn meets(&self, other: &Self) -> bool {
        let span = |of: &Self, axis| of.start[axis]..of.end(axis);
        if (0..self.start.len()).any(|axis| !do_meet(&span(self, axis), &span(other, axis))) {
            return false;
        }
        let has =
            |of: &Self, with: &Self| of.steps.is_none_or(|steps| !of.numbers(steps, span(with, steps.axis)).is_empty());
        match (self.steps, other.steps) {
            (Some(one), Some(two)) if one.axis == two.axis => {
                let (axis, stride) = (one.axis, one.stride);
                let (first, second) = if self.start[axis] <= other.start[axis] { (self, other) } else { (other, self) };
                let after = (second.start[axis] - first.start[axis]) % stride;
                one.stride != two.stride || after < first.count[axis] || after + second.count[axis] > stride
            }
            _ => has(self, other) && has(other, self),
        }
    }
}

fn do_meet(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}

fn is_inside(start: &[u64], count: &[u64], dims: &[u64]) -> bool {
    let is_inside = |((start, count), dim): ((&u64, &u64), &u64)| start.checked_add(*count).is_some_and(|n| n <= *dim);
    start.len() == dims.len() && start.iter().zip(count).zip(dims).all(is_inside)
}

/// What is selected of a dataspace.
struct Selected {
    start: Vec<u64>,
    count: Vec<u64>,
    steps: Option<Steps>,
}

/// The boxes that are selected; `None` for all, whose extent HDF5 does not store.
fn selected(space: &Id) -> Result<Option<Selected>> {
    let library = space.library();
    match h5_optional!(library, H5Sget_select_type(space.get()))? {
        H5S_SEL_ALL => Ok(None),
        H5S_SEL_HYPERSLABS if h5_optional!(library, H5Sis_regular_hyperslab(space.get()))? > 0 => {
            regular(library, space, object::extent(space)?.0.len()).map(Some)
        }
        _ => Err(unsupported("a part of it is no box")),
    }
}

fn regular(library: &Library, space: &Id, rank: usize) -> Result<Selected> {
    let (mut start, mut stride, mut count, mut block) = (vec![0; rank], vec![0; rank], vec![0; rank], vec![0; rank]);
    let (at, strides, counts, blocks) =
        (start.as_mut_ptr(), stride.as_mut_ptr(), count.as_mut_ptr(), block.as_mut_ptr());
    h5_optional!(library, H5Sget_regular_hyperslab(space.get(), at, strides, counts, blocks))?;
    let mut steps = None;
    for axis in 0..rank {
        let (n, stride, size) = (count[axis], stride[axis], block[axis]);
        count[axis] = match (n, size) {
            (u64::MAX, _) | (_, u64::MAX) => return Err(unsupported("a part of it grows")),
            (1, size) => size,
            (n, size) if stride == size => n.checked_mul(size).ok_or_else(|| unsupported("a part of it has no end"))?,
            (n, size) if stride > size && size > 0 && n > 0 && steps.is_none() => {
                steps = Some(Steps { axis, n, stride });
                size
            }
            _ => return Err(unsupported("a part of it has steps along several axes")),
        };
    }
    Ok(Selected { start, count, steps })
}

/// Which axes of two boxes are the same, if all with more than one element are.
fn axes(count: &[u64], source_count: &[u64]) -> Option<Vec<Option<usize>>> {
    let mut here = count.iter().enumerate().filter(|(_, n)| **n != 1);
    let mut axes = Vec::new();
    for n in source_count {
        axes.push(match n {
            1 => None,
            n => Some(here.next().filter(|(_, found)| *found == n)?.0),
        });
    }
    here.next().is_none().then_some(axes)
}

/// Refuses mappings that have elements in common: which of them counts is HDF5's matter.
pub(super) fn refuse_overlaps(mappings: &mut Vec<Mapping>) -> Result<()> {
    mappings.retain(|mapping| !mapping.count.contains(&0));
    let Some(rank) = mappings.first().map(|mapping| mapping.start.len()) else { return Ok(()) };
    // Along the axis with most beginnings few have to be compared.
    let beginnings = |axis: usize| {
        let mut starts: Vec<u64> = mappings.iter().map(|mapping| mapping.start[axis]).collect();
        starts.sort_unstable();
        starts.dedup();
        starts.len()
    };
    let Some(axis) = (0..rank).max_by_key(|axis| beginnings(*axis)) else {
        return if mappings.len() > 1 { Err(unsupported("its parts overlap")) } else { Ok(()) };
    };
    mappings.sort_by_key(|mapping| mapping.start[axis]);
    let mut n_compared = 0;
    for (index, one) in mappings.iter().enumerate() {
        for other in mappings[index + 1..].iter().take_while(|other| other.start[axis] < one.end(axis)) {
            n_compared += 1;
            if n_compared > MAX_COMPARED {
                return Err(unsupported("it is made of too many parts to see whether they overlap"));
            }
            if one.meets(other) {
                return Err(unsupported("its parts overlap"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(start: [u64; 2], count: [u64; 2]) -> Mapping {
        Mapping { source: 0, start: start.to_vec(), count: count.to_vec(), steps: None, source_box: None }
    }

    /// `n` boxes of 2 x 3 along an axis.
    fn stepped(start: [u64; 2], axis: usize, n: u64, stride: u64) -> Mapping {
        Mapping { steps: Some(Steps { axis, n, stride }), ..mapping(start, [2, 3]) }
    }

    #[test]
    fn parts_that_have_an_element_in_common_are_refused_and_others_are_not() {
        let apart = [([0, 0], [2, 3]), ([2, 0], [2, 3]), ([0, 3], [4, 1]), ([1, 9], [0, 5]), ([4, 0], [1, 4])];
        let mut mappings: Vec<Mapping> = apart.into_iter().map(|(start, count)| mapping(start, count)).collect();
        assert_eq!(refuse_overlaps(&mut mappings), Ok(()));
        assert_eq!(mappings.len(), 4, "one is empty");
        for (start, count) in apart.into_iter().filter(|(_, count)| !count.contains(&0)) {
            let mut more = mappings.clone();
            more.push(mapping([start[0] + count[0] - 1, start[1] + count[1] - 1], [7, 7]));
            assert!(refuse_overlaps(&mut more).is_err(), "{start:?} {count:?}");
        }
    }

    /// The elements of all boxes of a mapping.
    fn elements(of: &Mapping) -> Vec<[u64; 2]> {
        let (n, axis, stride) = of.steps.map_or((1, 0, 0), |steps| (steps.n, steps.axis, steps.stride));
        let mut all = Vec::new();
        for number in 0..n {
            let mut start = [of.start[0], of.start[1]];
            start[axis] += number * stride;
            let rows = start[0]..start[0] + of.count[0];
            all.extend(rows.flat_map(|y| (start[1]..start[1] + of.count[1]).map(move |x| [y, x])));
        }
        all
    }

    #[test]
    fn parts_with_steps_meet_where_their_elements_do() {
        let steps = [(0, 4, 5), (0, 3, 5), (1, 3, 4), (1, 2, 7)];
        let mut all = vec![mapping([4, 2], [3, 4]), mapping([2, 0], [3, 9]), mapping([9, 9], [1, 1])];
        for (axis, n, stride) in steps {
            all.extend([[0, 0], [2, 0], [3, 1], [1, 3]].map(|start| stepped(start, axis, n, stride)));
        }
        let (mut n_apart, mut n_met) = (0, 0);
        for one in &all {
            for other in &all {
                let (ours, theirs) = (elements(one), elements(other));
                let do_share = ours.iter().any(|element| theirs.contains(element));
                let is_same = one
                    .steps
                    .zip(other.steps)
                    .is_none_or(|(one, other)| one.axis != other.axis || one.stride == other.stride);
                assert!(one.meets(other) || !do_share, "{one:?} {other:?}");
                if is_same {
                    assert_eq!(one.meets(other), do_share, "{one:?} {other:?}");
                }
                n_apart += usize::from(!do_share);
                n_met += usize::from(do_share);
            }
        }
        assert!(n_apart > 20 && n_met > 20, "{n_apart}, {n_met}");
    }

    #[test]
    fn boxes_with_steps_follow_each_other_in_the_source_and_only_those_come_that_are_wanted() {
        let of = Mapping { source_box: Some((vec![7, 0], vec![8, 3])), ..stepped([1, 0], 0, 4, 5) };
        let part = of.part(&[15, 3]).expect("it is inside");
        let starts = |wanted: Range<u64>| -> Vec<(u64, u64)> {
            of.boxes(&part, |axis| [wanted.clone(), 0..0][axis].clone())
                .map(|one| (one.start[0], one.source_start[0]))
                .collect()
        };
        assert_eq!(starts(0..u64::MAX), [(1, 7), (6, 9), (11, 11), (16, 13)]);
        assert_eq!(starts(7..12), [(6, 9), (11, 11)]);
        assert_eq!((starts(3..6), starts(18..30)), (vec![], vec![]));
        assert!(of.part(&[14, 3]).is_err(), "the source is too short");
        let short = Mapping { source_box: Some((vec![7, 0], vec![7, 3])), ..of };
        assert!(short.part(&[15, 3]).is_err(), "another number of elements");
    }

    #[test]
    fn axes_of_one_element_may_be_left_out_and_put_in_and_others_not() {
        assert_eq!(axes(&[1, 5, 4], &[5, 1, 4]), Some(vec![Some(1), None, Some(2)]));
        assert_eq!(axes(&[5, 4], &[5, 4, 1]), Some(vec![Some(0), Some(1), None]));
        assert_eq!(axes(&[1, 1], &[1]), Some(vec![None]));
        for (here, there) in [(&[5, 4][..], &[4, 5][..]), (&[5, 4], &[20]), (&[20], &[5, 4]), (&[2, 1], &[1, 1])] {
            assert_eq!(axes(here, there), None, "{here:?} {there:?}");
        }
    }
}
