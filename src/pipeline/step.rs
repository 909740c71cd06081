//! One filter of a pipeline.

use super::gzip;
use crate::codec::{Filter, FilterChunk};
use crate::kernels::{
    fletcher32::fletcher32,
    shuffle::{shuffle, unshuffle},
};
use crate::memory::buffer;
use crate::{Error, Exec, Result};

const DEFLATE_ID: u32 = 1;
const SHUFFLE_ID: u32 = 2;
const FLETCHER32_ID: u32 = 3;
const SZIP_ID: u32 = 4;
const NBIT_ID: u32 = 5;
const SCALEOFFSET_ID: u32 = 6;
const LZF_ID: u32 = 32000;

/// Bytes of the checksum that fletcher32 puts after a chunk.
pub(crate) const FLETCHER32_BYTES: usize = 4;

/// One filter of a dataset.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// One of darkchunk's codecs.
    Codec(Filter),
    /// HDF5's byte shuffle.
    Shuffle {
        /// Bytes of an element.
        element_bytes: usize,
    },
    /// HDF5's checksum.
    Fletcher32,
    /// HDF5's gzip: zlib streams.
    Gzip {
        /// From 0 to 9.
        level: u32,
    },
    /// A filter that cannot be undone here. A chunk's mask may leave it out.
    Other {
        /// Its number.
        id: u32,
        /// Why not: it is not known, or its parameters mean nothing.
        reason: Error,
    },
}

impl Step {
    pub(super) fn new(id: u32, values: &[u32]) -> Self {
        let step = match (id, values) {
            (SHUFFLE_ID, &[element_bytes]) if element_bytes != 0 => {
                Ok(Self::Shuffle { element_bytes: element_bytes as usize })
            }
            (SHUFFLE_ID, _) => Err(Error::Unsupported(format!(
                "the shuffle filter has the parameters {values:?}; one is expected, the bytes of an element"
            ))),
            (FLETCHER32_ID, _) => Ok(Self::Fletcher32),
            (DEFLATE_ID, _) => Ok(Self::Gzip { level: values.first().copied().unwrap_or(6).min(9) }),
            _ if Filter::is_known(id) => Filter::from_cd_values(id, values).map(Self::Codec),
            _ => {
                let name = name_of(id).map(|name| format!(" ({name})")).unwrap_or_default();
                Err(Error::Unsupported(format!("filter {id}{name} is none that darkchunk decodes")))
            }
        };
        step.unwrap_or_else(|reason| Self::Other { id, reason })
    }

    /// The filter's number.
    #[must_use]
    pub fn id(&self) -> u32 {
        match self {
            Self::Codec(codec) => codec.id(),
            Self::Shuffle { .. } => SHUFFLE_ID,
            Self::Fletcher32 => FLETCHER32_ID,
            Self::Gzip { .. } => DEFLATE_ID,
            Self::Other { id, .. } => *id,
        }
    }

    /// The filter's usual name, where it is known.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        name_of(self.id())
    }

    /// Whether a chunk has the same size after this filter as before it.
    pub(crate) fn keeps_size(&self) -> bool {
        match self {
            Self::Shuffle { .. } => true,
            Self::Codec(codec) => codec.keeps_size(),
            Self::Fletcher32 | Self::Gzip { .. } | Self::Other { .. } => false,
        }
    }

    /// The most bytes that `n_bytes` become.
    pub(super) fn max_encoded_len(&self, n_bytes: usize) -> usize {
        match self {
            Self::Codec(codec) => codec.max_encoded_len(n_bytes),
            Self::Gzip { .. } => gzip::max_encoded_len(n_bytes),
            Self::Fletcher32 => n_bytes.saturating_add(FLETCHER32_BYTES),
            Self::Shuffle { .. } | Self::Other { .. } => n_bytes,
        }
    }

    /// Opens `bytes`, a chunk as this filter stores it.
    pub(crate) fn open<'a>(&'a self, bytes: &'a [u8]) -> Result<OpenStep<'a>> {
        Ok(match self {
            Self::Codec(codec) => OpenStep::Codec(codec.open(bytes)?),
            Self::Shuffle { element_bytes } => OpenStep::Shuffle { element_bytes: *element_bytes, bytes },
            Self::Fletcher32 => OpenStep::Fletcher32 { bytes },
            Self::Gzip { .. } => OpenStep::Gzip { bytes },
            Self::Other { reason, .. } => return Err(reason.clone()),
        })
    }

    /// Applies this filter to `bytes`.
    pub(super) fn apply(&self, exec: Exec, bytes: &[u8]) -> Result<Vec<u8>> {
        let mut applied = match self {
            Self::Codec(_) => buffer(self.max_encoded_len(bytes.len()))?,
            Self::Shuffle { .. } | Self::Fletcher32 => buffer(bytes.len())?,
            Self::Gzip { level } => return gzip::encode(*level, bytes),
            Self::Other { reason, .. } => return Err(reason.clone()),
        };
        match self {
            Self::Codec(codec) => {
                let n_bytes = codec.encode(exec, bytes, &mut applied)?;
                applied.truncate(n_bytes);
            }
            Self::Shuffle { element_bytes } => shuffle(exec.level, *element_bytes, bytes, &mut applied),
            Self::Fletcher32 | Self::Gzip { .. } | Self::Other { .. } => {
                applied.copy_from_slice(bytes);
                applied.extend(fletcher32(bytes).to_le_bytes());
            }
        }
        Ok(applied)
    }
}

/// A chunk as a filter stores it, opened.
#[allow(clippy::large_enum_variant, reason = "there is one at a time, on the stack")]
pub(crate) enum OpenStep<'a> {
    Codec(FilterChunk<'a>),
    Shuffle { element_bytes: usize, bytes: &'a [u8] },
    Fletcher32 { bytes: &'a [u8] },
    Gzip { bytes: &'a [u8] },
}

impl OpenStep<'_> {
    /// Whether a checksum covers all that the chunk decodes to.
    pub(crate) fn has_checksum(&self) -> bool {
        match self {
            Self::Codec(chunk) => chunk.has_checksum(),
            Self::Shuffle { .. } => false,
            Self::Fletcher32 { .. } | Self::Gzip { .. } => true,
        }
    }

    /// The bytes that there are when the filter is undone: `known` ones, or where that is `None`, as many as the chunk says and
    /// can hold.
    pub(crate) fn decoded_len(&self, known: Option<usize>) -> Result<usize> {
        let found = match self {
            Self::Codec(chunk) => chunk.decoded_len_as(known)?,
            Self::Shuffle { bytes, .. } => bytes.len(),
            Self::Fletcher32 { bytes } => bytes.len().saturating_sub(FLETCHER32_BYTES),
            // Where it is known, `undo` finds out whether it is so.
            Self::Gzip { bytes } => known.map_or_else(|| gzip::decoded_len(bytes), Ok)?,
        };
        match known.filter(|known| *known != found) {
            Some(expected) => Err(Error::WrongSize { expected, found }),
            None => Ok(found),
        }
    }

    /// Undoes the filter, into the whole of `dst`, which has [`decoded_len`](Self::decoded_len) bytes.
    pub(crate) fn undo(&self, exec: Exec, dst: &mut [u8]) -> Result<()> {
        match self {
            Self::Codec(chunk) => chunk.decode(exec, dst)?,
            Self::Shuffle { element_bytes, bytes } => unshuffle(exec.level, *element_bytes, bytes, dst),
            Self::Fletcher32 { bytes } => dst.copy_from_slice(checked(bytes)?),
            Self::Gzip { bytes } => gzip::decode(bytes, dst)?,
        }
        Ok(())
    }
}

fn name_of(id: u32) -> Option<&'static str> {
    Some(match id {
        DEFLATE_ID => "gzip",
        SHUFFLE_ID => "shuffle",
        FLETCHER32_ID => "fletcher32",
        SZIP_ID => "szip",
        NBIT_ID => "nbit",
        SCALEOFFSET_ID => "scaleoffset",
        LZF_ID => "lzf",
        _ => return Filter::short_name(id),
    })
}

/// What stands before the checksum at the end of `bytes`, which must match.
pub(crate) fn checked(bytes: &[u8]) -> Result<&[u8]> {
    let Some((bytes, stored)) = bytes.split_last_chunk::<FLETCHER32_BYTES>() else {
        return Err(Error::Truncated { at: 0, needed: FLETCHER32_BYTES, available: bytes.len() });
    };
    let (stored, computed) = (u32::from_le_bytes(*stored), fletcher32(bytes));
    // HDF5 before 1.6.3 stored the bytes of each sum in the opposite order, and all later ones read both.
    let reversed = (computed & 0x00ff_00ff) << 8 | computed >> 8 & 0x00ff_00ff;
    if stored == computed || stored == reversed { Ok(bytes) } else { Err(Error::Checksum { stored, computed }) }
}
