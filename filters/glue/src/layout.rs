//! What a dataset's chunks look like, as the calling HDF5 tells it.

use core::ffi::c_int;

use darkchunk::codec::{ChunkLayout, Codec};
use darkchunk::frame::{ByteOrder, ElementClass, ElementType};

use crate::abi::Hid;
use crate::host::Host;

/// `H5Z_FILTER_SHUFFLE`: moves bytes about, and keeps their number.
const SHUFFLE: c_int = 2;
/// `H5Z_FILTER_FLETCHER32`: a checksum.
const FLETCHER32: c_int = 3;
/// `H5T_INTEGER`.
const CLASS_INTEGER: c_int = 0;
/// `H5T_ARRAY`.
const CLASS_ARRAY: c_int = 10;
/// `H5T_SGN_2`.
const SIGNED: c_int = 1;
/// `H5T_ORDER_LE` and `H5T_ORDER_BE`.
const ORDERS: [(c_int, ByteOrder); 2] = [(0, ByteOrder::Little), (1, ByteOrder::Big)];

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
    Ok(ChunkLayout { element, dims, resized_before: before.into_iter().any(|&id| id != SHUFFLE) })
}

/// Whether a filter that compresses, as far as we know, follows that of `C`.
pub(crate) fn is_before_another<C: Codec>(host: &Host, dcpl: Hid) -> Result<bool, String> {
    let filters = host.filters(dcpl)?;
    let mut after = filters.iter().skip_while(|&&id| id != C::FILTER_ID.cast_signed()).skip(1);
    Ok(after.any(|&id| id != SHUFFLE && id != FLETCHER32))
}

fn element(host: &Host, datatype: Hid) -> Result<ElementType, String> {
    let n_bytes = host.size(datatype);
    if n_bytes == 0 {
        return Err("HDF5 does not tell the size of the element type (H5Tget_size failed)".to_owned());
    }
    let class = host.class(datatype);
    let base_bytes = if class == CLASS_ARRAY { host.base_size(datatype) } else { n_bytes };
    if base_bytes == 0 {
        return Err("HDF5 does not tell what the array type is made of (H5Tget_super failed)".to_owned());
    }
    let bytes = ElementType { class: ElementClass::Other, n_bytes, base_bytes, order: ByteOrder::NATIVE };
    // Only what fills its bytes is a number to us: of an integer with padding bits the padding would be a part.
    let is_number = class == CLASS_INTEGER && host.precision(datatype) == 8 * n_bytes;
    let order = ORDERS.iter().find(|(code, _)| *code == host.order(datatype));
    Ok(match order {
        Some((_, order)) if is_number => ElementType { class: integer(host, datatype), order: *order, ..bytes },
        _ => bytes,
    })
}

fn integer(host: &Host, datatype: Hid) -> ElementClass {
    if host.sign(datatype) == SIGNED { ElementClass::Signed } else { ElementClass::Unsigned }
}
