//! From frames to chunks: a subject a file. They are one program, which is built faster than many.

#[cfg(unix)]
mod guarded;

mod chunk;
mod dark;
mod dark_exceptions;
mod dark_frames;
mod frame_encoder;
