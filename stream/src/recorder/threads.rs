//! The threads of a recorder: workers that encode, and where HDF5 was handed over one that writes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use darkchunk::chunk::FrameEncoder;
use darkchunk_hdf5::{FileElement, FrameStatus};

use super::buffer::Frame;
use super::options::MAX_JOBS;
use super::order::Job;
use super::parked::Parked;
use super::shared::Shared;
use super::sink::Sink;
use super::work::{Done, Worker};

/// What comes to the one that calls HDF5.
#[derive(Debug)]
enum Message<T> {
    Done(Done<T>),
    /// A frame for which there was no memory, with its metadata.
    Dropped(u64, Vec<u8>),
    Flush {
        sync: bool,
        reply: Sender<darkchunk_hdf5::Result<()>>,
    },
}

/// The one that calls HDF5.
#[derive(Debug)]
enum Writer<T> {
    /// The pushing thread.
    Here(Box<Sink<T>>),
    Thread(JoinHandle<Box<Sink<T>>>),
    /// A thread that has panicked.
    Gone,
}

/// All threads, as the pushing one sees them.
#[derive(Debug)]
pub(super) struct Threads<P, T> {
    shared: Arc<Shared<T>>,
    own: Worker<P>,
    workers: Vec<JoinHandle<Worker<P>>>,
    jobs: Option<Sender<Job<T>>>,
    waiting: Receiver<Job<T>>,
    done: Option<Sender<Message<T>>>,
    messages: Receiver<Message<T>>,
    writer: Writer<T>,
    /// Frames that were dropped, with their metadata, and that the thread that writes has not been told of yet.
    dropped: Parked,
}

impl<P: FileElement + Into<i64>, T: Frame> Threads<P, T> {
    /// Starts a thread for each of `workers` but the first, which is for this thread. Where one cannot be started, there are fewer.
    pub(super) fn start(
        shared: Arc<Shared<T>>,
        mut workers: Vec<Worker<P>>,
        sink: Sink<T>,
        writer_thread: bool,
    ) -> std::io::Result<Self> {
        let ((jobs, waiting), (done, messages)) = (bounded(MAX_JOBS), bounded(MAX_JOBS));
        let writer = if writer_thread {
            let (shared, messages) = (Arc::clone(&shared), messages.clone());
            let write = move || write(Box::new(sink), &messages, &shared);
            Writer::Thread(Builder::new().name("darkchunk-write".to_owned()).spawn(write)?)
        } else {
            Writer::Here(Box::new(sink))
        };
        let start = |worker| {
            let (waiting, done) = (waiting.clone(), done.clone());
            let work = move || encode(worker, &waiting, &done);
            Builder::new().name("darkchunk-encode".to_owned()).spawn(work).ok()
        };
        let own = workers.swap_remove(0);
        let workers = workers.into_iter().map_while(start).collect();
        Ok(Self {
            shared,
            own,
            workers,
            jobs: Some(jobs),
            waiting,
            done: Some(done),
            messages,
            writer,
            dropped: Parked::default(),
        })
    }

    /// Hands the chunks that are ready to the workers; does their work where there are none.
    pub(super) fn dispatch(&mut self) {
        let Some(jobs) = &self.jobs else { return };
        loop {
            let Some(job) = self.shared.lock().order.next_job() else { break };
            match jobs.try_send(job) {
                Ok(()) => {}
                Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => {
                    self.shared.lock().order.put_back(job);
                    break;
                }
            }
        }
        while self.workers.is_empty() && self.help() {}
    }

    /// Encodes one chunk that waits. Says whether there was one.
    pub(super) fn help(&mut self) -> bool {
        let Ok(job) = self.waiting.try_recv() else { return false };
        let done = self.own.work(job);
        match (&mut self.writer, &self.done) {
            (Writer::Here(sink), _) => sink.take(done, &self.shared),
            (_, Some(messages)) => drop(messages.send(Message::Done(done))),
            _ => {}
        }
        true
    }

    /// Where this thread is the one that calls HDF5: stores what is encoded.
    pub(super) fn store(&mut self) {
        self.tell_dropped();
        let Writer::Here(sink) = &mut self.writer else { return };
        while let Ok(message) = self.messages.try_recv() {
            handle(sink, message, &self.shared);
        }
        sink.go_on(&self.shared);
    }

    /// Waits until something was encoded or stored, a moment at most.
    pub(super) fn wait(&mut self) {
        const MOMENT: Duration = Duration::from_millis(20);
        let Writer::Here(sink) = &mut self.writer else {
            drop(self.shared.wait(self.shared.lock()));
            return;
        };
        match self.messages.recv_timeout(MOMENT) {
            Ok(message) => handle(sink, message, &self.shared),
            Err(_) => sink.go_on(&self.shared),
        }
    }

    /// Notes a frame for which there was no memory, with its metadata. Does not wait for HDF5.
    pub(super) fn note_dropped(&mut self, index: u64, row: &[u8]) {
        if let Writer::Here(sink) = &mut self.writer {
            return sink.note_dropped(index, row);
        }
        self.dropped.push(index, FrameStatus::Dropped, row);
        self.tell_dropped();
    }

    /// Tells the thread that writes of frames that were dropped, as far as there is room in its queue.
    fn tell_dropped(&mut self) {
        let Some(messages) = &self.done else { return };
        while let Some((index, _, row)) = self.dropped.front().filter(|_| !messages.is_full()) {
            if messages.try_send(Message::Dropped(index, row.to_vec())).is_err() {
                break;
            }
            self.dropped.pop();
        }
        self.shared.not_kept(&mut self.dropped);
    }

    /// The same, and waits for the room.
    fn tell_all_dropped(&mut self) {
        let Some(messages) = &self.done else { return };
        while let Some((index, _, row)) = self.dropped.front() {
            let _ = messages.send(Message::Dropped(index, row.to_vec()));
            self.dropped.pop();
        }
    }

    /// Waits until every chunk that was closed is encoded, and helps.
    pub(super) fn encode_all(&mut self) {
        loop {
            self.dispatch();
            self.store();
            if self.shared.lock().order.n_jobs() == 0 {
                return;
            }
            if !self.help() {
                self.wait();
            }
        }
    }

    /// The encoder of this thread's own worker.
    pub(super) fn encoder(&self) -> &FrameEncoder<P> {
        self.own.encoder()
    }

    pub(super) fn flush(&mut self, sync: bool) -> darkchunk_hdf5::Result<()> {
        self.tell_all_dropped();
        match (&mut self.writer, &self.done) {
            (Writer::Here(sink), _) => sink.flush_now(sync, &self.shared),
            (_, Some(messages)) => {
                let (reply, answer) = bounded(1);
                let _ = messages.send(Message::Flush { sync, reply });
                answer.recv().unwrap_or_else(|_| Err(gone()))
            }
            _ => Err(gone()),
        }
    }

    /// Ends all threads, and stores what there is to be stored at the end. May be called again.
    pub(super) fn finish(&mut self) -> darkchunk_hdf5::Result<()> {
        self.encode_all();
        self.jobs = None;
        for worker in self.workers.drain(..) {
            if let Ok(worker) = worker.join() {
                self.own.add_sum_of(&worker);
            }
        }
        self.tell_all_dropped();
        self.done = None;
        self.writer = match std::mem::replace(&mut self.writer, Writer::Gone) {
            Writer::Thread(thread) => thread.join().map_or(Writer::Gone, Writer::Here),
            other => other,
        };
        self.store();
        let Writer::Here(sink) = &mut self.writer else { return Err(gone()) };
        let n_frames = self.shared.lock().order.n_frames();
        sink.finish(n_frames, self.own.sum(), &self.shared)
    }

    /// After [`finish`](Self::finish) has failed: ends without what HDF5 does not take.
    pub(super) fn abandon(&mut self) -> darkchunk_hdf5::Result<()> {
        let Writer::Here(sink) = &mut self.writer else { return Err(gone()) };
        let n_frames = self.shared.lock().order.n_frames();
        sink.abandon(n_frames, &self.shared)
    }
}

fn encode<P: FileElement + Into<i64>, T: Frame>(
    mut worker: Worker<P>,
    waiting: &Receiver<Job<T>>,
    done: &Sender<Message<T>>,
) -> Worker<P> {
    while let Ok(job) = waiting.recv() {
        let encoded = worker.work(job);
        if done.send(Message::Done(encoded)).is_err() {
            break;
        }
    }
    worker
}

fn write<T>(mut sink: Box<Sink<T>>, messages: &Receiver<Message<T>>, shared: &Shared<T>) -> Box<Sink<T>> {
    const IDLE: Duration = Duration::from_millis(50);
    loop {
        let message = match messages.recv_timeout(IDLE) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return sink,
        };
        survive(shared, || match message {
            Some(message) => handle(&mut sink, message, shared),
            None => sink.go_on(shared),
        });
    }
}

/// Does something that may panic: a fault of ours must not leave the others waiting for a thread that is gone.
fn survive<T>(shared: &Shared<T>, work: impl FnOnce()) {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| shared.note(Err(gone())));
}

fn handle<T>(sink: &mut Sink<T>, message: Message<T>, shared: &Shared<T>) {
    match message {
        Message::Done(done) => sink.take(done, shared),
        Message::Dropped(index, row) => sink.note_dropped(index, &row),
        Message::Flush { sync, reply } => drop(reply.send(sink.flush_now(sync, shared))),
    }
}

fn gone() -> darkchunk_hdf5::Error {
    let text =
        "darkchunk has a bug: the thread that writes has panicked. Finish the recording, and report the panic's text";
    darkchunk_hdf5::Error::Unsupported(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::order::{Order, Rules};
    use super::super::share::Numbering;
    use super::*;

    #[test]
    fn a_panic_of_the_thread_that_writes_is_told_and_the_thread_goes_on() {
        let rules = Rules {
            frames_per_chunk: 1,
            numbering: Numbering::from(0),
            reorder: 0,
            max_gap: 1,
            max_bytes: 1,
            max_jobs: 1,
            pixel_bytes: 1,
        };
        let shared = Shared::<()>::new(Order::new(rules));
        survive(&shared, || panic!("a fault"));
        survive(&shared, || {
            let _shown = shared.lock();
            panic!("a fault while others wait for the lock");
        });
        let shown = shared.lock();
        let text = shown.trouble.as_ref().map(ToString::to_string).unwrap_or_default();
        assert!(shown.is_news && text.contains("the thread that writes has panicked"), "{text}");
    }
}
