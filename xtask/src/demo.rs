//! `demo`: the main job. A camera's frames are recorded with the direct-chunk writer, then read back by programs that
//! know nothing of it (h5py, PyTables, h5dump; the plugins come through `HDF5_PLUGIN_PATH`), every frame compared.
//!
//! The camera is simulated, or, with `--input`, the frames are those of a real file. What a recording must hold is made
//! anew for each comparison: by the same seed, or from the same file.

use crate::process::{cargo, line, not_started, output, program, run as run_program};
use crate::setup::{self, System};
use crate::workspace::{root, shared_library, shown, target};
use crate::{Result, dist};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

pub(crate) const HELP: &str =
    "record a simulated camera, read it back with h5py, PyTables and h5dump; a table and a picture
--frames N: frames a recording (1000)
--input FILE --dataset PATH [--threshold T]: the frames of a real file instead; pixels below T are set to 0 (1)";

/// Codecs of the table, as `record` names them.
const CODECS: [&str; 4] = ["drle", "bitshuffle-lz4", "blosc", "none"];
const BRIGHT: [&str; 2] = ["0.0056", "0.055"];
const SEED: &str = "1";
/// Frames of 1024 x 1024 that are recorded uncompressed (0.6 GB): 1000 would take 2.1 GB of disk.
const MAX_UNCOMPRESSED: u64 = 300;
/// Frames that h5dump reads, which decodes a chunk for each of its rows.
const MAX_DUMPED: u64 = 20;
/// The plugins of the codecs above; a real file may be compressed with any.
const PLUGINS: [&str; 3] = ["h5drle", "h5bitshuffle", "h5blosc"];

/// What is recorded.
enum Source {
    Simulated { bright: &'static str },
    File { path: PathBuf, dataset: String, threshold: String, shape: String, dtype: String },
}

/// One recording, and its line of the table.
struct Recording<'a> {
    codec: &'static str,
    source: &'a Source,
    file: PathBuf,
    n_frames: u64,
    frames_per_s: f64,
    gb_per_s: f64,
    ratio: f64,
    /// Pixels that had another value than 0 and were set to 0, and the sum of those values.
    zeroed: (f64, f64),
}

impl Recording<'_> {
    /// Who reads it back: DRLE is read by all, the others by one.
    fn readers(&self) -> &'static [&'static str] {
        if self.codec == "drle" { &["h5dump", "h5py", "tables"] } else { &["h5py"] }
    }

    /// How many frames a reader reads, from the first.
    fn n_read(&self, reader: &str) -> u64 {
        if reader == "h5dump" { self.n_frames.min(MAX_DUMPED) } else { self.n_frames }
    }

    fn shown_readers(&self) -> String {
        let shown = |reader: &&str| match self.n_read(reader) {
            n_read if n_read == self.n_frames => (*reader).to_owned(),
            n_read => format!("{reader} ({n_read} frames)"),
        };
        self.readers().iter().map(shown).collect::<Vec<_>>().join(", ")
    }
}

struct Options {
    n_frames: u64,
    input: Option<PathBuf>,
    dataset: String,
    threshold: Option<String>,
}

/// Programs that were made ready, and where they may write.
struct Tools {
    python: PathBuf,
    record: PathBuf,
    frames: PathBuf,
    plugins: PathBuf,
    folder: PathBuf,
}

pub(crate) fn run(arguments: &[String]) -> Result {
    let options = parse(arguments)?;
    let python = setup::python()?;
    let sources = sources(&options, &python)?;
    let tools = make_ready(python, options.input.is_some())?;
    let mut recordings = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        for codec in CODECS {
            let file = tools.folder.join(format!("{}-{codec}-{index}.h5", source.kind()));
            recordings.push(record(&tools, source, codec, file, &options)?);
        }
    }
    println!("\n== reading back: every frame compared with what was recorded (by h5dump the first {MAX_DUMPED} only)");
    read_back_all(&tools, &recordings)?;
    let picture = picture(&tools, &recordings[0])?;
    for other in recordings.iter().filter(|recording| recording.codec != "drle") {
        fs::remove_file(&other.file).map_err(|e| format!("{}: {e}", other.file.display()))?;
    }
    print_table(&recordings);
    println!("\nrecording: {}\npicture:   {}", shown(&recordings[0].file), shown(&picture));
    Ok(())
}

fn parse(arguments: &[String]) -> Result<Options> {
    let mut options = Options { n_frames: 1000, input: None, dataset: String::new(), threshold: None };
    let mut rest = arguments.iter();
    while let Some(option) = rest.next() {
        let value = rest.next().ok_or_else(|| format!("`{option}` needs a value, or is no option of demo"))?;
        match option.as_str() {
            "--frames" => options.n_frames = number(option, value)?,
            "--input" => options.input = Some(std::path::absolute(value).map_err(|e| format!("{value}: {e}"))?),
            "--dataset" => options.dataset.clone_from(value),
            "--threshold" => {
                let threshold = number(option, value)?;
                if threshold > 32_767 {
                    return Err(format!("--threshold {threshold}: 1 to 32767, the range of what DRLE can hold"));
                }
                options.threshold = Some(threshold.to_string());
            }
            _ => return Err(format!("demo has no option `{option}`: {HELP}")),
        }
    }
    if options.input.is_none() && (!options.dataset.is_empty() || options.threshold.is_some()) {
        return Err("--dataset and --threshold go with --input FILE".into());
    }
    Ok(options)
}

fn number(option: &str, value: &str) -> Result<u64> {
    let number = value.parse().ok().filter(|n| (1..=1_000_000).contains(n));
    number.ok_or_else(|| format!("{option} {value}: a whole number from 1 to 1000000 is expected"))
}

/// The recordings to make. A real file is looked at first, so that a wrong name is told before anything is built.
fn sources(options: &Options, python: &Path) -> Result<Vec<Source>> {
    let Some(path) = &options.input else {
        return Ok(BRIGHT.map(|bright| Source::Simulated { bright }).into());
    };
    let mut describe = program(python);
    describe.arg(script("source.py")).arg("describe").arg(path).arg(&options.dataset);
    let described = output(&mut describe).map_err(|_| format!("{} cannot be recorded, see above", path.display()))?;
    let described: Value = serde_json::from_str(&described).map_err(|e| format!("source.py: {e}"))?;
    let sides = described["shape"].as_array().into_iter().flatten().map(Value::to_string).collect::<Vec<_>>();
    Ok(vec![Source::File {
        path: path.clone(),
        dataset: options.dataset.clone(),
        threshold: options.threshold.clone().unwrap_or_else(|| "1".into()),
        shape: sides.join(","),
        dtype: described["dtype"].as_str().unwrap_or_default().into(),
    }])
}

fn make_ready(python: PathBuf, has_input: bool) -> Result<Tools> {
    setup::system(&[System::Hdf5Tools])?;
    println!("== plugins and recorder");
    let plugins: &[&str] = if has_input { &dist::PLUGINS } else { &PLUGINS };
    let packages = plugins.iter().chain(&["darkchunk-hdf5", "darkchunk-sim"]).flat_map(|name| ["--package", name]);
    let mut build = cargo();
    build.args(["build", "--profile", "quick", "--lib", "--example", "record", "--example", "frames"]);
    run_program(build.args(packages))?;
    let (built, folder) = (target()?.join("quick"), target()?.join("demo"));
    let libraries: Vec<PathBuf> = plugins.iter().map(|name| built.join(shared_library(name))).collect();
    dist::lay_out(&folder.join("plugins"), &libraries)?;
    let suffix = std::env::consts::EXE_SUFFIX;
    let [record, frames] = ["record", "frames"].map(|name| built.join(format!("examples/{name}{suffix}")));
    Ok(Tools { python, record, frames, plugins: folder.join("plugins"), folder })
}

fn script(name: &str) -> PathBuf {
    root().join("xtask/python").join(name)
}

/// Records `source` with `codec`; `record` shows the progress and prints a line of JSON.
fn record<'a>(
    tools: &Tools,
    source: &'a Source,
    codec: &'static str,
    file: PathBuf,
    options: &Options,
) -> Result<Recording<'a>> {
    let _ = fs::remove_file(&file);
    let mut command = program(&tools.record);
    command.env("DARKCHUNK_PYTHON", &tools.python).arg("--output").arg(&file).args(["--codec", codec]);
    println!("== {codec}, {}", source.name());
    let printed = match source {
        Source::Simulated { bright } => {
            let most = if codec == "none" { MAX_UNCOMPRESSED } else { u64::MAX };
            let n_frames = options.n_frames.min(most).to_string();
            output(command.args(["--frames", &n_frames, "--bright", bright, "--seed", SEED]))?
        }
        Source::File { threshold, shape, dtype, .. } => {
            command.args(["--raw-input", "/dev/stdin", "--shape", shape, "--dtype", dtype, "--threshold", threshold]);
            piped(&mut source.raw(tools, "raw"), &mut command)?
        }
    };
    let text = printed.lines().rfind(|line| line.starts_with('{')).unwrap_or_default();
    let json: Value = serde_json::from_str(text).map_err(|e| format!("record printed `{printed}`: {e}"))?;
    let value = |name: &str| json[name].as_f64().ok_or_else(|| format!("record's JSON has no number `{name}`: {text}"));
    let (n_frames, ratio) = (value("frames")? as u64, value("ratio")?);
    let (frames_per_s, gb_per_s) = (value("frames_per_s")?, value("gb_per_s")?);
    let zeroed = (value("pixels_zeroed")?, value("zeroed_sum")?);
    Ok(Recording { codec, source, file, n_frames, frames_per_s, gb_per_s, ratio, zeroed })
}

/// Reads all recordings with all their readers, as many at a time as there are cores, the slowest reader first. Nothing
/// is timed here.
fn read_back_all(tools: &Tools, recordings: &[Recording]) -> Result {
    let pairs =
        recordings.iter().flat_map(|recording| recording.readers().iter().map(move |reader| (recording, *reader)));
    let mut jobs: Vec<(&Recording, &str)> = pairs.collect();
    jobs.sort_by_key(|(_, reader)| *reader != "h5dump");
    let jobs = Mutex::new(jobs.into_iter());
    let next = || jobs.lock().map_or(None, |mut jobs| jobs.next());
    let worker = || {
        while let Some((recording, reader)) = next() {
            read_back(tools, recording, reader)
                .map_err(|e| format!("{reader}, {}, {}: {e}", recording.codec, recording.source.name()))?;
        }
        Ok(())
    };
    let n_workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..n_workers).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| Err("a check panicked".into())))
    })
}

/// Reads one recording with one reader and compares every frame.
fn read_back(tools: &Tools, recording: &Recording, reader: &str) -> Result {
    let mut check = program(&tools.python);
    check.arg(script("read_back.py")).arg(reader).arg(&recording.file).env("HDF5_PLUGIN_PATH", &tools.plugins);
    let wanted = recording.n_read(reader);
    let printed = piped(&mut recording.source.expected(tools, wanted), check.arg(wanted.to_string()))?;
    let json: Value = serde_json::from_str(&printed).map_err(|e| format!("read_back.py: {e}"))?;
    let n_frames = json["frames"].as_u64().unwrap_or(0);
    if n_frames != wanted {
        return Err(format!("{n_frames} frames were read where {wanted} are expected"));
    }
    println!("   {reader:7} {:15} {}: {n_frames} frames, all equal", recording.codec, recording.source.name());
    Ok(())
}

fn picture(tools: &Tools, recording: &Recording) -> Result<PathBuf> {
    let png = tools.folder.join(format!("{}.png", recording.source.kind()));
    let mut draw = program(&tools.python);
    draw.arg(script("picture.py")).arg(&recording.file).arg(&png).arg(recording.source.name());
    run_program(draw.env("HDF5_PLUGIN_PATH", &tools.plugins))?;
    Ok(png)
}

fn print_table(recordings: &[Recording]) {
    let width = recordings.iter().map(|recording| recording.source.name().len()).max().unwrap_or(0);
    println!(
        "\n{:width$}  {:14} {:>7} {:>9} {:>15} {:>8}  read back, equal",
        "", "codec", "frames", "frames/s", "GB/s of pixels", "ratio"
    );
    for row in recordings {
        let codec = if row.codec == "none" { "uncompressed" } else { row.codec };
        println!(
            "{:width$}  {codec:14} {:7} {:9.0} {:15.2} {:8.2}  {}",
            row.source.name(),
            row.n_frames,
            row.frames_per_s,
            row.gb_per_s,
            row.ratio,
            row.shown_readers()
        );
    }
    for first in recordings.iter().filter(|row| row.codec == "drle") {
        let name = first.source.name();
        match first.zeroed {
            (0.0, _) => println!("{name}: no pixel was changed, the recording is lossless"),
            (n, sum) => println!("{name}: the threshold set {n} pixels to 0, whose values add up to {sum}"),
        }
    }
    if recordings.iter().any(|row| matches!(row.source, Source::File { .. })) {
        println!("one core: threshold, sum, encoding, writing; reading the frames is not counted");
    } else {
        println!("one core: dark subtraction, threshold, sum, encoding, writing; making the frames is not counted");
    }
    println!(
        "ratio: pixels to chunks; dark image and sum are in the files too. One run each, beside whatever else was running"
    );
    if recordings.iter().any(|row| row.codec == "none" && row.n_frames < recordings[0].n_frames) {
        println!("uncompressed: {MAX_UNCOMPRESSED} frames only, for the sake of the disk");
    }
}

impl Source {
    /// Begins the names of files, so that a demo of a real file leaves those of the camera alone.
    fn kind(&self) -> &'static str {
        if matches!(self, Self::File { .. }) { "input" } else { "camera" }
    }

    fn name(&self) -> String {
        match self {
            Self::Simulated { bright } => {
                let percent = bright.parse::<f64>().unwrap_or(0.0) * 100.0;
                format!("simulated camera, {percent:.2} % bright")
            }
            Self::File { path, dataset, threshold, .. } => {
                let file = path.file_stem().unwrap_or_default().to_string_lossy();
                format!("{file}/{dataset}, threshold {threshold}")
            }
        }
    }

    /// The program that prints what the first `n_frames` frames of the recording must be.
    fn expected(&self, tools: &Tools, n_frames: u64) -> Command {
        match self {
            Self::Simulated { bright } => {
                let mut frames = program(&tools.frames);
                frames.args([bright, SEED, &n_frames.to_string()]);
                frames
            }
            Self::File { threshold, .. } => {
                let mut frames = self.raw(tools, "expected");
                frames.arg(threshold).arg(n_frames.to_string());
                frames
            }
        }
    }

    /// The program that prints a real file's frames.
    fn raw(&self, tools: &Tools, command: &str) -> Command {
        let mut raw = program(&tools.python);
        if let Self::File { path, dataset, .. } = self {
            raw.arg(script("source.py")).arg(command).arg(path).arg(dataset);
            // The file may be compressed itself: with our filters, or with one that the user has the plugin of.
            let users = std::env::var_os("HDF5_PLUGIN_PATH").unwrap_or_default();
            let folders = std::iter::once(tools.plugins.clone()).chain(std::env::split_paths(&users));
            raw.envs(std::env::join_paths(folders).map(|folders| ("HDF5_PLUGIN_PATH", folders)));
        }
        raw
    }
}

/// Runs `from | to` and returns what `to` prints; both must succeed.
fn piped(from: &mut Command, to: &mut Command) -> Result<String> {
    let mut first = from.stdout(Stdio::piped()).spawn().map_err(|e| not_started(from, &e))?;
    let pipe = first.stdout.take().map_or(Stdio::null(), Stdio::from);
    let printed = output(to.stdin(pipe));
    // Ours is the last reading end: drop it, so that `first` ends even where `to` failed.
    to.stdin(Stdio::null());
    let status = first.wait().map_err(|e| e.to_string())?;
    let printed = printed?;
    if status.success() { Ok(printed) } else { Err(format!("`{}` failed ({status})", line(from))) }
}
