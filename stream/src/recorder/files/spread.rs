//! How the frames of a measurement are spread over files.

use std::ops::Range;

use crate::recorder::Share;
use crate::{Error, Result};

/// How the frames of a measurement are spread over files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spread {
    /// So many frames a file, whole chunks.
    Frames(u64),
    /// About so many bytes a file: where one ends is decided some time before, from what its frames took so far, and then stays.
    Bytes(u64),
    /// So many frames to each of `n_files` in turn. This recorder has the files `own`; others, perhaps on other machines, have the rest.
    Turns {
        /// How many files the measurement has.
        n_files: u64,
        /// Frames that go to one before the next has its turn, best whole chunks.
        frames: u64,
        /// The files that are recorded here, from 0.
        own: Range<u64>,
    },
}

impl Spread {
    pub(super) fn check(&self, frames_per_chunk: u64) -> Result<()> {
        let refused = |text: String| Err(Error::Argument(text));
        match self {
            Self::Frames(n) if *n == 0 || n % frames_per_chunk != 0 => {
                refused(format!("{n} frames a file: give a multiple of the {frames_per_chunk} frames of a chunk"))
            }
            Self::Bytes(0) => refused("0 bytes a file: give more".to_owned()),
            Self::Turns { n_files, frames, own }
                if *frames == 0 || own.is_empty() || own.end > *n_files || own.end - own.start > MAX_TURNS =>
            {
                refused(format!(
                    "{self:?}: give at least a frame, and own files from 0 to {n_files}, at most {MAX_TURNS}"
                ))
            }
            _ => Ok(()),
        }
    }

    /// Whether this recorder has all files of the measurement.
    pub(super) fn has_all(&self) -> bool {
        !matches!(self, Self::Turns { n_files, own, .. } if *own != (0..*n_files))
    }

    /// Files that are open at the same time.
    pub(super) fn n_open(&self) -> usize {
        if let Self::Turns { own, .. } = self { (own.end - own.start) as usize } else { 2 }
    }

    /// The files that are open from the beginning: number and share.
    pub(super) fn first(&self) -> Vec<(u64, Share)> {
        match self {
            Self::Frames(n) => vec![(0, Share::row(0, *n))],
            Self::Bytes(_) => vec![(0, Share::row(0, 0))],
            Self::Turns { n_files, frames, own } => {
                own.clone().map(|turn| (turn, Share::turn(turn, *n_files, *frames))).collect()
            }
        }
    }
}

/// More files are not open at the same time: each has threads and memory.
const MAX_TURNS: u64 = 64;
