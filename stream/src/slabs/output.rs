//! Outputs: a dataset for each, written chunk by chunk in the order of the slices, so that the file is the same with any number of
//! threads.
//!
//! A chunk is one slice, encoded by the worker that made it. Where slices are small, a chunk has several that follow each other along
//! the fastest slicing axis; these are gathered and encoded by the thread that writes.

use std::io::Write;
use std::ops::Range;

use darkchunk::Exec;
use darkchunk::pipeline::{Pipeline, buffer};
use darkchunk_hdf5::results::{NewResult, NumberClass, NumberType, ResultDataset, bitshuffle_lz4};
use darkchunk_hdf5::{File, Library};

use super::manifest::{Begun, Chunk, Manifest, Slab};
use super::memory::lines;
use super::notes::Notes;
use super::slicing::Slicing;
use crate::{Error, Result};

/// A chunk of several slices has at most so many bytes.
const GATHERED_BYTES: u64 = 64 << 10;

/// The largest chunk that HDF5 before 2.0 has.
const MAX_CHUNK_BYTES: u64 = u32::MAX as u64;

/// An output that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputSpec {
    /// Its path in the file of results.
    pub path: String,
    /// An element, in this machine's byte order.
    pub number: NumberType,
    /// Its extent along each axis; -k: as long as slicing axis k. Each slicing axis is there once.
    pub shape: Vec<i64>,
}

/// How an output is stored.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) path: String,
    pub(super) number: NumberType,
    pub(super) dims: Vec<u64>,
    /// For each axis 0, or which slicing axis it is, from 1 on.
    pub(super) map: Vec<u32>,
    pub(super) chunk: Vec<u64>,
    filters: Vec<(u32, Vec<u32>)>,
    pipeline: Pipeline,
    pub(super) slice_bytes: u64,
    /// Slices of a chunk along the fastest slicing axis.
    per_chunk: u64,
    /// Bytes of a slice that follow each other in a chunk.
    run_bytes: usize,
}

/// Outputs that workers may have in hand at the same time: as many as work, and as many that wait to be written.
pub(super) fn n_buffers(n_workers: usize) -> usize {
    2 * n_workers + 1
}

impl Shape {
    pub(super) fn new(spec: &OutputSpec, slicing: &Slicing) -> Result<Self> {
        let refused =
            |why: String| Error::Argument(format!("the output {:?} of shape {:?}: {why}", spec.path, spec.shape));
        if spec.path.trim_matches('/').is_empty() {
            return Err(refused("it needs a path such as output/data".into()));
        }
        let (dims, map) = extent(&spec.shape, slicing).map_err(refused)?;
        let n_axes = slicing.dims().len();
        let core = |(dim, axis): (&u64, &u32)| if *axis == 0 { *dim } else { 1 };
        let element_bytes = spec.number.n_bytes as u64;
        let slice_bytes = dims.iter().zip(&map).map(core).fold(element_bytes, u64::saturating_mul);
        if spec.number.class == NumberClass::Bytes || slice_bytes == 0 || slice_bytes > MAX_CHUNK_BYTES {
            return Err(refused("a slice is to have 1 to 4294967295 bytes of numbers".into()));
        }
        let last = slicing.last().max(1);
        let per_chunk = (GATHERED_BYTES / slice_bytes).clamp(1, last);
        let place = map.iter().position(|axis| *axis as usize == n_axes).unwrap_or(0);
        let inner = dims[place..].iter().zip(&map[place..]).map(core).product::<u64>();
        let chunk: Vec<u64> = dims
            .iter()
            .zip(&map)
            .map(|(dim, axis)| if *axis as usize == n_axes { per_chunk } else { core((dim, axis)) })
            .collect();
        let filters = vec![bitshuffle_lz4(spec.number, &chunk)?];
        let pipeline = Pipeline::new(filters.iter().map(|(id, values)| (*id, &values[..])))?;
        Ok(Self {
            path: spec.path.clone(),
            number: spec.number,
            dims,
            map,
            chunk,
            filters,
            pipeline,
            slice_bytes,
            per_chunk,
            run_bytes: inner as usize * spec.number.n_bytes,
        })
    }

    /// Whether a chunk has several slices.
    pub(super) fn is_gathered(&self) -> bool {
        self.per_chunk > 1
    }

    /// From the output of a call to that of the next in the memory of a task.
    fn call_bytes(&self, n_block: u64) -> u64 {
        lines(self.slice_bytes.saturating_mul(n_block))
    }

    /// Where the output of a call begins in the memory of a task, after so many slices of it. With blocks a task is one call, or calls for its
    /// slices one by one.
    pub(super) fn begin(&self, before: u64, max_block: u64) -> u64 {
        before * if max_block > 1 { self.slice_bytes } else { self.call_bytes(1) }
    }

    /// Memory of a task.
    pub(super) fn buffer_bytes(&self, n_task: u64, max_block: u64) -> u64 {
        self.call_bytes(max_block).saturating_mul(n_task.div_ceil(max_block))
    }

    /// Memory of a chunk that is gathered.
    pub(super) fn gathered_bytes(&self) -> u64 {
        if self.is_gathered() { 3 * self.per_chunk.saturating_mul(self.slice_bytes) } else { 0 }
    }

    /// A chunk as it is stored.
    pub(super) fn encode(&self, chunk: &[u8]) -> Result<Vec<u8>> {
        Ok(self.pipeline.encode(Exec::current(), chunk)?)
    }

    fn chunk_bytes(&self) -> usize {
        (self.per_chunk * self.slice_bytes) as usize
    }

    /// Where the parts of a slice are in a chunk of several.
    fn runs(&self, at: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let (run, per_chunk) = (self.run_bytes, self.per_chunk as usize);
        (0..self.slice_bytes as usize / run).map(move |number| {
            let to = (number * per_chunk + at) * run;
            to..to + run
        })
    }

    /// The first slices of a chunk, one after the other.
    fn slices(&self, chunk: &[u8], n: u64) -> Vec<u8> {
        (0..n as usize).flat_map(|at| self.runs(at)).flat_map(|run| &chunk[run]).copied().collect()
    }

    /// Where the chunk of a slice begins in the dataset.
    fn offset(&self, place: &[u64]) -> Vec<u64> {
        let last = place.len();
        let at = |axis: &u32| match *axis as usize {
            0 => 0,
            axis if axis == last => place[axis - 1] / self.per_chunk * self.per_chunk,
            axis => place[axis - 1],
        };
        self.map.iter().map(at).collect()
    }
}

/// The extents that a shape means, and which slicing axes they are.
fn extent(shape: &[i64], slicing: &Slicing) -> std::result::Result<(Vec<u64>, Vec<u32>), String> {
    let n_axes = slicing.dims().len();
    let (mut dims, mut map) = (Vec::new(), Vec::new());
    for dim in shape {
        let axis = if *dim < 0 { dim.unsigned_abs() as usize } else { 0 };
        if axis > n_axes {
            return Err(format!("there is no slicing axis {axis}"));
        }
        if axis > 0 && map.contains(&(axis as u32)) {
            return Err(format!("slicing axis {axis} is there twice"));
        }
        dims.push(if axis > 0 { slicing.dims()[axis - 1] } else { dim.unsigned_abs() });
        map.push(axis as u32);
    }
    match (1..=n_axes).find(|axis| !map.contains(&(*axis as u32))) {
        Some(axis) => Err(format!("one of its axes must be -{axis}: else slices would be written over each other")),
        None => Ok((dims, map)),
    }
}

/// A chunk of several slices that is not complete.
struct Gathered {
    offset: Vec<u64>,
    bytes: Vec<u8>,
    /// The number of its last slice so far, and one.
    n: u64,
}

/// An output that is being written.
pub(super) struct Open {
    pub(super) shape: Shape,
    /// None while it is not known how large it will be: then its chunks are in the spool.
    pub(super) dataset: Option<ResultDataset>,
    gathered: Option<Gathered>,
}

/// A file with nothing but chunks, one after the other.
struct Spool {
    file: std::fs::File,
    n_bytes: u64,
}

/// All outputs of a run.
pub(super) struct Outputs {
    open: Vec<Open>,
    spool: Option<Spool>,
    notes: Option<Notes>,
}

impl Outputs {
    /// Makes their datasets.
    pub(super) fn create(library: &Library, file: &File, shapes: &[Shape]) -> Result<Self> {
        let open = |shape: &Shape| -> Result<Open> {
            let Shape { path, number, dims, chunk, filters, .. } = shape;
            let new = NewResult { path, number: *number, dims, chunk: Some(chunk), filters };
            let dataset = ResultDataset::create(library, file.id(), new)?;
            Ok(Open { shape: shape.clone(), dataset: Some(dataset), gathered: None })
        };
        let open = shapes.iter().map(open).collect::<Result<_>>()?;
        Ok(Self { open, spool: None, notes: None })
    }

    /// Puts their chunks into a file for the time being.
    pub(super) fn spool(file: std::fs::File, shapes: &[Shape]) -> Self {
        let open = shapes.iter().map(|shape| Open { shape: shape.clone(), dataset: None, gathered: None });
        Self { open: open.collect(), spool: Some(Spool { file, n_bytes: 0 }), notes: None }
    }

    /// From now on it is noted what is finished.
    pub(super) fn noted_by(self, manifest: Manifest) -> Self {
        Self { notes: Some(Notes::new(manifest)), ..self }
    }

    /// Writes a slice that is a chunk, and is encoded.
    pub(super) fn put_chunk(&mut self, output: usize, place: &[u64], chunk: &[u8]) -> Result<()> {
        let Some(open) = self.open.get(output) else { return Ok(()) };
        self.store(output, &open.shape.offset(place), chunk)
    }

    /// Takes a slice for a chunk of several. They come in ascending order.
    pub(super) fn put_slice(&mut self, output: usize, place: &[u64], slice: &[u8]) -> Result<()> {
        let Some(open) = self.open.get(output) else { return Ok(()) };
        let (offset, at) = (open.shape.offset(place), place.last().map_or(0, |at| at % open.shape.per_chunk) as usize);
        if open.gathered.as_ref().is_some_and(|gathered| gathered.offset != offset) {
            self.write_gathered(output)?;
        }
        match self.open.get_mut(output) {
            Some(open) => open.gather(&offset, at, slice),
            None => Ok(()),
        }
    }

    /// Writes what is gathered.
    pub(super) fn finish(&mut self) -> Result<()> {
        (0..self.open.len()).try_for_each(|output| self.write_gathered(output))
    }

    fn write_gathered(&mut self, output: usize) -> Result<()> {
        let Some(open) = self.open.get_mut(output) else { return Ok(()) };
        let Some(Gathered { offset, bytes, .. }) = open.gathered.take() else { return Ok(()) };
        let encoded = open.shape.encode(&bytes)?;
        self.store(output, &offset, &encoded)
    }

    /// Writes a chunk, and notes where it is.
    fn store(&mut self, output: usize, offset: &[u64], chunk: &[u8]) -> Result<()> {
        let Some(open) = self.open.get(output) else { return Ok(()) };
        let address = match (&open.dataset, &mut self.spool) {
            (Some(dataset), _) => dataset.write_chunk(offset, chunk).map(|()| None)?,
            (None, Some(spool)) => Some(spool.put(chunk)?),
            (None, None) => None,
        };
        if let Some(notes) = &mut self.notes {
            notes.chunk(Chunk::new(output, offset, address, chunk));
        }
        Ok(())
    }

    /// Notes a slab that is finished; its chunks are known here.
    pub(super) fn note(&mut self, slab: Slab) -> Result<()> {
        let begun = |(output, open): (usize, &Open)| {
            let Gathered { offset, bytes, n } = open.gathered.as_ref()?;
            let encoded = open.shape.encode(&open.shape.slices(bytes, *n));
            Some(encoded.map(|bytes| Begun { output, offset: offset.clone(), n: *n, bytes }))
        };
        let Some(notes) = &mut self.notes else { return Ok(()) };
        let begun = self.open.iter().enumerate().filter_map(begun).collect::<Result<_>>()?;
        notes.slab(Slab { begun, ..slab }, &self.open);
        Ok(())
    }

    /// Does again what an earlier run did for a slab.
    pub(super) fn repeat(&mut self, slab: &Slab, chunks: &[Vec<u8>]) -> Result<()> {
        for (chunk, bytes) in slab.chunks.iter().zip(chunks) {
            self.store(chunk.output, &chunk.offset, bytes)?;
        }
        for open in &mut self.open {
            open.gathered = None;
        }
        for Begun { output, offset, n, bytes } in &slab.begun {
            let Some(open) = self.open.get_mut(*output).filter(|open| *n <= open.shape.per_chunk) else {
                return Err(Error::Argument("the manifest of an earlier run is of other outputs: remove it".into()));
            };
            let n_bytes = open.shape.slice_bytes as usize;
            let mut slices = buffer(*n as usize * n_bytes)?;
            open.shape.pipeline.decode(Exec::current(), 0, bytes, &mut slices)?;
            for (at, slice) in slices.chunks_exact(n_bytes).enumerate() {
                open.gather(offset, at, slice)?;
            }
        }
        self.note(Slab { chunks: Vec::new(), begun: Vec::new(), ..slab.clone() })
    }

    /// Closes the datasets. What is finished is noted by then.
    pub(super) fn close(self) -> Option<Manifest> {
        self.notes.and_then(|notes| notes.close(&self.open))
    }
}

impl Open {
    /// Takes a slice for the chunk that begins at `offset`, in which it is the one of number `at`.
    fn gather(&mut self, offset: &[u64], at: usize, slice: &[u8]) -> Result<()> {
        let gathered = match &mut self.gathered {
            Some(gathered) => gathered,
            none => none.insert(Gathered { offset: offset.to_vec(), bytes: buffer(self.shape.chunk_bytes())?, n: 0 }),
        };
        gathered.n = gathered.n.max(at as u64 + 1);
        for (bytes, to) in slice.chunks_exact(self.shape.run_bytes).zip(self.shape.runs(at)) {
            gathered.bytes[to].copy_from_slice(bytes);
        }
        Ok(())
    }
}

impl Spool {
    /// Adds a chunk, and says where it is.
    fn put(&mut self, chunk: &[u8]) -> Result<u64> {
        let failed = |error: std::io::Error| Error::Argument(format!("the outputs cannot be written: {error}"));
        self.file.write_all(chunk).map_err(failed)?;
        let address = self.n_bytes;
        self.n_bytes += chunk.len() as u64;
        Ok(address)
    }
}
