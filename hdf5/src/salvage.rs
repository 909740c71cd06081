//! A dataset examined chunk by chunk, and what is good of it saved into another.
//!
//! For chunked datasets of any rank with one of our filters, or none. HDF5 hands over the chunks as they are stored; no
//! plugin is asked. What is saved of a damaged chunk, and which damage can be seen at all, says [`darkchunk::salvage`].
//!
//! A chunk that was never written is *missing*, and no fault: it reads as the fill value. All chunks of the dataset's
//! extent are asked for, one by one, so an extent that no recording can have is refused.

use std::ops::Range;

use super::api::Hid;
use super::dataset::{self, Stored};
use super::library::{DEFAULT, Library, h5};
use super::object::{self, Id};
use crate::{Error, Result};
use darkchunk::chunk::Filter;
use darkchunk::codec::ChunkLayout;
use darkchunk::cpu::Level;
use darkchunk::frame::ElementType;
use darkchunk::salvage::buffer;

/// A dataset that claims more chunks than this (a thousand a second for three days) has a damaged extent: asking for each
/// would not end.
const MOST_CHUNKS: u64 = 1 << 28;

/// Something wrong with a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The blocks or segments concerned, as [`darkchunk::salvage::Damage::blocks`].
    pub blocks: Range<usize>,
    /// The bytes of the decoded chunk that are lost by it. Empty where all of them could be had nevertheless.
    pub lost: Range<usize>,
    /// What is wrong: with the chunk, or with what HDF5 has of it.
    pub reason: Error,
}

impl From<darkchunk::salvage::Damage> for Damage {
    fn from(damage: darkchunk::salvage::Damage) -> Self {
        let darkchunk::salvage::Damage { blocks, lost, reason } = damage;
        Self { blocks, lost, reason: reason.into() }
    }
}

/// Something wrong with a chunk of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The chunk's number, in the order of the elements.
    pub chunk: u64,
    /// Where the chunk begins, in elements.
    pub offset: Vec<u64>,
    /// The frames with lost pixels, counted along the dataset's first dimension. Empty where none is lost.
    pub frames: Range<u64>,
    /// What is wrong, and what of the decoded chunk is lost by it.
    pub damage: Damage,
}

/// What a walk over a dataset found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Number and name of the dataset's filter.
    pub filter: Option<(u32, &'static str)>,
    /// Chunks in the dataset's extent.
    pub n_chunks: u64,
    /// Chunks that decode.
    pub n_intact: u64,
    /// Chunks with faults.
    pub n_damaged: u64,
    /// The numbers of the chunks that were never written.
    pub missing: Vec<Range<u64>>,
    /// All that is wrong, chunk by chunk.
    pub faults: Vec<Fault>,
}

impl Report {
    /// Whether no chunk has a fault. Chunks may be missing.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.faults.is_empty()
    }

    /// Chunks that were never written.
    #[must_use]
    pub fn n_missing(&self) -> u64 {
        self.missing.iter().map(|range| range.end - range.start).sum()
    }

    fn add_missing(&mut self, chunk: u64) {
        match self.missing.last_mut().filter(|range| range.end == chunk) {
            Some(range) => range.end += 1,
            None => self.missing.push(chunk..chunk + 1),
        }
    }
}

/// Examines the dataset `path` below the file or group `at`.
///
/// # Errors
/// [`Error::Unsupported`] where there is no such dataset, or one that cannot be examined; [`Error::Hdf5`]. A damaged
/// chunk is no error.
pub fn verify(library: &Library, at: Hid, path: &str) -> Result<Report> {
    walk(&Source::open(library, at, path)?, None)
}

/// Saves what is good of the dataset `path` below `at` into a new dataset `into_path` below `into`, usually in another
/// file, and says what was not.
///
/// The new dataset has the type, shape, chunks, filter and fill value of the old one. Intact chunks are copied as they are
/// stored. Damaged ones are encoded anew, with the fill value where nothing could be had; unfiltered, and marked so,
/// where encoding would change a pixel. Attributes, and other objects of the file, are not copied. The dataset gets its
/// name when all is written.
///
/// # Errors
/// As [`verify`]; [`Error::Unsupported`] where the name is taken, or elements are strings or refer to
/// other places of the file;
/// [`Error::Hdf5`], for instance where the disk is full.
pub fn salvage(library: &Library, at: Hid, path: &str, into: Hid, into_path: &str) -> Result<Report> {
    let source = Source::open(library, at, path)?;
    if object::exists(library, into, into_path)? {
        let remedy = "give another name, or another output";
        return Err(Error::NameTaken { path: into_path.to_owned(), remedy });
    }
    let target = Target::create(&source, into)?;
    let report = walk(&source, Some(&target))?;
    object::link(&target.dataset, into, into_path)?;
    Ok(report)
}

/// A dataset that is read.
struct Source {
    dataset: Id,
    properties: Id,
    datatype: Id,
    space: Id,
    element: ElementType,
    dims: Vec<u64>,
    chunk: Vec<u64>,
    chunk_bytes: usize,
    stored: Option<Stored>,
    filter: Option<Filter>,
    /// Whether chunks that reach over the edge are not filtered.
    edges_are_raw: bool,
}

impl Source {
    fn open(library: &Library, at: Hid, path: &str) -> Result<Self> {
        const DATASET: i32 = 5;
        let refused = |why: String| Error::Unsupported(format!("dataset {path}: {why}"));
        if !object::exists(library, at, path)? {
            return Err(refused("there is none of this name".into()));
        }
        let dataset = object::open(library, at, path)?;
        if h5!(library, H5Iget_type(dataset.get()))? != DATASET {
            return Err(refused("this is no dataset".into()));
        }
        let datatype = Id::new(library, h5!(library, H5Dget_type(dataset.get()))?);
        // A type that has a name belongs to its file; a copy does not.
        let datatype = Id::new(library, h5!(library, H5Tcopy(datatype.get()))?);
        let element = object::element_type(library, datatype.get())?;
        let space = Id::new(library, h5!(library, H5Dget_space(dataset.get()))?);
        let dims = object::extent(&space)?.0;
        let properties = Id::new(library, h5!(library, H5Dget_create_plist(dataset.get()))?);
        let (chunk, edges_are_raw) = chunks(&properties, dims.len()).map_err(|error| match error {
            Error::Unsupported(why) => refused(why),
            other => other,
        })?;
        let stored = match &dataset::filters(&dataset)?[..] {
            [] => None,
            [stored] => Some(stored.clone()),
            several => {
                let ids: Vec<u32> = several.iter().map(|stored| stored.id).collect();
                return Err(refused(format!("it has the filters {ids:?}; one, of darkchunk's, can be examined")));
            }
        };
        let filter = stored.as_ref().map(|stored| Filter::from_cd_values(stored.id, &stored.values)).transpose()?;
        let layout = ChunkLayout { element, dims: chunk.clone(), resized_before: false };
        let chunk_bytes = layout.chunk_bytes()? as usize;
        Ok(Self {
            dataset,
            properties,
            datatype,
            space,
            element,
            dims,
            chunk,
            chunk_bytes,
            stored,
            filter,
            edges_are_raw,
        })
    }

    /// Refuses elements that may refer to other places of the file that they are in.
    fn insist_on_plain_elements(&self) -> Result<()> {
        const NUMBERS: [i32; 4] = [0, 1, 4, 8];
        const STRING: i32 = 3;
        const REFERENCE: i32 = 7;
        const VARIABLE_LENGTH: i32 = 9;
        let (library, kind) = (self.dataset.library(), self.datatype.get());
        if NUMBERS.contains(&h5!(library, H5Tget_class(kind))?) {
            return Ok(());
        }
        for class in [STRING, REFERENCE, VARIABLE_LENGTH] {
            let detected = library.call("H5Tdetect_class", |functions| match functions.H5Tdetect_class {
                // SAFETY: `Library::new` was promised this function.
                Some(detect_class) => unsafe { detect_class(kind, class) },
                None => 1,
            })?;
            if detected != 0 {
                let what = "strings, references or of variable length: they can be examined, not saved";
                return Err(Error::Unsupported(format!("the elements are, or have parts that are, {what}")));
            }
        }
        Ok(())
    }

    /// Lets a dataset be made with the properties of this one where no plugin is installed.
    fn make_filter_optional(&self) -> Result<()> {
        const OPTIONAL: u32 = 1;
        let (Some(stored), properties) = (&self.stored, self.properties.get()) else { return Ok(()) };
        let id = stored.id.cast_signed();
        self.dataset.library().call("H5Pmodify_filter", |functions| match functions.H5Pmodify_filter {
            // SAFETY: `Library::new` was promised this function; there are as many values as is said.
            Some(modify) => unsafe { modify(properties, id, OPTIONAL, stored.values.len(), stored.values.as_ptr()) },
            // Without it the plugin must be there, as HDF5 will say.
            None => 0,
        })?;
        Ok(())
    }

    /// Chunks along each dimension, and all of them.
    fn grid(&self) -> Result<(Vec<u64>, u64)> {
        let grid: Vec<u64> = self.dims.iter().zip(&self.chunk).map(|(dim, chunk)| dim.div_ceil(*chunk)).collect();
        let n_chunks = grid.iter().try_fold(1_u64, |n, dim| n.checked_mul(*dim));
        let too_many = || {
            let dims = &self.dims;
            Error::Unsupported(format!(
                "the shape {dims:?} has more than {MOST_CHUNKS} chunks, which no recording has: the extent is damaged, \
                 set it right first (H5Dset_extent)"
            ))
        };
        Ok((grid, n_chunks.filter(|n| *n <= MOST_CHUNKS).ok_or_else(too_many)?))
    }

    fn reaches_over_edge(&self, offset: &[u64]) -> bool {
        offset
            .iter()
            .zip(&self.chunk)
            .zip(&self.dims)
            .any(|((offset, chunk), dim)| dim.saturating_sub(*offset) < *chunk)
    }

    /// Decodes a chunk as far as it can be; fills the rest.
    fn decode(&self, offset: &[u64], mask: u32, stored: &[u8], fill: &[u8], dst: &mut [u8]) -> Vec<Damage> {
        let level = Level::current();
        let filter = self.filter.as_ref().filter(|_| !(self.edges_are_raw && self.reaches_over_edge(offset)));
        let is_raw = mask & 1 != 0;
        let damage = darkchunk::salvage::salvage(level, filter.filter(|_| !is_raw), stored, fill, dst);
        // A mask that is damaged says that the chunk is raw: then its length is not that of the pixels.
        if let (false, Some(filter), [first]) = (damage.is_empty(), filter.filter(|_| is_raw), &damage[..]) {
            let mut decoded = vec![0; dst.len()];
            if darkchunk::salvage::salvage(level, Some(filter), stored, fill, &mut decoded).is_empty() {
                dst.copy_from_slice(&decoded);
                return vec![Damage { lost: 0..0, ..first.clone().into() }];
            }
        }
        damage.into_iter().map(Damage::from).collect()
    }

    fn fault(&self, chunk: u64, offset: &[u64], damage: Damage) -> Fault {
        let frame_bytes = (self.chunk_bytes as u64 / self.chunk[0]).max(1);
        let lost = damage.lost.start as u64..damage.lost.end as u64;
        let end = (offset[0] + lost.end.div_ceil(frame_bytes)).min(self.dims[0]);
        let start = (offset[0] + lost.start / frame_bytes).min(end);
        let frames = if lost.is_empty() { start..start } else { start..end };
        Fault { chunk, offset: offset.to_vec(), frames, damage }
    }
}

/// The shape of the chunks, and whether those at the edge are not filtered.
fn chunks(properties: &Id, rank: usize) -> Result<(Vec<u64>, bool)> {
    const CHUNKED: i32 = 2;
    const DO_NOT_FILTER_PARTIAL_CHUNKS: u32 = 2;
    let library = properties.library();
    if h5!(library, H5Pget_layout(properties.get()))? != CHUNKED || rank == 0 {
        return Err(Error::Unsupported("it has no chunks, so that nothing could be examined one by one".into()));
    }
    let mut options = 0;
    h5!(library, H5Pget_chunk_opts(properties.get(), &raw mut options))?;
    let mut chunk = vec![0; rank];
    h5!(library, H5Pget_chunk(properties.get(), rank as i32, chunk.as_mut_ptr()))?;
    if chunk.contains(&0) {
        return Err(Error::Unsupported(format!("its chunks are {chunk:?}")));
    }
    Ok((chunk, options & DO_NOT_FILTER_PARTIAL_CHUNKS != 0))
}

/// A dataset that is written.
struct Target {
    dataset: Id,
    filter: Option<Filter>,
    /// A chunk of the fill value.
    fill: Vec<u8>,
}

impl Target {
    fn create(source: &Source, into: Hid) -> Result<Self> {
        source.insist_on_plain_elements()?;
        source.make_filter_optional()?;
        let library = source.dataset.library();
        let (kind, properties) = (source.datatype.get(), source.properties.get());
        // HDF5 itself says what the fill value is: an empty dataset of one chunk reads so.
        let one_chunk = object::dataspace(library, &source.chunk, false)?;
        let empty = h5!(library, H5Dcreate_anon(into, kind, one_chunk.get(), properties, DEFAULT))?;
        let empty = Id::new(library, empty);
        let mut fill = buffer(source.chunk_bytes)?;
        h5!(library, H5Dread(empty.get(), kind, DEFAULT, DEFAULT, DEFAULT, fill.as_mut_ptr().cast()))?;
        let dataset = h5!(library, H5Dcreate_anon(into, kind, source.space.get(), properties, DEFAULT))?;
        let target = Self { dataset: Id::new(library, dataset), filter: source.filter.clone(), fill };
        target.check_filter(source)?;
        Ok(target)
    }

    /// Whether chunks of the source decode with the parameters that the new dataset got from the plugin, if there is one.
    fn check_filter(&self, source: &Source) -> Result<()> {
        let (Some(before), filters) = (&source.stored, dataset::filters(&self.dataset)?) else { return Ok(()) };
        let layout = ChunkLayout { element: source.element, dims: source.chunk.clone(), resized_before: false };
        let exact = Filter::localise(before.id, &before.values, &layout)?;
        match &filters[..] {
            [after] if after == before => Ok(()),
            [after] if Filter::localise(after.id, &after.values, &layout).is_ok_and(|values| values == exact) => Ok(()),
            found => Err(Error::Unsupported(format!(
                "the plugin that HDF5 found for filter {} stores the parameters {:?} as {found:?}: have \
                 HDF5_PLUGIN_PATH name darkchunk's plugins first, or none",
                before.id, before.values
            ))),
        }
    }

    fn write(&self, offset: &[u64], mask: u32, chunk: &[u8]) -> Result<()> {
        let (library, data) = (self.dataset.library(), chunk.as_ptr().cast());
        let (dataset, offset) = (self.dataset.get(), offset.as_ptr());
        h5!(library, H5Dwrite_chunk(dataset, DEFAULT, mask, offset, chunk.len(), data)).map(drop)
    }

    /// Encodes pixels anew; as they are, where that would change one.
    fn encode(&self, offset: &[u64], is_filtered: bool, pixels: &[u8]) -> Result<()> {
        let Some(filter) = self.filter.as_ref().filter(|_| is_filtered) else { return self.write(offset, 0, pixels) };
        let mut chunk = buffer(filter.max_encoded_len(pixels.len()))?;
        let mut again = buffer(pixels.len())?;
        let level = Level::current();
        if let Ok(n_bytes) = filter.encode_at(level, pixels, &mut chunk)
            && filter.decode_at(level, &chunk[..n_bytes], &mut again).is_ok()
            && again == pixels
        {
            return self.write(offset, 0, &chunk[..n_bytes]);
        }
        self.write(offset, 1, pixels)
    }
}

fn walk(source: &Source, target: Option<&Target>) -> Result<Report> {
    let (grid, n_chunks) = source.grid()?;
    let filter = source.filter.as_ref().map(|filter| (filter.id(), filter.name()));
    let mut report = Report { filter, n_chunks, n_intact: 0, n_damaged: 0, missing: Vec::new(), faults: Vec::new() };
    let mut pixels = Vec::new();
    for index in 0..n_chunks {
        let offset = offset(&grid, &source.chunk, index);
        let stored = match dataset::stored_chunk(&source.dataset, &offset, source.chunk_bytes, is_missing) {
            Ok(None) => {
                report.add_missing(index);
                continue;
            }
            Ok(Some(stored)) => Ok(stored),
            Err(reason) => Err(reason),
        };
        if pixels.is_empty() {
            pixels = buffer(source.chunk_bytes)?;
        }
        let damage = one_chunk(source, target, &offset, stored, &mut pixels)?;
        report.n_intact += u64::from(damage.is_empty());
        report.n_damaged += u64::from(!damage.is_empty());
        report.faults.extend(damage.into_iter().map(|damage| source.fault(index, &offset, damage)));
    }
    Ok(report)
}

/// Decodes a chunk that HDF5 has, or cannot read, and writes what is good of it where there is a target.
fn one_chunk(
    source: &Source,
    target: Option<&Target>,
    offset: &[u64],
    stored: Result<(u32, Vec<u8>)>,
    pixels: &mut [u8],
) -> Result<Vec<Damage>> {
    let fill = target.map_or(&[][..], |target| &target.fill);
    let damage = match &stored {
        Ok((mask, bytes)) => source.decode(offset, *mask, bytes, fill, pixels),
        Err(reason) => {
            target.into_iter().for_each(|target| pixels.copy_from_slice(&target.fill));
            vec![Damage { blocks: 0..0, lost: 0..pixels.len(), reason: reason.clone() }]
        }
    };
    match (target, stored) {
        (Some(target), Ok((mask, bytes))) if damage.is_empty() => target.write(offset, mask, &bytes)?,
        (Some(target), _) => {
            let is_filtered = !(source.edges_are_raw && source.reaches_over_edge(offset));
            target.encode(offset, is_filtered, pixels)?;
        }
        (None, _) => {}
    }
    Ok(damage)
}

/// Where chunk `index` begins.
fn offset(grid: &[u64], chunk: &[u64], mut index: u64) -> Vec<u64> {
    let mut offset = vec![0; grid.len()];
    for ((place, n), size) in offset.iter_mut().zip(grid).zip(chunk).rev() {
        *place = index % n * size;
        index /= n;
    }
    offset
}

/// HDF5's words for a chunk that was never written.
fn is_missing(error: &Error) -> bool {
    let text = error.to_string();
    text.contains("storage is not allocated") || text.contains("address isn't defined")
}
