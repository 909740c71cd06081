//! SHA-256 of the elements of a dataset: the same whatever they are stored with.
//!
//! Of the elements in their order, as the file has them in its datatype: what `hashlib.sha256(dataset[...].tobytes())` gives with
//! h5py. Elements that refer to other places of the file have none.

use darkchunk_hdf5::Library;
use darkchunk_hdf5::api::Hid;
use sha2::{Digest, Sha256};

use crate::{Options, Reader, Result};

/// Bytes that are read at once, if chunks are not longer.
const PIECE_BYTES: u64 = 64 << 20;

/// The hash of the dataset `path` of a file, read by so many threads. `seen` is told the bytes that are done.
///
/// # Errors
/// As [`Reader::open_whole`] and [`Reader::read`].
pub fn dataset(
    library: &Library,
    file: Hid,
    path: &str,
    n_threads: usize,
    seen: &mut dyn FnMut(u64),
) -> Result<[u8; 32]> {
    let reader = Reader::open_whole(library, file, path, Options { n_threads, ..Options::default() })?;
    let (mut hash, mut buffer) = (Sha256::new(), Vec::new());
    let dims = reader.dims();
    let n_rows = rows(&reader);
    // A dataset of one element has no axes.
    let n_all = dims.first().copied().unwrap_or(1);
    // Refuses what would not end.
    crate::convert::blocks::count(&[n_all], &[n_rows])?;
    let mut first = 0;
    while first < n_all && !dims.contains(&0) {
        let (mut start, mut count) = (vec![0; dims.len()], dims.to_vec());
        let n = n_rows.min(n_all - first);
        if let (Some(start), Some(count)) = (start.first_mut(), count.first_mut()) {
            (*start, *count) = (first, n);
        }
        let n_bytes = count.iter().fold(reader.element().n_bytes, |n, count| n.saturating_mul(*count as usize));
        if buffer.len() < n_bytes {
            buffer = darkchunk::pipeline::buffer(n_bytes)?;
        }
        reader.read(&start, &count, None, &mut buffer[..n_bytes])?;
        hash.update(&buffer[..n_bytes]);
        seen(n_bytes as u64);
        first += n;
    }
    Ok(hash.finalize().into())
}

/// How many places of the first axis are read at once: whole chunks.
fn rows(reader: &Reader) -> u64 {
    let row_bytes = reader.dims().iter().skip(1).fold(reader.element().n_bytes as u64, |n, dim| n.saturating_mul(*dim));
    let chunk = reader.chunk().and_then(|chunk| chunk.first().copied()).unwrap_or(1).max(1);
    let n_rows = PIECE_BYTES / row_bytes.max(1);
    (n_rows / chunk * chunk).max(chunk)
}
