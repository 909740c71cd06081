//! All chunks of a dataset, asked of HDF5.
//!
//! `H5Dchunk_iter` walks the index once. Where HDF5 does not have it (before 1.12.3, and 1.13), `H5Dget_chunk_info` by a chunk's
//! index is all there is, and walks it anew for each: quadratic, so only for datasets of a few chunks.
//!
//! One kind of index is walked wrongly by every HDF5 so far (1.10 to 2.2): the extensible array, where the axis that has no limit is
//! not the first. It is stored with that axis as the slowest, and listed as if it were not, so that chunks are reported in places
//! of others. Such a list is refused.

#![allow(unsafe_code)]

use std::ffi::{c_int, c_uint, c_void};

use super::{ChunkMap, StoredChunk, number_of};
use crate::api::Hid;
use crate::library::{DEFAULT, Library, h5_optional};
use crate::object::{self, Id};
use crate::{Error, Result};
use darkchunk_hdf5_abi::constants::{H5D_CHUNK_IDX_EARRAY, H5S_MAX_RANK, HADDR_UNDEF};

/// Chunks that are asked for one by one: half the square of it are some milliseconds.
const MAX_ONE_BY_ONE: u64 = 2048;

/// More chunks are not kept: 1.6 GB of this program's memory. A dataset without an index (fixed in shape, written early, no
/// filters) may claim any number of them.
const MAX_CHUNKS: usize = 1 << 26;

/// What has been found so far.
struct Found<'a> {
    dims: &'a [u64],
    chunk: &'a [u64],
    map: ChunkMap,
    /// Why the map is of no use.
    refused: Option<String>,
}

/// The chunks of a dataset of this shape.
pub(crate) fn list(dataset: &Id, space: &Id, dims: &[u64], chunk: &[u64]) -> Result<ChunkMap> {
    let grid: Vec<u64> = dims.iter().zip(chunk).map(|(dim, chunk)| dim.div_ceil(*chunk)).collect();
    if is_listed_wrongly(dataset, space)? {
        return Err(Error::Unsupported(
            "HDF5 lists the chunks of an extensible array wrongly where the axis that has no limit is not the first"
                .into(),
        ));
    }
    let map = ChunkMap { grid, chunks: Vec::new() };
    let mut found = Found { dims, chunk, map, refused: None };
    if has_iter(dataset.library())? {
        iterate(dataset, &mut found)?;
    } else {
        one_by_one(dataset, space, &mut found)?;
    }
    found.finish()
}

fn is_listed_wrongly(dataset: &Id, space: &Id) -> Result<bool> {
    let most = object::extent(space)?.1;
    let unlimited: Vec<usize> = (0..most.len()).filter(|axis| most[*axis].is_none()).collect();
    let is_other = matches!(unlimited[..], [axis] if axis > 0);
    if !is_other {
        return Ok(false);
    }
    let mut index = 0;
    h5_optional!(dataset.library(), H5Dget_chunk_index_type(dataset.get(), &raw mut index))?;
    Ok(index == H5D_CHUNK_IDX_EARRAY)
}

/// Before 1.12.3, and in 1.13, the function has other arguments or gives other offsets.
fn has_iter(library: &Library) -> Result<bool> {
    let version = library.version()?;
    let is_sound = version >= (1, 14, 0) || ((1, 12, 3)..(1, 13, 0)).contains(&version);
    Ok(is_sound && library.functions().H5Dchunk_iter.is_some())
}

fn iterate(dataset: &Id, found: &mut Found<'_>) -> Result<()> {
    let library = dataset.library();
    h5_optional!(library, H5Dchunk_iter(dataset.get(), DEFAULT, Some(visit), std::ptr::from_mut(found).cast()))
        .map(drop)
}

/// Takes one chunk; `H5Dchunk_iter` calls it.
unsafe extern "C" fn visit(offset: *const u64, mask: c_uint, address: u64, n_bytes: u64, found: *mut c_void) -> c_int {
    // SAFETY: `iterate` handed in its `Found`, and nothing else uses it meanwhile.
    let found = unsafe { &mut *found.cast::<Found<'_>>() };
    // SAFETY: HDF5 hands in as many numbers as the dataset has axes.
    let offset = unsafe { std::slice::from_raw_parts(offset, found.dims.len()) };
    c_int::from(!found.take(offset, StoredChunk { address, n_bytes, mask }))
}

fn one_by_one(dataset: &Id, space: &Id, found: &mut Found<'_>) -> Result<()> {
    let (library, dataset, space): (&Library, Hid, Hid) = (dataset.library(), dataset.get(), space.get());
    let mut n_chunks = 0;
    h5_optional!(library, H5Dget_num_chunks(dataset, space, &raw mut n_chunks))?;
    if n_chunks > MAX_ONE_BY_ONE {
        let (major, minor, release) = library.version()?;
        return Err(Error::Unsupported(format!(
            "HDF5 {major}.{minor}.{release} cannot list {n_chunks} chunks in one pass, as 1.14 can"
        )));
    }
    for index in 0..n_chunks {
        let (mut offset, mut mask, mut address, mut n_bytes) = ([0; H5S_MAX_RANK], 0, HADDR_UNDEF, 0);
        let (at, mask_out, address_out) = (offset.as_mut_ptr(), &raw mut mask, &raw mut address);
        h5_optional!(library, H5Dget_chunk_info(dataset, space, index, at, mask_out, address_out, &raw mut n_bytes))?;
        if !found.take(&offset[..found.dims.len()], StoredChunk { address, n_bytes, mask }) {
            break;
        }
    }
    Ok(())
}

impl Found<'_> {
    /// Takes a chunk; false where no more are wanted.
    fn take(&mut self, offset: &[u64], chunk: StoredChunk) -> bool {
        // What is outside of the extent is not part of the dataset.
        if chunk.address == HADDR_UNDEF || offset.iter().zip(self.dims).any(|(offset, dim)| offset >= dim) {
            return true;
        }
        match self.number(offset) {
            Some(number) if self.map.chunks.len() < MAX_CHUNKS && self.map.chunks.try_reserve(1).is_ok() => {
                self.map.chunks.push((number, chunk));
                return true;
            }
            Some(_) => self.refused = Some("it has more chunks than can be listed".to_owned()),
            None => self.refused = Some(format!("its index has a chunk at {offset:?}, where none can be")),
        }
        false
    }

    fn number(&self, offset: &[u64]) -> Option<u64> {
        let mut place = [0; H5S_MAX_RANK];
        let place = place.get_mut(..offset.len())?;
        for ((place, offset), chunk) in place.iter_mut().zip(offset).zip(self.chunk) {
            if offset % chunk != 0 {
                return None;
            }
            *place = offset / chunk;
        }
        number_of(&self.map.grid, place)
    }

    fn finish(mut self) -> Result<ChunkMap> {
        if let Some(why) = self.refused {
            return Err(Error::Unsupported(why));
        }
        let chunks = &mut self.map.chunks;
        if !chunks.is_sorted_by_key(|(number, _)| *number) {
            chunks.sort_unstable_by_key(|(number, _)| *number);
        }
        if chunks.windows(2).any(|two| two[0].0 == two[1].0) {
            return Err(Error::Unsupported("its index has a chunk twice".to_owned()));
        }
        Ok(self.map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(offsets: &[[u64; 2]]) -> Result<ChunkMap> {
        let map = ChunkMap { grid: vec![3, 2], chunks: Vec::new() };
        let mut found = Found { dims: &[5, 8], chunk: &[2, 4], map, refused: None };
        for (address, offset) in (1000..).zip(offsets) {
            if !found.take(offset, StoredChunk { address, n_bytes: 7, mask: 0 }) {
                break;
            }
        }
        found.finish()
    }

    #[test]
    fn chunks_are_found_by_their_place_in_whatever_order_they_come() {
        let map = found(&[[4, 4], [0, 0], [2, 4]]).expect("a sound index");
        let address = |place| map.get(place).map(|chunk| chunk.address);
        assert_eq!((address(&[2, 1]), address(&[0, 0]), address(&[1, 1])), (Some(1000), Some(1001), Some(1002)));
        assert_eq!(
            (address(&[1, 0]), address(&[3, 0]), address(&[0, 2])),
            (None, None, None),
            "not stored, or outside"
        );
        assert_eq!((map.len(), map.stored_bytes()), (3, 21));
        let places: Vec<_> = map.iter().map(|(place, _)| place).collect();
        assert_eq!(places, [vec![0, 0], vec![1, 1], vec![2, 1]]);
    }

    #[test]
    fn rows_know_how_many_chunks_they_have_and_whether_one_has_moved() {
        let (map, all) =
            (found(&[[4, 4], [0, 0], [2, 4]]).expect("sound"), [[0, 0], [0, 4], [2, 0], [2, 4], [4, 0], [4, 4]]);
        let counts = |axis| map.rows(axis).into_iter().map(|(place, row)| (place, row.n_chunks)).collect::<Vec<_>>();
        assert_eq!((counts(0), counts(1)), (vec![(0, 1), (1, 1), (2, 1)], vec![(0, 1), (1, 2)]));
        let (before, mut moved) = (found(&all).expect("sound"), found(&all).expect("sound"));
        moved.chunks[3].1.address += 1;
        let (before, moved) = (before.rows(0), moved.rows(0));
        assert!(before[&0] == moved[&0] && before[&1] != moved[&1] && before[&2] == moved[&2]);
    }

    #[test]
    fn an_index_that_contradicts_itself_is_refused() {
        for (offsets, why) in [([[0, 0], [0, 0]], "twice"), ([[0, 0], [0, 3]], "where none can be")] {
            let error = found(&offsets).expect_err(why);
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn what_is_outside_of_the_extent_is_left_out() {
        let map = found(&[[0, 0], [6, 0], [0, 8], [u64::MAX - 1, 0]]).expect("a sound index");
        assert_eq!(map.len(), 1);
    }

    #[test]
    fn a_grid_of_more_chunks_than_there_are_numbers_is_refused_where_one_is_stored() {
        let map = ChunkMap { grid: vec![1 << 62, 1 << 62], chunks: Vec::new() };
        let mut found = Found { dims: &[1 << 62, 1 << 62], chunk: &[1, 1], map, refused: None };
        assert!(found.take(&[3, 0], StoredChunk { address: 0, n_bytes: 1, mask: 0 }));
        assert!(!found.take(&[1 << 61, 0], StoredChunk { address: 0, n_bytes: 1, mask: 0 }));
        assert!(found.finish().is_err());
    }
}
