//! All filters of a dataset, undone as HDF5 undoes them: its *filter pipeline*.
//!
//! HDF5 applies the filters in their order to write a chunk and undoes them in the opposite order to read it. A bit of the chunk's
//! filter mask that is set says that the filter in this place, counted from 0, was left out.
//!
//! Known are darkchunk's codecs and HDF5's own gzip, shuffle and fletcher32, in any order. The parameters of a codec may carry the
//! size of a decoded chunk. That is a claim: what counts here is the size that the dataset's chunks have, as far as the
//! filters before the codec leave it known. Only DRLE's parameters must match it.

#![forbid(unsafe_code)]

pub(crate) mod gzip;
mod step;
// They call C.
#[cfg(all(test, not(miri), feature = "blosc"))]
mod tests;

pub use step::Step;
pub(crate) use step::{FLETCHER32_BYTES, checked};

#[doc(hidden)]
pub use crate::memory::buffer;

use crate::{Error, Exec, Result};
use std::borrow::Cow;

/// As many filters as HDF5 allows, and as a mask has bits for.
pub const MAX_FILTERS: usize = 32;

/// The filters of a dataset, in the order in which HDF5 applies them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pipeline {
    steps: Vec<Step>,
}

/// How sure it is that a chunk that decodes is what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A checksum covers all of the chunk, and matches.
    Checksum,
    /// It has the right size, and nothing contradicts it: a changed byte may be a changed pixel.
    Size,
}

impl Pipeline {
    /// Filters by their numbers and stored parameters. One that is not known, or whose parameters mean nothing, becomes
    /// [`Step::Other`].
    ///
    /// # Errors
    /// [`Error::Argument`] for more filters than HDF5 allows.
    pub fn new<'a>(filters: impl IntoIterator<Item = (u32, &'a [u32])>) -> Result<Self> {
        let steps: Vec<_> = filters.into_iter().map(|(id, values)| Step::new(id, values)).collect();
        if steps.len() > MAX_FILTERS {
            return Err(Error::Argument(format!("{} filters; HDF5 has at most {MAX_FILTERS}", steps.len())));
        }
        Ok(Self { steps })
    }

    /// The filters, in the order in which HDF5 applies them.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The filters that `mask` does not leave out.
    pub(crate) fn active(&self, mask: u32) -> Vec<&Step> {
        let is_active = |index: usize| mask >> index & 1 == 0;
        self.steps.iter().enumerate().filter(|(index, _)| is_active(*index)).map(|(_, step)| step).collect()
    }

    /// The bits of the filters that may leave a chunk out which they cannot encode: darkchunk's codecs and gzip.
    pub(crate) fn codec_mask(&self) -> u32 {
        let codecs =
            self.steps.iter().enumerate().filter(|(_, step)| matches!(step, Step::Codec(_) | Step::Gzip { .. }));
        codecs.fold(0, |mask, (index, _)| mask | 1 << index)
    }

    /// Encodes the pixels of a chunk by all filters, as HDF5 would, with the filter mask 0.
    ///
    /// # Errors
    /// What a codec refuses; [`Error::Unsupported`] for a filter that is not known, [`Error::NoMemory`].
    pub fn encode(&self, exec: Exec, src: &[u8]) -> Result<Vec<u8>> {
        let [first, rest @ ..] = &self.steps[..] else { return Ok(src.to_vec()) };
        let first = first.apply(exec, src);
        rest.iter().fold(first, |bytes, step| step.apply(exec, &bytes?))
    }

    /// Bytes that a chunk of `n_bytes` has after the filters that `mask` does not leave out, where they are sure to be as many.
    #[must_use]
    pub fn encoded_len(&self, mask: u32, n_bytes: usize) -> Option<usize> {
        size_before(&self.active(mask), n_bytes)
    }

    /// Decodes what other filters before these made of a chunk, so that its size is not known: to as many bytes as `stored` says
    /// and can hold, but `most` at most.
    ///
    /// # Errors
    /// As [`decode`](Self::decode); [`Error::Corrupt`] for more bytes.
    pub fn decode_unsized(&self, exec: Exec, mask: u32, stored: &[u8], most: usize) -> Result<Vec<u8>> {
        let mut bytes = stored.to_vec();
        for step in self.active(mask).into_iter().rev() {
            let open = step.open(&bytes)?;
            let mut decoded = buffer_between(open.decoded_len(None)?, most)?;
            open.undo(exec, &mut decoded)?;
            bytes = decoded;
        }
        Ok(bytes)
    }

    /// Decodes a stored chunk with its filter mask into the whole of `dst`, which has the size of the dataset's chunks. Allocates for
    /// what stands between two filters; nothing for one codec, alone or before fletcher32.
    ///
    /// # Errors
    /// What is wrong with the chunk, [`Error::WrongSize`], [`Error::Unsupported`] for a filter that is not known. On an error
    /// the content of `dst` is unspecified, but never bytes from elsewhere.
    pub fn decode(&self, exec: Exec, mask: u32, stored: &[u8], dst: &mut [u8]) -> Result<Proof> {
        decode(exec, &self.active(mask), stored, dst)
    }
}

/// As [`Pipeline::decode`], by the filters that take part.
pub(crate) fn decode(exec: Exec, steps: &[&Step], stored: &[u8], dst: &mut [u8]) -> Result<Proof> {
    let mut proof = Proof::Size;
    let mut bytes = Cow::Borrowed(stored);
    for (index, step) in steps.iter().enumerate().rev() {
        if let Step::Fletcher32 = step {
            (proof, bytes) = (Proof::Checksum, without_checksum(bytes)?);
            continue;
        }
        let open = step.open(&bytes)?;
        proof = if open.has_checksum() { Proof::Checksum } else { proof };
        if index == 0 {
            open.decoded_len(Some(dst.len()))?;
            return open.undo(exec, dst).map(|()| proof);
        }
        let n_bytes = open.decoded_len(size_before(&steps[..index], dst.len()))?;
        let mut decoded = buffer_between(n_bytes, most_before(&steps[..index], dst.len()))?;
        open.undo(exec, &mut decoded)?;
        bytes = Cow::Owned(decoded);
    }
    if bytes.len() != dst.len() {
        return Err(Error::WrongSize { expected: dst.len(), found: bytes.len() });
    }
    dst.copy_from_slice(&bytes);
    Ok(proof)
}

/// What is between two filters of a chunk of which a filter claims that it is `n_bytes` there.
fn buffer_between(n_bytes: usize, most: usize) -> Result<Vec<u8>> {
    if n_bytes > most {
        return Err(Error::Corrupt { at: 0, what: "it has more bytes between two filters than its pixels can become" });
    }
    buffer(n_bytes)
}

/// Filters make a chunk larger by at most this factor, whatever their parameters say: LZ4 in blocks of one byte by 5.
const MAX_GROWTH: usize = 8;

/// The most bytes that a chunk of `n_bytes` can have after `steps`: twice as many as darkchunk makes of it and 1 MiB, for other encoders.
fn most_before(steps: &[&Step], n_bytes: usize) -> usize {
    let most = n_bytes.saturating_mul(MAX_GROWTH);
    let grown =
        steps.iter().fold(n_bytes, |n_bytes, step| step.max_encoded_len(n_bytes).clamp(n_bytes, most.max(n_bytes)));
    grown.saturating_mul(2).saturating_add(1 << 20)
}

fn without_checksum(bytes: Cow<'_, [u8]>) -> Result<Cow<'_, [u8]>> {
    let n_bytes = checked(&bytes)?.len();
    Ok(match bytes {
        Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[..n_bytes]),
        Cow::Owned(mut bytes) => {
            bytes.truncate(n_bytes);
            Cow::Owned(bytes)
        }
    })
}

/// The bytes that a chunk of `n_bytes` has after `steps`, where that can be known.
pub(crate) fn size_before(steps: &[&Step], n_bytes: usize) -> Option<usize> {
    steps.iter().try_fold(n_bytes, |n_bytes, step| match step {
        Step::Fletcher32 => n_bytes.checked_add(FLETCHER32_BYTES),
        step => step.keeps_size().then_some(n_bytes),
    })
}
