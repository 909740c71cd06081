//! Records camera frames into an HDF5 file: a simulated camera's, or raw ones from a file or a pipe.
//!
//! ```text
//! record --output FILE [--frames N] [--shape H,W] [--bright 0.0056] [--seed S]      simulated camera (darkchunk-sim)
//! record --output FILE --raw-input FILE --shape N,H,W --dtype int16|uint16          frames as they come
//!        [--codec drle|bitshuffle-lz4|bitshuffle-zstd|blosc|lz4|zstd|none] [--threshold T] [--frames-per-chunk N]
//! ```
//!
//! Frames of the simulated camera go through dark subtraction and threshold, raw ones through the threshold where one is
//! given (DRLE: 1 if not). Progress goes to standard error; one line of JSON to standard output at the end. Its `seconds`
//! are those in the writer (correction, sum, encoding, HDF5), without the making or reading of frames. The memory is
//! that of a few frames, however many are recorded.

use std::collections::HashMap;
use std::error::Error;
use std::fs::File as InputFile;
use std::io::{BufReader, Read};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use darkchunk::chunk::Compression;
use darkchunk::codec::blosc::{Compressor, Shuffle};
use darkchunk::element::{Element, as_bytes_mut};
use darkchunk_hdf5::{Dataset, File, FileElement, Processing, Summary, Writer};
use darkchunk_sim::{Camera, CameraPixel};
use indicatif::{ProgressBar, ProgressStyle};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// Frames that are made before they are pushed: more than fit a core's own cache, as with a camera's ring of buffers.
const RING_FRAMES: usize = 16;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("record: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result {
    let options = Options::parse(std::env::args().skip(1))?;
    match (options.get("raw-input"), options.get("dtype").unwrap_or("int16")) {
        (None, "int16" | "i16") => record_camera::<i16>(&options),
        (None, "uint16" | "u16") => record_camera::<u16>(&options),
        (Some(input), "int16" | "i16") => record_raw::<i16>(&options, input),
        (Some(input), "uint16" | "u16") => record_raw::<u16>(&options, input),
        (_, dtype) => Err(format!("--dtype {dtype}: int16 or uint16 is expected").into()),
    }
}

/// `--name value` pairs.
struct Options(HashMap<String, String>);

impl Options {
    const NAMES: [&str; 11] = [
        "output",
        "frames",
        "bright",
        "seed",
        "codec",
        "threshold",
        "frames-per-chunk",
        "raw-input",
        "shape",
        "dtype",
        "help",
    ];

    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = HashMap::new();
        while let Some(argument) = arguments.next() {
            let name = argument.strip_prefix("--").filter(|name| Self::NAMES.contains(name));
            let name = name.ok_or_else(|| format!("unknown option {argument}; there are {:?}", Self::NAMES))?;
            if name == "help" {
                return Err("see the head of examples/record.rs".into());
            }
            let value = arguments.next().ok_or_else(|| format!("{argument} needs a value"))?;
            options.insert(name.to_owned(), value);
        }
        Ok(Self(options))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>> {
        let parse = |text: &str| text.parse().map_err(|_| format!("--{name} {text}: a number is expected"));
        Ok(self.get(name).map(parse).transpose()?)
    }

    fn sides<const N: usize>(&self) -> Result<Option<[usize; N]>> {
        let Some(text) = self.get("shape") else { return Ok(None) };
        let sides: Option<Vec<usize>> = text.split(',').map(|side| side.trim().parse().ok()).collect();
        let sides = sides.and_then(|sides| sides.try_into().ok());
        Ok(Some(sides.ok_or_else(|| format!("--shape {text}: {N} numbers are expected"))?))
    }

    fn compression(&self, threshold: Option<u16>) -> Result<Compression> {
        Ok(match self.get("codec").unwrap_or("drle") {
            "drle" => Compression::drle(threshold.unwrap_or(1)),
            "bitshuffle-lz4" => Compression::bitshuffle_lz4(),
            "bitshuffle-zstd" => Compression::bitshuffle_zstd(3),
            "blosc" => Compression::blosc(5, Shuffle::Byte, Compressor::Lz4),
            "lz4" => Compression::lz4(),
            "zstd" => Compression::zstd(3),
            "none" => Compression::NONE,
            codec => return Err(format!("--codec {codec}: no such codec").into()),
        })
    }
}

/// A writer, and the time that was spent in it.
struct Recorder<P: FileElement> {
    writer: Writer<P>,
    file: File,
    busy: Duration,
    progress: ProgressBar,
    codec: String,
    frame_bytes: usize,
}

impl<P: FileElement> Recorder<P> {
    fn new(options: &Options, n_frames: u64, [height, width]: [usize; 2], processing: Processing<P>) -> Result<Self> {
        let output = options.get("output").ok_or("--output FILE is needed")?;
        let library = darkchunk_hdf5::load::library()?;
        let file = File::create(&library, Path::new(output))?;
        let mut dataset = Dataset::new(height, width, options.compression(processing.threshold)?);
        dataset.frames_per_chunk = options.number("frames-per-chunk")?.unwrap_or(1);
        let writer = Writer::create(&library, file.id(), &dataset, processing)?;
        let style = "{bar:40} {pos}/{len} frames, {per_sec}, {eta} left";
        let progress = ProgressBar::new(n_frames).with_style(ProgressStyle::with_template(style)?);
        let codec = options.get("codec").unwrap_or("drle").to_owned();
        let frame_bytes = height * width * size_of::<P>();
        Ok(Self { writer, file, busy: Duration::ZERO, progress, codec, frame_bytes })
    }

    fn push(&mut self, frames: &[Vec<P>]) -> Result {
        let start = Instant::now();
        for frame in frames {
            let index = self.writer.summary().n_pushed;
            self.writer.push(frame).map_err(|error| format!("frame {index}: {error}"))?;
        }
        self.busy += start.elapsed();
        self.progress.inc(frames.len() as u64);
        Ok(())
    }

    fn finish(mut self) -> Result {
        let start = Instant::now();
        let summary = self.writer.finish()?;
        drop(self.writer);
        self.file.close()?;
        self.busy += start.elapsed();
        self.progress.finish();
        println!("{}", report(&self.codec, &summary, self.frame_bytes, self.busy.as_secs_f64()));
        Ok(())
    }
}

fn report(codec: &str, summary: &Summary, frame_bytes: usize, seconds: f64) -> serde_json::Value {
    let (n_frames, raw_bytes) = (summary.n_pushed, summary.n_pushed * frame_bytes as u64);
    serde_json::json!({
        "codec": codec,
        "frames": n_frames,
        "seconds": seconds,
        "frames_per_s": n_frames as f64 / seconds.max(1e-9),
        "gb_per_s": raw_bytes as f64 / seconds.max(1e-9) / 1e9,
        "raw_bytes": raw_bytes,
        "stored_bytes": summary.stored_bytes,
        "ratio": raw_bytes as f64 / summary.stored_bytes.max(1) as f64,
        "pixels_bright": summary.counts.n_bright,
        "pixels_zeroed": summary.counts.n_zeroed,
        "zeroed_sum": summary.counts.zeroed_sum,
        "pixels_saturated": summary.counts.n_saturated,
        "level": format!("{:?}", darkchunk::cpu::Level::current().isa()).to_lowercase(),
    })
}

/// The camera is simulated: seeded electron spots and readout noise on a dark image.
fn record_camera<P: FileElement + CameraPixel>(options: &Options) -> Result {
    let n_frames = options.number("frames")?.unwrap_or(3000_u64);
    let [height, width] = options.sides()?.unwrap_or([1024, 1024]);
    let (bright, seed) = (options.number("bright")?.unwrap_or(0.0056), options.number("seed")?.unwrap_or(1));
    let mut camera = Camera::new((height, width), bright, seed);
    let dark = camera.dark().iter().map(|counts| P::from_counts((*counts).into())).collect();
    let threshold = options.number("threshold")?.unwrap_or(camera.threshold().unsigned_abs());
    let processing = Processing { dark: Some(dark), threshold: Some(threshold), ..Processing::default() };
    let mut recorder = Recorder::new(options, n_frames, [height, width], processing)?;
    let mut ring = vec![vec![P::from_counts(0); height * width]; RING_FRAMES];
    let mut left = n_frames as usize;
    while left > 0 {
        let now = left.min(RING_FRAMES);
        ring[..now].iter_mut().for_each(|frame| camera.next_frame(frame));
        recorder.push(&ring[..now])?;
        left -= now;
    }
    recorder.finish()
}

/// Raw little-endian frames, one after the other.
fn record_raw<P: FileElement + Element>(options: &Options, input: &str) -> Result {
    let [n_frames, height, width] = options.sides()?.ok_or("--raw-input needs --shape N,H,W")?;
    let given = options.number("threshold")?;
    let drle = options.get("codec").unwrap_or("drle") == "drle";
    let processing = Processing { threshold: given.or(drle.then_some(1)), ..Processing::default() };
    let mut recorder = Recorder::new(options, n_frames as u64, [height, width], processing)?;
    let file = InputFile::open(input).map_err(|error| format!("{input}: {error}"))?;
    let mut file = BufReader::with_capacity(1 << 20, file);
    let mut frame = vec![vec![P::default(); height * width]];
    for index in 0..n_frames {
        file.read_exact(as_bytes_mut(&mut frame[0])).map_err(|error| format!("{input}, frame {index}: {error}"))?;
        if cfg!(target_endian = "big") {
            as_bytes_mut(&mut frame[0]).as_chunks_mut::<2>().0.iter_mut().for_each(|pixel| pixel.reverse());
        }
        recorder.push(&frame)?;
    }
    recorder.finish()
}
