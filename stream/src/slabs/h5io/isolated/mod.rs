//! A library in processes of its own, one for each worker: if it crashes or hangs, that costs the slices of the call.
//!
//! A child is this program again, told so by its arguments, and has a socket as its standard input. Data are in memory that both have; what is
//! said goes through the socket. The child that has crashed is started anew for the next call.

mod channel;
pub(super) mod child;
mod memory;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child as Program, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use memmap2::MmapMut;

use self::channel::{Answer, Begin, CallText, Channel, InputText, Order, ViewText, WantsText};
use self::memory::Named;
use super::{About, Hosted, Isolation, Setting, Threads, Wants, refused};
use crate::slabs::input::{Input, Known};
use crate::slabs::needs::Apart;
use crate::slabs::{Call, Limits, Plan, Process, Taken, Verdict};
use crate::{Error, Result};

/// At least so long a child may take to start and to load its library, which may be on another machine.
const START: Duration = Duration::from_secs(60);

/// A library that has begun in a child.
#[derive(Debug)]
pub(super) struct Isolated {
    isolation: Isolation,
    about: About,
    begin: Begin,
    inputs: Vec<Known>,
    text: WantsText,
    wants: Wants,
    apart: OnceLock<Apart>,
    /// One for each worker; none before its first call, and after a crash.
    children: Vec<Mutex<Option<Child>>>,
}

/// A child, and what it has of the data.
#[derive(Debug)]
struct Child {
    program: Program,
    channel: Channel,
    memory: Option<MmapMut>,
    has_fixed: bool,
}

impl Isolated {
    pub(super) fn begin(
        library: &Path,
        isolation: Isolation,
        setting: Setting<'_>,
        open: &mut dyn FnMut(&str) -> Result<Input>,
    ) -> Result<(Self, Vec<Input>)> {
        let about = About::of(library)?;
        let begin = Begin {
            library: about.file.clone(),
            file: setting.file.to_owned(),
            arguments: setting.arguments.to_owned(),
            has_output: setting.has_output,
            worker: 0,
            n_workers: setting.n_workers.max(1),
            rank: (setting.rank.rank, setting.rank.n_ranks),
        };
        let (mut inputs, mut child) = (Vec::new(), Child::start(&isolation)?);
        let text = child.begin(&begin, isolation.limit, &mut |path| {
            let input = open(path)?;
            let text = InputText::new(&input.known());
            inputs.push(input);
            Ok(text)
        })?;
        let wants = text.wants().ok_or_else(|| refused("its child answers nonsense"))?;
        let about = About { name: text.name.clone(), version: text.version.clone(), ..about };
        let known = inputs.iter().map(Input::known).collect();
        let children = (0..begin.n_workers).map(|_| Mutex::new(None)).collect();
        let mut isolated =
            Self { isolation, about, begin, inputs: known, text, wants, apart: OnceLock::new(), children };
        isolated.children[0] = Mutex::new(Some(child));
        Ok((isolated, inputs))
    }

    /// The child of a worker, started if need be.
    fn child(&self, slot: &mut Option<Child>, worker: usize) -> Result<()> {
        if slot.is_none() {
            let mut child = Child::start(&self.isolation)?;
            let mut known = self.inputs.iter();
            let begin = Begin { worker, ..self.begin.clone() };
            let none = || refused("it asks for other inputs than before");
            let text = child
                .begin(&begin, self.isolation.limit, &mut |_| known.next().map(InputText::new).ok_or_else(none))?;
            if text != self.text {
                return Err(refused("it asks for other inputs or outputs than before"));
            }
            *slot = Some(child);
        }
        match slot {
            Some(child) if child.memory.is_none() => child.share(self.apart.get().map_or(0, Apart::n_bytes)),
            _ => Ok(()),
        }
    }

    fn called(&self, slot: &mut Option<Child>, call: &Call<'_>, outputs: &mut [&mut [u8]]) -> Result<Verdict> {
        self.child(slot, call.worker)?;
        let gone = || refused("its child is missing");
        let (child, apart) = slot.as_mut().zip(self.apart.get()).ok_or_else(gone)?;
        let text = child.put(apart, call, outputs).ok_or_else(gone)?;
        let verdict = match child.ask(&Order::Call(text))? {
            Answer::Called(verdict) => verdict,
            _ => return Err(refused("its child answers nonsense")),
        };
        if verdict == Verdict::Done {
            child.take(apart, outputs);
        }
        Ok(verdict)
    }
}

/// A lock that a panic elsewhere does not spoil.
fn lock(slot: &Mutex<Option<Child>>) -> MutexGuard<'_, Option<Child>> {
    slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Process for Isolated {
    fn process(&self, call: &Call<'_>, outputs: &mut [&mut [u8]]) -> Verdict {
        let Some(slot) = self.children.get(call.worker) else { return Verdict::Failed("it has no child".into()) };
        let mut slot = lock(slot);
        self.called(&mut slot, call, outputs).unwrap_or_else(|error| {
            // Dropped, it is ended; the next call has another.
            *slot = None;
            Verdict::Failed(error.to_string())
        })
    }

    fn survives(&self) -> bool {
        true
    }
}

impl Hosted for Isolated {
    fn about(&self) -> &About {
        &self.about
    }

    fn inputs(&self) -> &[(String, Taken)] {
        &self.wants.inputs
    }

    fn plan(&self, inputs: &[Input], limits: Limits) -> Result<Plan> {
        let n_workers = if self.text.threads == Threads::One { 1 } else { limits.n_workers.min(self.children.len()) };
        let limits = Limits { n_workers, max_block: self.wants.max_block, ..limits };
        let taken: Vec<Taken> = self.wants.inputs.iter().map(|(_, taken)| taken.clone()).collect();
        let inputs: Vec<_> = inputs.iter().zip(&taken).collect();
        let (plan, apart) = Plan::apart(&inputs, &self.wants.outputs, limits)?;
        // The same for any extent of the slicing axes.
        let _ = self.apart.set(apart);
        Ok(plan)
    }

    fn end(self: Box<Self>) -> Result<()> {
        let mut ended = Ok(());
        for slot in &self.children {
            let Some(mut child) = lock(slot).take() else { continue };
            let end = match child.ask(&Order::End) {
                // It ends by itself, so that what it printed is not lost.
                Ok(Answer::Ended(how)) => child.program.wait().map_or(Ok(()), |_| how.map_err(Error::Argument)),
                Ok(_) => Err(refused("its child answers nonsense")),
                Err(error) => Err(error),
            };
            ended = ended.and(end);
        }
        ended
    }

    fn as_process(&self) -> &dyn Process {
        self
    }
}

impl Child {
    fn start(isolation: &Isolation) -> Result<Self> {
        let failed = |error: io::Error| Error::Argument(format!("no child can be started for the library: {error}"));
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let mut words = isolation.command.iter();
        let mut command = Command::new(words.next().cloned().unwrap_or_default());
        // In a group of its own, so that Ctrl-C is for this process, which ends it when it is time.
        command.args(words).stdin(Stdio::from(OwnedFd::from(theirs))).process_group(0);
        let program = command.spawn().map_err(failed)?;
        let channel = Channel::new(ours);
        channel.set_limit(isolation.limit.map(|limit| limit.max(START))).map_err(failed)?;
        Ok(Self { program, channel, memory: None, has_fixed: false })
    }

    /// Has the library begin, and gives it the inputs that it asks for. From then on the limit holds for each answer.
    fn begin(
        &mut self,
        begin: &Begin,
        limit: Option<Duration>,
        open: &mut dyn FnMut(&str) -> Result<InputText>,
    ) -> Result<WantsText> {
        let mut order = Order::Begin(begin.clone());
        loop {
            match self.ask(&order)? {
                Answer::Input(path) => order = Order::Input(open(&path).map_err(|error| error.to_string())),
                Answer::Begun(Ok(text)) => {
                    let failed = |error: io::Error| Error::Argument(format!("no time limit can be set: {error}"));
                    return self.channel.set_limit(limit).map_err(failed).map(|()| *text);
                }
                Answer::Begun(Err(why)) => return Err(Error::Argument(why)),
                _ => return Err(refused("its child answers nonsense")),
            }
        }
    }

    fn share(&mut self, n_bytes: usize) -> Result<()> {
        let failed = |why: String| Error::Argument(format!("no memory can be shared with the library: {why}"));
        let named = Named::new(n_bytes.max(1)).map_err(|error| failed(error.to_string()))?;
        let shared = self.ask(&Order::Memory(named.path.clone()));
        self.memory = Some(named.into_memory());
        match shared? {
            Answer::Memory(Ok(())) => Ok(()),
            Answer::Memory(Err(why)) => Err(failed(why)),
            _ => Err(refused("its child answers nonsense")),
        }
    }

    /// Puts inputs where the child finds them, and zeros where it makes outputs.
    fn put(&mut self, apart: &Apart, call: &Call<'_>, outputs: &[&mut [u8]]) -> Option<CallText> {
        let memory = self.memory.as_mut()?;
        let mut inputs = Vec::with_capacity(call.inputs.len());
        for (view, at) in call.inputs.iter().zip(&apart.inputs) {
            let n_bytes = view.data.len();
            if !(view.is_fixed && self.has_fixed) {
                memory.get_mut(*at..)?.get_mut(..n_bytes)?.copy_from_slice(view.data);
            }
            let (n, is_sliced, is_fixed) = (view.n, view.is_sliced, view.is_fixed);
            inputs.push(ViewText { at: *at, n_bytes, n, is_sliced, is_fixed });
        }
        self.has_fixed = true;
        for (output, at) in outputs.iter().zip(&apart.outputs) {
            memory.get_mut(*at..)?.get_mut(..output.len())?.fill(0);
        }
        let outputs = outputs.iter().zip(&apart.outputs).map(|(output, at)| (*at, output.len())).collect();
        Some(CallText { slice: call.slice, n: call.n, place: call.place.to_vec(), inputs, outputs })
    }

    fn take(&self, apart: &Apart, outputs: &mut [&mut [u8]]) {
        let Some(memory) = &self.memory else { return };
        for (output, at) in outputs.iter_mut().zip(&apart.outputs) {
            output.copy_from_slice(&memory[*at..*at + output.len()]);
        }
    }

    /// Says something, and waits for the answer; an error says how the child has ended.
    fn ask(&mut self, order: &Order) -> Result<Answer> {
        let answer = self.channel.send(order).and_then(|()| self.channel.receive());
        answer.map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                refused("it has not returned within the time limit, and was ended")
            }
            io::ErrorKind::InvalidData => refused("its child answers nonsense"),
            _ => self.ended(),
        })
    }

    /// How a child has ended that does not answer any more.
    fn ended(&mut self) -> Error {
        // It may be alive. One that has crashed keeps its status.
        let _ = self.program.kill();
        match self.program.wait() {
            Ok(status) => refused(&words(status)),
            Err(error) => refused(&format!("its child is lost: {error}")),
        }
    }
}

fn words(status: ExitStatus) -> String {
    const NAMES: [(i32, &str); 6] = [
        (4, "illegal instruction"),
        (6, "abort"),
        (7, "bus error"),
        (8, "arithmetic"),
        (9, "killed, perhaps for want of memory"),
        (11, "segmentation fault"),
    ];
    match (status.signal(), status.code()) {
        (Some(signal), _) => {
            let name = NAMES.iter().find(|(number, _)| *number == signal).map_or("", |(_, name)| name);
            format!("it crashed: signal {signal}{}{name}", if name.is_empty() { "" } else { ", " })
        }
        (None, code) => format!("it ended its process, with {}", code.unwrap_or_default()),
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
