//! The parameters of filter 32008: what callers give, and what stands in files.
//!
//! Stored here: `[0, 4, element bytes, block elements, compression, level, chunk bytes]`. The reference stores the same
//! slots 0 to 5 as far as the caller gave values, and reads no slot after them. It shifts values that it stored once
//! when they are given to it again; such files have an unknown compression in slot 4, and hold bitshuffled elements that
//! are not compressed.

use super::geometry::{Bitshuffle, Compression, GROUP_ELEMENTS, check_block_elements};
use crate::codec::ChunkLayout;
use crate::codec::list::not_built;
use crate::codec::parameters::Form;
#[cfg(feature = "zstd")]
use crate::codec::zstd;
use crate::{Error, Result};

const COMP_NONE: u32 = 0;
const COMP_LZ4: u32 = 2;
const COMP_ZSTD: u32 = 3;

/// Values that a reader finds when we stored them.
const N_STORED: usize = 7;

/// Where the caller's values stand in stored ones: after the version and the bytes of an element.
const STORED_AT: usize = 3;

/// Minor versions below this are also numbers of compressions.
const FIRST_CLEAR_VERSION: u32 = 4;

/// The last minor version that is known to store three values and no more.
const LAST_SHORT_VERSION: u32 = 5;

const fn form(default_compression: u32) -> Form<3> {
    Form {
        defaults: [0, default_compression, 0],
        no_more: "bitshuffle takes [block elements, compression, level]; leave the others out",
    }
}

/// Whether these values are stored ones, given again. A caller gives `[block, compression, level]`, of which the block is a multiple
/// of 8 elements; versions are 0.2 to 0.5.
fn are_stored(cd_values: &[u32]) -> Result<bool> {
    let [major, minor, element_bytes, rest @ ..] = cd_values else { return Ok(false) };
    if *major >= GROUP_ELEMENTS as u32 || *element_bytes == 0 {
        return Ok(false);
    }
    if rest.is_empty() {
        return Ok(*major == 0 && (FIRST_CLEAR_VERSION..=LAST_SHORT_VERSION).contains(minor));
    }
    if *minor >= FIRST_CLEAR_VERSION || rest.iter().any(|value| *value != 0) {
        return Ok(true);
    }
    if !matches!(*minor, COMP_LZ4 | COMP_ZSTD) {
        return Ok(false);
    }
    let what = "these may be [block elements, compression, level] or what an old bitshuffle has stored; give three values, \
        without zeros after them";
    Err(Error::Parameter { index: STORED_AT, value: 0, what })
}

fn is_known(comp: u32) -> bool {
    matches!(comp, COMP_NONE | COMP_LZ4 | COMP_ZSTD)
}

/// What is stored for what a caller gave. Without a compression among it that is LZ4, or none before a filter that compresses:
/// the reference's is none, which nobody wants who gives nothing.
pub(super) fn localise(cd_values: &[u32], layout: &ChunkLayout, is_before_another: bool) -> Result<Vec<u32>> {
    let are_stored = are_stored(cd_values)?;
    let (at, [block_elements, mut comp, zstd_level]) = if are_stored {
        (STORED_AT, form(COMP_NONE).read_stored(&cd_values[STORED_AT..]))
    } else {
        (0, form(if is_before_another { COMP_NONE } else { COMP_LZ4 }).read(cd_values)?)
    };
    if !is_known(comp) {
        if !are_stored {
            let what = "there is no such compression; give 0 for none, 2 for LZ4, 3 for Zstd";
            return Err(Error::Parameter { index: 1, value: comp, what });
        }
        comp = COMP_NONE;
    }
    check_built(comp)?;
    let element_bytes = u32::try_from(layout.element.n_bytes).ok().filter(|n| *n > 0);
    let element_bytes = element_bytes
        .ok_or_else(|| Error::Argument(format!("bitshuffle has no elements of {} bytes", layout.element.n_bytes)))?;
    check_block_elements(block_elements, element_bytes as usize, at)?;
    #[cfg(feature = "zstd")]
    if comp == COMP_ZSTD {
        zstd::check_level(zstd_level, at + 2)?;
    }
    Ok(vec![0, 4, element_bytes, block_elements, comp, zstd_level, layout.expected_bytes()?])
}

/// Refuses a compression that this build lacks.
fn check_built(comp: u32) -> Result<()> {
    match comp {
        COMP_LZ4 if !cfg!(feature = "lz4") => Err(not_built("bitshuffle with LZ4", "lz4")),
        COMP_ZSTD if !cfg!(feature = "zstd") => Err(not_built("bitshuffle with Zstd", "zstd")),
        _ => Ok(()),
    }
}

pub(super) fn from_cd_values(cd_values: &[u32]) -> Result<Bitshuffle> {
    let Some(&element_bytes) = cd_values.get(2) else {
        return Err(Error::Argument(format!(
            "bitshuffle's stored parameters begin with three values, the third the bytes of an element; here are only \
             {cd_values:?}: was the dataset created without the filter's plugin?"
        )));
    };
    if element_bytes == 0 {
        return Err(Error::Parameter { index: 2, value: 0, what: "an element has at least one byte" });
    }
    let slot = |index: usize| cd_values.get(index).copied().unwrap_or(0);
    check_built(slot(4))?;
    let compression = match slot(4) {
        #[cfg(feature = "lz4")]
        COMP_LZ4 => Compression::Lz4,
        #[cfg(feature = "zstd")]
        COMP_ZSTD => Compression::Zstd { level: slot(5).cast_signed() },
        _ => Compression::None,
    };
    let chunk_bytes = if cd_values.len() == N_STORED && is_known(slot(4)) { slot(6) } else { 0 };
    Ok(Bitshuffle {
        element_bytes: element_bytes as usize,
        block_elements: slot(3),
        compression,
        chunk_bytes: (chunk_bytes != 0).then_some(chunk_bytes as usize),
    })
}

/// What a caller gives for these parameters.
pub(super) fn to_caller_values(codec: &Bitshuffle) -> [u32; 3] {
    let (comp, zstd_level) = match codec.compression {
        Compression::None => (COMP_NONE, 0),
        #[cfg(feature = "lz4")]
        Compression::Lz4 => (COMP_LZ4, 0),
        #[cfg(feature = "zstd")]
        Compression::Zstd { level } => (COMP_ZSTD, level.cast_unsigned()),
    };
    [codec.block_elements, comp, zstd_level]
}
