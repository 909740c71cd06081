//! What is asked of frames and is no image is what the images say.

use crate::common::hdf5::{h5t, library};
use crate::common::maker::{self, Layout, Spec, create, open, open_dataset};
use crate::common::path;
use darkchunk::chunk::Filter;
use darkchunk::codec::ChunkLayout;
use darkchunk::element::ElementType;
use darkchunk::pipeline::Pipeline;
use darkchunk_sim::Rng;
use darkchunk_stream::{Bins, Error, Missing, Options, Reader, Way};

const DIMS: [u64; 3] = [11, 37, 53];
const PIXELS: usize = 37 * 53;
const MASKED: u16 = u16::MAX;

/// Frames with zeros, counts, pixels that DRLE stores as exceptions, and masked ones.
fn frames() -> Vec<u16> {
    let mut rng = Rng::new(5);
    let pixel = |_| match rng.below(500) {
        n @ 1..60 => n as u16,
        60 => MASKED,
        61 => 40_000,
        _ => 0,
    };
    (0..DIMS[0] as usize * PIXELS).map(pixel).collect()
}

/// A dataset in chunks of so many frames, its chunk of frame 4 left out; and what it holds, with `fill` in its place.
fn make(name: &str, filter: Option<(u32, &[u32])>, per_chunk: u64, fill: u16) -> (std::path::PathBuf, Vec<u16>) {
    let (path, mut pixels) = (path(name), frames());
    let chunk = [per_chunk, DIMS[1], DIMS[2]];
    let layout = ChunkLayout { fill: Some(fill.into()), ..ChunkLayout::new(ElementType::U16, chunk.to_vec()) };
    let mut spec = Spec::new(*h5t::H5T_NATIVE_UINT16, &DIMS, Layout::Chunked(chunk.to_vec()));
    spec.fill = Some(fill.to_ne_bytes().to_vec());
    spec.max_dims[0] = u64::MAX;
    if let Some((id, given)) = filter {
        spec.filters = vec![(id as i32, Filter::localise(id, given, &layout).expect("good parameters"))];
    }
    let filters: Vec<_> = spec.filters.iter().map(|(id, values)| (*id as u32, &values[..])).collect();
    let pipeline = Pipeline::new(filters).expect("filters");
    let file = create(&path, true, 0);
    let dataset = spec.make(&file, "data");
    for first in (0..DIMS[0]).step_by(per_chunk as usize) {
        let frames = first as usize..(first + per_chunk).min(DIMS[0]) as usize;
        let of_chunk = &mut pixels[frames.start * PIXELS..frames.end * PIXELS];
        if frames.contains(&4) {
            of_chunk.fill(fill);
            continue;
        }
        let mut bytes: Vec<u8> = of_chunk.iter().flat_map(|pixel| pixel.to_ne_bytes()).collect();
        bytes.resize(per_chunk as usize * PIXELS * 2, 0);
        let stored = pipeline.encode(darkchunk::Exec::current(), &bytes).expect("it encodes");
        maker::write_chunk(&dataset, &[first, 0, 0], 0, &stored);
    }
    (path, pixels)
}

const FILTERS: [Option<(u32, &[u32])>; 7] = [
    None,
    Some((32008, &[64, 2])),
    Some((32004, &[501])),
    Some((32001, &[1, 1, 1])),
    Some((32015, &[1])),
    Some((36114, &[1])),
    Some((36115, &[0])),
];

/// Every filter, chunks of one frame and of several, read directly and through HDF5.
fn each(name: &str, test: impl Fn(&Reader, &[u16], &str)) {
    for (index, filter) in FILTERS.into_iter().enumerate() {
        for (per_chunk, fill) in [(1, 0), (3, 7)] {
            let (path, pixels) = make(name, filter, per_chunk, fill);
            let file = open(&path);
            for only_hdf5 in [false, true] {
                if only_hdf5 && filter.is_some() {
                    continue;
                }
                let options = Options { n_threads: 1 + index % 3, only_hdf5, ..Options::default() };
                let reader = Reader::open(&library(), open_dataset(&file, "data").0, options).expect("a dataset");
                assert_eq!(reader.way() == Way::Direct, !only_hdf5);
                test(&reader, &pixels, &format!("{filter:?}, {per_chunk} a chunk, {only_hdf5}"));
            }
        }
    }
}

#[test]
fn sparse_frames_are_the_pixels_that_are_not_zero_in_order() {
    each("frames_sparse", |reader, pixels, what| {
        for (frames, ignore) in [(0..11, None), (2..9, Some(i64::from(MASKED))), (4..4, None), (10..11, Some(7))] {
            let found = reader.sparse(frames.clone(), ignore).expect(what);
            assert_eq!(found.offsets.len() as u64, frames.end - frames.start + 1, "{what}");
            let mut expected = (vec![0_u64], Vec::new(), Vec::new());
            for frame in frames.clone() {
                let image = &pixels[frame as usize * PIXELS..][..PIXELS];
                for (index, pixel) in (0_u32..).zip(image) {
                    if *pixel != 0 && Some(i64::from(*pixel)) != ignore {
                        expected.1.push(index);
                        expected.2.extend(pixel.to_ne_bytes());
                    }
                }
                expected.0.push(expected.1.len() as u64);
            }
            assert!((found.offsets, found.indices, found.values) == expected, "{what}, {frames:?}, {ignore:?}");
        }
    });
}

#[test]
fn sum_greatest_value_and_count_are_those_of_the_images() {
    each("frames_reduced", |reader, pixels, what| {
        for (frames, ignore) in
            [(0..11_usize, None), (3..10, Some(i64::from(MASKED))), (4..5, Some(7)), (0..3, Some(0))]
        {
            let found = reader.reduce(frames.start as u64..frames.end as u64, ignore).expect(what);
            for pixel in 0..PIXELS {
                let values = frames.clone().map(|frame| i64::from(pixels[frame * PIXELS + pixel]));
                let values: Vec<i64> = values.filter(|value| Some(*value) != ignore).collect();
                let expected = (
                    values.iter().sum::<i64>(),
                    values.iter().copied().max().unwrap_or(0),
                    values.iter().filter(|value| **value != 0).count() as u64,
                );
                let found = (found.sum[pixel], found.max[pixel], found.count[pixel]);
                assert_eq!(found, expected, "{what}, pixel {pixel}, {frames:?}, {ignore:?}");
            }
        }
    });
}

#[test]
fn sums_of_regions_are_those_of_the_images_frame_by_frame() {
    const LABELS: usize = 5;
    // The last label is of no region.
    let labels: Vec<u32> = (0..PIXELS).map(|pixel| (pixel / 7 % (LABELS + 1)) as u32).collect();
    each("frames_regions", |reader, pixels, what| {
        for ignore in [MASKED, 0] {
            let found = reader.regions(1..10, Some(ignore.into()), &labels, LABELS).expect(what);
            assert_eq!(found.sums.len(), 9 * LABELS);
            for (row, frame) in (1..10).enumerate() {
                for label in 0..LABELS {
                    let of_label = |pixel: &usize| labels[*pixel] as usize == label;
                    let values = (0..PIXELS).filter(of_label).map(|pixel| pixels[frame * PIXELS + pixel]);
                    let values: Vec<u64> = values.filter(|value| *value != ignore).map(u64::from).collect();
                    let at = row * LABELS + label;
                    assert_eq!(
                        found.sums[at],
                        values.iter().sum::<u64>() as i64,
                        "{what}, frame {frame}, label {label}"
                    );
                    assert_eq!(
                        found.squares[at],
                        values.iter().map(|value| value * value).sum::<u64>() as f64,
                        "{what}"
                    );
                    assert_eq!(found.counts[at], values.len() as u64, "{what}, frame {frame}, label {label}");
                }
            }
        }
    });
}

#[test]
fn weighted_sums_over_bins_are_those_of_the_images_frame_by_frame() {
    const BINS: usize = 7;
    let mut rng = Rng::new(11);
    // Each pixel in up to three bins; the last bin has none.
    let (mut starts, mut indices, mut weights) = (vec![0], Vec::new(), Vec::<f32>::new());
    for bin in 0..BINS as u64 {
        for pixel in 0..PIXELS as u32 {
            if bin + 1 < BINS as u64 && rng.below(3) == 0 {
                indices.push(pixel);
                weights.push(rng.below(1000) as f32 / 1000.0);
            }
        }
        starts.push(indices.len() as u64);
    }
    let bins = std::sync::Arc::new(Bins::new(PIXELS, &starts, &indices, &weights).expect("a matrix"));
    each("frames_integrated", |reader, pixels, what| {
        for ignore in [None, Some(MASKED), Some(0)] {
            let found = reader.integrate(1..10, ignore.map(i64::from), &bins).expect(what);
            assert_eq!(found.sums.len(), 9 * BINS);
            for (row, frame) in (1..10).enumerate() {
                let image = &pixels[frame * PIXELS..][..PIXELS];
                for bin in 0..BINS {
                    let (mut sum, mut squares, mut weight) = (0.0, 0.0, 0.0);
                    for k in starts[bin] as usize..starts[bin + 1] as usize {
                        let pixel = image[indices[k] as usize];
                        if Some(pixel) != ignore {
                            let (w, pixel) = (f64::from(weights[k]), f64::from(pixel));
                            (sum, squares, weight) = (sum + w * pixel, squares + w * pixel * pixel, weight + w);
                        }
                    }
                    let at = row * BINS + bin;
                    let found = [found.sums[at], found.squares[at], found.weights[at]];
                    for (found, expected) in found.into_iter().zip([sum, squares, weight]) {
                        let error = (found - expected).abs();
                        assert!(
                            error <= 1e-9 * expected.abs(),
                            "{what}, {frame}, {bin}, {ignore:?}: {found} {expected}"
                        );
                    }
                }
            }
        }
    });
}

#[test]
fn a_bin_of_which_all_is_masked_has_no_weight_at_all() {
    let (path, pixels) = make("frames_masked", Some((32008, &[64, 2])), 1, 0);
    let file = open(&path);
    let reader = Reader::open(&library(), open_dataset(&file, "data").0, Options::default()).expect("a dataset");
    let masked: Vec<u32> = (0..PIXELS as u32).filter(|pixel| pixels[*pixel as usize] == MASKED).collect();
    let weights: Vec<f32> = (0..masked.len()).map(|n| 0.1 + n as f32 / 3.0).collect();
    assert!(masked.len() > 2);
    let bins = Bins::new(PIXELS, &[0, masked.len() as u64], &masked, &weights).expect("a matrix");
    let found = reader.integrate(0..1, Some(MASKED.into()), &std::sync::Arc::new(bins)).expect("frames");
    assert_eq!((&found.weights[..], &found.sums[..]), (&[0.0][..], &[0.0][..]));
}

#[test]
fn what_is_no_matrix_of_frames_is_refused() {
    let refused = |starts: &[u64], indices: &[u32], weights: &[f32]| Bins::new(4, starts, indices, weights).is_err();
    assert!(!refused(&[0, 1, 2], &[3, 0], &[1.0, 0.5]));
    assert!(!refused(&[0], &[], &[]), "no bins");
    for (starts, indices, weights) in [
        (&[][..], &[][..], &[][..]),
        (&[0, 1], &[4], &[1.0]),
        (&[0, 2], &[1], &[1.0]),
        (&[1, 1], &[1], &[1.0]),
        (&[0, 2, 1, 2], &[1, 2], &[1.0, 1.0]),
        (&[0, 1], &[1], &[f32::NAN]),
        (&[0, 1], &[1], &[1.0, 1.0]),
    ] {
        assert!(refused(starts, indices, weights), "{starts:?} {indices:?}");
    }
}

/// In pieces, from several readers, and after a refused call: as in one call.
#[test]
fn a_reduction_that_frames_are_added_to_is_that_of_all_of_them() {
    each("frames_added", |reader, _, what| {
        let ignore = Some(i64::from(MASKED));
        let mut all = reader.reduction(ignore).expect(what);
        assert!(matches!(all.add(reader, 5..12, None), Err(Error::Argument(_))));
        let (mut next, mut n_calls) = (1, 0);
        while next < 10 {
            next = all.add(reader, next..10, Some(std::time::Duration::ZERO)).expect(what);
            n_calls += 1;
        }
        assert!(n_calls > 1 && all.n_frames() == 9, "{what}: {n_calls}");
        assert_eq!(all.add(reader, 10..11, None), Ok(11));
        let expected = reader.reduce(1..11, ignore).expect(what);
        let (mut sum, mut max, mut count) = (vec![1; PIXELS], vec![1; PIXELS], vec![1; PIXELS]);
        all.put(Some(&mut sum), Some(&mut max), Some(&mut count)).expect("room");
        assert!((sum, max, count) == (expected.sum, expected.max, expected.count), "{what}");
        assert!(all.put(Some(&mut [0; 3]), None, None).is_err());
    });
}

#[test]
fn what_is_not_there_or_means_nothing_is_refused() {
    let (path, _) = make("frames_refused", Some((36114, &[1])), 1, 0);
    let file = open(&path);
    let open = |missing| {
        let options = Options { n_threads: 2, missing, ..Options::default() };
        Reader::open(&library(), open_dataset(&file, "data").0, options).expect("a dataset")
    };
    let reader = open(Missing::Fill);
    assert!(matches!(reader.sparse(5..12, None), Err(Error::Argument(_))));
    assert!(matches!(reader.regions(0..1, None, &[0; 3], 1), Err(Error::Argument(_))));
    let reader = open(Missing::Error);
    assert_eq!(reader.sparse(0..11, None), Err(Error::Missing { offset: vec![4, 0, 0] }));
    assert!(reader.reduce(5..11, None).is_ok());
    let mut reduction = reader.reduction(None).expect("frames");
    assert_eq!(reduction.add(&reader, 0..11, None), Err(Error::Missing { offset: vec![4, 0, 0] }));
    assert!(reduction.put(None, None, None).is_err(), "a part of a frame may be in it");
    assert!(reduction.add(&reader, 5..6, None).is_err());
    let few = std::sync::Arc::new(Bins::new(3, &[0], &[], &[]).expect("a matrix"));
    assert!(matches!(reader.integrate(5..6, None, &few), Err(Error::Argument(_))));
}
