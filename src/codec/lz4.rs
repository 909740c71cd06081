//! LZ4, filter 32004.
//!
//! A chunk is a header (see `framing`) and blocks of `block_bytes`, the last one shorter. A block whose stored length is
//! its decoded length is stored as it is.

use super::cursor::Cursor;
use super::framing::{self, Block, FramedBlocks, Header, Storage, Writer};
use super::parameters::Form;
use super::range::{Piece, Wanted};
use super::{BlockIndex, ChunkLayout, Codec, DecodedSize, OpenChunk, Parts};
use crate::cpu::Level;
use crate::lz::lz4::{self, library};
use crate::threads::Pace;
use crate::{Error, Exec, Result};
use std::ops::Range;

/// The block size where the parameters say 0 or nothing.
const DEFAULT_BLOCK_BYTES: u32 = 1 << 30;

const FORM: Form<1> =
    Form { defaults: [0], no_more: "LZ4 takes one value, the bytes of a block; leave the others out" };

/// LZ4, filter 32004. Compatible with the HDF Group's filter both ways.
///
/// Parameters: `[block_bytes, chunk_bytes]`. Callers give none or the first; 0 stands for 1 GiB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lz4 {
    block_bytes: u32,
    chunk_bytes: Option<usize>,
}

impl Lz4 {
    /// LZ4 in blocks of `block_bytes`; 0 for the default, which makes a chunk one block.
    #[must_use]
    pub fn new(block_bytes: u32) -> Self {
        Self { block_bytes, chunk_bytes: None }
    }

    /// The exact `cd_values` that HDF5 stores for chunks of `layout`.
    ///
    /// # Errors
    /// As [`Codec::localise`].
    pub fn cd_values(&self, layout: &ChunkLayout) -> Result<Vec<u32>> {
        Self::localise(&[self.block_bytes], layout)
    }

    /// The blocks of a stored chunk, in order, for readers that want to save what can be saved.
    ///
    /// # Errors
    /// What is wrong with the header; the items are what is wrong with a block's length, after which there are no more.
    pub fn blocks<'a>(&self, src: &'a [u8]) -> Result<impl Iterator<Item = Result<Block>> + use<'a>> {
        Ok(self.framed(src)?.1.map(|read| read.map(|(block, _)| classify(block))))
    }

    /// Decodes one of [`blocks`](Self::blocks) of `src` into `dst`, which has the bytes of `block.decoded`.
    ///
    /// # Errors
    /// As [`Codec::decode`].
    pub fn decode_block(&self, level: Level, src: &[u8], block: &Block, dst: &mut [u8]) -> Result<()> {
        let mut cursor = Cursor::new(src);
        cursor.take(block.stored.start)?;
        decode_one(level, block, cursor.take(block.stored.len())?, dst)
    }

    /// The block size for a chunk of `n_bytes`.
    pub(crate) fn block_bytes_of(&self, n_bytes: usize) -> usize {
        let block_bytes = if self.block_bytes == 0 { DEFAULT_BLOCK_BYTES } else { self.block_bytes };
        (block_bytes as usize).min(library::MAX_BLOCK_BYTES).min(n_bytes).max(1)
    }

    fn framed<'a>(&self, src: &'a [u8]) -> Result<(Header, FramedBlocks<'a>)> {
        let mut cursor = Cursor::new(src);
        let header = Header::read(&mut cursor)?;
        if header.block_bytes == 0 && header.n_bytes != 0 {
            return Err(Error::Corrupt { at: 8, what: "the block size is 0" });
        }
        Ok((header, FramedBlocks::new(cursor, header.block_bytes.max(1), header.n_bytes)))
    }
}

/// Marks a block that is stored as it is.
fn classify(block: Block) -> Block {
    let storage = if block.stored.len() == block.decoded.len() { Storage::Raw } else { Storage::Encoded };
    Block { storage, ..block }
}

/// Refuses a block that claims to decode to more than its bytes can hold.
fn check_block(block: &Block) -> Result<()> {
    if block.decoded.len() <= lz4::max_decoded_len(block.stored.len()) {
        return Ok(());
    }
    Err(Error::Corrupt { at: block.stored.start, what: "the block is too short for its decoded size" })
}

fn decode_one(level: Level, block: &Block, bytes: &[u8], dst: &mut [u8]) -> Result<()> {
    match block.storage {
        Storage::Raw if bytes.len() == dst.len() => dst.copy_from_slice(bytes),
        Storage::Raw => return Err(Error::WrongSize { expected: dst.len(), found: bytes.len() }),
        Storage::Encoded => {
            let decoded = lz4::decode(level, bytes, dst);
            decoded.map_err(|error| framing::offset_error(error, block.stored.start))?;
        }
    }
    Ok(())
}

impl Codec for Lz4 {
    const FILTER_ID: u32 = 32004;
    const SHORT_NAME: &'static str = "LZ4";
    const NAME: &'static str = "lz4; see darkchunk, docs/format.md";

    type Open<'a> = OpenLz4<'a>;

    fn localise(cd_values: &[u32], layout: &ChunkLayout) -> Result<Vec<u32>> {
        let [block_bytes] = match cd_values {
            [_, _chunk_bytes] => FORM.read_stored(cd_values),
            given => FORM.read(given)?,
        };
        if block_bytes as usize > library::MAX_BLOCK_BYTES {
            let what = "an LZ4 block has at most 2113929216 bytes; give 0 for the default";
            return Err(Error::Parameter { index: 0, value: block_bytes, what });
        }
        Ok(vec![block_bytes, layout.expected_bytes()?])
    }

    fn from_cd_values(cd_values: &[u32]) -> Result<Self> {
        let chunk_bytes = cd_values.get(1).filter(|_| cd_values.len() == 2).copied().unwrap_or(0);
        let chunk_bytes = (chunk_bytes != 0).then_some(chunk_bytes as usize);
        Ok(Self { block_bytes: cd_values.first().copied().unwrap_or(0), chunk_bytes })
    }

    fn chunk_bytes(&self) -> Option<usize> {
        self.chunk_bytes
    }

    fn has_index(&self) -> bool {
        true
    }

    fn max_encoded_len(&self, n_bytes: usize) -> usize {
        // A block that does not shrink is stored, but the encoder may want more room to find that out.
        framing::max_encoded_len(n_bytes, self.block_bytes_of(n_bytes), |n| n)
    }

    fn encode(&self, exec: Exec, src: &[u8], dst: &mut [u8]) -> Result<usize> {
        let exec = exec.worth(Pace::Fast, src.len());
        let block_bytes = self.block_bytes_of(src.len());
        let mut writer = Writer::new(dst, self.max_encoded_len(src.len()));
        writer.put(&Header { n_bytes: src.len(), block_bytes }.to_bytes())?;
        writer.put_blocks(
            exec.threads,
            src,
            block_bytes,
            |n| n,
            || {
                let mut encoder = lz4::Encoder::new(exec.level);
                move |block, dst| {
                    let room = dst.len().min(block.len() - 1);
                    encoder.encode(block, &mut dst[..room]).or_else(|| {
                        dst.get_mut(..block.len())?.copy_from_slice(block);
                        Some(block.len())
                    })
                }
            },
        )?;
        Ok(writer.n_bytes())
    }

    fn decode_indexed(&self, level: Level, src: &[u8], block: &Block, dst: &mut [u8]) -> Result<()> {
        self.decode_block(level, src, &classify(block.clone()), dst)
    }

    fn open<'a>(&'a self, src: &'a [u8]) -> Result<OpenLz4<'a>> {
        let (header, blocks) = self.framed(src)?;
        Ok(OpenLz4 { src, header, blocks })
    }
}

/// A chunk whose header is read.
#[derive(Debug)]
pub struct OpenLz4<'a> {
    src: &'a [u8],
    header: Header,
    blocks: FramedBlocks<'a>,
}

impl OpenChunk for OpenLz4<'_> {
    fn decoded_size(&self) -> Result<DecodedSize> {
        for read in self.blocks.clone() {
            check_block(&read?.0)?;
        }
        Ok(DecodedSize::Exactly(self.header.n_bytes))
    }

    fn parts(&self) -> Option<Parts> {
        Some(Parts { n_bytes: self.header.n_bytes, part_bytes: self.header.block_bytes.max(1) })
    }

    fn visit(&self, level: Level, element_bytes: usize, visit: &mut dyn FnMut(usize, &[u8])) -> Result<()> {
        self.decoded_size()?;
        let mut piece = Piece::default();
        if !self.header.block_bytes.is_multiple_of(element_bytes) {
            return piece.visit(0..self.header.n_bytes, visit, |dst| self.decode(level.into(), dst));
        }
        for read in self.blocks.clone() {
            let (block, bytes) = read?;
            piece.visit(block.decoded.clone(), visit, |dst| decode_one(level, &classify(block), bytes, dst))?;
        }
        Ok(())
    }

    fn index(&self) -> Result<Option<BlockIndex>> {
        let checked = self.blocks.clone().map(|read| {
            let (block, _) = read?;
            check_block(&block).map(|()| block)
        });
        let parts = Parts { n_bytes: self.header.n_bytes, part_bytes: self.header.block_bytes.max(1) };
        BlockIndex::new(parts, 0, checked).map(Some)
    }

    fn decode_range(&self, level: Level, range: Range<usize>, dst: &mut [u8]) -> Result<usize> {
        let mut wanted = Wanted::new(range, self.header.n_bytes, dst)?;
        for read in self.blocks.clone() {
            let (block, bytes) = read?;
            check_block(&block)?;
            if wanted.ends_before(block.decoded.start) {
                break;
            }
            wanted.take(block.decoded.clone(), |dst| decode_one(level, &classify(block), bytes, dst))?;
        }
        Ok(wanted.n_parts())
    }

    fn decode(&self, exec: Exec, dst: &mut [u8]) -> Result<()> {
        if self.header.n_bytes != dst.len() {
            return Err(Error::WrongSize { expected: dst.len(), found: self.header.n_bytes });
        }
        let exec = exec.worth_decoding(Pace::Fast, self.src.len(), dst.len());
        let blocks = self.blocks.clone();
        blocks
            .decode(exec.threads, dst, || |block, bytes, dst| decode_one(exec.level, &classify(block), bytes, dst))?;
        Ok(())
    }
}
