//! What a read does: blocks of one dataset, or of the sources of a virtual one.
//!
//! A virtual dataset is read as its sources are: each part of it that has selected elements becomes an order of its own, whose
//! target is a part of the caller's memory. The blocks of all orders have one numbering, so threads share them whatever source
//! they are of.

#![allow(unsafe_code)]

use std::sync::Arc;

use darkchunk_hdf5::chunk_map::{MappedBox, Mapping, SourcePart};

use super::partial::Counts;
use super::selection::{Axis, Selection};
use super::target::{Region, Target};
use super::work::{Known, Order};
use super::{Missing, Options};
use crate::{Error, Result};

/// A virtual dataset, whose sources are read directly.
#[derive(Debug, Default)]
pub(super) struct Virtual {
    pub(super) mappings: Vec<(Mapping, SourcePart)>,
    pub(super) sources: Vec<(String, Arc<Known>)>,
}

/// Orders, and how many blocks there are up to the end of each.
#[derive(Debug)]
pub(super) struct Plan {
    orders: Vec<Order>,
    ends: Vec<u64>,
    /// Selected elements that no source has: all of the target is filled before.
    unfilled: Option<Unfilled>,
}

#[derive(Debug)]
struct Unfilled {
    known: Arc<Known>,
    target: Target,
    count: Vec<u64>,
}

impl Plan {
    /// What is to be done for a selection of a dataset.
    pub(super) fn new(
        known: &Arc<Known>,
        selection: Selection,
        target: Target,
        (options, counts): (&Options, &Arc<Counts>),
    ) -> Result<Self> {
        let count: Vec<u64> = selection.axes().iter().map(|axis| axis.count).collect();
        let Some(parts) = &known.sources else {
            let order = Order::new(Arc::clone(known), selection, target, (options, counts));
            return Ok(Self::of(vec![order], None, options));
        };
        let n_selected = product(&count);
        let (mut orders, mut n_found) = (Vec::new(), 0_u128);
        for (mapping, part) in &parts.mappings {
            for mapped in mapping.boxes(part, |axis| selection.axes()[axis].range()) {
                let Some(cut) = Cut::new(selection.axes(), &mapped) else { continue };
                n_found += product(&cut.count);
                orders.push(cut.order(&parts.sources[mapping.source], &mapped, &target, (options, counts))?);
            }
        }
        let unfilled = (n_found < n_selected).then(|| Unfilled { known: Arc::clone(known), target, count });
        if let (Some(_), Missing::Error) = (&unfilled, options.missing) {
            let offset = selection.axes().iter().map(|axis| axis.start).collect();
            return Err(Error::Missing { offset });
        }
        Ok(Self::of(orders, unfilled, options))
    }

    fn of(mut orders: Vec<Order>, unfilled: Option<Unfilled>, options: &Options) -> Self {
        let ends: Vec<u64> = orders
            .iter()
            .scan(0_u64, |end, order| {
                *end = end.saturating_add(order.selection.n_blocks());
                Some(*end)
            })
            .collect();
        let n_blocks = ends.last().copied().unwrap_or(0);
        let n_threads = options.n_threads / n_blocks.clamp(1, options.n_threads.max(1) as u64) as usize;
        orders.iter_mut().for_each(|order| order.threads_of_block = n_threads);
        Self { orders, ends, unfilled }
    }

    /// The blocks of all orders.
    pub(super) fn n_blocks(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// The order that a block is of, and its number there.
    pub(super) fn find(&self, index: u64) -> (&Order, u64) {
        let place = self.ends.partition_point(|end| *end <= index);
        let before = if place == 0 { 0 } else { self.ends[place - 1] };
        (&self.orders[place], index - before)
    }

    /// The one order of a dataset that is not virtual.
    pub(super) fn only(&self) -> &Order {
        &self.orders[0]
    }

    /// Fills what no source has, before any block is read.
    pub(super) fn prepare(&self) {
        let Some(Unfilled { known, target, count }) = &self.unfilled else { return };
        let first = vec![0; count.len()];
        // SAFETY: the whole selection, on which no thread is at work yet.
        unsafe { target.fill(Region { first: &first, count }, &known.fill) };
    }
}

fn product(count: &[u64]) -> u128 {
    count.iter().fold(1_u128, |n, count| n.saturating_mul(u128::from(*count)))
}

/// What a box of a mapping has of a selection, along each axis of the virtual dataset.
struct Cut {
    /// Which elements of the selection.
    first: Vec<u64>,
    count: Vec<u64>,
    /// Where the first is, counted from the begin of the box.
    offset: Vec<u64>,
    step: Vec<u64>,
}

impl Cut {
    fn new(axes: &[Axis], mapped: &MappedBox) -> Option<Self> {
        let rank = axes.len();
        let (mut first, mut count, mut offset) = (vec![0; rank], vec![0; rank], vec![0; rank]);
        for (axis, Axis { start, count: n, step, .. }) in axes.iter().enumerate() {
            let (begin, end) = (mapped.start[axis], mapped.start[axis] + mapped.count[axis]);
            let from = begin.saturating_sub(*start).div_ceil(*step);
            let to = end.saturating_sub(*start).div_ceil(*step).min(*n);
            if from >= to {
                return None;
            }
            (first[axis], count[axis]) = (from, to - from);
            offset[axis] = start + from * step - begin;
        }
        Some(Self { first, count, offset, step: axes.iter().map(|axis| axis.step).collect() })
    }

    /// The part of the source as an order.
    fn order(
        &self,
        (name, known): &(String, Arc<Known>),
        mapped: &MappedBox,
        target: &Target,
        options: (&Options, &Arc<Counts>),
    ) -> Result<Order> {
        let rank = mapped.axes.len();
        let (mut start, mut count, mut step) = (mapped.source_start.clone(), vec![1; rank], vec![1; rank]);
        for (there, here) in mapped.axes.iter().enumerate() {
            if let Some(here) = *here {
                start[there] += self.offset[here];
                (count[there], step[there]) = (self.count[here], self.step[here]);
            }
        }
        let selection = Selection::new(&known.dims, &known.block, &start, &count, Some(&step))?;
        let mut order = Order::new(Arc::clone(known), selection, target.part(&self.first, &mapped.axes), options);
        order.source = Some(name.clone());
        Ok(order)
    }
}
