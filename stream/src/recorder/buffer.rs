//! The memory that frames are in: the caller's until it is pushed, and again when it is released.

use std::sync::{Arc, Mutex, PoisonError};

use darkchunk::element::{Element, as_bytes, as_bytes_mut};

use super::encoded::Encoded;

/// The memory of a frame that is handed to a recorder, and **released by being dropped**, on any thread, as soon as the frame is
/// encoded (with several frames a chunk: when the chunk is). A camera's buffer goes back to the camera in its `drop`.
pub trait Buffer: Send + 'static {
    /// Piece `index` of the frame, which is its pieces one after the other: rows, strips, modules; `None` after the last.
    fn piece(&self, index: usize) -> Option<&[u8]>;

    /// The same to be written to, for [`Options::in_place`](super::Options::in_place); `None` also where that cannot be.
    fn piece_mut(&mut self, index: usize) -> Option<&mut [u8]> {
        let _ = index;
        None
    }
}

impl<P: Element> Buffer for Vec<P> {
    fn piece(&self, index: usize) -> Option<&[u8]> {
        (index == 0).then(|| as_bytes(self))
    }

    fn piece_mut(&mut self, index: usize) -> Option<&mut [u8]> {
        (index == 0).then(|| as_bytes_mut(self))
    }
}

impl<P: Element> Buffer for Box<[P]> {
    fn piece(&self, index: usize) -> Option<&[u8]> {
        (index == 0).then(|| as_bytes(self))
    }

    fn piece_mut(&mut self, index: usize) -> Option<&mut [u8]> {
        (index == 0).then(|| as_bytes_mut(self))
    }
}

impl<P: Element> Buffer for Arc<[P]> {
    fn piece(&self, index: usize) -> Option<&[u8]> {
        (index == 0).then(|| as_bytes(self))
    }
}

/// Bytes of all pieces.
pub(super) fn n_bytes(buffer: &impl Buffer) -> usize {
    pieces(buffer).map(<[u8]>::len).sum()
}

/// Whether all pieces can be written to.
pub(super) fn is_writable(buffer: &mut impl Buffer) -> bool {
    (0..pieces(buffer).count()).all(|index| buffer.piece_mut(index).is_some())
}

pub(super) fn pieces(buffer: &impl Buffer) -> impl Iterator<Item = &[u8]> {
    (0..).map_while(|index| buffer.piece(index))
}

/// Memory that is used again and again.
#[derive(Debug, Clone, Default)]
pub(super) struct Pool(Arc<Mutex<Vec<Vec<u8>>>>);

impl Pool {
    /// Empty memory, which returns to the pool when it is dropped.
    pub(super) fn take(&self) -> Pooled {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        Pooled { bytes, pool: self.clone() }
    }
}

/// Memory from a [`Pool`].
#[derive(Debug)]
pub(super) struct Pooled {
    pub(super) bytes: Vec<u8>,
    pool: Pool,
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        self.pool.0.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
    }
}

/// The memory of a frame that was taken.
#[derive(Debug)]
pub(super) enum Held<B> {
    Given(B),
    Copied(Pooled),
    Encoded(Encoded, B),
}

/// A frame that may be encoded already.
pub(super) trait Frame: Buffer {
    /// What it is encoded as; `None` for pixels.
    fn encoded(&self) -> Option<Encoded>;
}

impl<B: Buffer> Frame for Held<B> {
    fn encoded(&self) -> Option<Encoded> {
        if let Self::Encoded(kind, _) = self { Some(*kind) } else { None }
    }
}

impl<B: Buffer> Buffer for Held<B> {
    fn piece(&self, index: usize) -> Option<&[u8]> {
        match self {
            Self::Given(buffer) | Self::Encoded(_, buffer) => buffer.piece(index),
            Self::Copied(pooled) => (index == 0).then_some(&pooled.bytes[..]),
        }
    }

    fn piece_mut(&mut self, index: usize) -> Option<&mut [u8]> {
        match self {
            Self::Given(buffer) | Self::Encoded(_, buffer) => buffer.piece_mut(index),
            Self::Copied(pooled) => (index == 0).then_some(&mut pooled.bytes[..]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_the_pool_is_used_again_once_it_is_released() {
        let pool = Pool::default();
        let mut first = pool.take();
        first.bytes.extend([1; 1000]);
        let address = first.bytes.as_ptr();
        let second = pool.take();
        drop(first);
        let third = pool.take();
        assert_eq!((third.bytes.as_ptr(), third.bytes.len()), (address, 0));
        assert!(second.bytes.is_empty());
    }
}
