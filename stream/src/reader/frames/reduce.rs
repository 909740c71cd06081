//! Sum, greatest value and count of each pixel over frames, kept from call to call.
//!
//! A thread has its own of each pixel, in one word: pixels that are not 0 are few and far from each other, so each costs one cache
//! line. What is in a word cannot overflow before [`MOST`] frames; then the words are emptied into wider ones. Pixels of 32 bits have
//! the wider ones from the beginning.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::gather::Gather;
use super::pixels::Kind;
use super::walk::{Wanted, walk};
use crate::reader::Reader;
use crate::reader::buffer::zeros;
use crate::{Error, Result};

/// Frames after which a sum of 16-bit pixels may leave 32 bits.
const MOST: u64 = 1 << 15;

/// Of each pixel, over frames.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reduced {
    /// The sum.
    pub sum: Vec<i64>,
    /// The greatest value; 0 where there is none that is not ignored.
    pub max: Vec<i64>,
    /// In how many frames it is neither 0 nor ignored.
    pub count: Vec<u64>,
}

/// Sums, greatest values and counts to which frames are added, also of another dataset with frames of the same kind. To add a frame costs
/// what its pixels cost that are not 0, whatever the size of the frame.
#[derive(Debug)]
pub struct Reduction {
    kind: Kind,
    n_pixels: usize,
    ignore: Option<i64>,
    n_frames: u64,
    /// One for each thread that had work at a time.
    parts: Vec<Reduce>,
    has_failed: bool,
}

impl Reader {
    /// Sums of no frame yet, without the pixels that are `ignore`.
    ///
    /// # Errors
    /// As [`frame_pixels`](Self::frame_pixels).
    pub fn reduction(&self, ignore: Option<i64>) -> Result<Reduction> {
        let (kind, n_pixels) = self.frame()?;
        Ok(Reduction { kind, n_pixels, ignore, n_frames: 0, parts: Vec::new(), has_failed: false })
    }

    /// For each pixel the sum over these frames, the greatest value, and in how many frames it is not 0; without those where it is
    /// `ignore`.
    ///
    /// # Errors
    /// As [`sparse`](Self::sparse).
    pub fn reduce(&self, frames: Range<u64>, ignore: Option<i64>) -> Result<Reduced> {
        let mut all = self.reduction(ignore)?;
        all.add(self, frames, None)?;
        let n = all.n_pixels;
        let mut found = Reduced { sum: vec![0; n], max: vec![0; n], count: vec![0; n] };
        all.put(Some(&mut found.sum), Some(&mut found.max), Some(&mut found.count))?;
        Ok(found)
    }
}

impl Reduction {
    /// Pixels of a frame.
    #[must_use]
    pub fn n_pixels(&self) -> usize {
        self.n_pixels
    }

    /// Frames that were added.
    #[must_use]
    pub fn n_frames(&self) -> u64 {
        self.n_frames
    }

    /// Adds frames for about so long, at least a chunk of them, and returns the first that is left; without a limit it adds all.
    ///
    /// # Errors
    /// As [`Reader::sparse`]; [`Error::Argument`] for a reader of other frames. After an error of a chunk it is of no use any more: it
    /// may have a part of a frame.
    pub fn add(&mut self, reader: &Reader, frames: Range<u64>, limit: Option<Duration>) -> Result<u64> {
        self.check(reader, &frames)?;
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let (kind, n_pixels, ignore) = (self.kind, self.n_pixels, self.ignore);
        self.has_failed = true;
        let make = move || Reduce::new(kind, n_pixels, ignore);
        let next = walk(reader, Wanted { kind, n_pixels, frames: frames.clone(), deadline }, &mut self.parts, make)?;
        self.has_failed = false;
        self.n_frames += next - frames.start;
        Ok(next)
    }

    fn check(&self, reader: &Reader, frames: &Range<u64>) -> Result<()> {
        let refused = |why: &str| Err(Error::Argument(why.to_owned()));
        if self.has_failed {
            return refused("a frame could not be added before, and may be added in part: begin anew");
        }
        if reader.frame()? != (self.kind, self.n_pixels) {
            return refused("these frames have other pixels than those that were added before");
        }
        reader.check_frames(frames)?;
        if self.n_frames + (frames.end - frames.start) > u64::from(u32::MAX) {
            return refused("more frames than there are numbers of 32 bits");
        }
        Ok(())
    }

    /// Writes what was asked for, each of the size of a frame.
    ///
    /// # Errors
    /// [`Error::Argument`] for a slice of another size, or where frames could not be added.
    pub fn put(&self, sum: Option<&mut [i64]>, max: Option<&mut [i64]>, count: Option<&mut [u64]>) -> Result<()> {
        let sizes = [sum.as_ref().map(|s| s.len()), max.as_ref().map(|s| s.len()), count.as_ref().map(|s| s.len())];
        if let Some(other) = sizes.into_iter().flatten().find(|n| *n != self.n_pixels) {
            return Err(Error::Argument(format!("room for {other} pixels: a frame has {}", self.n_pixels)));
        }
        if self.has_failed {
            return Err(Error::Argument("a frame could not be added, and may be added in part: begin anew".into()));
        }
        sum.into_iter().for_each(|sum| self.sum(sum));
        max.map_or(Ok(()), |max| self.max(max))?;
        count.into_iter().for_each(|count| self.count(count));
        Ok(())
    }

    fn sum(&self, sum: &mut [i64]) {
        sum.fill(0);
        for part in &self.parts {
            sum.iter_mut().zip(&part.narrow).for_each(|(sum, kept)| *sum += narrow::sum(*kept));
            sum.iter_mut().zip(&part.wide).for_each(|(sum, kept)| *sum += wide::sum(*kept));
        }
    }

    fn count(&self, count: &mut [u64]) {
        count.fill(0);
        for part in &self.parts {
            count.iter_mut().zip(&part.narrow).for_each(|(count, kept)| *count += narrow::count(*kept));
            count.iter_mut().zip(&part.wide).for_each(|(count, kept)| *count += wide::count(*kept));
        }
    }

    fn max(&self, max: &mut [i64]) -> Result<()> {
        let lowest = self.kind.lowest();
        // Of unsigned pixels none is below a 0 that was not looked at.
        max.fill(if lowest == 0 { 0 } else { i64::MIN });
        for part in &self.parts {
            for (max, kept) in max.iter_mut().zip(&part.narrow) {
                *max = (*max).max(narrow::max(*kept, lowest));
            }
            for (max, kept) in max.iter_mut().zip(&part.wide) {
                *max = (*max).max(wide::max(*kept, lowest));
            }
        }
        if lowest < 0 {
            self.zeros(max)?;
        }
        Ok(())
    }

    /// Zeros are not looked at: where a pixel is missing in a frame it was one.
    fn zeros(&self, max: &mut [i64]) -> Result<()> {
        let mut seen: Vec<u64> = zeros(self.n_pixels).map_err(darkchunk_hdf5::Error::from)?;
        self.count(&mut seen);
        max.iter_mut().zip(&seen).filter(|(_, count)| **count == 0).for_each(|(max, _)| *max = (*max).max(0));
        for part in &self.parts {
            seen.iter_mut().zip(&part.ignored).for_each(|(seen, ignored)| *seen += u64::from(*ignored));
        }
        let has_zero = |seen: u64| self.ignore != Some(0) && seen < self.n_frames;
        max.iter_mut().zip(&seen).filter(|(_, seen)| has_zero(**seen)).for_each(|(max, _)| *max = (*max).max(0));
        Ok(())
    }
}

/// What one thread has.
#[derive(Debug)]
pub(super) struct Reduce {
    kind: Kind,
    n_pixels: usize,
    ignore: Option<i64>,
    /// Frames that may be in `narrow`.
    n_narrow: u64,
    is_wide: bool,
    narrow: Vec<u64>,
    wide: Vec<[u64; 2]>,
    /// In how many frames a pixel is `ignore` and not 0; empty where none is.
    ignored: Vec<u32>,
}

impl Reduce {
    fn new(kind: Kind, n_pixels: usize, ignore: Option<i64>) -> Self {
        let (narrow, wide, ignored) = (Vec::new(), Vec::new(), Vec::new());
        Self { kind, n_pixels, ignore, n_narrow: 0, is_wide: false, narrow, wide, ignored }
    }

    /// Empties the narrow words into the wide ones.
    fn widen(&mut self) {
        let lowest = self.kind.lowest();
        for (wide, narrow) in self.wide.iter_mut().zip(&mut self.narrow) {
            wide::join(wide, *narrow, lowest);
            *narrow = 0;
        }
        self.n_narrow = 0;
    }
}

impl Gather for Reduce {
    fn begin(&mut self, n_frames: u64) -> darkchunk::Result<()> {
        self.is_wide = self.kind.n_bytes > 2 || n_frames > MOST;
        let is_full = !self.is_wide && self.n_narrow + n_frames > MOST;
        if (self.is_wide || is_full) && self.wide.is_empty() {
            self.wide = zeros(self.n_pixels)?;
        }
        if self.ignored.is_empty() && self.ignore.is_some_and(|ignore| ignore != 0) {
            self.ignored = zeros(self.n_pixels)?;
        }
        if is_full {
            self.widen();
        }
        if !self.is_wide {
            self.n_narrow += n_frames;
            if self.narrow.is_empty() {
                self.narrow = zeros(self.n_pixels)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, _frame: u64, first: usize, bytes: &[u8]) {
        let (kind, lowest) = (self.kind, self.kind.lowest());
        // No pixel is larger than 32 bits.
        let ignore = self.ignore.unwrap_or(i64::MAX);
        let ignored = self.ignored.get_mut(first..).unwrap_or_default();
        if self.is_wide {
            let kept = &mut self.wide[first..];
            kind.each(bytes, |index, value| match ignored.get_mut(index) {
                Some(ignored) if value == ignore => *ignored += 1,
                _ if value == ignore => {}
                _ => wide::add(&mut kept[index], value, lowest),
            });
        } else {
            let kept = &mut self.narrow[first..];
            kind.each(bytes, |index, value| match ignored.get_mut(index) {
                Some(ignored) if value == ignore => *ignored += 1,
                _ if value == ignore => {}
                _ => narrow::add(&mut kept[index], value, lowest),
            });
        }
    }
}

/// A word: the sum in 32 bits, the greatest value above the lowest in 16, the count in 16.
mod narrow {
    pub(super) fn add(kept: &mut u64, value: i64, lowest: i64) {
        let sum = (*kept as u32).wrapping_add(value as u32);
        let max = ((*kept >> 32) as u16).max((value - lowest) as u16);
        let count = (*kept >> 48) + u64::from(value != 0);
        *kept = u64::from(sum) | u64::from(max) << 32 | count << 48;
    }

    pub(super) fn sum(kept: u64) -> i64 {
        i64::from(kept as u32 as i32)
    }

    pub(super) fn count(kept: u64) -> u64 {
        kept >> 48
    }

    /// `i64::MIN` where there was no pixel.
    pub(super) fn max(kept: u64, lowest: i64) -> i64 {
        let above = i64::from((kept >> 32) as u16);
        if above == 0 && count(kept) == 0 { i64::MIN } else { lowest + above }
    }
}

/// Two words: the sum; the greatest value above the lowest, and the count.
mod wide {
    pub(super) fn add([sum, rest]: &mut [u64; 2], value: i64, lowest: i64) {
        *sum = sum.wrapping_add(value as u64);
        let max = (*rest as u32).max((value - lowest) as u32);
        *rest = u64::from(max) | ((*rest >> 32) + u64::from(value != 0)) << 32;
    }

    pub(super) fn join(to: &mut [u64; 2], narrow: u64, lowest: i64) {
        let (sum, count) = (super::narrow::sum(narrow), super::narrow::count(narrow));
        let above = super::narrow::max(narrow, lowest).saturating_sub(lowest).max(0) as u32;
        to[0] = to[0].wrapping_add(sum as u64);
        to[1] = u64::from((to[1] as u32).max(above)) | ((to[1] >> 32) + count) << 32;
    }

    pub(super) fn sum([sum, _]: [u64; 2]) -> i64 {
        sum as i64
    }

    pub(super) fn count([_, rest]: [u64; 2]) -> u64 {
        rest >> 32
    }

    /// `i64::MIN` where there was no pixel.
    pub(super) fn max(kept: [u64; 2], lowest: i64) -> i64 {
        let above = i64::from(kept[1] as u32);
        if above == 0 && count(kept) == 0 { i64::MIN } else { lowest + above }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use darkchunk::element::ElementType;

    /// More frames than a word holds, and pixels at both ends of what there is.
    #[test]
    fn words_are_emptied_before_they_overflow() {
        for (element, values) in [
            (ElementType::U16, [0_i64, 65_535, 65_535, 1]),
            (ElementType::I16, [-32_768, 32_767, -1, 0]),
            (ElementType::U8, [255, 0, 255, 1]),
            (ElementType::I32, [i32::MIN.into(), i32::MAX.into(), -1, 0]),
        ] {
            let kind = Kind::new(element).expect("an integer");
            let stored = values.map(|value| kind.stored(value).expect("a pixel can have it"));
            let bytes: Vec<u8> = stored.iter().flat_map(|bytes| bytes[..kind.n_bytes].to_vec()).collect();
            let (n, ignore) = (3 * MOST + 7, Some(-1));
            let mut part = Reduce::new(kind, values.len(), ignore);
            for frame in 0..n {
                part.begin(if frame == 5 { MOST + 1 } else { 1 }).expect("memory");
                part.take(frame, 0, &bytes);
            }
            let all = Reduction { kind, n_pixels: 4, ignore, n_frames: n, parts: vec![part], has_failed: false };
            let (mut sum, mut max, mut count) = ([1; 4], [1; 4], [1; 4]);
            all.put(Some(&mut sum), Some(&mut max), Some(&mut count)).expect("room");
            for (index, value) in values.into_iter().enumerate() {
                let value = if Some(value) == ignore { 0 } else { value };
                let n_bright = if value == 0 { 0 } else { n };
                assert_eq!((sum[index], max[index], count[index]), (value * n as i64, value, n_bright), "{element}");
            }
        }
    }
}
