//! Zstd contexts that are made once and reused over the blocks of a chunk.
//!
//! Making a context costs more than an 8 KiB block. A context is made when the first block needs one and lives as long
//! as the chunk is worked on: nothing is kept per thread, because the library that holds this code may be unloaded.

use crate::{Error, Result};
use zstd_safe::{CCtx, CParameter, DCtx};

/// The most a Zstd block (not a frame) decodes to.
const MAX_BLOCK_BYTES: usize = 128 << 10;

/// The least bytes a Zstd block takes: its header, and one byte to repeat.
const MIN_BLOCK_BYTES: usize = 4;

/// The most bytes that encoding `n_bytes` can give. Saturates.
pub(crate) fn max_encoded_len(n_bytes: usize) -> usize {
    let short = (MAX_BLOCK_BYTES.saturating_sub(n_bytes)) >> 11;
    n_bytes.saturating_add(n_bytes >> 8).saturating_add(short)
}

/// The most bytes that `n_bytes` of Zstd can decode to. Saturates.
pub(crate) fn max_decoded_len(n_bytes: usize) -> usize {
    (n_bytes / MIN_BLOCK_BYTES).saturating_mul(MAX_BLOCK_BYTES)
}

/// The decoded size that the frame at the front of `src` states. `None` where it states none.
pub(crate) fn content_size(src: &[u8]) -> Result<Option<u64>> {
    zstd_safe::get_frame_content_size(src)
        .map_err(|_| Error::Corrupt { at: 0, what: "this is not the beginning of a Zstd frame" })
}

/// Encodes blocks, one frame a block.
pub(crate) struct Encoder {
    zstd_level: i32,
    context: Option<CCtx<'static>>,
}

impl Encoder {
    /// An encoder of `zstd_level`; 0 is Zstd's default. Costs nothing until the first block.
    pub(crate) fn new(zstd_level: i32) -> Self {
        Self { zstd_level, context: None }
    }

    /// Encodes `src` as one frame that states its content size, to the front of `dst`. Returns the bytes written; `None`
    /// where they do not fit. The rest of `dst` is scratch.
    pub(crate) fn encode_block(&mut self, src: &[u8], dst: &mut [u8]) -> Option<usize> {
        let context = match &mut self.context {
            Some(context) => context,
            empty => empty.insert(new_context(self.zstd_level)?),
        };
        context.compress2(dst, src).ok()
    }
}

fn new_context(zstd_level: i32) -> Option<CCtx<'static>> {
    let mut context = CCtx::try_create()?;
    context.set_parameter(CParameter::CompressionLevel(zstd_level)).ok()?;
    Some(context)
}

/// Decodes frames, one after the other.
#[derive(Default)]
pub(crate) struct Decoder {
    context: Option<DCtx<'static>>,
}

impl Decoder {
    /// Costs nothing until the first block.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Decodes `src` into the whole of `dst`. Offsets in errors are in `src`.
    pub(crate) fn decode_block(&mut self, src: &[u8], dst: &mut [u8]) -> Result<()> {
        const DAMAGED: Error = Error::Corrupt { at: 0, what: "the Zstd frame cannot be decoded to its size" };
        let context = match &mut self.context {
            Some(context) => context,
            empty => {
                let context = DCtx::try_create();
                empty.insert(context.ok_or_else(|| Error::Unsupported("no memory for a Zstd decoder".into()))?)
            }
        };
        match context.decompress(dst, src) {
            Ok(n_bytes) if n_bytes == dst.len() => Ok(()),
            Ok(found) => Err(Error::WrongSize { expected: dst.len(), found }),
            Err(_) => Err(DAMAGED),
        }
    }
}
