//! Frames in the caller's memory, and how it comes back.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use darkchunk_stream::recorder::Buffer;

pub(super) type Release = unsafe extern "C" fn(*mut c_void, *mut c_void);

/// A pointer of the caller's, for which nothing but the caller's promise stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context(pub(super) *mut c_void);

// SAFETY: `darkchunk.h` says that the functions which get it are called by any thread, and the memory read by any.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

/// Where released buffers go: to the caller's function, or into a list that the caller asks for.
#[derive(Debug)]
pub(super) struct Home {
    release: Option<Release>,
    context: Context,
    released: Mutex<Vec<Context>>,
}

impl Home {
    pub(super) fn new(release: Option<Release>, context: *mut c_void) -> Arc<Self> {
        Arc::new(Self { release, context: Context(context), released: Mutex::default() })
    }

    pub(super) fn released(&self) -> MutexGuard<'_, Vec<Context>> {
        self.released.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A frame in the caller's memory.
#[derive(Debug)]
pub(crate) struct Lent {
    pub(super) first: (Context, usize),
    pub(super) others: Vec<(Context, usize)>,
    pub(super) buffer: Context,
    /// `None` where the caller has it already.
    pub(super) home: Option<Arc<Home>>,
}

impl Lent {
    /// It was not taken, and stays the caller's.
    pub(crate) fn keep(&mut self) {
        self.home = None;
    }
}

impl Buffer for Lent {
    fn piece(&self, index: usize) -> Option<&[u8]> {
        let others = || self.others.get(index - 1).copied();
        let (at, n_bytes) = if index == 0 { self.first } else { others()? };
        // SAFETY: the caller promised so many bytes, unchanged until they are released; null was refused.
        Some(unsafe { std::slice::from_raw_parts(at.0.cast::<u8>(), n_bytes) })
    }

    fn piece_mut(&mut self, index: usize) -> Option<&mut [u8]> {
        let others = || self.others.get(index - 1).copied();
        let (at, n_bytes) = if index == 0 { self.first } else { others()? };
        // SAFETY: as above; it is called only with `options.in_place`, where the caller promised that they may be written to, and are nobody
        // else's until they are released.
        Some(unsafe { std::slice::from_raw_parts_mut(at.0.cast::<u8>(), n_bytes) })
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(home) = self.home.take() else { return };
        match home.release {
            // SAFETY: the caller's function, which takes this.
            Some(release) => unsafe { release(home.context.0, self.buffer.0) },
            None => home.released().push(self.buffer),
        }
    }
}
