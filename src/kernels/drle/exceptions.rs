//! What a stream cannot say of a frame: which of its dark pixels are none.
//!
//! * A *sentinel* is a raw value that is no measurement, such as 65535 where a detector masks a pixel. It is kept as it
//!   is: no dark image is subtracted from it, it is not in the sum, and it counts neither as bright nor as dark.
//! * A *wide* pixel is a bright one above [`MAX_TOKEN`], which no token can hold. It is bright in every other respect.
//!
//! A stream has both as dark pixels, and [`Exceptions`] keeps where they are and what.

use crate::{Error, Result};

/// The most sentinels there may be.
pub const MAX_SENTINELS: usize = 8;

/// The largest pixel that a token can hold.
pub(super) const MAX_TOKEN: u16 = i16::MAX as u16;

/// Raw values that are no measurements, as the bits of a pixel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sentinels {
    values: [u16; MAX_SENTINELS],
    n: usize,
    /// How many of them are at most [`MAX_TOKEN`].
    n_low: usize,
}

impl Sentinels {
    /// Every value is a measurement.
    pub const NONE: Self = Self { values: [0; MAX_SENTINELS], n: 0, n_low: 0 };

    /// These values.
    ///
    /// # Errors
    /// [`Error::Argument`] where they are more than [`MAX_SENTINELS`].
    pub fn new(values: impl IntoIterator<Item = u16>) -> Result<Self> {
        let mut sentinels = Self::NONE;
        for value in values {
            let place = sentinels.values.get_mut(sentinels.n);
            let too_many = || Error::Argument(format!("there can be {MAX_SENTINELS} sentinels at most"));
            *place.ok_or_else(too_many)? = value;
            sentinels.n += 1;
            sentinels.n_low += usize::from(value <= MAX_TOKEN);
        }
        Ok(sentinels)
    }

    /// All of them.
    #[must_use]
    pub fn values(&self) -> &[u16] {
        &self.values[..self.n]
    }

    /// Whether `value` is one of them.
    #[must_use]
    pub fn contains(&self, value: u16) -> bool {
        self.values().contains(&value)
    }

    /// Whether there are some that a scan does not notice by itself: it sees unsigned pixels above [`MAX_TOKEN`].
    #[inline(always)]
    fn has_unnoticed(&self, is_signed: bool) -> bool {
        if is_signed { self.n > 0 } else { self.n_low > 0 }
    }

    /// Those.
    fn unnoticed(&self, is_signed: bool) -> Self {
        let mut unnoticed = Self::NONE;
        for value in self.values().iter().filter(|value| is_signed || **value <= MAX_TOKEN) {
            unnoticed.values[unnoticed.n] = *value;
            unnoticed.n += 1;
        }
        unnoticed
    }
}

/// What an exception is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A sentinel, of this value.
    Sentinel(u16),
    /// A wide pixel. The values of several are different.
    Wide,
}

/// Exceptions of one kind that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) start: usize,
    pub(crate) n: usize,
    pub(crate) kind: Kind,
}

/// The exceptions of a frame, and what makes a pixel one.
///
/// Memory is allocated only where there are any.
#[derive(Debug, Clone, Default)]
pub struct Exceptions {
    sentinels: Sentinels,
    /// In the order of their pixels, each as long as it can be.
    runs: Vec<Run>,
    /// The values of all wide pixels.
    wide: Vec<u16>,
    /// Whether the last block had any, so that the next one is likely to.
    pub(super) are_likely: bool,
}

impl Exceptions {
    /// None yet, with these sentinels.
    #[must_use]
    pub fn new(sentinels: Sentinels) -> Self {
        Self { sentinels, ..Self::default() }
    }

    /// What is no measurement.
    #[must_use]
    pub fn sentinels(&self) -> Sentinels {
        self.sentinels
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Forgets those that there are.
    pub fn clear(&mut self) {
        self.runs.clear();
        self.wide.clear();
    }

    /// The runs, each with the values of its pixels if it is of wide ones.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (Run, &[u16])> {
        let mut wide = &self.wide[..];
        self.runs.iter().map(move |run| {
            let (values, rest) = wide.split_at(if run.kind == Kind::Wide { run.n } else { 0 });
            wide = rest;
            (*run, values)
        })
    }

    /// The next `n` pixels from `start` on are sentinels of this value.
    pub(crate) fn push_sentinels(&mut self, start: usize, n: usize, value: u16) {
        self.push(Run { start, n, kind: Kind::Sentinel(value) });
    }

    /// The next pixels from `start` on are wide.
    pub(super) fn push_wide(&mut self, start: usize, values: &[u16]) {
        self.push(Run { start, n: values.len(), kind: Kind::Wide });
        self.wide.extend_from_slice(values);
    }

    fn push(&mut self, next: Run) {
        match self.runs.last_mut() {
            Some(last) if last.kind == next.kind && last.start + last.n == next.start => last.n += next.n,
            _ => self.runs.push(next),
        }
    }

    /// Those of a part of the frame that begins at `start` come next.
    pub(super) fn append(&mut self, start: usize, part: &Self) {
        for (run, values) in part.runs() {
            match run.kind {
                Kind::Sentinel(value) => self.push_sentinels(start + run.start, run.n, value),
                Kind::Wide => self.push_wide(start + run.start, values),
            }
        }
    }

    /// Adds the wide pixels to the sum of the frame.
    pub(super) fn add_to(&self, sum: &mut [u32]) {
        self.for_each_wide(sum, |sum, value| *sum = sum.wrapping_add(value));
    }

    /// Takes them out of it again.
    pub(super) fn take_from(&self, sum: &mut [u32]) {
        self.for_each_wide(sum, |sum, value| *sum = sum.wrapping_sub(value));
    }

    fn for_each_wide(&self, sum: &mut [u32], change: impl Fn(&mut u32, u32)) {
        for (run, values) in self.runs().filter(|(run, _)| run.kind == Kind::Wide) {
            let sums = &mut sum[run.start..][..run.n];
            sums.iter_mut().zip(values).for_each(|(sum, value)| change(sum, (*value).into()));
        }
    }

    /// Whether a block of such pixels is to be searched before it is scanned.
    #[inline(always)]
    pub(super) fn are_expected(&self, is_signed: bool) -> bool {
        self.are_likely || self.sentinels.has_unnoticed(is_signed)
    }

    /// The sentinels that a scan does not notice.
    pub(super) fn unnoticed(&self, is_signed: bool) -> Sentinels {
        self.sentinels.unnoticed(is_signed)
    }

    /// The next `n` pixels from `start` on are of this kind; each is stored as `bits`.
    pub(super) fn push_equal(&mut self, start: usize, n: usize, kind: Kind, bits: u16) {
        match kind {
            Kind::Sentinel(value) => self.push_sentinels(start, n, value),
            Kind::Wide => (start..start + n).for_each(|at| self.push_wide(at, &[bits])),
        }
    }
}
