//! Which frames are stored: dark frames of a laser that missed, and shots without hits, need not be.

use std::fmt;
use std::sync::Arc;

use darkchunk::chunk::{Filter, FrameElement, FrameEncoder};
use darkchunk::element::{ElementClass, ElementType};

/// What is measured of a frame as it would be stored, without pixels that are no measurements (DRLE's sentinels).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measures {
    /// The sum of its pixels.
    pub sum: i64,
    /// Pixels other than 0.
    pub n_bright: u64,
    /// The greatest pixel; 0 where none is greater.
    pub maximum: i64,
}

/// A frame of which is asked whether it is to be stored.
#[derive(Debug)]
pub struct Candidate<'a, P> {
    /// Its number, as it was pushed.
    pub number: u64,
    /// What was measured of it.
    pub measures: Measures,
    /// Its pixels as they were pushed, in one or several pieces.
    pub pixels: &'a [&'a [P]],
}

type Ask<P> = dyn Fn(&Candidate<'_, P>) -> bool + Send + Sync;

/// Says which frames are stored. A frame that is not keeps its number and its metadata, and is marked and counted.
#[derive(Clone)]
pub enum Veto<P> {
    /// Stored are frames that have at least as much of everything. Zeros let everything pass that has no negative sum.
    AtLeast(Measures),
    /// Stored are frames for which this says so. It is called by all workers, for several frames at the same time. It must
    /// not ask the recorder or its live view, which would wait for it.
    Ask(Arc<Ask<P>>),
}

impl<P> fmt::Debug for Veto<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => f.debug_tuple("AtLeast").field(least).finish(),
            Self::Ask(_) => f.write_str("Ask"),
        }
    }
}

impl<P> Veto<P> {
    pub(super) fn keeps(&self, candidate: &Candidate<'_, P>) -> bool {
        let found = candidate.measures;
        match self {
            Self::AtLeast(least) => {
                found.sum >= least.sum && found.n_bright >= least.n_bright && found.maximum >= least.maximum
            }
            Self::Ask(ask) => ask(candidate),
        }
    }
}

/// What of a pixel is dark, and what is none.
#[derive(Debug, Clone)]
pub(super) struct Meter {
    /// `i64::MIN` where there is no threshold.
    threshold: i64,
    sentinels: Vec<i64>,
    least: i64,
    most: i64,
}

impl Meter {
    pub(super) fn new<P: FrameElement>(encoder: &FrameEncoder<P>, filter: Option<&Filter>) -> Self {
        let is_signed = P::TYPE.class == ElementClass::Signed;
        let value = |bits: u16| if is_signed { i64::from(bits.cast_signed()) } else { i64::from(bits) };
        let sentinels = match filter {
            Some(Filter::Drle(drle)) => drle.sentinels().values().iter().map(|bits| value(*bits)).collect(),
            _ => Vec::new(),
        };
        let (least, most) = range(P::TYPE);
        Self { threshold: encoder.threshold().map_or(i64::MIN, i64::from), sentinels, least, most }
    }

    /// The same with another threshold.
    pub(super) fn with_threshold(&self, threshold: Option<u16>) -> Self {
        Self { threshold: threshold.map_or(i64::MIN, i64::from), ..self.clone() }
    }

    /// Measures a frame, given in pieces.
    pub(super) fn measure<P: FrameElement + Into<i64>>(&self, pieces: &[&[P]], dark: Option<&[P]>) -> Measures {
        let mut measures = Measures::default();
        let mut at = 0;
        for piece in pieces {
            let dark = dark.and_then(|dark| dark.get(at..at + piece.len()));
            at += piece.len();
            match dark {
                Some(dark) => self.add(piece.iter().zip(dark).map(|(p, d)| ((*p).into(), (*d).into())), &mut measures),
                None => self.add(piece.iter().map(|p| ((*p).into(), 0)), &mut measures),
            }
        }
        measures
    }

    fn add(&self, pixels: impl Iterator<Item = (i64, i64)>, measures: &mut Measures) {
        for (pixel, dark) in pixels {
            let difference = (pixel - dark).clamp(self.least, self.most);
            let is_dark = pixel - dark < self.threshold || self.sentinels.contains(&pixel);
            let stored = if is_dark { 0 } else { difference };
            measures.sum += stored;
            measures.n_bright += u64::from(stored != 0);
            measures.maximum = measures.maximum.max(stored);
        }
    }
}

fn range(element: ElementType) -> (i64, i64) {
    let n_bits = 8 * element.n_bytes as u32;
    match element.class {
        ElementClass::Signed => (-(1 << (n_bits - 1)), (1 << (n_bits - 1)) - 1),
        _ => (0, (1 << n_bits) - 1),
    }
}
