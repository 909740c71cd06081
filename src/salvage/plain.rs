//! A chunk that is stored as it is.

use super::damage::Damage;
use crate::Error;

/// Bytes as they are.
pub(super) fn plain(stored: &[u8], dst: &mut [u8]) -> Vec<Damage> {
    let n_bytes = stored.len().min(dst.len());
    dst[..n_bytes].copy_from_slice(&stored[..n_bytes]);
    if stored.len() == dst.len() {
        return Vec::new();
    }
    let reason = Error::WrongSize { expected: dst.len(), found: stored.len() };
    vec![Damage::new(0..0, n_bytes..dst.len(), reason)]
}
