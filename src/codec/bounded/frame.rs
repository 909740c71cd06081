//! Decodes a frame, row by row, in blocks of a row.

use super::coding::{Coding, Model};
use super::element::PixelType;
use super::front::Front;
use super::mask::Rows;
use super::numbers;
use super::planes::{Plane, predict};
use super::segment::{Head, Mode, sparse_lanes};
use super::stream;
use super::tokens::{BitReader, N_PLAIN, base, folded};
use crate::codec::cursor::Cursor;
use crate::cpu::Level;
use crate::kernels::predict::{self as kernel, Scale, unfold};
use crate::kernels::quantise::{LevelTable, lattice};
use crate::kernels::rans::{Decoder, DecodingTables};
use crate::{Error, Result};

/// Pixels of a block: a multiple of the lanes.
pub(super) const BLOCK: usize = 2048;

/// The tables of a chunk, made once.
#[derive(Debug)]
pub(super) struct Tables {
    model: DecodingTables,
    first: Option<DecodingTables>,
    sparse: Option<DecodingTables>,
}

impl Tables {
    pub(super) fn new(coding: &Coding) -> Self {
        Self {
            model: DecodingTables::new(coding.model.tables.iter()),
            first: coding.first.as_ref().map(|first| DecodingTables::new(first.tables.iter())),
            sparse: coding.sparse.as_ref().map(|sparse| DecodingTables::new(sparse.iter())),
        }
    }
}

/// What frames of a chunk are decoded with.
#[derive(Debug, Clone, Copy)]
pub(super) struct FrameDecoder<'a> {
    pub(super) level: Level,
    pub(super) front: &'a Front<'a>,
    pub(super) coding: &'a Coding,
    pub(super) tables: &'a Tables,
    /// What the levels of integers stand for; without it they are values themselves.
    pub(super) levels: Option<&'a LevelTable>,
    /// Whether it decodes the stored reference, whose levels are what planes hold.
    pub(super) is_reference: bool,
}

/// Where the levels of a block of a row go.
struct Output<'a> {
    /// Pixels, if they are wanted.
    pixels: Option<&'a mut [u8]>,
    plane: Option<&'a mut Plane>,
    scale: Scale,
}

/// Working memory of a block.
struct Block {
    sums: Vec<i32>,
    levels: Vec<i32>,
    tables: Vec<u32>,
    tokens: Vec<u8>,
}

impl Block {
    fn new(width: usize) -> Self {
        let n = width.min(BLOCK);
        Self { sums: vec![0; n], levels: vec![0; n], tables: vec![0; n], tokens: vec![0; n] }
    }
}

impl FrameDecoder<'_> {
    fn width(&self) -> usize {
        self.front.header.width as usize
    }

    fn height(&self) -> usize {
        self.front.header.height as usize
    }

    fn element(&self) -> PixelType {
        self.front.header.element
    }

    /// Decodes a segment to `pixels`, or to nothing, and its levels to `plane`, which has the rows before the first one.
    pub(super) fn decode(
        &self,
        segment: &[u8],
        reference: Option<&Plane>,
        mut pixels: Option<&mut [u8]>,
        plane: Option<&mut Plane>,
    ) -> Result<Mode> {
        let mut cursor = Cursor::new(segment);
        let may_have_exceptions = self.element().is_float && !self.is_reference;
        let head = Head::get(&mut cursor, self.front.sets.len(), may_have_exceptions)?;
        if head.mode == Mode::Raw {
            return decode_raw(&mut cursor, pixels).map(|()| Mode::Raw);
        }
        let mut mask = Rows::new(&self.front.sets, &head.mask, self.width())?;
        let scale =
            if self.is_reference { Scale { origin: 0, shift: 0, ..self.coding.scale } } else { self.coding.scale };
        let output = Output { pixels: pixels.as_deref_mut(), plane, scale };
        match head.mode {
            Mode::Taps => self.taps(&mut cursor, head.is_first, reference, &mut mask, output)?,
            Mode::Sparse => self.sparse(&mut cursor, &mut mask, output)?,
            _ => self.constant(&mut cursor, &mut mask, output)?,
        }
        mask.finish()?;
        self.put_exceptions(&head, pixels)?;
        Ok(head.mode)
    }

    fn put_exceptions(&self, head: &Head<'_>, mut pixels: Option<&mut [u8]>) -> Result<()> {
        let element = self.element();
        head.exceptions.for_each(self.front.header.frame_pixels(), |pixel, bits| {
            let at = pixel * element.n_bytes;
            if let Some(to) = pixels.as_mut().and_then(|pixels| pixels.get_mut(at..at + element.n_bytes)) {
                element.store(&[bits], to);
            }
        })
    }

    /// The model of a frame, and its tables.
    fn model(&self, is_first: bool) -> Result<(&Model, &DecodingTables)> {
        let what = "a frame uses a model that the chunk does not have";
        if !is_first {
            return Ok((&self.coding.model, &self.tables.model));
        }
        self.coding.first.as_ref().zip(self.tables.first.as_ref()).ok_or(Error::Corrupt { at: 0, what })
    }

    fn taps(
        &self,
        cursor: &mut Cursor<'_>,
        is_first: bool,
        reference: Option<&Plane>,
        mask: &mut Rows<'_>,
        mut output: Output<'_>,
    ) -> Result<()> {
        let (model, tables) = self.model(is_first)?;
        if reference.is_none() && model.taps.iter().any(|tap| tap.is_reference) {
            return Err(Error::Corrupt { at: 0, what: "a frame is predicted from one that is not there" });
        }
        let mut decoder = stream::open(tables, self.coding.n_lanes, numbers::get_bytes(cursor)?)?;
        let mut bits = BitReader::new(cursor);
        let mut block = Block::new(self.width());
        for y in 0..self.height() {
            let row = mask.next(self.width())?;
            for x in (0..self.width()).step_by(BLOCK) {
                let n = BLOCK.min(self.width() - x);
                let row = row.map(|row| &row[x..x + n]);
                let Block { sums, levels, tables, tokens } = &mut block;
                let (sums, levels) = (&mut sums[..n], &mut levels[..n]);
                predict(self.level, (output.plane.as_deref(), reference), (&model.taps, model.bias), (y, x), sums);
                kernel::tables(self.level, &model.thresholds, sums, &mut tables[..n]);
                decoder.tokens(self.level, &tables[..n], row, &mut tokens[..n]);
                if kernel::widen(self.level, &tokens[..n], levels) >= N_PLAIN {
                    add_bits(&tokens[..n], levels, &mut bits);
                }
                kernel::levels(self.level, &output.scale, sums, levels);
                self.put(&mut output, (y, x), levels, row);
            }
            output.end_row(y);
        }
        stream::finish(&decoder)?;
        if bits.is_at_end() {
            Ok(())
        } else {
            Err(Error::Corrupt { at: 0, what: "a frame has more or fewer bits than it needs" })
        }
    }

    fn sparse(&self, cursor: &mut Cursor<'_>, mask: &mut Rows<'_>, mut output: Output<'_>) -> Result<()> {
        let tables = self.tables.sparse.as_ref();
        let tables =
            tables.ok_or(Error::Corrupt { at: 0, what: "a frame needs tables that the chunk does not have" })?;
        let n_values = numbers::get_u32(cursor)? as usize;
        if n_values > self.front.header.frame_pixels() {
            return Err(Error::Corrupt { at: cursor.at(), what: "a sparse frame has more values than pixels" });
        }
        let n_lanes = sparse_lanes(2 * n_values);
        let decoder = stream::open(tables, n_lanes, numbers::get_bytes(cursor)?)?;
        let mut values = Values { decoder, bits: BitReader::new(cursor), n_lanes, n_values, n_read: 0, run: 0 };
        values.next_run();
        let mut block = Block::new(self.width());
        for y in 0..self.height() {
            let row = mask.next(self.width())?;
            for x in (0..self.width()).step_by(BLOCK) {
                let n = BLOCK.min(self.width() - x);
                let row = row.map(|row| &row[x..x + n]);
                values.fill(&mut block.levels[..n], row);
                self.put(&mut output, (y, x), &mut block.levels[..n], row);
            }
            output.end_row(y);
        }
        values.finish()
    }

    fn constant(&self, cursor: &mut Cursor<'_>, mask: &mut Rows<'_>, mut output: Output<'_>) -> Result<()> {
        let level = numbers::get_signed(cursor)? as i32;
        check_padding(cursor)?;
        let mut block = Block::new(self.width());
        for y in 0..self.height() {
            let row = mask.next(self.width())?;
            for x in (0..self.width()).step_by(BLOCK) {
                let n = BLOCK.min(self.width() - x);
                block.levels[..n].fill(level);
                self.put(&mut output, (y, x), &mut block.levels[..n], row.map(|row| &row[x..x + n]));
            }
            output.end_row(y);
        }
        Ok(())
    }

    /// Enters the levels of a block in the plane, and what they stand for in the pixels.
    fn put(&self, output: &mut Output<'_>, (y, x): (usize, usize), levels: &mut [i32], mask: Option<&[u8]>) {
        if let Some(plane) = &mut output.plane {
            plane.enter(self.level, (y, x), levels, &output.scale, mask);
        }
        let Some(pixels) = &mut output.pixels else { return };
        let element = self.element();
        if let Some(table) = self.levels {
            table.values_of(levels, |level| element.value(level));
        }
        if element.is_float {
            lattice::values(self.level, self.front.header.lattice.step, levels);
        }
        for (n, bits) in mask.iter().flat_map(|mask| mask.iter().enumerate()).filter(|(_, bits)| **bits != 0) {
            let sentinel = self.front.sentinels.get(bits.trailing_zeros() as usize);
            levels[n] = sentinel.copied().unwrap_or(0).cast_signed();
        }
        let at = (y * self.width() + x) * element.n_bytes;
        element.store(levels, &mut pixels[at..at + levels.len() * element.n_bytes]);
    }
}

impl Output<'_> {
    fn end_row(&mut self, y: usize) {
        if let Some(plane) = &mut self.plane {
            plane.pad(y);
        }
    }
}

/// Whether a segment holds the pixels as they are.
pub(super) fn is_raw(segment: &[u8]) -> bool {
    segment.first().is_some_and(|byte| byte & 0x0f == 3)
}

/// Whether a segment holds differences from predictions.
pub(super) fn is_predicted(segment: &[u8]) -> bool {
    segment.first().is_some_and(|byte| byte & 0x0f == 0)
}

/// Whether a segment needs no frame before it.
pub(super) fn is_first(segment: &[u8]) -> bool {
    segment.first().is_some_and(|byte| byte & 0x10 != 0)
}

/// Decodes a segment of a chunk that has no coded frames.
pub(super) fn decode_raw_segment(segment: &[u8], pixels: &mut [u8]) -> Result<()> {
    let mut cursor = Cursor::new(segment);
    if Head::get(&mut cursor, 0, false)?.mode != Mode::Raw {
        return Err(Error::Corrupt { at: 0, what: "a frame is coded, and the chunk has no model" });
    }
    decode_raw(&mut cursor, Some(pixels))
}

fn decode_raw(cursor: &mut Cursor<'_>, pixels: Option<&mut [u8]>) -> Result<()> {
    let Some(pixels) = pixels else {
        return Err(Error::Corrupt { at: 0, what: "the stored reference is raw" });
    };
    pixels.copy_from_slice(cursor.take(pixels.len())?);
    check_padding(cursor)
}

/// A short segment is made longer by zeros.
fn check_padding(cursor: &Cursor<'_>) -> Result<()> {
    if cursor.rest().iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    Err(Error::Corrupt { at: cursor.at(), what: "bytes follow the end of a frame" })
}

/// The folded differences of tokens that have bits.
fn add_bits(tokens: &[u8], folded: &mut [i32], bits: &mut BitReader<'_>) {
    for (tokens, to) in tokens.chunks(16).zip(folded.chunks_mut(16)) {
        if tokens.iter().all(|token| *token < N_PLAIN) {
            continue;
        }
        for (to, token) in to.iter_mut().zip(tokens).filter(|(_, token)| **token >= N_PLAIN) {
            let (least, n_bits) = base(*token);
            *to = (least | bits.get(n_bits)).cast_signed();
        }
    }
}

/// The runs and values of a sparse frame.
struct Values<'a> {
    decoder: Decoder<'a>,
    bits: BitReader<'a>,
    n_lanes: usize,
    n_values: usize,
    n_read: usize,
    /// Zeros before the next value.
    run: u64,
}

impl Values<'_> {
    fn next_run(&mut self) {
        self.run = u64::MAX;
        if self.n_read < self.n_values {
            let token = self.decoder.get((2 * self.n_read) & (self.n_lanes - 1), 0);
            self.run = folded(token, &mut self.bits).into();
        }
    }

    fn value(&mut self) -> i32 {
        let token = self.decoder.get((2 * self.n_read + 1) & (self.n_lanes - 1), 1);
        let level = unfold(folded(token, &mut self.bits).wrapping_add(1));
        self.n_read += 1;
        self.next_run();
        level
    }

    fn fill(&mut self, levels: &mut [i32], mask: Option<&[u8]>) {
        levels.fill(0);
        match mask {
            None => {
                let mut at = 0;
                while self.run < (levels.len() - at) as u64 {
                    at += self.run as usize;
                    levels[at] = self.value();
                    at += 1;
                }
                self.run -= (levels.len() - at) as u64;
            }
            Some(mask) => {
                for (level, _) in levels.iter_mut().zip(mask).filter(|(_, masked)| **masked == 0) {
                    if self.run == 0 { *level = self.value() } else { self.run -= 1 }
                }
            }
        }
    }

    fn finish(&self) -> Result<()> {
        stream::finish(&self.decoder)?;
        if self.n_read == self.n_values && self.bits.is_at_end() {
            return Ok(());
        }
        Err(Error::Corrupt { at: 0, what: "a sparse frame has other values than it has pixels for" })
    }
}
