//! Zstd, filter 32015.
