//! A camera at a fixed rate: `rate SECONDS FOLDER PLACE`. Prints a line of JSON.
//!
//! 1024 x 1024 `int16` at 1 kHz (dark image, threshold, sum, DRLE, 14 columns), a flush a second, HDF5 on a thread of the recorder. `push_us`: how
//! long a push took, from all of them: median, 99.9 %, longest. Another process reads the file meanwhile (SWMR, h5py, `watch.py`): `seen_ms`
//! is the time from the push of a frame until that process has read it. PLACE `stalls`: each write of a chunk after five seconds waits half
//! a second, as a disk does whose cache is full.

use std::error::Error;
use std::ffi::{c_int, c_void};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use darkchunk::chunk::{Compression, Processing};
use darkchunk_hdf5::api::Hid;
use darkchunk_hdf5::load::{self, Loaded};
use darkchunk_hdf5::{Api, Column, Dataset, File, Library, Number};
use darkchunk_sim::Camera;
use darkchunk_stream::recorder::{Options, Policy, Pushed, Recorder};
use serde_json::{Value, json};

const SHAPE: (usize, usize) = (1024, 1024);
const N_FRAMES: usize = 16;
const N_COLUMNS: usize = 14;
const PERIOD: Duration = Duration::from_millis(1);
/// Between two stalls, and how long one is.
const STALLS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_millis(500));

type Result<T> = std::result::Result<T, Box<dyn Error>>;

static LOADED: LazyLock<Loaded> = LazyLock::new(|| load::find().unwrap_or_else(|error| panic!("{error}")));

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [seconds, folder, place] = &arguments[..] else { return Err("usage: rate SECONDS FOLDER PLACE".into()) };
    let path = Path::new(folder).join("rate.h5");
    let library = if place == "stalls" { stalling()? } else { LOADED.library()? };
    let mut found = measure(&library, &path, Duration::from_secs_f64(seconds.parse()?))?;
    std::fs::remove_file(&path)?;
    found["place"] = json!(place);
    println!("{found}");
    Ok(())
}

fn measure(library: &Library, path: &Path, time: Duration) -> Result<Value> {
    let mut camera = Camera::new(SHAPE, 0.0056, 1);
    let frames: Vec<Arc<[i16]>> = (0..N_FRAMES)
        .map(|_| {
            let mut frame = vec![0_i16; SHAPE.0 * SHAPE.1];
            camera.next_frame(&mut frame);
            frame.into()
        })
        .collect();
    let processing = Processing { dark: Some(camera.dark().into()), ..Processing::default() };
    let dataset = Dataset::new(SHAPE.0, SHAPE.1, Compression::drle(camera.threshold().cast_unsigned()));
    let columns = (0..N_COLUMNS).map(|n| Column::new(&format!("column{n}"), Number::F64)).collect();
    // Frames that wait while the disk stalls are counted with their own bytes until HDF5's thread has taken them: a GB a stall.
    let max_bytes = 2 << 30;
    let options =
        Options { writer_thread: true, swmr: true, policy: Policy::Drop, max_bytes, columns, ..Options::default() };
    let file = File::create_for_swmr(library, path)?;
    let mut recorder = Recorder::create(library, file.id(), &dataset, processing, options)?;
    let watcher = Watcher::start(path)?;
    let mut took = push(&mut recorder, &frames, time)?;
    let found = recorder.finish()?;
    let seen = watcher.end()?;
    drop(recorder);
    file.close()?;
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
    Ok(json!({
        "n_frames": found.n_received, "n_stored": found.n_stored, "n_dropped": found.n_dropped,
        "push_us": { "median": at(0.5), "99.9 %": at(0.999), "longest": at(1.0) },
        "seen_ms": seen,
    }))
}

/// A frame each millisecond; how long each push took.
fn push(recorder: &mut Recorder<i16, Arc<[i16]>>, frames: &[Arc<[i16]>], time: Duration) -> Result<Vec<Duration>> {
    let (start, mut took) = (Instant::now(), Vec::new());
    while start.elapsed() < time {
        let number = took.len() as u64;
        let mut row = [0_u8; 8 * N_COLUMNS];
        row[..8].copy_from_slice(&SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64().to_ne_bytes());
        let before = Instant::now();
        let pushed = recorder.push_with(number, Arc::clone(&frames[number as usize % N_FRAMES]), &row);
        took.push(before.elapsed());
        match pushed.map_err(darkchunk_stream::Error::from)? {
            Pushed::Taken | Pushed::Dropped => {}
            other => return Err(format!("frame {number} is {other:?}").into()),
        }
        std::thread::sleep((PERIOD * took.len() as u32).saturating_sub(start.elapsed()));
    }
    Ok(took)
}

/// HDF5 on a disk that stalls.
fn stalling() -> Result<Library> {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    unsafe extern "C" fn write(a: Hid, b: Hid, c: u32, d: *const u64, e: usize, f: *const c_void) -> c_int {
        let mut last = LAST.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.get_or_insert_with(Instant::now).elapsed() > STALLS.0 {
            std::thread::sleep(STALLS.1);
            *last = Some(Instant::now());
        }
        drop(last);
        let Some(function) = LOADED.api().H5Dwrite_chunk else { return -1 };
        // SAFETY: the caller's own arguments.
        unsafe { function(a, b, c, d, e, f) }
    }
    let table = Api { H5Dwrite_chunk: Some(write), ..*LOADED.api() };
    // SAFETY: the function does what HDF5's does, later.
    Ok(unsafe { Library::new(&table) }?)
}

/// Another process that reads.
struct Watcher(Child);

impl Watcher {
    fn start(path: &Path) -> Result<Self> {
        let python = std::env::var_os("DARKCHUNK_PYTHON").unwrap_or_else(|| "python3".into());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/recorder/watch.py");
        let child = Command::new(python).arg(script).arg(path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        Ok(Self(child))
    }

    /// What it has seen.
    fn end(mut self) -> Result<Value> {
        let told = self.0.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(b"end\n"));
        let mut line = String::new();
        BufReader::new(self.0.stdout.take().ok_or("no pipe")?).read_line(&mut line)?;
        self.0.wait()?;
        told?;
        Ok(serde_json::from_str(&line)?)
    }
}
