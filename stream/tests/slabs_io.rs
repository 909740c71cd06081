//! What the system counts as read agrees with what a run of slices says, in a program of its own: other tests would be counted too.

#![cfg(target_os = "linux")]

mod common;

use common::bitshuffled;
use common::hdf5::library;
use common::maker::open;
use darkchunk_sim::Rng;
use darkchunk_stream::Way;
use darkchunk_stream::slabs::{Call, Input, Limits, Plan, Taken, Verdict, run};

/// Bytes that this process has read so far, from whatever file.
fn read_so_far() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("rchar: ")).expect("a counter");
    line.parse().expect("a number")
}

#[test]
fn the_system_counts_no_more_than_a_hundredth_over_the_stored_bytes() {
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
