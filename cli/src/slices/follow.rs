//! `slices run --follow`: slices of a file that grows, as soon as they are complete.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use darkchunk_hdf5::{File, Library, inspect, load};
use darkchunk_stream::slabs::h5io::{self, Hosted, Setting};
use darkchunk_stream::slabs::{self, Ending, Followed, Input, Limits, Plan, Rank, Taken, Writer};
use darkchunk_stream::{Error, Result};

use super::{Common, RunArguments, Stoppable, check, isolation, rank, time};
use crate::interrupt::Interrupt;
use crate::output::{Style, complain, print, spinner, wrapped};
use crate::{Found, Outcome};

/// How often it is looked whether there is an input.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) fn run(run: &RunArguments) -> Outcome {
    let common = &run.common;
    check(common)?;
    if rank(common).0 != Rank::ALONE {
        return Err("--follow is of one process, and a launcher has started several".to_owned());
    }
    if run.resume && common.output.is_none() {
        return Err("--resume is of a file: -o OUT is missing".to_owned());
    }
    let idle = run.idle.map(time).transpose()?;
    let (isolation, interrupt) = (isolation(common)?, Interrupt::new()?);
    let hdf5 = load::library().map_err(|error| error.to_string())?;
    let writer = RefCell::new(Writer::new(&common.file, idle));
    let begin = Beginning { common, hdf5: &hdf5, interrupt: &interrupt, writer: &writer, n_places: Cell::new(None) };
    let setting = Setting {
        arguments: &common.arguments,
        file: &common.file,
        has_output: common.output.is_some(),
        n_workers: common.jobs.n_threads(),
        rank: Rank::ALONE,
    };
    let begun = h5io::begin(&common.library, isolation, setting, &mut |path| begin.input(path));
    let library = match (begun, interrupt.code()) {
        (Err(_), Some(code)) => return Ok(Found::Stopped(code)),
        // All inputs are opened anew at each look.
        (begun, _) => begun.map_err(|error| error.to_string())?.0,
    };
    let outcome = followed(run, &hdf5, &*library, &interrupt, writer.into_inner());
    let ended = library.end().map_err(|error| error.to_string());
    let found = outcome?;
    ended.map(|()| found)
}

/// What the library is told at its begin.
struct Beginning<'a> {
    common: &'a Common,
    hdf5: &'a Library,
    interrupt: &'a Interrupt,
    writer: &'a RefCell<Writer>,
    /// How long the first input was that may grow.
    n_places: Cell<Option<u64>>,
}

impl Beginning<'_> {
    /// An input, as soon as it is there and not empty.
    fn input(&self, path: &str) -> Result<Input> {
        loop {
            let is_over = self.writer.borrow_mut().ending(0).is_some();
            match self.open(path) {
                Ok(input) if is_over || !input.dims().contains(&0) => return Ok(input),
                Err(error) if is_over => return Err(error),
                _ if self.interrupt.is_asked() => return Err(Error::Hdf5(darkchunk_hdf5::Error::Stopped)),
                _ => std::thread::sleep(PAUSE),
            }
        }
    }

    /// Inputs that grow together are not equally long at every moment: they are told as long as the first, which they have.
    fn open(&self, path: &str) -> Result<Input> {
        let file = File::open_growing(self.hdf5, &self.common.file)?;
        let mut input = open(self.common, self.hdf5, &file, path)?;
        let limits = inspect::dataset(self.hdf5, file.id(), path)?.max_dims;
        let mut dims = input.dims().iter().zip(&limits);
        let Some(axis) = dims.position(|(dim, max)| max.is_none_or(|max| max > *dim)) else { return Ok(input) };
        match (input.dims()[axis], self.n_places.get()) {
            (0, _) => {}
            (n, None) => self.n_places.set(Some(n)),
            (n, Some(first)) if n > first => input.cut(axis, first),
            _ => {}
        }
        Ok(input)
    }
}

fn open(common: &Common, hdf5: &Library, file: &File, path: &str) -> Result<Input> {
    Input::open_growing(hdf5, file.id(), path, common.jobs.n_threads())
}

fn followed(
    run: &RunArguments,
    hdf5: &Library,
    library: &dyn Hosted,
    interrupt: &Interrupt,
    writer: Writer,
) -> Outcome {
    let common = &run.common;
    let n_workers = common.jobs.n_threads();
    let limits =
        Limits { n_threads: n_workers, n_workers, memory: common.memory.saturating_mul(1_000_000), max_block: 1 };
    say(common.style, &begin_text(common, library))?;
    let taken: Vec<Taken> = library.inputs().iter().map(|(_, taken)| taken.clone()).collect();
    let bar = spinner(common.style);
    let file = Followed {
        open: &|| {
            let file = File::open_growing(hdf5, &common.file)?;
            let inputs = library.inputs().iter().map(|(path, _)| open(common, hdf5, &file, path));
            let inputs = inputs.collect::<Result<_>>()?;
            Ok((file, inputs))
        },
        taken: &taken,
        plan: &|inputs: &[Input]| library.plan(inputs, limits),
        provenance: &|plan: &Plan| library.about().provenance(&common.file, &common.arguments, plan),
        writer,
        ended: &|ending| {
            let text = format!("{}: {}", common.file.display(), ending_words(ending, run.idle));
            bar.suspend(|| drop(say(common.style, &wrapped(0, &text))));
        },
    };
    let (to, how, process) =
        (common.output.as_deref(), (run.keep_going, run.resume), Stoppable(library.as_process(), interrupt));
    let done = slabs::follow(hdf5, to, file, &process, how, &|n| bar.set_message(format!("{n} slices")));
    bar.finish_and_clear();
    let done = done.map_err(|error| format!("{}: {error}", common.file.display()));
    match (done, interrupt.code()) {
        (Err(words), Some(code)) => {
            complain(&words);
            Ok(Found::Stopped(code))
        }
        (done, _) => {
            let summary = done?;
            common.summary(&[], 0..summary.status.len() as u64, &summary, "of these before it was finished")
        }
    }
}

fn say(style: Style, text: &str) -> std::result::Result<(), String> {
    if style.json || style.quiet { Ok(()) } else { print(text) }
}

fn begin_text(common: &Common, library: &dyn Hosted) -> String {
    let about = library.about();
    let name = about.name.clone().unwrap_or_else(|| common.library.display().to_string());
    let inputs: Vec<String> =
        library.inputs().iter().map(|(path, taken)| format!("{path}, map {:?}", taken.map)).collect();
    let head =
        format!("{}: {name} for slices of {}, as soon as they are complete", common.file.display(), inputs.join("; "));
    wrapped(0, &head) + &wrapped(2, &format!("memory: at most {} MB", common.memory))
}

fn ending_words(ending: Ending, idle: Option<f64>) -> String {
    match ending {
        Ending::Finished => "its recorder has finished".to_owned(),
        Ending::Closed => "its writer has closed it".to_owned(),
        Ending::Nobody | Ending::Broken => {
            "nobody writes to it, as far as can be seen; of one that is not seen --idle SECONDS waits for more"
                .to_owned()
        }
        Ending::Idle => format!("it has not grown for {} s", idle.unwrap_or_default()),
    }
}
