//! A chunk, opened: its segments, and the frames that they decode to.

use super::coding::{Coding, Reference};
use super::frame::{self, FrameDecoder, Tables};
use super::front::{self, ENTRY_BYTES, Front, MAX_RATIO};
use super::planes::Plane;
use super::segment::Mode;
use crate::codec::cursor::Cursor;
use crate::cpu::Level;
use crate::kernels::quantise::{LevelTable, Upto};
use crate::threads::Pace;
use crate::{Error, Exec, Result, Threads};
use std::ops::Range;

/// A stored chunk whose front is as it was written.
#[derive(Debug)]
pub struct Chunk<'a> {
    pub(super) front: Front<'a>,
    src: &'a [u8],
    /// Where the table is, and where the first segment begins.
    table: usize,
    payload: usize,
}

/// All that a chunk with coded frames is decoded with.
struct Parts<'a> {
    coding: &'a Coding,
    tables: Tables,
    levels: LevelTable,
}

impl<'a> Chunk<'a> {
    /// Opens a chunk of which the front is sound; its segments need not be there.
    pub(super) fn open(src: &'a [u8]) -> Result<Self> {
        let (front, table) = front::open(src)?;
        let payload = table + front.n_segments() * ENTRY_BYTES;
        Ok(Self { front, src, table, payload })
    }

    /// The decoded size, where the segments are there and long enough for it to be true.
    pub(super) fn justified_len(&self) -> Result<usize> {
        let mut end = self.payload;
        for index in 0..self.front.n_segments() {
            end = self.range(index)?.end;
        }
        if end != self.src.len() {
            return Err(Error::Corrupt { at: end, what: "bytes follow the last frame" });
        }
        Ok(self.front.header.n_bytes as usize)
    }

    /// Whether no frame needs the one before.
    pub(super) fn frames_are_alone(&self) -> bool {
        !self.front.coding.as_ref().is_some_and(|coding| coding.reference == Reference::Previous)
    }

    fn entry(&self, index: usize) -> Result<(usize, u32)> {
        let mut cursor = Cursor::new_at(self.src, self.table + index * ENTRY_BYTES);
        Ok((cursor.u32_le()? as usize, cursor.u32_le()?))
    }

    /// Where segment `index` is.
    fn range(&self, index: usize) -> Result<Range<usize>> {
        let start = if index == 0 { self.payload } else { self.entry(index - 1)?.0 };
        let (end, _) = self.entry(index)?;
        let at = self.table + index * ENTRY_BYTES;
        let n_bytes = end.checked_sub(start).filter(|_| start >= self.payload);
        let n_bytes = n_bytes.ok_or(Error::Corrupt { at, what: "a frame does not end after the one before" })?;
        if n_bytes < self.front.header.frame_bytes().div_ceil(MAX_RATIO) {
            return Err(Error::Corrupt { at, what: "a frame is too short for its pixels" });
        }
        if end > self.src.len() {
            let available = self.src.len().saturating_sub(start);
            return Err(Error::Truncated { at: start, needed: n_bytes, available });
        }
        Ok(start..end)
    }

    /// Segment `index`, as its checksum says.
    fn segment(&self, index: usize) -> Result<&'a [u8]> {
        let bytes = &self.src[self.range(index)?];
        let (stored, computed) = (self.entry(index)?.1, crc32fast::hash(bytes));
        if stored == computed { Ok(bytes) } else { Err(Error::Checksum { stored, computed }) }
    }

    fn parts(&self) -> Result<Option<Parts<'_>>> {
        let Some(coding) = &self.front.coding else { return Ok(None) };
        let quantiser = self.front.header.quantiser(Upto::Level(coding.levels.1));
        let levels = LevelTable::new(quantiser, coding.levels.0, coding.levels.1);
        if levels_checksum(&levels) != coding.levels_checksum {
            return Err(Error::Corrupt { at: 0, what: "its levels stand for other values than when it was written" });
        }
        Ok(Some(Parts { coding, tables: Tables::new(coding), levels }))
    }

    /// Decodes the frames `frames` into the whole of `dst`.
    pub(super) fn decode_frames(&self, exec: Exec, frames: Range<usize>, dst: &mut [u8]) -> Result<()> {
        let first = self.decode_or_list(exec, frames, dst, true)?.into_iter().next();
        first.map_or(Ok(()), |(_, reason)| Err(reason))
    }

    /// Decodes those of the frames `frames` that can be into their places in `dst`. Returns the others, and why; where it
    /// `stops`, the first of them is right, and not all may be there.
    pub(super) fn decode_or_list(
        &self,
        exec: Exec,
        frames: Range<usize>,
        dst: &mut [u8],
        stops: bool,
    ) -> Result<Vec<(usize, Error)>> {
        let n_frames = self.front.header.n_frames();
        if frames.start > frames.end || frames.end > n_frames {
            return Err(Error::Argument(format!("frames {frames:?} of a chunk that has {n_frames}")));
        }
        let expected = frames.len() * self.front.header.frame_bytes();
        if dst.len() != expected {
            return Err(Error::WrongSize { expected: dst.len(), found: expected });
        }
        if frames.is_empty() {
            return Ok(Vec::new());
        }
        let parts = self.parts()?;
        let decoder = parts.as_ref().map(|parts| self.decoder(exec.level, parts));
        Ok(match &decoder {
            Some(decoder) if decoder.coding.reference == Reference::Previous => {
                self.in_order(decoder, frames, dst, stops)
            }
            decoder => self.each(decoder.as_ref(), exec.threads, frames, dst, stops),
        })
    }

    fn decoder<'b>(&'b self, level: Level, parts: &'b Parts<'b>) -> FrameDecoder<'b> {
        let levels = (!parts.levels.quantiser().is_exact()).then_some(&parts.levels);
        let (coding, tables) = (parts.coding, &parts.tables);
        FrameDecoder { level, front: &self.front, coding, tables, levels, is_reference: false }
    }

    fn plane(&self) -> Plane {
        Plane::new(self.front.header.height as usize, self.front.header.width as usize)
    }

    /// The reference that is stored, where there is one.
    fn reference(&self, decoder: &FrameDecoder<'_>) -> Result<Option<Plane>> {
        if !self.front.has_reference_segment() {
            return Ok(None);
        }
        let mut plane = self.plane();
        let segment = self.segment(0)?;
        FrameDecoder { is_reference: true, ..*decoder }.decode(segment, None, None, Some(&mut plane))?;
        plane.end();
        Ok(Some(plane))
    }

    /// Decodes frames of which none needs the one before.
    fn each(
        &self,
        decoder: Option<&FrameDecoder<'_>>,
        threads: Threads,
        frames: Range<usize>,
        dst: &mut [u8],
        stops: bool,
    ) -> Vec<(usize, Error)> {
        let reference = decoder.map_or(Ok(None), |decoder| self.reference(decoder));
        let (header, frame_bytes) = (&self.front.header, self.front.header.frame_bytes());
        let threads = threads.worth(Pace::Slow, dst.len());
        let per_part = threads.units_per_part(dst.len(), frame_bytes);
        let parts =
            (frames.start..).step_by(per_part).zip(dst.chunks_mut(per_part.saturating_mul(frame_bytes))).collect();
        let failed = threads.run(parts, || {
            let mut ring = header.has_planes().then(|| Plane::ring(header.width as usize));
            let reference = &reference;
            move |(first, dst): (usize, &mut [u8])| {
                let mut failed = Vec::new();
                for (index, dst) in (first..).zip(dst.chunks_mut(frame_bytes)) {
                    if let Err(reason) = self.frame(index, decoder, reference, ring.as_mut(), dst) {
                        failed.push((index, reason));
                        if stops {
                            break;
                        }
                    }
                }
                failed
            }
        });
        failed.into_iter().flatten().collect()
    }

    /// Decodes a frame that does not need the one before.
    fn frame(
        &self,
        index: usize,
        decoder: Option<&FrameDecoder<'_>>,
        reference: &Result<Option<Plane>>,
        mut ring: Option<&mut Plane>,
        dst: &mut [u8],
    ) -> Result<()> {
        let segment = self.segment(index + usize::from(self.front.has_reference_segment()))?;
        let Some(decoder) = decoder else { return frame::decode_raw_segment(segment, dst) };
        let reference = match reference {
            Ok(reference) => reference.as_ref(),
            Err(reason) if frame::is_predicted(segment) => return Err(reason.clone()),
            Err(_) => None,
        };
        if let Some(ring) = &mut ring {
            // The first model has none.
            ring.begin(reference.filter(|_| !frame::is_first(segment)));
        }
        decoder.decode(segment, reference, Some(dst), ring).map(|_| ())
    }

    /// Decodes frames that are predicted from the one before: all up to the last one that is wanted.
    fn in_order(
        &self,
        decoder: &FrameDecoder<'_>,
        frames: Range<usize>,
        dst: &mut [u8],
        stops: bool,
    ) -> Vec<(usize, Error)> {
        let (mut previous, mut current) = (None, self.plane());
        let (mut lost, mut failed): (Option<Error>, _) = (None, Vec::new());
        let frame_bytes = self.front.header.frame_bytes();
        for index in 0..frames.end {
            let at = index.checked_sub(frames.start).map(|n| n * frame_bytes);
            let pixels = at.map(|at| &mut dst[at..at + frame_bytes]);
            let before = lost.as_ref().map_or(Ok(previous.as_ref()), Err);
            match self.next_frame(index, decoder, before, pixels, &mut current) {
                Ok((Mode::Raw, _)) => {}
                // Its pixels are right, but not what the next one is predicted from.
                Ok((_, false)) if lost.is_some() => {}
                Ok(_) => {
                    current.end();
                    let next = previous.take().unwrap_or_else(|| self.plane());
                    previous = Some(std::mem::replace(&mut current, next));
                    lost = None;
                }
                Err(reason) => {
                    previous = None;
                    let reason = lost.get_or_insert(reason).clone();
                    if index >= frames.start {
                        failed.push((index, reason));
                        if stops {
                            break;
                        }
                    }
                }
            }
        }
        failed
    }

    /// Decodes a frame after the one before, if it needs that and it is there, and says whether it needs none.
    fn next_frame(
        &self,
        index: usize,
        decoder: &FrameDecoder<'_>,
        before: std::result::Result<Option<&Plane>, &Error>,
        pixels: Option<&mut [u8]>,
        current: &mut Plane,
    ) -> Result<(Mode, bool)> {
        let segment = self.segment(index)?;
        let is_first = frame::is_first(segment);
        let previous = match before {
            Ok(previous) => previous,
            // Without a reference tap its rows are still predicted from the lost ones, and its tokens decode whatever these are.
            Err(reason) if frame::is_predicted(segment) && !is_first => return Err(reason.clone()),
            Err(_) => None,
        };
        current.begin(previous.filter(|_| !is_first));
        if pixels.is_none() && frame::is_raw(segment) {
            return Ok((Mode::Raw, is_first));
        }
        Ok((decoder.decode(segment, previous, pixels, Some(current))?, is_first))
    }
}

/// The checksum of what levels stand for: of the first ones, where there are many.
pub(super) fn levels_checksum(table: &LevelTable) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    table.values().iter().for_each(|value| hasher.update(&value.to_le_bytes()));
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Exec;
    use crate::codec::{ChunkLayout, Codec, bounded::Bounded};
    use crate::element::ElementType;
    use darkchunk_sim::Rng;

    /// A chunk of which the frames are predicted from the one before, but with a model that has taps in the frame itself alone, and one
    /// table.
    struct Sample {
        codec: Bounded,
        src: Vec<u8>,
        stored: Vec<u8>,
        n_frames: usize,
    }

    impl Sample {
        /// Vertical stripes, new in each frame: the row above predicts all, the frame before nothing.
        fn stripes(seed: u64) -> Self {
            let mut rng = Rng::new(seed);
            let [n_frames, height, width] = [4 + rng.below(12), 8 << rng.below(3), 16 << rng.below(3)];
            let mut src = Vec::new();
            for _ in 0..n_frames {
                let row: Vec<u8> = (0..width).flat_map(|_| (rng.below(300) as u16).to_ne_bytes()).collect();
                (0..height).for_each(|_| src.extend_from_slice(&row));
            }
            let layout = ChunkLayout::new(ElementType::U16, [n_frames, height, width].map(|n| n as u64).to_vec());
            let given = Bounded::localise(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 3], &layout).expect("parameters");
            let codec = Bounded::from_cd_values(&given).expect("parameters");
            let mut stored = vec![0; codec.max_encoded_len(src.len())];
            let n_bytes = codec.encode(Exec::current(), &src, &mut stored).expect("it encodes");
            stored.truncate(n_bytes);
            Self { codec, src, stored, n_frames }
        }

        fn is_without_reference_taps(&self) -> bool {
            let chunk = Chunk::open(&self.stored).expect("a sound chunk");
            let is_predicted = |frame| frame::is_predicted(chunk.segment(frame).expect("sound"));
            let all_predicted = (0..self.n_frames).all(is_predicted);
            let coding = chunk.front.coding.filter(|coding| coding.reference == Reference::Previous && all_predicted);
            let models = coding.map(|coding| coding.model);
            models.is_some_and(|model| {
                let has_taps = !model.taps.is_empty() && !model.taps.iter().any(|tap| tap.is_reference);
                has_taps && model.tables.len() == 1
            })
        }

        fn check(&self, damaged: usize) {
            let mut stored = self.stored.clone();
            let range = Chunk::open(&stored).and_then(|chunk| chunk.range(damaged)).expect("sound");
            stored[(range.start + range.end) / 2] ^= 0x10;
            let (mut dst, frame_bytes) = (vec![0; self.src.len()], self.src.len() / self.n_frames);
            let lost = self.codec.recover(&stored, &mut dst).expect("a sound front");
            let lost: Vec<usize> = lost.into_iter().map(|(frame, ..)| frame).collect();
            assert_eq!(lost, (damaged..self.n_frames).collect::<Vec<_>>());
            assert_eq!(dst[..damaged * frame_bytes], self.src[..damaged * frame_bytes]);
            for frame in 0..self.n_frames {
                let dst = &mut dst[..frame_bytes];
                let found = self.codec.decode_frames(Threads::ONE, &stored, frame..frame + 1, dst);
                assert_eq!(found.is_ok(), frame < damaged, "frame {frame} after {damaged}");
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes")]
    fn a_frame_after_a_lost_one_is_lost_also_where_its_model_has_no_reference_taps() {
        let samples: Vec<Sample> =
            (0..300).map(Sample::stripes).filter(Sample::is_without_reference_taps).take(5).collect();
        assert!(!samples.is_empty(), "no chunk is so");
        for sample in samples {
            (0..sample.n_frames).for_each(|damaged| sample.check(damaged));
        }
    }
}
