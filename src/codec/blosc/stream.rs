//! One stream of a block: the six compressors, with one interface.
//!
//! Contexts are made when first used and kept for the whole chunk. Every decoder here must fill its output exactly.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::compressor::{Compressor, Format};
use crate::codec::zstd::context as zstd;
use crate::cpu::Level;
use crate::lz::byte_planes::Search;
use crate::lz::{blosclz, lz4};

/// Encodes the streams of one chunk.
pub(super) struct Encoder {
    compressor: Compressor,
    effort: u32,
    level: Level,
    search: Search,
    snappy: snap::raw::Encoder,
    /// Snappy's output, where there is no room for its bound.
    scratch: Vec<u8>,
    zlib: Option<Compress>,
    zstd: zstd::Encoder,
}

impl Encoder {
    /// `effort` is 1 to 9.
    pub(super) fn new(level: Level, compressor: Compressor, effort: u32) -> Self {
        // The reference's scale: 1, 3, 5 … 15, and the strongest there is for 9.
        let zstd_level = if effort < 9 { 2 * effort as i32 - 1 } else { zstd_safe::max_c_level() };
        Self {
            compressor,
            effort,
            level,
            search: Search::new(),
            snappy: snap::raw::Encoder::new(),
            scratch: Vec::new(),
            zlib: None,
            zstd: zstd::Encoder::new(level, zstd_level),
        }
    }

    /// Encodes `src` to the front of `dst` and returns the bytes written; `None` where they do not fit.
    pub(super) fn encode(&mut self, src: &[u8], dst: &mut [u8]) -> Option<usize> {
        let stride = 10 - self.effort as usize;
        match self.compressor {
            Compressor::BloscLz => blosclz::encode(&mut self.search, self.level, stride, src, dst),
            Compressor::Lz4 => lz4::encode_byte_plane(&mut self.search, self.level, stride, src, dst),
            Compressor::Lz4Hc => lz4::encode_hc(src, dst, self.effort as i32),
            Compressor::Snappy => self.encode_snappy(src, dst),
            Compressor::Zlib => self.encode_zlib(src, dst),
            Compressor::Zstd => self.zstd.encode_block(src, dst),
        }
    }

    fn encode_snappy(&mut self, src: &[u8], dst: &mut [u8]) -> Option<usize> {
        let bound = snap::raw::max_compress_len(src.len());
        if dst.len() >= bound {
            return self.snappy.compress(src, dst).ok();
        }
        self.scratch.resize(bound, 0);
        let n = self.snappy.compress(src, &mut self.scratch).ok()?;
        dst.get_mut(..n)?.copy_from_slice(&self.scratch[..n]);
        Some(n)
    }

    fn encode_zlib(&mut self, src: &[u8], dst: &mut [u8]) -> Option<usize> {
        let level = Compression::new(self.effort);
        let zlib = self.zlib.get_or_insert_with(|| Compress::new(level, true));
        zlib.reset();
        let status = zlib.compress(src, dst, FlushCompress::Finish).ok()?;
        (status == Status::StreamEnd).then(|| zlib.total_out() as usize)
    }
}

/// Decodes the streams of one chunk.
pub(super) struct Decoder {
    level: Level,
    zlib: Option<Decompress>,
    zstd: zstd::Decoder,
}

impl Decoder {
    pub(super) fn new(level: Level) -> Self {
        Self { level, zlib: None, zstd: zstd::Decoder::new(level) }
    }

    /// Decodes `src` into the whole of `dst`; `None` where it is damaged or decodes to another size.
    pub(super) fn decode(&mut self, format: Format, src: &[u8], dst: &mut [u8]) -> Option<()> {
        match format {
            Format::BloscLz => blosclz::decode(src, dst),
            Format::Lz4 => lz4::decode(self.level, src, dst).ok(),
            Format::Snappy => {
                let n = snap::raw::Decoder::new().decompress(src, dst).ok()?;
                (n == dst.len()).then_some(())
            }
            Format::Zlib => self.decode_zlib(src, dst),
            Format::Zstd => self.zstd.decode_block(src, dst).ok(),
        }
    }

    fn decode_zlib(&mut self, src: &[u8], dst: &mut [u8]) -> Option<()> {
        let zlib = self.zlib.get_or_insert_with(|| Decompress::new(true));
        zlib.reset(true);
        let status = zlib.decompress(src, dst, FlushDecompress::Finish).ok()?;
        (status == Status::StreamEnd && zlib.total_out() == dst.len() as u64).then_some(())
    }
}
