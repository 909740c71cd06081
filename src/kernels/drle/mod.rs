//! Dark subtraction, threshold, sum and run detection in one pass over the pixels; and the way back.
//!
//! For every pixel of a frame, with `d` = pixel − dark image, computed without wrapping:
//!
//! ```text
//! stored = 0                          where a threshold is given and d < threshold   (the pixel is dark)
//!        = d, saturated to the pixel type  elsewhere                                      (the pixel is bright)
//! sum   += stored
//! ```
//!
//! [`encode()`] writes the stored pixels as a DRLE stream (`docs/format.md`), [`correct()`] writes them as they are, for the
//! other codecs; [`encode_in_place`] does both. [`decode()`] turns a stream into pixels again. What a pass removed is
//! counted exactly ([`FrameCounts`]).
//!
//! Where they are asked for, [`Exceptions`] are a third class beside dark and bright: raw values that are no measurements, and
//! bright pixels that a stream cannot hold.
//!
//! `scalar` says this pixel by pixel and is the specification. The vector levels share one driver, `block`: the
//! kernel of an instruction set collects the positions where brightness changes (no branch per pixel or run), then the
//! runs between them are copied. `sum` adds frames from their streams.
//!
//! Layers, each of which uses only what is above it:
//!
//! | files | what |
//! |---|---|
//! | `types`, `pixel`, `exceptions` | what goes in and comes out |
//! | `scalar` | the specification |
//! | `scan`, `tokens`, `fill`, `add` | what the instruction sets have in common |
//! | `avx2`, `avx512`…, `neon`, `sse41` | one instruction set each |
//! | `block` with `find`, `decode`, `sum` | blocks and streams; the instruction set is chosen here |
//! | `encode`, `batch`, `threads`, `correct` | frames |

mod add;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_bright;
#[cfg(target_arch = "x86_64")]
mod avx512_dense;
mod batch;
mod block;
mod correct;
mod decode;
mod encode;
mod exceptions;
mod fill;
mod find;
#[cfg(target_arch = "aarch64")]
mod neon;
mod pixel;
mod scalar;
mod scan;
#[cfg(target_arch = "x86_64")]
mod sse41;
mod sum;
mod threads;
mod tokens;
mod types;

pub use batch::BatchFrame;
pub(crate) use block::Block;
pub use correct::correct;
pub(crate) use decode::count_pixels;
pub use decode::{decode, decode_zeroed};
pub(crate) use encode::Encoder;
pub use encode::{encode, encode_in_place, encode_in_place_with, encode_with};
pub(crate) use exceptions::Kind;
pub use exceptions::{Exceptions, MAX_SENTINELS, Sentinels};
pub use pixel::Pixel;
pub(crate) use pixel::pixels_of;
pub use threads::encode_frames;
pub use types::{Correction, Encoded, FrameCounts, MAX_RUN_PIXELS, MAX_THRESHOLD, max_encoded_len};
