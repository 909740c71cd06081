//! What a worker does: the frames of a chunk or of a layer of bricks, corrected, summed and encoded, and their memory released.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use darkchunk::chunk::{Filter, FrameElement, FrameEncoder, Sum};
use darkchunk::kernels::drle::FrameCounts;

use crate::journal::checksum;
use crate::reader::Walked;

use super::bricks::Bricks;
use super::buffer::{Frame, Pool, Pooled};
use super::changes::Changes;
use super::encoded::{Checks, Encoded};
use super::live::Viewed;
use super::maximum::{self, Maximum, SharedMaximum};
use super::numbers::State;
use super::order::{Job, Slot};
use super::pixels::{PixelFormat, Scratch, Strips, in_one_piece, overwrite};
use super::share::Numbering;
use super::sums::{SharedSums, Sums, class_of, lock};
use super::veto::{Candidate, Meter, Veto};

/// Frames that are encoded at once, at most.
const AT_ONCE: usize = 16;

/// A chunk that is encoded.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Its number in the dataset.
    pub(super) index: u64,
    pub(super) stored: Arc<Pooled>,
    /// Of the stored bytes, for the journal.
    pub(super) checksum: u32,
    /// Where its blocks are, for an index.
    pub(super) blocks: Option<Walked>,
}

/// The frames of a job, encoded.
#[derive(Debug)]
pub(super) struct Done<T> {
    pub(super) job: Job<T>,
    /// One chunk, or the bricks of the frames; none where no frame is to be stored.
    pub(super) chunks: Vec<Chunk>,
    /// Bytes of the chunks.
    pub(super) n_bytes: usize,
    /// Of the frames that are to be stored.
    pub(super) n_frames: u64,
    pub(super) counts: FrameCounts,
    /// Why frames were refused.
    pub(super) fault: Option<String>,
}

impl<T> Done<T> {
    /// The first and the last frame that are to be stored, by their index.
    pub(super) fn ends(&self) -> Option<(u64, u64)> {
        let mut stored = self.job.slots.iter().filter(|slot| slot.fate == State::Stored).map(|slot| slot.index);
        let first = stored.next()?;
        Some((first, stored.last().unwrap_or(first)))
    }
}

/// How frames are to be encoded.
#[derive(Debug, Clone)]
pub(super) struct Plan<P> {
    pub(super) format: PixelFormat,
    /// Whether frames are overwritten with what is stored.
    pub(super) in_place: bool,
    pub(super) veto: Option<Veto<P>>,
    pub(super) meter: Arc<Meter>,
    pub(super) numbering: Numbering,
    pub(super) chunks: Pool,
    pub(super) checks: Arc<Checks>,
    /// The filter whose blocks are walked, where there is an index of them.
    pub(super) walks: Option<Filter>,
    pub(super) viewed: Arc<Viewed<P>>,
    pub(super) changes: Arc<Changes<P>>,
    pub(super) filter: Option<Filter>,
    /// Whether the greatest value of each pixel is kept.
    pub(super) maximum: bool,
}

/// Encodes one chunk after the other.
#[derive(Debug)]
pub(super) struct Worker<P> {
    encoder: FrameEncoder<P>,
    /// What cuts and encodes what the encoder has corrected; `None` where it encodes itself.
    bricks: Option<Bricks>,
    plan: Plan<P>,
    scratch: Scratch<P>,
    /// A frame of zeros, once one is missing in a chunk.
    zeros: Vec<P>,
    /// A frame that was encoded already, decoded.
    decoded: Vec<u8>,
    /// What it sums up; the encoder has one of these while it takes a frame.
    sums: SharedSums,
    maximum: Option<SharedMaximum<P>>,
    /// The class of each frame of a chunk.
    classes: Vec<usize>,
    /// Whether frames are in the sum that are in no chunk.
    is_sum_spoilt: bool,
}

impl<P: FrameElement + Into<i64>> Worker<P> {
    pub(super) fn new(mut encoder: FrameEncoder<P>, bricks: Option<Bricks>, plan: Plan<P>) -> Self {
        let n_pixels = encoder.shape().frame_pixels();
        let sums = Sums::new::<P>(encoder.totals_mut().sum.take(), n_pixels, plan.viewed.classes);
        let maximum = plan.maximum.then(|| Arc::new(Mutex::new(Maximum::new(n_pixels))));
        Self {
            encoder,
            bricks,
            plan,
            scratch: Scratch::default(),
            zeros: Vec::new(),
            decoded: Vec::new(),
            sums,
            maximum,
            classes: Vec::new(),
            is_sum_spoilt: false,
        }
    }

    /// The greatest value of each pixel, for others to see, where that is kept.
    pub(super) fn maximum(&self) -> Option<SharedMaximum<P>> {
        self.maximum.clone()
    }

    /// What it sums up, for others to see.
    pub(super) fn sums(&self) -> SharedSums {
        Arc::clone(&self.sums)
    }

    /// Encodes a chunk. A panic, which would be a fault of ours or of the veto's, costs its frames.
    pub(super) fn work<T: Frame>(&mut self, mut job: Job<T>) -> Done<T> {
        let mut fault = None;
        let sums = Arc::clone(&self.sums);
        let mut sums = lock(&sums);
        let result = catch_unwind(AssertUnwindSafe(|| {
            let chunks = self.encode(&mut job, &mut fault, &mut sums);
            self.note_maximum(&job, &chunks);
            chunks
        }));
        sums.take_back(&mut self.encoder.totals_mut().sum);
        drop(sums);
        let chunks = result.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            self.give_up(&mut job);
            fault = Some(format!("a panic while chunk {} was encoded: {text}", job.chunk));
            Vec::new()
        });
        self.encoder.clear();
        let counts = std::mem::take(&mut self.encoder.totals_mut().counts);
        let n_frames = job.slots.iter().filter(|slot| slot.fate == State::Stored).count() as u64;
        let counts = if chunks.is_empty() { FrameCounts::default() } else { counts };
        let n_bytes = chunks.iter().map(|chunk| chunk.stored.bytes.len()).sum();
        let done = Done { job, chunks, n_bytes, n_frames, counts, fault };
        if let Some((_, last)) = done.ends() {
            self.plan.viewed.show(last, &done.chunks);
        }
        done
    }

    /// Adds the frames of a job to the maximum image, where there is one. A chunk that does not decode is a detector's own. Of bricks the frames
    /// are taken as they were before the filter.
    fn note_maximum<T>(&mut self, job: &Job<T>, chunks: &[Chunk]) {
        let Some(maximum) = self.maximum.clone() else { return };
        let (exec, shape) = (self.encoder.processing().exec, *self.encoder.shape());
        let is_stored = |slot: &&Slot<T>| slot.fate == State::Stored;
        let places = job.slots.iter().filter(is_stored).map(|slot| (slot.index % shape.n_frames as u64) as usize);
        let (stored, filter) = match (&self.bricks, chunks) {
            (None, [chunk]) => (&chunk.stored.bytes[..], self.plan.filter.as_ref()),
            (Some(_), [_, ..]) => match self.encoder.encode() {
                Ok(layer) => (layer, None),
                Err(_) => return,
            },
            _ => return,
        };
        let _ = maximum::lock(&maximum).add(exec, (&shape, filter), stored, places);
    }

    fn encode<T: Frame>(&mut self, job: &mut Job<T>, fault: &mut Option<String>, sums: &mut Sums) -> Vec<Chunk> {
        if let [slot] = &mut job.slots[..]
            && let Some(kind) = slot.frame.as_ref().and_then(Frame::encoded)
        {
            let chunk = self.encoded(slot, kind, fault);
            return chunk.map(|chunk| chunk_of(job.chunk, chunk, self.plan.walks.as_ref())).into_iter().collect();
        }
        let first = job.chunk * self.encoder.shape().n_frames as u64;
        if let Err(error) = self.follow(first) {
            return self.cannot(job, fault, &error);
        }
        self.classes.clear();
        self.classes.extend(job.rows().map(|(_, row)| class_of(self.plan.viewed.classes, row)));
        let mut at = 0;
        let mut rest = &mut job.slots[..];
        while !rest.is_empty() {
            let class = self.classes[at];
            sums.swap(class, &mut self.encoder.totals_mut().sum);
            let n_at_once = self.several(rest, first, at).max(1);
            let (slots, others) = rest.split_at_mut(n_at_once);
            if let [Slot { index, frame, fate, .. }] = slots
                && let Some(mut frame) = frame.take()
            {
                *fate = self.frame(*index, (*index - first) as usize, &mut frame).unwrap_or_else(|error| {
                    *fault = Some(format!("frame {}: {error}", self.plan.numbering.number(*index)));
                    State::Refused
                });
            }
            sums.swap(class, &mut self.encoder.totals_mut().sum);
            (rest, at) = (others, at + n_at_once);
        }
        if job.slots.iter().all(|slot| slot.fate != State::Stored) {
            return Vec::new();
        }
        self.chunks(job.chunk).unwrap_or_else(|error| self.cannot(job, fault, &error))
    }

    /// The chunks of the frames that the encoder has, which are those of a job.
    fn chunks(&mut self, job: u64) -> darkchunk::Result<Vec<Chunk>> {
        let Self { encoder, bricks, plan, .. } = self;
        let (encoded, mut chunks) = (encoder.encode()?, Vec::new());
        let mut keep = |stored: &[u8]| {
            let mut chunk = plan.chunks.take();
            chunk.bytes.extend_from_slice(stored);
            chunks.push(chunk);
        };
        match bricks {
            Some(bricks) => bricks.encode(encoded, keep)?,
            None => keep(encoded),
        }
        let first = job * chunks.len() as u64;
        Ok((first..).zip(chunks).map(|(index, chunk)| chunk_of(index, chunk, plan.walks.as_ref())).collect())
    }

    /// A chunk that cannot be encoded.
    fn cannot<T>(&mut self, job: &mut Job<T>, fault: &mut Option<String>, error: &darkchunk::Error) -> Vec<Chunk> {
        *fault = Some(format!("chunk {}: {error}", job.chunk));
        self.give_up(job);
        Vec::new()
    }

    /// Does to frames what is to be done to those from `first` on.
    fn follow(&mut self, first: u64) -> darkchunk::Result<()> {
        let processing = self.plan.changes.at(first);
        if Arc::ptr_eq(&processing, self.encoder.processing()) {
            return Ok(());
        }
        self.encoder.change(processing)?;
        self.plan.meter = Arc::new(self.plan.meter.with_threshold(self.encoder.threshold()));
        Ok(())
    }

    /// The chunk of a frame that is encoded already, and releases it.
    fn encoded<T: Frame>(&mut self, slot: &mut Slot<T>, kind: Encoded, fault: &mut Option<String>) -> Option<Pooled> {
        let frame = slot.frame.take()?;
        let chunk = self.plan.checks.chunk(kind, &frame, &self.plan.chunks, &mut self.decoded);
        slot.fate = if chunk.is_ok() { State::Stored } else { State::Refused };
        chunk
            .inspect_err(|error| *fault = Some(format!("frame {}: {error}", self.plan.numbering.number(slot.index))))
            .ok()
    }

    /// Puts frames that follow each other into the chunk at once, which is faster with DRLE, and releases them. Says how many: none
    /// where there are not two of one class, or where each is to be looked at. `at`: the place of the first in the chunk's list.
    fn several<T: Frame>(&mut self, slots: &mut [Slot<T>], first: u64, at: usize) -> usize {
        if self.plan.veto.is_some() || self.plan.in_place || slots.len() < 2 {
            return 0;
        }
        let (mut frames, mut n) = ([&[][..]; AT_ONCE], 0);
        for (place, (slot, index)) in frames.iter_mut().zip(slots.iter().zip(slots[0].index..)) {
            let pixels = slot.frame.as_ref().and_then(|frame| in_one_piece(frame, self.plan.format));
            let is_next = slot.index == index && self.classes.get(at + n) == self.classes.get(at);
            let Some(pixels) = pixels.filter(|_| is_next) else { break };
            (*place, n) = (pixels, n + 1);
        }
        let place = (slots[0].index - first) as usize;
        if n < 2 || fill_up_to(&mut self.encoder, &mut self.zeros, place).is_err() {
            return 0;
        }
        // One that is refused is the first of those that are left, and is told of when it comes alone.
        let _ = self.encoder.push_frames(&frames[..n]);
        let n_taken = self.encoder.n_frames() - place;
        frames[..n_taken].iter().for_each(|pixels| self.plan.viewed.offer(&[pixels]));
        for slot in &mut slots[..n_taken] {
            (slot.frame, slot.fate) = (None, State::Stored);
        }
        n_taken
    }

    /// Puts one frame into the chunk, if the veto lets it pass.
    fn frame(&mut self, index: u64, place: usize, frame: &mut impl Frame) -> darkchunk::Result<State> {
        let n_pixels = self.encoder.shape().frame_pixels();
        let Self { encoder, plan, scratch, zeros, .. } = self;
        let strips = Strips::of(frame, plan.format, n_pixels, scratch);
        if let Some(veto) = &plan.veto {
            let measures = plan.meter.measure(strips.get(), encoder.dark());
            let number = plan.numbering.number(index);
            if !veto.keeps(&Candidate { number, measures, pixels: strips.get() }) {
                return Ok(State::Vetoed);
            }
        }
        fill_up_to(encoder, zeros, place)?;
        if plan.in_place {
            plan.viewed.offer(strips.get());
            overwrite(frame, scratch, n_pixels, |pixels| encoder.push_in_place(pixels))?;
        } else {
            encoder.push_strips(strips.get())?;
            plan.viewed.offer(strips.get());
        }
        Ok(State::Stored)
    }

    /// None of the frames is stored, though some may be in the sum.
    fn give_up<T>(&mut self, job: &mut Job<T>) {
        self.is_sum_spoilt = true;
        for slot in &mut job.slots {
            slot.frame = None;
            slot.fate = if slot.fate == State::Vetoed { State::Vetoed } else { State::Refused };
        }
    }

    pub(super) fn encoder(&self) -> &FrameEncoder<P> {
        &self.encoder
    }

    /// Takes what another worker has summed.
    pub(super) fn add_sum_of(&mut self, other: &Self) {
        self.is_sum_spoilt |= other.is_sum_spoilt;
        lock(&self.sums).take_from::<P>(&mut lock(&other.sums));
    }

    /// The sum of all frames that are stored; `None` where it is not kept, or has others in it.
    pub(super) fn sum(&self) -> Option<Sum> {
        let mut all = Sum::new::<P>(self.encoder.shape().frame_pixels());
        (!self.is_sum_spoilt && lock(&self.sums).add_to(None, &mut all)).then_some(all)
    }
}

/// A chunk with what others have to know of it; where its blocks are, if `walks` is its filter.
fn chunk_of(index: u64, stored: Pooled, walks: Option<&Filter>) -> Chunk {
    let blocks = walks.and_then(|filter| Walked::of(filter, &stored.bytes));
    Chunk { index, checksum: checksum(&stored.bytes), blocks, stored: Arc::new(stored) }
}

/// Puts frames of zeros where frames are missing, up to a place in the chunk. `zeros` is memory for one.
fn fill_up_to<P: FrameElement>(
    encoder: &mut FrameEncoder<P>,
    zeros: &mut Vec<P>,
    place: usize,
) -> darkchunk::Result<()> {
    while encoder.n_frames() < place {
        zeros.resize(encoder.shape().frame_pixels(), P::default());
        encoder.take_back(zeros)?;
    }
    Ok(())
}
