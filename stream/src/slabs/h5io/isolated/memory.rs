//! Memory that two processes have.

#![allow(unsafe_code)]

use std::fs::{File, OpenOptions, remove_file};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::MmapMut;

/// Where files are memory, and where there is none of it a folder for what is not kept.
fn folders() -> [PathBuf; 2] {
    ["/dev/shm".into(), std::env::temp_dir()]
}

/// A file of shared memory with a name, by which the other process opens it once.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) path: PathBuf,
    pub(super) memory: MmapMut,
}

impl Named {
    /// So many zeros.
    pub(super) fn new(n_bytes: usize) -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("darkchunk-slices-{}-{number}", std::process::id());
        let [first, other] = folders().map(|folder| folder.join(&name));
        Self::create(first, n_bytes).or_else(|_| Self::create(other, n_bytes))
    }

    fn create(path: PathBuf, n_bytes: usize) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        // Written, so that it is there: memory that turns out to be missing later is a signal.
        let filled = io::copy(&mut io::repeat(0).take(n_bytes as u64), &mut file).and_then(|_| map(&file));
        match filled {
            Ok(memory) => Ok(Self { path, memory }),
            Err(error) => {
                let _ = remove_file(&path);
                Err(error)
            }
        }
    }

    /// Takes the name away: nobody else can open it.
    pub(super) fn into_memory(self) -> MmapMut {
        let _ = remove_file(&self.path);
        self.memory
    }
}

/// Opens what the other process made.
pub(super) fn open(path: &Path) -> io::Result<MmapMut> {
    map(&OpenOptions::new().read(true).write(true).open(path)?)
}

fn map(file: &File) -> io::Result<MmapMut> {
    // SAFETY: a file of this user alone, which is never made shorter; of the two processes that have it one writes at a time, and the other waits
    // for its message.
    unsafe { MmapMut::map_mut(file) }
}
