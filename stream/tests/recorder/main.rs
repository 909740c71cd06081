//! What the recorder promises: each frame at its number, none lost without a count, memory that is bounded, and errors that say
//! what to do.

#[path = "../common/mod.rs"]
mod common;

use std::ffi::{c_int, c_void};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::hdf5::{api, library};
use common::maker::{open, open_dataset};
use darkchunk::chunk::{Compression, Processing};
use darkchunk::element::as_bytes_mut;
use darkchunk_hdf5::api::Hid;
use darkchunk_hdf5::{Api, Dataset, File, FileElement, Library};
use darkchunk_stream::recorder::{Buffer, Candidate, Options, Recorder, Veto};
use darkchunk_stream::{Options as ReadOptions, Reader};

const HEIGHT: usize = 16;
const WIDTH: usize = 24;
const N_PIXELS: usize = HEIGHT * WIDTH;
const PATH: &str = "/entry/instrument/detector/data";
const THRESHOLD: u16 = 20;

/// Frame `number` of a camera: noise, and some bright pixels whose place depends on the number.
fn camera(number: u64) -> Vec<i16> {
    let mut state = number as u32 * 77 + 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as i16
    };
    (0..N_PIXELS).map(|_| (next() & 15) + if next() & 31 == 0 { next() & 1023 } else { 0 }).collect()
}

fn stored(frame: &[i16]) -> Vec<i16> {
    frame.iter().map(|pixel| if *pixel < THRESHOLD as i16 { 0 } else { *pixel }).collect()
}

fn dataset(compression: Compression, frames_per_chunk: usize) -> Dataset {
    Dataset { frames_per_chunk, ..Dataset::new(HEIGHT, WIDTH, compression) }
}

fn drle(frames_per_chunk: usize) -> Dataset {
    dataset(Compression::drle(THRESHOLD), frames_per_chunk)
}

/// The dataset, as any program gets it.
fn read<P: FileElement>(path: &Path, name: &str) -> Vec<P> {
    let file = open(path);
    let reader = Reader::open(&library(), open_dataset(&file, name).0, ReadOptions::default()).expect("a dataset");
    assert_eq!(reader.element(), P::TYPE);
    let mut pixels = vec![P::default(); reader.dims().iter().product::<u64>() as usize];
    reader.read(&vec![0; reader.dims().len()], reader.dims(), None, as_bytes_mut(&mut pixels)).expect("sound");
    pixels
}

fn frames(path: &Path) -> Vec<Vec<i16>> {
    read::<i16>(path, PATH).chunks_exact(N_PIXELS).map(<[i16]>::to_vec).collect()
}

fn create<B: Buffer>(path: &Path, dataset: &Dataset, options: Options<i16>) -> (File, Recorder<i16, B>) {
    create_with(&library(), path, dataset, options)
}

fn create_with<B: Buffer>(
    library: &Library,
    path: &Path,
    dataset: &Dataset,
    options: Options<i16>,
) -> (File, Recorder<i16, B>) {
    let file = File::create(library, path).expect("a file");
    let recorder = Recorder::create(library, file.id(), dataset, Processing::default(), options).expect("a recorder");
    (file, recorder)
}

/// The sum, which is `uint64` where there is a threshold.
fn read_sum(path: &Path, name: &str) -> Vec<i64> {
    let file = open(path);
    let reader = Reader::open(&library(), open_dataset(&file, name).0, ReadOptions::default()).expect("a sum");
    let mut bytes = vec![0; reader.dims().iter().product::<u64>() as usize * 8];
    reader.read(&[0, 0], reader.dims(), None, &mut bytes).expect("sound");
    bytes.chunks_exact(8).map(|number| i64::from_ne_bytes(number.try_into().expect("eight"))).collect()
}

/// HDF5 in which a function first asks `$is_to_be_called`, and fails where that says no.
macro_rules! library_with {
    ($function:ident($($argument:ident: $kind:ty),*), $is_to_be_called:expr) => {{
        unsafe extern "C" fn asking($($argument: $kind),*) -> c_int {
            let is_to_be_called: fn() -> bool = $is_to_be_called;
            if !is_to_be_called() {
                return -1;
            }
            let function = api().$function.expect("in the table");
            // SAFETY: the caller's own arguments.
            unsafe { function($($argument),*) }
        }
        let table = Api { $function: Some(asking), ..api() };
        // SAFETY: the function does what HDF5's does, or fails as that may.
        unsafe { Library::new(&table) }.expect("a library")
    }};
}

mod beside;
mod blocks;
mod bricks;
mod changes;
mod files;
mod live;
mod order;
mod pixels;
mod trouble;

/// HDF5 on a slow disk.
fn slow_library() -> Library {
    library_with!(H5Dwrite_chunk(a: Hid, b: Hid, c: u32, d: *const u64, e: usize, f: *const c_void), || {
        std::thread::sleep(Duration::from_micros(500));
        true
    })
}

/// A veto that keeps every frame, and has who encodes wait until the flag is set: there is no memory for more than a few frames then, whoever is
/// faster.
fn gate() -> (Arc<AtomicBool>, Veto<i16>) {
    let is_open = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&is_open);
    let veto = Veto::Ask(Arc::new(move |_: &Candidate<'_, i16>| {
        wait_until(|| seen.load(Ordering::Acquire));
        true
    }));
    (is_open, veto)
}

/// Waits for what other threads do: on a busy machine they may begin late.
fn wait_until(mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(120), "nothing has happened for two minutes");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The bytes of a column.
fn column(path: &Path, name: &str) -> Vec<u8> {
    let file = open(path);
    let dataset = open_dataset(&file, &format!("{PATH}_darkchunk/{name}"));
    let reader = Reader::open(&library(), dataset.0, ReadOptions::default()).expect("a column");
    let mut bytes = vec![0; reader.dims().iter().product::<u64>() as usize * reader.element().n_bytes];
    reader.read(&vec![0; reader.dims().len()], reader.dims(), None, &mut bytes).expect("sound");
    bytes
}
