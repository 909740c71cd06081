//! Zstd contexts that are made once and reused over the blocks of a chunk.
//!
//! Making a context costs more than an 8 KiB block. A context is made when the first block needs one and lives as long
//! as the chunk is worked on: nothing is kept per thread, because the library that holds this code may be unloaded.
//!
//! Zeros at the end of a block do not reach Zstd (see `zeros`), and the frame that a block of zeros was last decoded from is
//! known.

use super::{small, zeros};
use crate::cpu::Level;
use crate::kernels::zero::is_zero;
use crate::{Error, Result};
use zstd_safe::{CCtx, CParameter, DCtx};

/// The most a Zstd block (not a frame) decodes to.
pub(super) const MAX_BLOCK_BYTES: usize = 128 << 10;

/// The least bytes a Zstd block takes: its header, and one byte to repeat.
const MIN_BLOCK_BYTES: usize = 4;

/// Blocks of bit rows up to this size are encoded with parameters of their own.
const SMALL_BYTES: usize = 16 << 10;

/// Frames up to this length are looked at for being all zeros once they are decoded. The reference's have 19 bytes.
const ZEROS_FRAME_BYTES: usize = 32;

/// More zeros than these are left to the library: the frame written here has all of its content for a window, and RFC 8878
/// asks decoders that work piece by piece for windows of 8 MiB only.
const MAX_ZEROS: usize = 8 << 20;

/// Zeros at the end of a block are looked for in steps of so many bytes.
const ZEROS_STEP: usize = 256;

/// The most bytes that encoding `n_bytes` can give. Saturates.
pub(crate) fn max_encoded_len(n_bytes: usize) -> usize {
    let short = (MAX_BLOCK_BYTES.saturating_sub(n_bytes)) >> 11;
    n_bytes.saturating_add(n_bytes >> 8).saturating_add(short)
}

/// The most bytes that `n_bytes` of Zstd can decode to. Saturates.
pub(crate) fn max_decoded_len(n_bytes: usize) -> usize {
    (n_bytes / MIN_BLOCK_BYTES).saturating_mul(MAX_BLOCK_BYTES)
}

/// Encodes blocks, one frame a block.
pub(crate) struct Encoder {
    level: Level,
    zstd_level: i32,
    has_small_rows: bool,
    context: Option<CCtx<'static>>,
}

impl Encoder {
    /// An encoder of `zstd_level`; 0 is Zstd's default. Costs nothing until the first block.
    pub(crate) fn new(level: Level, zstd_level: i32) -> Self {
        Self { level, zstd_level, has_small_rows: false, context: None }
    }

    /// The same for blocks of at most `block_bytes` that are rows of bits.
    pub(crate) fn for_bit_rows(level: Level, zstd_level: i32, block_bytes: usize) -> Self {
        Self { has_small_rows: block_bytes <= SMALL_BYTES, ..Self::new(level, zstd_level) }
    }

    /// Encodes `src` as one frame that states its content size, to the front of `dst`. Returns the bytes written; `None`
    /// where they do not fit. The rest of `dst` is scratch.
    pub(crate) fn encode_block(&mut self, src: &[u8], dst: &mut [u8]) -> Option<usize> {
        if (1..=MAX_ZEROS).contains(&src.len()) && is_zero(self.level, src) {
            return zeros::encode(src.len(), dst);
        }
        let used = self.used(src);
        if zeros::can_extend(used, src.len())
            && let Some(n) = self.compress(&src[..used], dst)
            && let Some(n) = zeros::extend(src.len() - used, src.len(), dst, n)
        {
            return Some(n);
        }
        self.compress(src, dst)
    }

    /// A length after which `src` is all zero.
    fn used(&self, src: &[u8]) -> usize {
        let zeros = src.rchunks(ZEROS_STEP).take_while(|bytes| is_zero(self.level, bytes));
        src.len().saturating_sub(ZEROS_STEP * zeros.count())
    }

    fn compress(&mut self, src: &[u8], dst: &mut [u8]) -> Option<usize> {
        let context = match &mut self.context {
            Some(context) => context,
            empty => empty.insert(new_context(self.zstd_level, self.has_small_rows)?),
        };
        context.compress2(dst, src).ok()
    }
}

/// Level 1 for small blocks of bit rows has a hash table of 16 KiB, which stays in the processor's nearest cache beside
/// the block, in the place of 64 KiB; and no matches of less than 7 bytes, as in large blocks: in rows of bits they
/// displace better ones. Measured: a tenth faster to encode, and smaller in nearly all regimes (hot rows: 0.4 % larger).
fn new_context(zstd_level: i32, has_small_rows: bool) -> Option<CCtx<'static>> {
    let mut context = CCtx::try_create()?;
    context.set_parameter(CParameter::CompressionLevel(zstd_level)).ok()?;
    if has_small_rows && zstd_level == 1 {
        context.set_parameter(CParameter::HashLog(12)).ok()?;
        context.set_parameter(CParameter::MinMatch(7)).ok()?;
    }
    Some(context)
}

/// Decodes frames, one after the other.
pub(crate) struct Decoder {
    level: Level,
    context: Option<DCtx<'static>>,
    small: Option<Box<small::Decoder>>,
    zeros: Zeros,
}

/// The frame that zeros were last decoded from.
#[derive(Default)]
struct Zeros {
    frame: [u8; ZEROS_FRAME_BYTES],
    frame_len: usize,
    /// How many zeros it stands for; 0 before there is one.
    n_bytes: usize,
}

impl Zeros {
    fn remember(&mut self, level: Level, src: &[u8], content: &[u8]) {
        let Some(frame) = self.frame.get_mut(..src.len()) else { return };
        if is_zero(level, content) {
            frame.copy_from_slice(src);
            (self.frame_len, self.n_bytes) = (src.len(), content.len());
        }
    }
}

impl Decoder {
    /// Costs nothing until the first block.
    pub(crate) fn new(level: Level) -> Self {
        Self { level, context: None, small: None, zeros: Zeros::default() }
    }

    /// Whether `src` is known to decode to `n_bytes` zeros, because it has done so before.
    pub(crate) fn knows_zeros(&self, src: &[u8], n_bytes: usize) -> bool {
        let Zeros { frame, frame_len, n_bytes: known } = &self.zeros;
        n_bytes == *known && n_bytes != 0 && src == &frame[..*frame_len]
    }

    /// Decodes `src` into the whole of `dst`. Offsets in errors are in `src`.
    pub(crate) fn decode_block(&mut self, src: &[u8], dst: &mut [u8]) -> Result<()> {
        if let Some(content) = small::decode(&mut self.small, self.level, src, dst.len()) {
            dst.copy_from_slice(content);
        } else {
            decompress(&mut self.context, src, dst, dst.len())?;
        }
        self.zeros.remember(self.level, src, dst);
        Ok(())
    }

    /// Decodes `src` to the front of `dst`, which may be longer, and returns the bytes written.
    pub(super) fn decode_up_to(&mut self, src: &[u8], dst: &mut [u8]) -> Result<usize> {
        const TOO_SMALL: usize = zstd_safe::zstd_sys::ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall as usize;
        let available = dst.len();
        library(&mut self.context)?.decompress(dst, src).map_err(|code| match code.wrapping_neg() {
            TOO_SMALL => Error::OutputTooSmall { needed: available.saturating_add(1), available },
            _ => DAMAGED,
        })
    }

    /// Decodes `src` to `n_bytes`, which are in `room` then or in memory of the decoder. What is after them in `room` is
    /// scratch, and makes the end of the block faster where it is 32 bytes or more: Zstd copies without care for the end
    /// then.
    pub(crate) fn decode<'a>(&'a mut self, src: &[u8], room: &'a mut [u8], n_bytes: usize) -> Result<&'a [u8]> {
        let content = match small::decode(&mut self.small, self.level, src, n_bytes) {
            Some(content) => content,
            None => {
                decompress(&mut self.context, src, room, n_bytes)?;
                &room[..n_bytes]
            }
        };
        self.zeros.remember(self.level, src, content);
        Ok(content)
    }
}

const DAMAGED: Error = Error::Corrupt { at: 0, what: "the Zstd frame cannot be decoded to its size" };

/// About what the library's decoder needs (`ZSTD_sizeof_DCtx`), to say it.
const DECODER_BYTES: usize = 96 << 10;

/// The library's decoder, made when it is first needed.
fn library<'a>(context: &'a mut Option<DCtx<'static>>) -> Result<&'a mut DCtx<'static>> {
    match context {
        Some(context) => Ok(context),
        empty => {
            let context = DCtx::try_create();
            Ok(empty.insert(context.ok_or(Error::NoMemory { n_bytes: DECODER_BYTES })?))
        }
    }
}

/// Decodes `src` with the library to the first `n_bytes` of `dst`; the rest is scratch.
fn decompress(context: &mut Option<DCtx<'static>>, src: &[u8], dst: &mut [u8], n_bytes: usize) -> Result<()> {
    match library(context)?.decompress(dst, src) {
        Ok(found) if found == n_bytes => Ok(()),
        Ok(found) => Err(Error::WrongSize { expected: n_bytes, found }),
        Err(_) => Err(DAMAGED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const N_BYTES: usize = 8192;

    fn stated(frame: &[u8]) -> Option<u64> {
        zstd_safe::get_frame_content_size(frame).expect("a frame")
    }

    #[test]
    #[cfg_attr(miri, ignore = "calls C")]
    fn zeros_are_known_once_decoded_and_nothing_else_is_taken_for_them() {
        let mut theirs = [0; 64];
        let n = zstd_safe::compress(&mut theirs[..], &[0; N_BYTES], 1).unwrap();
        let mut ours = [0; 64];
        let m = Encoder::new(Level::current(), 1).encode_block(&[0; N_BYTES], &mut ours).unwrap();
        let mut decoder = Decoder::new(Level::current());
        assert!(!decoder.knows_zeros(&[], 0), "nothing is known before the first frame");
        for frame in [&theirs[..n], &ours[..m]] {
            let mut dst = [0xAA; N_BYTES];
            assert!(!decoder.knows_zeros(frame, N_BYTES));
            decoder.decode_block(frame, &mut dst).unwrap();
            assert!(dst.iter().all(|&byte| byte == 0));
            assert!(decoder.knows_zeros(frame, N_BYTES));
            assert!(!decoder.knows_zeros(frame, N_BYTES - 1), "the frame states another size");
            assert!(!decoder.knows_zeros(&frame[..frame.len() - 1], N_BYTES), "a frame that is cut off");
        }
        let mut room = vec![0xAA; N_BYTES + 64];
        assert!(decoder.decode(&theirs[..n], &mut room, N_BYTES - 1).is_err(), "more than it should be");
        assert!(decoder.decode(&theirs[..n], &mut room, N_BYTES + 1).is_err(), "less than it should be");
        let mut ones = ours[..m].to_vec();
        ones[m - 1] = 1;
        let mut dst = [0xAA; N_BYTES];
        assert!(!decoder.knows_zeros(&ones, N_BYTES));
        decoder.decode_block(&ones, &mut dst).unwrap();
        assert!(dst.iter().all(|&byte| byte == 1));
        assert!(!decoder.knows_zeros(&ones, N_BYTES), "ones are no zeros");
    }

    #[test]
    #[cfg_attr(miri, ignore = "calls C")]
    fn zeros_take_no_larger_window_than_decoders_must_have() {
        for n_bytes in [MAX_ZEROS, MAX_ZEROS + 1] {
            let mut frame = vec![0; max_encoded_len(n_bytes)];
            let n = Encoder::new(Level::current(), 1).encode_block(&vec![0; n_bytes], &mut frame).unwrap();
            assert_eq!(stated(&frame[..n]), Some(n_bytes as u64));
            // Bit 5 of the descriptor: all of the content is the window.
            assert_eq!(frame[4] & 1 << 5 != 0, n_bytes <= MAX_ZEROS, "{n_bytes}");
            let mut dst = vec![0xAA; n_bytes];
            assert_eq!(zstd_safe::decompress(&mut dst[..], &frame[..n]), Ok(n_bytes));
            assert!(dst.iter().all(|&byte| byte == 0));
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "calls C")]
    fn small_rows_of_every_level_are_frames_that_the_library_reads() {
        let rows: Vec<u8> = (0..N_BYTES as u32).map(|i| if i % 37 < 30 { 0 } else { ((i * i) >> 5) as u8 }).collect();
        for zstd_level in [-5, 0, 1, 2, 3, 9, 22] {
            for n_bytes in [1, 16, 100, 4096, N_BYTES] {
                let mut frame = vec![0; max_encoded_len(n_bytes)];
                let mut encoder = Encoder::for_bit_rows(Level::current(), zstd_level, N_BYTES);
                let n = encoder.encode_block(&rows[..n_bytes], &mut frame).unwrap();
                assert_eq!(stated(&frame[..n]), Some(n_bytes as u64));
                let mut dst = vec![0xAA; n_bytes];
                assert_eq!(zstd_safe::decompress(&mut dst[..], &frame[..n]), Ok(n_bytes));
                assert_eq!(dst, rows[..n_bytes], "level {zstd_level}, {n_bytes} bytes");
            }
        }
    }
}
