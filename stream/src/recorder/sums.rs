//! What the workers sum up: each for itself, and frames of different classes apart.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use darkchunk::chunk::{FrameElement, Sum};
use darkchunk_hdf5::{Column, Number};

use crate::{Error, Result};

/// The most classes of a recording: each has an image of sums in each worker.
const MAX_CLASSES: usize = 64;

/// Frames that are summed apart, by a column of their metadata: with and without a pump pulse, for instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classes {
    /// The column, which has one integer a frame: the number of the frame's class. A frame with another number, or without metadata, is in
    /// the sum of all only.
    pub column: String,
    /// How many there are, at most 64. Each takes 12 bytes a pixel and worker.
    pub n: usize,
}

/// The same, found in a row of metadata.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClassOf {
    /// Where the number begins in a row.
    start: usize,
    number: Number,
    n: usize,
}

impl ClassOf {
    /// Refuses a column that is not there, or is no single integer.
    pub(super) fn new(classes: &Classes, columns: &[Column]) -> Result<Self> {
        let Classes { column: name, n } = classes;
        let refused = |why: &str| Error::Argument(format!("classes by the column {name:?}: {why}"));
        let at = columns.iter().position(|column| column.name == *name);
        let Some((before, column)) = at.and_then(|at| Some((columns.get(..at)?, columns.get(at)?))) else {
            return Err(refused("there is none of this name; add it to the columns"));
        };
        if column.len > 0 || matches!(column.number, Number::F32 | Number::F64) {
            return Err(refused("it has no single integer a frame; give a column that has"));
        }
        if !(1..=MAX_CLASSES).contains(n) {
            return Err(refused(&format!("there can be 1 to {MAX_CLASSES} classes, not {n}")));
        }
        Ok(Self { start: before.iter().map(Column::row_bytes).sum(), number: column.number, n: *n })
    }

    /// How many there are.
    pub(super) fn n(self) -> usize {
        self.n
    }

    /// The class of a frame; the number of classes where it has none.
    fn of(&self, row: &[u8]) -> usize {
        let bytes = row.get(self.start..self.start + self.number.n_bytes()).unwrap_or_default();
        let class = match (self.number, bytes) {
            (Number::I8 | Number::U8, [byte]) => u64::from(*byte),
            (Number::I16 | Number::U16, bytes) => {
                bytes.try_into().map_or(u64::MAX, |b| u64::from(u16::from_ne_bytes(b)))
            }
            (Number::I32 | Number::U32, bytes) => {
                bytes.try_into().map_or(u64::MAX, |b| u64::from(u32::from_ne_bytes(b)))
            }
            (_, bytes) => bytes.try_into().map_or(u64::MAX, u64::from_ne_bytes),
        };
        usize::try_from(class).map_or(self.n, |class| class.min(self.n))
    }
}

/// The class of a frame where there are some; else all are in one.
pub(super) fn class_of(classes: Option<ClassOf>, row: &[u8]) -> usize {
    classes.map_or(0, |classes| classes.of(row))
}

/// The sums of one worker, by class; that of frames without a class is the last. The worker holds the lock while it encodes a chunk.
#[derive(Debug)]
pub(super) struct Sums(Vec<Option<Sum>>);

pub(super) type SharedSums = Arc<Mutex<Sums>>;

pub(super) fn lock(sums: &Mutex<Sums>) -> MutexGuard<'_, Sums> {
    sums.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sums {
    /// As many as there are classes, beside the one that an encoder began with; none where it has none.
    pub(super) fn new<P: FrameElement>(sum: Option<Sum>, n_pixels: usize, classes: Option<ClassOf>) -> SharedSums {
        let n_classes = classes.map_or(0, |classes| classes.n);
        let others = (0..n_classes).map(|_| sum.is_some().then(|| Sum::new::<P>(n_pixels)));
        let mut all: Vec<Option<Sum>> = others.collect();
        all.push(sum);
        Arc::new(Mutex::new(Self(all)))
    }

    /// Lends the sum of a class to an encoder, or takes it back.
    pub(super) fn swap(&mut self, class: usize, encoders: &mut Option<Sum>) {
        if let Some(sum) = self.0.get_mut(class) {
            std::mem::swap(sum, encoders);
        }
    }

    /// Takes back what an encoder still has after a panic.
    pub(super) fn take_back(&mut self, encoders: &mut Option<Sum>) {
        if encoders.is_some()
            && let Some(place) = self.0.iter_mut().find(|sum| sum.is_none())
        {
            *place = encoders.take();
        }
    }

    /// Takes what another has summed, and leaves it nothing.
    pub(super) fn take_from<P: FrameElement>(&mut self, other: &mut Self) {
        for (own, other) in self.0.iter_mut().zip(&mut other.0) {
            let (Some(own), Some(theirs)) = (own, other) else { continue };
            add(own, theirs);
            *theirs = Sum::new::<P>(theirs.total().len());
        }
    }

    /// Adds the sum of one class, or of all, to `to`. Says whether sums are kept.
    pub(super) fn add_to(&mut self, class: Option<usize>, to: &mut Sum) -> bool {
        let wanted = self.0.iter_mut().enumerate().filter(|(number, _)| class.is_none_or(|class| class == *number));
        let mut is_kept = false;
        for sum in wanted.filter_map(|(_, sum)| sum.as_mut()) {
            add(to, sum);
            is_kept = true;
        }
        is_kept
    }
}

fn add(own: &mut Sum, other: &mut Sum) {
    let n_frames = own.n_frames() + other.n_frames();
    let total = own.total().iter().zip(other.total()).map(|(sum, other)| sum + other).collect();
    // The frames of the partial sum are in `total`.
    own.begin_with(total, n_frames);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_of_a_frame_is_read_from_its_row_and_others_have_none() {
        let columns = [Column::new("time", Number::F64), Column::new("pump", Number::I16)];
        let classes = ClassOf::new(&Classes { column: "pump".into(), n: 2 }, &columns).expect("two classes");
        let row = |class: i16| [&1.5_f64.to_ne_bytes()[..], &class.to_ne_bytes()].concat();
        assert_eq!([0, 1, 2, -1].map(|class| class_of(Some(classes), &row(class))), [0, 1, 2, 2]);
        assert_eq!((class_of(Some(classes), &[]), class_of(None, &row(1))), (2, 0));
        for (column, n, why) in
            [("time", 2, "no single integer"), ("dump", 2, "none of this name"), ("pump", 65, "1 to 64")]
        {
            let error = ClassOf::new(&Classes { column: column.into(), n }, &columns).expect_err("refused").to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
