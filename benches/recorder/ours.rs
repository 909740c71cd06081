//! The recorder beside the fused pass alone: `ours SECONDS FOLDER FRAMES.raw`. Prints a line of JSON for each way.
//!
//! 1024 x 1024 `int16`, dark image, threshold, sum, DRLE; frames in memory, used again and again, lent and not copied. The ways take turns, and
//! the best turn of each counts. `fused`: encoded by one thread, written nowhere. `recorder`: with so many workers, beside the pushing
//! thread that helps where it has nothing else to do; 14 columns of metadata with each frame, a flush a second, one chunk a frame.
//! FRAMES.raw has the same frames and the dark image, for the other programs: dark image first; FRAMES.threshold the threshold.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use darkchunk::chunk::{ChunkShape, Compression, Filter, FrameEncoder, Processing};
use darkchunk::element::{ElementType, as_bytes};
use darkchunk_hdf5::{Column, Dataset, File, Library, Number};
use darkchunk_sim::Camera;
use darkchunk_stream::recorder::{Options, Recorder};
use serde_json::json;

const SHAPE: (usize, usize) = (1024, 1024);
const N_FRAMES: usize = 64;
const N_COLUMNS: usize = 14;
const ROUNDS: usize = 5;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

struct Case {
    library: Library,
    frames: Vec<Arc<[i16]>>,
    processing: Arc<Processing<i16>>,
    dataset: Dataset,
    turn: Duration,
}

/// What a turn took.
struct Turn {
    n_frames: u64,
    seconds: f64,
    cpu_seconds: f64,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [seconds, folder, raw] = &arguments[..] else { return Err("usage: ours SECONDS FOLDER FRAMES.raw".into()) };
    let case = Case::new(Duration::from_secs_f64(seconds.parse()?), Path::new(raw))?;
    let file: PathBuf = Path::new(folder).join("recorder.h5");
    let mut best: Vec<Option<Turn>> = vec![None, None, None, None];
    for _ in 0..ROUNDS {
        for (way, best) in best.iter_mut().enumerate() {
            let turn = if way == 0 { case.fused()? } else { case.recorder(way - 1, &file)? };
            if best
                .as_ref()
                .is_none_or(|best| turn.seconds / (turn.n_frames as f64) < best.seconds / best.n_frames as f64)
            {
                *best = Some(turn);
            }
        }
    }
    std::fs::remove_file(&file)?;
    for (way, turn) in best.iter().enumerate() {
        let Some(Turn { n_frames, seconds, cpu_seconds }) = turn else { continue };
        let name = if way == 0 { "fused pass alone".to_owned() } else { format!("recorder, {} workers", way - 1) };
        let per_frame = cpu_seconds / *n_frames as f64;
        println!("{}", json!({ "name": name, "frames_per_s": *n_frames as f64 / seconds, "cpu_us": 1e6 * per_frame }));
    }
    Ok(())
}

impl Case {
    fn new(turn: Duration, raw: &Path) -> Result<Self> {
        let mut camera = Camera::new(SHAPE, 0.0056, 1);
        let (height, width) = SHAPE;
        let frames: Vec<Arc<[i16]>> = (0..N_FRAMES)
            .map(|_| {
                let mut frame = vec![0_i16; height * width];
                camera.next_frame(&mut frame);
                frame.into()
            })
            .collect();
        let all: Vec<i16> = camera.dark().iter().chain(frames.iter().flat_map(|frame| frame.iter())).copied().collect();
        std::fs::write(raw, as_bytes(&all))?;
        std::fs::write(raw.with_extension("threshold"), camera.threshold().to_string())?;
        let processing = Processing { dark: Some(camera.dark().into()), ..Processing::default() };
        let dataset = Dataset::new(height, width, Compression::drle(camera.threshold().cast_unsigned()));
        Ok(Self { library: darkchunk_hdf5::load::library()?, frames, processing: processing.into(), dataset, turn })
    }

    fn fused(&self) -> Result<Turn> {
        let Dataset { height, width, compression, .. } = &self.dataset;
        let shape = ChunkShape { n_frames: 1, height: *height, width: *width };
        let values = Filter::localise(36114, &compression.values, &shape.layout(ElementType::I16)?)?;
        let filter = Filter::from_cd_values(36114, &values)?;
        let mut encoder = FrameEncoder::new(shape, Some(filter), Arc::clone(&self.processing))?;
        self.timed(
            |frame, _| {
                encoder.push(frame)?;
                std::hint::black_box(encoder.encode()?);
                encoder.clear();
                Ok(())
            },
            || Ok(()),
        )
    }

    fn recorder(&self, n_workers: usize, path: &Path) -> Result<Turn> {
        let columns = (0..N_COLUMNS).map(|n| Column::new(&format!("column{n}"), Number::F64)).collect();
        let options = Options { n_workers, columns, ..Options::default() };
        let file = File::create(&self.library, path)?;
        let made = Recorder::create(&self.library, file.id(), &self.dataset, Arc::clone(&self.processing), options)?;
        let recorder = std::cell::RefCell::new(made);
        let mut row = [0_u8; 8 * N_COLUMNS];
        let turn = self.timed(
            |frame, number| {
                row[..8].copy_from_slice(&(number as f64).to_ne_bytes());
                recorder
                    .borrow_mut()
                    .push_with(number, Arc::clone(frame), &row)
                    .map_err(darkchunk_stream::Error::from)?;
                Ok(())
            },
            || {
                recorder.borrow_mut().finish()?;
                Ok(())
            },
        )?;
        drop(recorder);
        file.close()?;
        Ok(turn)
    }

    /// Frame after frame for some time, and then the end, whose time counts.
    fn timed(
        &self,
        mut push: impl FnMut(&Arc<[i16]>, u64) -> Result<()>,
        end: impl FnOnce() -> Result<()>,
    ) -> Result<Turn> {
        let (start, cpu_start) = (Instant::now(), cpu_seconds()?);
        let mut n_frames = 0;
        while start.elapsed() < self.turn {
            for frame in &self.frames {
                push(frame, n_frames)?;
                n_frames += 1;
            }
        }
        end()?;
        Ok(Turn { n_frames, seconds: start.elapsed().as_secs_f64(), cpu_seconds: cpu_seconds()? - cpu_start })
    }
}

/// What all threads of this process, also those that have ended, have had of the processors.
fn cpu_seconds() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| -> Result<f64> { Ok(fields.get(at).ok_or("/proc/self/stat is short")?.parse()?) };
    // User and system time, in hundredths of a second.
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}
