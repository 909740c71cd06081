//! The command `darkchunk`: its verbs, and how they are called.
//!
//! No logic of its own: a verb reads its arguments, calls `darkchunk-hdf5` and `darkchunk-stream`, and says what they found, as text
//! or as JSON ([docs/command.md](../../docs/command.md)). It ends with 0 where all is well, 1 where it found something, and 2 where it
//! could not do what was asked.

#![forbid(unsafe_code)]

mod cat;
mod compare;
mod completions;
mod convert;
mod diff;
mod hash;
mod help;
mod info;
mod input;
mod interrupt;
mod master;
mod noise;
mod output;
mod plugins;
mod recover;
mod slices;
mod threshold;
mod trial;
mod verify;
mod watch;
mod with;

use std::ffi::OsString;

use clap::{Parser, Subcommand};

/// What a verb found, or why it could not do what was asked.
type Outcome = Result<Found, String>;

/// How a verb ended that could do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    /// All is well.
    Nothing,
    /// It found something.
    Something,
    /// A part of it could not be done, as the output says.
    NotAll,
    /// A signal asked for an end: the exit code.
    Stopped(u8),
}

impl Found {
    fn code(self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Something => 1,
            Self::NotAll => 2,
            Self::Stopped(code) => code,
        }
    }
}

/// HDF5 files: what is in them, whether they are sound, and how they are compressed.
#[derive(Debug, Parser)]
#[command(name = "darkchunk", version, max_term_width = 80)]
#[command(
    after_help = "Begin with `darkchunk info FILE`; `darkchunk VERB --help` has examples.\n\nEnds with 0 if all is well, 1 if it \
    found something, 2 if it could not do what was asked. HDF5 is found at run time: that of h5py, of the system, or the file that \
    DARKCHUNK_HDF5 names."
)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Info(info::Arguments),
    Verify(verify::Arguments),
    Recover(recover::Arguments),
    Convert(convert::Arguments),
    Try(trial::Arguments),
    Compare(compare::Arguments),
    Threshold(threshold::Arguments),
    Noise(noise::Arguments),
    Hash(hash::Arguments),
    Diff(diff::Arguments),
    Cat(cat::Arguments),
    With(with::Arguments),
    Watch(watch::Arguments),
    #[command(subcommand)]
    Slices(slices::Arguments),
    Master(master::Arguments),
    Plugins(plugins::Arguments),
    Completions(completions::Arguments),
}

/// [`run`] in a process of its own, which a second Ctrl-C ends at once.
pub fn run_as_program(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    interrupt::own_process();
    run(arguments)
}

/// Runs the command with these arguments, the program's name first, and returns its exit code. While a verb runs that writes or takes
/// long, Ctrl-C and SIGTERM end most of them in good order (docs/command.md); the process's own handlers are called, too, and stay.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let verb = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments.verb,
        Err(error) => {
            if error.use_stderr() {
                output::misused(&error);
                return 2;
            }
            return output::print(&help::fitted(&error.render().to_string())).map_or(2, |()| 0);
        }
    };
    let outcome = match verb {
        Verb::Info(arguments) => info::run(&arguments),
        Verb::Compare(arguments) => compare::run(&arguments),
        Verb::Verify(arguments) => verify::run(&arguments),
        Verb::Recover(arguments) => recover::run(&arguments),
        Verb::Convert(arguments) => convert::run(&arguments),
        Verb::Try(arguments) => trial::run(&arguments),
        Verb::Hash(arguments) => hash::run(&arguments),
        Verb::Diff(arguments) => diff::run(&arguments),
        Verb::Cat(arguments) => cat::run(&arguments),
        Verb::With(arguments) => match with::run(&arguments) {
            Ok(code) => return code,
            Err(message) => Err(message),
        },
        Verb::Watch(arguments) => watch::run(&arguments),
        Verb::Threshold(arguments) => threshold::run(&arguments),
        Verb::Plugins(arguments) => plugins::run(&arguments),
        Verb::Slices(arguments) => slices::run(&arguments),
        Verb::Master(arguments) => master::run(&arguments),
        Verb::Noise(arguments) => noise::run(&arguments),
        Verb::Completions(arguments) => completions::run(&arguments),
    };
    outcome.map_or_else(
        |message| {
            output::complain(&message);
            2
        },
        Found::code,
    )
}
