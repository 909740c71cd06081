//! What became of each frame, by its index in the dataset.
//!
//! One byte a frame, in pages, of the last [`WINDOW`] frames: the memory is bounded, however long a recording is.

use std::collections::VecDeque;

/// Frames of a page.
const PAGE: usize = 4096;

/// Pages that are kept.
const MAX_PAGES: usize = 256;

/// Frames after the newest of which is known what became of them.
pub(super) const WINDOW: u64 = ((MAX_PAGES - 1) * PAGE) as u64;

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum State {
    /// It has not come.
    Missing = 0,
    /// It is in the file.
    Stored = 1,
    /// The rule said that it is not to be stored.
    Vetoed = 2,
    /// There was no memory for it.
    Dropped = 3,
    /// It cannot be encoded.
    Refused = 4,
    /// It was taken, and is not in the file yet.
    Held = 5,
    /// It was taken, and the disk did not.
    Lost = 6,
}

const STATES: [State; 7] =
    [State::Missing, State::Stored, State::Vetoed, State::Dropped, State::Refused, State::Held, State::Lost];

/// Set where a frame cannot be taken any more, whether it came or not.
const CLOSED: u8 = 0x80;

#[derive(Debug)]
struct Page {
    bytes: Box<[u8; PAGE]>,
    n_held: usize,
}

/// The states of the last frames.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// The page that `pages` begins with.
    first_page: u64,
    pages: VecDeque<Page>,
    /// How many frames are in each state but [`State::Missing`].
    n_frames: [u64; STATES.len()],
}

impl Numbers {
    /// The state of a frame, and whether it can still be taken; `None` where it is too long ago.
    pub(super) fn get(&self, index: u64) -> Option<(State, bool)> {
        let page = (index / PAGE as u64).checked_sub(self.first_page)?;
        let byte = self.pages.get(page as usize).map_or(0, |page| page.bytes[index as usize % PAGE]);
        Some((STATES[usize::from(byte & !CLOSED)], byte & CLOSED == 0))
    }

    /// The oldest frame, of those of which is known what became of them, that is as asked: by its index, its state, and whether it can
    /// still be taken. The first one after all of them where there is none.
    pub(super) fn first(&self, mut is_wanted: impl FnMut(u64, State, bool) -> bool) -> u64 {
        let start = self.first_page * PAGE as u64;
        let bytes = self.pages.iter().flat_map(|page| page.bytes.iter());
        let mut all =
            (start..).zip(bytes).map(|(index, byte)| (index, STATES[usize::from(byte & !CLOSED)], byte & CLOSED == 0));
        let found = all.find(|(index, state, is_open)| is_wanted(*index, *state, *is_open));
        found.map_or(start + (self.pages.len() * PAGE) as u64, |(index, ..)| index)
    }

    /// Notes what became of a frame that is in the window, or newer than all others.
    pub(super) fn set(&mut self, index: u64, state: State) {
        let Some(page) = self.page(index) else { return };
        let byte = &mut page.bytes[index as usize % PAGE];
        let old = STATES[usize::from(*byte & !CLOSED)];
        *byte = *byte & CLOSED | state as u8;
        page.n_held += usize::from(state == State::Held);
        page.n_held -= usize::from(old == State::Held);
        self.n_frames[old as usize] = self.n_frames[old as usize].saturating_sub(1);
        self.n_frames[state as usize] += 1;
    }

    /// Says that a frame cannot be taken any more.
    pub(super) fn close(&mut self, index: u64) {
        if let Some(page) = self.page(index) {
            page.bytes[index as usize % PAGE] |= CLOSED;
        }
    }

    /// Frames in a state other than [`State::Missing`], each counted once.
    pub(super) fn n_known(&self) -> u64 {
        self.n_frames[1..].iter().sum()
    }

    fn page(&mut self, index: u64) -> Option<&mut Page> {
        let at = (index / PAGE as u64).checked_sub(self.first_page)?;
        while self.pages.len() as u64 <= at {
            self.pages.push_back(Page { bytes: Box::new([0; PAGE]), n_held: 0 });
        }
        self.retire();
        let at = (index / PAGE as u64).checked_sub(self.first_page)?;
        self.pages.get_mut(at as usize)
    }

    /// Lets go of the oldest pages; not of those that have frames which are held, nor of any after these.
    fn retire(&mut self) {
        while self.pages.len() > MAX_PAGES && self.pages[0].n_held == 0 {
            self.pages.pop_front();
            self.first_page += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_is_too_long_ago_is_known_no_more_but_is_still_counted() {
        let mut numbers = Numbers::default();
        numbers.set(3, State::Stored);
        numbers.set(WINDOW, State::Stored);
        assert_eq!(numbers.get(3), Some((State::Stored, true)));
        numbers.set(WINDOW + PAGE as u64, State::Stored);
        assert_eq!(numbers.get(3), None);
        assert_eq!(numbers.n_known(), 3);
    }

    #[test]
    fn a_page_with_a_frame_that_is_held_does_not_leave_the_window() {
        let mut numbers = Numbers::default();
        numbers.set(0, State::Held);
        for page in 0..3 * MAX_PAGES as u64 {
            numbers.set(page * PAGE as u64 + 1, State::Stored);
        }
        assert_eq!(numbers.get(0), Some((State::Held, true)));
        numbers.set(0, State::Stored);
        numbers.set(3 * MAX_PAGES as u64 * PAGE as u64, State::Stored);
        assert_eq!(numbers.get(0), None);
        assert_eq!(numbers.pages.len(), MAX_PAGES);
    }

    #[test]
    fn a_frame_is_counted_in_one_state_only() {
        let mut numbers = Numbers::default();
        for state in [State::Dropped, State::Held, State::Stored] {
            numbers.set(7, state);
            assert_eq!((numbers.get(7), numbers.n_known()), (Some((state, true)), 1));
        }
        numbers.close(8);
        assert_eq!((numbers.get(8), numbers.n_known()), (Some((State::Missing, false)), 1));
    }
}
