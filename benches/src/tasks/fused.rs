//! The fused pass on a camera's own frames: dark image, threshold, sum and encoding in one pass over the pixels.
//!
//! The limit is reading the frame once. The dark image (2 bytes a pixel) and the sum (4 bytes, read and written) come
//! from the caches at best: they are part of the work, not of the limit. Several frames at once share them.

use darkchunk::cpu::Level;
use darkchunk::kernels::drle::{BatchFrame, Correction, Encoded, decode, encode, encode_frames, max_encoded_len};
use std::cell::RefCell;
use std::hint::black_box;

use crate::inputs::{Input, Raw};
use crate::report::{OURS, Row};
use crate::tasks::Arena;
use crate::timing::{Contestant, Times, race};

/// What a pass does besides the threshold and the encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Nothing,
    Dark,
    DarkSum,
    /// The same for [`BATCH`] frames at once.
    Batch,
}

/// Frames of a batch.
const BATCH: usize = 8;

impl Work {
    const ALL: [Self; 4] = [Self::Nothing, Self::Dark, Self::DarkSum, Self::Batch];

    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "threshold + DRLE",
            Self::Dark => "dark + threshold + DRLE",
            Self::DarkSum => "dark + threshold + sum + DRLE",
            Self::Batch => "dark + threshold + sum + DRLE, 8 frames at once",
        }
    }

    fn has_sum(self) -> bool {
        matches!(self, Self::DarkSum | Self::Batch)
    }

    /// The frames of a step.
    fn slots(self, step: usize, n_slots: usize) -> impl Iterator<Item = usize> {
        let n_frames = if self == Self::Batch { BATCH } else { 1 };
        (0..n_frames).map(move |index| (n_frames * step + index) % n_slots)
    }
}

/// A pass of ours at one level, with its buffers.
struct Runner<'a> {
    level: Level,
    work: Work,
    raw: &'a Raw,
    threshold: u16,
    sum: RefCell<Vec<u32>>,
    tokens: RefCell<Vec<Vec<u8>>>,
}

impl Runner<'_> {
    /// The lengths of the streams.
    fn run(&self, step: usize) -> Vec<usize> {
        let mut sum = self.sum.borrow_mut();
        // What overflows after 65536 frames is not what is measured here.
        let sum = self.work.has_sum().then_some(sum.as_mut_slice());
        let dark = (self.work != Work::Nothing).then_some(self.raw.dark.as_slice());
        let correction = Correction { dark, threshold: Some(self.threshold) };
        let tokens = &mut self.tokens.borrow_mut();
        let source = if dark.is_none() { &self.raw.subtracted } else { &self.raw.frames };
        let frames: Vec<&[i16]> = self.work.slots(step, source.n_slots()).map(|slot| source.pixels(slot)).collect();
        let mut encoded = vec![Encoded::default(); frames.len()];
        if self.work == Work::Batch {
            let frames = frames.iter().map(std::slice::from_ref);
            let mut frames: Vec<_> = frames.zip(&mut **tokens).map(|(frame, to)| BatchFrame::new(frame, to)).collect();
            encode_frames(self.level.into(), &mut frames, &correction, sum, &mut encoded).expect("frames that fit");
        } else {
            encoded[0] = encode(self.level, &frames, &correction, sum, &mut tokens[0]).expect("a frame that fits");
        }
        black_box(encoded).iter().map(|encoded| encoded.n_bytes).collect()
    }

    /// The streams decode to the input's frames, and the sum is theirs; the length of the first.
    fn check(&self, input: &Input) -> usize {
        self.sum.borrow_mut().fill(0);
        let lens = self.run(0);
        let name = format!("{} {}", self.work.name(), self.level.isa().name());
        let mut expected = vec![0; self.raw.dark.len()];
        for ((slot, tokens), n_bytes) in self.work.slots(0, BATCH).zip(&*self.tokens.borrow()).zip(&lens) {
            let mut decoded = vec![0; input.frames.frame_bytes()];
            decode(self.level, &tokens[..*n_bytes], &mut decoded).expect("a stream that decodes");
            assert!(decoded == input.frames.frame(slot), "{name}: decoded frame {slot}");
            let pixels = input.frames.pixels(slot).iter().map(|pixel| u32::from(pixel.unsigned_abs()));
            expected.iter_mut().zip(pixels).for_each(|(sum, pixel)| *sum += pixel);
        }
        if self.work.has_sum() {
            assert!(expected == *self.sum.borrow(), "{name}: sum");
        }
        lens[0]
    }
}

/// Checks and races every variant at every one of `levels`.
///
/// # Panics
/// If a result is wrong, or the input is not a camera's.
#[must_use]
pub fn run(arena: &Arena<'_>, levels: &[Level]) -> Vec<Row> {
    let raw = arena.input.raw.as_ref().expect("a camera's input");
    let threshold = arena.input.threshold.expect("a camera's threshold");
    let n_pixels = raw.dark.len();
    let mut rows = Vec::new();
    for work in Work::ALL {
        let runners: Vec<Runner<'_>> = levels
            .iter()
            .map(|level| Runner {
                level: *level,
                work,
                raw,
                threshold,
                sum: RefCell::new(vec![0; n_pixels]),
                tokens: RefCell::new(vec![vec![0; max_encoded_len(n_pixels)]; work.slots(0, BATCH).count()]),
            })
            .collect();
        let stored: Vec<usize> = runners.iter().map(|runner| runner.check(arena.input)).collect();
        let n_slots = raw.frames.n_slots();
        let n_bytes = 2 * n_pixels * work.slots(0, n_slots).count();
        let mut contestants = vec![Contestant::new(n_bytes, |step| {
            for slot in work.slots(step, n_slots) {
                black_box((arena.read.run)(raw.frames.frame(slot)));
            }
        })];
        contestants.extend(runners.iter().map(|runner| {
            Contestant::new(n_bytes, |step| {
                runner.run(step);
            })
        }));
        let times = race(&mut contestants, n_slots, arena.budget);
        let results = runners.iter().zip(&times[1..]).zip(stored);
        rows.extend(results.map(|((runner, one), stored)| row(arena.input, runner, one, &times[0], stored)));
    }
    rows
}

fn row(input: &Input, runner: &Runner<'_>, times: &Times, limit: &Times, stored: usize) -> Row {
    Row {
        name: runner.work.name().into(),
        input: input.name.clone(),
        by: OURS.into(),
        level: runner.level.isa().name().into(),
        threads: 1,
        gb_per_s: times.best_gb_per_s(),
        gb_per_s_median: times.median_gb_per_s(),
        ratio: Some(input.frames.frame_bytes() as f64 / stored as f64),
        peer: None,
        vs_peer: None,
        vs_peer_median: None,
        vs_one_thread: None,
        limit: "memory read".into(),
        vs_limit: Some(times.best_gb_per_s() / limit.best_gb_per_s()),
        vs_limit_median: Some(times.paired_ratio_to(limit)),
    }
}
