//! HDF5's gzip filter: a zlib stream, whose last bytes are a checksum of what it decodes to (Adler-32). What is after the stream
//! is ignored, as HDF5 does.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::memory::buffer;
use crate::{Error, Result};

/// The most that a stream grows by what does not shrink: some bytes for each block, and for header and checksum.
pub(super) fn max_encoded_len(n_bytes: usize) -> usize {
    n_bytes.saturating_add(n_bytes / 1000).saturating_add(64)
}

/// Encodes `src`, at a level from 0 to 9.
pub(super) fn encode(level: u32, src: &[u8]) -> Result<Vec<u8>> {
    let mut dst = buffer(max_encoded_len(src.len()))?;
    let mut zlib = Compress::new(Compression::new(level.min(9)), true);
    match zlib.compress(src, &mut dst, FlushCompress::Finish) {
        Ok(Status::StreamEnd) => dst.truncate(zlib.total_out() as usize),
        _ => return Err(Error::Argument("gzip found no room for a chunk that grows".into())),
    }
    Ok(dst)
}

/// Decodes `src` into the whole of `dst`.
pub(super) fn decode(src: &[u8], dst: &mut [u8]) -> Result<()> {
    let mut zlib = Decompress::new(true);
    match zlib.decompress(src, dst, FlushDecompress::Finish) {
        Ok(Status::StreamEnd) if zlib.total_out() == dst.len() as u64 => Ok(()),
        _ => Err(Error::WrongSize { expected: dst.len(), found: decoded_len(src)? }),
    }
}

/// The bytes that `src` decodes to, found by decoding it.
pub(crate) fn decoded_len(src: &[u8]) -> Result<usize> {
    let mut zlib = Decompress::new(true);
    let mut scratch = buffer(1 << 15)?;
    loop {
        let at = zlib.total_in() as usize;
        let before = zlib.total_out();
        match zlib.decompress(&src[at..], &mut scratch, FlushDecompress::None) {
            Ok(Status::StreamEnd) => return Ok(zlib.total_out() as usize),
            Ok(_) if zlib.total_in() as usize == at && zlib.total_out() == before => {
                return Err(Error::Truncated { at: src.len(), needed: 1, available: 0 });
            }
            Ok(_) => {}
            Err(_) => {
                let what = "its zlib stream contradicts itself, or the checksum at its end";
                return Err(Error::Corrupt { at: zlib.total_in() as usize, what });
            }
        }
    }
}
