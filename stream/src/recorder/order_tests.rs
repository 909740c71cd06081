//! The state machine beside a plain model of what a recorder promises of frame numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::super::numbers::WINDOW;
use super::*;

const FRAME_BYTES: usize = 10;

fn rules(frames_per_chunk: u64, reorder: u64) -> Rules {
    Rules {
        frames_per_chunk,
        numbering: Numbering::from(5),
        reorder,
        max_gap: 1000,
        max_bytes: 1 << 40,
        max_jobs: 1 << 20,
        pixel_bytes: 7,
    }
}

/// What is promised, said plainly.
#[derive(Default)]
struct Model {
    /// What each index has become; `None` while it is held.
    frames: BTreeMap<u64, Option<State>>,
    dropped: BTreeSet<u64>,
    closed: BTreeSet<u64>,
    n_frames: u64,
    counts: Statistics,
}

impl Model {
    fn offer(&mut self, number: u64, rules: &Rules) -> Offer {
        let Some(index) = rules.numbering.place(number) else {
            self.counts.n_out_of_range += 1;
            return Offer::OutOfRange;
        };
        let chunk = index / rules.frames_per_chunk;
        let is_past =
            rules.frames_per_chunk > 1 && self.n_frames > (chunk + 1) * rules.frames_per_chunk + rules.reorder;
        if index > self.n_frames + rules.max_gap {
            self.counts.n_out_of_range += 1;
            Offer::OutOfRange
        } else if self.frames.contains_key(&index) {
            self.counts.n_duplicate += 1;
            Offer::Duplicate
        } else if self.closed.contains(&chunk) || is_past {
            self.counts.n_late += 1;
            Offer::Late
        } else {
            Offer::Take(index)
        }
    }

    fn seen(&mut self, index: u64) {
        self.n_frames = self.n_frames.max(index + 1);
    }
}

/// Which chunks are closed to make room, between the offer of a frame and its being taken.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Closes {
    None,
    /// The oldest but the frame's own.
    Beside,
    /// All others.
    AllBeside,
    /// The oldest, also the frame's own.
    Oldest,
}

/// What happens next: a frame comes for which there is memory or not, or one of the chunks under way is encoded or stored.
#[derive(Debug, Clone)]
enum Event {
    Frame { number: u64, is_dropped: bool, closes: Closes },
    Encode(usize),
    Settle { which: usize, fate: State },
    CloseOldest,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let fate = prop_oneof![8 => Just(State::Stored), 1 => Just(State::Vetoed), 1 => Just(State::Refused)];
    // Numbers that go on, with jitter, losses and doubles, and now and then any number.
    let number = prop_oneof![20 => (0..12_u64).prop_map(Some), 1 => Just(None)];
    let closes = prop_oneof![
        8 => Just(Closes::None), 2 => Just(Closes::Beside), 1 => Just(Closes::AllBeside), 1 => Just(Closes::Oldest),
    ];
    let frame = (number, any::<u16>(), prop::bool::weighted(0.1), closes);
    let one = prop_oneof![
        6 => frame.prop_map(|(jitter, any, is_dropped, closes)| Event::Frame {
            number: jitter.map_or(u64::from(any), |jitter| (1 << 32) + jitter), is_dropped, closes }),
        3 => any::<usize>().prop_map(Event::Encode),
        3 => (any::<usize>(), fate).prop_map(|(which, fate)| Event::Settle { which, fate }),
        1 => Just(Event::CloseOldest),
    ];
    prop::collection::vec(one, 1..400)
}

struct Run {
    order: Order<u64>,
    model: Model,
    rules: Rules,
    encoding: Vec<Job<u64>>,
    encoded: Vec<(Job<u64>, usize)>,
}

impl Run {
    fn new(rules: Rules) -> Self {
        Self { order: Order::new(rules), model: Model::default(), rules, encoding: Vec::new(), encoded: Vec::new() }
    }

    fn offer(&mut self, number: u64) -> Option<u64> {
        let expected = self.model.offer(number, &self.rules);
        assert_eq!(self.order.offer(number, FRAME_BYTES, Instant::now()), expected, "number {number}");
        if let Offer::Take(index) = expected { Some(index) } else { None }
    }

    fn frame(&mut self, number: u64, is_dropped: bool, closes: Closes) {
        self.model.counts.n_received += 1;
        let Some(index) = self.offer(number) else { return };
        self.close(index, closes);
        let again = self.offer(number);
        assert!(again == Some(index) || closes == Closes::Oldest, "the frame's own chunk is not closed");
        if again.is_none() {
            return;
        }
        let model = &mut self.model;
        if is_dropped {
            self.order.drop_frame(index, FRAME_BYTES, Instant::now());
            model.dropped.insert(index);
            model.counts.n_dropped += 1;
        } else {
            self.order.take(index, FRAME_BYTES, Instant::now(), index, &index.to_le_bytes());
            model.dropped.remove(&index);
            model.frames.insert(index, None);
        }
        model.seen(index);
        self.take_jobs();
    }

    fn close(&mut self, index: u64, closes: Closes) {
        let is_there = match closes {
            Closes::None => false,
            Closes::Oldest => self.order.close_oldest(),
            Closes::Beside | Closes::AllBeside => self.order.close_oldest_beside(index),
        };
        self.take_jobs();
        if is_there && closes == Closes::AllBeside {
            self.close(index, closes);
        }
    }

    /// Every chunk that comes out has the frames that the model holds of it, in their order, each with its own metadata.
    fn take_jobs(&mut self) {
        while let Some(job) = self.order.next_job() {
            let first = job.chunk * self.rules.frames_per_chunk;
            let held = self.model.frames.range(first..first + self.rules.frames_per_chunk);
            let held: Vec<u64> = held.map(|(index, _)| *index).collect();
            assert_eq!(job.slots.iter().map(|slot| slot.index).collect::<Vec<_>>(), held);
            for (slot, row) in job.rows() {
                assert_eq!((slot.frame, row), (Some(slot.index), &slot.index.to_le_bytes()[..]));
            }
            assert!(self.rules.frames_per_chunk == 1 || self.model.closed.insert(job.chunk), "closed once");
            self.encoding.push(job);
        }
    }

    fn encode(&mut self, which: usize) {
        if self.encoding.is_empty() {
            return;
        }
        let mut job = self.encoding.swap_remove(which % self.encoding.len());
        job.slots.iter_mut().for_each(|slot| slot.frame = None);
        let n_bytes = which % 7;
        self.order.encoded(&job, n_bytes);
        self.encoded.push((job, n_bytes));
    }

    fn settle(&mut self, which: usize, fate: State) {
        if self.encoded.is_empty() {
            return;
        }
        let (mut job, n_bytes) = self.encoded.swap_remove(which % self.encoded.len());
        for slot in &mut job.slots {
            slot.fate = fate;
            self.model.frames.insert(slot.index, Some(fate));
            match fate {
                State::Vetoed => self.model.counts.n_vetoed += 1,
                State::Refused => self.model.counts.n_refused += 1,
                _ => self.model.counts.n_stored += 1,
            }
        }
        self.model.counts.bytes_stored += n_bytes as u64;
        self.order.settle(job, n_bytes);
    }

    fn check(&self) {
        let found = self.order.statistics(Instant::now());
        let held = self.model.frames.values().filter(|state| state.is_none()).count() as u64;
        let known = self.model.frames.len() + self.model.dropped.len();
        let expected = Statistics {
            n_held: held,
            n_missing: self.model.n_frames - known as u64,
            bytes_received: self.model.counts.n_received * FRAME_BYTES as u64,
            n_queued: self.encoding.len(),
            bytes_held: found.bytes_held,
            seconds_behind: found.seconds_behind,
            bytes_decoded: 7 * self.model.counts.n_stored,
            seconds: found.seconds,
            gb_per_s: found.gb_per_s,
            ..self.model.counts
        };
        assert_eq!(found, expected);
        let parts = [found.n_stored, found.n_vetoed, found.n_refused, found.n_held];
        let others = [found.n_dropped, found.n_late, found.n_duplicate, found.n_out_of_range];
        assert_eq!(found.n_received, parts.iter().chain(&others).sum::<u64>());
        let n_encoded: u64 = self.encoded.iter().map(|(job, _)| job.slots.len() as u64).sum();
        let encoded: usize = self.encoded.iter().map(|(_, n_bytes)| n_bytes).sum();
        assert_eq!(found.bytes_held, (held - n_encoded) as usize * FRAME_BYTES + encoded);
    }

    /// All that is held arrives, and then nothing is.
    fn finish(&mut self) {
        while self.order.close_oldest() {
            self.take_jobs();
        }
        while !self.encoding.is_empty() {
            self.encode(0);
        }
        while !self.encoded.is_empty() {
            self.settle(0, State::Stored);
        }
        self.check();
        let end = self.order.statistics(Instant::now() + Duration::from_secs(1));
        assert_eq!((end.n_held, end.bytes_held, end.n_queued, end.seconds_behind), (0, 0, 0, 0.0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn whatever_comes_in_any_order_is_what_a_plain_model_says(
        events in events(), frames_per_chunk in 1..6_u64, reorder in 0..20_u64,
    ) {
        let mut run = Run::new(rules(frames_per_chunk, reorder));
        let mut next = 3;
        for event in events {
            match event {
                Event::Frame { number, is_dropped, closes } if number >= 1 << 32 => {
                    run.frame((next + number - (1 << 32)).saturating_sub(6), is_dropped, closes);
                    next += 1;
                }
                Event::Frame { number, is_dropped, closes } => run.frame(number % 2500, is_dropped, closes),
                Event::Encode(which) => run.encode(which),
                Event::Settle { which, fate } => run.settle(which, fate),
                Event::CloseOldest => {
                    run.order.close_oldest();
                    run.take_jobs();
                }
            }
            run.check();
        }
        run.finish();
    }
}

/// Numbers in a random order, some lost, some doubled.
fn shuffled(n_numbers: u64, is_near: bool) -> Vec<u64> {
    let mut state = 7_u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut keyed = Vec::new();
    for number in 5..5 + n_numbers {
        let n_times = [1, 1, 1, 1, 1, 1, 1, 0, 2, 3][next() as usize % 10];
        for _ in 0..n_times {
            keyed.push((if is_near { number + next() % 50 } else { next() }, number));
        }
    }
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, number)| number).collect()
}

#[test]
fn a_hundred_thousand_numbers_shuffled_lost_and_doubled_are_what_a_plain_model_says() {
    for (frames_per_chunk, is_near) in [(1, true), (1, false), (8, true), (8, false)] {
        let reorder = if is_near { 64 } else { WINDOW / 2 };
        let mut run = Run::new(Rules { max_gap: WINDOW, ..rules(frames_per_chunk, reorder) });
        for (at, number) in shuffled(100_000, is_near).into_iter().enumerate() {
            run.frame(number, at % 100 == 99, Closes::None);
            if at % 3 == 0 {
                run.encode(at * 31);
                run.settle(at * 17, State::Stored);
            }
            if at % 5000 == 0 {
                run.check();
            }
        }
        run.finish();
        assert!(run.model.counts.n_duplicate > 20_000 && run.model.n_frames > 99_000);
        assert!(run.model.counts.n_late == 0 || frames_per_chunk > 1);
    }
}

#[test]
fn memory_is_bounded_and_one_frame_always_has_room() {
    let mut order = Order::new(Rules { max_bytes: 25, max_jobs: 2, ..rules(1, 0) });
    assert!(order.has_room(1000), "nothing is held");
    order.take(0, 10, Instant::now(), (), &[]);
    assert!(order.has_room(15) && !order.has_room(16));
    order.take(1, 10, Instant::now(), (), &[]);
    assert!(!order.has_room(1), "as many chunks are under way as may be");
    let job = order.next_job().expect("a chunk");
    order.encoded(&job, 2);
    assert!(order.has_room(13) && !order.has_room(14), "12 bytes are held");
    assert_eq!(order.settle(job, 2), 1);
    assert!(order.has_room(15) && !order.has_room(16));
}

#[test]
fn how_far_the_file_is_after_is_told_by_the_oldest_frame_that_is_held() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut order = Order::new(rules(2, 100));
    [(0, 1), (2, 2), (3, 3), (1, 4)].into_iter().for_each(|(index, second)| order.take(index, 1, at(second), (), &[]));
    let (second, first) = (order.next_job().expect("chunk 1"), order.next_job().expect("chunk 0"));
    assert_eq!(order.statistics(at(10)).seconds_behind, 9.0);
    order.encoded(&first, 0);
    order.settle(first, 0);
    assert_eq!(order.statistics(at(10)).seconds_behind, 8.0);
    order.encoded(&second, 0);
    order.settle(second, 0);
    assert_eq!(order.statistics(at(10)).seconds_behind, 0.0);
}

#[test]
fn what_is_done_to_frames_is_kept_for_those_that_are_held_or_may_come_and_for_no_others() {
    for frames_per_chunk in [1, 2] {
        let mut order = Order::new(rules(frames_per_chunk, 4));
        let take = |order: &mut Order<()>, index| order.take(index, 1, Instant::now(), (), &[]);
        let oldest = |order: &Order<()>| order.next_start(0).1;
        assert_eq!(oldest(&order), 0);
        (0..4).for_each(|index| take(&mut order, index));
        let settle = |order: &mut Order<()>, state| {
            let mut job = order.next_job().expect("a chunk");
            job.slots.iter_mut().for_each(|slot| slot.fate = state);
            order.encoded(&job, 1);
            order.settle(job, 1);
        };
        (0..2 / frames_per_chunk).for_each(|_| settle(&mut order, State::Stored));
        assert_eq!(oldest(&order), 2, "frame 2 is held");
        (0..2 / frames_per_chunk).for_each(|_| settle(&mut order, State::Refused));
        assert_eq!(oldest(&order), 4, "frame 4 may come");
        // Frames 4 and 5 are missing.
        (6..14).for_each(|index| take(&mut order, index));
        (0..8 / frames_per_chunk).for_each(|_| settle(&mut order, State::Vetoed));
        assert_eq!(oldest(&order), if frames_per_chunk == 1 { 4 } else { 14 }, "their chunk is past");
        order.drop_frame(14, 1, Instant::now());
        assert_eq!(oldest(&order), if frames_per_chunk == 1 { 4 } else { 14 }, "frame 14 may come again");
    }
}

#[test]
fn a_number_that_jumps_is_refused_and_does_not_fill_the_memory() {
    let mut order = Order::<()>::new(rules(4, 0));
    for number in [0, 4, 5 + 1001, u64::MAX, u64::MAX - 1] {
        assert_eq!(order.offer(number, 1, Instant::now()), Offer::OutOfRange);
    }
    assert_eq!(order.offer(5 + 1000, 1, Instant::now()), Offer::Take(1000));
    assert_eq!(order.statistics(Instant::now()).n_out_of_range, 5);
}
