//! The caller's memory: elements with any distance between them along each axis.

#![allow(unsafe_code)]

use crate::{Error, Result};

/// Where a selection goes.
#[derive(Debug, Clone)]
pub(super) struct Target {
    at: *mut u8,
    /// Bytes from an element to the next along each axis.
    strides: Vec<isize>,
    element_bytes: usize,
}

// SAFETY: the maker of a `Target` promised that its memory may be written from any thread; no two blocks share an element.
unsafe impl Send for Target {}
// SAFETY: as above: methods write only the elements that the caller names.
unsafe impl Sync for Target {}

/// A box of elements of the selection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Region<'a> {
    /// Which element of the selection it begins with, along each axis.
    pub(super) first: &'a [u64],
    /// How many it has.
    pub(super) count: &'a [u64],
}

/// Where the elements of a region are in a buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) bytes: &'a [u8],
    /// The byte of the first element.
    pub(super) first: usize,
    /// Bytes from one to the next along each axis.
    pub(super) strides: &'a [usize],
}

/// A loop over an axis that is left when runs of bytes are joined: how often, and the distances in source and destination.
type Loop = (usize, usize, isize);

impl Target {
    /// Memory at `at` for `count` elements along each axis, with `strides` (none: without gaps, last axis fastest).
    ///
    /// # Errors
    /// [`Error::Argument`] where elements would overlap, or are more than memory has.
    ///
    /// # Safety
    /// All these elements may be written, from any thread, as long as the value or a copy of it is used to write.
    pub(super) unsafe fn new(
        at: *mut u8,
        count: &[u64],
        strides: Option<&[i64]>,
        element_bytes: usize,
    ) -> Result<Self> {
        let too_large = || Error::Argument("the selection is larger than memory can be".into());
        let strides: Vec<isize> = match strides {
            Some(strides) if strides.len() != count.len() => {
                return Err(Error::Argument(format!("{} strides for {} axes", strides.len(), count.len())));
            }
            Some(strides) => {
                strides.iter().map(|stride| isize::try_from(*stride).map_err(|_| too_large())).collect::<Result<_>>()
            }
            None => dense(count, element_bytes)
                .ok_or_else(too_large)
                .map(|strides| strides.into_iter().map(|stride| stride as isize).collect()),
        }?;
        check(count, &strides, element_bytes)?;
        Ok(Self { at, strides, element_bytes })
    }

    /// The memory from element `first` on, for other axes: each is one of these, or has one element.
    pub(super) fn part(&self, first: &[u64], axes: &[Option<usize>]) -> Self {
        let stride = |axis: &Option<usize>| axis.map_or(self.element_bytes as isize, |axis| self.strides[axis]);
        Self { at: self.place(first), strides: axes.iter().map(stride).collect(), element_bytes: self.element_bytes }
    }

    /// The place of an element of the selection.
    fn place(&self, first: &[u64]) -> *mut u8 {
        let offset = first.iter().zip(&self.strides).map(|(at, stride)| *at as isize * stride).sum::<isize>();
        // An address only; `check` has seen that it does not overflow.
        self.at.wrapping_offset(offset)
    }

    /// The bytes of a region, if they are in one piece and in order.
    ///
    /// # Safety
    /// Nobody else uses the region while the slice lives.
    pub(super) unsafe fn piece(&mut self, region: Region<'_>) -> Option<&mut [u8]> {
        let mut n_bytes = self.element_bytes;
        for (count, stride) in region.count.iter().zip(&self.strides).rev() {
            if *count != 1 && *stride != n_bytes as isize {
                return None;
            }
            n_bytes *= *count as usize;
        }
        // SAFETY: the elements are in one piece, within what the maker promised, and the caller's alone.
        Some(unsafe { std::slice::from_raw_parts_mut(self.place(region.first), n_bytes) })
    }

    /// Copies a region out of a buffer.
    ///
    /// # Safety
    /// Nobody else uses the region meanwhile.
    pub(super) unsafe fn copy(&self, region: Region<'_>, source: Source<'_>) {
        if region.count.contains(&0) {
            return;
        }
        let (run, loops) = self.loops(region.count, source.strides);
        let last: usize = region.count.iter().zip(source.strides).map(|(n, stride)| (*n as usize - 1) * stride).sum();
        // So every element is inside.
        let bytes = &source.bytes[source.first..source.first + last + self.element_bytes];
        let to = self.place(region.first);
        match run {
            // SAFETY: the loops end within the region, whose elements are the caller's alone; the source is another buffer.
            1 => unsafe { copy_each::<1>(bytes, to, &loops) },
            // SAFETY: as above.
            2 => unsafe { copy_each::<2>(bytes, to, &loops) },
            // SAFETY: as above.
            4 => unsafe { copy_each::<4>(bytes, to, &loops) },
            // SAFETY: as above.
            8 => unsafe { copy_each::<8>(bytes, to, &loops) },
            _ => for_each(&loops, |from, offset| {
                let (run, to) = (&bytes[from..from + run], to.wrapping_offset(offset));
                // SAFETY: as above; `run` bytes of the region are in one piece.
                unsafe { std::ptr::copy_nonoverlapping(run.as_ptr(), to, run.len()) };
            }),
        }
    }

    /// Makes all elements of a region `value`.
    ///
    /// # Safety
    /// Nobody else uses the region meanwhile.
    pub(super) unsafe fn fill(&self, region: Region<'_>, value: &[u8]) {
        if region.count.contains(&0) {
            return;
        }
        let same = value.first().filter(|first| value.iter().all(|byte| byte == *first));
        let none = vec![0; region.count.len()];
        // With source strides of 0 nothing is joined; where all bytes are alike, runs of the destination are.
        let (run, loops) = match same {
            Some(_) => self.loops(region.count, &dense(region.count, self.element_bytes).unwrap_or_default()),
            None => self.loops(region.count, &none),
        };
        for_each(&loops, |_, to| {
            let to = self.place(region.first).wrapping_offset(to);
            match same {
                // SAFETY: `run` bytes of the region, in one piece, which are the caller's alone.
                Some(byte) => unsafe { to.write_bytes(*byte, run) },
                // SAFETY: an element of the region; `value` has its size.
                None => unsafe { std::ptr::copy_nonoverlapping(value.as_ptr(), to, value.len()) },
            }
        });
    }

    /// Bytes that are in one piece on both sides, and the loops around them, the fastest last.
    fn loops(&self, count: &[u64], source: &[usize]) -> (usize, Vec<Loop>) {
        let (mut run, mut loops) = (self.element_bytes, Vec::new());
        for ((count, from), to) in count.iter().zip(source).zip(&self.strides).rev() {
            if *count == 1 {
                continue;
            }
            if loops.is_empty() && *from == run && *to == run as isize {
                run *= *count as usize;
            } else {
                loops.push((*count as usize, *from, *to));
            }
        }
        loops.reverse();
        (run, loops)
    }
}

/// Copies pieces of `N` bytes: a number of them that the compiler knows takes no call.
///
/// # Safety
/// At each distance of `loops` from `to` there are `N` bytes to be written, which nobody else uses.
unsafe fn copy_each<const N: usize>(bytes: &[u8], to: *mut u8, loops: &[Loop]) {
    for_each(loops, |from, offset| {
        let piece = bytes[from..].first_chunk::<N>().expect("`copy` gives all bytes that the loops reach");
        // SAFETY: the caller's promise; an array of bytes has no alignment.
        unsafe { to.wrapping_offset(offset).cast::<[u8; N]>().write(*piece) };
    });
}

/// Runs `body` with the distances of each turn of nested loops.
#[inline]
fn for_each(loops: &[Loop], mut body: impl FnMut(usize, isize)) {
    let Some((&(n, from, to), outer)) = loops.split_last() else { return body(0, 0) };
    let mut at = vec![0; outer.len()];
    loop {
        let (mut base_from, mut base_to) = (0, 0);
        for (at, (_, from, to)) in at.iter().zip(outer) {
            base_from += at * from;
            base_to += *at as isize * to;
        }
        for k in 0..n {
            body(base_from + k * from, base_to + k as isize * to);
        }
        let Some(axis) = (0..outer.len()).rev().find(|axis| at[*axis] + 1 < outer[*axis].0) else { return };
        at[axis] += 1;
        at[axis + 1..].fill(0);
    }
}

/// Strides of elements without gaps, the last axis fastest.
pub(super) fn dense(count: &[u64], element_bytes: usize) -> Option<Vec<usize>> {
    let (mut strides, mut n_bytes) = (vec![0; count.len()], element_bytes);
    for (stride, count) in strides.iter_mut().zip(count).rev() {
        *stride = n_bytes;
        n_bytes = n_bytes.checked_mul(usize::try_from(*count).ok()?)?;
    }
    isize::try_from(n_bytes).ok().map(|_| strides)
}

/// Refuses elements that overlap: seen from the axis with the smallest stride on, each must step over all before it.
fn check(count: &[u64], strides: &[isize], element_bytes: usize) -> Result<()> {
    if count.contains(&0) {
        return Ok(());
    }
    let mut axes: Vec<(usize, u64)> =
        strides.iter().zip(count).filter(|(_, count)| **count > 1).map(|(s, n)| (s.unsigned_abs(), *n)).collect();
    axes.sort_unstable();
    let mut extent = element_bytes;
    for (stride, count) in axes {
        if stride < extent {
            return Err(Error::Argument(format!("with the strides {strides:?} elements would overlap")));
        }
        let steps = usize::try_from(count - 1).ok().and_then(|n| n.checked_mul(stride));
        let whole = steps.and_then(|n_bytes| n_bytes.checked_add(extent)).filter(|n| isize::try_from(*n).is_ok());
        extent = whole.ok_or_else(|| Error::Argument("the selection is larger than memory can be".into()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(memory: &mut [u8], at: usize, count: &[u64], strides: &[i64]) -> Target {
        // SAFETY: the tests' strides stay in `memory`, which the tests use in between only.
        unsafe { Target::new(memory[at..].as_mut_ptr(), count, Some(strides), 2) }.expect("no overlap")
    }

    #[test]
    fn a_copy_writes_every_element_in_its_place_and_nothing_else() {
        let bytes: Vec<u8> = (1..=24).collect();
        for (at, strides) in [(0, [8, 2]), (0, [12, 3]), (6, [8, -2]), (24, [-12, 3]), (0, [2, 6]), (0, [40, 2])] {
            let mut memory = vec![0; 130];
            let target = target(&mut memory, at, &[3, 4], &strides);
            let region = Region { first: &[0, 0], count: &[3, 4] };
            // SAFETY: nobody else uses the memory.
            unsafe { target.copy(region, Source { bytes: &bytes, first: 0, strides: &[8, 2] }) };
            let mut expected = vec![0; 130];
            for (i, j) in (0..3).flat_map(|i| (0..4).map(move |j| (i, j))) {
                let to = (at as i64 + i * strides[0] + j * strides[1]) as usize;
                let from = (i * 8 + j * 2) as usize;
                expected[to..to + 2].copy_from_slice(&bytes[from..from + 2]);
            }
            assert_eq!(memory, expected, "{strides:?}");
        }
    }

    #[test]
    fn a_fill_writes_the_value_into_the_region_and_nothing_else() {
        for (value, strides) in [([7, 7], [8, 2]), ([7, 9], [8, 2]), ([7, 7], [9, 2]), ([1, 2], [2, 6])] {
            let mut memory = vec![0; 40];
            let target = target(&mut memory, 0, &[3, 4], &strides);
            // SAFETY: nobody else uses the memory.
            unsafe { target.fill(Region { first: &[1, 1], count: &[2, 3] }, &value) };
            let mut expected = vec![0; 40];
            for (i, j) in (1..3).flat_map(|i| (1..4).map(move |j| (i, j))) {
                let to = (i * strides[0] + j * strides[1]) as usize;
                expected[to..to + 2].copy_from_slice(&value);
            }
            assert_eq!(memory, expected, "{value:?} {strides:?}");
        }
    }

    #[test]
    fn a_piece_is_found_where_elements_follow_each_other() {
        let mut memory = vec![0; 64];
        let mut target = target(&mut memory, 0, &[3, 4], &[8, 2]);
        let mut n_bytes = |first: [u64; 2], count: [u64; 2]| {
            // SAFETY: nobody else uses the memory.
            unsafe { target.piece(Region { first: &first, count: &count }) }.map(|piece| piece.len())
        };
        assert_eq!(n_bytes([0, 0], [3, 4]), Some(24));
        assert_eq!(n_bytes([1, 1], [1, 3]), Some(6));
        assert_eq!(n_bytes([0, 0], [2, 3]), None);
    }

    #[test]
    fn strides_by_which_elements_overlap_are_refused() {
        let mut memory = [0; 8];
        let mut new = |count: &[u64], strides: &[i64]| {
            // SAFETY: nothing is written.
            unsafe { Target::new(memory.as_mut_ptr(), count, Some(strides), 2) }
        };
        for (count, strides) in [([3, 4], [0, 2]), ([3, 4], [6, 2]), ([3, 4], [8, 1]), ([3, 2], [-2, 4])] {
            assert!(new(&count, &strides).is_err(), "{strides:?}");
        }
        for (count, strides) in [([3, 1], [2, 0]), ([0, 4], [0, 0]), ([3, 4], [2, 6]), ([1, 1], [0, 0])] {
            assert!(new(&count, &strides).is_ok(), "{strides:?}");
        }
        assert!(new(&[u64::MAX, 2], &[2, i64::MAX]).is_err());
        assert!(new(&[3], &[2, 6]).is_err());
    }
}
