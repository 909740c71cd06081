//! An HDF5 of some open datasets, which counts what it is asked.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::*;

/// As the library's own: the kind of an identifier stands before its number.
const FIRST: Hid = 5 << 56;

pub(super) struct Simulated {
    pub(super) open: RefCell<BTreeMap<Hid, Dataset>>,
    next: Cell<Hid>,
    /// Between two numbers.
    step: Hid,
    is_writing: bool,
    /// Identifiers that were listed or looked at, datasets that were asked or opened.
    pub(super) work: Cell<usize>,
    pub(super) n_asked: Cell<usize>,
    pub(super) n_lists: Cell<usize>,
    /// Nothing is told any more.
    pub(super) is_silent: Cell<bool>,
}

impl Simulated {
    pub(super) fn of(datasets: &[Dataset]) -> Self {
        let this = Self {
            open: RefCell::default(),
            next: Cell::new(FIRST),
            step: 1,
            is_writing: false,
            work: Cell::new(0),
            n_asked: Cell::new(0),
            n_lists: Cell::new(0),
            is_silent: Cell::new(false),
        };
        for dataset in datasets {
            this.open(dataset.clone());
        }
        this
    }

    pub(super) fn writing(self) -> Self {
        Self { is_writing: true, ..self }
    }

    pub(super) fn numbering_by(self, step: Hid) -> Self {
        Self { step, ..self }
    }

    pub(super) fn open(&self, dataset: Dataset) -> Hid {
        let id = self.next.get();
        self.next.set(id + self.step);
        self.open.borrow_mut().insert(id, dataset);
        id
    }

    pub(super) fn close(&self, id: Hid) {
        self.open.borrow_mut().remove(&id).expect("it is open");
    }

    /// Shut down and started again.
    pub(super) fn restart(&self) {
        self.open.borrow_mut().clear();
        self.next.set(FIRST);
    }

    fn works(&self, more: usize) {
        self.work.set(self.work.get() + more);
    }
}

impl Hdf5 for Simulated {
    fn open_datasets(&self, _: usize) -> Option<Vec<Hid>> {
        self.works(1 + self.open.borrow().len());
        self.n_lists.set(self.n_lists.get() + 1);
        (!self.is_silent.get()).then(|| self.open.borrow().keys().copied().collect())
    }

    fn is_open(&self, id: Hid) -> bool {
        self.works(1);
        self.open.borrow().contains_key(&id)
    }

    fn dataset(&self, id: Hid) -> Dataset {
        self.works(1);
        self.n_asked.set(self.n_asked.get() + 1);
        self.open.borrow()[&id].clone()
    }

    fn number(&self, id: Hid) -> Option<Hid> {
        self.works(1);
        assert!(self.is_open(id), "only what is open is opened once more");
        let number = self.open(Dataset::Unfiltered);
        self.close(number);
        (!self.is_silent.get()).then_some(number)
    }

    fn all_files_are_known_and_read_only(&self) -> bool {
        !self.is_writing
    }

    fn quietly<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        Some(work())
    }
}
