//! What can be had of a damaged chunk of one codec.

#[cfg(feature = "blosc")]
use super::blosc;
use super::damage::{Damage, push};
use super::framed;
use crate::codec::Filter;
use crate::codec::bitshuffle::Bitshuffle;
use crate::codec::bounded::Bounded;
use crate::codec::drle::{Drle, Mode};
use crate::cpu::Level;
use crate::{Error, Result};

/// Decodes what can be decoded of a chunk; the lost parts of `dst` contain anything. No damage means that all of it decodes.
pub(super) fn salvage(level: Level, filter: &Filter, stored: &[u8], dst: &mut [u8]) -> Vec<Damage> {
    let Err(reason) = whole(level, filter, stored, dst) else { return Vec::new() };
    match filter {
        Filter::Drle(drle) if drle.mode() != Mode::Bare => drle_container(level, drle, stored, dst, reason),
        Filter::Bitshuffle(codec) if codec.is_compressed() => framed::bitshuffle(level, codec, stored, dst),
        Filter::Bitshuffle(codec) => bitshuffled(level, codec, stored, dst, reason),
        #[cfg(feature = "lz4")]
        Filter::Lz4(codec) => framed::lz4(level, codec, stored, dst),
        Filter::Bounded(codec) => bounded(codec, stored, dst, reason),
        #[cfg(feature = "blosc")]
        Filter::Blosc(codec) => blosc::salvage(level, codec, stored, dst, reason),
        #[cfg(feature = "zstd")]
        Filter::Zstd(_) => vec![Damage::everything(dst.len(), reason)],
        Filter::Drle(_) => vec![Damage::everything(dst.len(), reason)],
    }
}

/// Decodes an intact chunk.
fn whole(level: Level, filter: &Filter, stored: &[u8], dst: &mut [u8]) -> Result<()> {
    let chunk = filter.open(stored)?;
    let found = chunk.decoded_len_as(Some(dst.len()))?;
    if found != dst.len() {
        return Err(Error::WrongSize { expected: dst.len(), found });
    }
    chunk.decode(level.into(), dst)
}

/// Whether the codec has proved by checksums what it has saved of a chunk.
pub(super) fn is_proved(filter: &Filter, stored: &[u8]) -> bool {
    match filter {
        Filter::Drle(drle) => drle.mode() != Mode::Bare,
        other => other.open(stored).is_ok_and(|chunk| chunk.has_checksum()),
    }
}

/// Bitshuffle without compression: blocks stand where they decode to.
fn bitshuffled(level: Level, codec: &Bitshuffle, stored: &[u8], dst: &mut [u8], reason: Error) -> Vec<Damage> {
    let Ok(blocks) = codec.plain_blocks(dst.len()) else { return vec![Damage::everything(dst.len(), reason)] };
    let mut end = 0;
    for block in blocks.take_while(|block| block.stored.end <= stored.len()) {
        if codec.decode_block(level, stored, &block, &mut dst[block.decoded.clone()]).is_err() {
            break;
        }
        end = block.decoded.end;
    }
    vec![Damage::new(0..0, end..dst.len(), reason)]
}

fn drle_container(level: Level, drle: &Drle, stored: &[u8], dst: &mut [u8], reason: Error) -> Vec<Damage> {
    let recovered = match drle.recover(level, stored, dst) {
        Ok(recovered) => recovered,
        // A sound container that is not the dataset's, or parameters that say too little.
        Err(reason) => return vec![Damage::everything(dst.len(), reason)],
    };
    let mut damage = Vec::new();
    for (index, pixels, reason) in recovered.failed {
        let lost = 2 * pixels.start..2 * pixels.end;
        push(&mut damage, Damage::new(index..index + 1, lost, reason));
    }
    if !recovered.front_is_sound || damage.is_empty() {
        damage.insert(0, Damage::harmless(reason));
    }
    damage
}

fn bounded(codec: &Bounded, stored: &[u8], dst: &mut [u8], reason: Error) -> Vec<Damage> {
    let failed = match codec.recover(stored, dst) {
        Ok(failed) => failed,
        Err(reason) => return vec![Damage::everything(dst.len(), reason)],
    };
    let mut damage = Vec::new();
    for (index, lost, reason) in failed {
        push(&mut damage, Damage::new(index..index + 1, lost, reason));
    }
    if damage.is_empty() {
        damage.push(Damage::harmless(reason));
    }
    damage
}
