//! A recording as a recorder makes it: frames into chunks, their rows into columns, and a journal of both.

#![allow(dead_code, reason = "each test program uses its part")]

use std::path::Path;

use darkchunk::chunk::{Compression, FrameEncoder, Processing};
use darkchunk::element::ElementType;
use darkchunk_hdf5::{ChunkWriter, Column, Columns, Dataset, FrameStatus, Library, Number};
use darkchunk_stream::Result;
use darkchunk_stream::journal::{Journal, Note, checksum};

pub(crate) const GROUP: &str = "/entry/instrument/detector/frames";

pub(crate) struct Sink {
    encoder: FrameEncoder<i16>,
    pub(crate) chunks: ChunkWriter,
    columns: Option<(Columns, u16)>,
    pub(crate) journal: Journal,
    dataset: u16,
    /// The number of the chunk that the encoder holds.
    index: u64,
}

/// The row of a frame.
pub(crate) fn row(frame: u64) -> Vec<u8> {
    [(frame as f64 / 8.0).to_ne_bytes(), (frame * 3 + 1).to_ne_bytes()].concat()
}

pub(crate) fn columns() -> [Column; 2] {
    [Column::new("time", Number::F64), Column::new("pulse", Number::U64)]
}

impl Sink {
    pub(crate) fn create(library: &Library, file: i64, path: &Path, dataset: &Dataset, has_columns: bool) -> Self {
        let chunks = ChunkWriter::create(library, file, dataset, ElementType::I16).expect("a dataset");
        let filter = chunks.filter().expect("a filter");
        let encoder = FrameEncoder::new(*chunks.shape(), filter, Processing::default()).expect("an encoder");
        chunks.publish().expect("published");
        let mut journal = Journal::create(path).expect("a journal");
        let number = journal.dataset(dataset, ElementType::I16, chunks.cd_values()).expect("noted");
        let columns = has_columns.then(|| {
            let made = Columns::create(library, file, GROUP, &columns()).expect("columns");
            (made, journal.columns(GROUP, &columns(), number).expect("noted"))
        });
        Self { encoder, chunks, columns, journal, dataset: number, index: 0 }
    }

    /// Takes a frame; true where its chunk was written. Where that fails, the chunk is held.
    pub(crate) fn push(&mut self, pixels: &[i16]) -> Result<bool> {
        self.encoder.push(pixels).expect("taken");
        if !self.encoder.is_full() {
            return Ok(false);
        }
        self.write_full().map(|()| true)
    }

    /// Whether the encoder holds a whole chunk, which could not be written.
    pub(crate) fn is_full(&self) -> bool {
        self.encoder.is_full()
    }

    /// Writes the chunk that the encoder holds, which is full.
    pub(crate) fn write_full(&mut self) -> Result<()> {
        self.write_chunk()?;
        self.encoder.clear();
        self.index += 1;
        Ok(())
    }

    /// Writes the chunk that the encoder holds, full or not.
    pub(crate) fn write_chunk(&mut self) -> Result<()> {
        let (per_chunk, n_in_chunk) = (self.encoder.shape().n_frames as u64, self.encoder.n_frames() as u64);
        let first = self.index * per_chunk;
        let end = self.chunks.file_end();
        let stored = self.encoder.encode().expect("encoded");
        let (dataset, index, n_frames) = (self.dataset, self.index, first + n_in_chunk);
        let note = Note { dataset, index, n_frames, mask: 0, end, stored, checksum: checksum(stored) };
        let rows: Vec<(u64, Vec<u8>)> = (first..n_frames).map(|frame| (frame, row(frame))).collect();
        let group = self.columns.as_ref().map(|(_, group)| *group);
        let noted = rows.iter().filter_map(|(frame, row)| Some((group?, *frame, FrameStatus::Written, &row[..])));
        self.journal.chunk(&note, noted)?;
        self.chunks.write(index, n_frames, stored)?;
        if let Some((columns, _)) = &mut self.columns {
            for frame in first..n_frames {
                columns.set(frame, FrameStatus::Written, &row(frame))?;
            }
            columns.write_full()?;
        }
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> Result<()> {
        if let Some((columns, _)) = &mut self.columns {
            columns.write(self.chunks.n_stored())?;
        }
        self.journal.flush()?;
        Ok(self.chunks.flush()?)
    }

    /// Removes the journal of a file that is closed.
    pub(crate) fn finish(self) {
        self.journal.remove().expect("removed");
    }
}

/// A small dataset.
pub(crate) fn dataset(compression: Compression, frames_per_chunk: usize) -> Dataset {
    Dataset { frames_per_chunk, ..Dataset::new(19, 33, compression) }
}
