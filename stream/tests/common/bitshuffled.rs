//! Datasets of 16-bit pixels in chunks that are encoded by bitshuffle and LZ4.

use super::cases::place;
use super::hdf5::h5t;
use super::maker::{self, Layout, Spec, create};
use super::path;
use darkchunk::Exec;
use darkchunk::pipeline::Pipeline;
use std::path::PathBuf;

const FILTER: u32 = 32008;
const VALUES: [u32; 5] = [0, 2, 2, 0, 2];

/// A file with the dataset `data`. `pixel` gives the pixel at a place; chunks that reach over an end have them there, too.
pub(crate) fn make(name: &str, dims: [u64; 3], chunk: [u64; 3], mut pixel: impl FnMut([u64; 3]) -> u16) -> PathBuf {
    let path = path(name);
    let file = create(&path, true, 0);
    let mut spec = Spec::new(*h5t::H5T_NATIVE_UINT16, &dims, Layout::Chunked(chunk.to_vec()));
    spec.filters = vec![(FILTER.cast_signed(), VALUES.to_vec())];
    let dataset = spec.make(&file, "data");
    let pipeline = Pipeline::new([(FILTER, &VALUES[..])]).expect("bitshuffle");
    let grid: Vec<u64> = dims.iter().zip(&chunk).map(|(dim, chunk)| dim.div_ceil(*chunk)).collect();
    for number in 0..grid.iter().product() {
        let offset: Vec<u64> = place(&grid, number).iter().zip(&chunk).map(|(at, chunk)| at * chunk).collect();
        let at = |inside: Vec<u64>| [inside[0] + offset[0], inside[1] + offset[1], inside[2] + offset[2]];
        let pixels = (0..chunk.iter().product()).flat_map(|inside| pixel(at(place(&chunk, inside))).to_ne_bytes());
        let pixels: Vec<u8> = pixels.collect();
        maker::write_chunk(&dataset, &offset, 0, &pipeline.encode(Exec::current(), &pixels).expect("it encodes"));
    }
    path
}
