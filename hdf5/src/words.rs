//! Types and filters in words.

#![allow(unsafe_code)]

use std::ffi::CStr;

use crate::Result;
use crate::api::Hid;
use crate::dataset::StoredFilter;
use crate::library::{Library, h5, h5_optional, h5_tool};
use crate::object::{self, Id};
use crate::text::{self, Padding};
use darkchunk::element::ElementClass;
use darkchunk::pipeline::Pipeline;
use darkchunk_hdf5_abi::constants::{
    H5T_ARRAY, H5T_BITFIELD, H5T_COMPOUND, H5T_CSET_UTF8, H5T_ENUM, H5T_FLOAT, H5T_INTEGER, H5T_OPAQUE, H5T_ORDER_BE,
    H5T_REFERENCE, H5T_SGN_NONE, H5T_STRING, H5T_VLEN,
};

/// Types within types that are named.
const MAX_DEPTH: usize = 8;

/// Members of a compound that are named.
const MAX_MEMBERS: u32 = 16;

/// A datatype in words: `uint16`, `float64 (big-endian)`, `compound {x: int16, y: float32}`.
pub(crate) fn datatype(library: &Library, kind: Hid) -> Result<String> {
    within(library, kind, 0)
}

fn within(library: &Library, kind: Hid, depth: usize) -> Result<String> {
    let n_bytes = h5!(library, H5Tget_size(kind))?;
    if depth > MAX_DEPTH {
        return Ok("…".to_owned());
    }
    let base = |of: &str| -> Result<String> {
        let base = Id::new(library, h5_optional!(library, H5Tget_super(kind))?);
        Ok(format!("{of} {}", within(library, base.get(), depth + 1)?))
    };
    Ok(match h5!(library, H5Tget_class(kind))? {
        H5T_INTEGER => integer(library, kind, n_bytes)?,
        H5T_FLOAT => format!("float{}{}", 8 * n_bytes, order(library, kind, n_bytes)?),
        H5T_STRING => string(library, kind, n_bytes)?,
        H5T_BITFIELD => format!("bit field of {} bits", 8 * n_bytes),
        H5T_OPAQUE => format!("{n_bytes} opaque bytes"),
        H5T_COMPOUND => compound(library, kind, depth)?,
        H5T_REFERENCE if n_bytes == 12 => "reference to a region".to_owned(),
        H5T_REFERENCE => "reference".to_owned(),
        H5T_ENUM => base("enumeration of")?,
        H5T_VLEN => base("sequence of variable length of")?,
        H5T_ARRAY => base(&array(library, kind)?)?,
        other => format!("type of the class {other}, {n_bytes} bytes"),
    })
}

fn integer(library: &Library, kind: Hid, n_bytes: usize) -> Result<String> {
    let sign = if h5!(library, H5Tget_sign(kind))? == H5T_SGN_NONE { "u" } else { "" };
    let order = order(library, kind, n_bytes)?;
    let element = object::element_type(library, kind)?;
    let n_bits = h5_optional!(library, H5Tget_precision(kind))?;
    let packed = if element.class == ElementClass::Other && n_bits != 8 * n_bytes {
        format!(" of {n_bits} bits")
    } else {
        String::new()
    };
    Ok(format!("{sign}int{}{packed}{order}", 8 * n_bytes))
}

/// What h5py and numpy write is not said: null bytes after the end.
fn string(library: &Library, kind: Hid, n_bytes: usize) -> Result<String> {
    let padding = match text::of_type(library, kind)? {
        Some(Padding::NullTerminated) => ", null-terminated",
        Some(Padding::SpacePadded) => ", space-padded",
        Some(Padding::NullPadded) | None => "",
    };
    let is_variable = h5_optional!(library, H5Tis_variable_str(kind))? != 0;
    let length = if is_variable { "variable length".to_owned() } else { format!("{n_bytes} bytes") };
    let utf8 = if h5_tool!(library, H5Tget_cset(kind))? == H5T_CSET_UTF8 { ", UTF-8" } else { "" };
    Ok(format!("string of {length}{padding}{utf8}"))
}

fn order(library: &Library, kind: Hid, n_bytes: usize) -> Result<&'static str> {
    let is_big = n_bytes > 1 && h5!(library, H5Tget_order(kind))? == H5T_ORDER_BE;
    Ok(if is_big { " (big-endian)" } else { "" })
}

fn array(library: &Library, kind: Hid) -> Result<String> {
    let rank = h5_tool!(library, H5Tget_array_ndims(kind))?;
    let mut dims = vec![0; rank as usize];
    h5_tool!(library, H5Tget_array_dims2(kind, dims.as_mut_ptr()))?;
    Ok(format!("array ({}) of", shape(&dims)))
}

/// `100 x 512 x 512`.
pub(crate) fn shape(dims: &[u64]) -> String {
    dims.iter().map(u64::to_string).collect::<Vec<_>>().join(" x ")
}

fn compound(library: &Library, kind: Hid, depth: usize) -> Result<String> {
    let n_members = h5_optional!(library, H5Tget_nmembers(kind))?.cast_unsigned();
    let mut members = Vec::new();
    for index in 0..n_members.min(MAX_MEMBERS) {
        let member = Id::new(library, h5_optional!(library, H5Tget_member_type(kind, index))?);
        members.push(format!("{}: {}", member_name(library, kind, index)?, within(library, member.get(), depth + 1)?));
    }
    if n_members > MAX_MEMBERS {
        members.push(format!("{} more", n_members - MAX_MEMBERS));
    }
    Ok(format!("compound {{{}}}", members.join(", ")))
}

fn member_name(library: &Library, kind: Hid, index: u32) -> Result<String> {
    let name = h5_tool!(library, H5Tget_member_name(kind, index))?;
    // SAFETY: HDF5 gives a C string, which is ours.
    let text = unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
    h5_tool!(library, H5free_memory(name.cast()))?;
    Ok(text)
}

/// A filter in words, with its parameters: `bitshuffle, LZ4`, `gzip, level 4`.
#[must_use]
pub(crate) fn filter(StoredFilter { id, values }: &StoredFilter) -> String {
    let at = |slot: usize| values.get(slot).copied().unwrap_or(0);
    let signed = |slot: usize| at(slot).cast_signed();
    let number = || f64::from_bits(u64::from(at(2)) << 32 | u64::from(at(1)));
    match *id {
        1 => format!("gzip, level {}", at(0)),
        305 => "LZO".to_owned(),
        32001 => blosc(at(4), at(5), at(6)),
        32004 => "LZ4".to_owned(),
        32008 => match at(4) {
            0 => "bitshuffle without compression".to_owned(),
            2 => "bitshuffle, LZ4".to_owned(),
            3 => format!("bitshuffle, Zstd level {}", signed(5)),
            other => format!("bitshuffle, compression {other}"),
        },
        32015 => format!("Zstd, level {}", signed(0)),
        36114 => {
            let mode = match at(1) {
                1 => ", bare stream",
                2 => ", packed",
                _ => "",
            };
            format!("DRLE, threshold {}{mode}", at(0))
        }
        36115 => match at(0) {
            0 => "bounded, exact".to_owned(),
            1 => format!("bounded, off by {} at most", at(1)),
            3 => format!("bounded, off by {} at most", number()),
            4 => format!("bounded, off by {} of the range of a chunk's values at most", number()),
            _ => format!("bounded, noise {}/{}", at(1), at(2).max(1)),
        },
        id => {
            let pipeline = Pipeline::new([(id, &values[..])]).unwrap_or_default();
            let name =
                pipeline.steps().first().and_then(|step| step.name()).or_else(|| foreign(id).map(|known| known.0));
            name.map_or_else(|| format!("filter {id}, which is not known here"), str::to_owned)
        }
    }
}

fn blosc(level: u32, shuffle: u32, compressor: u32) -> String {
    let compressor = ["BloscLZ", "LZ4", "LZ4 HC", "Snappy", "zlib", "Zstd"].get(compressor as usize).unwrap_or(&"?");
    let shuffle = ["no shuffle", "byte shuffle", "bit shuffle"].get(shuffle as usize).unwrap_or(&"?");
    format!("Blosc, {compressor} level {level}, {shuffle}")
}

/// Filters of others: what they are called, and who has them.
fn foreign(id: u32) -> Option<(&'static str, &'static str)> {
    Some(match id {
        305 => ("LZO", "PyTables"),
        307 => ("bzip2", "hdf5plugin or PyTables"),
        32000 => ("lzf", "h5py"),
        32013 => ("ZFP", "hdf5plugin"),
        32017 => ("SZ", "hdf5plugin"),
        32018 => ("FCIDECOMP", "hdf5plugin"),
        32024 => ("SZ3", "hdf5plugin"),
        32026 => ("Blosc2", "hdf5plugin or PyTables"),
        32028 => ("SPERR", "hdf5plugin"),
        _ => return None,
    })
}

/// Who has the plugin that a reader needs for a filter; `None` where HDF5 itself has it.
#[must_use]
pub(crate) fn source(id: u32) -> Option<&'static str> {
    match id {
        0..256 => None,
        36114 | 36115 => Some("darkchunk"),
        32001 | 32004 | 32008 | 32015 => Some("darkchunk or hdf5plugin"),
        id => Some(foreign(id).map_or("not known here: see HDF5's list of registered filters", |known| known.1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_named_as_users_know_them() {
        let words = |id, values: &[u32]| filter(&StoredFilter { id, values: values.to_vec() });
        for (id, values, expected) in [
            (1, &[4][..], "gzip, level 4"),
            (2, &[2], "shuffle"),
            (32001, &[2, 2, 2, 100, 5, 2, 5], "Blosc, Zstd level 5, bit shuffle"),
            (32008, &[0, 4, 2, 0, 2], "bitshuffle, LZ4"),
            (32008, &[0, 4, 2, 0, 3, u32::MAX - 1], "bitshuffle, Zstd level -2"),
            (32015, &[], "Zstd, level 0"),
            (36114, &[20, 0], "DRLE, threshold 20"),
            (36114, &[20, 2], "DRLE, threshold 20, packed"),
            (36115, &[2, 1, 2], "bounded, noise 1/2"),
            (36115, &[3, 0, 0x3FE0_0000], "bounded, off by 0.5 at most"),
            (36115, &[4, 0, 0x3FC0_0000], "bounded, off by 0.125 of the range of a chunk's values at most"),
            (32013, &[], "ZFP"),
            (4711, &[], "filter 4711, which is not known here"),
        ] {
            assert_eq!(words(id, values), expected);
        }
        assert_eq!((source(3), source(36114)), (None, Some("darkchunk")));
    }
}
