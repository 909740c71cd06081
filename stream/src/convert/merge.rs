//! What is in other files made a part of the new one: virtual datasets and external data.
//!
//! A virtual dataset has the chunks of its sources, as they are stored, where each is a chunk of the new dataset: boxes that begin and
//! end where chunks do, of sources with the same filters. Else it is read, as HDF5 reads it, and encoded.

use darkchunk::chunk::Compression;
use darkchunk_hdf5::chunk_map::{MappedBox, Sources, Storage, StoredDataset};
use darkchunk_hdf5::copy::{NewDataset, NewStorage};
use darkchunk_hdf5::inspect::{self, DatasetInfo, FilterInfo};
use darkchunk_hdf5::{File, Library, OpenDataset};

use super::blocks::Blocks;
use super::keep::Kept;
use super::plan::{self, Rules, is_missing};
use super::spec::{Loss, Spec};
use crate::Result;

/// Whether a dataset's data are in other files or datasets.
pub(super) fn is_elsewhere(info: &DatasetInfo) -> bool {
    info.dims.is_some() && info.chunk.is_none() && !info.is_in_one_piece
}

type Planned = ((NewStorage, Loss), bool);

/// How such a dataset is stored in the new file, and whether by the chunks of its sources. `info` has the filters, chunks and stored
/// bytes of these then.
pub(super) fn storage(
    library: &Library,
    file: &File,
    path: &str,
    info: &mut DatasetInfo,
    spec: &Spec,
    rules: &Rules,
) -> std::result::Result<Planned, String> {
    if info.refers {
        return Err(
            "its elements are in other files and refer to other places of these (strings or sequences of variable \
                    length, references): they cannot be merged"
                .to_owned(),
        );
    }
    let text = |error: darkchunk_hdf5::Error| error.to_string();
    let stored = StoredDataset::open_path(library, file.id(), path).map_err(text)?;
    if let Some(missing) = stored.missing_source().map_err(text)? {
        return Err(format!("{missing} is not there, of which it is made: nothing can take its place"));
    }
    let parts = Parts::of(&stored).ok();
    if let Some(parts) = &parts {
        parts.describe(library, info).map_err(text)?;
    }
    let is_known = parts.is_some() || *stored.storage() != Storage::Virtual;
    let fits = parts.and_then(|parts| parts.chunk(&stored));
    let is_asked = spec.filters.is_some() || rules.chunk.is_some();
    if is_asked {
        info.chunk.clone_from(&fits);
        let filters: Vec<_> = spec.filters.clone().unwrap_or_else(|| usual(library, info, is_known));
        if let Some(new) = plan::asked(info, &filters, spec.loss, rules)? {
            return Ok((new, false));
        }
    }
    let (chunk, filters, is_localised) = match fits {
        Some(chunk) => (chunk, as_stored(info), true),
        None => {
            (plan::chunk(info, info.dims.as_deref().unwrap_or_default(), None)?, usual(library, info, is_known), false)
        }
    };
    let chunk = chunk.into_iter().map(|n| n.max(1)).collect();
    Ok(((NewStorage { chunk, filters, is_localised }, Loss::None), is_localised))
}

pub(super) fn as_stored(info: &DatasetInfo) -> Vec<(u32, Vec<u32>)> {
    info.filters.iter().map(|filter| (filter.id, filter.values.clone())).collect()
}

/// The filters of what is decoded and encoded: none where the sources have none, and what HDF5 itself has stays.
fn usual(library: &Library, info: &DatasetInfo, is_known: bool) -> Vec<(u32, Vec<u32>)> {
    let known = |filter: &FilterInfo| matches!(filter.id, 1..=3) && !filter.is_lossy() && !is_missing(library, filter);
    if is_known && info.filters.iter().all(known) {
        return as_stored(info);
    }
    let Compression { filter, values } = Compression::bitshuffle_lz4();
    filter.map(|id| (id, values)).into_iter().collect()
}

/// A virtual dataset's sources, open.
struct Parts {
    sources: Sources,
    opened: Vec<StoredDataset>,
}

impl Parts {
    fn of(stored: &StoredDataset) -> Result<Self> {
        let sources = stored.sources()?;
        let opened = sources.sources.iter().map(|source| stored.open_source(source));
        let opened = opened.collect::<std::result::Result<_, _>>()?;
        Ok(Self { sources, opened })
    }

    /// What the sources are stored with, put together: what is lossy in one, is lossy.
    fn describe(&self, library: &Library, info: &mut DatasetInfo) -> std::result::Result<(), darkchunk_hdf5::Error> {
        info.stored_bytes = 0;
        for (source, opened) in self.sources.sources.iter().zip(&self.opened) {
            let path = format!("/{}", source.dataset.trim_start_matches('/'));
            let of = inspect::dataset(library, opened.id(), &path)?;
            info.stored_bytes = info.stored_bytes.saturating_add(of.stored_bytes);
            let new = of.filters.into_iter().filter(|filter| !info.filters.contains(filter)).collect::<Vec<_>>();
            info.filters.extend(new);
        }
        Ok(())
    }

    /// The shape of a chunk that each chunk of the sources is in the virtual dataset.
    fn chunk(&self, stored: &StoredDataset) -> Option<Vec<u64>> {
        let filters = self.opened.first()?.filters();
        let mut shape = None;
        for mapping in &self.sources.mappings {
            let source = &self.opened[mapping.source];
            let Storage::Chunked { chunk, edges_are_raw: false } = source.storage() else { return None };
            if source.filters() != filters || !fills_as(source, stored) {
                return None;
            }
            let part = mapping.part(source.dims()).ok()?;
            for mapped in mapping.boxes(&part, |_| 0..u64::MAX) {
                let found = placed(&mapped, (source.dims(), chunk), stored.dims())?;
                if *shape.get_or_insert_with(|| found.clone()) != found {
                    return None;
                }
            }
        }
        shape
    }
}

/// Whether chunks that a source has not are filled in as those of the virtual dataset.
fn fills_as(source: &StoredDataset, stored: &StoredDataset) -> bool {
    let is_whole = || source.map().is_ok_and(|map| map.len() as u64 == map.grid().iter().product::<u64>());
    source.fill() == stored.fill() || is_whole()
}

/// The shape of a chunk in the virtual dataset, where each chunk of the source's part is one there.
fn placed(mapped: &MappedBox, (source_dims, chunk): (&[u64], &[u64]), dims: &[u64]) -> Option<Vec<u64>> {
    let mut shape = vec![1; dims.len()];
    for (axis, to) in mapped.axes.iter().enumerate() {
        let (start, size) = (mapped.source_start[axis], chunk[axis]);
        let Some(to) = *to else {
            // One element of this axis.
            if size != 1 {
                return None;
            }
            continue;
        };
        let (here, count) = (mapped.start[to], mapped.count[to]);
        let is_end = start + count == source_dims[axis] && here + count == dims[to];
        if start % size != 0 || here % size != 0 || (count % size != 0 && !is_end) {
            return None;
        }
        shape[to] = size;
    }
    Some(shape)
}

/// Copies the chunks of the dataset `path`, or of the sources of a virtual one, into the empty one of `to`, whose chunks have the shape
/// `chunk`; not those of frames that are left out.
pub(super) fn copy(
    library: &Library,
    from: &File,
    path: &str,
    to: &File,
    chunk: &[u64],
    kept: Option<&Kept>,
    seen: &dyn Fn(u64) -> Result<()>,
) -> Result<()> {
    let dataset = OpenDataset::open(library, from.id(), path)?;
    let stored = StoredDataset::open(library, dataset.id())?;
    let target = NewDataset::open(library, to.id(), path)?;
    let has = |place: &[u64]| kept.is_none_or(|kept| place.first().is_none_or(|frame| kept.has(*frame)));
    if let Storage::Chunked { .. } = stored.storage() {
        for (place, found) in stored.map()?.iter() {
            let place: Vec<u64> = place.iter().zip(chunk).map(|(place, chunk)| place * chunk).collect();
            if let Some((mask, bytes)) = if has(&place) { stored.read_stored(&place)? } else { None } {
                target.write(&place, mask, &bytes)?;
            }
            seen(found.n_bytes)?;
        }
        return Ok(());
    }
    let parts = Parts::of(&stored)?;
    for mapping in &parts.sources.mappings {
        let source = &parts.opened[mapping.source];
        let part = mapping.part(source.dims())?;
        for mapped in mapping.boxes(&part, |_| 0..u64::MAX) {
            let blocks = Blocks::new(&mapped.count, chunk, source.element().n_bytes)?;
            for number in 0..blocks.len() {
                let block = blocks.get(number).start;
                let axes = mapped.source_start.iter().zip(&mapped.axes);
                let offset: Vec<u64> = axes.map(|(start, axis)| start + axis.map_or(0, |axis| block[axis])).collect();
                let place: Vec<u64> = mapped.start.iter().zip(&block).map(|(start, block)| start + block).collect();
                if let Some((mask, bytes)) = if has(&place) { source.read_stored(&offset)? } else { None } {
                    target.write(&place, mask, &bytes)?;
                }
                seen(blocks.n_bytes() as u64)?;
            }
        }
    }
    Ok(())
}
