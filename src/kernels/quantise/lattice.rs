//! Float32 as levels: multiples of a step, of which none is further from a pixel than its tolerance, or its bits in their order.
//!
//! All is IEEE 754's float64 with its default rounding, operation by operation, so that levels are the same everywhere.

use crate::kernels::for_each_isa::for_each_isa;
use std::iter;

/// How the float32 of a chunk become levels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Lattice {
    /// What a pixel may be off.
    pub(crate) tolerance: f64,
    /// The distance of two levels. 0: levels are bits in their order, and nothing is lost.
    pub(crate) step: f64,
}

/// Takes the place of the level of a pixel that no level is near enough to.
pub(crate) const EXCEPTION: i32 = i32::MIN;

/// Steps are so long at least: all float32 that levels stand for are normal then, and nothing depends on whether a processor flushes others.
pub(crate) const MIN_STEP: f64 = f64::from_bits((1023 - 120) << 52);
pub(crate) const MAX_STEP: f64 = f64::from_bits((1023 + 127) << 52);

/// Multiples of the step that are levels, in both directions.
const MAX_LEVEL: f64 = (1 << 30) as f64;

/// Steps that are tried for one of which no level stands for a sentinel, each so much shorter than the one before: 0.02 bits a pixel.
const N_STEPS: usize = 8;
const SHORTER: f64 = 63.0 / 64.0;

/// Added to a smaller number and subtracted again it leaves the nearest whole one, whose lowest bits are also those of the sum.
const TO_WHOLE: f64 = 1.5 * (1_u64 << 52) as f64;

impl Lattice {
    /// A lattice for a tolerance and pixels that are `sizes` away from 0, the greatest one first: for the first of them that leaves
    /// room. The float32 that a level stands for is off by half of the distance of two of them at most.
    ///
    /// Where there is room enough the step is that of the tolerance alone: pixels that are decoded and encoded again, as HDF5 does with a
    /// chunk that is written in pieces, stay what they are.
    pub(crate) fn new(tolerance: f64, sizes: &[f32]) -> Self {
        let distance = |size: f32| f64::from(size.next_up()) - f64::from(size);
        let mut distances = sizes.iter().map(|size| distance(*size));
        let last = sizes.last().map_or(f64::INFINITY, |size| distance(*size));
        let distance = if distances.any(|distance| 32.0 * distance <= tolerance) { tolerance / 32.0 } else { last };
        let step = (2.0 * tolerance - distance).min(MAX_STEP);
        let leaves_room = distance <= tolerance && step >= MIN_STEP;
        if leaves_room { Self { tolerance, step } } else { Self::default() }
    }

    /// The same, or with a somewhat shorter step, so that levels stand for as few as can be of these `sentinels`: a pixel whose level stands
    /// for one has to be an exception. It depends on nothing else, as what is encoded again must find its levels.
    ///
    /// Level 0 stands for 0 whatever the step is. A sentinel whose next float32 is about a step away has a level with most steps.
    pub(crate) fn avoiding(self, sentinels: &[f32]) -> Self {
        let steps = iter::successors(Some(self.step), |step| Some(step * SHORTER)).take(N_STEPS);
        let lattices = steps.filter(|step| *step >= MIN_STEP).map(|step| Self { step, ..self });
        let n_levels = |lattice: &Self| sentinels.iter().filter(|sentinel| lattice.has(**sentinel)).count();
        lattices.min_by_key(n_levels).unwrap_or(self)
    }

    /// Whether a level stands for `number`. Where several do, the nearest of them is one, or beside it.
    pub(crate) fn has(&self, number: f32) -> bool {
        let place = (f64::from(number) / self.step).round();
        place.abs() <= MAX_LEVEL + 1.0 && (-1..=1).any(|beside| value(self.step, place as i32 + beside) == number)
    }

    pub(crate) fn is_exact(&self) -> bool {
        self.step == 0.0
    }
}

/// The bits in the order of the numbers that they are; and the way back.
#[inline(always)]
fn ordered(bits: i32) -> i32 {
    bits ^ (bits >> 31 & i32::MAX)
}

#[inline(always)]
fn value(step: f64, level: i32) -> f32 {
    (f64::from(level) * step) as f32
}

for_each_isa! {
    /// Levels become the bits of the float32 that they stand for.
    values = all_values(step: f64, levels: &mut [i32])
}

#[inline(always)]
fn all_values(step: f64, levels: &mut [i32]) {
    if step == 0.0 {
        levels.iter_mut().for_each(|level| *level = ordered(*level));
        return;
    }
    for level in levels {
        *level = value(step, *level).to_bits().cast_signed();
    }
}

/// Pixels that are summed apart, so that sums are the same with vectors and without.
const LANES: usize = 8;

/// What the errors of pixels come to, exceptions left out.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    most: [f64; LANES],
    sum: [f64; LANES],
    squares: [f64; LANES],
    n_to_zero: [u32; LANES],
    n_exceptions: [u32; LANES],
}

impl Tally {
    pub(crate) fn most(&self) -> f64 {
        self.most.iter().copied().fold(0.0, f64::max)
    }

    pub(crate) fn sum(&self) -> f64 {
        self.sum.iter().sum()
    }

    pub(crate) fn sum_of_squares(&self) -> f64 {
        self.squares.iter().sum()
    }

    pub(crate) fn n_to_zero(&self) -> u32 {
        self.n_to_zero.iter().sum()
    }

    pub(crate) fn n_exceptions(&self) -> u32 {
        self.n_exceptions.iter().sum()
    }
}

for_each_isa! {
    /// The bits of float32 become levels, or [`EXCEPTION`], and each is held against the tolerance.
    levels = all_levels(lattice: &Lattice, pixels: &mut [i32], tally: &mut Tally)
}

#[inline(always)]
fn all_levels(lattice: &Lattice, pixels: &mut [i32], tally: &mut Tally) {
    if lattice.is_exact() {
        pixels.iter_mut().for_each(|pixel| *pixel = ordered(*pixel));
        return;
    }
    let (blocks, rest) = pixels.as_chunks_mut::<LANES>();
    blocks.iter_mut().for_each(|block| quantise(lattice, block, tally));
    if !rest.is_empty() {
        // 0 is its own level, and costs nothing.
        let mut block = [0; LANES];
        block[..rest.len()].copy_from_slice(rest);
        quantise(lattice, &mut block, tally);
        rest.copy_from_slice(&block[..rest.len()]);
    }
}

/// The difference of a pixel and what its level stands for is exact in f64: the latter is 0, or at most about twice the pixel, both with 24 bits.
#[inline(always)]
fn quantise(lattice: &Lattice, pixels: &mut [i32; LANES], tally: &mut Tally) {
    let Lattice { tolerance, step } = *lattice;
    let inverse = 1.0 / step;
    for (lane, pixel) in pixels.iter_mut().enumerate() {
        let x = f64::from(f32::from_bits(pixel.cast_unsigned()));
        let place = x * inverse;
        let level = (place + TO_WHOLE).to_bits() as u32;
        let y = f64::from(value(step, level.cast_signed()));
        let error = y - x;
        let is_near = (place.abs() <= MAX_LEVEL) & (error.abs() <= tolerance);
        let error = if is_near { error } else { 0.0 };
        *pixel = if is_near { level.cast_signed() } else { EXCEPTION };
        tally.most[lane] = if error.abs() > tally.most[lane] { error.abs() } else { tally.most[lane] };
        tally.sum[lane] += error;
        tally.squares[lane] += error * error;
        tally.n_to_zero[lane] += u32::from(is_near & (y == 0.0) & (x != 0.0));
        tally.n_exceptions[lane] += u32::from(!is_near);
    }
}
