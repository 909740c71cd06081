//! What a thread keeps of what HDF5 has said of the open datasets, so that a chunk costs the same however many are open.
//!
//! HDF5 numbers the identifiers of datasets in the order in which they are opened and gives none twice, so every dataset is asked
//! once: those with a higher number than any that was seen are new. What was asked holds as long as the identifier does, and that is
//! looked at (`H5Iis_valid`, some 50 ns) wherever something depends on a single dataset.
//!
//! * *That an open dataset explains a size* needs one that is still open.
//! * *How much room HDF5 may read* is the most that any of them needs. So each time all must be known that are open now, and a
//!   dataset that was opened since must not be missed. A list of them (`H5Fget_obj_ids`) costs a microsecond where a hundred are
//!   open, and seventy where three thousand are. So where many are open they are counted instead: an open dataset is opened once more
//!   and closed again, which gives the next number. Only the numbers between this one and the last one can be new.
//! * *A refusal* is not for here: it starts from nothing, with everything asked again ([`Kept::forget`]).
//!
//! Datasets that are closed are dropped where they are met, and all is forgotten once there can be more of them than of open ones.
//! A program that shuts HDF5 down and starts it again (`H5close`) has numbers twice; that is not noticed here.

use core::ffi::{c_int, c_uint};
use std::collections::HashMap;

use super::dataset::{Dataset, Sizes, told};
use darkchunk_hdf5_abi::Hid;

/// From so many open datasets on they are counted, not listed.
pub(super) const MANY: usize = 512;

/// So many datasets may have been noticed beyond twice those that are open.
const MAX_CLOSED: usize = 1024;

/// What is asked of HDF5.
pub(super) trait Hdf5 {
    /// The identifiers of all open datasets. `n_expected` of them cost least.
    fn open_datasets(&self, n_expected: usize) -> Option<Vec<Hid>>;
    fn is_open(&self, id: Hid) -> bool;
    fn dataset(&self, id: Hid) -> Dataset;
    /// The number that an open dataset gets if it is opened once more, and closed again. `None` where that is not to be done.
    fn number(&self, id: Hid) -> Option<Hid>;
    /// Whether every open object belongs to a file that is open itself, for reading only.
    fn all_files_are_known_and_read_only(&self) -> bool;
    /// Runs `work` with HDF5's error messages off, and then as they were. `None` where that cannot be.
    fn quietly<T>(&self, work: impl FnOnce() -> T) -> Option<T>;
}

/// What is known of the open datasets, for one filter.
pub(super) struct Kept {
    filter: c_int,
    groups: HashMap<Vec<c_uint>, Group>,
    /// Those that may hide others.
    hiding: Vec<Hid>,
    /// Those that may be opened once more, in the order of their numbers.
    countable: Vec<Hid>,
    n_noticed: usize,
    /// No dataset that was noticed has a higher number.
    newest: Hid,
    n_listed: usize,
    counting: Counting,
}

#[derive(Clone, Copy)]
enum Counting {
    Untried,
    /// The last number that was given for counting.
    At(Hid),
    Never,
}

/// The datasets whose filter has the same parameters.
#[derive(Default)]
pub(super) struct Group(Vec<Kind>);

/// Those of them whose chunks are alike.
struct Kind {
    sizes: Sizes,
    ids: Vec<Hid>,
}

impl Kept {
    pub(super) fn new(filter: c_int) -> Self {
        Self {
            filter,
            groups: HashMap::new(),
            hiding: Vec::new(),
            countable: Vec::new(),
            n_noticed: 0,
            newest: Hid::MIN,
            n_listed: 0,
            counting: Counting::Untried,
        }
    }

    pub(super) fn forget(&mut self) {
        *self = Self { counting: self.counting, ..Self::new(self.filter) };
    }

    /// Sees to it that all datasets are known that are open. `None` where HDF5 does not tell.
    pub(super) fn look(&mut self, hdf5: &impl Hdf5) -> Option<()> {
        if self.n_noticed > 2 * self.n_listed + MAX_CLOSED {
            self.forget();
        }
        let mut ids = match self.counted(hdf5) {
            Some(ids) => ids,
            None => self.listed(hdf5)?,
        };
        ids.retain(|id| *id > self.newest);
        if ids.is_empty() {
            return Some(());
        }
        hdf5.quietly(|| ids.into_iter().for_each(|id| self.notice(id, &hdf5.dataset(id))))
    }

    /// The datasets with these parameters.
    pub(super) fn group(&mut self, values: &[c_uint]) -> Option<&mut Group> {
        self.groups.get_mut(told(values))
    }

    /// Whether a dataset is open that may hide others.
    pub(super) fn may_hide(&mut self, hdf5: &impl Hdf5) -> bool {
        has_open(&mut self.hiding, hdf5)
    }

    /// Identifiers that are kept.
    #[cfg(test)]
    pub(super) fn n_kept(&self) -> usize {
        let kinds = self.groups.values().flat_map(|group| &group.0);
        self.hiding.len() + self.countable.len() + kinds.map(|kind| kind.ids.len()).sum::<usize>()
    }

    fn listed(&mut self, hdf5: &impl Hdf5) -> Option<Vec<Hid>> {
        let ids = hdf5.open_datasets(self.n_listed)?;
        self.n_listed = ids.len();
        Some(ids)
    }

    /// The datasets that may have been opened since the last count. `None` where there was none, or a list costs less.
    fn counted(&mut self, hdf5: &impl Hdf5) -> Option<Vec<Hid>> {
        if self.n_listed < MANY || matches!(self.counting, Counting::Never) || !has_open(&mut self.countable, hdf5) {
            return None;
        }
        let id = *self.countable.last()?;
        let number = || hdf5.quietly(|| hdf5.number(id)).flatten();
        let Counting::At(last) = self.counting else {
            // Counting is of use only where one number follows the other.
            let (first, second) = (number(), number());
            let is_a_row = first.and_then(|first| first.checked_add(1)) == second;
            self.counting = second.filter(|_| is_a_row).map_or(Counting::Never, Counting::At);
            return None;
        };
        let now = number()?;
        self.counting = Counting::At(now);
        let n_given = usize::try_from(now.checked_sub(last)?).ok()?;
        (n_given <= self.n_listed).then(|| (last + 1..now).filter(|id| hdf5.is_open(*id)).collect())
    }

    fn notice(&mut self, id: Hid, dataset: &Dataset) {
        self.newest = self.newest.max(id);
        self.n_noticed += 1;
        match dataset {
            Dataset::Unfiltered => {}
            Dataset::Virtual | Dataset::Unknown => self.hiding.push(id),
            Dataset::Chunked(chunked) => {
                if chunked.is_native {
                    self.countable.push(id);
                }
                for (_, values) in chunked.filters.iter().filter(|(filter, _)| *filter == self.filter) {
                    if let Some(sizes) = chunked.sizes(self.filter, values) {
                        self.groups.entry(values.clone()).or_default().add(id, sizes);
                    }
                }
            }
        }
    }
}

impl Group {
    fn add(&mut self, id: Hid, sizes: Sizes) {
        match self.0.iter_mut().find(|kind| kind.sizes == sizes) {
            Some(kind) => kind.ids.push(id),
            None => self.0.push(Kind { sizes, ids: vec![id] }),
        }
    }

    /// Whether a chunk of an open dataset may decode to `n_bytes`.
    pub(super) fn explains(&mut self, hdf5: &impl Hdf5, n_bytes: usize) -> bool {
        self.0.iter_mut().any(|kind| kind.sizes.may_be(n_bytes) && has_open(&mut kind.ids, hdf5))
    }

    /// The most that may be read of a chunk that decodes to `n_bytes`, if it is more.
    pub(super) fn max_bytes(&mut self, hdf5: &impl Hdf5, n_bytes: usize) -> u64 {
        let n_bytes = n_bytes as u64;
        loop {
            let largest = self.0.iter_mut().enumerate().max_by_key(|(_, kind)| kind.sizes.max_bytes);
            let Some((at, kind)) = largest.filter(|(_, kind)| kind.sizes.max_bytes > n_bytes) else { return n_bytes };
            if has_open(&mut kind.ids, hdf5) {
                return kind.sizes.max_bytes;
            }
            self.0.swap_remove(at);
        }
    }

    /// What the open datasets' chunks may be, each kind once.
    pub(super) fn open(&mut self, hdf5: &impl Hdf5) -> Vec<Sizes> {
        self.0.iter_mut().filter_map(|kind| has_open(&mut kind.ids, hdf5).then_some(kind.sizes)).collect()
    }
}

/// Whether one of them is still open. Those are dropped that are found closed.
fn has_open(ids: &mut Vec<Hid>, hdf5: &impl Hdf5) -> bool {
    while let Some(id) = ids.last() {
        if hdf5.is_open(*id) {
            return true;
        }
        ids.pop();
    }
    false
}
