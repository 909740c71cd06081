//! All filters of a dataset undone: darkchunk's codecs and HDF5's own by its [`Pipeline`]; h5py's LZF and PyTables' LZO here.

mod lzf;
mod lzo;

use darkchunk::chunk::Filter;
use darkchunk::pipeline::{MAX_FILTERS, Pipeline, Step, buffer};
use darkchunk::{Error, Exec, Result};
use std::borrow::Cow;

/// What an encoded chunk may have more than twice its bytes.
const SLACK_BYTES: usize = 1 << 20;

/// The filters of a dataset, in the order in which HDF5 applies them.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    links: Vec<Link>,
    /// All of them, where it knows each.
    pipeline: Option<Pipeline>,
}

/// One filter.
#[derive(Debug, Clone)]
enum Link {
    /// One that a [`Pipeline`] knows, alone in it.
    Pipeline(Pipeline),
    /// One that is decoded here.
    Here(Here),
    Unknown(Error),
}

#[derive(Debug, Clone, Copy)]
enum Here {
    Lzf,
    Lzo,
}

impl Chain {
    /// Filters by their numbers and stored parameters.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for more filters than HDF5 allows.
    pub fn new<'a>(filters: impl IntoIterator<Item = (u32, &'a [u32])>) -> Result<Self> {
        let filters: Vec<_> = filters.into_iter().collect();
        let whole = Pipeline::new(filters.iter().copied())?;
        let is_whole = whole.steps().iter().all(|step| !matches!(step, Step::Other { .. }));
        let links = filters.into_iter().map(|(id, values)| Link::new(id, values)).collect::<Result<_>>()?;
        Ok(Self { links, pipeline: is_whole.then_some(whole) })
    }

    /// Why chunks that no filter was left out of cannot be decoded; `None` where they can.
    #[must_use]
    pub fn unknown(&self) -> Option<&Error> {
        self.links.iter().find_map(|link| if let Link::Unknown(reason) = link { Some(reason) } else { None })
    }

    /// Whether chunks with this mask are stored as they are.
    #[must_use]
    pub fn is_raw(&self, mask: u32) -> bool {
        self.active(mask).next().is_none()
    }

    /// The filter of chunks with this mask, where it is one of darkchunk's, and the only one.
    #[must_use]
    pub fn alone(&self, mask: u32) -> Option<&Filter> {
        let mut active = self.active(mask);
        let (Some(Link::Pipeline(pipeline)), None) = (active.next(), active.next()) else { return None };
        match pipeline.steps() {
            [Step::Codec(filter)] => Some(filter),
            _ => None,
        }
    }

    fn active(&self, mask: u32) -> impl DoubleEndedIterator<Item = &Link> {
        debug_assert!(self.links.len() <= MAX_FILTERS);
        self.links.iter().enumerate().filter(move |(index, _)| mask >> index & 1 == 0).map(|(_, link)| link)
    }

    /// Decodes a stored chunk with its filter mask into the whole of `dst`, which has the size of the dataset's chunks.
    ///
    /// # Errors
    /// What is wrong with the chunk, [`Error::WrongSize`], [`Error::Unsupported`] for a filter that is not known. On an error
    /// the content of `dst` is unspecified, but never bytes from elsewhere.
    pub fn decode(&self, exec: Exec, mask: u32, stored: &[u8], dst: &mut [u8]) -> Result<()> {
        if let Some(pipeline) = &self.pipeline {
            return pipeline.decode(exec, mask, stored, dst).map(drop);
        }
        let links: Vec<&Link> = self.active(mask).collect();
        let mut bytes = Cow::Borrowed(stored);
        for (index, link) in links.iter().enumerate().rev() {
            if index == 0 {
                return link.decode(exec, &bytes, dst);
            }
            let known = encoded_len(&links[..index], dst.len());
            bytes = Cow::Owned(link.decode_to_vec(exec, &bytes, known, dst.len())?);
        }
        whole(&bytes, dst)
    }
}

/// Bytes that a chunk of `n_bytes` has after these filters, where that is sure.
fn encoded_len(links: &[&Link], n_bytes: usize) -> Option<usize> {
    links.iter().try_fold(n_bytes, |n_bytes, link| match link {
        Link::Pipeline(pipeline) => pipeline.encoded_len(0, n_bytes),
        _ => None,
    })
}

/// Copies a chunk that is decoded.
fn whole(bytes: &[u8], dst: &mut [u8]) -> Result<()> {
    if bytes.len() != dst.len() {
        return Err(Error::WrongSize { expected: dst.len(), found: bytes.len() });
    }
    dst.copy_from_slice(bytes);
    Ok(())
}

impl Link {
    fn new(id: u32, values: &[u32]) -> Result<Self> {
        Ok(match id {
            lzf::ID => Self::Here(Here::Lzf),
            lzo::ID => Self::Here(Here::Lzo),
            _ => {
                let pipeline = Pipeline::new([(id, values)])?;
                match pipeline.steps() {
                    [Step::Other { reason, .. }] => Self::Unknown(reason.clone()),
                    _ => Self::Pipeline(pipeline),
                }
            }
        })
    }

    fn decode(&self, exec: Exec, bytes: &[u8], dst: &mut [u8]) -> Result<()> {
        match self {
            Self::Pipeline(pipeline) => pipeline.decode(exec, 0, bytes, dst).map(drop),
            Self::Here(here) => here.decode(bytes, dst),
            Self::Unknown(reason) => Err(reason.clone()),
        }
    }

    /// Decodes to `known` bytes; without them to as many as there are, if a chunk of `chunk_bytes` can be so long between filters.
    fn decode_to_vec(&self, exec: Exec, bytes: &[u8], known: Option<usize>, chunk_bytes: usize) -> Result<Vec<u8>> {
        if let Some(known) = known {
            let mut decoded = buffer(known)?;
            self.decode(exec, bytes, &mut decoded)?;
            return Ok(decoded);
        }
        let most = chunk_bytes.saturating_mul(2).saturating_add(SLACK_BYTES);
        match self {
            Self::Pipeline(pipeline) => pipeline.decode_unsized(exec, 0, bytes, most),
            Self::Here(here) => here.decode_unsized(bytes, most),
            Self::Unknown(reason) => Err(reason.clone()),
        }
    }
}

impl Here {
    fn decode(self, bytes: &[u8], dst: &mut [u8]) -> Result<()> {
        let found = match self.decode_to_front(bytes, dst) {
            Err(Error::OutputTooSmall { needed, .. }) => needed,
            found => found?,
        };
        if found == dst.len() { Ok(()) } else { Err(Error::WrongSize { expected: dst.len(), found }) }
    }

    fn decode_to_front(self, bytes: &[u8], dst: &mut [u8]) -> Result<usize> {
        match self {
            Self::Lzf => lzf::decode(bytes, dst),
            Self::Lzo => lzo::decode(bytes, dst),
        }
    }

    fn decode_unsized(self, bytes: &[u8], most: usize) -> Result<Vec<u8>> {
        let ratio = match self {
            Self::Lzf => lzf::MAX_RATIO,
            Self::Lzo => lzo::MAX_RATIO,
        };
        let mut decoded = buffer(most.min(bytes.len().saturating_mul(ratio).saturating_add(1)))?;
        let found = self.decode_to_front(bytes, &mut decoded)?;
        decoded.truncate(found);
        Ok(decoded)
    }
}

#[cfg(test)]
mod tests;
