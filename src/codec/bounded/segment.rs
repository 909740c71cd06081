//! The segment of a frame: one byte that says how it is stored, what it changes of the chunk's mask, and then the frame.

use super::numbers;
use crate::codec::cursor::Cursor;
use crate::{Error, Result};

/// How a frame is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Differences from predictions.
    Taps,
    /// Runs of level 0, and the other levels.
    Sparse,
    /// One level.
    Constant,
    /// Its pixels, as they are.
    Raw,
}

const IS_FIRST: u8 = 0x10;
const HAS_MASK: u8 = 0x20;
pub(super) const HAS_EXCEPTIONS: u8 = 0x40;

/// What a segment begins with.
#[derive(Debug)]
pub(super) struct Head<'a> {
    pub(super) mode: Mode,
    /// Whether it uses the model of frames that have none before them.
    pub(super) is_first: bool,
    /// For each sentinel of the chunk the pixels that differ; none where it has the chunk's mask.
    pub(super) mask: Vec<&'a [u8]>,
    pub(super) exceptions: Exceptions<'a>,
}

/// The pixels of a frame of float32 that are not what their levels stand for: a set, and the bits of each.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Exceptions<'a> {
    set: &'a [u8],
    bits: &'a [[u8; 4]],
}

impl<'a> Exceptions<'a> {
    fn get(cursor: &mut Cursor<'a>) -> Result<Self> {
        let at = cursor.at();
        let set = numbers::get_bytes(cursor)?;
        // Each number ends with the only one of its bytes that is below 128.
        let n = set.iter().filter(|byte| **byte < 0x80).count();
        let (bits, _) = cursor.take(4 * n)?.as_chunks();
        if n == 0 {
            Err(Error::Corrupt { at, what: "a frame says that it has exceptions, and has none" })
        } else {
            Ok(Self { set, bits })
        }
    }

    /// Calls `each` for all of them, with its pixel, of `n_pixels`, and its bits.
    pub(super) fn for_each(&self, n_pixels: usize, mut each: impl FnMut(usize, i32)) -> Result<()> {
        let (mut cursor, mut next) = (Cursor::new(self.set), 0);
        for bits in self.bits {
            let pixel = (numbers::get_u32(&mut cursor)? as usize).saturating_add(next);
            if pixel >= n_pixels {
                return Err(Error::Corrupt { at: 0, what: "an exception is not in the frame" });
            }
            each(pixel, i32::from_le_bytes(*bits));
            next = pixel + 1;
        }
        if cursor.rest().is_empty() {
            Ok(())
        } else {
            Err(Error::Corrupt { at: 0, what: "a set of exceptions does not end" })
        }
    }

    /// Stores those of a frame, by their pixels and bits in order.
    pub(super) fn put(exceptions: &[(usize, i32)], out: &mut Vec<u8>) {
        let (mut set, mut next) = (Vec::new(), 0);
        for (pixel, _) in exceptions {
            numbers::put(&mut set, (pixel - next) as u64);
            next = pixel + 1;
        }
        numbers::put_bytes(out, &set);
        exceptions.iter().for_each(|(_, bits)| out.extend_from_slice(&bits.to_le_bytes()));
    }
}

impl<'a> Head<'a> {
    /// `may_have_exceptions`: where pixels are float32.
    pub(super) fn get(cursor: &mut Cursor<'a>, n_sentinels: usize, may_have_exceptions: bool) -> Result<Self> {
        let at = cursor.at();
        let byte = cursor.u8()?;
        let mode = match byte & 0x0f {
            0 => Mode::Taps,
            1 => Mode::Sparse,
            2 => Mode::Constant,
            3 => Mode::Raw,
            _ => return Err(Error::Corrupt { at, what: "a frame is stored in a way that does not exist" }),
        };
        let has_exceptions = byte & HAS_EXCEPTIONS != 0;
        let is_wrong = has_exceptions && (!may_have_exceptions || mode == Mode::Raw);
        if is_wrong || byte & !(0x0f | IS_FIRST | HAS_MASK | HAS_EXCEPTIONS) != 0 {
            return Err(Error::Corrupt { at, what: "a frame has options that do not exist" });
        }
        let n = if byte & HAS_MASK == 0 { 0 } else { n_sentinels };
        let mask = (0..n).map(|_| numbers::get_bytes(cursor)).collect::<Result<_>>()?;
        let exceptions = if has_exceptions { Exceptions::get(cursor)? } else { Exceptions::default() };
        Ok(Self { mode, is_first: byte & IS_FIRST != 0, mask, exceptions })
    }
}

/// The first byte.
pub(super) fn head_byte(mode: Mode, is_first: bool, has_mask: bool) -> u8 {
    let mode = match mode {
        Mode::Taps => 0,
        Mode::Sparse => 1,
        Mode::Constant => 2,
        Mode::Raw => 3,
    };
    mode | if is_first { IS_FIRST } else { 0 } | if has_mask { HAS_MASK } else { 0 }
}

/// The lanes of a stream of runs and values: states cost 4 bytes each.
pub(super) fn sparse_lanes(n_symbols: usize) -> usize {
    match n_symbols {
        0..256 => 1,
        256..2048 => 4,
        _ => 32,
    }
}
