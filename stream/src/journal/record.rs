//! The records of a journal, both ways. One that was read is a claim: its numbers have sizes that a file can have, and nothing more.

use std::io::{self, Read};

use darkchunk::chunk::Compression;
use darkchunk::element::{ByteOrder, ElementClass, ElementType};
use darkchunk_hdf5::{Column, Dataset, FrameStatus, Number};

use super::Note;

/// The longest record: more is damage. A row may have many long vectors.
const MAX_BYTES: usize = 16 << 20;

/// Larger numbers of frames and chunks are in no file.
const MAX_COUNT: u64 = 1 << 48;

/// Where a chunk is likely to be is not known.
const NO_ADDRESS: u64 = u64::MAX;

/// A dataset of frames.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub(super) dataset: Dataset,
    pub(super) element: ElementType,
}

/// A chunk that was about to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) dataset: u16,
    pub(super) index: u64,
    pub(super) n_frames: u64,
    pub(super) mask: u32,
    /// Where it most likely is in the file.
    pub(super) address: u64,
    pub(super) n_bytes: u64,
    pub(super) checksum: u32,
    /// Its last bytes, by which it is looked for.
    pub(super) tail: [u8; TAIL],
}

/// The last bytes of a chunk, which differ more than the first.
pub(super) const TAIL: usize = 8;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Record {
    Dataset(Series),
    Group { path: String, columns: Vec<Column>, dataset: u16 },
    Chunk(Chunk),
    Row { group: u16, frame: u64, status: FrameStatus, row: Vec<u8> },
}

impl Series {
    /// With the parameters that its chunks are encoded with, in the place of those that were asked for.
    pub(super) fn with_values(mut self, cd_values: Option<(u32, &[u32])>) -> Self {
        self.dataset.compression = cd_values.map_or(Compression::NONE, |(id, values)| Compression::filter(id, values));
        self
    }
}

impl Chunk {
    /// Which chunk it is.
    pub(super) fn key(&self) -> (u16, u64) {
        (self.dataset, self.index)
    }

    pub(super) fn of(note: &Note<'_>) -> Self {
        let mut tail = [0; TAIL];
        let n_tail = note.stored.len().min(TAIL);
        tail[TAIL - n_tail..].copy_from_slice(&note.stored[note.stored.len() - n_tail..]);
        Self {
            dataset: note.dataset,
            index: note.index,
            n_frames: note.n_frames,
            mask: note.mask,
            address: note.end.unwrap_or(NO_ADDRESS),
            n_bytes: note.stored.len() as u64,
            checksum: note.checksum,
            tail,
        }
    }
}

impl Record {
    pub(super) fn append_to(&self, journal: &mut Vec<u8>) {
        let start = journal.len();
        journal.extend([0; 8]);
        match self {
            Self::Dataset(series) => put_series(journal, series),
            Self::Group { path, columns, dataset } => put_group(journal, path, columns, *dataset),
            Self::Chunk(chunk) => put_chunk(journal, chunk),
            Self::Row { group, frame, status, row } => put_row(journal, *group, *frame, *status, row),
        }
        close(journal, start);
    }

    /// The next record, with its bytes in the journal; `None` at the end, and where what follows is no whole record.
    pub(super) fn read(journal: &mut impl Read) -> io::Result<Option<(Self, u64)>> {
        let mut head = [0; 8];
        if !fill(journal, &mut head)? {
            return Ok(None);
        }
        let [n_bytes, checksum] =
            [0, 4].map(|at| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]));
        if n_bytes as usize > MAX_BYTES {
            return Ok(None);
        }
        let mut body = vec![0; n_bytes as usize];
        if !fill(journal, &mut body)? || crc32fast::hash(&body) != checksum {
            return Ok(None);
        }
        Ok(parse(&mut Cursor(&body)).map(|record| (record, 8 + u64::from(n_bytes))))
    }
}

/// Appends a row's record, without a copy of the row.
pub(super) fn append_row(journal: &mut Vec<u8>, group: u16, frame: u64, status: FrameStatus, row: &[u8]) {
    let start = journal.len();
    journal.extend([0; 8]);
    put_row(journal, group, frame, status, row);
    close(journal, start);
}

/// Puts length and checksum before a record that begins at `start`.
fn close(journal: &mut [u8], start: usize) {
    let body = &journal[start + 8..];
    let (n_bytes, checksum) = (body.len() as u32, crc32fast::hash(body));
    journal[start..start + 4].copy_from_slice(&n_bytes.to_le_bytes());
    journal[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
}

/// Fills `bytes`; false where the journal ends before.
pub(super) fn fill(journal: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match journal.read_exact(bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        other => other.map(|()| true),
    }
}

fn put_text(journal: &mut Vec<u8>, text: &str) {
    journal.extend((text.len() as u32).to_le_bytes());
    journal.extend(text.as_bytes());
}

fn put_series(journal: &mut Vec<u8>, Series { dataset, element }: &Series) {
    journal.push(if dataset.rows_per_chunk.is_some() { b'B' } else { b'D' });
    put_text(journal, &dataset.path);
    journal.push(dataset.nexus.into());
    for n in [dataset.frames_per_chunk, dataset.height, dataset.width] {
        journal.extend((n as u64).to_le_bytes());
    }
    journal.push(u8::from(element.class == ElementClass::Signed));
    journal.push(element.n_bytes as u8);
    let Compression { filter, values } = &dataset.compression;
    journal.push(filter.is_some().into());
    journal.extend(filter.unwrap_or(0).to_le_bytes());
    journal.extend((values.len() as u32).to_le_bytes());
    values.iter().for_each(|value| journal.extend(value.to_le_bytes()));
    dataset.rows_per_chunk.iter().for_each(|rows| journal.extend((*rows as u64).to_le_bytes()));
}

fn put_group(journal: &mut Vec<u8>, path: &str, columns: &[Column], dataset: u16) {
    journal.push(b'G');
    put_text(journal, path);
    journal.extend(dataset.to_le_bytes());
    journal.extend((columns.len() as u32).to_le_bytes());
    for column in columns {
        put_text(journal, &column.name);
        journal.push(Number::ALL.iter().position(|number| *number == column.number).unwrap_or(0) as u8);
        journal.extend((column.len as u64).to_le_bytes());
        put_text(journal, &column.units);
    }
}

fn put_row(journal: &mut Vec<u8>, group: u16, frame: u64, status: FrameStatus, row: &[u8]) {
    journal.push(b'R');
    journal.extend(group.to_le_bytes());
    journal.extend(frame.to_le_bytes());
    journal.push(status as u8);
    journal.extend(row);
}

fn put_chunk(journal: &mut Vec<u8>, chunk: &Chunk) {
    journal.push(b'C');
    journal.extend(chunk.dataset.to_le_bytes());
    journal.extend(chunk.mask.to_le_bytes());
    journal.extend(chunk.checksum.to_le_bytes());
    for n in [chunk.index, chunk.n_frames, chunk.address, chunk.n_bytes] {
        journal.extend(n.to_le_bytes());
    }
    journal.extend(chunk.tail);
}

/// What is left of a record.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn bytes(&mut self, n_bytes: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(n_bytes)?;
        self.0 = rest;
        Some(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number of frames, rows or pixels.
    fn count(&mut self) -> Option<u64> {
        self.u64().filter(|count| *count <= MAX_COUNT)
    }

    fn size(&mut self) -> Option<usize> {
        self.count().and_then(|count| usize::try_from(count).ok())
    }

    fn text(&mut self) -> Option<String> {
        let n_bytes = self.u32()? as usize;
        String::from_utf8(self.bytes(n_bytes)?.to_vec()).ok()
    }

    /// As many as a number before them says, which the rest of the record must have room for.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let n_items = self.u32()?;
        (0..n_items).map(|_| item(self)).collect()
    }
}

/// A record of a kind that is known, whose numbers make sense.
fn parse(body: &mut Cursor<'_>) -> Option<Record> {
    match body.u8()? {
        kind @ (b'D' | b'B') => parse_series(body, kind == b'B').map(Record::Dataset),
        b'G' => {
            let (path, dataset) = (body.text()?, body.u16()?);
            Some(Record::Group { path, dataset, columns: body.list(parse_column)? })
        }
        b'C' => parse_chunk(body).map(Record::Chunk),
        b'R' => {
            let (group, frame) = (body.u16()?, body.count()?);
            Some(Record::Row { group, frame, status: status(body.u8()?)?, row: body.0.to_vec() })
        }
        _ => None,
    }
}

fn parse_series(body: &mut Cursor<'_>, is_in_bricks: bool) -> Option<Series> {
    let (path, nexus) = (body.text()?, body.u8()? != 0);
    let (frames_per_chunk, height, width) = (body.size()?, body.size()?, body.size()?);
    let class = if body.u8()? == 0 { ElementClass::Unsigned } else { ElementClass::Signed };
    let n_bytes = body.u8()?.into();
    let element = ElementType { class, n_bytes, base_bytes: n_bytes, order: ByteOrder::NATIVE };
    let (is_filtered, id) = (body.u8()? != 0, body.u32()?);
    let values = body.list(Cursor::u32)?;
    let compression = if is_filtered { Compression::filter(id, &values) } else { Compression::NONE };
    let rows_per_chunk = if is_in_bricks { Some(body.size()?) } else { None };
    let dataset = Dataset { path, height, width, frames_per_chunk, rows_per_chunk, compression, nexus };
    Some(Series { dataset, element })
}

fn parse_column(body: &mut Cursor<'_>) -> Option<Column> {
    let (name, number, len) = (body.text()?, usize::from(body.u8()?), body.size()?);
    Some(Column { name, number: *Number::ALL.get(number)?, len, units: body.text()? })
}

fn parse_chunk(body: &mut Cursor<'_>) -> Option<Chunk> {
    let (dataset, mask, checksum) = (body.u16()?, body.u32()?, body.u32()?);
    let (index, n_frames, address, n_bytes) = (body.count()?, body.count()?, body.u64()?, body.count()?);
    Some(Chunk { dataset, index, n_frames, mask, address, n_bytes, checksum, tail: body.array()? })
}

fn status(number: u8) -> Option<FrameStatus> {
    FrameStatus::ALL.get(usize::from(number)).copied()
}
