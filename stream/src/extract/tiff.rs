//! TIFF without compression, written in one go: each page is its directory, then its pixels in one strip. Numbers have the order of bytes that the
//! pixels have, so that these are written as they are.

use darkchunk::element::ByteOrder;
use darkchunk_hdf5::number::{NumberClass, NumberType};

use crate::{Error, Result};

/// Where everything is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    number: NumberType,
    height: u32,
    width: u32,
    n_pages: u64,
    frame_bytes: u64,
    is_big: bool,
}

/// Kinds of numbers in a directory.
const SHORT: u16 = 3;
const LONG: u16 = 4;
const LONG8: u16 = 16;

const N_ENTRIES: u64 = 11;

/// Without BigTIFF a file ends before this.
const MAX_SMALL: u64 = u32::MAX as u64;

impl Layout {
    pub(super) fn new(number: &NumberType, shape: &[u64]) -> Result<Self> {
        let refused = |why: &str| Error::Argument(format!("the shape {shape:?} cannot be a TIFF: {why}"));
        let (pages, height, width) = match shape {
            [] => (&[][..], 1, 1),
            [width] => (&[][..], 1, *width),
            [pages @ .., height, width] => (pages, *height, *width),
        };
        let n_pages = pages.iter().try_fold(1_u64, |n, dim| n.checked_mul(*dim));
        let n_pages = n_pages.ok_or_else(|| refused("it has too many pages"))?;
        if n_pages == 0 || height == 0 || width == 0 {
            return Err(refused("it has no pixels"));
        }
        let side = |n: u64| u32::try_from(n).map_err(|_| refused("a side is longer than 4294967295 pixels"));
        let mut layout = Self {
            number: *number,
            height: side(height)?,
            width: side(width)?,
            n_pages,
            frame_bytes: 0,
            is_big: false,
        };
        let frame_bytes = height.checked_mul(width).and_then(|n| n.checked_mul(number.n_bytes as u64));
        layout.frame_bytes = frame_bytes.ok_or_else(|| refused("it is too large"))?;
        let end = layout.page_bytes().checked_mul(n_pages).and_then(|n| n.checked_add(16));
        layout.is_big = end.ok_or_else(|| refused("it is too large"))? > MAX_SMALL;
        Ok(layout)
    }

    pub(super) fn frame_bytes(&self) -> u64 {
        self.frame_bytes
    }

    /// What follows a frame, so that the next directory begins at an even place.
    pub(super) fn padding(&self) -> &'static [u8] {
        const ZEROS: [u8; 8] = [0; 8];
        &ZEROS[..(8 - self.frame_bytes % 8) as usize % 8]
    }

    fn header_bytes(&self) -> u64 {
        if self.is_big { 16 } else { 8 }
    }

    fn directory_bytes(&self) -> u64 {
        let n = if self.is_big { 8 + 20 * N_ENTRIES + 8 } else { 2 + 12 * N_ENTRIES + 4 };
        n.next_multiple_of(8)
    }

    fn page_bytes(&self) -> u64 {
        self.directory_bytes().saturating_add(self.frame_bytes).saturating_add(self.padding().len() as u64)
    }

    fn put(&self, bytes: &mut Vec<u8>, number: u64, n_bytes: usize) {
        match self.number.order {
            ByteOrder::Little => bytes.extend(&number.to_le_bytes()[..n_bytes]),
            ByteOrder::Big => bytes.extend(&number.to_be_bytes()[8 - n_bytes..]),
        }
    }

    pub(super) fn header(&self) -> Vec<u8> {
        let mut bytes = match self.number.order {
            ByteOrder::Little => b"II".to_vec(),
            ByteOrder::Big => b"MM".to_vec(),
        };
        if self.is_big {
            self.put(&mut bytes, 43, 2);
            self.put(&mut bytes, 8, 2);
            self.put(&mut bytes, 0, 2);
            self.put(&mut bytes, 16, 8);
        } else {
            self.put(&mut bytes, 42, 2);
            self.put(&mut bytes, 8, 4);
        }
        bytes
    }

    /// The directory of a page, which its pixels follow.
    pub(super) fn directory(&self, page: u64) -> Vec<u8> {
        let begin = self.header_bytes() + page * self.page_bytes();
        let address = if self.is_big { LONG8 } else { LONG };
        let format = match self.number.class {
            NumberClass::Unsigned => 1,
            NumberClass::Signed => 2,
            NumberClass::Real => 3,
        };
        let entries: [(u16, u16, u64); N_ENTRIES as usize] = [
            (256, LONG, self.width.into()),
            (257, LONG, self.height.into()),
            (258, SHORT, 8 * self.number.n_bytes as u64),
            (259, SHORT, 1),
            (262, SHORT, 1),
            (273, address, begin + self.directory_bytes()),
            (277, SHORT, 1),
            (278, LONG, self.height.into()),
            (279, address, self.frame_bytes),
            (284, SHORT, 1),
            (339, SHORT, format),
        ];
        let mut bytes = Vec::new();
        self.put(&mut bytes, N_ENTRIES, if self.is_big { 8 } else { 2 });
        let (count_bytes, value_bytes) = if self.is_big { (8, 8) } else { (4, 4) };
        for (tag, kind, value) in entries {
            self.put(&mut bytes, tag.into(), 2);
            self.put(&mut bytes, kind.into(), 2);
            self.put(&mut bytes, 1, count_bytes);
            // A value that is shorter than its place stands at the beginning of it.
            let n_bytes = match kind {
                SHORT => 2,
                LONG => 4,
                _ => 8,
            };
            self.put(&mut bytes, value, n_bytes);
            bytes.resize(bytes.len() + value_bytes - n_bytes, 0);
        }
        let next = if page + 1 < self.n_pages { begin + self.page_bytes() } else { 0 };
        self.put(&mut bytes, next, if self.is_big { 8 } else { 4 });
        bytes.resize(self.directory_bytes() as usize, 0);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(n_pages: u64, order: ByteOrder) -> Layout {
        let number = NumberType { class: NumberClass::Unsigned, n_bytes: 2, order };
        Layout::new(&number, &[n_pages, 3, 5]).expect("a picture")
    }

    #[test]
    fn pages_follow_each_other_without_a_gap() {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            let layout = layout(2, order);
            let number = |bytes: &[u8]| {
                let bytes: [u8; 4] = bytes.try_into().expect("four");
                if order == ByteOrder::Little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) }
            };
            let (header, first) = (layout.header(), layout.directory(0));
            let strip = number(&first[2 + 5 * 12 + 8..][..4]);
            assert_eq!((header.len(), strip as usize), (8, 8 + first.len()));
            let next = number(&first[2 + 11 * 12..][..4]);
            assert_eq!(next as usize, strip as usize + 30 + layout.padding().len());
            assert_eq!(number(&layout.directory(1)[2 + 11 * 12..][..4]), 0);
        }
    }

    #[test]
    fn what_is_longer_than_addresses_of_32_bits_is_bigtiff() {
        let small = layout(MAX_SMALL / layout(1, ByteOrder::Little).page_bytes() - 1, ByteOrder::Little);
        assert!(!small.is_big && layout(MAX_SMALL / 30, ByteOrder::Little).is_big);
        let number = NumberType { class: NumberClass::Real, n_bytes: 4, order: ByteOrder::Little };
        assert!(Layout::new(&number, &[0, 3, 5]).is_err() && Layout::new(&number, &[1 << 40, 3]).is_err());
    }
}
