//! Tokens, frequencies and states: what encoder and decoder have in common.

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
