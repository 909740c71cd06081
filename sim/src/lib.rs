//! Simulated detector frames, seeded: for tests, benchmarks and the demo.
//!
//! Nothing here was measured; every generator says what it imitates. The same seed and shape give the same pixels on
//! every platform and in every build: the random numbers are integers, and the little floating-point arithmetic there
//! is uses only operations that IEEE 754 rounds exactly (no `ln`, `exp` or `sin` of the platform's library).
//!
//! * [`Camera`]: a velocity-map-imaging camera that streams frames: electron spots on a dark image with readout noise.
//! * [`regimes`]: single frames, one function a regime, from all dark to 12-bit noise.
//! * [`traces`]: what a digitiser of 14 bits gives after each trigger.
//!
//! ```
//! let mut camera = darkchunk_sim::Camera::new((64, 64), 0.0056, 1);
//! let mut frame = vec![0i16; 64 * 64];
//! camera.next_frame(&mut frame);
//! let bright = frame.iter().zip(camera.dark()).filter(|(p, d)| *p - *d >= camera.threshold()).count();
//! assert!(bright < 64 * 64 / 10);
//! ```

#![forbid(unsafe_code)]

mod camera;
mod digitiser;
mod math;
pub mod regimes;
mod rng;
mod spots;

pub use camera::{Camera, CameraPixel};
pub use digitiser::{DIGITISER_MAX, traces};
pub use rng::Rng;

/// `(height, width)` of a frame in pixels.
pub type Shape = (usize, usize);
