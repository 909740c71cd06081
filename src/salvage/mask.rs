//! Which filters a chunk went through: those that its mask does not leave out, unless the chunk itself says otherwise.
//!
//! A filter that cannot encode a chunk may leave it as it is, and HDF5 sets the filter's bit in the mask. The mask is in the
//! file's index, far from the chunk, and may be lost: parallel HDF5 before 1.14 writes 0 in a collective write.
//!
//! A chunk of raw length of which nothing decodes may be one that was left out, or an encoded one that is damaged and happens to
//! have that length, where one fault costs all of it. Only a checksum of the stored bytes can tell: without one, what is saved is
//! in doubt.

use super::damage::{self, Damage, Verdict};
use super::steps;
use crate::Error;
use crate::cpu::Level;
use crate::pipeline::{self, Pipeline, Proof};

const RAW: &str = "nothing of the chunk decodes, and it has the length of one that the codec left out (collective writes of \
                   parallel HDF5 before 1.14 lose the mask)";
const ENCODED: &str = "the chunk decodes by the codec that it leaves out";

/// Decodes what can be decoded; the lost parts of `dst` contain anything.
pub(super) fn examine(level: Level, pipeline: &Pipeline, mask: u32, stored: &[u8], dst: &mut [u8]) -> Verdict {
    let active = pipeline.active(mask);
    if let Some(verdict) = steps::unknown(level, &active, stored, dst.len()) {
        return verdict;
    }
    let reason = match pipeline::decode(level.into(), &active, stored, dst) {
        Ok(Proof::Checksum) => return Verdict::Intact,
        Ok(Proof::Size) => return Verdict::Decodes,
        Err(reason) => reason,
    };
    let damage = steps::salvage(level, &active, stored, dst, reason);
    let is_all_lost = damage::lose_everything(&damage, dst.len());
    let (encoded, raw) = (mask & !pipeline.codec_mask(), mask | pipeline.codec_mask());
    if encoded != mask && decoded_by(level, pipeline, encoded, stored, dst).is_some() {
        return Verdict::Damaged(vec![Damage::harmless(Error::Mask { mask, what: ENCODED })]);
    }
    if raw != mask
        && is_all_lost
        && let Some(proof) = decoded_by(level, pipeline, raw, stored, dst)
    {
        let reason = Error::Mask { mask, what: RAW };
        return Verdict::Damaged(vec![match proof {
            Proof::Checksum => Damage::harmless(reason),
            Proof::Size => Damage::doubt(dst.len(), reason),
        }]);
    }
    Verdict::Damaged(damage)
}

/// Decodes the whole chunk by another mask, where it decodes; else `dst` is as it was.
fn decoded_by(level: Level, pipeline: &Pipeline, mask: u32, stored: &[u8], dst: &mut [u8]) -> Option<Proof> {
    let mut decoded = crate::memory::buffer(dst.len()).ok()?;
    let proof = pipeline.decode(level.into(), mask, stored, &mut decoded).ok()?;
    dst.copy_from_slice(&decoded);
    Some(proof)
}
