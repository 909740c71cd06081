//! The plugin's filter entry as HDF5 calls it: arbitrary parameters, sizes and direction, a larger buffer than the chunk.
//!
//! On failure the buffer is untouched, on success it is replaced by one that holds what is said, the same at every call.
//! The address sanitizer sees every read past `n_bytes` that leaves the buffer; a read past `n_bytes` that stays in it
//! shows as an output that changes with what stands there.

use crate::parameters::Parameters;
use arbitrary::{Result, Unstructured};
use core::ffi::c_void;
use darkchunk::codec::Codec;
use darkchunk_filter::{H5Z_FLAG_OPTIONAL, H5Z_FLAG_REVERSE};

pub(crate) struct Chunk {
    pub(crate) cd_values: Vec<u32>,
    pub(crate) flags: u32,
    slack: usize,
    pub(crate) bytes: Vec<u8>,
}

/// What a call left after: `None` where it failed, and left everything as it was.
fn call_with<C: Codec>(chunk: &Chunk, slack_fill: u8) -> Option<Vec<u8>> {
    let buffer_bytes = chunk.bytes.len() + chunk.slack;
    let mut before = chunk.bytes.clone();
    before.resize(buffer_bytes, slack_fill);
    // SAFETY: an allocation of at least one byte.
    let buffer = unsafe { libc::malloc(buffer_bytes.max(1)) };
    assert!(!buffer.is_null());
    // SAFETY: both have so many bytes, and the first is fresh.
    unsafe { core::ptr::copy_nonoverlapping(before.as_ptr(), buffer.cast::<u8>(), buffer_bytes) };
    let (mut size, mut place): (usize, *mut c_void) = (buffer_bytes, buffer);
    // SAFETY: as HDF5 calls it: parameters, their number, and a buffer from `malloc` with its size.
    let n_bytes = unsafe {
        darkchunk_filter::filter::<C>(
            chunk.flags,
            chunk.cd_values.len(),
            chunk.cd_values.as_ptr(),
            chunk.bytes.len(),
            &raw mut size,
            &raw mut place,
        )
    };
    assert!(n_bytes <= size, "more bytes are valid than the buffer has");
    let valid = if n_bytes == 0 { size } else { n_bytes };
    // SAFETY: the filter says that its buffer has so many bytes; the sanitizer checks it.
    let after = unsafe { core::slice::from_raw_parts(place.cast::<u8>(), valid) }.to_vec();
    // SAFETY: from `malloc`, by the contract of a filter.
    unsafe { libc::free(place) };
    if n_bytes == 0 {
        assert!(place == buffer && after == before, "a failed call changed the buffer");
        return None;
    }
    Some(after)
}

/// What an input says of a call.
pub(crate) fn chunk<C: Codec>(data: &[u8]) -> Result<Chunk> {
    let mut u = Unstructured::new(data);
    let parameters = Parameters::arbitrary_for::<C>(&mut u)?;
    let (is_decoding, is_optional, slack) = u.arbitrary::<(bool, bool, u8)>()?;
    let flags = if is_decoding { H5Z_FLAG_REVERSE } else { 0 } | if is_optional { H5Z_FLAG_OPTIONAL } else { 0 };
    let bytes = u.take_rest().to_vec();
    Ok(Chunk { cd_values: parameters.cd_values, flags, slack: slack.into(), bytes })
}

/// One call with everything arbitrary, made twice.
pub fn call<C: Codec>(data: &[u8]) {
    let Ok(chunk) = chunk::<C>(data) else { return };
    let first = call_with::<C>(&chunk, 0x00);
    assert!(first == call_with::<C>(&chunk, 0xff), "the output depends on what stands after the chunk");
    if let (Some(encoded), 0) = (first, chunk.flags & H5Z_FLAG_REVERSE) {
        let back = Chunk { flags: H5Z_FLAG_REVERSE, bytes: encoded, ..chunk };
        assert!(call_with::<C>(&back, 0x00).is_some(), "what the filter encoded it does not decode");
    }
}
