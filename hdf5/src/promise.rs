//! What the bounded codec promises of a dataset, and what came of it by the fronts of its chunks, which a checksum proves.
//!
//! [`Writer`](crate::Writer) and [`ChunkWriter`](crate::ChunkWriter) store both in attributes of the dataset, which `docs/format.md` lists:
//! the promise when they begin, what was achieved with each flush. Frames of a chunk that was not full when a writer was attached to the
//! dataset are encoded again, and count as exact then.

use crate::chunk_map::{Located, StoredChunk, StoredDataset};
use crate::dataset::StoredFilter;
use crate::object::{self, Id};
use crate::{Error, Library, Result, api::Hid};
use darkchunk::codec::Codec;
use darkchunk::codec::bounded::{Bounded, FloatErrors, Reference};
use darkchunk::kernels::quantise::{Bound, Noise};

/// Bytes of a chunk that are read first: most fronts are shorter.
const FRONT_BYTES: u64 = 4096;

/// What chunks of the bounded codec say of their pixels, together.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Achieved {
    /// Chunks that are stored.
    pub n_chunks: u64,
    /// Of these, those that are exact because a check failed when they were encoded, or that were stored without the filter.
    pub n_exact: u64,
    /// Of these, those whose front is damaged: nothing is known of their pixels.
    pub n_unknown: u64,
    /// Pixels that are no sentinels, of chunks with the filter. The frames that a last chunk is filled up with count.
    pub n_pixels: u64,
    /// Of float32, in the place of the next four numbers; the tolerance is the largest one of a chunk.
    pub float: Option<FloatErrors>,
    /// The largest error, in counts.
    pub most: u32,
    /// The largest error in standard deviations of the noise model, times 65536; 0 where there is no model.
    pub most_sigma: u32,
    /// The sum of all errors, decoded minus measured.
    pub sum: i128,
    /// The sum of their squares.
    pub sum_of_squares: u128,
    /// Zeros that became another value.
    pub n_from_zero: u64,
    /// Other values that became 0.
    pub n_to_zero: u64,
}

impl Achieved {
    /// What a stored chunk says; of `chunk` only the front is needed.
    pub(crate) fn of_chunk(mask: u32, chunk: &[u8]) -> Self {
        let one = Self { n_chunks: 1, ..Self::default() };
        if mask & 1 != 0 {
            return Self { n_exact: 1, ..one };
        }
        let Ok(report) = Bounded::report(chunk) else { return Self { n_unknown: 1, ..one } };
        let of = report.achieved;
        Self {
            n_exact: of.has_failed.into(),
            n_pixels: of.n_pixels,
            float: of.float,
            most: of.most,
            most_sigma: of.most_sigma,
            sum: of.sum.into(),
            sum_of_squares: of.sum_of_squares.into(),
            n_from_zero: of.n_from_zero.into(),
            n_to_zero: of.n_to_zero.into(),
            ..one
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let sums = [
            (&mut self.n_chunks, other.n_chunks),
            (&mut self.n_exact, other.n_exact),
            (&mut self.n_unknown, other.n_unknown),
            (&mut self.n_pixels, other.n_pixels),
            (&mut self.n_from_zero, other.n_from_zero),
            (&mut self.n_to_zero, other.n_to_zero),
        ];
        for (sum, number) in sums {
            *sum = sum.saturating_add(number);
        }
        if let Some(other) = &other.float {
            let float = self.float.get_or_insert_default();
            float.tolerance = float.tolerance.max(other.tolerance);
            float.most = float.most.max(other.most);
            float.sum += other.sum;
            float.sum_of_squares += other.sum_of_squares;
        }
        self.most = self.most.max(other.most);
        self.most_sigma = self.most_sigma.max(other.most_sigma);
        self.sum = self.sum.saturating_add(other.sum);
        self.sum_of_squares = self.sum_of_squares.saturating_add(other.sum_of_squares);
    }

    /// The largest error in standard deviations of the noise model.
    #[must_use]
    pub fn largest_sigma(&self) -> f64 {
        f64::from(self.most_sigma) / 65536.0
    }

    /// The mean error, decoded minus measured, in counts.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.float.map_or(self.sum as f64, |float| float.sum) / self.n_pixels.max(1) as f64
    }

    /// The mean of the squares of the errors.
    #[must_use]
    pub fn mean_square(&self) -> f64 {
        self.float.map_or(self.sum_of_squares as f64, |float| float.sum_of_squares) / self.n_pixels.max(1) as f64
    }

    fn store(&self, dataset: &Id) -> Result<()> {
        for (name, number) in [
            ("bounded_chunks", self.n_chunks),
            ("bounded_chunks_exact", self.n_exact),
            ("bounded_chunks_unknown", self.n_unknown),
            ("bounded_pixels", self.n_pixels),
            ("bounded_zeros_changed", self.n_from_zero),
            ("bounded_changed_to_zero", self.n_to_zero),
        ] {
            object::set_number(dataset, name, number)?;
        }
        match self.float {
            Some(float) => object::set_number(dataset, "bounded_largest_error", float.most)?,
            None => object::set_number(dataset, "bounded_largest_error", u64::from(self.most))?,
        }
        object::set_number(dataset, "bounded_largest_error_sigma", self.largest_sigma())?;
        object::set_number(dataset, "bounded_mean_error", self.mean())?;
        object::set_number(dataset, "bounded_mean_square_error", self.mean_square())
    }
}

/// The promise of stored parameters, in words; `None` where they are none of the bounded codec.
pub(crate) fn words(filter: &StoredFilter) -> Option<String> {
    Some(match bounded(filter)?.bound() {
        Bound::Exact | Bound::Absolute(0) => "every pixel is exact".to_owned(),
        Bound::AbsoluteFloat(number) | Bound::RelativeFloat(number) if number == 0.0 => {
            "every pixel is exact".to_owned()
        }
        Bound::AbsoluteFloat(error) => format!("no pixel is off by more than {error:?}"),
        Bound::RelativeFloat(share) => format!(
            "no pixel is off by more than {share:?} times the range of the values of its chunk (the greatest finite one minus the least)"
        ),
        Bound::Absolute(counts) => format!("no pixel is off by more than {counts}"),
        Bound::Noise(Noise { beta, gain, offset, read_variance }) => format!(
            "no pixel is off by more than {} standard deviations (gain {}, offset {offset}, read variance {})",
            ratio(beta) / 2.0,
            ratio(gain),
            ratio(read_variance)
        ),
    })
}

fn bounded(filter: &StoredFilter) -> Option<Bounded> {
    (filter.id == Bounded::FILTER_ID).then(|| Bounded::from_cd_values(&filter.values).ok()).flatten()
}

fn ratio((number, of): (u32, u32)) -> f64 {
    f64::from(number) / f64::from(of)
}

fn store_promise(dataset: &Id, filter: &StoredFilter, codec: &Bounded) -> Result<()> {
    let text = |name, text: &str| object::set_string(dataset, name, text);
    text("bounded_promise", &words(filter).unwrap_or_default())?;
    text("bounded_software", concat!("darkchunk ", env!("CARGO_PKG_VERSION")))?;
    let reference = match codec.reference() {
        None => "none or mean",
        Some(Reference::None) => "none",
        Some(Reference::Mean) => "mean",
        Some(Reference::Previous) => "previous",
    };
    text("bounded_reference", reference)?;
    match codec.bound() {
        Bound::Exact => text("bounded_bound", "exact"),
        Bound::Absolute(counts) => {
            text("bounded_bound", "absolute")?;
            object::set_number(dataset, "bounded_absolute", counts)
        }
        Bound::AbsoluteFloat(error) => {
            text("bounded_bound", "absolute")?;
            object::set_number(dataset, "bounded_absolute", error)
        }
        Bound::RelativeFloat(share) => {
            text("bounded_bound", "relative")?;
            object::set_number(dataset, "bounded_relative", share)
        }
        Bound::Noise(noise) => {
            text("bounded_bound", "noise")?;
            object::set_number(dataset, "bounded_noise", ratio(noise.beta))?;
            object::set_number(dataset, "bounded_gain", ratio(noise.gain))?;
            object::set_number(dataset, "bounded_offset", noise.offset)?;
            object::set_number(dataset, "bounded_read_variance", ratio(noise.read_variance))
        }
    }
}

/// What the chunks of a dataset say that is being written, for its attributes.
#[derive(Debug, Default)]
pub(crate) struct Account {
    all: Achieved,
    /// The last chunk, which is not full and will be written again.
    partial: Option<Achieved>,
    is_stored: bool,
}

impl Account {
    fn of(codec: &Bounded) -> Self {
        let float = codec.is_of_float().then(FloatErrors::default);
        Self { all: Achieved { float, ..Achieved::default() }, ..Self::default() }
    }

    /// Stores the promise, and that nothing was achieved yet: later, nothing can be made where others read meanwhile. `None` where it is
    /// another filter.
    pub(crate) fn begin(dataset: &Id, filter: Option<&StoredFilter>) -> Result<Option<Self>> {
        let Some((filter, codec)) = filter.and_then(|filter| Some((filter, bounded(filter)?))) else { return Ok(None) };
        store_promise(dataset, filter, &codec)?;
        let account = Self::of(&codec);
        account.all.store(dataset)?;
        Ok(Some(account))
    }

    /// The same of a dataset that has chunks.
    pub(crate) fn resume(dataset: &Id, filter: Option<&StoredFilter>, has_partial: bool) -> Result<Option<Self>> {
        let Some((filter, codec)) = filter.and_then(|filter| Some((filter, bounded(filter)?))) else { return Ok(None) };
        let (all, last) = of_chunks(&StoredDataset::open(dataset.library(), dataset.get())?)?;
        let mut account = Self { partial: last.filter(|_| has_partial), ..Self::of(&codec) };
        account.all.add(&all);
        if !has_partial && let Some(last) = last {
            account.all.add(&last);
        }
        store_promise(dataset, filter, &codec)?;
        account.store(dataset)?;
        Ok(Some(account))
    }

    /// A chunk was written: for the first time, or over the one that was not full.
    pub(crate) fn wrote(&mut self, mask: u32, chunk: &[u8], is_rewritten: bool, is_full: bool) {
        let wrote = Achieved::of_chunk(mask, chunk);
        if is_rewritten {
            self.partial = None;
        }
        let settled = if is_full { Some(wrote) } else { self.partial.replace(wrote) };
        settled.iter().for_each(|chunk| self.all.add(chunk));
        self.is_stored = false;
    }

    /// Stores what was achieved so far, if that changed.
    pub(crate) fn store(&mut self, dataset: &Id) -> Result<()> {
        if self.is_stored {
            return Ok(());
        }
        let mut all = self.all;
        self.partial.iter().for_each(|chunk| all.add(chunk));
        all.store(dataset)?;
        self.is_stored = true;
        Ok(())
    }
}

/// Stores in attributes of the dataset `path` of a file that is open for writing what is promised, and what its chunks say, where the
/// bounded codec is its only filter.
///
/// # Errors
/// As [`achieved`]; [`Error::Hdf5`].
pub fn store(library: &Library, file: Hid, path: &str) -> Result<()> {
    let dataset = object::open(library, file, path)?;
    let filters = crate::dataset::filters(&dataset)?;
    let [filter] = &filters[..] else { return Ok(()) };
    Account::resume(&dataset, Some(filter), false).map(drop)
}

/// What the chunks of the dataset `path` say, of which the bounded codec is the only filter; `None` for another dataset. Only the fronts
/// of chunks are read, where they are where the file says.
///
/// # Errors
/// What HDF5 says; [`Error::Unsupported`] where the chunks cannot be listed.
pub fn achieved(library: &Library, at: Hid, path: &str) -> Result<Option<Achieved>> {
    let dataset = StoredDataset::open_path(library, at, path)?;
    if !matches!(dataset.filters(), [only] if only.id == Bounded::FILTER_ID) {
        return Ok(None);
    }
    let (mut all, last) = of_chunks(&dataset)?;
    last.iter().for_each(|chunk| all.add(chunk));
    Ok(Some(all))
}

/// All chunks but the last one, and the last one.
fn of_chunks(dataset: &StoredDataset) -> Result<(Achieved, Option<Achieved>)> {
    let map = dataset.map()?;
    let crate::chunk_map::Storage::Chunked { chunk, .. } = dataset.storage() else {
        return Err(Error::Unsupported("it has no chunks".into()));
    };
    let located = dataset.locate(Some(&map)).ok();
    let (mut all, mut last) = (Achieved::default(), None::<Achieved>);
    for (place, stored) in map.iter() {
        last.iter().for_each(|chunk| all.add(chunk));
        let beside = located.as_ref().and_then(|located| front(located, &stored));
        let offset: Vec<u64> = place.iter().zip(chunk).map(|(at, chunk)| at * chunk).collect();
        last = Some(match beside {
            Some(achieved) => achieved,
            // What this process has just written need not be in the file.
            None => match dataset.read_stored(&offset)? {
                Some((mask, bytes)) => Achieved::of_chunk(mask, &bytes),
                None => Achieved { n_chunks: 1, n_unknown: 1, ..Achieved::default() },
            },
        });
    }
    Ok((all, last))
}

/// What the front of a chunk says, read beside HDF5; `None` where it is not sound.
fn front(located: &Located, stored: &StoredChunk) -> Option<Achieved> {
    let mut n_bytes = FRONT_BYTES.min(stored.n_bytes);
    loop {
        let mut bytes = darkchunk::salvage::buffer(usize::try_from(n_bytes).ok()?).ok()?;
        if stored.mask & 1 == 0 {
            located.read_at(&mut bytes, stored.address).ok()?;
        }
        let found = Achieved::of_chunk(stored.mask, &bytes);
        if found.n_unknown == 0 {
            return Some(found);
        }
        if n_bytes == stored.n_bytes {
            return None;
        }
        n_bytes = n_bytes.saturating_mul(16).min(stored.n_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_are_in_words() {
        let of = |id, values: &[u32]| words(&StoredFilter { id, values: values.to_vec() });
        assert_eq!(of(36115, &[]).as_deref(), Some("every pixel is exact"));
        assert_eq!(of(36115, &[1, 3]).as_deref(), Some("no pixel is off by more than 3"));
        assert_eq!(
            of(36115, &[2, 1, 1, 41, 20, 98]).as_deref(),
            Some("no pixel is off by more than 0.5 standard deviations (gain 2.05, offset 98, read variance 0)")
        );
        assert_eq!(of(36115, &[3, 0, 0x3fd8_0000]).as_deref(), Some("no pixel is off by more than 0.375"));
        let relative = of(36115, &[4, 0, 0x3f50_0000]).expect("a promise");
        assert!(relative.contains("0.0009765625 times the range of the values of its chunk"), "{relative}");
        assert_eq!(of(36114, &[1, 3]), None);
        assert_eq!(of(36115, &[9]), None);
    }

    #[test]
    fn a_chunk_that_is_written_again_counts_once() {
        let (mut account, damaged) = (Account::default(), [0_u8; 40]);
        account.wrote(0, &damaged, false, false);
        account.wrote(1, &damaged, true, true);
        account.wrote(0, &damaged, false, true);
        let expected = Achieved { n_chunks: 2, n_exact: 1, n_unknown: 1, ..Achieved::default() };
        assert_eq!((account.all, account.partial), (expected, None));
    }
}
