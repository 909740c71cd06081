//! What is tried: each filter in the forms that users have it, with each shape of chunks.

use darkchunk::codec::{ChunkLayout, Filter};
use darkchunk::element::ElementClass;
use darkchunk::pipeline::Pipeline;
use darkchunk_hdf5::inspect::DatasetInfo;

use super::measure::{Coder, Trying};
use super::shapes::Shapes;
use super::{Cost, Refused};
use crate::convert::spec::{Loss, Spec};
use crate::{Error, Result};

/// HDF5's own filter that is before gzip.
const SHUFFLE: u32 = 2;

/// Targets that keep each pixel, but for DRLE where pixels are negative.
const EXACT: [&str; 13] = [
    "none",
    "lz4",
    "zstd:1",
    "zstd:3",
    "shuffle-gzip:4",
    "bitshuffle-lz4",
    "bitshuffle-zstd:1",
    "bitshuffle-zstd:3",
    "blosc:lz4:5:byte",
    "blosc:zstd:1:byte",
    "blosc:zstd:5:bit",
    "drle:1",
    "bounded:exact",
];

/// Targets that keep pixels within a bound: with one frame a chunk only, to say what there would be to gain.
const WITHIN: [&str; 2] = ["bounded:absolute=2", "bounded:noise=1"];
const WITHIN_OF_FLOATS: [&str; 2] = ["bounded:relative=1e-3", "bounded:relative=1e-4"];

pub(super) fn all(info: &DatasetInfo, shapes: &Shapes) -> Result<(Vec<Trying>, Vec<Refused>)> {
    let exact = shapes.chunks.iter().flat_map(|chunk| EXACT.iter().map(move |spec| (*spec, chunk)));
    let is_float = info.element.class == ElementClass::Float;
    let within = if is_float { WITHIN_OF_FLOATS } else { WITHIN };
    let within = within.into_iter().map(|spec| (spec, &shapes.frame));
    let (mut trying, mut refused) = (Vec::new(), Vec::new());
    for (spec, chunk) in exact.chain(within) {
        match one(info, spec, chunk)? {
            Ok(candidate) => trying.push(candidate),
            Err(reason) => refused.push(Refused { spec, chunk: chunk.clone(), reason }),
        }
    }
    Ok((trying, refused))
}

/// A candidate, or why this dataset cannot have it.
fn one(info: &DatasetInfo, spec: &'static str, chunk: &[u64]) -> Result<std::result::Result<Trying, String>> {
    let Spec { filters, loss } = spec.parse().map_err(Error::Argument)?;
    let filters = filters.unwrap_or_default();
    let layout = ChunkLayout { fill: info.fill, ..ChunkLayout::new(info.element, chunk.to_vec()) };
    Ok(coder(info, &filters, layout).map_err(|error| error.to_string()).map(|coder| Trying {
        spec,
        filters,
        chunk: chunk.to_vec(),
        coder,
        // Of a bound that this sample does not use, other frames may.
        is_exact: loss == Loss::None,
        cost: Cost::default(),
    }))
}

fn coder(info: &DatasetInfo, filters: &[(u32, Vec<u32>)], mut layout: ChunkLayout) -> darkchunk::Result<Coder> {
    let mut stored = Vec::new();
    for (id, values) in filters {
        let values = match *id {
            SHUFFLE => vec![info.element_bytes as u32],
            id if Filter::is_known(id) => Filter::localise(id, values, &layout)?,
            _ => values.clone(),
        };
        layout.resized_before |= *id != SHUFFLE;
        stored.push((*id, values));
    }
    match &stored[..] {
        [(id, values)] if Filter::is_known(*id) => Filter::from_cd_values(*id, values).map(Coder::Codec),
        _ => Pipeline::new(stored.iter().map(|(id, values)| (*id, &values[..]))).map(Coder::Several),
    }
}
