//! What every codec is: [`Codec`], and what it is told of a dataset.

use super::framing::Block;
use super::index::BlockIndex;
use super::range::{Parts, Wanted};
use crate::cpu::Level;
use crate::element::ElementType;
use crate::{Error, Exec, Result};
use std::ops::Range;

/// What HDF5 knows of a dataset's chunks when a filter is set on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkLayout {
    /// The dataset's element type.
    pub element: ElementType,
    /// The chunk's shape in elements, slowest dimension first. Never empty.
    pub dims: Vec<u64>,
    /// Whether a filter that changes the number of bytes stands before this one in the pipeline: then this filter is not
    /// handed whole chunks, and must not insist on their size.
    pub resized_before: bool,
    /// The bits of the dataset's fill value, in the lowest of these; `None` where it is not known, or no integer of up to 32
    /// bits. A dataset that has none is one of 0.
    pub fill: Option<u32>,
}

impl ChunkLayout {
    /// Chunks of this shape, which the filter is handed whole, of a dataset whose fill value is not known.
    #[must_use]
    pub fn new(element: ElementType, dims: Vec<u64>) -> Self {
        Self { element, dims, resized_before: false, fill: None }
    }

    /// Bytes of one decoded chunk.
    ///
    /// # Errors
    /// [`Error::Argument`] where they do not fit 4 GiB − 1: HDF5 before 2.0 has no larger chunk, and the parameters of the
    /// filters have no room for its size.
    pub fn chunk_bytes(&self) -> Result<u32> {
        let element_bytes = self.element.n_bytes as u64;
        let n_bytes = self.dims.iter().try_fold(element_bytes, |n, dim| n.checked_mul(*dim));
        n_bytes.and_then(|n| u32::try_from(n).ok()).ok_or_else(|| {
            Error::Argument(format!(
                "a chunk of shape {:?} has 4 GiB or more, which this filter does not take, nor any HDF5 before 2.0: make \
                 chunks smaller",
                self.dims
            ))
        })
    }

    /// What the stored parameters say of a chunk's size: [`chunk_bytes`](Self::chunk_bytes), or 0 (not known) after a
    /// filter that changes it.
    pub(crate) fn expected_bytes(&self) -> Result<u32> {
        if self.resized_before { Ok(0) } else { self.chunk_bytes() }
    }
}

/// What a chunk decodes to, as far as it can be known before it is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodedSize {
    /// So many bytes; a chunk that decodes to more or fewer is damaged.
    Exactly(usize),
    /// The chunk does not say it. The stored bytes can hold no more than so many.
    AtMost(usize),
}

/// One HDF5 filter: parameters, and both directions over whole buffers.
///
/// A value of an implementing type is one set of parameters, checked.
pub trait Codec: Sized {
    /// The filter's registered number.
    const FILTER_ID: u32;
    /// What messages and reports call it.
    const SHORT_NAME: &'static str;
    /// What HDF5 stores in the file as the filter's name, and its tools print: what it is called, then after a `;` or a `:`
    /// where its format is described. At most 63 bytes, as readers have room for little more.
    const NAME: &'static str;
    /// Whether this filter reads the values of pixels, and so must be the first one in a dataset's pipeline.
    const MUST_BE_FIRST: bool = false;
    /// Whether [`decode_zeroed`](OpenChunk::decode_zeroed) gains more than the zeros cost.
    const WANTS_ZEROS: bool = false;
    /// Whether [`prove`](OpenChunk::prove) can find that a chunk decodes.
    const CAN_PROVE: bool = false;

    /// A stored chunk that this codec has opened.
    type Open<'a>: OpenChunk
    where
        Self: 'a;

    /// Turns what a caller gave as `cd_values` into what is stored in the file, by the one rule of `filters/README.md`.
    ///
    /// Idempotent: what this returned, given again (as HDF5 does when a dataset is created with another one's
    /// properties), returns the same for the same `layout`, and is brought up to date for another.
    ///
    /// # Errors
    /// [`Error::Parameter`] and [`Error::Argument`], for parameters or element types this codec does not have.
    fn localise(cd_values: &[u32], layout: &ChunkLayout) -> Result<Vec<u32>>;

    /// [`localise`](Self::localise) where a filter that compresses follows this one in the pipeline.
    ///
    /// # Errors
    /// As [`localise`](Self::localise).
    fn localise_before_another(cd_values: &[u32], layout: &ChunkLayout) -> Result<Vec<u32>> {
        Self::localise(cd_values, layout)
    }

    /// Reads stored `cd_values`, of any length a file may hold.
    ///
    /// # Errors
    /// [`Error::Parameter`] or [`Error::Argument`] where nothing can be decoded with them.
    fn from_cd_values(cd_values: &[u32]) -> Result<Self>;

    /// The decoded size of a chunk that the parameters state, where they do. It is a claim: other software stores other numbers in
    /// its place, and tools copy it to datasets with other chunks.
    fn chunk_bytes(&self) -> Option<usize>;

    /// Whether every chunk has as many bytes encoded as decoded.
    fn keeps_size(&self) -> bool {
        false
    }

    /// Whether [`index`](OpenChunk::index) says where the blocks of a sound chunk are.
    fn has_index(&self) -> bool {
        false
    }

    /// Bytes that are enough for [`encode`](Self::encode) to encode `n_bytes` of input, whatever they are, and
    /// to use several threads. A codec that gets fewer, and can do with them, uses one.
    fn max_encoded_len(&self, n_bytes: usize) -> usize;

    /// Encodes `src` to the front of `dst` and returns the bytes written, the same ones whatever `exec` says. Nothing is
    /// written after them that matters; the rest of `dst` is scratch.
    ///
    /// # Errors
    /// [`Error::OutputTooSmall`] where `dst` is shorter than [`max_encoded_len`](Self::max_encoded_len) says and the
    /// result does not fit; what else the codec refuses.
    fn encode(&self, exec: Exec, src: &[u8], dst: &mut [u8]) -> Result<usize>;

    /// Opens a stored chunk: reads what is before its blocks. All that is done with the chunk then uses that.
    ///
    /// # Errors
    /// What is wrong with the chunk's header.
    fn open<'a>(&'a self, src: &'a [u8]) -> Result<Self::Open<'a>>;

    /// Decodes a block that a [`BlockIndex`] has, which says where it is in `src`.
    ///
    /// # Errors
    /// What is wrong with the block; [`Error::Unsupported`] for a codec whose chunks have no index.
    #[doc(hidden)]
    fn decode_indexed(&self, _level: Level, _src: &[u8], _block: &Block, _dst: &mut [u8]) -> Result<()> {
        Err(Error::Unsupported(format!("{} has no index of blocks", Self::SHORT_NAME)))
    }

    /// [`OpenChunk::decoded_len`] of `src`.
    ///
    /// # Errors
    /// As there, and what is wrong with the chunk's header.
    fn decoded_len(&self, src: &[u8]) -> Result<usize> {
        self.open(src)?.decoded_len()
    }

    /// [`OpenChunk::decode`] of `src`.
    ///
    /// # Errors
    /// As there, and what is wrong with the chunk's header.
    fn decode(&self, exec: Exec, src: &[u8], dst: &mut [u8]) -> Result<()> {
        self.open(src)?.decode(exec, dst)
    }
}

/// A stored chunk that a [`Codec`] has opened: its header is read, its blocks are not.
pub trait OpenChunk {
    /// What the chunk decodes to, as it says itself: refused where it is too short for that to be true. So it is safe to
    /// allocate: a chunk that lies costs no more than what its bytes could hold. Whether it is the right size is for the caller
    /// to tell, who knows the dataset, or has [what the parameters claim](Codec::chunk_bytes) to compare. A codec whose
    /// parameters nobody else writes (DRLE) insists on them.
    ///
    /// # Errors
    /// What shows that the size is not true.
    fn decoded_size(&self) -> Result<DecodedSize>;

    /// Bytes of an element, where the chunk or the parameters say it.
    fn element_bytes(&self) -> Option<usize> {
        None
    }

    /// Whether checksums cover all that the chunk decodes to.
    fn has_checksum(&self) -> bool {
        false
    }

    /// Whether it is certain that the chunk decodes to [its size](Self::decoded_size), found in a fraction of the time that
    /// decoding takes: what was found is not looked for again. Where that cannot be had, `false` says nothing.
    fn prove(&mut self) -> bool {
        false
    }

    /// Decodes into the whole of `dst`, which has [`decoded_len`](Self::decoded_len) bytes. On an error the content of `dst` is
    /// unspecified, but never bytes from elsewhere.
    ///
    /// # Errors
    /// Everything that can be wrong with a chunk, and [`Error::WrongSize`] where it decodes to another size: the same one
    /// whatever `exec` says.
    fn decode(&self, exec: Exec, dst: &mut [u8]) -> Result<()>;

    /// [`decode`](Self::decode) into a `dst` that is all zeros, for codecs that need not write them again.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    fn decode_zeroed(&self, exec: Exec, dst: &mut [u8]) -> Result<()> {
        self.decode(exec, dst)
    }

    /// What decodes alone in the chunk; `None` where it decodes as a whole only.
    fn parts(&self) -> Option<Parts> {
        None
    }

    /// Where its blocks are, for codecs whose chunks say that by the lengths of all blocks before; `None` for others.
    ///
    /// # Errors
    /// What is wrong with a length.
    fn index(&self) -> Result<Option<BlockIndex>> {
        Ok(None)
    }

    /// Decodes the bytes `range` of what the chunk decodes to into the whole of `dst`, and no [parts](Self::parts) that have none of
    /// them. Returns how many parts were decoded. What is wrong with other parts is not seen; where nothing is, the bytes are those that
    /// [`decode`](Self::decode) gives. Without parts the whole chunk is decoded, into memory of its own.
    ///
    /// # Errors
    /// As [`decode`](Self::decode), of what is decoded; [`Error::Argument`] and [`Error::BufferSize`] for a range that is not in the
    /// chunk, or not of the length of `dst`. On an error the content of `dst` is unspecified, but never bytes from elsewhere.
    fn decode_range(&self, level: Level, range: Range<usize>, dst: &mut [u8]) -> Result<usize> {
        let n_bytes = self.decoded_len()?;
        let mut wanted = Wanted::new(range, n_bytes, dst)?;
        wanted.take(0..n_bytes, |dst| self.decode(level.into(), dst))?;
        Ok(wanted.n_parts())
    }

    /// Decodes the chunk piece by piece, and hands each to `visit` with its place among the decoded bytes. What no piece has is zeros;
    /// no place is in two pieces but of pixels that are zeros in the first. Pieces are whole elements of `element_bytes`. They rise, except
    /// that DRLE's exceptions come after the other pixels of their frame. On an error some pieces may have been handed over.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    fn visit(&self, level: Level, _element_bytes: usize, visit: &mut dyn FnMut(usize, &[u8])) -> Result<()> {
        let mut whole = crate::pipeline::buffer(self.decoded_len()?)?;
        self.decode(level.into(), &mut whole)?;
        visit(0, &whole);
        Ok(())
    }

    /// Decodes to the front of `dst`, whatever size the chunk has, and returns that size. What is after it in `dst` is
    /// unspecified then, as is all of it on an error, but never bytes from elsewhere.
    ///
    /// # Errors
    /// As [`decode`](Self::decode); [`Error::OutputTooSmall`] where `dst` is too short.
    fn decode_up_to(&self, exec: Exec, dst: &mut [u8]) -> Result<usize> {
        let (needed, available) = (self.decoded_len()?, dst.len());
        let dst = dst.get_mut(..needed).ok_or(Error::OutputTooSmall { needed, available })?;
        self.decode(exec, dst)?;
        Ok(needed)
    }

    /// The [decoded size](Self::decoded_size) in bytes.
    ///
    /// # Errors
    /// As there; [`Error::SizeUnknown`] where the chunk does not say it.
    fn decoded_len(&self) -> Result<usize> {
        match self.decoded_size()? {
            DecodedSize::Exactly(n_bytes) => Ok(n_bytes),
            DecodedSize::AtMost(_) => Err(Error::SizeUnknown),
        }
    }

    /// [`decoded_len`](Self::decoded_len), or `known` bytes where the chunk does not say it and may have as many.
    ///
    /// # Errors
    /// As [`decoded_len`](Self::decoded_len).
    fn decoded_len_as(&self, known: Option<usize>) -> Result<usize> {
        match (self.decoded_size()?, known) {
            (DecodedSize::AtMost(max), Some(known)) => Ok(known.min(max)),
            _ => self.decoded_len(),
        }
    }
}
