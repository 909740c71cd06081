//! Datasets are compared as their frames are, whatever holds them; what cannot be compared is refused.

use crate::common::hdf5::{h5t, library};
use crate::common::maker::{self, Layout, Spec, create, open};
use crate::common::path;
use darkchunk_metrics::{Limits, NoiseModel, Rules};
use darkchunk_sim::regimes;
use darkchunk_stream::compare::{self, Data, Found, FoundFloats, Noise, Options, Test};
use darkchunk_stream::{Error, Reader};
use std::path::{Path, PathBuf};

const SHAPE: (usize, usize) = (40, 64);
const DIMS: [u64; 3] = [11, 40, 64];
const BOUNDED: u32 = 36115;
const DRLE: u32 = 36114;

fn bytes(pixels: &[u16]) -> Vec<u8> {
    pixels.iter().flat_map(|pixel| pixel.to_ne_bytes()).collect()
}

fn photons(mean: f64) -> Vec<u16> {
    (0..11).flat_map(|seed| regimes::poisson_u16(SHAPE, mean, seed)).collect()
}

fn projections() -> Vec<u16> {
    (0..11).flat_map(|seed| regimes::projection(SHAPE, seed)).collect()
}

/// A file with a dataset `data` of these pixels.
fn file(name: &str, dims: &[u64], layout: Layout, datatype: i64, bytes: &[u8]) -> PathBuf {
    let path = path(&format!("compare-{name}"));
    let filters = if matches!(layout, Layout::Chunked(_)) { vec![(1, vec![1])] } else { Vec::new() };
    let spec = Spec { filters, ..Spec::new(datatype, dims, layout) };
    maker::write(&spec.make(&create(&path, false, 0), "data"), datatype, bytes);
    path
}

fn chunked(name: &str, pixels: &[u16]) -> PathBuf {
    file(name, &DIMS, Layout::Chunked(vec![4, 40, 64]), *h5t::H5T_NATIVE_UINT16, &bytes(pixels))
}

fn reader(path: &Path) -> Reader {
    let file = open(path);
    let reader =
        Reader::open_path(&library(), file.0, "data", darkchunk_stream::Options::default()).expect("a dataset");
    // The reader has its dataset open, and so the file.
    drop(file);
    reader
}

fn run(reference: &Path, test: Test, options: &Options) -> Result<Found, Error> {
    let mut last = None;
    let found = compare::run(reader(reference), test, options, &mut |progress| last = Some(progress));
    assert!(found.is_err() || last.is_some_and(|last| last.n_done == last.n_all));
    found
}

fn with(path: &Path) -> Test {
    Test::Dataset(Box::new(reader(path)))
}

fn codec(filter: u32, cd_values: &[u32]) -> Test {
    Test::Codec { filter, cd_values: cd_values.to_vec(), chunk_frames: 0 }
}

fn failed(found: &Found) -> Vec<&'static str> {
    found.verdict.checks.iter().filter(|check| !check.is_kept).map(|check| check.name).collect()
}

#[test]
fn the_number_of_threads_and_the_way_it_is_stored_change_nothing() {
    let x = projections();
    let y: Vec<u16> = x.iter().map(|x| x / 32 * 32 + 16).collect();
    let (reference, test) = (chunked("ways-x", &x), chunked("ways-y", &y));
    let whole = file("ways-whole", &DIMS, Layout::Contiguous, *h5t::H5T_NATIVE_UINT16, &bytes(&y));
    let swapped: Vec<u8> = y.iter().flat_map(|pixel| pixel.to_be_bytes()).collect();
    let big = file("ways-big", &DIMS, Layout::Chunked(vec![1, 20, 64]), *h5t::H5T_STD_U16BE, &swapped);
    let options = |n_threads| Options { n_threads, ..Options::default() };
    let expected = run(&reference, with(&test), &options(1)).unwrap();
    assert_eq!(expected.report.errors.max_error, 16);
    assert_eq!((expected.data.n_frames, expected.sample.len()), (11, 9));
    for (path, n_threads) in [(&test, 5), (&whole, 2), (&big, 3)] {
        let found = run(&reference, with(path), &options(n_threads)).unwrap();
        let data = Data { test_stored: expected.data.test_stored, ..found.data.clone() };
        assert_eq!(Found { data, ..found }, expected, "{path:?}");
    }
}

#[test]
fn frames_may_be_counted_by_several_axes_or_none() {
    let x = projections();
    let y: Vec<u16> = x.iter().map(|x| x / 8 * 8).collect();
    let of = |name: &str, dims: &[u64]| {
        let n = dims.iter().product::<u64>() as usize;
        let file = |which: &str, pixels: &[u16]| {
            file(&format!("{name}-{which}"), dims, Layout::Contiguous, *h5t::H5T_NATIVE_UINT16, &bytes(&pixels[..n]))
        };
        run(&file("x", &x), with(&file("y", &y)), &Options::default()).unwrap()
    };
    let (three, four, two) = (of("three", &[6, 40, 64]), of("four", &[2, 3, 40, 64]), of("two", &[40, 64]));
    assert_eq!(three.report, four.report);
    assert_eq!((two.data.n_frames, two.report.pixels.n_valid), (1, 2560));
    assert_eq!(of("one", &[64]).report.pixels.n_valid, 64);
}

#[test]
fn a_codec_in_memory_is_that_codec_in_a_file() {
    let x = photons(30.0);
    let reference = chunked("codec-x", &x);
    let found = run(&reference, codec(BOUNDED, &[2, 1]), &Options::default()).unwrap();
    let sigma = found.report.sigma.unwrap();
    assert!(sigma.max <= 0.5 && sigma.max > 0.4, "{sigma:?}");
    assert!(found.data.ratio().unwrap() > 3.0 && found.data.bits_a_pixel().unwrap() < 5.0);
    assert!(found.data.speed.unwrap().encode > 0.0);
    assert_ne!(found.data.reference_crc32, found.data.test_crc32);
    let exact = run(&reference, codec(BOUNDED, &[]), &Options::default()).unwrap();
    assert_eq!((exact.report.errors.max_error, exact.verdict.passes), (0, true));
    assert_eq!(exact.data.reference_crc32, exact.data.test_crc32);
    assert_eq!(
        exact.data.reference_crc32,
        crc32fast::hash(&x.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>())
    );
    let refused = run(&reference, codec(DRLE, &[1, 2, 3, 4, 5, 6, 7]), &Options::default()).unwrap_err();
    assert!(refused.to_string().contains("36114"), "{refused}");
}

#[test]
fn an_absolute_bound_of_4_on_sparse_photons_fails_and_a_step_of_sigma_on_projections_passes() {
    let sparse = chunked("sparse", &photons(0.02));
    let found = run(&sparse, codec(BOUNDED, &[1, 4]), &Options::default()).unwrap();
    assert!(!found.verdict.passes && found.data.ratio().unwrap() > 100.0);
    assert!(["flux", "counts_to_zero"].iter().all(|name| failed(&found).contains(name)), "{:?}", found.verdict);
    // The noise of the simulated projections: a deviation of a quarter of that of photons.
    let noise = Noise::Model(NoiseModel::new(1.0 / 16.0, 0.0, 0.0).unwrap());
    let options = Options { noise, ..Options::default() };
    let found = run(&chunked("tomo", &projections()), codec(BOUNDED, &[2, 1, 1, 1, 16]), &options).unwrap();
    assert!(found.verdict.passes, "{:?}", found.verdict);
}

#[test]
fn all_frames_are_the_sample_where_that_is_asked_for() {
    let x = photons(3.0);
    let reference = chunked("all", &x);
    let found = run(&reference, codec(BOUNDED, &[2, 1]), &Options { all: true, ..Options::default() }).unwrap();
    assert_eq!((found.report.sample.n_frames, found.sample.len()), (11, 0));
    assert_eq!(found.report.sample.ghost.n_frames, 9);
    assert!(!found.previews.is_empty() && found.previews.len() <= 3);
}

#[test]
fn masks_and_sentinels_are_left_out_and_their_changes_counted() {
    let mut x = photons(3.0);
    x[5] = 65_535;
    let mut y = x.clone();
    (y[5], y[6]) = (0, 65_535);
    let (reference, test) = (chunked("mask-x", &x), chunked("mask-y", &y));
    let found = run(&reference, with(&test), &Options::default()).unwrap();
    let excluded = found.report.pixels.excluded;
    assert_eq!((excluded.n_masked, excluded.n_masked_changed, excluded.n_became_invalid), (1, 1, 1));
    assert!(failed(&found).contains(&"changed_excluded"));
    let mask = compare::mask(&(0..2560).map(|at| u8::from(at < 10)).collect::<Vec<u8>>());
    let rules = Rules { mask: Some(mask), ..Rules::default() };
    let found = run(&reference, with(&test), &Options { rules: Some(rules), ..Options::default() }).unwrap();
    assert_eq!(found.report.errors.max_error, 0);
    assert_eq!(found.report.pixels.excluded.n_masked, 110);
}

#[test]
fn limits_of_ones_own_decide() {
    let reference = chunked("limits", &photons(100.0));
    let limits = Limits { inflation: Some(1.001), ..Limits::default() };
    let found = run(&reference, codec(BOUNDED, &[2, 1]), &Options { limits, ..Options::default() }).unwrap();
    assert_eq!(failed(&found), ["inflation"]);
}

#[test]
fn the_noise_of_photons_is_found_from_repeats() {
    let reference = chunked("repeats", &photons(50.0));
    let options = Options { noise: Noise::Repeats, ..Options::default() };
    let found = run(&reference, codec(BOUNDED, &[2, 1]), &options).unwrap();
    let sigma = found.settings.noise.unwrap().sigma(50.0);
    assert!((sigma - 50f64.sqrt()).abs() < 0.2, "{sigma}");
    let still = chunked("still", &vec![7; 11 * 2560]);
    assert!(run(&still, codec(BOUNDED, &[]), &options).unwrap_err().to_string().contains("repeats"));
}

#[test]
fn what_cannot_be_compared_is_refused_and_says_why() {
    let reference = chunked("refused", &photons(1.0));
    let other =
        file("shape", &[11, 40, 32], Layout::Contiguous, *h5t::H5T_NATIVE_UINT16, &bytes(&photons(1.0)[..14_080]));
    let signed = file("signed", &DIMS, Layout::Contiguous, *h5t::H5T_NATIVE_INT16, &bytes(&photons(1.0)));
    let real = file("real", &[3, 4, 5], Layout::Contiguous, *h5t::H5T_NATIVE_DOUBLE, &[0; 480]);
    for (test, expected) in [(&other, "same shape"), (&signed, "int16"), (&real, "not integers")] {
        let message = run(&reference, with(test), &Options::default()).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    let message = run(&real, with(&real), &Options::default()).unwrap_err().to_string();
    assert!(message.contains("the reference has elements of"), "{message}");
    let message = floats(&reference, with(&real), &Options::default()).unwrap_err().to_string();
    assert!(message.contains("not real numbers"), "{message}");
}

fn floats(reference: &Path, test: Test, options: &Options) -> Result<FoundFloats, Error> {
    compare::run_floats(reader(reference), test, options, &mut |_| ())
}

#[test]
fn real_numbers_are_compared_in_files_and_with_the_bounded_codec_in_memory() {
    let mut x: Vec<f32> = projections().iter().map(|count| f32::from(*count) * 0.37 - 11.0).collect();
    (x[3], x[4], x[5]) = (f32::NAN, f32::INFINITY, -1.0);
    let dims = Layout::Chunked(vec![4, 40, 64]);
    let bytes = |pixels: &[f32]| pixels.iter().flat_map(|pixel| pixel.to_ne_bytes()).collect::<Vec<u8>>();
    let big: Vec<u8> = x.iter().flat_map(|pixel| pixel.to_be_bytes()).collect();
    let reference = file("float-x", &DIMS, dims.clone(), *h5t::H5T_NATIVE_FLOAT, &bytes(&x));
    let swapped = file("float-big", &DIMS, Layout::Contiguous, *h5t::H5T_IEEE_F32BE, &big);
    let rules = Some(Rules { sentinels: vec![-1], ..Rules::default() });
    let options = |n_threads| Options { n_threads, rules: rules.clone(), ..Options::default() };
    let same = floats(&reference, with(&swapped), &options(3)).unwrap();
    assert_eq!(
        (same.report.errors.max_error, same.verdict.passes, same.report.pixels.excluded.n_masked),
        (0.0, true, 3)
    );
    assert_eq!(same.data.reference_crc32, same.data.test_crc32);

    // The same numbers in 64 bits.
    let mut x64: Vec<f64> = x.iter().map(|pixel| f64::from(*pixel)).collect();
    let bytes64 = |pixels: &[f64]| pixels.iter().flat_map(|pixel| pixel.to_ne_bytes()).collect::<Vec<u8>>();
    let double = file("double", &DIMS, Layout::Contiguous, *h5t::H5T_NATIVE_DOUBLE, &bytes64(&x64));
    x64[7] += 0.5;
    let other = file("double-other", &DIMS, dims.clone(), *h5t::H5T_NATIVE_DOUBLE, &bytes64(&x64));
    let found = floats(&double, with(&other), &options(2)).unwrap();
    assert_eq!((found.report.errors.max_error, found.report.pixels.n_changed), (0.5, 1));
    assert!(floats(&double, with(&reference), &options(1)).unwrap_err().to_string().contains("must be the same"));

    // Half a unit, and -1 named as a sentinel.
    let half = 0.5_f64.to_bits();
    let mut given = vec![3, half as u32, (half >> 32) as u32, 0, 0, 0, 0, 0, 0, 0, 0, 1, 11, 0, 0, 0, 0, 1];
    given.push((-1.0_f32).to_bits());
    let found = floats(&reference, codec(BOUNDED, &given), &options(1)).unwrap();
    let errors = found.report.errors;
    assert!(errors.max_error <= 0.5 && errors.max_error > 0.4, "{errors:?}");
    assert!((errors.rmse - 0.5 / 3f64.sqrt()).abs() < 0.02 && errors.bias.abs() < 0.01, "{errors:?}");
    assert!(found.verdict.passes && found.data.ratio().unwrap() > 3.0, "{found:?}");
    let again = floats(&reference, codec(BOUNDED, &given), &options(4)).unwrap();
    assert_eq!((again.report.errors.largest, again.report.pixels), (errors.largest, found.report.pixels));

    // Without that name it is lost, and found to be.
    let found = floats(&reference, codec(BOUNDED, &given[..3]), &options(1)).unwrap();
    assert_eq!((found.report.pixels.excluded.n_masked_changed, found.verdict.passes), (1, false));
    x[2560..].iter_mut().for_each(|pixel| *pixel *= 1.1);
    let lost = file("float-lost", &DIMS, dims, *h5t::H5T_NATIVE_FLOAT, &bytes(&x));
    let found = floats(&reference, with(&lost), &options(2)).unwrap();
    assert!(found.verdict.checks.iter().any(|check| check.name == "flux" && !check.is_kept));
    assert_eq!(found.report.pixels.n_valid - found.report.pixels.n_changed, 2560 - 3);
}
