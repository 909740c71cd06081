//! Files that are complete: their hashes, and the lines that tell others.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::thread::{Builder, JoinHandle};

use crossbeam_channel::{Receiver, Sender, unbounded};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// A file that is complete and closed, and may be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complete {
    /// The file.
    pub path: PathBuf,
    /// Its bytes.
    pub n_bytes: u64,
    /// Frames that are stored in it.
    pub n_frames: u64,
    /// The SHA-256 of its bytes.
    pub sha256: [u8; 32],
}

impl Complete {
    /// As a line of JSON: `path` (the name alone), `bytes`, `frames`, `sha256`.
    #[must_use]
    pub fn json(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let hash: String = self.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        json!({ "path": name, "bytes": self.n_bytes, "frames": self.n_frames, "sha256": hash }).to_string()
    }
}

/// Hashes files on a thread of its own, and appends a line for each to a file.
#[derive(Debug)]
pub(super) struct Hasher {
    closed: Option<Sender<(PathBuf, u64)>>,
    complete: Receiver<Result<Complete>>,
    thread: Option<JoinHandle<()>>,
}

impl Hasher {
    /// Starts the thread; `lines` is the file of lines, which is made with the first.
    pub(super) fn start(lines: PathBuf) -> Result<Self> {
        let ((closed, waiting), (done, complete)) = (unbounded::<(PathBuf, u64)>(), unbounded());
        let work = move || {
            for (path, n_frames) in waiting {
                let hashed = hash(&path, n_frames).and_then(|complete| {
                    append(&lines, &complete.json())?;
                    Ok(complete)
                });
                let failed =
                    |error: std::io::Error| Error::Part { path: path.display().to_string(), reason: error.to_string() };
                let _ = done.send(hashed.map_err(failed));
            }
        };
        let thread = Builder::new().name("darkchunk-hash".to_owned()).spawn(work);
        let thread = thread.map_err(|error| Error::Argument(format!("the system starts no thread: {error}")))?;
        Ok(Self { closed: Some(closed), complete, thread: Some(thread) })
    }

    /// Takes a file that was closed.
    pub(super) fn take(&self, path: &Path, n_frames: u64) {
        if let Some(closed) = &self.closed {
            let _ = closed.send((path.to_owned(), n_frames));
        }
    }

    /// What is complete since this was asked.
    pub(super) fn complete(&self) -> Result<Vec<Complete>> {
        self.complete.try_iter().collect()
    }

    /// Waits for all.
    pub(super) fn end(&mut self) {
        self.closed = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn hash(path: &Path, n_frames: u64) -> std::io::Result<Complete> {
    let (mut file, mut hash, mut piece, mut n_bytes) = (File::open(path)?, Sha256::new(), vec![0; 1 << 20], 0);
    loop {
        match file.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => {
                hash.update(&piece[..n]);
                n_bytes += n as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Complete { path: path.to_owned(), n_bytes, n_frames, sha256: hash.finalize().into() })
}

fn append(lines: &Path, line: &str) -> std::io::Result<()> {
    let mut file = File::options().append(true).create(true).open(lines)?;
    file.write_all(format!("{line}\n").as_bytes())
}
