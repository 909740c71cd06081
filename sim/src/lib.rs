//! Simulated detector frames.
