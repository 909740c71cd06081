//! Datasets made at random, each with what it holds.

use super::hdf5::h5t;
use super::maker::{self, FillTime, Handle, Layout, Spec};
use darkchunk::Exec;
use darkchunk::chunk::Filter;
use darkchunk::codec::ChunkLayout;
use darkchunk::element::ElementType;
use darkchunk::pipeline::Pipeline;
use darkchunk_sim::Rng;
use std::io::Write as _;

/// A dataset, and all its elements as a reader is to give them.
pub(crate) struct Case {
    pub(crate) spec: Spec,
    pub(crate) element_bytes: usize,
    pub(crate) is_v110: bool,
    pub(crate) user_block: u64,
    /// Whether HDF5 itself has all filters.
    pub(crate) is_native: bool,
    pub(crate) elements: Vec<u8>,
    /// 1 for each element whose chunk is not stored.
    pub(crate) missing: Vec<u8>,
    /// What is stored: offset, mask, bytes.
    chunks: Vec<(Vec<u64>, u32, Vec<u8>)>,
}

fn datatypes() -> Vec<(i64, ElementType)> {
    let other = |n_bytes| ElementType::from_parts(n_bytes, n_bytes, None);
    vec![
        (*h5t::H5T_NATIVE_UINT8, ElementType::U8),
        (*h5t::H5T_NATIVE_UINT16, ElementType::U16),
        (*h5t::H5T_NATIVE_INT16, ElementType::I16),
        (*h5t::H5T_STD_I16BE, other(2)),
        (*h5t::H5T_NATIVE_UINT32, ElementType::U32),
        (*h5t::H5T_NATIVE_DOUBLE, ElementType::float(8, cfg!(target_endian = "big"))),
        (maker::opaque(3), other(3)),
        (maker::opaque(20), other(20)),
    ]
}

/// Filters with their parameters.
type Filters = Vec<(u32, Vec<u32>)>;

/// Chains of filters, as a caller gives them, and whether HDF5 itself has all of them.
fn chains(element: ElementType) -> Vec<(bool, Filters)> {
    let (shuffle, gzip, fletcher32) = ((2, vec![element.n_bytes as u32]), (1, vec![4]), (3, vec![]));
    let bitshuffle = (32008, vec![0, 2]);
    let mut chains = vec![
        (true, vec![]),
        (true, vec![]),
        (true, vec![gzip.clone()]),
        (true, vec![shuffle.clone(), gzip.clone()]),
        (true, vec![shuffle.clone(), gzip.clone(), fletcher32.clone()]),
        (true, vec![fletcher32.clone(), shuffle.clone()]),
        (false, vec![bitshuffle.clone()]),
        (false, vec![bitshuffle, fletcher32]),
        (false, vec![(32008, vec![8, 3, 1])]),
        (false, vec![(32008, vec![0, 0])]),
        (false, vec![(32001, vec![0, 0, 0, 0, 5, 1, 1])]),
        (false, vec![(32001, vec![0, 0, 0, 0, 5, 2, 5])]),
        (false, vec![shuffle, (32004, vec![100])]),
        (false, vec![(32015, vec![3])]),
        (false, vec![(32004, vec![0]), gzip]),
    ];
    if [ElementType::U16, ElementType::I16].contains(&element) {
        chains.extend([(false, vec![(36114, vec![1])]), (false, vec![(36114, vec![1, 1])])]);
    }
    chains
}

fn pick<'a, T>(rng: &mut Rng, from: &'a [T]) -> &'a T {
    &from[rng.below(from.len())]
}

fn is_one_in(rng: &mut Rng, n: usize) -> bool {
    rng.below(n) == 0
}

fn below(rng: &mut Rng, n: u64) -> u64 {
    rng.below(n as usize) as u64
}

/// Elements that are mostly 0.
fn pixels(rng: &mut Rng, n_bytes: usize, element_bytes: usize) -> Vec<u8> {
    let mut bytes = vec![0; n_bytes];
    for element in bytes.chunks_exact_mut(element_bytes) {
        if is_one_in(rng, 3) {
            // Below the sign bit, whatever the byte order.
            element.iter_mut().for_each(|byte| *byte = rng.below(100) as u8);
        }
    }
    bytes
}

/// A chunk through all filters that the mask does not leave out.
fn encoded(filters: &[(u32, Vec<u32>)], mask: u32, bytes: Vec<u8>) -> Vec<u8> {
    let active = filters.iter().enumerate().filter(|(index, _)| mask >> index & 1 == 0);
    active.fold(bytes, |bytes, (_, (id, values))| match id {
        1 => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(1));
            encoder.write_all(&bytes).expect("memory");
            encoder.finish().expect("memory")
        }
        _ => {
            let pipeline = Pipeline::new([(*id, &values[..])]).expect("one filter");
            pipeline.encode(Exec::current(), &bytes).expect("it encodes")
        }
    })
}

impl Case {
    pub(crate) fn random(seed: u64) -> Self {
        let rng = &mut Rng::new(seed);
        let (datatype, element) = *pick(rng, &datatypes());
        let rank = 1 + rng.below(4);
        let most = [60, 25, 12, 7][rank - 1];
        let dims: Vec<u64> = (0..rank).map(|_| 1 + below(rng, most)).collect();
        let kind = rng.below(10);
        let layout = match kind {
            0 => Layout::Contiguous,
            1 => Layout::Compact,
            _ => Layout::Chunked(dims.iter().map(|dim| 1 + below(rng, dim + 2)).collect()),
        };
        let mut spec = Spec::new(datatype, &dims, layout);
        let mut case = Self {
            element_bytes: element.n_bytes,
            is_v110: is_one_in(rng, 2),
            user_block: if is_one_in(rng, 4) { 512 } else { 0 },
            is_native: true,
            elements: Vec::new(),
            missing: Vec::new(),
            chunks: Vec::new(),
            spec: spec.clone(),
        };
        if is_one_in(rng, 2) {
            spec.fill = Some((0..element.n_bytes).map(|_| rng.below(128) as u8).collect());
        }
        spec.fill_time = *pick(rng, &[FillTime::IfSet, FillTime::IfSet, FillTime::Allocated, FillTime::Never]);
        if let Layout::Chunked(chunk) = spec.layout.clone() {
            case.choose_filters(rng, &mut spec, element, &chunk);
        }
        case.spec = spec;
        case.choose_content(rng);
        case
    }

    fn choose_filters(&mut self, rng: &mut Rng, spec: &mut Spec, element: ElementType, chunk: &[u64]) {
        let layout = ChunkLayout { fill: Some(0), ..ChunkLayout::new(element, chunk.to_vec()) };
        let (is_native, chain) = pick(rng, &chains(element)).clone();
        self.is_native = is_native;
        let stored = |(id, values): (u32, Vec<u32>)| {
            let values =
                if Filter::is_known(id) { Filter::localise(id, &values, &layout).expect("good") } else { values };
            (id as i32, values)
        };
        spec.filters = chain.into_iter().map(stored).collect();
        // A chunk may be larger than a dataset that may grow.
        let grows = is_one_in(rng, 2);
        for (axis, most) in spec.max_dims.iter_mut().enumerate() {
            if chunk[axis] > spec.dims[axis] || (grows && (axis == 0 || is_one_in(rng, 2))) {
                let most_is_known = chunk[axis] <= spec.dims[axis] && is_one_in(rng, 3);
                *most = if most_is_known { spec.dims[axis] + 1 + below(rng, 20) } else { u64::MAX };
            }
        }
        spec.raw_edges = !spec.filters.is_empty() && is_one_in(rng, 5);
        // HDF5 would write fill values through our filters, and leaves what is not filled in as it comes.
        spec.is_early = is_native && spec.fill_time != FillTime::Never && is_one_in(rng, 6);
    }

    fn choose_content(&mut self, rng: &mut Rng) {
        let n_elements: u64 = self.spec.dims.iter().product();
        let n_bytes = n_elements as usize * self.element_bytes;
        self.missing = vec![0; n_elements as usize];
        let Layout::Chunked(chunk) = self.spec.layout.clone() else {
            self.elements = pixels(rng, n_bytes, self.element_bytes);
            return;
        };
        let is_filled = self.spec.fill_time != FillTime::Never;
        let fill = self.spec.fill.clone().filter(|_| is_filled).unwrap_or_else(|| vec![0; self.element_bytes]);
        self.elements = fill.repeat(n_elements as usize);
        self.missing.fill(u8::from(!self.spec.is_early));
        let grid: Vec<u64> = self.spec.dims.iter().zip(&chunk).map(|(dim, chunk)| dim.div_ceil(*chunk)).collect();
        for number in 0..grid.iter().product() {
            if !is_one_in(rng, 5) {
                let offset: Vec<u64> = place(&grid, number).iter().zip(&chunk).map(|(at, chunk)| at * chunk).collect();
                self.store(rng, &offset, &chunk);
            }
        }
    }

    fn store(&mut self, rng: &mut Rng, offset: &[u64], chunk: &[u64]) {
        let n_pixels: u64 = chunk.iter().product();
        let bytes = pixels(rng, n_pixels as usize * self.element_bytes, self.element_bytes);
        for number in 0..n_pixels {
            let at: Vec<u64> = place(chunk, number).iter().zip(offset).map(|(at, offset)| at + offset).collect();
            if let Some(index) = index(&self.spec.dims, &at) {
                let (from, to) = (number as usize * self.element_bytes, index * self.element_bytes);
                self.elements[to..to + self.element_bytes].copy_from_slice(&bytes[from..from + self.element_bytes]);
                self.missing[index] = 0;
            }
        }
        let filters: Filters = self.spec.filters.iter().map(|(id, values)| (*id as u32, values.clone())).collect();
        let mut edge = offset.iter().zip(chunk).zip(&self.spec.dims);
        let is_raw = self.spec.raw_edges && edge.any(|((offset, chunk), dim)| offset + chunk > *dim);
        let mask = (0..filters.len()).filter(|_| is_one_in(rng, 8)).fold(0, |mask, bit| mask | 1 << bit);
        // A chunk that takes the place of another of the same size keeps that one's mask: HDF5 forgets the new one.
        let mask = if is_raw || self.spec.is_early { 0 } else { mask };
        let stored = if is_raw { bytes } else { encoded(&filters, mask, bytes) };
        self.chunks.push((offset.to_vec(), mask, stored));
    }

    /// Makes the dataset, its chunks in an order by chance.
    pub(crate) fn make(&self, file: &Handle, name: &str) {
        let dataset = self.spec.make(file, name);
        match &self.spec.layout {
            Layout::Chunked(_) => {
                for (offset, mask, bytes) in self.chunks.iter().rev() {
                    maker::write_chunk(&dataset, offset, *mask, bytes);
                }
            }
            _ => maker::write(&dataset, self.spec.datatype, &self.elements),
        }
    }
}

/// The place of element `number` in an array of these dimensions.
pub(crate) fn place(dims: &[u64], mut number: u64) -> Vec<u64> {
    let mut at = vec![0; dims.len()];
    for (at, dim) in at.iter_mut().zip(dims).rev() {
        *at = number % dim;
        number /= dim;
    }
    at
}

/// The number of an element; `None` outside.
pub(crate) fn index(dims: &[u64], at: &[u64]) -> Option<usize> {
    dims.iter().zip(at).try_fold(0, |n, (dim, at)| (at < dim).then(|| n * *dim as usize + *at as usize))
}

/// Elements along each axis from a start on, each so-manieth.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    pub(crate) start: Vec<u64>,
    pub(crate) count: Vec<u64>,
    pub(crate) step: Vec<u64>,
}

impl Chosen {
    pub(crate) fn all(dims: &[u64]) -> Self {
        Self { start: vec![0; dims.len()], count: dims.to_vec(), step: vec![1; dims.len()] }
    }

    pub(crate) fn random(rng: &mut Rng, dims: &[u64]) -> Self {
        let mut chosen = Self::all(dims);
        for (axis, dim) in dims.iter().enumerate() {
            if is_one_in(rng, 3) {
                continue;
            }
            let start = below(rng, *dim);
            let step = 1 + if is_one_in(rng, 2) { 0 } else { below(rng, *dim) };
            let most = (dim - start).div_ceil(step);
            let count = if is_one_in(rng, 20) { 0 } else { 1 + below(rng, most) };
            (chosen.start[axis], chosen.step[axis], chosen.count[axis]) = (start, step, count);
        }
        chosen
    }

    pub(crate) fn n_elements(&self) -> usize {
        self.count.iter().product::<u64>() as usize
    }

    /// What is chosen of an array.
    pub(crate) fn of(&self, dims: &[u64], elements: &[u8], element_bytes: usize) -> Vec<u8> {
        let mut chosen = Vec::new();
        for number in 0..self.n_elements() as u64 {
            let at = place(&self.count, number);
            let at: Vec<u64> = (0..dims.len()).map(|axis| self.start[axis] + at[axis] * self.step[axis]).collect();
            let from = index(dims, &at).expect("inside") * element_bytes;
            chosen.extend_from_slice(&elements[from..from + element_bytes]);
        }
        chosen
    }
}
