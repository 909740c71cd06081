//! Bad chunks end in an error or in the right data, whatever they are; in bounded memory, in time linear in their length.
//!
//! The corpus is `chunks/`; every truncation and every changed byte of its sound chunks are made here. The same corpus
//! goes through the plugins in real hosts in `../hosts/test_bad_chunks.py`.

#[path = "mod.rs"]
mod corpus;
#[cfg(target_os = "linux")]
mod growing;

use corpus::{Case, Expected, decode, load, localise};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The most a decode may take in Rust's allocator, the decoded chunk among it: twice the chunk, twice its
/// stored bytes, and this. (Zstd's library
/// takes its working memory, some 160 KiB, elsewhere.) The same bound is in SECURITY.md.
const CONSTANT_BYTES: usize = 256 << 10;

/// Counts what the thread holds, and the most that it held.
struct Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

fn count(more: usize, less: usize) {
    let held = HELD.get().wrapping_add(more).saturating_sub(less);
    HELD.set(held);
    PEAK.set(PEAK.get().max(held));
}

// SAFETY: everything is the system allocator's; only numbers are kept, in places that need no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The most that `work` holds at a time, beyond what was held before.
fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let result = work();
    (result, PEAK.get().saturating_sub(before))
}

/// Decodes into buffers that held other bytes; the outcome must not tell which, and must be within the bound.
fn outcome(name: &str, filter: u32, cd_values: &[u32], bytes: &[u8], max_bytes: usize) -> Option<Vec<u8>> {
    let (first, peak) = peak_of(|| decode(filter, cd_values, bytes, 0x5A));
    assert!(peak <= max_bytes, "{name} {cd_values:?}: {peak} bytes of memory, {max_bytes} are allowed");
    for fill in [0xC3, 0] {
        let second = decode(filter, cd_values, bytes, fill);
        assert_eq!(first, second, "{name}: the outcome depends on what the output held before");
    }
    first.ok()
}

fn bound(chunk_bytes: usize) -> usize {
    2 * chunk_bytes + CONSTANT_BYTES
}

fn sound(cases: &[Case]) -> impl Iterator<Item = &Case> {
    cases.iter().filter(|case| case.is_sound())
}

#[test]
fn every_bad_chunk_is_an_error_and_every_sound_one_the_right_data() {
    let (cases, right) = load();
    let mut wrong = Vec::new();
    let mut check = |case: &Case, values: &[u32], expected| {
        // Where only the parameters say the size, memory is bounded by what the bytes can hold.
        let n_bytes = if case.expected == Expected::OtherSize { case.bytes.len() << 15 } else { right.len() };
        let found = outcome(&case.name, case.filter, values, &case.bytes, bound(n_bytes));
        let is_fine = match &found {
            None => expected == Expected::Error,
            Some(found) if *found == right => expected == Expected::Right,
            Some(found) => expected == Expected::OtherSize && found.len() != right.len(),
        };
        if !is_fine {
            wrong.push(format!("{}: {}", case.name, if found.is_some() { "decoded" } else { "refused" }));
        }
    };
    for case in &cases {
        check(case, &case.stored, case.expected);
        // These have the size.
        if let Some(values) = &case.earlier {
            check(case, values, if case.expected == Expected::Right { Expected::Right } else { Expected::Error });
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn the_parameters_in_the_corpus_are_what_is_stored_for_its_datasets() {
    for case in load().0 {
        assert_eq!(localise(&case).as_ref(), Ok(&case.stored), "{}", case.name);
    }
}

#[test]
fn every_truncation_is_an_error() {
    let (cases, right) = load();
    for case in sound(&cases) {
        for n in 0..case.bytes.len() {
            let name = format!("{} cut to {n}", case.name);
            let found = outcome(&name, case.filter, &case.stored, &case.bytes[..n], bound(right.len()));
            assert!(found.is_none(), "{name} is decoded");
        }
    }
}

/// No format but DRLE's container has a checksum: there a changed byte may be nothing but a changed pixel. What it may
/// not do is change the size, or let bytes through that are not the chunk's.
#[test]
fn every_changed_byte_is_an_error_or_a_whole_chunk() {
    let (cases, right) = load();
    for case in sound(&cases) {
        // Pixels that are stored as they are have no more to say after the first few.
        let is_plain = case.bytes.len() >= right.len();
        for at in (0..case.bytes.len()).filter(|at| !is_plain || *at < 64 || at % 61 == 0) {
            for change in 1..=255 {
                let mut bytes = case.bytes.clone();
                bytes[at] ^= change;
                let name = format!("{} byte {at} ^ {change:#04x}", case.name);
                if let Some(found) = outcome(&name, case.filter, &case.stored, &bytes, bound(right.len())) {
                    assert_eq!(found.len(), right.len(), "{name}");
                    assert!(
                        !["drle", "drle-sentinels", "drle-packed", "bounded", "bounded-sparse", "bounded-float"]
                            .contains(&case.format.as_str()),
                        "{name}: its checksums must see it"
                    );
                }
            }
        }
    }
}

/// Files of other writers do not say how large a chunk is: what it claims must then be what its bytes can hold.
#[test]
fn without_a_size_in_the_parameters_memory_is_bounded_by_what_the_bytes_can_hold() {
    let (cases, right) = load();
    for case in &cases {
        let Some(reference) = &case.reference else { continue };
        // The most that any of the formats makes of a byte: Zstd's repeated block, 128 KiB from 4 bytes.
        let max_bytes = bound((case.bytes.len() << 15).max(right.len()));
        let found = outcome(&case.name, case.filter, reference, &case.bytes, max_bytes);
        if case.expected == Expected::Right {
            assert_eq!(found.as_ref(), Some(&right), "{}", case.name);
        }
    }
}

#[test]
fn parameters_of_every_length_and_with_any_value_are_an_error_or_a_whole_chunk() {
    let (cases, right) = load();
    for case in sound(&cases) {
        for n_values in 0..=case.stored.len() + 9 {
            let values = [&case.stored[..], &[0xFFFF_FFFF; 9]].concat();
            let _ = outcome(&case.name, case.filter, &values[..n_values], &case.bytes, bound(64 << 10));
        }
        for slot in 0..case.stored.len() {
            for value in [0, 1, 2, 3, 7, 255, 256, 0xFFFF, 1 << 31, u32::MAX] {
                let mut values = case.stored.clone();
                values[slot] = value;
                if let Some(found) = outcome(&case.name, case.filter, &values, &case.bytes, bound(64 << 10)) {
                    assert_eq!(found.len(), right.len(), "{} cd_values[{slot}] = {value}", case.name);
                }
            }
        }
    }
}

/// Eight times the input may take eight times the work, and what a measurement is off by; not sixty-four times. `seconds` measures the short
/// input, or the long one.
#[cfg(target_os = "linux")]
fn assert_linear(name: &str, mut seconds: impl FnMut(usize) -> f64) {
    let mut least = [f64::MAX; 2];
    // Another program that has the caches or the processor's other half makes some measurements worse, for a while even all of them.
    for _ in 0..20 {
        for which in [0, 1].repeat(4) {
            least[which] = least[which].min(seconds(which));
        }
        if least[1] <= 24.0 * least[0] + 2e-3 {
            return;
        }
    }
    panic!("{name}: {:.6} s, then {:.6} s for eight times the length", least[0], least[1]);
}

/// The lengths of the short and the long input.
#[cfg(target_os = "linux")]
const LENGTHS: [usize; 2] = [8 << 10, 64 << 10];

#[cfg(target_os = "linux")]
#[test]
fn time_is_linear_in_the_length_of_hostile_input() {
    for (name, filter, cd_values, make) in growing::FAMILIES {
        let inputs = LENGTHS.map(make);
        assert_linear(name, |which| growing::processor_seconds(|| drop(decode(*filter, cd_values, &inputs[which], 0))));
    }
}

/// What salvage is asked for: the chunk as it is, without its end, and with a byte changed near its start.
#[cfg(target_os = "linux")]
fn damaged(bytes: &[u8]) -> [Vec<u8>; 3] {
    let mut changed = bytes.to_vec();
    changed[bytes.len().min(18) - 1] ^= 0x55;
    [bytes.to_vec(), bytes[..bytes.len() - 3].to_vec(), changed]
}

/// Room for what a chunk says that it decodes to, if it can be told.
#[cfg(target_os = "linux")]
fn room(filter: u32, cd_values: &[u32], bytes: &[u8]) -> Vec<u8> {
    let filter = darkchunk::chunk::Filter::from_cd_values(filter, cd_values).expect("parameters");
    vec![0; filter.decoded_len(bytes).unwrap_or(2 * bytes.len())]
}

#[cfg(target_os = "linux")]
fn salvage(filter: u32, cd_values: &[u32], bytes: &[u8], dst: &mut [u8]) {
    let pipeline = darkchunk::pipeline::Pipeline::new([(filter, cd_values)]).expect("parameters");
    let _ = darkchunk::salvage::salvage(darkchunk::cpu::Level::current(), &pipeline, 0, bytes, &[], dst);
}

#[cfg(target_os = "linux")]
#[test]
fn the_time_of_salvage_is_linear_in_the_length_of_hostile_input() {
    for (name, filter, cd_values, make) in growing::FAMILIES {
        for kind in 0..3 {
            let damaged = |n: usize| damaged(&make(n))[kind].clone();
            let mut inputs = LENGTHS.map(|n| (damaged(n), room(*filter, cd_values, &make(n))));
            assert_linear(&format!("{name}, damage {kind}"), |which| {
                let (bytes, dst) = &mut inputs[which];
                growing::processor_seconds(|| salvage(*filter, cd_values, bytes, dst))
            });
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_memory_of_salvage_is_a_small_multiple_of_its_input_and_output() {
    for (name, filter, cd_values, make) in growing::FAMILIES {
        let n = 1 << 18;
        for bytes in damaged(&make(n)) {
            let mut dst = room(*filter, cd_values, &make(n));
            let (_, peak) = peak_of(|| salvage(*filter, cd_values, &bytes, &mut dst));
            // The decoded chunk, and some tens of bytes for each stored one.
            let max_bytes = 2 * dst.len() + 64 * bytes.len() + CONSTANT_BYTES;
            assert!(peak <= max_bytes, "{name}: {peak} bytes of memory, {max_bytes} are allowed");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_a_small_multiple_of_hostile_input_and_its_output() {
    for (name, filter, cd_values, make) in growing::FAMILIES {
        let bytes = make(1 << 20);
        let (_, peak) = peak_of(|| decode(*filter, cd_values, &bytes, 0x5A));
        // None of them decodes to more than twice its length.
        let max_bytes = 2 * (2 * bytes.len()) + 2 * bytes.len() + CONSTANT_BYTES;
        assert!(peak <= max_bytes, "{name}: {peak} bytes of memory, {max_bytes} are allowed");
    }
}
