//! The chunks of a dataset as blocks of pixels, in threads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use darkchunk::pipeline::buffer;

use crate::{Error, Reader, Result};

/// A dataset cut into blocks of one shape, those at the edge less.
pub(crate) struct Blocks<'a> {
    dims: &'a [u64],
    block: &'a [u64],
    element_bytes: usize,
    n: u64,
}

/// A dataset that claims more blocks than this (a thousand a second for three days) has a damaged extent: handling each would not end.
const MAX_BLOCKS: u64 = 1 << 28;

/// Blocks of this shape that a dataset has.
pub(crate) fn count(dims: &[u64], block: &[u64]) -> Result<u64> {
    let n = dims.iter().zip(block).try_fold(1_u64, |n, (dim, block)| n.checked_mul(dim.div_ceil((*block).max(1))));
    n.filter(|n| *n <= MAX_BLOCKS).ok_or_else(|| {
        Error::Argument(format!(
            "the shape {dims:?} has more than {MAX_BLOCKS} blocks of {block:?}, which no recording has: the extent is damaged, set it \
             right first (H5Dset_extent)"
        ))
    })
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) start: Vec<u64>,
    pub(crate) count: Vec<u64>,
}

impl Block {
    /// The same block, counted from where `origin` is counted from.
    pub(crate) fn from(mut self, origin: &[u64]) -> Self {
        self.start.iter_mut().zip(origin).for_each(|(at, origin)| *at += origin);
        self
    }
}

/// Where the pixels of blocks come from.
pub(crate) trait Pixels {
    /// Copies those of a block, which fill `pixels`.
    fn read(&self, block: &Block, pixels: &mut [u8]) -> Result<()>;
}

impl Pixels for Reader {
    fn read(&self, block: &Block, pixels: &mut [u8]) -> Result<()> {
        Reader::read(self, &block.start, &block.count, None, pixels)
    }
}

impl<'a> Blocks<'a> {
    /// Refuses more of them than a recording can have.
    pub(crate) fn new(dims: &'a [u64], block: &'a [u64], element_bytes: usize) -> Result<Self> {
        Ok(Self { dims, block, element_bytes, n: count(dims, block)? })
    }

    pub(crate) fn len(&self) -> u64 {
        self.n
    }

    /// Bytes of a whole block.
    pub(crate) fn n_bytes(&self) -> usize {
        self.block.iter().fold(self.element_bytes, |n, dim| n.saturating_mul(*dim as usize))
    }

    pub(crate) fn get(&self, mut number: u64) -> Block {
        let (mut start, mut count) = (vec![0; self.dims.len()], self.block.to_vec());
        for axis in (0..self.dims.len()).rev() {
            let n = self.dims[axis].div_ceil(self.block[axis]);
            start[axis] = number % n * self.block[axis];
            count[axis] = self.block[axis].min(self.dims[axis] - start[axis]);
            number /= n;
        }
        Block { start, count }
    }

    /// Reads a block into the front of `pixels`, and returns its bytes.
    pub(crate) fn read<'p>(&self, from: &impl Pixels, block: &Block, pixels: &'p mut [u8]) -> Result<&'p mut [u8]> {
        let n_bytes = block.count.iter().fold(self.element_bytes, |n, dim| n * *dim as usize);
        let part = &mut pixels[..n_bytes];
        from.read(block, part)?;
        Ok(part)
    }

    /// Reads a block, and what is beyond the edge as the fill value, into the whole of `pixels`. Returns the bytes that are there: if not
    /// all are, they are at the front of `part`, too.
    pub(crate) fn read_padded(
        &self,
        from: &impl Pixels,
        block: &Block,
        fill: Option<&[u8]>,
        part: &mut [u8],
        pixels: &mut [u8],
    ) -> Result<usize> {
        if block.count == self.block {
            return self.read(from, block, pixels).map(|pixels| pixels.len());
        }
        match fill {
            Some(fill) => pixels.chunks_exact_mut(fill.len()).for_each(|pixel| pixel.copy_from_slice(fill)),
            None => pixels.fill(0),
        }
        let part = self.read(from, block, part)?;
        let row_bytes = block.count.last().map_or(self.element_bytes, |n| *n as usize * self.element_bytes);
        let origin = vec![0; block.count.len()];
        let places = row_places(&origin, &block.count, self.block);
        for (bytes, place) in part.chunks_exact(row_bytes).zip(places) {
            let at = place * self.element_bytes;
            pixels[at..at + row_bytes].copy_from_slice(bytes);
        }
        Ok(part.len())
    }
}

/// Where each row of the part of `count` elements from `start` on begins in an array of shape `dims`, in elements.
pub(crate) fn row_places(start: &[u64], count: &[u64], dims: &[u64]) -> impl Iterator<Item = usize> {
    let rows = count.iter().rev().skip(1).product::<u64>() as usize;
    (0..rows).map(move |mut row| {
        let (mut at, mut stride) = (start.last().map_or(0, |n| *n as usize), dims.last().map_or(1, |n| *n as usize));
        for axis in (0..count.len().saturating_sub(1)).rev() {
            at += (start[axis] as usize + row % count[axis] as usize) * stride;
            row /= count[axis] as usize;
            stride *= dims[axis] as usize;
        }
        at
    })
}

/// Has `n_threads` threads work on the numbers below `n`, each with what `begin` makes for it, and hands the results to `take`, on this
/// thread, as they come. After the first error nothing more is begun.
pub(crate) fn in_threads<S, T: Send, E: Send>(
    n: u64,
    n_threads: usize,
    begin: impl Fn() -> std::result::Result<S, E> + Sync,
    work: impl Fn(&mut S, u64) -> std::result::Result<T, E> + Sync,
    mut take: impl FnMut(u64, T) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let next = AtomicU64::new(0);
    let share = |results: SyncSender<std::result::Result<(u64, T), E>>| {
        let mut state = match begin() {
            Ok(state) => state,
            Err(error) => return drop(results.send(Err(error))),
        };
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= n {
                return;
            }
            let result = work(&mut state, number).map(|result| (number, result));
            // Whoever takes them may have had enough.
            if results.send(result).is_err() {
                return;
            }
        }
    };
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(n_threads);
        for _ in 0..n_threads.max(1) {
            let sender = sender.clone();
            scope.spawn(|| share(sender));
        }
        drop(sender);
        let taken = receiver.iter().try_for_each(|result| result.and_then(|(number, result)| take(number, result)));
        next.store(n, Ordering::Relaxed);
        drop(receiver);
        taken
    })
}

/// Two buffers of a block.
pub(crate) fn two_buffers(n_bytes: usize) -> Result<(Vec<u8>, Vec<u8>)> {
    Ok((buffer(n_bytes)?, buffer(n_bytes)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_part_are_put_where_they_are_in_a_whole_block() {
        let (dims, block) = ([5, 7, 9], [2, 4, 5]);
        let blocks = Blocks::new(&dims, &block, 1).expect("few");
        assert_eq!((blocks.len(), blocks.n_bytes()), (3 * 2 * 2, 40));
        let last = blocks.get(11);
        assert_eq!((&last.start[..], &last.count[..]), (&[4, 4, 5][..], &[1, 3, 4][..]));
        let places = |start: [u64; 3], count: &[u64]| row_places(&start, count, &block).collect::<Vec<_>>();
        assert_eq!(places([0; 3], &last.count), [0, 5, 10]);
        assert_eq!(places([0; 3], &[2, 3, 4]), [0, 5, 10, 20, 25, 30]);
        assert_eq!(places([1, 2, 3], &[1, 2, 1]), [33, 38]);
    }

    #[test]
    fn more_blocks_than_there_are_numbers_are_refused_and_not_taken_for_few() {
        // 2^64 + 1, which is 1 where only 64 bits are kept.
        for dims in [[274_177, 67_280_421_310_721], [1 << 60, 1], [1, (1 << 28) + 1]] {
            let error = count(&dims, &[1, 1]).expect_err("refused").to_string();
            assert!(error.contains("the extent is damaged"), "{error}");
        }
        assert_eq!(count(&[1 << 60, 1 << 30], &[1 << 40, 1 << 30]).expect("few"), 1 << 20);
        assert_eq!(count(&[], &[]).expect("one"), 1);
    }

    #[test]
    fn the_first_error_ends_the_work() {
        let sum = |fail: Option<u64>| {
            let mut sum = 0;
            let done = in_threads(
                100,
                3,
                || Ok(()),
                |(), number| if Some(number) == fail { Err(number) } else { Ok(number) },
                |_, number| {
                    sum += number;
                    Ok(())
                },
            );
            (done, sum)
        };
        assert_eq!(sum(None), (Ok(()), 4950));
        let (done, part) = sum(Some(30));
        assert!(done == Err(30) && part < 4950, "{part}");
    }
}
