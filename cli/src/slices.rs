//! `slices`: a C library's function over all slices of datasets.

use std::path::{Path, PathBuf};

use darkchunk_hdf5::{File, load};
use darkchunk_stream::Way;
use darkchunk_stream::slabs::h5io::{Begun, Loaded, Setting};
use darkchunk_stream::slabs::{self, Input, InputPlan, Limits, Part, Plan, Provenance, Rank, Summary};
use serde_json::json;

use crate::input::{Jobs, readable};
use crate::output::{Style, bytes, complain, count, print, progress, shown, wrapped};
use crate::{Found, Outcome};

mod index;
mod rechunk;

const HELP: &str = "A library is a C file with seven small functions (h5io.h, docs/slices.md). Each\n\
    chunk is read and decoded once, if memory allows it; slices are handed to the\n\
    library by several threads, as far as it allows that.\n\n\
    Examples:\n  darkchunk slices plan scan.h5 -l ./benchmark.so\n  \
    darkchunk slices run scan.h5 -l ./filter.so -o filtered.h5 -- sigma=2.5\n  \
    mpiexec -n 4 darkchunk slices run scan.h5 -l ./filter.so -o filtered.h5\n  \
    darkchunk slices run scan.h5 -l ./filter.so -o filtered.h5 --parts 20 --resume";

/// What libraries are written with.
const HEADER: &str = include_str!("../../ffi/include/h5io.h");

/// Run a C library's function over all slices of datasets
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Arguments {
    /// Call the library for all slices, and write its outputs to a new file
    #[command(after_help = HELP)]
    Run(RunArguments),
    /// Say what would be read, how often each byte is decoded, and the memory
    #[command(after_help = HELP)]
    Plan(Common),
    /// Write where the blocks of frames are, so that slabs of rows read no others
    Index(index::Arguments),
    /// Store a dataset in chunks that slices are read from quickly
    Rechunk(rechunk::Arguments),
    /// Print h5io.h, the header that libraries are written with
    Header,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    common: Common,
    /// Go on after a slice that fails; its status is 2 then
    #[arg(long)]
    keep_going: bool,
    /// Write so many files one after the other, and a master of them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000), conflicts_with = "rank")]
    parts: Option<u64>,
    /// Leave files of parts as they are that an earlier run has finished
    #[arg(long)]
    resume: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// The file that the inputs are in
    file: PathBuf,
    /// The library
    #[arg(short, long, value_name = "LIB.so")]
    library: PathBuf,
    /// The new file for its outputs
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// Memory for slabs, reading and writing, in MB
    #[arg(long, value_name = "MB", default_value_t = 2000)]
    memory: u64,
    /// Which of N processes this is, from 0 on; else what the launcher says (MPI,
    /// srun, arrays of jobs of Slurm and Grid Engine)
    #[arg(long, value_name = "I/N", value_parser = |text: &str| Rank::parse(text).map_err(|error| error.to_string()))]
    rank: Option<Rank>,
    #[command(flatten)]
    jobs: Jobs,
    #[command(flatten)]
    style: Style,
    /// What the library is told
    #[arg(last = true, value_name = "NAME=VALUE")]
    arguments: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    match arguments {
        Arguments::Plan(common) => with_plan(common, true, |planned| print(&planned.text()).map(|()| Found::Nothing)),
        Arguments::Run(run) => with_plan(&run.common, run.common.output.is_some(), |planned| planned.run(run)),
        Arguments::Index(arguments) => index::run(arguments),
        Arguments::Rechunk(arguments) => rechunk::run(arguments),
        Arguments::Header => print(HEADER).map(|()| Found::Nothing),
    }
}

/// All that is ready to run.
struct Planned<'a> {
    common: &'a Common,
    hdf5: &'a darkchunk_hdf5::Library,
    loaded: &'a Loaded,
    begun: &'a Begun,
    inputs: &'a [Input],
    plan: &'a Plan,
    rank: (Rank, &'static str),
}

/// Of several processes this one, and how that is known.
fn rank(common: &Common) -> (Rank, &'static str) {
    let given = common.rank.map(|rank| (rank, "--rank"));
    given.or_else(|| Rank::of_launcher(|name| std::env::var(name).ok())).unwrap_or((Rank::ALONE, ""))
}

fn with_plan(common: &Common, has_output: bool, then: impl FnOnce(&Planned<'_>) -> Outcome) -> Outcome {
    let words = |error: darkchunk_stream::Error| error.to_string();
    if let Some(bad) = common.arguments.iter().find(|argument| !argument.contains('=')) {
        return Err(format!("{bad:?} is not NAME=VALUE"));
    }
    readable(&common.file)?;
    let loaded = Loaded::open(&common.library).map_err(words)?;
    let hdf5 = load::library().map_err(|error| error.to_string())?;
    let file = File::open(&hdf5, &common.file, false).map_err(|error| format!("{}: {error}", common.file.display()))?;
    let n_threads = common.jobs.n_threads();
    let (file_of_inputs, rank) = (&*common.file, rank(common));
    let setting =
        Setting { arguments: &common.arguments, file: file_of_inputs, has_output, n_workers: n_threads, rank: rank.0 };
    let open = |path: &str| {
        let mut input = Input::open(&hdf5, file.id(), path, n_threads)?;
        // Without one more is read, and nothing else.
        if let Err(error) = input.use_index(&common.file) {
            complain(&format!("not used: {error}"));
        }
        Ok(input)
    };
    let (begun, inputs) = loaded.begin(setting, open).map_err(words)?;
    let memory = common.memory.saturating_mul(1_000_000);
    let limits = Limits { n_threads, n_workers: n_threads, memory, max_block: 1 };
    let plan = begun.plan(&inputs, limits).map_err(words)?.with_rank(rank.0);
    let planned = Planned { common, hdf5: &hdf5, loaded: &loaded, begun: &begun, inputs: &inputs, plan: &plan, rank };
    let outcome = then(&planned);
    let ended = begun.end().map_err(words);
    let found = outcome?;
    ended.map(|()| found)
}

impl Planned<'_> {
    fn run(&self, run: &RunArguments) -> Outcome {
        if !self.common.style.quiet {
            print(&self.text())?;
        }
        match &self.common.output {
            Some(to) if run.parts.is_some() || self.rank.0 != Rank::ALONE => self.run_parts(to, run),
            _ if run.parts.is_some() => Err("--parts are of a file: -o OUT is missing".to_owned()),
            _ if run.resume => Err("--resume needs parts that can be finished: --parts N or --rank I/N".to_owned()),
            Some(to) => self.reported(self.plan, |seen| {
                let parts = (self.inputs, self.plan);
                slabs::write(self.hdf5, to, parts, self.begun, run.keep_going, &self.provenance(), seen)
            }),
            None => {
                self.reported(self.plan, |seen| slabs::run(self.inputs, self.plan, self.begun, run.keep_going, seen))
            }
        }
    }

    /// The part of this process, or all parts in turn.
    fn run_parts(&self, to: &Path, run: &RunArguments) -> Outcome {
        let ranks: Vec<Rank> = match run.parts {
            Some(n_ranks) => (0..n_ranks).map(|rank| Rank { rank, n_ranks }).collect(),
            None => vec![self.rank.0],
        };
        let mut found = Found::Nothing;
        for rank in ranks {
            let plan = self.plan.clone().with_rank(rank);
            let (mut part, provenance) = (None, self.provenance());
            let mut write = |seen: &dyn Fn(u64)| {
                let (parts, how) = ((self.inputs, &plan), (&provenance, run.resume));
                let done = slabs::write_part(self.hdf5, to, parts, self.begun, run.keep_going, how, seen)?;
                let summary = done.summary.clone().unwrap_or_default();
                part = Some(done);
                Ok(summary)
            };
            self.reported(&plan, &mut write)?;
            let Some(part) = part else { continue };
            if part.n_failed > 0 {
                found = Found::Something;
            }
            if !self.common.style.json && !self.common.style.quiet {
                print(&part_text(to, rank, &part))?;
            }
        }
        Ok(found)
    }

    /// Does it with a progress bar, and says what became of the slices.
    fn reported(&self, plan: &Plan, work: impl FnOnce(&dyn Fn(u64)) -> darkchunk_stream::Result<Summary>) -> Outcome {
        let (style, own) = (self.common.style, plan.own_slices());
        let (n_slices, own_slices) = (plan.slicing().n_slices().max(1), own.end - own.start);
        let all: u64 = plan.inputs().iter().map(|input| input.n_bytes).sum();
        let share = |n: u64| (u128::from(all) * u128::from(n) / u128::from(n_slices)) as u64;
        let bar = progress(share(own_slices), style);
        let done = work(&|n: u64| bar.set_position(share(n - own.start)));
        bar.finish_and_clear();
        let summary = done.map_err(|error| format!("{}: {error}", self.common.file.display()))?;
        print(&if style.json { self.summary_json(plan, &summary) } else { self.summary_text(&summary, style) })?;
        Ok(if summary.n_failed > 0 { Found::Something } else { Found::Nothing })
    }

    fn provenance(&self) -> Provenance {
        self.loaded.provenance(&self.common.file, &self.common.arguments, self.plan)
    }

    /// What will be done.
    fn text(&self) -> String {
        if self.common.style.json {
            return self.plan_json();
        }
        let plan = self.plan;
        let (n_slices, (height, axis)) = (plan.slicing().n_slices(), plan.height());
        let (name, version) = self.loaded.name();
        let name = name.unwrap_or_else(|| self.common.library.display().to_string());
        let name = [name, version.unwrap_or_default()].join(" ");
        let mut text = wrapped(
            0,
            &format!(
                "{}: {} {:?} for {}, in {} of {height} along slicing axis {axis}",
                self.common.file.display(),
                count(n_slices, "slice"),
                plan.slicing().dims(),
                name.trim(),
                count(plan.n_slabs(), "slab"),
            ),
        );
        if let (Rank { rank, n_ranks }, by) = self.rank
            && n_ranks > 1
        {
            let own = plan.own_slices();
            text += &wrapped(2, &format!("rank {rank} of {n_ranks} by {by}: slices {} to {}", own.start, own.end));
        }
        plan.inputs().iter().for_each(|input| text += &wrapped(2, &input_words(input)));
        let memory = plan.memory();
        text += &wrapped(
            2,
            &format!(
                "memory: at most {}: slabs {}, reading {}, outputs {}",
                bytes(memory.total()),
                bytes(memory.slabs),
                bytes(memory.reading),
                bytes(memory.outputs)
            ),
        );
        text
    }

    fn plan_json(&self) -> String {
        let (plan, memory) = (self.plan, self.plan.memory());
        let (height, axis) = plan.height();
        let inputs = plan.inputs().iter().map(|input| {
            json!({
                "path": input.path, "shape": input.dims, "chunk": input.chunk, "slicing_map": input.map,
                "direct": input.way == Way::Direct, "reason": input.reason, "bytes": input.n_bytes,
                "stored_bytes": input.stored_bytes, "decoded_bytes": input.decoded_bytes, "indexed": input.n_indexed,
                "slice_bytes": input.slice_bytes, "slab_bytes": input.slab_bytes,
            })
        });
        let object = json!({
            "verb": "slices plan", "file": self.common.file.display().to_string(),
            "library": self.loaded.file().display().to_string(), "slicing_axes": plan.slicing().dims(),
            "slices": plan.slicing().n_slices(), "rank": self.rank.0.rank, "ranks": self.rank.0.n_ranks,
            "first": plan.own_slices().start, "end": plan.own_slices().end, "slabs": plan.n_slabs(), "slab_height": height, "slab_axis": axis,
            "inputs": inputs.collect::<Vec<_>>(), "memory": memory.total(), "memory_slabs": memory.slabs,
            "memory_reading": memory.reading, "memory_outputs": memory.outputs,
        });
        format!("{object}\n")
    }

    fn summary_text(&self, summary: &Summary, style: Style) -> String {
        let mut text = String::new();
        if !style.quiet {
            let Summary { n_done, n_skipped, n_failed, n_not_reached, .. } = summary;
            let words = [(n_skipped, "skipped"), (n_failed, "failed"), (n_not_reached, "not reached")];
            let others = words.iter().filter(|(n, _)| **n > 0).map(|(n, words)| format!(", {n} {words}"));
            text += &wrapped(0, &format!("{} done{}", count(*n_done, "slice"), others.collect::<String>()));
            for (input, found) in self.plan.inputs().iter().zip(&summary.statistics) {
                let (read, decoded) = (bytes(found.read_bytes), bytes(found.decoded_bytes));
                text += &wrapped(2, &format!("{}: {read} read, {decoded} decoded", input.path));
            }
        }
        if let Some((slice, reason)) = &summary.failure {
            text += &wrapped(2, &format!("the first that failed: slice {slice}: {}", shown(reason)));
        }
        text
    }

    fn summary_json(&self, plan: &Plan, summary: &Summary) -> String {
        let inputs = self.plan.inputs().iter().zip(&summary.statistics).map(|(input, found)| {
            json!({ "path": input.path, "read_bytes": found.read_bytes, "decoded_bytes": found.decoded_bytes })
        });
        let failure = summary.failure.as_ref().map(|(slice, reason)| json!({ "slice": slice, "reason": reason }));
        let object = json!({
            "verb": "slices run", "file": self.common.file.display().to_string(),
            "output": self.common.output.as_ref().map(|path| path.display().to_string()), "done": summary.n_done,
            "skipped": summary.n_skipped, "failed": summary.n_failed, "not_reached": summary.n_not_reached,
            "first": plan.own_slices().start, "end": plan.own_slices().end, "failure": failure,
            "inputs": inputs.collect::<Vec<_>>(),
        });
        format!("{object}\n")
    }
}

fn part_text(to: &Path, rank: Rank, part: &Part) -> String {
    let was_there = match (&part.summary, part.n_failed) {
        (Some(_), _) => String::new(),
        (None, 0) => " was there".to_owned(),
        (None, n) => format!(" was there, with {} that failed", count(n, "slice")),
    };
    let master = match part.missing.len() {
        0 => format!("{} shows all {}", to.display(), count(rank.n_ranks, "part")),
        1 => format!("{} is made when the other part is there", to.display()),
        n => format!("{} is made when {} are there", to.display(), count(n as u64, "other part")),
    };
    wrapped(2, &format!("{}{was_there}; {master}", part.path.display()))
}

fn input_words(input: &InputPlan) -> String {
    let InputPlan { path, dims, chunk, map, .. } = input;
    let chunk = chunk.as_ref().map_or("in one piece".to_owned(), |chunk| format!("chunks {chunk:?}"));
    let how = match input.way {
        Way::Direct => String::new(),
        Way::Chunks => format!(", chunks through HDF5 ({})", input.reason),
        Way::Hdf5 => format!(", through HDF5 on one thread ({})", input.reason),
    };
    let stored = input.stored_bytes.map_or(String::new(), |n_bytes| format!(", {} stored", bytes(n_bytes)));
    let index = match input.n_indexed {
        Some(n) => format!(", index of {}", count(n, "chunk")),
        None if input.is_in_parts => ", no index (slices index)".to_owned(),
        None => String::new(),
    };
    let times = input.decoded_bytes as f64 / input.n_bytes.max(1) as f64;
    format!(
        "{path} {dims:?}, {chunk}, map {map:?}{how}: {}{stored}{index}, {} decoded ({times:.2} times); a slab has {}",
        bytes(input.n_bytes),
        bytes(input.decoded_bytes),
        bytes(input.slab_bytes)
    )
}
