//! Which way a dataset is read.

use std::sync::Arc;

use darkchunk_hdf5::chunk_map::{ChunkMap, Located, Source, Storage, StoredDataset};

use super::partial::Indices;
use super::plan::Virtual;
use super::selection::blocks;
use super::work::Known;
use super::{Options, Way};
use crate::filters::Chain;
use crate::{Error, Result};

/// Bytes that are read at once of a dataset in one piece.
const PIECE_BYTES: u64 = 1 << 20;

/// Bytes that are read at once through HDF5, in whole chunks.
const HDF5_BYTES: u64 = 8 << 20;

/// Larger elements are left to HDF5: a small file may claim that one has 2 GB.
const MAX_ELEMENT_BYTES: usize = 16 << 20;

/// What is known of a dataset, the way, and why it is not the direct one.
pub(super) fn examine(dataset: &StoredDataset, options: Options) -> Result<(Known, Way, String)> {
    if matches!(dataset.storage(), Storage::Virtual) && !options.only_hdf5 {
        return match virtual_known(dataset, options)? {
            Ok(known) => Ok((known, Way::Direct, String::new())),
            Err(reason) => {
                examine(dataset, Options { only_hdf5: true, ..options }).map(|(known, way, _)| (known, way, reason))
            }
        };
    }
    let filters = dataset.filters().iter().map(|filter| (filter.id, &filter.values[..]));
    let chain = Chain::new(filters).map_err(darkchunk_hdf5::Error::from)?;
    let map = dataset.map();
    let (way, reason, located) = match direct(dataset, &chain, &map, options)? {
        Ok(located) => (Way::Direct, String::new(), Some(located)),
        Err((way, reason)) => (way, reason, None),
    };
    Ok((Known { chain, map: map.ok(), located, ..plain(dataset, way) }, way, reason))
}

/// What is known of every dataset that is read in this way.
fn plain(dataset: &StoredDataset, way: Way) -> Known {
    let (dims, element_bytes) = (dataset.dims().to_vec(), dataset.element().n_bytes);
    let (is_chunked, edges_are_raw, unit) = match dataset.storage() {
        Storage::Chunked { chunk, edges_are_raw } => (true, *edges_are_raw, chunk.clone()),
        _ => (false, false, vec![1; dims.len()]),
    };
    let block = match way {
        Way::Hdf5 => blocks(&dims, &unit, element_bytes, HDF5_BYTES),
        _ if is_chunked => unit,
        _ => blocks(&dims, &unit, element_bytes, PIECE_BYTES),
    };
    let block_bytes = n_bytes(&block, element_bytes).unwrap_or(usize::MAX);
    // H5Dread fills in by itself.
    let fill_bytes = if way == Way::Hdf5 { 0 } else { element_bytes };
    let fill = dataset.fill().map_or_else(|| vec![0; fill_bytes], <[u8]>::to_vec);
    let (chain, map, located, sources, indices) = (Chain::default(), None, None, None, Indices::default());
    Known {
        dims,
        block,
        block_bytes,
        element_bytes,
        is_chunked,
        edges_are_raw,
        fill,
        chain,
        map,
        located,
        sources,
        indices,
    }
}

/// A virtual dataset all of whose sources are read directly; or why it is not one.
fn virtual_known(dataset: &StoredDataset, options: Options) -> Result<std::result::Result<Known, String>> {
    let refused = |why: String| Ok(Err(format!("it is a virtual dataset, and {why}")));
    if dataset.is_writable()? {
        return refused("this process has its file open for writing".into());
    }
    let found = match dataset.sources() {
        Ok(found) => found,
        Err(error) => return refused(error.to_string()),
    };
    let mut parts = Virtual::default();
    for source in &found.sources {
        match source_known(dataset, source, options)? {
            Ok(known) => parts.sources.push((source.to_string(), Arc::new(known))),
            Err(why) => return refused(format!("its source {source}: {why}")),
        }
    }
    for mapping in found.mappings {
        match mapping.part(&parts.sources[mapping.source].1.dims) {
            Ok(part) => parts.mappings.push((mapping, part)),
            Err(error) => return refused(format!("its source {}: {error}", found.sources[mapping.source])),
        }
    }
    Ok(Ok(Known { sources: Some(parts), ..plain(dataset, Way::Direct) }))
}

/// A source that is read directly; or why it is not. It is open in HDF5 only meanwhile.
fn source_known(
    dataset: &StoredDataset,
    source: &Source,
    options: Options,
) -> Result<std::result::Result<Known, String>> {
    let opened = match dataset.open_source(source) {
        Ok(opened) => opened,
        Err(error) => return Ok(Err(error.to_string())),
    };
    if matches!(opened.storage(), Storage::Virtual) {
        return Ok(Err("it is virtual, too".into()));
    }
    let (known, way, reason) = examine(&opened, options)?;
    Ok(if way == Way::Direct { Ok(known) } else { Err(reason) })
}

/// The file to be read directly; or the way that is left, and why.
fn direct(
    dataset: &StoredDataset,
    chain: &Chain,
    map: &darkchunk_hdf5::Result<ChunkMap>,
    options: Options,
) -> Result<std::result::Result<Located, (Way, String)>> {
    let by_hdf5 = |why: &str| Ok(Err((Way::Hdf5, why.to_owned())));
    if options.only_hdf5 {
        return by_hdf5("it is to be read with H5Dread");
    }
    if dataset.is_writable()? {
        return by_hdf5("this process has the file open for writing, so that not all of it need be in the file");
    }
    if dataset.element().n_bytes > MAX_ELEMENT_BYTES {
        return by_hdf5("its elements are larger than 16 MiB");
    }
    match dataset.storage() {
        Storage::Other(why) => return by_hdf5(why),
        Storage::Virtual => return by_hdf5("it is a virtual dataset"),
        Storage::Contiguous => {
            return Ok(dataset.locate(None).map_err(|error| (Way::Hdf5, error.to_string())));
        }
        Storage::Chunked { chunk, .. } => {
            if let Some(reason) = chain.unknown() {
                return by_hdf5(&reason.to_string());
            }
            if n_bytes(chunk, dataset.element().n_bytes).is_none() {
                return by_hdf5("its chunks are larger than memory can be");
            }
        }
    }
    let located = match map {
        Ok(map) => dataset.locate(Some(map)),
        Err(error) => Err(error.clone()),
    };
    Ok(located.map_err(|error| (other_way(&error, dataset, map), error.to_string())))
}

/// The way that is left for chunks that cannot be located.
fn other_way(error: &darkchunk_hdf5::Error, dataset: &StoredDataset, map: &darkchunk_hdf5::Result<ChunkMap>) -> Way {
    match error {
        // A damaged index, where HDF5 says so when it reads; or chunks that cannot be fetched as they are stored.
        darkchunk_hdf5::Error::Hdf5 { .. } | darkchunk_hdf5::Error::MissingFunction { .. } => Way::Hdf5,
        // Without filters nothing is won by chunks, and HDF5 1.x goes through its index for each.
        _ if dataset.filters().is_empty() && sizes_are_right(dataset, map) => Way::Hdf5,
        _ => Way::Chunks,
    }
}

/// Whether no chunk of a dataset without filters is known to be stored in another size than a chunk has. HDF5 1.x would read
/// beyond a shorter one; as a chunk that is fetched it is an error.
fn sizes_are_right(dataset: &StoredDataset, map: &darkchunk_hdf5::Result<ChunkMap>) -> bool {
    let (Storage::Chunked { chunk, .. }, Ok(map)) = (dataset.storage(), map) else { return true };
    let chunk_bytes = n_bytes(chunk, dataset.element().n_bytes).map(|n| n as u64);
    map.iter().all(|(_, stored)| Some(stored.n_bytes) == chunk_bytes)
}

fn n_bytes(dims: &[u64], element_bytes: usize) -> Option<usize> {
    let n_bytes = dims.iter().try_fold(element_bytes, |n, dim| n.checked_mul(usize::try_from(*dim).ok()?))?;
    isize::try_from(n_bytes).ok().map(|_| n_bytes)
}

impl From<darkchunk::Error> for Error {
    fn from(error: darkchunk::Error) -> Self {
        Self::Hdf5(error.into())
    }
}
