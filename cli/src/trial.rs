//! `try`: which filter for these data.

use std::collections::BTreeMap;
use std::path::Path;

use darkchunk_hdf5::load;
use darkchunk_stream::trial::{self, Found as Tried, Machine, Options, Trial};
use serde_json::{Value, json};

use crate::input::Input;
use crate::interrupt::Interrupt;
use crate::output::{Style, bytes, complain, count, print, progress, shown, wrapped};
use crate::{Found, Outcome};

/// Try all filters on a sample of a dataset, and say which is best
#[derive(Debug, clap::Args)]
#[command(after_help = "The one recommended takes the least time of one core to write the data once and \
    to read them twice, with the time that the stored bytes take (--link). To measure \
    the disk, a file of 64 MB is written beside FILE, and removed.\n\n\
    Examples:\n  darkchunk try run12.h5\n  darkchunk try run12.h5:/entry/data/data --rate 2.5\n  \
    darkchunk try run12.h5 --link 20 -v\n  darkchunk try run12.h5 --json | jq .")]
pub(crate) struct Arguments {
    /// The dataset; without a path the largest of its file
    #[arg(value_name = "FILE[:/PATH]")]
    file: String,
    /// Say how many cores encode so many GB/s
    #[arg(long, value_name = "GB/s", value_parser = positive)]
    rate: Option<f64>,
    /// Stored bytes that a core's share of the disk or network takes, in MB/s
    #[arg(long, value_name = "MB/s", default_value = "250", value_parser = positive)]
    link: f64,
    /// Pixels of the sample, in MB
    #[arg(long, value_name = "MB", default_value_t = 32)]
    sample: u64,
    /// Try all that is stored, and not a sample
    #[arg(long, conflicts_with = "sample")]
    all: bool,
    /// Try only this shape of chunks, such as 1,512,512; 0 is the whole axis
    #[arg(long, value_name = "N,N,…", value_delimiter = ',')]
    chunk: Option<Vec<u64>>,
    /// Do not measure the disk: nothing is written
    #[arg(long)]
    no_disk: bool,
    #[command(flatten)]
    style: Style,
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    if number.is_finite() && number > 0.0 { Ok(number) } else { Err("it must be above 0".to_owned()) }
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let library = load::library().map_err(|error| error.to_string())?;
    let input = Input::parse(&arguments.file);
    let file = input.open(&library)?;
    let path = input.largest(&library, &file)?;
    let options = Options {
        sample_bytes: arguments.sample.saturating_mul(1_000_000),
        all: arguments.all,
        chunk: arguments.chunk.clone(),
        link: arguments.link * 1e6,
    };
    let bar = progress(0, arguments.style);
    bar.set_message(shown(&path).into_owned());
    let interrupt = Interrupt::new()?;
    let mut seen = |n_done: u64, n_all: u64| {
        bar.set_length(n_all);
        bar.set_position(n_done);
        if interrupt.is_asked() { Err(darkchunk_hdf5::Error::Stopped.into()) } else { Ok(()) }
    };
    let found = trial::run(&library, &file, &path, &options, &mut seen);
    bar.finish_and_clear();
    if let (Some(code), Err(_)) = (interrupt.code(), &found) {
        let (n_done, n_all) = (bar.position(), bar.length().unwrap_or(0));
        complain(&format!("{}: stopped after {n_done} of {n_all} places of the sample", input.at(&path)));
        return Ok(Found::Stopped(code));
    }
    let found = found.map_err(|error| format!("{}: {error}", input.at(&path)))?;
    let folder = input.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let machine = Machine::measure((!arguments.no_disk).then_some(folder)).map_err(|error| error.to_string())?;
    let shown = Shown { input: &input, path: &path, found: &found, machine: &machine, arguments };
    print(&if arguments.style.json { shown.json() } else { shown.text() })?;
    Ok(Found::Nothing)
}

/// All that is printed.
struct Shown<'a> {
    input: &'a Input,
    path: &'a str,
    found: &'a Tried,
    machine: &'a Machine,
    arguments: &'a Arguments,
}

fn gb(rate: f64) -> String {
    format!("{:.2}", rate / 1e9)
}

fn shape(dims: &[u64]) -> String {
    dims.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}

impl Shown<'_> {
    fn rate(&self) -> Option<f64> {
        self.arguments.rate.map(|rate| rate * 1e9)
    }

    fn text(&self) -> String {
        let Tried { info, n_regions, n_all_regions, n_bytes, choice, .. } = self.found;
        let mut text = if self.arguments.style.quiet {
            String::new()
        } else {
            self.head(info, *n_regions, *n_all_regions, *n_bytes) + &self.table()
        };
        let trial = |at: Option<usize>| at.and_then(|at| self.found.trials.get(at));
        for (name, at) in [("size", choice.size), ("speed", choice.speed)] {
            if let Some(best) = trial(at) {
                text += &self.best(name, best);
            }
        }
        match trial(choice.recommended) {
            Some(best) => {
                text += &self.best("recommended", best);
                text += &self.lines(best);
            }
            None => {
                text += &wrapped(
                    0,
                    "Nothing helps: no filter makes these pixels smaller by a tenth. They are noise, or compressed already.",
                )
            }
        }
        text + &self.bounded()
    }

    fn head(&self, info: &darkchunk_hdf5::inspect::DatasetInfo, n: u64, n_all: u64, n_bytes: u64) -> String {
        let dims = shape(info.dims.as_deref().unwrap_or_default());
        let chunk =
            info.chunk.as_ref().map_or_else(|| "no chunks".to_owned(), |chunk| format!("chunks {}", shape(chunk)));
        let name = format!("{}: {}, {dims}, {}, {chunk}", self.input.at(self.path), info.datatype, bytes(info.n_bytes));
        let mut text = wrapped(0, &name);
        let sample = if n == n_all { "all of it".to_owned() } else { format!("{n} of {n_all} places") };
        text += &wrapped(0, &format!("sample: {}, {sample}; on one thread", bytes(n_bytes)));
        let Machine { memory_read, memory_copy, disk_write, n_cores, .. } = self.machine;
        let disk = disk_write.map_or_else(
            || "disk not measured".to_owned(),
            |rate| format!("disk {} GB/s (written and synced)", gb(rate)),
        );
        text + &wrapped(
            0,
            &format!(
                "machine: a core reads {} GB/s of memory, copies {} GB/s; {disk}; cores: {n_cores}",
                gb(*memory_read),
                gb(*memory_copy)
            ),
        )
    }

    /// The best shape of chunks for each filter, or all of them.
    fn table(&self) -> String {
        let mut best: BTreeMap<&str, &Trial> = BTreeMap::new();
        let mut order = Vec::new();
        for trial in &self.found.trials {
            let known = best.entry(trial.spec).or_insert_with(|| {
                order.push(trial.spec);
                trial
            });
            if trial.cost.ratio() > known.cost.ratio() {
                *known = trial;
            }
        }
        let rows: Vec<&Trial> = if self.arguments.style.verbose {
            self.found.trials.iter().collect()
        } else {
            order.iter().filter_map(|spec| best.get(spec).copied()).collect()
        };
        let cores = if self.rate().is_some() { "  cores" } else { "" };
        let mut text = format!(
            "\n{:21} {:>14} {:>7} {:>7} {:>7} {:>9}{cores}\n",
            "filter", "chunk", "ratio", "encode", "decode", "a row"
        );
        for row in &rows {
            let cores = self.rate().map_or_else(String::new, |rate| format!(" {:>6}", row.cost.cores(rate)));
            let (encode, decode) = (gb(row.cost.encode_rate()), gb(row.cost.decode_rate()));
            let loss = if row.is_exact { ' ' } else { '*' };
            text += &format!(
                "{:21}{loss}{:>14} {:>7.2} {encode:>7} {decode:>7} {:>9}{cores}\n",
                row.spec,
                shape(&row.chunk),
                row.cost.ratio(),
                row.row_bytes
            );
        }
        text += "encode, decode: GB/s; a row: stored bytes that are read for one row of pixels\n";
        if rows.iter().any(|row| !row.is_exact) {
            text += "*: pixels change; none of these is recommended\n";
        }
        if self.arguments.style.verbose {
            for refused in &self.found.refused {
                text +=
                    &wrapped(2, &format!("{} with chunks {}: {}", refused.spec, shape(&refused.chunk), refused.reason));
            }
        }
        text + "\n"
    }

    fn best(&self, name: &str, Trial { spec, chunk, cost, .. }: &Trial) -> String {
        let (encode, decode) = (gb(cost.encode_rate()), gb(cost.decode_rate()));
        let mut words = format!(
            "{name}: {spec}, chunks {}: ratio {:.2}; encode {encode}, decode {decode} GB/s a core",
            shape(chunk),
            cost.ratio()
        );
        words += &format!(" (memory {} GB/s)", gb(self.machine.memory_read));
        if let Some(disk) = self.machine.disk_write {
            words += &format!("; the disk takes {} GB/s of these pixels so", gb(disk * cost.ratio()));
        }
        if let Some(rate) = self.rate() {
            words += &format!(
                "; {} GB/s need {} and {} GB/s of disk",
                gb(rate),
                count(cost.cores(rate), "core"),
                gb(rate / cost.ratio())
            );
        }
        wrapped(0, &words)
    }

    /// Lines to paste are not cut.
    fn lines(&self, trial: &Trial) -> String {
        let lines = self.found.lines(trial, &self.input.file, self.path);
        let (h5py, c, convert) = (shown(&lines.h5py), shown(&lines.c), shown(&lines.convert));
        format!("  h5py     {h5py}\n  C        {c}\n  convert  {convert}\n")
    }

    /// What would help where lossless filters do not.
    fn bounded(&self) -> String {
        let trial = |at: Option<usize>| at.and_then(|at| self.found.trials.get(at));
        let (Some(size), Some(bounded)) = (trial(self.found.choice.size), trial(self.found.choice.bounded)) else {
            return String::new();
        };
        let is_noise = self.found.choice.recommended.is_none();
        if !is_noise && bounded.cost.ratio() < 2.0 * size.cost.ratio() {
            return String::new();
        }
        let why = if is_noise { "What would help" } else { "Much of what is left is noise" };
        let spec = bounded.spec;
        let mut what = format!("{why}: {spec} keeps each pixel within a bound, ratio {:.2}.", bounded.cost.ratio());
        if self.found.info.element.is_integer() {
            what += &format!(" `darkchunk compare FILE --codec {spec}` says what it takes away.");
        }
        let mut text = wrapped(0, &what);
        if is_noise {
            text += &self.lines(bounded);
        }
        text
    }

    fn json(&self) -> String {
        let mut text = String::new();
        for (number, trial) in self.found.trials.iter().enumerate() {
            text += &format!("{}\n", self.trial_json(number, trial));
        }
        for refused in &self.found.refused {
            let object = json!({
                "verb": "try", "file": self.input.name(), "path": self.path, "spec": refused.spec,
                "chunk": refused.chunk, "refused": refused.reason,
            });
            text += &format!("{object}\n");
        }
        text + &format!("{}\n", self.summary_json())
    }

    fn trial_json(&self, number: usize, trial: &Trial) -> Value {
        let cost = &trial.cost;
        let filters = trial.filters.iter().map(|(id, values)| json!({ "id": id, "cd_values": values }));
        json!({
            "verb": "try", "file": self.input.name(), "path": self.path, "number": number, "spec": trial.spec,
            "filters": filters.collect::<Vec<_>>(), "chunk": trial.chunk, "exact": trial.is_exact, "bytes": cost.n_bytes,
            "stored_bytes": cost.n_stored, "ratio": cost.ratio(), "encode": cost.encode_rate(), "decode": cost.decode_rate(),
            "row_bytes": trial.row_bytes, "frame_bytes": trial.frame_bytes,
            "cores": self.rate().map(|rate| cost.cores(rate)),
        })
    }

    fn summary_json(&self) -> Value {
        let Tried { n_regions, n_all_regions, n_bytes, choice, trials, .. } = self.found;
        let Machine { memory_read, memory_copy, disk_write, n_cores } = self.machine;
        let lines = choice.recommended.or(choice.bounded).and_then(|at| trials.get(at)).map(|trial| {
            let lines = self.found.lines(trial, &self.input.file, self.path);
            json!({ "h5py": lines.h5py, "c": lines.c, "convert": lines.convert })
        });
        json!({
            "verb": "try", "file": self.input.name(), "path": self.path, "size": choice.size, "speed": choice.speed,
            "recommended": choice.recommended, "bounded": choice.bounded, "lines": lines,
            "regions": n_regions, "all_regions": n_all_regions, "bytes": n_bytes,
            "machine": { "memory_read": memory_read, "memory_copy": memory_copy, "disk_write": disk_write, "cores": n_cores },
        })
    }
}
