//! `with`: a program on a file without its filters.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use darkchunk_hdf5::load;
use darkchunk_stream::convert::{Phase, Resources, Watch};
use darkchunk_stream::unpacked::{self, Plan, Signals, Unpacked};
use indicatif::ProgressBar;

use crate::input::{Input, Jobs, readable};
use crate::output::{Style, bytes, complain, progress, shown};

/// How often the program is asked whether it has ended.
const PAUSE: Duration = Duration::from_millis(20);

const HELP: &str = "For programs that read with one core, or lack a plugin. {} stands for the file \
    without filters; where it is missing, the file is the last argument. Its folder \
    looks like that of FILE: the other files are there as links. Ends with the \
    program's own exit code.\n\n\
    Examples:\n  darkchunk with run12.h5 -- viewer {}\n  \
    darkchunk with run12.h5 --into /scratch -- python3 analyse.py {} --frames 10";

/// Run a program on a file that is decompressed on all cores into memory
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// The file; one without filters is not copied: {} is a link to it then
    file: String,
    /// Where it is put; there must be room
    #[arg(long, value_name = "FOLDER", default_value = "/dev/shm")]
    into: PathBuf,
    /// Memory for pixels, in MB
    #[arg(long, value_name = "MB", default_value_t = 1000)]
    memory: u64,
    #[command(flatten)]
    jobs: Jobs,
    /// Say nothing
    #[arg(short, long)]
    quiet: bool,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

struct Bar(ProgressBar);

impl Watch for Bar {
    fn begin(&self, phase: Phase, path: &str) {
        let doing = if phase == Phase::Compare { "compare" } else { "decode" };
        self.0.set_message(format!("{doing} {}", shown(path.rsplit('/').next().unwrap_or(path))));
    }

    fn seen(&self, n_bytes: u64) {
        self.0.inc(n_bytes);
    }
}

/// The exit code: the program's own.
pub(crate) fn run(arguments: &Arguments) -> Result<u8, String> {
    let input = Input::parse(&arguments.file);
    if input.path != "/" {
        return Err("a whole file is decompressed: name it without a path in it".to_owned());
    }
    readable(&input.file)?;
    let library = load::library().map_err(|error| error.to_string())?;
    let plan = Plan::new(&library, &input.file, &arguments.into)?;
    let signals = Signals::note();
    let style = Style { json: false, quiet: arguments.quiet, verbose: false };
    let bar = Bar(progress(plan.n_pixel_bytes(), style));
    let n_bytes = plan.n_bytes();
    let resources =
        Resources { n_threads: arguments.jobs.n_threads(), memory: arguments.memory.saturating_mul(1_000_000) };
    let unpacked = until_signal(&signals, &arguments.into, || plan.make(&library, resources, &bar));
    bar.0.finish_and_clear();
    let unpacked = unpacked?;
    drop(library);
    if !arguments.quiet && n_bytes > 0 {
        eprintln!("darkchunk: {} in {}", bytes(n_bytes), unpacked.file().display());
    }
    if let Some(signal) = signals.take() {
        drop(unpacked);
        return Ok(u8::try_from(128 + signal.number).unwrap_or(2));
    }
    let ended = command(&arguments.program, &unpacked)
        .spawn()
        .map_err(|error| format!("{} cannot be started: {error}", arguments.program[0].to_string_lossy()));
    let status = wait(&signals, ended?);
    if let Some(folder) = unpacked.remove() {
        complain(&format!("the program has written to {}: move or remove what is there", folder.display()));
    }
    status.map(code).map_err(|error| error.to_string())
}

/// Sets the flag when it is dropped.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Does it, unless a signal comes: then what is there is removed, and the program ends.
fn until_signal<T>(signals: &Signals, into: &Path, work: impl FnOnce() -> T) -> T {
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Acquire) {
                if let Some(signal) = signals.take() {
                    let _ = std::fs::remove_dir_all(unpacked::folder_of_this_process(into));
                    complain("ended before the program was started; nothing is left");
                    signals.leave(128 + signal.number);
                }
                std::thread::sleep(PAUSE);
            }
        });
        // Also where it panics: the thread above waits for it.
        let _done = Done(&is_done);
        work()
    })
}

/// The program with its arguments.
fn command(program: &[OsString], unpacked: &Unpacked) -> Command {
    let file = unpacked.file().to_string_lossy();
    let is_place = |argument: &OsString| argument.to_string_lossy().contains("{}");
    let mut command = Command::new(&program[0]);
    for argument in &program[1..] {
        if is_place(argument) {
            command.arg(argument.to_string_lossy().replace("{}", &file));
        } else {
            command.arg(argument);
        }
    }
    if !program[1..].iter().any(is_place) {
        command.arg(unpacked.file());
    }
    command
}

/// Waits for its end. Signals that only this process was sent are passed on.
fn wait(signals: &Signals, mut child: Child) -> std::io::Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if let Some(signal) = signals.take().filter(|signal| signal.is_by_program) {
            signals.send(child.id(), signal.number);
        }
        std::thread::sleep(PAUSE);
    }
}

#[cfg(unix)]
fn code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let by_signal = status.signal().map(|signal| 128 + signal);
    status.code().or(by_signal).and_then(|code| u8::try_from(code).ok()).unwrap_or(2)
}

#[cfg(not(unix))]
fn code(status: ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(2)
}
