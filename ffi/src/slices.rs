//! `dc_slices`: a library of `h5io.h` that is in the program, called for all slices of datasets.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use darkchunk_hdf5::{Api, File, Library, load};
use darkchunk_stream::slabs::h5io::{Begun, Hosted, Loaded, Setting};
use darkchunk_stream::slabs::{self, Call, Input, Limits, Plan, Process, Rank, Summary, Verdict};

use crate::status::{Failure, Status, free, guard, reference, reference_mut, require, slice, text};
use crate::types::check_size;

const MAX_RANK: usize = 32;
const USUAL_MEMORY: u64 = 2_000_000_000;

/// `dc_slices_options`
#[repr(C)]
pub(crate) struct COptions {
    size: usize,
    arguments: *const *const c_char,
    n_arguments: usize,
    output: *const c_char,
    n_threads: usize,
    n_workers: usize,
    max_memory: u64,
    keep_going: c_int,
    resume: c_int,
    rank: u64,
    n_ranks: u64,
    library: *const c_char,
    library_sha256: *const c_char,
    stop: *mut i32,
    n_done: *mut u64,
}

/// `dc_slices_plan`
#[repr(C)]
pub(crate) struct CPlan {
    size: usize,
    n_axes: c_int,
    extents: [u64; MAX_RANK],
    first: u64,
    end: u64,
    n_slabs: u64,
    memory: u64,
    n_bytes: u64,
    decoded_bytes: u64,
}

/// `dc_slices_summary`
#[repr(C)]
pub(crate) struct CSummary {
    size: usize,
    n_done: u64,
    n_skipped: u64,
    n_failed: u64,
    n_not_reached: u64,
    read_bytes: u64,
    decoded_bytes: u64,
}

/// `dc_slices`. In the order in which all of it ends.
pub(crate) struct Slices {
    begun: Begun,
    inputs: Vec<Input>,
    plan: Plan,
    loaded: Loaded,
    _file: File,
    hdf5: Library,
    asked: Asked,
}

/// What the caller asks for.
struct Asked {
    file: PathBuf,
    arguments: Vec<String>,
    output: Option<PathBuf>,
    limits: Limits,
    keep_going: bool,
    resume: bool,
    rank: Rank,
    library: String,
    library_sha256: String,
    stop: *mut i32,
    n_done: *mut u64,
}

impl Asked {
    /// # Safety
    /// `options` are a `dc_slices_options`.
    unsafe fn read(file: &str, options: *const COptions) -> Result<Self, Failure> {
        // SAFETY: the caller's promise.
        let given = unsafe { reference(options, "options") }?;
        check_size(given.size, size_of::<COptions>(), "dc_slices_options")?;
        // SAFETY: the caller's promise.
        let arguments = unsafe { slice(given.arguments, given.n_arguments, "arguments") };
        let arguments = if given.n_arguments == 0 { &[] } else { arguments? };
        // SAFETY: the caller's promise.
        let one = |at: &*const c_char| unsafe { text(*at, "arguments") }.map(str::to_owned);
        let arguments = arguments.iter().map(one).collect::<Result<_, _>>()?;
        let optional = |at: *const c_char, what| {
            // SAFETY: the caller's promise.
            if at.is_null() { Ok(None) } else { unsafe { text(at, what) }.map(|text| Some(text.to_owned())) }
        };
        let usual = || std::thread::available_parallelism().map_or(1, usize::from);
        let or = |n: usize, usual: usize| if n == 0 { usual } else { n };
        let n_threads = or(given.n_threads, usual());
        let memory = if given.max_memory == 0 { USUAL_MEMORY } else { given.max_memory };
        let rank = match given.n_ranks {
            0 => Rank::of_launcher(|name| std::env::var(name).ok()).map_or(Rank::ALONE, |(rank, _)| rank),
            n_ranks => Rank::parse(&format!("{}/{n_ranks}", given.rank))?,
        };
        Ok(Self {
            file: PathBuf::from(file),
            arguments,
            output: optional(given.output, "output")?.map(PathBuf::from),
            limits: Limits { n_threads, n_workers: or(given.n_workers, n_threads), memory, max_block: 1 },
            keep_going: given.keep_going != 0,
            resume: given.resume != 0,
            rank,
            library: optional(given.library, "library")?.unwrap_or_default(),
            library_sha256: optional(given.library_sha256, "library_sha256")?.unwrap_or_default(),
            stop: given.stop,
            n_done: given.n_done,
        })
    }
}

/// The library, and the number by which another thread ends its run.
struct Stoppable<'a> {
    begun: &'a Begun,
    stop: Option<&'a AtomicI32>,
}

impl Process for Stoppable<'_> {
    fn process(&self, call: &Call<'_>, outputs: &mut [&mut [u8]]) -> Verdict {
        self.begun.process(call, outputs)
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Acquire) != 0)
    }
}

impl Slices {
    /// # Safety
    /// `library` is NULL or a table of `h5io.h`, which stays until this is dropped.
    unsafe fn open(hdf5: Library, library: *const c_void, asked: Asked) -> Result<Self, Failure> {
        let place = Path::new(&asked.library);
        // SAFETY: the caller's promise.
        let loaded = unsafe { Loaded::of_table(library, place, &asked.library_sha256) }?;
        let named = |error| Failure::Argument(format!("{}: {error}", asked.file.display()));
        let file = File::open(&hdf5, &asked.file, false).map_err(named)?;
        let setting = Setting {
            arguments: &asked.arguments,
            file: &asked.file,
            has_output: asked.output.is_some(),
            n_workers: asked.limits.n_workers,
            rank: asked.rank,
        };
        let open = |path: &str| {
            let mut input = Input::open(&hdf5, file.id(), path, asked.limits.n_threads)?;
            // One that cannot be used costs time and nothing else.
            let _ = input.use_index(&asked.file);
            Ok(input)
        };
        let (begun, inputs) = loaded.begin(setting, open)?;
        let plan = begun.plan(&inputs, asked.limits)?.with_rank(asked.rank);
        Ok(Self { begun, inputs, plan, loaded, _file: file, hdf5, asked })
    }

    fn run(&self) -> Result<Summary, Failure> {
        let Asked { output, keep_going, resume, rank, stop, n_done, .. } = &self.asked;
        // SAFETY: NULL, or the caller's promise: it is there through the call, and others only write whole numbers to it.
        let stop = (!stop.is_null()).then(|| unsafe { AtomicI32::from_ptr(*stop) });
        // SAFETY: as above; others only read it.
        let done = (!n_done.is_null()).then(|| unsafe { AtomicU64::from_ptr(*n_done) });
        let first = self.plan.own_slices().start;
        let seen = |n: u64| done.map_or((), |done| done.store(n - first, Ordering::Release));
        let (process, parts) = (Stoppable { begun: &self.begun, stop }, (&self.inputs[..], &self.plan));
        let provenance = self.loaded.about().provenance(&self.asked.file, &self.asked.arguments, &self.plan);
        Ok(match output {
            None => slabs::run(parts.0, parts.1, &process, *keep_going, &seen)?,
            Some(to) if *rank == Rank::ALONE => {
                slabs::write(&self.hdf5, to, parts, &process, *keep_going, (&provenance, *resume), &seen)?
            }
            Some(to) => {
                let how = (&provenance, *resume);
                let part = slabs::write_part(&self.hdf5, to, parts, &process, *keep_going, how, &seen)?;
                slabs::join_parts(&self.hdf5, to, &self.plan, &provenance)?;
                let mut summary = part.summary.unwrap_or_default();
                summary.n_failed = part.n_failed;
                summary
            }
        })
    }
}

/// Begins: the library is asked what it wants.
///
/// # Safety
/// As `darkchunk.h` says of its arguments; so everywhere below.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_slices_open(
    hdf5: *const Api,
    file: *const c_char,
    library: *const c_void,
    options: *const COptions,
    slices: *mut *mut Slices,
) -> Status {
    guard(|| {
        require(slices, "slices")?;
        require(library, "library")?;
        // SAFETY: promised by the caller.
        let file = unsafe { text(file, "file") }?;
        // SAFETY: promised by the caller.
        let asked = unsafe { Asked::read(file, options) }?;
        let hdf5 = if hdf5.is_null() {
            load::library()?
        } else {
            // SAFETY: promised by the caller.
            let api = unsafe { Api::read(hdf5) };
            // SAFETY: promised by the caller.
            unsafe { load::of_table(&api) }?
        };
        // SAFETY: promised by the caller.
        let made = unsafe { Slices::open(hdf5, library, asked) }?;
        // SAFETY: promised by the caller.
        unsafe { crate::status::set(slices, Box::into_raw(Box::new(made)), "slices") }
    })
}

/// What will be done.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_slices_plan_of(slices: *const Slices, plan: *mut CPlan) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let found = unsafe { reference(slices, "slices") }.map(|slices| &slices.plan)?;
        // SAFETY: promised by the caller.
        let plan = unsafe { reference_mut(plan, "plan") }?;
        check_size(plan.size, size_of::<CPlan>(), "dc_slices_plan")?;
        let (dims, own, mut extents) = (found.slicing().dims(), found.own_slices(), [0; MAX_RANK]);
        extents.iter_mut().zip(dims).for_each(|(to, from)| *to = *from);
        let sum = |of: &dyn Fn(&slabs::InputPlan) -> u64| found.inputs().iter().map(of).fold(0, u64::saturating_add);
        *plan = CPlan {
            size: plan.size,
            n_axes: dims.len() as c_int,
            extents,
            first: own.start,
            end: own.end,
            n_slabs: found.n_slabs(),
            memory: found.memory().total(),
            n_bytes: sum(&|input| input.n_bytes),
            decoded_bytes: sum(&|input| input.decoded_bytes),
        };
        Ok(())
    })
}

/// Calls the library for all slices.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_slices_run(slices: *mut Slices, summary: *mut CSummary) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let summary = unsafe { reference_mut(summary, "summary") }?;
        check_size(summary.size, size_of::<CSummary>(), "dc_slices_summary")?;
        // SAFETY: promised by the caller.
        let found = unsafe { reference_mut(slices, "slices") }?.run()?;
        let sum = |of: &dyn Fn(&darkchunk_stream::Statistics) -> u64| found.statistics.iter().map(of).sum();
        *summary = CSummary {
            size: summary.size,
            n_done: found.n_done,
            n_skipped: found.n_skipped,
            n_failed: found.n_failed,
            n_not_reached: found.n_not_reached,
            read_bytes: sum(&|input| input.read_bytes),
            decoded_bytes: sum(&|input| input.decoded_bytes),
        };
        Ok(())
    })
}

/// Ends it, the library too.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_slices_free(slices: *mut Slices) {
    // SAFETY: made by `dc_slices_open`, and not used again.
    unsafe { free(slices) };
}
