//! LZ4, filter 32004.
