//! A damaged chunk of several filters: what is before and after the codec.
//!
//! After the codec, a checksum covers what is stored. One that does not match says that something is wrong, not what: the codec's
//! blocks are decoded all the same, as they would be without it. Where all of them decode, any pixel may be the wrong one,
//! unless the codec has checksums of its own.
//!
//! Before the codec, a shuffle puts the bytes of an element far from each other, so that a lost block costs a part of
//! many elements; and a checksum covers the pixels.

use super::codec;
use super::damage::{Damage, Verdict};
use super::plain::plain;
use crate::cpu::Level;
use crate::memory::buffer;
use crate::pipeline::{FLETCHER32_BYTES, Step, checked, gzip, size_before};
use crate::{Error, Result};
use std::borrow::Cow;
use std::ops::Range;

/// What can be said of a chunk that went through a filter which is not known; `None` where there is none.
///
/// A checksum after that filter proves as much as any. What a filter of ours after it decodes to proves nothing.
pub(super) fn unknown(level: Level, steps: &[&Step], stored: &[u8], n_bytes: usize) -> Option<Verdict> {
    let reason = steps.iter().rev().find_map(|step| match step {
        Step::Other { reason, .. } => Some(reason),
        _ => None,
    })?;
    let mut bytes = Cow::Borrowed(stored);
    let verdict = |proof: Result<()>| match proof {
        Ok(()) => Verdict::Intact,
        Err(reason) => Verdict::Damaged(vec![Damage::everything(n_bytes, reason)]),
    };
    for step in steps.iter().rev() {
        match step {
            Step::Fletcher32 => return Some(verdict(checked(&bytes).map(drop))),
            Step::Gzip { .. } => return Some(verdict(gzip::decoded_len(&bytes).map(drop))),
            Step::Shuffle { .. } => match undone(level, step, &bytes) {
                Ok(undone) => bytes = Cow::Owned(undone),
                Err(reason) => return Some(Verdict::NotExamined(reason)),
            },
            Step::Codec(_) | Step::Other { .. } => break,
        }
    }
    Some(Verdict::NotExamined(reason.clone()))
}

/// Decodes what can be decoded of a chunk that as a whole does not, for `reason`.
pub(super) fn salvage(level: Level, steps: &[&Step], stored: &[u8], dst: &mut [u8], reason: Error) -> Vec<Damage> {
    let Some(chain) = Chain::new(level, steps) else { return vec![Damage::everything(dst.len(), reason)] };
    match chain.salvage(stored, dst) {
        Ok(damage) if damage.is_empty() => vec![Damage::harmless(reason)],
        Ok(damage) => damage,
        Err(reason) => vec![Damage::everything(dst.len(), reason)],
    }
}

/// Filters of which one at most is a codec, gzip being one here, and all are known.
struct Chain<'a> {
    level: Level,
    before: &'a [&'a Step],
    codec: Option<&'a Step>,
    after: &'a [&'a Step],
}

/// A chunk on its way back.
struct Part<'a> {
    bytes: Cow<'a, [u8]>,
    damage: Vec<Damage>,
    /// A checksum that does not match, where nothing else explains that.
    fault: Option<Error>,
    /// Whether a checksum covers all that is not lost.
    is_proved: bool,
}

impl<'a> Chain<'a> {
    /// `None` where there are several codecs: what one of them loses, the next one cannot decode.
    fn new(level: Level, steps: &'a [&'a Step]) -> Option<Self> {
        let is_codec = |step: &Step| matches!(step, Step::Codec(_) | Step::Gzip { .. });
        let mut codecs = steps.iter().enumerate().filter(|(_, step)| is_codec(step));
        match (codecs.next(), codecs.next()) {
            (None, _) => Some(Self { level, before: steps, codec: None, after: &[] }),
            (Some((index, &codec)), None) => {
                Some(Self { level, before: &steps[..index], codec: Some(codec), after: &steps[index + 1..] })
            }
            _ => None,
        }
    }

    fn salvage(&self, stored: &[u8], dst: &mut [u8]) -> Result<Vec<Damage>> {
        let n_bytes = size_before(self.before, dst.len()).unwrap_or(usize::MAX);
        let mut part = self.decode(self.undo_after(stored, true)?, n_bytes)?;
        if part.fault.is_some() && n_lost(&part.damage) > 0 {
            // The checksum may be what was cut off.
            let other = self.decode(self.undo_after(stored, false)?, n_bytes)?;
            part = if n_lost(&other.damage) < n_lost(&part.damage) { other } else { part };
        }
        for step in self.before.iter().rev() {
            part = undo_before(self.level, step, part)?;
        }
        dst.copy_from_slice(&part.bytes);
        Ok(match (part.damage, part.fault) {
            (damage, Some(reason)) if damage.is_empty() && part.is_proved => vec![Damage::harmless(reason)],
            (damage, Some(reason)) if damage.is_empty() => vec![Damage::doubt(dst.len(), reason)],
            (damage, _) => damage,
        })
    }

    /// Undoes what is after the codec. A checksum that does not match is taken off if there `is_one`.
    fn undo_after<'b>(&self, stored: &'b [u8], is_one: bool) -> Result<Part<'b>> {
        let mut part = Part { bytes: Cow::Borrowed(stored), damage: Vec::new(), fault: None, is_proved: false };
        for step in self.after.iter().rev() {
            if let Step::Fletcher32 = step {
                let fault = checked(&part.bytes).err();
                if fault.is_none() || is_one {
                    let n_bytes = part.bytes.len().saturating_sub(FLETCHER32_BYTES);
                    part.truncate(n_bytes);
                }
                part.is_proved |= fault.is_none();
                part.fault = part.fault.or(fault);
            } else {
                part.bytes = Cow::Owned(undone(self.level, step, &part.bytes)?);
            }
        }
        Ok(part)
    }

    fn decode(&self, part: Part<'_>, n_bytes: usize) -> Result<Part<'static>> {
        let mut decoded = buffer(n_bytes)?;
        let (damage, has_checksum) = match self.codec {
            None => (plain(&part.bytes, &mut decoded), false),
            Some(Step::Codec(filter)) => {
                (codec::salvage(self.level, filter, &part.bytes, &mut decoded), codec::is_proved(filter, &part.bytes))
            }
            Some(other) => {
                let undone = other.open(&part.bytes).and_then(|open| open.undo(self.level.into(), &mut decoded));
                let damage = undone.err();
                (damage.map(|reason| Damage::everything(n_bytes, reason)).into_iter().collect(), true)
            }
        };
        let is_proved = part.is_proved || has_checksum;
        Ok(Part { bytes: Cow::Owned(decoded), damage, fault: part.fault, is_proved })
    }
}

impl Part<'_> {
    fn truncate(&mut self, n_bytes: usize) {
        match &mut self.bytes {
            Cow::Borrowed(bytes) => *bytes = &bytes[..n_bytes],
            Cow::Owned(bytes) => bytes.truncate(n_bytes),
        }
        for lost in self.damage.iter_mut().map(|damage| &mut damage.lost) {
            *lost = lost.start.min(n_bytes)..lost.end.min(n_bytes);
        }
    }
}

/// Undoes a filter that is before the codec.
fn undo_before<'a>(level: Level, step: &Step, mut part: Part<'a>) -> Result<Part<'a>> {
    match step {
        Step::Fletcher32 => {
            let fault = checked(&part.bytes).err().filter(|_| n_lost(&part.damage) == 0);
            let n_bytes = part.bytes.len().saturating_sub(FLETCHER32_BYTES);
            part.truncate(n_bytes);
            part.is_proved |= fault.is_none() && n_lost(&part.damage) == 0;
            part.fault = part.fault.or(fault);
        }
        Step::Shuffle { element_bytes } => {
            let n_bytes = part.bytes.len();
            let spread = |damage: Damage| {
                let places = unshuffled(damage.lost.clone(), *element_bytes, n_bytes);
                places.into_iter().map(move |lost| Damage { lost, ..damage.clone() })
            };
            part.damage = part.damage.into_iter().flat_map(spread).collect();
            part.bytes = Cow::Owned(undone(level, step, &part.bytes)?);
        }
        // Not before the codec of a chain.
        Step::Codec(_) | Step::Gzip { .. } | Step::Other { .. } => {}
    }
    Ok(part)
}

/// Undoes a filter that keeps the size.
fn undone(level: Level, step: &Step, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut undone = buffer(bytes.len())?;
    step.open(bytes)?.undo(level.into(), &mut undone)?;
    Ok(undone)
}

fn n_lost(damage: &[Damage]) -> usize {
    damage.iter().map(|damage| damage.lost.len()).sum()
}

/// Whose elements the bytes `lost` of a shuffled chunk are: one or two ranges of bytes, and what is after the last whole element.
fn unshuffled(lost: Range<usize>, element_bytes: usize, n_bytes: usize) -> Vec<Range<usize>> {
    let n_elements = n_bytes / element_bytes;
    let whole = n_elements * element_bytes;
    let (start, end) = (lost.start.min(whole), lost.end.min(whole));
    let bytes = |elements: Range<usize>| elements.start * element_bytes..elements.end * element_bytes;
    let mut places = match end - start {
        0 => Vec::new(),
        n if n >= n_elements => vec![bytes(0..n_elements)],
        _ => {
            let (first, last) = (start % n_elements, (end - 1) % n_elements);
            if first <= last {
                vec![bytes(first..last + 1)]
            } else {
                vec![bytes(0..last + 1), bytes(first..n_elements)]
            }
        }
    };
    if lost.end > whole || places.is_empty() {
        places.push(lost.start.max(whole).min(lost.end)..lost.end);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_bytes_of_a_shuffled_chunk_are_those_of_their_elements() {
        for (element_bytes, n_bytes) in [(1, 12), (2, 12), (2, 13), (3, 14), (4, 3), (5, 5), (7, 0), (4, 30)] {
            let n_elements = n_bytes / element_bytes;
            let whole = n_elements * element_bytes;
            for (start, end) in (0..=n_bytes).flat_map(|start| (start..=n_bytes).map(move |end| (start, end))) {
                let mut expected = vec![false; n_bytes];
                for at in start..end {
                    let place = if at < whole { at % n_elements * element_bytes } else { at };
                    let n = if at < whole { element_bytes } else { 1 };
                    expected[place..place + n].fill(true);
                }
                let mut found = vec![false; n_bytes];
                let places = unshuffled(start..end, element_bytes, n_bytes);
                places.iter().for_each(|place| found[place.clone()].fill(true));
                assert_eq!(
                    found, expected,
                    "{start}..{end} of {n_bytes} bytes, elements of {element_bytes}: {places:?}"
                );
            }
        }
    }
}
