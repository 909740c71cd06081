//! Processes that are functions of a C library: `h5io.h`.
//!
//! The library is loaded into this process, and stays: it may have left threads or handlers. What it asks for is compared where it has
//! several contexts, and checked before anything is read; its texts are copied. A library that crashes takes the process with it, unless it
//! has processes of its own ([`Isolation`]).

#![allow(unsafe_code)]

mod abi;
mod call;
#[cfg(unix)]
mod exit;
mod hosted;
#[cfg(unix)]
mod isolated;
mod load;

use std::ffi::{CStr, CString, c_char, c_int};
use std::path::Path;

pub use hosted::{About, Hosted, Isolation, begin};
#[cfg(unix)]
pub use isolated::child::serve;
pub use load::Loaded;

use darkchunk_hdf5::results::NumberType;

#[cfg(unix)]
use serde::{Deserialize, Serialize};

use self::abi::{ABI, CONTEXT, Context, Dataspace, MAX_RANK, ONE, Param, SAME, Table, number_of};
use super::input::{Input, Known, Taken};
use super::output::OutputSpec;
use super::{Call, Process, Rank, Verdict};
use crate::{Error, Result};

/// The most slices of a call.
const MAX_BLOCK: c_int = 1 << 20;

/// Who may call a library's `process` at the same time.
#[cfg(unix)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Threads {
    One,
    Context,
    Any,
}

/// A library that has begun: it has said what it wants.
#[derive(Debug)]
pub struct Begun {
    about: About,
    table: Table,
    contexts: Vec<Owned>,
    /// What it was given, which it may look at until it ends.
    given: Given,
    wants: Wants,
    has_several: bool,
    shapes: Shapes,
    #[cfg(unix)]
    _at_work: exit::AtWork,
}

/// One context.
#[derive(Debug)]
struct Owned(Context);

// SAFETY: threads share it for `process` alone. A library that has a context for each worker, or lets several use one, says so; else
// one worker alone calls. `h5io.h` tells libraries that it is another thread. The other pointers are to what nobody changes.
unsafe impl Sync for Begun {}

/// Strings that a library was given.
#[derive(Debug)]
struct Given {
    _arguments: Vec<CString>,
    pointers: Vec<*const c_char>,
    file: CString,
}

/// What a library wants.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wants {
    inputs: Vec<(String, Taken)>,
    outputs: Vec<OutputSpec>,
    max_block: u64,
}

/// What each array of a call looks like, but for its data.
#[derive(Debug, Default)]
struct Shapes {
    inputs: Vec<Dataspace>,
    outputs: Vec<Dataspace>,
    padding: Vec<(u64, u64)>,
    /// Inputs that have a first axis for the slices of a call.
    is_led: Vec<bool>,
}

/// How a library is begun.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// Each `name=value`.
    pub arguments: &'a [String],
    /// The file of the inputs, for the library to know.
    pub file: &'a Path,
    /// Whether there is a file for outputs.
    pub has_output: bool,
    /// Threads that may call it.
    pub n_workers: usize,
    /// Which of several processes this is.
    pub rank: Rank,
}

impl Loaded {
    /// Begins: asks the library what it wants. `open` opens an input by its path.
    ///
    /// # Errors
    /// [`Error::Argument`]: what the library says of itself, or what it asks for and cannot have. It has ended then.
    pub fn begin(
        &self,
        setting: Setting<'_>,
        mut open: impl FnMut(&str) -> Result<Input>,
    ) -> Result<(Begun, Vec<Input>)> {
        let mut inputs = Vec::new();
        let begun = self.begin_known(setting, None, &mut |path| {
            let input = open(path)?;
            let known = input.known();
            inputs.push(input);
            Ok(known)
        })?;
        Ok((begun, inputs))
    }

    /// The same for inputs of which the shape is enough; with all contexts, or that of one worker.
    fn begin_known(
        &self,
        setting: Setting<'_>,
        worker: Option<usize>,
        open: &mut dyn FnMut(&str) -> Result<Known>,
    ) -> Result<Begun> {
        #[cfg(unix)]
        let _in_library = exit::InLibrary::enter();
        let table = *self.table();
        let n_workers = if table.threads == ONE { 1 } else { setting.n_workers.max(1) };
        let n_contexts = if table.threads == CONTEXT { n_workers } else { 1 };
        let workers = worker.map_or(0..n_contexts, |worker| worker..worker + 1);
        let given = Given::new(setting)?;
        let wants = Wants { inputs: Vec::new(), outputs: Vec::new(), max_block: 1 };
        let (contexts, has_several, shapes) = (Vec::new(), workers.len() > 1, Shapes::default());
        let mut begun = Begun {
            about: self.about(),
            table,
            contexts,
            given,
            wants,
            has_several,
            shapes,
            #[cfg(unix)]
            _at_work: exit::AtWork::begin(),
        };
        let mut inputs: Vec<Known> = Vec::new();
        for number in workers {
            let counts = begun.init(number, n_workers, setting)?;
            let wants = begun.ask(counts, &mut inputs, open)?;
            if begun.contexts.len() > 1 && wants != begun.wants {
                return Err(refused(&format!("context {number} asks for other inputs or outputs than context 0")));
            }
            begun.wants = wants;
        }
        begun.shapes = begun.shapes(&inputs);
        Ok(begun)
    }
}

fn refused(why: &str) -> Error {
    Error::Argument(format!("the library: {why}"))
}

impl Given {
    fn new(setting: Setting<'_>) -> Result<Self> {
        let text = |text: &str| CString::new(text).map_err(|_| refused(&format!("{text:?} has a null byte")));
        let arguments = setting.arguments.iter().map(|argument| text(argument)).collect::<Result<Vec<_>>>()?;
        let pointers = arguments.iter().map(|argument| argument.as_ptr()).collect();
        Ok(Self { _arguments: arguments, pointers, file: text(&setting.file.to_string_lossy())? })
    }
}

impl Begun {
    /// What it wants to read, and how it is sliced.
    #[must_use]
    pub fn taken(&self) -> Vec<Taken> {
        self.wants.inputs.iter().map(|(_, taken)| taken.clone()).collect()
    }

    #[cfg(unix)]
    fn wants(&self) -> &Wants {
        &self.wants
    }

    #[cfg(unix)]
    fn threads(&self) -> Threads {
        match self.table.threads {
            ONE => Threads::One,
            CONTEXT => Threads::Context,
            _ => Threads::Any,
        }
    }

    /// Begins one context, and says how many inputs and outputs it has.
    fn init(&mut self, number: usize, n_workers: usize, setting: Setting<'_>) -> Result<(c_int, c_int)> {
        let param = Param {
            struct_size: size_of::<Param>() as u32,
            abi: ABI,
            rank: i32::try_from(setting.rank.rank).unwrap_or(i32::MAX),
            n_ranks: i32::try_from(setting.rank.n_ranks).unwrap_or(i32::MAX),
            worker: number as i32,
            n_workers: n_workers as i32,
            has_output: i32::from(setting.has_output),
            n_arguments: self.given.pointers.len() as i32,
            arguments: self.given.pointers.as_ptr(),
            file: self.given.file.as_ptr(),
        };
        let (mut context, mut n_inputs, mut n_outputs) = (std::ptr::null_mut(), 0, 0);
        let Some(init) = self.table.h5io_init else { return Err(refused("it has no h5io_init")) };
        // SAFETY: the library's own function by its table, as `h5io.h` declares it; all pointers are to what lives through the call.
        let code = unsafe { init(&raw mut context, &raw const param, &raw mut n_inputs, &raw mut n_outputs) };
        if code != 0 {
            return Err(refused(&self.words("h5io_init", std::ptr::null_mut(), code)));
        }
        self.contexts.push(Owned(context));
        if !(1..=1024).contains(&n_inputs) || !(0..=1024).contains(&n_outputs) {
            return Err(refused(&format!(
                "h5io_init asks for {n_inputs} inputs and {n_outputs} outputs: 1 to 1024, and up to 1024"
            )));
        }
        if n_outputs > 0 && !setting.has_output {
            return Err(Error::Argument("the library makes outputs: say with -o which file they go to".into()));
        }
        Ok((n_inputs, n_outputs))
    }

    /// Asks the last context what it wants.
    fn ask(
        &self,
        (n_inputs, n_outputs): (c_int, c_int),
        inputs: &mut Vec<Known>,
        open: &mut dyn FnMut(&str) -> Result<Known>,
    ) -> Result<Wants> {
        let mut wants = Wants { inputs: Vec::new(), outputs: Vec::new(), max_block: self.block()? };
        for index in 0..n_inputs {
            let path = self.location(index)?;
            if inputs.len() == index as usize {
                let named = |error: Error| Error::Argument(format!("input {index}, {path}: {error}"));
                inputs.push(open(&path).map_err(named)?);
            }
            let taken = self.slice(index, &inputs[index as usize])?;
            wants.inputs.push((path, taken));
        }
        for index in 0..n_outputs {
            wants.outputs.push(self.output(index, inputs)?);
        }
        Ok(wants)
    }

    fn context(&self) -> Context {
        self.contexts.last().map_or(std::ptr::null_mut(), |context| context.0)
    }

    fn location(&self, index: c_int) -> Result<String> {
        let mut location = std::ptr::null();
        let Some(request) = self.table.request_input else { return Err(refused("it has no request_input")) };
        // SAFETY: as for `h5io_init`, with the context that it gave.
        let code = unsafe { request(self.context(), index, &raw mut location) };
        self.check("request_input", code)?;
        // SAFETY: the library's string, which `h5io.h` asks it to keep.
        unsafe { text(location) }.ok_or_else(|| refused(&format!("request_input gives no location for input {index}")))
    }

    fn slice(&self, index: c_int, input: &Known) -> Result<Taken> {
        let dims = &input.dims;
        if dims.len() > MAX_RANK {
            return Err(refused(&format!("{} has {} axes", input.name, dims.len())));
        }
        let (dataspace, mut map) = (Dataspace::new(Some(input.number), dims), [0; MAX_RANK]);
        let Some(set) = self.table.set_input_slice else { return Err(refused("it has no set_input_slice")) };
        // SAFETY: as above; the map has room for an entry of each axis.
        let code = unsafe { set(self.context(), index, &raw const dataspace, map.as_mut_ptr()) };
        self.check("set_input_slice", code)?;
        let number = |k: &c_int| {
            u32::try_from(*k)
                .map_err(|_| refused(&format!("the slicing_map of {} has {k}, which is negative", input.name)))
        };
        let map = map[..dims.len()].iter().map(number).collect::<Result<_>>()?;
        Ok(Taken { map, padding: self.padding(index)? })
    }

    fn padding(&self, index: c_int) -> Result<(u64, u64)> {
        let Some(set) = self.table.set_padding else { return Ok((0, 0)) };
        let (mut before, mut after) = (0, 0);
        // SAFETY: as above.
        let code = unsafe { set(self.context(), index, &raw mut before, &raw mut after) };
        self.check("set_padding", code)?;
        if !(0..=MAX_BLOCK).contains(&before) || !(0..=MAX_BLOCK).contains(&after) {
            return Err(refused(&format!(
                "set_padding asks for {before} slices before and {after} after: 0 to {MAX_BLOCK}"
            )));
        }
        Ok((before as u64, after as u64))
    }

    fn block(&self) -> Result<u64> {
        let Some(set) = self.table.set_block else { return Ok(1) };
        let mut n = 1;
        // SAFETY: as above.
        let code = unsafe { set(self.context(), &raw mut n) };
        self.check("set_block", code)?;
        if !(1..=MAX_BLOCK).contains(&n) {
            return Err(refused(&format!("set_block asks for {n} slices: 1 to {MAX_BLOCK}")));
        }
        Ok(n as u64)
    }

    fn output(&self, index: c_int, inputs: &[Known]) -> Result<OutputSpec> {
        let (mut location, mut output) = (std::ptr::null(), Dataspace::new(None, &[]));
        let Some(request) = self.table.request_output else { return Err(refused("it has no request_output")) };
        // SAFETY: as above.
        let code = unsafe { request(self.context(), index, &raw mut location, &raw mut output) };
        self.check("request_output", code)?;
        // SAFETY: the library's string, which `h5io.h` asks it to keep.
        let path = unsafe { text(location) };
        let path = path.ok_or_else(|| refused(&format!("request_output gives no location for output {index}")))?;
        let number =
            if output.kind == SAME { inputs.first().map(|input| input.number) } else { number_of(output.kind) };
        let rank = usize::try_from(output.rank).ok().filter(|rank| *rank <= MAX_RANK);
        let rank = rank.ok_or_else(|| refused(&format!("output {path} has the rank {}", output.rank)))?;
        let number = number.map(|number| NumberType::native(number.class, number.n_bytes));
        let Some(number) = number else {
            return Err(refused(&format!("the type {} of output {path} is none", output.kind)));
        };
        Ok(OutputSpec { path, number, shape: output.shape[..rank].to_vec() })
    }

    fn check(&self, function: &str, code: c_int) -> Result<()> {
        if code == 0 { Ok(()) } else { Err(refused(&self.words(function, self.context(), code))) }
    }

    /// What the library says of a code.
    fn words(&self, function: &str, context: Context, code: c_int) -> String {
        let words = self.table.get_error_code.and_then(|get| {
            // SAFETY: the library's own function, as `h5io.h` declares it.
            let words = unsafe { get(context, code) };
            // SAFETY: the library's string, copied at once.
            unsafe { text(words) }
        });
        format!("{function} says {code}: {}", words.as_deref().unwrap_or("no text"))
    }

    fn complete(&mut self) -> Result<()> {
        #[cfg(unix)]
        let _in_library = exit::InLibrary::enter();
        let mut ended = Ok(());
        for Owned(context) in std::mem::take(&mut self.contexts) {
            let Some(complete) = self.table.processing_complete else { continue };
            // SAFETY: the library's own function, once for each context; no thread uses it any more.
            let code = unsafe { complete(context) };
            if code != 0 && ended.is_ok() {
                ended = Err(refused(&self.words("processing_complete", std::ptr::null_mut(), code)));
            }
        }
        ended
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let _ = self.complete();
    }
}

impl Process for Begun {
    fn process(&self, call: &Call<'_>, outputs: &mut [&mut [u8]]) -> Verdict {
        let context = self.contexts.get(if self.has_several { call.worker } else { 0 });
        let context = context.map_or(std::ptr::null_mut(), |context| context.0);
        self.called(context, call, outputs)
    }
}

/// A library's text; `None` for NULL.
///
/// # Safety
/// NULL, or a C string that lives through the call.
unsafe fn text(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}
