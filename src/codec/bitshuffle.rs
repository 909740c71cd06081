//! Bitshuffle, filter 32008.
