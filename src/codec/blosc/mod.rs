//! Blosc 1, filter 32001.
