//! What a dataset's chunks look like, as the calling HDF5 tells it.

use darkchunk::codec::{ChunkLayout, Codec};
use darkchunk::element::{ElementClass, ElementType, IntegerParts};
use darkchunk_hdf5_abi::Hid;
use darkchunk_hdf5_abi::constants::{H5Z_FILTER_FLETCHER32, H5Z_FILTER_SHUFFLE};
use darkchunk_hdf5_abi::datatype::{self, Datatype, Integer};

use crate::host::Host;

/// The layout of the chunks of a dataset that is being created, as the filter of `C` will be handed them.
pub(crate) fn of<C: Codec>(host: &Host, dcpl: Hid, datatype: Hid) -> Result<ChunkLayout, String> {
    let dims = host.chunk(dcpl)?;
    let element = element(host, datatype)?;
    let filters = host.filters(dcpl)?;
    let before = filters.iter().take_while(|&&id| id != C::FILTER_ID.cast_signed());
    if C::MUST_BE_FIRST
        && let Some(other) = before.clone().next()
    {
        return Err(format!(
            "filter {other} stands before this one, which then sees no pixels any more; set this filter first, others \
             may follow"
        ));
    }
    // Only a filter that sees pixels may lose some.
    let is_asked = C::MUST_BE_FIRST && element.class != ElementClass::Other;
    let fill = if is_asked { element.bits(&host.fill_value(dcpl, datatype)?) } else { None };
    Ok(ChunkLayout { element, dims, resized_before: before.into_iter().any(|&id| id != H5Z_FILTER_SHUFFLE), fill })
}

/// Whether a filter that compresses, as far as we know, follows that of `C`.
pub(crate) fn is_before_another<C: Codec>(host: &Host, dcpl: Hid) -> Result<bool, String> {
    let filters = host.filters(dcpl)?;
    let mut after = filters.iter().skip_while(|&&id| id != C::FILTER_ID.cast_signed()).skip(1);
    Ok(after.any(|&id| id != H5Z_FILTER_SHUFFLE && id != H5Z_FILTER_FLETCHER32))
}

fn element(host: &Host, datatype: Hid) -> Result<ElementType, String> {
    let Datatype { n_bytes, base_bytes, integer, float, .. } = datatype::read(host, datatype)?;
    if let Some(is_big_endian) = float {
        return Ok(ElementType::float(n_bytes, is_big_endian));
    }
    let integer =
        integer.map(|Integer { is_signed, n_bits, is_big_endian }| IntegerParts { is_signed, n_bits, is_big_endian });
    Ok(ElementType::from_parts(n_bytes, base_bytes, integer))
}
