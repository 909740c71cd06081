//! `slices`: a C library's function over all slices of datasets.

mod parts;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use darkchunk_hdf5::{File, load};
use darkchunk_stream::Way;
use darkchunk_stream::slabs::h5io::{self, About, Hosted, Isolation, Setting};
use darkchunk_stream::slabs::{self, Call, Input, Limits, Plan, Process, Provenance, Rank, Summary, Verdict};
use serde_json::json;

use crate::input::{Jobs, readable};
use crate::interrupt::{Interrupt, is_own_process};
use crate::output::{Style, bytes, complain, count, print, progress, wrapped};
use crate::{Found, Outcome};

mod follow;
mod index;
mod rechunk;
mod text;

const HELP: &str = "A library is a C file with seven small functions (h5io.h, docs/slices.md). Each\n\
    chunk is read and decoded once, if memory allows it; slices are handed to the\n\
    library by several threads, as far as it allows that.\n\n\
    Examples:\n  darkchunk slices plan scan.h5 -l ./benchmark.so\n  \
    darkchunk slices run scan.h5 -l ./filter.so -o filtered.h5 -- sigma=2.5\n  \
    mpiexec -n 4 darkchunk slices run scan.h5 -l ./filter.so -o filtered.h5\n  \
    darkchunk slices run scan.h5 -l ./filter.so -o filtered.h5 --parts 20 --resume\n  \
    darkchunk slices run run12.h5 -l ./filter.so -o filtered.h5 --follow";

/// What libraries are written with.
const HEADER: &str = include_str!("../../ffi/include/h5io.h");

/// Run a C library's function over all slices of datasets
#[derive(Debug, clap::Subcommand)]
#[command(
    after_help = "Examples:\n  darkchunk slices header > h5io.h\n  darkchunk slices plan scan.h5 -l ./filter.so\n  \
    darkchunk slices run scan.h5 -l ./filter.so -o filtered.h5\n  darkchunk slices rechunk scan.h5:/data -o bricks.h5\n\n\
    `darkchunk slices VERB --help` has more."
)]
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
    /// What --isolate starts
    #[command(hide = true)]
    Worker,
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
    /// Go on with what an earlier run of the same kind has finished
    #[arg(long)]
    resume: bool,
    /// Work on slices as soon as they are written, until the writer is done (one
    /// process; what grows is slicing axis 1)
    #[arg(long, conflicts_with_all = ["parts", "rank"])]
    follow: bool,
    /// With --follow: end after so many seconds without growth, too; for a writer
    /// that is not seen, or closes the file in between
    #[arg(long, value_name = "SECONDS", requires = "follow")]
    idle: Option<f64>,
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
    /// Call the library in processes of its own: where it crashes, the slice has
    /// failed, and no more than that (not on Windows)
    #[arg(long)]
    isolate: bool,
    /// With --isolate: end a call that takes longer
    #[arg(long, value_name = "SECONDS", requires = "isolate")]
    time_limit: Option<f64>,
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
        Arguments::Worker => worker(),
        Arguments::Index(arguments) => index::run(arguments),
        Arguments::Rechunk(arguments) => rechunk::run(arguments),
        Arguments::Header => print(HEADER).map(|()| Found::Nothing),
        Arguments::Run(run) if run.follow => follow::run(run),
        Arguments::Run(run) => with_plan(&run.common, run.common.output.is_some(), |planned| planned.run(run)),
    }
}

/// All that is ready to run.
struct Planned<'a> {
    common: &'a Common,
    hdf5: &'a darkchunk_hdf5::Library,
    library: &'a dyn Hosted,
    /// What is called for slices, until Ctrl-C.
    process: &'a dyn Process,
    interrupt: &'a Interrupt,
    inputs: &'a [Input],
    plan: &'a Plan,
    rank: (Rank, &'static str),
}

/// A process that Ctrl-C stops.
struct Stoppable<'a>(&'a dyn Process, &'a Interrupt);

impl Process for Stoppable<'_> {
    fn process(&self, call: &Call<'_>, outputs: &mut [&mut [u8]]) -> Verdict {
        self.0.process(call, outputs)
    }

    fn survives(&self) -> bool {
        self.0.survives()
    }

    fn is_stopped(&self) -> bool {
        self.1.is_asked()
    }
}

/// Of several processes this one, and how that is known.
fn rank(common: &Common) -> (Rank, &'static str) {
    let given = common.rank.map(|rank| (rank, "--rank"));
    given.or_else(|| Rank::of_launcher(|name| std::env::var(name).ok())).unwrap_or((Rank::ALONE, ""))
}

fn with_plan(common: &Common, has_output: bool, then: impl FnOnce(&Planned<'_>) -> Outcome) -> Outcome {
    let words = |error: darkchunk_stream::Error| error.to_string();
    check(common)?;
    let (isolation, interrupt) = (isolation(common)?, Interrupt::new()?);
    let hdf5 = load::library().map_err(|error| error.to_string())?;
    let failed = |error: darkchunk_hdf5::Error| format!("{}: {error}", common.file.display());
    let file = File::open(&hdf5, &common.file, false).map_err(failed)?;
    let n_threads = common.jobs.n_threads();
    let (file_of_inputs, rank) = (&*common.file, rank(common));
    let setting =
        Setting { arguments: &common.arguments, file: file_of_inputs, has_output, n_workers: n_threads, rank: rank.0 };
    let mut open = |path: &str| {
        let mut input = Input::open(&hdf5, file.id(), path, n_threads)?;
        // Without one more is read, and nothing else.
        if let Err(error) = input.use_index(&common.file) {
            complain(&format!("not used: {error}"));
        }
        Ok(input)
    };
    let (library, inputs) = h5io::begin(&common.library, isolation, setting, &mut open).map_err(words)?;
    let memory = common.memory.saturating_mul(1_000_000);
    let limits = Limits { n_threads, n_workers: n_threads, memory, max_block: 1 };
    let plan = match library.plan(&inputs, limits) {
        Ok(plan) => plan.with_rank(rank.0),
        Err(error) => {
            // It has begun, and is told the end; the first error is the one to mend.
            let _ = library.end();
            return Err(words(error));
        }
    };
    let (process, interrupt) = (&Stoppable(library.as_process(), &interrupt), &interrupt);
    let (hdf5, inputs, plan, library_at_work) = (&hdf5, &inputs[..], &plan, &*library);
    let outcome = then(&Planned { common, hdf5, library: library_at_work, process, interrupt, inputs, plan, rank });
    let ended = library.end().map_err(words);
    let found = outcome?;
    ended.map(|()| found)
}

fn check(common: &Common) -> Result<(), String> {
    match common.arguments.iter().find(|argument| !argument.contains('=')) {
        Some(bad) => Err(format!("{bad:?} is not NAME=VALUE")),
        None => readable(&common.file),
    }
}

/// The processes that the library is to have, if so.
fn isolation(common: &Common) -> Result<Option<Isolation>, String> {
    if !common.isolate {
        return Ok(None);
    }
    let limit = common.time_limit.map(time).transpose()?;
    let mut command = program()?;
    command.extend(["slices", "worker"].map(OsString::from));
    Ok(Some(Isolation { command, limit }))
}

fn time(seconds: f64) -> Result<Duration, String> {
    let is_time = (0.001..1e9).contains(&seconds);
    is_time.then(|| Duration::from_secs_f64(seconds)).ok_or_else(|| format!("{seconds} are no seconds to wait"))
}

/// How this command is called: by itself, or by the Python that it is in.
fn program() -> Result<Vec<OsString>, String> {
    if is_own_process() {
        let program = std::env::current_exe().map_err(|error| format!("this program cannot be found: {error}"))?;
        return Ok(vec![program.into()]);
    }
    let python = std::env::var_os("DARKCHUNK_PYTHON");
    let python = python.ok_or("--isolate is of the command darkchunk, and of python -m darkchunk")?;
    Ok(vec![python, "-m".into(), "darkchunk".into()])
}

#[cfg(unix)]
fn worker() -> Outcome {
    h5io::serve().map(|()| Found::Nothing).map_err(|error| error.to_string())
}

#[cfg(not(unix))]
fn worker() -> Outcome {
    Err("it needs Linux or macOS".to_owned())
}

impl Planned<'_> {
    fn run(&self, run: &RunArguments) -> Outcome {
        if !self.common.style.quiet {
            print(&self.text())?;
        }
        match &self.common.output {
            Some(to) if run.parts.is_some() || self.rank.0 != Rank::ALONE => self.run_parts(to, run),
            _ if run.parts.is_some() => Err("--parts are of a file: -o OUT is missing".to_owned()),
            None if run.resume => Err("--resume is of a file: -o OUT is missing".to_owned()),
            Some(to) => self.reported(self.plan, |seen| {
                let parts = (self.inputs, self.plan);
                let how = (&self.provenance(), run.resume);
                slabs::write(self.hdf5, to, parts, self.process, run.keep_going, how, seen)
            }),
            None => {
                self.reported(self.plan, |seen| slabs::run(self.inputs, self.plan, self.process, run.keep_going, seen))
            }
        }
    }

    /// Where there are words at all.
    fn say(&self, text: &str) -> Result<(), String> {
        if self.common.style.json || self.common.style.quiet { Ok(()) } else { print(text) }
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
        let done = done.map_err(|error| format!("{}: {error}", self.common.file.display()));
        let summary = match (done, self.interrupt.code()) {
            (Err(words), Some(code)) => {
                complain(&words);
                return Ok(Found::Stopped(code));
            }
            (done, _) => done?,
        };
        let kept = "of these by an earlier run";
        self.common.summary(plan.inputs(), plan.own_slices(), &summary, kept)
    }

    fn provenance(&self) -> Provenance {
        self.library.about().provenance(&self.common.file, &self.common.arguments, self.plan)
    }

    /// What will be done.
    fn text(&self) -> String {
        if self.common.style.json {
            return self.plan_json();
        }
        let plan = self.plan;
        let (n_slices, (height, axis)) = (plan.slicing().n_slices(), plan.height());
        let About { name, version, .. } = self.library.about().clone();
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
        let (Rank { rank, n_ranks }, by) = self.rank;
        if n_ranks > 1 {
            let own = plan.own_slices();
            text += &wrapped(2, &format!("rank {rank} of {n_ranks} by {by}: slices {} to {}", own.start, own.end));
        }
        plan.inputs().iter().for_each(|input| text += &wrapped(2, &text::input_words(input)));
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
            "library": self.library.about().file.display().to_string(), "slicing_axes": plan.slicing().dims(),
            "slices": plan.slicing().n_slices(), "rank": self.rank.0.rank, "ranks": self.rank.0.n_ranks,
            "first": plan.own_slices().start, "end": plan.own_slices().end, "slabs": plan.n_slabs(), "slab_height": height, "slab_axis": axis,
            "inputs": inputs.collect::<Vec<_>>(), "memory": memory.total(), "memory_slabs": memory.slabs,
            "memory_reading": memory.reading, "memory_outputs": memory.outputs,
        });
        format!("{object}\n")
    }
}
