//! How a recorder is made: dataset, columns, journal, reserve, workers.

use std::sync::Arc;

use darkchunk::chunk::{Filter, FrameEncoder, Processing};
use darkchunk_hdf5::api::Hid;
use darkchunk_hdf5::{ChunkWriter, Columns, Dataset, FileElement, Library, Recording, measurement};

use super::Recorder;
use super::blocks::Blocks;
use super::bricks::Bricks;
use super::buffer::{Buffer, Pool};
use super::changes::Changes;
use super::encoded::Checks;
use super::inner::Inner;
use super::live::{Live, Viewed};
use super::monitor::Monitor;
use super::noted::Noted;
use super::options::Options;
use super::order::Order;
use super::room::Room;
use super::share::Share;
use super::shared::Shared;
use super::sink::Sink;
use super::sums::ClassOf;
use super::threads::Threads;
use super::veto::Meter;
use super::work::{Plan, Worker};
use crate::{Error, Result};

impl<P: FileElement + Into<i64>, B: Buffer> Recorder<P, B> {
    /// Makes a dataset below the file or group `at`, and records to it. The file is flushed, so that a crash leaves one that opens.
    ///
    /// # Errors
    /// As [`Writer::create`](darkchunk_hdf5::Writer::create); [`Error::Argument`] for options that do not fit the frames, and where the
    /// system starts no thread; [`Error::Journal`] where the journal of a recording that did not finish is beside the file;
    /// [`Error::Reserve`] where there is no room for the reserve; [`Error::Index`] where an index of blocks cannot be made.
    pub fn create(
        library: &Library,
        at: Hid,
        dataset: &Dataset,
        processing: impl Into<Arc<Processing<P>>>,
        options: Options<P>,
    ) -> Result<Self> {
        Columns::check(library, &options.columns)?;
        let classes = options.classes.as_ref().map(|classes| ClassOf::new(classes, &options.columns)).transpose()?;
        let processing = processing.into();
        let chunks = ChunkWriter::create(library, at, dataset, P::TYPE)?;
        if options.journal {
            Noted::check(&chunks)?;
        }
        let (layer, shape, filter) = (chunks.layer(), *chunks.shape(), chunks.filter()?);
        let shared = Arc::new(Shared::new(Order::new(options.rules(&layer, &shape, P::TYPE)?)));
        let frame_bytes = options.format.frame_bytes(layer.frame_pixels(), P::TYPE);
        let encoders = encoders(&chunks, filter.as_ref(), &processing, options.n_workers)?;
        let checks = Arc::new(Checks::new(&layer, &shape, filter.clone(), &processing, &options));
        let (shown, number) = ((layer, shape, filter.as_ref()), options.numbering());
        let changes = Changes::new(&processing);
        let viewed = Viewed::new(shown, &dataset.compression, &changes, number, classes);
        let room = Room::keep(&chunks, options.reserve_bytes)?;
        let blocks = options.index.as_deref().map(|path| Blocks::begin(path, filter.as_ref())).transpose()?;
        let sink = sink(library, at, dataset, chunks, &encoders[0].0, (room, blocks), &options)?;
        let (row_bytes, journal, policy) = (sink.row_bytes(), sink.journal(), options.policy);
        let (writer_thread, in_place) = (options.writer_thread, options.in_place);
        let workers = workers(encoders, filter.as_ref(), options, (&checks, &viewed, &changes));
        let (sums, maxima) = workers.iter().map(|worker| (worker.sums(), worker.maximum())).unzip();
        let live = Live::new(viewed, sums, maxima);
        let threads = Threads::start(Arc::clone(&shared), workers, sink, writer_thread)
            .map_err(|error| Error::Argument(format!("the system starts no thread that writes: {error}")))?;
        let (monitor, pool) = (Monitor::new(&shared), Pool::default());
        let (is_ended, is_finished) = (false, false);
        let inner = Inner {
            shared,
            threads,
            pool,
            frame_bytes,
            row_bytes,
            journal,
            checks,
            changes,
            policy,
            in_place,
            is_ended,
            is_finished,
        };
        Ok(Self { inner: Some(Box::new(inner)), monitor, live })
    }
}

/// What a worker encodes with.
type Encoders<P> = (FrameEncoder<P>, Option<Bricks>);

/// For the pushing thread, and for each worker.
fn encoders<P: FileElement>(
    chunks: &ChunkWriter,
    filter: Option<&Filter>,
    processing: &Arc<Processing<P>>,
    n_workers: usize,
) -> darkchunk_hdf5::Result<Vec<Encoders<P>>> {
    let made = || {
        let layer = chunks.layer();
        let bricks = Bricks::new(&layer, chunks.shape(), P::TYPE.n_bytes, filter, processing.exec);
        let filter = filter.filter(|_| bricks.is_none()).cloned();
        Ok((FrameEncoder::new(layer, filter, Arc::clone(processing))?, bricks))
    };
    (0..=n_workers).map(|_| made().map_err(|error: darkchunk::Error| error.into())).collect()
}

/// Gives the dataset its name, and makes what is beside it.
fn sink<P: FileElement, T>(
    library: &Library,
    at: Hid,
    dataset: &Dataset,
    mut chunks: ChunkWriter,
    encoder: &FrameEncoder<P>,
    (room, blocks): (Room, Option<Blocks>),
    options: &Options<P>,
) -> Result<Sink<T>> {
    let mut recording = Recording::publish(encoder, &mut chunks)?;
    let group = format!("{}_darkchunk", dataset.path);
    let columns = Columns::create(library, at, &group, &options.columns)?;
    if let Some(Share { first, frames, every }) = options.share {
        measurement::mark(&chunks, [options.first_number, first, frames, every], &options.columns)?;
    }
    if options.swmr {
        recording = recording.start_swmr(encoder, &mut chunks)?;
    }
    chunks.flush()?;
    let journal = if options.journal { Noted::open(&chunks, dataset, P::TYPE, &options.columns)? } else { None };
    Ok(Sink::new(chunks, columns, recording, journal, blocks, room, options.flush))
}

fn workers<P: FileElement + Into<i64>>(
    encoders: Vec<Encoders<P>>,
    filter: Option<&Filter>,
    options: Options<P>,
    (checks, viewed, changes): (&Arc<Checks>, &Arc<Viewed<P>>, &Arc<Changes<P>>),
) -> Vec<Worker<P>> {
    let meter = Arc::new(Meter::new(&encoders[0].0, filter));
    let numbering = options.numbering();
    let Options { format, in_place, veto, maximum, index, .. } = options;
    let plan = Plan {
        format,
        in_place,
        veto,
        meter,
        numbering,
        chunks: Pool::default(),
        checks: Arc::clone(checks),
        walks: filter.filter(|_| index.is_some()).cloned(),
        viewed: Arc::clone(viewed),
        changes: Arc::clone(changes),
        filter: filter.cloned(),
        maximum,
    };
    encoders.into_iter().map(|(encoder, bricks)| Worker::new(encoder, bricks, plan.clone())).collect()
}
