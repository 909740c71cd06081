//! A dataset of frames, `(frames, height, width)`, chunked, with at most one filter: made or checked here, written by
//! whole chunks.
//!
//! HDF5 does not look at what `H5Dwrite_chunk` stores: a chunk that does not fit the dataset's parameters shows at the
//! first read, months later. So a dataset is made with the exact parameters and they are read back, and one that was
//! made elsewhere is held against them, and its first chunk decoded once.

use super::api::Hid;
use super::library::{DEFAULT, Library, h5};
use super::object::{self, Id};
use crate::{Error, Result};
use darkchunk::chunk::{ChunkShape, Compression, Filter};
use darkchunk::cpu::Level;
use darkchunk::frame::ElementType;

/// A filter of a dataset, with its stored parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredFilter {
    pub(super) id: u32,
    pub(super) values: Vec<u32>,
}

/// An open dataset of frames.
#[derive(Debug)]
pub(super) struct Frames {
    pub(super) dataset: Id,
    pub(super) shape: ChunkShape,
    pub(super) filter: Option<StoredFilter>,
    /// Frames the dataset says it has.
    pub(super) n_frames: u64,
    /// The most it may have.
    most: Option<u64>,
    /// The chunk that was read and is not encoded, as its filter mask says.
    raw_chunk: Option<u64>,
}

/// Makes a dataset without frames. It has no name yet.
pub(super) fn create(
    library: &Library,
    at: Hid,
    shape: ChunkShape,
    element: ElementType,
    compression: &Compression,
) -> Result<Frames> {
    let layout = shape.layout(element)?;
    let datatype = object::native(library, element)?;
    let Some(id) = compression.filter else {
        let dataset = create_with(library, at, shape, datatype, None)?;
        return Ok(Frames { dataset, shape, filter: None, n_frames: 0, most: None, raw_chunk: None });
    };
    let exact = Filter::localise(id, &compression.values, &layout)?;
    Filter::from_cd_values(id, &exact)?;
    // Another's plugin may change the exact values when HDF5 shows them to it; then it is given what it expects.
    let mut found = Vec::new();
    for values in [&exact, &compression.values] {
        let dataset = create_with(library, at, shape, datatype, Some((id, values)))?;
        let [filter] = &filters(&dataset)?[..] else { continue };
        if Filter::localise(id, &filter.values, &layout).is_ok_and(|values| values == exact) {
            return Ok(Frames {
                dataset,
                shape,
                filter: Some(filter.clone()),
                n_frames: 0,
                most: None,
                raw_chunk: None,
            });
        }
        found.clone_from(&filter.values);
    }
    Err(Error::Unsupported(format!(
        "the plugin that HDF5 found for filter {id} stores the parameters {exact:?} as {found:?}: \
         have HDF5_PLUGIN_PATH name darkchunk's plugins first, or none"
    )))
}

fn create_with(
    library: &Library,
    at: Hid,
    shape: ChunkShape,
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
    let space = object::dataspace(library, &[0, shape.height as u64, shape.width as u64], true)?;
    let id = h5!(library, H5Dcreate_anon(at, datatype, space.get(), properties.get(), DEFAULT))?;
    Ok(Id::new(library, id))
}

/// The filters of a dataset, in the order in which they are applied.
pub(super) fn filters(dataset: &Id) -> Result<Vec<StoredFilter>> {
    const MOST_VALUES: usize = 64;
    let library = dataset.library();
    let properties = Id::new(library, h5!(library, H5Dget_create_plist(dataset.get()))?);
    let n_filters = h5!(library, H5Pget_nfilters(properties.get()))?;
    let mut filters = Vec::new();
    for index in 0..n_filters.cast_unsigned() {
        let (mut flags, mut config, mut name) = (0, 0, [0; 1]);
        let (mut n_values, mut values) = (MOST_VALUES, vec![0; MOST_VALUES]);
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
    let mut frames = Frames { dataset, shape, filter, n_frames, most: most[0], raw_chunk: None };
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
        let exact = Filter::localise(stored.id, &stored.values, &self.shape.layout(element)?)?;
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
                "the parameters of filter {} are for chunks of {found} bytes, the dataset's have {expected}, so that no \
                 reader would take them: make the dataset anew, with parameters for its own chunks",
                stored.id
            ))),
            _ => Ok(()),
        }
    }

    fn chunk_bytes(&self, element: ElementType) -> usize {
        self.shape.chunk_pixels() * element.n_bytes
    }

    fn check_first_chunk(&mut self, element: ElementType) -> Result<()> {
        if self.n_frames > 0 {
            let mut pixels = vec![0; self.chunk_bytes(element)];
            self.read_chunk(0, &mut pixels)?;
        }
        Ok(())
    }

    /// Decodes a chunk into `pixels`, which has its size; zeros where it was never written.
    pub(super) fn read_chunk(&mut self, index: u64, pixels: &mut [u8]) -> Result<()> {
        let offset = self.offset(index);
        let Some((mask, stored)) = self.read_stored(&offset)? else {
            pixels.fill(0);
            return Ok(());
        };
        let filter = self.filter.as_ref().filter(|_| mask & 1 == 0);
        if mask != 0 {
            self.raw_chunk = Some(index);
        }
        let decoded = match filter {
            Some(stored_filter) => {
                let filter = Filter::from_cd_values(stored_filter.id, &stored_filter.values)?;
                filter.decode_at(Level::current(), &stored, pixels)
            }
            None if stored.len() == pixels.len() => {
                pixels.copy_from_slice(&stored);
                Ok(())
            }
            None => Err(darkchunk::Error::WrongSize { expected: pixels.len(), found: stored.len() }),
        };
        decoded
            .map_err(|error| Error::Unsupported(format!("the chunk at frame {} does not decode: {error}", offset[0])))
    }

    /// The bytes of a chunk with its filter mask; `None` where it was never written.
    fn read_stored(&self, offset: &[u64; 3]) -> Result<Option<(u32, Vec<u8>)>> {
        // HDF5 2.x fails here for a chunk that was never written.
        stored_chunk(&self.dataset, offset, self.shape.chunk_pixels(), |_| true)
    }

    fn offset(&self, index: u64) -> [u64; 3] {
        [index * self.shape.n_frames as u64, 0, 0]
    }

    /// Stores chunk `index`, after which the dataset has `n_frames` frames. Where HDF5 fails, it has as many as before.
    ///
    /// A chunk that is there already (it was not full) is written over before the dataset grows: to shrink a dataset again
    /// within a chunk, HDF5 decodes the chunk, and fails where the filter's plugin is not installed.
    pub(super) fn write_chunk(&mut self, index: u64, n_frames: u64, chunk: &[u8]) -> Result<()> {
        if let Some(most) = self.most.filter(|most| n_frames > *most) {
            return Err(Error::Full { most });
        }
        let before = self.n_frames;
        let offset = self.offset(index);
        if offset[0] < before {
            if self.raw_chunk == Some(index) {
                // HDF5 keeps the filter mask of a chunk that is written over by one of the same length.
                self.put_chunk(&offset, &chunk[..chunk.len() - 1])?;
            }
            self.put_chunk(&offset, chunk)?;
            self.raw_chunk = self.raw_chunk.filter(|raw| *raw != index);
            return self.set_extent(n_frames.max(before));
        }
        self.set_extent(n_frames)?;
        let written = self.put_chunk(&offset, chunk);
        if written.is_err() {
            // A second failure changes nothing for the caller; the first one says why.
            let _ = self.set_extent(before);
        }
        written
    }

    fn put_chunk(&self, offset: &[u64; 3], chunk: &[u8]) -> Result<()> {
        let (dataset, data) = (self.dataset.get(), chunk.as_ptr().cast());
        let library = self.dataset.library();
        h5!(library, H5Dwrite_chunk(dataset, DEFAULT, 0, offset.as_ptr(), chunk.len(), data)).map(drop)
    }

    fn set_extent(&mut self, n_frames: u64) -> Result<()> {
        if n_frames != self.n_frames {
            let dims = [n_frames, self.shape.height as u64, self.shape.width as u64];
            h5!(self.dataset.library(), H5Dset_extent(self.dataset.get(), dims.as_ptr()))?;
            self.n_frames = n_frames;
        }
        Ok(())
    }
}

/// The bytes of a chunk with its filter mask; `None` where it was never written, which HDF5 1.x says by a size of 0, and
/// 2.x by an error that `is_missing` knows.
pub(super) fn stored_chunk(
    dataset: &Id,
    offset: &[u64],
    chunk_pixels: usize,
    is_missing: impl Fn(&Error) -> bool,
) -> Result<Option<(u32, Vec<u8>)>> {
    let (library, dataset) = (dataset.library(), dataset.get());
    let mut n_bytes = 0;
    match h5!(library, H5Dget_chunk_storage_size(dataset, offset.as_ptr(), &raw mut n_bytes)) {
        Ok(_) if n_bytes == 0 => return Ok(None),
        Err(error) if is_missing(&error) => return Ok(None),
        size => size?,
    };
    let most = chunk_pixels.saturating_mul(16).saturating_add(1 << 20);
    let mut n_bytes = usize::try_from(n_bytes).unwrap_or(usize::MAX);
    if n_bytes > most {
        return Err(Error::Unsupported(format!("the chunk at {offset:?} claims {n_bytes} bytes")));
    }
    let (mut mask, mut bytes) = (0, vec![0_u8; n_bytes]);
    let (offset, mask_out, data) = (offset.as_ptr(), &raw mut mask, bytes.as_mut_ptr().cast());
    let result = library.call("H5Dread_chunk", |functions| {
        if let Some(read_chunk) = functions.H5Dread_chunk2 {
            // SAFETY: `Library::new` was promised this function; `data` has the size that is said.
            unsafe { read_chunk(dataset, DEFAULT, offset, mask_out, data, &raw mut n_bytes) }
        } else if let Some(read_chunk) = functions.H5Dread_chunk {
            // SAFETY: as above; the size is what HDF5 said a moment ago.
            unsafe { read_chunk(dataset, DEFAULT, offset, mask_out, data) }
        } else {
            -1
        }
    });
    result.map(|_| Some((mask, bytes)))
}
