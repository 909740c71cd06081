//! Hostile chunks take no more memory with threads than with one, but for what each thread works with.
//!
//! Memory is counted for the whole process, so this is the only test in it.

mod corpus;
#[cfg(target_os = "linux")]
#[path = "corpus/growing.rs"]
mod growing;

use darkchunk::chunk::Filter;
use darkchunk::codec::ChunkLayout;
use darkchunk::element::ElementType;
use darkchunk::{Error, Exec, Result, Threads};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What a thread may take beside the chunk and its stored bytes, in Rust's allocator. The same number is in SECURITY.md.
const BYTES_PER_THREAD: usize = 256 << 10;

/// Counts what the process holds, and the most that it held.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is the system allocator's; only numbers are kept.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(held, Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn decode(filter: u32, cd_values: &[u32], bytes: &[u8], threads: Threads) -> Result<usize> {
    let codec = Filter::from_cd_values(filter, cd_values)?;
    let found = codec.decoded_len(bytes)?;
    if let Some(expected) = codec.chunk_bytes().filter(|expected| *expected != found) {
        return Err(Error::WrongSize { expected, found });
    }
    let mut output = vec![0; found];
    codec.decode(threads.into(), bytes, &mut output)?;
    Ok(output.len())
}

fn check(name: &str, filter: u32, cd_values: &[u32], bytes: &[u8], decoded_bytes: usize) {
    for n_threads in [1, 3, 8] {
        let threads = Threads::new(n_threads).with_min_bytes(1);
        let before = HELD.load(Relaxed);
        PEAK.store(before, Relaxed);
        let decoded = decode(filter, cd_values, bytes, threads);
        let peak = PEAK.load(Relaxed).saturating_sub(before);
        let most = 2 * decoded_bytes + 2 * bytes.len() + n_threads * BYTES_PER_THREAD;
        assert!(peak <= most, "{name}, {n_threads} threads: {peak} bytes, {most} are allowed ({decoded:?})");
    }
}

#[test]
fn each_thread_takes_what_one_does_and_no_more() {
    let (cases, right) = corpus::load();
    for case in &cases {
        // By parameters that do not say the size, it is what the bytes can hold.
        let is_other_size = case.expected == corpus::Expected::OtherSize;
        let n_bytes = if is_other_size { case.bytes.len() << 15 } else { right.len() };
        check(&case.name, case.filter, &case.stored, &case.bytes, n_bytes);
    }
    #[cfg(target_os = "linux")]
    for (name, filter, cd_values, make) in growing::FAMILIES {
        let bytes = make(1 << 20);
        // None of them decodes to more than twice its length.
        check(name, *filter, cd_values, &bytes, 2 * bytes.len());
    }
    // A block is nearly the whole chunk: another thread must not have memory for a second one.
    let dims = [1, 1000, 1000];
    let n_bytes = 2 * 1000 * 1000;
    for (filter, given) in [
        (32008, vec![1_000_000 - 8, 2]),
        (32008, vec![500_000, 2]),
        (32004, vec![n_bytes as u32 - 8]),
        (32001, vec![0, 0, 0, 0, 9, 1, 5]),
        (36114, vec![1, 0, 1_000_000 - 8]),
    ] {
        let layout = ChunkLayout::new(ElementType::I16, dims.to_vec());
        let stored = Filter::localise(filter, &given, &layout).expect("parameters");
        let codec = Filter::from_cd_values(filter, &stored).expect("the same");
        let mut chunk = vec![0; codec.max_encoded_len(n_bytes)];
        let n = codec.encode(Exec::current(), &vec![0; n_bytes], &mut chunk).expect("there is room");
        check(&format!("{filter} {given:?}"), filter, &stored, &chunk[..n], n_bytes);
    }
}
