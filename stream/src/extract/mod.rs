//! A part of a dataset as bytes, a numpy array or a TIFF, written from the first byte to the last, in bounded memory.

mod npy;
mod selection;
mod tiff;

use std::io::Write;

use darkchunk_hdf5::api::Hid;
use darkchunk_hdf5::number::{self, NumberType};
use darkchunk_hdf5::{Library, inspect};

use crate::{Error, Options, Reader, Result};
pub use selection::{Selected, Slice};

/// Bytes that are read at once, if a place of the first axis is not larger.
const PIECE_BYTES: u64 = 64 << 20;

/// How a selection is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The elements as the file has them, and nothing else.
    Raw,
    /// Of numpy, format 1.0.
    Npy,
    /// Uncompressed, a page for each frame; BigTIFF where it is longer than 4 GB.
    Tiff,
}

/// A part of a dataset that is to be written.
#[derive(Debug)]
pub struct Extract {
    reader: Reader,
    number: Option<NumberType>,
    selected: Selected,
}

impl Extract {
    /// The elements that `slices` mean of the dataset `path`; all without any.
    ///
    /// # Errors
    /// As [`Reader::open_whole`]; [`Error::Argument`] for slices that mean nothing in it.
    pub fn open(library: &Library, file: Hid, path: &str, slices: &[Slice], n_threads: usize) -> Result<Self> {
        let info = inspect::dataset(library, file, path)?;
        if info.dims.is_none() {
            return Err(Error::Argument("it is empty (of a null dataspace): it has no elements".to_owned()));
        }
        if info.refers {
            let why = format!("its elements are no bytes of the dataset's own ({}): h5dump shows them", info.datatype);
            return Err(Error::Argument(why));
        }
        let reader = Reader::open_whole(library, file, path, Options { n_threads, ..Options::default() })?;
        let number = number::of_dataset(library, file, path)?;
        let selected = Selected::new(reader.dims(), slices)?;
        Ok(Self { reader, number, selected })
    }

    /// The shape of what is written: an axis of which one place is named is none.
    #[must_use]
    pub fn shape(&self) -> Vec<u64> {
        self.selected.shape()
    }

    /// Bytes of the elements.
    #[must_use]
    pub fn n_bytes(&self) -> u64 {
        self.shape().iter().fold(self.reader.element().n_bytes as u64, |n, dim| n.saturating_mul(*dim))
    }

    /// Writes it. `seen` is told the bytes of elements that are done.
    ///
    /// # Errors
    /// [`Error::Argument`] for elements that the format does not have, and where it cannot be written; what is wrong with a chunk.
    pub fn write(&self, format: Format, to: &mut dyn Write, seen: &mut dyn FnMut(u64)) -> Result<()> {
        let (shape, failed) = (self.shape(), |error: std::io::Error| Error::Argument(error.to_string()));
        let number = || {
            self.number.ok_or_else(|| {
                Error::Argument("its elements are no numbers of 1 to 8 bytes: write them as raw bytes".to_owned())
            })
        };
        match format {
            Format::Raw => {}
            Format::Npy => to.write_all(&npy::header(&number()?, &shape)).map_err(failed)?,
            Format::Tiff => return self.tiff(&tiff::Layout::new(&number()?, &shape)?, to, seen),
        }
        self.pieces(|bytes| {
            seen(bytes.len() as u64);
            to.write_all(bytes).map_err(failed)
        })
    }

    fn tiff(&self, layout: &tiff::Layout, to: &mut dyn Write, seen: &mut dyn FnMut(u64)) -> Result<()> {
        let failed = |error: std::io::Error| Error::Argument(error.to_string());
        to.write_all(&layout.header()).map_err(failed)?;
        let (mut page, mut left) = (0, 0);
        self.pieces(|mut bytes| {
            while !bytes.is_empty() {
                if left == 0 {
                    to.write_all(&layout.directory(page)).map_err(failed)?;
                    (page, left) = (page + 1, layout.frame_bytes());
                }
                let (now, rest) = bytes.split_at(bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
                to.write_all(now).map_err(failed)?;
                seen(now.len() as u64);
                left -= now.len() as u64;
                if left == 0 {
                    to.write_all(layout.padding()).map_err(failed)?;
                }
                bytes = rest;
            }
            Ok(())
        })
    }

    /// Reads all of it in order, piece by piece.
    fn pieces(&self, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let element_bytes = self.reader.element().n_bytes;
        let chunk = self.reader.chunk().map_or(1, |chunk| chunk.first().copied().unwrap_or(1));
        let mut buffer = Vec::new();
        for part in self.selected.pieces(element_bytes as u64, chunk, PIECE_BYTES)? {
            let n_bytes = part.count.iter().fold(element_bytes, |n, count| n.saturating_mul(*count as usize));
            if buffer.len() < n_bytes {
                buffer = darkchunk::pipeline::buffer(n_bytes)?;
            }
            self.reader.read(&part.start, &part.count, Some(&part.step), &mut buffer[..n_bytes])?;
            take(&buffer[..n_bytes])?;
        }
        Ok(())
    }
}
