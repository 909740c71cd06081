//! The parameters of filter 32001: what callers give, and what stands in files.

use super::compressor::Compressor;
use super::header::Shuffle;
use crate::codec::parameters::Form;
use crate::{Error, Result};

pub(super) const TYPE_SIZE: usize = 2;
pub(super) const CHUNK_BYTES: usize = 3;
/// Where the level stands, and shuffle and compressor after it.
pub(super) const LEVEL: usize = 4;

/// Revision of the filter's parameters and version of the chunk format, as the reference writes them. Never read.
pub(super) const VERSIONS: [u32; 2] = [2, 2];

/// A chunk of so many bytes is told from a caller's value by its number.
const MIN_CLEAR_BYTES: u32 = 10;

/// Level, shuffle and compressor.
pub(super) const FORM: Form<3> = Form {
    defaults: [5, 1, 0],
    no_more: "Blosc takes [level, shuffle, compressor], alone or after four values that are overwritten; leave the others out",
};

/// What the caller chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Encoding {
    pub(super) level: u32,
    pub(super) shuffle: Shuffle,
    pub(super) compressor: Compressor,
}

/// The caller's level, shuffle and compressor, and where they stand: at the front where they are all there is, else after the four
/// slots that the reference reserves. What is in these is overwritten; but of fewer than seven values, or with zeros after it, the first
/// may be meant as the level, so there they are zeros, or what is stored: revision, format, bytes of an element, bytes of a chunk.
pub(super) fn given(cd_values: &[u32]) -> Result<(usize, [u32; 3])> {
    let Some((front, values)) = cd_values.split_first_chunk::<LEVEL>() else { return Ok((0, FORM.read(cd_values)?)) };
    let is_stored = matches!(*front, [1 | 2, 2, 1..=255, MIN_CLEAR_BYTES..=u32::MAX]);
    let may_be_given = values.len() < FORM.defaults.len() || values.iter().all(|value| *value == 0);
    if may_be_given && *front != [0; LEVEL] && !is_stored {
        let what = "Blosc takes [level, shuffle, compressor] or [0, 0, 0, 0, level, shuffle, compressor]";
        return Err(Error::Parameter { index: 0, value: front[0], what });
    }
    let read = FORM.read(values).map_err(|error| match error {
        Error::Parameter { index, value, what } => Error::Parameter { index: index + LEVEL, value, what },
        other => other,
    });
    Ok((LEVEL, read?))
}

/// Level, shuffle and compressor, which stand from `at` on.
pub(super) fn check_encoding([level, shuffle, compressor]: [u32; 3], at: usize) -> Result<Encoding> {
    let refused = |index, value, what| Error::Parameter { index: at + index, value, what };
    if level > 9 {
        return Err(refused(0, level, "Blosc has the levels 0 to 9"));
    }
    let shuffle = match shuffle {
        0 => Shuffle::None,
        1 => Shuffle::Byte,
        2 => Shuffle::Bit,
        other => return Err(refused(1, other, "shuffle is 0 (none), 1 (bytes) or 2 (bits)")),
    };
    let known = Compressor::ALL.into_iter().find(|known| *known as u32 == compressor);
    let what = "the compressor is 0 (blosclz), 1 (lz4), 2 (lz4hc), 3 (snappy), 4 (zlib) or 5 (zstd)";
    let compressor = known.ok_or_else(|| refused(2, compressor, what))?;
    Ok(Encoding { level, shuffle, compressor })
}
