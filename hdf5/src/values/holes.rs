//! Datasets of strings, sequences or references that are not stored everywhere, and have a fill value. Of what was never stored HDF5 gives
//! the fill value only where it may write to the file, into whose heap it puts it first. So what is stored is read, and the rest is filled
//! here.

#![allow(unsafe_code)]

use std::ops::Range;

use super::{Memory, Objects, Value, Walk};
use crate::Result;
use crate::chunk_map::{self, Storage};
use crate::library::{DEFAULT, h5, h5_optional};
use crate::object::{self, Id};
use crate::virtual_dataset::Blocks;
use darkchunk::salvage::buffer;

impl Objects {
    /// Elements of these places of the first axis; `None` for a dataset of another kind.
    pub(super) fn rows_with_holes(&self, dataset: &Id, kind: &Id, rows: &Range<u64>) -> Result<Option<Vec<Value>>> {
        let library = &self.library;
        let properties = Id::new(library, h5!(library, H5Dget_create_plist(dataset.get()))?);
        let space = Id::new(library, h5!(library, H5Dget_space(dataset.get()))?);
        let dims = object::extent(&space)?.0;
        let Storage::Chunked { chunk, .. } = chunk_map::storage(&properties, dims.len())? else { return Ok(None) };
        if !chunk_map::has_fill(&properties)? {
            return Ok(None);
        }
        let mut shape = dims.clone();
        shape[0] = rows.end - rows.start;
        let n_values = shape.iter().fold(1_u64, |n, dim| n.saturating_mul(*dim));
        let n_values = usize::try_from(n_values).unwrap_or(usize::MAX);
        // Refuses what there is no memory for.
        drop(buffer(n_values.saturating_mul(size_of::<Value>()))?);
        let mut values = vec![self.fill(dataset, kind, &properties)?; n_values];
        for (place, _) in chunk_map::list(dataset, &space, &dims, &chunk)?.iter() {
            let Some((mut start, count)) = part(&place, &chunk, &dims, rows) else { continue };
            let selected = Blocks::one(&start, &count).select(library, &dims)?;
            let space = object::dataspace(library, &count, false)?;
            let mut memory = Memory::new(kind, &space)?;
            let data = memory.words.as_mut_ptr().cast();
            h5!(library, H5Dread(dataset.get(), kind.get(), space.get(), selected.get(), DEFAULT, data))?;
            start[0] -= rows.start;
            for (index, value) in (0..).zip(self.values(dataset, &memory)?) {
                values[number(&shape, &start, &count, index) as usize] = value;
            }
        }
        Ok(Some(values))
    }

    /// The fill value. What it refers to may be that of `properties`, and is not given back.
    fn fill(&self, dataset: &Id, kind: &Id, properties: &Id) -> Result<Value> {
        let library = &self.library;
        let n_bytes = h5!(library, H5Tget_size(kind.get()))?;
        let mut words = vec![0_u64; n_bytes.div_ceil(8)];
        h5_optional!(library, H5Pget_fill_value(properties.get(), kind.get(), words.as_mut_ptr().cast()))?;
        let walk = Walk { objects: self, object: dataset };
        // SAFETY: HDF5 has filled in one element of this type, and `properties` has what it refers to.
        let mut values = unsafe { walk.elements(kind.get(), n_bytes, 1, words.as_ptr().cast(), 0) }?;
        Ok(values.remove(0))
    }
}

/// Start and extent of what a chunk has of some places of the first axis.
fn part(place: &[u64], chunk: &[u64], dims: &[u64], rows: &Range<u64>) -> Option<(Vec<u64>, Vec<u64>)> {
    let mut start: Vec<u64> = place.iter().zip(chunk).map(|(place, chunk)| place * chunk).collect();
    let mut end: Vec<u64> =
        start.iter().zip(chunk).zip(dims).map(|((start, chunk), dim)| (start + chunk).min(*dim)).collect();
    (start[0], end[0]) = (start[0].max(rows.start), end[0].min(rows.end));
    let count = start.iter().zip(&end).map(|(start, end)| end.saturating_sub(*start)).collect::<Vec<_>>();
    count.iter().all(|n| *n > 0).then_some((start, count))
}

/// The number in all places of element `index` of a part of them.
fn number(dims: &[u64], start: &[u64], count: &[u64], mut index: u64) -> u64 {
    let (mut number, mut stride) = (0, 1);
    for axis in (0..dims.len()).rev() {
        number += (start[axis] + index % count[axis]) * stride;
        index /= count[axis];
        stride *= dims[axis];
    }
    number
}
