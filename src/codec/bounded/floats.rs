//! The levels of float32: the lattice of a chunk, and the pixels that no level is near enough to.

use super::encode::ChunkEncoder;
use super::front::{Achieved, FloatErrors};
use super::levels::{Levels, mask};
use super::values::for_blocks;
use crate::cpu::Level;
use crate::kernels::quantise::Bound;
use crate::kernels::quantise::lattice::{self, EXCEPTION, Lattice, Tally};
use std::iter;

/// Where there are more exceptions than one in so many pixels, all pixels are exact.
const MIN_PIXELS_AN_EXCEPTION: u64 = 32;

/// Pixels that are looked at to see how large most are.
const N_SAMPLES: usize = 4096;

/// Stands for no number where bits of float32 are.
const NAN: i32 = f32::NAN.to_bits().cast_signed();

/// The bits that infinities and NaN alone have all.
const EXPONENT: i32 = 0x7f80_0000;

pub(super) fn is_finite(bits: i32) -> bool {
    bits & EXPONENT != EXPONENT
}

/// Whether the float32 with the bits `y` is near enough to that with the bits `x`.
pub(super) fn are_within(x: i32, y: i32, tolerance: f64) -> bool {
    (f64::from(number(y)) - f64::from(number(x))).abs() <= tolerance
}

fn number(bits: i32) -> f32 {
    f32::from_bits(bits.cast_unsigned())
}

/// The levels of a chunk, what they are multiples of, and what they cost.
pub(super) struct Floats {
    pub(super) lattice: Lattice,
    pub(super) frames: Vec<Levels>,
    pub(super) achieved: Achieved,
}

/// What levels are made with.
struct Maker<'a> {
    encoder: &'a ChunkEncoder<'a>,
    sentinels: &'a [u32],
    lattice: Lattice,
    /// The values that stand for no measurement, and that a level stands for: no other pixel may become one of them.
    kept: Vec<f32>,
}

/// The levels of the pixels `src`, of which `sentinels` are masked.
pub(super) fn levels(encoder: &ChunkEncoder<'_>, src: &[u8], sentinels: &[u32]) -> Floats {
    let finite = encoder.sentinels.iter().map(|bits| f32::from_bits(*bits)).filter(|number| number.is_finite());
    let mut kept: Vec<f32> = finite.collect();
    let lattice = lattice_of(encoder, src, sentinels).avoiding(&kept);
    kept.retain(|number| lattice.has(*number));
    let mut maker = Maker { encoder, sentinels, lattice, kept };
    let floats = maker.floats(src);
    let n_exceptions: usize = floats.frames.iter().map(|frame| frame.exceptions.len()).sum();
    if n_exceptions as u64 * MIN_PIXELS_AN_EXCEPTION <= floats.achieved.n_pixels {
        return floats;
    }
    drop(floats);
    maker.lattice = Lattice::default();
    maker.floats(src)
}

fn lattice_of(encoder: &ChunkEncoder<'_>, src: &[u8], sentinels: &[u32]) -> Lattice {
    let (mut least, mut most) = (f32::INFINITY, f32::NEG_INFINITY);
    for_blocks(encoder.header.element, src, |pixels| {
        for bits in pixels {
            let is_pixel = is_finite(*bits) && !sentinels.contains(&bits.cast_unsigned());
            let number = number(*bits);
            least = if is_pixel && number < least { number } else { least };
            most = if is_pixel && number > most { number } else { most };
        }
    });
    if least > most {
        return Lattice::default();
    }
    let tolerance = match encoder.header.bound {
        Bound::AbsoluteFloat(tolerance) => tolerance,
        Bound::RelativeFloat(share) => share * (f64::from(most) - f64::from(least)),
        _ => 0.0,
    };
    let largest = least.abs().max(most.abs());
    let sizes: Vec<f32> = iter::once(largest).chain(usual_sizes(encoder, src, sentinels)).collect();
    Lattice::new(tolerance.min(f64::MAX), &sizes)
}

/// The sizes that all but one pixel in a thousand do not exceed, and all but as many as may be exceptions.
fn usual_sizes(encoder: &ChunkEncoder<'_>, src: &[u8], sentinels: &[u32]) -> Vec<f32> {
    let element = encoder.header.element;
    let n_pixels = src.len() / element.n_bytes;
    let sample = (0..N_SAMPLES as u64).filter_map(|index| {
        let at = (index * 2_654_435_761 % n_pixels as u64) as usize * element.n_bytes;
        let mut bits = [0];
        element.load(src.get(at..at + element.n_bytes)?, &mut bits);
        (is_finite(bits[0]) && !sentinels.contains(&bits[0].cast_unsigned())).then(|| number(bits[0]).abs())
    });
    let mut sample: Vec<f32> = sample.collect();
    sample.sort_unstable_by(f32::total_cmp);
    let n = sample.len();
    let ends = [n * 999 / 1000, n - n.div_ceil(MIN_PIXELS_AN_EXCEPTION as usize)];
    ends.iter().filter_map(|end| sample.get(*end).copied()).collect()
}

impl Maker<'_> {
    fn floats(&self, src: &[u8]) -> Floats {
        let header = &self.encoder.header;
        let mut errors = FloatErrors { tolerance: self.lattice.tolerance, ..FloatErrors::default() };
        let mut achieved = Achieved::default();
        let frames = src.chunks(header.frame_bytes()).map(|frame| {
            let mut tally = Tally::default();
            let levels = self.frame(self.encoder.level, frame, &mut tally);
            achieved.n_pixels += levels.n_unmasked() as u64;
            achieved.n_to_zero += tally.n_to_zero();
            errors.most = errors.most.max(tally.most());
            errors.sum += tally.sum();
            errors.sum_of_squares += tally.sum_of_squares();
            levels
        });
        let frames = frames.collect();
        achieved.float = Some(errors);
        Floats { lattice: self.lattice, frames, achieved }
    }

    fn frame(&self, level: Level, src: &[u8], tally: &mut Tally) -> Levels {
        let header = &self.encoder.header;
        let mut bits = vec![0; header.frame_pixels()];
        header.element.load(src, &mut bits);
        let mask = mask(&bits, self.sentinels);
        let mut levels = bits.clone();
        if !self.lattice.is_exact() {
            self.leave_out(&mask, &mut levels);
        }
        lattice::levels(level, &self.lattice, &mut levels, tally);
        let exceptions = if tally.n_exceptions() > 0 { exceptions(&bits, &mask, &mut levels) } else { Vec::new() };
        Levels { levels, mask, exceptions }
    }

    /// Makes no numbers of pixels that are masked, and of those that could become a sentinel.
    fn leave_out(&self, mask: &[u8], pixels: &mut [i32]) {
        for (pixel, _) in pixels.iter_mut().zip(mask).filter(|(_, masked)| **masked != 0) {
            *pixel = NAN;
        }
        for kept in &self.kept {
            let is_close = |bits: i32| {
                (f64::from(number(bits)) - f64::from(*kept)).abs() <= self.lattice.tolerance
                    && number(bits).to_bits() != kept.to_bits()
            };
            pixels.iter_mut().filter(|pixel| is_close(**pixel)).for_each(|pixel| *pixel = NAN);
        }
    }
}

/// The pixels without a level, of which the masked ones are no exceptions. They get that of the pixel before.
fn exceptions(bits: &[i32], mask: &[u8], levels: &mut [i32]) -> Vec<(usize, i32)> {
    let (mut found, mut before) = (Vec::new(), 0);
    for (at, (level, bits)) in levels.iter_mut().zip(bits).enumerate() {
        if *level != EXCEPTION {
            before = *level;
            continue;
        }
        *level = before;
        if mask.get(at).is_none_or(|masked| *masked == 0) {
            found.push((at, *bits));
        }
    }
    found
}
