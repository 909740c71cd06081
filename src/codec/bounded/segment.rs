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

/// What a segment begins with.
#[derive(Debug)]
pub(super) struct Head<'a> {
    pub(super) mode: Mode,
    /// Whether it uses the model of frames that have none before them.
    pub(super) is_first: bool,
    /// For each sentinel of the chunk the pixels that differ; none where it has the chunk's mask.
    pub(super) mask: Vec<&'a [u8]>,
}

impl<'a> Head<'a> {
    pub(super) fn get(cursor: &mut Cursor<'a>, n_sentinels: usize) -> Result<Self> {
        let at = cursor.at();
        let byte = cursor.u8()?;
        let mode = match byte & 0x0f {
            0 => Mode::Taps,
            1 => Mode::Sparse,
            2 => Mode::Constant,
            3 => Mode::Raw,
            _ => return Err(Error::Corrupt { at, what: "a frame is stored in a way that does not exist" }),
        };
        if byte & !(0x0f | IS_FIRST | HAS_MASK) != 0 {
            return Err(Error::Corrupt { at, what: "a frame has options that do not exist" });
        }
        let n = if byte & HAS_MASK == 0 { 0 } else { n_sentinels };
        let mask = (0..n).map(|_| numbers::get_bytes(cursor)).collect::<Result<_>>()?;
        Ok(Self { mode, is_first: byte & IS_FIRST != 0, mask })
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
