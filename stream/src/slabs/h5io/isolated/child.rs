//! The child: it loads the library, and calls it as it is told.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;

use memmap2::MmapMut;

use super::super::{Begun, Hosted, Loaded, Setting};
use super::channel::{Answer, Begin, CallText, Channel, Order, ViewText, WantsText};
use super::memory;
use crate::slabs::input::Known;
use crate::slabs::{Call, Process, Rank, Verdict, View};
use crate::unpacked::Signals;
use crate::{Error, Result};

/// What `darkchunk slices worker` does: serves the process that has its standard input, a socket, until that ends.
///
/// # Errors
/// [`Error::Argument`] where standard input is no such socket.
pub fn serve() -> Result<()> {
    // A batch system may tell all processes of a job to end: the one that has started this says when.
    let _noted = Signals::note();
    let failed = |error: std::io::Error| Error::Argument(format!("standard input is no socket of darkchunk: {error}"));
    let socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned().map_err(failed)?);
    socket.local_addr().map_err(failed)?;
    let mut answers = Channel::new(socket.try_clone().map_err(failed)?);
    let orders = orders(Channel::new(socket));
    let Ok(Order::Begin(begin)) = orders.recv() else { return Ok(()) };
    let mut answer = |answer: Answer| answers.send(&answer).map_err(failed);
    let mut open = |path: &str| {
        answer(Answer::Input(path.to_owned()))?;
        match orders.recv() {
            Ok(Order::Input(Ok(input))) => Ok(input.known()),
            Ok(Order::Input(Err(why))) => Err(Error::Argument(why)),
            _ => Err(Error::Argument("no input was given".into())),
        }
    };
    let (begun, wants) = match load(&begin, &mut open) {
        Ok((begun, wants)) => (begun, wants),
        Err(error) => return answer(Answer::Begun(Err(error.to_string()))),
    };
    answer(Answer::Begun(Ok(Box::new(wants))))?;
    let mut memory = None;
    while let Ok(order) = orders.recv() {
        match order {
            Order::Memory(path) => {
                let opened = memory::open(&path).map(|opened| memory = Some(opened));
                answer(Answer::Memory(opened.map_err(|error| error.to_string())))?;
            }
            Order::Call(call) => answer(Answer::Called(called(&begun, memory.as_mut(), &call)))?,
            Order::End => return answer(Answer::Ended(Box::new(begun).end().map_err(|error| error.to_string()))),
            Order::Begin(_) | Order::Input(_) => break,
        }
    }
    Ok(())
}

/// What the other process says. When that has gone so does this one, whatever the library is doing.
fn orders(mut channel: Channel) -> mpsc::Receiver<Order> {
    let (give, take) = mpsc::channel();
    std::thread::spawn(move || {
        while let Ok(order) = channel.receive() {
            let is_last = matches!(order, Order::End);
            if give.send(order).is_err() || is_last {
                return;
            }
        }
        std::process::exit(1);
    });
    take
}

fn load(begin: &Begin, open: &mut dyn FnMut(&str) -> Result<Known>) -> Result<(Begun, WantsText)> {
    let loaded = Loaded::open(&begin.library)?;
    let (rank, n_ranks) = begin.rank;
    let setting = Setting {
        arguments: &begin.arguments,
        file: &begin.file,
        has_output: begin.has_output,
        n_workers: begin.n_workers,
        rank: Rank { rank, n_ranks },
    };
    let begun = loaded.begin_known(setting, Some(begin.worker), open)?;
    let about = loaded.about();
    let wants = WantsText::new((about.name, about.version), begun.threads(), begun.wants());
    Ok((begun, wants))
}

fn called(begun: &Begun, memory: Option<&mut MmapMut>, call: &CallText) -> Verdict {
    let parts = memory.and_then(|memory| parts(memory, call));
    let Some((views, mut outputs)) = parts else { return Verdict::Failed("its memory is missing".into()) };
    let call = Call { worker: 0, slice: call.slice, n: call.n, place: &call.place, inputs: &views };
    begun.process(&call, &mut outputs)
}

/// The inputs and outputs of a call: first all inputs, then the outputs, each after the one before.
fn parts<'m>(memory: &'m mut MmapMut, call: &CallText) -> Option<(Vec<View<'m>>, Vec<&'m mut [u8]>)> {
    let first = call.outputs.first().map_or(memory.len(), |(at, _)| *at);
    let (inputs, mut rest) = memory.split_at_mut_checked(first)?;
    let inputs: &'m [u8] = inputs;
    let view = |view: &ViewText| {
        let ViewText { at, n_bytes, n, is_sliced, is_fixed } = *view;
        Some(View { data: inputs.get(at..)?.get(..n_bytes)?, n, is_sliced, is_fixed })
    };
    let views = call.inputs.iter().map(view).collect::<Option<Vec<_>>>()?;
    let (mut outputs, mut begin) = (Vec::new(), first);
    for (at, n_bytes) in &call.outputs {
        let (_, after) = rest.split_at_mut_checked(at.checked_sub(begin)?)?;
        let (output, after) = after.split_at_mut_checked(*n_bytes)?;
        outputs.push(output);
        (rest, begin) = (after, at + n_bytes);
    }
    Some((views, outputs))
}
