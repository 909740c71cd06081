//! What the system counts as read agrees with what a run of slices says, in a program of its own, one test after the other: others would be
//! counted too.

#![cfg(target_os = "linux")]

mod common;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use common::bitshuffled;
use common::hdf5::library;
use common::maker::open;
use darkchunk_sim::Rng;
use darkchunk_stream::slabs::{Call, Input, Limits, Plan, Taken, Verdict, run};
use darkchunk_stream::{Options, Reader, Way};

static ONE_AFTER_THE_OTHER: Mutex<()> = Mutex::new(());

/// Bytes that this process has read so far, from whatever file.
fn read_so_far() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("rchar: ")).expect("a counter");
    line.parse().expect("a number")
}

#[test]
fn the_system_counts_no_more_than_a_hundredth_over_the_stored_bytes() {
    let _alone = ONE_AFTER_THE_OTHER.lock().expect("no panic");
    for (name, chunk) in [("slabs-io-diamond", [8, 16, 160]), ("slabs-io-bricks", [16, 16, 160])] {
        let mut rng = Rng::new(1);
        let path = bitshuffled::make(name, [1024, 64, 160], chunk, |_| rng.below(512) as u16);
        let before = read_so_far();
        let file = open(&path);
        let inputs = [Input::open(&library(), file.0, "data", 2).expect("a dataset")];
        let taken = Taken { map: vec![0, 1, 0], padding: (0, 0) };
        let limits = Limits { n_threads: 2, n_workers: 2, memory: 24 << 20, max_block: 1 };
        let plan = Plan::new(&[(&inputs[0], &taken)], &[], limits).expect("a plan");
        let process = |_: &Call<'_>, _: &mut [&mut [u8]]| Verdict::Done;
        let summary = run(&inputs, &plan, &process, false, &|_| ()).expect("it runs");
        let counted = read_so_far() - before;
        let stored = plan.inputs()[0].stored_bytes.expect("known");
        assert_eq!((plan.inputs()[0].way, summary.n_done, summary.statistics[0].read_bytes), (Way::Direct, 64, stored));
        assert!(plan.n_slabs() > 1, "{name}: {} slabs", plan.n_slabs());
        // HDF5 reads its own lists, and one chunk is read twice more to be sure of where chunks are.
        assert!(counted >= stored && counted * 100 <= stored * 101, "{name}: {counted} counted, {stored} stored");
    }
}

/// A row of 8280 bytes lies in two or three of the 2190 blocks of 8192 bytes.
#[test]
fn a_row_of_a_real_eiger_frame_decodes_three_blocks_and_reads_them_alone() {
    const BLOCK: u64 = 8192;
    let _alone = ONE_AFTER_THE_OTHER.lock().expect("no panic");
    let data = std::env::var("DARKCHUNK_DATA").unwrap_or_else(|_| "../../shared/data".into());
    let path = Path::new(&data).join("mx/eiger4m_1frame_bslz4_uint32.h5");
    if !path.is_file() {
        return eprintln!("not run: {} is not here", path.display());
    }
    let file = open(&path);
    let inputs = [Input::open(&library(), file.0, "entry/data/data", 1).expect("a dataset")];
    let taken = Taken { map: vec![0, 1, 0], padding: (0, 0) };
    // The least memory that will do: slabs of a row.
    let plan = (1..).find_map(|n| {
        let limits = Limits { n_threads: 1, n_workers: 1, memory: n << 13, max_block: 1 };
        Plan::new(&[(&inputs[0], &taken)], &[], limits).ok()
    });
    let plan = plan.expect("a plan");
    assert_eq!(plan.height(), (1, 1));
    let sum = AtomicU64::new(0);
    let process = |call: &Call<'_>, _: &mut [&mut [u8]]| {
        let pixels = call.inputs[0].data.as_chunks::<4>().0;
        sum.fetch_add(pixels.iter().map(|pixel| u64::from(u32::from_ne_bytes(*pixel))).sum(), Ordering::Relaxed);
        Verdict::Done
    };
    let before = read_so_far();
    let summary = run(&inputs, &plan, &process, false, &|_| ()).expect("it runs");
    let (counted, statistics) = (read_so_far() - before, summary.statistics[0]);
    println!("{} blocks decoded for 2167 rows, {counted} bytes read", statistics.decoded_bytes / BLOCK);
    assert_eq!(summary.n_done, 2167);
    assert!(statistics.decoded_bytes <= 2167 * 3 * BLOCK, "{statistics:?}");
    // The first slab reads all of the chunk, to know where its blocks are; all others together it once or twice more.
    assert!(
        statistics.read_bytes <= 4 * 3_432_249 && counted <= statistics.read_bytes + 100_000,
        "{counted} {statistics:?}"
    );
    let mut all = vec![0; 2167 * 2070 * 4];
    let reader = Reader::open_path(&library(), file.0, "entry/data/data", Options::default()).expect("a dataset");
    reader.read(&[0; 3], &[1, 2167, 2070], None, &mut all).expect("a frame");
    let pixels = all.as_chunks::<4>().0.iter().map(|pixel| u64::from(u32::from_ne_bytes(*pixel)));
    assert_eq!(sum.into_inner(), pixels.sum::<u64>());
}
