//! The limits themselves: reading, filling and copying frames of a pool.

use std::cell::RefCell;
use std::hint::black_box;

use crate::limits::{ReadLoop, read_loops};
use crate::pool::{Pool, pool_bytes};
use crate::report::Row;
use crate::timing::{Budget, Contestant, Times, race};

/// Races all read loops, memset and memcpy over frames of `source`; their rows, and the fastest read loop.
///
/// # Panics
/// Never: there is always a read loop.
#[must_use]
pub fn run(source: &Pool, output: &RefCell<Pool>, budget: Budget) -> (Vec<Row>, ReadLoop) {
    let n_bytes = source.frame_bytes();
    let loops = read_loops();
    let mut contestants: Vec<Contestant<'_>> = Vec::new();
    for read in &loops {
        contestants.push(Contestant::new(n_bytes, |slot| {
            black_box((read.run)(source.frame(slot)));
        }));
    }
    contestants.push(Contestant::new(n_bytes, |slot| {
        black_box(output.borrow_mut().frame_mut(slot)).fill(black_box(0));
    }));
    contestants.push(Contestant::new(n_bytes, |slot| {
        black_box(output.borrow_mut().frame_mut(slot)).copy_from_slice(source.frame(slot));
    }));
    let times = race(&mut contestants, source.n_slots(), budget);
    let fastest = (0..loops.len()).max_by(|a, b| times[*a].best_gb_per_s().total_cmp(&times[*b].best_gb_per_s()));
    let fastest = fastest.expect("a read loop");
    let reads = loops.iter().zip(&times).map(|(read, one)| row("memory read", read.name, one, &times[fastest]));
    let memset = row("memset", "libc", &times[loops.len()], &times[fastest]);
    let memcpy = row("memcpy", "libc", &times[loops.len() + 1], &times[fastest]);
    (reads.chain([memset, memcpy]).collect(), loops[fastest])
}

fn row(name: &str, level: &str, times: &Times, limit: &Times) -> Row {
    Row {
        name: name.into(),
        input: format!("2 MiB frames from {} MiB", pool_bytes() >> 20),
        by: "machine".into(),
        level: level.into(),
        threads: 1,
        gb_per_s: times.best_gb_per_s(),
        gb_per_s_median: times.median_gb_per_s(),
        ratio: None,
        peer: None,
        vs_peer: None,
        vs_peer_median: None,
        vs_one_thread: None,
        limit: "memory read".into(),
        vs_limit: Some(times.best_gb_per_s() / limit.best_gb_per_s()),
        vs_limit_median: Some(times.paired_ratio_to(limit)),
    }
}
