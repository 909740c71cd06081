//! What of inputs that grow is complete, and whether what was read of it is still what the file has.
//!
//! A writer may write a chunk anew until it has gone on to the next one: of a chunk of ten frames first three, then all. So places are
//! complete when all chunks are stored that have them, and those before, and one after them.

use std::collections::BTreeMap;
use std::ops::Range;

use darkchunk_hdf5::chunk_map::Row;

use super::input::Input;
use super::plan::Plan;
use crate::{Error, Result};

/// The chunks of all inputs.
#[derive(Debug)]
pub(super) struct Growth(Vec<Chunks>);

/// The chunks of an input, by their place along the first slicing axis.
#[derive(Debug, Default)]
struct Chunks {
    /// How many places a chunk has along it; `None` for an input that has not this axis.
    height: Option<u64>,
    /// How many chunks are side by side.
    n_beside: u64,
    rows: BTreeMap<u64, Row>,
}

impl Growth {
    /// That of some inputs, of each of which one axis may be the first slicing axis.
    ///
    /// # Errors
    /// [`Error::Argument`] where it is not known which chunks of such an input are stored.
    pub(super) fn of(inputs: &[Input], axes: &[Option<usize>]) -> Result<Self> {
        inputs.iter().zip(axes).map(|(input, axis)| Chunks::of(input, *axis)).collect::<Result<_>>().map(Self)
    }

    /// Places along the first slicing axis that all inputs have, and that are complete.
    pub(super) fn n_complete(&self) -> u64 {
        self.0.iter().filter_map(Chunks::n_complete).min().unwrap_or(0)
    }

    /// Chunks that are stored.
    pub(super) fn n_chunks(&self) -> u64 {
        self.0.iter().flat_map(|chunks| chunks.rows.values()).map(|row| row.n_chunks).sum()
    }

    /// A number that is another one where chunks have changed of which slices are made.
    pub(super) fn state(&self, plan: &Plan, slices: Range<u64>) -> u64 {
        let dims = plan.slicing().dims();
        let each = dims[1..].iter().product::<u64>().max(1);
        let of = |(chunks, geometry): (&Chunks, &super::input::Geometry)| {
            let (before, after) = if dims.len() == 1 { geometry.padding } else { (0, 0) };
            let end = slices.end.div_ceil(each).saturating_add(after);
            chunks.state((slices.start / each).saturating_sub(before)..end)
        };
        let states = self.0.iter().zip(&plan.geometries).map(of);
        states.fold(0, |all, state| all.rotate_left(1) ^ state)
    }
}

impl Chunks {
    fn of(input: &Input, axis: Option<usize>) -> Result<Self> {
        let Some(axis) = axis else {
            return Ok(Self { rows: input.reader.map().map(|map| map.rows(0)).unwrap_or_default(), ..Self::default() });
        };
        let none = || {
            let name = &input.name;
            Error::Argument(format!(
                "{name} cannot be followed: it is not stored in chunks of this file, by which it is known how much is complete"
            ))
        };
        let height = input.reader.chunk().ok_or_else(none)?[axis];
        // One that cannot be listed at this moment has nothing that is complete.
        let Some(map) = input.reader.map() else { return Ok(Self { height: Some(height), ..Self::default() }) };
        let n_beside = map.grid().iter().enumerate().filter(|(at, _)| *at != axis);
        let n_beside = n_beside.fold(1_u64, |all, (_, n)| all.saturating_mul(*n));
        Ok(Self { height: Some(height), n_beside, rows: map.rows(axis) })
    }

    fn n_complete(&self) -> Option<u64> {
        let height = self.height?;
        let is_full = |(index, (place, row)): &(u64, (&u64, &Row))| index == *place && row.n_chunks == self.n_beside;
        let n_full = (0..).zip(&self.rows).take_while(is_full).count() as u64;
        let is_last = self.rows.range(n_full..).next().is_none();
        Some(n_full.saturating_sub(u64::from(is_last)).saturating_mul(height))
    }

    fn state(&self, places: Range<u64>) -> u64 {
        let range = match self.height {
            Some(height) => places.start / height..places.end.div_ceil(height),
            None => 0..u64::MAX,
        };
        self.rows.range(range).fold(0, |all, (_, row)| all.rotate_left(1) ^ row.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(rows: &[(u64, u64)]) -> Chunks {
        let rows = rows.iter().map(|(place, n_chunks)| (*place, Row { n_chunks: *n_chunks, state: 7 + place }));
        Chunks { height: Some(10), n_beside: 2, rows: rows.collect() }
    }

    #[test]
    fn places_are_complete_when_all_of_their_chunks_and_one_after_them_are_stored() {
        for (rows, n) in [
            (&[][..], 0),
            (&[(0, 1)], 0),
            (&[(0, 2)], 0),
            (&[(0, 2), (1, 1)], 10),
            (&[(0, 2), (1, 2)], 10),
            (&[(0, 2), (1, 2), (2, 1)], 20),
            (&[(0, 2), (2, 2)], 10),
            (&[(0, 1), (1, 2), (2, 2)], 0),
            (&[(1, 2), (2, 2)], 0),
        ] {
            assert_eq!(chunks(rows).n_complete(), Some(n), "{rows:?}");
        }
    }

    #[test]
    fn the_state_of_places_is_that_of_the_chunks_that_have_them() {
        let (before, mut after) = (chunks(&[(0, 2), (1, 2), (2, 2)]), chunks(&[(0, 2), (1, 2), (2, 2)]));
        after.rows.insert(1, Row { n_chunks: 2, state: 99 });
        assert_eq!(before.state(0..10), after.state(0..10));
        assert_eq!(before.state(20..30), after.state(20..30));
        for places in [0..11, 10..11, 19..20, 0..30] {
            assert_ne!(before.state(places.clone()), after.state(places));
        }
    }
}
