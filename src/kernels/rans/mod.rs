//! The entropy coder: range asymmetric numeral systems, as many states side by side ("lanes") as a stream has.
//!
//! A table gives each token a frequency of 2048. A state is at least 2^15 and below 2^31, so that its quotient by a frequency is exact
//! as a product. The encoder goes backwards from a state of 2^15 a lane; the decoder ends there, which is checked. A stream is the
//! states, and u16 words, each of which the decoder takes where a state has fallen below 2^15.
//!
//! Tokens go to the lanes in turn, so that those of a vector are of as many lanes, and the words that they take follow each other.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod decode;
mod encode;
#[cfg(test)]
mod tests;

pub(crate) use decode::{Decoder, DecodingTables};
pub(crate) use encode::{Encoder, NOTHING};

/// Tokens there are.
pub(crate) const N_TOKENS: usize = 52;

/// Bits of a frequency, and the sum of all in a table.
pub(crate) const FREQUENCY_BITS: u32 = 11;
pub(crate) const TOTAL: u32 = 1 << FREQUENCY_BITS;

/// The least state, and one more than the greatest.
pub(crate) const MIN_STATE: u32 = 1 << 15;
pub(crate) const END_STATE: u32 = 1 << 31;

/// Lanes at most.
pub(crate) const MAX_LANES: usize = 32;

/// The frequencies of the tokens. They add up to [`TOTAL`].
pub(crate) type Frequencies = [u16; N_TOKENS];
