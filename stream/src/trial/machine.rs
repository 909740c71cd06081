//! What this machine can do at best: what rates of codecs are to be seen beside.

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::clock;
use crate::{Error, Result};

/// More than caches hold.
const MEMORY_BYTES: usize = 128 << 20;

/// What is written to the disk.
const DISK_BYTES: usize = 64 << 20;

const ROUNDS: usize = 4;

/// Speeds in bytes a second.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// One core reads memory.
    pub memory_read: f64,
    /// One core copies memory.
    pub memory_copy: f64,
    /// A file is written and is on the disk; `None` where none was written.
    pub disk_write: Option<f64>,
    /// Cores that this process may use.
    pub n_cores: usize,
}

impl Machine {
    /// Measures it. A file of 64 MiB is written in `folder`, if one is given and it may be, and removed.
    ///
    /// # Errors
    /// Too little memory.
    pub fn measure(folder: Option<&Path>) -> Result<Self> {
        let (mut source, mut copy) = (buffer(MEMORY_BYTES)?, buffer(MEMORY_BYTES / 2)?);
        // Bytes that no file system makes smaller.
        let mut state = 1_u64;
        for word in source.as_chunks_mut::<8>().0 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *word = (state ^ state >> 29).to_ne_bytes();
        }
        let half = &source[..MEMORY_BYTES / 2];
        let copied = least(|| copy.copy_from_slice(black_box(half)));
        black_box(&copy);
        let read = least(|| {
            black_box(or_all(black_box(&source)));
        });
        let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            memory_read: rate(MEMORY_BYTES, read),
            memory_copy: rate(MEMORY_BYTES / 2, copied),
            disk_write: folder.and_then(|folder| disk(folder, &source[..DISK_BYTES]).ok()),
            n_cores,
        })
    }
}

fn buffer(n_bytes: usize) -> Result<Vec<u8>> {
    darkchunk::pipeline::buffer(n_bytes).map_err(|error| Error::Hdf5(error.into()))
}

fn rate(n_bytes: usize, time: Duration) -> f64 {
    n_bytes as f64 / time.as_secs_f64().max(1e-9)
}

fn least(mut work: impl FnMut()) -> Duration {
    (0..ROUNDS).map(|_| clock::time(&mut work).0).min().unwrap_or_default()
}

/// Many sums that do not wait for each other.
fn or_all(bytes: &[u8]) -> u64 {
    let (blocks, _) = bytes.as_chunks::<256>();
    let mut sums = [0_u64; 32];
    for block in blocks {
        for (sum, word) in sums.iter_mut().zip(block.as_chunks::<8>().0) {
            *sum |= u64::from_ne_bytes(*word);
        }
    }
    sums.iter().fold(0, |all, sum| all | sum)
}

struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn disk(folder: &Path, bytes: &[u8]) -> std::io::Result<f64> {
    let place = Scratch(folder.join(format!(".darkchunk-try.{}", std::process::id())));
    let mut file = File::options().write(true).create_new(true).open(&place.0)?;
    let begin = Instant::now();
    bytes.chunks(1 << 20).try_for_each(|part| file.write_all(part))?;
    file.sync_all()?;
    Ok(rate(bytes.len(), begin.elapsed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_measured_and_nothing_is_left() {
        let folder = std::env::temp_dir().join(format!("darkchunk-machine-{}", std::process::id()));
        // A process of this number may have ended in the middle of this.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).expect("made");
        let machine = Machine::measure(Some(&folder)).expect("measured");
        let left = std::fs::read_dir(&folder).expect("there").count();
        std::fs::remove_dir(&folder).expect("empty");
        assert!(machine.memory_read > 1e7 && machine.memory_copy > 1e7 && machine.disk_write.is_some_and(|n| n > 1e4));
        assert_eq!(left, 0);
        assert_eq!(Machine::measure(Some(Path::new("/nowhere"))).expect("measured").disk_write, None);
    }
}
