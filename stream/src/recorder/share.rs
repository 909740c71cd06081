//! Which frames of a measurement go into one file.

/// The frames of a measurement that one file has: rows of frames, by their index in the measurement, which is the number less the
/// first one. Several recorders, also on several machines, each with its own share, record one measurement;
/// [`master::make`](crate::master::make) joins the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The index of the first frame.
    pub first: u64,
    /// Frames in a row; 0: all that follow.
    pub frames: u64,
    /// From the first frame of a row to that of the next; 0: there is one row.
    pub every: u64,
}

impl Share {
    /// All frames.
    pub const ALL: Self = Self { first: 0, frames: 0, every: 0 };

    /// `frames` frames from `first` on; 0: all that follow.
    #[must_use]
    pub fn row(first: u64, frames: u64) -> Self {
        Self { first, frames, every: 0 }
    }

    /// The share of receiver `turn` of `n_turns`, from 0: `frames` frames go to each in turn.
    #[must_use]
    pub fn turn(turn: u64, n_turns: u64, frames: u64) -> Self {
        Self { first: turn.saturating_mul(frames), frames, every: n_turns.saturating_mul(frames) }
    }

    /// Whether there can be such rows.
    pub(crate) fn is_sound(&self) -> bool {
        self.every == 0 || (self.frames > 0 && self.every >= self.frames)
    }

    /// The place in the file of the frame that has this index in the measurement.
    pub(crate) fn place(&self, index: u64) -> Option<u64> {
        let after = index.checked_sub(self.first)?;
        match (self.frames, self.every) {
            (0, _) => Some(after),
            (frames, 0) => (after < frames).then_some(after),
            (frames, every) => (after % every < frames).then_some(after / every * frames + after % every),
        }
    }

    /// The first place in the file of a frame that has this index in the measurement, or a greater one.
    pub(crate) fn place_from(&self, index: u64) -> u64 {
        let after = index.saturating_sub(self.first);
        match (self.frames, self.every) {
            (0, _) | (_, 0) => after,
            (frames, every) => (after / every).saturating_mul(frames).saturating_add((after % every).min(frames)),
        }
    }

    /// The other way about.
    pub(crate) fn index(&self, place: u64) -> u64 {
        let after = match (self.frames, self.every) {
            (0, _) | (_, 0) => place,
            (frames, every) => (place / frames).saturating_mul(every).saturating_add(place % frames),
        };
        self.first.saturating_add(after)
    }
}

/// Frame numbers, and where in the file the frames are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Numbering {
    /// The number of the frame that has index 0 in the measurement.
    pub(super) first_number: u64,
    pub(super) share: Share,
}

impl Numbering {
    #[cfg(test)]
    pub(super) fn from(first_number: u64) -> Self {
        Self { first_number, share: Share::ALL }
    }

    pub(super) fn place(&self, number: u64) -> Option<u64> {
        self.share.place(number.checked_sub(self.first_number)?)
    }

    pub(super) fn number(&self, place: u64) -> u64 {
        self.share.index(place).saturating_add(self.first_number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_shares_in_turn_each_frame_is_in_one_and_places_have_no_holes() {
        for (n_turns, frames) in [(1, 1), (2, 1), (3, 4), (5, 2)] {
            let shares: Vec<Share> = (0..n_turns).map(|turn| Share::turn(turn, n_turns, frames)).collect();
            let mut next = vec![0; shares.len()];
            for index in 0..100 {
                let places: Vec<_> = shares.iter().map(|share| share.place(index)).collect();
                let owner = places.iter().position(Option::is_some).expect("one has it");
                assert_eq!(places.iter().flatten().count(), 1, "{index} of {n_turns} x {frames}");
                assert_eq!(places[owner], Some(next[owner]));
                assert_eq!(shares[owner].index(next[owner]), index);
                assert!(shares.iter().zip(&next).all(|(share, next)| share.place_from(index) == *next), "{index}");
                next[owner] += 1;
            }
        }
    }

    #[test]
    fn a_row_ends_where_it_is_said_to() {
        let share = Share::row(10, 5);
        assert_eq!([9, 10, 14, 15].map(|index| share.place(index)), [None, Some(0), Some(4), None]);
        assert_eq!(Share::row(10, 0).place(u64::MAX), Some(u64::MAX - 10));
        assert_eq!(Numbering { first_number: 100, share }.place(99), None);
        assert_eq!(Numbering { first_number: 100, share }.number(4), 114);
        assert!(!Share { first: 0, frames: 3, every: 2 }.is_sound());
        assert!(!Share { first: 0, frames: 0, every: 2 }.is_sound());
    }
}
