//! A stream of the entropy coder as it is stored: the states, u32 a lane, and u16 words. All little-endian.

use crate::codec::cursor::Cursor;
use crate::kernels::rans::{Decoder, DecodingTables, END_STATE, MAX_LANES, MIN_STATE};
use crate::{Error, Result};

/// Begins with the states of `n_lanes`.
pub(crate) fn open<'a>(tables: &'a DecodingTables, n_lanes: usize, stream: &'a [u8]) -> Result<Decoder<'a>> {
    let mut cursor = Cursor::new(stream);
    let mut states = [MIN_STATE; MAX_LANES];
    for state in states.iter_mut().take(n_lanes) {
        *state = cursor.u32_le()?;
        if !(MIN_STATE..END_STATE).contains(state) {
            return Err(Error::Corrupt { at: cursor.at(), what: "a state of the entropy coder is out of range" });
        }
    }
    let (words, odd) = cursor.rest().as_chunks();
    if !odd.is_empty() {
        return Err(Error::Corrupt { at: stream.len(), what: "a stream of words ends within one" });
    }
    Ok(Decoder::new(tables, n_lanes, states, words))
}

/// Whether a stream was read to its end, and no further.
pub(crate) fn finish(decoder: &Decoder<'_>) -> Result<()> {
    if decoder.is_at_end() {
        return Ok(());
    }
    Err(Error::Corrupt { at: 0, what: "a stream of the entropy coder does not end where its frame does" })
}
