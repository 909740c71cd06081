//! Any of our filters, chosen at run time by its number and parameters.

use crate::codec::bitshuffle::Bitshuffle;
use crate::codec::blosc::Blosc;
use crate::codec::drle::{Drle, Mode};
use crate::codec::lz4::Lz4;
use crate::codec::zstd::{self, Zstd};
use crate::codec::{ChunkLayout, Codec, DecodedSize};
use crate::cpu::Level;
use crate::{Error, Result, Threads};

/// One of the five codecs with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Filter {
    /// Filter 36114.
    Drle(Drle),
    /// Filter 32008.
    Bitshuffle(Bitshuffle),
    /// Filter 32001.
    Blosc(Blosc),
    /// Filter 32004.
    Lz4(Lz4),
    /// Filter 32015.
    Zstd(Zstd),
}

/// Runs an expression with the codec of a filter.
macro_rules! with_codec {
    ($filter:expr, $codec:ident => $then:expr) => {
        match $filter {
            Filter::Drle($codec) => $then,
            Filter::Bitshuffle($codec) => $then,
            Filter::Blosc($codec) => $then,
            Filter::Lz4($codec) => $then,
            Filter::Zstd($codec) => $then,
        }
    };
}

/// Runs an expression with the codec type that has the number `id`.
macro_rules! with_id {
    ($id:expr, $codec:ident => $then:expr) => {
        match $id {
            Drle::FILTER_ID => {
                type $codec = Drle;
                $then
            }
            Bitshuffle::FILTER_ID => {
                type $codec = Bitshuffle;
                $then
            }
            Blosc::FILTER_ID => {
                type $codec = Blosc;
                $then
            }
            Lz4::FILTER_ID => {
                type $codec = Lz4;
                $then
            }
            Zstd::FILTER_ID => {
                type $codec = Zstd;
                $then
            }
            unknown => Err(unknown_filter(unknown)),
        }
    };
}

macro_rules! from_codecs {
    ($($codec:ident),*) => {$(
        impl From<$codec> for Filter {
            fn from(codec: $codec) -> Self {
                Self::$codec(codec)
            }
        }
    )*};
}

from_codecs!(Drle, Bitshuffle, Blosc, Lz4, Zstd);

fn unknown_filter(id: u32) -> Error {
    Error::Unsupported(format!(
        "filter {id} is none of darkchunk's (DRLE {}, bitshuffle {}, Blosc {}, LZ4 {}, Zstd {})",
        Drle::FILTER_ID,
        Bitshuffle::FILTER_ID,
        Blosc::FILTER_ID,
        Lz4::FILTER_ID,
        Zstd::FILTER_ID
    ))
}

impl Filter {
    /// What is stored in the file for the parameters that a caller gave: [`Codec::localise`] of the filter `id`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a filter that is not ours; as [`Codec::localise`].
    pub fn localise(id: u32, cd_values: &[u32], layout: &ChunkLayout) -> Result<Vec<u32>> {
        with_id!(id, C => C::localise(cd_values, layout))
    }

    /// The filter `id` with stored parameters.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a filter that is not ours; as [`Codec::from_cd_values`].
    pub fn from_cd_values(id: u32, cd_values: &[u32]) -> Result<Self> {
        with_id!(id, C => C::from_cd_values(cd_values).map(Self::from))
    }

    /// Whether the filter `id` is one of ours.
    #[must_use]
    pub fn is_known(id: u32) -> bool {
        with_id!(id, C => Ok(C::FILTER_ID)).is_ok()
    }

    /// Whether every chunk has as many bytes encoded as decoded.
    pub(crate) fn keeps_size(&self) -> bool {
        matches!(self, Self::Bitshuffle(codec) if !codec.is_compressed())
    }

    /// Whether checksums in `stored`, a stored chunk, cover all that it decodes to.
    pub(crate) fn has_checksum(&self, stored: &[u8]) -> bool {
        match self {
            Self::Drle(drle) => drle.mode() == Mode::Container,
            Self::Zstd(_) => zstd::has_checksum(stored),
            Self::Bitshuffle(_) | Self::Blosc(_) | Self::Lz4(_) => false,
        }
    }

    /// The filter's number.
    #[must_use]
    pub fn id(&self) -> u32 {
        fn of<C: Codec>(_: &C) -> u32 {
            C::FILTER_ID
        }
        with_codec!(self, codec => of(codec))
    }

    /// The filter's name, as HDF5's tools print it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        fn of<C: Codec>(_: &C) -> &'static str {
            C::NAME
        }
        with_codec!(self, codec => of(codec))
    }

    /// [`Codec::chunk_bytes`].
    #[must_use]
    pub fn chunk_bytes(&self) -> Option<usize> {
        with_codec!(self, codec => codec.chunk_bytes())
    }

    /// [`Codec::max_encoded_len`].
    #[must_use]
    pub fn max_encoded_len(&self, n_bytes: usize) -> usize {
        with_codec!(self, codec => codec.max_encoded_len(n_bytes))
    }

    /// [`Codec::encode_at`].
    ///
    /// # Errors
    /// As there.
    pub fn encode_at(&self, level: Level, src: &[u8], dst: &mut [u8]) -> Result<usize> {
        with_codec!(self, codec => codec.encode_at(level, src, dst))
    }

    /// [`Codec::encode_with`].
    ///
    /// # Errors
    /// As there.
    pub fn encode_with(&self, level: Level, threads: Threads, src: &[u8], dst: &mut [u8]) -> Result<usize> {
        with_codec!(self, codec => codec.encode_with(level, threads, src, dst))
    }

    /// [`Codec::decoded_len`].
    ///
    /// # Errors
    /// As there.
    pub fn decoded_len(&self, src: &[u8]) -> Result<usize> {
        with_codec!(self, codec => codec.decoded_len(src))
    }

    /// [`Codec::decoded_size`].
    ///
    /// # Errors
    /// As there.
    pub fn decoded_size(&self, src: &[u8]) -> Result<DecodedSize> {
        with_codec!(self, codec => codec.decoded_size(src))
    }

    /// The bytes of `src` decoded: as it says, or `known` ones where it does not say and may have as many.
    pub(crate) fn decoded_len_as(&self, src: &[u8], known: Option<usize>) -> Result<usize> {
        match (self.decoded_size(src)?, known) {
            (DecodedSize::AtMost(max), Some(known)) => Ok(known.min(max)),
            _ => self.decoded_len(src),
        }
    }

    /// [`Codec::decode_up_to`].
    ///
    /// # Errors
    /// As there.
    pub fn decode_up_to(&self, level: Level, threads: Threads, src: &[u8], dst: &mut [u8]) -> Result<usize> {
        with_codec!(self, codec => codec.decode_up_to(level, threads, src, dst))
    }

    /// [`Codec::decode_at`].
    ///
    /// # Errors
    /// As there.
    pub fn decode_at(&self, level: Level, src: &[u8], dst: &mut [u8]) -> Result<()> {
        with_codec!(self, codec => codec.decode_at(level, src, dst))
    }

    /// [`Codec::decode_with`].
    ///
    /// # Errors
    /// As there.
    pub fn decode_with(&self, level: Level, threads: Threads, src: &[u8], dst: &mut [u8]) -> Result<()> {
        with_codec!(self, codec => codec.decode_with(level, threads, src, dst))
    }
}
