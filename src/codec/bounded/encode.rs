//! Encodes a chunk: levels, then what [`Work`] makes of them; or the pixels as they are, where that is shorter, or a check fails.

use super::coding::Reference;
use super::decode::Chunk;
use super::floats::{self, Floats};
use super::front::{Achieved, ENTRY_BYTES, FloatErrors, Front, HEADER_BYTES, Header, MAX_RATIO, checksum};
use super::levels::{Errors, Leveller, Levels};
use super::mask;
use super::segment::{Mode, head_byte};
use super::values::{Values, for_blocks};
use super::work::Work;
use crate::cpu::Level;
use crate::kernels::quantise::{Bound, Quantiser, Upto};
use crate::{Error, Result};

/// What a chunk is encoded with.
#[derive(Debug, Clone)]
pub(super) struct ChunkEncoder<'a> {
    pub(super) level: Level,
    pub(super) header: Header,
    /// `None`: whatever is shortest.
    pub(super) reference: Option<Reference>,
    /// Values that are kept exactly, as the bits of 32.
    pub(super) sentinels: &'a [u32],
    /// Whether all of it is decoded again.
    pub(super) verify: bool,
}

/// The most bytes of a front without models.
const MAX_RAW_FRONT: usize = 128;

/// The most bytes of a chunk of `n_frames` frames.
pub(super) fn max_len(n_bytes: usize, n_frames: usize) -> usize {
    let per_frame = n_frames.saturating_mul(ENTRY_BYTES + 1);
    n_bytes.saturating_add(per_frame).saturating_add(HEADER_BYTES + MAX_RAW_FRONT)
}

impl ChunkEncoder<'_> {
    pub(super) fn encode(&self, src: &[u8], dst: &mut [u8]) -> Result<usize> {
        let chunk = self.chunk(src)?;
        let (needed, available) = (chunk.len(), dst.len());
        let to = dst.get_mut(..needed).ok_or(Error::OutputTooSmall { needed, available })?;
        to.copy_from_slice(&chunk);
        Ok(needed)
    }

    fn chunk(&self, src: &[u8]) -> Result<Vec<u8>> {
        let Some(sentinels) = self.sentinels_of(src) else {
            return self.raw(src, Achieved { n_pixels: self.n_pixels(src), ..Achieved::default() });
        };
        let Some((coded, achieved, is_broken)) = self.coded(src, sentinels)? else {
            return self.raw(src, Achieved { n_pixels: self.n_pixels(src), ..Achieved::default() });
        };
        let failed = Achieved { has_failed: true, n_pixels: achieved.n_pixels, ..Achieved::default() };
        if is_broken || self.verify && !self.keeps_promise(&coded, src) {
            return self.raw(src, failed);
        }
        let raw_len = max_len(src.len(), self.header.n_frames()) - MAX_RAW_FRONT;
        if coded.len() >= raw_len {
            return self.raw(src, Achieved { n_pixels: achieved.n_pixels, ..Achieved::default() });
        }
        Ok(coded)
    }

    fn n_pixels(&self, src: &[u8]) -> u64 {
        (src.len() / self.header.element.n_bytes) as u64
    }

    /// The sentinels that a mask is stored for: those asked for that occur and, where negative values are exact, these, if they are few, or of
    /// float32 the first few of infinities and NaN. `None` where one that is not exact anyway cannot be masked.
    fn sentinels_of(&self, src: &[u8]) -> Option<Vec<u32>> {
        let (mut found, mut others) = (Vec::new(), Vec::new());
        let is_float = self.header.element.is_float;
        let finds_negative = self.header.keep_negative && self.header.element.is_signed;
        let is_other = |pixel: i32| if is_float { !floats::is_finite(pixel) } else { finds_negative && pixel < 0 };
        let mut add = |pixel: i32| {
            let bits = pixel.cast_unsigned();
            if self.sentinels.contains(&bits) {
                if !found.contains(&bits) {
                    found.push(bits);
                }
            } else if is_other(pixel) && others.len() <= mask::MAX_SENTINELS && !others.contains(&bits) {
                others.push(bits);
            }
        };
        for_blocks(self.header.element, src, |pixels| {
            let has = |sentinel: &u32| pixels.iter().fold(false, |any, pixel| any | (*pixel == sentinel.cast_signed()));
            let has_other = || pixels.iter().fold(false, |any, pixel| any | is_other(*pixel));
            if self.sentinels.iter().any(has) || (finds_negative || is_float) && has_other() {
                pixels.iter().for_each(|pixel| add(*pixel));
            }
        });
        let n_free = mask::MAX_SENTINELS.saturating_sub(found.len());
        if is_float || others.len() <= n_free {
            found.extend(others.into_iter().take(n_free));
        }
        found.sort_unstable();
        let is_exact = |sentinel: &u32| {
            let x = self.header.element.value(sentinel.cast_signed());
            self.header.bound.tolerance(x) == 0
        };
        match self.header.may_have_mask() {
            true => Some(found),
            false if found.iter().all(is_exact) => Some(Vec::new()),
            false => None,
        }
    }

    /// The chunk with coded frames, what came of the promise, and whether it was broken. `None` where measured values would become
    /// sentinels, and are too many to be masked.
    fn coded(&self, src: &[u8], sentinels: Vec<u32>) -> Result<Option<(Vec<u8>, Achieved, bool)>> {
        if self.header.element.is_float {
            return self.coded_floats(src, sentinels).map(Some);
        }
        let is_of_value = self.header.bound != Bound::Exact && !self.header.options.unbiased;
        let values = Values::new(self.header.element, src, &sentinels, is_of_value);
        let quantiser = self.header.quantiser(Upto::Value(values.most));
        let ends = self.ends(&quantiser, values.least, values.most);
        let mut leveller = Leveller::new(&self.header, &quantiser, (&sentinels, self.sentinels), ends);
        let mut errors = Errors::default();
        leveller.add_counted(&values, &mut errors);
        let frames: Vec<Levels> =
            src.chunks(self.header.frame_bytes()).map(|frame| leveller.frame(frame, &mut errors)).collect();
        if !errors.taken.is_empty() {
            drop(frames);
            return self.masking(sentinels, &errors.taken).map_or(Ok(None), |sentinels| self.coded(src, sentinels));
        }
        let achieved = errors.achieved(&self.header.bound);
        let work = Work { encoder: self, quantiser: &quantiser, frames, sentinels, achieved, ends };
        Ok(Some((work.chunk(src)?, achieved, errors.is_broken)))
    }

    /// The same of float32, which keep their promise by exceptions.
    fn coded_floats(&self, src: &[u8], sentinels: Vec<u32>) -> Result<(Vec<u8>, Achieved, bool)> {
        let Floats { lattice, frames, achieved } = floats::levels(self, src, &sentinels);
        let encoder = ChunkEncoder { header: Header { lattice, ..self.header }, ..self.clone() };
        let quantiser = self.header.quantiser(Upto::Level(0));
        let work = Work { encoder: &encoder, quantiser: &quantiser, frames, sentinels, achieved, ends: (0, 0) };
        Ok((work.chunk(src)?, achieved, false))
    }

    /// The sentinels and the values `taken`, which are then as exact as these, if all of them can be masked.
    fn masking(&self, mut sentinels: Vec<u32>, taken: &[i64]) -> Option<Vec<u32>> {
        sentinels.extend(taken.iter().map(|x| *x as u32));
        sentinels.sort_unstable();
        (self.header.may_have_mask() && sentinels.len() <= mask::MAX_SENTINELS).then_some(sentinels)
    }

    /// The levels of the least and the greatest value, or one beside.
    fn ends(&self, quantiser: &Quantiser, least: i64, most: i64) -> (i64, i64) {
        if quantiser.is_exact() { (0, 0) } else { (quantiser.level(least, u16::MAX), quantiser.level(most, 0)) }
    }

    /// The chunk with its pixels as they are.
    fn raw(&self, src: &[u8], achieved: Achieved) -> Result<Vec<u8>> {
        let float = self.header.element.is_float.then(FloatErrors::default);
        let achieved = Achieved { float, ..achieved };
        let front = Front { header: self.header, achieved, sentinels: Vec::new(), sets: Vec::new(), coding: None };
        let head = [head_byte(Mode::Raw, false, false)];
        let segments: Vec<Vec<u8>> =
            src.chunks(self.header.frame_bytes()).map(|frame| [&head, frame].concat()).collect();
        assemble(&front, &segments)
    }

    /// Whether a chunk decodes to what was promised.
    fn keeps_promise(&self, chunk: &[u8], src: &[u8]) -> bool {
        let mut decoded = vec![0; src.len()];
        let n_frames = self.header.n_frames();
        let Ok(chunk) = Chunk::open(chunk) else { return false };
        if chunk.decode_frames(self.level.into(), 0..n_frames, &mut decoded).is_err() {
            return false;
        }
        let tolerance = chunk.front.header.lattice.tolerance;
        let block = 1024 * self.header.element.n_bytes;
        src.chunks(block)
            .zip(decoded.chunks(block))
            .all(|(before, after)| before == after || self.are_within(before, after, tolerance))
    }

    /// Whether no pixel of `after` is further off than was promised; `tolerance` is that of float32.
    fn are_within(&self, before: &[u8], after: &[u8], tolerance: f64) -> bool {
        let element = self.header.element;
        let n = before.len() / element.n_bytes;
        let (mut xs, mut ys) = ([0; 1024], [0; 1024]);
        element.load(before, &mut xs[..n]);
        element.load(after, &mut ys[..n]);
        xs.iter().zip(&ys).filter(|(x, y)| x != y).all(|(x, y)| {
            let is_sentinel = [x, y].iter().any(|pixel| self.sentinels.contains(&pixel.cast_unsigned()));
            if element.is_float {
                return !is_sentinel && floats::are_within(*x, *y, tolerance);
            }
            let (x, y) = (element.value(*x), element.value(*y));
            !is_sentinel && (y - x).abs() <= self.header.bound.tolerance(x)
        })
    }
}

/// A chunk from its front and its segments.
pub(super) fn assemble(front: &Front<'_>, segments: &[Vec<u8>]) -> Result<Vec<u8>> {
    let (header, bytes) = front.to_bytes();
    let least = front.header.frame_bytes().div_ceil(MAX_RATIO);
    let mut at = HEADER_BYTES + bytes.len() + segments.len() * ENTRY_BYTES;
    let (mut table, mut payload) = (Vec::new(), Vec::new());
    for segment in segments {
        let start = payload.len();
        payload.extend_from_slice(segment);
        payload.resize(payload.len().max(start + least), 0);
        at += payload.len() - start;
        let end = u32::try_from(at).map_err(|_| {
            Error::Argument("the encoded chunk is larger than the 4 GiB that it can have: use smaller chunks".into())
        })?;
        table.extend_from_slice(&end.to_le_bytes());
        table.extend_from_slice(&crc32fast::hash(&payload[start..]).to_le_bytes());
    }
    let checksum = checksum(&header, &bytes, &table).to_le_bytes();
    Ok([&header[..], &checksum, &bytes, &table, &payload].concat())
}
