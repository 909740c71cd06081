//! What stands in a chunk of filter 32015: Zstd frames, and what they say of their sizes.
//!
//! Written here is one frame that states its content size. Others also write frames that do not (streaming writers), several
//! frames, frames to be skipped, and zeros after them. Only headers are read here, in time linear in the chunk; what is in
//! the blocks is for the decoder. Sections are of RFC 8878.

use super::context::{self, MAX_BLOCK_BYTES};
use super::zeros::MAGIC;
use crate::codec::DecodedSize;
use crate::codec::cursor::Cursor;
use crate::{Error, Result};

/// The first of sixteen magic numbers of frames that are skipped (3.1.2).
const SKIPPABLE: u32 = 0x184D_2A50;

const CHECKSUM_BYTES: usize = 4;

const TOO_MUCH: &str = "the Zstd frame stands for more than its bytes can hold";

/// The frames of a chunk.
#[derive(Debug, PartialEq, Eq)]
pub struct Frames<'a> {
    /// The frames, without the zeros after them.
    pub(super) bytes: &'a [u8],
    /// What they decode to.
    pub(super) size: DecodedSize,
    /// Whether each of them has a checksum of its content.
    pub(super) have_checksums: bool,
}

/// What frames decode to, added up.
struct Sum {
    n_bytes: u64,
    is_exact: bool,
    has_frames: bool,
    have_checksums: bool,
}

impl<'a> Frames<'a> {
    /// Reads the headers of all frames and blocks in `src`.
    pub(super) fn read(src: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new(src);
        let mut sum = Sum { n_bytes: 0, is_exact: true, has_frames: false, have_checksums: true };
        while let Some(magic) = cursor.rest().first_chunk().map(|bytes| u32::from_le_bytes(*bytes)) {
            if magic.to_le_bytes() == MAGIC {
                sum.add(&mut cursor)?;
            } else if magic & !0xF == SKIPPABLE {
                cursor.take(MAGIC.len())?;
                let n_skipped = cursor.u32_le()?;
                cursor.take(n_skipped as usize)?;
            } else {
                break;
            }
        }
        let at = cursor.at();
        if !sum.has_frames {
            return Err(Error::Corrupt { at, what: "this is not the beginning of a Zstd frame" });
        }
        if cursor.rest().iter().any(|byte| *byte != 0) {
            return Err(Error::Corrupt { at, what: "after the Zstd frame is neither another one nor zeros" });
        }
        Ok(Self { bytes: &src[..at], size: sum.size(at)?, have_checksums: sum.have_checksums })
    }
}

impl Sum {
    /// Adds the frame that `cursor` stands before, and moves it past its end.
    fn add(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        let start = cursor.at();
        let header = Header::read(cursor)?;
        let max = blocks(cursor)?;
        if header.has_checksum {
            cursor.take(CHECKSUM_BYTES)?;
        }
        if header.stated.is_some_and(|stated| stated > max) {
            return Err(Error::Corrupt { at: start + MAGIC.len(), what: TOO_MUCH });
        }
        self.n_bytes = self.n_bytes.saturating_add(header.stated.unwrap_or(max));
        self.is_exact &= header.stated.is_some();
        self.has_frames = true;
        self.have_checksums &= header.has_checksum;
        Ok(())
    }

    /// What frames of `n_stored` bytes decode to.
    fn size(&self, n_stored: usize) -> Result<DecodedSize> {
        let n_bytes = usize::try_from(self.n_bytes).unwrap_or(usize::MAX);
        let max = context::max_decoded_len(n_stored);
        match self.is_exact {
            true if n_bytes <= max => Ok(DecodedSize::Exactly(n_bytes)),
            true => Err(Error::Corrupt { at: MAGIC.len(), what: TOO_MUCH }),
            false => Ok(DecodedSize::AtMost(n_bytes.min(max))),
        }
    }
}

/// What a frame's header says (3.1.1.1).
struct Header {
    stated: Option<u64>,
    has_checksum: bool,
}

impl Header {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        cursor.take(MAGIC.len())?;
        let descriptor = cursor.u8()?;
        let is_single_segment = descriptor >> 5 & 1;
        let n_window = 1 - usize::from(is_single_segment);
        let n_dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
        let n_size = [usize::from(is_single_segment), 2, 4, 8][usize::from(descriptor >> 6)];
        cursor.take(n_window + n_dictionary)?;
        let stated = little_endian(cursor.take(n_size)?);
        let stated = match n_size {
            0 => None,
            // A byte has the numbers below 256.
            2 => Some(stated + 0x100),
            _ => Some(stated),
        };
        Ok(Self { stated, has_checksum: descriptor >> 2 & 1 != 0 })
    }
}

/// Moves `cursor` past the blocks that it stands before, and returns the most that they decode to (3.1.1.2).
fn blocks(cursor: &mut Cursor<'_>) -> Result<u64> {
    let mut max = 0_u64;
    loop {
        let at = cursor.at();
        let header = little_endian(cursor.take(3)?);
        let (is_last, kind, size) = (header & 1 != 0, header >> 1 & 3, header >> 3);
        let (n_stored, n_decoded) = match kind {
            0 => (size, size),
            1 => (1, size),
            2 => (size, MAX_BLOCK_BYTES as u64),
            _ => return Err(Error::Corrupt { at, what: "a Zstd block has a type that does not exist" }),
        };
        cursor.take(n_stored as usize)?;
        max += n_decoded;
        if is_last {
            return Ok(max);
        }
    }
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::Frames;
    use zstd_safe::{CCtx, CParameter};

    fn frame(content: &[u8], is_checked: bool) -> Vec<u8> {
        let mut context = CCtx::create();
        context.set_parameter(CParameter::ChecksumFlag(is_checked)).expect("a parameter");
        let mut frame = vec![0; 1000];
        let n_bytes = context.compress2(&mut frame[..], content).expect("room");
        frame.truncate(n_bytes);
        frame
    }

    #[test]
    #[cfg_attr(miri, ignore = "calls C")]
    fn checksums_count_where_every_frame_has_one() {
        let (with, without) = (frame(b"spam", true), frame(b"spam", false));
        let skipped = [&[0x53, 0x2A, 0x4D, 0x18, 3, 0, 0, 0], &b"abc"[..]].concat();
        let cases: [(&[&[u8]], bool); 9] = [
            (&[&with], true),
            (&[&without], false),
            (&[&with, &with], true),
            (&[&with, &without], false),
            (&[&skipped, &with, &skipped], true),
            (&[&with, &[0; 5]], true),
            (&[&skipped], false),
            (&[], false),
            (&[&with[..with.len() - 1]], false),
        ];
        for (parts, expected) in cases {
            let frames = parts.concat();
            let found = Frames::read(&frames).is_ok_and(|frames| frames.have_checksums);
            assert_eq!(found, expected, "{parts:x?}");
        }
    }
}
