//! A dataset of frames, `(frames, height, width)`, chunked, with at most one filter: made or checked here, written by
//! whole chunks.
//!
//! HDF5 does not look at what `H5Dwrite_chunk` stores: a chunk that does not fit the dataset's parameters shows at the
//! first read, months later. So a dataset is made with the exact parameters and they are read back, and one that was
//! made elsewhere is held against them, and its first chunk decoded once.

#![allow(unsafe_code)]

use super::api::Hid;
use super::growing::Growing;
use super::layers::Layers;
use super::library::{DEFAULT, Library, Session, h5, h5_optional};
use super::object::{self, Id};
use super::options::Dataset;
use crate::{Error, Result};
use darkchunk::Exec;
use darkchunk::chunk::{ChunkShape, Filter};
use darkchunk::codec::ChunkLayout;
use darkchunk::element::ElementType;
use darkchunk::salvage::buffer;
use darkchunk_hdf5_abi::constants::{H5D_CHUNK_IDX_BTREE, H5D_CHUNK_IDX_SINGLE, HADDR_UNDEF};

/// A filter of a dataset, with its stored parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFilter {
    /// Its number.
    pub id: u32,
    /// Its parameters, as they are stored.
    pub values: Vec<u32>,
}

/// An open dataset of frames.
#[derive(Debug)]
pub(super) struct Frames {
    pub(super) rows: Growing,
    /// The chunks' shape.
    pub(super) shape: ChunkShape,
    /// Rows of a frame.
    pub(super) height: usize,
    pub(super) filter: Option<StoredFilter>,
    /// The bits of the fill value, where they are known.
    fill: Option<u32>,
}

/// Makes a dataset without frames. It has no name yet.
pub(super) fn create(library: &Library, at: Hid, dataset: &Dataset, element: ElementType) -> Result<Frames> {
    let (shape, height, compression) = (dataset.chunk(), dataset.height, &dataset.compression);
    // Nobody sets another fill value.
    let fill = Some(0);
    let layout = ChunkLayout { fill, ..shape.layout(element)? };
    let datatype = object::native(library, element)?;
    let Some(id) = compression.filter else {
        let made = create_with(library, at, (shape, height), datatype, None)?;
        return Ok(Frames { rows: rows(made, shape, height), shape, height, filter: None, fill });
    };
    let exact = Filter::localise(id, &compression.values, &layout)?;
    Filter::from_cd_values(id, &exact)?;
    // Another's plugin may change the exact values when HDF5 shows them to it; then it is given what it expects.
    let mut found = Vec::new();
    for values in [&exact, &compression.values] {
        let made = create_with(library, at, (shape, height), datatype, Some((id, values)))?;
        let [filter] = &filters(&made)?[..] else { continue };
        if Filter::localise(id, &filter.values, &layout).is_ok_and(|values| values == exact) {
            return Ok(Frames { rows: rows(made, shape, height), shape, height, filter: Some(filter.clone()), fill });
        }
        found.clone_from(&filter.values);
    }
    Err(Error::Unsupported(format!(
        "the plugin that HDF5 found for filter {id} stores the parameters {exact:?} as {found:?}: \
         have HDF5_PLUGIN_PATH name darkchunk's plugins first, or none"
    )))
}

/// A new dataset of frames.
fn rows(dataset: Id, shape: ChunkShape, height: usize) -> Growing {
    let rows = Growing::new(dataset, shape.n_frames as u64, &[height as u64, shape.width as u64]);
    rows.in_layers(Layers::new(shape.n_frames as u64, shape.height as u64, height as u64))
}

fn create_with(
    library: &Library,
    at: Hid,
    (shape, height): (ChunkShape, usize),
    datatype: Hid,
    filter: Option<(u32, &[u32])>,
) -> Result<Id> {
    const OPTIONAL: u32 = 1;
    let properties = object::property_list(library, library.ids().dataset_create)?;
    h5!(library, H5Pset_chunk(properties.get(), 3, shape.dims().as_ptr()))?;
    if let Some((id, values)) = filter {
        // Optional, so that the dataset can be made where no plugin is installed.
        let id = id.cast_signed();
        h5!(library, H5Pset_filter(properties.get(), id, OPTIONAL, values.len(), values.as_ptr()))?;
    }
    let space = object::dataspace(library, &[0, height as u64, shape.width as u64], true)?;
    let id = h5!(library, H5Dcreate_anon(at, datatype, space.get(), properties.get(), DEFAULT))?;
    Ok(Id::new(library, id))
}

/// The filters of a dataset, in the order in which they are applied.
pub(super) fn filters(dataset: &Id) -> Result<Vec<StoredFilter>> {
    const MAX_VALUES: usize = 64;
    let library = dataset.library();
    let properties = Id::new(library, h5!(library, H5Dget_create_plist(dataset.get()))?);
    let n_filters = h5!(library, H5Pget_nfilters(properties.get()))?;
    let mut filters = Vec::new();
    for index in 0..n_filters.cast_unsigned() {
        let (mut flags, mut config, mut name) = (0, 0, [0; 1]);
        let (mut n_values, mut values) = (MAX_VALUES, vec![0; MAX_VALUES]);
        let (flags, config, name) = (&raw mut flags, &raw mut config, &raw mut name[0]);
        let (n_values_out, values_out) = (&raw mut n_values, values.as_mut_ptr());
        let id =
            h5!(library, H5Pget_filter2(properties.get(), index, flags, n_values_out, values_out, 1, name, config))?;
        values.truncate(n_values);
        filters.push(StoredFilter { id: id.cast_unsigned(), values });
    }
    Ok(filters)
}

/// Opens a dataset that is there, and refuses it where frames of `element` cannot be written to it chunk by chunk.
pub(super) fn attach(library: &Library, at: Hid, path: &str, element: ElementType) -> Result<Frames> {
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
    let found = object::element_type(library, datatype.get())?;
    if found != element {
        return Err(refused(format!("its elements are {found}, the frames are {element}")));
    }
    let space = Id::new(library, h5!(library, H5Dget_space(dataset.get()))?);
    let (dims, most) = object::extent(&space)?;
    let [n_frames, height, width] = dims[..] else {
        return Err(refused(format!("it has {} dimensions, (frames, height, width) are expected", dims.len())));
    };
    let shape = chunk_shape(&dataset, [height, width]).map_err(|error| match error {
        Error::Unsupported(why) => refused(why),
        other => other,
    })?;
    let filter = match &filters(&dataset)?[..] {
        [] => None,
        [filter] => Some(filter.clone()),
        several => return Err(refused(format!("it has {} filters, one can be written", several.len()))),
    };
    let properties = Id::new(library, h5!(library, H5Dget_create_plist(dataset.get()))?);
    let fill = object::fill_bits(&properties, datatype.get(), element)?;
    let mut rows = rows(dataset, shape, shape.height);
    (rows.n_rows, rows.max_rows) = (n_frames, most[0]);
    let frames = Frames { rows, shape, height: shape.height, filter, fill };
    frames.check_filter(element)?;
    frames.check_first_chunk(element)?;
    Ok(frames)
}

/// The chunks' shape, which must be whole frames.
fn chunk_shape(dataset: &Id, frame: [u64; 2]) -> Result<ChunkShape> {
    const CHUNKED: i32 = 2;
    const DO_NOT_FILTER_PARTIAL_CHUNKS: u32 = 2;
    let library = dataset.library();
    let properties = Id::new(library, h5!(library, H5Dget_create_plist(dataset.get()))?);
    if h5!(library, H5Pget_layout(properties.get()))? != CHUNKED {
        return Err(Error::Unsupported("it has no chunks: create it with chunks of whole frames".into()));
    }
    let mut options = 0;
    h5!(library, H5Pget_chunk_opts(properties.get(), &raw mut options))?;
    if options & DO_NOT_FILTER_PARTIAL_CHUNKS != 0 {
        return Err(Error::Unsupported("it does not filter partial chunks: create it without that option".into()));
    }
    let mut chunk = [0; 3];
    h5!(library, H5Pget_chunk(properties.get(), 3, chunk.as_mut_ptr()))?;
    if chunk[1..] != frame {
        return Err(Error::Unsupported(format!(
            "its chunks are {chunk:?}, its frames {frame:?}: chunks of whole frames are expected"
        )));
    }
    let [n_frames, height, width] = chunk.map(|n| n as usize);
    Ok(ChunkShape { n_frames, height, width })
}

impl Frames {
    /// The filter that chunks are encoded with.
    pub(super) fn codec(&self, element: ElementType) -> Result<Option<Filter>> {
        let Some(stored) = &self.filter else { return Ok(None) };
        let layout = ChunkLayout { fill: self.fill, ..self.shape.layout(element)? };
        let exact = Filter::localise(stored.id, &stored.values, &layout)?;
        Ok(Some(Filter::from_cd_values(stored.id, &exact)?))
    }

    /// Whether chunks that fit the dataset's shape fit the parameters that readers will see.
    fn check_filter(&self, element: ElementType) -> Result<()> {
        let Some(stored) = &self.filter else { return Ok(()) };
        let reader = Filter::from_cd_values(stored.id, &stored.values)?;
        self.codec(element)?;
        let expected = self.chunk_bytes(element);
        match reader.chunk_bytes() {
            Some(found) if found != expected => Err(Error::Unsupported(format!(
                "the parameters of filter {} are for chunks of {found} bytes, the dataset's have {expected}, so that readers \
                 that insist on them would refuse its chunks: make the dataset anew, with parameters for its own chunks",
                stored.id
            ))),
            _ => Ok(()),
        }
    }

    fn chunk_bytes(&self, element: ElementType) -> usize {
        self.shape.chunk_pixels() * element.n_bytes
    }

    fn check_first_chunk(&self, element: ElementType) -> Result<()> {
        if self.rows.n_rows > 0 {
            let mut pixels = vec![0; self.chunk_bytes(element)];
            self.read_chunk(0, &mut pixels)?;
        }
        Ok(())
    }

    /// Decodes a chunk into `pixels`, which has its size; the fill value where it was never written. Says whether it was stored raw.
    pub(super) fn read_chunk(&self, index: u64, pixels: &mut [u8]) -> Result<bool> {
        let offset = self.rows.layers.offset(index);
        let Some((mask, stored)) = self.read_stored(&offset, pixels.len())? else {
            self.fill(pixels);
            return Ok(false);
        };
        let filter = self.filter.as_ref().filter(|_| mask & 1 == 0);
        let decoded = match filter {
            Some(stored_filter) => {
                let filter = Filter::from_cd_values(stored_filter.id, &stored_filter.values)?;
                filter.decode(Exec::current(), &stored, pixels)
            }
            None if stored.len() == pixels.len() => {
                pixels.copy_from_slice(&stored);
                Ok(())
            }
            None => Err(darkchunk::Error::WrongSize { expected: pixels.len(), found: stored.len() }),
        };
        decoded
            .map(|()| mask != 0)
            .map_err(|error| Error::Unsupported(format!("the chunk at frame {} does not decode: {error}", offset[0])))
    }

    /// Makes all of `pixels`, which are as this machine has them, the fill value.
    fn fill(&self, pixels: &mut [u8]) {
        let element_bytes = pixels.len() / self.shape.chunk_pixels().max(1);
        let fill = self.fill.unwrap_or(0).to_ne_bytes();
        // The lowest bytes of the bits.
        let start = if cfg!(target_endian = "big") { fill.len() - element_bytes } else { 0 };
        pixels.chunks_exact_mut(element_bytes).for_each(|pixel| pixel.copy_from_slice(&fill[start..][..element_bytes]));
    }

    /// The bytes of a chunk with its filter mask; `None` where it was never written.
    fn read_stored(&self, offset: &[u64; 3], chunk_bytes: usize) -> Result<Option<(u32, Vec<u8>)>> {
        stored_chunk(&self.rows.dataset, offset, chunk_bytes, self.filter.is_some())
    }
}

/// The most bytes that a chunk of `chunk_bytes` is stored in, whatever its filters: a file that claims more is damaged.
#[must_use]
pub fn max_stored_len(chunk_bytes: usize) -> u64 {
    (chunk_bytes as u64).saturating_mul(4).saturating_add(1 << 20)
}

/// The bytes of a chunk with its filter mask; `None` where it was never written, which HDF5 1.x says by a size of 0, and
/// 2.x by an error. A chunk has `chunk_bytes` before its filters.
pub(super) fn stored_chunk(
    dataset: &Id,
    offset: &[u64],
    chunk_bytes: usize,
    is_filtered: bool,
) -> Result<Option<(u32, Vec<u8>)>> {
    // One session: nobody writes to the chunk between the question for its size and the reading.
    let (session, dataset, mut n_bytes) = (dataset.library().session(), dataset.get(), 0);
    match h5!(session, H5Dget_chunk_storage_size(dataset, offset.as_ptr(), &raw mut n_bytes)) {
        Ok(_) if n_bytes == 0 => return Ok(None),
        Err(error) if is_missing(&error) => return Ok(None),
        size => size?,
    };
    if n_bytes > max_stored_len(chunk_bytes) {
        return Err(claims(offset, n_bytes));
    }
    let trusts_index = session.functions().H5Dread_chunk2.is_none() && !is_filtered;
    if trusts_index && !is_of_size(&session, dataset, offset, n_bytes)? {
        return Ok(None);
    }
    let n_bytes = usize::try_from(n_bytes).map_err(|_| claims(offset, n_bytes))?;
    let mut bytes = if trusts_index { roomy_buffer(n_bytes)? } else { buffer(n_bytes)? };
    match read_chunk(&session, dataset, offset, &mut bytes) {
        // Of one that is not filtered HDF5 gives a size even where it is not there.
        Err(error) if is_missing(&error) => Ok(None),
        result => result.map(|mask| {
            bytes.shrink_to_fit();
            Some((mask, bytes))
        }),
    }
}

/// Zeros, with room after them for the largest size that a B-tree can claim, which has 32 bits. A damaged one may have a chunk
/// twice, and be asked for one and read by the other. Room that is not written to takes no memory, only addresses.
fn roomy_buffer(n_bytes: usize) -> Result<Vec<u8>> {
    const MAX_CLAIM: usize = u32::MAX as usize;
    let (mut bytes, room) = (Vec::new(), n_bytes.max(MAX_CLAIM));
    bytes.try_reserve_exact(room).map_err(|_| darkchunk::Error::NoMemory { n_bytes: room })?;
    bytes.resize(n_bytes, 0);
    Ok(bytes)
}

/// Whether a chunk without filters is there; refuses it where the file claims another size than `n_bytes`, which
/// `H5Dget_chunk_storage_size` gives for all of them. With two kinds of index `H5Dread_chunk` of HDF5 1.x reads as many bytes as the
/// file claims, whatever room there is. The others have no size, and are not asked: some are listed wrongly (`chunk_map::list`).
fn is_of_size(session: &Session<'_>, dataset: Hid, offset: &[u64], n_bytes: u64) -> Result<bool> {
    let (mut index, mut mask, mut address, mut found) = (H5D_CHUNK_IDX_BTREE, 0, HADDR_UNDEF, n_bytes);
    h5_optional!(session, H5Dget_chunk_index_type(dataset, &raw mut index))?;
    if ![H5D_CHUNK_IDX_BTREE, H5D_CHUNK_IDX_SINGLE].contains(&index) {
        return Ok(true);
    }
    let (mask, address_out, found_out) = (&raw mut mask, &raw mut address, &raw mut found);
    h5_optional!(session, H5Dget_chunk_info_by_coord(dataset, offset.as_ptr(), mask, address_out, found_out))?;
    let is_there = address != HADDR_UNDEF;
    if is_there && found != n_bytes { Err(claims(offset, found)) } else { Ok(is_there) }
}

fn claims(offset: &[u64], n_bytes: u64) -> Error {
    Error::Unsupported(format!("the chunk at {offset:?} claims {n_bytes} bytes"))
}

/// Fills `bytes`, which has the chunk's size, and gives its filter mask.
fn read_chunk(session: &Session<'_>, dataset: Hid, offset: &[u64], bytes: &mut Vec<u8>) -> Result<u32> {
    let (mut mask, mut n_bytes) = (0, bytes.len());
    let (offset, mask_out, data) = (offset.as_ptr(), &raw mut mask, bytes.as_mut_ptr().cast());
    session.call("H5Dread_chunk", |functions| {
        if let Some(read_chunk) = functions.H5Dread_chunk2 {
            // SAFETY: `Library::new` was promised this function; `data` has the size that is said.
            unsafe { read_chunk(dataset, DEFAULT, offset, mask_out, data, &raw mut n_bytes) }
        } else if let Some(read_chunk) = functions.H5Dread_chunk {
            // SAFETY: as above; `data` has the size that HDF5 gave in this session, or room for any that an index can claim.
            unsafe { read_chunk(dataset, DEFAULT, offset, mask_out, data) }
        } else {
            -1
        }
    })?;
    // HDF5 2.x reads nothing where the room is too small, and says how much it wants.
    if n_bytes == bytes.len() { Ok(mask) } else { Err(Error::Unsupported(format!("a chunk claims {n_bytes} bytes"))) }
}

/// HDF5's words for a chunk that was never written. Any other error is of a chunk that is there and cannot be read.
fn is_missing(error: &Error) -> bool {
    let text = error.to_string();
    text.contains("storage is not allocated") || text.contains("address isn't defined")
}
