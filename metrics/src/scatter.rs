//! Sums of errors by bin, of pixels that follow each other.

use crate::bins::{N_BINS, small_bin};

/// Errors up to this magnitude are summed here.
pub(crate) const MAX_ERROR: i32 = 255;

/// Pixels that are added at once.
pub(crate) const PART_PIXELS: usize = 1024;

/// The error of a pixel that does not count.
pub(crate) const NONE: u16 = 511;

/// Pixels that follow each other are often in the same bin: their sums are apart, so that they do not wait for each other.
const LANES: usize = 4;

/// Pixels of the first lane, which also has what is left over, after which a sum may be full.
const MAX_PIXELS: usize = 8191;

/// Above the bins, so that an index of nine bits is always in the table.
const N_SLOTS: usize = 512;

/// n, Σ(e + 255) and Σe² in one number, of up to 8191 pixels: 13, 22 and 29 bits.
const WORDS: [u64; N_SLOTS] = {
    let mut words = [0; N_SLOTS];
    let mut at = 0;
    while at < NONE as usize {
        let e = at as i64 - MAX_ERROR as i64;
        words[at] = (1 << 51) | (at as u64) << 29 | (e * e) as u64;
        at += 1;
    }
    words
};

/// What is known of a bin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) n: u64,
    pub(crate) e: i128,
    pub(crate) ee: i128,
}

impl Sums {
    pub(crate) fn add(&mut self, e: i64) {
        let e = i128::from(e);
        self.merge(&Self { n: 1, e, ee: e * e });
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.e += other.e;
        self.ee += other.ee;
    }
}

/// Sums that are not yet added to those of the bins.
pub(crate) struct Scatter {
    slots: Box<[[u64; LANES]; N_SLOTS]>,
    /// That the first lane has.
    n_pixels: usize,
}

impl Default for Scatter {
    fn default() -> Self {
        Self { slots: Box::new([[0; LANES]; N_SLOTS]), n_pixels: 0 }
    }
}

/// The bin and the error of each pixel of a part.
pub(crate) struct Part {
    bins: [u16; PART_PIXELS],
    errors: [u16; PART_PIXELS],
}

impl Default for Part {
    fn default() -> Self {
        Self { bins: [0; PART_PIXELS], errors: [NONE; PART_PIXELS] }
    }
}

impl Part {
    /// Of each pixel a small value, of which the bin is, and e + 255, or [`NONE`].
    #[inline(always)]
    pub(crate) fn fill(&mut self, pixels: impl Iterator<Item = (i32, u16)>) {
        for ((bin, error), (key, e)) in self.bins.iter_mut().zip(&mut self.errors).zip(pixels) {
            (*bin, *error) = (small_bin(key), e);
        }
    }
}

impl Scatter {
    /// Adds the first `n` pixels of a part.
    pub(crate) fn add(&mut self, part: &Part, n: usize, sums: &mut [Sums; N_BINS]) {
        let n_of_first = n / LANES + n % LANES;
        if self.n_pixels + n_of_first > MAX_PIXELS {
            self.flush(sums);
        }
        self.n_pixels += n_of_first;
        add_words(&mut self.slots, &part.bins[..n], &part.errors[..n]);
    }

    pub(crate) fn flush(&mut self, sums: &mut [Sums; N_BINS]) {
        self.n_pixels = 0;
        for (slot, sums) in self.slots.iter_mut().zip(sums) {
            for word in slot.iter_mut().filter(|word| **word > 0) {
                let (n, errors, ee) = (*word >> 51, (*word >> 29) & ((1 << 22) - 1), *word & ((1 << 29) - 1));
                let e = i128::from(errors) - i128::from(n) * i128::from(MAX_ERROR);
                sums.merge(&Sums { n, e, ee: ee.into() });
                *word = 0;
            }
        }
    }
}

/// Not for wider vectors: with their gathers it is slower.
fn add_words(slots: &mut [[u64; LANES]; N_SLOTS], bins: &[u16], errors: &[u16]) {
    let (bins, errors) = (bins.as_chunks::<LANES>(), errors.as_chunks::<LANES>());
    let mut add = |lane: usize, bin: u16, error: u16| {
        slots[usize::from(bin) % N_SLOTS][lane] += WORDS[usize::from(error) % N_SLOTS];
    };
    for (bins, errors) in bins.0.iter().zip(errors.0) {
        (0..LANES).for_each(|lane| add(lane, bins[lane], errors[lane]));
    }
    bins.1.iter().zip(errors.1).for_each(|(bin, error)| add(0, *bin, *error));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_each_pixel_also_where_a_lane_is_full() {
        let (mut scatter, mut part) = (Scatter::default(), Part::default());
        let (mut found, mut expected) = ([Sums::default(); N_BINS], [Sums::default(); N_BINS]);
        // All in one bin, with the largest error; then many with some that do not count.
        let narrow = [1, 3, 9].into_iter().flat_map(|n| std::iter::repeat_n(n, 10_000));
        for n in [1024, 1024, 1023, 1, 1000].into_iter().cycle().take(60).chain(narrow) {
            part.fill(std::iter::repeat_n((-3, 510), n));
            (0..n).for_each(|_| expected[usize::from(small_bin(-3))].add(255));
            scatter.add(&part, n, &mut found);
        }
        part.fill((0..1024u16).map(|at| (i32::from(at) * 100, if at % 5 == 0 { NONE } else { at % 511 })));
        for at in (0..1024).filter(|at| at % 5 > 0) {
            expected[usize::from(small_bin(at * 100))].add(i64::from(at % 511 - 255));
        }
        scatter.add(&part, 1024, &mut found);
        scatter.flush(&mut found);
        assert!(found == expected);
        scatter.flush(&mut found);
        assert!(found == expected, "sums are added once");
    }
}
