//! Frames ↔ chunk: segments, padding, encoding of a whole chunk.
