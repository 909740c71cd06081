//! What is read through HDF5, on the calling thread.

#![allow(unsafe_code)]

use std::sync::Arc;
use std::time::Instant;

use super::buffer::zeroed;
use super::plan::Plan;
use super::selection::Selection;
use super::target::{Region, Source, dense};
use super::work::{Batch, Order};
use super::{Missing, Reader};
use crate::{Error, Result};

/// Chunks that are fetched for each thread before they are decoded.
const AHEAD: u64 = 2;

impl Reader {
    /// Chunks as they are stored, some at a time, decoded by all threads.
    pub(super) fn chunks_by_hdf5(&self, plan: &Arc<Plan>, begin: u64, deadline: Option<Instant>) -> Result<u64> {
        let (order, end) = (plan.only(), plan.n_blocks());
        let at_once = (self.options.n_threads as u64).saturating_mul(AHEAD);
        let mut next = begin;
        while next < end && (next == begin || deadline.is_none_or(|deadline| Instant::now() < deadline)) {
            let last = next.saturating_add(at_once).min(end);
            let stored = (next..last).map(|index| self.dataset.read_stored(&order.offset(index)));
            let stored = stored.collect::<darkchunk_hdf5::Result<Vec<_>>>()?;
            next = self.run(Batch::new(Arc::clone(plan), next, last, None, Some(stored)), last - next)?;
        }
        Ok(next)
    }

    /// Elements, some whole chunks at a time.
    pub(super) fn elements_by_hdf5(&self, order: &Order, begin: u64, deadline: Option<Instant>) -> Result<u64> {
        let end = order.selection.n_blocks();
        let mut next = begin;
        while next < end && (next == begin || deadline.is_none_or(|deadline| Instant::now() < deadline)) {
            self.one_by_hdf5(order, next).map_err(|error| self.named(error))?;
            next += 1;
        }
        Ok(next)
    }

    /// What HDF5 says where it lacks a filter names a folder, and not the filter.
    fn named(&self, error: Error) -> Error {
        match (self.known.chain.unknown(), &error) {
            (Some(filter), Error::Hdf5(_)) => Error::Hdf5(darkchunk_hdf5::Error::Unsupported(format!(
                "{filter}, and HDF5 does not read it: name the folder of its plugin in HDF5_PLUGIN_PATH ({error})"
            ))),
            _ => error,
        }
    }

    fn one_by_hdf5(&self, order: &Order, index: u64) -> Result<()> {
        let (parts, axes) = (order.selection.block(index), order.selection.axes());
        let first: Vec<u64> = parts.iter().map(|part| part.index).collect();
        let count: Vec<u64> = parts.iter().map(|part| part.count).collect();
        let start: Vec<u64> = parts.iter().zip(axes).map(|(part, axis)| axis.start + part.index * axis.step).collect();
        let step: Vec<u64> = axes.iter().map(|axis| axis.step).collect();
        self.check_missing(order, &start, &count, &step)?;
        let region = Region { first: &first, count: &count };
        let mut target = order.target.clone();
        // SAFETY: blocks have no element in common, and this thread alone is at work.
        if let Some(piece) = unsafe { target.piece(region) } {
            // What HDF5 leaves as it is.
            piece.fill(0);
            return Ok(self.dataset.read(&start, &count, Some(&step), piece)?);
        }
        let n_bytes =
            count.iter().try_fold(order.known.element_bytes, |n, dim| n.checked_mul(usize::try_from(*dim).ok()?));
        let too_large = || Error::Argument(format!("{count:?} elements are more than memory can have"));
        let mut bytes = zeroed(n_bytes.ok_or_else(too_large)?)?;
        self.dataset.read(&start, &count, Some(&step), &mut bytes)?;
        let strides = dense(&count, order.known.element_bytes).ok_or_else(too_large)?;
        // SAFETY: as above.
        unsafe { order.target.copy(region, Source { bytes: &bytes, first: 0, strides: &strides }) };
        Ok(())
    }

    /// Refuses chunks that were never stored, where that is asked for.
    fn check_missing(&self, order: &Order, start: &[u64], count: &[u64], step: &[u64]) -> Result<()> {
        let (Missing::Error, Some(chunk)) = (order.missing, self.chunk()) else { return Ok(()) };
        let selection = Selection::new(self.dims(), chunk, start, count, Some(step))?;
        for index in 0..selection.n_blocks() {
            let place: Vec<u64> = selection.block(index).iter().map(|part| part.place).collect();
            let offset: Vec<u64> = place.iter().zip(chunk).map(|(at, chunk)| at * chunk).collect();
            let is_stored = match &order.known.map {
                Some(map) => map.get(&place).is_some(),
                None => self.dataset.read_stored(&offset)?.is_some(),
            };
            if !is_stored {
                return Err(Error::Missing { offset });
            }
        }
        Ok(())
    }
}
