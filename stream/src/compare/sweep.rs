//! Several codecs on one dataset, and the largest bound that keeps the limits.

use super::codec::Applied;
use super::frames::Frames;
use super::{Found, Options, Progress, Source, Work, judge};
use crate::{Error, Reader, Result};

/// A codec with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What it is called.
    pub name: String,
    /// The filter's number.
    pub filter: u32,
    /// Its parameters, as they are given for a dataset.
    pub cd_values: Vec<u32>,
}

/// What a codec did.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// The codec.
    pub codec: Candidate,
    /// What was found.
    pub found: Found,
}

/// What all codecs did.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    /// The codecs in their order, then the bounds in theirs.
    pub tried: Vec<Tried>,
    /// Those that do not take these data: name and reason.
    pub refused: Vec<(String, String)>,
    /// The last of the bounds that keeps all limits.
    pub largest: Option<String>,
}

/// Applies each codec to the dataset in memory, and each bound, the smallest first. `chunk_frames` are frames of a chunk; 0: as the dataset
/// has them. `progress` is called with the codec's name, on the calling thread.
///
/// # Errors
/// As [`run`](super::run), but for codecs that refuse the data: these are listed.
pub fn sweep(
    reference: Reader,
    codecs: &[Candidate],
    bounds: &[Candidate],
    chunk_frames: u64,
    options: &Options,
    progress: &mut dyn FnMut(&str, Progress),
) -> Result<Sweep> {
    let mut reference = Frames::new(reference, "the reference")?;
    let mut sweep = Sweep { tried: Vec::new(), refused: Vec::new(), largest: None };
    for (at, candidate) in codecs.iter().chain(bounds).enumerate() {
        let test = match Applied::new(&reference, candidate.filter, &candidate.cd_values, chunk_frames) {
            Ok(applied) => Source::Codec(applied),
            Err(Error::Argument(reason)) => {
                sweep.refused.push((candidate.name.clone(), reason));
                continue;
            }
            Err(error) => return Err(error),
        };
        let work = Work { reference, test, options: options.clone() };
        let found = judge(&work, &mut |done| progress(&candidate.name, done))?;
        reference = work.reference;
        if at >= codecs.len() && found.verdict.passes {
            sweep.largest = Some(candidate.name.clone());
        }
        sweep.tried.push(Tried { codec: candidate.clone(), found });
    }
    Ok(sweep)
}
