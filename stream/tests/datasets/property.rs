//! The reader gives what a dataset holds, and what `H5Dread` gives: datasets and selections at random.
//!
//! `DARKCHUNK_CASES` says how many datasets; `DARKCHUNK_SEED` which is the first.

use crate::common::cases::{Case, Chosen};
use crate::common::hdf5::library;
use crate::common::maker::{Handle, Layout, create, open, open_dataset};
use crate::common::path;
use crate::common::virtuals::VirtualCase;
use darkchunk_sim::Rng;
use darkchunk_stream::{Missing, Options, Read, Reader, Way};
use std::sync::Arc;
use std::time::Duration;

const SELECTIONS: usize = 4;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

/// Reads in steps of no time at all to memory with gaps, some axes backwards and the axes in any order, and gives the elements
/// in order. Between them nothing may be written.
fn read_with_strides(reader: &Arc<Reader>, chosen: &Chosen, rng: &mut Rng, element_bytes: usize) -> Vec<u8> {
    let rank = chosen.count.len();
    let mut axes: Vec<usize> = (0..rank).collect();
    (1..rank).for_each(|i| axes.swap(i, rng.below(i + 1)));
    let (mut strides, mut extent, mut first) = (vec![0_i64; rank], element_bytes, 0);
    for axis in axes {
        let stride = extent + rng.below(3);
        extent += stride * (chosen.count[axis].max(1) as usize - 1);
        strides[axis] = stride as i64;
        if rng.below(2) == 0 {
            first += stride * (chosen.count[axis].max(1) as usize - 1);
            strides[axis] = -strides[axis];
        }
    }
    const UNTOUCHED: u8 = 0xEE;
    let mut memory = vec![UNTOUCHED; extent];
    let at = memory[first..].as_mut_ptr();
    let (start, count, step) = (&chosen.start, &chosen.count, Some(&chosen.step[..]));
    // SAFETY: the strides stay in `memory`, which is not used before the read has ended.
    let mut read = unsafe { Read::begin(reader, start, count, step, at, Some(&strides)) }.expect("a good selection");
    let mut n_steps = 0;
    while !read.step(Some(Duration::ZERO)).expect("a good dataset") {
        n_steps += 1;
        assert!(n_steps < 100_000, "each step gets on");
    }
    let mut elements = Vec::new();
    for number in 0..chosen.n_elements() {
        let mut rest = number;
        let mut place = first as i64;
        for axis in (0..rank).rev() {
            place += (rest % chosen.count[axis] as usize) as i64 * strides[axis];
            rest /= chosen.count[axis] as usize;
        }
        let element = &mut memory[place as usize..place as usize + element_bytes];
        elements.extend_from_slice(element);
        element.fill(UNTOUCHED);
    }
    assert!(memory.iter().all(|byte| *byte == UNTOUCHED), "bytes between the elements were written: {strides:?}");
    elements
}

/// Compares all of a dataset, and selections of it.
fn check(case: &Case, reader: &Arc<Reader>, rng: &mut Rng, what: &str) {
    check_elements((&case.spec.dims, &case.elements), case, reader, rng, what);
}

fn check_elements((dims, elements): (&[u64], &[u8]), case: &Case, reader: &Arc<Reader>, rng: &mut Rng, what: &str) {
    for turn in 0..SELECTIONS {
        let chosen = if turn == 0 { Chosen::all(dims) } else { Chosen::random(rng, dims) };
        let expected = chosen.of(dims, elements, case.element_bytes);
        let mut found = vec![0xEE; expected.len()];
        reader.read(&chosen.start, &chosen.count, Some(&chosen.step), &mut found).expect(what);
        assert!(found == expected, "{what}, {chosen:?}: other elements");
        assert!(
            read_with_strides(reader, &chosen, rng, case.element_bytes) == expected,
            "{what}, {chosen:?}: with strides"
        );
        if reader.stored().is_some() {
            let mut missing = vec![0xEE; chosen.n_elements()];
            reader.missing(&chosen.start, &chosen.count, Some(&chosen.step), &mut missing).expect(what);
            assert!(missing == chosen.of(dims, &case.missing, 1), "{what}, {chosen:?}: missing");
        }
    }
}

fn one(seed: u64, path: &std::path::Path) -> Way {
    let case = Case::random(seed);
    case.make(&create(path, case.is_v110, case.user_block), "data");
    let file = open(path);
    let dataset = open_dataset(&file, "data");
    let rng = &mut Rng::new(seed ^ 0x5555);
    let open = |only_hdf5, missing| {
        let options = Options { n_threads: 1 + seed as usize % 3, only_hdf5, missing };
        Arc::new(Reader::open(&library(), dataset.0, options).expect("a dataset"))
    };
    let reader = open(false, Missing::Fill);
    let what = format!(
        "seed {seed}, {:?}, v110 {}, user block {}, {:?}",
        case.spec,
        case.is_v110,
        case.user_block,
        reader.way()
    );
    check(&case, &reader, rng, &what);
    if case.is_native {
        check(&case, &open(true, Missing::Fill), rng, &format!("{what}, by H5Dread"));
    }
    let has_missing = case.missing.contains(&1);
    for only_hdf5 in [false, case.is_native] {
        let all = Chosen::all(&case.spec.dims);
        let mut found = vec![0; case.elements.len()];
        let read = open(only_hdf5, Missing::Error).read(&all.start, &all.count, None, &mut found);
        let is_missing = matches!(read, Err(darkchunk_stream::Error::Missing { .. }));
        assert_eq!((is_missing, read.is_ok()), (has_missing, !has_missing), "{what}: {read:?}");
    }
    let is_elsewhere = matches!(case.spec.layout, Layout::Compact);
    assert!(!is_elsewhere || reader.way() == Way::Hdf5, "{what}");
    reader.way()
}

/// A virtual dataset of parts of a dataset, in its file or beside it. Says by which way it is read, and its source.
fn one_virtual(seed: u64, path: &std::path::Path) -> (Way, Way) {
    let (case, rng) = (Case::random(seed), &mut Rng::new(seed ^ 0x3333));
    let made = VirtualCase::random(rng, &case);
    let beside = path.with_extension("beside.h5");
    let file = create(path, case.is_v110, case.user_block);
    let is_beside = rng.below(2) == 0;
    if is_beside {
        case.make(&create(&beside, case.is_v110, 0), "data");
        let name = beside.to_str().expect("UTF-8");
        let name = if rng.below(2) == 0 { name } else { name.rsplit('/').next().expect("a name") };
        made.make(&file, "virtual", &case, (name, "data"));
    } else {
        case.make(&file, "data");
        made.make(&file, "virtual", &case, (".", "/data"));
    }
    drop(file);
    let file = open(path);
    let open_one = |path: &Handle, name, only_hdf5| {
        let options = Options { n_threads: 1 + seed as usize % 3, only_hdf5, missing: Missing::Fill };
        Arc::new(Reader::open(&library(), open_dataset(path, name).0, options).expect("a dataset"))
    };
    let source_file = open(if is_beside { &beside } else { path });
    let source = open_one(&source_file, "data", false).way();
    drop(source_file);
    let reader = open_one(&file, "virtual", false);
    let what = format!("seed {seed}, virtual of {:?}: {:?} {}", case.spec, reader.way(), reader.reason());
    if reader.way() == Way::Direct || case.is_native {
        check_elements((&made.dims, &made.elements), &case, &reader, rng, &what);
    }
    if case.is_native {
        let by_hdf5 = open_one(&file, "virtual", true);
        check_elements((&made.dims, &made.elements), &case, &by_hdf5, rng, &format!("{what}, by H5Dread"));
    }
    // Without any part there is nothing that would have to be read otherwise.
    (reader.way(), if made.has_parts() { source } else { Way::Direct })
}

#[test]
fn a_virtual_dataset_is_read_as_its_sources_are() {
    let (n_cases, first) = (number("DARKCHUNK_CASES", 100), number("DARKCHUNK_SEED", 1));
    let path = path("property_virtual");
    for seed in first..first + n_cases {
        let (way, source) = one_virtual(seed, &path);
        assert_eq!(way == Way::Direct, source == Way::Direct, "seed {seed}");
    }
}

#[test]
fn the_reader_gives_what_a_dataset_holds_whatever_it_is_and_by_every_way() {
    let (n_cases, first) = (number("DARKCHUNK_CASES", 250), number("DARKCHUNK_SEED", 1));
    let path = path("property");
    let mut n_direct = 0;
    for seed in first..first + n_cases {
        n_direct += u64::from(one(seed, &path) == Way::Direct);
    }
    println!("{n_cases} datasets, {n_direct} read directly");
    assert!(n_direct * 10 >= n_cases * 8, "only {n_direct} of {n_cases} were read directly");
}
