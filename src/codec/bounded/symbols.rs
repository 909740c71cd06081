//! The symbols of a frame: for each pixel a token and the class of its prediction; or runs and values.

use super::coding::Model;
use super::levels::Levels;
use super::planes::{Plane, predict};
use super::segment::sparse_lanes;
use super::tables::Counts;
use super::tokens::{BitWriter, N_PLAIN, token};
use crate::cpu::Level;
use crate::kernels::predict::classes::{self, N_CLASSES, TOKEN_BITS};
use crate::kernels::predict::{Scale, differences, fold};
use crate::kernels::rans::{Encoder, N_TOKENS, NOTHING};

const TOKENS: u16 = (1 << TOKEN_BITS) - 1;
const N_SYMBOLS: usize = N_CLASSES << TOKEN_BITS;

/// The symbols of a frame that is predicted: classes and tokens, or [`NOTHING`] for a masked pixel.
pub(super) struct Predicted {
    symbols: Vec<u16>,
    bits: Vec<u8>,
}

/// How often each symbol comes, those of even pixels and the others: a count that follows itself would wait for itself.
pub(super) struct SymbolCounts([Box<[u32; N_SYMBOLS]>; 2]);

impl SymbolCounts {
    pub(super) fn new() -> Self {
        Self([(); 2].map(|()| Box::new([0; N_SYMBOLS])))
    }

    fn add(&mut self, symbols: &[u16]) {
        let [even, odd] = &mut self.0;
        let (pairs, last) = symbols.as_chunks::<2>();
        for [a, b] in pairs {
            even[usize::from(*a) % N_SYMBOLS] += 1;
            odd[usize::from(*b) % N_SYMBOLS] += 1;
        }
        last.iter().for_each(|symbol| even[usize::from(*symbol) % N_SYMBOLS] += 1);
    }

    /// How often each token comes in each class. What counts as [`NOTHING`] is no token.
    pub(super) fn of_classes(&self) -> Vec<Counts> {
        let of_class = |class: usize| {
            let from = class << TOKEN_BITS;
            std::array::from_fn(|token| self.0.iter().map(|counts| counts[from + token]).sum())
        };
        (0..N_CLASSES).map(of_class).collect()
    }
}

const _: () = assert!(N_TOKENS < 1 << TOKEN_BITS && NOTHING as usize % N_SYMBOLS == N_SYMBOLS - 1);

/// A frame to be predicted.
pub(super) struct Frame<'a> {
    pub(super) level: Level,
    pub(super) levels: &'a Levels,
    pub(super) plane: &'a Plane,
    pub(super) reference: Option<&'a Plane>,
    pub(super) scale: &'a Scale,
    pub(super) width: usize,
}

impl Frame<'_> {
    pub(super) fn predicted(&self, model: &Model, counts: &mut SymbolCounts) -> Predicted {
        let (mut symbols, mut bits) = (vec![0; self.levels.levels.len()], BitWriter::default());
        let (mut sums, mut folded) = (vec![0; self.width], vec![0; self.width]);
        let offset = classes::offset(self.scale);
        let planes = (Some(self.plane), self.reference);
        let rows = self.levels.levels.chunks(self.width).zip(symbols.chunks_mut(self.width));
        for (y, (levels, symbols)) in rows.enumerate() {
            predict(self.level, planes, (&model.taps, model.bias), (y, 0), &mut sums);
            let any = differences(self.level, self.scale, &sums, levels, &mut folded);
            classes::symbols(self.level, offset, &sums, &folded, symbols);
            if let Some(mask) = self.levels.mask.get(y * self.width..(y + 1) * self.width) {
                for (symbol, masked) in symbols.iter_mut().zip(mask) {
                    *symbol = if *masked != 0 { NOTHING } else { *symbol };
                }
            }
            if any >= u32::from(N_PLAIN) {
                put_bits(&folded, symbols, &mut bits);
            }
            counts.add(symbols);
        }
        Predicted { symbols, bits: bits.finish() }
    }
}

/// The tokens of a row some of which have bits.
fn put_bits(folded: &[u32], symbols: &mut [u16], bits: &mut BitWriter) {
    for (symbol, folded) in symbols.iter_mut().zip(folded) {
        if *symbol & TOKENS >= u16::from(N_PLAIN) && *symbol != NOTHING {
            let (token, n_bits) = token(*folded);
            bits.put((*folded).into(), n_bits);
            *symbol = *symbol & !TOKENS | u16::from(token);
        }
    }
}

impl Predicted {
    /// The stream, and the bits that follow it. `tables` has the table of each class.
    pub(super) fn encode(
        &self,
        level: Level,
        encoder: &mut Encoder,
        tables: &[u8; N_CLASSES],
        width: usize,
        n_lanes: usize,
    ) -> (Vec<u8>, &[u8]) {
        encoder.start(n_lanes, self.symbols.len());
        let tables = tables.map(|table| u16::from(table) << TOKEN_BITS);
        let mut row = vec![0; width];
        for symbols in self.symbols.chunks(width).rev() {
            for (to, symbol) in row.iter_mut().zip(symbols) {
                let of_table = tables[usize::from(symbol >> TOKEN_BITS) % N_CLASSES] | symbol & TOKENS;
                *to = if *symbol == NOTHING { NOTHING } else { of_table };
            }
            encoder.put_row(level, &row);
        }
        (encoder.finish(), &self.bits)
    }
}

/// The symbols of a frame of runs and values.
pub(super) struct Sparse {
    /// A run and a value in turn.
    tokens: Vec<u8>,
    bits: Vec<u8>,
}

impl Sparse {
    /// `None` where more than one pixel in eight has another level than 0.
    pub(super) fn new(levels: &Levels, counts: &mut [Counts; 2]) -> Option<Self> {
        let n = levels.levels.len();
        let is_masked = |at: usize| levels.mask.get(at).is_some_and(|masked| *masked != 0);
        let n_values = levels.levels.iter().enumerate().filter(|(at, level)| **level != 0 && !is_masked(*at)).count();
        if n_values > n / 8 {
            return None;
        }
        let (mut tokens, mut bits, mut run) = (Vec::with_capacity(2 * n_values), BitWriter::default(), 0_u32);
        for (at, level) in levels.levels.iter().enumerate() {
            if is_masked(at) {
                continue;
            }
            if *level == 0 {
                run += 1;
                continue;
            }
            for (folded, counts) in [run, fold(*level).wrapping_sub(1)].into_iter().zip(counts.iter_mut()) {
                let (token, n_bits) = token(folded);
                bits.put(folded.into(), n_bits);
                counts[usize::from(token)] += 1;
                tokens.push(token);
            }
            run = 0;
        }
        Some(Self { tokens, bits: bits.finish() })
    }

    pub(super) fn n_values(&self) -> usize {
        self.tokens.len() / 2
    }

    pub(super) fn encode(&self, encoder: &mut Encoder) -> (Vec<u8>, &[u8]) {
        let n_lanes = sparse_lanes(self.tokens.len());
        encoder.start(n_lanes, self.tokens.len());
        for (n, token) in self.tokens.iter().enumerate().rev() {
            encoder.put(n & (n_lanes - 1), n & 1, *token);
        }
        (encoder.finish(), &self.bits)
    }
}
