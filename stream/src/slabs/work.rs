//! A worker: calls the process for some slices after each other, and encodes what it made.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender};

use super::input::{Filled, Geometry};
use super::memory::{LINE, Memory};
use super::plan::Plan;
use super::{Call, Process, Verdict, View};
use crate::Result;

/// A slab in memory.
#[derive(Debug)]
pub(super) struct Slab {
    pub(super) number: u64,
    pub(super) inputs: Vec<Arc<Filled>>,
}

/// Slices of a slab for one worker.
pub(super) struct Task {
    pub(super) slab: Arc<Slab>,
    pub(super) first: u64,
    pub(super) n: u64,
}

/// Memory for the outputs of a task.
#[derive(Debug)]
pub(super) struct Buffer(pub(super) Vec<Memory>);

/// How one call of a task ended.
pub(super) struct Called {
    /// Slices of the task before it.
    pub(super) before: u64,
    pub(super) n: u64,
    pub(super) verdict: Verdict,
    /// Of each slice each output that is a chunk, encoded.
    pub(super) encoded: Vec<Vec<u8>>,
}

/// A task that is done.
pub(super) struct Done {
    pub(super) slab: Option<u64>,
    pub(super) first: u64,
    /// The task's slices; calls may be of fewer, where one ended the run.
    pub(super) n: u64,
    pub(super) calls: Vec<Called>,
    pub(super) buffer: Option<Buffer>,
}

/// What workers take from and give to.
pub(super) struct Channels {
    pub(super) tasks: Receiver<Task>,
    pub(super) buffers: Receiver<Buffer>,
    pub(super) done: Sender<Done>,
}

/// What all workers share.
pub(super) struct Shop<'a> {
    pub(super) plan: &'a Plan,
    pub(super) process: &'a dyn Process,
    pub(super) keep_going: bool,
    /// Slices from this one on are not wanted any more.
    pub(super) limit: AtomicU64,
}

/// What a process that panicked has failed with.
fn panicked(panic: &(dyn Any + Send)) -> Verdict {
    let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(|text| &text[..]));
    Verdict::Failed(format!("the process panicked: {}", text.unwrap_or("no reason given")))
}

impl Shop<'_> {
    /// Works until there are no more tasks.
    ///
    /// Memory for outputs is taken before a task. So the lowest slices that are not done always have some, and those that wait to be
    /// written after them cannot take all of it.
    pub(super) fn work(&self, worker: usize, channels: &Channels) {
        let mut padded: Vec<Memory> = self.plan.geometries.iter().map(|_| Memory::default()).collect();
        while let Ok(mut buffer) = channels.buffers.recv() {
            let Some(task) = self.next(channels) else { return };
            let calls = self.task(worker, &task, &mut buffer, &mut padded);
            let (first, n, slab) = (task.first, task.n, Some(task.slab.number));
            // The slab's memory is used again as soon as it is known that the task is done.
            drop(task);
            if channels.done.send(Done { slab, first, n, calls, buffer: Some(buffer) }).is_err() {
                return;
            }
        }
    }

    fn next(&self, channels: &Channels) -> Option<Task> {
        loop {
            let task = channels.tasks.recv().ok()?;
            if task.first < self.limit.load(Ordering::Acquire) {
                return Some(task);
            }
        }
    }

    fn task(&self, worker: usize, task: &Task, buffer: &mut Buffer, padded: &mut [Memory]) -> Vec<Called> {
        let (slicing, mut calls, mut done) = (&self.plan.slicing, Vec::new(), 0);
        let last = slicing.dims().last().copied().unwrap_or(1);
        let mut max_block = self.plan.limits.max_block.max(1);
        while done < task.n {
            let slice = task.first + done;
            let place = slicing.place(slice);
            let in_row = last - place.last().copied().unwrap_or(0);
            let n = max_block.min(task.n - done).min(in_row);
            let called = self.call(worker, task, (done, n, &place), buffer, padded);
            let called = called.unwrap_or_else(|error| {
                let verdict = Verdict::Failed(error.to_string());
                Called { before: done, n, verdict, encoded: Vec::new() }
            });
            let is_end = match called.verdict {
                Verdict::Failed(_) if n > 1 && self.process.survives() => {
                    max_block = 1;
                    continue;
                }
                Verdict::Stop => true,
                Verdict::Failed(_) => !self.keep_going,
                _ => false,
            };
            calls.push(called);
            if is_end {
                self.limit.fetch_min(slice + n, Ordering::AcqRel);
                break;
            }
            done += n;
        }
        calls
    }

    fn call(
        &self,
        worker: usize,
        task: &Task,
        (before, n, place): (u64, u64, &[u64]),
        buffer: &mut Buffer,
        padded: &mut [Memory],
    ) -> Result<Called> {
        let slab = &task.slab.inputs;
        for ((filled, geometry), memory) in slab.iter().zip(&self.plan.geometries).zip(padded.iter_mut()) {
            if self.is_copied(filled, geometry, place, n) {
                self.copy(filled, geometry, place, n, memory)?;
            }
        }
        let views = slab.iter().zip(&self.plan.geometries).zip(padded.iter());
        let views: Vec<View<'_>> =
            views.map(|((filled, geometry), memory)| self.view(filled, geometry, place, n, memory)).collect();
        let shapes = &self.plan.outputs;
        let mut outputs: Vec<&mut [u8]> = Vec::with_capacity(shapes.len());
        for (memory, shape) in buffer.0.iter_mut().zip(shapes) {
            let at = shape.begin(before, self.plan.limits.max_block) as usize;
            let output = &mut memory.bytes_mut()[at..at + (n * shape.slice_bytes) as usize];
            output.fill(0);
            outputs.push(output);
        }
        let call = Call { worker, slice: task.first + before, n, place, inputs: &views };
        let verdict = catch_unwind(AssertUnwindSafe(|| self.process.process(&call, &mut outputs)));
        let verdict = verdict.unwrap_or_else(|panic| panicked(&*panic));
        let encoded = if verdict == Verdict::Done { self.encode(&outputs, n)? } else { Vec::new() };
        Ok(Called { before, n, verdict, encoded })
    }

    fn encode(&self, outputs: &[&mut [u8]], n: u64) -> Result<Vec<Vec<u8>>> {
        let mut encoded = Vec::new();
        for slice in 0..n {
            for (output, shape) in outputs.iter().zip(&self.plan.outputs).filter(|(_, shape)| !shape.is_gathered()) {
                let n_bytes = shape.slice_bytes as usize;
                let at = slice as usize * n_bytes;
                encoded.push(shape.encode(&output[at..at + n_bytes])?);
            }
        }
        Ok(encoded)
    }

    /// How many slices of an input are handed in, and how many of them before the first of the call.
    fn handed_in(&self, geometry: &Geometry, n: u64) -> (u64, u64) {
        let last = self.plan.slicing.dims().len() - 1;
        if geometry.has(last) { (n + geometry.padding.0 + geometry.padding.1, geometry.padding.0) } else { (1, 0) }
    }

    /// Whether slices are not in one piece, or do not begin where they are to.
    fn is_copied(&self, filled: &Filled, geometry: &Geometry, place: &[u64], n: u64) -> bool {
        let (n, before) = self.handed_in(geometry, n);
        let (Some(at), Some(dim)) = (place.last(), self.plan.slicing.dims().last()) else { return false };
        if n > 1 && (*at < before || at - before + n > *dim) {
            return true;
        }
        let mut first = place.to_vec();
        if let Some(at) = first.last_mut() {
            *at -= before;
        }
        !filled.at(geometry, &first).is_multiple_of(LINE)
    }

    /// Copies slices, and the outermost again for those beyond an end.
    fn copy(&self, filled: &Filled, geometry: &Geometry, place: &[u64], n: u64, memory: &mut Memory) -> Result<()> {
        let (n, before) = self.handed_in(geometry, n);
        let n_bytes = geometry.slice_bytes as usize;
        memory.grow(n as usize * n_bytes)?;
        let last = place.len() - 1;
        let end = self.plan.slicing.dims()[last] - 1;
        let mut from = place.to_vec();
        for number in 0..n {
            from[last] = (place[last] + number).saturating_sub(before).min(end);
            let (at, to) = (filled.at(geometry, &from), number as usize * n_bytes);
            memory.bytes_mut()[to..to + n_bytes].copy_from_slice(&filled.bytes()[at..at + n_bytes]);
        }
        Ok(())
    }

    fn view<'v>(&self, filled: &'v Filled, geometry: &Geometry, place: &[u64], n: u64, memory: &'v Memory) -> View<'v> {
        let is_sliced = geometry.has(place.len() - 1);
        let (handed_in, before) = self.handed_in(geometry, n);
        let n_bytes = (handed_in * geometry.slice_bytes) as usize;
        let data = if self.is_copied(filled, geometry, place, n) {
            &memory.bytes()[..n_bytes]
        } else {
            let mut first = place.to_vec();
            let last = first.len() - 1;
            first[last] -= before;
            let at = filled.at(geometry, &first);
            &filled.bytes()[at..at + n_bytes]
        };
        View { data, n: handed_in, is_sliced, is_fixed: geometry.is_fixed() }
    }
}
