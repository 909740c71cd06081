//! Memory that is worked in.

pub(crate) mod scratch;

use crate::{Error, Result};

/// Zeros, where there is memory for them.
///
/// # Errors
/// [`Error::NoMemory`] where there is none.
pub fn buffer(n_bytes: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let reserved = bytes.try_reserve_exact(n_bytes);
    reserved.map_err(|_| Error::NoMemory { n_bytes })?;
    bytes.resize(n_bytes, 0);
    Ok(bytes)
}
