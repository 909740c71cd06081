//! Zstd, filter 32015.
//!
//! A chunk is one bare Zstd frame that states its content size; what else others write is in `frames`. It has no parts that
//! threads could share: one does it all.

pub(crate) mod context;
mod frames;
mod small;
mod zeros;

use self::frames::Frames;
use super::parameters::Form;
use super::{ChunkLayout, Codec, DecodedSize, OpenChunk};
use crate::{Error, Exec, Result};

const FORM: Form<1> = Form { defaults: [0], no_more: "Zstd takes one value, its level; leave the others out" };

/// Zstd, filter 32015. Compatible with the HDF Group's filter both ways.
///
/// Parameters: `[level]`, signed; 0 or nothing is Zstd's default (3). netCDF's own plugin refuses any other number of them. Files
/// of earlier versions have a second one, the bytes of a decoded chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zstd {
    zstd_level: i32,
    chunk_bytes: Option<usize>,
}

impl Zstd {
    /// Zstd of `zstd_level`, which [`Codec::localise`] checks; 0 for Zstd's default.
    #[must_use]
    pub fn new(zstd_level: i32) -> Self {
        Self { zstd_level, chunk_bytes: None }
    }

    /// The exact `cd_values` that HDF5 stores for chunks of `layout`.
    ///
    /// # Errors
    /// As [`Codec::localise`].
    pub fn cd_values(&self, layout: &ChunkLayout) -> Result<Vec<u32>> {
        Self::localise(&[self.zstd_level.cast_unsigned()], layout)
    }
}

/// Refuses a level that Zstd does not have. `index` is its slot.
pub(crate) fn check_level(zstd_level: u32, index: usize) -> Result<()> {
    if (zstd_safe::min_c_level()..=zstd_safe::max_c_level()).contains(&zstd_level.cast_signed()) {
        return Ok(());
    }
    Err(Error::Parameter {
        index,
        value: zstd_level,
        what: "Zstd has no such level; give 1 to 22, or 0 for its default",
    })
}

impl Codec for Zstd {
    const FILTER_ID: u32 = 32015;
    const SHORT_NAME: &'static str = "Zstd";
    const NAME: &'static str = "zstd; see darkchunk, docs/format.md";

    type Open<'a> = Frames<'a>;

    fn localise(cd_values: &[u32], layout: &ChunkLayout) -> Result<Vec<u32>> {
        let [zstd_level] = match cd_values {
            [_, _chunk_bytes] => FORM.read_stored(cd_values),
            given => FORM.read(given)?,
        };
        check_level(zstd_level, 0)?;
        layout.chunk_bytes()?;
        // netCDF takes a level of 0 for "not compressed", and would not compress a copy.
        Ok(vec![if zstd_level == 0 { zstd_safe::CLEVEL_DEFAULT.cast_unsigned() } else { zstd_level }])
    }

    fn from_cd_values(cd_values: &[u32]) -> Result<Self> {
        let zstd_level = cd_values.first().copied().unwrap_or(0).cast_signed();
        let chunk_bytes = cd_values.get(1).filter(|_| cd_values.len() == 2).copied().unwrap_or(0);
        Ok(Self { zstd_level, chunk_bytes: (chunk_bytes != 0).then_some(chunk_bytes as usize) })
    }

    fn chunk_bytes(&self) -> Option<usize> {
        self.chunk_bytes
    }

    fn max_encoded_len(&self, n_bytes: usize) -> usize {
        context::max_encoded_len(n_bytes)
    }

    fn encode(&self, exec: Exec, src: &[u8], dst: &mut [u8]) -> Result<usize> {
        check_level(self.zstd_level.cast_unsigned(), 0)?;
        let too_small = Error::OutputTooSmall { needed: self.max_encoded_len(src.len()), available: dst.len() };
        context::Encoder::new(exec.level, self.zstd_level).encode_block(src, dst).ok_or(too_small)
    }

    fn open<'a>(&'a self, src: &'a [u8]) -> Result<Frames<'a>> {
        Frames::read(src)
    }
}

impl OpenChunk for Frames<'_> {
    fn decoded_size(&self) -> Result<DecodedSize> {
        Ok(self.size)
    }

    /// Whether each of the frames has one, which the decoder checks.
    fn has_checksum(&self) -> bool {
        self.have_checksums
    }

    fn decode(&self, exec: Exec, dst: &mut [u8]) -> Result<()> {
        match self.size {
            DecodedSize::Exactly(found) if found != dst.len() => Err(Error::WrongSize { expected: dst.len(), found }),
            _ => context::Decoder::new(exec.level).decode_block(self.bytes, dst),
        }
    }

    fn decode_up_to(&self, exec: Exec, dst: &mut [u8]) -> Result<usize> {
        let DecodedSize::Exactly(needed) = self.size else {
            return context::Decoder::new(exec.level).decode_up_to(self.bytes, dst);
        };
        let available = dst.len();
        self.decode(exec, dst.get_mut(..needed).ok_or(Error::OutputTooSmall { needed, available })?)?;
        Ok(needed)
    }
}
