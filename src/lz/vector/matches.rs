//! A match, copied in whole vectors.

use super::{Lanes, N};

/// Bytes after a match that are written too.
pub(crate) const SLACK_BYTES: usize = 2 * N;

/// As many whole periods as [`N`] bytes have, by period.
static STEPS: [usize; N + 1] = steps();

/// As many whole periods as `ROWS - 1` bytes have, by period; 0 is not used.
pub(super) const fn steps<const ROWS: usize>() -> [usize; ROWS] {
    let mut steps = [0; ROWS];
    let mut period = 1;
    while period < ROWS {
        steps[period] = ROWS - 1 - (ROWS - 1) % period;
        period += 1;
    }
    steps
}

/// Whether a match of `len` bytes, from `offset` before `to`, begins within `dst` and has [`SLACK_BYTES`] bytes after it.
#[inline(always)]
pub(crate) fn fits(dst: &[u8], to: usize, offset: usize, len: usize) -> bool {
    let is_within = offset.wrapping_sub(1) < to;
    is_within && dst.len() >= SLACK_BYTES && to <= dst.len() - SLACK_BYTES && len <= dst.len() - SLACK_BYTES - to
}

/// See [`Lanes::copy_match`].
///
/// One vector does for a match of up to [`N`] bytes, whatever its length, and however it overlaps itself.
#[inline(always)]
pub(super) fn copy<L: Lanes>(lanes: L, dst: &mut [u8], to: usize, offset: usize, len: usize) {
    let (from, end) = (to - offset, to + len);
    let near = dst[from..].first_chunk().expect("the slack is as long");
    let bytes = lanes.repeat(near, offset.min(N));
    lanes.store(bytes, chunk_mut(dst, to));
    if len <= N {
        return;
    }
    if offset <= N {
        let step = STEPS[offset];
        for at in (to + step..end).step_by(step) {
            lanes.store(bytes, chunk_mut(dst, at));
        }
    } else {
        for at in (to + N..end).step_by(N) {
            let bytes: [u8; N] = *dst[at - offset..].first_chunk().expect("it is before what it is copied to");
            *chunk_mut(dst, at) = bytes;
        }
    }
}

/// Copies a match and no byte more: where the output ends. What is copied first is copied again where they overlap.
#[cold]
pub(crate) fn copy_exactly(dst: &mut [u8], to: usize, offset: usize, len: usize) {
    let (from, mut n) = (to - offset, 0);
    while n < len {
        // Twice as many bytes repeat the same as before.
        let step = (to + n - from).min(len - n);
        dst.copy_within(from..from + step, to + n);
        n += step;
    }
}

#[inline(always)]
fn chunk_mut(dst: &mut [u8], at: usize) -> &mut [u8; N] {
    dst[at..].first_chunk_mut().expect("there is slack after the match")
}
