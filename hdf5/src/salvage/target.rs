//! The dataset that is written.

use super::source::Source;
use crate::api::Hid;
use crate::dataset::{self, StoredFilter};
use crate::library::{DEFAULT, h5, h5_optional};
use crate::object::{self, Id};
use crate::{Error, Result};
use darkchunk::chunk::Filter;
use darkchunk::codec::ChunkLayout;
use darkchunk::cpu::Level;
use darkchunk::pipeline::Pipeline;
use darkchunk::salvage::buffer;
use darkchunk_hdf5_abi::constants::{H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS, H5Z_FLAG_OPTIONAL};

/// Numbers below this are HDF5's own filters, which need no plugin.
const FIRST_PLUGIN_ID: u32 = 256;

/// A dataset that is written.
pub(super) struct Target {
    pub(super) dataset: Id,
    pipeline: Pipeline,
    /// A chunk of the fill value.
    pub(super) fill: Vec<u8>,
}

impl Target {
    pub(super) fn create(source: &Source, into: Hid) -> Result<Self> {
        if source.refers {
            let what = "of variable length, or references: they can be examined, not saved";
            return Err(Error::Unsupported(format!("the elements are, or have parts that are, {what}")));
        }
        forget_layout_version(source)?;
        source.filters.iter().try_for_each(|filter| make_optional(&source.properties, filter))?;
        let library = source.dataset.library();
        let (kind, properties) = (source.datatype.get(), source.properties.get());
        // HDF5 itself says what the fill value is: an empty dataset of one chunk reads so.
        let one_chunk = object::dataspace(library, &source.chunk, false)?;
        let empty = h5!(library, H5Dcreate_anon(into, kind, one_chunk.get(), properties, DEFAULT))?;
        let empty = Id::new(library, empty);
        let mut fill = buffer(source.chunk_bytes)?;
        h5!(library, H5Dread(empty.get(), kind, DEFAULT, DEFAULT, DEFAULT, fill.as_mut_ptr().cast()))?;
        let dataset = h5!(library, H5Dcreate_anon(into, kind, source.space.get(), properties, DEFAULT))?;
        let target = Self { dataset: Id::new(library, dataset), pipeline: source.pipeline.clone(), fill };
        check_filters(source, &dataset::filters(&target.dataset)?)?;
        Ok(target)
    }

    pub(super) fn write(&self, offset: &[u64], mask: u32, chunk: &[u8]) -> Result<()> {
        let (library, data) = (self.dataset.library(), chunk.as_ptr().cast());
        let (dataset, offset) = (self.dataset.get(), offset.as_ptr());
        h5!(library, H5Dwrite_chunk(dataset, DEFAULT, mask, offset, chunk.len(), data)).map(drop)
    }

    /// Encodes pixels anew; as they are, where that would change one.
    pub(super) fn encode(&self, offset: &[u64], is_filtered: bool, pixels: &[u8]) -> Result<()> {
        let (level, mask) = (Level::current(), 0);
        if !is_filtered {
            return self.write(offset, mask, pixels);
        }
        let mut again = buffer(pixels.len())?;
        if let Ok(chunk) = self.pipeline.encode(level.into(), pixels)
            && self.pipeline.decode(level.into(), mask, &chunk, &mut again).is_ok()
            && again == pixels
        {
            return self.write(offset, mask, &chunk);
        }
        let n_filters = self.pipeline.steps().len();
        self.write(offset, (0..n_filters).fold(0, |mask, index| mask | 1 << index), pixels)
    }
}

/// Lets a dataset be made with these properties in a file of an older format: they say in which version of the format the
/// chunks' layout is stored, unless the chunks' shape is set anew.
fn forget_layout_version(source: &Source) -> Result<()> {
    let (library, properties) = (source.properties.library(), source.properties.get());
    if source.edges_are_raw && library.functions().H5Pset_chunk_opts.is_none() {
        return Ok(());
    }
    h5!(library, H5Pset_chunk(properties, source.chunk.len() as i32, source.chunk.as_ptr()))?;
    if source.edges_are_raw {
        h5_optional!(library, H5Pset_chunk_opts(properties, H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS))?;
    }
    Ok(())
}

/// Lets a dataset be made with these properties where a filter's plugin is not installed.
fn make_optional(properties: &Id, filter: &StoredFilter) -> Result<()> {
    let (library, n_values) = (properties.library(), filter.values.len());
    // Without the function the plugin must be there, as HDF5 will say.
    if filter.id < FIRST_PLUGIN_ID || library.functions().H5Pmodify_filter.is_none() {
        return Ok(());
    }
    let (id, values) = (filter.id.cast_signed(), filter.values.as_ptr());
    h5_optional!(library, H5Pmodify_filter(properties.get(), id, H5Z_FLAG_OPTIONAL, n_values, values)).map(drop)
}

/// Whether chunks of the source decode with the parameters that the new dataset got from plugins, if there are any.
fn check_filters(source: &Source, found: &[StoredFilter]) -> Result<()> {
    // A plugin completes older parameters by the fill value, which does not matter for decoding.
    let fill = object::fill_bits(&source.properties, source.datatype.get(), source.element)?;
    let layout = ChunkLayout { fill, ..ChunkLayout::new(source.element, source.chunk.clone()) };
    let exact = |filter: &StoredFilter| Filter::localise(filter.id, &filter.values, &layout);
    let is_same = |before: &StoredFilter, after: &StoredFilter| {
        before == after || before.id == after.id && exact(before).is_ok_and(|before| exact(after) == Ok(before))
    };
    let filters = &source.filters;
    if filters.len() == found.len() && filters.iter().zip(found).all(|(before, after)| is_same(before, after)) {
        return Ok(());
    }
    Err(Error::Unsupported(format!(
        "the plugins that HDF5 found store the filters {filters:?} as {found:?}: have HDF5_PLUGIN_PATH name darkchunk's \
         plugins first, or none"
    )))
}
