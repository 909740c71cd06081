//! Which filter, and which shape of chunks, is best for a dataset: a sample of it through all of them, on one thread.
//!
//! A sample is regions of whole frames, spread over what is stored. Each is cut into chunks of each shape, and each
//! chunk is encoded and decoded by each filter, several times; the least processor time counts. What does not decode to the same pixels is
//! lossy here, and is never recommended.
//!
//! Stored bytes are those of the chunks, and what a chunk takes in the file's index.

mod candidates;
mod choice;
mod clock;
mod machine;
mod measure;
mod paste;
mod shapes;

use std::path::Path;

use darkchunk_hdf5::inspect::{self, DatasetInfo};
use darkchunk_hdf5::{File, Library, OpenDataset};

use crate::convert::plan::why_not;
use crate::{Error, Reader, Result};
pub use choice::Choice;
pub use machine::Machine;
pub use measure::Cost;
pub use paste::Lines;

/// What is tried.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bytes of pixels of the sample, about; one region at least.
    pub sample_bytes: u64,
    /// All that is stored, in place of a sample.
    pub all: bool,
    /// The shape of chunks; an axis of 0 is whole. `None`: all that are sensible.
    pub chunk: Option<Vec<u64>>,
    /// Stored bytes a second that the place takes, and gives, where the data will be: what [`Choice::recommended`] weighs with.
    pub link: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self { sample_bytes: 32 << 20, all: false, chunk: None, link: 250e6 }
    }
}

/// A filter with a shape of chunks, and what it did to the sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The target, as a user writes it for a conversion.
    pub spec: &'static str,
    /// Its filters, with the parameters that a user gives.
    pub filters: Vec<(u32, Vec<u32>)>,
    /// The shape of a chunk.
    pub chunk: Vec<u64>,
    /// Whether each pixel of the sample was as before.
    pub is_exact: bool,
    /// Bytes and times.
    pub cost: Cost,
    /// Stored bytes that are read to have one row of pixels.
    pub row_bytes: u64,
    /// Stored bytes that are read to have one frame.
    pub frame_bytes: u64,
}

/// What cannot be tried, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The target.
    pub spec: &'static str,
    /// The shape of a chunk.
    pub chunk: Vec<u64>,
    /// Why.
    pub reason: String,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The dataset.
    pub info: DatasetInfo,
    /// Regions of the sample, and how many there are.
    pub n_regions: u64,
    /// Those that have data.
    pub n_all_regions: u64,
    /// Bytes of pixels of the sample.
    pub n_bytes: u64,
    /// All that was tried.
    pub trials: Vec<Trial>,
    /// What could not be.
    pub refused: Vec<Refused>,
    /// Which of them are the best.
    pub choice: Choice,
}

impl Found {
    /// What is to be written for a trial.
    #[must_use]
    pub fn lines(&self, trial: &Trial, file: &Path, path: &str) -> Lines {
        paste::lines(&self.info, trial, file, path)
    }
}

/// Tries all filters on the dataset `path` of a file. `seen` is told the bytes of pixels that are done, and of how many; an error that it
/// returns ends this.
///
/// # Errors
/// [`Error::Argument`] for a dataset that has no pixels, or none stored; what is wrong with a chunk.
pub fn run(
    library: &Library,
    file: &File,
    path: &str,
    options: &Options,
    seen: &mut dyn FnMut(u64, u64) -> Result<()>,
) -> Result<Found> {
    let info = inspect::dataset(library, file.id(), path)?;
    if let Some(why) = why_not(&info) {
        return Err(Error::Argument(format!("{path}: {why}")));
    }
    let dataset = OpenDataset::open(library, file.id(), path)?;
    let reader = Reader::open(library, dataset.id(), crate::Options::default())?;
    let stored = darkchunk_hdf5::chunk_map::StoredDataset::open(library, dataset.id())?;
    let shapes = shapes::of(&info, options.chunk.as_deref())?;
    let sample = shapes::Sample::new(&reader, &stored, &shapes.region, options)?;
    let (mut trying, mut refused) = candidates::all(&info, &shapes)?;
    let mut n_bytes = 0;
    for (number, region) in sample.numbers.iter().zip(1..) {
        n_bytes += sample.with_region(*number, stored.fill(), |region| {
            measure::region(region, stored.fill(), &mut trying, &mut refused)
        })?;
        seen(region, sample.numbers.len() as u64)?;
    }
    let trials: Vec<Trial> = trying.into_iter().map(|trying| trying.finished(&info)).collect();
    let choice = Choice::of(&trials, options.link);
    let (n_regions, n_all_regions) = (sample.numbers.len() as u64, sample.n_all);
    Ok(Found { info, n_regions, n_all_regions, n_bytes, trials, refused, choice })
}
