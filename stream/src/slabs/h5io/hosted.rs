//! A library, whether it is in this process or in others.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::abi::ONE;
use super::{Begun, Loaded, Setting};
use crate::Result;
use crate::slabs::{Input, Limits, Plan, Process, Taken};

/// A library that has begun, in this process or in others.
pub trait Hosted: Process {
    /// What it is.
    fn about(&self) -> &About;

    /// A plan for its inputs and outputs, with as many workers as it allows.
    ///
    /// # Errors
    /// As [`Plan::new`].
    fn plan(&self, inputs: &[Input], limits: Limits) -> Result<Plan>;

    /// What it wants to read: the paths, and how they are sliced.
    fn inputs(&self) -> &[(String, Taken)];

    /// Ends it.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) where the library says that it has not ended well.
    fn end(self: Box<Self>) -> Result<()>;

    /// What is called for slices.
    fn as_process(&self) -> &dyn Process;
}

/// What a library is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Its file.
    pub file: PathBuf,
    /// The SHA-256 of its file.
    pub sha256: String,
    /// What it calls itself.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
}

/// How a library has processes of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Isolation {
    /// The program that serves as a child, and its arguments: it is to call `serve`.
    pub command: Vec<OsString>,
    /// How long a call of the library may take.
    pub limit: Option<Duration>,
}

/// Has a library begin: asks it what it wants. `open` opens an input by its path.
///
/// # Errors
/// [`Error::Argument`](crate::Error::Argument): where it is no library, and what it says of itself, or asks for and cannot have. It has ended then.
pub fn begin(
    library: &Path,
    isolation: Option<Isolation>,
    setting: Setting<'_>,
    open: &mut dyn FnMut(&str) -> Result<Input>,
) -> Result<(Box<dyn Hosted>, Vec<Input>)> {
    match isolation {
        None => {
            #[cfg(unix)]
            super::exit::guard();
            let (begun, inputs) = Loaded::open(library)?.begin(setting, open)?;
            Ok((Box::new(begun), inputs))
        }
        #[cfg(unix)]
        Some(isolation) => {
            let (isolated, inputs) = super::isolated::Isolated::begin(library, isolation, setting, open)?;
            Ok((Box::new(isolated), inputs))
        }
        #[cfg(not(unix))]
        Some(_) => Err(crate::Error::Argument("processes of a library's own need Linux or macOS".into())),
    }
}

impl Hosted for Begun {
    fn about(&self) -> &About {
        &self.about
    }

    fn inputs(&self) -> &[(String, Taken)] {
        &self.wants.inputs
    }

    fn plan(&self, inputs: &[Input], limits: Limits) -> Result<Plan> {
        let n_workers = if self.table.threads == ONE { 1 } else { limits.n_workers };
        let n_workers = if self.has_several { n_workers.min(self.contexts.len()) } else { n_workers };
        let limits = Limits { n_workers, max_block: self.wants.max_block, ..limits };
        let taken = self.taken();
        let inputs: Vec<_> = inputs.iter().zip(&taken).collect();
        Plan::new(&inputs, &self.wants.outputs, limits)
    }

    fn end(mut self: Box<Self>) -> Result<()> {
        self.complete()
    }

    fn as_process(&self) -> &dyn Process {
        self
    }
}
