//! Whether a dataset is what was written, as far as that can be known.
//!
//! Chunks are examined by [`salvage`], without plugins. Those with filters that it does not know, but the [`Reader`] or
//! HDF5 itself does (h5py's LZF, n-bit), are decoded; data in one piece are read.

use darkchunk_hdf5::api::Hid;
use darkchunk_hdf5::chunk_map::{Storage, StoredDataset};
use darkchunk_hdf5::salvage::{self, Damage, Fault, Report};
use darkchunk_hdf5::{Library, inspect};

use crate::{Error, Options, Reader, Way};

/// Filters below this number are HDF5's own.
const FIRST_PLUGIN_ID: u32 = 256;

/// Bytes that are read at once of data in one piece.
const PIECE_BYTES: u64 = 8 << 20;

/// What is known of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Nothing is stored.
    Empty,
    /// A checksum proves each chunk.
    Intact,
    /// All chunks decode; some have no checksum.
    Decodes,
    /// It has no chunks and no checksum; all of it can be read.
    Readable,
    /// Its data are in other files or datasets, or are strings, sequences or references without chunks.
    Elsewhere,
    /// Something could not be examined.
    NotExamined,
    /// Something is wrong.
    Damaged,
}

impl State {
    /// The state in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Intact => "intact",
            Self::Decodes => "decodes",
            Self::Readable => "readable",
            Self::Elsewhere => "elsewhere",
            Self::NotExamined => "not examined",
            Self::Damaged => "damaged",
        }
    }
}

/// A dataset, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What is known.
    pub state: State,
    /// Its chunks, where it has any.
    pub report: Report,
    /// Why it is damaged as a whole, or was not examined.
    pub reason: Option<String>,
}

impl Verdict {
    fn new(state: State, report: Report) -> Self {
        let reason = report.not_examined.clone().filter(|_| state >= State::NotExamined);
        Self { state, report, reason }
    }

    fn because(state: State, reason: impl ToString) -> Self {
        Self { state, report: Report::default(), reason: Some(reason.to_string()) }
    }
}

/// Is told bytes that were examined, as they are stored; an error ends the examination: the dataset is [`State::NotExamined`] then.
pub type Seen<'a> = dyn Fn(u64) -> darkchunk_hdf5::Result<()> + Sync + 'a;

/// Examines the dataset `path` of an open file, with so many threads.
#[must_use]
pub fn dataset(library: &Library, file: Hid, path: &str, n_threads: usize, seen: &Seen<'_>) -> Verdict {
    match salvage::verify_with(library, file, path, n_threads, seen) {
        Err(error) => unopened(library, &error),
        Ok(report) if report.is_damaged() => Verdict::new(State::Damaged, report),
        Ok(report) if report.n_not_examined > 0 => by_reader(library, file, path, report, seen),
        Ok(report) if report.not_examined.is_some() => unchunked(library, file, path, report, seen),
        Ok(report) if report.n_intact + report.n_decoded == 0 => Verdict::new(State::Empty, report),
        Ok(report) if report.n_decoded == 0 => Verdict::new(State::Intact, report),
        Ok(report) => Verdict::new(State::Decodes, report),
    }
}

/// What is known of a file or an object that HDF5 cannot open.
#[must_use]
pub fn unopened(library: &Library, error: &darkchunk_hdf5::Error) -> Verdict {
    use darkchunk_hdf5::Error::{CannotOpen, Hdf5};
    if !matches!(error, CannotOpen { .. } | Hdf5 { .. }) {
        return Verdict::because(State::NotExamined, error);
    }
    match other_cause(library, &error.to_string()) {
        Some(cause) => Verdict::because(State::NotExamined, format!("{cause} ({error})")),
        None => Verdict::because(State::Damaged, error),
    }
}

/// Why HDF5 may say this of what is not damaged.
fn other_cause(library: &Library, text: &str) -> Option<String> {
    if text.contains("unable to lock file") || text.contains("already open for") {
        return Some(
            "a program has the file open to write, or was killed while it had: verify it when it is closed".to_owned(),
        );
    }
    let (major, minor, patch) = library.version().ok()?;
    let is_old = major < 2 && (text.contains("version number") || text.contains("unknown version"));
    is_old.then(|| {
        format!("HDF5 {major}.{minor}.{patch} does not know this format, if it is not damaged: name a newer one in DARKCHUNK_HDF5")
    })
}

/// The chunks of a dataset with a filter that salvage does not know.
fn by_reader(library: &Library, file: Hid, path: &str, report: Report, seen: &Seen<'_>) -> Verdict {
    let not_examined = |report| Verdict::new(State::NotExamined, report);
    let Ok(reader) = open(library, file, path) else { return not_examined(report) };
    let is_own = |id: u32| id < FIRST_PLUGIN_ID && inspect::has_filter(library, id);
    let is_known = reader.way() != Way::Hdf5 || reader.filters().all(is_own);
    let Some(chunk) = reader.chunk().filter(|_| is_known).map(<[u64]>::to_vec) else { return not_examined(report) };
    let (mut found, mut buffer) = (Report { not_examined: None, n_not_examined: 0, ..report.clone() }, Vec::new());
    let places = match grid(reader.dims(), &chunk) {
        Ok(places) => places,
        Err(error) => return Verdict::because(State::NotExamined, error),
    };
    for (number, start) in (0..).zip(places) {
        // Their bytes were counted before.
        if let Err(reason) = seen(0) {
            return Verdict::because(State::NotExamined, reason);
        }
        match read(&reader, &start, &chunk, &mut buffer) {
            Ok(()) => {}
            Err(Error::Hdf5(darkchunk_hdf5::Error::Codec(darkchunk::Error::NoMemory { .. }))) => {
                return not_examined(report);
            }
            Err(reason) => found.faults.push(fault(number, &start, &chunk, reader.dims(), &reason)),
        }
    }
    found.n_damaged = found.faults.len() as u64;
    found.n_decoded = found.n_chunks - found.n_missing() - found.n_damaged - found.n_intact;
    let state = if found.is_damaged() { State::Damaged } else { State::Decodes };
    Verdict::new(state, found)
}

fn fault(chunk: u64, start: &[u64], shape: &[u64], dims: &[u64], reason: &Error) -> Fault {
    let frames = start.first().map_or(0..0, |first| *first..(first + shape[0]).min(dims[0]));
    let reason = darkchunk_hdf5::Error::Unsupported(reason.to_string());
    let damage = Damage { blocks: 0..0, lost: 0..0, doubtful: 0..0, reason };
    Fault { chunk, offset: start.to_vec(), frames, doubtful_frames: 0..0, damage }
}

/// A dataset without chunks.
fn unchunked(library: &Library, file: Hid, path: &str, report: Report, seen: &Seen<'_>) -> Verdict {
    let info = match inspect::dataset(library, file, path) {
        Ok(info) => info,
        Err(error) => return Verdict::because(State::Damaged, error),
    };
    let missing = StoredDataset::open_path(library, file, path).and_then(|stored| stored.missing_source());
    if let (Ok(Some(source)), 1..) = (missing, info.n_bytes) {
        return Verdict::because(State::NotExamined, format!("{source} is not there, of which it is made"));
    }
    let report = Report { not_examined: None, ..report };
    if info.n_bytes == 0 || info.stored_bytes == 0 {
        let is_here = info.is_in_one_piece || info.n_bytes == 0;
        return Verdict::new(if is_here { State::Empty } else { State::Elsewhere }, report);
    }
    let elsewhere = || Verdict::new(State::Elsewhere, report.clone());
    if !info.is_in_one_piece {
        return elsewhere();
    }
    // Elements that refer to other places are no pixels.
    let Ok(reader) = open(library, file, path) else { return elsewhere() };
    let mut buffer = Vec::new();
    let piece = piece(reader.dims(), reader.element().n_bytes as u64);
    let places = match grid(reader.dims(), &piece) {
        Ok(places) => places,
        Err(error) => return Verdict::because(State::NotExamined, error),
    };
    for start in places {
        if let Err(reason) = read(&reader, &start, &piece, &mut buffer) {
            return Verdict::because(State::Damaged, reason);
        }
        if let Err(reason) = seen(buffer.len() as u64) {
            return Verdict::because(State::NotExamined, reason);
        }
    }
    Verdict::new(State::Readable, report)
}

fn open(library: &Library, file: Hid, path: &str) -> crate::Result<Reader> {
    let dataset = darkchunk_hdf5::OpenDataset::open(library, file, path)?;
    // Refuses elements that refer to other places.
    let stored = StoredDataset::open(library, dataset.id())?;
    if matches!(stored.storage(), Storage::Virtual) {
        return Err(Error::Argument("it is virtual".into()));
    }
    Reader::open(library, dataset.id(), Options { n_threads: 1, ..Options::default() })
}

/// Reads what is in the dataset of the block that begins at `start`.
fn read(reader: &Reader, start: &[u64], block: &[u64], buffer: &mut Vec<u8>) -> crate::Result<()> {
    let count: Vec<u64> =
        start.iter().zip(block).zip(reader.dims()).map(|((start, block), dim)| (*block).min(dim - start)).collect();
    let n_bytes = count.iter().fold(reader.element().n_bytes, |n, count| n.saturating_mul(*count as usize));
    if buffer.len() < n_bytes {
        *buffer = darkchunk::pipeline::buffer(n_bytes)?;
    }
    reader.read(start, &count, None, &mut buffer[..n_bytes])
}

/// The places where blocks begin, row by row.
fn grid(dims: &[u64], block: &[u64]) -> crate::Result<impl Iterator<Item = Vec<u64>> + use<>> {
    let sizes: Vec<(u64, u64)> = dims.iter().zip(block).map(|(dim, block)| (dim.div_ceil(*block), *block)).collect();
    let n_blocks = crate::convert::blocks::count(dims, block)?;
    Ok((0..n_blocks).map(move |mut number| {
        let mut start = vec![0; sizes.len()];
        for (at, (n, block)) in start.iter_mut().zip(&sizes).rev() {
            *at = number % n * block;
            number /= n;
        }
        start
    }))
}

/// A shape of so many bytes: rows of the last axes, as many as fit.
pub(crate) fn piece(dims: &[u64], element_bytes: u64) -> Vec<u64> {
    let mut room = (PIECE_BYTES / element_bytes.max(1)).max(1);
    let mut piece = vec![1; dims.len()];
    for (size, dim) in piece.iter_mut().zip(dims).rev() {
        *size = room.min(*dim).max(1);
        room = (room / *size).max(1);
        if *size < *dim {
            break;
        }
    }
    piece
}
