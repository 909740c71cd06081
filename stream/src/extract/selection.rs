//! Selections as they are written: `10:20`, `::2`, `-1`, `...`.

use std::str::FromStr;

use crate::{Error, Result};

/// What is meant along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slice {
    /// One place; counted from the end where it is negative.
    At(i64),
    /// From a place to before another, in steps.
    Range {
        /// The first; the beginning where there is none.
        start: Option<i64>,
        /// The end, which is not among them.
        stop: Option<i64>,
        /// Each so-manyth.
        step: u64,
    },
    /// All of as many axes as the others leave.
    Rest,
}

impl Slice {
    const ALL: Self = Self::Range { start: None, stop: None, step: 1 };

    /// Several, with commas between them.
    ///
    /// # Errors
    /// What is no selection.
    pub fn parse_all(text: &str) -> std::result::Result<Vec<Self>, String> {
        text.split(',').map(str::parse).collect()
    }
}

impl FromStr for Slice {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let text = text.trim();
        let refused = || format!("{text:?} is no selection: write a number, START:STOP, START:STOP:STEP or ...");
        let number = |text: &str| match text.trim() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| refused()),
        };
        if text == "..." {
            return Ok(Self::Rest);
        }
        match text.split(':').collect::<Vec<_>>()[..] {
            [at] => number(at)?.map(Self::At).ok_or_else(refused),
            [start, stop] => Ok(Self::Range { start: number(start)?, stop: number(stop)?, step: 1 }),
            [start, stop, step] => {
                let step = number(step)?.unwrap_or(1);
                let step = u64::try_from(step).ok().filter(|step| *step > 0);
                let step = step.ok_or_else(|| format!("{text:?}: a step is 1 or more"))?;
                Ok(Self::Range { start: number(start)?, stop: number(stop)?, step })
            }
            _ => Err(refused()),
        }
    }
}

/// A selection in a dataset of some extent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    axes: Vec<Axis>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Axis {
    start: u64,
    count: u64,
    step: u64,
    /// Whether it is an axis of what is selected.
    stays: bool,
}

/// A box of places, as the reader takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) start: Vec<u64>,
    pub(super) count: Vec<u64>,
    pub(super) step: Vec<u64>,
}

impl Selected {
    /// What `slices` mean in a dataset of this extent, as numpy has it: ranges end where the axis does, axes that are not named are whole.
    ///
    /// # Errors
    /// [`Error::Argument`] for more slices than axes, and for a place outside.
    pub fn new(dims: &[u64], slices: &[Slice]) -> Result<Self> {
        let n_named = slices.iter().filter(|slice| **slice != Slice::Rest).count();
        let n_rest = slices.len() - n_named;
        if n_named > dims.len() || n_rest > 1 {
            return Err(Error::Argument(format!("{} selections for the shape {dims:?}", slices.len())));
        }
        let at = slices.iter().position(|slice| *slice == Slice::Rest).unwrap_or(slices.len());
        let whole = vec![Slice::ALL; dims.len() - n_named];
        let all = [&slices[..at], &whole, &slices[(at + n_rest).min(slices.len())..]].concat();
        let axes = all.iter().zip(dims).map(|(slice, dim)| Axis::new(*slice, *dim)).collect::<Result<_>>()?;
        Ok(Self { axes })
    }

    pub(super) fn shape(&self) -> Vec<u64> {
        self.axes.iter().filter(|axis| axis.stays).map(|axis| axis.count).collect()
    }

    /// Boxes in order that are all of it: along the first axis in whole chunks of so many places, as many as `n_bytes` have room for.
    pub(super) fn pieces(&self, element_bytes: u64, chunk: u64, n_bytes: u64) -> Result<impl Iterator<Item = Piece>> {
        let counts: Vec<u64> = self.axes.iter().map(|axis| axis.count).collect();
        // The first axis that has more than one place is cut; those before it have one.
        let cut = counts.iter().position(|count| *count != 1).unwrap_or(0);
        let row = counts.iter().skip(cut + 1).fold(element_bytes, |n, count| n.saturating_mul(*count)).max(1);
        let whole = if cut == 0 { chunk.max(1) } else { 1 };
        let step =
            (n_bytes / row / whole * whole).max(if row.saturating_mul(whole) <= 4 * n_bytes { whole } else { 1 });
        let n = counts.get(cut).copied().unwrap_or(1);
        let n_pieces = if counts.contains(&0) { 0 } else { crate::convert::blocks::count(&[n], &[step])? };
        let axes = self.axes.clone();
        Ok((0..n_pieces).map(move |number| {
            let mut piece = Piece { start: Vec::new(), count: Vec::new(), step: Vec::new() };
            for (index, axis) in axes.iter().enumerate() {
                let first = if index == cut { number * step } else { 0 };
                piece.start.push(axis.start + first * axis.step);
                piece.count.push(if index == cut { step.min(axis.count - first) } else { axis.count });
                piece.step.push(axis.step);
            }
            piece
        }))
    }
}

impl Axis {
    fn new(slice: Slice, dim: u64) -> Result<Self> {
        let from_end = |at: i64| if at < 0 { i128::from(at) + i128::from(dim) } else { i128::from(at) };
        match slice {
            Slice::At(at) => {
                let start = u64::try_from(from_end(at)).ok().filter(|start| *start < dim);
                let outside = || Error::Argument(format!("there is no place {at} on an axis of {dim}"));
                Ok(Self { start: start.ok_or_else(outside)?, count: 1, step: 1, stays: false })
            }
            Slice::Range { start, stop, step } => {
                let within = |at: i64| from_end(at).clamp(0, i128::from(dim)) as u64;
                let (start, stop) = (start.map_or(0, within), stop.map_or(dim, within));
                let count = stop.saturating_sub(start).div_ceil(step);
                // Of nothing the start is within the dataset, too.
                let start = if count == 0 { 0 } else { start };
                Ok(Self { start, count, step: if count > 1 { step } else { 1 }, stays: true })
            }
            Slice::Rest => Err(Error::Argument("... may be there once".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(dims: &[u64], text: &str) -> Result<Selected> {
        Selected::new(dims, &Slice::parse_all(text).map_err(Error::Argument)?)
    }

    #[test]
    fn selections_are_numpys() {
        for (dims, text, expected) in [
            (&[10, 4, 5][..], "2:4", vec![2, 4, 5]),
            (&[10, 4, 5], "-3:,::2,1:100", vec![3, 2, 4]),
            (&[10, 4, 5], "-1", vec![4, 5]),
            (&[10, 4, 5], "...,3", vec![10, 4]),
            (&[10, 4, 5], "1,...,3", vec![4]),
            (&[10, 4, 5], "8:2", vec![0, 4, 5]),
            (&[10], "1:10:4", vec![3]),
            (&[], "...", vec![]),
        ] {
            assert_eq!(selected(dims, text).expect(text).shape(), expected, "{text}");
        }
        for (dims, text) in
            [(&[10][..], "10"), (&[10], "-11"), (&[10], "1,2"), (&[10], "..., ..."), (&[10], "::0"), (&[10], "a")]
        {
            assert!(selected(dims, text).is_err(), "{text}");
        }
    }

    #[test]
    fn pieces_are_all_of_it_in_order() {
        let selection = selected(&[100, 6, 5], "3:95:2,1:3,::2").expect("a selection");
        let pieces: Vec<Piece> = selection.pieces(2, 1, 12 * 10).expect("few").collect();
        assert_eq!(pieces.len(), 5);
        let mut next = 3;
        for Piece { start, count, step } in &pieces {
            assert_eq!((&start[..], &count[1..], &step[..]), (&[next, 1, 0][..], &[2, 3][..], &[2, 1, 2][..]));
            next += 2 * count[0];
        }
        assert_eq!(pieces.iter().map(|piece| piece.count[0]).sum::<u64>(), 46);
        let frame = selected(&[100, 6, 5], "7").expect("a selection");
        let rows: Vec<u64> = frame.pieces(2, 4, 20).expect("few").map(|piece| piece.start[1]).collect();
        assert_eq!(rows, [0, 2, 4]);
        assert_eq!(selected(&[3, 0], "...").expect("empty").pieces(2, 1, 100).expect("none").count(), 0);
    }
}
