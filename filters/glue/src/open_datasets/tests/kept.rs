//! What is kept: it costs the same however many datasets are open, and misses none.

use super::super::kept::MANY;
use super::*;

/// A small generator of numbers that look random, the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

fn same(n_datasets: usize) -> Simulated {
    Simulated::of(&vec![chunked(1000, vec![lz4()]); n_datasets])
}

fn needed(hdf5: &Simulated, kept: &mut Kept, n_bytes: usize) -> Result<usize, usize> {
    super::needed(hdf5, kept, &decoded(n_bytes))
}

/// Reads chunks that one of [`same`] has.
fn read(hdf5: &Simulated, kept: &mut Kept, n_chunks: usize) {
    for _ in 0..n_chunks {
        assert_eq!(needed(hdf5, kept, 1000), Ok(1000));
    }
}

/// What `work` takes.
fn work_of(hdf5: &Simulated, work: impl FnOnce()) -> usize {
    let before = hdf5.work.get();
    work();
    hdf5.work.get() - before
}

#[test]
fn a_chunk_costs_the_same_with_three_thousand_open_datasets_as_with_three() {
    for n_open in [MANY, 3000, 30_000] {
        let (hdf5, mut kept) = (same(n_open), Kept::new(LZ4));
        read(&hdf5, &mut kept, 3);
        let work = work_of(&hdf5, || read(&hdf5, &mut kept, 1000));
        assert!(work <= 8 * 1000, "{n_open} open datasets: {work} for 1000 chunks");
        assert_eq!(hdf5.n_asked.get(), n_open, "each is asked once");
    }
}

#[test]
fn with_fewer_than_many_they_are_only_listed_and_none_is_opened_once_more() {
    let (hdf5, mut kept) = (same(MANY - 1), Kept::new(LZ4));
    needed(&hdf5, &mut kept, 1000).unwrap();
    let work = work_of(&hdf5, || read(&hdf5, &mut kept, 1));
    assert_eq!((work, hdf5.n_lists.get()), (1 + MANY - 1 + 1, 2), "one list, and one look at what explains the size");
}

/// Datasets that are opened, read and closed beside many that stay open, in the order in which programs do.
#[test]
fn opening_and_closing_costs_the_same_however_many_are_open() {
    let orders: [fn(&Simulated, &mut Kept, Hid); 3] = [
        |hdf5, kept, _| {
            let id = hdf5.open(chunked(3000, vec![lz4()]));
            assert_eq!(needed(hdf5, kept, 3000), Ok(3000));
            hdf5.close(id);
        },
        |hdf5, kept, nth| {
            hdf5.open(chunked(1000 + 2 * (nth as u64 % 7), vec![lz4()]));
            assert_eq!(needed(hdf5, kept, 1000), Ok(1012.min(1000 + 2 * nth as usize)));
        },
        |hdf5, kept, nth| {
            assert_eq!(needed(hdf5, kept, 1000), Ok(1000));
            let id =
                *hdf5.open.borrow().keys().nth(if nth % 2 == 0 { 0 } else { hdf5.open.borrow().len() - 1 }).unwrap();
            hdf5.close(id);
        },
    ];
    for (at, order) in orders.into_iter().enumerate() {
        let (hdf5, mut kept) = (same(4000), Kept::new(LZ4));
        read(&hdf5, &mut kept, 3);
        let work = work_of(&hdf5, || (0..2000).for_each(|nth| order(&hdf5, &mut kept, nth)));
        assert!(work <= 20 * 2000, "order {at}: {work} for 2000 chunks");
    }
}

/// Against all that are open, each asked: the room is never less than the largest needs, and what none has is refused.
#[test]
fn no_dataset_is_missed_that_was_opened_since() {
    for (n_start, step) in [(3, 1), (MANY - 5, 1), (MANY + 40, 1), (MANY + 40, 3)] {
        let hdf5 = same(n_start).numbering_by(step);
        let (mut kept, mut random) = (Kept::new(LZ4), Random(n_start as u64));
        for nth in 0..3000 {
            for _ in 0..random.below(4) {
                hdf5.open(some_dataset(&mut random));
            }
            for _ in 0..random.below(4) {
                let n_open = hdf5.open.borrow().len();
                let nth = if random.below(2) == 0 { n_open.saturating_sub(1) } else { random.below(n_open.max(1)) };
                let id = hdf5.open.borrow().keys().nth(nth).copied();
                id.into_iter().for_each(|id| hdf5.close(id));
            }
            let n_bytes = 2 * random.below(20);
            let afresh = room_in(&hdf5, &decoded(n_bytes));
            assert_eq!(needed(&hdf5, &mut kept, n_bytes), afresh, "{n_start}, step {step}, chunk {nth}");
        }
    }
}

fn some_dataset(random: &mut Random) -> Dataset {
    let n_bytes = 2 * (1 + random.below(20)) as u64;
    match random.below(9) {
        0 => Dataset::Unfiltered,
        1 => chunked(n_bytes, vec![(LZ4, vec![8])]),
        2 => chunked(n_bytes, after(&[FLETCHER32])),
        _ => chunked(n_bytes, vec![lz4()]),
    }
}

#[test]
fn a_loop_that_opens_and_closes_for_ever_keeps_little() {
    for n_held in [0, 2 * MANY] {
        let (hdf5, mut kept) = (same(n_held), Kept::new(LZ4));
        for _ in 0..100_000 {
            let id = hdf5.open(chunked(3000, vec![lz4()]));
            assert_eq!(needed(&hdf5, &mut kept, 3000), Ok(3000));
            hdf5.close(id);
            assert!(kept.n_kept() <= 4 * n_held + 4000, "{} with {n_held} held", kept.n_kept());
        }
    }
}

#[test]
fn a_refusal_rests_on_nothing_that_was_kept() {
    let (hdf5, mut kept) = (same(3), Kept::new(LZ4));
    assert_eq!(needed(&hdf5, &mut kept, 1000), Ok(1000));
    // The same identifiers, of other datasets.
    hdf5.restart();
    for _ in 0..3 {
        hdf5.open(chunked(3000, vec![lz4()]));
    }
    assert_eq!(needed(&hdf5, &mut kept, 3000), Ok(3000));
    assert_eq!(needed(&hdf5, &mut kept, 1000), Err(3000));
}

#[test]
fn what_only_a_closed_dataset_explains_is_refused_and_none_needs_room_any_more() {
    for n_others in [1, 2 * MANY] {
        let (hdf5, mut kept) = (same(n_others), Kept::new(LZ4));
        let large = hdf5.open(chunked(3000, vec![lz4()]));
        assert_eq!(needed(&hdf5, &mut kept, 3000), Ok(3000));
        assert_eq!(needed(&hdf5, &mut kept, 1000), Ok(3000));
        hdf5.close(large);
        assert_eq!(needed(&hdf5, &mut kept, 1000), Ok(1000));
        assert_eq!(needed(&hdf5, &mut kept, 3000), Err(1000));
    }
}
