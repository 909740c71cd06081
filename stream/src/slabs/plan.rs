//! What will be read, how often each byte is decoded, and how much memory that takes: known before anything is read.
//!
//! A slab is as high as the chunks, or a multiple, so that each chunk is decoded once. Where memory is too small for that it is lower,
//! and chunks are decoded several times, or of frames only the blocks that have the slab's rows.

use std::ops::Range;

use super::growth::Growth;
use super::input::{Geometry, Input, Taken};
use super::memory::lines;
use super::needs::{Apart, MemoryPlan, PART_BYTES, is_partial, made, reading};
use super::output::Shape;
use super::rank::Rank;
use super::slicing::{Slicing, Spans};
use super::{Limits, OutputSpec};
use crate::{Error, Reader, Result, Way};

/// Slabs in memory: one is read while the one before is worked on.
pub(super) const SLABS: u64 = 2;

/// A slab is at least so large where memory allows it: then reading it is worth the start of threads.
const MIN_SLAB_BYTES: u64 = 16 << 20;

/// Slices of a slab for each worker, so that none waits long for the last.
const SLICES_A_WORKER: u64 = 4;

/// Slices that are handed to a worker at once have about so many bytes.
const TASK_BYTES: u64 = 64 << 10;

/// What will be done with an input.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InputPlan {
    /// Its path.
    pub path: String,
    /// Its extent along each axis.
    pub dims: Vec<u64>,
    /// The shape of a chunk, where it has any.
    pub chunk: Option<Vec<u64>>,
    /// How it is sliced.
    pub map: Vec<u32>,
    /// By which way it is read.
    pub way: Way,
    /// Why not directly, if so.
    pub reason: String,
    /// Bytes of all its elements.
    pub n_bytes: u64,
    /// Bytes that are stored, where that is known.
    pub stored_bytes: Option<u64>,
    /// Chunks of which an index says where their blocks are, where there is one.
    pub n_indexed: Option<u64>,
    /// Whether only some blocks of a chunk are decoded at a time. With an index no others are read.
    pub is_in_parts: bool,
    /// Bytes that will be decoded, or read where nothing is encoded, about.
    pub decoded_bytes: u64,
    /// Bytes of a slice, without padding.
    pub slice_bytes: u64,
    /// Bytes of a slab in memory.
    pub slab_bytes: u64,
}

/// What a run will do.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(super) slicing: Slicing,
    pub(super) geometries: Vec<Geometry>,
    pub(super) outputs: Vec<Shape>,
    pub(super) spans: Spans,
    pub(super) limits: Limits,
    /// Slices that a worker takes at once; with blocks, those of one call.
    pub(super) n_task: u64,
    /// The inputs.
    inputs: Vec<InputPlan>,
    memory: MemoryPlan,
    /// Places of a slab along the axis that slabs are cut along.
    height: u64,
    axis: usize,
    /// Places of the first axis that have chunks in common.
    unit: u64,
    pub(super) rank: Rank,
}

/// One way to cut slices into slabs.
#[derive(Debug, Clone, Copy)]
struct Cut {
    axis: usize,
    height: u64,
    slab_bytes: u64,
    decoded: u64,
}

impl Plan {
    /// A plan for these inputs.
    ///
    /// # Errors
    /// [`Error::Argument`] where maps, padding or outputs do not fit, and where memory is too small for one slice.
    pub fn new(inputs: &[(&Input, &Taken)], outputs: &[OutputSpec], limits: Limits) -> Result<Self> {
        Self::of(inputs, outputs, limits, false).map(|(plan, _)| plan)
    }

    /// The same for workers that are processes with data of their own, and where these data are.
    #[cfg(unix)]
    pub(super) fn apart(inputs: &[(&Input, &Taken)], outputs: &[OutputSpec], limits: Limits) -> Result<(Self, Apart)> {
        Self::of(inputs, outputs, limits, true)
    }

    fn of(
        inputs: &[(&Input, &Taken)],
        outputs: &[OutputSpec],
        limits: Limits,
        is_apart: bool,
    ) -> Result<(Self, Apart)> {
        let (n_threads, n_workers) = (limits.n_threads.max(1), limits.n_workers.max(1));
        let limits = Limits { n_threads, n_workers, max_block: limits.max_block.max(1), ..limits };
        let mapped: Vec<_> = inputs.iter().map(|(input, taken)| (input.name(), input.dims(), &taken.map[..])).collect();
        let slicing = Slicing::new(&mapped)?;
        let slicing = if inputs.iter().any(|(input, _)| input.grows) { slicing.growing() } else { slicing };
        let n_axes = slicing.dims().len();
        let is_dense = limits.max_block > 1;
        let geometries = inputs.iter().map(|(input, taken)| Geometry::new(input, taken, n_axes, is_dense));
        let geometries = geometries.collect::<Result<Vec<_>>>()?;
        let outputs = outputs.iter().map(|spec| Shape::new(spec, &slicing)).collect::<Result<Vec<_>>>()?;
        let per_slice = geometries.iter().filter(|g| !g.is_fixed()).map(|g| g.slice_bytes).fold(1, u64::saturating_add);
        let n_task = if is_dense { limits.max_block } else { (TASK_BYTES / per_slice).max(1) };
        let readers: Vec<&Input> = inputs.iter().map(|(input, _)| *input).collect();
        let apart = Apart::new(&geometries, &outputs, limits.max_block);
        let n_apart = if is_apart { limits.n_workers as u64 } else { 0 };
        let made = made(&geometries, &outputs, n_task, &slicing, limits);
        let made = made.saturating_add(n_apart.saturating_mul(apart.n_bytes() as u64));
        let reading = reading(&readers, limits);
        let planner = Planner { slicing: &slicing, geometries: &geometries, readers: &readers, limits };
        let cut =
            planner.cut(limits.memory.saturating_sub(reading).saturating_sub(made), reading.saturating_add(made))?;
        let memory = MemoryPlan { slabs: cut.slab_bytes.saturating_mul(SLABS), reading, outputs: made };
        let described = inputs.iter().zip(&geometries).map(|((input, taken), geometry)| {
            let (n_opened, each) = planner.opened(input, geometry, cut.axis, cut.height);
            let slab_bytes = planner.slab_bytes_of(geometry, cut.axis, cut.height);
            described(input, taken, geometry, (n_opened, each), slab_bytes)
        });
        let inputs = described.collect();
        let unit = planner.chunk_height(0);
        // Each worker is to have several tasks of a slab; fewer slices of a task take less memory.
        let in_slab = slicing.dims()[cut.axis + 1..].iter().product::<u64>().saturating_mul(cut.height);
        let tasks = SLICES_A_WORKER * limits.n_workers as u64;
        let n_task = if is_dense { n_task } else { n_task.min(in_slab / tasks).max(1) };
        let spans = Spans::new(&slicing, cut.axis, cut.height);
        let (height, axis) = (cut.height, cut.axis);
        let rank = Rank::ALONE;
        Ok((
            Self { slicing, geometries, outputs, spans, limits, n_task, inputs, memory, height, axis, unit, rank },
            apart,
        ))
    }

    /// The same for one of several processes, which has a part of the first slicing axis, a multiple of the chunks high. It does not
    /// depend on memory or threads.
    #[must_use]
    pub fn with_rank(self, rank: Rank) -> Self {
        let n = self.slicing.dims()[0];
        let units = rank.part(n.div_ceil(self.unit));
        let within = (units.start * self.unit).min(n)..units.end.saturating_mul(self.unit).min(n);
        Self { spans: self.spans.within(within), rank, ..self }
    }

    /// The same for the first places along the first slicing axis, of inputs that grow along it: as many as are complete with those that
    /// are handed in after them, a multiple of the chunks high.
    pub(super) fn of_complete(self, n: u64) -> Self {
        let after = self.geometries.iter().map(|geometry| geometry.padding.1).max().unwrap_or(0);
        let after = if self.slicing.dims().len() == 1 { after } else { 0 };
        let end = n.saturating_sub(after) / self.unit * self.unit;
        Self { spans: self.spans.within(0..end), ..self }
    }

    /// What there is of its inputs, which may grow.
    pub(super) fn growth(&self, inputs: &[Input]) -> Result<Growth> {
        let axes: Vec<_> = self.geometries.iter().map(|geometry| geometry.axis_of(0)).collect();
        Growth::of(inputs, &axes)
    }

    /// How many parts there can be: one for each height of the chunks.
    #[must_use]
    pub fn max_parts(&self) -> u64 {
        self.slicing.dims()[0].div_ceil(self.unit).max(1)
    }

    /// The slices of this process.
    #[must_use]
    pub fn own_slices(&self) -> Range<u64> {
        let (range, each) = (self.spans.range(), self.slicing.dims()[1..].iter().product::<u64>());
        range.start * each..range.end * each
    }

    /// The slices.
    #[must_use]
    pub fn slicing(&self) -> &Slicing {
        &self.slicing
    }

    /// What will be done with each input.
    #[must_use]
    pub fn inputs(&self) -> &[InputPlan] {
        &self.inputs
    }

    /// The memory that it takes at most.
    #[must_use]
    pub fn memory(&self) -> MemoryPlan {
        self.memory
    }

    /// How many slabs there are.
    #[must_use]
    pub fn n_slabs(&self) -> u64 {
        self.spans.len()
    }

    /// Places of a slab along the slicing axis that slabs are cut along, and the number of this axis, from 1 on.
    #[must_use]
    pub fn height(&self) -> (u64, usize) {
        (self.height, self.axis + 1)
    }
}

fn described(
    input: &Input,
    taken: &Taken,
    geometry: &Geometry,
    (n_opened, each): (u64, u64),
    slab_bytes: u64,
) -> InputPlan {
    let reader = &input.reader;
    let chunk_bytes = reader.chunk().map_or(0, |chunk| n_bytes(chunk, reader));
    InputPlan {
        path: input.name.clone(),
        dims: input.dims().to_vec(),
        chunk: reader.chunk().map(<[u64]>::to_vec),
        map: taken.map.clone(),
        way: reader.way(),
        reason: reader.reason().to_owned(),
        n_bytes: n_bytes(input.dims(), reader),
        stored_bytes: reader.stored().map(|(_, n_bytes)| n_bytes),
        n_indexed: input.n_indexed,
        is_in_parts: is_partial(reader) && each < chunk_bytes,
        decoded_bytes: n_opened.saturating_mul(each),
        slice_bytes: geometry.slice_bytes,
        slab_bytes,
    }
}

fn n_bytes(dims: &[u64], reader: &Reader) -> u64 {
    dims.iter().fold(reader.element().n_bytes as u64, |n, dim| n.saturating_mul(*dim))
}

struct Planner<'a> {
    slicing: &'a Slicing,
    geometries: &'a [Geometry],
    readers: &'a [&'a Input],
    limits: Limits,
}

impl Planner<'_> {
    /// The best cut whose slabs, two of them, have at most so many bytes.
    fn cut(&self, n_bytes: u64, others: u64) -> Result<Cut> {
        let dims = self.slicing.dims();
        let most = n_bytes / SLABS;
        if dims.contains(&0) {
            return Ok(Cut { axis: 0, height: 1, slab_bytes: 0, decoded: 0 });
        }
        let Some(axis) = (0..dims.len()).find(|axis| self.slab_bytes(*axis, 1) <= most) else {
            let needed = self.slab_bytes(dims.len() - 1, 1).saturating_mul(SLABS).saturating_add(others);
            return Err(Error::Argument(format!(
                "{} MB of memory are too few: two slices with all that belongs to them, and what reads them, take {} MB",
                self.limits.memory / 1_000_000,
                needed.div_ceil(1_000_000)
            )));
        };
        let cuts: Vec<Cut> = self.heights(axis, most).into_iter().map(|height| self.one(axis, height)).collect();
        Ok(self.best(&cuts))
    }

    fn one(&self, axis: usize, height: u64) -> Cut {
        let decoded = self.readers.iter().zip(self.geometries).map(|(input, g)| self.decoded(input, g, axis, height));
        Cut { axis, height, slab_bytes: self.slab_bytes(axis, height), decoded: decoded.fold(0, u64::saturating_add) }
    }

    /// The lowest slabs, as large as they should be, of those by which about the fewest bytes are decoded.
    fn best(&self, cuts: &[Cut]) -> Cut {
        let fewest = cuts.iter().map(|cut| cut.decoded).min().unwrap_or(0);
        let good = cuts.iter().filter(|cut| cut.decoded <= fewest.saturating_add(fewest / 100));
        let dims = self.slicing.dims();
        let is_large = |cut: &&Cut| {
            let n_slices = dims[cut.axis + 1..].iter().product::<u64>().saturating_mul(cut.height);
            cut.slab_bytes >= MIN_SLAB_BYTES && n_slices >= SLICES_A_WORKER * self.limits.n_workers as u64
        };
        let mut good: Vec<&Cut> = good.collect();
        good.sort_by_key(|cut| cut.height);
        **good.iter().find(|cut| is_large(cut)).or(good.last()).unwrap_or(&&cuts[0])
    }

    /// Heights that are worth a thought, all of which fit: multiples of the chunks', halves of them, and the highest.
    fn heights(&self, axis: usize, most: u64) -> Vec<u64> {
        let dim = self.slicing.dims()[axis];
        let fits = |height: u64| self.slab_bytes(axis, height) <= most;
        let highest = highest(dim, fits);
        let chunk = self.chunk_height(axis).min(dim);
        let mut heights = vec![1, highest, highest / chunk * chunk];
        let doubled = std::iter::successors(Some(chunk), |height| height.checked_mul(2));
        heights.extend(doubled.take_while(|height| *height <= highest));
        heights.extend(std::iter::successors(Some(chunk / 2), |height| (*height > 1).then_some(*height / 2)));
        heights.retain(|height| (1..=highest).contains(height));
        heights.sort_unstable();
        heights.dedup();
        heights
    }

    /// The least height that is a multiple of all chunks'.
    fn chunk_height(&self, axis: usize) -> u64 {
        let heights = self.readers.iter().zip(self.geometries).filter_map(|(input, geometry)| {
            let at = geometry.axis_of(axis)?;
            Some(input.reader.chunk()?[at].min(input.dims()[at]).max(1))
        });
        heights.fold(1, |all, height| (all / common(all, height)).saturating_mul(height))
    }

    fn slab_bytes(&self, axis: usize, height: u64) -> u64 {
        self.geometries.iter().map(|g| lines(self.slab_bytes_of(g, axis, height))).fold(0, u64::saturating_add)
    }

    fn slab_bytes_of(&self, geometry: &Geometry, axis: usize, height: u64) -> u64 {
        let dims = self.slicing.dims();
        let counts = (0..dims.len()).filter(|k| geometry.has(*k)).map(|k| {
            let count = if k < axis {
                1
            } else if k == axis {
                height.min(dims[k])
            } else {
                dims[k]
            };
            let halo = if k + 1 == dims.len() { geometry.padding.0.saturating_add(geometry.padding.1) } else { 0 };
            count.saturating_add(halo).min(dims[k])
        });
        geometry.n_bytes(counts)
    }

    /// Bytes that are decoded of an input with slabs of this height.
    fn decoded(&self, input: &Input, geometry: &Geometry, axis: usize, height: u64) -> u64 {
        let (n_opened, each) = self.opened(input, geometry, axis, height);
        n_opened.saturating_mul(each)
    }

    /// How often chunks are opened with slabs of this height, and the bytes that are decoded of one each time.
    fn opened(&self, input: &Input, geometry: &Geometry, axis: usize, height: u64) -> (u64, u64) {
        let reader = &input.reader;
        if self.slicing.n_slices() == 0 {
            return (0, 0);
        }
        let unit = vec![1; input.dims().len()];
        let chunk = reader.chunk().unwrap_or(&unit);
        let height = height.min(self.slicing.dims()[axis]);
        let (mut n_chunks, mut touched) = (self.repeats(geometry, axis, height), chunk.to_vec());
        for (at, (dim, chunk)) in input.dims().iter().zip(chunk).enumerate() {
            let (n, rows) = self.along(geometry, at, (*dim, *chunk), axis, height);
            n_chunks = n_chunks.saturating_mul(n);
            touched[at] = rows;
        }
        (n_chunks, part_bytes(reader, chunk, &touched))
    }

    /// How many chunks are opened along an axis of an input, all slabs together, and at most how many of their rows are wanted.
    fn along(&self, geometry: &Geometry, at: usize, (dim, chunk): (u64, u64), axis: usize, height: u64) -> (u64, u64) {
        let dims = self.slicing.dims();
        let whole = (dim.div_ceil(chunk), chunk);
        let Some(k) = (0..dims.len()).find(|k| geometry.axis_of(*k) == Some(at)) else { return whole };
        match k.cmp(&axis) {
            std::cmp::Ordering::Less => (dim, 1),
            std::cmp::Ordering::Greater => whole,
            std::cmp::Ordering::Equal => {
                let (before, after) = if k + 1 == dims.len() { geometry.padding } else { (0, 0) };
                let rows = height.saturating_add(before).saturating_add(after);
                (chunks_along(dim, chunk, height, (before, after)), rows.min(chunk))
            }
        }
    }

    /// How often an input is read anew because of slicing axes that it has not: those slower than the last that it has.
    fn repeats(&self, geometry: &Geometry, axis: usize, height: u64) -> u64 {
        let dims = self.slicing.dims();
        let places = |k: usize| if k == axis { dims[k].div_ceil(height) } else { dims[k] };
        let Some(last) = (0..=axis).rev().find(|k| geometry.has(*k) && places(*k) > 1) else { return 1 };
        (0..last).filter(|k| !geometry.has(*k)).map(places).fold(1, u64::saturating_mul)
    }
}

/// Chunks that slabs of this height open along an axis, counted once for each slab.
fn chunks_along(dim: u64, chunk: u64, height: u64, (before, after): (u64, u64)) -> u64 {
    const MOST: u64 = 1 << 20;
    let n_slabs = dim.div_ceil(height);
    let of = |slab: u64| {
        let first = (slab * height).saturating_sub(before);
        let end = (slab * height).saturating_add(height).saturating_add(after).min(dim);
        (end - 1) / chunk - first / chunk + 1
    };
    if n_slabs <= MOST { (0..n_slabs).map(of).sum() } else { of(0).saturating_mul(n_slabs) }
}

/// Bytes that are decoded of a chunk of which so much along each axis is wanted.
fn part_bytes(reader: &Reader, chunk: &[u64], touched: &[u64]) -> u64 {
    let element_bytes = reader.element().n_bytes as u64;
    let bytes = |dims: &[u64]| dims.iter().fold(element_bytes, |n, dim| n.saturating_mul(*dim));
    let (whole, mut stride, mut hull) = (bytes(chunk), element_bytes, element_bytes);
    for (chunk, touched) in chunk.iter().zip(touched).rev() {
        hull = hull.saturating_add(touched.saturating_sub(1).saturating_mul(stride));
        stride = stride.saturating_mul(*chunk);
    }
    if reader.chunk().is_none() || reader.filters().next().is_none() {
        return bytes(touched);
    }
    // The reader's own rule.
    let is_part = is_partial(reader) && hull.saturating_add(2 * PART_BYTES) <= whole / 2;
    if is_part { hull.saturating_add(PART_BYTES) } else { whole }
}

/// The highest of up to `dim` places that fits. One does.
fn highest(dim: u64, fits: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (1, dim.max(1));
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if fits(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}

fn common(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common(b, a % b) }
}
