//! What a process and its child say to each other: objects of JSON, one a line, through a socket.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use darkchunk_hdf5::results::{NumberClass, NumberType};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::super::abi::{number_of, type_of};
use super::super::{Threads, Wants};
use crate::slabs::input::Known;
use crate::slabs::{OutputSpec, Taken, Verdict};

/// To the child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// The first: what to load, and what the library is told.
    Begin(Begin),
    /// The input that the child has asked for, or why there is none.
    Input(Result<InputText, String>),
    /// Where data will be.
    Memory(PathBuf),
    Call(CallText),
    End,
}

/// From the child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// The library wants to know about this input.
    Input(String),
    Begun(Result<Box<WantsText>, String>),
    Memory(Result<(), String>),
    Called(Verdict),
    Ended(Result<(), String>),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Begin {
    pub(super) library: PathBuf,
    pub(super) file: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) has_output: bool,
    pub(super) worker: usize,
    pub(super) n_workers: usize,
    pub(super) rank: (u64, u64),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct InputText {
    name: String,
    dims: Vec<u64>,
    number: i32,
    n_bytes: usize,
}

impl InputText {
    pub(super) fn new(known: &Known) -> Self {
        let Known { name, dims, number } = known;
        Self { name: name.clone(), dims: dims.clone(), number: type_of(*number), n_bytes: number.n_bytes }
    }

    pub(super) fn known(self) -> Known {
        let number = number_of(self.number).unwrap_or(NumberType::native(NumberClass::Bytes, self.n_bytes));
        Known { name: self.name, dims: self.dims, number }
    }
}

/// What a library says of itself, and what it wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WantsText {
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    pub(super) threads: Threads,
    inputs: Vec<(String, Taken)>,
    outputs: Vec<(String, i32, Vec<i64>)>,
    max_block: u64,
}

impl WantsText {
    pub(super) fn new((name, version): (Option<String>, Option<String>), threads: Threads, wants: &Wants) -> Self {
        let text = |output: &OutputSpec| (output.path.clone(), type_of(output.number), output.shape.clone());
        let outputs = wants.outputs.iter().map(text).collect();
        Self { name, version, threads, inputs: wants.inputs.clone(), outputs, max_block: wants.max_block }
    }

    pub(super) fn wants(&self) -> Option<Wants> {
        let spec = |(path, number, shape): &(String, i32, Vec<i64>)| {
            Some(OutputSpec { path: path.clone(), number: number_of(*number)?, shape: shape.clone() })
        };
        let outputs = self.outputs.iter().map(spec).collect::<Option<_>>()?;
        Some(Wants { inputs: self.inputs.clone(), outputs, max_block: self.max_block })
    }
}

/// A call; data are in the memory that both have.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CallText {
    pub(super) slice: u64,
    pub(super) n: u64,
    pub(super) place: Vec<u64>,
    pub(super) inputs: Vec<ViewText>,
    /// Where each output is, and its bytes; ascending.
    pub(super) outputs: Vec<(usize, usize)>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ViewText {
    pub(super) at: usize,
    pub(super) n_bytes: usize,
    pub(super) n: u64,
    pub(super) is_sliced: bool,
    pub(super) is_fixed: bool,
}

/// One end.
#[derive(Debug)]
pub(super) struct Channel(BufReader<UnixStream>);

impl Channel {
    pub(super) fn new(socket: UnixStream) -> Self {
        Self(BufReader::new(socket))
    }

    /// How long is waited for each answer.
    pub(super) fn set_limit(&self, limit: Option<Duration>) -> io::Result<()> {
        self.0.get_ref().set_read_timeout(limit)
    }

    pub(super) fn send(&mut self, what: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(what)?;
        line.push(b'\n');
        self.0.get_mut().write_all(&line)
    }

    /// [`io::ErrorKind::UnexpectedEof`] where the other end is closed, `WouldBlock` after the limit.
    pub(super) fn receive<T: DeserializeOwned>(&mut self) -> io::Result<T> {
        let mut line = Vec::new();
        match self.0.read_until(b'\n', &mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(serde_json::from_slice(&line)?),
        }
    }
}
