//! Which filters a chunk went through: those that its mask does not leave out, unless the chunk itself says otherwise.
//!
//! A filter that cannot encode a chunk may leave it as it is, and HDF5 sets the filter's bit in the mask. The mask is in the
//! file's index, far from the chunk, and may be lost: parallel HDF5 before 1.14 writes 0 in a collective write.

use super::damage::{self, Damage, Verdict};
use super::steps;
use crate::cpu::Level;
use crate::pipeline::{self, Pipeline, Proof};
use crate::{Error, Threads};

const RAW: &str = "nothing of the chunk decodes, and it has the length of one that the codec left out (collective writes of \
                   parallel HDF5 before 1.14 lose the mask)";
const ENCODED: &str = "the chunk decodes by the codec that it leaves out";

/// Decodes what can be decoded; the lost parts of `dst` contain anything.
pub(super) fn examine(level: Level, pipeline: &Pipeline, mask: u32, stored: &[u8], dst: &mut [u8]) -> Verdict {
    let active = pipeline.active(mask);
    if let Some(verdict) = steps::unknown(level, &active, stored, dst.len()) {
        return verdict;
    }
    let reason = match pipeline::decode(level, Threads::ONE, &active, stored, dst) {
        Ok(Proof::Checksum) => return Verdict::Intact,
        Ok(Proof::Size) => return Verdict::Decodes,
        Err(reason) => reason,
    };
    let damage = steps::salvage(level, &active, stored, dst, reason);
    let is_all_lost = damage::lose_everything(&damage, dst.len());
    let masks = [(mask & !pipeline.codec_mask(), ENCODED, true), (mask | pipeline.codec_mask(), RAW, is_all_lost)];
    for (other, what, _) in masks.into_iter().filter(|(other, _, is_possible)| *other != mask && *is_possible) {
        if let Some(decoded) = decoded_by(level, pipeline, other, stored, dst.len()) {
            dst.copy_from_slice(&decoded);
            return Verdict::Damaged(vec![Damage::harmless(Error::Mask { mask, what })]);
        }
    }
    Verdict::Damaged(damage)
}

/// The whole chunk, where it decodes by another mask.
fn decoded_by(level: Level, pipeline: &Pipeline, mask: u32, stored: &[u8], n_bytes: usize) -> Option<Vec<u8>> {
    let mut decoded = pipeline::buffer(n_bytes).ok()?;
    pipeline.decode(level, Threads::ONE, mask, stored, &mut decoded).ok()?;
    Some(decoded)
}
