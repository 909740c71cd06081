//! The fused pass on a camera's own frames: dark image, threshold, sum and encoding in one pass over the pixels.
//!
//! The limit is reading the frame once. The dark image (2 bytes a pixel) and the sum (4 bytes, read and written) come
//! from the caches at best: they are part of the work, not of the limit.

use std::cell::RefCell;
use std::hint::black_box;

use darkchunk::cpu::Level;
use darkchunk::kernels::dark::{Correction, decode, encode, max_encoded_len};

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
}

impl Work {
    const ALL: [Self; 3] = [Self::Nothing, Self::Dark, Self::DarkSum];

    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "threshold + DRLE",
            Self::Dark => "dark + threshold + DRLE",
            Self::DarkSum => "dark + threshold + sum + DRLE",
        }
    }
}

/// A pass of ours at one level, with its buffers.
struct Runner<'a> {
    level: Level,
    work: Work,
    raw: &'a Raw,
    threshold: u16,
    sum: RefCell<Vec<u32>>,
    tokens: RefCell<Vec<u8>>,
}

impl Runner<'_> {
    fn run(&self, slot: usize) -> usize {
        let mut sum = self.sum.borrow_mut();
        // What overflows after 65536 frames is not what is measured here.
        let sum = (self.work == Work::DarkSum).then_some(sum.as_mut_slice());
        let dark = (self.work != Work::Nothing).then_some(self.raw.dark.as_slice());
        let correction = Correction { dark, threshold: Some(self.threshold) };
        let tokens = &mut self.tokens.borrow_mut();
        let source = if dark.is_none() { &self.raw.subtracted } else { &self.raw.frames };
        let encoded = encode(self.level, &[source.pixels(slot)], &correction, sum, tokens);
        black_box(encoded.expect("a frame that fits")).n_bytes
    }

    /// The stream decodes to the input's frame, and the sum is the frame's.
    fn check(&self, input: &Input) -> usize {
        self.sum.borrow_mut().fill(0);
        let n_bytes = self.run(0);
        let mut decoded = vec![0; input.frames.frame_bytes()];
        decode(self.level, &self.tokens.borrow()[..n_bytes], &mut decoded).expect("a stream that decodes");
        let name = format!("{} {}", self.work.name(), self.level.isa().name());
        assert!(decoded == input.frames.frame(0), "{name}: decoded frame");
        if self.work == Work::DarkSum {
            let expected = input.frames.pixels(0).iter().map(|pixel| u32::from(pixel.unsigned_abs()));
            assert!(expected.eq(self.sum.borrow().iter().copied()), "{name}: sum");
        }
        n_bytes
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
                tokens: RefCell::new(vec![0; max_encoded_len(n_pixels)]),
            })
            .collect();
        let stored: Vec<usize> = runners.iter().map(|runner| runner.check(arena.input)).collect();
        let n_bytes = 2 * n_pixels;
        let mut contestants = vec![Contestant::new(n_bytes, |slot| {
            black_box((arena.read.run)(raw.frames.frame(slot)));
        })];
        contestants.extend(runners.iter().map(|runner| {
            Contestant::new(n_bytes, |slot| {
                runner.run(slot);
            })
        }));
        let times = race(&mut contestants, raw.frames.n_slots(), arena.budget);
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
        limit: "memory read".into(),
        vs_limit: Some(times.best_gb_per_s() / limit.best_gb_per_s()),
        vs_limit_median: Some(times.paired_ratio_to(limit)),
    }
}
