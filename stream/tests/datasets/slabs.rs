//! Slices of datasets of every kind are what the datasets hold, each once, whatever memory and threads there are.
//!
//! `DARKCHUNK_CASES` says how many datasets; `DARKCHUNK_SEED` which is the first.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::common::bitshuffled;
use crate::common::cases::{Case, index, place};
use crate::common::hdf5::{h5t, library};
use crate::common::maker::{self, Layout, Spec, create, open};
use crate::common::path;
use darkchunk_hdf5::results::{NumberClass, NumberType};
use darkchunk_sim::Rng;
use darkchunk_stream::slabs::{Call, Input, Limits, OutputSpec, Plan, Provenance, Taken, Verdict, run, write};
use darkchunk_stream::{Error, Way};

const PLENTY: Limits = Limits { n_threads: 2, n_workers: 2, memory: 1 << 30, max_block: 1 };

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

/// A map with up to three slicing axes, at least one.
fn random_map(rng: &mut Rng, rank: usize) -> Vec<u32> {
    let mut axes: Vec<usize> = (0..rank).collect();
    (1..rank).for_each(|i| axes.swap(i, rng.below(i + 1)));
    let mut map = vec![0; rank];
    let n_axes = 1 + rng.below(rank.min(3));
    axes[..n_axes].iter().enumerate().for_each(|(k, axis)| map[*axis] = k as u32 + 1);
    map
}

/// A slice by the rule: places along the slicing axes, all of the others in their order.
fn slice_of(case: &Case, map: &[u32], at: &[u64], is_big: bool) -> Vec<u8> {
    let (dims, n_bytes) = (&case.spec.dims, case.element_bytes);
    let core: Vec<u64> = dims.iter().zip(map).filter(|(_, k)| **k == 0).map(|(dim, _)| *dim).collect();
    let mut slice = Vec::new();
    for number in 0..core.iter().product() {
        let mut inner = place(&core, number).into_iter();
        let of = |k: &u32| if *k == 0 { inner.next().expect("one a core axis") } else { at[*k as usize - 1] };
        let element: Vec<u64> = map.iter().map(of).collect();
        let from = index(dims, &element).expect("inside") * n_bytes;
        let element = &case.elements[from..from + n_bytes];
        if is_big { slice.extend(element.iter().rev()) } else { slice.extend(element) }
    }
    slice
}

/// Compares each slice that is handed in, and counts them.
fn check(case: &Case, input: Input, rng: &mut Rng, what: &str) {
    let map = random_map(rng, case.spec.dims.len());
    let padding = if rng.below(3) == 0 { (rng.below(3) as u64, rng.below(3) as u64) } else { (0, 0) };
    let max_block = if rng.below(3) == 0 { 1 + rng.below(5) as u64 } else { 1 };
    let taken = Taken { map: map.clone(), padding };
    let is_big =
        input.number().class != NumberClass::Bytes && input.number().order != darkchunk::element::ByteOrder::NATIVE;
    let inputs = [input];
    // The least memory by which there is a plan, or about, and a lot.
    let memory = [1 << 30, (17 << 20) + rng.below(60_000) as u64, 1 << 21][rng.below(3)];
    let limits = Limits { n_threads: 1 + rng.below(3), n_workers: 1 + rng.below(3), memory, max_block };
    let plan = match Plan::new(&[(&inputs[0], &taken)], &[], limits) {
        Ok(plan) => plan,
        Err(error) => {
            assert!(memory < 1 << 30 && error.to_string().contains("MB of memory are too few"), "{what}: {error}");
            return;
        }
    };
    let what = format!("{what} {map:?} {limits:?} {padding:?} slab {:?}", plan.height());
    assert!(plan.memory().total() <= memory, "{what}: {:?}", plan.memory());
    let dims = plan.slicing().dims().to_vec();
    let (seen, last) =
        (Mutex::new(vec![0; plan.slicing().n_slices() as usize]), Mutex::new(vec![None; limits.n_workers]));
    let process = |call: &Call<'_>, _: &mut [&mut [u8]]| {
        let before = last.lock().expect("a lock")[call.worker].replace(call.slice);
        assert!(before.is_none_or(|before| before < call.slice), "{what}: {before:?} before {}", call.slice);
        let view = call.inputs[0];
        assert_eq!((view.n, view.data.as_ptr() as usize % 64), (call.n + padding.0 + padding.1, 0), "{what}");
        let mut expected = Vec::new();
        for at in 0..view.n {
            let mut place = call.place.to_vec();
            let last = place.len() - 1;
            place[last] = (place[last] + at).saturating_sub(padding.0).min(dims[last] - 1);
            expected.extend(slice_of(case, &map, &place, is_big));
        }
        assert!(view.data == expected, "{what}: slice {} of {}", call.slice, call.n);
        seen.lock().expect("a lock")[call.slice as usize..][..call.n as usize].iter_mut().for_each(|n| *n += 1);
        Verdict::Done
    };
    let summary = run(&inputs, &plan, &process, false, &|_| ()).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(seen.lock().expect("a lock").iter().all(|n| *n == 1), "{what}: each slice once");
    assert_eq!(summary.n_done, plan.slicing().n_slices(), "{what}");
}

#[test]
fn every_slice_is_what_the_dataset_holds() {
    let (n_cases, first) = (number("DARKCHUNK_CASES", 150), number("DARKCHUNK_SEED", 0));
    let path = path("slabs-property");
    for seed in first..first + n_cases {
        let case = Case::random(seed);
        let what = format!("seed {seed}: {:?}", case.spec);
        {
            let file = create(&path, case.is_v110, case.user_block);
            case.make(&file, "data");
        }
        let file = open(&path);
        let rng = &mut Rng::new(seed ^ 0x51AB);
        for _ in 0..3 {
            check(&case, Input::open(&library(), file.0, "data", 2).expect("a dataset"), rng, &what);
        }
    }
}

/// Pixels of a dataset whose values say where they are.
fn make(name: &str, dims: [u64; 3], chunk: [u64; 3]) -> std::path::PathBuf {
    bitshuffled::make(name, dims, chunk, |at| value(&at))
}

fn value(at: &[u64]) -> u16 {
    (at[0] * 7919 + at[1] * 104_729 + at[2] * 31) as u16
}

/// Reads all sinograms (axis 1), compares them, and gives the plan's and the run's count of decoded bytes, read and stored bytes.
fn sinograms(path: &std::path::Path, memory: u64) -> (u64, u64, u64, u64) {
    let file = open(path);
    let inputs = [Input::open(&library(), file.0, "data", 2).expect("a dataset")];
    let taken = Taken { map: vec![0, 1, 0], padding: (0, 0) };
    let plan = Plan::new(&[(&inputs[0], &taken)], &[], Limits { memory, ..PLENTY }).expect("a plan");
    let dims = inputs[0].dims().to_vec();
    let process = |call: &Call<'_>, _: &mut [&mut [u8]]| {
        let pixels = call.inputs[0].data.as_chunks::<2>().0;
        let is_right = |(at, pixel): (usize, &[u8; 2])| {
            let (angle, x) = (at as u64 / dims[2], at as u64 % dims[2]);
            u16::from_ne_bytes(*pixel) == value(&[angle, call.slice, x])
        };
        if pixels.iter().enumerate().all(is_right) { Verdict::Done } else { Verdict::Failed("wrong pixels".into()) }
    };
    let summary = run(&inputs, &plan, &process, false, &|_| ()).expect("right pixels");
    assert_eq!(inputs[0].dims()[1], summary.n_done);
    let (planned, found) = (&plan.inputs()[0], summary.statistics[0]);
    assert_eq!(planned.way, Way::Direct);
    (planned.decoded_bytes, found.decoded_bytes, found.read_bytes, planned.stored_bytes.expect("known"))
}

#[test]
fn chunks_of_some_rows_are_read_and_decoded_once_as_planned() {
    for (name, chunk) in [("slabs-diamond", [8, 16, 320]), ("slabs-bricks", [16, 16, 320])] {
        let path = make(name, [96, 70, 320], chunk);
        let (planned, decoded, read, stored) = sinograms(&path, 24 << 20);
        assert_eq!(read, stored, "{name}");
        assert_eq!(decoded, planned, "{name}");
        let n_bytes = 96 * 80 * 320 * 2;
        assert_eq!(decoded, n_bytes, "{name}: whole chunks, once");
    }
}

#[test]
fn of_frames_no_other_blocks_are_decoded_than_those_of_a_slab() {
    let path = make("slabs-frames", [12, 512, 1024], [1, 512, 1024]);
    let n_bytes = 12 * 512 * 1024 * 2;
    // Slabs of a quarter of all at most.
    let (planned, decoded, read, stored) = sinograms(&path, 12 << 20);
    assert!(decoded * 10 <= n_bytes * 11, "{decoded} of {n_bytes}");
    assert!(planned * 10 <= n_bytes * 12 && planned >= decoded, "{planned} planned, {decoded} decoded");
    // Once whole to find the blocks, and then each block.
    assert!(read <= 2 * stored, "{read} of {stored}");
}

fn outputs() -> Vec<OutputSpec> {
    let number = NumberType::native(NumberClass::Float, 8);
    vec![
        OutputSpec {
            path: "large".into(),
            number: NumberType::native(NumberClass::Unsigned, 2),
            shape: vec![24, 320, -1],
        },
        OutputSpec { path: "out/sums".into(), number, shape: vec![3, -1, 2] },
    ]
}

/// Copies the slice, and makes six numbers of it.
fn copy_and_sum(call: &Call<'_>, outputs: &mut [&mut [u8]]) -> Verdict {
    let [large, sums] = outputs else { return Verdict::Failed("two outputs".into()) };
    large.copy_from_slice(call.inputs[0].data);
    for (k, sum) in sums.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        *sum = (call.slice as f64 + k as f64 / 8.0).to_ne_bytes();
    }
    if call.slice % 11 == 5 { Verdict::Skip } else { Verdict::Done }
}

fn results(name: &str, workers: usize, memory: u64) -> std::path::PathBuf {
    let (from, to) = (path("slabs-source").with_extension("made"), path(name));
    let file = open(&from);
    let inputs = [Input::open(&library(), file.0, "data", workers).expect("a dataset")];
    let taken = Taken { map: vec![0, 1, 0], padding: (0, 0) };
    let limits = Limits { n_threads: workers, n_workers: workers, memory, max_block: 1 };
    let plan = Plan::new(&[(&inputs[0], &taken)], &outputs(), limits).expect("a plan");
    let provenance = Provenance {
        facts: vec![("library".into(), "test".into())],
        lists: vec![("none".into(), vec![])],
        ..Provenance::default()
    };
    let summary =
        write(&library(), &to, (&inputs, &plan), &copy_and_sum, false, (&provenance, false), &|_| ()).expect("written");
    assert_eq!((summary.n_done, summary.n_skipped), (64, 6));
    to
}

#[test]
fn results_are_the_same_bytes_with_any_number_of_threads_and_any_memory() {
    let made = make("slabs-source", [24, 70, 320], [8, 16, 320]);
    std::fs::rename(&made, made.with_extension("made")).expect("renamed");
    let first = std::fs::read(results("slabs-1", 1, 1 << 30)).expect("there");
    for (workers, memory) in [(2, 1 << 30), (4, 1 << 30), (3, 6 << 20)] {
        let other = std::fs::read(results("slabs-n", workers, memory)).expect("there");
        assert!(first == other, "{workers} workers, {memory} bytes");
    }
    check_results(&path("slabs-n").with_file_name("slabs-1.h5"));
}

/// What is stored, read back with the reader.
fn check_results(path: &std::path::Path) {
    let file = open(path);
    let read = |name: &str| {
        let input = Input::open(&library(), file.0, name, 1).expect("a dataset");
        let dims = input.dims().to_vec();
        let taken = Taken { map: (1..=dims.len() as u32).collect(), padding: (0, 0) };
        let inputs = [input];
        let plan = Plan::new(&[(&inputs[0], &taken)], &[], PLENTY).expect("a plan");
        let all = Mutex::new(vec![Vec::new(); plan.slicing().n_slices() as usize]);
        let process = |call: &Call<'_>, _: &mut [&mut [u8]]| {
            all.lock().expect("a lock")[call.slice as usize] = call.inputs[0].data.to_vec();
            Verdict::Done
        };
        run(&inputs, &plan, &process, false, &|_| ()).expect("read");
        (dims, all.into_inner().expect("a lock"))
    };
    let (dims, large) = read("large");
    assert_eq!(dims, [24, 320, 70]);
    for (at, pixel) in large.iter().enumerate() {
        let at = place(&dims, at as u64);
        let expected = if at[2] % 11 == 5 { 0 } else { value(&[at[0], at[2], at[1]]) };
        assert_eq!(pixel[..], expected.to_ne_bytes(), "{at:?}");
    }
    let (dims, sums) = read("out/sums");
    assert_eq!(dims, [3, 70, 2]);
    for (at, sum) in sums.iter().enumerate() {
        let at = place(&dims, at as u64);
        let expected = if at[1] % 11 == 5 { 0.0 } else { at[1] as f64 + (at[0] * 2 + at[2]) as f64 / 8.0 };
        assert_eq!(sum[..], expected.to_ne_bytes(), "{at:?}");
    }
    let (dims, status) = read("entry/process/status");
    assert_eq!(dims, [70]);
    assert!(status.iter().enumerate().all(|(at, status)| status[..] == [u8::from(at % 11 == 5)]));
}

/// An input of 40 slices, and a plan.
fn small(name: &str, limits: Limits, then: impl FnOnce(&[Input], &Plan)) {
    let path = make(name, [4, 40, 16], [2, 8, 16]);
    let file = open(&path);
    let inputs = [Input::open(&library(), file.0, "data", 2).expect("a dataset")];
    let taken = Taken { map: vec![0, 1, 0], padding: (0, 0) };
    then(&inputs, &Plan::new(&[(&inputs[0], &taken)], &[], limits).expect("a plan"));
}

#[test]
fn of_several_failures_the_first_slice_is_the_one_that_is_reported() {
    small("slabs-failures", Limits { n_workers: 4, ..PLENTY }, |inputs, plan| {
        let process = |call: &Call<'_>, _: &mut [&mut [u8]]| match call.slice {
            17 => {
                std::thread::sleep(std::time::Duration::from_millis(20));
                Verdict::Failed("seventeen".into())
            }
            18 | 30 => Verdict::Failed("later".into()),
            19 => panic!("on purpose"),
            _ => Verdict::Done,
        };
        let error = run(inputs, plan, &process, false, &|_| ()).expect_err("it fails");
        assert_eq!(error, Error::Slice { slice: 17, reason: "seventeen".into() });
        let summary = run(inputs, plan, &process, true, &|_| ()).expect("it goes on");
        assert_eq!((summary.n_failed, summary.failure), (4, Some((17, "seventeen".into()))));
        let failed: Vec<usize> = (0..40).filter(|slice| summary.status[*slice] == 2).collect();
        assert!(failed == [17, 18, 19, 30], "{failed:?}");
    });
}

#[test]
fn a_stop_leaves_all_slices_after_it_and_none_before() {
    small("slabs-stop", Limits { n_workers: 3, ..PLENTY }, |inputs, plan| {
        let n_called = AtomicU64::new(0);
        let process = |call: &Call<'_>, _: &mut [&mut [u8]]| {
            n_called.fetch_add(1, Ordering::AcqRel);
            if call.slice == 21 { Verdict::Stop } else { Verdict::Done }
        };
        let summary = run(inputs, plan, &process, false, &|_| ()).expect("a stop is well");
        assert_eq!((summary.n_done, summary.n_not_reached), (21, 19));
        assert!(summary.status[..21].iter().all(|status| *status == 0));
        assert!(n_called.load(Ordering::Acquire) >= 22);
    });
}

#[test]
fn a_damaged_chunk_is_named_or_costs_its_slab() {
    let path = make("slabs-damaged", [4, 40, 16], [2, 8, 16]);
    let place = {
        let file = open(&path);
        let reader = darkchunk_stream::Reader::open_path(&library(), file.0, "data", Default::default()).expect("good");
        reader.stored_chunk(&[2, 16, 0]).expect("known").expect("there").address as usize
    };
    let mut bytes = std::fs::read(&path).expect("there");
    bytes[place + 12..place + 16].fill(0xFF);
    std::fs::write(&path, bytes).expect("written");
    let file = open(&path);
    let inputs = [Input::open(&library(), file.0, "data", 2).expect("a dataset")];
    let taken = Taken { map: vec![0, 1, 0], padding: (0, 0) };
    // Slabs as low as the chunks: one worker wants four slices, and memory for no more than some.
    let limits = Limits { n_threads: 1, n_workers: 1, memory: 6000, max_block: 1 };
    let plan = Plan::new(&[(&inputs[0], &taken)], &[], limits).expect("a plan");
    assert_eq!(plan.height(), (8, 1));
    let process = |_: &Call<'_>, _: &mut [&mut [u8]]| Verdict::Done;
    let error = run(&inputs, &plan, &process, false, &|_| ()).expect_err("it is damaged").to_string();
    assert!(error.contains("the chunk at [2, 16, 0]"), "{error}");
    let summary = run(&inputs, &plan, &process, true, &|_| ()).expect("it goes on");
    assert_eq!((summary.n_done, summary.n_failed), (32, 8));
    assert!(summary.status[16..24].iter().all(|status| *status == 2));
}

#[test]
fn several_inputs_are_handed_in_each_by_its_map() {
    let path = path("slabs-inputs");
    {
        let file = create(&path, true, 0);
        for (name, dims) in [("image", &[6, 5, 9][..]), ("dark", &[5, 9]), ("motor", &[2, 3]), ("columns", &[6])] {
            let n: u64 = dims.iter().product();
            let elements: Vec<u8> = (0..n).flat_map(|i| (i as u16 * 3 + dims.len() as u16).to_ne_bytes()).collect();
            let spec = Spec::new(*h5t::H5T_NATIVE_UINT16, dims, Layout::Contiguous);
            maker::write(&spec.make(&file, name), spec.datatype, &elements);
        }
    }
    let file = open(&path);
    let names = ["image", "dark", "motor", "columns"];
    let inputs = names.map(|name| Input::open(&library(), file.0, name, 2).expect("a dataset"));
    let maps = [vec![2, 0, 1], vec![0, 1], vec![0, 0], vec![2]];
    let taken = maps.map(|map| Taken { map, padding: (0, 0) });
    let pairs: Vec<_> = inputs.iter().zip(&taken).collect();
    let plan = Plan::new(&pairs, &[], PLENTY).expect("a plan");
    assert_eq!(plan.slicing().dims(), [9, 6]);
    let n_calls = AtomicUsize::new(0);
    let addresses = Mutex::new(Vec::new());
    let process = |call: &Call<'_>, _: &mut [&mut [u8]]| {
        n_calls.fetch_add(1, Ordering::AcqRel);
        let (x, k) = (call.place[0], call.place[1]);
        let pixel = |at: u64, rank: u64| ((at * 3 + rank) as u16).to_ne_bytes();
        let image: Vec<u8> = (0..5).flat_map(|y| pixel((k * 5 + y) * 9 + x, 3)).collect();
        let dark: Vec<u8> = (0..5).flat_map(|y| pixel(y * 9 + x, 2)).collect();
        let motor: Vec<u8> = (0..6).flat_map(|at| pixel(at, 2)).collect();
        let expected = [image, dark, motor, pixel(k, 1).to_vec()];
        addresses.lock().expect("a lock").push(call.inputs[2].data.as_ptr() as usize);
        let fixed: Vec<bool> = call.inputs.iter().map(|view| view.is_fixed).collect();
        assert_eq!(fixed, [false, false, true, false]);
        for (view, expected) in call.inputs.iter().zip(expected) {
            assert_eq!(view.data, expected, "slice {}", call.slice);
        }
        Verdict::Done
    };
    run(&inputs, &plan, &process, false, &|_| ()).expect("good");
    assert_eq!(n_calls.load(Ordering::Acquire), 54);
    let addresses = addresses.into_inner().expect("a lock");
    assert!(addresses.iter().all(|address| *address == addresses[0]), "what is fixed is read once");
}

#[test]
fn what_cannot_be_planned_says_why() {
    small("slabs-refused", PLENTY, |inputs, _| {
        let taken = Taken { map: vec![0, 1, 0], padding: (0, 0) };
        let refused = |shape: Vec<i64>, n_bytes: usize, words: &str| {
            let number = NumberType::native(NumberClass::Float, n_bytes);
            let spec = OutputSpec { path: "x".into(), number, shape };
            let error = Plan::new(&[(&inputs[0], &taken)], &[spec], PLENTY).expect_err(words).to_string();
            assert!(error.contains(words), "{error}");
        };
        refused(vec![4, 16], 4, "must be -1");
        refused(vec![-1, -1], 4, "twice");
        refused(vec![-2, -1], 4, "no slicing axis 2");
        refused(vec![0, -1], 4, "1 to 4294967295 bytes");
        refused(vec![1 << 40, -1], 4, "1 to 4294967295 bytes");
        let least = Limits { memory: 1000, ..PLENTY };
        let error = Plan::new(&[(&inputs[0], &taken)], &[], least).expect_err("too few").to_string();
        assert!(error.contains("MB of memory are too few"), "{error}");
        let padded = Taken { map: vec![0, 0, 0], padding: (1, 1) };
        let pairs = [(&inputs[0], &taken), (&inputs[0], &padded)];
        let error = Plan::new(&pairs, &[], PLENTY).expect_err("no axis").to_string();
        assert!(error.contains("cannot be padded"), "{error}");
    });
}
