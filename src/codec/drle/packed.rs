//! A packed segment: the dark runs and bright values of its stream in turn, entropy-coded. `docs/format.md` has the details.

use super::list::List;
use super::pixels;
use super::segment::{self as plain, corrupt_segment};
use crate::codec::cursor::Cursor;
use crate::codec::entropy::tables::{self, Counts};
use crate::codec::entropy::tokens::{BitReader, BitWriter, folded, token_of};
use crate::codec::entropy::{numbers, stream};
use crate::cpu::Level;
use crate::kernels::drle::{MAX_RUN_PIXELS, MAX_THRESHOLD};
use crate::kernels::rans::{DecodingTables, Encoder, MAX_LANES, TOTAL};
use crate::{Error, Result};
use std::ops::Range;

/// The first byte of a segment that is as in other containers.
const PLAIN: u8 = 0;
/// That of a segment that is packed.
const PACKED: u8 = 1;

/// The most decoded bytes that a byte of a segment stands for.
const MAX_RATIO: usize = 0x1_0000;
/// The most bright pixels that it does.
const MAX_VALUES: usize = 16;

/// Tokens of a stream, or bright pixels, that are worked on at once.
const BLOCK: usize = 1024;

/// The lanes of a stream: the state of each is 4 bytes.
fn lanes(n_symbols: usize) -> usize {
    match n_symbols {
        0..256 => 1,
        256..2048 => 4,
        2048..8192 => 8,
        8192..32_768 => 16,
        _ => 32,
    }
}

/// The fewest bytes of a packed segment of so many pixels, so many of which are bright.
fn least_len(n_pixels: usize, n_values: usize) -> usize {
    (2 * n_pixels).div_ceil(MAX_RATIO).max(n_values.div_ceil(MAX_VALUES))
}

/// Segments as symbols of the entropy coder, one after the other, and how often each comes.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    /// A run and a value in turn.
    symbols: Vec<u16>,
    bits: Vec<u8>,
    writer: BitWriter,
}

/// Where the symbols of a segment are.
#[derive(Debug, Clone)]
pub(super) struct Place {
    symbols: Range<usize>,
    bits: Range<usize>,
    n_pixels: usize,
}

/// How often runs and values have each token.
pub(super) type PairCounts = [Counts; 2];

impl Symbols {
    pub(super) fn clear(&mut self) {
        self.symbols.clear();
        self.bits.clear();
    }

    /// Adds a stream of `n_pixels`. `None` where a bright pixel is below the threshold: then it is not packed.
    pub(super) fn add(
        &mut self,
        stream: &[u8],
        n_pixels: usize,
        threshold: u16,
        counts: &mut PairCounts,
    ) -> Result<Option<Place>> {
        if !pixels::is_stream_of(stream, 2 * n_pixels) {
            return Err(corrupt_segment(0));
        }
        let tokens = stream.as_chunks::<2>().0;
        let is_low = |token: &[u8; 2]| u16::from_le_bytes(*token).wrapping_sub(1) < threshold - 1;
        if tokens.iter().fold(false, |any, token| any | is_low(token)) {
            return Ok(None);
        }
        let (first_symbol, first_bit) = (self.symbols.len(), self.bits.len());
        let (mut runs, mut values, mut run) = ([0_u32; BLOCK], [0_u16; BLOCK], 0);
        for tokens in tokens.chunks(BLOCK) {
            let mut n = 0;
            for token in tokens {
                let token = i16::from_le_bytes(*token);
                let is_bright = token > 0;
                (runs[n % BLOCK], values[n % BLOCK]) = (run, token.cast_unsigned());
                n += usize::from(is_bright);
                // All runs are in a segment: they do not pass 32 bits.
                run = if is_bright { 0 } else { run + u32::from(token.unsigned_abs().max(1)) };
            }
            self.add_pairs(&runs[..n], &values[..n], threshold, counts);
        }
        self.writer.move_to(&mut self.bits);
        let (symbols, bits) = (first_symbol..self.symbols.len(), first_bit..self.bits.len());
        Ok(Some(Place { symbols, bits, n_pixels }))
    }

    fn add_pairs(&mut self, runs: &[u32], values: &[u16], threshold: u16, [of_runs, of_values]: &mut PairCounts) {
        let first = self.symbols.len();
        self.symbols.resize(first + 2 * runs.len(), 0);
        let symbols = self.symbols[first..].as_chunks_mut::<2>().0;
        for ((symbols, run), value) in symbols.iter_mut().zip(runs).zip(values) {
            let value = u32::from(value - threshold);
            let ((run_token, run_bits), (value_token, value_bits)) = (token_of(*run), token_of(value));
            *symbols = [u16::from(run_token), 64 | u16::from(value_token)];
            of_runs[usize::from(run_token)] += 1;
            of_values[usize::from(value_token)] += 1;
            let low = u64::from(*run) & ((1 << run_bits) - 1);
            self.writer.put(low | u64::from(value) << run_bits, run_bits + value_bits);
        }
    }

    /// Appends the packed segment of a stream that was added, and of its exceptions.
    pub(super) fn put(&self, level: Level, place: &Place, list: &List<'_>, encoder: &mut Encoder, out: &mut Vec<u8>) {
        let start = out.len();
        let symbols = &self.symbols[place.symbols.clone()];
        encoder.start(lanes(symbols.len()), symbols.len());
        encoder.put_row(level, symbols);
        out.push(PACKED);
        numbers::put(out, symbols.len() as u64 / 2);
        numbers::put_bytes(out, list.bytes());
        numbers::put_bytes(out, &encoder.finish());
        out.extend_from_slice(&self.bits[place.bits.clone()]);
        let least = least_len(place.n_pixels, symbols.len() / 2);
        out.resize(out.len().max(start + least), 0);
    }
}

/// Appends a segment that is not packed.
pub(super) fn put_plain(segment: &[u8], out: &mut Vec<u8>) {
    out.push(PLAIN);
    out.extend_from_slice(segment);
}

/// For each token of a block where its table begins: runs and values in turn.
static TURNS: [u32; 2 * BLOCK] = turns();

const fn turns() -> [u32; 2 * BLOCK] {
    let mut turns = [0; 2 * BLOCK];
    let mut n = 1;
    while n < turns.len() {
        turns[n] = TOTAL;
        n += 2;
    }
    turns
}

/// The segment at `place` in `chunk`, which has `n_pixels`: its stream, in `scratch` or where it is stored, and its exceptions.
pub(super) fn open<'s>(
    level: Level,
    codes: Option<&DecodingTables>,
    threshold: u16,
    (chunk, place): (&'s [u8], Range<usize>),
    n_pixels: usize,
    scratch: &'s mut Vec<u8>,
) -> Result<(&'s [u8], List<'s>)> {
    let Range { start, end } = place;
    match chunk[start..end].first() {
        Some(&PLAIN) => {
            let (stream, list) = plain::split(chunk, start + 1..end)?;
            return Ok((&chunk[stream], list));
        }
        Some(&PACKED) => {}
        _ => return Err(Error::Corrupt { at: start, what: "a segment is neither packed nor a stream" }),
    }
    let codes =
        codes.ok_or(Error::Corrupt { at: start, what: "the tables that a segment is packed with are damaged" })?;
    let mut cursor = Cursor::new_at(&chunk[..end], start + 1);
    let n_values = numbers::get_u32(&mut cursor)? as usize;
    if n_values > n_pixels
        || n_values > MAX_VALUES * (end - start)
        || 2 * n_pixels > MAX_RATIO.saturating_mul(end - start)
    {
        return Err(Error::Corrupt { at: start, what: "a packed segment is too short for its pixels" });
    }
    numbers::get_bytes(&mut cursor).and_then(|list| {
        let list = List { chunk: &chunk[..cursor.at()], start: cursor.at() - list.len() };
        let decoder = stream::open(codes, lanes(2 * n_values), numbers::get_bytes(&mut cursor)?)?;
        let mut unpacking = Unpacking { threshold, n_pixels, n_done: 0, at: 0, out: scratch };
        let (mut decoder, mut bits, mut tokens) = (decoder, BitReader::new(&cursor), [0; 2 * BLOCK]);
        for first in (0..n_values).step_by(BLOCK) {
            let tokens = &mut tokens[..2 * BLOCK.min(n_values - first)];
            decoder.tokens(level, &TURNS[..tokens.len()], None, tokens);
            unpacking.put(tokens.as_chunks().0, &mut bits)?;
        }
        stream::finish(&decoder)?;
        if !bits.is_at_end() {
            return Err(Error::Corrupt { at: end, what: "a packed segment has more or fewer bits than it needs" });
        }
        Ok((unpacking.finish()?, list))
    })
}

/// A stream that is made of runs and values.
struct Unpacking<'s> {
    threshold: u16,
    n_pixels: usize,
    n_done: usize,
    /// Bytes of the stream.
    at: usize,
    out: &'s mut Vec<u8>,
}

impl<'s> Unpacking<'s> {
    fn put(&mut self, pairs: &[[u8; 2]], bits: &mut BitReader<'_>) -> Result<()> {
        let (mut most, mut n_done) = (0, self.n_done);
        self.make_room(4 * pairs.len());
        for [run, value] in pairs {
            let (mut run, value) = (folded(*run, bits), folded(*value, bits));
            most = most.max(value);
            n_done = n_done.saturating_add(run as usize + 1);
            if run as usize > MAX_RUN_PIXELS {
                self.check(n_done)?;
                self.put_long(&mut run, 4 * pairs.len())?;
            }
            let bright = value.wrapping_add(self.threshold.into());
            let dark = if run == 1 { 0 } else { u32::from((run as u16).wrapping_neg()) };
            let both = if run > 0 { dark | bright << 16 } else { bright };
            if let Some(room) = self.out.get_mut(self.at..).and_then(|rest| rest.first_chunk_mut()) {
                *room = both.to_le_bytes();
            }
            self.at += if run > 0 { 4 } else { 2 };
        }
        self.n_done = n_done;
        self.check(n_done)?;
        if most > u32::from(MAX_THRESHOLD - self.threshold) {
            return Err(Error::Corrupt { at: 0, what: "a packed segment has a value above 32767" });
        }
        Ok(())
    }

    /// Tokens of as many dark pixels as one can have, until `run` fits one; and room for `n_more` bytes.
    #[cold]
    fn put_long(&mut self, run: &mut u32, n_more: usize) -> Result<()> {
        let last = (*run as usize - 1) % MAX_RUN_PIXELS + 1;
        let n_before = *run as usize - last;
        self.make_room(2 * (n_before / MAX_RUN_PIXELS) + n_more);
        self.at += plain::put_dark(&mut self.out[self.at..], n_before)?;
        *run = last as u32;
        Ok(())
    }

    fn make_room(&mut self, n_bytes: usize) {
        let needed = self.at + n_bytes;
        if self.out.len() < needed {
            self.out.resize(needed, 0);
        }
    }

    fn check(&self, n_done: usize) -> Result<()> {
        if n_done <= self.n_pixels { Ok(()) } else { Err(corrupt_segment(0)) }
    }

    /// The stream, with the dark pixels after the last bright one.
    fn finish(mut self) -> Result<&'s [u8]> {
        let n_dark = self.n_pixels - self.n_done;
        self.make_room(2 * n_dark.div_ceil(MAX_RUN_PIXELS));
        self.at += plain::put_dark(&mut self.out[self.at..], n_dark)?;
        let Self { out, at, .. } = self;
        Ok(&out[..at])
    }
}

/// The tables at the beginning of `bytes`, and how many bytes they have.
pub(super) fn codes(bytes: &[u8]) -> Result<(DecodingTables, usize)> {
    let mut cursor = Cursor::new(bytes);
    let tables = [tables::get(&mut cursor)?, tables::get(&mut cursor)?];
    Ok((DecodingTables::new(tables.iter()), cursor.at()))
}

/// Whether the segments of so many bytes can stand for so many decoded bytes.
pub(super) fn is_justified(n_stored: usize, n_bytes: usize) -> bool {
    n_stored.saturating_mul(MAX_RATIO) >= n_bytes
}

const _: () = assert!(BLOCK.is_multiple_of(MAX_LANES));
