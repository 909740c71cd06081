//! The entropy coder: range asymmetric numeral systems, as many states side by side ("lanes") as a stream has.
//!
//! A table gives each token a frequency of 2048. A state is at least 2^15 and below 2^31, so that its quotient by a frequency is exact
//! as a product. The encoder goes backwards from a state of 2^15 a lane; the decoder ends there, which is checked. A stream is the
//! states, and u16 words, each of which the decoder takes where a state has fallen below 2^15.
//!
//! Tokens go to the lanes in turn, so that those of a vector are of as many lanes, and the words that they take follow each other.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod decode;
mod encode;
mod model;
#[cfg(test)]
mod tests;

pub(crate) use decode::{Decoder, DecodingTables};
pub(crate) use encode::{Encoder, NOTHING};
pub(crate) use model::{END_STATE, FREQUENCY_BITS, Frequencies, MAX_LANES, MIN_STATE, N_TOKENS, TOTAL};

#[cfg(target_arch = "x86_64")]
use crate::cpu::Isa;
use crate::cpu::Level;

impl Decoder<'_> {
    /// The tokens of pixels of which the first one is in lane 0, and each has the table that begins at the slot `tables` says. Those that
    /// are masked have none: they get 0.
    pub(crate) fn tokens(&mut self, level: Level, tables: &[u32], mask: Option<&[u8]>, tokens: &mut [u8]) {
        assert!(tables.len() == tokens.len() && mask.is_none_or(|mask| mask.len() == tokens.len()));
        match (level.isa(), self.n_lanes) {
            // SAFETY: the level proves that the processor has these instructions.
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512, 16..) => unsafe { avx512::tokens(self, tables, mask, tokens) },
            // SAFETY: as above; the higher level has those of the lower one.
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512 | Isa::Avx2, 8..) => unsafe { avx2::tokens(self, tables, mask, tokens) },
            _ => self.tokens_one_by_one(tables, mask, tokens),
        }
    }
}

impl Encoder {
    /// The symbols of a row before all that were put. The first one is in lane 0; [`NOTHING`] is none.
    pub(crate) fn put_row(&mut self, level: Level, symbols: &[u16]) {
        match (level.isa(), self.n_lanes) {
            // SAFETY: the level proves that the processor has these instructions.
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512, 16..) => unsafe { avx512::put_row(self, symbols) },
            _ => self.put_one_by_one(symbols),
        }
    }
}
