//! The symbols of a frame: for each pixel a token and the class of its prediction; or runs and values.

use super::coding::Model;
use super::levels::Levels;
use super::planes::{Plane, Scale, WEIGHT_BITS, predict};
use super::rans::Encoder;
use super::segment::sparse_lanes;
use super::tables::Counts;
use super::tokens::{BitWriter, N_PLAIN, N_TOKENS, fold, token};

/// Classes of predictions: sixteen an octave where these are small, then eight.
pub(super) const N_CLASSES: usize = 256;
const FINE_OCTAVE: u32 = 17;
const N_FINE: usize = 16 * (FINE_OCTAVE - MIN_OCTAVE) as usize;

/// Predictions are moved by so much before they are classed: what is nearer to 0 is about 0.
const MIN_OCTAVE: u32 = 8;
const MOVED: i32 = 1 << MIN_OCTAVE;

/// What a prediction of level 0 is as a sum.
fn offset(scale: &Scale) -> i32 {
    let offset = (i64::from(scale.origin) << WEIGHT_BITS) >> scale.shift;
    offset.clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

fn class(sum: i32, offset: i32) -> u8 {
    let moved = sum.saturating_add(offset).max(0).saturating_add(MOVED).cast_unsigned();
    let octave = moved.ilog2();
    if octave < FINE_OCTAVE {
        ((octave - MIN_OCTAVE) * 16 + (moved >> (octave - 4) & 15)) as u8
    } else {
        (N_FINE as u32 + (octave - FINE_OCTAVE) * 8 + (moved >> (octave - 3) & 7)) as u8
    }
}

/// The threshold below a class.
pub(super) fn threshold(class: usize, scale: &Scale) -> i32 {
    let edge = match class.checked_sub(N_FINE) {
        None => (16 + class as i64 % 16) << (MIN_OCTAVE as usize + class / 16 - 4),
        Some(class) => (8 + class as i64 % 8) << (FINE_OCTAVE as usize + class / 8 - 3),
    };
    let threshold = edge - i64::from(MOVED) - i64::from(offset(scale)) - 1;
    threshold.clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

/// The symbols of a frame that is predicted.
pub(super) struct Predicted {
    tokens: Vec<u8>,
    classes: Vec<u8>,
    bits: Vec<u8>,
}

/// How often each token comes in each class.
pub(super) fn no_counts() -> Vec<Counts> {
    vec![[0; N_TOKENS]; N_CLASSES]
}

/// A frame to be predicted.
pub(super) struct Frame<'a> {
    pub(super) levels: &'a Levels,
    pub(super) plane: &'a Plane,
    pub(super) reference: Option<&'a Plane>,
    pub(super) scale: &'a Scale,
    pub(super) width: usize,
}

impl Frame<'_> {
    pub(super) fn predicted(&self, model: &Model, counts: &mut [Counts]) -> Predicted {
        let n = self.levels.levels.len();
        let (mut tokens, mut classes, mut bits) = (vec![0; n], vec![0; n], BitWriter::default());
        let mut sums = vec![0; self.width];
        let offset = offset(self.scale);
        let planes = (Some(self.plane), self.reference);
        for (y, levels) in self.levels.levels.chunks(self.width).enumerate() {
            let at = y * self.width;
            let (tokens, classes) = (&mut tokens[at..at + self.width], &mut classes[at..at + self.width]);
            predict(planes, (&model.taps, model.bias), (y, 0), &mut sums);
            classes.iter_mut().zip(&sums).for_each(|(to, sum)| *to = class(*sum, offset));
            let mut any = 0;
            for ((to, level), sum) in tokens.iter_mut().zip(levels).zip(&sums) {
                let folded = fold(self.scale.difference(*level, *sum));
                any |= folded;
                *to = folded.min(255) as u8;
            }
            let mask = self.levels.mask.get(at..at + self.width);
            if any >= u32::from(N_PLAIN) {
                self.put_bits(levels, &sums, mask, tokens, &mut bits);
            }
            count(tokens, classes, mask, counts);
        }
        Predicted { tokens, classes, bits: bits.finish() }
    }

    /// The tokens of a row some of which have bits.
    fn put_bits(&self, levels: &[i32], sums: &[i32], mask: Option<&[u8]>, tokens: &mut [u8], bits: &mut BitWriter) {
        for (x, to) in tokens.iter_mut().enumerate().filter(|(_, token)| **token >= N_PLAIN) {
            if mask.is_some_and(|mask| mask[x] != 0) {
                *to = 0;
                continue;
            }
            let folded = fold(self.scale.difference(levels[x], sums[x]));
            let (token, n_bits) = token(folded);
            bits.put(folded, n_bits);
            *to = token;
        }
    }
}

fn count(tokens: &[u8], classes: &[u8], mask: Option<&[u8]>, counts: &mut [Counts]) {
    let mut add = |token: u8, class: u8| {
        if let Some(n) = counts.get_mut(usize::from(class)).and_then(|counts| counts.get_mut(usize::from(token))) {
            *n += 1;
        }
    };
    match mask {
        None => tokens.iter().zip(classes).for_each(|(token, class)| add(*token, *class)),
        Some(mask) => {
            for ((token, class), _) in tokens.iter().zip(classes).zip(mask).filter(|(_, masked)| **masked == 0) {
                add(*token, *class);
            }
        }
    }
}

impl Predicted {
    /// The stream, and the bits that follow it. `tables` has the table of each class.
    pub(super) fn encode(
        &self,
        encoder: &mut Encoder,
        tables: &[u8],
        mask: &[u8],
        width: usize,
        n_lanes: usize,
    ) -> (Vec<u8>, &[u8]) {
        encoder.start(n_lanes);
        let rows = self.tokens.chunks(width).zip(self.classes.chunks(width)).enumerate();
        for (y, (tokens, classes)) in rows.rev() {
            let mask = mask.get(y * width..(y + 1) * width);
            for (x, (token, class)) in tokens.iter().zip(classes).enumerate().rev() {
                if mask.is_none_or(|mask| mask[x] == 0) {
                    encoder.put(x & (n_lanes - 1), tables[usize::from(*class)].into(), *token);
                }
            }
        }
        (encoder.finish(), &self.bits)
    }
}

/// The symbols of a frame of runs and values.
pub(super) struct Sparse {
    /// A run and a value in turn.
    tokens: Vec<u8>,
    bits: Vec<u8>,
}

impl Sparse {
    /// `None` where more than one pixel in eight has another level than 0.
    pub(super) fn new(levels: &Levels, counts: &mut [Counts; 2]) -> Option<Self> {
        let n = levels.levels.len();
        let is_masked = |at: usize| levels.mask.get(at).is_some_and(|masked| *masked != 0);
        let n_values = levels.levels.iter().enumerate().filter(|(at, level)| **level != 0 && !is_masked(*at)).count();
        if n_values > n / 8 {
            return None;
        }
        let (mut tokens, mut bits, mut run) = (Vec::with_capacity(2 * n_values), BitWriter::default(), 0_u32);
        for (at, level) in levels.levels.iter().enumerate() {
            if is_masked(at) {
                continue;
            }
            if *level == 0 {
                run += 1;
                continue;
            }
            for (folded, counts) in [run, fold(*level).wrapping_sub(1)].into_iter().zip(counts.iter_mut()) {
                let (token, n_bits) = token(folded);
                bits.put(folded, n_bits);
                counts[usize::from(token)] += 1;
                tokens.push(token);
            }
            run = 0;
        }
        Some(Self { tokens, bits: bits.finish() })
    }

    pub(super) fn n_values(&self) -> usize {
        self.tokens.len() / 2
    }

    pub(super) fn encode(&self, encoder: &mut Encoder) -> (Vec<u8>, &[u8]) {
        let n_lanes = sparse_lanes(self.tokens.len());
        encoder.start(n_lanes);
        for (n, token) in self.tokens.iter().enumerate().rev() {
            encoder.put(n & (n_lanes - 1), n & 1, *token);
        }
        (encoder.finish(), &self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_begins_behind_its_threshold() {
        for (origin, shift) in [(0, 0), (19_500, 0), (-20_000, 0), (1 << 30, 15), (3, 7)] {
            let scale = Scale { origin, shift, least: i16::MIN, most: i16::MAX };
            let offset = offset(&scale);
            for at in 1..N_CLASSES {
                let threshold = threshold(at, &scale);
                if threshold < i32::MAX - 1 && threshold > i32::MIN {
                    let classes = [threshold, threshold + 1].map(|sum| usize::from(class(sum, offset)));
                    assert_eq!(classes, [at - 1, at], "{origin} {shift}");
                }
            }
        }
    }
}
