//! The list of a segment's exceptions as it is stored: `docs/format.md` defines it.

use crate::codec::cursor::Cursor;
use crate::kernels::drle::{Exceptions, Kind};
use crate::{Error, Result};
use std::ops::Range;

/// A sentinel, of the value that the last one had.
const AGAIN: u8 = 0;
/// A sentinel, and its value.
const SENTINEL: u8 = 2;
/// A wide pixel, and its value.
const WIDE: u8 = 4;
/// To each of the above: not one, but so many.
const SEVERAL: u8 = 1;
/// So many pixels of any kind, and their values.
pub(super) const AS_THEY_ARE: u8 = 6;

/// Bits of a record's first number that say its kind.
const KIND_BITS: u32 = 3;

/// The sentinel that a list begins with.
const FIRST_SENTINEL: u16 = u16::MAX;

/// The most bytes of a number.
const MAX_NUMBER_LEN: usize = 5;

/// Bytes of a number.
pub(super) fn number_len(number: u64) -> usize {
    (u64::BITS - number.leading_zeros()).max(1).div_ceil(7) as usize
}

/// Seven bits a byte, the lowest first; the highest bit of a byte says that another one follows.
pub(super) fn put_number(list: &mut Vec<u8>, number: u64) {
    let mut rest = number;
    while rest > 0x7F {
        list.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    list.push(rest as u8);
}

/// Appends the records of `exceptions`.
pub(super) fn write(exceptions: &Exceptions, list: &mut Vec<u8>) {
    let (mut end, mut sentinel) = (0, FIRST_SENTINEL);
    for (run, wide) in exceptions.runs() {
        let kind = match run.kind {
            Kind::Sentinel(value) if value == sentinel => AGAIN,
            Kind::Sentinel(_) => SENTINEL,
            Kind::Wide => WIDE,
        };
        let several = if run.n > 1 { SEVERAL } else { 0 };
        put_number(list, ((run.start - end) as u64) << KIND_BITS | u64::from(kind | several));
        if run.n > 1 {
            put_number(list, run.n as u64);
        }
        match run.kind {
            Kind::Sentinel(value) if kind == SENTINEL => {
                list.extend(value.to_le_bytes());
                sentinel = value;
            }
            Kind::Sentinel(_) => {}
            Kind::Wide => list.extend(wide.iter().flat_map(|value| value.to_le_bytes())),
        }
        end = run.start + run.n;
    }
}

/// A stored list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List<'a> {
    /// The chunk up to the list's end.
    pub(super) chunk: &'a [u8],
    /// Where in the chunk it begins.
    pub(super) start: usize,
}

impl List<'_> {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.chunk.len()
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.chunk[self.start..]
    }

    /// Puts the exceptions into their places in `pixels`, which are little-endian.
    pub(super) fn apply(&self, pixels: &mut [u8]) -> Result<()> {
        let mut records = Records::new(self, pixels.len() / 2);
        while let Some(Record { pixels: places, values }) = records.next()? {
            let places = &mut pixels[2 * places.start..2 * places.end];
            match values {
                Values::Same(value) => places.as_chunks_mut().0.fill(value),
                Values::Each(values) => places.copy_from_slice(values),
            }
        }
        Ok(())
    }

    /// The pixels that are exceptions; they rise.
    pub(super) fn places(&self, n_pixels: usize) -> Result<Vec<Range<usize>>> {
        let (mut records, mut places) = (Records::new(self, n_pixels), Vec::new());
        while let Some(Record { pixels, .. }) = records.next()? {
            places.push(pixels);
        }
        Ok(places)
    }

    /// Hands on the exceptions, a segment of `n_pixels` has them, each run with the byte that it begins at.
    pub(super) fn each(&self, n_pixels: usize, visit: &mut dyn FnMut(usize, &[u8])) -> Result<()> {
        let mut records = Records::new(self, n_pixels);
        while let Some(Record { pixels, values }) = records.next()? {
            match values {
                Values::Same(value) => pixels.for_each(|pixel| visit(2 * pixel, &value)),
                Values::Each(values) => visit(2 * pixels.start, values),
            }
        }
        Ok(())
    }

    /// Whether the list is one of `n_pixels`: it can be applied then.
    pub(super) fn check(&self, n_pixels: usize) -> Result<()> {
        let mut records = Records::new(self, n_pixels);
        while records.next()?.is_some() {}
        Ok(())
    }
}

/// What a record says.
struct Record<'a> {
    /// Counted in the segment.
    pixels: Range<usize>,
    values: Values<'a>,
}

/// The values of a record's pixels.
enum Values<'a> {
    Same([u8; 2]),
    Each(&'a [u8]),
}

/// Reads a list, which nothing is believed of.
struct Records<'a> {
    cursor: Cursor<'a>,
    n_pixels: u64,
    /// Where the last record's pixels end.
    end: u64,
    sentinel: [u8; 2],
}

impl<'a> Records<'a> {
    fn new(list: &List<'a>, n_pixels: usize) -> Self {
        let cursor = Cursor::new_at(list.chunk, list.start);
        Self { cursor, n_pixels: n_pixels as u64, end: 0, sentinel: FIRST_SENTINEL.to_le_bytes() }
    }

    fn next(&mut self) -> Result<Option<Record<'a>>> {
        if self.cursor.rest().is_empty() {
            return Ok(None);
        }
        let at = self.cursor.at();
        let head = self.number()?;
        let kind = (head & ((1 << KIND_BITS) - 1)) as u8;
        let n = match kind {
            AGAIN | SENTINEL | WIDE => 1,
            AS_THEY_ARE.. if kind > AS_THEY_ARE => {
                return Err(Error::Corrupt { at, what: "no such kind of exceptions" });
            }
            _ => self.number()?,
        };
        let start = self.end + (head >> KIND_BITS);
        if n == 0 || start + n > self.n_pixels {
            return Err(Error::Corrupt { at, what: "its exceptions are not in its segment" });
        }
        self.end = start + n;
        // Both are at most the pixels of a segment.
        let pixels = start as usize..self.end as usize;
        let values = match kind & !SEVERAL {
            AGAIN => Values::Same(self.sentinel),
            SENTINEL => {
                self.sentinel.copy_from_slice(self.cursor.take(2)?);
                Values::Same(self.sentinel)
            }
            _ => Values::Each(self.cursor.take(2 * pixels.len())?),
        };
        Ok(Some(Record { pixels, values }))
    }

    fn number(&mut self) -> Result<u64> {
        let at = self.cursor.at();
        let mut number = 0;
        for index in 0..MAX_NUMBER_LEN {
            let byte = self.cursor.u8()?;
            number |= u64::from(byte & 0x7F) << (7 * index);
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Error::Corrupt { at, what: "a number has more than 5 bytes" })
    }
}
