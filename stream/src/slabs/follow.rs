//! A run over inputs that grow along the first slicing axis: slices are worked on as soon as they are complete.
//!
//! The file is looked at again and again. Outputs go to a file with nothing but their chunks, and a manifest, as if a run had been
//! ended. When the writer is done all is opened once more, and a run that resumes makes the file of results: so it is the same as that of a run
//! over the finished file, byte by byte, and what changed after it was read is done again.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use darkchunk_hdf5::{File, Library};

use super::growth::Growth;
use super::input::{Input, Taken};
use super::manifest::{Left, Manifest};
use super::output::Outputs;
use super::plan::Plan;
use super::results::{Provenance, growing_identity, keep, kept, left, unfinished, write};
use super::run::run_into;
use super::summary::{Kept, Summary};
use super::{Ending, Process, Writer};
use crate::temporary::Temporary;
use crate::{Error, Result};

/// From a look to the next, at least; and how often it is asked meanwhile whether to end.
const LOOK: Duration = Duration::from_millis(200);
const TICK: Duration = Duration::from_millis(20);

/// What is followed.
pub struct Followed<'a> {
    /// Opens the file anew, and all inputs.
    pub open: &'a dyn Fn() -> Result<(File, Vec<Input>)>,
    /// How slices are taken of the inputs.
    pub taken: &'a [Taken],
    /// Makes a plan of them.
    pub plan: &'a dyn Fn(&[Input]) -> Result<Plan>,
    /// What is stored about a run with such a plan.
    pub provenance: &'a dyn Fn(&Plan) -> Provenance,
    /// Who writes it.
    pub writer: Writer,
    /// Is told when the writer is done, and how that is known.
    pub ended: &'a dyn Fn(Ending),
}

/// Calls `process` for slices as they become complete, until the writer is done; then for the rest. Outputs are written to the new file `to`, where there
/// is one. Growth is along the first slicing axis. With `resume` it goes on with what an earlier run has finished that followed the same file.
///
/// # Errors
/// As [`write`](fn@super::write), and [`Error::Argument`] where an input grows along another axis, or its recorder has not finished.
pub fn follow(
    library: &Library,
    to: Option<&Path>,
    file: Followed<'_>,
    process: &dyn Process,
    (keep_going, resume): (bool, bool),
    seen: &dyn Fn(u64),
) -> Result<Summary> {
    if let Some(to) = to.filter(|to| to.exists()) {
        return Err(Error::Argument(format!("{} is there already", to.display())));
    }
    let mut follower = Follower { to, file, process, keep_going, resume, seen, state: State::default() };
    let ending = match follower.rounds() {
        Ok(ending) => ending,
        Err(error) => return Err(follower.state.kept(error)),
    };
    (follower.file.ended)(ending);
    follower.finish(library)
}

struct Follower<'a> {
    to: Option<&'a Path>,
    file: Followed<'a>,
    process: &'a dyn Process,
    keep_going: bool,
    resume: bool,
    seen: &'a dyn Fn(u64),
    state: State,
}

/// What is done so far.
#[derive(Default)]
struct State {
    /// The extents of inputs, but for the axis that grows.
    dims: Option<Vec<Vec<u64>>>,
    n_chunks: u64,
    status: Vec<u8>,
    failure: Option<(u64, String)>,
    /// The slices of each round, and the state of what they were made of.
    rounds: Vec<(Range<u64>, u64)>,
    is_stopped: bool,
    spool: Option<Spool>,
}

/// Outputs so far.
struct Spool {
    temporary: Temporary,
    outputs: Outputs,
    left: Vec<Left>,
}

impl Follower<'_> {
    /// Rounds until the writer is done.
    fn rounds(&mut self) -> Result<Ending> {
        loop {
            let begin = Instant::now();
            // Before the look; all is looked at once more when it is done.
            match self.file.writer.ending(self.state.n_chunks) {
                Some(Ending::Broken) => {
                    return Err(Error::Argument(
                        "its recorder has ended without finishing it: darkchunk recover --in-place restores it".into(),
                    ));
                }
                Some(ending) => return Ok(ending),
                None => {}
            }
            let opened = (self.file.open)();
            let looked = begin.elapsed();
            // A file that is being changed at this moment can perhaps not be opened.
            if let Ok((_file, inputs)) = opened {
                self.look(inputs)?;
            }
            self.pause(LOOK.max(looked * 4))?;
        }
    }

    fn pause(&self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        loop {
            if self.process.is_stopped() {
                return Err(Error::Hdf5(darkchunk_hdf5::Error::Stopped));
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(TICK));
        }
    }

    /// Works on what is complete and was not.
    fn look(&mut self, mut inputs: Vec<Input>) -> Result<()> {
        let axes: Vec<_> = self.file.taken.iter().map(|taken| taken.map.iter().position(|axis| *axis == 1)).collect();
        self.check(&inputs, &axes)?;
        let growth = Growth::of(&inputs, &axes)?;
        self.state.n_chunks = growth.n_chunks();
        let n_complete = growth.n_complete();
        if n_complete == 0 || self.state.is_stopped {
            return Ok(());
        }
        for (input, axis) in inputs.iter_mut().zip(&axes) {
            axis.iter().for_each(|axis| input.cut(*axis, n_complete));
        }
        let plan = (self.file.plan)(&inputs)?.of_complete(n_complete);
        self.begin(&inputs, &plan)?;
        if plan.own_slices().end > self.state.status.len() as u64 { self.round(&inputs, &plan, growth) } else { Ok(()) }
    }

    /// Growth is along one axis.
    fn check(&mut self, inputs: &[Input], axes: &[Option<usize>]) -> Result<()> {
        let others = |(input, axis): (&Input, &Option<usize>)| {
            let dims = input.dims().iter().enumerate().map(|(at, dim)| if Some(at) == *axis { 0 } else { *dim });
            dims.collect::<Vec<_>>()
        };
        let found: Vec<_> = inputs.iter().zip(axes).map(others).collect();
        let known = self.state.dims.get_or_insert_with(|| found.clone());
        match inputs.iter().zip(known.iter().zip(&found)).find(|(_, (known, found))| known != found) {
            Some((input, _)) => Err(Error::Argument(format!(
                "{} grows along another axis than slicing axis 1: run it when it is finished",
                input.name()
            ))),
            None => Ok(()),
        }
    }

    /// Before the first round: a place for the outputs, with those of an earlier run.
    fn begin(&mut self, inputs: &[Input], plan: &Plan) -> Result<()> {
        let Some(to) = self.to.filter(|_| self.state.spool.is_none()) else { return Ok(()) };
        let run = growing_identity(plan, &(self.file.provenance)(plan));
        let left = left(to, &[&run], self.resume)?;
        let place = unfinished(to, plan.rank.rank)?;
        let temporary = Temporary(Some(place.clone()));
        let failed = |error: std::io::Error| Error::Argument(format!("{}: {error}", place.display()));
        let file = std::fs::File::options().write(true).open(&place).map_err(failed)?;
        let mut outputs = Outputs::spool(file, &plan.outputs).noted_by(Manifest::begin(&place, &run)?);
        let kept = kept(&left, (inputs, plan), &mut outputs);
        self.state.spool = Some(Spool { temporary, outputs, left });
        let Kept { status, failure, .. } = kept?;
        (self.state.status, self.state.failure) = (status, failure);
        Ok(())
    }

    fn round(&mut self, inputs: &[Input], plan: &Plan, growth: Growth) -> Result<()> {
        let (growth, state) = (Arc::new(growth), &mut self.state);
        let (status, failure) = (state.status.clone(), state.failure.clone());
        let kept = Kept { status, failure, growth: Some(Arc::clone(&growth)) };
        let outputs = state.spool.as_mut().map(|spool| &mut spool.outputs);
        let summary = run_into(inputs, plan, self.process, self.keep_going, (outputs, kept), self.seen)?;
        let done = state.status.len() as u64..summary.finished;
        state.status = summary.status[..summary.finished as usize].to_vec();
        state.failure = summary.failure.filter(|(slice, _)| *slice < summary.finished);
        state.rounds.push((done.clone(), growth.state(plan, done)));
        state.is_stopped = summary.is_stopped;
        Ok(())
    }

    /// The run over the finished file, after what is done.
    fn finish(self, library: &Library) -> Result<Summary> {
        let Self { to, file, process, keep_going, seen, mut state, .. } = self;
        let opened = (file.open)().and_then(|(opened, inputs)| Ok(((file.plan)(&inputs)?, opened, inputs)));
        let (plan, _opened, inputs) = match opened {
            Ok(opened) => opened,
            Err(error) => return Err(state.kept(error)),
        };
        let Some(to) = to else {
            let kept = state.unchanged(&inputs, &plan)?;
            return run_into(&inputs, &plan, process, keep_going, (None, kept), seen);
        };
        if let Some(Spool { temporary, outputs, .. }) = state.spool.take() {
            match outputs.close() {
                Some(manifest) if manifest.end > 0 => temporary.keep(),
                manifest => manifest.into_iter().for_each(Manifest::remove),
            }
        }
        let provenance = (file.provenance)(&plan);
        write(library, to, (&inputs, &plan), process, keep_going, (&provenance, true), seen)
    }
}

impl State {
    /// Leaves what is finished for a run that resumes.
    fn kept(self, error: Error) -> Error {
        match self.spool {
            Some(Spool { temporary, outputs, left }) => keep(temporary, outputs.close(), left, error),
            None => error,
        }
    }

    /// What was made of chunks that are still the same.
    fn unchanged(mut self, inputs: &[Input], plan: &Plan) -> Result<Kept> {
        if self.rounds.is_empty() {
            return Ok(Kept::default());
        }
        let (growth, n_slices) = (plan.growth(inputs)?, plan.slicing().n_slices());
        let is_same = |(slices, state): &&(Range<u64>, u64)| {
            slices.end <= n_slices && growth.state(plan, slices.clone()) == *state
        };
        let end = self.rounds.iter().take_while(is_same).last().map_or(0, |(slices, _)| slices.end);
        self.status.truncate(end as usize);
        let failure = self.failure.filter(|(slice, _)| *slice < end);
        Ok(Kept { status: self.status, failure, growth: None })
    }
}
