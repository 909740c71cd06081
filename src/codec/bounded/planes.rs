//! What predictions are made from: frames of levels as [`predict()`] takes them, and the taps.

use super::numbers;
use crate::codec::cursor::Cursor;
use crate::cpu::Level;
pub(super) use crate::kernels::predict::MAX_TAPS;
use crate::kernels::predict::{self, Scale};
use crate::{Error, Result};

/// Pixels at either side of a row that repeat its first and last one.
pub(super) const PAD: usize = 2;

impl Scale {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        numbers::put_signed(out, self.origin.into());
        out.push(self.shift as u8);
        out.extend_from_slice(&self.least.to_le_bytes());
        out.extend_from_slice(&self.most.to_le_bytes());
    }

    pub(super) fn get(cursor: &mut Cursor<'_>) -> Result<Self> {
        let at = cursor.at();
        let origin = i32::try_from(numbers::get_signed(cursor)?);
        let shift = u32::from(cursor.u8()?);
        let (least, most) = (cursor.i16_le()?, cursor.i16_le()?);
        match origin {
            Ok(origin) if shift <= 16 && least <= most => Ok(Self { origin, shift, least, most }),
            _ => Err(Error::Corrupt { at, what: "the scale of the predictions is out of range" }),
        }
    }
}

/// A row with its padding.
pub(super) type Row = [i16];

/// Rows of one frame, padded: two before its first one, and one after its last. Or, of a frame that nothing else is predicted from, the
/// last three of these.
#[derive(Debug, Clone, Default)]
pub(super) struct Plane {
    rows: Vec<i16>,
    stride: usize,
    n_rows: usize,
}

/// Rows before the first and after the last one.
const BEFORE: usize = 2;
const AFTER: usize = 1;

impl Plane {
    pub(super) fn new(height: usize, width: usize) -> Self {
        Self::of_rows(height + BEFORE + AFTER, width)
    }

    /// The last three rows of a frame.
    pub(super) fn ring(width: usize) -> Self {
        Self::of_rows(BEFORE + 1, width)
    }

    fn of_rows(n_rows: usize, width: usize) -> Self {
        let stride = width + 2 * PAD;
        Self { rows: vec![0; n_rows * stride], stride, n_rows }
    }

    fn at(&self, y: isize) -> usize {
        (y + BEFORE as isize) as usize % self.n_rows * self.stride
    }

    /// Row `y` from −2 to the height, both included.
    pub(super) fn row(&self, y: isize) -> &Row {
        let at = self.at(y);
        &self.rows[at..at + self.stride]
    }

    pub(super) fn row_mut(&mut self, y: isize) -> &mut Row {
        let at = self.at(y);
        &mut self.rows[at..at + self.stride]
    }

    /// The two rows before the first one are the first row of `other`, or zeros.
    pub(super) fn begin(&mut self, other: Option<&Plane>) {
        for y in -(BEFORE as isize)..0 {
            match other {
                Some(other) => self.row_mut(y).copy_from_slice(other.row(0)),
                None => self.row_mut(y).fill(0),
            }
        }
    }

    /// Enters the levels of row `y` from pixel `x` on; masked pixels are as those above.
    pub(super) fn enter(
        &mut self,
        level: Level,
        (y, x): (usize, usize),
        levels: &[i32],
        scale: &Scale,
        mask: Option<&[u8]>,
    ) {
        let (above, at) = (self.at(y as isize - 1) + PAD + x, self.at(y as isize) + PAD + x);
        let n = levels.len();
        let (row, above) = if at > above {
            let (before, from) = self.rows.split_at_mut(at);
            (&mut from[..n], &before[above..above + n])
        } else {
            let (before, from) = self.rows.split_at_mut(above);
            (&mut before[at..at + n], &from[..n])
        };
        predict::enter(level, scale, levels, mask.map(|mask| (mask, above)), row);
    }

    /// Repeats the first and the last pixel of row `y`.
    pub(super) fn pad(&mut self, y: usize) {
        let row = self.row_mut(y as isize);
        let n = row.len();
        let (first, last) = (row[PAD], row[n - PAD - 1]);
        row[..PAD].fill(first);
        row[n - PAD..].fill(last);
    }

    /// The row after the last one repeats it.
    pub(super) fn end(&mut self) {
        let n = self.rows.len();
        let last = n - (AFTER + 1) * self.stride;
        self.rows.copy_within(last..last + self.stride, n - AFTER * self.stride);
    }
}

/// One pixel that a prediction is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tap {
    /// Of the reference frame, or of the frame itself.
    pub(super) is_reference: bool,
    /// Rows above, and pixels to the left.
    pub(super) dy: i8,
    pub(super) dx: i8,
    pub(super) weight: i16,
}

impl Tap {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.extend([u8::from(self.is_reference), self.dy.cast_unsigned(), self.dx.cast_unsigned()]);
        out.extend_from_slice(&self.weight.to_le_bytes());
    }

    pub(super) fn get(cursor: &mut Cursor<'_>) -> Result<Self> {
        let at = cursor.at();
        let (plane, dy, dx) = (cursor.u8()?, cursor.u8()?.cast_signed(), cursor.u8()?.cast_signed());
        let weight = cursor.i16_le()?;
        let rows = if plane == 0 { 1..=2 } else { -1..=2 };
        if plane > 1 || !rows.contains(&dy) || !(-2..=2).contains(&dx) {
            return Err(Error::Corrupt { at, what: "a prediction uses a pixel that is not known" });
        }
        Ok(Self { is_reference: plane == 1, dy, dx, weight })
    }
}

/// The weighted sums of the pixels of row `y` from pixel `x` on: `bias`, and for each tap its weight times its pixel. They wrap around;
/// writers choose weights for which they do not.
pub(super) fn predict(
    level: Level,
    (current, reference): (Option<&Plane>, Option<&Plane>),
    (taps, bias): (&[Tap], i32),
    (y, x): (usize, usize),
    sums: &mut [i32],
) {
    let n = sums.len();
    let mut rows: [(&[i16], i16); MAX_TAPS] = [(&[], 0); MAX_TAPS];
    let mut n_rows = 0;
    for tap in taps {
        let plane = if tap.is_reference { reference } else { current };
        if let Some((row, plane)) = rows.get_mut(n_rows).zip(plane) {
            let from = ((x + PAD) as isize - isize::from(tap.dx)) as usize;
            *row = (&plane.row(y as isize - isize::from(tap.dy))[from..from + n], tap.weight);
            n_rows += 1;
        }
    }
    predict::sums(level, bias, &rows[..n_rows], sums);
}
