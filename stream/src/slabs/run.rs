//! A run: slabs are read by the calling thread, which has the reader's threads to help, and worked on by others.
//!
//! Results are taken in the order of the slices: what is written, which failure is the first, and what was done before a stop does not
//! depend on who was faster.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use super::growth::Growth;
use super::input::{Filled, Input};
use super::manifest::Slab as Finished;
use super::memory::Memory;
use super::output::{Outputs, n_buffers};
use super::plan::{Plan, SLABS};
use super::slicing::Span;
use super::summary::{Kept, Summary};
use super::work::{Buffer, Called, Channels, Done, Shop, Slab, Task};
use super::{Process, Status, Verdict};
use crate::{Error, Result};

/// How long results are waited for before the process is asked whether to end.
const TICK: Duration = Duration::from_millis(20);

/// Calls `process` for all slices, or with [`Plan::with_rank`] for this process's part of them. Where one fails the run ends, or with `keep_going` is continued. `seen` is told how many slices are done.
///
/// # Errors
/// What cannot be read; [`Error::Slice`] where the process fails, both without `keep_going`; what HDF5 and the system say. Of
/// several the one of the lowest slice.
pub fn run(
    inputs: &[Input],
    plan: &Plan,
    process: &dyn Process,
    keep_going: bool,
    seen: &dyn Fn(u64),
) -> Result<Summary> {
    run_into(inputs, plan, process, keep_going, (None, Kept::default()), seen)
}

/// The same, with outputs, after some slices that are done.
pub(super) fn run_into(
    inputs: &[Input],
    plan: &Plan,
    process: &dyn Process,
    keep_going: bool,
    (outputs, kept): (Option<&mut Outputs>, Kept),
    seen: &dyn Fn(u64),
) -> Result<Summary> {
    let shop = Shop { plan, process, keep_going, limit: AtomicU64::new(u64::MAX) };
    let (tasks, next_task) = unbounded();
    let (buffers, next_buffer) = unbounded();
    let (done, results) = unbounded();
    for _ in 0..n_buffers(plan.limits.n_workers) {
        let _ = buffers.send(buffer(plan)?);
    }
    let mut host = Host::new(inputs, &shop, outputs, seen, (tasks, buffers, results))?;
    host.keep(kept);
    std::thread::scope(|scope| {
        let mut n_workers = 0;
        for worker in 0..plan.limits.n_workers {
            let channels = Channels { tasks: next_task.clone(), buffers: next_buffer.clone(), done: done.clone() };
            let (shop, builder) = (&shop, std::thread::Builder::new().name("darkchunk-slice".into()));
            match builder.spawn_scoped(scope, move || shop.work(worker, &channels)) {
                Ok(_) => n_workers += 1,
                // Those that could be started do the work.
                Err(_) if n_workers > 0 => break,
                Err(error) => return Err(Error::Argument(format!("no thread can be started: {error}"))),
            }
        }
        drop(done);
        let ended = catch_unwind(AssertUnwindSafe(|| host.all()));
        // Workers end when nothing more can come.
        shop.limit.store(0, Ordering::Release);
        host.close();
        ended.unwrap_or_else(|panic| resume_unwind(panic))
    })?;
    host.finish()
}

/// Memory for the outputs of one task.
fn buffer(plan: &Plan) -> Result<Buffer> {
    let (n_task, max_block) = (plan.n_task, plan.limits.max_block.max(1));
    let memory = plan.outputs.iter().map(|shape| Memory::new(shape.buffer_bytes(n_task, max_block) as usize));
    Ok(Buffer(memory.collect::<std::result::Result<_, _>>()?))
}

/// Why a run ends before the last slice.
enum End {
    /// The process wants no more.
    Stop,
    /// What grows cannot be read at this moment.
    Unread,
    Failure(Error),
}

/// What the calling thread has.
struct Host<'a> {
    inputs: &'a [Input],
    plan: &'a Plan,
    shop: &'a Shop<'a>,
    outputs: Option<&'a mut Outputs>,
    seen: &'a dyn Fn(u64),
    tasks: Option<Sender<Task>>,
    buffers: Option<Sender<Buffer>>,
    results: Receiver<Done>,
    /// Results of slices after one that is not done.
    early: BTreeMap<u64, Done>,
    /// The next slice to be taken.
    next: u64,
    /// Slabs that are worked on, with their slices that are not done.
    at_work: VecDeque<(Arc<Slab>, u64)>,
    /// Where slabs end that are not finished.
    ends: VecDeque<u64>,
    /// Where the last finished one ends.
    finished: u64,
    /// What is in memory of each input.
    current: Vec<Option<Arc<Filled>>>,
    free: Vec<Vec<Memory>>,
    end: Option<End>,
    growth: Option<Arc<Growth>>,
    summary: Summary,
}

type Ends = (Sender<Task>, Sender<Buffer>, Receiver<Done>);

impl<'a> Host<'a> {
    fn new(
        inputs: &'a [Input],
        shop: &'a Shop<'a>,
        outputs: Option<&'a mut Outputs>,
        seen: &'a dyn Fn(u64),
        (tasks, buffers, results): Ends,
    ) -> Result<Self> {
        let n_slices = shop.plan.slicing.n_slices() as usize;
        let mut status = Vec::new();
        status.try_reserve_exact(n_slices).map_err(|_| darkchunk::Error::NoMemory { n_bytes: n_slices })?;
        status.resize(n_slices, Status::NotReached as u8);
        let first = shop.plan.own_slices().start;
        Ok(Self {
            inputs,
            plan: shop.plan,
            shop,
            outputs,
            seen,
            tasks: Some(tasks),
            buffers: Some(buffers),
            results,
            early: BTreeMap::new(),
            next: first,
            at_work: VecDeque::new(),
            ends: VecDeque::new(),
            finished: first,
            current: inputs.iter().map(|_| None).collect(),
            free: inputs.iter().map(|_| Vec::new()).collect(),
            end: None,
            growth: None,
            summary: Summary { status, ..Summary::default() },
        })
    }

    fn close(&mut self) {
        (self.tasks, self.buffers) = (None, None);
    }

    /// Begins after what an earlier run has finished.
    fn keep(&mut self, kept: Kept) {
        let end = self.next + kept.status.len() as u64;
        self.summary.status[self.next as usize..end as usize].copy_from_slice(&kept.status);
        (self.summary.failure, self.summary.n_kept) = (kept.failure, end - self.next);
        self.growth = kept.growth;
        (self.next, self.finished) = (end, end);
        (self.seen)(end);
    }

    /// All slabs that are not finished, one after the other.
    fn all(&mut self) -> Result<()> {
        for number in 0..self.plan.spans.len() {
            while self.at_work.len() as u64 >= SLABS && self.end.is_none() {
                self.wait()?;
            }
            let span = self.plan.spans.get(number);
            if span.first + span.n <= self.finished {
                continue;
            }
            // After the slice by which a worker has ended the run, though those before it may still be worked on.
            if self.end.is_some() || span.first >= self.shop.limit.load(Ordering::Acquire) {
                break;
            }
            match self.slab(number, &span) {
                Ok(slab) => self.hand_out(slab, &span),
                Err(error) => self.failed_slab(error, &span),
            }
        }
        while self.end.is_none() && !self.at_work.is_empty() {
            self.wait()?;
        }
        match self.end.take() {
            Some(End::Failure(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads a slab; results are taken meanwhile.
    fn slab(&mut self, number: u64, span: &Span) -> Result<Arc<Slab>> {
        let mut filled = Vec::with_capacity(self.inputs.len());
        for index in 0..self.inputs.len() {
            let extent = self.plan.geometries[index].extent(span, &self.plan.slicing);
            filled.push(self.input(index, extent)?);
        }
        Ok(Arc::new(Slab { number, inputs: filled }))
    }

    fn input(&mut self, index: usize, extent: Vec<(u64, u64)>) -> Result<Arc<Filled>> {
        if let Some(filled) = self.current[index].take() {
            if filled.extent == extent {
                self.current[index] = Some(Arc::clone(&filled));
                return Ok(filled);
            }
            self.release(index, filled);
        }
        // As much as any slab needs, so that memory is not moved to grow.
        let memory = match self.free[index].pop() {
            Some(memory) => memory,
            None => Memory::new(self.plan.inputs()[index].slab_bytes as usize)?,
        };
        let (input, geometry) = (&self.inputs[index], &self.plan.geometries[index]);
        let filled = Filled::read(input, geometry, extent, memory, &mut || self.take_ready())?;
        let filled = Arc::new(filled);
        self.current[index] = Some(Arc::clone(&filled));
        Ok(filled)
    }

    /// Has memory used again that nobody else has.
    fn release(&mut self, index: usize, filled: Arc<Filled>) {
        if let Ok(filled) = Arc::try_unwrap(filled) {
            self.free[index].push(filled.into_memory());
        }
    }

    fn hand_out(&mut self, slab: Arc<Slab>, span: &Span) {
        let n_finished = self.finished.saturating_sub(span.first);
        let mut done = n_finished;
        while done < span.n {
            let first = span.first + done;
            let n = self.plan.n_task.min(span.n - done).min(self.in_row(first));
            if let Some(tasks) = &self.tasks {
                // Workers hold the other end.
                let _ = tasks.send(Task { slab: Arc::clone(&slab), first, n });
            }
            done += n;
        }
        self.at_work.push_back((slab, span.n - n_finished));
        self.ends.push_back(span.first + span.n);
    }

    /// With blocks a task is a call, which ends with a row of the fastest axis.
    fn in_row(&self, slice: u64) -> u64 {
        let last = self.plan.slicing.dims().last().copied().unwrap_or(1);
        if self.plan.limits.max_block > 1 { last - slice % last } else { u64::MAX }
    }

    /// A slab that cannot be read: as if each of its slices had failed, after those before it.
    fn failed_slab(&mut self, error: Error, span: &Span) {
        if self.end.is_some() {
            return;
        }
        if !self.shop.keep_going || self.growth.is_some() {
            self.shop.limit.fetch_min(span.first, Ordering::AcqRel);
            let drained = (|| {
                while self.end.is_none() && !self.at_work.is_empty() {
                    self.wait()?;
                }
                Ok(())
            })();
            let unread = if self.growth.is_some() { End::Unread } else { End::Failure(error) };
            self.end.get_or_insert(drained.map_or_else(End::Failure, |()| unread));
            return;
        }
        let (first, end) = (span.first.max(self.finished), span.first + span.n);
        let call =
            Called { before: 0, n: end - first, verdict: Verdict::Failed(error.to_string()), encoded: Vec::new() };
        let done = Done { slab: None, first, n: end - first, calls: vec![call], buffer: None };
        self.early.insert(first, done);
        self.ends.push_back(end);
        if let Err(error) = self.take_in_order() {
            self.end.get_or_insert(End::Failure(error));
        }
    }

    /// Waits for one result, for some time.
    fn wait(&mut self) -> Result<()> {
        self.check_stop()?;
        match self.results.recv_timeout(TICK) {
            Ok(done) => self.take(done),
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => {
                Err(Error::Argument("all threads that work on slices have ended".into()))
            }
        }
    }

    /// Ends the run where the process says so.
    fn check_stop(&mut self) -> Result<()> {
        if !self.shop.process.is_stopped() {
            return Ok(());
        }
        let stopped = || Error::Hdf5(darkchunk_hdf5::Error::Stopped);
        self.end.get_or_insert(End::Failure(stopped()));
        Err(stopped())
    }

    /// Takes what is there.
    fn take_ready(&mut self) -> Result<()> {
        self.check_stop()?;
        while let Ok(done) = self.results.try_recv() {
            self.take(done)?;
            if self.end.is_some() {
                // The slab that is being read is not wanted any more.
                return Err(Error::Argument("the run has ended".into()));
            }
        }
        Ok(())
    }

    fn take(&mut self, done: Done) -> Result<()> {
        if let Some(number) = done.slab {
            self.note(number, done.n);
        }
        self.early.insert(done.first, done);
        let taken = self.take_in_order();
        if let Err(error) = taken {
            self.end.get_or_insert(End::Failure(error));
        }
        Ok(())
    }

    /// Slices of a slab are done: its memory may be free.
    fn note(&mut self, number: u64, n: u64) {
        let Some(at) = self.at_work.iter().position(|(slab, _)| slab.number == number) else { return };
        self.at_work[at].1 -= n;
        if self.at_work[at].1 > 0 {
            return;
        }
        let Some((slab, _)) = self.at_work.remove(at) else { return };
        if let Ok(slab) = Arc::try_unwrap(slab) {
            for (index, filled) in slab.inputs.into_iter().enumerate() {
                self.release(index, filled);
            }
        }
    }

    /// Takes all results that are next.
    fn take_in_order(&mut self) -> Result<()> {
        while self.end.is_none()
            && let Some(done) = self.early.remove(&self.next)
        {
            let mut slice = done.first;
            for call in &done.calls {
                self.called(slice, call, done.buffer.as_ref())?;
                slice += call.n;
                if self.end.is_some() {
                    return Ok(());
                }
            }
            self.next = done.first + done.n;
            (self.seen)(self.next);
            self.note_finished()?;
            if let (Some(buffers), Some(buffer)) = (&self.buffers, done.buffer) {
                let _ = buffers.send(buffer);
            }
        }
        Ok(())
    }

    /// Notes slabs of which all results are taken.
    fn note_finished(&mut self) -> Result<()> {
        while let Some(end) = self.ends.front().copied().filter(|end| *end <= self.next) {
            self.ends.pop_front();
            let state = self.growth.as_ref().map(|growth| growth.state(self.plan, self.finished..end));
            if let Some(outputs) = &mut self.outputs {
                let status = self.summary.status[self.finished as usize..end as usize].to_vec();
                let failure = self.summary.failure.clone();
                outputs.note(Finished { end, status, failure, state, ..Finished::default() })?;
            }
            self.finished = end;
        }
        Ok(())
    }

    fn called(&mut self, slice: u64, call: &Called, buffer: Option<&Buffer>) -> Result<()> {
        let status = match &call.verdict {
            Verdict::Done => {
                self.put(slice, call, buffer)?;
                Status::Done
            }
            Verdict::Skip => Status::Skipped,
            Verdict::Stop => {
                (self.end, self.summary.is_stopped) = (Some(End::Stop), true);
                return Ok(());
            }
            Verdict::Failed(reason) => {
                // What was told to end together with this process has not failed.
                self.check_stop()?;
                if !self.shop.keep_going {
                    return Err(Error::Slice { slice, reason: reason.clone() });
                }
                self.summary.failure.get_or_insert_with(|| (slice, reason.clone()));
                Status::Failed
            }
        };
        self.summary.status[slice as usize..(slice + call.n) as usize].fill(status as u8);
        Ok(())
    }

    /// Writes the outputs of a call.
    fn put(&mut self, slice: u64, call: &Called, buffer: Option<&Buffer>) -> Result<()> {
        let Some(outputs) = &mut self.outputs else { return Ok(()) };
        let mut encoded = call.encoded.iter();
        for at in 0..call.n {
            let place = self.plan.slicing.place(slice + at);
            for (output, shape) in self.plan.outputs.iter().enumerate() {
                if !shape.is_gathered() {
                    let chunk = encoded.next().map_or(&[][..], Vec::as_slice);
                    outputs.put_chunk(output, &place, chunk)?;
                } else if let Some(buffer) = buffer {
                    let n_bytes = shape.slice_bytes as usize;
                    let from = shape.begin(call.before, self.plan.limits.max_block) as usize + at as usize * n_bytes;
                    outputs.put_slice(output, &place, &buffer.0[output].bytes()[from..from + n_bytes])?;
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Summary> {
        let mut summary = Summary { finished: self.finished, ..self.summary };
        let own = self.plan.own_slices();
        let own = &summary.status[own.start as usize..own.end as usize];
        let count = |status: Status| own.iter().filter(|found| **found == status as u8).count() as u64;
        let counts = [Status::Done, Status::Skipped, Status::Failed, Status::NotReached].map(count);
        [summary.n_done, summary.n_skipped, summary.n_failed, summary.n_not_reached] = counts;
        summary.statistics = self.inputs.iter().map(|input| input.reader.statistics()).collect();
        Ok(summary)
    }
}
