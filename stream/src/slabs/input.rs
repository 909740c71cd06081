//! An input: a dataset, how it is sliced, and slabs of it in memory.
//!
//! In a slab each slice is contiguous, whatever the order of the dataset's axes: first the slicing axes, the slowest first, then the others
//! in their own order.

#![allow(unsafe_code)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use darkchunk::element::ByteOrder;
use darkchunk_hdf5::api::Hid;
use darkchunk_hdf5::results::{NumberClass, NumberType};
use darkchunk_hdf5::{Library, OpenDataset};
use serde::{Deserialize, Serialize};

use super::memory::{Memory, lines};
use super::slicing::{Slicing, Span};
use crate::{Error, Options, Read, Reader, Result};

/// How long is read before results are looked for.
const STEP: Duration = Duration::from_millis(20);

/// An open dataset that slices are taken of.
#[derive(Debug)]
pub struct Input {
    // Before the dataset, which it reads.
    pub(super) reader: Arc<Reader>,
    pub(super) number: NumberType,
    pub(super) name: String,
    dims: Vec<u64>,
    /// Whether there may be more of it later.
    pub(super) grows: bool,
    /// Chunks of which an index says where their blocks are.
    pub(super) n_indexed: Option<u64>,
    _dataset: OpenDataset,
}

impl Input {
    /// The dataset `path` below the open file or group `at`, read by so many threads.
    ///
    /// # Errors
    /// As [`Reader::open_whole`].
    pub fn open(library: &Library, at: Hid, path: &str, n_threads: usize) -> Result<Self> {
        let options = Options { n_threads, ..Options::default() };
        Self::of(library, at, path, Reader::open_whole(library, at, path, options)?)
    }

    /// The same of a file that is being written: the sources of a virtual dataset may still come.
    ///
    /// # Errors
    /// As [`Reader::open_path`].
    pub fn open_growing(library: &Library, at: Hid, path: &str, n_threads: usize) -> Result<Self> {
        let options = Options { n_threads, ..Options::default() };
        Self::of(library, at, path, Reader::open_path(library, at, path, options)?)
    }

    fn of(library: &Library, at: Hid, path: &str, reader: Reader) -> Result<Self> {
        let (dataset, reader) = (OpenDataset::open(library, at, path)?, Arc::new(reader));
        let number = NumberType::of(library, dataset.id())?;
        let dims = reader.dims().to_vec();
        Ok(Self { reader, number, name: path.to_owned(), dims, grows: false, n_indexed: None, _dataset: dataset })
    }

    /// Takes no more than so many places along an axis for its extent, of an input that grows along it.
    pub fn cut(&mut self, axis: usize, n: u64) {
        if let Some(dim) = self.dims.get_mut(axis) {
            *dim = n.min(*dim);
        }
        self.grows = true;
    }

    /// Uses the index of blocks that is beside the file, where there is one.
    ///
    /// # Errors
    /// As [`Reader::load_index`]; the input is read as without one then.
    pub fn use_index(&mut self, file: &Path) -> Result<()> {
        let index = index_path(file, &self.name);
        if index.exists() {
            self.n_indexed = Some(self.reader.load_index(&index)?);
        }
        Ok(())
    }

    /// Its extent along each axis.
    #[must_use]
    pub fn dims(&self) -> &[u64] {
        &self.dims
    }

    /// An element as it is stored. Slices have it in this machine's byte order.
    #[must_use]
    pub fn number(&self) -> NumberType {
        self.number
    }

    /// What a process has to know of it.
    pub(super) fn known(&self) -> Known {
        Known { name: self.name.clone(), dims: self.dims().to_vec(), number: self.number }
    }

    /// What it is called in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The name of a dataset's index of blocks: beside its file, with the dataset's path in it.
#[must_use]
pub fn index_path(file: &Path, dataset: &str) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!("{name}.{}.blocks", dataset.trim_matches('/').replace('/', ".")))
}

/// What a process has to know of an input before it says how slices are taken of it.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) name: String,
    pub(super) dims: Vec<u64>,
    pub(super) number: NumberType,
}

/// How slices are taken of an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// For each axis 0, or which slicing axis it is, from 1 on.
    pub map: Vec<u32>,
    /// Slices before and after along the fastest slicing axis that are handed in with each. Beyond an end there is the outermost.
    pub padding: (u64, u64),
}

/// Where the elements of an input are in a slab.
#[derive(Debug, Clone)]
pub(super) struct Geometry {
    dims: Vec<u64>,
    map: Vec<u32>,
    /// The slicing axes that it has, from 0 on, ascending.
    axes: Vec<usize>,
    pub(super) padding: (u64, u64),
    element_bytes: usize,
    pub(super) slice_bytes: u64,
    /// From a slice to the next.
    pub(super) stride: u64,
}

impl Geometry {
    /// Without gaps between slices where several are handed in at once.
    pub(super) fn new(input: &Input, taken: &Taken, n_axes: usize, is_dense: bool) -> Result<Self> {
        let (dims, element_bytes) = (input.dims().to_vec(), input.reader.element().n_bytes);
        let core = dims.iter().zip(&taken.map).filter(|(_, axis)| **axis == 0).map(|(dim, _)| *dim);
        let slice_bytes = core.fold(element_bytes as u64, u64::saturating_mul);
        if isize::try_from(slice_bytes).is_err() {
            return Err(Error::Argument(format!("a slice of {} is larger than memory can be", input.name)));
        }
        let mut axes: Vec<usize> = taken.map.iter().filter(|axis| **axis > 0).map(|axis| *axis as usize - 1).collect();
        axes.sort_unstable();
        if taken.padding != (0, 0) && !axes.contains(&(n_axes - 1)) {
            return Err(Error::Argument(format!(
                "{} cannot be padded: it has not the fastest slicing axis, {n_axes}, along which padding is",
                input.name
            )));
        }
        let is_dense = is_dense || taken.padding != (0, 0);
        let stride = if is_dense { slice_bytes } else { lines(slice_bytes) };
        Ok(Self { dims, map: taken.map.clone(), axes, padding: taken.padding, element_bytes, slice_bytes, stride })
    }

    pub(super) fn is_fixed(&self) -> bool {
        self.axes.is_empty()
    }

    pub(super) fn has(&self, axis: usize) -> bool {
        self.axes.contains(&axis)
    }

    /// The dataset's axis that is slicing axis `axis`.
    pub(super) fn axis_of(&self, axis: usize) -> Option<usize> {
        self.map.iter().position(|k| *k as usize == axis + 1)
    }

    /// What of it belongs to a slab: the places along each slicing axis that it has.
    pub(super) fn extent(&self, span: &Span, slicing: &Slicing) -> Vec<(u64, u64)> {
        let last = slicing.dims().len() - 1;
        let along = |axis: &usize| {
            let (start, count) = (span.start[*axis], span.count[*axis]);
            if *axis != last {
                return (start, count);
            }
            let first = start.saturating_sub(self.padding.0);
            let end = start.saturating_add(count).saturating_add(self.padding.1).min(slicing.dims()[last]);
            (first, end - first)
        };
        self.axes.iter().map(along).collect()
    }

    /// Bytes of memory that so many places along each slicing axis take.
    pub(super) fn n_bytes(&self, counts: impl Iterator<Item = u64>) -> u64 {
        counts.fold(self.stride, u64::saturating_mul)
    }

    /// From a place to the next along each slicing axis that it has.
    fn strides(&self, extent: &[(u64, u64)]) -> Vec<u64> {
        let mut strides = vec![0; extent.len()];
        let mut stride = self.stride;
        for (at, (_, count)) in strides.iter_mut().zip(extent).rev() {
            *at = stride;
            stride = stride.saturating_mul(*count);
        }
        strides
    }

    /// From an element to the next along each axis of the dataset.
    fn element_strides(&self, strides: &[u64]) -> Vec<i64> {
        let mut stride = self.element_bytes as u64;
        let mut all = vec![0; self.dims.len()];
        for (axis, (at, dim)) in all.iter_mut().zip(&self.dims).enumerate().rev() {
            if self.map[axis] == 0 {
                *at = stride as i64;
                stride = stride.saturating_mul(*dim);
            }
        }
        for (at, axis) in all.iter_mut().zip(&self.map).filter(|(_, axis)| **axis > 0) {
            let place = self.axes.iter().position(|known| *known + 1 == *axis as usize);
            *at = place.map_or(0, |place| strides[place] as i64);
        }
        all
    }

    /// The selection of the dataset that an extent is.
    fn selection(&self, extent: &[(u64, u64)]) -> (Vec<u64>, Vec<u64>) {
        let (mut start, mut count) = (vec![0; self.dims.len()], self.dims.clone());
        for ((first, n), axis) in extent.iter().zip(&self.axes) {
            if let Some(at) = self.axis_of(*axis) {
                (start[at], count[at]) = (*first, *n);
            }
        }
        (start, count)
    }
}

/// A slab of an input.
#[derive(Debug)]
pub(super) struct Filled {
    memory: Memory,
    pub(super) extent: Vec<(u64, u64)>,
    strides: Vec<u64>,
}

impl Filled {
    /// Reads a slab into `memory`, which is long enough; `between` is called again and again meanwhile.
    pub(super) fn read(
        input: &Input,
        geometry: &Geometry,
        extent: Vec<(u64, u64)>,
        mut memory: Memory,
        between: &mut dyn FnMut() -> Result<()>,
    ) -> Result<Self> {
        let strides = geometry.strides(&extent);
        let n_bytes = geometry.n_bytes(extent.iter().map(|(_, count)| *count));
        let n_bytes = usize::try_from(n_bytes).map_err(|_| darkchunk::Error::NoMemory { n_bytes: usize::MAX })?;
        memory.grow(n_bytes)?;
        let (start, count) = geometry.selection(&extent);
        let steps = geometry.element_strides(&strides);
        let at = memory.bytes_mut().as_mut_ptr();
        // SAFETY: the strides stay in the slab's bytes, which are in `memory`; nobody else uses it before the read has ended, also
        // where `between` fails.
        let mut read = unsafe { Read::begin(&input.reader, &start, &count, None, at, Some(&steps)) }?;
        while !read.step(Some(STEP))? {
            between()?;
        }
        drop(read);
        to_native(&mut memory.bytes_mut()[..n_bytes], input.number);
        Ok(Self { memory, extent, strides })
    }

    /// Where a slice is, by its place along all slicing axes.
    pub(super) fn at(&self, geometry: &Geometry, place: &[u64]) -> usize {
        let parts = geometry.axes.iter().zip(&self.extent).zip(&self.strides);
        parts.map(|((axis, (first, _)), stride)| ((place[*axis] - first) * stride) as usize).sum()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.memory.bytes()
    }

    pub(super) fn into_memory(self) -> Memory {
        self.memory
    }
}

/// Elements of a file in this machine's byte order.
fn to_native(bytes: &mut [u8], number: NumberType) {
    if number.class == NumberClass::Bytes || number.order == ByteOrder::NATIVE {
        return;
    }
    match number.n_bytes {
        2 => swap::<2>(bytes),
        4 => swap::<4>(bytes),
        8 => swap::<8>(bytes),
        _ => {}
    }
}

fn swap<const N: usize>(bytes: &mut [u8]) {
    // Gaps between slices are whole elements, too, or behind the last one.
    bytes.as_chunks_mut::<N>().0.iter_mut().for_each(|element| element.reverse());
}
