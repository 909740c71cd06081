//! The pixels of a dataset: encoded anew, and compared with what was before.

use std::cmp::Ordering;

use darkchunk::Exec;
use darkchunk::element::{ByteOrder, ElementClass, ElementType};
use darkchunk::pipeline::Pipeline;
use darkchunk_hdf5::chunk_map::{ChunkMap, Storage, StoredDataset};
use darkchunk_hdf5::copy::{NewDataset, NewStorage};
use darkchunk_hdf5::{File, Library, OpenDataset};

use super::blocks::{Block, Blocks, Pixels, in_threads, two_buffers};
use super::keep::Kept;
use super::plan::Step;
use super::regions::{self, Region};
use super::spec::Loss;
use crate::{Error, Options, Reader, Result};

/// Memory that a thread takes: a block as it is read, padded, encoded, waiting; and what the reader has.
const BLOCKS_A_THREAD: u64 = 6;

/// The filter that keeps nothing below 0.
pub(super) const DRLE: u32 = 36114;

/// How much may be used.
#[derive(Debug, Clone, Copy)]
pub struct Resources {
    /// Threads.
    pub n_threads: usize,
    /// Bytes of memory for pixels, about; a chunk is handled in any case.
    pub memory: u64,
}

impl Resources {
    /// Memory for a region of each of two datasets.
    fn region_bytes(self) -> u64 {
        self.memory / 3
    }

    pub(super) fn threads_for(self, block_bytes: usize) -> usize {
        let most = self.memory / (block_bytes as u64).saturating_mul(BLOCKS_A_THREAD).max(1);
        (self.n_threads as u64).min(most).max(1) as usize
    }
}

/// What a lossy target took away.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Lost {
    /// Pixels.
    pub n_pixels: u64,
    /// Pixels that have another value.
    pub n_changed: u64,
    /// The greatest difference.
    pub max_difference: f64,
    /// The sum of all differences, new minus old; that of integers is exact up to 2^53.
    pub sum: f64,
}

impl Lost {
    fn add(&mut self, other: Self) {
        self.n_pixels += other.n_pixels;
        self.n_changed += other.n_changed;
        self.max_difference = self.max_difference.max(other.max_difference);
        self.sum += other.sum;
    }
}

struct Open {
    // Before the dataset, which it reads.
    reader: Reader,
    stored: StoredDataset,
    _dataset: OpenDataset,
}

/// Opens a dataset for several threads that read a block each, or for one that reads a region by several.
fn open(library: &Library, file: &File, path: &str, n_threads: usize) -> Result<Open> {
    let dataset = OpenDataset::open(library, file.id(), path)?;
    let reader = Reader::open(library, dataset.id(), Options { n_threads, ..Options::default() })?;
    let stored = StoredDataset::open(library, dataset.id())?;
    Ok(Open { reader, stored, _dataset: dataset })
}

/// The shape of regions in which a dataset is read for such chunks; `None` where it is read chunk by chunk.
fn region(library: &Library, file: &File, path: &str, chunk: &[u64], resources: Resources) -> Result<Option<Vec<u64>>> {
    let stored = StoredDataset::open_path(library, file.id(), path)?;
    let Storage::Chunked { chunk: old, .. } = stored.storage() else { return Ok(None) };
    let n_bytes = resources.region_bytes();
    Ok(regions::shape(stored.dims(), old, chunk, stored.element().n_bytes, n_bytes))
}

/// Encodes all pixels of the dataset of a step, in the file `from`, into the empty dataset `to_path` of `to`, which is stored as the step says.
/// Returns how many bytes were decoded for that.
pub(super) fn encode(
    library: &Library,
    from: &File,
    (step, storage): (&Step, &NewStorage),
    (to, to_path): (&File, &str),
    kept: Option<&Kept>,
    resources: Resources,
    seen: &dyn Fn(u64) -> Result<()>,
) -> Result<u64> {
    let (path, chunk) = (&*step.path, &*storage.chunk);
    let shape = region(library, from, path, chunk, resources)?;
    let source = open(library, from, path, if shape.is_some() { resources.n_threads } else { 1 })?;
    let target = NewDataset::open(library, to.id(), to_path)?;
    let filters = target.filters().iter().map(|filter| (filter.id, &filter.values[..]));
    let pipeline = Pipeline::new(filters)?;
    // What was never stored stays so where chunks are the same.
    let map = source.stored.map().ok().filter(|_| source.reader.chunk() == Some(chunk));
    let (reader, fill) = (&source.reader, source.stored.fill());
    let has_drle = target.filters().iter().any(|filter| filter.id == DRLE);
    let is_exact = has_drle && step.loss == Loss::None && reader.element().class == ElementClass::Signed;
    let signed = is_exact.then(|| reader.element());
    let encoder = Encoder { fill, chunk, map, kept, pipeline, signed, target, resources, seen };
    let (dims, n_bytes) = (reader.dims().to_vec(), reader.element().n_bytes);
    let Some(shape) = shape else {
        let origin = vec![0; dims.len()];
        encoder.all(reader, &Blocks::new(&dims, chunk, n_bytes)?, &origin)?;
        return Ok(reader.statistics().decoded_bytes);
    };
    let regions = Blocks::new(&dims, &shape, n_bytes)?;
    let mut region = Region::new(&regions, n_bytes)?;
    for number in 0..regions.len() {
        let at = regions.get(number);
        region.load(&regions, reader, &at)?;
        encoder.all(&region, &Blocks::new(&at.count, chunk, n_bytes)?, &at.start)?;
    }
    Ok(reader.statistics().decoded_bytes)
}

/// What is encoded, and how.
struct Encoder<'a> {
    fill: Option<&'a [u8]>,
    chunk: &'a [u64],
    map: Option<ChunkMap>,
    kept: Option<&'a Kept>,
    pipeline: Pipeline,
    /// Elements of which none may be below 0.
    signed: Option<ElementType>,
    target: NewDataset,
    resources: Resources,
    seen: &'a dyn Fn(u64) -> Result<()>,
}

impl Encoder<'_> {
    /// Encodes all blocks of a part of the dataset that begins at `origin`.
    fn all(&self, from: &(impl Pixels + Sync), blocks: &Blocks<'_>, origin: &[u64]) -> Result<()> {
        let (n_bytes, chunk, fill, map) = (blocks.n_bytes(), self.chunk, self.fill, self.map.as_ref());
        let is_missing = |start: &[u64]| {
            let place: Vec<u64> = start.iter().zip(chunk).map(|(start, chunk)| start / chunk).collect();
            map.is_some_and(|map| map.get(&place).is_none())
        };
        let (kept, pipeline, signed) = (self.kept, &self.pipeline, self.signed);
        in_threads(
            blocks.len(),
            self.resources.threads_for(n_bytes),
            || two_buffers(n_bytes),
            |(part, pixels), number| {
                let block = blocks.get(number).from(origin);
                if is_missing(&block.start) || !has(kept, &block) {
                    return Ok(None);
                }
                let n_there = blocks.read_padded(from, &block, fill, part, pixels)?;
                let there = if n_there < n_bytes { &part[..n_there] } else { &*pixels };
                if signed.is_some_and(|element| has_negative(there, element, fill)) {
                    return Err(Error::Argument(format!(
                        "the chunk at {:?} has pixels below 0, which DRLE makes 0: --lossy allows that, or choose another target",
                        block.start
                    )));
                }
                let encoded = pipeline.encode(Exec::current(), pixels);
                encoded.map(Some).map_err(|reason| Error::Chunk { offset: block.start, source: reason })
            },
            |number, encoded| {
                if let Some(encoded) = encoded {
                    self.target.write(&blocks.get(number).from(origin).start, 0, &encoded)?;
                }
                (self.seen)(n_bytes as u64)
            },
        )
    }
}

/// Whether an integer is below 0 that DRLE makes 0: it keeps the fill value.
fn has_negative(pixels: &[u8], element: ElementType, fill: Option<&[u8]>) -> bool {
    let sign = if element.order == ByteOrder::Big { 0 } else { element.n_bytes - 1 };
    pixels.chunks_exact(element.n_bytes).any(|pixel| pixel[sign] & 0x80 != 0 && Some(pixel) != fill)
}

/// Whether a block is in the new file: its frame may be left out.
fn has(kept: Option<&Kept>, block: &Block) -> bool {
    kept.is_none_or(|kept| block.start.first().is_none_or(|frame| kept.has(*frame)))
}

/// Compares all pixels of the dataset `path` of two files, but for frames that are left out. Without loss they must be equal; else what was
/// lost is returned.
#[allow(clippy::too_many_arguments, reason = "two datasets, and how")]
pub(super) fn compare(
    library: &Library,
    from: &File,
    to: &File,
    path: &str,
    loss: Loss,
    kept: Option<&Kept>,
    resources: Resources,
    seen: &dyn Fn(u64) -> Result<()>,
) -> Result<Lost> {
    let new = open(library, to, path, 1)?;
    let (dims, element) = (new.reader.dims().to_vec(), new.reader.element());
    let chunk = new.reader.chunk().map_or_else(|| dims.clone(), <[u64]>::to_vec);
    let shape = region(library, from, path, &chunk, resources)?;
    let n_threads = if shape.is_some() { resources.n_threads } else { 1 };
    let (old, new) = (open(library, from, path, n_threads)?, open(library, to, path, n_threads)?);
    if old.reader.dims() != dims || old.reader.element() != element {
        return Err(Error::Argument(format!("{path} has another shape or type in the new file")));
    }
    let mut comparer = Comparer { path, element, loss, kept, resources, seen, lost: Lost::default() };
    let Some(shape) = shape else {
        let blocks = Blocks::new(&dims, &chunk, element.n_bytes)?;
        comparer.all((&old.reader, &new.reader), &blocks, &vec![0; dims.len()])?;
        return Ok(comparer.lost);
    };
    let regions = Blocks::new(&dims, &shape, element.n_bytes)?;
    let mut before = Region::new(&regions, element.n_bytes)?;
    let mut after = Region::new(&regions, element.n_bytes)?;
    for number in 0..regions.len() {
        let at = regions.get(number);
        before.load(&regions, &old.reader, &at)?;
        after.load(&regions, &new.reader, &at)?;
        comparer.all((&before, &after), &Blocks::new(&at.count, &chunk, element.n_bytes)?, &at.start)?;
    }
    Ok(comparer.lost)
}

/// What is compared, and what was lost so far.
struct Comparer<'a> {
    path: &'a str,
    element: ElementType,
    loss: Loss,
    kept: Option<&'a Kept>,
    resources: Resources,
    seen: &'a dyn Fn(u64) -> Result<()>,
    lost: Lost,
}

impl Comparer<'_> {
    /// Compares all blocks of a part of the dataset that begins at `origin`.
    fn all<P: Pixels + Sync>(&mut self, (old, new): (&P, &P), blocks: &Blocks<'_>, origin: &[u64]) -> Result<()> {
        let Self { path, element, loss, kept, seen, .. } = *self;
        let (n_bytes, lost) = (blocks.n_bytes(), &mut self.lost);
        in_threads(
            blocks.len(),
            self.resources.threads_for(n_bytes),
            || two_buffers(n_bytes),
            |(before, after), number| {
                let block = blocks.get(number).from(origin);
                if !has(kept, &block) {
                    return Ok(Lost::default());
                }
                let before = blocks.read(old, &block, before)?;
                let after = blocks.read(new, &block, after)?;
                let differs = |what: String| Error::Argument(format!("{path}: the chunk at {:?} {what}", block.start));
                if before == after {
                    return Ok(Lost { n_pixels: (before.len() / element.n_bytes) as u64, ..Lost::default() });
                }
                match loss {
                    Loss::None => Err(differs("does not have the same pixels in the new file".to_owned())),
                    loss => difference(before, after, element, loss).map_err(differs),
                }
            },
            |_, found| {
                lost.add(found);
                seen(n_bytes as u64)
            },
        )
    }
}

/// What the pixels of a block differ by.
fn difference(before: &[u8], after: &[u8], element: ElementType, loss: Loss) -> std::result::Result<Lost, String> {
    let mut lost = Lost::default();
    let size = element.n_bytes;
    for (before, after) in before.chunks_exact(size).zip(after.chunks_exact(size)) {
        lost.n_pixels += 1;
        if before == after {
            continue;
        }
        let (Some(old), Some(new)) = (number(before, element), number(after, element)) else {
            return Err("has pixels that differ and are neither integers nor float32".to_owned());
        };
        let wrong = |what| Err(format!("has a pixel of {new} that was {old}: {what}"));
        let difference = new - old;
        match loss {
            // Bytes that differ where numbers do not are two zeros; where they are no numbers, nothing explains it.
            _ if !difference.is_finite() => return wrong("no bound allows this".to_owned()),
            Loss::Threshold(threshold) if new != 0.0 || old >= f64::from(threshold) => {
                return wrong(format!("more than the threshold {threshold} explains"));
            }
            Loss::Within(bound) if difference.abs() > bound => {
                return wrong(format!("more than the bound {bound} allows"));
            }
            _ => {}
        }
        lost.n_changed += u64::from(difference != 0.0);
        lost.max_difference = lost.max_difference.max(difference.abs());
        lost.sum += difference;
    }
    Ok(lost)
}

/// The number that the bytes of an element are, where it is an integer or a float32.
fn number(bytes: &[u8], element: ElementType) -> Option<f64> {
    match element.class {
        ElementClass::Float if element.n_bytes == 4 => element.bits(bytes).map(|bits| f32::from_bits(bits).into()),
        _ => integer(bytes, element).map(|integer| integer as f64),
    }
}

fn integer(bytes: &[u8], element: ElementType) -> Option<i128> {
    if !element.is_integer() || bytes.len() > 8 {
        return None;
    }
    let add = |bits: u64, byte: &u8| bits << 8 | u64::from(*byte);
    let bits = match element.order {
        ByteOrder::Little => bytes.iter().rev().fold(0, add),
        ByteOrder::Big => bytes.iter().fold(0, add),
    };
    let n_bits = 8 * bytes.len() as u32;
    let is_negative = element.class == ElementClass::Signed && bits >> (n_bits - 1) & 1 == 1;
    Some(if is_negative { i128::from(bits) - (1_i128 << n_bits) } else { i128::from(bits) })
}

/// Whether a dataset that was not to be changed has the same stored bytes in both files: chunks as they are stored, others as they are
/// read. What refers to other places of the file, or has its data elsewhere, is not compared.
pub(super) fn compare_stored(
    library: &Library,
    from: &File,
    to: &File,
    path: &str,
    seen: &dyn Fn(u64) -> Result<()>,
) -> Result<()> {
    let of = |file: &File| -> Result<_> {
        let dataset = OpenDataset::open(library, file.id(), path)?;
        let stored = StoredDataset::open(library, dataset.id())?;
        Ok((dataset, stored))
    };
    let Ok((_old_dataset, old)) = of(from) else { return Ok(()) };
    let (_new_dataset, new) = of(to)?;
    let differs = || Error::Argument(format!("{path} is not the same in the new file"));
    if old.dims() != new.dims() || old.filters() != new.filters() || old.storage() != new.storage() {
        return Err(differs());
    }
    let Storage::Chunked { chunk, .. } = old.storage() else { return Ok(()) };
    let (before, after) = (old.map()?, new.map()?);
    if before.len().cmp(&after.len()) != Ordering::Equal {
        return Err(differs());
    }
    for (place, _) in before.iter() {
        let offset: Vec<u64> = place.iter().zip(chunk).map(|(place, chunk)| place * chunk).collect();
        seen(0)?;
        if old.read_stored(&offset)? != new.read_stored(&offset)? {
            return Err(differs());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_both_orders_with_their_sign() {
        let of = |class, order, bytes: &[u8]| {
            integer(bytes, ElementType { class, n_bytes: bytes.len(), base_bytes: bytes.len(), order })
        };
        assert_eq!(of(ElementClass::Signed, ByteOrder::Little, &[0xFE, 0xFF]), Some(-2));
        assert_eq!(of(ElementClass::Unsigned, ByteOrder::Big, &[0xFE, 0xFF]), Some(0xFEFF));
        assert_eq!(of(ElementClass::Unsigned, ByteOrder::Little, &[0xFF; 8]), Some(i128::from(u64::MAX)));
        assert_eq!(of(ElementClass::Signed, ByteOrder::Little, &[0xFF; 8]), Some(-1));
        assert_eq!(of(ElementClass::Other, ByteOrder::Little, &[0; 4]), None);
    }

    #[test]
    fn no_pixel_is_off_by_more_than_an_absolute_bound() {
        let pixels = |values: [i16; 2]| values.iter().flat_map(|value| value.to_ne_bytes()).collect::<Vec<_>>();
        let of = |old, new| difference(&pixels(old), &pixels(new), ElementType::I16, Loss::Within(3.0));
        assert_eq!(of([-5, 9], [-2, 6]).expect("within").max_difference, 3.0);
        assert!(of([-5, 9], [-1, 9]).is_err() && of([-5, 9], [-5, 5]).is_err());
    }

    #[test]
    fn a_bound_of_real_numbers_holds_for_float32_and_does_not_make_numbers_of_what_is_none() {
        let pixels = |values: [f32; 2]| values.iter().flat_map(|value| value.to_ne_bytes()).collect::<Vec<_>>();
        let of = |loss, old, new| difference(&pixels(old), &pixels(new), ElementType::F32, loss);
        let within = of(Loss::Within(0.25), [1.0, -0.0], [1.25, 0.0]).expect("within");
        assert_eq!(within, Lost { n_pixels: 2, n_changed: 1, max_difference: 0.25, sum: 0.25 });
        assert!(of(Loss::Within(0.25), [1.0, 0.0], [1.0, 0.26]).is_err());
        for wrong in [f32::NAN, f32::INFINITY] {
            assert!(of(Loss::Bounded, [1.0, wrong], [1.0, 0.0]).is_err());
            assert!(of(Loss::Bounded, [1.0, 0.0], [1.0, wrong]).is_err());
        }
    }

    #[test]
    fn a_threshold_explains_only_pixels_below_it_that_became_zero() {
        let pixels = |values: [i16; 3]| values.iter().flat_map(|value| value.to_ne_bytes()).collect::<Vec<_>>();
        let of = |old, new| difference(&pixels(old), &pixels(new), ElementType::I16, Loss::Threshold(20));
        let lost = of([19, 20, -3], [0, 20, 0]).expect("explained");
        assert_eq!(lost, Lost { n_pixels: 3, n_changed: 2, max_difference: 19.0, sum: -16.0 });
        assert!(of([20, 0, 0], [0, 0, 0]).is_err());
        assert!(of([19, 0, 0], [18, 0, 0]).is_err());
    }
}
